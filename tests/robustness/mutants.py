"""Mutation testing: small faults put into the engine, one at a time; do the unit tests notice?

Cosmic Ray makes the mutants. Each gets a process forked from this one, which has the libraries
loaded, and runs there the tests that come by the changed statement, up to the first that fails.

    SAMPLE=60 MODULE=losses,theory WORKERS=2 make mutants

What is killed stays so while its module stays as it is: a second run tries the survivors again.
"""

import ast
import contextlib
import difflib
import gc
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import coverage
import pytest
import tables
import xdist.plugin
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "_build" / "mutants"
REASONS = Path(__file__).with_name("survivors.json")
PACKAGE = Path("src", "nnlab")
MODULES = sorted(path.stem for path in (ROOT / PACKAGE).glob("[a-z]*.py"))
SAMPLE = int(os.environ.get("SAMPLE") or 60)
WORKERS = int(os.environ.get("WORKERS") or 2)
# The tests of one mutant: the quickest, up to so many seconds of a processor.
SECONDS = 5
# Who waits for ever uses no processor. A busy machine, too, makes a test wait.
PATIENCE = 600
GOAL = 0.9
# On floats these only raise TypeError, which any test notices; `|` here joins types.
TOO_EASY = ("BitOr", "BitAnd", "BitXor", "RShift", "LShift")
NEEDS_SETTINGS = ("core/VariableReplacer", "core/VariableInserter")
OTHERS = ("bad_input", "objects", "layers")


def load_libraries() -> None:
    """Import what the tests import, but nothing that starts threads, nor the engine."""
    import hypothesis  # noqa: F401
    import ipywidgets  # noqa: F401
    import joblib  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import nbval.plugin  # noqa: F401
    import pooch  # noqa: F401
    import scipy.integrate
    import scipy.optimize
    import scipy.stats  # noqa: F401
    import sklearn.datasets  # noqa: F401


# ---------------------------------------------------------------------------- mutants


def places(source: str) -> dict[tuple, list[tuple[str, int]]]:
    """Where the module can be mutated, and the ways to do so: operator and occurrence."""
    tree, sites = get_ast(source), {}
    for name in sorted(operator_names()):
        kind, *words = name.split("_")
        if name.startswith(NEEDS_SETTINGS) or any(word in TOO_EASY for word in words):
            continue
        operator, occurrence = get_operator(name)(), 0
        for node in ast_nodes(tree):
            for start, _ in operator.mutation_positions(node):
                sites.setdefault((kind, *start), []).append((name, occurrence))
                occurrence += 1
    return sites


def compiles(code: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(code, "mutant", "exec")
        except SyntaxError:
            return False
    return True


def mutants(module: str) -> tuple[list[dict], int]:
    """A sample of the module's sites with one mutant each, and how many sites there are."""
    source = (ROOT / PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    key = hashlib.sha256(f"{SAMPLE} {source}".encode()).hexdigest()
    kept = OUT / "samples" / f"{key}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    sites = places(source)
    rng = random.Random(f"{module} 0")
    found = []
    for place in rng.sample(sorted(sites), len(sites)):
        name, occurrence = rng.choice(sites[place])
        code = mutate_code(source, get_operator(name)(), occurrence)
        if not compiles(code):  # such as a `**` of arguments made a `+`
            continue
        diff = [*difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm="")][2:]
        before, after = (
            " ".join(line[1:].strip() for line in diff if line.startswith(sign)) for sign in "-+"
        )
        found.append(
            {
                "module": module,
                "line": place[1],
                "before": before,
                "after": after,
                "key": hashlib.sha256(f"{source}{code}".encode()).hexdigest(),
                "code": code,
            }
        )
        if len(found) == SAMPLE:
            break
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps((found, len(sites))))
    return found, len(sites)


# ---------------------------------------------------------------------------- processes


def tree(number: int) -> Path:
    """A copy of engine and tests for one worker; what is changed there is nowhere else."""
    top = OUT / f"tree{number}"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.name not in ("src", "tests", "_build") and not path.name.startswith("."):
            (top / path.name).symlink_to(path)
    return top


def start(top: Path, work, limit: int) -> int:
    """Fork a process that does ``work()`` in that copy and ends with what it returns."""
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setsid()
        os.chdir(top)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        with (top / "log.txt").open("w") as log:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
        sys.path[:0] = [str(top / "src"), str(top / "tests")]
        os.environ.update(PYTHONPATH=str(top / "src"), PYTHONDONTWRITEBYTECODE="1")
        code = int(work())
    except BaseException:
        (top / "log.txt").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def run_tests(nodes: list[str], *plugins) -> int:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-x", "-q", "--doctest-modules", "-o", "addopts=", "--rootdir=."]
    # conftest.py needs no other plugin than xdist's.
    return pytest.main([*options, "-p", "no:cacheprovider", *nodes], [xdist.plugin, *plugins])


def side_by_side(jobs, limit: int = 300) -> None:
    """Do every job, a worker each; a job is ``(work, finished)``: see ``start``."""
    idle, busy = [tree(number) for number in range(WORKERS)], {}
    jobs = iter(jobs)
    while True:
        while idle and (job := next(jobs, None)):
            (prepare, work, finished), top = job, idle.pop()
            prepare(top)
            busy[start(top, work, limit)] = top, finished, time.monotonic()
        if not busy:
            return
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in busy:
            top, finished, _ = busy.pop(pid)
            end(pid)
            finished(top, os.waitstatus_to_exitcode(status))
            idle.append(top)
            continue
        for pid, (_, _, since) in busy.items():
            if time.monotonic() - since > PATIENCE:
                end(pid)
        time.sleep(0.02)


def end(pid: int) -> None:
    """End that process and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


# ---------------------------------------------------------------------------- which test sees what


class Watch:
    """Notes which test runs which lines, and how long it takes."""

    def __init__(self) -> None:
        source = str(Path.cwd() / PACKAGE)
        self.coverage = coverage.Coverage(data_file=None, config_file=False, source=[source])
        self.seconds: dict[str, float] = {}
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.switch_context(item.nodeid)
        since = time.process_time()
        result = yield
        self.seconds[item.nodeid] = time.process_time() - since
        self.coverage.switch_context("")
        return result

    def write(self) -> None:
        self.coverage.stop()
        data = self.coverage.get_data()
        lines = {Path(file).stem: data.contexts_by_lineno(file) for file in data.measured_files()}
        Path("seen.json").write_text(json.dumps({"seconds": self.seconds, "lines": lines}))


def watch(file: str) -> int:
    watcher = Watch()
    code = run_tests([file], watcher)
    watcher.write()
    return code


def seen_by_tests() -> tuple[dict, dict]:
    """Seconds of each test, and by module and line the tests that run it."""
    files = [f"tests/test_{name}.py" for name in (*MODULES, *OTHERS)]
    files += [f"{PACKAGE}/{name}.py" for name in MODULES]
    engine = "".join((ROOT / PACKAGE / f"{name}.py").read_text() for name in MODULES)
    results, jobs = {}, []
    for file in files:
        key = hashlib.sha256(((ROOT / file).read_text() + engine).encode()).hexdigest()
        kept = OUT / "seen" / f"{key}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        results[file] = kept
        if kept.exists():
            continue

        def finished(top, code, file=file, kept=kept):
            if code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
                raise SystemExit(f"{file} ends with {code} without a mutant: see {top / 'log.txt'}")
            shutil.copy(top / "seen.json", kept)
            print(f"{file} watched", flush=True)

        jobs.append((lambda top: None, lambda file=file: watch(file), finished))
    side_by_side(jobs)
    seconds, lines = {}, {name: {} for name in MODULES}
    for kept in results.values():
        seen = json.loads(kept.read_text())
        seconds |= seen["seconds"]
        for module, found in seen["lines"].items():
            for line, tests in found.items():
                lines.setdefault(module, {}).setdefault(int(line), set()).update(tests)
    return seconds, lines


def statement(source: str, line: int) -> range:
    """The lines of the smallest statement around that line."""
    spans = [
        range(
            min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]),
            node.end_lineno + 1,
        )
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt)
    ]
    return min((span for span in spans if line in span), key=len)


def tests_of(mutant: dict, source: str, seconds: dict, lines: dict) -> list[str]:
    """The tests that come by, the quickest first, up to ``SECONDS`` of them."""
    seen = lines[mutant["module"]]
    nodes = set().union(*(seen.get(line, ()) for line in statement(source, mutant["line"])))
    if "" in nodes:  # It runs when the module is imported: whoever uses the module may see it.
        own = (f"{PACKAGE}/{mutant['module']}.py", f"tests/test_{mutant['module']}.py")
        nodes |= {node for node in seconds if node.startswith((*own, "tests/test_objects.py"))}
    nodes -= {""}
    chosen, total = [], 0.0
    for node in sorted(nodes, key=lambda node: (seconds[node], node)):
        total += seconds[node]
        if chosen and total > SECONDS:
            break
        chosen.append(node)
    return chosen


# ---------------------------------------------------------------------------- the run


def try_all(found: list[dict], known: dict) -> None:
    """Try every mutant that has not been killed before; write down what comes of it."""
    seconds, lines = seen_by_tests()
    log = (OUT / "results.jsonl").open("a")

    def job(mutant: dict, source: str, finished):
        file = PACKAGE / f"{mutant['module']}.py"
        nodes = tests_of(mutant, source, seconds, lines)

        def prepare(top):
            for compiled in (top / PACKAGE).glob(f"__pycache__/{file.stem}.*"):
                compiled.unlink()
            (top / file).write_text(mutant["code"], encoding="utf-8")

        def put_back(top, code):
            (top / file).write_text(source, encoding="utf-8")
            finished(code)

        return prepare, lambda: run_tests(nodes), put_back

    def jobs():
        controlled = set()
        for mutant in found:
            if known.get(mutant["key"], "survived") != "survived":
                continue
            source = (ROOT / PACKAGE / f"{mutant['module']}.py").read_text(encoding="utf-8")
            if mutant["module"] not in controlled:
                controlled.add(mutant["module"])
                yield job(mutant | {"code": source}, source, partial(control, mutant["module"]))
            yield job(mutant, source, partial(note, mutant))

    def control(module: str, code: int) -> None:
        if code:
            raise SystemExit(f"{module} without a mutant: the tests chosen for one end with {code}")

    def note(mutant: dict, code: int) -> None:
        result = "survived" if code == 0 else "too slow" if code < 0 else "killed"
        known[mutant["key"]] = result
        told = {name: value for name, value in mutant.items() if name != "code"}
        log.write(json.dumps(told | {"result": result}) + "\n")
        log.flush()

    side_by_side(jobs(), limit=10 + 2 * SECONDS)


def known_results() -> dict[str, str]:
    path = OUT / "results.jsonl"
    notes = path.read_text().splitlines() if path.exists() else []
    return {note["key"]: note["result"] for note in map(json.loads, notes)}


def report(samples: dict[str, tuple[list[dict], int]], known: dict[str, str]) -> bool:
    """Write the table; return whether enough are killed and every survivor has its reason."""
    reasons = json.loads(REASONS.read_text(encoding="utf-8"))
    rows, all_tried, all_left, all_places, unexplained = [], [], 0, 0, 0
    for module, (found, places) in samples.items():
        tried = [mutant for mutant in found if mutant["key"] in known]
        left = [mutant for mutant in tried if known[mutant["key"]] == "survived"]
        groups = Counter()
        for mutant in left:
            change = f"{module}: {mutant['before']} -> {mutant['after']}"
            groups[reasons.get(change, "not explained")] += 1
            if change not in reasons:
                print(f"{module}.py:{mutant['line']}\n  {change}")
        why = "; ".join(f"{count} {reason}" for reason, count in sorted(groups.items()))
        killed = len(tried) - len(left)
        rows.append(f"| {module} | {places} | {len(tried)} | {killed} | {len(left)} | {why} |")
        unexplained += groups["not explained"]
        all_places, all_left = all_places + places, all_left + len(left)
        all_tried += tried
    killed = len(all_tried) - all_left
    slow = sum(known[mutant["key"]] == "too slow" for mutant in all_tried)
    share = killed / max(len(all_tried), 1)
    text = f"""\
Cosmic Ray can change the engine at {all_places:,} places; strings it leaves alone. One change each
was tried at {len(all_tried):,} of them, drawn at random with a fixed seed, at most {SAMPLE} a
module. The unit tests killed {killed:,}, {100 * share:.1f} %; {slow} of these ran into the time
limit. A mutant meets the tests that run its statement, the quickest {SECONDS} s of them; the rest
of the suite may kill more.

| module | places | tried | killed | survived | why |
|---|--:|--:|--:|--:|---|
{chr(10).join(rows)}
| all | {all_places} | {len(all_tried)} | {killed} | {all_left} | |
"""
    if set(samples) == set(MODULES):
        tables.write("mutants", text)
    print(text)
    return share >= GOAL and not unexplained


def main() -> int:
    wanted = (os.environ.get("MODULE") or ",".join(MODULES)).split(",")
    OUT.mkdir(parents=True, exist_ok=True)
    samples = {module: mutants(module) for module in wanted}
    known = known_results()
    if "--report" not in sys.argv:
        load_libraries()
        gc.freeze()  # What is here already, no fork needs to look through.
        # Module by module in turns, so that a run cut short has tried as many of each.
        order = [found[i] for i in range(SAMPLE) for found, _ in samples.values() if i < len(found)]
        try_all(order, known)
    return 0 if report(samples, known) else 1


if __name__ == "__main__":
    raise SystemExit(main())
