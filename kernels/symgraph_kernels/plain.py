"""The words on NumPy arrays: what each definition computes, in plain Python.

`evaluate("exp", x)` takes arrays or scalars of float32 or float64 and runs the same definition
that LLVM code is made of. It is a reference, not a fast path. fma is emulated: exactly in float32
up to a double rounding (through float64), in float64 by Dekker's product and Knuth's sum, so
results may differ from compiled ones in the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgraph_kernels.words import FAR, Binary

Array = NDArray[Any]
SPLITTER = 2.0**27 + 1  # Dekker: halves of 26 bits


def evaluate(name: str, *args: Any) -> Any:
    """The table's function `name` on NumPy arrays or scalars, which broadcast.

    In float32 if that is their common type, else in float64; Python floats follow the arrays
    beside them (NEP 50). Raises KeyError for an unknown name.
    """
    from symgraph_kernels.table import ROWS

    dtype = np.result_type(*args) if args else np.float64
    dtype = np.dtype(np.float32) if dtype == np.float32 else np.dtype(np.float64)
    arrays = np.broadcast_arrays(*(np.asarray(x, dtype) for x in args))
    with np.errstate(all="ignore"):
        return np.asarray(ROWS[name].evaluate(Words(dtype == np.float64), *arrays), dtype)[()]


class Words(Binary):
    """The words over NumPy arrays of float64 (`wide`) or float32."""

    scales = False  # by two factors, as on most processors

    def __init__(self, wide: bool) -> None:
        super().__init__(wide)
        self.dtype = np.dtype(np.float64 if wide else np.float32)
        self.integer = np.dtype(np.int64 if wide else np.int32)

    def fma(self, x: Any, y: Any, z: Any) -> Array:
        x, y, z = (np.asarray(v, self.dtype) for v in (x, y, z))
        if not self.wide:
            exact = x.astype(np.float64) * y
            return (exact + z).astype(np.float32)
        high, low = _product(x, y)
        total = high + z
        back = total - high
        error = (high - (total - back)) + (z - back)
        fused = total + (error + low)
        return np.where(np.isfinite(fused) & np.isfinite(low), fused, x * y + z)

    def rint(self, x: Array) -> Array:
        return np.rint(x)

    def floor(self, x: Array) -> Array:
        return np.floor(x)

    def abs(self, x: Array) -> Array:
        return np.abs(x)

    def sqrt(self, x: Array) -> Array:
        return np.sqrt(x)

    def copysign(self, x: Any, y: Array) -> Array:
        return np.copysign(np.asarray(x, self.dtype), y)

    def select(self, c: Array, x: Any, y: Any) -> Array:
        given = next(
            (v.dtype for v in (x, y) if isinstance(v, np.ndarray | np.generic)), self.dtype
        )
        return np.where(c, np.asarray(x, given), np.asarray(y, given))

    def bits(self, x: Array) -> Array:
        return np.asarray(x, self.dtype).view(self.integer)

    def from_bits(self, i: Array) -> Array:
        return np.asarray(i, self.integer).view(self.dtype)

    def floating(self, i: Array) -> Array:
        return i.astype(self.dtype)

    def lookup(self, table: tuple[float, ...], i: Array) -> Array:
        return np.take(np.asarray(table), i)

    def double(self) -> Words:
        return Words(True)

    def widen(self, x: Array) -> Array:
        return x.astype(np.float64)

    def narrow(self, x: Array) -> Array:
        return x.astype(self.dtype)

    def far(self, name: str, fast: Array, x: Array) -> Array:
        huge = np.abs(x) >= self.number(*FAR[name].limit)
        if not huge.any():
            return fast
        return np.where(huge, self.narrow(FAR[name].definition(Words(True), self.widen(x))), fast)


def _product(x: Array, y: Array) -> tuple[Array, Array]:
    """(p, e): x * y = p + e exactly, if nothing overflows or underflows (Dekker 1971)."""
    p = x * y
    a, b = x * SPLITTER, y * SPLITTER
    xh, yh = a - (a - x), b - (b - y)
    xl, yl = x - xh, y - yh
    return p, ((xh * yh - p) + xh * yl + xl * yh) + xl * yl
