"""The settings of the slides, for Sphinx alone: `make slides`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "_extensions"))

project = "How to initialise a neural network"
author = "The nnlab authors"
language = "en"
extensions = ["myst_parser", "sphinx_revealjs", "mathematics", "chapters"]
myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
html_math_renderer = "mathml"
nitpicky = True
html_copy_source = False

# As large as the smallest screen of a lecture room; reveal.js scales it.
revealjs_style_theme = "white"
revealjs_static_path = [
    "../_static/explorers.js",
    "../_static/stix-two-math.woff2",
    "slides.css",
]
revealjs_css_files = ["slides.css"]
revealjs_js_files = [("explorers.js", {"defer": "defer"})]
revealjs_script_files = ["revealjs/dist/reveal.js"]
revealjs_script_plugins = [
    {"src": "revealjs/plugin/notes/notes.js", "name": "RevealNotes"}
]
# Arrow keys belong to a menu or a slider that has the focus.
revealjs_script_conf = """{
  width: 1280, height: 720, margin: 0, center: false, display: "flex",
  hash: true, slideNumber: "c/t", transition: "none",
  scrollActivationWidth: null,
  keyboardCondition: (event) => !event.target.closest("form"),
}"""
