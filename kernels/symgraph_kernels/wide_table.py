"""The rows of double-double arithmetic: a word of the loop IR each, and what computes it.

`bits` is the promise: the relative error is below 2**-bits (a few ulp of float64 where the row
corrects a float64 function, 0 where the row is exact or gives a condition), tested against mpmath.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from symgraph_kernels import error, gamma, wide
from symgraph_kernels import wide_defects as d
from symgraph_kernels import wide_functions as f
from symgraph_kernels import wide_gamma as g
from symgraph_kernels.wide import ONE, Wide, scaled

FLOAT64_BITS = 50
FAR = 1e4  # where erfcx is 1 / (sqrt(pi) x), to 8 digits


@dataclass(frozen=True, slots=True)
class WideRow:
    """One function: `definition(w, *triples)` gives a triple."""

    name: str
    arity: int
    definition: Callable[..., Wide]
    bits: int = 95
    reference: str = ""  # an expression in mpmath's names and x, y; "" where another test has it


def _gauss(w: Any, x: Wide) -> Wide:
    """2 / sqrt(pi) exp(-x**2), the derivative of erf."""
    return w.mul(f.RSQRT_PI2, w.exp(wide.neg(w, w.mul(x, x))))


def _erfcx_slope(w: Any, x: Wide, y: Wide) -> Wide:
    """2 x y - 2 / sqrt(pi); where that cancels, -y / x (1 - 1 / x**2 ...)."""
    near = w.sub(scaled(w.mul(x, y), 1.0), f.RSQRT_PI2)
    far = wide.neg(w, w.div(y, x))
    return wide.pick(w.s, wide.drop(w.s, x) > FAR, far, near)


def _erfcx_bend(w: Any, x: Wide, y: Wide) -> Wide:
    """2 erfcx(x) + 2 x y; where that cancels, -2 y / x (1 - 3 / x**2 ...)."""
    near = scaled(w.add(w.erfcx(x), w.mul(x, y)), 1.0)
    far = scaled(wide.neg(w, w.div(y, x)), 1.0)
    return wide.pick(w.s, wide.drop(w.s, x) > FAR, far, near)


def _erfinv_slope(w: Any, x: Wide, y: Wide) -> Wide:
    return w.div(w.exp(w.mul(y, y)), f.RSQRT_PI2)


def _ndtri_slope(w: Any, x: Wide, y: Wide) -> Wide:
    return w.mul(f.ROOT_TWO_PI, w.exp(scaled(w.mul(y, y), -1.0)))


_TABLE = (
    WideRow("add", 2, wide.add, 95, "x + y"),
    WideRow("sub", 2, wide.sub, 95, "x - y"),
    WideRow("mul", 2, wide.mul, 100, "x * y"),
    WideRow("div", 2, wide.div, 100, "x / y"),
    WideRow("neg", 1, wide.neg, 0, "-x"),
    WideRow("abs", 1, wide.abs_, 0, "abs(x)"),
    WideRow("sqrt", 1, wide.sqrt, 100, "sqrt(x)"),
    WideRow("square", 1, wide.square, 100, "x * x"),
    WideRow("reciprocal", 1, wide.reciprocal, 100, "1 / x"),
    WideRow("fma", 3, wide.fma, 90),
    WideRow("eq", 2, wide.eq, 0),
    WideRow("ne", 2, wide.ne, 0),
    WideRow("lt", 2, wide.lt, 0),
    WideRow("le", 2, wide.le, 0),
    WideRow("gt", 2, wide.gt, 0),
    WideRow("ge", 2, wide.ge, 0),
    WideRow("and", 2, wide.and_, 0),
    WideRow("or", 2, wide.or_, 0),
    WideRow("xor", 2, wide.xor, 0),
    WideRow("not", 1, wide.not_, 0),
    WideRow("select", 3, wide.select, 0),
    WideRow("isnan", 1, wide.isnan, 0),
    WideRow("isinf", 1, wide.isinf, 0),
    WideRow("isfinite", 1, wide.isfinite, 0),
    WideRow("signbit", 1, wide.signbit, 0),
    WideRow("maximum", 2, wide.maximum, 0, "max(x, y)"),
    WideRow("minimum", 2, wide.minimum, 0, "min(x, y)"),
    WideRow("fmax", 2, wide.fmax, 0, "max(x, y)"),
    WideRow("fmin", 2, wide.fmin, 0, "min(x, y)"),
    WideRow("copysign", 2, wide.copysign, 0, "abs(x) * sign(y)"),
    WideRow("sign", 1, wide.sign, 0, "sign(x)"),
    WideRow("floor", 1, wide.floor, 0, "floor(x)"),
    WideRow("ceil", 1, wide.ceil, 0, "ceil(x)"),
    WideRow("trunc", 1, wide.trunc, 0, "sign(x) * floor(abs(x))"),
    WideRow("rint", 1, wide.rint, 0, "nint(x)"),
    WideRow("series", 1, f.series, 95),
    WideRow("exp", 1, f.exp, 90, "exp(x)"),
    WideRow("exp2", 1, f.exp2, 88, "power(2, x)"),
    WideRow("expm1", 1, f.expm1, 90, "expm1(x)"),
    WideRow("log", 1, f.log, 90, "log(x)"),
    WideRow("log_far", 1, f.log_far, 50),
    WideRow("log1p", 1, f.log1p, 90, "log1p(x)"),
    WideRow("log2", 1, f.log2, 90, "log(x, 2)"),
    WideRow("log10", 1, f.log10, 90, "log10(x)"),
    WideRow("sine", 1, f.sine, 95),
    WideRow("cosine", 1, f.cosine, 95),
    WideRow("sin", 1, f.sin, 90, "sin(x)"),
    WideRow("cos", 1, f.cos, 90, "cos(x)"),
    WideRow("tan", 1, f.tan, 90, "tan(x)"),
    WideRow("atan2", 2, f.atan2, 90, "atan2(x, y)"),
    WideRow("atan", 1, f.atan, 90, "atan(x)"),
    WideRow("asin", 1, f.asin, 90, "asin(x)"),
    WideRow("acos", 1, f.acos, 90, "acos(x)"),
    WideRow("sinh", 1, f.sinh, 90, "sinh(x)"),
    WideRow("cosh", 1, f.cosh, 90, "cosh(x)"),
    WideRow("tanh", 1, f.tanh, 90, "tanh(x)"),
    WideRow("asinh", 1, f.asinh, 90, "asinh(x)"),
    WideRow("acosh", 1, f.acosh, 90, "acosh(x)"),
    WideRow("atanh", 1, f.atanh, 90, "atanh(x)"),
    WideRow("cbrt", 1, f.cbrt, 90, "sign(x) * cbrt(abs(x))"),
    WideRow("hypot", 2, f.hypot, 95, "sqrt(x * x + y * y)"),
    WideRow("pow", 2, f.pow_, 84, "power(x, y)"),
    WideRow("sigmoid", 1, f.sigmoid, 90, "1 / (1 + exp(-x))"),
    WideRow("softplus", 1, f.softplus, 88, "log1p(exp(x))"),
    WideRow("log1mexp", 1, f.log1mexp, 88, "log1mexp(x)"),
    WideRow("logaddexp", 2, f.logaddexp, 80, "logaddexp(x, y)"),
    WideRow(
        "erf", 1, f.first_order(error.erf, lambda w, x, y: _gauss(w, x)), FLOAT64_BITS, "erf(x)"
    ),
    WideRow(
        "erfc",
        1,
        f.first_order(error.erfc, lambda w, x, y: wide.neg(w, _gauss(w, x))),
        FLOAT64_BITS,
        "erfc(x)",
    ),
    WideRow("erfcx", 1, f.first_order(error.erfcx, _erfcx_slope), FLOAT64_BITS, "erfcx(x)"),
    WideRow("erfinv", 1, f.first_order(error.erfinv, _erfinv_slope), FLOAT64_BITS, "erfinv(x)"),
    WideRow("ndtri", 1, f.first_order(error.ndtri, _ndtri_slope), FLOAT64_BITS, "ndtri(x)"),
    WideRow("gammaln", 1, g.gammaln(gamma.gammaln), 88, "gammaln(x)"),
    WideRow("gamma", 1, g.gamma(gamma.gamma), 84, "gamma(x)"),
    WideRow("digamma", 1, g.digamma(gamma.digamma), 88, "digamma(x)"),
    WideRow("log1pmx", 1, d.log1pmx, 80, "log1p(x) - x"),
    WideRow("exprel", 1, d.exprel, 90, "expm1(x) / x"),
    WideRow("cosm1", 1, d.cosm1, 90, "cos(x) - 1"),
    WideRow("sinhc", 1, d.sinhc, 90, "sinh(x) / x"),
    WideRow("sqrt1pm1", 1, d.sqrt1pm1, 90, "sqrt(1 + x) - 1"),
    WideRow("pow1p", 2, d.pow1p, 84, "power(1 + x, y)"),
    WideRow("pow1pm1", 2, d.pow1pm1, 80, "power(1 + x, y) - 1"),
    WideRow("softplus_inverse", 1, d.softplus_inverse, 85, "log(expm1(x))"),
    WideRow("exp_product", 2, d.exp_product, 84, "exp(x * y)"),
    WideRow("log_quotient", 2, d.log_quotient, 88, "log(x / y)"),
    WideRow("log_near", 2, d.log_near, 88),
    WideRow("ndtr", 1, d.ndtr, FLOAT64_BITS - 2, "ncdf(x)"),
    WideRow("log_ndtr", 1, d.log_ndtr, FLOAT64_BITS - 4, "log(ncdf(x))"),
    WideRow("trigamma", 1, g.trigamma(gamma.trigamma), 88, "trigamma(x)"),
    WideRow(
        "erfcx_slope",
        1,
        f.first_order(error.erfcx_slope, _erfcx_bend),
        FLOAT64_BITS - 1,
        "erfcx_slope(x)",
    ),
)
WIDE_ROWS: dict[str, WideRow] = {row.name: row for row in _TABLE}
NUMBERS = {name: i for i, name in enumerate(WIDE_ROWS)}
__all__ = ["NUMBERS", "ONE", "WIDE_ROWS", "WideRow"]

_ARITHMETIC = (
    "add sub mul div neg abs sqrt square reciprocal fma eq ne lt le gt ge and or xor not select"
    " isnan isinf isfinite signbit maximum minimum fmax fmin copysign sign floor ceil trunc rint"
)
_EXPONENTIAL = "exp expm1 log log1p sigmoid softplus tanh pow logaddexp log1mexp"
TIERS = (
    frozenset(_ARITHMETIC.split()),
    frozenset(f"{_ARITHMETIC} {_EXPONENTIAL}".split()),
    frozenset(WIDE_ROWS),
)
"""Rows that are compiled together: each those of the one before and more, the last all of them."""


def tier_of(operations: Iterable[int]) -> int:
    """The first tier with all of these operations; 0 is a constant, 1 + k row k."""
    names = list(WIDE_ROWS)
    wanted = {names[k - 1] for k in operations if k}
    return next(k for k, rows in enumerate(TIERS) if wanted <= rows)
