"""Exponentials, logarithms, trigonometric and hyperbolic functions, sigmoid and kin: one row each.

Gradients are written in the form that keeps its digits where the textbook one cancels or overflows:
``tanh`` by 1 / cosh**2, not 1 - tanh**2; ``sigmoid`` by s(x) s(-x), not s (1 - s). Activation
functions built from these are in ``activation``, gamma and error functions in ``special``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.ir.dtype import FLOAT64
from symgraph.ir.op import Op, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.arith import sqrt, square
from symgraph.ops.kinds import elementwise
from symgraph.ops.near_roots import near_root
from symgraph.ops.samples import ANY, INF, NAN, POSITIVE, SPECIALS, reals
from symgraph.ops.signs import is_zero, where

ARRAY_API = "Array API standard 2024.12"
NUMPY = "NumPy 2 reference"
LN2, LN10 = math.log(2), math.log(10)


def in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference evaluated in float64 (complex128) and rounded once to the dtype of its inputs."""

    def evaluate(*xs: Any, **attrs: Any) -> Any:
        wide = [x.astype("complex128" if x.dtype.kind == "c" else "float64") for x in xs]
        return np.asarray(function(*wide, **attrs)).astype(xs[0].dtype)

    return evaluate


def _function(name: str, doc: str, reference: Callable[..., Any], **row: Any) -> Op:
    """A row of one floating argument that is a word of the loop IR, unless told otherwise."""
    row = {"takes": "floating", "rule": "float", "samples": (ANY,), "source": ARRAY_API} | row
    if "scalar" not in row:
        row["word"] = row.get("word", name)
    return elementwise(name, doc, reference=in_double(reference), **row)


# Exponentials and logarithms ------------------------------------------------------------------

exp = _function(
    "exp",
    "e ** x, of floating and complex x. Overflows to inf above 709.78 (float32: 88.72).",
    np.exp,
    takes="inexact",
    grad=lambda g, y, x: [g * y],
    samples=(reals(-20, 20, also=(*SPECIALS, 700.0, -745.0, 80.0, 1e-20)),),
    ulp=2.0,
)
exp2 = _function(
    "exp2",
    "2 ** x.",
    np.exp2,
    grad=lambda g, y, x: [g * y * LN2],
    samples=(reals(-20, 20, also=(*SPECIALS, 0.5, 100.0)),),
    ulp=2.0,
    source=NUMPY,
)
expm1 = _function(
    "expm1",
    "exp(x) - 1, accurate for small x too.",
    np.expm1,
    grad=lambda g, y, x: [g * exp(x)],
    samples=(reals(-20, 20, also=(*SPECIALS, 1e-20, -1e-5, -700.0)),),
    ulp=2.0,
)
log = _function(
    "log",
    "Natural logarithm: -inf at 0, NaN below.",
    np.log,
    grad=lambda g, y, x: [g / x],
    samples=(POSITIVE,),
    ulp=2.0,
)
log2 = _function(
    "log2",
    "Logarithm to base 2: exact for powers of 2, -inf at 0, NaN below.",
    np.log2,
    grad=lambda g, y, x: [g / (x * LN2)],
    samples=(POSITIVE,),
    ulp=2.0,
)
log10 = _function(
    "log10",
    "Logarithm to base 10: -inf at 0, NaN below.",
    np.log10,
    grad=lambda g, y, x: [g / (x * LN10)],
    samples=(POSITIVE,),
    ulp=2.0,
)
log1p = _function(
    "log1p",
    "log(1 + x), accurate for small x too; -inf at -1, NaN below.",
    np.log1p,
    grad=lambda g, y, x: [g / (1.0 + x)],
    samples=(reals(-1, 10, also=(*SPECIALS, 1e-20, -1e-20, 1e300, -2.0)),),
    ulp=2.0,
)
log1mexp = _function(
    "log1mexp",
    "log(1 - exp(x)) for x <= 0: by log(-expm1(x)) above -log 2 and log1p(-exp(x)) below. -inf at "
    "0, NaN above.",
    lambda x: np.where(x > -LN2, np.log(-np.expm1(x)), np.log1p(-np.exp(np.minimum(x, -LN2)))),
    grad=lambda g, y, x: [-g / expm1(-x)],
    samples=(reals(-30, 0, also=(0.0, -LN2, -1e-20, -700.0, -INF, NAN)),),
    ulp=3.0,
    source="Maechler 2012, Accurately computing log(1 - exp(-|a|))",
)


def _pair(name: str, doc: str, reference: Callable[..., Any], **row: Any) -> Op:
    """A row of two floating arguments."""
    row = {"arity": 2, "samples": (ANY, ANY)} | row
    return _function(name, doc, reference, **row)


def _logaddexp_gradient(share: Callable[..., Variable]) -> Callable[..., Any]:
    """Shares of the cotangent, half each where both are one infinity, whose difference is NaN."""

    def gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
        same = find_op("equal")(x, y) & find_op("isinf")(x)
        return [g * where(same, 0.5, share(a, b)) for a, b in ((x, y), (y, x))]

    return gradient


logaddexp = _pair(
    "logaddexp",
    "log(exp(x) + exp(y)), without overflow.",
    np.logaddexp,
    grad=_logaddexp_gradient(lambda x, y: sigmoid(x - y)),
    properties=frozenset(("commutative",)),
    ulp=16.0,  # near its zeros, where larger numbers cancel; elsewhere 3
)


def _logaddexp2(s: Any, x: Any, y: Any) -> Any:
    larger, smaller = s.maximum(x, y), s.minimum(x, y)
    rest = s.mul(s.log1p(s.exp2(s.sub(smaller, larger))), 1 / LN2)
    return s.select(s.eq(x, y), s.add(x, 1), s.add(larger, rest))


logaddexp2 = _pair(
    "logaddexp2",
    "log2(2**x + 2**y), without overflow.",
    np.logaddexp2,
    scalar=_logaddexp2,
    grad=_logaddexp_gradient(lambda x, y: find_op("share_of_two")(x, y)),
    properties=frozenset(("commutative",)),
    ulp=32.0,  # near its zeros, as logaddexp
    source=NUMPY,
)


def _logsubexp(s: Any, x: Any, y: Any) -> Any:
    a, b = s.cast(x, FLOAT64), s.cast(y, FLOAT64)
    gap = s.sub(b, a)
    rest = s.log1mexp(gap)
    back = s.add(gap, a)
    lost = s.add(s.sub(b, back), s.sub(s.sub(back, gap), a))  # of the gap: times the slope
    lost = s.mul(lost, s.exp(s.sub(gap, rest)))
    rest = s.select(s.lt(s.abs(lost), INF), s.sub(rest, lost), rest)
    found = s.add(a, rest)
    found = s.cast(near_root(s, found, s.abs(a), _logsubexp_formula, a, b), x.dtype)
    return s.select(s.eq(y, -INF), x, s.select(s.eq(x, y), s.const(-INF, x.dtype), found))


def _logsubexp_formula(x: Variable, y: Variable) -> Variable:
    return x + log1mexp(y - x)  # type: ignore[no-any-return]


def _logsubexp_reference(x: Any, y: Any) -> Any:
    gap = y - x
    with np.errstate(all="ignore"):
        small = np.log(-np.expm1(gap))
        found = x + np.where(gap > -LN2, small, np.log1p(-np.exp(np.minimum(gap, -LN2))))
    return np.where(y == -INF, x, np.where(x == y, -INF, found))


logsubexp = _pair(
    "logsubexp",
    "log(exp(x) - exp(y)) for x >= y, without overflow. -inf where equal, NaN where x < y.",
    _logsubexp_reference,
    scalar=_logsubexp,
    grad=lambda g, z, x, y: [g / find_op("abs")(expm1(y - x)), -g / expm1(x - y)],
    samples=(reals(5, 20), reals(-20, 4, also=(-INF,))),
    ulp=4.0,
    source="Maechler 2012, Accurately computing log(1 - exp(-|a|))",
)


def _xlogy_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    both, none = is_zero(x) & is_zero(y), is_zero(x)
    return [
        g * log(where(both, 1.0, y)),
        where(none, 0.0, g * x / where(none, 1.0, y)),
    ]


def _xlogy(s: Any, x: Any, y: Any) -> Any:
    skipped = s.and_(s.eq(x, 0), s.eq(y, y))  # a NaN in y stays
    return s.select(skipped, s.const(0, x.dtype), s.mul(x, s.log(y)))


def _xlog1py(s: Any, x: Any, y: Any) -> Any:
    skipped = s.and_(s.eq(x, 0), s.eq(y, y))
    return s.select(skipped, s.const(0, x.dtype), s.mul(x, s.log1p(y)))


def _xlog1py_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    none = is_zero(x)
    both = none & find_op("equal")(y, -1.0)
    return [
        g * log1p(where(both, 0.0, y)),
        where(none, 0.0, g * x / (1.0 + where(none, 0.0, y))),
    ]


def _special(name: str) -> Callable[..., Any]:
    """A function of SciPy, imported when first used."""

    def evaluate(*xs: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*xs)

    return evaluate


xlogy = _pair(
    "xlogy",
    "x * log(y), and 0 where x is 0 unless y is NaN. Gradient: by y 0 where x is 0; by x log(y), "
    "but 0 where both are 0.",
    _special("xlogy"),
    scalar=_xlogy,
    grad=_xlogy_gradient,
    samples=(reals(-5, 5, also=(0.0, 0.0, 1.0)), POSITIVE),
    ulp=3.0,
    source="SciPy 1.13 reference",
)
xlog1py = _pair(
    "xlog1py",
    "x * log1p(y), and 0 where x is 0 unless y is NaN. Gradient as that of xlogy.",
    _special("xlog1py"),
    scalar=_xlog1py,
    grad=_xlog1py_gradient,
    samples=(reals(-5, 5, also=(0.0, 0.0, 1.0)), reals(-1, 10, also=(-1.0, 1e-20, -2.0, NAN))),
    ulp=3.0,
    source="SciPy 1.13 reference",
)

# Sigmoid and its inverse ----------------------------------------------------------------------


def _sigmoid_reference(x: Any) -> Any:
    """By the exponential that does not overflow; SciPy's expit is 0 where results are subnormal."""
    with np.errstate(all="ignore"):
        small = np.exp(-np.abs(x))
        return np.where(x < 0, small, 1.0) / (1.0 + small)


def _softplus_reference(x: Any) -> Any:
    return np.logaddexp(0.0, x)


sigmoid: Op = _function(
    "sigmoid",
    "1 / (1 + exp(-x)), accurate to the last subnormal. Slope: s(x) * s(-x).",
    _sigmoid_reference,
    grad=lambda g, y, x: [g * (y * sigmoid(-x))],
    samples=(reals(-30, 30, also=(*SPECIALS, 700.0, -700.0, -80.0)),),
    ulp=3.0,
    source="identity",
)
softplus = _function(
    "softplus",
    "log(1 + exp(x)), without overflow (also called log1pexp).",
    _softplus_reference,
    grad=lambda g, y, x: [g * sigmoid(x)],
    samples=(reals(-30, 30, also=(*SPECIALS, 700.0, -700.0, -80.0)),),
    ulp=3.0,
    source="Maechler 2012, Accurately computing log(1 - exp(-|a|))",
)


def _logit(s: Any, x: Any) -> Any:
    """Near 1/2 both logarithms cancel; 2 x - 1 is exact there."""
    near = s.mul(2, s.atanh(s.sub(s.mul(2, x), s.const(1, x.dtype))))
    far = s.sub(s.log(x), s.log1p(s.neg(x)))
    middle = s.and_(s.gt(x, 0.25), s.lt(x, 0.75))
    return s.select(middle, near, far)


def _logit_reference(x: Any) -> Any:
    with np.errstate(all="ignore"):
        middle = (x > 0.25) & (x < 0.75)
        near = 2 * np.arctanh(np.where(middle, 2 * x - 1, 0.0))
        return np.where(middle, near, np.log(x) - np.log1p(-x))


logit = _function(
    "logit",
    "log(x / (1 - x)): -inf at 0, inf at 1, NaN outside.",
    _logit_reference,
    scalar=_logit,
    grad=lambda g, y, x: [g / (x * (1.0 - x))],
    samples=(reals(0, 1, also=(0.0, 1.0, 0.5, 0.25, 0.75, 1e-300, 0.5000001, -0.5, 2.0, NAN)),),
    ulp=4.0,
    source="SciPy 1.13 reference",
)
log1pexp = softplus

# Trigonometric functions ----------------------------------------------------------------------

_TURNS = reals(-10, 10, also=(*SPECIALS, 1e5, 1e15, 1e-20, 3.141592653589793))
_UNIT = reals(-1, 1, also=(*SPECIALS, 0.5, -0.5, 1e-20, 1.5))


def _one_minus_square(x: Variable) -> Variable:
    """1 - x**2, keeping its digits near 1."""
    return (1.0 - x) * (1.0 + x)  # type: ignore[no-any-return]


sin = _function(
    "sin",
    "Sine of x in radians. NaN at infinities.",
    np.sin,
    grad=lambda g, y, x: [g * cos(x)],
    samples=(_TURNS,),
    ulp=2.0,
)
cos: Op = _function(
    "cos",
    "Cosine of x in radians. NaN at infinities.",
    np.cos,
    grad=lambda g, y, x: [-g * sin(x)],
    samples=(_TURNS,),
    ulp=2.0,
)
tan = _function(
    "tan",
    "Tangent of x in radians. NaN at infinities.",
    np.tan,
    grad=lambda g, y, x: [g * (1.0 + square(y))],
    samples=(_TURNS,),
    ulp=3.0,
)
asin = _function(
    "asin",
    "Inverse sine, in -pi/2 .. pi/2; NaN outside -1 .. 1.",
    np.arcsin,
    grad=lambda g, y, x: [g / sqrt(_one_minus_square(x))],
    samples=(_UNIT,),
    ulp=3.0,
    numpy=("arcsin",),
)
acos = _function(
    "acos",
    "Inverse cosine, in 0 .. pi; NaN outside -1 .. 1.",
    np.arccos,
    grad=lambda g, y, x: [-g / sqrt(_one_minus_square(x))],
    samples=(_UNIT,),
    ulp=3.0,
    numpy=("arccos",),
)
atan = _function(
    "atan",
    "Inverse tangent, in -pi/2 .. pi/2.",
    np.arctan,
    grad=lambda g, y, x: [g / (1.0 + square(x))],
    ulp=2.0,
    numpy=("arctan",),
)


def _atan2_gradient(g: Variable, z: Variable, y: Variable, x: Variable) -> list[Variable]:
    size = hypot(y, x)  # divided twice: its square could overflow
    safe = where(is_zero(size), 1.0, size)
    return [g * (x / safe / safe), -g * (y / safe / safe)]


atan2 = _pair(
    "atan2",
    "The angle of the point (x, y), in -pi .. pi; zeros and infinities as in C. The first argument "
    "is y. Gradient at the origin: 0.",
    np.arctan2,
    grad=_atan2_gradient,
    ulp=3.0,
    numpy=("arctan2",),
)


def _hypot_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    safe = where(is_zero(z), 1.0, z)
    return [g * (x / safe), g * (y / safe)]


hypot = _pair(
    "hypot",
    "sqrt(x**2 + y**2), without overflow; inf where either is infinite, even beside NaN. Gradient "
    "at the origin: 0.",
    np.hypot,
    grad=_hypot_gradient,
    properties=frozenset(("commutative",)),
    samples=(reals(-10, 10, also=(*SPECIALS, 1e200, 1e-200)),) * 2,
    ulp=2.0,
)


def _sinc(s: Any, x: Any) -> Any:
    """sin(pi x) is that of the distance to the nearest integer, negated for odd ones."""
    whole, zero = s.rint(x), s.eq(x, 0)
    rest = s.sin(s.mul(s.sub(x, whole), math.pi))
    odd = s.ne(s.mul(s.rint(s.mul(whole, 0.5)), 2), whole)
    turned = s.select(odd, s.neg(rest), rest)
    safe = s.select(zero, s.const(1, x.dtype), s.mul(x, math.pi))
    return s.select(zero, s.const(1, x.dtype), s.div(turned, safe))


def _sinc_reference(x: Any) -> Any:
    whole = np.rint(x)
    turned = np.sin(np.pi * (x - whole)) * np.where(whole % 2 == 0, 1, -1)
    return np.where(x == 0, 1.0, turned / np.where(x == 0, 1.0, np.pi * x))


def _cospi(s: Any, x: Any) -> Any:
    """By the distance to the nearest integer; beyond 1/4 the sine of what 1/2 is more."""
    whole = s.rint(x)
    size = s.abs(s.sub(x, whole))
    close = s.mul(s.sub(0.5, size), math.pi)
    found = s.select(s.gt(size, 0.25), s.sin(close), s.cos(s.mul(size, math.pi)))
    odd = s.ne(s.mul(s.rint(s.mul(whole, 0.5)), 2), whole)
    return s.select(odd, s.neg(found), found)


def _cospi_reference(x: Any) -> Any:
    whole = np.rint(x)
    size = np.abs(x - whole)
    found = np.where(size > 0.25, np.sin(np.pi * (0.5 - size)), np.cos(np.pi * size))
    return np.where(np.rint(whole / 2) * 2 != whole, -found, found)


cospi = _function(
    "cospi",
    "cos(pi x), right also next to its zeros. NaN at infinities.",
    _cospi_reference,
    scalar=_cospi,
    grad=lambda g, y, x: [g * (-(math.pi**2) * (x * sinc(x)))],
    samples=(reals(-4, 4, also=(0.0, 1e-20, 0.5, 1e15)),),
    ulp=3.0,
    source="IEEE 754-2019, 9.2",
)


def _sinc_gradient(g: Variable, y: Variable, x: Variable) -> list[Variable]:
    """(cos(pi x) - sinc(x)) / x; its series in u = pi x where |x| < 1/2, where that cancels."""
    small = find_op("abs")(x) < 0.5
    near = where(small, math.pi * x, 0.0)
    w, series = square(near), 0.0
    for n in range(12, 0, -1):
        series = series * w + (-1.0) ** n * 2 * n / math.factorial(2 * n + 1)
    far = (cospi(x) - y) / where(small, 1.0, x)
    return [g * where(small, math.pi * (series * near), far)]


sinc: Op = _function(
    "sinc",
    "sin(pi x) / (pi x), and 1 at 0; accurate near its zeros too. NaN at infinities.",
    _sinc_reference,
    rule="quotient",
    scalar=_sinc,
    grad=_sinc_gradient,
    samples=(reals(-4, 4, also=(0.0, 1e-20, 0.5)),),
    ulp=6.0,
    source=NUMPY,
)

# Hyperbolic functions and roots ---------------------------------------------------------------

sinh = _function(
    "sinh",
    "(exp(x) - exp(-x)) / 2.",
    np.sinh,
    grad=lambda g, y, x: [g * cosh(x)],
    samples=(reals(-20, 20, also=(*SPECIALS, 710.0, 1e-20, 89.0)),),
    ulp=3.0,
)
cosh: Op = _function(
    "cosh",
    "(exp(x) + exp(-x)) / 2.",
    np.cosh,
    grad=lambda g, y, x: [g * sinh(x)],
    samples=(reals(-20, 20, also=(*SPECIALS, 710.0, 1e-20, 89.0)),),
    ulp=3.0,
)
tanh = _function(
    "tanh",
    "sinh(x) / cosh(x). Slope: 1 / cosh(x)**2, accurate in its tails.",
    np.tanh,
    grad=lambda g, y, x: [g / square(cosh(x))],
    samples=(reals(-20, 20, also=(*SPECIALS, 1e-20, 300.0)),),
    ulp=3.0,
)
asinh = _function(
    "asinh",
    "log(x + sqrt(x**2 + 1)), without overflow or cancellation.",
    np.arcsinh,
    grad=lambda g, y, x: [g / hypot(x, 1.0)],
    samples=(reals(-20, 20, also=(*SPECIALS, 1e-20, 1e200)),),
    ulp=3.0,
    numpy=("arcsinh",),
)
acosh = _function(
    "acosh",
    "log(x + sqrt(x**2 - 1)) for x >= 1; NaN below.",
    np.arccosh,
    grad=lambda g, y, x: [g / (sqrt(x - 1.0) * sqrt(x + 1.0))],
    samples=(reals(1, 20, also=(1.0, 1.000001, 1e200, INF, NAN, 0.5)),),
    ulp=3.0,
    numpy=("arccosh",),
)
atanh = _function(
    "atanh",
    "log((1 + x) / (1 - x)) / 2; infinite at 1 and -1, NaN beyond.",
    np.arctanh,
    grad=lambda g, y, x: [g / _one_minus_square(x)],
    samples=(_UNIT,),
    ulp=3.0,
    numpy=("arctanh",),
)
cbrt = _function(
    "cbrt",
    "Cube root, also of negative x. Slope at 0: inf.",
    np.cbrt,
    grad=lambda g, y, x: [g / (3.0 * square(y))],
    samples=(reals(-20, 20, also=(*SPECIALS, 27.0, 1e-300, 1e300)),),
    ulp=2.0,
    source=NUMPY,
)
