"""The interpreter of slow and accurate code in this process: compiled once for a processor.

Programs call it through a variable, ``address("symgraph_rescue_cell")``, which at first points to
Python: the first lane that is in doubt has the interpreter of ``symgraph_kernels.wide_llvm`` read
from the cache or compiled, which takes half a second, and puts its address into the variable. Most
programs never need it. Code that is called with the GIL held may come here from this very thread
alone, or from workers of the pool: those would wait for the GIL while their caller waits for them,
so entries of programs that have both give it back (see ``native``).
"""

from __future__ import annotations

import ctypes
import threading

from symgraph.codegen.externals import CELL, RESCUE
from symgraph.codegen.loader import Library
from symgraph.errors import UnsupportedError
from symgraph.runtime import kept

_Interpreter = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_lock = threading.Lock()
_loaded: list[Library] = []  # as long as the process: programs call into it


def address(symbol: str) -> int:
    """The address of the variable that points to the interpreter."""
    if symbol != CELL:
        raise UnsupportedError(f"there is no variable {symbol!r}")
    return ctypes.addressof(_cell)


def load() -> int:
    """The address of the interpreter, which programs call from now on."""
    with _lock:
        if not _loaded:
            _loaded.append(kept.library("rescue", _compiled, [RESCUE]))
            _cell.value = _loaded[0].address[RESCUE]
        return _loaded[0].address[RESCUE]


def _first(code: int, args: int, out: int, lanes: int, mask: int) -> None:
    _Interpreter(load())(code, args, out, lanes, mask)


_callback = _Interpreter(_first)
_cell = ctypes.cast(_callback, ctypes.c_void_p)


def _compiled() -> bytes:
    from symgraph.codegen.rescue import interpreter  # imports LLVM

    return interpreter()
