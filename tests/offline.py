"""Make the edition of the book that needs no network: `make offline`, after `make book`.

It is the built site, with what the pages load from a CDN beside them instead: files of the same
npm packages, so that it opens from a disk as well as from a server.
"""

import base64
import os
import re
import shutil
import tarfile
from fnmatch import fnmatch
from pathlib import Path

import pooch

BUILD = Path(__file__).parent.parent / "_build"
CACHE = pooch.os_cache("nnlab") / "npm"
CDN = "https://cdn.jsdelivr.net/npm/"

# What _config.yml names, with the integrity that `npm view NAME@VERSION dist.integrity` prints, and
# the files that a page can ask for.
PACKAGES = {
    "@jupyter-widgets/html-manager@1.0.15": (
        "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        ["LICENSE", "dist/embed.js", "dist/embed.js.LICENSE.txt", "dist/*.woff2"],
    ),
    "mathjax@3.2.2": (
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        ["LICENSE", "es5/tex-chtml.js", "es5/input/tex/*", "es5/output/chtml/fonts/*"],
    ),
}
# What tests/test_browser.py checks the pages with.
AXE = {
    "axe-core@4.14.1": (
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        ["axe.min.js"],
    )
}


def fetch(package: str, integrity: str, download: bool = True) -> Path:
    """Return a package's archive from the cache, downloaded into it if it was not there."""
    name, _, version = package.rpartition("@")
    file = f"{name.rpartition('/')[2]}-{version}.tgz"
    if not download and not (CACHE / file).is_file():
        raise FileNotFoundError(f"{package} is not here. Run `make offline` once.")
    settings = {key.lower(): value for key, value in os.environ.items()}
    registry = settings.get("npm_config_registry", "https://registry.npmjs.org").rstrip("/")
    algorithm, _, digest = integrity.partition("-")
    return Path(
        pooch.retrieve(
            f"{registry}/{name}/-/{file}",
            known_hash=f"{algorithm}:{base64.b64decode(digest).hex()}",
            path=CACHE,
            fname=file,
        )
    )


def unpack(packages: dict[str, tuple[str, list[str]]], folder: Path, download: bool = True) -> None:
    """Write the listed files of ``packages`` below ``folder``."""
    for package, (integrity, patterns) in packages.items():
        with tarfile.open(fetch(package, integrity, download)) as archive:
            for member in archive:
                name = member.name.removeprefix("package/")
                if member.isfile() and any(fnmatch(name, pattern) for pattern in patterns):
                    path = folder / package / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.extractfile(member).read())


def make(html: Path, folder: Path, download: bool = True) -> None:
    """Write the offline edition of the site in ``html`` to ``folder``."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(html, folder, ignore=shutil.ignore_patterns("*.map"))
    unpack(PACKAGES, folder / "_static" / "npm", download)
    for path in folder.rglob("*.html"):
        local = "../" * (len(path.relative_to(folder).parts) - 1) + "_static/npm/"
        text = path.read_text(encoding="utf-8").replace(CDN, local)
        # A page on a disk has no origin, and a browser then refuses what it should check.
        text = re.sub(r' (?:crossorigin="anonymous"|integrity="sha384-[^"]+")', "", text)
        path.write_text(text, encoding="utf-8", newline="\n")
    # The search would fetch the pages that it found, to quote them: from a disk it may not.
    options = folder / "_static" / "documentation_options.js"
    text = options.read_text(encoding="utf-8")
    options.write_text(text.replace("SEARCH_SUMMARY: true", "SEARCH_SUMMARY: false"))


def main() -> None:
    folder = BUILD / "offline" / "nnlab"
    make(BUILD / "html", folder)
    for package, (integrity, _) in AXE.items():  # so that the tests need no network
        fetch(package, integrity)
    file = shutil.make_archive(str(BUILD / "nnlab-offline"), "zip", folder.parent, folder.name)
    print(f"{file}, {Path(file).stat().st_size / 1e6:.0f} MB: unpack it and open index.html")


if __name__ == "__main__":
    main()
