"""polygamma against mpmath, and the gradients of gamma functions up to any order."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg

CHOSEN = [1e-9, 0.003, 0.2, 0.5, 0.99, 1.0, 1.7, 2.5, 4.2, 7.9, 11.1, 23.6, 88.8, 1e5, 1e10]
PLACES = np.array([*CHOSEN, *np.geomspace(1e-5, 1e4, 101), *np.linspace(0.1, 30, 77)])


@pytest.mark.parametrize("order", [2, 3, 5, 8, 12])
def test_polygamma_to_two_ulp(order):
    x = sg.vector("x")
    found = sg.function([x], sg.special.polygamma(order, x))(PLACES)
    with mp.workdps(50):
        truth = np.array([float(mp.psi(order, mp.mpf(float(v)))) for v in PLACES])
    assert (np.abs(found - truth) / np.spacing(np.abs(truth))).max() <= 2


def test_polygamma_in_float32_is_rounded_once():
    x = sg.vector("x", dtype="float32")
    places = PLACES[1:].astype(np.float32)
    found = sg.function([x], sg.special.polygamma(2, x))(places)
    with mp.workdps(50):
        truth = np.array([float(mp.psi(2, mp.mpf(float(v)))) for v in places])
    assert (np.abs(found - truth) <= 0.51 * np.spacing(np.abs(truth).astype(np.float32))).all()


def test_edges_of_polygamma():
    x = sg.vector("x")
    f = sg.function([x], [sg.special.polygamma(2, x), sg.special.polygamma(3, x)])
    second, third = f(np.array([0.0, np.inf, np.nan, -1.5]))
    assert second[0] == -np.inf
    assert third[0] == np.inf
    assert second[1] == third[1] == 0
    assert np.isnan(second[2:]).all()
    assert np.isnan(third[2:]).all()


def test_the_logarithm_of_gamma_has_derivatives_of_any_order():
    x = sg.vector("x")
    value = sg.special.gammaln(x)
    places = np.array([0.3, 1.0, 2.5, 40.0])
    for order in range(5):
        value = sg.grad(sg.sum(value), x)
        found = sg.function([x], value)(places)
        with mp.workdps(50):
            truth = [float(mp.psi(order, mp.mpf(float(v)))) for v in places]
        np.testing.assert_allclose(found, truth, rtol=2e-15, atol=1e-15)
