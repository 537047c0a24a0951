"""What the engine imports, and when: nothing before it is needed.

Each test runs in an interpreter of its own, because in this one all is imported already.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import nnlab

ENGINE = Path(nnlab.__file__).parent
MODULES = {
    ".".join(("nnlab", *path.relative_to(ENGINE).with_suffix("").parts)).removesuffix(".__init__")
    for path in ENGINE.rglob("*.py")
}
DRAWS = {"nnlab.plots", "nnlab.explorers"}


def run(code: str, **environment: str) -> str:
    """Run ``code`` and return what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    settings = os.environ | environment
    done = subprocess.run(command, capture_output=True, text=True, env=settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_by(modules: set[str]) -> set[str]:
    """The packages outside of Python and the engine that ``modules`` import."""
    found = run(
        f"""
        import sys
        from importlib import import_module
        from importlib.metadata import packages_distributions
        packages = packages_distributions().keys() - {{"nnlab"}} - {{*sys.modules}}
        for name in {sorted(modules)!r}:
            import_module(name)
        print(*{{name.partition(".")[0] for name in sys.modules}} & packages)
        """
    )
    return set(found.split())


def test_the_engine_imports_numpy_alone():
    assert imported_by(MODULES - DRAWS) == {"numpy"}


def test_what_draws_imports_nothing_but_matplotlib_too():
    assert imported_by(DRAWS) == imported_by({"matplotlib.pyplot"}) | {"numpy"}


def test_numpy_and_matplotlib_are_enough_for_nets_and_figures_in_a_browser():
    """Python in a browser has no threads, and not all of the standard library."""
    lacks = ("lzma", "ssl", "pooch", "tqdm", "ipywidgets", "threadpoolctl", "joblib")
    optional = ("scipy", "sklearn", "sympy", "IPython")  # loaded when a cell imports them
    found = run(
        f"""
        import sys
        sys.modules |= dict.fromkeys({(*lacks, *optional)!r})
        import threading
        import matplotlib.pyplot as plt
        import numpy as np

        def start(thread):
            raise RuntimeError("can't start new thread")

        threading.Thread.start, sys.platform = start, "emscripten"
        from importlib import import_module
        for name in {sorted(MODULES)!r}:
            import_module(name)
        from nnlab import datasets, explorers, network, optimizers, training, workers

        rng = np.random.default_rng(0)
        net = network.MLP((2, 8, 1), "tanh", rng=rng, ensemble=40)
        sgd = optimizers.SGD(0.5)
        history = training.fit(net, *datasets.xor(), "binary_cross_entropy", sgd, epochs=500)
        print(np.median(history.loss[-1]) < 0.1, datasets.mnist_is_local())
        with workers.Crew(4) as crew:
            print(workers.usable_cores(), len(crew.side_by_side([iter([1]), iter([1])])))

        def render(x):
            figure, ax = plt.subplots()
            ax.contourf(np.add.outer(np.arange(3), x * np.arange(3)))
            return figure, f"Drawn for {{x}}."

        explorer = explorers.explore(render, title="try", look_for="Look.", x=[1, 2])
        print(*explorer._repr_mimebundle_())
        """,
        NNLAB_DATA_DIR="",
        NNLAB_CACHE_DIR="",
    )
    assert found.splitlines() == ["True False", "1 2", "text/plain text/html"]
