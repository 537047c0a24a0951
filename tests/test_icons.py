"""The icon font has the signs that the site asks for, and no others."""

import icons
import pytest

STYLE = r"""
.fa-bars:before,.fa-navicon:before{content:"\f0c9"}.fa-list:before{content:"\f03a"}
.fa-xmark:before{content:"\f00d"}.fa-fan:before{content:"\f863"}
:root{--tip:"%s"}.story::after{content: "\f02d"}
""".replace("%s", "\uf0eb")


@pytest.fixture
def site(tmp_path):
    (tmp_path / "_static" / "styles").mkdir(parents=True)
    (tmp_path / "_static" / "styles" / "theme.css").write_text(STYLE, encoding="utf-8")
    (tmp_path / "_static" / "page.js").write_text('part.className = "fa-solid fa-xmark"')
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "a.html").write_text('<i class="fas fa-navicon"></i>')
    return tmp_path


def test_icons_of_pages_scripts_and_styles_are_found(site):
    assert set(icons.used(site)) == set("\uf0c9\uf00d\uf0eb\uf02d")


def test_the_script_is_found_in_a_page():
    page = '<head>\n  <script defer src="../_static/scripts/fontawesome.js?digest=5"></script>\n'
    assert icons.SCRIPT.sub("", page) == "<head>\n"
    other = '<script src="page.js"></script>'
    assert icons.SCRIPT.sub("", other) == other
