"""The type of compiled functions: instances whose call is machine code.

``function_type`` gives a class below ``Function`` whose instances hold two more words: the address
of their entry, which Python calls for ``f(x, y)`` without a frame, an argument tuple or a
dictionary (a vectorcall, PEP 590), and that of their block, which the entry reads. While the first
is null a call is Python's ``Function.__call__``, which is also where entries send every call that
is not plain: keywords, lists, other layouts, dims that do not fit.
"""

from __future__ import annotations

import ctypes
from typing import Any

from symgraph.runtime import layout

# Python's own numbers: Py_tp_members, T_PYSSIZET, READONLY, Py_TPFLAGS_HAVE_VECTORCALL
_MEMBERS_SLOT, _SIZE_TYPE, _READ_ONLY, _HAVE_VECTORCALL = 72, 19, 1, 1 << 11


class _Slot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("function", ctypes.c_void_p))


class _Member(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Spec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    )


def function_type(base: type) -> tuple[type, int] | None:
    """A class below ``base`` whose instances have an entry, and where they have it.

    None where entries cannot be: on an unknown Python, or with unknown layouts.
    """
    if layout.find() is None:
        return None
    offset = base.__basicsize__
    members = (_Member * 2)(_Member(b"__vectorcalloffset__", _SIZE_TYPE, offset, _READ_ONLY, None))
    slots = (_Slot * 2)(_Slot(_MEMBERS_SLOT, ctypes.cast(members, ctypes.c_void_p)))
    name = f"{base.__module__}.{base.__name__}".encode()
    spec = _Spec(name, offset + 16, 0, _HAVE_VECTORCALL, slots)
    make = ctypes.pythonapi.PyType_FromSpecWithBases
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object]
    made = make(ctypes.byref(spec), (base,))
    made.__doc__ = base.__doc__
    return made, offset


def put_into(function: object, offset: int, entry: int, block: int) -> None:
    """What calls of a function reach from now on."""
    ctypes.c_void_p.from_address(id(function) + offset + 8).value = block
    ctypes.c_void_p.from_address(id(function) + offset).value = entry


def cell_places(make: Any) -> tuple[int, int]:
    """Where a state's cell has its value and its device, found in sample cells."""
    samples = [make(value) for value in (object(), object(), object())]
    places = []
    for name in ("value", "device"):
        for sample in samples:
            setattr(sample, name, object())
        hits = [
            {o for o, w in layout.words(s).items() if w == id(getattr(s, name))} for s in samples
        ]
        (place,) = set.intersection(*hits)
        places.append(place)
    return places[0], places[1]
