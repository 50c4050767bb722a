"""Arithmetic on elements: + - * / // % **, square root, reciprocal.

Signs and extremes are in ``signs``, rounding, conversion and complex parts in ``parts``,
comparisons, logic and bits in ``compare``, transcendental functions in ``math``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgraph.errors import DTypeError, message
from symgraph.ir.dtype import FLOAT64, as_dtype
from symgraph.ir.op import NUMPY_FUNCTIONS, find_op
from symgraph.ir.origin import user_line
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, cast
from symgraph.ops.kinds import elementwise, elementwise_front, zero_like
from symgraph.ops.samples import ANY, POSITIVE, SPECIALS, reals
from symgraph.ops.whole_powers import power

ARRAY_API = "Array API standard 2024.12"
NUMPY = "NumPy 2 reference"
IEEE = "IEEE 754-2019"
DEGREE = math.pi / 180


def _where(condition: Any, x: Any, y: Any) -> Variable:
    return find_op("where")(condition, x, y)  # type: ignore[no-any-return]


def _is_kind(x: Any, kinds: str) -> bool:
    return x.dtype.kind in kinds


# Sums and products ----------------------------------------------------------------------------

add = elementwise(
    "add",
    "x + y. bool: or. Integers wrap around.",
    arity=2,
    word="add",
    reference=np.add,
    grad=lambda g, z, x, y: [g, g],
    properties=frozenset(("commutative", "associative")),
    samples=(ANY, ANY),
    source=ARRAY_API,
)
subtract = elementwise(
    "subtract",
    "x - y. Integers wrap around; bool is refused, as in NumPy.",
    arity=2,
    takes="numeric",
    word="sub",
    reference=np.subtract,
    grad=lambda g, z, x, y: [g, -g],
    samples=(ANY, ANY),
    source=ARRAY_API,
)
multiply = elementwise(
    "multiply",
    "x * y. bool: and. Integers wrap around.",
    arity=2,
    word="mul",
    reference=np.multiply,
    grad=lambda g, z, x, y: [g * y, g * x],
    properties=frozenset(("commutative", "associative")),
    samples=(ANY, ANY),
    ulp=1.0,
    source=ARRAY_API,
)
divide = elementwise(
    "divide",
    "x / y. x / 0 is a signed infinity, 0 / 0 is NaN.",
    arity=2,
    takes="inexact",
    rule="quotient",
    word="div",
    reference=np.divide,
    grad=lambda g, z, x, y: [g / y, -(g * z / y)],
    samples=(ANY, ANY),
    ulp=2.0,
    numpy=("true_divide",),
    source=ARRAY_API,
)
floor_divide = elementwise(
    "floor_divide",
    "floor(x / y), exact as if x / y were not rounded. Integers: x // 0 is 0.",
    arity=2,
    takes="real",
    rule="numeric",
    word="floordiv",
    reference=np.floor_divide,
    grad=lambda g, z, x, y: [zero_like(g), zero_like(g)],
    samples=(ANY, ANY),
    source=ARRAY_API,
)
remainder = elementwise(
    "remainder",
    "x - y * floor(x / y), with the sign of y. Integers: x % 0 is 0.",
    arity=2,
    takes="real",
    rule="numeric",
    word="mod",
    reference=np.remainder,
    grad=lambda g, z, x, y: [g, -g * floor_divide(x, y)],
    samples=(ANY, ANY),
    numpy=("mod",),
    source=ARRAY_API,
)


def _fmod(s: Any, x: Any, y: Any) -> Any:
    if _is_kind(x, "f"):
        return s.copysign(s.mod(s.abs(x), s.abs(y)), x)
    rest = s.mod(x, y)
    opposite = s.xor(s.lt(x, 0), s.lt(y, 0))
    return s.select(s.and_(s.ne(rest, 0), opposite), s.sub(rest, y), rest)


fmod = elementwise(
    "fmod",
    "x - y * trunc(x / y), with the sign of x (C's fmod). Integers: fmod(x, 0) is 0.",
    arity=2,
    takes="real",
    rule="numeric",
    scalar=_fmod,
    reference=np.fmod,
    grad=lambda g, z, x, y: [g, -g * find_op("trunc")((x - z) / y)],
    samples=(ANY, ANY),
    source=NUMPY,
)
fma = elementwise(
    "fma",
    "x * y + z, rounded once. Integers wrap around.",
    arity=3,
    takes="real",
    rule="numeric",
    word="fma",
    reference=lambda x, y, z: _fma(x, y, z),
    grad=lambda g, r, x, y, z: [g * y, g * x, g],
    samples=(ANY, ANY, ANY),
    source=IEEE,
)


def _fma(x: Any, y: Any, z: Any) -> Any:
    """By exact fractions, rounded once."""
    if x.dtype.kind != "f":
        return x * y + z
    from fractions import Fraction

    def exact(a: Any, b: Any, c: Any) -> Any:
        plain = a * b + c
        if not (np.isfinite(a) and np.isfinite(b) and np.isfinite(c)):
            return plain
        total = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        if total == 0:
            return plain
        return _nearest(total, x.dtype)

    flat = [np.asarray(v).ravel() for v in np.broadcast_arrays(x, y, z)]
    found = [exact(*row) for row in zip(*flat, strict=True)]
    return np.array(found, x.dtype).reshape(np.broadcast_shapes(*map(np.shape, (x, y, z))))


def _nearest(value: Any, dtype: Any) -> Any:
    """The float of a dtype nearest to a fraction, ties to even."""
    try:
        wide = float(value)  # correctly rounded
    except OverflowError:
        wide = math.inf if value > 0 else -math.inf
    if dtype == FLOAT64:
        return wide
    narrow = np.float32(wide)
    rivals = [
        narrow,
        np.nextafter(narrow, np.float32(-np.inf)),
        np.nextafter(narrow, np.float32(np.inf)),
    ]
    finite = [r for r in rivals if np.isfinite(r)]
    if not np.isfinite(narrow) or len(finite) < 3:
        return narrow
    from fractions import Fraction

    return min(finite, key=lambda r: (abs(Fraction(float(r)) - value), r.view("int32") & 1))


# Powers ---------------------------------------------------------------------------------------


def _complex_power(s: Any, x: Any, y: Any) -> Any:
    size, zero = s.abs(x), s.eq(s.abs(x), 0)
    safe = s.select(zero, s.const(1, size.dtype), size)
    logarithm = s.complex(s.log(safe), s.atan2(s.imag(x), s.real(x)))
    at_zero = s.select(s.eq(s.abs(y), 0), s.const(1, x.dtype), s.const(0, x.dtype))
    return s.select(zero, at_zero, s.exp(s.mul(y, logarithm)))


def _power_reference(x: Any, y: Any) -> Any:
    if x.dtype.kind == "c":
        found = np.exp(y * np.log(np.where(x == 0, 1, x)))
        return np.where(x == 0, np.where(y == 0, 1, 0), found).astype(x.dtype)
    if x.dtype.kind != "i":
        return np.power(x, y)
    found = np.power(x, np.maximum(y, 0))
    inverse = np.where(abs(x) == 1, np.where(y % 2 == 0, x * x, x), 0)
    return np.where(y < 0, inverse, found).astype(x.dtype)


def _known(y: Variable) -> Any:
    """The value of a constant; None for anything else."""
    return y.node.attrs["value"] if y.node.op.name == "constant" else None


def _power_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    exponent = _known(y)
    if exponent is not None and np.all(exponent == 2):
        return [2.0 * (g * x), None]
    slope = g * (y * pow(x, y - 1))
    if exponent is not None and np.all(exponent != 0):
        return [slope, None]
    slope = _where(_is_zero(y), 0.0, slope)
    if x.dtype.kind == "c":
        return [slope, _where(_is_zero(x), 0.0, g * z * _complex_log(x))]
    flat = _is_zero(x) & (y >= 0)
    return [slope, _where(flat, 0.0, g * (z * find_op("log")(_where(flat, 1.0, x))))]


def _is_zero(x: Variable) -> Variable:
    return find_op("equal")(x, 0)  # type: ignore[no-any-return]


def _complex_log(x: Variable) -> Variable:
    size = _where(_is_zero(x), 1.0, abs(x))
    return find_op("complex")(find_op("log")(size), find_op("angle")(x))  # type: ignore[no-any-return]


_ordinary_power = elementwise_front("pow", 2, "numeric", "numeric", {})


def _power(x: Any, y: Any) -> Variable:
    base, exponent = asarray(x), asarray(y)
    value = _known(exponent)
    negative_integer = value is not None and value.dtype.kind == "i" and bool(np.any(value < 0))
    if negative_integer and base.dtype.kind in "biu" and not base.weak:
        line = user_line()
        raise DTypeError(
            message(
                f"pow: an integer array to a negative integer power has no {base.dtype} result",
                {"base": base.type, "exponent": value},
                str(line) if line else None,
                "make the base floating: sg.astype(x, float), or x ** -1.0",
            )
        )
    return _ordinary_power(base, exponent)


pow = elementwise(
    "pow",
    "x ** y. 0 ** 0 is 1. Negative x with fractional y is NaN. Integers wrap around; a negative "
    "integer exponent known when the graph is built is refused, one that data tells truncates "
    "1 / x ** -y. Gradient by y: 0 where x is 0 and y >= 0. Complex: exp(y log(x)).",
    arity=2,
    takes="numeric",
    rule="numeric",
    scalar=lambda s, x, y: _complex_power(s, x, y) if _is_kind(x, "c") else power(s, x, y),
    front=_power,
    reference=_power_reference,
    grad=_power_gradient,
    samples=(reals(0, 10, also=SPECIALS), reals(-4, 4, also=(0.0, 1.0, 2.0, 0.5, math.inf))),
    ulp=4.0,
    numpy=("power",),
    source=ARRAY_API,
)


def float_power(x: Any, y: Any) -> Variable:
    """x ** y in float64 (complex128 for complex operands), as in NumPy."""
    xs = [asarray(v) for v in (x, y)]
    wide = as_dtype("complex128" if any(_is_kind(v, "c") for v in xs) else "float64")
    return pow(*[cast(v, wide) for v in xs])  # type: ignore[no-any-return]


square = elementwise(
    "square",
    "x * x. Integers wrap around.",
    takes="numeric",
    rule="numeric",
    word="square",
    reference=np.square,
    grad=lambda g, z, x: [2.0 * (g * x)],
    samples=(ANY,),
    ulp=1.0,
    source=ARRAY_API,
)
sqrt = elementwise(
    "sqrt",
    "Square root, rounded correctly; NaN below 0, sqrt(-0.0) is -0.0. Slope at 0: inf.",
    takes="floating",
    rule="float",
    word="sqrt",
    reference=np.sqrt,
    grad=lambda g, z, x: [0.5 * g / z],
    samples=(POSITIVE,),
    ulp=1.0,
    source=IEEE,
)
reciprocal = elementwise(
    "reciprocal",
    "1 / x. Integers truncate, so only 1 and -1 give other than 0 (1 / 0 is 0).",
    takes="numeric",
    rule="numeric",
    scalar=lambda s, x: s.reciprocal(x) if _is_kind(x, "fc") else _integer_reciprocal(s, x),
    reference=lambda x: (
        np.reciprocal(x) if x.dtype.kind in "fc" else np.where(np.abs(x) == 1, x, 0)
    ),
    grad=lambda g, z, x: [-(g * z * z)],
    samples=(ANY,),
    ulp=2.0,
    source=ARRAY_API,
)


def _integer_reciprocal(s: Any, x: Any) -> Any:
    unit = s.eq(x, 1) if _is_kind(x, "u") else s.or_(s.eq(x, 1), s.eq(x, -1))
    return s.select(unit, x, s.const(0, x.dtype))


def divmod(x: Any, y: Any) -> tuple[Variable, Variable]:
    """(x // y, x % y)."""
    return floor_divide(x, y), remainder(x, y)


NUMPY_FUNCTIONS.update({"float_power": float_power, "divmod": divmod})
