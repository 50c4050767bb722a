"""``tidy_loops``: fewer and smaller loops, with the same values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.autodiff.transform import grad
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops.control import cond, scan
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor
from symgraph.rewrite.loops import tidy_loops
from tests.autodiff.by_reference import normal

tanh, exp = find_op("tanh"), find_op("exp")


def loops(outputs: Sequence[Node]) -> list[Node]:
    """The control nodes below outputs."""
    return [n for n in toposort(outputs) if n.op.kind == "control"]


def tidied(outputs: Sequence[Variable], given: dict[Variable, Any]) -> list[Node]:
    """The control nodes that are left; checks that values are the same, and that once is enough."""
    before = [o.node for o in outputs]
    after = tidy_loops(before)
    arrays = {v.node: x for v, x in given.items()}
    for one, two in zip(evaluate(before, arrays), evaluate(after, arrays), strict=True):
        np.testing.assert_array_equal(one, two)
    assert tidy_loops(after) == after
    return loops(after)


def test_scan_and_the_one_that_its_gradient_runs_become_one():
    x, w = tensor("x", ("t", 3)), tensor("w", (3, 3))
    last, outs = scan(lambda s, e: (tanh(w @ s + e), exp(s)), np.zeros(3), x)
    cost = last.sum() + outs.sum()
    outputs = [cost, *grad(cost, [x, w])]
    assert len(loops([o.node for o in outputs])) == 3
    left = tidied(outputs, {x: normal(5, 3), w: normal(3, 3)})
    assert [n.attrs["reverse"] for n in left] == [False, True]


def test_the_same_holds_inside_a_loop():
    x, w = tensor("x", ("t", 4, 3)), tensor("w", (3, 3))

    def row(state: Any, elements: Any) -> Any:
        last, _ = scan(lambda s, e: (tanh(w @ s + e), None), state, elements)
        return last, None

    last, _ = scan(row, np.zeros(3), x, checkpoint=None)
    outputs = [last.sum(), grad(last.sum(), w)]
    left = tidied(outputs, {x: normal(5, 4, 3), w: normal(3, 3)})
    assert len(left) == 2
    for node in left:
        inner = loops(node.attrs["body"].outputs)
        assert len(inner) == len({(n.inputs[0], n.attrs["reverse"]) for n in inner})


def test_results_that_nobody_reads_are_dropped():
    x = tensor("x", ("t",))

    def step(state: Any, element: Any) -> Any:
        a, b, c = state
        return (a + element, b * a, c + 1.0), (a, exp(b), c)

    (a, _, _), (_, _, c) = scan(step, (0.0, 1.0, 2.0), x)
    (node,) = tidied([a, c], {x: normal(4)})
    assert (node.attrs["n_state"], len(node.type.items)) == (2, 3)  # type: ignore[union-attr]
    assert not any(n.op.name == "exp" for n in toposort(node.attrs["body"].outputs))


def test_scans_that_need_each_other_stay_two():
    x = tensor("x", ("t",))
    first, _ = scan(lambda s, e: (s + e, None), 0.0, x)
    _, outs = scan(lambda s, e: (s + e, s * first), 0.0, x)
    assert len(tidied([first, outs], {x: normal(4)})) == 2


def test_cond_drops_results_that_nobody_reads():
    x, p = tensor("x", ()), tensor("p", (), "bool")
    first, _ = cond(p, lambda: (x * 2.0, exp(x)), lambda: (x, x * 3.0))
    (node,) = tidied([first], {x: 1.5, p: True})
    assert len(node.type.items) == 1  # type: ignore[union-attr]
