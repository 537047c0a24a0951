"""The quizzes' files have the form that the pages need, and platforms get all that is in them."""

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from html import unescape

import nbformat
import pytest
import quiz_files
import yaml
from quizzes import FOLDER, QuizError, questions
from website import ROOT

FILES = {path.stem: path for path in sorted((ROOT / FOLDER).glob("*.yml"))}


def chapter(name: str) -> list[str]:
    cells = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4).cells
    return [cell.source for cell in cells]


def test_each_chapter_has_its_quiz_before_its_exercises():
    assert list(FILES) == [path.stem for path in sorted(ROOT.glob("book/0*.ipynb"))]
    for name in FILES:
        cells = chapter(name)
        (place,) = (i for i, cell in enumerate(cells) if cell.startswith("## Check yourself"))
        assert f"```{{quiz}} {name}\n```" in cells[place]
        assert cells[place + 1].startswith("## Exercises")


@pytest.mark.parametrize("name", FILES)
def test_a_quiz_has_questions_whose_choices_differ(name):
    found = questions(FILES[name])
    assert 5 <= len(found) <= 7
    places = set()
    for question in found:
        choices = question["choices"]
        assert len(choices) >= 3
        for key in ("text", "why"):
            assert len({choice[key] for choice in choices}) == len(choices)
        places.add(next(i for i, choice in enumerate(choices) if choice.get("right")))
    assert len(places) >= 3  # the place gives nothing away


@pytest.mark.parametrize("name", FILES)
def test_a_quiz_is_markdown_that_every_platform_knows(name):
    text = FILES[name].read_text(encoding="utf-8")
    assert not re.search(r"\{[\w:-]+\}`|\]\(|\$\$|<\w", text)  # roles, links, blocks, HTML


# --------------------------------------------------------------------------- files that are wrong

RIGHT = {"text": "yes", "why": "so it is", "right": True}
WRONG = {"text": "no", "why": "it is not"}


def asked(*choices: object) -> list[dict]:
    return [{"question": "Is it?", "choices": list(choices)}]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("- question: [", "is not YAML"),
        ("", "must hold a list"),
        (yaml.dump({"question": "Is it?"}), "must hold a list"),
        (yaml.dump(["Is it?"]), "question 1: the file must hold"),
        (yaml.dump([{"question": "Is it?"}]), "question 1: the file must hold"),
        (yaml.dump(asked(RIGHT)), "question 1 must have 2 to 6 choices"),
        (yaml.dump(asked(RIGHT, *[WRONG] * 6)), "question 1 must have 2 to 6 choices"),
        (yaml.dump(asked(RIGHT, WRONG) + asked(WRONG, WRONG)), "question 2: one choice"),
        (yaml.dump(asked(RIGHT, RIGHT)), "question 1: one choice"),
        (yaml.dump(asked(RIGHT, "no")), "question 1, choice b: it must have"),
        (yaml.dump(asked(RIGHT, {"text": "no"})), "question 1, choice b: it must have"),
        (yaml.dump(asked(RIGHT, WRONG | {"why": " "})), "question 1, choice b: it must have"),
        (yaml.dump(asked(RIGHT, WRONG | {"because": "x"})), "question 1, choice b: it must have"),
    ],
)
def test_a_wrong_file_says_what_is_wrong_with_it(content, complaint, tmp_path):
    (tmp_path / "quiz.yml").write_text(content)
    with pytest.raises(QuizError, match=rf"^quiz\.yml\b.*{re.escape(complaint)}"):
        questions(tmp_path / "quiz.yml")


def test_a_missing_file_names_those_that_are_there():
    with pytest.raises(QuizError, match=r"no maths\.yml; the quizzes are: 01_logistic_reg"):
        questions(ROOT / FOLDER / "maths.yml")


# --------------------------------------------------------------------------- exports


def plain(text: str) -> str:
    """What is said, in Markdown or HTML: formulas as TeX, no space, all quotes straight."""
    text = re.sub(r'<img [^>]*data-equation-content="([^"]*)"[^>]*>', r"\1", text)
    text = unescape(re.sub(r"</?\w+[^>]*>", "", text))
    text = re.sub(r"\\\(|\\\)|[\s$`*]", "", text)
    return re.sub("[“”]", '"', text).replace("’", "'")


def expected(name: str) -> list[list]:
    return [
        [plain(question["question"])]
        + [
            (plain(each["text"]), plain(each["why"]), "right" in each)
            for each in question["choices"]
        ]
        for question in questions(FILES[name])
    ]


def read_gift(text: str) -> list[list]:
    """Read questions as Moodle does: first escapes, then the signs that mean something."""
    text = re.sub(r"\\(.)", lambda sign: f"\0{ord(sign[1])}\0", text)

    def said(part: str) -> str:
        return plain(re.sub(r"\0(\d+)\0", lambda code: chr(int(code[1])), part))

    return [
        [said(question)]
        + [
            (said(choice), said(why), mark == "=")
            for mark, choice, why in re.findall(r"([=~])([^=~#]*)#([^=~#]*)", answers)
        ]
        for question, answers in re.findall(r"::[^:]*::\[html\]([^{]*)\{([^}]*)\}", text)
    ]


@pytest.mark.parametrize("name", FILES)
def test_gift_says_what_the_file_says(name):
    text = quiz_files.gift(name, questions(FILES[name]))
    assert read_gift(text) == expected(name)
    # A blank line ends a question.
    assert len(text.strip().split("\n\n")) == len(expected(name))


def test_gift_escapes_what_means_something_in_it():
    found = asked(RIGHT | {"text": r"a = {b}: ~c # \d & $x < \nabla$"}, WRONG)
    text = quiz_files.gift("quiz", found)
    assert r"a \= \{b\}\: \~c \# \\d &amp; " in text
    assert r"\\(x &lt; \\nabla\\)" in text


def read_qti(data: bytes) -> list[list]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = (n for n in archive.namelist() if re.fullmatch(r"(\w+)/\1\.xml", n))
        root = ET.fromstring(archive.read(name))
    for part in root.iter():
        part.tag = part.tag.partition("}")[2]
    found = []
    for item in root.iter("item"):
        text = {
            part.get("ident"): plain(part.findtext(".//mattext"))
            for kind in ("response_label", "itemfeedback")
            for part in item.iter(kind)
        }
        (scored,) = (each for each in item.iter("respcondition") if each.find("setvar") is not None)
        right = scored.findtext(".//varequal")
        labels = [label.get("ident") for label in item.iter("response_label")]
        choices = [(text[each], text[f"{each}_fb"], each == right) for each in labels]
        found.append([plain(item.findtext("presentation/material/mattext")), *choices])
    return found


@pytest.mark.parametrize("name", FILES)
def test_qti_says_what_the_file_says(name):
    data = quiz_files.qti(name, questions(FILES[name])).zip_bytes()
    assert read_qti(data) == expected(name)


def test_all_quizzes_are_written(tmp_path):
    quiz_files.main(tmp_path)
    files = {f"{name}.{kind}" for name in FILES for kind in ("gift", "zip")}
    assert {path.name for path in tmp_path.iterdir()} == files
