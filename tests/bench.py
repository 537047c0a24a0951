"""Time the engine side by side with others, and write BENCHMARKS.md: `make bench`.

Random pixels and labels, for what they show does not change the speed, so no data is needed.
Whoever is not installed is left out. `--quick` takes fewer rounds and prints, but writes nothing.
Being slow is no failure; a test says so if the engine has changed since BENCHMARKS.md was written.

Every contender has a process of its own: threads are counted when a library is loaded, and one
library's memory and waiting threads would change the speed of the next. They run in turn, round
after round, and a ratio is taken within a round: what slows the machine for a while slows both.
"""

import ast
import hashlib
import io
import os
import platform
import re
import subprocess
import sys
import time
import tokenize
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import nnlab
from nnlab.datasets import xor
from nnlab.files import whole
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import fit
from nnlab.workers import usable_cores

FILE = Path(__file__).parents[1] / "BENCHMARKS.md"
# What a training step runs through. The others draw, load or explain.
ENGINE = (
    *("activations", "checks", "initializers", "losses", "network", "normalisers"),
    *("optimizers", "progress", "training", "workers"),
)

THREADS = usable_cores()
ENVIRONMENT = {
    # For JAX; PyTorch; NumPy and SciPy.
    **dict.fromkeys(("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS)),
    "JAX_PLATFORMS": "cpu",
    # glibc: keep freed memory. Otherwise it is a matter of luck whether PyTorch's gradients go back
    # to the system at every step; where they do, its epoch takes half as long again.
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), "1000000000"),
}

SIZES, LR = (784, 500, 400, 300, 200, 100, 10), {"SGD": 0.01, "Adam": 1e-4}
NETWORKS, STEPS, XOR_LR = 1000, 2000, 0.5
LOOP_NETWORKS, FEW_STEPS = 3, 200  # for PyTorch: all networks and steps would take minutes


@dataclass(frozen=True)
class Task:
    """Networks of chapter 5 to be trained on so many batches; 0 networks are one without axes."""

    networks: int = 0
    batch: int = 128
    activation: str = "tanh"
    optimizer: str = "SGD"
    samples: int = 12_800

    def __str__(self):
        return f"{self.activation}, {self.optimizer}, batches of {self.batch}"

    @property
    def work(self):
        return max(1, self.networks) * self.samples

    def data(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.samples, SIZES[0]), dtype=np.float32)
        return X, rng.integers(SIZES[-1], size=self.samples)

    def nets(self):
        rng, ensemble = np.random.default_rng(1), self.networks or ()
        return MLP(SIZES, self.activation, rng=rng, ensemble=ensemble, dtype=np.float32)


# Every contender is a generator: it gets ready, then trains once for every `next`.
def nnlab_mnist(task):
    rule = {"SGD": SGD, "Adam": Adam}[task.optimizer](LR[task.optimizer])
    args = task.nets(), *task.data(), "softmax_cross_entropy", rule
    rng = np.random.default_rng(2)
    while True:
        yield fit(*args, epochs=1, batch_size=task.batch, rng=rng)


def products_mnist(task):
    W = MLP(SIZES, rng=np.random.default_rng(1), dtype=np.float32).W
    A = [np.ones((task.batch, size), np.float32) for size in SIZES]
    dZ, dW = [np.ones_like(each) for each in A], [np.ones_like(each) for each in W]
    while True:
        for _ in range(task.work // task.batch):
            for l in range(len(W)):
                np.matmul(A[l], W[l], out=A[l + 1])
            for l in reversed(range(len(W))):
                np.matmul(A[l].T, dZ[l + 1], out=dW[l])
                if l:
                    np.matmul(dZ[l + 1], W[l].T, out=dZ[l])
        yield


def torch_mnist(task):
    import torch
    from torch import nn

    X, y = map(torch.from_numpy, task.data())
    phi = {"tanh": nn.Tanh, "relu": nn.ReLU}[task.activation]
    loss, pairs = nn.CrossEntropyLoss(), []
    for _ in range(max(1, task.networks)):
        layers = [layer for pair in pairwise(SIZES) for layer in (nn.Linear(*pair), phi())]
        net = nn.Sequential(*layers[:-1])
        rule = getattr(torch.optim, task.optimizer)
        pairs.append((net, rule(net.parameters(), LR[task.optimizer])))
    while True:
        for net, optimizer in pairs:
            for index in torch.randperm(task.samples).split(task.batch):
                optimizer.zero_grad()
                loss(net(X[index]), y[index]).backward()
                optimizer.step()
        yield


def jax_mnist(task):
    import jax
    import jax.numpy as jnp

    X, y = map(jnp.asarray, task.data())
    net, rng, lr = task.nets(), np.random.default_rng(2), LR[task.optimizer]
    phi = {"tanh": jnp.tanh, "relu": jax.nn.relu}[task.activation]
    theta = [(jnp.array(W), jnp.array(b)) for W, b in zip(net.W, net.b, strict=True)]
    memory = (0, *(jax.tree.map(jnp.zeros_like, theta) for _ in range(2)))

    def loss(theta, X, y):
        for W, b in theta:
            Z = X @ W + b
            X = phi(Z)
        return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], -1).mean()

    gradient = jax.grad(loss)
    if task.networks:
        gradient = jax.vmap(gradient, (0, None, None))

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(theta, memory, X, y, index):
        g = gradient(theta, X[index], y[index])
        if task.optimizer == "SGD":
            return jax.tree.map(lambda t, g: t - lr * g, theta, g), memory
        count, m, v = memory
        count = count + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)

        def move(t, m, v):
            return t - lr * m / (1 - 0.9**count) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)

        return jax.tree.map(move, theta, m, v), (count, m, v)

    while True:
        order = rng.permutation(task.samples)
        for start in range(0, task.samples, task.batch):
            theta, memory = step(theta, memory, X, y, order[start : start + task.batch])
        yield jax.block_until_ready(theta)


def sklearn_mnist(task):
    from sklearn.neural_network import MLPClassifier

    X, y = task.data()
    net = MLPClassifier(SIZES[1:-1], activation="tanh", solver="sgd", alpha=0, momentum=0)
    net.set_params(learning_rate_init=LR["SGD"], batch_size=task.batch, random_state=0)
    while True:
        yield net.partial_fit(X, y, classes=range(SIZES[-1]))


def xor_nets():
    return MLP((2, 2, 1), rng=np.random.default_rng(1), ensemble=NETWORKS)


def nnlab_xor(_):
    while True:
        yield fit(xor_nets(), *xor(), "binary_cross_entropy", SGD(XOR_LR), epochs=STEPS)


def torch_loop_xor(_):
    import torch
    from torch import nn

    X, y = map(torch.from_numpy, xor())
    y, loss = y.double()[:, None], nn.BCEWithLogitsLoss()
    while True:
        for _ in range(LOOP_NETWORKS):
            net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)).double()
            optimizer = torch.optim.SGD(net.parameters(), XOR_LR)
            for _ in range(FEW_STEPS):
                optimizer.zero_grad()
                loss(net(X), y).backward()
                optimizer.step()
        yield


def torch_vmap_xor(_):
    import torch

    X, y = map(torch.from_numpy, xor())
    y, net, loss = y.double()[:, None], xor_nets(), torch.nn.BCEWithLogitsLoss()
    theta = tuple(map(torch.tensor, (*net.W, *net.b)))

    def loss_of(W1, W2, b1, b2):
        return loss(torch.tanh(X @ W1 + b1) @ W2 + b2, y)

    gradient = torch.func.vmap(torch.func.grad(loss_of, argnums=(0, 1, 2, 3)))
    while True:
        for _ in range(FEW_STEPS):
            for t, g in zip(theta, gradient(*theta), strict=True):
                t.sub_(g, alpha=XOR_LR)
        yield


def jax_xor(_):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    (X, y), net = map(jnp.asarray, xor()), xor_nets()
    theta = tuple(map(jnp.array, (*net.W, *net.b)))

    def loss(theta):
        W1, W2, b1, b2 = theta
        z = (jnp.tanh(X @ W1 + b1) @ W2 + b2)[:, 0]
        return (jnp.logaddexp(0, z) - y * z).mean()

    def step(theta, _):
        gradient = jax.vmap(jax.grad(loss))(theta)
        return jax.tree.map(lambda t, g: t - XOR_LR * g, theta, gradient), None

    train = jax.jit(lambda theta: jax.lax.scan(step, theta, length=STEPS)[0])
    while True:
        yield jax.block_until_ready(train(theta))


# Who takes part: the contender, what it is called, whose version it shows.
SINGLE = (
    (nnlab_mnist, "nnlab", "nnlab"),
    (products_mnist, "Bare matrix products", "numpy"),
    (torch_mnist, "PyTorch, eager", "torch"),
    (jax_mnist, "JAX, jit", "jax"),
    (sklearn_mnist, "MLPClassifier", "scikit-learn"),
)
SEVERAL = (
    (nnlab_mnist, "nnlab, one ensemble", "nnlab"),
    (torch_mnist, "PyTorch, one after the other", "torch"),
    (jax_mnist, "JAX, vmap and jit", "jax"),
)
SMALL = (
    (nnlab_xor, "nnlab, one ensemble", "nnlab"),
    (torch_loop_xor, f"PyTorch loop, {LOOP_NETWORKS} networks, {FEW_STEPS} steps", "torch"),
    (torch_vmap_xor, f"PyTorch, torch.func.vmap, {FEW_STEPS} steps", "torch"),
    (jax_xor, "JAX, vmap and jit", "jax"),
)
FEW = [  # three or four seeds
    Task(3, 128, "tanh", "SGD", 6_144),
    Task(3, 512, "tanh", "Adam", 6_144),
    Task(3, 128, "relu", "Adam", 6_144),
    Task(3, 512, "relu", "SGD", 6_144),
    Task(4, 128, "tanh", "SGD", 6_144),
    Task(4, 512, "relu", "Adam", 6_144),
]


@cache  # one a process
def ready(contender, task):
    return contender(task)


def seconds(contender, task):
    start = time.perf_counter()
    next(ready(contender, task))
    return time.perf_counter() - start


@contextmanager
def processes(contenders):
    """A process for each contender that is installed, as (pool, contender, label)."""
    there = []
    for contender, name, package in contenders:
        try:
            label = f"{name} ({package} {version(package)})"
        except ImportError:
            print(f"{name}: left out", file=sys.stderr)
            continue
        pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
        there.append((pool, contender, label))
    try:
        yield there
    finally:
        for pool, *_ in there:
            pool.shutdown()


def work(contender, task):
    if task is not None:
        return task.work
    networks = LOOP_NETWORKS if contender is torch_loop_xor else NETWORKS
    return networks * (FEW_STEPS if contender in (torch_loop_xor, torch_vmap_xor) else STEPS)


def rates(there, task, rounds):
    """How much each contender trains in a second, round after round: (contenders, rounds)."""
    found = np.empty((len(there), rounds))
    for pool, contender, _ in there:
        pool.submit(seconds, contender, task).result()  # imports, compiles, warms up
    for turn in range(rounds):
        for i, (pool, contender, _) in enumerate(there):
            time.sleep(0.1)  # at first, the threads of the one before wait busily
            took = pool.submit(seconds, contender, task).result()
            found[i, turn] = work(contender, task) / took
    return found


@contextmanager
def neighbour(threads):
    """Another process that multiplies matrices all the time, on so many threads."""
    if not threads:
        yield
        return
    code = "import numpy as np; A = np.ones((1500, 1500))\nwhile True: A @ A"
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    other = subprocess.Popen([sys.executable, "-c", code], env=os.environ | variables)
    try:
        time.sleep(1)  # it has imported NumPy
        yield
    finally:
        other.kill()
        other.wait()


def table(header, rows):
    """Lines of a Markdown table; all columns but the first are numbers."""
    aligned = [":--", *["--:"] * (len(header) - 1)]
    return ["", *(f"| {' | '.join(row)} |" for row in (header, aligned, *rows)), ""]


def ratio(ours, theirs):
    low, middle, high = np.quantile(ours / theirs, (0.25, 0.5, 0.75))
    return f"{middle:.2f}", f"{low:.2f} to {high:.2f}"


def side_by_side(contenders, task, rounds, unit):
    with processes(contenders) as there:
        found = rates(there, task, rounds)
    rows = [
        (label, f"{np.median(rate):,.0f}", *ratio(found[0], rate))
        for rate, (_, _, label) in zip(found, there, strict=True)
    ]
    return table(("", unit, "nnlab / other", "quartiles"), rows)


def few_networks(rounds):
    with processes(SEVERAL) as there:
        names = [label for _, _, label in there[1:]]
        rows = []
        for task in FEW:
            found = rates(there, task, rounds)
            others = [ratio(found[0], rate)[0] for rate in found[1:]]
            rows.append(
                (f"{task.networks} networks, {task}", f"{np.median(found[0]):,.0f}", *others)
            )
    return table(("", "nnlab, samples/s", *(f"nnlab / {name}" for name in names)), rows)


def beside(contenders, task, rounds):
    """A table of how much is left of the speed beside a neighbour."""
    with processes(contenders) as there:
        columns = []
        for threads in (0, 1, 2):
            with neighbour(threads):
                columns.append(np.median(rates(there, task, rounds), axis=1))
    rows = []
    for i, (_, _, label) in enumerate(there):
        quiet, *others = (column[i] for column in columns)
        left = [f"{other:,.0f} ({other / quiet:.0%})" for other in others]
        rows.append((label, f"{quiet:,.0f}", *left))
    return table(("", "quiet", "beside one thread", "beside two threads"), rows)


# How time and memory grow: what is varied, its values, the rest of the problem.
GROWTH = {
    "batch": ((128, 256, 512, 1024, 2048), {}),
    "width": ((128, 256, 512, 1024), {}),
    "depth": ((4, 8, 16, 32), {"width": 128}),
    "seeds": ((4, 8, 16, 32), {"width": 128}),
    "seeds of 2-2-1": ((500, 1000, 2000, 4000, 8000), {"width": 2, "depth": 1, "batch": 4}),
}


def growing(batch=256, width=256, depth=4, seeds=2):
    """A training of so many steps, as a call."""
    outputs = 10 if width > 2 else 2
    sizes = (width,) * (depth + 1) + (outputs,)
    rng = np.random.default_rng(0)
    net = MLP(sizes, "tanh", rng=rng, ensemble=seeds, dtype=np.float32)
    X, y = rng.standard_normal((batch, width), dtype=np.float32), rng.integers(outputs, size=batch)
    return lambda steps: fit(net, X, y, "softmax_cross_entropy", SGD(0.01), epochs=steps)


def growth(rounds):
    rows = []
    for name, (values, rest) in GROWTH.items():
        axis = name.split()[0]
        calls = [growing(**rest, **{axis: value}) for value in values]
        times, peaks = np.empty((rounds, len(values))), []
        for call in calls:
            tracemalloc.start()
            call(3)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        for turn in range(rounds):
            for i, call in enumerate(calls):
                start = time.perf_counter()
                call(10)
                times[turn, i] = time.perf_counter() - start
        x = np.log(values)
        slopes = [np.polyfit(x, np.log(each), 1)[0] for each in (np.median(times, 0), peaks)]
        ends = f"{values[0]:,} to {values[-1]:,}"
        last = f"{np.median(times, 0)[-1] / 10 * 1000:.1f} ms", f"{peaks[-1] / 1e6:.1f} MB"
        rows.append((name, ends, *(f"{slope:.2f}" for slope in slopes), *last))
    header = ("", "values", "slope of time", "slope of memory", "a step at the end", "peak there")
    return table(header, rows)


def code_of(source: str) -> str:
    """A module's code without comments, docstrings, types and white space: what sets its speed."""
    lines = [line.encode() for line in source.splitlines()]  # the tree counts columns in bytes

    def blank(row: int, column: int, end_row: int, end_column: int) -> None:
        for i in range(row - 1, end_row):
            first = column if i == row - 1 else 0
            last = end_column if i == end_row - 1 else len(lines[i])
            lines[i] = lines[i][:first] + b" " * (last - first) + lines[i][last:]

    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            start = len(token.line[:column].encode())
            blank(row, start, row, start + len(token.string.encode()))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
                blank(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            case ast.AnnAssign(target=name, annotation=kind):
                blank(name.end_lineno, name.end_col_offset, kind.end_lineno, kind.end_col_offset)
            case ast.arg(arg=name, annotation=ast.expr() as kind):
                start = node.col_offset + len(name.encode())
                blank(node.lineno, start, kind.end_lineno, kind.end_col_offset)
            case ast.FunctionDef(returns=ast.expr() as kind):
                blank(kind.lineno, kind.col_offset, kind.end_lineno, kind.end_col_offset)
    code = "".join(b"".join(lines).decode().split())
    # What is left of types: the arrow, and the comma of arguments that they spread over lines.
    return re.sub(r",?\)->:", "):", code)


def fingerprint() -> str:
    """What identifies the engine's code, the same on every machine."""
    folder = Path(nnlab.__file__).parent
    sources = ((folder / f"{name}.py").read_text(encoding="utf-8") for name in ENGINE)
    return hashlib.sha256("\n".join(map(code_of, sources)).encode()).hexdigest()[:16]


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def report(rounds):
    packages = ("numpy", "scipy", "torch", "jax", "scikit-learn")
    there = []
    for package in packages:
        try:
            there.append(f"{package} {version(package)}")
        except ImportError:
            there.append(f"no {package}")
    sizes = "-".join(map(str, SIZES))
    yield from [
        "# Benchmarks",
        "",
        "Written by `make bench`. A ratio above 1 means that nnlab is faster. Contenders take",
        "turns, and ratios are medians over rounds of what was measured in the same round.",
        "",
        f"- Machine: {processor()}, {THREADS} cores used, {platform.system()}",
        f"- Python {platform.python_version()}; {', '.join(there)}",
        f"- Rounds: {rounds}",
        f"- Engine: `{fingerprint()}` (a hash of its code; a test compares it)",
        "",
    ]
    yield from [
        "## One network",
        "",
        f"{sizes}, float32, SGD, {Task()}: {Task().samples:,} random samples.",
        *side_by_side(SINGLE, Task(), rounds, "samples/s"),
    ]
    yield from [
        "## Three or four networks",
        "",
        "The same network from several seeds; samples/s are summed over the networks.",
        *few_networks(rounds),
    ]
    yield from [
        "## A thousand small networks",
        "",
        f"{NETWORKS:,} networks 2-2-1 on exclusive or, float64: {STEPS:,} full-batch steps.",
        *side_by_side(SMALL, None, rounds, "network-steps/s"),
    ]
    yield from [
        "## Beside another job",
        "",
        "The other job multiplies matrices all the time, on one thread or on two. In brackets: how",
        f"much is left of the speed. Four networks, {Task()}, samples/s:",
        *beside(SEVERAL, Task(4, samples=1_280), max(3, rounds // 3)),
    ]
    yield from [
        "One network, samples/s:",
        *beside(SINGLE[:4], Task(samples=1_280), max(3, rounds // 3)),
        "A thousand small networks, network-steps/s:",
        *beside((SMALL[0], SMALL[3]), None, max(3, rounds // 3)),
    ]
    yield from [
        "## Growth",
        "",
        "Slopes of log time and log peak memory against the log of one size; the others stay. A",
        "slope of 1 is proportional, of 2 quadratic.",
        *growth(rounds),
    ]


def main():
    os.environ.update(ENVIRONMENT)
    quick = "--quick" in sys.argv
    lines = []
    for line in report(3 if quick else 7):
        print(line, flush=True)
        lines.append(line)
    if not quick:
        with whole(FILE) as part:
            part.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
