"""Pack the site for people without network: `make offline`, after `make book`.

Nothing on the pages comes from another host, and they open from a disk as well as from a server.
"""

import zipfile
from pathlib import Path

import npm

from nnlab.files import whole

BUILD = Path(__file__).parent.parent / "_build"


def pack(site: Path, file: Path) -> None:
    """Write ``site`` to a zip file, as the folder `nnlab`."""
    with whole(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(site.rglob("*")):
            if path.is_file() and path.suffix != ".map":
                archive.write(path, Path("nnlab", path.relative_to(site)))


def main() -> None:
    file = BUILD / "nnlab-offline.zip"
    pack(BUILD / "html", file)
    for package, (integrity, _) in npm.AXE.items():  # so that the tests need no network
        npm.fetch(package, integrity)
    print(f"{file}, {file.stat().st_size / 1e6:.0f} MB: unpack it and open index.html")


if __name__ == "__main__":
    main()
