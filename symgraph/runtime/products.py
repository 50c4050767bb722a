"""The code of matrix products in this process: compiled once for a processor, kept on disk.

``address("product.float32")`` is that of the function in ``codegen.product_entry``.
"""

from __future__ import annotations

import threading

from symgraph.codegen.artefact import target_key
from symgraph.codegen.objects import Library
from symgraph.codegen.product_build import ENTRY, compiled
from symgraph.config import config
from symgraph.errors import ParseError, UnsupportedError
from symgraph.runtime import cache

DTYPES = ("float32", "float64")
_lock = threading.Lock()
_loaded: dict[str, Library] = {}  # as long as the process: programs hold addresses in it


def address(symbol: str) -> int:
    """The address of the product of a dtype; UnsupportedError where there is none."""
    _, _, dtype = symbol.partition(".")
    if dtype not in DTYPES:
        raise UnsupportedError(f"there is no library function {symbol!r}")
    with _lock:
        if dtype not in _loaded:
            _loaded[dtype] = _library(dtype)
        return _loaded[dtype].address[ENTRY]


def _library(dtype: str) -> Library:
    if not config.cache:
        return Library([compiled(dtype)], [ENTRY])
    name = "product-" + cache.key(dtype, target_key())
    image = cache.read(name)
    if image is not None:
        try:
            return Library([image], [ENTRY])
        except ParseError as error:
            cache.reject(name, str(error))
    image = compiled(dtype)
    cache.write(name, image)
    return Library([image], [ENTRY])
