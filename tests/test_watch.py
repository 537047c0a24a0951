"""A cell that changes what other cells have made is found, wherever a chapter is run."""

from pathlib import Path

import outputs
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

BOOK = Path(__file__).parent.parent / "book"
MADE = """\
import numpy as np
from nnlab.network import MLP
rng = np.random.default_rng(0)
net = MLP((2, 1), "tanh", "zeros", rng=rng)
x = []"""


def run(*sources: str, folder: Path = BOOK) -> list[str]:
    """Run cells, one after the other; return the lines that they print."""
    nb = new_notebook(cells=[new_code_cell(source) for source in sources])
    outputs.run(nb, folder)
    texts = [output.text for cell in nb.cells for output in cell.outputs]
    return "".join(texts).splitlines()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ("x.append(1)", "x"),
        ("x = [*x, 1]", "x"),
        ("y = 2\nx += [y]", "x"),
        ("for i in range(2):\n    x.append(i)", "x"),
        ("draw = rng.random()", "rng"),
        ("net.theta -= 1", "net"),
    ],
)
def test_a_cell_that_changes_what_others_have_made_fails(changes, name):
    with pytest.raises(CellExecutionError, match=f"have made: {name}\\."):
        run(MADE, changes, "print(1)")


def test_a_cell_may_change_what_it_makes_and_make_anew_what_is_there():
    copies = "copy = net.copy()\ncopy.theta -= 1\nprint(x)"
    assert run(MADE, copies, "x = [1]\nx.append(2)", "print(x)") == ["[]", "[1, 2]"]


def test_a_chapter_runs_where_no_file_is_beside_it(tmp_path):
    files = "import os\nprint(os.listdir())"
    assert run(files) == ["[]"]
    (tmp_path / "data.csv").touch()
    assert run(files, folder=tmp_path) == ["['data.csv']"]
