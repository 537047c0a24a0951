"""Kernels that run the chapters are the same on every machine, whatever its user has set up.

A kernel inherits the environment, and through it a user's settings for Python, IPython and
Matplotlib. ``settle`` puts the book's own in their place, before any kernel starts.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

# What would change how figures are shown, run a user's file first, or drop every assert.
UNWANTED = ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS")
IPYTHON = f"""\
import sys
sys.path.append({str(Path(__file__).parent)!r})
import watch
sys.path.pop()
c.IPKernelApp.extensions = ["watch"]
c.InlineBackend.figure_formats = {{"svg"}}
c.InlineBackend.print_figure_kwargs = {{"bbox_inches": "tight", "metadata": {{"Date": None}}}}
"""
MATPLOTLIB = """\
svg.fonttype: none
svg.hashsalt: nnlab
"""
_settings = TemporaryDirectory(ignore_cleanup_errors=True)  # kernels may end after this process


def settle() -> None:
    """Set the environment that every kernel inherits."""
    for name in UNWANTED:
        os.environ.pop(name, None)
    folder = Path(_settings.name)
    profile = folder / "profile_default"
    profile.mkdir(exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(IPYTHON, encoding="utf-8")
    (folder / "matplotlibrc").write_text(MATPLOTLIB, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(folder)
    os.environ["MATPLOTLIBRC"] = str(folder / "matplotlibrc")
    # Two threads for small products wait for each other where a core is busy: ten times slower.
    # tests/robustness/versions.py sets BLAS_THREADS, to see whether outputs stay the same.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ.get("BLAS_THREADS", "1")
    os.environ["NNLAB_OFFLINE"] = "1"
    os.environ["TQDM_DISABLE"] = "1"  # progress bars are for readers, not for saved pages
    if data := os.environ.get("NNLAB_DATA_DIR"):
        # A kernel runs in book/, where a relative path would lead somewhere else.
        os.environ["NNLAB_DATA_DIR"] = str(Path(data).expanduser().resolve())
