"""The arrows between modules point one way: each imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

import nnlab

FLOORS = [
    {"checks", "files", "progress", "workers"},
    {"activations", "initializers", "losses", "normalisers", "optimizers", "datasets"},
    {"network", "theory"},
    {"training", "diagnostics", "sweeps"},
    {"plots"},
    {"explorers", "ledger"},
]
FLOOR = {name: number for number, floor in enumerate(FLOORS) for name in floor}
# What draws stays above what computes.
ONLY_ABOVE = {"matplotlib": FLOOR["plots"], "ipywidgets": FLOOR["explorers"]}
ENGINE = Path(nnlab.__file__).parent
FILES = sorted(ENGINE.rglob("*.py"))


def module(path: Path) -> str:
    """The module, or the package with all its files, that a file belongs to."""
    return path.relative_to(ENGINE).parts[0].removesuffix(".py")


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
    assert {module(path) for path in FILES} - {"__init__"} == FLOOR.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_modules_import_from_below(path):
    floor = FLOOR.get(module(path), -1)  # __init__ imports none of them
    names = [name.split(".") for name in imports(path)]
    below = {name[1] for name in names if name[0] == "nnlab"} - {module(path)}
    assert {name for name in below if FLOOR[name] >= floor} == set()
    assert {name[0] for name in names if ONLY_ABOVE.get(name[0], -1) > floor} == set()
