"""A figure of Matplotlib's becomes a part of a page that can be light or dark."""

import io
import re
from xml.etree import ElementTree

import figures
import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_plots import luminance

from nnlab import plots

PAPER = figures.dark("ffffff")


def contrast(one, other):
    low, high = sorted(luminance(f"#{color}") + 0.05 for color in (one, other))
    return high / low


def saved(figure):
    """The figure's SVG file."""
    figure.savefig(file := io.StringIO(), format="svg")
    plt.close(figure)
    return file.getvalue()


@pytest.fixture(autouse=True)
def style():
    with plt.style.context("nnlab.nnlab"):
        yield


@pytest.fixture
def page():
    """Two panels: lines, and a field with a line over it."""
    figure, (left, right) = plots.panels(1, 2)
    left.plot([0, 1], [0, 1], color="#0072B2", clip_on=True)
    left.set_title("title < 3")
    plots.field([0, 1], [0, 1], np.eye(2), xlabel="u", ylabel="v", label="loss", ax=right)
    right.plot([0, 1], [0, 1], color="white", linewidth=7)
    return figures.themed(saved(figure), 'says "so"', "f1-")


def test_a_figure_is_one_element_with_a_name(page):
    root = ElementTree.fromstring(page)
    assert (root.tag, root.get("role"), root.get("aria-label")) == ("svg", "img", 'says "so"')
    assert "title < 3" in "".join(root.itertext())
    assert float(root.get("width")) == pytest.approx(576, abs=1)  # of 6.4 inches


def test_every_reference_leads_to_an_id_of_this_figure(page):
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids) > 5
    assert all(name.startswith("f1-") for name in ids)
    found = {*re.findall(r'href="#([^"]+)"', page), *re.findall(r"url\(#([^)]+)\)", page)}
    assert found and found <= set(ids)


def test_a_figure_has_no_style_for_the_rest_of_the_page(page):
    assert "<style" not in page and "<metadata" not in page


def test_lines_and_letters_take_the_colours_of_the_page(page):
    lines = re.findall(r'style="[^"]*(?:stroke|fill):([^";]*)[";]', page)
    assert "var(--c-0072b2,#0072b2)" in lines
    # The paper is the page's own.
    assert not re.search(r"fill:var\(--c-ffffff", page)


def test_what_lies_on_a_field_keeps_its_colours(page):
    assert 'style="fill:none;stroke:#ffffff;stroke-width:7;stroke-linecap:square"' in page
    ax = plots.table([[0.0, 1.0]], ["r"], ["a", "b"], text=[["no", "yes"]], xlabel="x", ylabel="y")
    table = figures.themed(saved(ax.figure), "A table.", "f2-")
    low, high, *_ = (
        re.search(rf'style="([^"]*)"[^>]*>{text}</text>', table)[1] for text in ("no", "yes", "a")
    )
    assert low.endswith("fill:#ffffff") and high.endswith("fill:#000000")
    assert "fill" not in re.search(r'style="([^"]*)"[^>]*>a</text>', table)[1]


def test_marks_made_of_pixels_are_no_ground():
    figure, (ax,) = plots.panels()
    ax.plot([0, 1], [0, 1], "|", color="0.4", rasterized=True)
    ax.plot([0, 1], [0, 1], color="#0072B2")
    page = figures.themed(saved(figure), "Marks.", "f1-")
    assert "<image" in page
    assert "stroke:var(--c-0072b2,#0072b2)" in page


def test_a_figure_gets_lighter_by_half():
    figure, axes = plots.panels(1, 2)
    rng = np.random.default_rng(0)
    for ax in axes:
        plots.lines(range(99), {"He": rng.random((99, 9))}, xlabel="x", ylabel="y", ax=ax)
    svg = saved(figure)
    assert len(figures.themed(svg, "Noise.", "f1-")) < 0.7 * len(svg)


# ------------------------------------------------------------------------------------- colours


def test_paper_is_dark_and_ink_is_pale():
    assert contrast(PAPER, figures.dark("000000")) > 12
    greys = [luminance(f"#{figures.dark(grey * 3)}") for grey in ("00", "50", "a0", "dd", "ff")]
    assert greys == sorted(greys, reverse=True)


@pytest.mark.parametrize("color", sorted({*plots.COLORS.values(), *plots.CLASSES}))
def test_every_colour_stands_out_from_dark_paper(color):
    assert contrast(figures.dark(color[1:].lower()), PAPER) > 3


@pytest.mark.parametrize("names", [list(plots.COLORS)[:10], list(plots.COLORS)[10:]], ids=str)
def test_colours_stay_apart(names):
    rgb = [bytes.fromhex(figures.dark(plots.COLORS[name][1:].lower())) for name in names]
    pairs = [np.abs(np.subtract([*a], [*b])).max() for i, a in enumerate(rgb) for b in rgb[:i]]
    assert min(pairs) >= 24


def test_tints_are_dark_but_not_grey():
    assert contrast(figures.dark("d6e6f2"), PAPER) < 2
    red, green, blue = bytes.fromhex(figures.dark("d6e6f2"))
    assert red < green < blue


def test_the_style_sets_what_the_page_asks_for(page):
    style = figures.dark_style(page)
    assert {*re.findall(r"(--c-\w+):", style)} == {*re.findall(r"var\((--c-\w+)", page)}
    assert f"--c-0072b2:#{figures.dark('0072b2')};" in style
    assert figures.dark_style("no figure") == ""
