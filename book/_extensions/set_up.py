"""The first cell of a notebook that leaves the book: it installs what is missing."""

import ast
import json
import re
import sys
from importlib.metadata import packages_distributions, requires

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from packaging.requirements import Requirement

SET_UP = """\
# Installs what is missing, and says nothing if all is there.
import importlib
import subprocess
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

NEEDS = {needs}
ENGINE = {engine!r}  # where the course has its address

for folder in [Path.cwd(), *Path.cwd().parents]:  # a clone of the course has nnlab in src
    if not find_spec("nnlab") and (folder / "src" / "nnlab" / "network.py").is_file():
        sys.path.append(str(folder / "src"))
installed = {{(one.name or "").lower().replace("_", "-") for one in distributions()}}
missing = [need for name, need in NEEDS.items() if name not in installed]
if not find_spec("nnlab"):
    wheels = sorted(str(path) for path in Path.cwd().glob("nnlab-*.whl"))
    missing += wheels[-1:] or [ENGINE]
if "" in missing:
    raise ModuleNotFoundError(
        "nnlab, the engine of this course, is not here. Put its wheel beside this notebook, or "
        "open the notebook inside of a clone of the course."
    )
if missing:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *missing])
    importlib.invalidate_caches()
"""


def set_up_cell(code: list[str], engine: str) -> NotebookNode:
    """The cell for a notebook with this code; engine is what pip takes nnlab from, if anything."""
    packages = json.dumps(needs(code), indent=4)
    return new_code_cell(
        SET_UP.format(needs=packages, engine=engine).rstrip(),
        id="set-up",
        metadata={"jupyter": {"source_hidden": True}},
    )


def needs(code: list[str]) -> dict[str, str]:
    """What nnlab and the code import, by distribution, as pip wants it."""
    found = {}
    for requirement in map(Requirement, requires("nnlab")):
        if requirement.marker is None:
            found[requirement.name] = str(requirement)
    modules = packages_distributions()
    for node in (node for source in code for node in python(source).body):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in (name.partition(".")[0] for name in names):
            if name not in sys.stdlib_module_names:
                package = modules[name][0].lower().replace("_", "-")
                found.setdefault(package, package)
    found.pop("nnlab", None)
    return dict(sorted(found.items()))


def python(source: str) -> ast.Module:
    """The syntax tree of a cell; IPython's % and ! lines count as nothing."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))
