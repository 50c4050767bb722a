"""Dims known only at run time: broadcasting a 1, names that must be equal, slices, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


def _reduced(array, shape):
    """The sum over the axes along which an array of ``shape`` was broadcast."""
    lead = tuple(range(array.ndim - len(shape)))
    array = array.sum(axis=lead)
    axes = tuple(k for k, n in enumerate(shape) if n == 1 and array.shape[k] != 1)
    return array.sum(axis=axes, keepdims=True)


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [((3, 4), (3, 4)), ((3, 1), (3, 4)), ((1, 4), (3, 1)), ((1, 1), (3, 4)), ((3, 4), (1, 1))],
)
@pytest.mark.parametrize("backend", ["llvm", "numba", "interp"])
def test_an_unknown_dim_that_is_one_at_run_time(a_shape, b_shape, backend, rng):
    x, y = sg.matrices("x", "y")
    cost = (sg.exp(x) * y).sum()
    mode = sg.Mode(backend=backend)
    f = sg.function([x, y], [x + y, cost, *sg.grad(cost, [x, y])], mode=mode)
    a, b = rng.normal(size=a_shape), rng.normal(size=b_shape)
    added, value, dx, dy = f(a, b)
    np.testing.assert_array_equal(added, a + b)
    np.testing.assert_allclose(value, (np.exp(a) * b).sum(), rtol=1e-13)
    full = np.broadcast_shapes(a_shape, b_shape)
    np.testing.assert_allclose(
        dx, _reduced(np.broadcast_to(np.exp(a) * b, full), a_shape), rtol=1e-12
    )
    np.testing.assert_allclose(dy, _reduced(np.broadcast_to(np.exp(a), full), b_shape), rtol=1e-12)


def test_one_function_serves_all_the_cases(rng):
    x, y, z = sg.vectors("x", "y", "z")
    cost = sg.tanh(x * y + z).sum()
    f = sg.function([x, y, z], [cost, *sg.grad(cost, [x, y, z])])
    for shapes in [(3, 3, 3), (1, 3, 3), (3, 1, 3), (3, 3, 1), (1, 1, 3), (3, 1, 1), (1, 1, 1)]:
        a, b, c = (rng.normal(size=n) for n in shapes)
        value, *slopes = f(a, b, c)
        np.testing.assert_allclose(value, np.tanh(a * b + c).sum(), rtol=1e-13)
        slope = 1 / np.cosh(a * b + c) ** 2
        for got, wanted, n in zip(slopes, (slope * b, slope * a, slope), shapes, strict=True):
            np.testing.assert_allclose(got, _reduced(wanted, (n,)), rtol=1e-11)


def test_named_dims_are_equal():
    x = sg.tensor("x", shape=("n", "m"))
    w = sg.tensor("w", shape=("m",))
    f = sg.function([x, w], x * w)
    np.testing.assert_array_equal(f(np.ones((2, 3)), np.ones(3)), np.ones((2, 3)))
    with pytest.raises(sg.ShapeError, match="m"):
        f(np.ones((2, 3)), np.ones(1))


def test_a_dim_given_as_an_expression():
    n = sg.Dim("n")
    x, y = sg.tensor("x", shape=(n,)), sg.tensor("y", shape=(2 * n + 1,))
    f = sg.function([x, y], y[1:] - sg.concat([x, x]))
    np.testing.assert_array_equal(f([1.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0]), [0.0, 0.0, 2.0, 2.0])
    with pytest.raises(sg.ShapeError, match="y"):
        f([1.0, 2.0], [0.0, 1.0])


def test_lengths_that_do_not_fit_at_run_time_name_both():
    x, y = sg.vectors("x", "y")
    f = sg.function([x, y], x + y)
    with pytest.raises(sg.ShapeError) as caught:
        f([1.0, 2.0], [1.0, 2.0, 3.0])
    assert "2" in str(caught.value)
    assert "3" in str(caught.value)
    assert "test_shapes.py" in str(caught.value)


SLICES = [
    np.s_[1:], np.s_[:-1], np.s_[::2], np.s_[::-1], np.s_[5:2:-1], np.s_[-3:], np.s_[2:100],
    np.s_[10:2], np.s_[-1:0:-2], np.s_[-100:3],
]  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 4, 7])
def test_slices_of_unknown_dims_and_their_gradients(length, rng):
    x = sg.vector("x")
    parts = [x[s] for s in SLICES]
    cost = sum((k + 1) * (p**2).sum() for k, p in enumerate(parts))
    f = sg.function([x], [parts, sg.grad(cost, x)], mode=sg.Mode(backend="interp"))
    a = rng.normal(size=length)
    got, slope = f(a)
    wanted = np.zeros(length)
    for k, s in enumerate(SLICES):
        np.testing.assert_array_equal(got[k], a[s])
        wanted[s] += 2 * (k + 1) * a[s]
    np.testing.assert_allclose(slope, wanted, rtol=1e-12)


def test_slices_compiled():
    x = sg.vector("x")
    f = sg.function([x], [x[s] for s in SLICES])
    for length in (0, 1, 3, 4, 7, 20):
        a = np.arange(length, dtype="float64")
        for s, got in zip(SLICES, f(a), strict=True):
            np.testing.assert_array_equal(got, a[s])


def test_slices_with_symbolic_bounds():
    x = sg.vector("x")
    n = x.shape[0]
    f = sg.function([x], [x[: n // 2], x[n // 2 :], x[n - 1 :]])
    for length in (1, 4, 5):
        a = np.arange(length, dtype="float64")
        first, second, last = f(a)
        np.testing.assert_array_equal(first, a[: length // 2])
        np.testing.assert_array_equal(second, a[length // 2 :])
        np.testing.assert_array_equal(last, a[length - 1 :])
