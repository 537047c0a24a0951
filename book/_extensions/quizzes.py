"""Questions with answers that explain themselves, on a page without a kernel or a script.

``{quiz} 02_symmetry`` puts the questions of ``book/quizzes/02_symmetry.yml`` on the page. A
question is a fieldset of radio buttons. What is chosen is explained in a live region; the style
sheet decides which explanation shows, so nothing has to be loaded, and on paper all of them do.
"""

from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = Path("book", "quizzes")
LEAST, MOST = 2, 6  # choices: the style sheet knows so many
FORM = (
    "a list of questions, each with `question`, a text, and `choices`, 2 to 6 of them, each with "
    "`text`, `why` and, for the one right choice, `right: true`"
)


class QuizError(ValueError):
    """A file of questions is not what it should be."""


def questions(path: Path) -> list[dict]:
    """Return the questions in a file; raise QuizError if they have another form."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(file.stem for file in path.parent.glob("*.yml"))) or "none"
        raise QuizError(f"there is no {path.name}; the quizzes are: {there}") from None
    except yaml.YAMLError as error:
        raise QuizError(f"{path.name} is not YAML: {error}") from None
    if not isinstance(found, list) or not found:
        raise QuizError(f"{path.name} must hold {FORM}")
    for number, each in enumerate(found, 1):
        complain(each, f"{path.name}, question {number}")
    return found


def complain(question: object, where: str) -> None:
    """Raise QuizError if a question has not the form that the page needs."""
    if not isinstance(question, dict) or question.keys() != {"question", "choices"}:
        raise QuizError(f"{where}: the file must hold {FORM}")
    choices = question["choices"]
    if not isinstance(choices, list) or not LEAST <= len(choices) <= MOST:
        raise QuizError(f"{where} must have {LEAST} to {MOST} choices")
    for letter, choice in zip("abcdef", choices, strict=False):
        keys = choice.keys() - {"right"} if isinstance(choice, dict) else set()
        if keys != {"text", "why"} or not all(str(choice[key]).strip() for key in keys):
            raise QuizError(f"{where}, choice {letter}: it must have `text` and `why`")
    if sum(choice.get("right") is True for choice in choices) != 1:
        raise QuizError(f"{where}: one choice, and no other, must be `right: true`")


class quiz_question(nodes.Element):
    """Holds a quiz_text, a quiz_choice for each choice, and a quiz_answer for each choice."""


class quiz_text(nodes.TextElement):
    """What is asked."""


class quiz_choice(nodes.TextElement):
    """What may be chosen."""


class quiz_answer(nodes.TextElement):
    """Why a choice is right or wrong."""


class Quiz(SphinxDirective):
    """Put the questions of a file on the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        path = Path(self.env.srcdir, FOLDER, f"{name}.yml")
        self.env.note_dependency(str(path))
        try:
            found = questions(path)
        except QuizError as error:
            return [self.state.document.reporter.error(str(error), line=self.lineno)]
        return [
            self.make(question, f"quiz-{name}-{number}", number)
            for number, question in enumerate(found, 1)
        ]

    def make(self, question: dict, key: str, number: int) -> nodes.Node:
        """Return the node of one question; ``key`` is the name of its radio buttons."""
        asked = quiz_question(key=key, number=number)
        asked += self.inline(quiz_text(), question["question"])
        for choice in question["choices"]:
            asked += self.inline(quiz_choice(), choice["text"])
        for choice in question["choices"]:
            asked += self.inline(quiz_answer(right=choice.get("right") is True), choice["why"])
        return asked

    def inline(self, node: nodes.Element, text: str) -> nodes.Element:
        """Fill a node with Markdown text."""
        found, messages = self.state.inline_text(str(text).strip(), self.lineno)
        node += found
        node += messages
        return node


def visit_question(self, node: quiz_question) -> None:
    self.body.append(f'<fieldset class="quiz" id="{node["key"]}">')


def depart_question(self, node: quiz_question) -> None:
    self.body.append("</div></fieldset>\n")


def visit_text(self, node: quiz_text) -> None:
    self.body.append(f"<legend>Question {node.parent['number']}. ")


def depart_text(self, node: quiz_text) -> None:
    self.body.append("</legend>")


def place(node: nodes.Element) -> int:
    """Which choice, from 1, this is or explains."""
    return [each for each in node.parent if type(each) is type(node)].index(node) + 1


def letter(which: int) -> str:
    """What a choice is called; its explanation too, on paper."""
    return f'<span class="quiz-letter">{"abcdef"[which - 1]}) </span>'


def visit_choice(self, node: quiz_choice) -> None:
    key, which = node.parent["key"], place(node)
    self.body.append(
        f'<label><input type="radio" name="{key}" value="{which}"><span>{letter(which)}'
    )


def depart_choice(self, node: quiz_choice) -> None:
    self.body.append("</span></label>")


def visit_answer(self, node: quiz_answer) -> None:
    which = place(node)
    if which == 1:
        self.body.append('<div class="quiz-answers" role="status">')
    word = "Right." if node["right"] else "Not quite."
    kind = "right" if node["right"] else "wrong"
    self.body.append(
        f'<p class="{kind}" data-choice="{which}">{letter(which)}<strong>{word}</strong> '
    )


def depart_answer(self, node: quiz_answer) -> None:
    self.body.append("</p>")


def setup(app: Sphinx) -> dict:
    app.add_directive("quiz", Quiz)
    app.add_node(quiz_question, html=(visit_question, depart_question))
    app.add_node(quiz_text, html=(visit_text, depart_text))
    app.add_node(quiz_choice, html=(visit_choice, depart_choice))
    app.add_node(quiz_answer, html=(visit_answer, depart_answer))
    app.add_css_file("quizzes.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
