"""Build the slides of the chapters into _build/slides: `make slides`.

Each deck, `book/slides/<chapter>.md`, becomes a page that needs no network; index.html lists them.
"""

import shutil
import sys
from pathlib import Path

from offline import BUILD
from sphinx.cmd.build import build_main

SOURCE = BUILD.parent / "book" / "slides"


def build(source: Path, target: Path) -> int:
    """Build the decks in ``source``, warnings as errors; return the exit status."""
    shutil.rmtree(target, ignore_errors=True)  # or a deck that is gone would stay
    doctrees = target.with_name(target.name + ".doctrees")
    options = ["-q", "-E", "-W", "-n", "--keep-going", "-b", "revealjs"]
    return build_main([*options, "-d", str(doctrees), str(source), str(target)])


def main() -> None:
    target = BUILD / "slides"
    if status := build(SOURCE, target):
        sys.exit(status)
    print(f"{target}: open index.html")


if __name__ == "__main__":
    main()
