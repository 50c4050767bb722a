"""``WideWords``: words on NumPy arrays of long double, by which rows give their references.

For rows whose parts cancel, so that NumPy's and SciPy's functions at double precision will not do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class WideWords:
    """The words that such rows use, in the manner of the word builder of lowering."""

    add, sub, mul, div, neg = np.add, np.subtract, np.multiply, np.divide, np.negative
    log, log1p, exp, abs = np.log, np.log1p, np.exp, np.abs
    lt, le, gt, and_, select = np.less, np.less_equal, np.greater, np.logical_and, np.where
    minimum, maximum = np.minimum, np.maximum

    @staticmethod
    def reciprocal(x: Any) -> Any:
        """1 / x."""
        return 1 / x

    @staticmethod
    def const(value: float, dtype: Any) -> Any:
        """A number."""
        return np.longdouble(value)

    @staticmethod
    def exp_product(x: Any, y: Any) -> Any:
        """exp(x * y)."""
        return np.exp(x * y)

    @staticmethod
    def erfcx(x: Any) -> Any:
        """exp(x**2) erfc(x), to double precision."""
        return _in_double("erfcx", x)

    @staticmethod
    def erfc(x: Any) -> Any:
        """1 - erf(x), to double precision."""
        return _in_double("erfc", x)

    @staticmethod
    def ndtr(x: Any) -> Any:
        """The normal distribution function, to double precision."""
        return _in_double("ndtr", x)


def _in_double(name: str, x: Any) -> Any:
    import scipy.special

    return getattr(scipy.special, name)(np.asarray(x, "float64")).astype("longdouble")


def wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference that takes a row's own steps in long double and rounds once."""

    def evaluate(*xs: Any) -> Any:
        with np.errstate(all="ignore"):
            found = function(WideWords, *[x.astype("longdouble") for x in xs])
            return np.asarray(found).astype(xs[0].dtype)

    return evaluate
