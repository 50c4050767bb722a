"""Images in memory: code that can be called, until ``close``. LLVM is not needed for it.

``library(image, exports)`` maps an ``Image``: everything is written first, then code is made
executable and constants read-only, so that nothing is ever both. Objects of processors and systems
that ``link`` does not know are loaded by LLVM (``llvm_loader``).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from symgraph.codegen.image import MAGIC, Image
from symgraph.errors import ParseError

_READ, _WRITE, _EXECUTE = 1, 2, 4  # Linux's own numbers, as those below
_PRIVATE, _ANONYMOUS = 2, 32


class Library(Protocol):
    """Code in memory. ``address`` has what it exports; nothing of it may run at ``close``."""

    address: dict[str, int]

    def close(self) -> None:
        """Gives the memory back."""
        ...


def library(
    image: bytes, exports: Sequence[str], symbols: Mapping[str, int] | None = None
) -> Library:
    """Code in memory; what it needs is among ``symbols``, or this process has it.

    Raises: ParseError for an image that is damaged, exports less, or needs what is nowhere.
    """
    if image.startswith(MAGIC):
        return Mapped(Image.from_bytes(image), exports, symbols or {})
    from symgraph.codegen.llvm_loader import Linked

    return Linked(image, exports, symbols or {})


class Mapped:
    """An image in memory."""

    def __init__(self, image: Image, exports: Sequence[str], symbols: Mapping[str, int]) -> None:
        self._start = 0
        missing = [name for name in exports if name not in image.exports]
        if missing:
            raise ParseError(f"this object cannot be loaded: it has no {', '.join(missing)}")
        found = {n: symbols.get(n) or _of_process(n) for n in image.imports}
        _, constants, data, self._size = image.starts
        self._start = start = _map(self._size)
        for offset, content in ((0, image.code), (constants, image.constants), (data, image.data)):
            ctypes.memmove(start + offset, content, len(content))
        for name, places in image.imports.items():
            for place in places:
                ctypes.c_uint64.from_address(start + place).value = found[name]
        for place in image.own:
            ctypes.c_uint64.from_address(start + place).value += start
        _protect(start, constants, _READ | _EXECUTE)
        _protect(start + constants, data - constants, _READ)
        self.address = {name: start + image.exports[name] for name in exports}

    def close(self) -> None:
        """Gives the memory back; nothing in it may be running."""
        start, self._start = self._start, 0
        if start:
            _libc().munmap(start, self._size)

    def __del__(self) -> None:
        # At the end of the process threads may still compute, unseen (``runtime/patience.py``).
        if not sys.is_finalizing():
            self.close()


def _of_process(name: str) -> int:
    """Where a function or variable of libc, libm or Python is."""
    try:
        found = ctypes.cast(getattr(_libc(), name), ctypes.c_void_p).value
    except AttributeError:
        found = None
    if not found:
        raise ParseError(f"this object cannot be loaded: nothing here is called {name}")
    return found


def _map(size: int) -> int:
    found: int | None = _libc().mmap(None, size, _READ | _WRITE, _PRIVATE | _ANONYMOUS, -1, 0)
    if found is None or found == ctypes.c_void_p(-1).value:
        raise MemoryError(f"no memory for {size} bytes of code: {os.strerror(ctypes.get_errno())}")
    return found


def _protect(start: int, size: int, how: int) -> None:
    if size and _libc().mprotect(start, size, how):
        why = os.strerror(ctypes.get_errno())
        raise OSError(f"memory cannot be made executable: {why}")


@cache
def _libc() -> Any:
    process = ctypes.CDLL(None, use_errno=True)
    size, number, place = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
    process.mmap.restype = place
    process.mmap.argtypes = [place, size, number, number, number, ctypes.c_long]
    process.mprotect.argtypes = [place, size, number]
    process.munmap.argtypes = [place, size]
    return process
