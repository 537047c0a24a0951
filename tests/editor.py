"""Bundle the editor of the live pages: `make editor`, after a new version in tests/npm.py.

The bundle is committed, so that the book is built without any of this. esbuild's own binary makes
it, on 64-bit Linux.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import npm

LIVE = Path(__file__).parent.parent / "book" / "live"
BUNDLE = LIVE / "editor.min.js"
NOTICE = """/*! CodeMirror 6 and Lezer, (c) Marijn Haverbeke and others, MIT License:
{packages}

{license} */
"""


def bundle(download: bool = True) -> bytes:
    """Return the bundle of ``editor.js`` and all that it imports, with the licence before it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        npm.unpack(npm.EDITOR, folder / "packages", download)
        modules = folder / "node_modules"
        for package in npm.EDITOR:
            target = modules / package.rpartition("@")[0]
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / "packages" / package).rename(target)
        (folder / "editor.js").write_bytes((LIVE / "editor.js").read_bytes())
        esbuild = modules / "@esbuild" / "linux-x64" / "bin" / "esbuild"
        esbuild.chmod(0o755)
        packages = [package for package in npm.EDITOR if "esbuild" not in package]
        license = (modules / "@codemirror" / "state" / "LICENSE").read_text(encoding="utf-8")
        notice = NOTICE.format(packages="\n".join(packages), license=license.strip())
        made = subprocess.run(
            [esbuild, "editor.js", "--bundle", "--minify", "--format=esm", "--target=es2022"],
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE,
        )
    return notice.encode() + made.stdout


def main() -> None:
    if sys.platform != "linux":
        sys.exit("esbuild is pinned for 64-bit Linux only: run this there.")
    BUNDLE.write_bytes(bundle())
    print(f"{BUNDLE}, {BUNDLE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
