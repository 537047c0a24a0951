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
        r"\{glue:text\}`([\w-]+):([.\w]+)`", lambda m: format(float(glued[m[1]]), m[2]), text
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
PYTORCH, JAX_AND_KERAS = CARD["PyTorch"], CARD["JAX"]


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
    text = re.sub(r"\\sqrt\{(.*)\}\$$", r"sqrt(\1)$", formula)
    for tex, python in {
        "$": "",
        "\\mathrm{in}": "in",
        "\\mathrm{out}": "out",
        "\\alpha": "alpha",
        "\\,": "*",
        "^": "**",
    }.items():
        text = text.replace(tex, python)
    return eval(text, {"sqrt": math.sqrt, "n_in": 30, "n_out": 50} | names)


ACTIVATIONS = {name: row for row in SCHEMES for name in re.findall(r"\w+", row[0])}
WHAT_IS_KEPT = {name: row[1] for row in KEPT for name in re.findall(r"\w+", row[0])}


def test_both_tables_have_every_activation():
    assert ACTIVATIONS.keys() == WHAT_IS_KEPT.keys() == activations.ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_variance_and_limit_of_every_scheme(name):
    _, call, variance, limit = ACTIVATIONS[name]
    names = {"g": theory.gain(name), "alpha": 0.2}
    init = ours(code(call), **names)
    assert init.variance(30, 50) == pytest.approx(value(variance, **names))
    assert value(limit, **names) == pytest.approx(math.sqrt(3 * init.variance(30, 50)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_kept(name):
    """At equal widths, from where the page starts: Var(z) = 1 for gains, E[x²] = 1 for others."""
    g = theory.gain(name)
    init = ours(code(ACTIVATIONS[name][1]), g=g, alpha=0.01)
    start = 1 / g**2 if "g**2" in ACTIVATIONS[name][1] else 1.0
    found = theory.predict((64,) * 101, name, init, start)
    text, late = WHAT_IS_KEPT[name], slice(50, -1)  # sigmoid takes a few layers to settle
    keeps_z = np.ptp(np.log(found.var_z[late])) < 1e-6
    keeps_dz = np.ptp(np.log(found.backward[late])) < 1e-6
    assert keeps_z == ("Var(z)" in text)
    assert keeps_dz == (text.endswith("E[dz²]"))
    if "grows by" in text:
        percent = int(re.search(r"grows by (\d) %", text)[1])
        assert round(100 * (found.factor[50] - 1)) == percent
    if "1/(2·depth)" in text:
        assert 2 * 95 * found.mean_square_a[94] == pytest.approx(1, rel=0.03)
        products = np.cumprod(found.factor)
        assert products[90] * 91 == pytest.approx(products[45] * 46, rel=0.02)
    if "vanishes" in text:
        assert found.factor[50] < 0.1
        # Under its gain, too.
        scaled = theory.predict((64,) * 20, name, inits.variance_scaling(g**2), 1 / g**2)
        assert scaled.factor[10] < 0.2


@pytest.mark.parametrize("name", ["gelu", "silu", "elu", "selu", "tanh", "relu"])
def test_which_gains_are_stable(name):
    """A start 1 % off is worse after 20 layers, or better."""
    g = theory.gain(name)
    q = theory.predict((64,) * 22, name, inits.variance_scaling(g**2), 1.01 / g**2).var_z
    stable = abs(q[20] - 1) < 0.0101
    assert stable == ("not stably" not in WHAT_IS_KEPT[name])


def test_gains_of_torch():
    """Theirs for tanh is 5/3, ours is what the definition says."""
    torch = pytest.importorskip("torch")
    assert torch.nn.init.calculate_gain("tanh") == pytest.approx(5 / 3)
    assert torch.nn.init.calculate_gain("relu") == pytest.approx(theory.gain("relu"))
    assert abs(theory.gain("tanh") - 5 / 3) > 0.07


def test_a_mix_up_of_two_names_would_be_noticed():
    named = [ours(call) for call in dict.fromkeys(code(r[0]) for r in PYTORCH + JAX_AND_KERAS)]
    assert len(named) == 10
    for one, other in itertools.permutations(named, 2):
        with pytest.raises(AssertionError):
            assert_same(one, other(np.random.default_rng(1), FANS))


# -------------------------------------------------------------------------------------------- JAX


@pytest.mark.parametrize("row", JAX_AND_KERAS, ids=lambda row: row[0])
def test_jax(row):
    theirs = eval(code(row[1]), vars(jax.nn.initializers).copy())
    assert_same(normal_if_cut(code(row[0]), "†" in row[1]), theirs(jax.random.key(0), FANS))


def test_default_of_jax():
    (row,) = (row for row in DEFAULTS if "stax" in row[0])
    make, _ = eval(code(row[0]), {"jax": jax})(FANS[1])
    _, (W, b) = make(jax.random.PRNGKey(0), (-1, FANS[0]))
    assert_same(normal_if_cut(code(row[1]), "†" in row[1]), W)
    assert row[2] == "N(0, 0.01²)"
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
    assert row[2] == "U[−1/√n_in, 1/√n_in]"
    b = layer.bias.detach().numpy()
    assert stats.kstest(b, stats.uniform(-(200**-0.5), 2 * 200**-0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("row", JAX_AND_KERAS, ids=lambda row: row[0])
def test_keras(row):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    theirs = eval(code(row[2]), vars(keras.initializers).copy())
    assert_same(normal_if_cut(code(row[0]), "†" in row[2]), theirs(FANS))


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
