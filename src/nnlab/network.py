r"""A fully connected network whose parameters are one flat vector.

With X of shape (batch, fan_in) and W of shape (fan_in, fan_out), a layer is ``Z = X @ W + b`` and
``A = φ(Z)``; the last layer has no φ, its Z are the logits. ``W[l]`` and ``b[l]`` are views into
``theta``, so an optimiser moves one vector and a gradient check loops over one vector.

A shortcut of strength α and a normaliser N are two keywords, which a plain network never meets::

    Z = α (A @ W + b) + Z of the layer below      between hidden layers of equal width
    A = φ(H),   H = γ N(Z) + b                    N(Z) has mean 0 and variance 1

Z is then what runs past the layers; a branch normalises it, bends it and multiplies it (He et al.
2016, "pre-activation"). A layer has one bias: a normaliser would take away one before it, so there
``b`` comes after it, where it is mostly called β.

Parameters may carry leading axes. Then one :class:`MLP` is an *ensemble*: the same forward and
backward pass, broadcast by ``matmul``, runs a thousand networks at once. Many small networks
(:func:`many_small`) lie in memory with the members as the innermost axis, and are multiplied by
``einsum``, which then works on all members of one weight at once; ``matmul`` would call a routine
for matrices, made for large ones, a thousand times.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from types import EllipsisType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from nnlab import activations, checks, initializers, losses, normalisers
from nnlab.activations import Activation
from nnlab.checks import Floats
from nnlab.initializers import DType, Inits, Shape
from nnlab.losses import Loss
from nnlab.normalisers import Normaliser

# From so many networks on, it is better to work on all of them at once.
MANY = 100


def many_small(lead: Shape, sizes: Sequence[int]) -> bool:
    """Return whether it is better to work on all members at once than on one after the other.

    Parameters
    ----------
    lead : tuple of int
        The ensemble's axes.
    sizes : sequence of int
        Widths from the inputs to the outputs.

    Returns
    -------
    bool

    Examples
    --------
    >>> many_small((1000,), (2, 2, 1)), many_small((3,), (784, 500, 10))
    (True, False)
    """
    return math.prod(lead) >= MANY and max(a * b for a, b in pairwise(sizes)) <= 32


def _product(A: Floats, B: Floats, out: Floats) -> Floats:
    """``A @ B``, where the members are the innermost axis."""
    return np.einsum("...ij,...jk->...ik", A, B, out=out)


def _empty(lead: Shape, shape: Shape, dtype: DType, members_innermost: bool) -> Floats:
    """Return an array (*lead, *shape); the members are innermost in memory, or outermost."""
    if not members_innermost:
        return np.empty((*lead, *shape), dtype)
    axes = range(len(shape))
    return np.moveaxis(np.empty((*shape, *lead), dtype), axes, [i - len(shape) for i in axes])


class _Layers(tuple[Floats, ...]):
    """One array a layer. What is assigned to a layer, or to a slice, is written into its array."""

    def __setitem__(self, l: int | slice, value: Any) -> None:
        if isinstance(l, slice):
            _write(self[l], value)
        else:
            _write((self[l],), (value,))


def _write(arrays: Sequence[Floats], values: Any) -> None:
    """Write values into arrays: into all of them or, where one does not fit, into none."""
    if not isinstance(values, Sequence | np.ndarray):
        raise TypeError(f"a list of {len(arrays)} arrays must be assigned; got {values!r}")
    if len(values) != len(arrays):
        raise ValueError(f"a list of {len(arrays)} arrays must be assigned; got {len(values)}")
    pairs = list(zip(arrays, [checks.array("the value", each) for each in values], strict=True))
    for array, value in pairs:
        try:
            np.broadcast_to(value, array.shape)
        except ValueError:
            raise ValueError(
                f"the value must fit the shape {array.shape}; got shape {value.shape}"
            ) from None
    for array, value in pairs:
        array[...] = value


class _Layered(ABC):
    """An object that is made once: what is assigned is written into its arrays.

    So arrays that are views of each other stay views of each other, and nothing can be exchanged
    for something that does not fit the rest. Copies and pickles leave the views out and make them
    again, for else they would hold arrays of their own.
    """

    _arrays: ClassVar[tuple[str, ...]]
    _views: ClassVar[tuple[str, ...]]

    @abstractmethod
    def _make_views(self) -> dict[str, Any]:
        """Return the attributes named in ``_views``."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._arrays:
            raise AttributeError(
                f"{name} cannot be assigned: of {type(self).__name__}, only "
                f"{', '.join(self._arrays)} can, which writes into the arrays that are there"
            )
        here = getattr(self, name)
        if isinstance(here, _Layers):
            here[:] = value
        else:
            _write((here,), (value,))

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} cannot be deleted: {type(self).__name__} needs it")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        vars(self).update(self._make_views())


def _split(theta: Floats, sizes: Sequence[int]) -> tuple[_Layers, _Layers, _Layers]:
    """Return W, b and, if any parameters are left, γ: views into the last axis of ``theta``."""
    W: list[Floats] = []
    b: list[Floats] = []
    start = 0
    for fan_in, fan_out in pairwise(sizes):
        stop = start + fan_in * fan_out
        W.append(theta[..., start:stop].reshape(*theta.shape[:-1], fan_in, fan_out))
        b.append(theta[..., stop : stop + fan_out])
        start = stop + fan_out
    ends = accumulate(sizes[1:-1], initial=start) if start < theta.shape[-1] else ()
    gamma = _Layers(theta[..., start:stop] for start, stop in pairwise(ends))
    return _Layers(W), _Layers(b), gamma


class Signals(_Layered):
    """All that one forward and one backward pass compute, in buffers that can be used again.

    Parameters
    ----------
    net : MLP
        Says how many layers there are, how wide, and of which dtype.
    lead : tuple of int
        The ensemble's axes, written ``...`` below.
    batch_size : int
        Examples.

    What is assigned to an array is written into it; nothing else can be assigned.

    Attributes
    ----------
    X : ndarray (..., batch, fan_in)
        The batch that went in.
    Z, A : tuple of ndarray (..., batch, fan_out)
        Pre-activations and activations, layer by layer. ``A[-1]`` is ``Z[-1]``: the logits.
    H : tuple of ndarray (..., batch, fan_out)
        What φ acts on in the hidden layers: normalised Z, or, without a normaliser, Z itself.
    dZ : tuple of ndarray (..., batch, fan_out)
        Backward signals ∂L/∂Z, layer by layer, filled in by :meth:`MLP.backward`.
    dtheta : ndarray (..., n_parameters)
        The gradient of all parameters.
    dW : tuple of ndarray (..., fan_in, fan_out)
        Gradients of the weights, layer by layer: views into ``dtheta``.
    db : tuple of ndarray (..., fan_out)
        Gradients of the biases, layer by layer: views into ``dtheta``.
    dgamma : tuple of ndarray (..., fan_out)
        Gradients of γ in the hidden layers: views into ``dtheta``. Empty without a normaliser.

    Examples
    --------
    >>> import numpy as np
    >>> net = MLP((2, 3, 1), rng=np.random.default_rng(0))
    >>> signals = net.forward(np.ones((4, 2)))
    >>> [Z.shape for Z in signals.Z]
    [(4, 3), (4, 1)]
    """

    _arrays = ("Z", "A", "H", "dZ", "dtheta", "dW", "db", "dgamma")
    _views = ("A", "H", "dW", "db", "dgamma")

    X: Floats
    Z: _Layers
    A: _Layers
    H: _Layers
    dZ: _Layers
    dtheta: Floats
    dW: _Layers
    db: _Layers
    dgamma: _Layers
    _sizes: Shape
    _hidden: _Layers
    _slope: _Layers
    _normal: _Layers  # H, ẑ and 1/σ; empty without a normaliser
    _hat: _Layers
    _rate: _Layers

    def __init__(self, net: "MLP", lead: Shape, batch_size: int) -> None:
        def empty(*shape: int) -> Floats:
            return _empty(lead, shape, net.dtype, many_small(lead, net.sizes))

        def buffers(sizes: Iterable[int]) -> _Layers:
            return _Layers(empty(batch_size, size) for size in sizes)

        dtheta = empty(net.theta.shape[-1])
        dtheta[...] = 0
        hidden = net.sizes[1:-1]
        normal = () if net.normaliser is None else hidden
        over_batch = net.normaliser == normalisers.batch_norm

        self.__setstate__(
            {
                "X": None,
                "Z": buffers(net.sizes[1:]),
                "dZ": buffers(net.sizes[1:]),
                "dtheta": dtheta,
                "_sizes": net.sizes,
                "_hidden": buffers(hidden),
                "_slope": buffers(hidden),
                "_normal": buffers(normal),
                "_hat": buffers(normal),
                "_rate": _Layers(
                    empty(1, size) if over_batch else empty(batch_size, 1) for size in normal
                ),
            }
        )

    def _make_views(self) -> dict[str, Any]:
        dW, db, dgamma = _split(self.dtheta, self._sizes)
        A, H = _Layers((*self._hidden, self.Z[-1])), self._normal or _Layers(self.Z[:-1])
        return {"A": A, "H": H, "dW": dW, "db": db, "dgamma": dgamma}

    def members(self, part: slice | EllipsisType) -> "Signals":
        """Return the signals of some members, which are views of these.

        Parameters
        ----------
        part : slice
            Which of the ensemble's first axis; ``...`` for all.

        Returns
        -------
        Signals
            Without a batch.

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 1), rng=np.random.default_rng(0), ensemble=5)
        >>> net.forward(np.ones((4, 2))).members(slice(0, 2)).logits.shape
        (2, 4, 1)
        """
        some = object.__new__(Signals)
        state = {
            name: _Layers(each[part] for each in value) if isinstance(value, _Layers) else value
            for name, value in self.__getstate__().items()
        }
        some.__setstate__(state | {"X": None, "dtheta": self.dtheta[part]})
        return some

    @property
    def logits(self) -> Floats:
        """The network's outputs (..., batch, sizes[-1]), an ndarray."""
        return self.Z[-1]


class MLP(_Layered):
    r"""A multi-layer perceptron, or an ensemble of them.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the inputs to the outputs, for example ``(784, 500, 10)``.
    activation : str or Activation
        φ of the hidden layers; see :mod:`nnlab.activations`. The outputs have none.
    init : str or Initializer, or a sequence of them
        How the weights are drawn, one for all layers or one a layer; see
        :mod:`nnlab.initializers`.
    bias_init : str or Initializer, or a sequence of them
        How the biases are drawn. Schemes scaled by fans have no meaning here.
    rng : numpy.random.Generator
        Where the randomness comes from.
    ensemble : int or tuple of int
        Leading axes, written ``...`` below: how many independent networks to hold. ``()`` is a
        single one.
    dtype : numpy.dtype
        float64 or float32.
    normaliser : str or Normaliser, optional
        ``"batch_norm"`` or ``"layer_norm"``, of the hidden layers' pre-activations; see
        :mod:`nnlab.normalisers`. Batch normalisation takes mean and variance from the batch that
        it is given, always: nothing is stored, :func:`nnlab.training.evaluate` takes its whole set
        at once, and a batch holds at least two examples.
    shortcut : float, optional
        α: a hidden layer's Z is α times what its weights and bias make, plus the Z of the hidden
        layer below, wherever both are equally wide. The first layer and the outputs have none.

    Attributes
    ----------
    W : tuple of ndarray (..., fan_in, fan_out)
        Weights, layer by layer: views into :attr:`theta`. What is assigned to ``W``, to ``W[l]``
        or to a slice is written into it.
    b : tuple of ndarray (..., fan_out)
        Biases, layer by layer: views into :attr:`theta`, as ``W``. β in normalised layers.
    gamma : tuple of ndarray (..., fan_out)
        γ of the hidden layers, 1 at the start: views into :attr:`theta`, as ``W``. Empty without a
        normaliser.
    sizes : tuple of int
        Widths from the inputs to the outputs.
    activation : Activation
        φ of the hidden layers.
    dtype : numpy.dtype
        Of everything that is computed.
    normaliser : Normaliser or None
        Of the hidden layers.
    shortcut : float or None
        α.

    Raises
    ------
    ValueError, TypeError
        If a size is not a positive whole number, a name is unknown, there are not as many
        initialisers as layers, ``rng`` is not a Generator, or no layer can have the normaliser or
        the shortcut.

    Examples
    --------
    >>> import numpy as np
    >>> net = MLP((2, 2, 1), "tanh", "xavier_uniform", rng=np.random.default_rng(0))
    >>> net
    MLP(2-2-1, tanh, 9 parameters, float64)
    >>> net(np.zeros((4, 2))).shape
    (4, 1)

    A network of residual branches, x + ½ W φ(N(x)):

    >>> rng = np.random.default_rng(0)
    >>> MLP((2, 3, 3, 1), "relu", "he_normal", rng=rng, normaliser="layer_norm", shortcut=0.5)
    MLP(2-3-3-1, relu, layer_norm, shortcut 0.5, 31 parameters, float64)
    """

    _arrays = ("theta", "W", "b", "gamma")
    _views = ("W", "b", "gamma", "_alphas", "_product")

    #: All parameters (..., n_parameters), in the order W[0], b[0], W[1], b[1], …, gamma[0], …
    #: What is assigned is written into the same array.
    theta: Floats
    W: _Layers
    b: _Layers
    gamma: _Layers
    sizes: Shape
    activation: Activation
    dtype: DType
    normaliser: Normaliser | None
    shortcut: float | None
    _alphas: tuple[float | None, ...]
    _product: Callable[..., Floats]

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Activation = "tanh",
        init: Inits = "xavier_uniform",
        *,
        bias_init: Inits = "zeros",
        rng: np.random.Generator,
        ensemble: int | Sequence[int] = (),
        dtype: DTypeLike = np.float64,
        normaliser: str | Normaliser | None = None,
        shortcut: float | None = None,
    ) -> None:
        sizes, dtype = checks.sizes(sizes), checks.float_dtype(dtype)
        if isinstance(ensemble, Sequence):
            ensemble = checks.shape("ensemble", ensemble)
        else:
            ensemble = (checks.positive_int("ensemble", ensemble),)
        n_parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
        normaliser = normalisers.get(normaliser)
        if normaliser is not None:
            if len(sizes) == 2:
                raise ValueError(f"normaliser needs a hidden layer; sizes {sizes} have none")
            n_parameters += sum(sizes[1:-1])
        self.__setstate__(
            {
                "sizes": sizes,
                "activation": activations.get(activation),
                "dtype": dtype,
                "normaliser": normaliser,
                "shortcut": shortcut,
                "theta": _empty(ensemble, (n_parameters,), dtype, many_small(ensemble, sizes)),
            }
        )
        inits = initializers.one_a_layer("init", init, self.depth)
        bias_inits = initializers.one_a_layer("bias_init", bias_init, self.depth)
        for each in bias_inits:
            if each.needs_fans:
                raise ValueError(f"bias_init must not depend on fans: a bias has none; got {each}")
        for W, b, draw_W, draw_b in zip(self.W, self.b, inits, bias_inits, strict=True):
            W[...] = draw_W(rng, W.shape, self.dtype)
            b[...] = draw_b(rng, b.shape, self.dtype)
        for gamma in self.gamma:
            gamma[...] = 1

    def _make_views(self) -> dict[str, Any]:
        W, b, gamma = _split(self.theta, self.sizes)
        alphas = checks.shortcuts(self.shortcut, self.sizes)
        product = _product if many_small(self.ensemble, self.sizes) else np.matmul
        return {"W": W, "b": b, "gamma": gamma, "_alphas": alphas, "_product": product}

    @property
    def depth(self) -> int:
        """The number of layers that have weights."""
        return len(self.sizes) - 1

    @property
    def ensemble(self) -> Shape:
        """The leading axes; ``()`` for a single network."""
        return self.theta.shape[:-1]

    def __repr__(self) -> str:
        copies = "".join(f"{size} x " for size in self.ensemble)
        normaliser = "" if self.normaliser is None else f"{self.normaliser.name}, "
        shortcut = "" if self.shortcut is None else f"shortcut {self.shortcut:.4g}, "
        return (
            f"MLP({copies}{'-'.join(map(str, self.sizes))}, {self.activation.name}, "
            f"{normaliser}{shortcut}"
            f"{self.theta.shape[-1]} parameters, {self.dtype})"
        )

    def with_theta(self, theta: Floats) -> "MLP":
        """Return a network of the same kind whose parameters are ``theta`` itself, not a copy.

        Parameters
        ----------
        theta : ndarray (..., n_parameters)
            Its leading axes become the ensemble.

        Returns
        -------
        MLP

        Raises
        ------
        ValueError
            If it is not an array of that many floats.

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 1), rng=np.random.default_rng(0))
        >>> net.with_theta(np.zeros((100, 3)))
        MLP(100 x 2-1, tanh, 3 parameters, float64)
        """
        if not isinstance(theta, np.ndarray) or theta.shape[-1:] != self.theta.shape[-1:]:
            raise ValueError(
                f"theta must be an ndarray (..., {self.theta.shape[-1]}); got "
                f"{f'shape {theta.shape}' if isinstance(theta, np.ndarray) else repr(theta)}"
            )
        checks.float_dtype(theta.dtype)
        other = object.__new__(MLP)
        other.__setstate__(self.__getstate__() | {"theta": theta, "dtype": theta.dtype})
        return other

    def copy(self) -> "MLP":
        """Return a network with parameters of its own, equal to these.

        Returns
        -------
        MLP

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 1), init="zeros", rng=np.random.default_rng(0))
        >>> other = net.copy()
        >>> other.theta += 1
        >>> net.theta
        array([0., 0., 0.])
        """
        return self.with_theta(self.theta.copy("K"))  # the same order in memory

    def check_inputs(self, X: ArrayLike) -> Floats:
        """Return ``X`` as an array of the network's dtype if it can go in.

        Parameters
        ----------
        X : array_like (batch, fan_in) or (..., batch, fan_in)
            The same examples for all networks of an ensemble, or examples for each.

        Returns
        -------
        ndarray

        Raises
        ------
        TypeError, ValueError
            If ``X`` does not hold numbers, has another shape, is empty, or holds NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> MLP((2, 1), rng=np.random.default_rng(0)).check_inputs([[1, 2]])
        array([[1., 2.]])
        """
        X = checks.array("X", X, self.dtype)
        lead, n_inputs = self.ensemble, self.sizes[0]
        if X.ndim < 2 or X.shape[-1] != n_inputs or X.shape[:-2] not in ((), lead):
            shapes = f"(batch, {n_inputs})"
            if lead:
                shapes += f" or ({', '.join(map(str, lead))}, batch, {n_inputs})"
            raise ValueError(f"X must be {shapes}; got shape {X.shape}")
        if X.shape[-2] == 0:
            raise ValueError("X must hold at least one example; got an empty batch")
        if X.shape[-2] == 1 and self.normaliser == normalisers.batch_norm:
            raise ValueError("X must hold at least two examples for batch_norm; got one")
        return checks.finite("X", X)

    def __call__(self, X: ArrayLike) -> Floats:
        """Return the logits.

        Parameters
        ----------
        X : array_like (batch, fan_in) or (..., batch, fan_in)
            Examples.

        Returns
        -------
        ndarray (..., batch, sizes[-1])
        """
        return self.forward(X).logits

    def forward(self, X: ArrayLike) -> Signals:
        """Run the batch through the network and keep every signal.

        Parameters
        ----------
        X : array_like (batch, fan_in) or (..., batch, fan_in)
            Examples.

        Returns
        -------
        Signals

        Raises
        ------
        TypeError, ValueError
            As :meth:`check_inputs`.

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 3, 1), "relu", "zeros", rng=np.random.default_rng(0))
        >>> net.forward([[1.0, 2.0]]).A
        (array([[0., 0., 0.]]), array([[0.]]))
        """
        X = self.check_inputs(X)
        return self.forward_into(Signals(self, self.ensemble, X.shape[-2]), X)

    def forward_into(self, signals: Signals, X: Floats) -> Signals:
        """Do what :meth:`forward` does, unchecked, in buffers that are there: for inner loops.

        Parameters
        ----------
        signals : Signals
            The buffers.
        X : ndarray (batch, fan_in) or (..., batch, fan_in)
            Examples, as :meth:`check_inputs` returned them.

        Returns
        -------
        Signals
            The same object.

        Examples
        --------
        >>> import numpy as np
        >>> net, X = MLP((2, 1), rng=np.random.default_rng(0)), np.ones((4, 2))
        >>> buffers = Signals(net, net.ensemble, len(X))
        >>> net.forward_into(buffers, X) is buffers
        True
        """
        vars(signals)["X"] = A = X
        phi, normaliser, last = self.activation, self.normaliser, self.depth - 1
        for l, alpha in enumerate(self._alphas):
            Z = self._product(A, self.W[l], out=signals.Z[l])
            if normaliser is None or l == last:
                Z += self.b[l][..., None, :]
            if alpha is not None:
                Z *= alpha
                Z += signals.Z[l - 1]
            if l < last:
                A, H = signals.A[l], signals.H[l]
                if normaliser is not None:
                    hat, rate = signals._hat[l], signals._rate[l]
                    normaliser.forward(Z, self.gamma[l], self.b[l], hat, rate, H)
                phi.function(H, A, *phi.arguments)
        return signals

    def backward(self, signals: Signals, dlogits: ArrayLike) -> Signals:
        r"""Fill in the backward signals ∂L/∂Z and the gradient of every parameter.

        .. math::
            \frac{\partial L}{\partial W_l} &= A_{l-1}^\top\, dZ_l \\
            dZ_{l-1} &= (dZ_l W_l^\top) \odot \varphi'(Z_{l-1})

        A shortcut multiplies both by α, and adds dZ_l to the second. A normaliser is a factor more
        there: see :meth:`nnlab.normalisers.Normaliser.backward`.

        Parameters
        ----------
        signals : Signals
            What :meth:`forward` returned.
        dlogits : ndarray (..., batch, sizes[-1])
            ∂L/∂Z of the last layer.

        Returns
        -------
        Signals
            The same object, with ``dZ``, ``dW``, ``db`` and ``dtheta`` filled in.

        Raises
        ------
        TypeError, ValueError
            If these are no signals, or ``dlogits`` has not the shape of the logits.

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 1), rng=np.random.default_rng(0))
        >>> signals = net.backward(net.forward([[1.0, 2.0]]), np.array([[3.0]]))
        >>> signals.dtheta
        array([3., 6., 3.])
        """
        checks.instance("signals", signals, Signals)
        dlogits = checks.array("dlogits", dlogits, self.dtype)
        if dlogits.shape != signals.logits.shape:
            raise ValueError(f"dlogits must be {signals.logits.shape}; got shape {dlogits.shape}")
        signals.dZ[-1] = dlogits
        return self.backward_into(signals)

    def backward_into(self, signals: Signals) -> Signals:
        """Do what :meth:`backward` does, unchecked, from ``signals.dZ[-1]``: for inner loops.

        Parameters
        ----------
        signals : Signals
            Where ∂L/∂Z of the last layer has been filled in.

        Returns
        -------
        Signals
            The same object.

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 1), rng=np.random.default_rng(0))
        >>> signals = net.forward([[1.0, 2.0]])
        >>> signals.dZ[-1] = 3.0
        >>> net.backward_into(signals).dtheta
        array([3., 6., 3.])
        """
        phi, normaliser, last = self.activation, self.normaliser, self.depth - 1
        for l in reversed(range(self.depth)):
            dZ, alpha = signals.dZ[l], self._alphas[l]
            # What goes into the branch. There is room for it: this layer's slopes have been used.
            dY = dZ if alpha is None else np.multiply(dZ, alpha, out=signals._slope[l])
            A = signals.A[l - 1] if l else signals.X
            self._product(A.swapaxes(-1, -2), dY, out=signals.dW[l])
            if normaliser is None or l == last:
                np.einsum("...bo->...o", dY, out=signals.db[l])
            if l:
                below, slope, H = signals.dZ[l - 1], signals._slope[l - 1], signals.H[l - 1]
                self._product(dY, self.W[l].swapaxes(-1, -2), out=below)
                phi.slope(H, A, slope, *phi.arguments)
                below *= slope
                if normaliser is not None:
                    hat, rate = signals._hat[l - 1], signals._rate[l - 1]
                    dgamma, db = signals.dgamma[l - 1], signals.db[l - 1]
                    normaliser.backward(below, self.gamma[l - 1], hat, rate, dgamma, db, slope)
                if alpha is not None:
                    below += dZ
        return signals

    def gradient(self, X: ArrayLike, y: ArrayLike, loss: str | Loss) -> tuple[Floats, Signals]:
        """Return the mean loss over the batch, and the signals with every gradient in them.

        Parameters
        ----------
        X : array_like (batch, fan_in) or (..., batch, fan_in)
            Examples.
        y : array_like
            As the loss wants it; see :mod:`nnlab.losses`.
        loss : str or Loss
            Its name, or the object.

        Returns
        -------
        value : ndarray (...)
            The loss of each network.
        signals : Signals
            With ``dZ``, ``dW``, ``db`` and ``dtheta``.

        Raises
        ------
        TypeError, ValueError
            If the examples or the targets do not fit.

        Examples
        --------
        >>> import numpy as np
        >>> net = MLP((2, 1), init="zeros", rng=np.random.default_rng(0))
        >>> value, signals = net.gradient([[1, 2]], [1], "binary_cross_entropy")
        >>> signals.dtheta
        array([-0.5, -1. , -0.5])
        """
        loss = losses.get(loss)
        signals = self.forward(X)
        value, dlogits = loss.value_and_gradient(signals.logits, y)
        return value, self.backward(signals, dlogits)
