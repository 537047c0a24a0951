"""What a slide takes from its chapter: figures, explorers, measured numbers, names of exercises.

A deck has the name of its chapter. All that it shows is read from the notebook as it is saved, so
nothing has to be copied, and what the chapter has not, or has no more, stops the build.
"""

import ast
import json
import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

import explorers
from figures import themed

BOOK = Path(__file__).parent.parent
GLUE = "application/papermill.record/text/plain"
EXERCISE = re.compile(r"^:{3,}\{exercise\} (.+)\n:label: (\S+)", re.MULTILINE)


class MissingError(LookupError):
    """A chapter has not what its deck asks for."""


class Chapter:
    """What the saved notebook of a chapter holds.

    Attributes
    ----------
    figures : dict
        The alternative text and the SVG of each figure, by its name.
    numbers : dict
        What each key was glued to.
    exercises : dict
        The title of each exercise, by its label.
    explorers : dict
        Each explorer, by its title.
    """

    def __init__(self, path: Path):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        self.name = path.stem
        self.figures, self.numbers, self.exercises = {}, {}, {}
        for cell in notebook["cells"]:
            source, outputs = "".join(cell["source"]), cell.get("outputs", [])
            self.exercises |= {label: title for title, label in EXERCISE.findall(source)}
            render = cell["metadata"].get("mystnb", {})
            for output in outputs:
                data = output.get("data", {})
                if GLUE in data:
                    key = output["metadata"]["scrapbook"]["name"]
                    self.numbers[key] = ast.literal_eval("".join(data[GLUE]))
                if "image/svg+xml" in data and "figure" in render:
                    svg = "".join(data["image/svg+xml"])
                    self.figures[render["figure"]["name"]] = (render["image"]["alt"], svg)
        found = explorers.saved(notebook).values()
        self.explorers = {explorer.title: explorer for explorer in found}

    def take(self, kind: str, name: str):
        """Return what has a name; raise MissingError, with the names there are, if nothing has."""
        found = getattr(self, kind)
        if name not in found:
            there = ", ".join(found) or "none"
            raise MissingError(f"{self.name} has no {name!r} among its {kind}: {there}")
        return found[name]


@cache
def chapter(name: str) -> Chapter:
    """Return the chapter that a deck is about."""
    return Chapter(BOOK / f"{name}.ipynb")


class Number(SphinxRole):
    """A measured number: ``{number}`key``` or, with a format, ``{number}`key:.2f```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        key, _, form = self.text.partition(":")
        try:
            value = chapter(self.env.docname).take("numbers", key)
            return [nodes.Text(format(value, form))], []
        except (MissingError, ValueError) as error:
            said = self.inliner.reporter.error(f"{self.text}: {error}", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [said]


class Exercise(SphinxRole):
    """The title of an exercise: ``{exercise}`label```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            title = chapter(self.env.docname).take("exercises", self.text)
            return [nodes.emphasis(text=title)], []
        except MissingError as error:
            said = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [said]


class Picture(SphinxDirective):
    """A part of a chapter that fills what a slide has left: ``{figure-of} name``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        key = f"p{self.env.new_serialno('picture')}"
        try:
            html = self.html(chapter(self.env.docname), key)
        except (MissingError, ValueError) as error:
            return [self.state.document.reporter.error(str(error), line=self.lineno)]
        return [nodes.raw(text=html, format="html")]

    def html(self, found: Chapter, key: str) -> str:
        """Return the part as HTML; ids start with ``key``."""
        alt, svg = found.take("figures", self.arguments[0])
        return themed(svg, alt, f"{key}-")


class Explorer(Picture):
    """An explorer, which works on the slide: ``{explorer-of} title``."""

    def html(self, found: Chapter, key: str) -> str:
        explorer = found.take("explorers", self.arguments[0])
        folder = f"{explorers.FOLDER}/{found.name}-{key}"
        return explorers.place(explorer, key, Path(self.env.app.outdir, folder), folder)


def setup(app: Sphinx) -> dict:
    app.add_role("number", Number())
    app.add_role("exercise", Exercise())
    app.add_directive("figure-of", Picture)
    app.add_directive("explorer-of", Explorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
