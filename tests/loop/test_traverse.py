"""Walks over expressions of loops."""

from __future__ import annotations

import numpy as np

from symgraph.loop.build import add, buffer, cast, const, i64, load, mul
from symgraph.loop.ir import Load
from symgraph.loop.traverse import loads, postorder

F64 = np.dtype("float64")
I64 = np.dtype("int64")


def test_loads_come_once_in_the_order_of_a_postorder() -> None:
    places, x, y = buffer("k", I64, 9), buffer("x", F64, 9, 9), buffer("y", F64, 9)
    inner = load(places, i64("i"))
    outer = load(x, inner, i64("j"))
    both = add(outer, mul(cast(inner, F64), add(outer, const(1.0, F64))))
    roots = (both, inner, i64("i"), add(load(y, i64("i")), both))
    assert loads(*roots) == [e for e in postorder(*roots) if isinstance(e, Load)]
    assert [e.buffer for e in loads(*roots)] == ["k", "x", "y"]
