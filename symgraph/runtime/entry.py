"""From a Python call straight into compiled code: ``Native`` is a loaded entry with its block.

What an entry does is in ``entry_code``; how Python comes to call it, in ``vectorcall``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from symgraph.codegen.loader import Library, library
from symgraph.records import dataclass
from symgraph.runtime import kept, layout
from symgraph.runtime.layout import FREE_ARENAS, SUPPORT
from symgraph.runtime.shared import COMMITTING

EXPORTS = ("entry", "strict")
_MAKERS = ("symgraph.runtime", "symgraph.codegen")  # whose code it is
PATIENCE = 1 << 26  # work from which Python runs the call, so that Ctrl-C is heard meanwhile
# Of optimization, for entries and what they share: the text is in its final shape, and better code
# saves 1 to 2 ns of a call of 55 (Zen 5, November 2026) for 40 ms of compiling.
LEVEL = 0
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Interface:
    """What loading an entry takes besides its image: how many of each thing its block refers to."""

    arguments: int
    functions: int
    constants: int
    states: int


Given = Any  # what ``given`` makes: a ctypes array of one word more than there are outputs


def given(outputs: int, arrays: Sequence[Array] | None) -> Given:
    """What ``Native.call`` takes: a word that cancels the call, and arrays for outputs."""
    addresses = [0] * outputs if arrays is None else [id(a) for a in arrays]
    return _words(outputs + 1)(0, *addresses)


@cache
def _words(count: int) -> Any:
    """The type of so many words: ctypes makes a new one each time, which is garbage in a circle."""
    return ctypes.c_int64 * count


def cancel(results: Given) -> None:
    """A call that still runs shall give nothing and change nothing."""
    results[0] = 1


class Native:
    """An entry in memory with its block. Keeps alive whatever the block points to."""

    def __init__(
        self,
        image: bytes,
        counts: Interface,
        run: int,
        functions: Sequence[int],
        constants: Sequence[Array],
        cells: Sequence[object],
        keep: object,
    ) -> None:
        """``run``: the address of the program's code, which ``keep`` keeps."""
        self._keep = (keep, tuple(constants), tuple(cells))
        self._library = _of_image(image)
        self._counts = counts
        words = [run, 0, *functions, *(c.ctypes.data for c in constants), *map(id, cells)]
        words += [0] * counts.states
        self._words = (ctypes.c_int64 * len(words))(*words)
        self.block = ctypes.addressof(self._words)
        self.entry = self._library.address["entry"]
        self._strict = _Strict(self._library.address["strict"])

    def call(self, function: object, arrays: Sequence[Array], results: Given) -> Any:
        """The result for converted arguments, written to ``results`` where they are arrays.

        NotImplemented if the arguments have not the dims that this code is for.
        """
        given = _words(len(arrays) or 1)(*map(id, arrays))
        return self._strict(function, given, len(arrays), results, self.block)

    def __del__(self) -> None:
        words = getattr(self, "_words", None)
        if words is None:
            return
        arena = words[FREE_ARENAS // 8]
        while arena:
            following = ctypes.c_int64.from_address(arena).value
            _free(arena)
            arena = following
        if self._counts.states:
            for spare in words[-self._counts.states :]:
                if spare:
                    ctypes.pythonapi.Py_DecRef(ctypes.c_void_p(spare))


_Strict = ctypes.PYFUNCTYPE(
    ctypes.py_object,
    ctypes.py_object,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
_libc_free = ctypes.CDLL(None).free if hasattr(ctypes, "pythonapi") else None


def _free(address: int) -> None:
    if _libc_free is not None:
        _libc_free(ctypes.c_void_p(address))


_entries: WeakValueDictionary[bytes, Library] = WeakValueDictionary()


def _of_image(image: bytes) -> Library:
    """An entry's code; equal functions run one, each with its own block."""
    found = _entries.get(image)
    if found is None:
        found = _entries[image] = library(image, EXPORTS, _support())
    return found


# ---------------------------------------------------------------- what all entries share


def _call(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function.call(*args, **kwargs)


def _fail(function: Any, block: int, code: int, *facts: int) -> None:
    function._fail(block, code, *facts)


def _build(function: Any, results: tuple[Any, ...]) -> Any:
    return function._p.structure(results)


@cache
def _shared() -> dict[str, int]:
    """Addresses of the support code, loaded once."""
    at = layout.find()
    assert at is not None

    def compiled() -> bytes:
        from symgraph.codegen.objects import compile_text  # imports LLVM
        from symgraph.runtime import entry_support

        return compile_text(entry_support.text(at), SUPPORT, LEVEL)

    loaded = kept.library(f"entry {at.key()}", compiled, SUPPORT, _MAKERS, _of_process())
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(loaded))  # as long as the process
    address = loaded.address
    for symbol, way in (
        ("sg_python_call", _call),
        ("sg_python_fail", _fail),
        ("sg_python_build", _build),
    ):
        ctypes.c_void_p.from_address(address[symbol]).value = id(way)
    return address


@cache
def _of_process() -> dict[str, int]:
    """What images leave undefined and the linker would not find by itself."""
    data = (
        "PyFloat_Type",
        "PyLong_Type",
        "PyExc_KeyboardInterrupt",
        "_Py_NoneStruct",
        "_Py_NotImplementedStruct",
    )
    found = {n: ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, n)) for n in data}
    return layout.symbols() | found | {"sg_committing": ctypes.addressof(COMMITTING)}


def _support() -> dict[str, int]:
    return _of_process() | _shared()
