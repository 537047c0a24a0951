"""What papers report, and what comes out here: one table a chapter, made from files of rows.

``{papers}`` puts the rows of all files ``book/papers/<chapter>.yml`` on the page. Our number is the
one that the chapter glued, as its notebook is saved. A row that does not say what the numbers say
stops the build: one that lies outside of its tolerance, or one that is said to differ and does not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from chapters import BOOK, Chapter, MissingError, chapter

FOLDER = Path("book", "papers")
NEEDED = {"result", "source", "paper", "ours", "section"}
TEXTS = ("result", "source", "where", "paper", "section", "note")
OPTIONAL = {"where", "expected", "within", "range", "note", "outcome"}
FORM = (
    "a list of rows, each with `result`, `source`, `paper`, `ours` and `section`, with `within` or "
    "`range`, and, where needed, with `expected`, `where`, `note` and `outcome: differs`"
)
# How a link to a place is written, by how its label starts. Of other labels Sphinx knows the title.
LINKS = {"fig-": "{numref}", "eq-": "Eq. {eq}", "def-": "Eq. {eq}", "thm-": "{prf:ref}"}


class PaperError(ValueError):
    """A row is not what it should be."""


@dataclass(frozen=True)
class Row:
    """One result: what a paper says, what comes out here, and whether the two agree.

    Attributes
    ----------
    ours, low, high : float
        Our number, and between which two it must lie to agree.
    tolerance : str
        What the file says of these two.
    differs : bool
        Whether the file says that our number does not lie there.
    result, source, where, paper, section, note : str
        As in the file, Markdown. ``source`` is a key of the bibliography, ``section`` a label.
    """

    ours: float
    low: float
    high: float
    tolerance: str
    differs: bool
    result: str
    source: str
    where: str
    paper: str
    section: str
    note: str


def rows(path: Path) -> list[Row]:
    """Return the rows of a file; raise PaperError if one is wrong."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise PaperError(f"{path.name} is not YAML: {error}") from None
    if not isinstance(found, list) or not found:
        raise PaperError(f"{path.name} must hold {FORM}")
    if not (BOOK / f"{path.stem}.ipynb").is_file():
        raise PaperError(f"{path.name} has the name of no chapter")
    return [
        row(each, chapter(path.stem), f"{path.name}, row {number}")
        for number, each in enumerate(found, 1)
    ]


def row(given: object, of: Chapter, name: str) -> Row:
    """Return one row with its numbers; raise PaperError if they do not agree as it says."""
    if not isinstance(given, dict) or not given.keys() >= NEEDED:
        raise PaperError(f"{name}: the file must hold {FORM}")
    if unknown := given.keys() - NEEDED - OPTIONAL:
        raise PaperError(f"{name} has {', '.join(sorted(map(str, unknown)))}; it must be {FORM}")
    if ("within" in given) == ("range" in given):
        raise PaperError(f"{name} must have `within` or `range`, and not both")
    outcome = given.get("outcome", "agrees")
    if outcome not in ("agrees", "differs"):
        raise PaperError(f"{name}: `outcome` must be `differs` or left out, got {outcome!r}")
    try:
        ours = number(given["ours"], of)
        low, high, tolerance = bounds(given, of)
    except (MissingError, ValueError) as error:
        raise PaperError(f"{name}: {error}") from None
    if (low <= ours <= high) == (outcome == "differs"):
        said = "outside of" if outcome == "differs" else "from"
        raise PaperError(f"{name}: {ours:.4g} must lie {said} {low:.4g} to {high:.4g}")
    text = {each: " ".join(str(given.get(each, "")).split()) for each in TEXTS}
    return Row(ours, low, high, tolerance, outcome == "differs", **text)


def number(value: object, of: Chapter) -> float:
    """Return a number, or what a chapter glued to a key."""
    found = of.take("numbers", value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"{value!r} must be a number or the key of one, got {found!r}")
    return float(found)


def bounds(given: dict, of: Chapter) -> tuple[float, float, str]:
    """Return between which numbers a row's must lie, and how the page says so."""
    if "range" in given:
        if not isinstance(given["range"], list) or len(given["range"]) != 2:
            raise ValueError(f"`range` must be [lowest, highest], got {given['range']!r}")
        low, high = (number(end, of) for end in given["range"])
        return low, high, f"{shown(low)} to {shown(high)}"
    expected, within = given.get("expected", given["paper"]), str(given["within"])
    if "expected" not in given and isinstance(expected, str):
        try:
            expected = float(expected)
        except ValueError:
            raise ValueError("`expected` must say what number `paper` stands for") from None
    expected, share = number(expected, of), re.fullmatch(r"([\d.]+) ?%", within)
    try:
        off = float(share[1]) / 100 * abs(expected) if share else float(within)
    except ValueError:
        raise ValueError(f'`within` must be a number or like "15 %", got {within!r}') from None
    if not off > 0:
        raise ValueError(f"`within` must be greater than 0, got {within!r}")
    said = f"± {share[1]} %" if share else f"± {shown(off)}"
    return expected - off, expected + off, said


def shown(value: float) -> str:
    """Return a number of at most four digits, as mathematics."""
    digits, _, power = f"{value:.4g}".partition("e")
    return rf"${digits} \cdot 10^{{{int(power)}}}$" if power else f"${digits}$"


def table(found: list[Row]) -> list[str]:
    """Return the lines of a table, in MyST Markdown."""
    lines = ["```{list-table}", ":class: papers", ":header-rows: 1", ":widths: 54 24 22", ""]
    lines += ["* - Result", "  - Paper", "  - Here"]
    for each in found:
        source = f"{{cite:t}}`{each.source}`" + (each.where and f", {each.where}")
        role = next(
            (role for start, role in LINKS.items() if each.section.startswith(start)), "{ref}"
        )
        result = each.result[:1].upper() + each.result[1:]
        result = result, f"{source}. Here: {role}`{each.section}`", each.note
        ours = shown(each.ours), "[differs]{.differs}" if each.differs else ""
        for at, cell in enumerate([result, (each.paper, each.tolerance), ours]):
            first, *others = filter(None, cell)
            lines.append(f"{'  ' if at else '* '}- {first}")
            for other in others:
                lines += ["", f"    {other}"]
    return [*lines, "```"]


class Papers(SphinxDirective):
    """Put the rows of all chapters on the page, a section each."""

    def run(self) -> list[nodes.Node]:
        found, sections = [], []
        for path in sorted(Path(self.env.srcdir, FOLDER).glob("*.yml")):
            self.env.note_dependency(str(path))
            self.env.note_dependency(str(BOOK / f"{path.stem}.ipynb"))
            try:
                found += (here := rows(path))
            except PaperError as error:
                return [self.state.document.reporter.error(str(error), line=self.lineno)]
            name = f"Chapter {int(path.stem[:2])}"
            section = nodes.section(ids=[nodes.make_id(name)], names=[name.lower()])
            section += nodes.title(text=name)
            self.fill(section, [f"[]({path.stem}.ipynb)", "", *table(here)])
            sections.append(section)
        differ = sum(each.differs for each in found)
        count = (
            f"Of {len(found)} results, {differ or 'none'} {'are' if differ > 1 else 'is'} marked."
        )
        return [nodes.paragraph(text=count), *sections]

    def fill(self, node: nodes.Element, lines: list[str]) -> None:
        """Fill a node with Markdown."""
        source = StringList(lines, self.get_source_info()[0])
        self.state.nested_parse(source, self.content_offset, node)


def setup(app: Sphinx) -> dict:
    app.add_directive("papers", Papers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
