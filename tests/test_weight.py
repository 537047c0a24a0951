"""Rules that no page needs are gone, and no others; scripts wait, except where others need them."""

import pytest
import weight
from sphinx.builders.html._assets import _JavaScript

NAMES = {"shown", "also"}


@pytest.mark.parametrize(
    ("selector", "is_wanted"),
    [
        ("a:hover", True),
        (".shown > .also::before", True),
        (".shown .gone", False),
        (".shown.gone", False),
        (".shown:not(.gone)", True),
        (".shown:is(.gone, .also:not(.gone))", True),
        (".gone:is(.shown)", False),
        (".bs-tooltip-auto", True),
        (r".sm\:gone", True),
        ('[data-x="1.5"]', True),
    ],
)
def test_a_selector_is_wanted_if_its_classes_are_there(selector, is_wanted):
    assert weight.wanted(selector, NAMES) == is_wanted


def test_a_style_sheet_keeps_what_pages_need_in_its_order():
    style = """
      @import url("basic.css"); /* a comment */
      @font-face { font-family: gone; }
      .gone, .shown { color: red; }
      @media (width < 9px) { .gone { color: red } .also { content: "}" } }
      @supports (gap: 1px) { .gone { gap: 1px } }
      :root { --gone: 1 }
      .gone { color: red }
    """
    assert weight.purge(style, NAMES).split("\n") == [
        '@import url("basic.css");',
        "@font-face { font-family: gone; }",
        ".shown{color: red;}",
        '@media (width < 9px){.also{content: "}"}}',
        ":root{--gone: 1}",
    ]


def test_pages_lose_what_only_the_search_needs():
    names = ("searchtools", "language_data", "searchindex")
    search = [f'<script src="../{name}.js?v=1"></script>' for name in names]
    page = '<script src="a.js"></script>\n <link rel="preload" as="script" href="b.js" />'
    assert weight.LATER.sub("", page + "".join(search)) == '<script src="a.js"></script>'


def test_script_files_wait_except_where_others_need_them():
    files = (None, "_static/a.js", "_static/documentation_options.js")
    given = [_JavaScript(file, priority=1, async_="") for file in files]
    shown = {}
    for page in ("book/01_chapter", "search"):  # which share what they are given
        context = {"script_files": [*given]}
        weight.defer(None, page, "", context, None)
        shown[page] = [js.filename for js in context["script_files"] if "defer" in js.attributes]
    assert shown == {"book/01_chapter": ["_static/a.js"], "search": []}
