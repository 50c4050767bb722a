"""``sg.threads(n)`` and ``config.threads``: how many threads compiled code may use.

The pool itself is loaded when code that needs it is (``runtime/pool.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from symgraph.config import Value, config

_POOL = "symgraph.runtime.pool"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compiled code called by this thread in a ``with`` block uses at most so many threads.

    0 means all. Results are the same bits for any number.
    """
    with config(threads=count):
        yield


def _assigned(count: Value) -> None:
    if _POOL in sys.modules and isinstance(count, int):
        sys.modules[_POOL].limit_all(count)


def _inside(count: Value) -> AbstractContextManager[None]:
    from symgraph.runtime import pool

    assert isinstance(count, int)
    return pool.limit_here(count)


config.watch("threads", _assigned, _inside)
