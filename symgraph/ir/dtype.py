"""Dtypes and their promotion: NumPy 2's (NEP 50), restricted to what compiled code supports.

A dtype is a canonical ``np.dtype`` in native byte order. Python numbers are weak: they take the
dtype of what they meet. float16 is not supported; where NumPy would answer float16 (``exp`` of
int8 or bool) symgraph answers float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from symgraph.errors import DTypeError, nearest
from symgraph.ir.origin import at_line

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

DType = np.dtype[np.generic]
Scalar = bool | int | float | complex

BOOL: DType = np.dtype("bool")
INTS: tuple[DType, ...] = tuple(np.dtype(n) for n in ("int8", "int16", "int32", "int64"))
UINTS: tuple[DType, ...] = tuple(np.dtype(n) for n in ("uint8", "uint16", "uint32", "uint64"))
FLOATS: tuple[DType, ...] = (np.dtype("float32"), np.dtype("float64"))
COMPLEXES: tuple[DType, ...] = (np.dtype("complex64"), np.dtype("complex128"))
ALL: tuple[DType, ...] = (BOOL, *INTS, *UINTS, *FLOATS, *COMPLEXES)
INT64, FLOAT32, FLOAT64 = INTS[3], FLOATS[0], FLOATS[1]

_CANONICAL: dict[DType, DType] = {d: d for d in ALL}


def as_dtype(dtype: DTypeLike) -> DType:
    """The canonical dtype meant by a name, a NumPy type or a Python type; DTypeError otherwise."""
    if isinstance(dtype, np.dtype) and dtype in _CANONICAL:
        return _CANONICAL[dtype]
    try:
        asked = np.dtype(dtype).newbyteorder("=")
    except TypeError as error:
        near = nearest(str(dtype), [str(d) for d in ALL])
        hint = f"did you mean {near!r}?" if near else _hint()
        raise DTypeError(at_line(f"{dtype!r} is not a dtype", hint=hint)) from error
    found = _CANONICAL.get(asked)
    if found is None:
        raise DTypeError(at_line(f"dtype {asked} is not supported", hint=_hint()))
    return found


def _hint() -> str:
    return "use one of " + ", ".join(str(d) for d in ALL)


def is_float(dtype: DType) -> bool:
    """Is it float32 or float64?"""
    return dtype.kind == "f"


def is_inexact(dtype: DType) -> bool:
    """Is it floating or complex?"""
    return dtype.kind in "fc"


def is_integer(dtype: DType) -> bool:
    """Is it a signed or unsigned integer (not bool)?"""
    return dtype.kind in "iu"


@lru_cache
def promote(*dtypes: DType) -> DType:
    """The dtype that holds all of them, as NumPy 2 promotes arrays."""
    return as_dtype(np.result_type(*dtypes))


def promote_weak(strong: Iterable[DType], weak: Iterable[Scalar]) -> DType:
    """Promotion where Python numbers take part by kind only (NEP 50)."""
    return _promoted_weak(tuple(strong), tuple(map(type, weak)))


@lru_cache
def _promoted_weak(strong: tuple[DType, ...], weak: tuple[type[Scalar], ...]) -> DType:
    if not strong:
        return as_dtype(np.result_type(*[np.asarray(kind()).dtype for kind in weak]))
    found = np.result_type(*strong, *[kind() for kind in weak])
    return FLOAT32 if found == np.float16 else as_dtype(found)


def to_float(dtype: DType) -> DType:
    """The floating dtype in which NumPy computes `exp` of this dtype (float16 becomes float32)."""
    if is_inexact(dtype):
        return dtype
    return FLOAT32 if dtype.itemsize <= 2 else FLOAT64


def real_of(dtype: DType) -> DType:
    """complex64 -> float32, complex128 -> float64, others unchanged."""
    return {COMPLEXES[0]: FLOAT32, COMPLEXES[1]: FLOAT64}.get(dtype, dtype)


def complex_of(dtype: DType) -> DType:
    """float32 -> complex64, other reals -> complex128, complex unchanged."""
    if dtype.kind == "c":
        return dtype
    return COMPLEXES[0] if dtype == FLOAT32 else COMPLEXES[1]


def is_masked(value: object) -> bool:
    """Is it a masked array? ``numpy.ma`` is imported for subclasses of arrays alone (10 ms)."""
    if type(value) is np.ndarray or not isinstance(value, np.ndarray):
        return False
    return isinstance(value, np.ma.MaskedArray)
