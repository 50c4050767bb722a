"""Naive softmax cross-entropy at huge logits, and a chain of thousands of ops."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

ROWS, CLASSES = 5, 4


def _plain(p, t):
    return -(t * sg.log(p)).sum(axis=1).mean()


def _indexed(p, t):
    rows = sg.arange(p.shape[0])
    return -sg.log(p[rows, sg.argmax(t, axis=1)]).mean()


def _reshaped(p, t):
    return -(t.reshape((-1,)) * sg.log(p.reshape((-1,)))).sum() / p.shape[0]


def _taken(p, t):
    picked = sg.take_along_axis(p, sg.argmax(t, axis=1)[:, None], axis=1)
    return -sg.log(picked).mean()


def _log_then_indexed(p, t):
    return -sg.log(p)[sg.arange(p.shape[0]), sg.argmax(t, axis=1)].mean()


def _expert(x, t):
    """By exact shifts: the largest logit of a row is taken off before any exponential."""
    z = (x - x.max(axis=1, keepdims=True)).astype("longdouble")
    total = np.exp(z).sum(axis=1, keepdims=True)
    logp = z - np.log(total)
    picked = logp[np.arange(len(x)), t.argmax(axis=1)]
    return -picked.mean(), (np.exp(logp) - t) / len(x)


def _ulps(got, wanted):
    got, wanted = np.asarray(got, "float64"), np.asarray(wanted)
    step = np.spacing(np.maximum(np.abs(wanted.astype("float64")), np.finfo("float64").tiny))
    return float(np.max(np.abs(got.astype("longdouble") - wanted) / step))


@pytest.mark.parametrize("loss", [_plain, _indexed, _reshaped, _taken, _log_then_indexed])
@pytest.mark.parametrize("scale", [1000.0, 1.0])
def test_naive_softmax_cross_entropy(loss, scale, rng):
    x, t = sg.matrices("x", "t")
    e = sg.exp(x)
    cost = loss(e / e.sum(axis=1, keepdims=True), t)
    f = sg.function([x, t], [cost, sg.grad(cost, x)])
    logits = np.round(rng.uniform(-scale, scale, size=(ROWS, CLASSES)), 3)
    logits[0], logits[1] = [scale, -scale, 0, 1], [-scale] * CLASSES
    target = np.eye(CLASSES)[rng.integers(0, CLASSES, ROWS)]
    target[0] = [0, 1, 0, 0]
    value, slope = f(logits, target)
    wanted, wanted_slope = _expert(logits, target)
    assert _ulps(value, wanted) <= 4
    assert np.all(np.isfinite(slope))
    small = np.abs(wanted_slope) < 1e-300
    np.testing.assert_allclose(slope[small], 0, atol=1e-300)
    assert _ulps(slope[~small], wanted_slope[~small]) <= 4


def _chain(length):
    x = sg.vector("x")
    y = x
    for k in range(length // 3):
        y = sg.tanh(y * (1.0 + 1e-4 * k) + 0.1)
    return x, y


def _chain_in_numpy(a, length):
    y, slope = a, np.ones_like(a)
    for k in range(length // 3):
        factor = 1.0 + 1e-4 * k
        y = np.tanh(y * factor + 0.1)
        slope = slope * (1 - y**2) * factor
    return y, slope


@pytest.mark.parametrize("length", [300, pytest.param(3_000, marks=pytest.mark.slow)])
def test_a_long_chain_with_its_gradient(length):
    x, y = _chain(length)
    a = np.linspace(0.1, 1.0, 7)
    f = sg.function([x], [y, sg.grad(y.sum(), x)])
    value, slope = f(a)
    wanted, wanted_slope = _chain_in_numpy(a, length)
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    np.testing.assert_allclose(slope, wanted_slope, rtol=1e-8, atol=1e-300)
