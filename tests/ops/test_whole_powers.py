"""Powers by known whole numbers are multiplications, rounded once."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symgraph as sg

POWERS = (0.5, 2.0, 3.0, 4.0, 5.0, 7.0, 12.0, 13.0, 64.0, -2.0, -3.0, -4.0, -7.0, -13.0)
EXTREMES = (0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1e30, -1e30, 1e-30, 1e160, -1e160)


def powered(n: float, dtype: str) -> sg.Function:
    x = sg.tensor("x", shape=(None,), dtype=dtype)
    return sg.function([x], x**n, mode=sg.Mode(accuracy="as-written"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", POWERS)
def test_whole_powers_are_rounded_once(n: float, dtype: str) -> None:
    given = np.random.default_rng(0).uniform(0.5, 2, 200).astype(dtype)
    given[::2] *= 1 if n == 0.5 else -1
    found = powered(n, dtype)(given)
    with mpmath.workprec(300):
        for x, y in zip(given, found, strict=True):
            error = abs(mpmath.mpf(float(y)) - mpmath.mpf(float(x)) ** mpmath.mpf(n))
            assert error <= 0.501 * float(np.spacing(abs(y)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", POWERS)
def test_extremes_are_those_of_the_function(n: float, dtype: str) -> None:
    with np.errstate(all="ignore"):
        given = np.asarray(EXTREMES).astype(dtype)
        expected = np.power(given.astype("longdouble"), np.longdouble(n)).astype(dtype)
    found = powered(n, dtype)(given)
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == "float32" else 1e-15)
    known = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found)[known], np.signbit(expected)[known])


def test_only_other_exponents_take_the_function() -> None:
    x = sg.tensor("x", shape=(8,))
    for n, has in ((3.0, False), (-6.0, False), (65.0, True), (2.5, True)):
        f = sg.function([x], x**n)
        f(np.ones(8))
        assert ("power(" in f.kernels[0].source) == has


def test_gradients_of_products_of_powers_call_no_power() -> None:
    x = sg.tensor("x", shape=(8,))
    f = sg.function([x], sg.grad(sg.sum(1 / (x * x * x) ** 2 - 1 / (x * x * x)), x))
    f(np.ones(8))
    assert "power(" not in f.kernels[0].source
