"""The summary card of chapter 4 tells the truth about JAX, PyTorch, Keras and Flax.

The tables are read from the page itself: what stands there in backticks is run. So the page cannot
name a function that does not exist, or one that draws something else.
"""

import itertools
import math
import os
import re
from pathlib import Path

import jax
import jax.example_libraries.stax
import nbformat
import numpy as np
import pytest
from scipy import stats

from nnlab import activations, theory
from nnlab import initializers as inits

CHAPTER = Path(__file__).parent.parent / "book" / "04_xavier_he.ipynb"
FANS = 200, 500  # unequal, so a transpose would show
os.environ.setdefault("KERAS_BACKEND", "jax")  # which is here; TensorFlow is not


def prose() -> str:
    """The text of the page, with the numbers that its cells glued into it."""
    cells = nbformat.read(CHAPTER, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    glued = {
        output.metadata["scrapbook"]["name"]: output.data["application/papermill.record/text/plain"]
        for output in outputs
        if "scrapbook" in output.get("metadata", {})
    }
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(
        r"\{glue:text\}`([\w-]+):([.\w%]+)`", lambda m: format(float(glued[m[1]]), m[2]), text
    )


def tables() -> dict[str, list[list[str]]]:
    """The tables of the page, by the first word of their second column: rows of cells."""
    found = {}
    for block in re.findall(r"^\|.*(?:\n\|.*)+", prose(), re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        ]
        found[re.findall(r"\w+", head[1])[0]] = rows
    return found


CARD = tables()
SCHEMES, KEPT, DEFAULTS = CARD["Scheme"], CARD["What"], CARD["Weights"]
PYTORCH, JAX, KERAS = CARD["PyTorch"], CARD["JAX"], CARD["Keras"]


def code(cell: str) -> str:
    """What stands in backticks."""
    return re.search(r"`([^`]+)`", cell)[1]


def ours(call: str, **names):
    """The initialiser that ``call`` makes."""
    return eval(call, vars(inits) | names)


def normal_if_cut(call: str, cut: bool):
    """The initialiser that ``call`` makes, with its normal truncated where the page says †."""
    init = ours(call)
    if not cut:
        return init
    assert init.distribution == "normal"
    return inits.variance_scaling(init.scale, init.mode, "truncated_normal")


def assert_same(init, theirs):
    """Standard deviations within four standard errors, and the same distribution by KS."""
    theirs = np.asarray(theirs, dtype=float)
    mine = init(np.random.default_rng(0), theirs.shape)
    # The standard error of a standard deviation, with the largest kurtosis there is: 3.
    assert abs(theirs.std() / init.std(*theirs.shape) - 1) < 4 * math.sqrt(2 / (4 * theirs.size))
    assert abs(theirs.mean()) < 4 * theirs.std() / math.sqrt(theirs.size)
    assert stats.ks_2samp(mine.ravel(), theirs.ravel()).pvalue > 1e-3


# ------------------------------------------------------------------------- what the card says of us


def value(formula: str, **names) -> float:
    """What a formula of the page comes to, for a layer of 30 inputs and 50 outputs."""
    text = formula
    for tex, python in {
        "$": "",
        "\\mathrm{in}": "in",
        "\\mathrm{out}": "out",
        "\\alpha": "alpha",
        "\\,": "*",
        "^": "**",
    }.items():
        text = text.replace(tex, python)
    return eval(text, {"n_in": 30, "n_out": 50} | names)


ACTIVATIONS = {name: row for row in SCHEMES for name in re.findall(r"\w+", row[0])}
WHAT_IS_KEPT = {name: row[1] for row in KEPT for name in re.findall(r"\w+", row[0])}


def test_both_tables_have_every_activation():
    assert ACTIVATIONS.keys() == WHAT_IS_KEPT.keys() == activations.ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_variance_of_every_scheme(name):
    _, call, variance = ACTIVATIONS[name]
    names = {"g": theory.gain(name), "alpha": 0.2}
    init = ours(code(call), **names)
    assert init.variance(30, 50) == pytest.approx(value(variance, **names))


def test_uniform_limit_of_every_scheme():
    assert r"limit is the root of $3\,\mathrm{Var}(w)$" in " ".join(prose().split())
    for name in ("xavier", "he", "lecun"):
        init = inits.get(f"{name}_uniform")
        W = init(np.random.default_rng(0), (300, 500))
        limit = math.sqrt(3 * inits.get(f"{name}_normal").variance(300, 500))
        assert 0.999 * limit < np.abs(W).max() <= limit


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_kept(name):
    """At equal widths, from where the page starts: Var(z) = 1 for gains, E[x²] = 1 for others."""
    g = theory.gain(name)
    init = ours(code(ACTIVATIONS[name][1]), g=g, alpha=0.01)
    start = 1 / g**2 if "g**2" in ACTIVATIONS[name][1] else 1.0
    found = theory.predict((64,) * 101, name, init, start)
    text = WHAT_IS_KEPT[name]
    kept = "" if text.startswith("neither") else text.partition(";")[0]
    assert (np.ptp(np.log(found.var_z[:-1])) < 1e-6) == ("Var(z)" in kept)
    assert (np.ptp(np.log(found.backward[:-1])) < 1e-6) == ("E[dz²]" in kept)
    if "grows by" in text:
        percent = int(re.search(r"grows by (\d)%", text)[1])
        assert round(100 * (found.factor[50] - 1)) == percent
    if "1/(2·depth)" in text:
        assert 2 * 95 * found.mean_square_a[94] == pytest.approx(1, rel=0.03)
        products = np.cumprod(found.factor)
        assert products[90] * 91 == pytest.approx(products[45] * 46, rel=0.02)
    if "settles at" in text:
        level = float(re.search(r"settles at ([\d.]+), whatever", text)[1])
        for came_in in (0.01, 1.0, 100.0):
            settled = theory.predict((64,) * 101, name, init, came_in)
            assert settled.var_z[50] == pytest.approx(level, abs=5e-4)
            assert settled.factor[50] < 0.1  # E[dz²] vanishes
        scaled = theory.predict((64,) * 20, name, inits.variance_scaling(g**2), 1 / g**2)
        assert scaled.factor[10] < 0.2  # under its gain, too
    if "is left after 15 layers" in text:
        percent = float(re.search(r"([\d.]+)% of", text)[1])
        left = 100 * found.var_z[14] / found.var_z[0]
        assert left == pytest.approx(percent, rel=0.1)


@pytest.mark.parametrize("name", ["gelu", "silu", "elu", "selu", "tanh", "relu"])
def test_which_gains_are_stable(name):
    """A start 1 % off is worse after 20 layers, or better."""
    g = theory.gain(name)
    q = theory.predict((64,) * 22, name, inits.variance_scaling(g**2), 1.01 / g**2).var_z
    stable = abs(q[20] - 1) < 0.0101
    (unstable,) = re.findall(r"- \*\*(.*)\*\* have a slope above 1\.", prose())
    assert stable == (name not in unstable.lower().split())


def test_gains_of_torch():
    """Theirs for tanh is 5/3, ours is what the definition says."""
    torch = pytest.importorskip("torch")
    assert torch.nn.init.calculate_gain("tanh") == pytest.approx(5 / 3)
    assert torch.nn.init.calculate_gain("relu") == pytest.approx(theory.gain("relu"))
    assert abs(theory.gain("tanh") - 5 / 3) > 0.07


def test_a_mix_up_of_two_names_would_be_noticed():
    named = [ours(call) for call in dict.fromkeys(code(r[0]) for r in PYTORCH + JAX + KERAS)]
    assert len(named) == 10
    for one, other in itertools.permutations(named, 2):
        with pytest.raises(AssertionError):
            assert_same(one, other(np.random.default_rng(1), FANS))


# -------------------------------------------------------------------------------------------- JAX


@pytest.mark.parametrize("row", JAX, ids=lambda row: row[0])
def test_jax(row):
    theirs = eval(code(row[1]), vars(jax.nn.initializers).copy())
    assert_same(normal_if_cut(code(row[0]), "†" in row[1]), theirs(jax.random.key(0), FANS))


def test_default_of_jax():
    (row,) = (row for row in DEFAULTS if "stax" in row[0])
    make, _ = eval(code(row[0]), {"jax": jax})(FANS[1])
    _, (W, b) = make(jax.random.PRNGKey(0), (-1, FANS[0]))
    assert_same(normal_if_cut(code(row[1]), "†" in row[1]), W)
    assert row[2] == "$N(0, 0.01^2)$"
    assert abs(b.std() / 0.01 - 1) < 4 / math.sqrt(2 * b.size)


# ------------------------------------------------------------------------ PyTorch, Keras and Flax


@pytest.mark.parametrize("row", PYTORCH, ids=lambda row: row[0])
def test_torch(row):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    W = torch.empty(FANS[::-1], dtype=torch.float64)
    eval(code(row[1]), vars(torch.nn.init) | {"W": W})
    assert_same(normal_if_cut(code(row[0]), "†" in row[1]), W.numpy().T)


def test_default_of_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    (row,) = (row for row in DEFAULTS if "torch" in row[0])
    layer = eval(code(row[0]), {"torch": torch})(*FANS)
    assert_same(ours(code(row[1])), layer.weight.detach().numpy().T)
    assert row[2] == "as the weights"
    b = layer.bias.detach().numpy()
    assert stats.kstest(b, stats.uniform(-(200**-0.5), 2 * 200**-0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("row", KERAS, ids=lambda row: row[0])
def test_keras(row):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    theirs = eval(code(row[1]), vars(keras.initializers).copy())
    assert_same(normal_if_cut(code(row[0]), "†" in row[1]), theirs(FANS))


def test_default_of_keras():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    (row,) = (row for row in DEFAULTS if "keras" in row[0])
    layer = eval(code(row[0]), {"keras": keras})(FANS[1])
    layer.build((None, FANS[0]))
    W, b = (np.asarray(each.value) for each in layer.weights)
    assert_same(normal_if_cut(code(row[1]), "†" in row[1]), W)
    assert row[2] == "0"
    assert not b.any()


def test_default_of_flax():
    flax = pytest.importorskip("flax")
    pytest.importorskip("flax.linen")
    (row,) = (row for row in DEFAULTS if "flax" in row[0])
    layer = eval(code(row[0]), {"flax": flax})(FANS[1])
    parameters = layer.init(jax.random.key(0), np.ones((1, FANS[0])))["params"]
    assert_same(normal_if_cut(code(row[1]), "†" in row[1]), parameters["kernel"])
    assert row[2] == "0"
    assert not np.any(parameters["bias"])


# ------------------------------------------------------------ the lines of code that the page gives

SNIPPETS = [block.strip() for block in re.findall(r"```python\n(.*?)```", prose(), re.DOTALL)]
STARTS = dict(zip(("PyTorch", "Keras", "JAX"), SNIPPETS[:3], strict=True))
SIGNALS = dict(zip(("PyTorch", "Keras", "JAX"), SNIPPETS[3:], strict=True))


def run(snippet: str, **names) -> dict:
    """The names that are there after the snippet was run."""
    exec(snippet, names)
    return names


def test_each_snippet_names_its_library():
    for snippets in (STARTS, SIGNALS):
        assert all(text.startswith(f"# {library}") for library, text in snippets.items())


@pytest.mark.parametrize("scheme", ["kaiming_normal_", "xavier_normal_"])
def test_start_in_torch(scheme):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.Linear(*FANS)
    run(STARTS["PyTorch"].replace("kaiming_normal_", scheme), nn=torch.nn, layer=layer)
    assert_same(ours({"k": "he_normal()", "x": "xavier_normal()"}[scheme[0]]), weights(layer))
    assert not layer.bias.any()


def weights(layer):
    """The weights of a layer of PyTorch, as ours."""
    return layer.weight.detach().numpy().T


@pytest.mark.parametrize("scheme", ["he_normal", "glorot_normal"])
def test_start_in_keras(scheme):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    line = STARTS["Keras"].splitlines()[-1].replace("he_normal", scheme)
    layer = eval(line, {"layers": keras.layers})
    layer.build((None, FANS[0]))
    init = normal_if_cut(scheme.replace("glorot", "xavier") + "()", cut=True)
    assert_same(init, np.asarray(layer.kernel.value))
    assert not np.asarray(layer.bias.value).any()


@pytest.mark.parametrize("scheme", ["he_normal", "glorot_normal"])
def test_start_in_jax(scheme):
    names = {"jax": jax, "key": jax.random.key(0), "fan_in": FANS[0], "fan_out": FANS[1]}
    W = run(STARTS["JAX"].replace("he_normal", scheme), **names)["W"]
    assert_same(normal_if_cut(scheme.replace("glorot", "xavier") + "()", cut=True), W)


X = np.random.default_rng(0).standard_normal((6, 3))


def test_backward_signal_in_torch(capsys):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    below, layer, top = torch.nn.Linear(3, 5), torch.nn.Linear(5, 4), torch.nn.Linear(4, 1)
    run(SIGNALS["PyTorch"], layer=layer)
    z = layer(below(torch.tensor(X, dtype=torch.float32)))
    z.retain_grad()
    top(torch.tanh(z)).square().mean().backward()
    assert z.grad.std() > 0
    assert capsys.readouterr().out.strip() == str(z.grad.std())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_backward_signal_in_keras():
    keras = pytest.importorskip("keras")
    layer = keras.layers.Dense(1)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    x, y = X[:1].astype("float32"), np.array([[2.0]], dtype="float32")
    expected = 2 * (np.asarray(model(x)) - y)[0]
    assert run(SIGNALS["Keras"], layer=layer, model=model, x=x, y=y)["dz"] == pytest.approx(
        expected, rel=1e-4
    )


def test_backward_signal_in_jax():
    def loss(parameters, x, y):
        return (parameters["w"] @ x + parameters["b"] - y) ** 2

    parameters = {"w": jax.numpy.ones(3), "b": jax.numpy.array(0.5)}
    x, y = jax.numpy.array(X[0]), 2.0
    found = run(SIGNALS["JAX"], jax=jax, loss=loss, parameters=parameters, x=x, y=y)
    assert float(found["dz"]) == pytest.approx(2 * (X[0].sum() + 0.5 - y), rel=1e-5)
