"""The code of matrix products in this process: compiled for a processor, kept on disk.

``address("product.float32")`` is that of the function in ``codegen.product_entry`` with all it may
call; ``"product.float32 direct,rows_4x4"`` is enough for sizes that call no more, and takes a third
of the time to compile. A process that meets a second such list gets everything, once for all.
"""

from __future__ import annotations

import threading

from symgraph.codegen.loader import Library
from symgraph.errors import UnsupportedError
from symgraph.runtime import kept

DTYPES = ("float32", "float64")
EVERYTHING: frozenset[str] = frozenset()
_lock = threading.Lock()
# for each dtype what is in memory as long as the process, since programs hold addresses in it
_loaded: dict[str, dict[frozenset[str], Library]] = {dtype: {} for dtype in DTYPES}


def address(symbol: str) -> int:
    """The address of the product of a dtype; UnsupportedError where there is none."""
    head, _, listed = symbol.partition(" ")
    name, _, dtype = head.partition(".")
    if dtype not in DTYPES:
        raise UnsupportedError(f"there is no library function {symbol!r}")
    names = frozenset(listed.split(",")) if listed else EVERYTHING
    with _lock:
        return _library(dtype, names, name).address[name]


def _library(dtype: str, names: frozenset[str], export: str) -> Library:
    """What has at least these functions: in memory, on disk, or compiled now."""
    loaded = _loaded[dtype]
    for there, library in loaded.items():
        if there == EVERYTHING or (names and names <= there):
            return library
    kinds = (names, EVERYTHING) if names else (EVERYTHING,)
    for kind in kinds:
        found = kept.stored(_title(dtype, kind), [export])
        if found is not None:
            return loaded.setdefault(kind, found)
    made = EVERYTHING if loaded else names
    library = kept.library(_title(dtype, made), lambda: _compiled(dtype, made), [export])
    return loaded.setdefault(made, library)


def _title(dtype: str, names: frozenset[str]) -> str:
    return " ".join((f"product.{dtype}", ",".join(sorted(names))))


def _compiled(dtype: str, names: frozenset[str]) -> bytes:
    from symgraph.codegen.product_build import compiled  # imports LLVM

    return compiled(dtype, names)
