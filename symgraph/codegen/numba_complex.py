"""Words of more than one instruction, as small numba functions: complex numbers, integer powers.

Complex division is Smith's, operation for operation as in NumPy; abs is hypot.
Source: Smith 1962, Algorithm 116: Complex division, CACM 5(8).
"""

from __future__ import annotations

import math
from typing import Any  # jitted functions take several dtypes

import numba
from numba import types

jit = numba.njit(error_model="numpy", nogil=True)


@jit
def _part(x: Any, like: Any) -> Any:
    return type(like)(x)


@jit
def _divide(x: Any, y: Any) -> Any:
    a, b, c, d = x.real, x.imag, y.real, y.imag
    one = c * 0 + 1 if c == c else c  # 1 of the dtype of the parts
    big, small = abs(c), abs(d)
    if big >= small:
        if big == 0 and small == 0:  # infinite or NaN, as NumPy has it
            return complex(a / big, b / big)
        ratio = d / c
        scale = one / (c + d * ratio)
        return complex((a + b * ratio) * scale, (b - a * ratio) * scale)
    ratio = c / d
    scale = one / (c * ratio + d)
    return complex((a * ratio + b) * scale, (b * ratio - a) * scale)
