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
# Runs in the kernel, before the first cell.
TWICE = '''
def _run_twice():
    import ast
    import joblib

    shell = get_ipython()
    running = [None]  # what the cell that runs has found, as hashes by name

    def from_elsewhere(source):
        """The names that a cell reads before it sets them itself."""
        read, own = set(), set()
        for statement in ast.parse(source).body:
            nodes = [*ast.walk(statement)]
            names = [node for node in nodes if isinstance(node, ast.Name)]
            grown = [node.target for node in nodes if isinstance(node, ast.AugAssign)]
            read |= {name.id for name in names if isinstance(name.ctx, ast.Load)} - own
            read |= {name.id for name in grown if isinstance(name, ast.Name)} - own
            own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        return read & shell.user_ns.keys()

    def hashes(names):
        found = {}
        for name in names:
            try:
                found[name] = joblib.hash(shell.user_ns.get(name))
            except Exception:  # what cannot be pickled: modules, figures
                continue
        return found

    def before(info):
        if running[0] is None:
            source = shell.transform_cell(info.raw_cell)
            running[0] = hashes(from_elsewhere(source))

    def after(result):
        found, running[0] = running[0], {}
        if found and result.success and hashes(found) != found:
            source = result.info.raw_cell
            print("again:", source.splitlines()[0])
            again = shell.run_cell(source)
            if not again.success:
                shell.user_ns["_failed"] = again.error_in_exec
        running[0] = None

    shell.user_ns["_failed"] = None
    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)


_run_twice()
'''
LAST = "if _failed:\n    raise _failed"


def run_twice(nb: NotebookNode, folder: Path) -> NotebookNode:
    """Run ``nb`` with each cell that changes what others have made run twice; return it."""
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    pairs = [(cell, new_code_cell(LAST)) for cell in cells]
    doubled = new_notebook(cells=[new_code_cell(TWICE), *(c for pair in pairs for c in pair)])
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
