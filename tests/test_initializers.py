"""Every initialiser draws from the distribution that it names, and knows its own variance."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import assert_close
from scipy import stats

from nnlab import initializers as inits
from nnlab.initializers import INITIALIZERS, truncated_std
from nnlab.network import MLP

FANS = 30, 50
DRAWS = 40  # of shape FANS, so 60,000 numbers
N = DRAWS * math.prod(FANS)
# Of a normal that is cut off at ±2 of its standard deviations.
CUT_STD = stats.truncnorm(-2, 2).std()
DISTRIBUTIONS = {
    "normal": lambda std: stats.norm(scale=std),
    "uniform": lambda std: stats.uniform(-math.sqrt(3) * std, 2 * math.sqrt(3) * std),
    "truncated_normal": lambda std: stats.truncnorm(-2, 2, scale=std / CUT_STD),
}
# Name, arguments, the standard deviation expected for FANS, distribution.
TABLE = [
    ("normal", (), 1, "normal"),
    ("normal", (0.01,), 0.01, "normal"),
    ("uniform", (), 1 / math.sqrt(3), "uniform"),
    ("uniform", (0.05,), 0.05 / math.sqrt(3), "uniform"),
    ("truncated_normal", (), CUT_STD, "truncated_normal"),
    ("truncated_normal", (0.05,), 0.05 * CUT_STD, "truncated_normal"),
    ("variance_scaling", (), math.sqrt(1 / 30), "normal"),
    ("variance_scaling", (3, "fan_out", "uniform"), math.sqrt(3 / 50), "uniform"),
    ("variance_scaling", (3, "fan_avg", "truncated_normal"), math.sqrt(3 / 40), "truncated_normal"),
    ("variance_scaling", (3, "fan_in", "truncated_normal"), math.sqrt(3 / 30), "truncated_normal"),
    ("fan_in_uniform", (), math.sqrt(1 / 90), "uniform"),
    ("lecun_normal", (), math.sqrt(1 / 30), "normal"),
    ("lecun_uniform", (), math.sqrt(1 / 30), "uniform"),
    ("xavier_normal", (), math.sqrt(2 / 80), "normal"),
    ("xavier_uniform", (), math.sqrt(2 / 80), "uniform"),
    ("xavier_uniform", (5 / 3,), 5 / 3 * math.sqrt(2 / 80), "uniform"),
    ("glorot_normal", (0.5,), 0.5 * math.sqrt(2 / 80), "normal"),
    ("glorot_uniform", (), math.sqrt(2 / 80), "uniform"),
    ("he_normal", (), math.sqrt(2 / 30), "normal"),
    ("he_normal", (0.5,), math.sqrt(1.6 / 30), "normal"),
    ("he_uniform", (), math.sqrt(2 / 30), "uniform"),
    ("kaiming_normal", (), math.sqrt(2 / 30), "normal"),
    ("kaiming_uniform", (math.sqrt(5),), math.sqrt(1 / 90), "uniform"),
]
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
NAMES = {name: INITIALIZERS[name]() for name in INITIALIZERS} | {"constant": inits.constant(0.5)}
every_name = pytest.mark.parametrize("init", NAMES.values(), ids=NAMES)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_name_is_in_the_table():
    assert {name for name, *_ in TABLE} | {"zeros", "orthogonal"} == set(INITIALIZERS)


@both_dtypes
@pytest.mark.parametrize(("name", "arguments", "std", "kind"), TABLE)
def test_distribution(name, arguments, std, kind, dtype):
    init, distribution = INITIALIZERS[name](*arguments), DISTRIBUTIONS[kind](std)
    W = init(rng(), (DRAWS, *FANS), dtype)
    assert W.shape == (DRAWS, *FANS)
    assert W.dtype == dtype
    # Four standard errors, of the mean and of the standard deviation of N draws.
    kurtosis = float(distribution.stats("k")) + 3
    assert abs(W.mean(dtype=float)) < 4 * std / math.sqrt(N)
    assert abs(W.std(dtype=float) / std - 1) < 4 * math.sqrt((kurtosis - 1) / (4 * N))
    assert stats.kstest(W.ravel(), distribution.cdf).pvalue > 1e-3
    assert init.std(*FANS) == pytest.approx(std, rel=1e-12)
    assert init.variance(*FANS) == pytest.approx(std**2, rel=1e-12)


@both_dtypes
@pytest.mark.parametrize(
    ("init", "value"), [(inits.zeros(), 0), (inits.constant(-0.3), -0.3)], ids=str
)
def test_a_constant_is_constant(init, value, dtype):
    np.testing.assert_array_equal(init(rng(), (2, 3), dtype), np.full((2, 3), value, dtype))
    assert init.variance(*FANS) == init.std(*FANS) == 0


@pytest.mark.parametrize("gain", [1, 1.5])
@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 5), (3, 7), (7, 3), (1, 6), (6, 1), (4, 5, 3), (2, 3, 4, 6)], ids=str
)
def test_orthogonal(shape, gain):
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        W = inits.orthogonal(gain)(rng(), shape, dtype)
        assert W.shape == shape
        assert W.dtype == dtype
        short = W if shape[-2] < shape[-1] else W.swapaxes(-1, -2)
        product, unit = short @ short.swapaxes(-1, -2), gain**2 * np.eye(min(shape[-2:]))
        np.testing.assert_allclose(product, np.broadcast_to(unit, product.shape), atol=tolerance)


@pytest.mark.parametrize("shape", [(3, 3), (3, 2), (2, 3)], ids=str)
def test_orthogonal_prefers_no_direction(shape):
    # On a sphere in three dimensions every coordinate is uniform (Archimedes).
    W = inits.orthogonal()(rng(), (10_000, *shape))
    for i, j in np.ndindex(shape):
        assert stats.kstest(W[:, i, j], stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert inits.orthogonal(2.0).variance(*shape) == pytest.approx(4 * W.var(), rel=1e-12, abs=0.01)
    assert inits.orthogonal(2.0).variance(*shape) == pytest.approx(4 / 3, rel=1e-15)


@given(st.floats(0.01, 8))
def test_truncated_std(cut):
    # scipy subtracts nearly equal numbers where the cut is small.
    assert truncated_std(cut) == pytest.approx(stats.truncnorm(-cut, cut).std(), rel=1e-9)


def test_a_truncated_normal_has_nothing_beyond_the_cut_and_a_normal_has():
    # 4.55 % of a normal lie beyond ±2; the largest of N draws is near the edge.
    beyond = {
        name: np.abs(INITIALIZERS[name](1.0)(rng(), (N,))) > 2
        for name in ("normal", "truncated_normal")
    }
    assert not beyond["truncated_normal"].any()
    share = 2 * stats.norm.sf(2)
    assert beyond["normal"].mean() == pytest.approx(share, abs=4 * math.sqrt(share / N))


@pytest.mark.parametrize(
    ("init", "limit"),
    [
        (inits.uniform(0.3), 0.3),
        (inits.fan_in_uniform(), 1 / math.sqrt(30)),
        (inits.lecun_uniform(), math.sqrt(3 / 30)),
        (inits.xavier_uniform(), math.sqrt(6 / 80)),
        (inits.he_uniform(), math.sqrt(6 / 30)),
    ],
    ids=str,
)
def test_a_uniform_reaches_its_limit_and_stops_there(init, limit):
    W = init(rng(), (DRAWS, *FANS))
    assert limit * (1 - 1e-3) < -W.min() <= limit
    assert limit * (1 - 1e-3) < W.max() <= limit


@both_dtypes
@every_name
def test_the_same_seed_gives_the_same_bits(init, dtype):
    W = [init(rng(seed), (3, 4, 5), dtype) for seed in (1, 1, 2)]
    assert W[0].tobytes() == W[1].tobytes()
    assert (W[0].tobytes() == W[2].tobytes()) == isinstance(init, inits.Constant)


def test_float32_is_drawn_in_float32():
    normal, uniform = (draw((3, 4), np.float32) for draw in (rng().standard_normal, rng().random))
    found = inits.normal(0.5)(rng(), (3, 4), np.float32)
    np.testing.assert_array_equal(found, normal / 2)
    found = inits.uniform(0.5)(rng(), (3, 4), np.float32)
    np.testing.assert_array_equal(found, uniform - np.float32(0.5))


@pytest.mark.parametrize("init", [each for each in NAMES.values() if each.std(1, 1)], ids=str)
def test_layers_and_members_are_independent(init):
    net = MLP((40, 40, 40, 40), init=init, bias_init=inits.normal(), ensemble=2, rng=rng())
    # 2 members × 3 layers × (weights, biases): 6 rows of 1600 and 6 of 40 numbers.
    for rows in (np.stack(net.W, 1).reshape(6, -1), np.stack(net.b, 1).reshape(6, -1)):
        r = np.corrcoef(rows)[np.triu_indices(6, 1)]
        assert np.abs(r).max() < 4 / math.sqrt(rows.shape[1])


def test_the_weights_of_one_matrix_are_independent():
    W = inits.normal()(rng(), (20_000, 3, 4)).reshape(20_000, 12)
    assert np.abs(np.corrcoef(W.T) - np.eye(12)).max() < 4.5 / math.sqrt(20_000)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ("inits.zeros()", "Constant(value=0.0)"),
        ("inits.constant(2)", "Constant(value=2)"),
        ("inits.normal(0.01)", "Fixed(distribution='normal', spread=0.01)"),
        ("inits.truncated_normal()", "Fixed(distribution='truncated_normal', spread=1.0)"),
        ("inits.orthogonal()", "Orthogonal(gain=1.0)"),
        (
            "inits.he_normal()",
            "VarianceScaling(scale=2.0, mode='fan_in', distribution='normal')",
        ),
    ],
)
def test_an_initialiser_prints_what_it_is(made, text):
    init = eval(made)
    assert repr(init) == text
    assert eval(repr(init), vars(inits)) == init
    assert inits.get(init) is init


def test_aliases():
    for alias, name in (("glorot", "xavier"), ("kaiming", "he")):
        for kind in ("normal", "uniform"):
            assert inits.get(f"{alias}_{kind}") == inits.get(f"{name}_{kind}")


# Theirs take the key and the shape (fan_in, fan_out) too; their 'normal' schemes are truncated.
JAX = jax.nn.initializers
IN_JAX = {
    "lecun_uniform": (inits.lecun_uniform(), JAX.lecun_uniform()),
    "xavier_uniform": (inits.xavier_uniform(), JAX.glorot_uniform()),
    "he_uniform": (inits.he_uniform(), JAX.he_uniform()),
    "normal": (inits.normal(0.3), JAX.normal(0.3)),
    "truncated_normal": (inits.truncated_normal(0.3), JAX.truncated_normal(0.3)),
    "orthogonal": (inits.orthogonal(1.5), JAX.orthogonal(1.5)),
    **{
        f"{mode} {kind}": (
            inits.variance_scaling(2, mode, kind),
            JAX.variance_scaling(2, mode, kind),
        )
        for mode in inits.MODES
        for kind in inits.DISTRIBUTIONS
    },
}


def assert_same_distribution(ours, theirs):
    """Two samples of the same size: standard deviations within four standard errors, and KS."""
    assert ours.shape == theirs.shape
    # √(2/4N)·√(kurtosis − 1), with the largest kurtosis there is, 3.
    assert abs(theirs.std() / ours.std() - 1) < 4 / math.sqrt(ours.size)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize(("ours", "theirs"), IN_JAX.values(), ids=IN_JAX)
def test_parity_with_jax(ours, theirs):
    shape = 100, 400  # so a transpose would show
    assert_same_distribution(ours(rng(), shape), np.asarray(theirs(jax.random.key(0), shape)))


TORCH = [  # ours, theirs in torch.nn.init with arguments
    (inits.fan_in_uniform(), "kaiming_uniform_", {"a": math.sqrt(5)}),
    (inits.xavier_normal(), "xavier_normal_", {}),
    (inits.xavier_uniform(5 / 3), "xavier_uniform_", {"gain": 5 / 3}),
    (inits.he_normal(), "kaiming_normal_", {"nonlinearity": "relu"}),
    (inits.he_normal(0.2), "kaiming_normal_", {"a": 0.2}),
    (inits.he_uniform(), "kaiming_uniform_", {"nonlinearity": "relu"}),
    (
        inits.variance_scaling(2.0, "fan_out"),
        "kaiming_normal_",
        {"mode": "fan_out", "nonlinearity": "relu"},
    ),
    (inits.normal(0.3), "normal_", {"std": 0.3}),
    (inits.uniform(0.3), "uniform_", {"a": -0.3, "b": 0.3}),
    (inits.truncated_normal(0.3), "trunc_normal_", {"std": 0.3, "a": -0.6, "b": 0.6}),
    (inits.orthogonal(1.5), "orthogonal_", {"gain": 1.5}),
    (inits.fan_in_uniform(), "the default of Linear", None),
]


@pytest.mark.parametrize(("ours", "name", "arguments"), TORCH, ids=lambda value: str(value)[:60])
def test_parity_with_torch(ours, name, arguments):
    torch = pytest.importorskip("torch")
    fan_in, fan_out = 100, 400
    torch.manual_seed(0)
    layer = torch.nn.Linear(fan_in, fan_out, dtype=torch.float64)
    if arguments is not None:
        getattr(torch.nn.init, name)(layer.weight, **arguments)
    # PyTorch stores the transpose, (fan_out, fan_in).
    assert_same_distribution(ours(rng(), (fan_in, fan_out)), layer.weight.detach().numpy().T)


def test_mean_singular_value_under_xavier():
    """8/(3π) ≈ 0.849, against 0.490 under the usual heuristic: Glorot and Bengio, sec. 4.2.2."""
    for init, expected in (
        (inits.xavier_uniform(), 8 / (3 * math.pi)),
        (inits.fan_in_uniform(), 8 / (3 * math.pi) / math.sqrt(3)),
    ):
        values = np.linalg.svd(init(rng(), (4, 200, 200)), compute_uv=False)
        assert_close(values.mean(), expected, 0.005)
