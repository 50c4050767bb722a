"""Addresses of NumPy's sorting functions, which sort numbers in vector registers.

``address("sort.float32")`` is ``int (void *first, intptr n, void *)``: it sorts n numbers in place,
NaN last, and needs neither the GIL nor an array. NumPy's C API names it by the table of functions
of a dtype. Where the table is not as its header says, there is none, and ``is_there`` says so.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module

import numpy as np

from symgraph.errors import UnsupportedError

_TABLE_FUNCTION = 365  # of the C API: _PyDataType_GetArrFuncs(descr)
_CASTS, _OTHERS = 21, 12  # entries of the table before ``sort[3]``, which begins with quicksort
_PROBE = (3, 1, 2, 0, 1)
_Sort = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p)


def is_there(dtype: np.dtype[np.generic]) -> bool:
    """Does NumPy sort numbers of this dtype by such a function?"""
    return _function(str(dtype)) != 0


def address(symbol: str) -> int:
    """The address of a library function; UnsupportedError where there is none."""
    kind, _, dtype = symbol.partition(".")
    found = _function(dtype) if kind == "sort" else 0
    if not found:
        raise UnsupportedError(f"there is no library function {symbol!r}")
    return found


@cache
def _function(dtype: str) -> int:
    """The function's address, tried on a few numbers; 0 where it does not sort them."""
    found = _entry(np.dtype(dtype))
    if not found:
        return 0
    probe = np.array(_PROBE, dtype)
    failed = _Sort(found)(probe.ctypes.data, len(probe), None)
    return 0 if failed or list(probe) != sorted(np.array(_PROBE, dtype)) else found


def _entry(dtype: np.dtype[np.generic]) -> int:
    capsule = getattr(import_module("numpy._core._multiarray_umath"), "_ARRAY_API", None)
    if capsule is None or dtype.kind not in "biuf":
        return 0
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    functions_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(table[_TABLE_FUNCTION])
    row = ctypes.cast(functions_of(dtype), ctypes.POINTER(ctypes.c_void_p))
    return row[_CASTS + _OTHERS] or 0
