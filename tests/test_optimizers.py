"""Each rule takes the steps that its formula says, in place, in the dtype of the parameters."""

import numpy as np
import pytest
import references
from hypothesis import given
from hypothesis import strategies as st

from nnlab.optimizers import SGD, Adam

RULES = {  # ours: (name and arguments in references.py; the same in torch.optim)
    SGD(0.1): (("SGD", {}), ("SGD", {})),
    SGD(0.1, momentum=0.9): (("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9})),
    Adam(0.1): (("Adam", {}), ("Adam", {})),
    Adam(0.1, 0.5, 0.7, 1e-3): (
        ("Adam", {"beta1": 0.5, "beta2": 0.7, "epsilon": 1e-3}),
        ("Adam", {"betas": (0.5, 0.7), "eps": 1e-3}),
    ),
}
rules = pytest.mark.parametrize("rule", RULES, ids=str)
GRADIENTS = np.random.default_rng(0).standard_normal((20, 5)) * np.logspace(-6, 6, 5)


def walk(rule, theta, gradients):
    """Where each step leads."""
    theta = theta.copy()
    step, path = rule.start(theta), []
    for gradient in gradients:
        assert step(gradient.astype(theta.dtype)) is None
        path.append(theta.copy())
    return np.array(path)


@pytest.mark.parametrize(
    ("rule", "gradients", "path"),
    [
        (SGD(0.5), [2, 2, -4], [-1, -2, 0]),
        (SGD(0), [2, 2], [0, 0]),
        # v = 2, 1 + 2 = 3, 1.5 − 4 = −2.5
        (SGD(0.5, momentum=0.5), [2, 2, -4], [-1, -2.5, -1.25]),
        # m̂ / √v̂ is exactly the sign of a gradient that stays the same.
        (Adam(0.1, epsilon=1e-300), [5, 5, 5], [-0.1, -0.2, -0.3]),
        (Adam(0.1, epsilon=1e-300), [-1e-6, -1e-6], [0.1, 0.2]),
        # m̂ = 1, then (½·½ + ½·0)/¾ = ⅓; v̂ = 1, then ⅓: 1/(1 + 1), then ⅓/(√⅓ + 1)
        (Adam(1, 0.5, 0.5, 1), [1, 0], [-1 / 2, -1 / 2 - (1 / 3) / (3**-0.5 + 1)]),
    ],
    ids=str,
)
def test_worked_by_hand(rule, gradients, path):
    gradients, path = np.array(gradients, float)[:, None], np.array(path)[:, None]
    np.testing.assert_allclose(walk(rule, np.zeros(1), gradients), path, rtol=1e-14, atol=1e-16)


@rules
def test_every_step_agrees_with_the_reference(rule):
    name, arguments = RULES[rule][0]
    theta = theirs = np.linspace(-1, 1, 5)
    memory = {}
    for step, ours in enumerate(walk(rule, theta, GRADIENTS)):
        theirs, memory = references.OPTIMIZERS[name](
            theirs, GRADIENTS[step], memory, 0.1, **arguments
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@rules
def test_every_step_agrees_with_torch(rule):
    torch = pytest.importorskip("torch")
    name, arguments = RULES[rule][1]
    theta = np.linspace(-1, 1, 5)
    theirs = torch.nn.Parameter(torch.tensor(theta))
    optimizer = getattr(torch.optim, name)([theirs], lr=0.1, **arguments)
    for step, ours in enumerate(walk(rule, theta, GRADIENTS)):
        theirs.grad = torch.tensor(GRADIENTS[step])
        optimizer.step()
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12, atol=1e-12)


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1))
def test_the_first_step_of_adam_has_the_length_lr(size, lr):
    assert walk(Adam(lr), np.zeros(1), np.array([[size]]))[0] == pytest.approx(-lr, rel=0.011)


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("more", [{}, {"memory": 0.5}], ids=["plain", "memory"])
def test_lr_may_differ_from_entry_to_entry(kind, more):
    arguments = {"momentum" if kind is SGD else "beta1": value for value in more.values()}
    lr, theta = np.array([0.0, 0.01, 0.5]), np.zeros((2, 3))
    gradients = np.random.default_rng(0).standard_normal((4, 2, 3))
    path = walk(kind(lr, **arguments), theta, gradients)
    for j in range(3):
        alone = walk(kind(lr[j], **arguments), theta[:, j], gradients[..., j])
        np.testing.assert_array_equal(path[..., j], alone)
    column = walk(kind(np.array([[0.1], [0.2]]), **arguments), theta, gradients)
    for i, each in enumerate((0.1, 0.2)):
        alone = walk(kind(each, **arguments), theta[i], gradients[:, i])
        np.testing.assert_array_equal(column[:, i], alone)


@rules
def test_two_starts_share_nothing(rule):
    theta = np.linspace(-1, 1, 5)
    alone = walk(rule, theta, GRADIENTS)
    one, two = theta.copy(), theta.copy()
    step_one, step_two = rule.start(one), rule.start(two)
    for gradient, expected in zip(GRADIENTS, alone, strict=True):
        step_one(gradient)
        np.testing.assert_array_equal(one, expected)
        step_two(-3 * gradient)  # must not reach the other
    np.testing.assert_array_equal(two, walk(rule, theta, -3 * GRADIENTS)[-1])


@rules
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_the_gradient_left_alone(rule, dtype):
    theta, gradient = np.ones(5, dtype), GRADIENTS[0].astype(dtype)
    before = gradient.copy()
    step = rule.start(theta)
    step(gradient)
    step(gradient)
    assert theta.dtype == dtype
    np.testing.assert_array_equal(gradient, before)
    steps = np.tile(GRADIENTS[0], (2, 1))
    np.testing.assert_allclose(theta, walk(rule, np.ones(5), steps)[-1], rtol=1e-5, atol=1e-5)


@rules
@pytest.mark.parametrize("view", [np.s_[::2], np.s_[1:6]], ids=str)
def test_a_view_is_moved_in_place(rule, view):
    whole = np.zeros(10)
    step = rule.start(whole[view])
    step(GRADIENTS[0])
    np.testing.assert_array_equal(whole[view], walk(rule, np.zeros(5), GRADIENTS[:1])[0])
    assert np.count_nonzero(whole) == 5
