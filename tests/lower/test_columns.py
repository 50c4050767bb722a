"""Sums over a leading axis of long rows go through tiles of columns."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("shape", [(4, 20_001), (1, 40_000), (300, 16_384), (0, 30_000)])
def test_sums_of_long_rows(dtype: str, shape: tuple[int, int], rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype=dtype, shape=shape)
    f = sg.function([x], [sg.sum(x, axis=0), sg.sum(x * x, axis=0)])
    value = (rng.normal(size=shape) * 20).astype(dtype)
    found = f(value)
    wide = value.astype("float64" if dtype != "int32" else "int64")
    np.testing.assert_allclose(found[0], wide.sum(axis=0), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found[1], (wide * wide).sum(axis=0), rtol=1e-6)


def test_there_are_tiles_and_extremes_have_them_too(rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype="float32", shape=(5, 50_000))
    assert any("first_i1" in k.source for k in sg.function([x], sg.max(x, axis=0)).kernels)
    f = sg.function([x], [sg.max(x, axis=0), sg.min(x, axis=0), sg.argmax(x, axis=0)])
    value = rng.normal(size=(5, 50_000)).astype("float32")
    for found, right in zip(f(value), (value.max(0), value.min(0), value.argmax(0)), strict=True):
        np.testing.assert_array_equal(found, right)


def test_softmax_over_a_leading_axis_of_long_rows(rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype="float64", shape=(6, 20_000))
    f = sg.function([x], sg.nn.softmax(x, axis=0))
    value = rng.normal(size=(6, 20_000))
    e = np.exp(value - value.max(axis=0))
    np.testing.assert_allclose(f(value), e / e.sum(axis=0), rtol=1e-13)
