"""The plots show the numbers they were given, labelled, in the book's colours."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from nnlab import plots


@pytest.fixture(autouse=True)
def style(monkeypatch):
    """Draw without a screen, in the book's style, and close every figure."""
    monkeypatch.setattr(plt, "show", lambda: None)
    matplotlib.use("agg")
    with plt.style.context("nnlab.nnlab"):
        yield
    plt.close("all")


def luminance(color):
    """Relative luminance by WCAG 2.2."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_every_scheme_has_a_colour_of_its_own():
    schemes = list(plots.COLORS)[: list(plots.COLORS).index("identity")]
    activations = list(plots.COLORS)[len(schemes) :]
    for group in (schemes, activations):
        assert len({plots.COLORS[name] for name in group}) == len(group)
    assert plots.color("no such scheme") is None


@pytest.mark.parametrize("name", plots.COLORS)
def test_colours_stand_out_from_white(name):
    assert 1.05 / (luminance(plots.COLORS[name]) + 0.05) > 2.0


def test_panels_are_as_wide_as_the_page():
    figure, axes = plots.panels(3, 2, height=2.0)
    assert figure.get_size_inches().tolist() == [6.4, 6.0]
    assert axes.shape == (6,)
    with pytest.raises(ValueError, match="rows"):
        plots.panels(0)
    with pytest.raises(ValueError, match="height"):
        plots.panels(height=0)


def test_lines_draw_the_median_and_the_whole_range_over_seeds():
    values = np.array([[1.0, 2.0, 9.0], [4.0, 5.0, 6.0]])
    ax = plots.lines([1, 2], {"Xavier": values}, xlabel="layer", ylabel="Var(z)", log=True)
    (line,) = ax.lines
    assert line.get_ydata().tolist() == [2, 5]
    assert to_hex(line.get_color()) == plots.COLORS["Xavier"].lower()
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert {1.0, 9.0, 4.0, 6.0} <= set(corners[:, 1])
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("layer", "Var(z)", "log")


def test_no_line_hides_another():
    series = {
        "zero": [1, 1, 1, 1],
        "0.01 · N(0, 1)": [1, 1, 1.001, 3],
        "He": [1, 2, 3, 4],
        "constant": [1, 1, 1, 1.001],
    }
    ax = plots.lines(range(4), series, xlabel="x", ylabel="y")
    styles = [line.get_linestyle() for line in ax.lines]
    assert [style == "-" for style in styles] == [True, False, True, False]
    # The third of three leaves longer gaps than the second.
    dashes = [line._unscaled_dash_pattern for line in ax.lines]
    assert dashes[1][1] == (4, 2)
    assert dashes[3][1] == (4, 4)


def test_only_a_logarithmic_axis_tells_small_numbers_apart():
    series = {"zero": [1e-9, 1e-8, 1.0], "He": [1e-5, 1e-4, 1.0], "Xavier": [0.5, np.nan, 1.0]}
    for log, dashed in ((False, [False, True, False]), (True, [False, False, False])):
        ax = plots.lines(range(3), series, xlabel="x", ylabel="y", log=log)
        assert [line.get_linestyle() != "-" for line in ax.lines] == dashed


def test_lines_of_one_seed_have_no_band():
    ax = plots.lines([1, 2], {"Xavier": [1.0, 2.0]}, xlabel="x", ylabel="y")
    assert not ax.collections


def test_theory_is_dashed_over_dots_of_the_same_colour():
    ax = plots.lines(
        [1, 2], {"He": [1.0, 2.0]}, theory={"He": [1.0, 1.9]}, dots=True, xlabel="x", ylabel="y"
    )
    measured, theory = ax.lines
    assert (measured.get_marker(), measured.get_linestyle()) == ("o", "None")
    assert (theory.get_linestyle(), theory.get_color()) == ("--", measured.get_color())
    assert theory.get_label().startswith("_")  # only one entry in the legend


def test_lines_leave_out_what_is_not_finite():
    ax = plots.lines([1, 2, 3], {"a": [1.0, np.inf, 3.0]}, xlabel="x", ylabel="y")
    assert np.isnan(ax.lines[0].get_ydata()).tolist() == [False, True, False]


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0, 3.0], 1.0, np.ones((2, 2, 2))])
def test_lines_name_the_series_that_does_not_fit(values):
    with pytest.raises(ValueError, match="Xavier must be"):
        plots.lines([1, 2], {"Xavier": values}, xlabel="x", ylabel="y")


def test_ridges_stack_the_layers_downwards_without_overlap():
    shares = [np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.1, 0.9])]
    ax = plots.ridges(shares, np.linspace(-1, 1, 4), xlabel="a", name="He")
    first, second = ax.patches
    assert first.get_data().values.tolist() == pytest.approx([0.85, 0.85, 0.0])
    assert second.get_data().values.max() == pytest.approx(-0.15)
    assert second.get_data().baseline == -1
    assert first.get_fill() and second.get_fill()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "2"]
    assert ax.get_title() == "He"
    with pytest.raises(ValueError, match="3 bins"):
        plots.ridges([np.ones(2)], np.linspace(-1, 1, 4), xlabel="a")


def test_field_keeps_rows_and_columns_apart():
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 3)
    ax = plots.field(x, y, np.add.outer(y, x), xlabel="u", ylabel="v", label="loss")
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 2))
    assert ax.figure.axes[-1].get_ylabel() == "loss"
    with pytest.raises(ValueError, match=r"\(3, 5\)"):
        plots.field(x, y, np.zeros((5, 3)), xlabel="u", ylabel="v", label="loss")


def test_points_tell_the_classes_apart_by_colour_and_shape():
    ax = plots.points(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([0, 1]))
    zeros, ones = ax.collections
    assert zeros.get_offsets().tolist() == [[0, 1]]
    assert ones.get_offsets().tolist() == [[2, 3]]
    assert len(zeros.get_paths()[0]) != len(ones.get_paths()[0])
    assert (zeros.get_facecolor() != ones.get_facecolor()).any()
    with pytest.raises(ValueError, match="X must be"):
        plots.points(np.zeros((3, 1)), np.zeros(3))


def test_tables_write_dark_on_pale_and_pale_on_dark():
    ax = plots.table([[0.0, 1.0]], ["r"], ["a", "b"], text=[["no", "yes"]], xlabel="x", ylabel="y")
    low, high = ax.texts
    assert (low.get_text(), low.get_color()) == ("no", "white")
    assert (high.get_text(), high.get_color()) == ("yes", "black")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        plots.table([[0.0]], ["r"], ["a", "b"], xlabel="x", ylabel="y")


def test_the_legend_names_each_series_once():
    figure, axes = plots.panels(1, 2)
    for ax in axes:
        plots.lines([1, 2], {"Xavier": [1, 2], "He": [2, 3]}, xlabel="x", ylabel="y", ax=ax)
    plots.legend(figure)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Xavier", "He"]


def test_a_legend_fits_its_figure():
    names = ["a scheme with a name", "one more with a name", "and another one", "and the last"]
    for columns in (2, 4):
        figure, (ax,) = plots.panels()
        plots.lines([1, 2], {name: [1, 2] for name in names}, xlabel="x", ylabel="y", ax=ax)
        plots.legend(figure, columns=columns)
        (legend,) = figure.legends
        assert legend._ncols == 2
        assert legend.get_window_extent().width <= figure.bbox.width


def test_heavy_pictures_are_stored_as_pixels():
    ax = plots.points(np.zeros((501, 2)), np.arange(501) % 2)
    assert all(part.get_rasterized() for part in ax.collections)
    ax = plots.points(np.zeros((500, 2)), np.arange(500) % 2)
    assert not any(part.get_rasterized() for part in ax.collections)
    ax = plots.field([0, 1], [0, 1], np.eye(2), xlabel="u", ylabel="v", label="loss")
    assert all(part.get_rasterized() for part in ax.collections)


def test_lettering_can_be_read_on_a_phone():
    """Every letter is at least 11 pixels high where the figure is shown 350 wide."""
    figure, (left, right) = plots.panels(1, 2)
    for ax in (left, right):
        plots.lines([1, 2], {"Xavier": [1, 2]}, xlabel="x", ylabel="y", ax=ax)
        ax.set_title("title")
        ax.legend(title="legend")
        ax.text(0, 0, "text")
    plots.legend(figure)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(plt.Text) if text.get_text()]
    shown = 350 / (72 * figure.get_size_inches()[0])  # pixels per point
    assert len(texts) > 20
    assert min(text.get_fontsize() for text in texts) * shown >= 11


def test_the_same_numbers_give_the_same_picture(tmp_path):
    pictures = []
    for name in ("a.png", "b.png"):
        ax = plots.lines([1, 2], {"He": [[1, 2], [3, 5]]}, xlabel="x", ylabel="y")
        ax.figure.savefig(tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
