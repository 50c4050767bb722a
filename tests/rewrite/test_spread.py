"""Scans that do turn by turn only what they must."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ops.evaluate import evaluate
from symgraph.rewrite.loops import tidy_loops
from symgraph.rewrite.spread import spread_loops

rng = np.random.default_rng(2)


def spread(outputs, given, rtol=1e-12):
    """The outputs' nodes after spreading, which have the values they had before."""
    nodes = tidy_loops(tuple(o.node for o in outputs))
    found = tidy_loops(spread_loops(nodes))
    arrays = {v.node: np.asarray(x, v.dtype) for v, x in given.items()}
    for one, two in zip(evaluate(found, arrays), evaluate(nodes, arrays), strict=True):
        np.testing.assert_allclose(one, two, rtol=rtol, atol=1e-13)
    return found


def scans(nodes) -> list[Node]:
    return [n for n in toposort(nodes) if n.op.name == "scan"]


def body_ops(scan: Node) -> list[str]:
    return [n.op.name for n in toposort(scan.attrs["body"].outputs) if n.op.kind != "leaf"]


def test_a_recurrence_is_all_that_stays_of_a_likelihood():
    p, y = sg.tensor("p", shape=(3,)), sg.tensor("y", shape=(30,))

    def step(state, x):
        h, total = state
        new = p[0] + p[1] * x[0] * x[0] + p[2] * h
        return (new, total - 0.5 * (sg.log(new) + x[0] * x[0] / new)), None

    (_, total), _ = sg.scan(step, (sg.constant(1.0), sg.constant(0.0)), (y,))
    given = {p: np.array([0.1, 0.2, 0.7]), y: rng.normal(size=30)}
    found = spread([total, sg.grad(total, p)], given)
    assert sorted(len(body_ops(s)) for s in scans(found)) == [2, 3]


def test_a_scan_that_only_sums_is_a_sum():
    x = sg.tensor("x", shape=(9, 4))
    (total,), _ = sg.scan(lambda s, v: ((s[0] + sg.exp(v[0]),), None), (sg.zeros((4,)),), (x,))
    found = spread([total], {x: rng.normal(size=(9, 4))})
    assert not scans(found)


def recurrent(x, w, b):
    def step(state, v):
        h = sg.tanh(sg.concat([v[0], state[0]], axis=1) @ w + b)
        return (h,), h

    return sg.scan(step, (sg.zeros((2, 3)),), (x,))


def test_products_with_sequences_and_their_gradients_are_done_at_once():
    x, w = sg.tensor("x", shape=(6, 2, 5)), sg.tensor("w", shape=(8, 3))
    b = sg.tensor("b", shape=(3,))
    (last,), outs = recurrent(x, w, b)
    loss = sg.sum(last * last) + sg.sum(outs)
    given = {v: rng.normal(size=v.shape) for v in (x, w, b)}
    found = spread([loss, *sg.grad(loss, [x, w, b])], given)
    for scan in scans(found):
        inner = [n for n in toposort(scan.attrs["body"].outputs) if n.op.name == "matmul"]
        assert all(n.inputs[0].tensor.shape == (2, 3) for n in inner)


def test_matrices_times_vectors_and_their_gradients_are_done_at_once():
    """w @ x[t] before the loop, out @ h[t] after it, and all gradients of matrices as products."""
    x, w = sg.tensor("x", shape=(6, 5)), sg.tensor("w", shape=(3, 5))
    loop, out = sg.tensor("l", shape=(3, 3)), sg.tensor("o", shape=(4, 3))

    def step(state, v):
        h = sg.tanh(w @ v[0] + loop @ state[0])
        return (h,), sg.sum((out @ h) ** 2)

    _, losses = sg.scan(step, (sg.zeros((3,)),), (x,))
    loss = sg.sum(losses)
    given = {v: rng.normal(size=v.shape) for v in (x, w, loop, out)}
    (scan,) = scans(spread([loss], given))
    assert body_ops(scan).count("matmul") == 1
    spread([loss, *sg.grad(loss, [x, w, loop, out])], given)


def test_columns_times_rows_add_up_outside():
    x, y = sg.tensor("x", shape=(6, 5)), sg.tensor("y", shape=(6, 3))

    def step(state, v):
        column, row = sg.expand_dims(sg.exp(v[0]), 1), sg.expand_dims(v[1], 0)
        return (state[0] + column * row, state[1] + column * v[1]), None

    totals, _ = sg.scan(step, (sg.zeros((5, 3)), sg.zeros((5, 3))), (x, y))
    given = {v: rng.normal(size=v.shape) for v in (x, y)}
    assert not scans(spread(list(totals), given))


STEPS = {
    "state kept": lambda s, v: ((s[0], s[1] * s[0] + v[0]), s[1]),
    "taken away": lambda s, v: ((s[0] - v[0] * v[0], s[1] * 0.5 + v[0]), s[1]),
    "sum read": lambda s, v: ((s[0] + v[0], s[1] * 0.5 + s[0]), s[1]),
    "sum is an out": lambda s, v: ((s[0] + v[0], s[1] * 0.5), s[0]),
    "sum of a sum": lambda s, v: ((s[0] + s[1], s[1] + v[0]), None),
    "constant out": lambda s, v: ((s[0] + 1.0, s[1] + s[1] * v[0]), (sg.constant(2.0) + s[1] * 0)),
    "sequence out": lambda s, v: ((s[0], s[1] + v[0] * s[1]), sg.sin(v[0])),
    "reduced": lambda s, v: ((s[0] + sg.sum(v[0]) * v[0], s[1] + s[1] * sg.max(v[0])), None),
    "compared": lambda s, v: ((s[0], sg.where(v[0] > 0, s[1] * 0.9, s[1] + v[0])), s[1] > v[0]),
    "next is an out": lambda s, v: ((s[0] + v[0], s[1]), s[0] + v[0]),
    "swapped": lambda s, v: ((s[1], s[0]), s[0] + v[0]),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_spread_scans_have_the_same_values(name, reverse):
    x = sg.tensor("x", shape=(5, 3))
    start = (sg.ones((3,)), sg.ones((3,)) * 0.5)
    states, outs = sg.scan(STEPS[name], start, (x,), reverse=reverse)
    ends = [*states, *([] if outs is None else [outs] if not isinstance(outs, tuple) else outs)]
    ends = [e for e in ends if e is not None]
    loss = sum(sg.sum(e) for e in ends if e.dtype.kind == "f")
    given = {x: rng.normal(size=(5, 3))}
    spread([*ends, sg.grad(loss, x)], given)


def test_a_scan_inside_a_scan_is_spread_too():
    x = sg.tensor("x", shape=(4, 5))

    def outer(s, v):
        (total,), _ = sg.scan(
            lambda r, u: ((r[0] + u[0] * u[0],), None), (sg.constant(0.0),), (v[0] * s[0],)
        )
        return (sg.tanh(total),), total

    (last,), outs = sg.scan(outer, (sg.constant(1.0),), (x,))
    found = spread([last, outs], {x: rng.normal(size=(4, 5))})
    (scan,) = scans(found)
    assert "scan" not in body_ops(scan)


def test_only_the_columns_of_a_product_that_are_read_are_computed():
    x, w = sg.tensor("x", shape=(4, 2, 3)), sg.tensor("w", shape=(3, 8))

    def step(s, v):
        return (sg.tanh((s[0] @ w)[:, 5:] + v[0]),), None

    (last,), _ = sg.scan(step, (sg.ones((2, 3)),), (x,))
    found = spread([last], {x: rng.normal(size=(4, 2, 3)), w: rng.normal(size=(3, 8))})
    (scan,) = scans(found)
    (product,) = (n for n in toposort(scan.attrs["body"].outputs) if n.op.name == "matmul")
    assert product.tensor.shape == (2, 3)


def test_what_would_take_much_memory_stays_in_the_loop():
    x = sg.tensor("x", shape=(1 << 20, 100))
    (total,), _ = sg.scan(lambda s, v: ((s[0] + sg.exp(v[0]),), None), (sg.zeros((100,)),), (x,))
    nodes = tidy_loops((total.node,))
    assert scans(spread_loops(nodes))
