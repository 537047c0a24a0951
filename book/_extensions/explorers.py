"""Explorers on a page without a kernel: a browser's own controls over frames of their own.

The notebook holds an explorer as widgets, for those who run it. Here it becomes a menu or a slider
an axis and the first frame; the page loads the other frames as they are chosen. A frame is a
script, because a page on a disk may not read other files.
"""

import base64
import json
import re
from html import unescape
from pathlib import Path

from docutils import nodes
from nnlab.explorers import Control, Explorer, Frame
from sphinx.application import Sphinx
from sphinx.util import logging

from figures import dark_style, themed

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = re.compile('<script type="application/vnd.jupyter.widget-view[+]json">(.*)</script>', re.S)
INTRO = re.compile("<p><strong>(.*?)</strong></p><p>(.*?)</p>", re.S)
FRAME = re.compile(
    '<img alt="([^"]*)" width="([0-9]+)" height="([0-9]+)".* '
    'src="data:image/svg[+]xml;base64,([^"]*)">',
    re.S,
)
FOLDER = "_frames"  # of the site

logger = logging.getLogger(__name__)


def saved(notebook: dict) -> dict[str, Explorer]:
    """Return the explorers that a notebook holds, by the id of their model.

    Raises
    ------
    ValueError
        If one is of an older kind.
    """
    state = notebook["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
    return {
        key: _read(state, key)
        for key, model in state.items()
        if "nnlab-explorer" in (model["state"].get("_dom_classes") or ())
    }


def _read(state: dict, key: str) -> Explorer:
    def children(parts: list[dict]) -> list[dict]:
        keys = [child.removeprefix("IPY_MODEL_") for part in parts for child in part["children"]]
        return [state[child]["state"] for child in keys]

    intro, *parts, picture = children([state[key]["state"]])
    frames = [picture]
    while "children" in frames[0]:
        frames = children(frames)
    texts = INTRO.fullmatch(intro.get("value", ""))
    found = [FRAME.fullmatch(frame["value"]) for frame in frames]
    if texts is None or None in found:
        raise ValueError("this explorer is of an older kind: run its notebook again")
    controls = [
        Control(
            part["description"],
            tuple(part["_options_labels"]),
            part["index"],
            part["_model_name"] == "SelectionSliderModel",
        )
        for part in parts
        if "_options_labels" in part
    ]
    names = [part["description"] for part in parts if part["_model_name"] == "CheckboxModel"]
    return Explorer(
        *map(unescape, texts.groups()),
        controls,
        names[0].removeprefix("animate ") if names else None,
        [
            Frame(unescape(alt), base64.b64decode(svg).decode(), int(width), int(height))
            for alt, width, height, svg in (match.groups() for match in found)
        ],
    )


def place(explorer: Explorer, key: str, folder: Path, address: str) -> str:
    """Write the frames into ``folder``, which a page finds at ``address``; return the rest."""
    frames = [themed(frame.svg, frame.alt, f"{key}-") for frame in explorer.frames]
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        script = f"document.currentScript.frame = {json.dumps(frame, ensure_ascii=False)};\n"
        (folder / f"{i}.js").write_text(script, encoding="utf-8", newline="\n")
    return explorer.markup(key, frames, address) + dark_style("".join(frames))


def embed(app: Sphinx, document: nodes.document, name: str) -> None:
    """Put the explorers of a notebook into its page, and their frames beside it."""
    if app.builder.format != "html":
        return
    views = [node for node in document.findall(nodes.raw) if VIEW.search(node.astext())]
    if not views:
        return
    try:
        found = saved(json.loads(Path(app.env.doc2path(name)).read_text(encoding="utf-8")))
    except ValueError as error:
        logger.warning(str(error), location=document)
        return
    for number, node in enumerate(views):
        model = json.loads(VIEW.search(node.astext())[1])["model_id"]
        if model not in found:
            logger.warning("this widget is not an explorer", location=node)
            continue
        folder = f"{FOLDER}/{name}-{number}"
        address = "../" * name.count("/") + folder
        html = place(found[model], f"explorer-{number}", Path(app.outdir, folder), address)
        node.replace_self(nodes.raw(text=html, format="html"))
    # The page does without the widgets' state.
    scripts = app.env.nb_metadata[name].get("js_files", {})
    scripts.pop("ipywidgets_state", None)


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", embed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
