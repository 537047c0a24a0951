"""What the engine imports, and when: nothing before it is needed.

Each test runs in an interpreter of its own, because in this one all is imported already.
"""

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


def run(code: str) -> str:
    """Run ``code`` and return what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True)
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
