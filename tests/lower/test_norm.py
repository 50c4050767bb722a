"""The Euclidean norm is written with sums that vectorize: over the whole range, on all shapes."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (1000,), (70_001,)])
def test_norm_agrees_with_a_wide_sum(dtype: str, shape: tuple[int, ...]) -> None:
    x = sg.tensor("x", dtype=dtype, shape=(None,))
    f = sg.function([x], sg.linalg.norm(x))
    values = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    right = np.sqrt((values.astype(np.longdouble) ** 2).sum())
    assert abs(float(f(values)) - float(right)) <= 4 * np.finfo(dtype).eps * float(right)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_norm_neither_overflows_nor_underflows(scale: float) -> None:
    x = sg.tensor("x", dtype="float64", shape=(None,))
    f = sg.function([x], sg.linalg.norm(x))
    values = np.random.default_rng(1).standard_normal(333) * scale
    values[:3] = (1e-150, 1e-200, 5e-324)
    right = np.sqrt((values.astype(np.longdouble) ** 2).sum())
    assert float(f(values)) == pytest.approx(float(right), rel=1e-14)


def test_norm_of_nan_and_infinity() -> None:
    x = sg.tensor("x", dtype="float32", shape=(None, None))
    f = sg.function([x], sg.linalg.norm(x, axis=1))
    given = np.array([[1, np.nan], [np.inf, 2], [3e38, 3e38], [1e-45, 0]], "float32")
    found = f(given)
    assert np.isnan(found[0])
    assert np.isposinf(found[1])
    assert np.isposinf(found[2])  # 4.2e38 is beyond float32
    assert found[3] == np.float32(1e-45)


def test_long_float32_norm_is_accurate() -> None:
    x = sg.tensor("x", dtype="float32", shape=(None,))
    f = sg.function([x], sg.linalg.norm(x))
    values = np.full(3_000_000, 0.1, "float32")
    right = float(np.sqrt((values.astype("float64") ** 2).sum()))
    assert abs(float(f(values)) - right) <= 2 * np.finfo("float32").eps * right
