"""A resolved page as Markdown that every notebook reader shows: no directive, no role, no label.

Each kind of node has one function, and a kind without one is a warning, so that no words are lost
in silence. Sphinx's own numbers (sections, equations, figures, theorems, exercises) are written
out. A link inside the book leads to the page on the site, and is plain text where the book has no
address.
"""

import base64
import html
import mimetypes
import re
import textwrap
from functools import singledispatchmethod
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.builders import Builder
from sphinx.locale import admonitionlabels
from sphinx.util import logging
from sphinx_proof.nodes import proof_node

from quizzes import quiz_answer, quiz_choice, quiz_question, quiz_text

LOGGER = logging.getLogger(__name__)

# What Markdown would read as markup: anywhere in a text, and where a paragraph starts.
MARKUP = re.compile(r"[\\`*\[\]<$~]|(?<!\w)_|_(?!\w)")
START = re.compile(r"^(\d*)(?=[.)]\s|[-+#>])")


def one_line(text: str) -> str:
    return " ".join(text.split())


def escaped(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", text)


def bold(text: str) -> str:
    return f"**{one_line(text).replace('**', '')}**"


def indented(mark: str, text: str) -> str:
    """An item of a list: its mark, and its lines below one another."""
    return textwrap.indent(f"{mark}{text}", " " * len(mark)).removeprefix(" " * len(mark))


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def folded(title: str, text: str) -> str:
    """A part that opens with a click; it cannot hold code cells."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


class PlainMarkdown:
    """Turns nodes of the page ``docname`` into Markdown."""

    def __init__(self, builder: Builder, docname: str) -> None:
        self.builder, self.config, self.docname = builder, builder.config, docname
        env = builder.env
        self.sections = env.toc_secnumbers.get(docname, {})
        self.figures = env.toc_fignumbers.get(docname, {})
        self.in_table = False

    # What the parts are put together with

    def inline(self, node: nodes.Element) -> str:
        return "".join(map(self.render, node.children))

    def blocks(self, children: list[nodes.Node]) -> str:
        return "\n\n".join(filter(None, map(self.render, children)))

    def number(self, node: nodes.Element, kind: str) -> str:
        """The number that Sphinx gave to a theorem, exercise, equation or figure."""
        return ".".join(map(str, self.figures.get(kind, {}).get((node["ids"] or [""])[0], ())))

    def heading(self, section: nodes.section, level: int) -> str:
        anchors = ["", *(f"#{anchor}" for anchor in section["ids"])]
        number = next((self.sections[a] for a in anchors[level > 1 :] if a in self.sections), ())
        text = "".join(f"{part}." for part in number)
        return f"{'#' * level} {text} ".rstrip() + " " + one_line(self.inline(section[0]))

    def title(self, node: nodes.Element) -> str:
        """The title of a box, with its number if it has one."""
        title = next((child for child in node if isinstance(child, nodes.title)), nodes.title())
        kind = node.get("realtype") or title.get("title", "").removesuffix(" %s").lower()
        number = self.number(node, node.get("countertype", kind))
        return one_line(f"{kind.capitalize()} {number} {self.inline(title)}")

    def body(self, node: nodes.Element) -> list[nodes.Node]:
        return [child for child in node.children if not isinstance(child, nodes.title)]

    # Blocks

    @singledispatchmethod
    def render(self, node: nodes.Node) -> str:
        kind = type(node).__name__
        LOGGER.warning("run copies do not know %r", kind, location=node, type="run_copy")
        return one_line(node.astext())

    @render.register(nodes.comment)
    @render.register(nodes.substitution_definition)
    @render.register(nodes.target)
    @render.register(addnodes.index)
    def _(self, node) -> str:
        return ""

    @render.register(nodes.section)
    @render.register(nodes.container)
    @render.register(nodes.compound)
    @render.register(nodes.legend)
    @render.register(addnodes.glossary)
    def _(self, node) -> str:
        if node.get("nb_element") == "cell_code":
            LOGGER.warning("a code cell inside of a box is lost", location=node, type="run_copy")
        if node.get("design_component") == "dropdown" and node["has_title"]:
            return folded(self.summary(node[0]), self.blocks(node[1:]))
        return self.blocks(node.children)

    @render.register(nodes.paragraph)
    def _(self, node) -> str:
        text = self.inline(node).strip()
        # Lines as the reader's screen breaks them, but for those that are meant.
        text = "\\\n".join(one_line(line) for line in text.split("\\\n"))
        return START.sub(r"\1\\", text)

    @render.register(nodes.rubric)
    def _(self, node) -> str:
        return bold(self.inline(node))

    @render.register(nodes.transition)
    def _(self, node) -> str:
        return "---"

    @render.register(nodes.Admonition)
    @render.register(nodes.sidebar)
    @render.register(nodes.topic)
    def _(self, node) -> str:
        title = self.title(node) or admonitionlabels.get(node.tagname, "")
        text = self.blocks(self.body(node))
        if "dropdown" in node["classes"]:
            return folded(self.summary(node[0]), text)
        return quoted(f"{bold(title)}\n\n{text}" if title else text)

    @render.register(quiz_question)
    def _(self, node) -> str:
        parts = {quiz_text: [], quiz_choice: [], quiz_answer: []}
        for part in node.children:
            parts[type(part)].append(one_line(self.inline(part)))
        rights = [part["right"] for part in node.findall(quiz_answer)]
        choices = [f"- {a}) {text}" for a, text in zip("abcdef", parts[quiz_choice], strict=False)]
        answers = [
            f"- {a}) **{'Right.' if right else 'Not quite.'}** {text}"
            for a, right, text in zip("abcdef", rights, parts[quiz_answer], strict=False)
        ]
        question = f"**Question {node['number']}.** {parts[quiz_text][0]}"
        return "\n\n".join([question, "\n".join(choices), folded("Answers", "\n".join(answers))])

    @render.register(proof_node)
    def _(self, node) -> str:
        return self.blocks(node.children)

    @render.register(nodes.block_quote)
    def _(self, node) -> str:
        return quoted(self.blocks(node.children))

    @render.register(nodes.attribution)
    def _(self, node) -> str:
        return f"— {one_line(self.inline(node))}"

    @render.register(nodes.bullet_list)
    def _(self, node) -> str:
        return self.items(node, ["- "] * len(node))

    @render.register(nodes.enumerated_list)
    def _(self, node) -> str:
        start = node.get("start", 1)
        return self.items(node, [f"{start + i}. " for i in range(len(node))])

    def items(self, node: nodes.Element, marks: list[str]) -> str:
        texts = [
            indented(mark, self.blocks(item.children))
            for mark, item in zip(marks, node.children, strict=True)
        ]
        return ("\n\n" if any("\n" in text for text in texts) else "\n").join(texts)

    @render.register(nodes.definition_list)
    def _(self, node) -> str:
        return self.blocks(node.children)

    @render.register(nodes.definition_list_item)
    def _(self, node) -> str:
        term, *meanings = node.children
        items = [indented("- ", self.blocks(meaning.children)) for meaning in meanings]
        return "\n".join([bold(self.inline(term)), *items])

    @render.register(nodes.literal_block)
    def _(self, node) -> str:
        language = {"ipython3": "python", "default": "", "none": ""}
        name = node.get("language", "")
        return f"```{language.get(name, name)}\n{node.astext().rstrip()}\n```"

    @render.register(nodes.math_block)
    def _(self, node) -> str:
        # One line, because a quoted formula of several lines is not read as one.
        parts = [one_line(part) for part in re.split(r"\n\s*\n", node.astext()) if part.strip()]
        if node["nowrap"]:
            return " ".join(parts)
        tex = r" \\ ".join(parts)
        if r"\\" in tex and not re.fullmatch(r"\\begin\{(\w+\*?)\}.*\\end\{\1\}", tex):
            tex = r"\begin{aligned}" + tex + r"\end{aligned}"
        if number := self.number(node, "displaymath") or node.get("number"):
            tex += rf" \tag{{{number}}}"
        return f"$${tex}$$"

    @render.register(nodes.figure)
    def _(self, node) -> str:
        return self.blocks(node.children)

    @render.register(nodes.caption)
    def _(self, node) -> str:
        number = self.number(node.parent, "figure")
        label = self.config.numfig_format["figure"] % number if number else ""
        return " ".join(filter(None, [label and f"**{label}**", one_line(self.inline(node))]))

    @render.register(nodes.table)
    def _(self, node) -> str:
        self.in_table = True
        rows = [
            [self.blocks(cell.children).replace("\n\n", "<br>") for cell in row.children]
            for row in node.findall(nodes.row)
        ]
        first = next(iter(node.findall(nodes.row)))
        if not list(node.findall(nodes.thead)):
            rows.insert(0, [""] * len(rows[0]))
        ends = {"text-right": "--:", "text-center": ":-:"}
        rule = [next((ends[c] for c in e["classes"] if c in ends), "---") for e in first.children]
        self.in_table = False
        title = self.title(node)
        lines = [f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]]]
        return (title and f"{bold(title)}\n\n") + "\n".join(lines)

    # Inside of a line

    @render.register(nodes.Text)
    def _(self, node) -> str:
        text = escaped(node.astext())
        return text.replace("|", r"\|") if self.in_table else text

    @render.register(nodes.inline)
    @render.register(nodes.abbreviation)
    def _(self, node) -> str:
        text = self.inline(node)
        return f"<sup>{text}</sup>" if "claim-mark" in node["classes"] else text

    @render.register(nodes.emphasis)
    @render.register(nodes.title_reference)
    def _(self, node) -> str:
        return f"*{self.inline(node)}*"

    @render.register(nodes.strong)
    def _(self, node) -> str:
        return f"**{self.inline(node)}**"

    @render.register(nodes.subscript)
    def _(self, node) -> str:
        return f"<sub>{self.inline(node)}</sub>"

    @render.register(nodes.superscript)
    def _(self, node) -> str:
        return f"<sup>{self.inline(node)}</sup>"

    @render.register(nodes.literal)
    def _(self, node) -> str:
        text = one_line(node.astext())
        fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
        pad = " " if "`" in (text[:1], text[-1:]) else ""
        text = f"{fence}{pad}{text}{pad}{fence}"
        return text.replace("|", r"\|") if self.in_table else text

    @render.register(nodes.math)
    def _(self, node) -> str:
        text = one_line(node.astext())
        if self.in_table:  # where | would end the cell
            text = text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return f"${text}$"

    @render.register(nodes.reference)
    def _(self, node) -> str:
        text = self.inline(node)
        address = node.get("refuri", "")
        if "refid" in node or address.startswith("#"):
            anchor = node["refid"] if "refid" in node else address[1:]
            address = f"{self.builder.get_target_uri(self.docname)}#{anchor}"
        if node.get("internal") and not self.builder.site:
            return text
        space = text[: len(text) - len(text.lstrip())]
        return f"{space}[{text.strip()}]({address})"

    @render.register(nodes.image)
    def _(self, node) -> str:
        uri = node["uri"]
        if "://" not in uri:  # part of the notebook, which may be moved
            kind = mimetypes.guess_type(uri)[0]
            data = base64.b64encode(Path(self.builder.srcdir, uri).read_bytes()).decode()
            uri = f"data:{kind};base64,{data}"
        return f"![{escaped(node.get('alt', ''))}]({uri})"

    @render.register(nodes.raw)
    def _(self, node) -> str:
        if node.astext().strip() == "<br />":
            return "\\\n"
        if "html" in node["format"].split():
            return node.astext()
        return ""

    def summary(self, node: nodes.Element) -> str:
        """The title of a folded part: HTML, in which Markdown means nothing."""
        parts = []
        for part in node.findall(nodes.Text):
            if isinstance(part.parent, nodes.math):  # MathJax reads no entities
                tex = part.astext().replace("<", r"\lt ").replace(">", r"\gt ")
                parts.append(f"${tex}$")
            else:
                parts.append(html.escape(part.astext()))
        return one_line("".join(parts))
