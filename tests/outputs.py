"""Re-run every chapter from top to bottom and save its outputs: `make outputs`.

The same chapter gives the same file, whoever runs it: the environment's own kernel runs it, and
whatever differs from one run or machine to the next (times, widget ids, Python's version) is not
saved.
"""

import base64
import json
import os
import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from nnlab.datasets import mnist_is_local

BOOK = Path(__file__).parent.parent / "book"


def run(nb: nbformat.NotebookNode, folder: Path) -> None:
    """Execute ``nb`` in place, with this environment's kernel."""
    kernel = AsyncKernelManager(
        kernel_name="python3",
        # Look nowhere else: the user may have another kernel of that name.
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[f"{sys.prefix}/share/jupyter/kernels"]),
        transport_encryption="auto",  # or the kernel warns that it has none
    )
    nb.metadata.pop("widgets", None)
    NotebookClient(
        nb,
        km=kernel,
        timeout=None,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": folder}},
    ).execute(cleanup_kc=True)


def tidy(nb: nbformat.NotebookNode) -> str:
    """Return ``nb`` as the text to save, without what changes from run to run."""
    nb.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    nb.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    # Widgets are numbered in the order in which they were made, instead of by random ids.
    text = json.dumps(nb)
    widgets = nb.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    for number, name in enumerate(widgets.get("state", {})):
        text = text.replace(name, f"{number:032x}")
    return nbformat.writes(nbformat.reads(text, as_version=4)) + "\n"


def pictures(nb: nbformat.NotebookNode) -> dict[str, bytes]:
    """Return the pictures that are used outside of ``nb`` too, by the path they are saved under.

    A cell names the path, below book/, in its metadata: ``{"nnlab": {"picture": "images/x.png"}}``.
    """
    return {
        cell.metadata["nnlab"]["picture"]: base64.b64decode(output.data["image/png"])
        for cell in nb.cells
        if "picture" in cell.metadata.get("nnlab", {})
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    }


def main() -> None:
    os.environ["TQDM_DISABLE"] = "1"  # progress bars are for readers, not for saved pages
    if folder := os.environ.get("NNLAB_DATA_DIR"):  # kernels run in book/
        os.environ["NNLAB_DATA_DIR"] = str(Path(folder).expanduser().resolve())
    for path in sorted(BOOK.glob("*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        if nb.metadata.get("nnlab", {}).get("needs") == "mnist" and not mnist_is_local():
            sys.exit(f"{path.name} needs MNIST. Run `make data` first.")
        print(f"{path.name} ...", flush=True)
        run(nb, BOOK)
        path.write_text(tidy(nb), encoding="utf-8", newline="\n")
        for name, png in pictures(nb).items():
            (BOOK / name).parent.mkdir(exist_ok=True)
            (BOOK / name).write_bytes(png)


if __name__ == "__main__":
    main()
