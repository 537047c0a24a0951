"""What runs Python on the live pages: where it comes from, its hashes and its sizes.

`python tests/live_files.py` writes ``book/live/pyodide.json`` from the core in npm's package and
from the packages' files in NNLAB_PYODIDE_DIR.
"""

import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import npm
import pooch

LIST = Path(__file__).parent.parent / "book" / "live" / "pyodide.json"
((PACKAGE, (INTEGRITY, CORE)),) = npm.PYODIDE.items()
VERSION = PACKAGE.rpartition("@")[2]
CDN = "https://cdn.jsdelivr.net"
CORE_URL = f"{CDN}/npm/{PACKAGE}"
PACKAGES_URL = f"{CDN}/pyodide/v{VERSION}/full"
# What the chapters may import; of what that needs, too, the lock has the hashes.
ROOTS = ["numpy", "matplotlib", "scipy", "scikit-learn"]
# From the Python package index: file, and its SHA-256.
WHEELS = {
    "sympy==1.13.3": "54612cf55a62755ee71824ce692986f23c88ffa77207b30c1368eda4a7060f73",
    "mpmath==1.3.0": "a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c",
}
LEFT_OUT = {"matplotlib-pyodide"}  # draws into a canvas; the pages' figures are SVG


def names() -> list[str]:
    """The names of all files that a live page may load from elsewhere."""
    return [*json.loads(LIST.read_text(encoding="utf-8"))["files"]]


def place(live: Path) -> None:
    """Put these files beside a site's own, and let its pages load them from there."""
    path = live / "files.json"
    listed = json.loads(path.read_text(encoding="utf-8"))
    for name in names():
        (live / name).write_bytes(contents(name))
        listed["files"][name]["url"] = name
    path.write_text(json.dumps(listed), encoding="utf-8", newline="\n")


def packages_folder() -> Path | None:
    """The folder with the packages' files, if NNLAB_PYODIDE_DIR names one."""
    name = os.environ.get("NNLAB_PYODIDE_DIR")
    return Path(name).expanduser().resolve() if name else None


def wheel(requirement: str, download: bool = True) -> Path:
    """Return a wheel of the Python package index from the cache, checked by its hash."""
    name, _, version = requirement.partition("==")
    path = npm.CACHE.parent / "wheels" / f"{name}-{version}-py3-none-any.whl"
    if not path.is_file():
        if not download:
            raise FileNotFoundError(f"{path.name} is not here. Run `make offline` once.")
        command = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", requirement]
        subprocess.run([sys.executable, "-m", *command, "--dest", path.parent], check=True)
    if hashlib.sha256(path.read_bytes()).hexdigest() != WHEELS[requirement]:
        raise ValueError(f"{path} is not the file that is meant: delete it and run `make offline`")
    return path


def core(name: str, download: bool = True) -> bytes:
    """Return a file of Pyodide's core."""
    with tarfile.open(npm.fetch(PACKAGE, INTEGRITY, download)) as archive:
        return archive.extractfile(f"package/{name}").read()


def package(name: str, download: bool = True) -> Path:
    """Return a package's file: from NNLAB_PYODIDE_DIR, if it is set, else from the cache."""
    if folder := packages_folder():
        return folder / name
    file = json.loads(LIST.read_text(encoding="utf-8"))["files"][name]
    cache = npm.CACHE.parent / "pyodide"
    if not download and not (cache / name).is_file():
        raise FileNotFoundError(f"{name} is not here. Run `make offline LIVE=1` once.")
    digest = base64.b64decode(file["integrity"].removeprefix("sha256-")).hex()
    return Path(pooch.retrieve(file["url"], f"sha256:{digest}", path=cache, fname=name))


def contents(name: str, download: bool = True) -> bytes:
    """Return a file that a live page loads, from this machine."""
    if name in CORE:
        return core(name, download)
    for requirement in WHEELS:
        if name.startswith(requirement.replace("==", "-")):
            return wheel(requirement, download).read_bytes()
    return package(name, download).read_bytes()


def needed(lock: dict, roots: list[str]) -> list[str]:
    """The names of packages and of all that they need."""
    found: list[str] = []
    for name in roots:
        inner = [each for each in lock[name]["depends"] if each not in LEFT_OUT]
        found += [each for each in [*needed(lock, inner), name] if each not in found]
    return found


def listed() -> dict:
    """Every file with its address, integrity and size; and the lock, shortened to them."""
    whole = json.loads(core("pyodide-lock.json"))
    packages, files = {}, {}

    def add(name: str, address: str) -> None:
        data = contents(name)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        sent = len(gzip.compress(data)) if name.endswith((".js", ".wasm")) else len(data)
        files[name] = {
            "url": f"{address}/{name}",
            "integrity": f"sha256-{digest}",
            "size": len(data),
            "sent": sent,
        }

    for name in CORE:
        add(name, CORE_URL)
    for name in needed(whole["packages"], [*ROOTS, "sympy"]):
        package = whole["packages"][name]
        depends = [each for each in package["depends"] if each not in LEFT_OUT]
        address = PACKAGES_URL
        for requirement, digest in WHEELS.items():
            if requirement.startswith(f"{name}=="):
                package["sha256"] = digest
                blake = hashlib.blake2b(wheel(requirement).read_bytes(), digest_size=32).hexdigest()
                parts = "/".join((blake[:2], blake[2:4], blake[4:]))
                address = f"https://files.pythonhosted.org/packages/{parts}"
        packages[name] = package | {"depends": depends}
        add(package["file_name"], address)
        if (
            base64.b64decode(files[package["file_name"]]["integrity"][7:]).hex()
            != package["sha256"]
        ):
            raise ValueError(f"{package['file_name']} is not the one in Pyodide's lock")
    return {"lock": {"info": whole["info"], "packages": packages}, "files": files}


def main() -> None:
    LIST.write_text(json.dumps(listed(), indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
