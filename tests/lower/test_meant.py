"""Floats that round a root or a logarithm are computed again from it where a value cancels."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.ir import Function
from symgraph.loop.rescue import accurate
from symgraph.lower.meant import _forms, meant
from symgraph.lower.words import SizeNames, WordBuilder

BACKENDS = ("llvm", "numba", "interp")


def value_of(number: float, dtype: str) -> float | None:
    made = meant(WordBuilder(SizeNames()), number, np.dtype(dtype))
    if made is None:
        return None
    above = WordBuilder(SizeNames())
    rest = above.sub(made, above.const(number, np.dtype(dtype)))
    return float(accurate(Function("slow", (), (), rest), ()))


@pytest.mark.parametrize("scale", [1.0, -0.5, 4.0])
def test_every_form_is_what_rounds_to_its_float(scale):
    for value, form in _forms():
        number = scale * value
        rest = value_of(number, "float64")
        assert rest is not None, value
        assert 0 < abs(rest) <= 2 * math.ulp(number), form


def test_two_thirds_is_no_logarithm():
    for number in (1.0, 0.1, 2 / 3, -3.5, math.e, 0.0, math.inf, math.nan):
        assert value_of(number, "float64") is None


def test_the_rest_of_pi():
    with mp.workprec(200):
        assert value_of(math.pi, "float64") == float(+mp.pi - mp.mpf(math.pi))
        assert value_of(np.float32(math.pi), "float32") == pytest.approx(
            float(+mp.pi - mp.mpf(float(np.float32(math.pi)))), rel=1e-12
        )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_logarithm_of_cosh_by_softplus(backend, dtype):
    x = sg.tensor("x", shape=("n",), dtype=dtype)
    formula = abs(x) + sg.log(1 + sg.exp(-2 * abs(x))) - math.log(2)
    f = sg.function([x], formula, mode=sg.Mode(backend=backend, accuracy="high"))
    given = np.array([1e-3, -3e-3, 0.01, 0.3, 5.0], dtype)
    with mp.workprec(200):
        wanted = np.array([float(mp.log(mp.cosh(mp.mpf(float(v))))) for v in given], dtype)
    np.testing.assert_array_max_ulp(f(given), wanted, maxulp=1)
