"""Writes what a long run has measured into the page of results, a section a run."""

import re
from pathlib import Path

from nnlab.files import whole

PAGE = Path(__file__).with_name("README.md")


def write(name: str, text: str) -> None:
    """Replace the section ``name`` of the page."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"{PAGE} has no section {name}: add the lines {begin.strip()} and {end}")
    body = f"{begin}{text.strip()}\n{end}"
    section = re.escape(begin) + ".*?" + re.escape(end)
    with whole(PAGE) as part:
        part.write_text(re.sub(section, lambda _: body, page, flags=re.S), encoding="utf-8")
