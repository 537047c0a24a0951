"""Live pages: every chapter can be run and changed in the reader's browser.

A page has a button; all else waits in the folder ``_live`` of the site until it is pressed:
``book/live``, the engine as a wheel, and a list of all files that a page may load then. Python runs
there as Pyodide, which ``book/live/pyodide.json`` pins.
"""

import ast
import base64
import hashlib
import json
import re
import shutil
import zipfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbformat
import nnlab
from docutils import nodes
from sphinx.application import Sphinx

LIVE = Path(__file__).parent.parent / "live"
FOLDER = "_live"  # of the site
ENGINE = Path(nnlab.__file__).parent
FIGURES = Path(__file__).parent / "figures.py"
NOT_SENT = {"ruff.toml", "editor.js", "pyodide.json", "__pycache__"}
WORD = re.compile(r"\w+")
BUTTON = """\
<div class="nnlab-live pst-js-only" data-packages="{packages}">
<button type="button">Run this page</button>
<span>Change the code and see what it does. This loads about {first:.0f} MB{more}, and runs on your
machine.{data}</span>
<p role="status"></p></div>"""

# A browser may not ask MNIST's hosts, so load_mnist falls back there.
NO_MNIST = """
MNIST cannot be loaded here: its cells run on scikit-learn's small digits, so their numbers differ
from the page's."""


@cache
def pyodide() -> dict:
    """The files of Pyodide and its packages, and its lock, shortened to them."""
    return json.loads((LIVE / "pyodide.json").read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """The packages of the lock that a syntax tree imports, anywhere."""
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import)
               for name in node.names}  # fmt: skip
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {module.partition(".")[0] for module in modules}
    packages = pyodide()["lock"]["packages"].items()
    return {name for name, package in packages if tops & {*package["imports"]}}


@cache
def lent() -> dict[str, set[str]]:
    """What the engine's parts import only when they are used, by the name of the part."""
    lends: dict[str, set[str]] = {}
    for path in ENGINE.glob("*.py"):
        needs: dict[str, set[str]] = {}
        words: dict[str, set[str]] = {}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    pass
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call()):
                    pass
                case _:
                    continue
            needs[name], words[name] = imported(node), names
        for _ in needs:  # what they use, and what that uses, and so on
            for name, used in words.items():
                needs[name] = needs[name].union(*(needs.get(each, set()) for each in used))
        lends |= {name: found for name, found in needs.items() if found and name[0] != "_"}
    return lends


def packages(sources: list[str]) -> list[str]:
    """The packages that cells need, and what these need, each after what it needs itself."""
    lock = pyodide()["lock"]["packages"]
    found = set()
    for source in sources:
        found |= imported(ast.parse(source))
        words = {*WORD.findall(source)}
        found = found.union(*(needs for name, needs in lent().items() if name in words))
    ordered: list[str] = []

    def add(name: str) -> None:
        if name not in ordered:
            for each in lock[name]["depends"]:
                add(each)
            ordered.append(name)

    for name in sorted(found | {"numpy"}):
        add(name)
    return ordered


def megabytes(names: list[str]) -> float:
    """What the core and these packages weigh as they are sent, in MB."""
    listed = pyodide()
    wheels = {package["file_name"] for package in listed["lock"]["packages"].values()}
    wanted = {listed["lock"]["packages"][name]["file_name"] for name in names}
    files = listed["files"].items()
    return sum(file["sent"] for name, file in files if name in wanted or name not in wheels) / 1e6


def add_button(app: Sphinx, document: nodes.document, name: str) -> None:
    """Put the button below the title of a chapter."""
    path = app.env.doc2path(name)
    if app.builder.name != "html" or not path.endswith(".ipynb"):
        return
    notebook = nbformat.read(path, as_version=4)
    cells = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "check" not in cell.metadata.get("tags", [])
    ]
    title = document.next_node(nodes.title)
    if cells and title:
        first, whole = packages(cells[:1]), packages(cells)
        rest = megabytes(whole) - megabytes(first)
        needs_mnist = notebook.metadata.get("nnlab", {}).get("needs") == "mnist"
        markup = BUTTON.format(
            data=NO_MNIST if needs_mnist else "",
            packages=" ".join(first),
            first=megabytes(first),
            more=f" once, {rest:.0f} MB more if you run every cell" if rest else " once",
        )
        title.parent.insert(1, nodes.raw(text=markup, format="html"))


def build_wheel(folder: Path) -> Path:
    """Write the engine as a wheel, the same bytes from the same sources."""
    release = version("nnlab")
    info = f"nnlab-{release}.dist-info"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: nnlab\nVersion: {release}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files = {name: text.encode() for name, text in texts.items()}
    for path in sorted(ENGINE.rglob("*")):
        if path.suffix in {".py", ".mplstyle", ".typed"}:
            files[f"nnlab/{path.relative_to(ENGINE).as_posix()}"] = path.read_bytes()
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    path = folder / f"nnlab-{release}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def copy(app: Sphinx, error: Exception | None) -> None:
    """Write the folder that live pages load from."""
    if error or app.builder.name != "html":
        return
    folder = Path(app.outdir, FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(LIVE, folder, ignore=shutil.ignore_patterns(*NOT_SENT))
    shutil.copy(FIGURES, folder)
    wheel = build_wheel(folder)
    data = wheel.read_bytes()
    digest = hashlib.sha256(data)
    listed = json.loads(json.dumps(pyodide()))
    listed["lent"] = {name: sorted(found) for name, found in lent().items()}
    listed["files"][wheel.name] = {
        "url": wheel.name,
        "integrity": f"sha256-{base64.b64encode(digest.digest()).decode()}",
        "size": len(data),
        "sent": len(data),
    }
    listed["lock"]["packages"]["nnlab"] = {
        "name": "nnlab",
        "version": version("nnlab"),
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": digest.hexdigest(),
        "package_type": "package",
        "imports": ["nnlab"],
        "depends": ["numpy"],
        "unvendored_tests": False,
    }
    (folder / "files.json").write_text(json.dumps(listed), encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", add_button)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
