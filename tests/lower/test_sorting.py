"""Sorting along any axis through compiled code."""

import numpy as np
import pytest

import symgraph as sg


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sort_and_argsort_along_any_axis(axis, rng):
    x = sg.matrix("x")
    f = sg.function([x], [sg.sort(x, axis=axis), sg.argsort(x, axis=axis)])
    value = np.round(rng.normal(size=(5, 4)), 1)
    value[2, 1] = np.nan
    found = f(value)
    np.testing.assert_array_equal(found[0], np.sort(value, axis=axis, kind="stable"))
    np.testing.assert_array_equal(found[1], np.argsort(value, axis=axis, kind="stable"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(1, 70_000), (300, 257), (0, 5), (5, 0)])
def test_long_and_many_rows_on_threads(dtype, shape, rng):
    x = sg.tensor("x", dtype=dtype, shape=(None, None))
    f = sg.function(
        [x], [sg.sort(x, axis=1), sg.argsort(x, axis=1), sg.argsort(x, descending=True)]
    )
    value = np.round(rng.normal(size=shape) * 50).clip(0).astype(dtype)
    found = f(value)
    np.testing.assert_array_equal(found[0], np.sort(value, axis=1))
    np.testing.assert_array_equal(found[1], np.argsort(value, axis=1, kind="stable"))
    assert (np.diff(np.take_along_axis(value, found[2], 1).astype(float)) <= 0).all()
