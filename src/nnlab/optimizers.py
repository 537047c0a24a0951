r"""How a gradient becomes a step: rules that act on one flat vector.

An optimiser is a frozen recipe. ``start(theta)`` returns a function ``step(gradient)`` that moves
``theta`` in place and keeps whatever memory the rule needs, so one recipe serves many networks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import EllipsisType

import numpy as np

from nnlab import checks
from nnlab.checks import Floats

Rate = float | Floats
Step = Callable[[Floats], None]

# So many parameters are moved at once: few enough to stay in the processor's cache meanwhile.
BLOCK = 1 << 16


def _check_lr(lr: Rate) -> None:
    """Accept a number, or an array that gives each entry of theta a rate of its own."""
    if not isinstance(lr, np.ndarray):
        checks.number("lr", lr, low=0)
    elif lr.dtype.kind != "f" or (checks.finite("lr", lr) < 0).any():
        raise ValueError("lr must be a number of at least 0, or an array of such floats")


def _rate(lr: Rate, theta: Floats) -> Floats | np.floating:
    """Return ``lr`` in the dtype of ``theta``, so that nothing is upcast on the way."""
    if isinstance(lr, np.ndarray):
        lr = checks.finite("lr", checks.array("lr", lr, theta.dtype))
        try:
            rates = np.empty_like(theta)
            rates[...] = np.broadcast_to(lr, theta.shape)
            return rates
        except ValueError:
            raise ValueError(
                f"lr must broadcast to theta's shape {theta.shape}; got shape {lr.shape}"
            ) from None
    return checks.scalar("lr", lr, theta.dtype)


def for_members(
    optimizer: "SGD | Adam", theta: Floats, members: slice | EllipsisType
) -> "SGD | Adam":
    """Return the rule for some members of an ensemble: of rates in an array, theirs.

    Parameters
    ----------
    optimizer : SGD or Adam
        The rule for all of them.
    theta : ndarray (..., n_parameters)
        The parameters of all of them.
    members : slice
        Which of the first axis; ``...`` for all.

    Returns
    -------
    SGD or Adam

    Examples
    --------
    >>> for_members(SGD(np.array([[0.1], [0.2]])), np.zeros((2, 3)), slice(1, 2)).lr
    array([[0.2, 0.2, 0.2]])
    """
    if not isinstance(optimizer.lr, np.ndarray):
        return optimizer
    return replace(optimizer, lr=np.asarray(_rate(optimizer.lr, theta))[members])


def _blocks(theta: Floats) -> list[tuple[EllipsisType, slice]]:
    """Return the indices of blocks that cover the last axis of ``theta``."""
    return [(..., slice(i, i + BLOCK)) for i in range(0, theta.shape[-1], BLOCK)]


@dataclass(frozen=True)
class SGD:
    r"""Stochastic gradient descent, with momentum if asked for.

    .. math:: v \leftarrow \mu v + \nabla L, \qquad \theta \leftarrow \theta - \eta\, v

    Parameters
    ----------
    lr : float or ndarray
        The learning rate η, at least 0. An array that broadcasts to ``theta`` gives every
        parameter its own rate.
    momentum : float
        μ, from 0 (plain gradient descent) up to, not including, 1.

    Raises
    ------
    TypeError, ValueError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, 2.0])
    >>> step = SGD(lr=0.1).start(theta)
    >>> step(np.array([1.0, 0.0]))
    >>> theta
    array([0.9, 2. ])
    """

    lr: Rate
    momentum: float = 0.0

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        if checks.number("momentum", self.momentum, low=0) >= 1:
            raise ValueError(f"momentum must be less than 1; got {self.momentum}")

    def start(self, theta: Floats) -> Step:
        """Begin anew, without memory of earlier steps.

        Parameters
        ----------
        theta : ndarray
            The parameters.

        Returns
        -------
        callable
            ``step(gradient)``, which moves ``theta`` in place.
        """
        checks.parameters(theta)
        lr, velocity = _rate(self.lr, theta), np.zeros_like(theta) if self.momentum else None
        buffer, blocks = np.empty_like(theta[..., :BLOCK]), _blocks(theta)

        def step(gradient: Floats) -> None:
            for block in blocks:
                g, t = gradient[block], theta[block]
                move = buffer[..., : t.shape[-1]]
                if velocity is not None:
                    v = velocity[block]
                    np.multiply(v, self.momentum, out=v)
                    g = np.add(v, g, out=v)
                np.multiply(g, lr[block] if isinstance(lr, np.ndarray) else lr, out=move)
                np.subtract(t, move, out=t)

        return step


@dataclass(frozen=True)
class Adam:
    r"""Adam: a step of about η a parameter, whatever the size of its gradient.

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) \nabla L \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) (\nabla L)^2 \\
        \theta &\leftarrow \theta - \eta\,\hat m / (\sqrt{\hat v} + \epsilon)

    In step t, :math:`\hat m = m/(1 - \beta_1^t)` and :math:`\hat v = v/(1 - \beta_2^t)`.

    Parameters
    ----------
    lr : float or ndarray
        The learning rate η, at least 0. An array that broadcasts to ``theta`` gives every
        parameter its own rate.
    beta1, beta2 : float
        Decay of the mean of the gradient and of its square, in [0, 1).
    epsilon : float
        Keeps the division finite; greater than 0.

    Raises
    ------
    TypeError, ValueError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, 2.0])
    >>> step = Adam(lr=0.1).start(theta)
    >>> step(np.array([5.0, 0.001]))
    >>> theta.round(3)
    array([0.9, 1.9])

    References
    ----------
    Kingma and Ba (2015), "Adam: a method for stochastic optimization", algorithm 1.
    """

    lr: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        for name in ("beta1", "beta2"):
            if checks.number(name, getattr(self, name), low=0) >= 1:
                raise ValueError(f"{name} must be less than 1; got {getattr(self, name)}")
        checks.number("epsilon", self.epsilon, above=0)

    def start(self, theta: Floats) -> Step:
        """Begin anew, without memory of earlier steps.

        Parameters
        ----------
        theta : ndarray
            The parameters.

        Returns
        -------
        callable
            ``step(gradient)``, which moves ``theta`` in place.
        """
        checks.parameters(theta)
        if not checks.scalar("epsilon", self.epsilon, theta.dtype):
            raise ValueError(f"epsilon must not be 0 in {theta.dtype}; got {self.epsilon!r}")
        lr, mean, square = _rate(self.lr, theta), np.zeros_like(theta), np.zeros_like(theta)
        buffers, blocks = [np.empty_like(theta[..., :BLOCK]) for _ in range(2)], _blocks(theta)
        count = 0

        def step(gradient: Floats) -> None:
            nonlocal count
            count += 1
            for block in blocks:
                g, t, m, v = (each[block] for each in (gradient, theta, mean, square))
                move, root = (each[..., : t.shape[-1]] for each in buffers)
                np.multiply(g, 1 - self.beta1, out=move)
                np.multiply(m, self.beta1, out=m)
                np.add(m, move, out=m)
                np.multiply(g, 1 - self.beta2, out=move)
                np.multiply(move, g, out=move)
                np.multiply(v, self.beta2, out=v)
                np.add(v, move, out=v)
                np.divide(v, 1 - self.beta2**count, out=root)
                np.sqrt(root, out=root)
                np.add(root, self.epsilon, out=root)
                np.divide(m, 1 - self.beta1**count, out=move)
                np.multiply(move, lr[block] if isinstance(lr, np.ndarray) else lr, out=move)
                np.divide(move, root, out=move)
                np.subtract(t, move, out=t)

        return step
