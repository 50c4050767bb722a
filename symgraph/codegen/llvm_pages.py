"""LLVM's own code takes little memory: page by page while it runs, none when it does not.

The library is 160 MB of a file, and what has been read of it counts as memory of this process until
another one needs it. Linux brings 16 pages where code touches one, unless told not to
(``lone_faults``): loading reads 35 MB in this way and selecting instructions as much, of which half
is wanted. After each object all pages that nothing can write are given back (``release``); the
system keeps them, and brings those that run again in 2 ms.

``begin`` loads the library on another thread, so that it is there when a first program is lowered.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import threading
import time
from functools import cache
from importlib.util import find_spec

from symgraph.codegen import lone_faults

_PAGE = 4096  # bytes
_DONT_NEED = 4  # Linux's own number
_LOAD, _WRITABLE = 1, 2  # of a segment of an ELF file: its kind, and a flag
_MAPS = "/proc/self/maps"
_LIBRARY = "/libllvmlite.so"
_LOADS = "llvmlite.binding.ffi"  # the module that loads it
_SOON = 0.005  # seconds in which a thread that loads the library has mapped it; mostly 0.0003
Segments = tuple[tuple[int, int], ...]


def begin() -> None:
    """Begins to load LLVM's library, if nothing has yet. ``ready`` waits for it."""
    path = _path()
    if path is None or _loads or _LOADS in sys.modules:
        return
    _libc()  # both are asked for now, since the dynamic loader is busy until the library is there
    watch = _watch()
    thread = threading.Thread(target=_load, args=(path,), name="symgraph loads LLVM")
    _loads.append(thread)
    thread.start()
    latest = time.perf_counter() + _SOON
    while watch is not None and thread.is_alive() and time.perf_counter() < latest:
        time.sleep(5e-5)
        if _page_by_page():
            break


def ready() -> None:
    """Once the library is loaded, by whomever: what that has read is given back."""
    for thread in _loads:
        thread.join()
    _page_by_page()
    release()


def release() -> None:
    """Gives back the pages of LLVM that are as they are in its file; code may be running there."""
    for start, size in _segments():
        _libc().madvise(start, size, _DONT_NEED)


_loads: list[threading.Thread] = []
_lean: list[Segments] = []  # what comes page by page


def _page_by_page() -> bool:
    """Whether the library comes page by page from now on."""
    found, watch = _segments(), _watch()
    if found and not _lean and watch is not None and watch.over(found):
        _lean.append(found)
    return bool(_lean)


@cache
def _watch() -> lone_faults.Watch | None:
    return lone_faults.begun()


def _load(path: str) -> None:
    """As ``ctypes.CDLL`` loads it, but without the GIL; who needs the library is told of errors."""
    _libc().dlopen(path.encode(), os.RTLD_NOW)
    release()  # before the compiler is there too


@cache
def _path() -> str | None:
    """The file that llvmlite loads, on Linux."""
    spec = find_spec("llvmlite") if sys.platform == "linux" else None  # finds without importing
    if spec is None or spec.origin is None:
        return None
    path = spec.origin.removesuffix("/__init__.py") + "/binding" + _LIBRARY
    return path if os.access(path, os.R_OK) else None


def _segments() -> Segments:
    """Start and size of what the library has in memory and nothing ever changes there."""
    found = _mapped() if sys.platform == "linux" and sys.byteorder == "little" else None
    return () if found is None else _unwritten(*found)


@cache
def _unwritten(base: int, path: str) -> Segments:
    """The segments of a library in memory without a right to write, as its file says.

    (Addresses that the loader filled in are read-only later too, and would be lost.)
    """
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":  # of 64 bits
            return ()
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(table)
        rows = file.read(size * count)
    segments = []
    for k in range(count):
        kind, flags, _, at, _, _, nbytes = struct.unpack_from("<IIQQQQQ", rows, k * size)
        if kind == _LOAD and not flags & _WRITABLE:
            first, last = -(-at // _PAGE) * _PAGE, (at + nbytes) // _PAGE * _PAGE
            segments.append((base + first, max(0, last - first)))
    return tuple(segments)


_known: list[tuple[int, str]] = []  # what ``_mapped`` has found: the library stays where it is


def _mapped() -> tuple[int, str] | None:
    """Where the library begins in memory, and its file; None while it is not there as a whole."""
    if not _known:
        with open(_MAPS, encoding="utf-8", errors="replace") as file:
            lines = [line.split(maxsplit=5) for line in file if line.rstrip().endswith(_LIBRARY)]
        if not any("w" in rights for _, rights, *_ in lines):  # the last segment to be mapped
            return None
        places, _, offset, _, _, path = lines[0]
        start = int(places.partition("-")[0], 16) - int(offset, 16)
        _known.append((start, path.rstrip()))
    return _known[0]


@cache
def _libc() -> ctypes.CDLL:
    process = ctypes.CDLL(None)
    process.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    process.dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    process.dlopen.restype = ctypes.c_void_p
    return process
