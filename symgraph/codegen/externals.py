"""Where the functions are that compiled code is given the addresses of.

``PROVIDERS`` has a row for each family of names: the module whose ``address`` knows it. Modules are
imported when a program first needs them; the thread pool belongs to the runtime, a layer below.
"""

from __future__ import annotations

from importlib import import_module

from symgraph.errors import UnsupportedError

CODE = "sg.code."  # globals with the programs of slow functions; they begin with a count of lanes
RESCUE = "symgraph_rescue"  # the interpreter of these programs
CELL = "symgraph_rescue_cell"  # a variable that holds its address
MORE = "symgraph_rescue_more"  # one that holds that of an interpreter with more operations
FAILURES = "symgraph_rescue_failures"  # a variable: how often there was no interpreter to be had
CALL_COUNT = f"{CODE}calls"  # a global that counts the calls of a program with such functions
LATE = '"symgraph-late"'  # LLVM attribute: written out where it is called when loops are vectors
PARALLEL = "symgraph_parallel"
"""Runs the chunks of a loop on several threads; see ``symgraph.runtime.pool``."""

# the part of a name before its first dot -> module with ``address(rest of the name) -> int``
PROVIDERS: dict[str, str] = {
    "cblas": "symgraph.codegen.blas",
    "product": "symgraph.runtime.products",
    "sort": "symgraph.codegen.numpy_sort",
}
# variables that code reads by their names -> module with ``address(name) -> int``
LINKED: dict[str, str] = dict.fromkeys((CELL, FAILURES), "symgraph.runtime.rescue")
_POOL = "symgraph.runtime.pool"  # address(threads) -> int


def address(symbol: str, threads: int = 0) -> int:
    """The address of a function by name; ``threads``: most for loops (0: all of the pool).

    Raises: UnsupportedError where there is none.
    """
    if symbol == PARALLEL:
        found: int = import_module(_POOL).address(threads)
        return found
    family = symbol.partition(".")[0]
    if family not in PROVIDERS:
        raise UnsupportedError(f"there is no library function {symbol!r}")
    found = import_module(PROVIDERS[family]).address(symbol)
    return found


def linked(symbol: str) -> int:
    """The address of a variable that code reads by its name."""
    found: int = import_module(LINKED[symbol]).address(symbol)
    return found
