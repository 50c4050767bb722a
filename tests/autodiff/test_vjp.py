"""``gradient``: the rules of ops put together, over whole graphs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from symgraph.autodiff.transform import grad
from symgraph.autodiff.vjp import gradient
from symgraph.errors import GradientError
from symgraph.ir.graph import toposort
from symgraph.ir.node import make_node
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray
from symgraph.ops.index import take
from symgraph.ops.leaves import tensor
from tests.autodiff.by_reference import assert_gradient, assert_second, normal, values

exp, log, sin, sqrt, tanh, where = map(find_op, ("exp", "log", "sin", "sqrt", "tanh", "where"))
matmul, concat, softmax, logsumexp = map(find_op, ("matmul", "concat", "softmax", "logsumexp"))

ROWS = np.array([0, 2, 2, 1])
COMPOSITES = {
    "a product of sums": (lambda x, y: (x * y).sum() * x.mean(), normal(3), normal(3, seed=1)),
    "one value used many times": (lambda x: (x * x * x + sin(x) * x).sum(), normal(4)),
    "a row against a column": (lambda x, y: (sin(x) * y).sum(), normal(4, 1), normal(1, 3)),
    "a scalar against a matrix": (lambda x, y: (x * y * y).sum(), normal(), normal(2, 3)),
    "a matrix product": (lambda a, b: tanh(matmul(a, b)).sum(), normal(2, 3), normal(3, 2)),
    "softmax cross-entropy": (
        lambda x, w: -log(softmax(matmul(x, w), -1)[:, 0]).sum(),
        normal(4, 3),
        normal(3, 5),
    ),
    "rows taken twice": (lambda x: sin(take(x, ROWS, axis=0)).sum(), normal(3, 2)),
    "slices that overlap": (lambda x: (x[1:] * x[:-1]).sum() + (x[::2] ** 3).sum(), normal(5)),
    "a changed copy": (lambda x, v: sin(x.at[ROWS[:2]].set(v)).sum(), normal(4), normal(2)),
    "joined parts": (lambda x, y: sin(concat([x, y * y])).sum(), normal(2), normal(3)),
    "variance": (lambda x: (x.var(axis=0) * x.max(axis=0)).sum(), normal(4, 3)),
    "a choice": (lambda x, y: where(x > y, sin(x), y * y * x).sum(), normal(6), normal(6, seed=1)),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_gradient_agrees_with_differences(name: str):
    function, *arrays = COMPOSITES[name]
    assert_gradient(function, *arrays)


@pytest.mark.parametrize("name", COMPOSITES)
def test_gradient_of_gradient_agrees_with_differences(name: str):
    function, *arrays = COMPOSITES[name]
    assert_second(function, *arrays)


UNDEFINED = {
    "sqrt at 0": (lambda x: where(x > 0, sqrt(x), 0.0), [0.0, 0.25], [0.0, 1.0]),
    "log of a negative number": (
        lambda x: where(x > 0, log(x) * 3.0, x * x),
        [-1.0, 2.0],
        [-2, 1.5],
    ),
    "a quotient by 0": (lambda x: where(x != 0, sin(x) / x, 1.0), [0.0], [0.0]),
    "two choices": (
        lambda x: where(x > 0, where(x < 4, sqrt(x) * log(x), x), -x),
        [-1.0, 0.0, 1.0, 9.0],
        [-1.0, -1.0, 1.0, 1.0],
    ),
    "behind moved elements": (
        lambda x: where((x > 0)[None, :, None], sqrt(x).reshape((1, -1))[..., None].mT.mT, 0.0),
        [0.0, 4.0],
        [0.0, 0.25],
    ),
    "a choice of the other kind": (lambda x: where(x <= 0, 0.0, x**0.5), [0.0, 4.0], [0.0, 0.25]),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_branch_not_taken_leaks_no_nan(name: str):
    function, at, expected = UNDEFINED[name]
    x = tensor("x", ("n",))
    (found,) = values([grad(function(x).sum(), x)], {x: np.array(at)})
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_branch_not_taken_leaks_no_nan_twice_differentiated():
    x = tensor("x", ("n",))
    first = grad(where(x > 0, x * sqrt(x), 0.0).sum(), x)
    (found,) = values([grad(first.sum(), x)], {x: np.array([0.0, 4.0])})
    np.testing.assert_allclose(found, [0.0, 0.375], rtol=1e-14)


@pytest.mark.parametrize("sizes", [(1, 5), (5, 1), (5, 5), (1, 1)])
def test_gradient_of_broadcasting_that_only_the_call_tells(sizes: tuple[int, int]):
    x, y = tensor("x", (None,)), tensor("y", (None,))
    a, b = normal(sizes[0]), normal(sizes[1], seed=1)
    found = values(grad((sin(x) * y).sum(), [x, y]), {x: a, y: b})
    wide = np.broadcast_arrays(np.cos(a) * b, np.sin(a) * np.ones_like(b))
    for part, whole, own in zip(found, wide, (a, b), strict=True):
        assert part.shape == own.shape
        expected = whole.sum(keepdims=True) if own.size == 1 else whole
        np.testing.assert_allclose(part, expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_has_the_dtype_of_its_variable(dtype: str):
    x, y = tensor("x", (3,), dtype), tensor("y", (3,), "float64")
    found = grad((x * y).sum() + exp(x).sum(), x)
    assert found.type == x.type
    assert values([found], {x: np.ones(3, dtype), y: np.ones(3)})[0].dtype == dtype


def test_conversion_of_integers_sends_nothing_back():
    x = tensor("x", (3,))
    n = find_op("floor")(x).astype("int64")
    (part,) = gradient([(n * 2).astype("float64").sum().node], [asarray(1.0)], [x.node])
    assert part is None


def test_gradient_by_a_value_on_the_way_and_by_what_it_is_made_of():
    x = tensor("x", ())
    y = x * x
    found = values(grad(sin(y), [y, x]), {x: np.array(0.5)})
    np.testing.assert_allclose(found, [np.cos(0.25), np.cos(0.25)], rtol=1e-15)


def test_gradient_of_complex_follows_jax():
    z = tensor("z", (), "complex128")
    at = 0.3 + 0.4j
    cost = find_op("real")(z * z * z)  # d/dx - i d/dy of Re f is f'
    np.testing.assert_allclose(values([grad(cost, z)], {z: at})[0], 3 * at**2, rtol=1e-15)
    size = find_op("square")(find_op("abs")(z))
    np.testing.assert_allclose(values([grad(size, z)], {z: at})[0], 2 * np.conj(at), rtol=1e-15)


def test_nodes_made_by_a_gradient_know_the_line_of_what_they_come_from():
    x = tensor("x", ())
    y = exp(x)
    line = y.node.lines[-1]
    (part,) = gradient([y.node], [asarray(1.0)], [x.node])
    assert line in part.node.lines


def test_op_without_gradient_is_named_with_its_line():
    x = tensor("x", ())
    bare = dataclasses.replace(find_op("sin"), name="bare", vjp=None)
    y = Variable(make_node(bare, (x.node,)))
    with pytest.raises(GradientError, match=r"bare has no gradient") as caught:
        grad(y, x)
    assert "test_vjp.py" in str(caught.value)
    assert "sg.stop_gradient" in str(caught.value)


def test_chain_of_3000_ops_and_its_gradient():
    x = tensor("x", ())
    y = x
    for _ in range(1500):
        y = sin(y) + 0.001
    found = values([y, grad(y, x)], {x: np.array(0.3)})
    v, slope = 0.3, 1.0
    for _ in range(1500):
        v, slope = np.sin(v) + 0.001, slope * np.cos(v)
    np.testing.assert_allclose(found, [v, slope], rtol=1e-12)


@pytest.mark.slow
def test_chain_of_100000_nodes_is_differentiated_without_recursion():
    x = tensor("x", ())
    y = x
    for _ in range(50_000):
        y = (y + 1.0) * 0.5
    assert len(toposort([grad(y, x).node])) > 49_000
