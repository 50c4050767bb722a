"""``polynomial(x, coefficients=...)``: one with constant coefficients, by Horner's rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.ir.variable import Variable
from symgraph.ops.convert import make
from symgraph.ops.kinds import elementwise
from symgraph.ops.samples import INF, NAN, reals


def _horner(s: Any, x: Any, *, coefficients: tuple[float, ...]) -> Any:
    total = s.const(coefficients[-1], x.dtype)
    for coefficient in reversed(coefficients[:-1]):
        total = s.add(s.mul(total, x), coefficient)
    return total


def _reference(x: Any, coefficients: tuple[float, ...]) -> Any:
    x = np.asarray(x)
    total = np.full(x.shape, coefficients[-1], x.dtype)
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + x.dtype.type(coefficient)
    return total


def _derivative(g: Variable, y: Variable, x: Variable, coefficients: tuple[float, ...]) -> Any:
    if len(coefficients) == 1:
        return [None]
    slopes = tuple(k * c for k, c in enumerate(coefficients))[1:]
    return [g * make("polynomial", [x], coefficients=slopes)]


POLYNOMIAL = elementwise(
    "polynomial",
    """sum(coefficients[k] * x**k), by Horner's rule; coefficients are numbers, lowest power first.

    Dtypes: floating.    NaN: propagates.
    """,
    takes="floating",
    rule="float",
    reference=_reference,
    options={"coefficients": (0.0,)},
    scalar=_horner,
    grad=_derivative,
    samples=(reals(-2, 2, also=(0.0, -0.0, INF, NAN)),),
    ulp=4.0,
    source="Higham 2002, Accuracy and Stability of Numerical Algorithms, 5.1",
)
