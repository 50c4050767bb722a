"""Rolled arrays are read as shifted slices where lengths are numbers."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


@pytest.mark.parametrize("shift", [0, 1, -3, 1000, -2005])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_rolls_of_known_length(shift: int, axis: int | None, rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype="float32", shape=(7, 301))
    f = sg.function([x], sg.roll(x, shift, axis=axis) + 1)
    value = rng.normal(size=(7, 301)).astype("float32")
    np.testing.assert_array_equal(f(value), np.roll(value, shift, axis=axis) + 1)
    assert not any("mod(" in k.source for k in f.kernels) or axis is None


def test_rolls_of_two_axes_lengths_unknown_and_none(rng: np.random.Generator) -> None:
    x = sg.matrix("x")
    f = sg.function([x], x - sg.roll(x, (2, -1), axis=(0, 1)))
    for shape in ((5, 6), (1, 9), (0, 3), (40, 70)):
        value = rng.normal(size=shape)
        np.testing.assert_array_equal(f(value), value - np.roll(value, (2, -1), axis=(0, 1)))


def test_the_gradient_rolls_back(rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype="float64", shape=(50,))
    f = sg.function([x], sg.grad(sg.sum(x * sg.roll(x, 3)), x))
    value = rng.normal(size=50)
    np.testing.assert_allclose(f(value), np.roll(value, 3) + np.roll(value, -3), rtol=1e-15)
