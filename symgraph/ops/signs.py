"""Signs, absolute values, and the larger or smaller of two: one row each.

Gradients of functions that are constant in pieces (``sign``, ...) are zero, not missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, common
from symgraph.ops.kinds import elementwise, elementwise_front, zero_like
from symgraph.ops.samples import ANY, reals

ARRAY_API = "Array API standard 2024.12"
NUMPY = "NumPy 2 reference"
IEEE = "IEEE 754-2019"


def where(condition: Any, x: Any, y: Any) -> Variable:
    """x where condition, else y: the row is in ``compare``."""
    return find_op("where")(condition, x, y)  # type: ignore[no-any-return]


def is_zero(x: Variable) -> Variable:
    """x == 0."""
    return find_op("equal")(x, 0)  # type: ignore[no-any-return]


def fabs(x: Any) -> Variable:
    """|x| as a floating number, as in NumPy; ``abs`` keeps integer dtypes."""
    return abs(*common([x], "float"))  # type: ignore[no-any-return]


NUMPY_FUNCTIONS["fabs"] = fabs

# Signs ----------------------------------------------------------------------------------------

negative = elementwise(
    "negative",
    "-x. Integers wrap around; bool is refused, as in NumPy.",
    takes="numeric",
    word="neg",
    reference=np.negative,
    grad=lambda g, z, x: [-g],
    samples=(ANY,),
    source=ARRAY_API,
)
positive = elementwise(
    "positive",
    "x.",
    takes="numeric",
    scalar=lambda s, x: x,
    reference=np.positive,
    grad=lambda g, z, x: [g],
    samples=(ANY,),
    source=ARRAY_API,
)


def _abs_gradient(g: Variable, z: Variable, x: Variable) -> list[Variable]:
    if x.dtype.kind != "c":
        return [g * sign(x)]
    return [where(is_zero(z), 0.0, g * find_op("conj")(x) / where(is_zero(z), 1.0, z))]


abs = elementwise(
    "abs",
    "|x|; of a complex number sqrt(re**2 + im**2) without overflow. Slope at 0: 0.",
    word="abs",
    result="real",
    reference=np.abs,
    grad=_abs_gradient,
    samples=(ANY,),
    properties=frozenset(("idempotent",)),
    ulp=2.0,
    numpy=("absolute",),
    source=ARRAY_API,
)


def _sign(s: Any, x: Any) -> Any:
    if x.dtype.kind != "c":
        return s.sign(x)
    size = s.abs(x)
    safe = s.select(s.eq(size, 0), s.const(1, size.dtype), size)
    return s.complex(s.div(s.real(x), safe), s.div(s.imag(x), safe))


sign = elementwise(
    "sign",
    "-1, 0 or 1; NaN for NaN; x / |x| for complex x. Gradient: 0 for real x.",
    takes="numeric",
    scalar=_sign,
    reference=np.sign,
    grad=lambda g, z, x: [zero_like(g)] if x.dtype.kind != "c" else _complex_sign_gradient(g, z, x),
    samples=(ANY,),
    properties=frozenset(("idempotent",)),
    ulp=3.0,
    source=ARRAY_API,
)


def _complex_sign_gradient(g: Variable, z: Variable, x: Variable) -> list[Variable]:
    """The part of g across z, turned back: z = x / |x| moves only along its circle."""
    size = where(is_zero(x), 1.0, abs(x))
    across = find_op("imag")(g * z) / size
    turned = find_op("complex")(0.0, across) * find_op("conj")(z)
    return [where(is_zero(x), 0.0, turned)]


def _copysign_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    same = find_op("equal")(find_op("signbit")(x), find_op("signbit")(y))
    return [where(same, g, -g), zero_like(g)]


copysign = elementwise(
    "copysign",
    "|x| with the sign bit of y.",
    arity=2,
    takes="floating",
    rule="float",
    word="copysign",
    reference=np.copysign,
    grad=_copysign_gradient,
    samples=(ANY, ANY),
    source=IEEE,
)
nextafter = elementwise(
    "nextafter",
    "The floating number after x in the direction of y.",
    arity=2,
    takes="floating",
    rule="float",
    word="nextafter",
    reference=np.nextafter,
    grad=lambda g, z, x, y: [g, zero_like(g)],
    samples=(ANY, ANY),
    source=IEEE,
)
heaviside = elementwise(
    "heaviside",
    "0 where x < 0, 1 where x > 0, h where x is 0. Gradient by x: 0.",
    arity=2,
    takes="floating",
    rule="float",
    scalar=lambda s, x, h: s.select(
        s.isnan(x),
        x,
        s.select(s.lt(x, 0), s.const(0, x.dtype), s.select(s.gt(x, 0), s.const(1, x.dtype), h)),
    ),
    reference=np.heaviside,
    grad=lambda g, z, x, h: [zero_like(g), where(is_zero(x), g, 0.0)],
    samples=(ANY, ANY),
    source=NUMPY,
)

# Extremes -------------------------------------------------------------------------------------


def _share(g: Variable, wins: Any, ties: Any) -> Variable:
    return where(wins, g, where(ties, 0.5 * g, 0.0))


def _ties(x: Variable, y: Variable) -> Variable:
    return find_op("equal")(x, y)  # type: ignore[no-any-return]


def _larger(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    return [_share(g, x > y, _ties(x, y)), _share(g, y > x, _ties(x, y))]


def _smaller(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    return [_share(g, x < y, _ties(x, y)), _share(g, y < x, _ties(x, y))]


def _larger_number(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    nan = find_op("isnan")
    return [_share(g, (x > y) | nan(y), _ties(x, y)), _share(g, (y > x) | nan(x), _ties(x, y))]


def _smaller_number(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    nan = find_op("isnan")
    return [_share(g, (x < y) | nan(y), _ties(x, y)), _share(g, (y < x) | nan(x), _ties(x, y))]


maximum = elementwise(
    "maximum",
    "The larger of x and y; NaN if either is. Gradient at ties: half to each.",
    arity=2,
    takes="real_or_bool",
    word="maximum",
    reference=np.maximum,
    grad=_larger,
    properties=frozenset(("commutative", "associative", "idempotent")),
    samples=(ANY, ANY),
    source=ARRAY_API,
)
minimum = elementwise(
    "minimum",
    "The smaller of x and y; NaN if either is. Gradient at ties: half to each.",
    arity=2,
    takes="real_or_bool",
    word="minimum",
    reference=np.minimum,
    grad=_smaller,
    properties=frozenset(("commutative", "associative", "idempotent")),
    samples=(ANY, ANY),
    source=ARRAY_API,
)
fmax = elementwise(
    "fmax",
    "The larger of x and y; the other one where one is NaN. Gradient at ties: half to each.",
    arity=2,
    takes="real_or_bool",
    word="fmax",
    reference=np.fmax,
    grad=_larger_number,
    properties=frozenset(("commutative", "associative", "idempotent")),
    samples=(ANY, ANY),
    source=IEEE,
)
fmin = elementwise(
    "fmin",
    "The smaller of x and y; the other one where one is NaN. Gradient at ties: half to each.",
    arity=2,
    takes="real_or_bool",
    word="fmin",
    reference=np.fmin,
    grad=_smaller_number,
    properties=frozenset(("commutative", "associative", "idempotent")),
    samples=(ANY, ANY),
    source=IEEE,
)


def _clip_gradient(
    g: Variable, z: Variable, x: Variable, lo: Variable, hi: Variable
) -> list[Variable]:
    raised = maximum(x, lo)
    return [
        where((x >= lo) & (x <= hi), g, 0.0),
        where((x < lo) & (lo <= hi), g, 0.0),
        where(raised > hi, g, 0.0),
    ]


_ordinary_clip = elementwise_front("clip", 3, "real_or_bool", "same", {})


def _clip(
    x: Any,
    lo: Any = None,
    hi: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    a_min: Any = None,
    a_max: Any = None,
) -> Variable:
    low = next((v for v in (lo, min, a_min) if v is not None), None)
    high = next((v for v in (hi, max, a_max) if v is not None), None)
    if low is None and high is None:
        return asarray(x)
    if low is None:
        return minimum(x, high)  # type: ignore[no-any-return]
    if high is None:
        return maximum(x, low)  # type: ignore[no-any-return]
    return _ordinary_clip(x, low, high)


clip = elementwise(
    "clip",
    "minimum(maximum(x, min), max); a bound of None is no bound. Gradient: to x where it is within "
    "the bounds or on one, else to the bound that is the result.",
    arity=3,
    takes="real_or_bool",
    scalar=lambda s, x, lo, hi: s.minimum(s.maximum(x, lo), hi),
    front=_clip,
    reference=lambda x, lo, hi: np.minimum(np.maximum(x, lo), hi),
    grad=_clip_gradient,
    samples=(ANY, reals(-5, 0), reals(0, 5)),
    source=ARRAY_API,
)


METHODS["clip"] = clip
