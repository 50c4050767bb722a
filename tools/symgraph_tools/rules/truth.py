"""What scalar graphs are exactly: each op spelled with mpmath, and errors counted in bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mpmath as mp
import numpy as np

from symgraph.ir.graph import toposort
from symgraph.ir.node import Node

DIGITS = 400  # exp(700) - 1 needs 300 digits before its point, and 1 - erf(20) as many after it


def _chosen(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    return then() if condition else otherwise()


def _real_log(x: Any) -> Any:
    if x <= 0:
        return -mp.inf if x == 0 else mp.nan
    return mp.log(x)


def _real_root(x: Any) -> Any:
    return mp.sqrt(x) if x >= 0 else mp.nan


def _real_power(x: Any, y: Any) -> Any:
    if x < 0 and y != mp.floor(y):
        return mp.nan
    if x == 0 and y < 0:
        return mp.inf
    return mp.power(x, y)


def _log_gamma(x: Any) -> Any:
    return mp.log(abs(mp.gamma(x))) if x > 0 else mp.nan


def _inside(function: Callable[[Any], Any], lo: float, hi: float) -> Callable[[Any], Any]:
    return lambda x: function(x) if lo <= x <= hi else mp.nan


SPELLED: Mapping[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y if y else mp.nan,
    "negative": lambda x: -x,
    "abs": abs,
    "sign": mp.sign,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x if x else mp.nan,
    "pow": _real_power,
    "exp": mp.exp,
    "exp2": lambda x: mp.power(2, x),
    "log2": lambda x: _real_log(x) / mp.log(2),
    "log10": lambda x: _real_log(x) / mp.log(10),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "expm1": lambda x: mp.exp(x) - 1,
    "log": _real_log,
    "log1p": lambda x: _real_log(1 + x),
    "sqrt": _real_root,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": _inside(mp.asin, -1, 1),
    "acos": _inside(mp.acos, -1, 1),
    "atan": mp.atan,
    "atan2": mp.atan2,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": _inside(mp.acosh, 1, np.inf),
    "atanh": _inside(mp.atanh, -1, 1),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "log1mexp": lambda x: _real_log(1 - mp.exp(x)),
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "logsubexp": lambda x, y: _real_log(mp.exp(x) - mp.exp(y)),
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x),
    "gamma": lambda x: mp.gamma(x) if x > 0 else mp.nan,
    "gammaln": lambda x: _log_gamma(x),
    "digamma": lambda x: mp.digamma(x) if x > 0 else mp.nan,
    "lbeta": lambda x, y: _log_gamma(x) + _log_gamma(y) - _log_gamma(x + y),
    "gammaln_difference": lambda x, h: _log_gamma(x + h) - _log_gamma(x),
    "digamma_difference": lambda x, h: mp.digamma(x + h) - mp.digamma(x),
    "ndtr": mp.ncdf,
    "log_ndtr": lambda x: mp.log(mp.ncdf(x)),
    "erf_interval": lambda a, b, w: mp.erf(b) - mp.erf(a),
    "ndtr_interval": lambda a, b, w: mp.ncdf(b) - mp.ncdf(a),
    "log_quotient": lambda x, y: _real_log(x / y) if y else mp.nan,
    "log_near": lambda u, d: _real_log(u),
    "exp_product": lambda x, y: mp.exp(x * y),
    "pow1p": lambda x, y: _real_power(1 + x, y) if x >= -1 else mp.nan,
    "pow1pm1": lambda x, y: _real_power(1 + x, y) - 1 if x >= -1 else mp.nan,
    "exprel": lambda x: (mp.exp(x) - 1) / x if x else mp.mpf(1),
    "sinc_radians": lambda x: mp.sin(x) / x if x else mp.mpf(1),
    "sinhc": lambda x: mp.sinh(x) / x if x else mp.mpf(1),
    "sqrt1pm1": lambda x: _real_root(1 + x) - 1,
    "log1pmx": lambda x: _real_log(1 + x) - x,
    "cosm1": lambda x: mp.cos(x) - 1,
    "xlogy": lambda x, y: x * mp.log(y) if x else mp.mpf(0),
    "maximum": max,
    "minimum": min,
    "less": lambda x, y: x < y,
    "equal": lambda x, y: x == y,
    "logical_and": lambda x, y: x and y,
    "where": lambda c, x, y: x if c else y,
    "astype": lambda x: x,
    "expand_dims": lambda x: x,
    "squeeze": lambda x: x,
    "broadcast_to": lambda x: x,
    "polynomial": lambda x, coefficients: sum(mp.mpf(c) * x**k for k, c in enumerate(coefficients)),
}


def exact(node: Node, values: Mapping[Node, float]) -> Any:
    """The value of a scalar graph in ``DIGITS`` digits, NaN where it has none."""
    with mp.workdps(DIGITS):
        found: dict[Node, Any] = {n: mp.mpf(float(v)) for n, v in values.items()}
        for item in toposort([node]):
            if item in found:
                continue
            if item.op.name == "constant":
                found[item] = mp.mpf(float(item.attrs["value"]))
                continue
            inputs = [found[i] for i in item.inputs]
            if any(mp.isnan(x) for x in inputs if not isinstance(x, bool)):
                found[item] = mp.nan
                continue
            attrs = {k: v for k, v in item.attrs.items() if k == "coefficients"}
            found[item] = SPELLED[item.op.name](*inputs, **attrs)
        return +found[node]


def bits(approximation: float, truth: Any) -> float:
    """log2(1 + floats between the approximation and the rounded truth); NaN counts as all 64."""
    rounded = float(truth)
    if np.isnan(approximation):
        return 64.0
    gap = abs(_ordinal(approximation) - _ordinal(rounded))
    return float(np.log2(float(gap) + 1))


def _ordinal(x: float) -> int:
    number = int(np.float64(x).view(np.int64))
    return number if number >= 0 else -(number & (2**63 - 1))
