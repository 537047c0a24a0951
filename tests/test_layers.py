"""The arrows between modules point one way: each imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

import nnlab

FLOORS = [
    {"checks"},
    {"activations", "initializers", "losses", "optimizers", "datasets"},
    {"network", "theory"},
    {"training", "diagnostics"},
    {"plots"},
    {"explorers"},
]
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor}
# What draws stays above what computes.
ONLY_ABOVE = {"matplotlib": FLOOR["plots"], "ipywidgets": FLOOR["explorers"]}
MODULES = sorted(Path(nnlab.__file__).parent.glob("*.py"))


def imports(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in it, with the names taken from packages."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively, line {node.lineno}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_module_has_a_floor():
    assert {path.stem for path in MODULES} - {"__init__"} <= FLOOR.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_import_from_below(path):
    floor = FLOOR.get(path.stem, -1)  # __init__ imports none of them
    names = [name.split(".") for name in imports(path)]
    below = {name[1] for name in names if name[0] == "nnlab"}
    assert {module for module in below if FLOOR[module] >= floor} == set()
    assert {name[0] for name in names if ONLY_ABOVE.get(name[0], -1) > floor} == set()
