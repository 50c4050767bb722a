"""The table of scalar functions: one row each, from which come LLVM functions, numba words, NumPy references and the tests.

`ulp` is the promise (float64, float32): the largest error in units of the result's last place over the whole range, or,
where `scale` is given, in units of the last place of max(|result|, scale(args)): functions that cross zero at points
no float hits. `wide` rows compute float32 in float64 and round once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symgraph_kernels import error, exponential, logarithm, trigonometric

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One scalar function. `ranges`: per argument, intervals to sample (a log-uniform sweep of all magnitudes is added)."""

    name: str
    definition: Callable[..., Any]  # Any: values of whichever interpreter runs it
    reference: str  # an expression in mpmath's names and x, y
    ulp: tuple[float, float]
    ranges: tuple[tuple[Range, ...], ...]
    source: str
    wide: bool = False
    scale: str = ""

    @property
    def arity(self) -> int:
        return len(self.ranges)

    def evaluate(self, s: Any, *args: Any) -> Any:
        """The definition under the words `s`; through float64 if the row is wide."""
        if not self.wide or s.wide:
            return self.definition(s, *args)
        return s.narrow(self.definition(s.double(), *(s.widen(x) for x in args)))


FDLIBM = "Sun fdlibm 1993"
MAECHLER = "Maechler 2012, Accurately Computing log(1 - exp(-|a|))"
COMMON = ((-1.0, 1.0), (-20.0, 20.0))
POSITIVE = ((0.5, 2.0), (0.0, 100.0))

_TABLE = (
    Row("exp", exponential.exp, "exp(x)", (1, 1), (((-1, 1), (-746, 710), (-104, 89)),), FDLIBM),
    Row("exp2", exponential.exp2, "mpf(2) ** x", (1, 1), (((-1, 1), (-1075, 1024), (-150, 128)),), FDLIBM),
    Row("expm1", exponential.expm1, "expm1(x)", (2, 2), (((-1, 1), (-40, 710), (-10, 89)),), FDLIBM),
    Row("log", logarithm.log, "log(x)", (1, 1), (POSITIVE,), FDLIBM),
    Row("log2", logarithm.log2, "log(x, 2)", (1, 1), (POSITIVE,), FDLIBM),
    Row("log10", logarithm.log10, "log10(x)", (1, 1), (POSITIVE,), FDLIBM),
    Row("log1p", logarithm.log1p, "log1p(x)", (1, 1), (((-1, 1), (0, 100)),), FDLIBM),
    Row("sin", trigonometric.sin, "sin(x)", (1, 1), (COMMON,), FDLIBM),
    Row("cos", trigonometric.cos, "cos(x)", (1, 1), (COMMON,), FDLIBM),
    Row("tan", trigonometric.tan, "tan(x)", (1, 1), (COMMON,), FDLIBM),
    Row("sinh", exponential.sinh, "sinh(x)", (1, 1), (((-1, 1), (-711, 711), (-90, 90)),), FDLIBM),
    Row("cosh", exponential.cosh, "cosh(x)", (1, 1), (((-1, 1), (-711, 711), (-90, 90)),), FDLIBM),
    Row("tanh", exponential.tanh, "tanh(x)", (1, 1), (((-1, 1), (-20, 20)),), FDLIBM),
    Row("sigmoid", exponential.sigmoid, "1 / (1 + exp(-x))", (1, 1), (((-1, 1), (-746, 40), (-104, 20)),), MAECHLER),
    Row("softplus", exponential.softplus, "log1p(exp(x))", (1, 1), (((-1, 1), (-746, 40), (-104, 20)),), MAECHLER),
    Row("log1mexp", exponential.log1mexp, "log(-expm1(x)) if x > -1 else log1p(-exp(x))", (1, 1), (((-1, 0), (-746, 0), (-104, 0)),), MAECHLER),
    Row("logaddexp", exponential.logaddexp, "logaddexp(x, y)", (1, 1), (COMMON, COMMON), MAECHLER, scale="max(x, y)"),
    Row("erf", error.erf, "erf(x)", (1, 1.5), (((-1, 1), (-6, 6)),), "Shepherd & Laframboise 1981"),
    Row("erfc", error.erfc, "erfc(x)", (1, 1), (((-1, 1), (-6, 28), (0, 11)),), "Shepherd & Laframboise 1981"),
)
ROWS: dict[str, Row] = {row.name: row for row in _TABLE}
