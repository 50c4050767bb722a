"""sort and argsort: NumPy's stable ones, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.errors import AxisError, DTypeError
from symgraph.ops.leaves import tensor
from symgraph.ops.sorting import argsort, sort
from tests.autodiff.by_reference import assert_second, normal, values

TIES = np.array(
    [[3.0, 1.0, 3.0, np.nan, -0.0, 0.0, 1.0], [2.0, 2.0, 2.0, 5.0, -np.inf, np.inf, 0.0]]
)


@pytest.mark.parametrize("axis", [-1, 0, None])
def test_sort_and_argsort_are_numpys(axis: int | None):
    found = values([sort(TIES, axis), argsort(TIES, axis)], {})
    np.testing.assert_array_equal(found[0], np.sort(TIES, axis, kind="stable"))
    np.testing.assert_array_equal(found[1], np.argsort(TIES, axis, kind="stable"))
    assert found[1].dtype == "int64"


def test_descending_order_is_stable_too():
    x = np.array([3, 1, 3, 2, 1])
    down, order = values([sort(x, descending=True), argsort(x, descending=True)], {})
    np.testing.assert_array_equal(down, [3, 3, 2, 1, 1])
    np.testing.assert_array_equal(order, [0, 2, 3, 1, 4])


def test_gradient_of_sort():
    weights = normal(3, 4, seed=1)
    assert_second(lambda x: (sort(x * x, axis=0) * weights).sum(), normal(3, 4))


def test_mistakes_are_explained():
    with pytest.raises(DTypeError, match="sort does not take complex128"):
        sort(tensor("z", (3,), "complex128"))
    with pytest.raises(AxisError, match="needs at least 1 axis"):
        argsort(tensor("x", ()))
