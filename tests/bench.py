"""Time the engine side by side with others, and print the ratios: `make bench`.

An epoch of chapter 5's network on random pixels and labels (what they show does not change the
speed, so no data is needed), and a thousand small networks that learn exclusive or. Whoever is not
installed is left out. `--quick` takes fewer rounds. Being slow is no failure.

Every contender has a process of its own: threads are counted when a library is loaded, and one
library's memory and waiting threads would change the speed of the next. They run in turn, round
after round, and a ratio is taken within a round: what slows the machine for a while slows both.
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from importlib.metadata import version
from itertools import pairwise
from multiprocessing import get_context

import numpy as np

from nnlab.datasets import xor
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit

THREADS = 2
ENVIRONMENT = {
    # For JAX; PyTorch; NumPy and SciPy.
    **dict.fromkeys(("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS)),
    "JAX_PLATFORMS": "cpu",
    # glibc: keep freed memory. Otherwise it is a matter of luck whether PyTorch's gradients go back
    # to the system at every step; where they do, its epoch takes half as long again.
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), "1000000000"),
}

SIZES, BATCH, LR = (784, 500, 400, 300, 200, 100, 10), 128, 0.01
SAMPLES = 100 * BATCH
NETWORKS, STEPS, XOR_LR = 1000, 2000, 0.5
LOOP_NETWORKS, LOOP_STEPS = 3, 200  # the loop over networks: all would take minutes


def mnist():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((SAMPLES, SIZES[0]), dtype=np.float32)
    return X, rng.integers(SIZES[-1], size=SAMPLES)


def nets(sizes=(2, 2, 1), ensemble=NETWORKS, dtype=np.float64):
    return MLP(sizes, rng=np.random.default_rng(1), ensemble=ensemble, dtype=dtype)


# Every contender is a generator: it gets ready, then trains once for every `next`.
def mnist_nnlab():
    args = nets(SIZES, (), np.float32), *mnist(), "softmax_cross_entropy", SGD(LR)
    rng = np.random.default_rng(2)
    while True:
        yield fit(*args, epochs=1, batch_size=BATCH, rng=rng)


def mnist_products():
    W = nets(SIZES, (), np.float32).W
    A = [np.ones((BATCH, size), np.float32) for size in SIZES]
    dZ, dW = [np.ones_like(each) for each in A], [np.ones_like(each) for each in W]
    while True:
        for _ in range(SAMPLES // BATCH):
            for l in range(len(W)):
                np.matmul(A[l], W[l], out=A[l + 1])
            for l in reversed(range(len(W))):
                np.matmul(A[l].T, dZ[l + 1], out=dW[l])
                if l:
                    np.matmul(dZ[l + 1], W[l].T, out=dZ[l])
        yield


def mnist_torch():
    import torch
    from torch import nn

    X, y = map(torch.from_numpy, mnist())
    layers = [layer for pair in pairwise(SIZES) for layer in (nn.Linear(*pair), nn.Tanh())]
    net = nn.Sequential(*layers[:-1])
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), LR)
    while True:
        for index in torch.randperm(SAMPLES).split(BATCH):
            optimizer.zero_grad()
            loss(net(X[index]), y[index]).backward()
            optimizer.step()
        yield


def mnist_jax():
    import jax
    import jax.numpy as jnp

    X, y = map(jnp.asarray, mnist())
    net, rng = nets(SIZES, (), np.float32), np.random.default_rng(2)
    theta = [(jnp.array(W), jnp.array(b)) for W, b in zip(net.W, net.b, strict=True)]

    def loss(theta, X, y):
        for W, b in theta:
            Z = X @ W + b
            X = jnp.tanh(Z)
        return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], -1).mean()

    @partial(jax.jit, donate_argnums=0)
    def step(theta, X, y, index):
        gradient = jax.grad(loss)(theta, X[index], y[index])
        return jax.tree.map(lambda t, g: t - LR * g, theta, gradient)

    while True:
        for index in rng.permutation(SAMPLES).reshape(-1, BATCH):
            theta = step(theta, X, y, index)
        yield jax.block_until_ready(theta)


def mnist_sklearn():
    from sklearn.neural_network import MLPClassifier

    X, y = mnist()
    net = MLPClassifier(SIZES[1:-1], activation="tanh", solver="sgd", alpha=0, batch_size=BATCH)
    net.set_params(learning_rate_init=LR, momentum=0, random_state=0)
    while True:
        yield net.partial_fit(X, y, classes=range(SIZES[-1]))


def xor_nnlab():
    while True:
        yield fit(nets(), *xor(), "binary_cross_entropy", SGD(XOR_LR), epochs=STEPS)


def xor_torch_loop():
    import torch
    from torch import nn

    X, y = map(torch.from_numpy, xor())
    y, loss = y.double()[:, None], nn.BCEWithLogitsLoss()
    while True:
        for _ in range(LOOP_NETWORKS):
            net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)).double()
            optimizer = torch.optim.SGD(net.parameters(), XOR_LR)
            for _ in range(LOOP_STEPS):
                optimizer.zero_grad()
                loss(net(X), y).backward()
                optimizer.step()
        yield


def xor_torch_vmap():
    import torch

    X, y = map(torch.from_numpy, xor())
    y, net, loss = y.double()[:, None], nets(), torch.nn.BCEWithLogitsLoss()
    theta = tuple(map(torch.tensor, (*net.W, *net.b)))

    def loss_of(W1, W2, b1, b2):
        return loss(torch.tanh(X @ W1 + b1) @ W2 + b2, y)

    gradient = torch.func.vmap(torch.func.grad(loss_of, argnums=(0, 1, 2, 3)))
    while True:
        for _ in range(STEPS):
            for t, g in zip(theta, gradient(*theta), strict=True):
                t.sub_(g, alpha=XOR_LR)
        yield


def xor_jax():
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    (X, y), net = map(jnp.asarray, xor()), nets()
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


# What a row is called, whose version it shows, how much a `next` trains, what ratio is expected.
MNIST = (
    (mnist_nnlab, "nnlab", "nnlab", SAMPLES, ""),
    (mnist_products, "Bare matrix products", "numpy", SAMPLES, "at least 0.75"),
    (mnist_torch, "PyTorch, eager", "torch", SAMPLES, "at least 0.85"),
    (mnist_jax, "JAX, jit", "jax", SAMPLES, ""),
    (mnist_sklearn, "MLPClassifier", "scikit-learn", SAMPLES, ""),
)
LOOP = f"PyTorch loop, {LOOP_NETWORKS} × {LOOP_STEPS} steps"
XOR = (
    (xor_nnlab, "nnlab, one ensemble", "nnlab", NETWORKS * STEPS, ""),
    (xor_torch_loop, LOOP, "torch", LOOP_NETWORKS * LOOP_STEPS, "at least 500"),
    (xor_torch_vmap, "PyTorch, torch.func.vmap", "torch", NETWORKS * STEPS, ""),
    (xor_jax, "JAX, vmap and jit", "jax", NETWORKS * STEPS, ""),
)


ready = cache(lambda contender: contender())  # one a process


def seconds(contender):
    start = time.perf_counter()
    next(ready(contender))
    return time.perf_counter() - start


def bench(title, unit, rows, rounds):
    """Run the contenders in turn and print a row for each, with its ratio to the first."""
    print(f"\n{title}\n{unit:>64}  nnlab / other         quartiles  expected", flush=True)
    there = []
    for contender, *row in rows:
        pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
        try:
            pool.submit(seconds, contender).result()  # imports, compiles, warms up
            there.append((pool, contender, *row))
        except ImportError as error:
            pool.shutdown()
            print(f"{row[0]}: left out ({error})")
    rates = np.empty((len(there), rounds))
    for turn in range(rounds):
        for i, (pool, contender, _, _, work, _) in enumerate(there):
            time.sleep(0.1)  # at first, the threads of the one before wait busily
            rates[i, turn] = work / pool.submit(seconds, contender).result()
    for rate, (pool, _, name, package, _, expected) in zip(rates, there, strict=True):
        pool.shutdown()
        low, ratio, high = (f"{q:.2f}" for q in np.quantile(rates[0] / rate, (0.25, 0.5, 0.75)))
        label, spread = f"{name} ({package} {version(package)})", f"{low} to {high}"
        print(f"{label:48}{np.median(rate):>16,.0f}{ratio:>15}{spread:>18}  {expected}".rstrip())


def main():
    os.environ.update(ENVIRONMENT)
    rounds = 3 if "--quick" in sys.argv else 9
    print(f"Python {sys.version.split()[0]}, {THREADS} threads each, medians of {rounds} rounds")
    sizes = "-".join(map(str, SIZES))
    epoch = f"An epoch of {sizes}, float32: {SAMPLES:,} random samples, batches of {BATCH}"
    bench(epoch, "samples/s", MNIST, rounds)
    small = f"{NETWORKS:,} networks 2-2-1 on exclusive or, float64: {STEPS:,} full-batch steps"
    bench(small, "network-steps/s", XOR, rounds)


if __name__ == "__main__":
    main()
