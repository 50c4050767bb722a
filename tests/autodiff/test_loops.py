"""Gradients of scan, while_loop and cond: values, second derivatives, and what is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symgraph.autodiff.transform import grad, hessian
from symgraph.errors import GradientError
from symgraph.ir.graph import toposort
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops import random
from symgraph.ops.control import cond, fold, scan, while_loop
from symgraph.ops.leaves import tensor
from tests.autodiff.by_reference import assert_gradient, assert_second, normal, values

sin, tanh, exp, log, sqrt, where = map(find_op, ("sin", "tanh", "exp", "log", "sqrt", "where"))


def scans(outputs: list[Variable]) -> list[Any]:
    """All scan nodes, in order."""
    return [n for n in toposort([o.node for o in outputs]) if n.op.name == "scan"]


def vanilla(h: Any, xs: Any, w: Any, b: Any, **options: Any) -> Any:
    """A recurrent network, with its last state and all outs in the cost."""
    last, outs = scan(lambda s, x: (tanh(w @ s + x + b), s * x), h, xs, **options)
    return (last * last).sum() + (outs**3).sum()


@pytest.mark.parametrize("length", [0, 1, 6])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [None, True, 3])
def test_gradient_of_a_scan(length: int, reverse: bool, checkpoint: Any):
    arrays = normal(3), normal(length, 3), normal(3, 3), normal(3, seed=1)
    assert_gradient(lambda *v: vanilla(*v, reverse=reverse, checkpoint=checkpoint), *arrays)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [None, 2])
def test_gradient_of_the_gradient_of_a_scan(reverse: bool, checkpoint: Any):
    arrays = normal(2), normal(5, 2), normal(2, 2), normal(2, seed=1)
    assert_second(lambda *v: vanilla(*v, reverse=reverse, checkpoint=checkpoint), *arrays)


def test_gradient_of_a_batch_with_a_symbolic_length():
    h, xs, w = tensor("h", (2, 3)), tensor("xs", ("t", 2, 3)), tensor("w", (3, 3))
    cost = fold(lambda s, x: tanh(s @ w + x), h, xs).sum()
    fixed = tensor("fixed", (5, 2, 3))
    same = fold(lambda s, x: tanh(s @ w + x), h, fixed).sum()
    a = {h: normal(2, 3), xs: normal(5, 2, 3), fixed: normal(5, 2, 3), w: normal(3, 3)}
    found, expected = values(grad(cost, [h, xs, w]), a), values(grad(same, [h, fixed, w]), a)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)
    assert_gradient(
        lambda h, xs, w: fold(lambda s, x: tanh(s @ w + x), h, xs).sum(), a[h], a[xs], a[w]
    )


def test_third_derivative_of_a_scan():
    x = tensor("x", ())
    y = scan(lambda s, _: (s * x, None), 1.0, length=5)[0]
    for power, factor in ((4, 5.0), (3, 20.0), (2, 60.0)):
        y = grad(y, x)
        np.testing.assert_allclose(values([y], {x: 1.5}), [factor * 1.5**power], rtol=1e-14)


def test_hessian_through_a_scan():
    x = tensor("x", (2,))
    cost = scan(lambda s, _: (s * x.sum(), None), 1.0, length=3)[0]
    (found,) = values([hessian(cost, x)], {x: np.array([1.0, 2.0])})
    np.testing.assert_allclose(found, np.full((2, 2), 18.0), rtol=1e-13)


def test_integers_and_keys_in_the_state_are_carried_along():
    keys = random.split(random.key(0), 4)

    def function(x: Any) -> Any:
        def step(state: Any, key: Any) -> Any:
            count, total = state
            noise = random.uniform(key, (3,))
            return (count + 1, total + sin(x * count) * noise), (count, total.sum())

        (_, total), (counts, sums) = scan(step, (0, np.zeros(3)), keys)
        return total.sum() + (sums * counts).sum()

    assert_second(function, normal(3))


def test_state_that_leads_nowhere_is_not_carried_backwards():
    x = tensor("x", ())
    (a, _), _ = scan(lambda s, _: ((s[0] * x, s[1] + 1.0), None), (1.0, 0.0), length=4)
    backward = scans([grad(a, x)])[-1]
    assert backward.attrs["n_state"] == 2  # the cotangent of one state, the sum for x


def test_only_gradients_that_are_asked_for_are_computed():
    h, xs = tensor("h", (3,)), tensor("xs", ("t", 3))
    last, _ = scan(lambda s, x: (tanh(s * x), None), h, xs)
    backward = scans([grad(last.sum(), h)])[-1]
    assert len(backward.type.items) == 1


def test_what_is_stored_is_what_the_backward_step_reads():
    x = tensor("x", ("t", 3))
    last, _ = scan(lambda s, e: (s + e * 2.0, None), np.zeros(3), x)
    assert len(scans([grad(last.sum(), x)])) == 1  # linear: nothing to store, only a backward scan
    last, outs = scan(lambda s, e: (exp(s * e), exp(s * e)), np.zeros(3), x)
    forward, backward = scans([grad(last.sum() + outs.sum(), x)])
    assert len(forward.type.items) == 3  # the state before; exp is among the outs already
    assert len(backward.inputs) >= 3


def test_cheap_values_are_computed_again_not_stored():
    x = tensor("x", ("t", 3))

    def step(s: Any, e: Any) -> Any:
        return where(s > e, s * e * e, (s - e) * s * 0.5 + s * s * s), None

    last, _ = scan(step, np.zeros(3), x)
    forward, _ = scans([grad(last.sum(), x)])
    assert len(forward.type.items) == 2  # the last state, and the state before each step


def test_checkpoint_stores_states_between_segments_only():
    x = tensor("x", (100, 3))
    last, _ = scan(lambda s, e: (sin(exp(s * e)), None), np.zeros(3), x, checkpoint=10)
    stored = [
        item.shape
        for node in scans([grad(last.sum(), x)])
        for item in node.type.items[node.attrs["n_state"] :]
        if not node.attrs["reverse"]
    ]
    assert stored == [(10, 3)]


def test_weight_gradients_become_one_product():
    h, xs, w = tensor("h", (2, 3)), tensor("xs", ("t", 2, 3)), tensor("w", (3, 3))
    last, _ = scan(lambda s, x: (tanh(s @ w + x), None), h, xs)
    by_w = grad(last.sum(), w)
    assert by_w.node.op.name == "matmul"
    for node in scans([by_w]):
        shapes = [p.tensor.shape for p in node.attrs["body"].params[: node.attrs["n_state"]]]
        assert (3, 3) not in shapes


def test_where_in_a_step_leaks_no_nan():
    x = tensor("x", (3,))
    last, _ = scan(lambda s, e: (s + where(e > 0, sqrt(e), 0.0), None), 0.0, x)
    (found,) = values([grad(last, x)], {x: np.array([0.0, 4.0, -1.0])})
    np.testing.assert_array_equal(found, [0.0, 0.25, 0.0])


# --- while_loop


def test_gradient_of_a_while_loop():
    def function(a: Any, b: Any) -> Any:
        state, _ = while_loop(
            lambda s: s[0].sum() < 10.0, lambda s: (s[0] * a + b, s[1] + 1), (a * 1.0, 0), 20
        )
        return (state * state).sum()

    assert_second(function, np.array([1.5, 1.2]), np.array([0.1, 0.3]))


def test_steps_after_the_end_of_a_while_loop_leak_no_nan():
    x = tensor("x", ())
    found = while_loop(lambda s: s > 0.5, lambda s: s - 1.0 + 0.0 * sqrt(s), x, max_length=10)
    np.testing.assert_array_equal(values([found, grad(found, x)], {x: 3.0}), [0.0, 1.0])


def test_while_loop_without_a_limit_says_what_to_give():
    x = tensor("x", ())
    found = while_loop(lambda s: s < 9.0, lambda s: s * x, x)
    with pytest.raises(GradientError, match="max_length=") as caught:
        grad(found, x)
    assert "test_loops.py" in str(caught.value)


# --- cond


@pytest.mark.parametrize("at", [0.5, 1.5])
def test_gradient_of_a_cond(at: float):
    def function(a: Any, b: Any) -> Any:
        first, second = cond(a > 1.0, lambda v: (sqrt(v) * b, v), lambda v: (v * b * b, sin(b)), a)
        return first * second * a

    assert_second(function, np.array(at), np.array(0.3))


def test_branch_not_taken_is_not_differentiated():
    x = tensor("x", ())
    found = cond(x > 0, lambda v: log(v), lambda v: v * 2.0, x)
    np.testing.assert_array_equal(values([grad(found, x)], {x: 0.0}), [2.0])


def test_cond_in_a_scan_in_a_cond():
    def function(x: Any, w: Any) -> Any:
        def step(s: Any, e: Any) -> Any:
            return cond(e > 0, lambda u: sin(u * w), lambda u: u + e * w, s), s

        def run(v: Any) -> Any:
            last, outs = scan(step, v[0], v)
            return last + (outs * outs).sum()

        return cond(x.sum() < 100.0, run, lambda v: v.sum(), x)

    assert_second(function, normal(5), np.array(0.7))
