"""Mean and variance in one visit of memory: the values, and that it is done."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


def moments(dtype: str, shape: tuple[int, ...]) -> sg.Function:
    x = sg.tensor("x", dtype=dtype, shape=shape)
    mean = sg.mean(x)
    return sg.function([x], [mean, sg.mean((x - mean) * (x - mean)), sg.max(x)])


def is_late(f: sg.Function) -> bool:
    return any("center" in kernel.source for kernel in f.kernels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(300_001,), (1024, 257), (3, 100_003), (640, 5, 96)])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_mean_and_variance_agree_with_a_wide_computation(
    dtype: str, shape: tuple[int, ...], offset: float, rng: np.random.Generator
) -> None:
    f = moments(dtype, shape)
    value = (rng.normal(size=shape) + offset).astype(dtype)
    mean, variance, top = f(value)
    wide = value.astype(np.longdouble)
    eps = np.finfo(dtype).eps
    assert is_late(f)
    assert abs(float(mean - wide.mean())) <= 4 * eps * float(abs(wide).mean())
    about = ((wide - np.longdouble(mean)) ** 2).mean()
    spread = eps * (offset if dtype == "float32" else 1.0)  # x - mean is rounded in float32
    assert abs(float(variance - about)) <= 8 * max(eps, spread) * float(about)
    assert top == value.max()


def test_far_from_zero_no_digit_is_lost(rng: np.random.Generator) -> None:
    f = moments("float64", (400_000,))
    value = 1e9 + rng.normal(size=400_000)
    mean, variance, _ = f(value)
    right = float(((value.astype(np.longdouble) - mean) ** 2).mean())
    assert float(variance) == pytest.approx(right, rel=1e-13)


def test_small_arrays_stay_as_they_are() -> None:
    f = moments("float64", (1000,))
    assert not is_late(f)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_reach_both(bad: float) -> None:
    f = moments("float64", (200_000,))
    value = np.ones(200_000)
    value[77_777] = bad
    mean, variance, _ = f(value)
    assert not np.isfinite(mean)
    assert np.isnan(variance)


def test_the_same_bits_on_one_thread(rng: np.random.Generator) -> None:
    value = rng.normal(size=(1000, 513))
    f = moments("float64", value.shape)
    many = [np.asarray(v).tobytes() for v in f(value)]
    with sg.config(threads=1):
        alone = [np.asarray(v).tobytes() for v in moments("float64", value.shape)(value)]
    assert alone == many


def test_two_arrays_keep_their_own_sums(rng: np.random.Generator) -> None:
    x, y = (sg.tensor(n, dtype="float64", shape=(150_000,)) for n in "xy")
    m = sg.mean(x)
    f = sg.function([x, y], [m, sg.sum((y - m) * (y - m)), sg.sum((x - m) * (x - m))])
    a, b = rng.normal(size=150_000), rng.normal(size=150_000) + 3
    mean, of_y, of_x = f(a, b)
    assert float(of_y) == pytest.approx(float(((b - mean) ** 2).sum()), rel=1e-12)
    assert float(of_x) == pytest.approx(float(((a - mean) ** 2).sum()), rel=1e-12)


def test_what_is_shared_many_times_is_looked_at_once() -> None:
    """The bits of a random number are a few hundred words, whose text would fill any memory."""
    draws = sg.random.uniform(sg.random.key(1), (200_000,))
    mean = sg.function([], sg.mean(draws * draws))()
    assert float(mean) == pytest.approx(1 / 3, rel=1e-2)


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e7])
def test_float32_squares_in_one_visit_are_right_to_2_ulp(
    offset: float, rng: np.random.Generator
) -> None:
    """Also where the first number of each chunk is far from all others."""
    f = moments("float32", (700_001,))
    value = (rng.normal(size=700_001) + offset).astype("float32")
    value[::2048] = offset + 1e5
    wide = value.astype("float64")
    mean, variance = (float(r) for r in f(value)[:2])
    away = wide - np.float64(np.float32(mean))
    assert abs(mean - wide.mean()) <= np.spacing(np.float32(abs(wide.mean())))
    assert abs(variance - (away * away).mean()) <= 2 * np.spacing(np.float32(variance))
    assert any("above" in kernel.source for kernel in f.kernels)
