"""Where Python and NumPy objects of this process keep their fields, and NumPy's C functions.

Nothing is assumed: offsets are found in sample objects by NumPy's own answers about them, and must
be found exactly once. ``find`` gives None on a Python that differs (another implementation, a
free-threaded build, not Linux); callers then keep to the Python path, which is as right.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from functools import cache
from typing import Any

import numpy as np

from symgraph.errors import UnsupportedError
from symgraph.ir.dtype import ALL
from symgraph.records import dataclass

# Frozen indices in NumPy's table of C functions.
_TABLE = {"np.NewFromDescr": 94, "np.Scalar": 60, "np.SetBaseObject": 282}
_VERSION, _ARRAY_TYPE, _DESCR_TYPE = 0, 2, 3
API_VERSION = 2  # major version of NumPy's binary interface
FREE_ARENAS = 8  # offset in a function's block of the list of its arenas
# what ``entry_support`` exports
SUPPORT = (
    "sg_python_call", "sg_python_fail", "sg_slow", "sg_number", "sg_take",
    "sg_put", "sg_fail", "sg_drop", "sg_new", "sg_fresh", "sg_retire", "sg_reuse",
    "sg_python_build", "sg_build", "sg_cancelled",
)  # fmt: skip
FLOAT_VALUE = 16  # bytes before the value of a float or np.float64 (checked by ``find``)


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte offsets of fields: of arrays, and of the value and device of a state's cell."""

    type: int
    data: int
    nd: int
    descr: int
    flags: int
    dims: int

    def key(self) -> str:
        """For names of cached code."""
        return f"{self} {sys.implementation.cache_tag}"


@cache
def find() -> Layout | None:
    """The layout of this process, or None if it cannot be told."""
    if sys.implementation.name != "cpython" or "t" in getattr(sys, "abiflags", ""):
        return None
    if ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        return None
    if sys.platform != "linux":  # arenas come from its C library
        return None
    try:
        found = _probe()
        symbols()
    except UnsupportedError:
        return None
    return found


def words(thing: object) -> dict[int, int]:
    """The 64-bit words of an object by their offset."""
    return _numbers(ctypes.string_at(id(thing), type(thing).__basicsize__), 8)


def _numbers(body: bytes, size: int) -> dict[int, int]:
    """The numbers of so many bytes (8 or 4) by their offset."""
    count = len(body) // size
    found = struct.unpack_from(f"<{count}{'Q' if size == 8 else 'I'}", body)
    return dict(zip(range(0, count * size, size), found, strict=True))


def _probe() -> Layout:
    """Reads only an array's own bytes.

    dims and strides are the one pair of words that lies 8 * ndim apart, since one allocation holds
    both; only then are they followed, and compared.
    """
    samples = _samples()
    found: dict[str, set[Any]] = {}
    for a in samples:
        facts = {
            "type": (8, id(type(a))),
            "data": (8, a.ctypes.data),
            "nd": (4, a.ndim),
            "descr": (8, id(a.dtype)),
            "flags": (4, a.flags.num),
        }
        body = ctypes.string_at(id(a), np.ndarray.__basicsize__)
        numbers = {size: _numbers(body, size) for size in (4, 8)}
        hits: dict[str, set[Any]] = {
            key: {o for o, number in numbers[size].items() if number == value}
            for key, (size, value) in facts.items()
        }
        word, there = numbers[8], set(numbers[8].values())
        hits["dims"] = {p for p, start in word.items() if start + 8 * a.ndim in there}
        found = {key: found.get(key, at) & at for key, at in hits.items()}
    if any(len(at) != 1 for at in found.values()):
        raise UnsupportedError(f"unknown layout of arrays: {found}")
    layout = Layout(**{key: at.pop() for key, at in found.items()})
    for a in samples:
        start = words(a)[layout.dims]
        if struct.unpack(f"{a.ndim}q", ctypes.string_at(start, 8 * a.ndim)) != a.shape:
            raise UnsupportedError("unknown layout of arrays: dims")
    for number in (1.5, np.float64(-2.25)):
        if ctypes.c_double.from_address(id(number) + FLOAT_VALUE).value != number:
            raise UnsupportedError("unknown layout of floats")
    return layout


def _samples() -> list[Any]:
    raw = np.zeros(3 * 4 * 5 * 8 + 1, "u1")
    samples = [
        np.zeros((3, 4, 5), "f4"),
        np.zeros((2, 3), "i8", order="F"),
        np.zeros((2,) * 11)[::-1, ::2],
        raw[1:].view("f8").reshape(60),
        np.zeros((7,) * 5, "i2"),
    ]
    samples[0].flags.writeable = False
    return samples


@cache
def symbols() -> dict[str, int]:
    """Addresses of what entries leave undefined: NumPy's functions, types and dtypes.

    dtypes are their singletons: an equal twin (byte order spelled out, metadata) is another object.
    """
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    core: Any = np._core._multiarray_umath  # type: ignore[attr-defined]
    table: Any = ctypes.cast(get(core._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(table[_VERSION])() >> 24
    types = (table[_ARRAY_TYPE], table[_DESCR_TYPE])
    if version != API_VERSION or types != (id(np.ndarray), id(np.dtype)):
        raise UnsupportedError("unknown table of NumPy's C functions")
    found = {name: table[slot] for name, slot in _TABLE.items()}
    found |= {f"np.{dtype.char}": id(dtype) for dtype in ALL}
    return found | {
        "np.ndarray": id(np.ndarray),
        "np.float64": id(np.float64),
    }
