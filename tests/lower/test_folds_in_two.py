"""Reductions over last and other axes: last axes in registers, then the others, in one loop."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

rng = np.random.default_rng(5)
CASES = [
    ((10, 20, 30), (0, 2)),
    ((3, 4, 5, 36), (1, 3)),
    ((6, 7, 20, 20), (0, 2, 3)),
    ((1, 4, 1, 36), (0, 1, 2, 3)),
    ((6, 1, 36), (0, 2)),
    ((5, 4, 3), (0, 2)),
    ((0, 4, 30), (0, 2)),
]


@pytest.mark.parametrize(("shape", "axes"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bool", "complex64"])
def test_sums_and_extremes_over_any_axes(shape, axes, dtype):
    x = sg.tensor("x", dtype=dtype, shape=(None,) * len(shape))
    given = (rng.normal(size=shape) * 20).astype(dtype)
    names = ["sum", "any", "all"] + ["max", "min"] * (
        dtype[:3] in ("flo", "int") and 0 not in shape
    )
    f = sg.function([x], [getattr(sg, name)(x, axis=axes) for name in names])
    wide = {"float32": "float64", "complex64": "complex128"}.get(dtype, dtype)
    for name, found in zip(names, f(given), strict=True):
        expected = getattr(np, name)(given.astype(wide), axis=axes)
        size = np.abs(given.astype(wide)).sum(axis=axes) * (dtype[:3] in ("flo", "com"))
        rounding = np.finfo(dtype).eps * np.abs(expected) if wide != dtype else 0
        assert found.dtype == getattr(np, name)(given, axis=axes).dtype
        assert np.all(np.abs(found * 1 - expected * 1) <= 4 * 2.3e-16 * size + rounding)


def test_nan_and_infinities_pass_through_both_parts():
    given = rng.normal(size=(4, 3, 32))
    given[2, 1, 5], given[1, 2, 7] = np.nan, -np.inf
    x = sg.tensor("x", shape=given.shape)
    f = sg.function([x], [sg.max(x, axis=(0, 2)), sg.min(x, axis=(0, 2))])
    for found, expected in zip(f(given), (given.max((0, 2)), given.min((0, 2))), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_sum_of_last_axes_never_reaches_memory():
    x = sg.tensor("x", dtype="float32", shape=(50, 6, 40))
    f = sg.function([x], sg.sum(x, axis=(0, 2)), mode=sg.Mode(accuracy="as-written"))
    given = rng.normal(size=(50, 6, 40)).astype("float32")
    np.testing.assert_allclose(f(given), given.astype("float64").sum((0, 2)), rtol=1e-6, atol=1e-5)
    (kernel,) = f.kernels
    assert "float32[50, 6]" not in kernel.source
    assert "float64[50, 6]" not in kernel.source
    assert "sum_of" in kernel.source  # a loop of the last axis that vectorizes
