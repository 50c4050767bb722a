"""Gradients of elementwise rows: against differences, at kinks, at stress points."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from symgraph.autodiff.vjp import gradient
from symgraph.ir.op import find_op
from symgraph.ops.convert import asarray
from symgraph.ops.leaves import tensor
from tests.tables.elementwise import ROWS, apply, arity, draw, inputs, ulps, value

FLOAT32, FLOAT64, COMPLEX128 = map(np.dtype, ("float32", "float64", "complex128"))
STEP = 1e-4
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))  # error STEP**4 f'''''(x) / 30
NO_SECOND = {
    "digamma",
    "gamma",
    "gammaln",
    "lbeta",
    "digamma_difference",
}  # trigamma has no gradient


def differentiable():
    """Rows of floating results with a gradient."""
    found = []
    for name, op in ROWS.items():
        if name == "where" or (op.vjp is None and op.expand is None):
            continue
        y = apply(op, [tensor("x", shape=(), dtype="float64") for _ in op.samples])
        if y.dtype.kind in "fc":
            found.append(name)
    return found


def cotangents(y, xs, seed=None):
    """Gradients of sum(seed * y) by every input."""
    seed = asarray(np.ones((), y.dtype)) if seed is None else seed
    g = find_op("broadcast_to")(seed, y.shape)
    return gradient([y.node], [g], [x.node for x in xs])


def slope(function, arrays, k):
    """The derivative of an elementwise function by its input k, by five-point stencils.

    NaN where steps of several sizes disagree: a kink, a jump or a pole is near.
    """
    found = [stencil(function, arrays, k, step) for step in (STEP, 0.7 * STEP, 0.4 * STEP)]
    with np.errstate(all="ignore"):
        agree = np.ptp(found, axis=0) <= 1e-9 + 1e-7 * np.abs(found[0])
    return np.where(agree, found[0], np.nan)


def stencil(function, arrays, k, step):
    """The derivative with one step."""
    total = 0.0
    for place, weight in STENCIL:
        moved = [a + place * step if j == k else a for j, a in enumerate(arrays)]
        total = total + weight * function(moved)
    return total / step


@pytest.mark.parametrize("name", differentiable())
def test_gradient_is_the_slope(name, rng):
    op = ROWS[name]
    arrays = draw(op, rng, 40, FLOAT64, specials=False)
    xs = inputs(arrays)
    y = apply(op, xs)
    weights = rng.normal(size=40)
    seed = find_op("complex")(weights, 0.0) if y.dtype.kind == "c" else asarray(weights)
    for k, found in enumerate(cotangents(y, xs, seed)):
        expected = slope(lambda moved: value(y, xs, moved).real, arrays, k) * weights
        tame = np.isfinite(expected)
        assert tame.sum() >= 20
        got = value(found, xs, arrays)
        np.testing.assert_allclose(got[tame], expected[tame], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [n for n in differentiable() if n not in NO_SECOND | {"trigamma"}])
def test_gradient_of_gradient_is_its_slope(name, rng):
    op = ROWS[name]
    arrays = draw(op, rng, 30, FLOAT64, specials=False)
    xs = inputs(arrays)
    y = apply(op, xs)
    if y.dtype.kind == "c":
        y = y.real
    for first in cotangents(y, xs):
        for k, second in enumerate(cotangents(first, xs)):
            expected = slope(lambda moved, f=first: value(f, xs, moved), arrays, k)
            got = np.zeros(30) if second is None else value(second, xs, arrays)
            tame = np.isfinite(expected)
            assert tame.sum() >= 10
            np.testing.assert_allclose(got[tame], expected[tame], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", differentiable())
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
def test_gradient_has_the_type_of_its_input(name, dtype, rng):
    """Also where inputs were broadcast: (3, 1), (4,) and ()."""
    op = ROWS[name]
    shapes = [(3, 1), (4,), ()][: arity(op)]
    arrays = [
        draw(op, rng, int(np.prod(s)), dtype, specials=False)[k].reshape(s)
        for k, s in enumerate(shapes)
    ]
    xs = inputs(arrays)
    for x, found in zip(xs, cotangents(apply(op, xs), xs), strict=True):
        assert found.type == x.type
        assert value(found, xs, arrays).shape == x.shape


COMPLEX_ROWS = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "square",
    "negative",
    "positive",
    "exp",
    "reciprocal",
    "pow",
]
COMPLEX_ROWS += ["conj", "real", "imag", "abs", "angle", "sign"]


@pytest.mark.parametrize("name", COMPLEX_ROWS)
def test_complex_gradient_is_df_dx_minus_i_df_dy(name, rng):
    """For f = the real part of sum(w * op(z)), w complex."""
    op = ROWS[name]
    arrays = draw(op, rng, 20, COMPLEX128, specials=False)
    xs = inputs(arrays)
    y = apply(op, xs)
    weights = rng.normal(size=20) + (1j * rng.normal(size=20) if y.dtype.kind == "c" else 0)
    weights = weights.astype(y.dtype)
    for k, found in enumerate(cotangents(y, xs, asarray(weights))):
        total = real_part(y, xs, weights)
        along = slope(total, arrays, k)
        across = slope(lambda moved, k=k, f=total: f(turned(arrays, moved, k)), arrays, k)
        tame = np.isfinite(along) & np.isfinite(across)
        assert tame.sum() >= 10
        expected = (along - 1j * across)[tame]
        np.testing.assert_allclose(value(found, xs, arrays)[tame], expected, rtol=1e-6, atol=1e-6)


def real_part(y, xs, weights):
    """The real part of weights * y as a function of arrays."""
    return lambda moved: (weights * value(y, xs, moved)).real


def turned(arrays, moved, k):
    """The step of input k along the imaginary axis instead of the real one."""
    return [*arrays[:k], arrays[k] + 1j * (moved[k] - arrays[k]).real, *arrays[k + 1 :]]


INF, NAN = float("inf"), float("nan")
# row, inputs, gradients (of ones): what a naive rule gets wrong
AT_KINKS = [
    ("sqrt", (0.0,), (INF,)),
    ("cbrt", (0.0,), (INF,)),
    ("abs", (0.0,), (0.0,)),
    ("sign", (2.0,), (0.0,)),
    ("floor", (1.5,), (0.0,)),
    ("relu", (0.0,), (0.0,)),
    ("relu", (-INF,), (0.0,)),
    ("maximum", (2.0, 2.0), (0.5, 0.5)),
    ("minimum", (2.0, 2.0), (0.5, 0.5)),
    ("maximum", (1.0, 2.0), (0.0, 1.0)),
    ("fmax", (NAN, 2.0), (0.0, 1.0)),
    ("fmin", (1.0, NAN), (1.0, 0.0)),
    ("fmin", (1.0, 1.0), (0.5, 0.5)),
    ("clip", (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
    ("clip", (-1.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    ("clip", (3.0, 0.0, 1.0), (0.0, 0.0, 1.0)),
    ("clip", (3.0, 2.0, 1.0), (0.0, 0.0, 1.0)),
    ("pow", (0.0, 2.0), (0.0, 0.0)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (0.0, 1.0), (1.0, 0.0)),
    ("pow", (0.0, 0.5), (INF, 0.0)),
    ("pow", (3.0, 0.0), (0.0, np.log(3.0))),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),
    ("atan2", (0.0, 0.0), (0.0, 0.0)),
    ("xlogy", (0.0, 0.0), (0.0, 0.0)),
    ("xlogy", (0.0, 2.0), (np.log(2.0), 0.0)),
    ("xlog1py", (0.0, -1.0), (0.0, 0.0)),
    ("logaddexp", (-INF, -INF), (0.5, 0.5)),
    ("logaddexp", (-INF, 0.0), (0.0, 1.0)),
    ("logaddexp", (1e4, 1e4), (0.5, 0.5)),
    ("sinc", (0.0,), (0.0,)),
    ("softplus", (-INF,), (0.0,)),
    ("sigmoid", (INF,), (0.0,)),
    ("tanh", (-INF,), (0.0,)),
    ("tanh", (800.0,), (0.0,)),
    ("erfinv", (1.0,), (INF,)),
    ("copysign", (2.0, -1.0), (-1.0, 0.0)),
    ("nan_to_num", (NAN,), (0.0,)),
    ("nan_to_num", (INF,), (0.0,)),
    ("nan_to_num", (2.0,), (1.0,)),
    ("hard_sigmoid", (3.0,), (0.0,)),
    ("heaviside", (0.0, 0.5), (0.0, 1.0)),
    ("remainder", (7.0, 3.0), (1.0, -2.0)),
]


@pytest.mark.parametrize(("name", "at", "expected"), AT_KINKS, ids=str)
def test_gradient_at_a_kink(name, at, expected):
    arrays = [np.array(v) for v in at]
    xs = inputs(arrays)
    found = [value(g, xs, arrays) for g in cotangents(apply(ROWS[name], xs), xs)]
    np.testing.assert_array_equal(found, expected)


# Shorthands of the exact derivatives below.
m = mpmath


def normal_ratio(x):
    """The normal density over its distribution function."""
    return m.npdf(x) / m.ncdf(x)


def sinc_slope(x):
    """The derivative of sin(pi x) / (pi x)."""
    return (m.cos(m.pi * x) - m.sinc(m.pi * x)) / x


def erfcx_slope(x):
    """The derivative of exp(x**2) erfc(x)."""
    return 2 * x * m.exp(x * x) * m.erfc(x) - 2 / m.sqrt(m.pi)


def logistic(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + m.exp(-x))


def square(x, y):
    """x**2 + y**2."""
    return x * x + y * y


def share(gap):
    """-1 / (exp(gap) - 1)."""
    return -1 / m.expm1(gap)


# row, inputs, the exact partial derivatives by mpmath, tolerance in ulp
STRESS = [
    ("tanh", (20.0,), [lambda x: 1 / m.cosh(x) ** 2], 8),
    ("tanh", (1e-8,), [lambda x: 1 / m.cosh(x) ** 2], 4),
    ("sigmoid", (40.0,), [lambda x: logistic(x) * logistic(-x)], 8),
    ("sigmoid", (-700.0,), [lambda x: logistic(x) * logistic(-x)], 8),
    ("softplus", (-50.0,), [logistic], 4),
    ("log1mexp", (-1e-10,), [lambda x: -1 / m.expm1(-x)], 4),
    ("log1mexp", (-300.0,), [lambda x: -1 / m.expm1(-x)], 4),
    ("expm1", (-50.0,), [m.exp], 4),
    ("log1p", (1e-18,), [lambda x: 1 / (1 + x)], 2),
    ("logit", (1e-300,), [lambda x: 1 / (x * (1 - x))], 4),
    ("logit", (0.9999999999,), [lambda x: 1 / (x * (1 - x))], 4),
    ("asin", (0.9999999999,), [lambda x: 1 / m.sqrt(1 - x * x)], 4),
    ("acos", (-0.9999999999,), [lambda x: -1 / m.sqrt(1 - x * x)], 4),
    ("atanh", (0.9999999999,), [lambda x: 1 / (1 - x * x)], 4),
    ("acosh", (1.0000000001,), [lambda x: 1 / m.sqrt(x * x - 1)], 4),
    ("acosh", (1e200,), [lambda x: 1 / m.sqrt(x * x - 1)], 4),
    ("asinh", (1e200,), [lambda x: 1 / m.sqrt(x * x + 1)], 4),
    ("hypot", (3e200, 4e200), [lambda x, y: m.mpf(3) / 5, lambda x, y: m.mpf(4) / 5], 4),
    ("atan2", (3e-200, 4e-200), [lambda y, x: x / square(x, y), lambda y, x: -y / square(x, y)], 6),
    ("logaddexp", (1000.0, 990.0), [lambda x, y: logistic(x - y), lambda x, y: logistic(y - x)], 6),
    ("logsubexp", (1e-10, 0.0), [lambda x, y: share(y - x), lambda x, y: share(x - y)], 6),
    ("sinc", (1e-3,), [sinc_slope], 8),
    ("sinc", (0.31,), [sinc_slope], 8),
    ("log_ndtr", (-30.0,), [normal_ratio], 8),
    ("log_ndtr", (5.0,), [normal_ratio], 64),
    ("erfcx", (25.0,), [erfcx_slope], 8),
    ("erfcx", (13.0,), [erfcx_slope], 8),
    ("erf", (1e-5,), [lambda x: 2 / m.sqrt(m.pi) * m.exp(-x * x)], 4),
    ("xlogy", (1e-300, 1e-300), [lambda x, y: m.log(y), lambda x, y: x / y], 4),
    ("gammaln", (1e-10,), [m.digamma], 16),
    ("silu", (-40.0,), [lambda x: logistic(x) * (1 + x * logistic(-x))], 64),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "exact", "most"), STRESS, ids=lambda v: str(v)[:24])
def test_gradient_keeps_its_digits(name, at, exact, most):
    arrays = [np.array(v) for v in at]
    xs = inputs(arrays)
    with mpmath.workdps(600):
        expected = [float(f(*map(mpmath.mpf, at))) for f in exact]
    for g, true in zip(cotangents(apply(ROWS[name], xs), xs), expected, strict=True):
        found = value(g, xs, arrays)
        assert ulps(found, np.array(true)) <= most, (found, true)


def test_where_leaks_no_nan_from_the_branch_not_taken():
    x = tensor("x", shape=(3,), dtype="float64")
    safe = find_op("where")(x > 0, find_op("log")(x) * find_op("sqrt")(x), 0.0)
    (found,) = cotangents(safe, [x])
    got = value(found, [x], [np.array([-1.0, 0.0, 1.0])])
    np.testing.assert_array_equal(got, [0.0, 0.0, 1.0])


def test_gradient_of_pow_by_a_constant_exponent_makes_no_logarithm():
    from symgraph.ir.graph import toposort

    x = tensor("x", shape=(3,), dtype="float64")
    for exponent in (2, 3, -1.5):
        (found,) = cotangents(x**exponent, [x])
        assert "log" not in {n.op.name for n in toposort([found.node])}
