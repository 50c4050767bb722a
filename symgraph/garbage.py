"""Python's search for circles of garbage, put off while a function is made.

Making one fills memory with objects that stay, or are freed at once: a search finds next to none of
them, and takes a tenth of the time. The first search afterwards would look at all of them together;
so they join the old objects unlooked at, ``MOST`` at most between two searches of everything.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 300_000  # objects that were made and never looked at
_put_off = [0, 0]  # how many those are, and how often everything had been searched before


@contextmanager
def none_looked_for() -> Iterator[None]:
    """No search for garbage inside of the ``with`` block; what it made counts as old after it."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            _age()
            gc.enable()


def _age() -> None:
    """New objects join the old ones; where that was done too often, garbage is looked for."""
    searches = gc.get_stats()[2]["collections"]
    if searches != _put_off[1]:
        _put_off[:] = 0, searches
    known = _put_off[0]
    _put_off[0] += gc.get_count()[0]
    if known and _put_off[0] > MOST:
        gc.collect()
    elif not gc.get_freeze_count():  # another's frozen objects stay so
        gc.freeze()
        gc.unfreeze()  # into the oldest generation
