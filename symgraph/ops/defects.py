"""What is left when the leading term is taken away, and functions of exact products and quotients.

``log1pmx exprel cosm1 sinhc sinc_radians sqrt1pm1 pow1p pow1pm1 softplus_inverse`` are public in
``sg.special``; ``exp_product log_quotient log_near`` are what rules make of ``exp(x * y)``,
``log(x / y)`` and ``log(u)`` with u near 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.ir.op import Op, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.arith import sqrt
from symgraph.ops.convert import make
from symgraph.ops.kinds import elementwise
from symgraph.ops.math import cos, cosh, exp, expm1, log1p, sin
from symgraph.ops.samples import INF, NAN, POSITIVE, SPECIALS, reals
from symgraph.ops.signs import where

BOOST = "Boost.Math 1.85, powers"
SCIPY = "SciPy 1.13 reference"
SMALL = 1.0  # below, derivatives of quotients are taken from their series
FAR = 50.0  # beyond, cosh(x) and sinh(x) are one number, also where they overflow
TERMS = 20
UNIT = reals(-1, 3, also=(*SPECIALS, 1e-20, -1e-20, 1e-5, -0.5, -2.0))


def in_long(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference evaluated in long double and rounded once."""

    def evaluate(*xs: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(function(*[x.astype("longdouble") for x in xs])).astype(xs[0].dtype)

    return evaluate


def _row(name: str, doc: str, reference: Callable[..., Any], **row: Any) -> Op:
    defaults: dict[str, Any] = {"source": BOOST, "ulp": 2.0, "word": name}
    return elementwise(
        name, doc, takes="floating", rule="float", reference=in_long(reference), **defaults | row
    )


def _quotient_slope(x: Variable, coefficients: list[float], far: Variable) -> Variable:
    """A derivative by its series in x near 0, else as it stands."""
    near = make("polynomial", [where(abs(x) < SMALL, x, 0.0)], coefficients=tuple(coefficients))
    return where(abs(x) < SMALL, near, far)


def _log1pmx_reference(x: Any) -> Any:
    small = np.abs(x) < 0.01
    z = np.where(small, x, 0)
    series = sum((-1) ** (k + 1) * z**k / k for k in range(2, 12))
    return np.where(small, series, np.where(x == INF, -INF, np.log1p(x) - x))


log1pmx = _row(
    "log1pmx",
    "log(1 + x) - x, accurate for small x too; -inf at -1, NaN below.",
    _log1pmx_reference,
    grad=lambda g, y, x: [g * (-x / (1.0 + x))],
    samples=(UNIT,),
)
cosm1 = _row(
    "cosm1",
    "cos(x) - 1, accurate for small x too.",
    lambda x: -2 * np.sin(x / 2) ** 2,
    grad=lambda g, y, x: [g * -sin(x)],
    samples=(reals(-9, 9, also=(*SPECIALS, 1e-20, 1e-5)),),
    source=SCIPY,
)


def _exprel_gradient(g: Variable, y: Variable, x: Variable) -> list[Variable]:
    """(exp(x) (x - 1) + 1) / x**2; near 0 sum of k x**(k - 1) / (k + 1)!."""
    series = [k / math.factorial(k + 1) for k in range(1, TERMS)]
    safe = where(abs(x) < SMALL, SMALL, x)
    far = exp(safe) / safe * (1.0 - 1.0 / safe) + 1.0 / (safe * safe)
    far = where(x > FAR, y * (1.0 - 1.0 / safe), far)
    return [g * _quotient_slope(x, series, far)]


exprel = _row(
    "exprel",
    "(exp(x) - 1) / x, 1 at 0.",
    lambda x: np.where(x == 0, 1, np.where(x == INF, INF, np.expm1(x) / np.where(x == 0, 1, x))),
    grad=_exprel_gradient,
    samples=(reals(-20, 20, also=(*SPECIALS, 1e-20, 712.0, -700.0)),),
    source=SCIPY,
)


def _sinhc_gradient(g: Variable, y: Variable, x: Variable) -> list[Variable]:
    """(cosh(x) - sinh(x) / x) / x; near 0 sum of 2k x**(2k - 1) / (2k + 1)!."""
    series = [k / math.factorial(k + 1) if k % 2 == 0 else 0.0 for k in range(1, TERMS)]
    series = [0.0 if k % 2 == 0 else series[k] for k in range(len(series))]
    safe = where(abs(x) < SMALL, SMALL, x)
    far = (cosh(safe) - y) / safe
    far = where(abs(x) > FAR, y * (find_op("sign")(x) - 1.0 / safe), far)
    return [g * _quotient_slope(x, series, far)]


sinhc = _row(
    "sinhc",
    "sinh(x) / x, 1 at 0.",
    lambda x: np.where(x == 0, 1, np.where(np.isinf(x), INF, np.sinh(x) / np.where(x == 0, 1, x))),
    grad=_sinhc_gradient,
    samples=(reals(-20, 20, also=(*SPECIALS, 1e-20, 712.0, -700.0)),),
)


def _sinc_gradient(g: Variable, y: Variable, x: Variable) -> list[Variable]:
    """(cos(x) - sin(x) / x) / x; near 0 sum of 2k (-1)**k x**(2k - 1) / (2k + 1)!."""
    series = [0.0] * TERMS
    for k in range(2, TERMS, 2):
        series[k - 1] = (-1) ** (k // 2) * k / math.factorial(k + 1)
    safe = where(abs(x) < SMALL, SMALL, x)
    far = (cos(safe) - sin(safe) / safe) / safe
    return [g * _quotient_slope(x, series, far)]


def _sinc(s: Any, x: Any) -> Any:
    tiny = s.lt(s.abs(x), 1e-9)
    safe = s.select(tiny, s.const(1, x.dtype), x)
    far = s.select(s.eq(s.abs(x), INF), s.const(0, x.dtype), s.div(s.sin(safe), safe))
    return s.select(tiny, s.const(1, x.dtype), far)


sinc_radians = _row(
    "sinc_radians",
    "sin(x) / x, 1 at 0 and 0 at infinity (sinc(x) is that of pi x).",
    lambda x: np.where(x == 0, 1, np.where(np.isinf(x), 0, np.sin(x) / np.where(x == 0, 1, x))),
    scalar=_sinc,
    word=None,
    grad=_sinc_gradient,
    samples=(reals(-20, 20, also=(*SPECIALS, 1e-20, 1e5)),),
)
sqrt1pm1 = _row(
    "sqrt1pm1",
    "sqrt(1 + x) - 1, accurate for small x too; NaN below -1.",
    lambda x: np.where(np.isposinf(x), x, x / (1 + np.sqrt(1 + x))),
    grad=lambda g, y, x: [g * (0.5 / sqrt(1.0 + x))],
    samples=(UNIT,),
)


def _pow1p_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    return [g * (y * find_op("pow1p")(x, y - 1.0)), g * (find_op("pow1p")(x, y) * log1p(x))]


def _power_reference(less: int) -> Callable[..., Any]:
    function = np.expm1 if less else np.exp

    def evaluate(x: Any, y: Any) -> Any:
        base = np.where(y == 0, 0, x)
        found = function(np.where((base == 0) & ~np.isnan(y), 0, y * np.log1p(base)))
        return np.where(np.isnan(x), x, found)

    return evaluate


_EXPONENTS = reals(-9, 9, also=(0.0, 1.0, -1.0, 0.5, 300.0, -300.0, NAN))
pow1p = _row(
    "pow1p",
    "(1 + x) ** y for x >= -1, with all digits of a small x (compound interest); NaN below.",
    _power_reference(0),
    arity=2,
    grad=_pow1p_gradient,
    samples=(UNIT, _EXPONENTS),
)
pow1pm1 = _row(
    "pow1pm1",
    "(1 + x) ** y - 1 for x >= -1, accurate where it is small too; NaN below.",
    _power_reference(1),
    arity=2,
    grad=_pow1p_gradient,
    samples=(UNIT, _EXPONENTS),
)


def _softplus_inverse_reference(x: Any) -> Any:
    low = np.minimum(x, 1)
    return np.where(x > 1, x + np.log(-np.expm1(-np.maximum(x, 1))), np.log(np.expm1(low)))


softplus_inverse = _row(
    "softplus_inverse",
    "log(exp(x) - 1), the inverse of softplus: -inf at 0, NaN below.",
    _softplus_inverse_reference,
    grad=lambda g, y, x: [g * (-1.0 / expm1(-x))],
    samples=(reals(0, 30, also=(0.0, 1e-20, 1.0, 0.5, 700.0, -1.0, INF, NAN)),),
    source="Maechler 2012, Accurately computing log(1 - exp(-|a|))",
    ulp=16.0,  # of floats near its zero at log(2); elsewhere 1.6
)

# Of exact products and quotients ---------------------------------------------------------------

exp_product = _row(
    "exp_product",
    "exp(x * y) of the exact product: exp(-x * x / 2) loses up to 10 bits by its rounding.",
    lambda x, y: np.exp(x * y),
    arity=2,
    grad=lambda g, z, x, y: [g * (z * y), g * (z * x)],
    samples=(reals(-9, 9, also=(0.0, 1.0, INF, NAN)), reals(-9, 9, also=(0.0, -1.0, -INF))),
    properties=frozenset(("commutative",)),
    source="error-free product: Dekker 1971, Numer. Math. 18",
)


def _log_quotient_reference(x: Any, y: Any) -> Any:
    q = x / y
    gap = (x - y) / y
    near = np.abs(gap) < 0.25
    return np.where(near, np.log1p(np.where(near, gap, 0)), np.log(q))


log_quotient = _row(
    "log_quotient",
    "log(x / y) of the exact quotient, accurate for x near y and where x / y is out of range.",
    _log_quotient_reference,
    arity=2,
    grad=lambda g, z, x, y: [g / x, -g / y],
    samples=(POSITIVE, POSITIVE),
    source="error-free quotient: Dekker 1971, Numer. Math. 18",
)


def _log_near_reference(u: Any, d: Any) -> Any:
    near = np.abs(d) < 0.5
    return np.where(near, np.log1p(np.where(near, d, 0)), np.log(u)) + 0 * d


log_near = _row(
    "log_near",
    "log(u), where d = u - 1 is given too, with the digits that u near 1 does not have.",
    _log_near_reference,
    arity=2,
    grad=lambda g, z, u, d: [None, g / u],
    samples=None,  # its arguments are not independent: tested by hand
    source="Goldberg 1991, theorem 4",
)
