"""``check_grad``: derivatives of graphs against differences of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.autodiff.transform import Prepare, grad
from symgraph.errors import GradientError, UnsupportedError, message
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.capture import placeholder
from symgraph.ops.convert import asarray
from symgraph.ops.create import arange

Array = np.ndarray[Any, Any]
Compile = Callable[[list[Variable], list[Variable]], Callable[..., Sequence[Any]]]

STEP = 2.0 ** (-52 / 3)  # of central differences: balances rounding and curvature
TOLERANCE = 1e-5  # what such differences reach, with room for functions that curve strongly
MOST = 40  # elements of each value that are tried; more are drawn at random


def check_grad(
    function: Callable[..., Variable],
    *values: Any,
    compile: Compile,
    rtol: float = TOLERANCE,
    step: float = STEP,
    prepare: Prepare | None = None,
) -> float:
    """Compare the gradient of a function of variables with central differences, at given values.

    An array result is weighted and summed. Integer values are passed on, not differentiated.
    ``compile(inputs, outputs)`` gives a function from arrays to arrays. Returns the largest
    relative error. Raises: GradientError, naming argument and element, for one above ``rtol``.
    """
    arrays = [_as_double(v) for v in values]
    params = [
        placeholder(TensorType(a.dtype, a.shape), f"argument {k}") for k, a in enumerate(arrays)
    ]
    cost = _scalar(function(*params))
    smooth = [k for k, a in enumerate(arrays) if a.dtype.kind == "f"]
    gradients = grad(cost, [params[k] for k in smooth], disconnected="zero", prepare=prepare)
    value = compile(params, [cost])
    found = compile(params, list(gradients))(*arrays)
    worst = 0.0
    for k, gradient in zip(smooth, found, strict=True):
        worst = max(worst, _compare(value, arrays, k, np.asarray(gradient), rtol, step))
    return worst


def _as_double(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise UnsupportedError(
            message("check_grad of complex values", hint="pass real and imaginary parts")
        )
    return array.astype("float64") if array.dtype.kind == "f" else array


def _scalar(result: Any) -> Variable:
    """An array result as a scalar, by weights that make no two elements alike."""
    value = asarray(result)
    if value.ndim == 0:
        return value
    weights = 1.0 + (arange(value.size).astype(value.dtype) * 0.618) % 1.0
    return (value.reshape((-1,)) * weights).sum()  # type: ignore[no-any-return]


def _compare(
    value: Callable[..., Sequence[Any]],
    arrays: Sequence[Array],
    k: int,
    gradient: Array,
    rtol: float,
    step: float,
) -> float:
    size = max(1.0, float(np.max(np.abs(gradient), initial=0.0)))
    elements = list(np.ndindex(arrays[k].shape))
    if len(elements) > MOST:
        chosen = np.random.default_rng(0).choice(len(elements), MOST, replace=False)
        elements = [elements[i] for i in chosen]
    worst = 0.0
    for index in elements:
        numeric = _difference(value, arrays, k, index, step)
        error = abs(numeric - float(gradient[index])) / size
        if not error <= rtol:
            facts = {
                "argument": k,
                "element": index,
                "gradient": gradient[index],
                "by differences": numeric,
            }
            raise GradientError(
                message("check_grad: the gradient differs from finite differences", facts)
            )
        worst = max(worst, error)
    return worst


def _difference(
    value: Callable[..., Sequence[Any]],
    arrays: Sequence[Array],
    k: int,
    index: tuple[int, ...],
    step: float,
) -> float:
    at = float(arrays[k][index])
    h = step * max(1.0, abs(at))
    sides = []
    for sign in (1.0, -1.0):
        moved = arrays[k].copy()
        moved[index] = at + sign * h
        sides.append(float(np.asarray(value(*[*arrays[:k], moved, *arrays[k + 1 :]])[0])))
    return (sides[0] - sides[1]) / (2 * h)
