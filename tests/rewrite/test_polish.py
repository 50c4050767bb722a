"""The last pass: exact arguments, twice centred rows, shares near 1; and the ops that it makes."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.ops.convert import make
from symgraph_tools.rules.truth import bits


def _ops(f):
    return {n.op.name for n in toposort(f.stage("ranged"))}


def _exact_mean(row):
    return mp.fsum(mp.mpf(float(v)) for v in row) / len(row)


def test_exponential_of_a_product_takes_the_exact_product():
    x, y = sg.vectors("x", "y")
    f = sg.function([x, y], [sg.exp(x * y), sg.exp(-x * x / 2)])
    assert "exp_product" in _ops(f)
    a, b = np.array([26.123456789, -17.7, 3.3]), np.array([-26.1, 33.33, 0.1])
    for values, exponent in zip(f(a, b), (lambda u, v: u * v, lambda u, v: -u * u / 2),
                                strict=True):  # fmt: skip
        for u, v, got in zip(a, b, values, strict=True):
            with mp.workdps(60):
                truth = mp.exp(exponent(mp.mpf(float(u)), mp.mpf(float(v))))
            assert bits(float(got), truth) <= 1


def test_exponents_that_are_computed_or_small_stay():
    x = sg.vector("x")
    p = sg.vector("p", domain="probability")
    assert "exp_product" not in _ops(sg.function([x], sg.exp((x + 1) * x)))
    assert "exp_product" not in _ops(sg.function([p], sg.exp(p * p)))
    assert "exp_monomial" not in _ops(sg.function([x], sg.exp((x + 1) / x)))
    assert "exp_monomial" not in _ops(sg.function([x], sg.exp(x / 2)))


ARGUMENTS = {
    "exp_monomial": [
        (lambda x, y: sg.exp(x / y), lambda x, y: mp.exp(x / y)),
        (lambda x, y: sg.exp(-x / y), lambda x, y: mp.exp(-x / y)),
        (lambda x, y: sg.exp(x / 3) + 0 * y, lambda x, y: mp.exp(x / 3)),
        (lambda x, y: sg.exp(-x * x / (2 * y * y)), lambda x, y: mp.exp(-x * x / (2 * y * y))),
        (lambda x, y: sg.exp(-(x**2) * 3 / y), lambda x, y: mp.exp(-(x**2) * 3 / y)),
    ],
    "sigmoid_difference": [(lambda x, y: sg.sigmoid(x - y), lambda x, y: 1 / (1 + mp.exp(y - x)))],
    "expm1_difference": [(lambda x, y: sg.expm1(x - y), lambda x, y: mp.expm1(x - y))],
    "pow_sum": [
        (lambda x, y: x ** (y - 1), lambda x, y: x ** (y - 1)),
    ],
    "pow1p_sum": [
        (lambda x, y: sg.special.pow1p(x, y - 1), lambda x, y: (1 + x) ** (y - 1)),
    ],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "row"), [(n, r) for n, rows in ARGUMENTS.items() for r in rows])
def test_functions_take_arguments_of_inputs_exactly(name, row, dtype, rng):
    """In float32 too: to 2 ulp where the rounding of the argument alone cost up to 9 bits."""
    formula, truth = row
    x = sg.vector("x", dtype=dtype, domain="positive" if name.startswith("pow") else None)
    y = sg.vector("y", dtype=dtype)
    f = sg.function([x, y], formula(x, y), mode=sg.Mode(accuracy="rules"))
    assert name in _ops(f)
    most = 80.0 if dtype == "float32" else 690.0
    a, b = _places(name, rng, most, dtype)
    for u, v, got in zip(a, b, f(a, b), strict=True):
        with mp.workdps(60):
            wanted = truth(mp.mpf(float(u)), mp.mpf(float(v)))
        step = float(np.spacing(np.dtype(dtype).type(abs(wanted))))
        assert abs(mp.mpf(float(got)) - wanted) <= 2 * step, (u, v, got, wanted)


def _places(name, rng, most, dtype):
    """Arguments whose functions are in range, and mostly near its ends."""
    exponent = rng.uniform(-most, 0.95 * most, 60)
    if name == "exp_monomial":
        y = np.exp(rng.uniform(-1, 1, 60))
        return (np.sqrt(most) * rng.normal(size=60) / 3).astype(dtype), y.astype(dtype)
    if name.startswith("pow"):
        x = np.exp(rng.uniform(0, 3, 60))
        return x.astype(dtype), (exponent / np.log1p(x)).astype(dtype)
    y = rng.uniform(-1, 1, 60)
    return (exponent + y).astype(dtype), y.astype(dtype)


def test_where_an_argument_overflows_the_function_stays():
    x, y = sg.vectors("x", "y")
    f = sg.function([x, y], [sg.exp(-x / y), sg.expm1(x - y), sg.sigmoid(x - y), x ** (y - 1)])
    huge, tiny = 1.7e308, 5e-324
    a = np.array([huge, -huge, huge, 0.0, np.inf, np.nan, 0.0])
    b = np.array([tiny, tiny, -huge, tiny, 1.0, 1.0, 3.0])
    with np.errstate(all="ignore"):
        wanted = [np.exp(-a / b), np.expm1(a - b), 1 / (1 + np.exp(b - a)), a ** (b - 1)]
        found = f(a, b)
    for got, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12)


def test_parts_of_zeros_are_joined_in_order():
    x = sg.tensor("x", shape=(9,))
    cost = (x[6:] ** 3).sum() + 2 * x[0] * x[1] + sg.sin(x[3:5]).sum()
    f = sg.function([x], sg.grad(cost, x))
    assert "concat" in _ops(f)
    assert "update_slice" not in _ops(f)
    at = np.linspace(-1, 2, 9)
    wanted = [2 * at[1], 2 * at[0], 0, np.cos(at[3]), np.cos(at[4]), 0, *(3 * at[6:] ** 2)]
    np.testing.assert_allclose(f(at), wanted, rtol=1e-15)


def test_columns_of_zeros_are_joined_too():
    x = sg.tensor("x", shape=(3, 4))
    f = sg.function([x], sg.grad((x[:, :2] ** 2).sum() + sg.exp(x[:, 2:]).sum(), x))
    assert "concat" in _ops(f)
    assert "update_slice" not in _ops(f)
    at = np.linspace(-1, 2, 12).reshape(3, 4)
    wanted = np.concatenate([2 * at[:, :2], np.exp(at[:, 2:])], axis=1)
    np.testing.assert_allclose(f(at), wanted, rtol=1e-15)


NOT_JOINED = {
    "overlapping": lambda x: (x[:5] ** 2).sum() + (x[4:] ** 3).sum(),
    "of two axes": lambda x: (x[:2] ** 2).sum() + (x.reshape((3, 3))[:, :1] ** 3).sum(),
    "every second": lambda x: (x[::2] ** 2).sum() + (x[1::2] ** 3).sum(),
    "with another term": lambda x: (x[:5] ** 2).sum() + (x[5:] ** 2).sum() + sg.exp(x).sum(),
}


@pytest.mark.parametrize("name", NOT_JOINED)
def test_parts_that_are_not_side_by_side_are_added(name):
    x = sg.tensor("x", shape=(9,))
    slope = sg.grad(NOT_JOINED[name](x), x)
    f = sg.function([x], slope)
    assert "concat" not in _ops(f)
    at = np.linspace(-1, 2, 9)
    plain = sg.function([x], slope, mode=sg.Mode(accuracy="as-written"))
    np.testing.assert_allclose(f(at), plain(at), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_distances_from_the_mean_keep_their_digits(dtype, rng):
    x = sg.tensor("x", shape=("n", 8), dtype=dtype)
    f = sg.function([x], x - x.mean(axis=1, keepdims=True))
    values = (1000 + rng.normal(size=(5, 8)) * 1e-2).astype(dtype)
    for row, found in zip(values, f(values), strict=True):
        with mp.workdps(60):
            mean = _exact_mean(row)
            for v, got in zip(row, found, strict=True):
                truth = mp.mpf(float(v)) - mean
                assert abs(float(got) - float(truth)) <= 2 * np.spacing(abs(got))


def test_long_and_unknown_axes_are_read_once():
    for shape in (("n", "m"), ("n", 100_000)):
        x = sg.tensor("x", shape=shape)
        f = sg.function([x], x - x.mean(axis=1, keepdims=True))
        assert sum(n.op.name == "mean" for n in toposort(f.stage("ranged"))) == 1


def test_gradient_of_a_log_share_near_one(rng):
    """1 - p is what the others have, 1e-30 here."""
    x = sg.tensor("x", shape=(4,))
    e = sg.exp(x)
    f = sg.function([x], sg.grad(sg.log(e / e.sum())[1], x))
    assert "softmax_complement" in _ops(f)
    point = np.array([1.0, 70.0, -3.0, 2.5])
    with mp.workdps(80):
        powers = [mp.exp(mp.mpf(v)) for v in point]
        shares = [p / mp.fsum(powers) for p in powers]
        truth = [(k == 1) - s for k, s in enumerate(shares)]
    assert all(bits(float(g), w) <= 3 for g, w in zip(f(point), truth, strict=True))


def test_softmax_complement_and_its_gradient(rng):
    x = sg.tensor("x", shape=(3, 5))
    y = make("softmax_complement", [x], axes=(1,))
    values = rng.normal(size=(3, 5)) * 9
    found, slope = sg.function([x], [y, sg.grad((y * y).sum(), x)])(values)
    p = np.exp(values - values.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, 1 - p, rtol=1e-9, atol=1e-16)
    h = 2 * (1 - p)
    wanted = -p * (h - (h * p).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(slope, wanted, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1000.0])
def test_log_of_the_mean_of_exponentials(scale, rng):
    x = sg.tensor("x", shape=("n", 4))
    formula = sg.log(sg.mean(sg.exp(x), axis=1))
    f = sg.function([x], [formula, sg.grad(formula.sum(), x)])
    assert "logmeanexp" in {n.op.name for n in toposort(f.stage("stable"))}
    values = rng.uniform(0.5, 2, size=(6, 4)) * scale
    found, slope = f(values)
    for row, got, own in zip(values, found, slope, strict=True):
        with mp.workdps(60):
            powers = [mp.exp(mp.mpf(float(v))) for v in row]
            truth = mp.log(mp.fsum(powers) / 4)
            shares = [p / mp.fsum(powers) for p in powers]
        assert bits(float(got), truth) <= 3
        np.testing.assert_allclose(own, np.array(shares, float), rtol=1e-12)


def test_logmeanexp_of_nothing_but_minus_infinity():
    x = sg.vector("x")
    formula = sg.log(sg.mean(sg.exp(x)))
    value, slope = sg.function([x], [formula, sg.grad(formula, x)])(np.full(3, -np.inf))
    assert value == -np.inf
    np.testing.assert_array_equal(slope, np.zeros(3))


NEWTON_STEPS = {
    "hyperbolic": (
        lambda f, x, a: x - (a * f.sinh(x) - 2 * x) / (a * f.cosh(x) - 1),
        1.5,
    ),
    "circular": (lambda f, x, a: x - (a * f.sin(x)) / (a * f.cos(x) + 1), 0.5),
}


@pytest.mark.parametrize("name", NEWTON_STEPS)
def test_quotients_whose_terms_cancel_next_to_zero_are_joined(name):
    formula, least = NEWTON_STEPS[name]
    x, a = sg.vectors("x", "a")
    f = sg.function([x, a], formula(sg, x, a), mode=sg.Mode(accuracy="rules"))
    points, factors = np.array([1e-40, -3e-9, 1e-3, 0.7]), np.array([1e30, 3.0, least, 40.0])
    for at, factor, got in zip(points, factors, f(points, factors), strict=True):
        with mp.workdps(200):
            truth = formula(mp, mp.mpf(float(at)), mp.mpf(float(factor)))
        assert bits(float(got), truth) <= 3, (at, factor, got, truth)


def test_a_factor_of_a_branch_is_divided_out_inside_of_it():
    x, y = sg.vectors("x", "y")
    branch = sg.where(y > 0, x * x / y, y - x)
    f = sg.function([x, y], (1 / x) * branch, mode=sg.Mode(accuracy="rules"))
    found = f(np.array([1e-200, 3.0]), np.array([1e-150, -1.5]))
    np.testing.assert_array_equal(found, [1e-200 / 1e-150, -1.5])
