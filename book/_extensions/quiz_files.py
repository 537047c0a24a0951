"""The quizzes as files that learning platforms read: `make quizzes` writes them to _build/quizzes.

GIFT is the format of Moodle. QTI 1.2, made by text2qti, is that of Canvas; other platforms read it
too, but may show a formula only as its TeX.
"""

import re
import sys
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nnlab.files import whole
from text2qti.config import Config
from text2qti.qti import QTI
from text2qti.quiz import Quiz

from quizzes import FOLDER, QuizError, questions

ROOT = Path(__file__).parents[2]
MARKDOWN = MarkdownIt("commonmark").use(
    dollarmath_plugin, renderer=lambda tex, _: rf"\({escape(tex, quote=False)}\)"
)


def one_line(text: object) -> str:
    return " ".join(str(text).split())


def gift_text(text: object) -> str:
    """Markdown as HTML, with the signs escaped that mean something in GIFT."""
    return re.sub(r"[\\~=#{}:]", r"\\\g<0>", MARKDOWN.renderInline(one_line(text)))


def gift(name: str, found: list[dict]) -> str:
    """Return questions in the format of Moodle, which sets formulas in ``\\(…\\)``."""
    parts = []
    for number, question in enumerate(found, 1):
        parts.append(f"::{name} {number}::[html]{gift_text(question['question'])} {{")
        for choice in question["choices"]:
            mark = "=" if choice.get("right") else "~"
            parts.append(f"  {mark}{gift_text(choice['text'])} #{gift_text(choice['why'])}")
        parts.append("}\n")
    return "\n".join(parts)


def qti(name: str, found: list[dict]) -> QTI:
    """Return questions as a QTI package."""
    lines = [f"Quiz title: {name}"]
    for number, question in enumerate(found, 1):
        lines += ["", f"{number}. {one_line(question['question'])}"]
        for letter, choice in zip("abcdef", question["choices"], strict=False):
            mark = "*" if choice.get("right") else ""
            lines.append(f"{mark}{letter}) {one_line(choice['text'])}")
            lines.append(f"... {one_line(choice['why'])}")
    return QTI(Quiz("\n".join(lines), config=Config()))


def main(folder: Path = ROOT / "_build" / "quizzes") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / FOLDER).glob("*.yml")):
        try:
            found = questions(path)
        except QuizError as error:
            sys.exit(str(error))
        gift_file = folder / f"{path.stem}.gift"
        with whole(gift_file) as part:
            part.write_text(gift(path.stem, found), encoding="utf-8", newline="\n")
        with whole(folder / f"{path.stem}.zip") as part:
            qti(path.stem, found).save(part)
        print(f"{gift_file}, and {path.stem}.zip for QTI: {len(found)} questions")


if __name__ == "__main__":
    main()
