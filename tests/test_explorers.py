"""Every control leads to the frame that its label says, and a bad explorer is turned away.

What is tested is what a page gets: the saved state of the widgets. Here, Python follows the links
in it, as a browser does.
"""

import base64
import functools
import itertools
import json
import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import bs4
import explorers as static
import matplotlib.pyplot as plt
import numpy as np
import pytest
from ipywidgets.embed import dependency_state

from nnlab import explorers, plots

SVG = "{http://www.w3.org/2000/svg}"
# What an explorer says above its controls; most tests are about something else.
explore = functools.partial(explorers.explore, title="cards", look_for="Read each card.")


def card(**values):
    """A small figure; its text says which values it was drawn for."""
    figure = plt.figure(figsize=(0.5, 0.4))
    figure.text(0.1, 0.1, "x")
    return figure, says(values)


def says(values):
    return "Drawn for " + ", ".join(f"{name} {value}" for name, value in values.items()) + "."


class Page:
    """An explorer on a page without a kernel."""

    def __init__(self, explorer):
        saved = dependency_state(explorer.widget, drop_defaults=False)
        self.weight = len(json.dumps(saved))  # bytes
        self.models = {key: model["model_name"] for key, model in saved.items()}
        self.state = {f"IPY_MODEL_{key}": model["state"] for key, model in saved.items()}
        links = [key for key, model in self.models.items() if model == "LinkModel"]
        self.links = [
            (tuple(link["source"]), tuple(link["target"]))
            for link in (self.state[f"IPY_MODEL_{key}"] for key in links)
        ]
        self.parts = explorer.widget.children

    def find(self, kind):
        """The controls of a kind, from the top down."""
        keys = [child.model_id for child in self.parts if self.models[child.model_id] == kind]
        return [f"IPY_MODEL_{key}" for key in keys]

    def control(self, description):
        """The control that a reader knows by this name."""
        (found,) = [
            key
            for key in (f"IPY_MODEL_{child.model_id}" for child in self.parts)
            if self.state[key].get("description") == description
        ]
        return found

    def set(self, key, name, value):
        """Change a value, and through the links whatever hangs together with it."""
        if self.state[key][name] != value:
            self.state[key][name] = value
            for one, other in self.links:
                for here, there in ((one, other), (other, one)):
                    if here == (key, name):
                        self.set(*there, value)

    def choose(self, description, label):
        key = self.control(description)
        self.set(key, "index", self.state[key]["_options_labels"].index(label))

    def frames(self):
        """The HTML of all frames, in the order in which they were drawn."""
        keys = [f"IPY_MODEL_{self.parts[-1].model_id}"]
        while "children" in self.state[keys[0]]:
            keys = [child for key in keys for child in self.state[key]["children"]]
        return [self.state[key]["value"] for key in keys]

    def shown(self):
        """The attributes of the image that is in sight."""
        key = f"IPY_MODEL_{self.parts[-1].model_id}"
        while "children" in self.state[key]:
            key = self.state[key]["children"][self.state[key]["selected_index"]]
        return image(self.state[key]["value"])


def image(page):
    """The attributes of the one element that ``page`` consists of."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.handle_data = lambda text: pytest.fail(f"text beside the image: {text}")
    parser.feed(page)
    parser.close()
    ((tag, attributes),) = found
    assert tag == "img"
    return attributes


def drawing(page):
    """The SVG inside an image."""
    head, data = image(page)["src"].split(",")
    assert head == "data:image/svg+xml;base64"
    return ElementTree.fromstring(base64.b64decode(data, validate=True))


def frame(explorer):
    """The HTML of the first frame."""
    return explorer.frames[0].image()


# ---------------------------------------------------------------------------------- what is shown

# No two axes of one length: a mix-up of two cannot go unseen.
AXES = {
    "slider": {"weight": [0.5, 1, 2]},
    "menu": {"scheme": ["Xavier", "He"]},
    "two": {"depth": range(2, 6), "scheme": ["Xavier", "He", "zero"]},
    "three": {"weight": np.array([0.5, 1.0]), "depth": [1, 5, 50], "activation": list("abcd")},
    "long to short": {"activation": list("abcd"), "depth": [1, 5, 50], "weight": [0.5, 1]},
}


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_every_combination_leads_to_its_own_frame(axes):
    page = Page(explore(card, **axes))
    combinations = [dict(zip(axes, c, strict=True)) for c in itertools.product(*axes.values())]
    assert page.shown()["alt"] == says(combinations[0])
    for values in [*combinations, *combinations[::-1]]:
        for name, value in values.items():
            page.choose(name, value if isinstance(value, str) else f"{value:g}")
        assert page.shown()["alt"] == says(values)


def test_one_control_alone_moves_its_own_axis():
    page = Page(explore(card, depth=[1, 2, 3], scheme=["Xavier", "He"]))
    page.choose("scheme", "He")
    assert page.shown()["alt"] == says({"depth": 1, "scheme": "He"})
    page.choose("depth", "3")
    assert page.shown()["alt"] == says({"depth": 3, "scheme": "He"})


def test_numbers_slide_and_names_are_on_a_menu():
    page = Page(explore(card, weight=[1, 2], scheme=["He", "zero"], case={"near": 0.1, "far": 9}))
    kinds = [page.models[child.model_id] for child in page.parts]
    assert kinds[1:] == ["SelectionSliderModel", "DropdownModel", "DropdownModel", "StackModel"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (np.linspace(0, 0.3, 4), ["0", "0.1", "0.2", "0.3"]),
        (np.array([1e-3, 0.1], dtype=np.float32), ["0.001", "0.1"]),
        ((1, 50_000_000), ["1", "50000000"]),
        ((n * n for n in (1, 2)), ["1", "4"]),
        (["×", "<b>"], ["×", "<b>"]),
        ({"near": object(), "far": None}, ["near", "far"]),
    ],
    ids=["floats", "float32", "whole numbers", "a generator", "names", "a mapping"],
)
def test_what_a_value_looks_like(values, shown):
    calls = []

    def render(x):
        calls.append(x)
        return card(x=len(calls))

    page = Page(explore(render, x=values))
    assert list(page.state[page.control("x")]["_options_labels"]) == shown
    if isinstance(values, dict):
        assert calls == list(values.values())


def test_an_axis_is_called_by_its_label():
    explorer = explore(card, fan_in=[1, 2], w=["a", "b"], labels={"w": "weight σ"})
    assert [control.name for control in explorer.controls] == ["fan in", "weight σ"]
    assert repr(explorer) == "explorer: fan in × weight σ, 4 frames"


def test_an_explorer_says_what_to_try_and_what_to_look_for():
    explorer = explore(card, title="1 < 2", look_for="Is 2 & 2 the same?", x=[1, 2])
    intro = explorer.widget.children[0].value
    assert re.sub("<.*?>", "|", intro) == "||Try it: 1 &lt; 2|||Is 2 &amp; 2 the same?|"


def test_an_explorer_starts_where_it_is_told():
    axes = {"scheme": {"Xavier": 1, "He": 2}, "weight": [0.5, 1.0, 2.0], "depth": [5, 50]}
    page = Page(explore(card, start={"scheme": "He", "weight": np.float32(2)}, **axes))
    assert page.shown()["alt"] == says({"scheme": 2, "weight": 2.0, "depth": 5})
    for name, label in [("scheme", "He"), ("weight", "2"), ("depth", "5")]:
        control = page.state[page.control(name)]
        assert control["_options_labels"][control["index"]] == label
    # From there, every control moves its own axis.
    page.choose("weight", "0.5")
    page.choose("depth", "50")
    assert page.shown()["alt"] == says({"scheme": 2, "weight": 0.5, "depth": 50})


def test_an_animation_starts_with_its_slider():
    page = Page(explore(card, start={"step": 50}, step=[0, 10, 50], animate="step"))
    (clock,) = page.find("PlayModel")
    assert page.state[clock]["value"] == 2
    page.set(clock, "value", 1)
    assert page.shown()["alt"] == says({"step": 10})


def test_an_animation_moves_its_slider_and_the_frame():
    page = Page(explore(card, scheme=["He", "zero"], step=[0, 10, 50], animate="step"))
    (clock,) = page.find("PlayModel")
    assert (page.state[clock]["min"], page.state[clock]["max"]) == (0, 2)
    assert page.state[clock]["playing"] is False  # nothing moves before it is asked to
    page.choose("scheme", "zero")
    for value, step in enumerate([0, 10, 50]):
        page.set(clock, "value", value)
        assert page.state[page.control("step")]["index"] == value
        assert page.shown()["alt"] == says({"scheme": "zero", "step": step})
    page.choose("step", "10")
    assert page.state[clock]["value"] == 1  # goes on from where the reader left it


def test_a_checkbox_starts_and_stops_the_animation():
    page = Page(explore(card, t=[0, 1], animate="t", labels={"t": "time (s)"}))
    (clock,) = page.find("PlayModel")
    assert page.state[page.state[clock]["layout"]]["display"] == "none"
    switch = page.control("animate time (s)")
    assert page.state[switch]["indent"] is False  # it stands under its slider
    page.set(switch, "value", True)
    assert page.state[clock]["playing"] is True
    page.set(clock, "playing", False)  # as it does at the end
    assert page.state[switch]["value"] is False


def test_an_animated_menu_is_a_slider():
    page = Page(explore(card, day={"Monday": 1, "Tuesday": 2}, animate="day"))
    (slider,) = page.find("SelectionSliderModel")
    assert list(page.state[slider]["_options_labels"]) == ["Monday", "Tuesday"]


# --------------------------------------------------------------------------------------- a frame


def test_text_cannot_break_out_of_its_attribute():
    text = 'The "left" <img src=x> & \'right\' one: 1 > 0, ×\n"'
    explorer = explore(lambda x: (plt.figure(figsize=(1, 1)), text + str(x)), x=[1, 2])
    page = Page(explorer)
    assert page.shown()["alt"] == text + "1"
    assert frame(explorer).count("<") == frame(explorer).count(">") == 1


def test_a_frame_shrinks_to_the_page():
    def render(x):
        return plt.figure(figsize=(3, 2)), f"Frame {x}."

    html = frame(explore(render, x=[1, 2]))
    assert drawing(html).get("viewBox") == "0 0 216 144"  # points
    assert (image(html)["width"], image(html)["height"]) == ("288", "192")  # pixels
    assert image(html)["style"] == "max-width: 100%; height: auto"


def test_letters_stay_letters_and_colours_are_kept():
    def render(x):
        figure, ax = plt.subplots()
        ax.bar(range(len(plots.COLORS)), 1, color=list(plots.COLORS.values()))
        ax.set_title(f"variance {x}")
        return figure, f"Frame {x}."

    found = drawing(frame(explore(render, x=[1, 2])))
    assert "variance 1" in "".join(found.itertext())
    styles = " ".join(part.get("style", "") for part in found.iter()).lower()
    assert all(color.lower() in styles for color in plots.COLORS.values())


def test_a_field_is_stored_as_pixels_and_few_contours_are_not():
    def render(levels):
        figure, ax = plt.subplots(figsize=(2, 2))
        ax.contourf(np.add.outer(np.arange(9), np.arange(9)), levels=levels)
        return figure, f"{levels} levels."

    page = Page(explore(render, levels=[3, 30]))
    few, many = (list(drawing(html).iter(f"{SVG}image")) for html in page.frames())
    assert (len(few), len(many)) == (0, 1)


def test_frames_are_the_same_each_time_and_under_any_settings():
    one = frame(explore(card, x=[1, 2]))
    assert frame(explore(card, x=[1, 2])) == one
    settings = {"figure.dpi": 300, "savefig.dpi": 50, "savefig.bbox": "tight"}
    settings |= {"svg.fonttype": "path", "svg.hashsalt": None}
    with plt.rc_context(settings):
        assert frame(explore(card, x=[1, 2])) == one


def test_figures_are_closed():
    before = plt.get_fignums()
    explore(card, x=[1, 2], y=[1, 2])
    with pytest.raises(ValueError, match="empty"):
        explore(lambda x: (plt.figure(), ""), x=[1, 2])
    assert plt.get_fignums() == before


# ------------------------------------------------------------------------------- what a page gets


def test_a_notebook_saves_one_line_of_text():
    explorer = explore(card, weight=[0.5, 1, 2], depth=[1, 2])
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "explorer: weight × depth, 6 frames"
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}


@pytest.mark.parametrize("sizes", [(200,), (2, 100), (100, 2), (2, 50, 2), (50, 2, 2)], ids=str)
def test_the_widgets_take_no_more_room_than_is_reckoned_with(sizes):
    axes = {name: range(size) for name, size in zip("xyz", sizes, strict=False)}
    page = Page(explore(card, animate="x", **axes))
    frames = page.frames()
    assert len(frames) == explorers.MAX_FRAMES
    assert page.weight <= sum(map(len, frames)) + explorers.OVERHEAD * len(frames)


def test_forty_typical_frames_are_small_enough():
    def render(depth):
        x = np.arange(1, depth + 1)
        series = {name: 1.1**x * (i + 1) for i, name in enumerate(("Xavier", "He", "LeCun"))}
        with plt.style.context("nnlab.nnlab"):
            ax = plots.lines(x, series, xlabel="layer", ylabel="variance")
        return ax.figure, f"Depth {depth}."

    assert Page(explore(render, depth=[5, 10, 20, 50])).weight < explorers.MAX_BYTES / 20


# ------------------------------------------------------------------------------------ what is bad


def never(**values):
    pytest.fail("a frame was drawn")


BAD = {  # name: (render, arguments, error, message)
    "no axis": (never, {}, ValueError, "there must be 1 to 3 axes; got 0"),
    "four axes": (
        never,
        {name: [1, 2] for name in "abcd"},
        ValueError,
        "there must be 1 to 3 axes; got 4",
    ),
    "empty": (never, {"x": []}, ValueError, "x must hold at least 2 values; got 0"),
    "one value": (never, {"x": {"a": 1}}, ValueError, "x must hold at least 2 values; got 1"),
    "a word": (never, {"x": "He"}, TypeError, "x must hold the values of an axis; got 'He'"),
    "a number": (never, {"x": 3}, TypeError, "x must hold the values of an axis; got 3"),
    "other values": (
        never,
        {"x": [(1, 2), (3, 4)]},
        TypeError,
        "x must hold numbers or names; for other values, give a dict {label: value}",
    ),
    "booleans": (never, {"x": [True, False]}, TypeError, "x must hold numbers or names"),
    "a label that is none": (never, {"x": {1: 2, 3: 4}}, TypeError, "x must hold numbers or names"),
    "twice": (
        never,
        {"x": [0.1, 0.1 + 1e-9]},
        ValueError,
        "x must hold values that look different; got 0.1, 0.1",
    ),
    "animates nothing": (
        never,
        {"x": [1, 2], "animate": "y"},
        ValueError,
        "animate must be one of x; got 'y'",
    ),
    "no title": (never, {"x": [1, 2], "title": " "}, ValueError, "title must not be empty"),
    "a title that is none": (
        never,
        {"x": [1, 2], "title": 3},
        TypeError,
        "title must be a text; got 3",
    ),
    "nothing to look for": (
        never,
        {"x": [1, 2], "look_for": ""},
        ValueError,
        "look_for must not be empty",
    ),
    "starts on no axis": (
        never,
        {"x": [1, 2], "start": {"y": 1}},
        ValueError,
        "every name in start must be one of x; got 'y'",
    ),
    "starts at no value": (
        never,
        {"x": [1, 2], "start": {"x": 3}},
        ValueError,
        "start of x must be one of 1, 2; got '3'",
    ),
    "an axis called start": (
        never,
        {"x": [1, 2], "start": [1, 2]},
        TypeError,
        "start must map names of axes to values; got [1, 2] (no axis may have that name)",
    ),
    "labels nothing": (
        never,
        {"x": [1, 2], "labels": {"y": "why"}},
        ValueError,
        "every name in labels must be one of x; got 'y'",
    ),
    "too many": (
        never,
        {"x": range(10), "y": range(7), "z": range(3)},
        ValueError,
        "there must be at most 200 frames; got 10 × 7 × 3 = 210",
    ),
    "no text": (
        lambda x: plt.figure(figsize=(1, 1)),
        {"x": [1, 2]},
        TypeError,
        "render must return (figure, alternative text); got Figure at x = 1",
    ),
    "text that is none": (
        lambda x: (plt.figure(figsize=(1, 1)), x),
        {"x": [1, 2]},
        TypeError,
        "render must return (figure, alternative text); got tuple at x = 1",
    ),
    "axes for a figure": (
        lambda x: (plt.figure(figsize=(1, 1)).gca(), "An empty plot."),
        {"x": [1, 2]},
        TypeError,
        "render must return (figure, alternative text); got tuple at x = 1",
    ),
    "empty text": (
        lambda x: (plt.figure(figsize=(1, 1)), " "),
        {"x": [1, 2]},
        ValueError,
        "the alternative text is empty at x = 1",
    ),
    "the same text": (
        lambda x, y: (plt.figure(figsize=(1, 1)), f"A curve for {x}."),
        {"x": [1, 2], "y": ["a", "b"]},
        ValueError,
        "x = 1, y = a and x = 1, y = b have the same alternative text: 'A curve for 1.'",
    ),
}


@pytest.mark.parametrize(("render", "arguments", "error", "message"), BAD.values(), ids=BAD)
def test_bad_explorers_are_turned_away(render, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        explore(render, **arguments)
    plt.close("all")


def test_an_explorer_that_is_too_large_is_turned_away_with_its_size(monkeypatch):
    def noise(x):
        figure = plt.figure(figsize=(1.5, 1))
        figure.figimage(np.random.default_rng(x).random((200, 300, 3)))
        return figure, f"Noise {x}."

    page = Page(explore(noise, x=range(4)))
    frames = page.frames()
    size = sum(map(len, frames)) + explorers.OVERHEAD * len(frames)
    monkeypatch.setattr(explorers, "MAX_BYTES", size)
    explore(noise, x=range(4))
    monkeypatch.setattr(explorers, "MAX_BYTES", size - 1)
    message = f"got {size / 1e6:.2f} MB in 4 frames"
    with pytest.raises(ValueError, match=re.escape(message)):
        explore(noise, x=range(4))


# ------------------------------------------------------------------------------ on a static page


def saved(explorer):
    """The explorer as the page's extension finds it in a notebook."""
    widgets = {static.STATE: {"state": dependency_state(explorer.widget, drop_defaults=False)}}
    ((key, found),) = static.saved({"metadata": {"widgets": widgets}}).items()
    assert key == explorer.widget.model_id
    return found


def test_a_page_finds_the_explorer_as_it_was_drawn():
    axes = {"scheme": ["He", "zero"], "weight": [0.5, 1], "step": [0, 10, 50]}
    text = {"title": "1 < 2", "look_for": 'Is "2 & 2" the same?'}
    drawn = explore(card, start={"weight": 1}, animate="step", **text, **axes)
    assert saved(drawn) == drawn
    combinations = [dict(zip(axes, c, strict=True)) for c in itertools.product(*axes.values())]
    assert [frame.alt for frame in drawn.frames] == [says(values) for values in combinations]
    assert combinations[drawn.first] == {"scheme": "He", "weight": 1, "step": 0}
    assert drawn.animated == "step"
    still = explore(card, x=[1, 2])
    assert saved(still) == still and still.animated is None


def test_an_explorer_of_an_older_kind_is_turned_away():
    explorer = explore(card, x=[1, 2]).widget
    explorer.children[0].value = "<p>cards</p>"
    state = {static.STATE: {"state": dependency_state(explorer, drop_defaults=False)}}
    with pytest.raises(ValueError, match="run its notebook again"):
        static.saved({"metadata": {"widgets": state}})


def test_a_page_without_an_animation_has_no_switch():
    page = functools.partial(explorers.Explorer.markup, key="e0", frames=["<svg></svg>"] * 2)
    assert "checkbox" not in page(explore(card, x=[1, 2]))
    assert "checkbox" in page(explore(card, x=[1, 2], animate="x"))


def test_a_page_gets_menus_and_sliders_with_names():
    explorer = explore(card, scheme=["He", "<b>"], step=[0, 10, 50], start={"step": 10})
    html = explorer.markup("e0", [f"<p>{i}</p>" for i in range(6)], "../_frames/a")
    soup = bs4.BeautifulSoup(html, "html.parser")
    names = {label["for"]: label.text for label in soup.select("label")}
    assert names == {"e0-0": "scheme", "e0-1": "step"}
    assert [option.text for option in soup.select("#e0-0 option")] == ["He", "<b>"]
    assert soup.select_one("#e0-0 option[selected]").text == "He"
    slider = soup.select_one("input#e0-1[type=range]")
    assert (slider["value"], slider["max"], slider["aria-valuetext"]) == ("1", "2", "10")
    labels = soup.select(f"#{slider['list']} option")
    assert [(option["value"], option["label"]) for option in labels] == [
        ("0", "0"),
        ("1", "10"),
        ("2", "50"),
    ]
    assert soup.select_one("output").text == "10"
    group = soup.select_one("[role=group]")
    assert soup.select_one(f"#{group['aria-labelledby']}").text == "Try it: cards"
    assert (group["data-frames"], soup.select("template")) == ("../_frames/a", [])
    assert soup.select_one(".frame").text == "1"


def test_without_widgets_an_explorer_is_a_page_that_holds_its_frames(monkeypatch):
    explorer = explore(card, title="1 < 2", x=[1, 2], y=["a", "b"], start={"y": "b"})
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # as where it is not installed
    one, other = explorer._repr_mimebundle_(), explorer._repr_mimebundle_()
    assert one["text/plain"] == "explorer: x × y, 4 frames"
    soup = bs4.BeautifulSoup(one["text/html"], "html.parser")
    assert soup.select_one(".title").text == "Try it: 1 < 2"
    assert [image["alt"] for image in soup.select("template > img")] == [
        says({"x": x, "y": y}) for x in (1, 2) for y in "ab"
    ]
    assert soup.select_one(".frame > img")["alt"] == says({"x": 1, "y": "b"})
    # Two of them on one page do not share an id.
    ids = [[part["id"] for part in soup.select("[id]")]]
    soup = bs4.BeautifulSoup(other["text/html"], "html.parser")
    ids.append([part["id"] for part in soup.select("[id]")])
    assert len({*ids[0], *ids[1]}) == 8
