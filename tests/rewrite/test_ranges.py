"""Products whose intermediates leave the range: found, repaired, and left alone if safe."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.ops.evaluate import evaluate
from symgraph.rewrite.pipeline import finish, optimize
from symgraph.rewrite.ranges import escapes, spread
from symgraph_tools.rules.truth import bits, exact

BIG, TINY = 1e300, 1e-300
FORMULAS = {
    "quotient": lambda x, y, z: x * y / z,
    "below": lambda x, y, z: x / (y * z),
    "powers": lambda x, y, z: x * x * y * (z * z),
    "number": lambda x, y, z: x / (y * z) * 0.1,
    "root": lambda x, y, z: sg.sqrt(abs(x) * abs(y)),
    "logarithm": lambda x, y, z: sg.log(abs(x) * abs(y) * abs(z)),
    "logarithm of one more": lambda x, y, z: sg.log1p(abs(x) * abs(y) * abs(z)),
    "exponential": lambda x, y, z: sg.exp(1000 - abs(z)) * x * y,
    "inverse": lambda x, y, z: 1 / (x * y * z),
}
POINTS = [(BIG, BIG, BIG), (TINY, TINY, -1e-299), (BIG, -TINY, 3e-200), (3.0, 5.0, 7.0),
          (5e-324, 1e200, 1e-100), (-1e-310, 1e-5, 1e-310), (1e160, 1e160, 1e19),
          (1e-200, 1e250, 1e-20), (TINY, 3.0, 7.0),
          (-1e-250, 1e-100, 0.5), (1e-150, 2.0, 300.0)]  # fmt: skip


def _inputs():
    return [sg.tensor(n, shape=(), dtype="float64") for n in "xyz"]


@pytest.mark.parametrize("name", FORMULAS)
def test_chain_is_right_wherever_its_result_is_in_range(name):
    xs = _inputs()
    formula = FORMULAS[name](*xs).node
    (made,) = finish(optimize([formula]))
    compared = 0
    for point in POINTS:
        values = {x.node: v for x, v in zip(xs, point, strict=True)}
        truth = exact(formula, values)
        with np.errstate(all="ignore"):
            found = float(evaluate([made], {k: np.float64(v) for k, v in values.items()})[0])
        if 1e-300 < abs(truth) < 1e300:
            compared += 1
            assert bits(found, truth) <= 3, (point, found, truth)
    assert compared >= 3


@pytest.mark.parametrize("name", FORMULAS)
def test_nan_infinity_and_zero_pass_through(name, rng):
    xs = _inputs()
    formula = FORMULAS[name](*xs).node
    (made,) = finish(optimize([formula]))
    for point in [(np.nan, 1, 2), (np.inf, 2, 3), (0, 2, 3), (-0.0, 2, 3), (1, 2, -np.inf)]:
        values = {x.node: np.float64(v) for x, v in zip(xs, point, strict=True)}
        with np.errstate(all="ignore"):
            wanted, found = (float(evaluate([n], values)[0]) for n in (formula, made))
        if name == "exponential" and point[0] == 0:
            wanted = float(point[0])  # exp(997) overflows; the product is 0
        assert (np.isnan(found) and np.isnan(wanted)) or np.isclose(found, wanted, rtol=1e-14)
        assert np.signbit(found) == np.signbit(wanted) or np.isnan(found)


def test_safe_chains_stay():
    x, y, z = _inputs()
    tame = sg.tensor("p", shape=(), dtype="float64")
    sg.assume((tame >= 0.5) & (tame <= 2.0))
    for safe in (x * y, x / y, x * x * x, 2 * x / 3, (x / y) * (x / y), sg.cos(x) * y * tame,
                 sg.sqrt(x) * sg.sqrt(y), x * sg.log(y) * sg.cos(z)):  # fmt: skip
        assert not escapes(safe.node)
    for wild in (x * y / z, x * y * z, x * x / y, sg.exp(x) * y):
        assert escapes(wild.node)


WEIGHTED = {
    "product": lambda x, y: sg.exp(x) * y,
    "quotient": lambda x, y: y / sg.exp(x),
    "by numbers": lambda x, y: sg.exp(x) * y / np.array([3, 5, 7, 10, 3, 5, 7, 10]),
}
FAR = {
    "float64": [(800, 1e-200), (-800, 1e200), (-740, 1e300), (1, 2)],
    "float32": [(100, 1e-20), (-100, 1e20), (-95, 1e30), (1, 2)],
}


@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("name", WEIGHTED)
def test_guards_watch_exponentials_that_weigh_few_elements(name, dtype):
    """A compare and a branch, where factors with exponents of their own take forty operations."""
    x, y = (sg.tensor(n, shape=(8,), dtype=dtype) for n in "xy")
    formula = WEIGHTED[name]
    f = sg.function([x, y], formula(x, y))
    ops = [n.op.name for n in toposort(f.stage("guarded"))]
    assert "scaled_product" not in ops
    assert "guarded" in ops
    sign = -1 if name == "quotient" else 1
    a, b = (np.array([p[k] for p in FAR[dtype]] * 2, dtype) for k in (0, 1))
    a *= sign
    with mp.workdps(40):
        weights = [
            mp.exp(sign * mp.mpf(float(v))) * mp.mpf(float(w)) for v, w in zip(a, b, strict=True)
        ]
        scale = [3, 5, 7, 10] * 2 if name == "by numbers" else [1] * 8
        truth = [w / s for w, s in zip(weights, scale, strict=True)]
    wanted = np.array([float(t) for t in truth])
    np.testing.assert_allclose(f(a, b), wanted, rtol=2 * np.finfo(dtype).eps)


def test_exponentials_in_loops_have_exponents_of_their_own():
    c, y = (sg.tensor(n, shape=(8,), dtype="float64") for n in "cy")
    last, _ = sg.scan(lambda c, _: (sg.exp(c) * y + 100, None), c, length=2)
    f = sg.function([c, y], last)
    with mp.workdps(40):
        tiny, at = mp.mpf(2e-310), mp.mpf(720)
        truth = float(mp.exp(mp.exp(at) * tiny + 100) * tiny + 100)
    found = f(np.full(8, 720.0), np.full(8, 2e-310))
    np.testing.assert_allclose(found, np.full(8, truth), rtol=1e-10)


def test_spread_is_what_part_of_the_exponents_a_value_may_take():
    x, _, _ = _inputs()
    assert spread(x.node) == 1
    assert spread(sg.sqrt(x).node) == 0.5
    assert spread(sg.cos(x).node) == 0
    assert spread(sg.hypot(x, 1.0).node) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_chain_equals_the_plain_one_in_ordinary_ranges(dtype, rng):
    """To the bit: scaling by powers of 2 is exact, float32 is rounded once from float64."""
    xs = [sg.vector(n, dtype=dtype) for n in "xyz"]
    formula = xs[0] * xs[1] / xs[2]
    plain = sg.function(xs, formula, mode=sg.Mode(accuracy="as-written"))
    ranged = sg.function(xs, formula, mode=sg.Mode(accuracy="rules"))
    values = [rng.uniform(-9, 9, 1000).astype(dtype) for _ in xs]
    wide = [v.astype("float64") for v in values]
    wanted = plain(*values) if dtype == "float64" else wide[0] * wide[1] / wide[2]
    np.testing.assert_array_equal(wanted.astype(dtype), ranged(*values))
    big = np.finfo(dtype).max / 4
    scaled = [values[0] * 0 + big, values[1] * 0 + 8, values[2] * 0 + 16]
    found = ranged(*[s.astype(dtype) for s in scaled])
    np.testing.assert_array_equal(found, np.full(1000, big / 2, dtype))


def test_gradient_of_the_op_is_that_of_the_product(rng):
    from symgraph.ops.convert import make

    xs = _inputs()
    for then, outer in (("", lambda v: v), ("sqrt", sg.sqrt), ("log", sg.log), ("log1p", sg.log1p)):
        attrs = {"exponents": (1, 2, -1), "exponentials": (False, False, True), "then": then}
        own = make("scaled_product", xs, **attrs)
        plain = outer(xs[0] * xs[1] * xs[1] / sg.exp(xs[2]))
        values = {x.node: np.float64(v) for x, v in zip(xs, (2.0, 3.0, 0.5), strict=True)}
        for a, b in zip(sg.grad(own, xs), sg.grad(plain, xs), strict=True):
            found, wanted = (float(evaluate([v.node], values)[0]) for v in (a, b))
            assert np.isclose(found, wanted, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_exponential_out_of_range_meets_zero_and_what_brings_it_back(dtype):
    xs = [sg.vector(n, dtype=dtype) for n in "xy"]
    f = sg.function(xs, sg.exp(xs[0]) * xs[1] * xs[1], mode=sg.Mode(accuracy="rules"))
    far = 130.0 if dtype == "float32" else 1000.0
    x = np.array([far, far, -far, 5000.0, np.inf, 0.0], dtype)
    y = np.array([0.0, np.exp(-far / 3), np.exp(far / 3), 0.0, 1.0, np.inf], dtype)
    wanted = np.exp(x.astype("longdouble")) * y.astype("longdouble") ** 2
    wanted[[0, 3]] = 0  # of the limit: the exponential is finite
    np.testing.assert_allclose(f(x, y), wanted.astype(dtype), rtol=4 * np.finfo(dtype).eps)
