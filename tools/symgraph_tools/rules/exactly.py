"""Formulas exactly: a namespace of mpmath functions on arrays of objects, and derivatives by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np

Array = np.ndarray[Any, Any]
BITS = 1800  # 500 digits: sums of squares of 1e100 and 1e-100, tails of exp(-700), differences
STEP = 2.0**-300  # of central differences, whose error is its square


def _safe(function: Callable[..., Any]) -> Callable[..., Any]:
    """NaN where a function has no real value."""

    def value(*args: Any) -> Any:
        try:
            found = function(*args)
        except (ValueError, ZeroDivisionError, OverflowError):
            return mp.nan
        return mp.nan if isinstance(found, mp.mpc) else found

    return value


class Exact:
    """The functions of ``Formula.of`` on arrays of mpmath numbers."""

    def __init__(self) -> None:
        rows = {name: getattr(mp, name) for name in NAMES}
        rows["gammaln"] = lambda x: mp.loggamma(x) if x > 0 else mp.nan
        rows["cbrt"] = lambda x: mp.sign(x) * mp.cbrt(abs(x))
        self._rows = {name: np.frompyfunc(_safe(f), 1, 1) for name, f in rows.items()}

    def __getattr__(self, name: str) -> Any:
        return self._rows[name]

    @property
    def pi(self) -> Any:
        """What a program means by the nearest float."""
        return +mp.pi

    def sum(self, x: Any) -> Any:
        """Over the last axis."""
        return np.sum(x, axis=-1, keepdims=True)

    def max(self, x: Any) -> Any:
        """Over the last axis."""
        return np.max(x, axis=-1, keepdims=True)

    def mean(self, x: Any) -> Any:
        """Over the last axis."""
        return np.sum(x, axis=-1, keepdims=True) / x.shape[-1]


NAMES = (
    "exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan",
    "erf", "erfc",
)  # fmt: skip
EXACT = Exact()


def lifted(x: Array) -> Array:
    """An array of mpmath numbers."""
    found: Array = np.frompyfunc(lambda v: mp.mpf(float(v)), 1, 1)(x)
    return found


def values(of: Callable[..., Any], arguments: Sequence[Array]) -> Array:
    """The formula's value on each row, as objects of shape (size,)."""
    with mp.workprec(BITS):
        return _rows(of, [lifted(a) for a in arguments])


def _rows(of: Callable[..., Any], exact: list[Array]) -> Array:
    """Values of rows; NaN for those that divide by zero, which arrays of objects cannot."""
    size = len(exact[0])
    try:
        return np.asarray(of(EXACT, *exact)).reshape(size)
    except ZeroDivisionError:
        if size == 1:
            return np.array([mp.nan])
        return np.concatenate([_rows(of, [a[k : k + 1] for a in exact]) for k in range(size)])


def slopes(of: Callable[..., Any], arguments: Sequence[Array], k: int) -> Array:
    """The derivative by argument k, of the argument's shape, as objects."""
    with mp.workprec(BITS):
        exact = [lifted(a) for a in arguments]
        columns = range(arguments[k].shape[1]) if arguments[k].ndim == 2 else [None]
        found = [_slope(of, exact, k, column) for column in columns]
        return found[0] if columns == [None] else np.stack(found, axis=1)


def _slope(of: Callable[..., Any], exact: list[Array], k: int, column: int | None) -> Array:
    place = slice(None) if column is None else (slice(None), column)
    ends = []
    for sign in (1, -1):
        moved = list(exact)
        moved[k] = exact[k].copy()
        moved[k][place] = exact[k][place] * (1 + sign * mp.mpf(STEP))
        ends.append(_rows(of, moved))
    found: Array = (ends[0] - ends[1]) / (2 * mp.mpf(STEP) * exact[k][place])
    return found


def rounded(exact: Array, dtype: Any) -> Array:
    """To the nearest float of the dtype; NaN stays."""
    found = [float(mp.mpf(v)) for v in exact.reshape(-1)]
    with np.errstate(over="ignore"):
        return np.array(found).reshape(exact.shape).astype(dtype)
