"""Pack the site for people without network: `make offline`, after `make book`.

Nothing on the pages comes from another host, and they open from a disk as well as from a server.
`make offline LIVE=1` adds what live pages load, so that they run from a server without a network.
"""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import live_files
import npm

from nnlab.files import whole

BUILD = Path(__file__).parent.parent / "_build"


def pack(site: Path, file: Path) -> None:
    """Write ``site`` to a zip file, as the folder `nnlab`."""
    with whole(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(site.rglob("*")):
            if path.is_file() and path.suffix != ".map":
                archive.write(path, Path("nnlab", path.relative_to(site)))


def live_copy(site: Path, folder: Path) -> Path:
    """Return a copy of ``site`` in ``folder`` whose live pages need no network."""
    copy = shutil.copytree(site, folder / "nnlab")
    live_files.place(copy / "_live")
    return copy


def main() -> None:
    file = BUILD / "nnlab-offline.zip"
    # So that the tests need no network.
    for package, (integrity, _) in (npm.AXE | npm.EDITOR | npm.PYODIDE).items():
        npm.fetch(package, integrity)
    for requirement in live_files.WHEELS:
        live_files.wheel(requirement)
    if os.environ.get("LIVE"):
        with tempfile.TemporaryDirectory() as name:
            pack(live_copy(BUILD / "html", Path(name)), file)
    else:
        pack(BUILD / "html", file)
    print(f"{file}, {file.stat().st_size / 1e6:.0f} MB: unpack it and open index.html")


if __name__ == "__main__":
    main()
