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
