"""The code of matrix products in this process: compiled once for a processor, kept on disk.

``address("product.float32")`` is that of the function in ``codegen.product_entry``.
"""

from __future__ import annotations

import threading

from symgraph.codegen.loader import Library
from symgraph.errors import UnsupportedError
from symgraph.runtime import kept

DTYPES = ("float32", "float64")
_lock = threading.Lock()
_loaded: dict[str, Library] = {}  # as long as the process: programs hold addresses in it


def address(symbol: str) -> int:
    """The address of the product of a dtype; UnsupportedError where there is none."""
    name, _, dtype = symbol.partition(".")
    if dtype not in DTYPES:
        raise UnsupportedError(f"there is no library function {symbol!r}")
    with _lock:
        if dtype not in _loaded:
            _loaded[dtype] = kept.library(symbol, lambda: _compiled(dtype), [name])
        return _loaded[dtype].address[name]


def _compiled(dtype: str) -> bytes:
    from symgraph.codegen.product_build import compiled  # imports LLVM

    return compiled(dtype)
