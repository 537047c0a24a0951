r"""Normalisers: what gives pre-activations mean 0 and variance 1, whatever the weights.

A :class:`Normaliser` looks along one axis: batch normalisation at a unit over the examples of the
batch, layer normalisation at an example over the units of the layer. So under batch normalisation
the examples of a batch depend on each other.
"""

from dataclasses import dataclass

import numpy as np

from nnlab import checks
from nnlab.checks import Floats

#: Added to a variance before it divides, as frameworks do.
EPSILON = 1e-5


@dataclass(frozen=True)
class Normaliser:
    r"""Subtract the mean, divide by the standard deviation, multiply by γ and add β.

    .. math:: h = \gamma\,\hat z + \beta, \qquad
        \hat z = \frac{z - \bar z}{\sqrt{\sigma^2 + 10^{-5}}}

    Parameters
    ----------
    name : str
        What it is called.
    axis : int
        Over which axis of (..., batch, units) mean and variance are taken.

    Examples
    --------
    >>> batch_norm, layer_norm
    (Normaliser(name='batch_norm', axis=-2), Normaliser(name='layer_norm', axis=-1))

    References
    ----------
    Ioffe and Szegedy (2015); Ba, Kiros and Hinton (2016).
    """

    name: str
    axis: int

    def forward(
        self, Z: Floats, gamma: Floats, beta: Floats, hat: Floats, rate: Floats, out: Floats
    ) -> None:
        """Write γ ẑ + β into ``out``; keep ẑ and the factor 1/√(σ² + 1e-5) for the way back.

        Parameters
        ----------
        Z : ndarray (..., batch, units)
            Pre-activations.
        gamma, beta : ndarray (..., units)
            γ and β.
        hat, out : ndarray (..., batch, units)
            Where to write ẑ and the result.
        rate : ndarray (..., 1, units) or (..., batch, 1)
            Where to write the factor; its axis of length 1 is ``axis``. NaN where σ² overflows.

        Examples
        --------
        >>> Z, hat, out, rate = np.array([[1.0], [5.0]]), *np.empty((2, 2, 1)), np.empty((1, 1))
        >>> batch_norm.forward(Z, np.array([2.0]), np.array([3.0]), hat, rate, out)
        >>> out.round(4).tolist()
        [[1.0], [5.0]]
        """
        np.subtract(Z, Z.mean(self.axis, keepdims=True), out=hat)
        np.square(hat, out=out)
        rate[...] = 1 / np.sqrt(out.mean(self.axis, keepdims=True) + Z.dtype.type(EPSILON))
        if not rate.all():  # A variance that overflowed must not pass for a signal of 0.
            rate[rate == 0] = np.nan
        np.multiply(hat, rate, out=hat)
        np.multiply(hat, gamma[..., None, :], out=out)
        np.add(out, beta[..., None, :], out=out)

    def backward(
        self,
        dH: Floats,
        gamma: Floats,
        hat: Floats,
        rate: Floats,
        dgamma: Floats,
        dbeta: Floats,
        spare: Floats,
    ) -> None:
        r"""Turn ∂L/∂h into ∂L/∂z, in place, and fill in the gradients of γ and β.

        What would move a mean or a variance is undone by it, so it is taken out of the gradient:

        .. math::
            \frac{\partial L}{\partial z} = \frac{\gamma\, dh - \overline{\gamma\, dh}
            - \hat z\, \overline{\gamma\, dh\, \hat z}}{\sqrt{\sigma^2 + 10^{-5}}}

        Parameters
        ----------
        dH : ndarray (..., batch, units)
            ∂L/∂h; becomes ∂L/∂z.
        gamma, hat, rate : ndarray
            As :meth:`forward` had them and left them.
        dgamma, dbeta : ndarray (..., units)
            Where to write ∂L/∂γ and ∂L/∂β.
        spare : ndarray (..., batch, units)
            Is overwritten.

        Examples
        --------
        A nudge of all z alike changes nothing, so there is nothing to gain from one:

        >>> hat, rate, spare = np.array([[1.0], [-1.0]]), np.ones((1, 1)), np.empty((2, 1))
        >>> dH, dgamma, dbeta = np.array([[1.0], [1.0]]), *np.empty((2, 1))
        >>> batch_norm.backward(dH, np.ones(1), hat, rate, dgamma, dbeta, spare)
        >>> dH.tolist(), dgamma.tolist(), dbeta.tolist()
        ([[0.0], [0.0]], [0.0], [2.0])
        """
        np.einsum("...bu->...u", dH, out=dbeta)
        np.multiply(dH, hat, out=spare)
        np.einsum("...bu->...u", spare, out=dgamma)
        np.multiply(dH, gamma[..., None, :], out=dH)
        np.multiply(dH, hat, out=spare)
        np.multiply(hat, spare.mean(self.axis, keepdims=True), out=spare)
        np.subtract(dH, dH.mean(self.axis, keepdims=True), out=dH)
        np.subtract(dH, spare, out=dH)
        np.multiply(dH, rate, out=dH)


batch_norm = Normaliser("batch_norm", -2)
layer_norm = Normaliser("layer_norm", -1)

#: All of them, by name.
NORMALISERS = {each.name: each for each in (batch_norm, layer_norm)}


def get(normaliser: str | Normaliser | None) -> Normaliser | None:
    """Return the normaliser of that name; None is none.

    Parameters
    ----------
    normaliser : str, Normaliser or None
        One of :data:`NORMALISERS`, or the object itself.

    Returns
    -------
    Normaliser or None

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> get("layer_norm") is layer_norm, get(None)
    (True, None)
    """
    if normaliser is None or isinstance(normaliser, Normaliser):
        return normaliser
    return NORMALISERS[checks.one_of("normaliser", normaliser, NORMALISERS)]
