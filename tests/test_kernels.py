"""A user's own settings change neither what is saved nor what is compared."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

TESTS = Path(__file__).parent
HOSTILE = {
    ".config/matplotlib/matplotlibrc": "text.usetex: True\nsavefig.dpi: 30\nlines.color: red",
    "matplotlibrc": "figure.figsize: 1, 1\nsvg.fonttype: path\nsavefig.facecolor: pink",
    "ipython/profile_default/ipython_config.py": """
c.InlineBackend.figure_formats = {"jpeg", "pdf"}
c.InlineBackend.rc = {"font.size": 30}
c.InteractiveShell.ast_node_interactivity = "all"
c.InteractiveShellApp.exec_lines = ["print('mine')"]
""",
    "ipython/profile_default/startup/mine.py": "print('mine, too')",
    "startup.py": "import numpy; numpy.set_printoptions(precision=2)",
    "jupyter/kernels/python3/kernel.json": '{"argv": ["false"], "display_name": "Mine"}',
}
SAVE = """
import sys, pathlib, kernels, outputs
kernels.settle()
outputs.save(pathlib.Path(sys.argv[1]))
"""
CELLS = [
    "import matplotlib.pyplot as plt\nimport numpy as np",
    "1 + 1\nnp.pi * np.ones(2)",
    "plt.plot([1, 2])\nplt.title('$a_1$')\nplt.show()",
    "try:\n    assert 1 > 2\nexcept AssertionError:\n    print('asserts count')",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> dict[str, str]:
    """The environment of a user who has set up whatever can be set up."""
    home = tmp_path_factory.mktemp("home")
    for name, text in HOSTILE.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return os.environ | {
        "HOME": str(home),
        "MPLBACKEND": "Agg",
        "MATPLOTLIBRC": str(home / "matplotlibrc"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PATH": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "PYTHONSTARTUP": str(home / "startup.py"),
        "PYTHONOPTIMIZE": "1",
    }


def save(path: Path, environment: dict[str, str]) -> str:
    """Save a small chapter as ``make outputs`` does; return its text."""
    cells = [new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(CELLS)]
    cells[2].metadata["nnlab"] = {"picture": "images/picture.png"}
    cells.append(new_code_cell(CELLS[2], id="drawn-again"))
    nbformat.write(new_notebook(cells=cells), path)
    command = [sys.executable, "-c", SAVE, str(path)]
    subprocess.run(command, cwd=TESTS, env=environment, check=True)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def saved(hostile, tmp_path_factory) -> dict[str, Path]:
    """The chapter as saved with the hostile settings, and with those of this machine."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("hostile", "here")}
    save(folders["hostile"] / "chapter.ipynb", hostile)
    save(folders["here"] / "chapter.ipynb", dict(os.environ))
    return folders


def test_the_same_is_saved_whatever_the_user_has_set_up(saved):
    for name in ("chapter.ipynb", "images/picture.png"):
        assert (saved["hostile"] / name).read_bytes() == (saved["here"] / name).read_bytes()


def test_figures_are_saved_as_svg_and_pictures_as_png_too(saved):
    cells = nbformat.read(saved["here"] / "chapter.ipynb", as_version=4).cells
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in cells]
    figure = {"image/svg+xml", "text/plain"}
    assert shown == [set(), {"text/plain"}, figure | {"image/png"}, set(), figure]
    svg = cells[2].outputs[0].data["image/svg+xml"]
    assert "<text" in svg
    assert "<dc:date>" not in svg


def test_figures_are_saved_the_same_each_time(saved):
    cells = nbformat.read(saved["here"] / "chapter.ipynb", as_version=4).cells
    one, two = (cells[n].outputs[0].data["image/svg+xml"] for n in (2, 4))
    assert one == two


def test_outputs_are_compared_whatever_the_user_has_set_up(saved, hostile):
    folder = saved["here"]
    for name in ("conftest.py", "isolation.py", "kernels.py", "npm.py"):
        (folder / name).write_bytes((TESTS / name).read_bytes())
    nb = nbformat.read(folder / "chapter.ipynb", as_version=4)
    nb.cells[2].outputs[0].data["image/svg+xml"] = "<svg>as another version draws it</svg>"
    nbformat.write(nb, folder / "chapter.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q"],
        cwd=folder,
        env=hostile | {"PYTHONOPTIMIZE": ""},  # pytest itself warns of it
        capture_output=True,
        text=True,
    )
    assert "5 passed" in done.stdout, done.stdout
