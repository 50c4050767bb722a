"""The scalar functions, a row each: LLVM, numba words, NumPy interpreter and tests come from it.

`ulp` is the promise (float64, float32): the largest error in units of the result's last place
over the whole range, or, where `scale` is given, in units of the last place of max(|result|,
scale(args)): functions that cross zero at points no float hits. Where `narrow` is given, float32
is computed by it in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symgraph_kernels import (
    defects,
    error,
    exponential,
    gamma,
    inverse,
    logarithm,
    roots,
    trigonometric,
)

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One scalar function. `ranges`: intervals to sample per argument, besides all magnitudes."""

    name: str
    definition: Callable[..., Any]  # Any: values of whichever interpreter runs it
    reference: str  # an expression in mpmath's names and x, y
    ulp: tuple[float, float]
    ranges: tuple[tuple[Range, ...], ...]
    source: str
    narrow: Callable[..., Any] | None = None
    scale: str = ""

    @property
    def arity(self) -> int:
        return len(self.ranges)

    def evaluate(self, s: Any, *args: Any) -> Any:
        """The definition under the words `s`."""
        if self.narrow is None or s.wide:
            return self.definition(s, *args)
        return s.narrow(self.narrow(s.double(), *(s.widen(x) for x in args)))


FDLIBM = "fdlibm (Sun Microsystems 1993)"
DEKKER = "fdlibm, with pairs after Dekker 1971, Numer. Math. 18"
CODY = "Cody & Waite 1980; Payne & Hanek 1983, ACM SIGNUM Newsl. 18"
MAECHLER = "Maechler 2012, Accurately Computing log(1 - exp(-|a|))"
SHEPHERD = "Shepherd & Laframboise 1981, Math. Comp. 36"
GILES = "after Giles 2010, Approximating the erfinv function"
STIRLING = "Stirling's series and recurrence; DLMF 5.5, 5.11"

REAL = ((-1, 1), (-20, 20))
POSITIVE = ((0.5, 2), (0, 100))
UNIT = ((-1, 1), (-0.1, 0.1))
POWERS = ((-1, 1), (-746, 711), (-105, 90))  # where exp neither overflows nor vanishes
GAMMAS = ((-5, 5), (0, 20), (-180, 180), (-40, 40))
NEAR_ZEROS = (
    "max(1, gammaln(abs(x))) if x < 0 else 0"  # gammaln crosses zero between negative integers
)
DIGAMMA_ZEROS = "max(1, log(abs(x))) if x < 0 else 0"

_TABLE = (
    Row("exp", exponential.exp, "exp(x)", (1.1, 1.1), (POWERS,), FDLIBM),
    Row(
        "exp2",
        exponential.exp2,
        "mpf(2) ** x",
        (1.2, 1.2),
        (((-1, 1), (-1076, 1025), (-151, 129)),),
        FDLIBM,
    ),
    Row(
        "expm1",
        exponential.expm1,
        "expm1(x)",
        (1.9, 1.4),
        (((-1, 1), (-40, 711), (-20, 90)),),
        FDLIBM,
    ),
    Row("log", logarithm.log, "log(x)", (0.9, 0.9), (POSITIVE,), FDLIBM),
    Row("log2", logarithm.log2, "log(x, 2)", (0.9, 0.9), (POSITIVE,), DEKKER),
    Row("log10", logarithm.log10, "log10(x)", (0.9, 0.9), (POSITIVE,), DEKKER),
    Row("log1p", logarithm.log1p, "log1p(x)", (1.1, 1.1), (((-1, 1), (0, 100)),), FDLIBM),
    Row("sin", trigonometric.sin, "sin(x)", (0.95, 0.95), (REAL,), CODY),
    Row("cos", trigonometric.cos, "cos(x)", (0.95, 0.95), (REAL,), CODY),
    Row("tan", trigonometric.tan, "tan(x)", (1.2, 1.2), (REAL,), CODY),
    Row("asin", inverse.asin, "asin(x)", (0.75, 0.75), (UNIT,), DEKKER),
    Row("acos", inverse.acos, "acos(x)", (0.75, 0.75), (UNIT,), DEKKER),
    Row("atan", inverse.atan, "atan(x)", (0.8, 0.8), (REAL,), DEKKER),
    Row("atan2", inverse.atan2, "atan2(x, y)", (0.9, 0.9), (REAL, REAL), DEKKER),
    Row("sinh", exponential.sinh, "sinh(x)", (1.8, 1.8), (POWERS,), DEKKER),
    Row("cosh", exponential.cosh, "cosh(x)", (1, 1), (POWERS,), DEKKER),
    Row("tanh", exponential.tanh, "tanh(x)", (1.7, 1.7), (REAL,), DEKKER),
    Row("asinh", inverse.asinh, "asinh(x)", (1.1, 1.1), (REAL,), DEKKER),
    Row("acosh", inverse.acosh, "acosh(x)", (0.9, 0.9), (((1, 2), (1, 100)),), DEKKER),
    Row("atanh", inverse.atanh, "atanh(x)", (1.1, 1.1), (UNIT,), DEKKER),
    Row("cbrt", roots.cbrt, "sign(x) * cbrt(abs(x))", (0.6, 0.6), (REAL,), DEKKER),
    Row("hypot", roots.hypot, "sqrt(x * x + y * y)", (0.75, 0.75), (REAL, REAL), DEKKER),
    Row(
        "pow",
        roots.pow,
        "power(x, y)",
        (0.75, 0.6),
        (((0, 3), (0, 1e3)), ((-3, 3), (-100, 100))),
        DEKKER,
        narrow=roots.pow_narrow,
    ),
    Row("sigmoid", exponential.sigmoid, "1 / (1 + exp(-x))", (2, 2), (POWERS,), MAECHLER),
    Row("softplus", exponential.softplus, "log1p(exp(x))", (1.2, 1.2), (POWERS,), MAECHLER),
    Row(
        "log1mexp",
        exponential.log1mexp,
        "log1mexp(x)",
        (1, 1),
        (((-1, 0), (-746, 0), (-104, 0)),),
        MAECHLER,
    ),
    Row(
        "logaddexp",
        exponential.logaddexp,
        "logaddexp(x, y)",
        (2, 2),
        (REAL, REAL),
        MAECHLER,
        scale="max(x, y)",
    ),
    Row("erf", error.erf, "erf(x)", (1.2, 1.2), (((-1, 1), (-6, 6)),), SHEPHERD),
    Row("erfc", error.erfc, "erfc(x)", (1.8, 1.5), (((-1, 1), (-6, 28), (0, 11)),), SHEPHERD),
    Row(
        "erfcx",
        error.erfcx,
        "erfcx(x)",
        (2, 0.6),
        (((-1, 1), (-27, 30), (-10, 11)),),
        SHEPHERD,
        narrow=error.erfcx,
    ),
    Row(
        "erfcx_slope",
        error.erfcx_slope,
        "erfcx_slope(x)",
        (2, 0.6),
        (((-1, 1), (-27, 30), (-10, 11)),),
        SHEPHERD,
        narrow=error.erfcx_slope,
    ),
    Row("erfinv", error.erfinv, "erfinv(x)", (2, 0.6), (UNIT,), GILES, narrow=error.erfinv),
    Row(
        "ndtri",
        error.ndtri,
        "ndtri(x)",
        (2, 0.6),
        (((0, 1), (0, 1e-3)),),
        GILES,
        narrow=error.ndtri,
    ),
    Row("ndtr", error.ndtr, "ndtr(x)", (1.6, 1.6), (((-1.5, 1.5), (-39, 9), (-14, 5)),), SHEPHERD),
    Row(
        "log_ndtr",
        error.log_ndtr,
        "log_ndtr(x)",
        (1.6, 0.6),
        (((-1.5, 1.5), (-39, 9), (-14, 5)),),
        SHEPHERD,
        narrow=error.log_ndtr,
    ),
    Row("log1pmx", defects.log1pmx, "log1pmx(x)", (1.6, 1.6), (((-1, 1), (-0.3, 0.3)),), DEKKER),
    Row("cosm1", defects.cosm1, "-2 * sin(x / 2) ** 2", (1.5, 1.5), (REAL,), CODY),
    Row(
        "exprel",
        defects.exprel,
        "exprel(x)",
        (1.4, 1.4),
        (((-1, 1), (-60, 717), (-20, 92)),),
        DEKKER,
    ),
    Row(
        "sinhc", defects.sinhc, "sinhc(x)", (1.5, 1.5), (((-1, 1), (-716, 716), (-92, 92)),), DEKKER
    ),
    Row("sqrt1pm1", defects.sqrt1pm1, "sqrt1pm1(x)", (0.8, 0.8), (((-1, 1), (0, 9)),), DEKKER),
    Row(
        "pow1p",
        defects.pow1p,
        "pow1p(x, y)",
        (1, 0.6),
        (((-1, 1), (0, 9)), ((-9, 9), (-300, 300))),
        DEKKER,
        narrow=defects.pow1p,
    ),
    Row(
        "pow1pm1",
        defects.pow1pm1,
        "pow1pm1(x, y)",
        (1.2, 0.6),
        (((-1, 1), (0, 9)), ((-9, 9), (-300, 300))),
        DEKKER,
        narrow=defects.pow1pm1,
    ),
    Row(
        "softplus_inverse",
        defects.softplus_inverse,
        "log(expm1(x))",
        (1.6, 1.6),
        (((0, 1), (0, 9), (0, 700)),),
        MAECHLER,
        scale="x * x if x < 1 else 0",
    ),
    Row("exp_product", defects.exp_product, "exp(x * y)", (1.1, 1.1), (REAL, REAL), DEKKER),
    Row(
        "log_quotient", defects.log_quotient, "log(x / y)", (1.1, 1.1), (POSITIVE, POSITIVE), DEKKER
    ),
    Row(
        "log_near",
        defects.log_near,
        "log(x) if abs(y) >= 0.5 else log1p(y)",
        (1.1, 1.1),
        (POSITIVE, UNIT),
        DEKKER,
    ),
    Row("gamma", gamma.gamma, "gamma(x)", (1.5, 0.6), (GAMMAS,), STIRLING, narrow=gamma.gamma),
    Row(
        "gammaln",
        gamma.gammaln,
        "gammaln(x)",
        (4, 0.6),
        (GAMMAS,),
        STIRLING,
        narrow=gamma.gammaln,
        scale=NEAR_ZEROS,
    ),
    Row(
        "digamma",
        gamma.digamma,
        "digamma(x)",
        (3, 0.6),
        (GAMMAS,),
        STIRLING,
        narrow=gamma.digamma,
        scale=DIGAMMA_ZEROS,
    ),
    Row(
        "trigamma",
        gamma.trigamma,
        "trigamma(x)",
        (4, 0.6),
        (GAMMAS,),
        STIRLING,
        narrow=gamma.trigamma,
    ),
)
ROWS: dict[str, Row] = {row.name: row for row in _TABLE}
