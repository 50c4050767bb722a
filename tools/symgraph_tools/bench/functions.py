"""One elementary function per workload, in both float types, over few enough numbers for a cache.

4,096 numbers are one thread's work, so a row compares the vector code of the libraries alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # arrays of every library

from .workload import Workload, uniform

COUNT = 4096
SPANS: dict[tuple[float, float], str] = {  # where each is most used, by names of the array API
    (-5, 5): "exp exp2 expm1 sin cos tan sinh cosh tanh atan asinh cbrt sigmoid",
    (0.1, 10): "log log2 log10 sqrt",
    (-1, 1): "asin acos atanh",
    (-0.5, 9): "log1p",
    (1, 10): "acosh",
    (-3, 3): "erf",
    (0.1, 30): "gammaln",
}


def _applied(name: str) -> Callable[..., Any]:
    def formula(E: Any, x: Any) -> Any:
        """One function of every element."""
        return (getattr(E, name, None) or getattr(E.xp, name))(x)

    return formula


def _row(name: str, span: tuple[float, float], dtype: str) -> Workload:
    inputs = uniform((COUNT,), low=span[0], high=span[1], dtype=dtype)
    lacking = ("torch",) if name == "cbrt" else ()
    return Workload(f"{name}_{dtype}", inputs, _applied(name), dtype=dtype, rtol=1e-5, skip=lacking)


ROWS = tuple(
    _row(name, span, dtype)
    for dtype in ("float32", "float64")
    for span, names in SPANS.items()
    for name in names.split()
)
