"""A reader may run a cell twice: no cell then fails with a bare error, neither it nor a later one.

Only what a cell changes can make a difference: a network that it trains further, a generator that
it draws from. So each cell that changes what other cells have made is run a second time, at once.
"""

from pathlib import Path

import nbformat
import outputs
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

BOOK = Path(__file__).parent.parent / "book"
# In the kernel: before the first cell, and after each.
FIRST = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from twice import Twice
twice = Twice(get_ipython())
del sys.path[0], Twice
"""
THEN = "twice.check()"


def run_twice(nb: NotebookNode, folder: Path) -> NotebookNode:
    """Run ``nb`` with each cell that changes what others have made run twice; return it."""
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    pairs = [(cell, new_code_cell(THEN)) for cell in cells]
    doubled = new_notebook(cells=[new_code_cell(FIRST), *(c for pair in pairs for c in pair)])
    try:
        outputs.run(doubled, folder)
    except CellExecutionError as error:
        if "from the top" not in error.evalue:
            raise
    return doubled


def said(nb: NotebookNode) -> list[str]:
    texts = [output.get("text", "") for cell in nb.cells for output in cell.get("outputs", [])]
    return "".join(texts).splitlines()


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_cells_can_be_run_twice(path, monkeypatch, tmp_path):
    # On the stand-in for MNIST, which is small.
    monkeypatch.delenv("NNLAB_DATA_DIR", raising=False)
    monkeypatch.setenv("NNLAB_CACHE_DIR", str(tmp_path))
    run_twice(nbformat.read(path, as_version=4), BOOK)


def chapter(*sources: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in sources])


MADE = "import numpy as np\nfrom nnlab.network import MLP\nrng = np.random.default_rng(0)\nx = []"


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ("x.append(1)", "assert len(x) == 1"),
        ("x = [*x, 1]", "assert len(x) == 1"),
        ("y = 2\nx += [y]\ndel y", "assert x == [2]"),
        ("draw = rng.random()", "assert draw == np.random.default_rng(0).random()"),
        ("net.theta -= 1", "assert net.theta.sum() == -net.theta.size"),
        ("net.theta -= 1\nassert net.theta[0] == -1", "pass"),
    ],
)
def test_a_cell_that_cannot_be_run_twice_is_found(changes, fails, tmp_path):
    net = 'net = MLP((2, 1), "tanh", "zeros", rng=rng)'
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run_twice(chapter(MADE, net, changes, fails), tmp_path)


def test_cells_that_can_be_run_twice_pass(tmp_path):
    nb = run_twice(
        chapter(
            MADE,
            "net = MLP((2, 1), 'tanh', 'zeros', rng=rng)\nx = [1]\nx.append(2)",
            "copy = net.copy()\ncopy.theta -= 1\nprint(x)",
            "x[0] = 5",
            "print(x)",
        ),
        tmp_path,
    )
    assert said(nb) == ["[1, 2]", "again: x[0] = 5", "[5, 2]"]


def test_a_cell_may_say_to_run_from_the_top(tmp_path):
    says = "assert len(x) == 1, 'x has grown: run the notebook from the top'"
    run_twice(chapter(MADE, "x.append(1)", says), tmp_path)
