"""Temporaries whose lifetimes are apart share memory, and small ones leave large slots alone."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.ir.dim import Dim
from symgraph.loop.ir import Copy, Program
from symgraph.lower.memory import ALIGNMENT, plan
from symgraph.lower.stage import Storage

F8 = np.dtype("float64")


def arena(steps, sizes):
    """The plan of a program of copies between temporaries, each named with its elements."""
    program = Program((), (), (), (), tuple(Copy(*names) for names in steps), ())
    return plan(program, [Storage(name, F8, (size,)) for name, size in sizes.items()])


def test_a_small_temporary_takes_a_small_slot_so_that_a_large_one_finds_its_own():
    # large is free when tiny begins, and so is small, which is enough for it
    sizes = {"large": 4096, "small": 64, "tiny": 16, "again": 4096}
    steps = [("large", "small"), ("tiny", "tiny"), ("again", "tiny")]
    made = arena(steps, sizes)
    slot = dict(zip(sizes, made.slots, strict=True))
    assert slot["tiny"] == slot["small"]
    assert slot["again"] == slot["large"]
    assert made.offsets({})[1] == 8 * (4096 + 64)


def test_a_slot_of_the_very_size_comes_first():
    n = Dim("n")
    sizes = {"twice": 2 * n, "once": n, "next": n, "last": 2 * n}
    made = arena([("twice", "once"), ("next", "next"), ("next", "last")], sizes)
    slot = dict(zip(sizes, made.slots, strict=True))
    assert slot["next"] == slot["once"]
    assert slot["last"] == slot["twice"]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_alive_at_once_never_shares(seed):
    random = np.random.default_rng(seed)
    sizes = {f"t{k}": int(random.integers(1, 500)) for k in range(30)}
    steps = [tuple(f"t{k}" for k in random.integers(0, 30, 2)) for _ in range(60)]
    made = arena(steps, sizes)
    starts, total = made.offsets({})
    lives = {}
    for number, names in enumerate(steps):
        for name in names:
            lives[name] = (lives.get(name, (number,))[0], number)
    placed = [
        (lives[n], s, s + 8 * sizes[n]) for n, s in zip(sizes, starts, strict=True) if n in lives
    ]
    for k, ((first, last), low, high) in enumerate(placed):
        assert high <= total
        for (start, end), bottom, top in placed[:k]:
            assert last < start or end < first or high <= bottom or top <= low
    assert all(s % ALIGNMENT == 0 for s in starts)
