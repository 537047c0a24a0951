r"""Draw what was measured, in one style and with one colour a scheme through the whole book.

Nothing is measured here: every function takes numbers and draws them. Start a notebook with
``plt.style.use("nnlab.nnlab")``; then every figure is as wide as the page and as legible on a
phone.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nnlab import checks
from nnlab.checks import Floats

# From sets that colour-blind readers can tell apart: Okabe and Ito (2008), and Tol (2021) for the
# rarer ones.
#: One colour a scheme and one an activation, by name, through the whole book.
COLORS = {
    "zero": "#000000",
    "constant": "#767676",
    "N(0, 1)": "#D55E00",
    "0.01 · N(0, 1)": "#E69F00",
    "truncated normal": "#CC79A7",
    "fan-in uniform": "#56B4E9",
    "LeCun": "#999933",
    "Xavier": "#0072B2",
    "He": "#009E73",
    "orthogonal": "#882255",
    "identity": "#767676",
    "sigmoid": "#CC79A7",
    "tanh": "#0072B2",
    "relu": "#009E73",
    "leaky_relu": "#44AA99",
    "elu": "#999933",
    "selu": "#E69F00",
    "gelu": "#D55E00",
    "silu": "#882255",
}
#: The colours of the points of a two-class problem, 0 and 1.
CLASSES = ("#0072B2", "#D55E00")
#: The id of what keeps its colours where a dark page gives a figure others.
KEPT = "kept"


def color(name: str) -> str | None:
    """Return the colour of a scheme or an activation.

    Parameters
    ----------
    name : str
        A key of :data:`COLORS`, or any other name.

    Returns
    -------
    str or None
        None for other names; Matplotlib then takes the next colour of its cycle.

    Examples
    --------
    >>> color("Xavier")
    '#0072B2'
    """
    return COLORS.get(name)


def panels(
    rows: int = 1, columns: int = 1, *, height: float = 2.6, **kwargs: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure as wide as the page, and its axes.

    Parameters
    ----------
    rows, columns : int
        How many, at least 1.
    height : float
        Of one row, in inches.
    **kwargs
        For :func:`matplotlib.pyplot.subplots`, for example ``sharey=True``.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of matplotlib.axes.Axes
        Row after row, in one dimension.

    Raises
    ------
    TypeError, ValueError
        If a size is not valid.

    Examples
    --------
    >>> figure, axes = panels(2, 3)
    >>> axes.shape
    (6,)
    >>> plt.close(figure)
    """
    rows, columns = checks.positive_int("rows", rows), checks.positive_int("columns", columns)
    height = checks.number("height", height, above=0)
    size = (plt.rcParams["figure.figsize"][0], rows * height)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **kwargs)
    return figure, axes.ravel()


def lines(
    x: ArrayLike,
    series: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    theory: Mapping[str, ArrayLike] | None = None,
    dots: bool = False,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the median of each series over its seeds, and a band from the lowest to the highest.

    A series that mostly runs along an earlier one is drawn in dashes, so that both are seen.

    Parameters
    ----------
    x : sequence of float (points,)
    series : mapping of str to ndarray
        Each (points,) or (points, seeds). A name that has a colour in :data:`COLORS` gets it.
        What is not finite is left out.
    xlabel, ylabel : str
        What the axes show, with the units.
    theory : mapping of str to ndarray, optional
        Drawn as dashed lines, in the colour of the series of the same name.
    dots : bool
        Dots instead of lines: for measurements beside a theory.
    log : bool
        Whether the vertical axis is logarithmic.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a series does not fit ``x``.

    Examples
    --------
    >>> ax = lines([1, 2], {"He": [[1, 2], [3, 4]]}, xlabel="layer", ylabel="rms", log=True)
    >>> ax.get_yscale()
    'log'
    >>> plt.close(ax.figure)
    """
    ax = _axes(ax)
    x, drawn = np.asarray(x), {}
    seeds = {name: _fits(name, values, x).reshape(len(x), -1) for name, values in series.items()}
    middles = {name: np.median(values, axis=1) for name, values in seeds.items()}
    below = _below(list(middles.values()), log)
    for (name, values), others in zip(seeds.items(), below, strict=True):
        style: dict[str, Any] = {"marker": "o", "linestyle": "none"} if dots else {}
        if others and not dots:
            style["linestyle"] = (0, (4, 2 * others))
        (line,) = ax.plot(x, middles[name], color=color(name), label=name, **style)
        drawn[name] = line.get_color()
        if values.shape[1] > 1:
            low, high = values.min(axis=1), values.max(axis=1)
            ax.fill_between(x, low, high, color=drawn[name], alpha=0.2, linewidth=0)
    for name, predicted in (theory or {}).items():
        label = None if name in drawn else name
        shade = drawn.get(name, color(name))
        ax.plot(x, _fits(name, predicted, x), "--", color=shade, label=label, linewidth=1.5)
    if log:
        ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def ridges(
    shares: Sequence[ArrayLike],
    edges: ArrayLike,
    *,
    xlabel: str,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one histogram a layer, the first at the top, all to one scale of their own height.

    Parameters
    ----------
    shares : sequence of ndarray (bins,)
        What :func:`nnlab.diagnostics.histogram` returned, layer by layer.
    edges : ndarray (bins + 1,)
        Where the bins begin and end.
    xlabel : str
        What the horizontal axis shows.
    labels : sequence of str, optional
        Of the layers; 1, 2, … if they are not given.
    name : str, optional
        The scheme: the title, and the colour.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no histogram, or one does not fit the edges.

    Examples
    --------
    >>> ax = ridges([[0.2, 0.8], [0.5, 0.5]], [-1, 0, 1], xlabel="activation", name="Xavier")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['1', '2']
    >>> plt.close(ax.figure)
    """
    ax, edges = _axes(ax), np.asarray(edges)
    rows = [np.asarray(each) for each in shares]
    if not rows or any(each.shape != (len(edges) - 1,) for each in rows):
        raise ValueError(f"shares must hold histograms of {len(edges) - 1} bins, one a layer")
    labels = [str(l + 1) for l in range(len(rows))] if labels is None else labels
    shade = COLORS.get(name or "", CLASSES[0])
    for l, share in enumerate(rows):
        # Every ridge fills its row: the heights say where the values lie, not how many there are.
        height = 0.85 * share / max(share.max(), 1e-300)
        ax.stairs(height - l, edges, baseline=-l, fill=True, color=shade, alpha=0.75)
        ax.axhline(-l, color="#999999", linewidth=0.6)
    ax.set_yticks([-l for l in range(len(rows))], labels)
    ax.grid(False)
    ax.set(xlabel=xlabel, ylabel="layer", xlim=(edges[0], edges[-1]), title=name)
    return ax


def field(
    x: ArrayLike,
    y: ArrayLike,
    values: ArrayLike,
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    levels: int | Sequence[float] = 20,
    ax: Axes | None = None,
) -> Axes:
    """Draw a function of two variables as filled contours, with a colour bar.

    Parameters
    ----------
    x : ndarray (columns,)
        Where the columns of ``values`` are.
    y : ndarray (rows,)
        Where its rows are.
    values : ndarray (rows, columns)
        The function.
    xlabel, ylabel, label : str
        What the axes show, and the colour bar.
    levels : int or sequence of float
        How many contours, or which.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> values = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    >>> ax = field([0, 1], [0, 1, 2], values, xlabel="$w$", ylabel="$b$", label="loss")
    >>> len(ax.figure.axes)  # the colour bar is the second
    2
    >>> plt.close(ax.figure)
    """
    ax, x, y = _axes(ax), np.asarray(x), np.asarray(y)
    if np.shape(values) != (len(y), len(x)):
        raise ValueError(f"values must be ({len(y)}, {len(x)}); got {np.shape(values)}")
    filled = ax.contourf(x, y, values, levels=levels, extend="both")
    as_pixels(filled)
    bar = ax.figure.colorbar(filled, ax=ax, label=label)
    for part in filter(None, (bar.solids, *bar.ax.patches)):
        part.set_gid(KEPT)
    ax.grid(False)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def as_pixels(contours: ContourSet, chosen: bool = True) -> None:
    """Choose whether a file of the figure holds filled contours as pixels, or every one as a shape.

    Parameters
    ----------
    contours : ContourSet
        What ``contourf`` returned.
    chosen : bool
        Whether they are pixels.

    Examples
    --------
    >>> figure, ax = plt.subplots()
    >>> as_pixels(filled := ax.contourf([[0, 1], [1, 2]]))
    >>> filled.get_rasterized()
    True
    >>> plt.close(figure)
    """
    with warnings.catch_warnings():
        # Matplotlib 3.8 says that this has no effect, but it has.
        warnings.filterwarnings("ignore", "Rasterization of", UserWarning)
        contours.set_rasterized(chosen)


def points(X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw the examples of a two-class problem in the plane: discs for 0, squares for 1.

    Parameters
    ----------
    X : ndarray (n, 2)
        The examples.
    y : ndarray (n,)
        Labels, 0 or 1.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> ax = points([[0, 0], [1, 1]], [0, 1])
    >>> ax.get_legend_handles_labels()[1]
    ['y = 0', 'y = 1']
    >>> plt.close(ax.figure)
    """
    ax = _axes(ax)
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or X.shape[1] != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X must be (n, 2) and y (n,); got {X.shape} and {y.shape}")
    for label, marker in enumerate("os"):
        x1, x2 = X[y == label].T
        style: dict[str, Any] = {
            "c": CLASSES[label],
            "marker": marker,
            "edgecolors": "white",
            "s": 60,
        }
        ax.scatter(x1, x2, label=f"y = {label}", rasterized=len(X) > 500, **style)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    return ax


def table(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    text: Sequence[Sequence[str]] | None = None,
    cmap: str = "viridis",
    ax: Axes | None = None,
) -> Axes:
    """Draw a matrix as coloured cells, with what is in them written inside.

    Parameters
    ----------
    values : ndarray (rows, columns)
        Sets the colours.
    rows, columns : sequence of str
        Labels.
    xlabel, ylabel : str
        What the axes show.
    text : sequence of sequence of str, optional
        What to write, row by row; nothing if it is not given.
    cmap : str
        Matplotlib's name of the colours.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> ax = table([[0, 1]], ["He"], ["1", "2"], xlabel="layer", ylabel="", text=[["a", "b"]])
    >>> [text.get_text() for text in ax.texts]
    ['a', 'b']
    >>> plt.close(ax.figure)
    """
    ax, values = _axes(ax), np.asarray(values, dtype=float)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"values must be ({len(rows)}, {len(columns)}); got {values.shape}")
    picture = ax.imshow(values, cmap=cmap, aspect="auto")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if text is None:
        return ax
    for (i, j), value in np.ndenumerate(values):
        *rgb, _ = picture.cmap(picture.norm(value))
        # Rec. 601 luma: black on pale cells, white on dark ones.
        dark = np.dot(rgb, (0.299, 0.587, 0.114)) < 0.5
        shade = "white" if dark else "black"
        ax.text(j, i, text[i][j], ha="center", va="center", color=shade, gid=KEPT)
    return ax


def legend(figure: Figure, *, columns: int = 3) -> None:
    """Put one legend for all axes above the figure, each name once.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Whose axes to name.
    columns : int
        How many names stand side by side, at most: fewer where they would not fit.

    Examples
    --------
    >>> figure, axes = panels(1, 2)
    >>> for ax in axes:
    ...     _ = ax.plot([0, 1], label="loss")
    >>> legend(figure)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['loss']
    >>> plt.close(figure)
    """
    named: dict[str, Artist] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    for ncols in range(min(columns, len(named)), 0, -1):
        texts = {"handles": named.values(), "labels": named.keys(), "ncols": ncols}
        drawn = figure.legend(loc="outside upper center", **texts)
        if ncols == 1 or drawn.get_window_extent().width <= figure.bbox.width:
            break
        drawn.remove()


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def _fits(name: str, values: ArrayLike, x: np.ndarray) -> Floats:
    values = np.asarray(values, dtype=float)
    if values.ndim not in (1, 2) or len(values) != len(x):
        raise ValueError(f"{name} must be ({len(x)},) or ({len(x)}, seeds); got {values.shape}")
    return np.where(np.isfinite(values), values, math.nan)


def _below(lines: Sequence[Floats], log: bool) -> list[int]:
    """Return under how many earlier lines each line would lie, along half of its points or more.

    Closer than a hundredth of all that is drawn, two lines look like one.
    """
    heights = np.array(lines)
    if log:
        heights = np.log10(heights, where=heights > 0, out=np.full(heights.shape, math.nan))
    finite = heights[np.isfinite(heights)]
    near = 0.01 * np.ptp(finite) if finite.size else 0.0
    return [
        sum(np.mean(np.abs(one - other) <= near) >= 0.5 for other in heights[:i])
        for i, one in enumerate(heights)
    ]
