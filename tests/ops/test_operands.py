"""Operands of one dtype take a short way, once it is known that an op leaves them as they are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import symgraph as sg
from symgraph.errors import SymgraphError
from symgraph.ir.op import OPS

DTYPES = ("bool", "int32", "int64", "float32", "float64", "complex128")


def outcome(name, operands):
    """The node, whether it is weak, or what was wrong."""
    try:
        made = OPS[name](*operands)
    except (SymgraphError, TypeError) as error:
        return type(error).__name__
    return made.node, made.weak, made.line


def combinations():
    """Two operands: of one dtype, of two, with Python's numbers, weak ones, unwritten ones."""
    xs = [sg.tensor(f"x{k}", dtype=d, shape=(3,)) for k, d in enumerate(DTYPES)]
    cost = sg.sum(xs[4] * xs[4])
    others = [2.5, 3, True, sg.asarray(1.5), np.float32(2), sg.grad(cost, xs[4])]
    return [*product(xs, xs), *product(xs, others), *product(others, xs)]


PAIRS = combinations()


@pytest.mark.parametrize(
    "name", ["add", "divide", "maximum", "less", "where", "exp", "bitwise_and"]
)
def test_the_second_time_gives_what_the_first_gave(name):
    arity = {"where": 3, "exp": 1}.get(name, 2)
    flag = sg.tensor("flag", dtype="bool", shape=(3,))
    for pair in PAIRS:
        operands = (flag, *pair)[-arity:]
        first, again = (outcome(name, operands) for _ in range(2))
        assert first == again


@pytest.mark.parametrize("name", ["add", "multiply", "subtract"])
def test_floats_take_the_dtype_of_what_they_meet_however_often(name):
    for _ in range(3):
        for dtype in ("float32", "float64", "complex64"):
            made = OPS[name](sg.tensor("x", dtype=dtype, shape=(2,)), 0.1)
            assert (made.dtype, made.weak) == (np.dtype(dtype), False)
        assert OPS[name](sg.tensor("n", dtype="int32", shape=(2,)), 0.5).dtype == np.float64
        assert OPS[name](sg.asarray(1.0), 0.5).weak


def test_an_op_of_equal_operands_asks_for_promotion_once(monkeypatch):
    from symgraph.ops import convert

    asked = []
    meeting = convert._meeting
    monkeypatch.setattr(convert, "_meeting", lambda *a: asked.append(a) or meeting(*a))
    x, y = sg.tensor("x", shape=(5,)), sg.tensor("y", shape=(5,))
    for k in range(20):
        x = sg.hypot(x, y) + 0.25 * k
    assert len(asked) <= 3
