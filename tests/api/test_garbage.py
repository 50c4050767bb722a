"""What a function leaves in memory once it is made, and when Python looks for it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

import symgraph as sg
from symgraph import garbage
from symgraph.garbage import none_looked_for


@pytest.fixture
def saved() -> Iterator[list[object]]:
    """What a search finds, in place of being freed."""
    gc.collect()
    gc.disable()
    before = gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(before)
    gc.garbage.clear()
    gc.enable()


def network(width: int) -> sg.Function:
    x, w = sg.tensor("x", shape=(4, width)), sg.tensor("w", shape=(width, width))
    h = x
    for _ in range(6):
        h = sg.tanh(h @ w) * sg.log1p(sg.exp(h))
    return sg.function([x, w], sg.grad(sg.logsumexp(h), w))


def test_expressions_and_stages_are_in_no_circle(saved: list[object]) -> None:
    """They are most of what compiling makes; a circle would keep all of them until a search."""
    f = network(3)
    f(np.ones((4, 3)), np.eye(3))
    gc.collect()
    found = Counter(type(o).__module__ for o in saved)
    mine = {n: k for n, k in found.items() if n.startswith(("symgraph.loop", "symgraph.lower"))}
    assert sum(mine.values()) <= 20, mine


def searches() -> list[int]:
    return [row["collections"] for row in gc.get_stats()]


def test_nothing_is_searched_inside() -> None:
    before = searches()
    with none_looked_for():
        kept = [[k] for k in range(100_000)]
        inside = searches()
        with none_looked_for():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    assert inside == before
    assert gc.get_count()[0] < len(kept)
    assert gc.get_freeze_count() == 0


def test_garbage_is_looked_for_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "MOST", 1000)
    before = searches()[2]
    made = []
    for _ in range(3):
        with none_looked_for():
            made.append([[k] for k in range(800)])
    assert searches()[2] > before


def test_searches_that_were_off_stay_off() -> None:
    gc.disable()
    try:
        with none_looked_for():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_others_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        with none_looked_for():
            pass
        assert gc.get_freeze_count() == count > 0
    finally:
        gc.unfreeze()


def test_an_error_inside_leaves_searches_on() -> None:
    with pytest.raises(KeyError), none_looked_for():
        raise KeyError("lost")
    assert gc.isenabled()
