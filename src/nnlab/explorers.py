"""Let a reader explore a picture with sliders and menus, with a kernel or without.

Every frame is drawn in advance and the browser only picks the one to show, so a saved notebook
answers on a static page exactly as it does in JupyterLab. In JupyterLab an explorer is widgets; on
a page, and where there are no widgets, it is a browser's own controls.
"""

import base64
import html
import io
import itertools
import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from nnlab import checks, plots

if TYPE_CHECKING:
    import ipywidgets as widgets

#: How many axes an explorer may have.
MAX_AXES = 3
#: How many frames it may have.
MAX_FRAMES = 200
#: How many bytes of a notebook it may take.
MAX_BYTES = 3_000_000
OVERHEAD = 2_000  # bytes per frame, enough for the widgets that hold it
DPI = 144  # pixels per inch of what is heavy in a figure; the rest is lines and letters
INTERVAL = 600  # milliseconds per frame of an animation

#: What draws a frame: the figure, and its alternative text.
Render = Callable[..., tuple[Figure, str]]
#: The values of an axis.
Values = Iterable[Real] | Iterable[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Control:
    """A menu or a slider.

    Parameters
    ----------
    name : str
        What the page calls it.
    labels : tuple of str
        What it shows for each of its values.
    start : int
        Which of them it shows first.
    slides : bool
        Whether it is a slider.

    Examples
    --------
    >>> print(Control("depth", ("5", "50"), start=0, slides=False).markup("a"))
    ... # doctest: +NORMALIZE_WHITESPACE
    <label for="a">depth</label><select id="a"><option value="0" selected>5</option><option
    value="1">50</option></select>
    """

    name: str
    labels: tuple[str, ...]
    start: int
    slides: bool

    def markup(self, key: str) -> str:
        """Return the control with its name, as HTML.

        Parameters
        ----------
        key : str
            Its id.

        Returns
        -------
        str
        """
        labels = [html.escape(label) for label in self.labels]
        head = f'<label for="{key}">{html.escape(self.name)}</label>'
        if not self.slides:
            options = "".join(
                f'<option value="{i}"{" selected" * (i == self.start)}>{label}</option>'
                for i, label in enumerate(labels)
            )
            return f'{head}<select id="{key}">{options}</select>'
        options = "".join(
            f'<option value="{i}" label="{label}"></option>' for i, label in enumerate(labels)
        )
        shown, last = labels[self.start], len(labels) - 1
        return (
            f'{head}<span><input type="range" id="{key}" list="{key}-labels" max="{last}" '
            f'value="{self.start}" aria-valuetext="{shown}"><output for="{key}">{shown}</output>'
            f'</span><datalist id="{key}-labels">{options}</datalist>'
        )


@dataclass(frozen=True)
class Frame:
    """A picture and what it shows.

    Parameters
    ----------
    alt : str
        The alternative text.
    svg : str
        The drawing, a file.
    width, height : int
        Its size in pixels.
    """

    alt: str
    svg: str
    width: int
    height: int

    def image(self) -> str:
        """Return the picture as an HTML image with its bytes inside."""
        # Its size keeps the place free, and "sync" spares the flash of white between two frames.
        return (
            f'<img alt="{html.escape(self.alt)}" width="{self.width}" height="{self.height}" '
            'decoding="sync" style="max-width: 100%; height: auto" '
            f'src="data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}">'
        )


@dataclass(frozen=True, repr=False)
class Explorer:
    """The controls and the frames that they choose from: what :func:`explore` returns.

    Parameters
    ----------
    title, look_for : str
        Its heading, and what to look for.
    controls : list of Control
        One for each axis, from the top down.
    animated : str or None
        The name of the control that moves by itself, when the reader asks for it.
    frames : list of Frame
        One for each choice, the last control changing fastest.
    """

    title: str
    look_for: str
    controls: list[Control]
    animated: str | None
    frames: list[Frame]

    def __repr__(self) -> str:
        """Return what a saved notebook holds as the text of this output."""
        names = " × ".join(control.name for control in self.controls)
        return f"explorer: {names}, {len(self.frames)} frames"

    @property
    def first(self) -> int:
        """The number of the frame that is shown first."""
        number = 0
        for control in self.controls:
            number = number * len(control.labels) + control.start
        return number

    @cached_property
    def widget(self) -> "widgets.VBox":
        """What JupyterLab shows, and a notebook saves: the same as widgets."""
        return _widget(self)

    def markup(self, key: str, frames: Sequence[str], folder: str | None = None) -> str:
        """Return what a page shows, as HTML.

        Parameters
        ----------
        key : str
            What no other explorer of the page has: its ids start with it.
        frames : sequence of str
            Every frame, as HTML.
        folder : str, optional
            Where the page finds the frames, each as a script. Without it, the page holds them all.

        Returns
        -------
        str
        """
        parts = [control.markup(f"{key}-{i}") for i, control in enumerate(self.controls)]
        if self.animated:
            moved = [control.name for control in self.controls].index(self.animated)
            parts.append(
                f'<label class="animate"><input type="checkbox" data-moves="{key}-{moved}"> '
                f"animate {html.escape(self.animated)}</label>"
            )
        source, kept = f' data-frames="{folder}"', ""
        if folder is None:
            source, kept = "", f"<template>{''.join(frames)}</template>"
        return (
            f'<div class="nnlab-explorer" role="group" aria-labelledby="{key}-title"{source}>'
            f'<p class="title" id="{key}-title">{html.escape(self.title)}</p>'
            f'<p class="look-for">{html.escape(self.look_for)}</p>'
            f'<form class="pst-js-only" autocomplete="off">{"".join(parts)}</form>'
            f'<div class="frame" aria-live="polite">{frames[self.first]}</div>{kept}</div>'
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return what a notebook shows and saves."""
        if find_spec("ipywidgets"):
            shown: dict[str, Any] = self.widget._repr_mimebundle_(**kwargs)
            return shown | {"text/plain": repr(self)}
        key = f"explorer-{secrets.token_hex(4)}"
        page = self.markup(key, [frame.image() for frame in self.frames])
        return {"text/plain": repr(self), "text/html": page}


def explore(
    render: Render,
    *,
    title: str,
    look_for: str,
    start: Mapping[str, Real | str] | None = None,
    animate: str | None = None,
    labels: Mapping[str, str] | None = None,
    **axes: Values,
) -> Explorer:
    """Draw a figure for every combination of values, and let the reader choose among them.

    Parameters
    ----------
    render : callable
        Called as ``render(name=value, ...)`` with one value of each axis. Returns a figure, which
        is then closed, and its alternative text: a sentence that says what this frame, and no
        other, shows.
    title : str
        What there is to try: the explorer is headed "Try it:" and this.
    look_for : str
        A sentence that says what to change and what to look for.
    start : mapping of str to float or str, optional
        The value at which an axis starts, by name; a label where the axis is a mapping. The other
        axes start at their first value.
    animate : str, optional
        The axis that also moves by itself, when the reader asks for it.
    labels : mapping of str to str, optional
        What the page calls an axis; by default its name, with spaces for underscores.
    **axes : iterable of float, iterable of str, or mapping of str to object
        One to three, each with at least 2 values. Numbers get a slider, names get a menu, and a
        mapping from labels to values gets a menu of its labels. An animated axis has a slider.

    Returns
    -------
    Explorer
        What to put on the last line of a cell.

    Raises
    ------
    TypeError
        If an argument is, or ``render`` returns, something else.
    ValueError
        If there are too few or too many axes, values or frames; if they take more than 3 MB;
        if a text is empty, or two frames have the same alternative text; if ``start`` names what
        is not there.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> def power(base, exponent):
    ...     figure, ax = plt.subplots()
    ...     ax.bar("power", base**exponent)
    ...     return figure, f"{base} to the power of {exponent} is {base**exponent}."
    >>> explore(
    ...     power,
    ...     title="the power of a power",
    ...     look_for="Raise the base: how much more does the cube grow than the square?",
    ...     start={"base": 3},
    ...     base=[2, 3, 5],
    ...     exponent={"square": 2, "cube": 3},
    ... )
    explorer: base × exponent, 6 frames
    """
    for name, text in {"title": title, "look_for": look_for}.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a text; got {text!r}")
        if not text.strip():
            raise ValueError(f"{name} must not be empty")
    if not 1 <= len(axes) <= MAX_AXES:
        raise ValueError(f"there must be 1 to {MAX_AXES} axes; got {len(axes)}")
    if animate is not None:
        checks.one_of("animate", animate, axes)
    for name in labels or {}:
        checks.one_of("every name in labels", name, axes)
    names = {name: name.replace("_", " ") for name in axes} | dict(labels or {})
    parsed = {name: _axis(name, values) for name, values in axes.items()}
    first = _start(start, parsed)
    sizes = [len(axis.values) for axis in parsed.values()]
    if (count := math.prod(sizes)) > MAX_FRAMES:
        product = " × ".join(map(str, sizes))
        raise ValueError(f"there must be at most {MAX_FRAMES} frames; got {product} = {count}")

    controls = [
        Control(names[name], tuple(axis.values), first[name], axis.slides or name == animate)
        for name, axis in parsed.items()
    ]
    animated = None if animate is None else names[animate]
    return Explorer(f"Try it: {title}", look_for, controls, animated, _frames(render, parsed))


@dataclass(frozen=True)
class _Axis:
    values: dict[str, Any]  # by label
    slides: bool


def _axis(name: str, values: Values) -> _Axis:
    if isinstance(values, Mapping):
        pairs, slides = list(values.items()), False
    elif isinstance(values, Iterable) and not isinstance(values, str):
        pairs = [(_label(value), value) for value in values]
        slides = not any(isinstance(value, str) for _, value in pairs)
    else:
        raise TypeError(f"{name} must hold the values of an axis; got {values!r}")
    if not all(isinstance(label, str) for label, _ in pairs):
        raise TypeError(
            f"{name} must hold numbers or names; for other values, give a dict {{label: value}}"
        )
    if len(pairs) < 2:
        raise ValueError(f"{name} must hold at least 2 values; got {len(pairs)}")
    if len(dict(pairs)) < len(pairs):
        shown = ", ".join(label for label, _ in pairs)
        raise ValueError(f"{name} must hold values that look different; got {shown}")
    return _Axis(dict(pairs), slides)


def _start(start: Mapping[str, Real | str] | None, axes: Mapping[str, _Axis]) -> dict[str, int]:
    """Return the index of the value at which each axis starts."""
    if not isinstance(start, Mapping | None):
        raise TypeError(
            f"start must map names of axes to values; got {start!r} (no axis may have that name)"
        )
    first = dict.fromkeys(axes, 0)
    for name, value in (start or {}).items():
        checks.one_of("every name in start", name, axes)
        label = checks.one_of(f"start of {name}", _label(value), axes[name].values)
        first[name] = list(axes[name].values).index(label)
    return first


def _label(value: object) -> str | None:
    """Return how an axis shows a value; None if it has no plain text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return str(value) if isinstance(value, Integral) else f"{value:g}"


def _frames(render: Render, axes: Mapping[str, _Axis]) -> list[Frame]:
    """Return every frame, the last axis changing fastest."""
    frames: list[Frame] = []
    seen: dict[str, str] = {}
    for labels in itertools.product(*(axis.values for axis in axes.values())):
        chosen = dict(zip(axes, labels, strict=True))
        where = ", ".join(f"{name} = {label}" for name, label in chosen.items())
        match render(**{name: axes[name].values[label] for name, label in chosen.items()}):
            case Figure() as figure, str() as alt:
                plt.close(figure)  # or the notebook would show it, too
            case other:
                raise TypeError(
                    f"render must return (figure, alternative text); got {type(other).__name__} "
                    f"at {where}"
                )
        if not alt.strip():
            raise ValueError(f"the alternative text is empty at {where}")
        if alt in seen:
            raise ValueError(f"{seen[alt]} and {where} have the same alternative text: {alt!r}")
        seen[alt] = where
        frames.append(_frame(figure, alt))
    if (size := sum(len(frame.image()) + OVERHEAD for frame in frames)) > MAX_BYTES:
        raise ValueError(
            f"an explorer must take at most {MAX_BYTES / 1e6:.2f} MB of a notebook; "
            f"got {size / 1e6:.2f} MB in {len(frames)} frames"
        )
    return frames


def _frame(figure: Figure, alt: str) -> Frame:
    figure.set_dpi(DPI)
    for contours in figure.findobj(ContourSet):
        plots.as_pixels(contours, len(list(contours.levels)) > 5)
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nnlab"}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # the same file each time
        canvas: Any = FigureCanvasSVG(figure)  # its print_svg comes without types
        canvas.print_svg(file := io.BytesIO(), metadata=nothing)
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Frame(alt, file.getvalue().decode(), width, height)


def _widget(explorer: Explorer) -> "widgets.VBox":
    """Return an explorer as widgets, which the browser links with each other."""
    import ipywidgets as widgets

    images = [frame.image() for frame in explorer.frames]
    shown = widgets.HTML(images[0])
    same = {"layout": shown.layout, "style": shown.style}  # or each frame would bring its own
    frames = [shown, *(widgets.HTML(image, **same) for image in images[1:])]
    # One width for all names, to align the controls.
    width = f"{max(len(control.name) for control in explorer.controls) + 2}ch"
    controls = {
        control.name: (widgets.SelectionSlider if control.slides else widgets.Dropdown)(
            options=list(control.labels),
            index=control.start,
            description=control.name,
            style={"description_width": width},
            layout={"width": "auto", "max_width": "500px"},
        )
        for control in explorer.controls
    }
    picture = _nest(frames, list(controls.values()))
    name = explorer.animated
    clock = [] if name is None else _animation(controls[name], name)
    intro = widgets.HTML(
        f"<p><strong>{html.escape(explorer.title)}</strong></p>"
        f"<p>{html.escape(explorer.look_for)}</p>"
    )
    parts = [intro, *controls.values(), *clock, picture]
    return widgets.VBox(parts, _dom_classes=("nnlab-explorer",))


def _animation(slider: "widgets.SelectionSlider", title: str) -> "list[widgets.Widget]":
    """Return a checkbox that starts and stops, and the clock behind it.

    The clock has buttons, too, but a screen reader finds no names on them: they are hidden.
    """
    import ipywidgets as widgets

    clock = widgets.Play(
        value=slider.index,
        max=len(slider.options) - 1,
        interval=INTERVAL,
        layout={"display": "none"},
    )
    switch = widgets.Checkbox(
        description=f"animate {title}", indent=False, layout={"width": "auto"}
    )
    widgets.jslink((switch, "value"), (clock, "playing"))
    widgets.jslink((slider, "index"), (clock, "value"))
    return [switch, clock]


def _nest(frames: "list[widgets.Widget]", controls: "list[widgets.Widget]") -> "widgets.Widget":
    """Return frames as stacks within stacks, one level and one link to each stack per control."""
    import ipywidgets as widgets

    if not controls:
        return frames[0]
    control, *inner = controls
    step = len(frames) // len(control.options)
    parts = [_nest(frames[i : i + step], inner) for i in range(0, len(frames), step)]
    stack = widgets.Stack(parts, layout=parts[0].layout, selected_index=control.index)
    widgets.jslink((control, "index"), (stack, "selected_index"))
    return stack
