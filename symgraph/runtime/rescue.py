"""The interpreter of slow and accurate code in this process: compiled once for a processor.

``address("symgraph_rescue")`` is that of the function in ``symgraph_kernels.wide_llvm``.
"""

from __future__ import annotations

import threading

from symgraph.codegen.artefact import target_key
from symgraph.codegen.objects import Library
from symgraph.codegen.rescue import ENTRY, interpreter
from symgraph.config import config
from symgraph.errors import ParseError
from symgraph.runtime import cache

_lock = threading.Lock()
_loaded: dict[str, Library] = {}  # as long as the process: programs call into it


def address(symbol: str) -> int:
    """The address of the interpreter."""
    with _lock:
        if symbol not in _loaded:
            _loaded[symbol] = _library()
        return _loaded[symbol].address[ENTRY]


def _library() -> Library:
    if not config.cache:
        return Library([interpreter()], [ENTRY])
    name = "rescue-" + cache.key(target_key())
    image = cache.read(name)
    if image is not None:
        try:
            return Library([image], [ENTRY])
        except ParseError as error:
            cache.reject(name, str(error))
    image = interpreter()
    cache.write(name, image)
    return Library([image], [ENTRY])
