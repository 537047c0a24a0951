"""Figures for light and for dark pages: one drawing whose colours the page chooses.

A figure that a cell saved as SVG becomes a part of the page. Each of its colours turns into a
variable, which a dark page sets to another colour: dark paper, pale letters, brighter lines. What
lies on a picture made of pixels, such as a field, keeps its colours, as the picture does.

A live page runs this file, too, where there is no Sphinx.
"""

from __future__ import annotations

import base64
import io
import re
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
ElementTree.register_namespace("", SVG[1:-1])
PAPER, INK = 0.207, 0.93  # lightness of a dark page, and of what was black
SCALE = 1.25  # pixels per point: letters are a little larger than those of the text
ROUND = {"d": 2, "x": 2, "y": 2, "points": 2, "transform": 3}  # decimals of a point
COLOR = re.compile("#([0-9a-f]{6})")
FONT = re.compile(r"font: ((?:\w+ )*)([\d.]+px) [^;]*")  # how Matplotlib 3.8 says it

# OKLab by Björn Ottosson (2020): the linear parts of its two steps.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def dark(color: str) -> str:
    """Return the colour, as six hexadecimal digits, that stands for ``color`` on a dark page.

    Greys and tints are turned round, from white for paper to black for ink. Strong colours keep
    their hue and their order in lightness, but none is too dim to be seen on dark paper.
    """
    rgb = np.array([int(color[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness, *hue = TO_LAB @ np.cbrt(TO_CONES @ linear)
    if np.hypot(*hue) < 0.03 or lightness > 0.87:
        lightness = PAPER + (1 - lightness) ** 0.85 * (INK - PAPER)
    else:
        lightness = 0.62 + 0.55 * (max(lightness, 0.4) - 0.4)
    for chroma in np.linspace(1, 0, 51):  # as much of it as a screen can show
        cones = np.linalg.solve(TO_LAB, [lightness, *(chroma * np.array(hue))]) ** 3
        linear = np.linalg.solve(TO_CONES, cones)
        if linear.min() >= -1e-4 and linear.max() <= 1 + 1e-4:
            break
    linear = linear.clip(0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return bytes(np.rint(255 * rgb).astype(np.uint8)).hex()


def themed(svg: str, alt: str, key: str) -> str:
    """Return a figure of Matplotlib's as a part of a page.

    Parameters
    ----------
    svg : str
        The file.
    alt : str
        Its alternative text.
    key : str
        What no other figure of the page has: its ids start with it.

    Returns
    -------
    str
        An ``<svg>`` element, with a variable ``--c-rrggbb`` for each colour.
    """
    root = ElementTree.fromstring(svg)
    width, height = (float(size) for size in root.get("viewBox").split()[2:])
    for part in [*root]:
        if part.tag == f"{SVG}metadata" or part.find(f"{SVG}style") is not None:
            root.remove(part)  # the style would be the whole page's
    _simplify(root, key, pixels=False, kept=False)
    inside = "".join(ElementTree.tostring(part, encoding="unicode") for part in root)
    inside = re.sub(' xmlns="[^"]*"', "", inside)
    return (
        f'<svg class="nnlab-figure" role="img" aria-label="{escape(alt)}" '
        f'width="{SCALE * width:.0f}" height="{SCALE * height:.0f}" '
        f'viewBox="0 0 {width:g} {height:g}">{inside}</svg>'
    )


def _simplify(part, key, pixels, kept):
    """Give what is below ``part`` its variables and ids; drop the paper and what is not needed."""
    for child in [*part]:
        name = child.attrib.pop("id", "") if child.tag == f"{SVG}g" else ""
        if name.startswith("patch_") and _is_paper(child, name):
            part.remove(child)
            continue
        images = child.iter(f"{SVG}image") if name.startswith("axes_") else ()
        below = pixels or any(map(_is_ground, images))
        fixed = kept or name.startswith("kept") or (below and "clip-path" in child.attrib)
        _attributes(child, key, fixed)
        _simplify(child, key, below, fixed)
        child.tail = None
        if child.tag == f"{SVG}g":
            child.text = None
        if child.tag == f"{SVG}g" and not child.attrib:
            at = [*part].index(child)
            part[at : at + 1] = [*child]


def _is_paper(group, name):
    """Whether ``group`` is the white ground of the figure or of axes."""
    (path,) = [*group] if len(group) == 1 else [None]
    return (
        path is not None
        and re.fullmatch("fill: #ffffff", path.get("style", "").strip())
        and "clip-path" not in path.attrib
    )


def _is_ground(image):
    """Whether a picture made of pixels hides the paper, as a field does and a few marks do not."""
    data = image.get(f"{XLINK}href").partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture.convert("RGBA"))[..., 3].mean() > 128


def _attributes(part, key, fixed):
    """Shorten the attributes of an element, and give it the page's colours unless it is fixed."""
    values = part.attrib
    if target := values.pop(f"{XLINK}href", None):
        # A picture holds its bytes; all else points at an id.
        values["href"] = target.replace("#", f"#{key}") if target[0] == "#" else target
    if "id" in values:
        values["id"] = key + values["id"]
    if "clip-path" in values:
        values["clip-path"] = values["clip-path"].replace("#", f"#{key}")
    if values.get("transform", "").startswith("rotate(-0 "):
        del values["transform"]
    for name, decimals in ROUND.items():
        if name in values:
            short = re.sub(r"-?\d+\.\d+", partial(_round, decimals), values[name])
            values[name] = " ".join(short.split())
    style = FONT.sub(_font, values.get("style", ""))
    style = re.sub(r"font-family:[^;]*;?", "", style)
    if fixed and part.tag == f"{SVG}text" and "fill:" not in style:
        style += "; fill: #000000"  # what Matplotlib leaves out
    if not fixed:
        style = COLOR.sub(r"var(--c-\1,#\1)", style)
    if style := re.sub(r"\s*([:;])\s*", r"\1", style).strip(" ;"):
        values["style"] = style
    else:
        values.pop("style", None)


def _font(found):
    """Say in several words what the style ``font`` says in one."""
    kinds = {"italic": "font-style", "oblique": "font-style"}
    words = "".join(f"{kinds.get(word, 'font-weight')}: {word}; " for word in found[1].split())
    return f"{words}font-size: {found[2]}"


def _round(decimals, number):
    return f"{float(number[0]):.{decimals}f}".rstrip("0").rstrip(".")


def dark_style(page: str) -> str:
    """Return the style that sets the variables in ``page`` where a page is dark."""
    colors = sorted(set(re.findall(r"var\(--c-([0-9a-f]{6})", page)))
    values = "".join(f"--c-{color}:#{dark(color)};" for color in colors)
    return f'<style>html[data-theme="dark"]{{{values}}}</style>' if colors else ""


def embed(app: Sphinx, document: nodes.document, name: str) -> None:
    """Put the SVG files that cells have saved into the page."""
    from docutils import nodes

    if app.builder.format != "html":
        return
    drawn = []
    for number, image in enumerate([*document.findall(nodes.image)]):
        if image["uri"].endswith(".svg"):
            svg = Path(app.srcdir, image["uri"]).read_text(encoding="utf-8")
            drawn.append(themed(svg, image.get("alt", ""), f"f{number}-"))
            image.replace_self(nodes.raw(text=drawn[-1], format="html"))
    document += nodes.raw(text=dark_style("".join(drawn)), format="html")


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", embed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
