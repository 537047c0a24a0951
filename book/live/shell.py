"""Runs one cell after the other and shows what it gives, as a notebook does.

This runs in the browser, beside the engine.
"""

import ast
import io
import linecache
import sys
import traceback

NAME = "<cell {}>"
space = sys.modules["__main__"].__dict__
show_on_page = None  # a function of the page: of a kind, and of what there is to show
drawn = 0


class Stream(io.TextIOBase):
    """What is printed goes to the page."""

    encoding = "utf-8"

    def writable(self):
        return True

    def write(self, text):
        show_on_page("text", text)
        return len(text)


def start(show_function):
    """Take the function that shows something; get ready."""
    import logging
    import os
    import warnings

    from js import Object
    from pyodide.ffi import to_js

    global show_on_page

    def show_on_page(kind, data):
        show_function(kind, to_js(data, dict_converter=Object.fromEntries))

    sys.stdout = sys.stderr = Stream()
    os.environ |= {
        "MPLBACKEND": "module://backend",
        "TQDM_DISABLE": "1",
        "NNLAB_OFFLINE": "1",
    }
    # The distribution's own Matplotlib is older than what it needs of others.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    # It says that it builds its list of fonts, below the reader's first cell.
    logging.getLogger("matplotlib.font_manager").setLevel("ERROR")


def run(source, number):
    """Run a cell. Return the package that it lacks, if it does.

    A cell whose last statement is an expression without a semicolon shows its value.
    """
    name = NAME.format(number)
    linecache.cache[name] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        name,
    )
    missing = None
    try:
        tree = ast.parse(source, name)
        value = None
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
            tree.body.pop()
            exec(compile(tree, name, "exec"), space)
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
        else:
            exec(compile(tree, name, "exec"), space)
        if value is not None:
            space["_"] = value
            display(value)
    except BaseException as error:
        missing = report(error, name)
    if "matplotlib.pyplot" in sys.modules:
        show()
    return missing


def report(error, name):
    """Show an error with the cells' own lines; return the package that is missing, if any."""
    from pyodide_js._api import lockfile_packages

    told = traceback.TracebackException.from_exception(error)
    part = told
    while part:
        part.stack[:] = [frame for frame in part.stack if frame.filename.startswith("<cell ")]
        part = part.__cause__ or part.__context__
    lines = [frame.lineno for frame in told.stack if frame.filename == name]
    if isinstance(error, SyntaxError) and error.filename == name:
        lines = [error.lineno]
    missing = None
    if isinstance(error, ModuleNotFoundError):
        known = lockfile_packages.to_py()
        top = (error.name or "").partition(".")[0]
        found = [each for each, package in known.items() if top in package["imports"]]
        missing = next(iter(found), None)
    show_on_page(
        "error",
        {
            "text": "".join(told.format()),
            "line": lines[-1] if lines else None,
            "kind": type(error).__name__,
            "missing": missing,
        },
    )
    return missing


def display(*values):
    """Show values as well as they can be shown."""
    for value in values:
        explorers = sys.modules.get("nnlab.explorers")
        pyplot = sys.modules.get("matplotlib.figure")
        sympy = sys.modules.get("sympy")
        if explorers and isinstance(value, explorers.Explorer):
            show_explorer(value)
        elif pyplot and isinstance(value, pyplot.Figure):
            show_figure(value)
        elif sympy and isinstance(value, sympy.Basic | sympy.MatrixBase):
            markup = sympy.printing.mathml(value, printer="presentation")
            show_html(f'<math display="block">{markup}</math>')
        elif hasattr(value, "_repr_html_") and (markup := value._repr_html_()):
            show_html(markup)
        else:
            show_on_page("text", f"{value!r}\n")


def show_html(markup):
    show_on_page("html", {"html": markup})


def show_figure(figure):
    """Show a figure as the page's own are shown: a drawing that follows the theme."""
    import matplotlib

    global drawn
    drawn += 1
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nnlab"}):
        file = io.BytesIO()
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    show_drawings(
        [(file.getvalue().decode(), "A figure, drawn by this cell.")],
        f"live-{drawn}-",
    )


def show_explorer(explorer):
    global drawn
    drawn += 1
    key = f"live-{drawn}"
    frames = [(frame.svg, frame.alt) for frame in explorer.frames]
    show_drawings(frames, f"{key}-", lambda parts: explorer.markup(key, parts))


def show_drawings(drawings, key, markup="".join):
    from figures import dark_style, themed

    parts = [themed(svg, alt, key) for svg, alt in drawings]
    show_on_page("html", {"html": markup(parts), "style": dark_style("".join(parts))})


def show(*args, **kwargs):
    """Show every open figure and close it: Matplotlib's plt.show."""
    import matplotlib.pyplot as plt

    for number in plt.get_fignums():
        show_figure(plt.figure(number))
    plt.close("all")
