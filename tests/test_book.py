"""The files around the chapters agree with each other."""

import re
import tomllib
from pathlib import Path

import website
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
TREE = (".ci", "book", "src", "tests")


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pins(path: str) -> dict[str, str]:
    """The version that a requirements file asks for, by package; all its lines are hashed pins."""
    lines = re.sub(r"^#.*\n", "", read(path), flags=re.MULTILINE).replace(" \\\n", "").splitlines()
    form = r"([a-z0-9-]+)==([0-9][\w.]*)( ; .+?)?(    --hash=sha256:[0-9a-f]{64})+"
    found = [re.fullmatch(form, line) for line in lines]
    assert all(found), [line for line, pin in zip(lines, found, strict=True) if not pin]
    return {pin[1]: pin[2] for pin in found}


def test_the_table_of_contents_lists_every_page():
    toc = yaml.safe_load(read("_toc.yml"))
    listed = [toc["root"], *re.findall(r"'file': '([^']+)'", str(toc))]
    pages = [page for kind in ("md", "ipynb") for page in ROOT.glob(f"book/*.{kind}")]
    there = [page.relative_to(ROOT).with_suffix("").as_posix() for page in pages]
    assert sorted(listed) == sorted(there)


def test_everything_is_pinned_within_its_range():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    needed = project["dependencies"] + extras["book"]
    smaller = {}
    for path, added in [
        ("requirements.txt", ()),
        ("src/grading/requirements.txt", ("instructors",)),
        ("tests/requirements.txt", ("instructors", "test")),
    ]:
        pinned = pins(path)
        assert smaller.items() <= pinned.items(), "run `make lock`"
        for wanted in map(Requirement, [*needed, *(name for one in added for name in extras[one])]):
            assert wanted.name in pinned, "run `make lock`"
            assert pinned[wanted.name] in wanted.specifier, "run `make lock`"
        smaller = pinned


SITE_OPTIONS = " ".join(["--all", *website.STRICT])


def test_the_readme_gives_the_commands_of_the_makefile():
    recipes = read("Makefile").replace("$(BIN)/", "").replace("--quiet ", "")
    # What that file does, aside.
    recipes = recipes.replace("python tests/website.py", f"jupyter-book build . {SITE_OPTIONS}")
    recipes = recipes.splitlines()
    for command in (
        "python -m pip install -r requirements.txt",
        "python -m pip install --no-deps --no-build-isolation -e .",
        f"jupyter-book build . {SITE_OPTIONS}",
        "python -m pip install -r tests/requirements.txt",
        "pytest",
    ):
        assert f"\t{command}" in recipes
        assert command in read("README.md").splitlines()


def test_no_file_holds_a_path_of_somebodys_machine():
    paths = [*ROOT.glob("*"), *(path for top in TREE for path in ROOT.glob(f"{top}/**/*"))]
    for path in paths:
        if path.is_file() and "cache" not in path.as_posix():
            text = path.read_text(encoding="utf-8", errors="ignore")
            found = re.search(r"(?<![\w.])/(home|root|Users|work)/\w\S*", text)
            assert not found, f"{path.relative_to(ROOT)}: {found[0]}"
