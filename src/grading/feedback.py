"""The page that a student gets back: without hidden tests, live scripts or foreign requests."""

import re
from html import escape

import bleach
from jinja2 import Environment
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader import utils

PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ assignment }}: {{ student }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: auto; padding: 1rem;
  color-scheme: light dark }
pre { overflow-x: auto; padding: .5rem; border-left: 4px solid #888 }
img { max-width: 100% }
td, th { padding: 0 1rem 0 0; text-align: left }
section { border-top: 1px solid #888; margin-top: 1rem }
</style>
</head>
<body>
<h1>{{ assignment }}</h1>
{% if cells %}
<p>{{ student }}: <strong>{{ "%g"|format(score) }} of {{ "%g"|format(points) }} points</strong>
{%- if by_hand %}, and {{ "%g"|format(by_hand) }} points are still to be given by hand{% endif %}.
</p>
{% endif %}
{% for note in notes %}<p>Note: {{ note }}.</p>{% endfor %}
<table>
<tr><th scope="col">Question</th><th scope="col">Points</th></tr>
{% for cell in cells if cell.points is not none %}
<tr><td><a href="#{{ cell.name }}">{{ cell.name }}</a></td>
<td>{{ cell.score }} of {{ "%g"|format(cell.points) }}</td></tr>
{% endfor %}
</table>
{% for cell in cells %}
<section{% if cell.name %} id="{{ cell.name }}"{% endif %}>
{% if cell.points is not none %}
<h2>{{ cell.name }}: {{ cell.score }} of {{ "%g"|format(cell.points) }}</h2>
{% endif %}
{% if cell.html is defined %}{{ cell.html|safe }}{% else %}<pre>{{ cell.source }}</pre>{% endif %}
{% for kind, output in cell.outputs %}
{% if kind == "text" %}<pre>{{ output }}</pre>
{% else %}<img alt="A picture that this cell drew" src="data:{{ kind }};base64,{{ output }}">
{% endif %}
{% endfor %}
{% if cell.comment %}<p><strong>Comment:</strong> {{ cell.comment }}</p>{% endif %}
</section>
{% endfor %}
</body>
</html>
""")
TAGS = bleach.ALLOWED_TAGS | {"p", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "br", "img"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "sub", "sup", "del", "div", "span"}
ATTRIBUTES = {
    "a": lambda tag, name, value: name == "href" and value.startswith(("https:", "http:", "#")),
    "img": lambda tag, name, value: (
        name == "alt"
        or (name == "src" and re.match(r"data:image/(png|jpeg|gif);base64,[\w+/=]*$", value))
    ),
}
LONGEST = 20_000  # characters of Markdown; more can keep its parser busy for hours
WITHHELD = "[not shown: it quotes a hidden test]"


def markdown(text: str) -> str:
    """HTML of Markdown, of which nothing runs and nothing asks another machine."""
    if len(text) > LONGEST:
        return f"<pre>{escape(text)}</pre>"
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    html = MarkdownWithMath(renderer=renderer).render(text)
    return bleach.clean(html, TAGS, ATTRIBUTES, {"http", "https", "data"}, strip=True)


def refusal(assignment: str, student: str, why: str) -> str:
    """The page of a submission that was not graded."""
    notes = [f"not graded: {why}"]
    return PAGE.render(assignment=assignment, student=student, notes=notes, cells=[])


def page(
    assignment: str,
    student: str,
    notebook: NotebookNode,
    release: NotebookNode,
    by_hand: dict[str, float],
) -> str:
    """The feedback page of an autograded notebook, after nbgrader's GetGrades.

    Of cells that are locked it shows what is in the release, and of what they did one line.
    by_hand holds the points of the answers that nobody has read yet.
    """
    ours = [cell for cell in release.cells if "nbgrader" in cell.metadata]
    public = {cell.metadata.nbgrader.grade_id: cell.source for cell in ours}
    shown = "\n".join(cell.source for cell in release.cells)
    tests = [cell for cell in notebook.cells if utils.is_locked(cell)]
    lines = {line.strip() for cell in tests for line in cell.source.splitlines()}
    hidden = {line for line in lines if len(line) > 8 and line not in shown}
    cells = [view(cell, public, hidden, by_hand) for cell in notebook.cells if cell.id != "set-up"]
    graded = [cell for cell in cells if cell["points"] is not None]
    return PAGE.render(
        assignment=assignment,
        student=student,
        notes=notebook.metadata.notes,
        cells=cells,
        score=sum(cell["number"] for cell in graded),
        points=sum(cell["points"] for cell in graded),
        by_hand=sum(by_hand.values()),
    )


def view(
    cell: NotebookNode, public: dict[str, str], hidden: set[str], by_hand: dict[str, float]
) -> dict:
    """What the page shows of a cell."""
    about = cell.metadata.get("nbgrader", {})
    name = about.get("grade_id", "")
    number = about.get("score", 0)
    seen = {
        "name": name,
        "points": about.get("points") if utils.is_grade(cell) or utils.is_task(cell) else None,
        "number": number,
        "score": "to be graded by hand," if name in by_hand else f"{number:g}",
        "comment": about.get("comment"),
        "source": public[name] if utils.is_locked(cell) else cell.source,
        "outputs": [],
    }
    if cell.cell_type != "code":
        seen["html"] = markdown(seen["source"])
    elif utils.is_locked(cell):  # its output and its traceback can quote the hidden tests
        errors = [out for out in cell.outputs if out.output_type == "error"]
        seen["outputs"] = [("text", first_line(out)) for out in errors[:1]]
    else:
        seen["outputs"] = [shown(output) for output in cell.outputs]
    seen["outputs"] = [(kind, censored(text, hidden)) for kind, text in seen["outputs"]]
    return seen


def first_line(error: NotebookNode) -> str:
    lines = error.evalue.strip().splitlines() or [""]
    return lines[0][:300] if error.ename == "Stopped" else f"{error.ename}: {lines[0][:300]}"


def shown(output: NotebookNode) -> tuple[str, str]:
    if output.output_type == "stream":
        return "text", output.text
    if output.output_type == "error":
        return "text", "\n".join(output.traceback)
    for kind in ("image/png", "image/jpeg"):
        if kind in output.data:
            return kind, "".join(output.data[kind].split())
    return "text", output.data.get("text/plain", "")


def censored(text: str, hidden: set[str]) -> str:
    """The text without the lines of hidden tests; whoever disguises them cannot be stopped."""
    quoted = any(line in text for line in hidden)
    return WITHHELD if quoted else text
