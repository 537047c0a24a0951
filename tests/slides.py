"""Build the slides of the chapters into _build/slides: `make slides`.

Each deck, `book/slides/<chapter>.md`, becomes a page that needs no network; index.html lists them.
"""

import sys
from pathlib import Path

from offline import BUILD
from sphinx.cmd.build import build_main

from nnlab.files import whole

SOURCE = BUILD.parent / "book" / "slides"


def build(source: Path, target: Path) -> int:
    """Build the decks in ``source``, warnings as errors; return the exit status."""
    doctrees = target.with_name(target.name + ".doctrees")
    options = ["-q", "-E", "-W", "-n", "--keep-going", "-b", "revealjs"]
    return build_main([*options, "-d", str(doctrees), str(source), str(target)])


def main() -> None:
    target = BUILD / "slides"
    BUILD.mkdir(exist_ok=True)
    with whole(target) as part:
        if status := build(SOURCE, part):
            sys.exit(status)
    print(f"{target}: open index.html")


if __name__ == "__main__":
    main()
