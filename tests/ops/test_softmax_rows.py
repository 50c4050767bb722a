"""softmax, log_softmax and polynomial: references, what they expand to, gradients, edge cases."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.autodiff.transform import grad
from symgraph.errors import AxisError, DTypeError
from symgraph.ir.op import find_op
from symgraph.ops.convert import wrap
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor

softmax, log_softmax, polynomial, sum_, exp = map(
    find_op, ["softmax", "log_softmax", "polynomial", "sum", "exp"]
)
x = tensor("x", shape=("n", 4), dtype="float64")
DATA = np.random.default_rng(0).normal(size=(3, 4)) * 5
BOTH = pytest.mark.parametrize("op", [softmax, log_softmax], ids=lambda o: o.name)


@BOTH
@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_expansion_agrees_with_the_reference(op, axis, dtype):
    v = tensor("v", shape=(3, 4), dtype=dtype)
    node = op(v, axis=axis).node
    assert node.type == v.node.type
    expanded = op.expand(wrap(node.inputs[0]), **node.attrs)
    values = {v.node: DATA.astype(dtype)}
    found, wanted = (evaluate([n], values)[0] for n in (expanded.node, node))
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@BOTH
def test_large_logits_do_not_overflow(op):
    node = op(x).node
    expanded = op.expand(x, axes=(1,)).node
    points = {x.node: np.array([[1000.0, 0.0, -1000.0, 1000.0]])}
    for found in evaluate([node, expanded], points):
        wanted = [[0.5, 0.0, 0.0, 0.5]]
        if op is log_softmax:
            wanted = [[-np.log(2), -1000 - np.log(2), -2000 - np.log(2), -np.log(2)]]
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_log_softmax_keeps_what_rounding_to_1_would_lose():
    points = {x.node: np.array([[40.0, 0.0, -1.0, -2.0]])}
    wanted = -np.log1p(np.exp(-40.0) + np.exp(-41.0) + np.exp(-42.0))
    for node in (log_softmax(x).node, log_softmax.expand(x, axes=(1,)).node):
        assert evaluate([node], points)[0][0, 0] == pytest.approx(wanted, rel=1e-15)


@BOTH
def test_gradient_agrees_with_differences(op):
    weights = np.arange(12.0).reshape(3, 4)
    cost = sum_(op(x) * weights)
    slope = evaluate([grad(cost, x).node], {x.node: DATA})[0]
    for place in ((0, 0), (2, 3), (1, 2)):
        step = np.zeros_like(DATA)
        step[place] = 1e-6
        high, low = (evaluate([cost.node], {x.node: DATA + s * step})[0] for s in (1, -1))
        assert slope[place] == pytest.approx(float(high - low) / 2e-6, rel=1e-6, abs=1e-8)


@BOTH
def test_integers_become_floating_and_complex_numbers_are_refused(op):
    assert op(tensor("k", shape=(3,), dtype="int32")).dtype == "float64"
    with pytest.raises(DTypeError, match=r"does not take complex128"):
        op(tensor("c", shape=(3,), dtype="complex128"))
    with pytest.raises(AxisError):
        op(x, axis=2)


@BOTH
def test_nan_fills_its_row_only(op):
    points = DATA.copy()
    points[1, 2] = np.nan
    for node in (op(x).node, op.expand(x, axes=(1,)).node):
        found = evaluate([node], {x.node: points})[0]
        assert np.isnan(found[1]).all()
        assert np.isfinite(found[[0, 2]]).all()


def test_polynomial_is_horners_rule_and_its_derivative_a_polynomial():
    v = tensor("v", shape=("n",), dtype="float64")
    made = polynomial(v, coefficients=(1.0, -2.0, 0.5, 3.0))
    points = {v.node: np.array([-1.5, 0.0, 2.0])}
    value, slope = evaluate([made.node, grad(sum_(made), v).node], points)
    t = points[v.node]
    np.testing.assert_allclose(value, 1 - 2 * t + 0.5 * t**2 + 3 * t**3, rtol=1e-15)
    np.testing.assert_allclose(slope, -2 + t + 9 * t**2, rtol=1e-15)
