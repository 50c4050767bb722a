"""Naive formulas stay repaired inside larger graphs: reshaped, indexed, batched, in loops, in nets.

Every formula goes through every surrounding, with its gradient; truth is mpmath's at 60 digits.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph_tools.rules.truth import bits

FEW = 4.5  # bits of error of values and gradients
FORMULAS = {
    "log(1 - sigmoid)": (
        lambda x: sg.log(1 - 1 / (1 + sg.exp(-x))), lambda x: -mp.log(1 + mp.exp(x)),
        [50.0, 800.0, -3.0, 1e-9],
    ),
    "sqrt(x + 1) - sqrt(x)": (
        lambda x: sg.sqrt(x + 1) - sg.sqrt(x), lambda x: 1 / (mp.sqrt(x + 1) + mp.sqrt(x)),
        [1e12, 3.0, 1e15, 0.25],
    ),
    "(1 - cos(x)) / x**2": (
        lambda x: (1 - sg.cos(x)) / x**2, lambda x: (1 - mp.cos(x)) / x**2,
        [1e-8, 1e-3, 0.5, 2.0],
    ),
    "(exp(x) - 1) / x": (
        lambda x: (sg.exp(x) - 1) / x, lambda x: mp.expm1(x) / x, [1e-12, -1e-5, 0.3, 20.0],
    ),
    "log(x + sqrt(x*x + 1))": (
        lambda x: sg.log(x + sg.sqrt(x * x + 1)), mp.asinh, [-1e8, 1e-10, 3.0, 1e200],
    ),
    "1 - tanh(x)**2": (
        lambda x: 1 - sg.tanh(x) ** 2, lambda x: mp.sech(x) ** 2, [25.0, -30.0, 0.5, 1e-3],
    ),
    "log(erfc(x)) by hand": (
        lambda x: sg.log(1 - sg.special.erf(x)), lambda x: mp.log(mp.erfc(x)),
        [7.0, 30.0, 0.5, 1.5],
    ),
}  # fmt: skip


def _scan(f, x):
    return sg.scan(lambda state, item: (state, f(item)), sg.constant(0.0), x)[1]


def _mapped(f, x):
    return sg.map(f, x)


def _in_branch(f, x):
    return sg.cond(x[0] < sg.constant(np.inf), lambda v: f(v), lambda v: v, x)


SURROUNDINGS = {
    "plain": lambda f, x: f(x),
    "reshaped": lambda f, x: f(x.reshape((2, 2))).reshape((4,)),
    "transposed": lambda f, x: f(x.reshape((2, 2)).T).T.reshape((4,)),
    "indexed": lambda f, x: f(sg.stack([x, x]))[1],
    "gathered": lambda f, x: f(x[sg.constant(np.array([3, 2, 1, 0]))])[::-1],
    "broadcast": lambda f, x: f(x[:, None] + sg.zeros((1, 3)))[:, 2],
    "scan": _scan,
    "map": _mapped,
    "cond": _in_branch,
}


def _compiled(formula, surrounding):
    x = sg.tensor("x", shape=(4,))
    y = SURROUNDINGS[surrounding](FORMULAS[formula][0], x)
    return sg.function([x], [y, sg.grad(y.sum(), x)], mode=sg.Mode(accuracy="rules"))


# every formula and every surrounding thrice; all pairs in the slow lane
PAIRS = [
    pytest.param(f, s, marks=() if (i + j) % 3 == 0 else pytest.mark.slow)
    for i, f in enumerate(FORMULAS)
    for j, s in enumerate(SURROUNDINGS)
]


@pytest.mark.parametrize(("formula", "surrounding"), PAIRS)
def test_formula_is_repaired(formula, surrounding):
    _, truth, points = FORMULAS[formula]
    values, slopes = _compiled(formula, surrounding)(np.array(points))
    for point, value, slope in zip(points, values, slopes, strict=True):
        with mp.workdps(400 if abs(point) < 1e150 else 700):
            exact = truth(mp.mpf(point))
            step = mp.mpf(10) ** -120 * abs(mp.mpf(point))
            derivative = mp.diff(truth, mp.mpf(point), h=step)
        assert bits(float(value), exact) <= FEW, (point, value, exact)
        assert bits(float(slope), derivative) <= FEW, (point, slope, derivative)


def test_formulas_in_a_network_train_on_huge_logits(rng):
    """Dense layers, naive softmax, naive cross-entropy, an L2 norm by hand: finite and right."""
    w, x, t = sg.matrices("w", "x", "t")
    logits = sg.tanh(x @ w) * 1000
    e = sg.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    penalty = sg.sqrt((w * w).sum())
    loss = -(t * sg.log(p)).sum(axis=1).mean() + penalty
    f = sg.function([w, x, t], [loss, sg.grad(loss, w)])
    values = rng.normal(size=(5, 3)), rng.normal(size=(7, 5)), np.eye(3)[rng.integers(0, 3, 7)]
    value, slope = f(*values)
    z = np.tanh(values[1] @ values[0]) * 1000
    z = z - z.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    wanted = -(values[2] * logp).sum(axis=1).mean() + np.sqrt((values[0] ** 2).sum())
    assert np.isclose(value, wanted, rtol=1e-13)
    assert np.isfinite(slope).all()
    h = 1e-6
    bumped = values[0].copy()
    bumped[1, 2] += h
    lowered = values[0].copy()
    lowered[1, 2] -= h
    numeric = (f(bumped, *values[1:])[0] - f(lowered, *values[1:])[0]) / (2 * h)
    assert np.isclose(slope[1, 2], numeric, rtol=1e-4)
