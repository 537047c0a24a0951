"""Re-run every chapter from top to bottom and save its outputs: `make outputs`.

The same chapter gives the same file, whoever runs it: the environment's own kernel runs it, and
whatever differs from one run or machine to the next (times, widget ids, Python's version) is not
saved.
"""

import base64
import json
import sys
from functools import partial
from pathlib import Path

import kernels
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from nnlab.datasets import mnist_is_local
from nnlab.files import whole

BOOK = Path(__file__).parent.parent / "book"


def run(nb: nbformat.NotebookNode, folder: Path) -> None:
    """Execute ``nb`` in place, with this environment's kernel.

    Figures are saved as SVG, and those of cells that name a picture as PNG too.
    """
    kernel = AsyncKernelManager(
        kernel_name="python3",
        # Look nowhere, which leaves this environment's own: others may have the same name.
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport_encryption="auto",  # or the kernel warns that it has none
    )
    nb.metadata.pop("widgets", None)
    client = NotebookClient(
        nb,
        km=kernel,
        timeout=None,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": folder}},
    )

    async def show_as(formats: str, cell: nbformat.NotebookNode, **_) -> None:
        if "picture" in cell.metadata.get("nnlab", {}):
            code = f"%config InlineBackend.figure_formats = {formats}"
            await client.kc.execute_interactive(code, silent=True)

    client.on_cell_execute = partial(show_as, "set(['svg', 'png'])")
    client.on_cell_executed = partial(show_as, "set(['svg'])")
    client.execute(cleanup_kc=True)


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
    The drawing is saved beside it: images/x.svg.
    """
    found = {}
    for cell in nb.cells:
        if name := cell.metadata.get("nnlab", {}).get("picture"):
            for output in cell.outputs:
                if "image/png" in (data := output.get("data", {})):
                    found[name] = base64.b64decode(data["image/png"])
                    drawing = Path(name).with_suffix(".svg").as_posix()
                    found[drawing] = data["image/svg+xml"].encode()
    return found


def save(path: Path) -> None:
    """Run the chapter at ``path`` and write it again, with its outputs and its pictures."""
    nb = nbformat.read(path, as_version=4)
    run(nb, path.parent)
    with whole(path) as part:
        part.write_text(tidy(nb), encoding="utf-8", newline="\n")
    for name, picture in pictures(nb).items():
        (path.parent / name).parent.mkdir(exist_ok=True)
        with whole(path.parent / name) as part:
            part.write_bytes(picture)


def main() -> None:
    kernels.settle()
    for path in sorted(BOOK.glob("*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        if nb.metadata.get("nnlab", {}).get("needs") == "mnist" and not mnist_is_local():
            sys.exit(f"{path.name} needs MNIST. Run `make data` first.")
        print(f"{path.name} ...", flush=True)
        save(path)


if __name__ == "__main__":
    main()
