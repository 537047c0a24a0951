"""Each kind of walls that the machine has, and what an honest notebook needs inside of them."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

from grading import sandbox
from nnlab.datasets import load_mnist


def texts(run: sandbox.Run) -> list[str]:
    """What each cell printed, returned or failed with."""
    return ["".join(one.get("text") or one.get("evalue") or one.data["text/plain"]
                    for one in outputs) for outputs in run.outputs]  # fmt: skip


@pytest.fixture(scope="module")
def private() -> Path:
    """A file of the grader's, where another user could look for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradebook.db"
        path.write_text("grades")
        yield path


def walls_here() -> list[str]:
    return [kind for kind in sandbox.WALLS if sandbox.tried(kind)]


def namespaces_are_allowed() -> bool:
    """Whether this user may make namespaces here, as util-linux finds."""
    if not (unshare := shutil.which("unshare")):
        return False
    flags = ["--mount", "--pid", "--net", "--ipc", "--fork", *(["--user"] if os.getuid() else [])]
    return not subprocess.run([unshare, *flags, "true"], stderr=subprocess.DEVNULL).returncode


def test_the_strongest_walls_keep_all_out_or_it_says_what_they_let_in(private):
    walls = sandbox.strongest([private])
    assert (walls.kind == "namespaces") == namespaces_are_allowed()
    if walls.kind == "namespaces":
        assert walls == sandbox.Walls("namespaces", (), False)
        assert "namespaces" in str(walls) and "cannot use the network" in str(walls)
    elif walls.kind == "user":
        assert walls.reach == () and "as another user" in str(walls)
    else:
        assert walls.reach == (str(private),) and "NO ISOLATION" in str(walls)


def test_without_walls_it_says_so(private, monkeypatch):
    monkeypatch.setattr(sandbox, "WALLS", ("none",))
    walls = sandbox.strongest([private])
    assert walls.kind == "none" and str(private) in walls.reach
    assert "NO ISOLATION" in str(walls) and f"It can read {private}" in str(walls)


@pytest.mark.parametrize("walls", ["moat", *(["user"] if os.getuid() else [])])
def test_walls_that_are_not_there_are_an_error(walls):
    with pytest.raises(sandbox.SandboxError, match=r"must be one of|only root"):
        sandbox.run(["1"], walls=walls)


@pytest.mark.parametrize("kind", walls_here())
def test_what_a_notebook_needs_may_lie_anywhere(kind, monkeypatch):
    """Below /tmp, for one: inside of namespaces that is another folder, of the submission's own."""
    with tempfile.TemporaryDirectory(prefix="with a space ") as folder:
        Path(folder).chmod(0o755)
        Path(folder, "file").write_text("here")
        monkeypatch.setenv("NNLAB_DATA_DIR", folder)
        cells = [
            f"import os\nos.environ['NNLAB_DATA_DIR'] == {folder!r}",
            f"open({folder!r} + '/file').read()",
            "import tempfile\ntempfile.TemporaryFile().write(b'four')",
        ]
        assert texts(sandbox.run(cells, walls=kind)) == ["True", "'here'", "4"]


@pytest.mark.filterwarnings("ignore::nnlab.datasets.FallbackWarning")
@pytest.mark.parametrize("kind", walls_here())
def test_an_honest_notebook(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "do not tell")
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "other.ipynb").write_text("{}")
    cells = [
        "import os\nsorted(name for name in os.listdir() if not name.startswith('.'))",
        "open('data.csv').read().strip()",
        "open('mine.txt', 'w').write('four')",
        "'SECRET_TOKEN' in os.environ",
        "import sklearn.datasets\nlen(sklearn.datasets.load_digits().target)",
        "import multiprocessing\nmultiprocessing.Pool(2).map(abs, [-1, -2])",
        "!echo shell",
        "from nnlab.datasets import load_mnist\nload_mnist(download=False).source",
        "import asyncio\nawait asyncio.sleep(0, 'awaited')",
        "1 / 0",
        "input()",
    ]
    got = texts(sandbox.run(cells, walls=kind, files=tmp_path))
    assert got[0] == "['data.csv']" and got[1] == "'1,2'" and got[2] == "4"
    assert got[3:7] == ["False", "1797", "[1, 2]", "shell\n"]
    assert got[7].endswith(repr(load_mnist(download=False).source)) and got[8] == "'awaited'"
    assert got[9] == "division by zero" and len(got) == 11


def test_a_drawing_is_kept():
    drawing = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    (outputs,) = sandbox.run([drawing], walls=walls_here()[0]).outputs
    assert "image/png" in outputs[0].data


def test_all_together_are_limited():
    limits = sandbox.Limits(cell_seconds=2, seconds=3)
    run = sandbox.run(["while True: pass"] * 4, limits, walls=walls_here()[0])
    assert len(run.outputs) == 2 and run.stopped == "stopped after 3 s in all"


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "display_data", "data": {"image/png": '"><script>'}},
        {"output_type": "update_display_data", "data": {}},
        {"output_type": "stream", "name": "stdin", "text": ""},
        {"output_type": "error", "ename": "E"},
        {},
    ],
)
def test_an_output_that_is_none_is_refused(output):
    with pytest.raises((ValueError, KeyError)):
        sandbox.checked(output)


def test_only_harmless_kinds_of_output_are_kept():
    data = {"text/html": "<b>", "application/javascript": "1", "text/plain": "x"}
    kept = sandbox.checked({"output_type": "execute_result", "data": data})
    assert kept.data == {"text/plain": "x"}


@pytest.mark.parametrize("kind", walls_here())
def test_no_child_is_left(kind):
    start = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '86398']).pid"
    run = sandbox.run([start], walls=kind)
    assert texts(run)[0].isdigit()
    running = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in running if "86398" in command]
