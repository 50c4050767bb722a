"""Functions of libraries made by another thread while the program that needs them is compiled.

LLVM needs no GIL, nor (``unlocked``) llvmlite's lock: a first call that needs matrix products waits
for the longer of the two, not for both.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator

from symgraph.codegen import externals


@contextlib.contextmanager
def ahead(symbols: Iterable[str]) -> Iterator[None]:
    """Inside a ``with`` block another thread sees to it that functions are in memory."""
    wanted = [symbol for symbol in symbols if symbol not in _made]
    if not wanted:
        yield
        return
    thread = threading.Thread(target=_make, args=(wanted,), name="symgraph libraries")
    thread.start()
    try:
        yield
    finally:
        thread.join()  # nothing goes on behind the user's back: a fork would copy it half done


_made: set[str] = set()


def _make(symbols: Iterable[str]) -> None:
    with contextlib.suppress(Exception):  # raised again, where it belongs, by who needs them
        for symbol in symbols:
            externals.address(symbol)
            _made.add(symbol)
