"""The interpreter of slow and accurate code in this process: compiled once for a processor.

Programs call it through a variable, ``address("symgraph_rescue_cell")``, which at first points to
Python: the first lane that is in doubt has an interpreter of ``symgraph_kernels.wide_llvm`` read
from the cache or compiled, and puts its address into the variable. Most programs never need it.
One with all operations takes half a second to compile; where it is not kept on disk, one with those
that the program needs is made (``wide_table.TIERS``), and a program that needs others comes here.

Code that is called with the GIL held may come here from this very thread alone, or from workers of
the pool: those would wait for the GIL while their caller waits for them, so entries of programs
that have both give it back (see ``native``).
"""

from __future__ import annotations

import ctypes
import threading

from symgraph.codegen.externals import CELL, FAILURES, MORE, RESCUE
from symgraph.codegen.loader import Library
from symgraph.errors import SymgraphError, UnsupportedError, message
from symgraph.runtime import kept

_Interpreter = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_lock = threading.Lock()
_loaded: list[Library] = []  # as long as the process: programs call into it
_tiers: dict[int, int] = {}  # their addresses
ALL = 2  # the tier with all operations
STEPS, HEADER, STEP = 2, 4, 5  # where the number of steps is; numbers before them, and in each


def address(symbol: str) -> int:
    """The address of a variable: the interpreter's address, or how often there was none."""
    if symbol not in _variables:
        raise UnsupportedError(f"there is no variable {symbol!r}")
    return ctypes.addressof(_variables[symbol])


def load(code: int) -> int:
    """The address of an interpreter that takes a program, which programs call from now on.

    What is on disk is taken first: if the program needs more, it comes here once more.
    """
    with _lock:
        if not _loaded:
            for tier in reversed(range(ALL + 1)):
                found = kept.stored(_name(tier), [RESCUE], symbols=_symbols())
                if found is not None:
                    return _take(tier, found)
        tier = _needed(code)
        if tier in _tiers:
            return _tiers[tier]
        compiled = lambda: _compiled(tier)  # noqa: E731
        return _take(tier, kept.library(_name(tier), compiled, [RESCUE], symbols=_symbols()))


def _take(tier: int, found: Library) -> int:
    _loaded.append(found)
    _tiers[tier] = found.address[RESCUE]
    _cell.value = _tiers[max(_tiers)]
    return _tiers[tier]


def _name(tier: int) -> str:
    return f"rescue {tier}"


def _symbols() -> dict[str, int]:
    return {MORE: ctypes.addressof(_more)}


def _needed(code: int) -> int:
    """The least tier for the program at an address: header and steps of ``loop.rescue.encode``."""
    from symgraph.codegen.rescue import tier_of

    steps = ctypes.c_int64.from_address(code + 8 * STEPS).value
    numbers = (ctypes.c_int64 * (HEADER + STEP * steps)).from_address(code)
    return tier_of(numbers[HEADER::STEP])


def failure() -> SymgraphError:
    """The error of a call whose slow lanes could not be computed."""
    cause = _failed[-1] if _failed else None
    made = SymgraphError(
        message(
            "lanes in doubt could not be computed slowly and accurately, so there is no result",
            {"because": f"{type(cause).__name__}: {cause}"},
            hint='see why; sg.Mode(accuracy="rules") needs no slow lanes',
        )
    )
    made.__cause__ = cause
    return made


def _first(code: int, args: int, out: int, lanes: int, mask: int) -> None:
    """What programs call as long as there is no interpreter.

    Nothing can be raised through machine code: programs that see the count of failures grow while
    they run return ``loop.NO_RESCUE``, and their caller raises ``failure()``.
    """
    try:
        found = load(code)
    except BaseException as error:
        _failed[:] = [error]
        _failures.value += 1
        return
    _Interpreter(found)(code, args, out, lanes, mask)


_callback = _Interpreter(_first)
_cell = ctypes.cast(_callback, ctypes.c_void_p)
_more = ctypes.cast(_callback, ctypes.c_void_p)
_failures, _failed = ctypes.c_int64(0), list[BaseException]()
_variables = {CELL: _cell, FAILURES: _failures}


def _compiled(tier: int) -> bytes:
    from symgraph.codegen.rescue import interpreter  # imports LLVM

    return interpreter(tier)
