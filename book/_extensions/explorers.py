"""Explorers on a page without a kernel: a browser's own controls over frames of their own.

The notebook holds an explorer as widgets, for those who run it. Here it becomes a menu or a slider
an axis and the first frame; the page loads the other frames as they are chosen. A frame is a
script, because a page on a disk may not read other files.
"""

import base64
import json
import re
from html import escape, unescape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from figures import dark_style, themed

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = re.compile('<script type="application/vnd.jupyter.widget-view[+]json">(.*)</script>', re.S)
FRAME = re.compile('<img alt="([^"]*)".* src="data:image/svg[+]xml;base64,([^"]*)">', re.S)
FOLDER = "_frames"  # of the site

logger = logging.getLogger(__name__)


class Saved:
    """An explorer as a notebook holds it.

    Attributes
    ----------
    intro : list of str
        The title, and what to look for.
    controls : list of dict
        The state of each menu or slider, from the top down.
    animated : str or None
        The name of the control that moves by itself.
    """

    def __init__(self, state: dict, key: str):
        self.state = state
        intro, *parts, self.picture = self._children(key)
        self.intro = re.findall("<p>(?:<strong>)?(.*?)(?:</strong>)?</p>", intro.get("value", ""))
        self.controls = [part for part in parts if "_options_labels" in part]
        names = [part["description"] for part in parts if part["_model_name"] == "CheckboxModel"]
        self.animated = names[0].removeprefix("animate ") if names else None

    @staticmethod
    def all(notebook: dict) -> dict[str, "Saved"]:
        """The explorers in a notebook, by the id of their model."""
        state = notebook["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
        return {
            key: Saved(state, key)
            for key, model in state.items()
            if "nnlab-explorer" in (model["state"].get("_dom_classes") or ())
        }

    def _children(self, key):
        keys = self.state[key]["state"]["children"]
        return [self.state[child.removeprefix("IPY_MODEL_")]["state"] for child in keys]

    def frames(self) -> list[tuple[str, str]]:
        """Alternative text and SVG of every frame, the last control changing fastest."""
        parts = [self.picture]
        while "children" in parts[0]:
            keys = [child for part in parts for child in part["children"]]
            parts = [self.state[key.removeprefix("IPY_MODEL_")]["state"] for key in keys]
        found = [FRAME.fullmatch(part["value"]) for part in parts]
        if len(self.intro) != 2 or None in found:
            raise ValueError("this explorer is of an older kind: run its notebook again")
        return [(unescape(match[1]), base64.b64decode(match[2]).decode()) for match in found]

    def first(self) -> int:
        """The number of the frame that is shown first."""
        number = 0
        for control in self.controls:
            number = number * len(control["_options_labels"]) + control["index"]
        return number


def control(state: dict, key: str) -> str:
    """Return a menu or a slider with its name, as HTML."""
    name, labels, first = state["description"], state["_options_labels"], state["index"]
    head = f'<label for="{key}">{escape(name)}</label>'
    if state["_model_name"] == "DropdownModel":
        options = "".join(
            f'<option value="{i}"{" selected" * (i == first)}>{escape(label)}</option>'
            for i, label in enumerate(labels)
        )
        return f'{head}<select id="{key}">{options}</select>'
    options = "".join(
        f'<option value="{i}" label="{escape(label)}"></option>' for i, label in enumerate(labels)
    )
    shown = escape(labels[first])
    return (
        f'{head}<span><input type="range" id="{key}" list="{key}-labels" max="{len(labels) - 1}" '
        f'value="{first}" aria-valuetext="{shown}"><output for="{key}">{shown}</output></span>'
        f'<datalist id="{key}-labels">{options}</datalist>'
    )


def page(saved: Saved, key: str, folder: str, first: str) -> str:
    """Return an explorer as HTML, with the frame ``first`` and the address of all frames."""
    title, look_for = saved.intro
    parts = [control(state, f"{key}-{i}") for i, state in enumerate(saved.controls)]
    if saved.animated:
        moved = [state["description"] for state in saved.controls].index(saved.animated)
        parts.append(
            f'<label class="animate"><input type="checkbox" data-moves="{key}-{moved}"> '
            f"animate {escape(saved.animated)}</label>"
        )
    return (
        f'<div class="nnlab-explorer" role="group" aria-labelledby="{key}-title" '
        f'data-frames="{folder}"><p class="title" id="{key}-title">{title}</p>'
        f'<p class="look-for">{look_for}</p>'
        f'<form class="pst-js-only" autocomplete="off">{"".join(parts)}</form>'
        f'<div class="frame" aria-live="polite">{first}</div></div>'
    )


def place(saved: Saved, key: str, folder: Path, address: str) -> str:
    """Write the frames into ``folder``, which a page finds at ``address``; return the rest as HTML.

    Raises
    ------
    ValueError
        If the notebook holds an explorer of an older kind.
    """
    frames = [themed(svg, alt, f"{key}-") for alt, svg in saved.frames()]
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        script = f"document.currentScript.frame = {json.dumps(frame, ensure_ascii=False)};\n"
        (folder / f"{i}.js").write_text(script, encoding="utf-8", newline="\n")
    return page(saved, key, address, frames[saved.first()]) + dark_style("".join(frames))


def embed(app: Sphinx, document: nodes.document, name: str) -> None:
    """Put the explorers of a notebook into its page, and their frames beside it."""
    if app.builder.format != "html":
        return
    views = [node for node in document.findall(nodes.raw) if VIEW.search(node.astext())]
    if not views:
        return
    saved = Saved.all(json.loads(Path(app.env.doc2path(name)).read_text(encoding="utf-8")))
    for number, node in enumerate(views):
        model = json.loads(VIEW.search(node.astext())[1])["model_id"]
        if model not in saved:
            logger.warning("this widget is not an explorer", location=node)
            continue
        folder = f"{FOLDER}/{name}-{number}"
        address = "../" * name.count("/") + folder
        try:
            html = place(saved[model], f"explorer-{number}", Path(app.outdir, folder), address)
        except ValueError as error:
            logger.warning(str(error), location=node)
            continue
        node.replace_self(nodes.raw(text=html, format="html"))
    # The page does without the widgets' state.
    scripts = app.env.nb_metadata[name].get("js_files", {})
    scripts.pop("ipywidgets_state", None)


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", embed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
