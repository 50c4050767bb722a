"""Addresses of BLAS functions with the C interface of CBLAS and 64-bit integers.

``address("cblas.dgemm")`` is that of the OpenBLAS which NumPy's own wheel has loaded; no import of
SciPy is needed for it. Where NumPy brings none (other builds link a system BLAS), an adapter of a
few instructions is made over the Fortran function that ``scipy.linalg.cython_blas`` exports.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

import numpy as np

from symgraph.errors import UnsupportedError

_found: dict[str, int] = {}


def address(symbol: str) -> int:
    """The address of a library function; UnsupportedError where there is none."""
    kind, _, name = symbol.partition(".")
    if kind != "cblas":
        raise UnsupportedError(f"there is no library function {symbol!r}")
    if name not in _found:
        _found[name] = _cblas(name)
    return _found[name]


def clear() -> None:
    """Forgets the addresses found so far."""
    _found.clear()


def _cblas(name: str) -> int:
    for library in _openblas():
        function = getattr(library, f"scipy_cblas_{name}64_", None)
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value or 0
    from symgraph.codegen import blas_fortran  # imports SciPy

    found = blas_fortran.adapter(name)
    if found is None:
        raise UnsupportedError(f"no BLAS with cblas_{name} was found beside NumPy or in SciPy")
    return found


@cache
def _openblas() -> tuple[ctypes.CDLL, ...]:
    package = np.__file__.rpartition(os.sep)[0]
    beside = package.rpartition(os.sep)[0]
    folders = (
        f"{beside}{os.sep}numpy.libs",
        f"{package}{os.sep}.dylibs",
        f"{package}{os.sep}.libs",
    )
    paths = [path for folder in folders for path in _libraries(folder)]
    mode = getattr(os, "RTLD_NOLOAD", 0) | getattr(os, "RTLD_NOW", 0)
    found = []
    for path in sorted(paths):
        try:
            found.append(ctypes.CDLL(path, mode=mode))
        except OSError:  # present on disk but not what NumPy loaded
            continue
    return tuple(found)


def _libraries(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if "openblas" in entry.name]
    except OSError:  # other builds have no such folder
        return []
