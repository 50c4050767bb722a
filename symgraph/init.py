"""Starting values of parameters, as NumPy arrays: Glorot, He, orthogonal, zeros, ones.

Weights have shape (inputs, outputs); of more axes, as of a convolution (outputs, inputs, *window),
the window counts into both fans. ``seed`` is an int or anything ``numpy.random.default_rng`` takes,
so a generator may be passed on from one to the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.errors import ShapeError, message
from symgraph.ir.dtype import as_dtype

Array = np.ndarray[Any, Any]


def _dtype(dtype: Any) -> np.dtype[Any]:
    return as_dtype(config.text("floatX") if dtype is None else dtype)


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Inputs and outputs of one unit; ShapeError for a shape without both."""
    if len(shape) < 2:
        hint = "biases start at zero: sg.init.zeros"
        raise ShapeError(
            message(f"init: shape {tuple(shape)} has no inputs and outputs", hint=hint)
        )
    if len(shape) == 2:
        return int(shape[0]), int(shape[1])
    window = math.prod(shape[2:])
    return int(shape[1]) * window, int(shape[0]) * window


def _uniform(shape: Sequence[int], limit: float, seed: Any, dtype: Any) -> Array:
    return np.random.default_rng(seed).uniform(-limit, limit, tuple(shape)).astype(_dtype(dtype))


def _normal(shape: Sequence[int], scale: float, seed: Any, dtype: Any) -> Array:
    drawn = np.random.default_rng(seed).standard_normal(tuple(shape))
    return (scale * drawn).astype(_dtype(dtype))


def glorot_uniform(shape: Sequence[int], seed: Any, dtype: Any = None, gain: float = 1.0) -> Array:
    """Uniform with variance 2 / (inputs + outputs): for tanh and linear units.

    Source: Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward
    networks.
    """
    return _uniform(shape, gain * math.sqrt(6 / sum(fans(shape))), seed, dtype)


def glorot_normal(shape: Sequence[int], seed: Any, dtype: Any = None, gain: float = 1.0) -> Array:
    """Normal with variance 2 / (inputs + outputs)."""
    return _normal(shape, gain * math.sqrt(2 / sum(fans(shape))), seed, dtype)


def he_uniform(shape: Sequence[int], seed: Any, dtype: Any = None) -> Array:
    """Uniform with variance 2 / inputs: for relu units.

    Source: He, Zhang, Ren & Sun 2015, Delving deep into rectifiers.
    """
    return _uniform(shape, math.sqrt(6 / fans(shape)[0]), seed, dtype)


def he_normal(shape: Sequence[int], seed: Any, dtype: Any = None) -> Array:
    """Normal with variance 2 / inputs: for relu units."""
    return _normal(shape, math.sqrt(2 / fans(shape)[0]), seed, dtype)


def orthogonal(shape: Sequence[int], seed: Any, dtype: Any = None, gain: float = 1.0) -> Array:
    """Orthonormal rows or columns, whichever are fewer, times gain; axes after the first as one.

    Source: Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning.
    """
    fans(shape)
    rows, columns = int(shape[0]), math.prod(shape[1:])
    drawn = np.random.default_rng(seed).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # otherwise signs would not be even
    return (gain * (q if rows >= columns else q.T)).reshape(tuple(shape)).astype(_dtype(dtype))


def zeros(shape: Sequence[int] | int, dtype: Any = None) -> Array:
    """Zeros, for biases."""
    return np.zeros(shape, _dtype(dtype))


def ones(shape: Sequence[int] | int, dtype: Any = None) -> Array:
    """Ones, for scales."""
    return np.ones(shape, _dtype(dtype))
