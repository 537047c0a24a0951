"""What conftest.py promises: nothing is left out in CI, and elsewhere not without saying so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

TESTS = {
    "test_skip.py": "import pytest\n\ndef test_it():\n    pytest.skip()",
    "test_module.py": "import pytest\n\npytest.importorskip('not_there')",
    "test_torch.py": "import pytest\n\npytest.importorskip('torch')",
    "torch.py": "raise ModuleNotFoundError(name='torch')",  # also where PyTorch is installed
}
ENVIRONMENT = """\
import os, pathlib
assert pathlib.Path(os.environ["NNLAB_DATA_DIR"]).is_absolute()
assert os.environ["NNLAB_OFFLINE"] == os.environ["TQDM_DISABLE"] == "1"
print("saved")"""
CHAPTERS = {  # name: (source, notebook metadata); each is saved as one that printed 'saved'
    "environment.ipynb": (ENVIRONMENT, {}),
    "changed.ipynb": ("print('new')", {}),
    "changed_digits.ipynb": ("print('new')", {"nnlab": {"needs": "mnist"}}),
    "wrong_digits.ipynb": ("assert 1 > 2", {"nnlab": {"needs": "mnist"}}),
}


@pytest.fixture(scope="module", params=["", "true"], ids=["at home", "in CI"])
def report(request, tmp_path_factory) -> tuple[bool, str]:
    """Whether CI is set, and what pytest then says about the tests and chapters above."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("conftest.py", "isolation.py", "kernels.py", "npm.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    for name, text in TESTS.items():
        (folder / name).write_text(text)
    for name, (source, metadata) in CHAPTERS.items():
        output = new_output("stream", name="stdout", text="saved\n")
        cell = new_code_cell(source, execution_count=1, outputs=[output])
        nbformat.write(new_notebook(cells=[cell], metadata=metadata), folder / name)
    options = ["--nbval", "--nbval-current-env", "-rA", "--continue-on-collection-errors"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        env=os.environ | {"CI": request.param, "COMPARE": "", "NNLAB_DATA_DIR": "nothing_here"},
        capture_output=True,
        text=True,
    )
    return bool(request.param), done.stdout


def test_a_skip_is_a_failure_in_ci(report):
    in_ci, text = report
    assert ("FAILED test_skip.py" in text) == in_ci
    assert ("ERROR test_module.py" in text) == in_ci
    assert ("Nothing may be skipped in CI" in text) == in_ci


def test_only_other_frameworks_may_be_missing_in_ci(report):
    in_ci, text = report
    assert f", {1 if in_ci else 3} skipped" in text
    assert "could not import 'torch'" in text


def test_kernels_find_the_data_and_do_not_download(report):
    assert "PASSED environment.ipynb" in report[1]


def test_outputs_are_compared(report):
    assert "FAILED changed.ipynb" in report[1]


def test_without_mnist_only_its_chapters_are_not_compared(report):
    in_ci, text = report
    # In CI it has to be there.
    assert f"{'FAILED' if in_ci else 'PASSED'} changed_digits.ipynb" in text
    assert ("changed_digits.ipynb, wrong_digits.ipynb ran on" in text) == (not in_ci)


def test_asserts_count_without_mnist_too(report):
    assert "FAILED wrong_digits.ipynb" in report[1]


@pytest.mark.parametrize(("compare", "code"), [("asserts", 0), ("strict", 1), ("loosely", 4)])
def test_outputs_are_compared_unless_only_asserts_decide(compare, code, tmp_path):
    for name in ("conftest.py", "isolation.py", "kernels.py", "npm.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    output = new_output("stream", name="stdout", text="saved\n")
    cell = new_code_cell("print('new')", execution_count=1, outputs=[output])
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "changed.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"],
        cwd=tmp_path,
        env=os.environ | {"COMPARE": compare},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
