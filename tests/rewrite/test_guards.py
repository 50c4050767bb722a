"""Guards: lanes that amplify errors get accurate answers; others keep their bits; costs decide."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.compile import run_stages
from symgraph.ir.graph import toposort
from symgraph.lower.guarded import function_of
from symgraph.rewrite.error_bounds import BOUNDS
from symgraph.rewrite.facts import fact
from symgraph.rewrite.guards import guard, slow_form
from symgraph.rewrite.regions import _step, region_of, underflowed
from symgraph.trace.record import Record

SIZE = 64
BACKENDS = ("llvm", "numba", "interp")


def guards_in(outputs: tuple) -> list:
    return [n for n in toposort(outputs) if n.op.name == "guarded"]


def compiled(formula, accuracy: str, backend: str = "llvm", dtype: str = "float64"):
    """A formula of x and y as a function, and how many guards it has."""
    x, y = (sg.tensor(n, shape=(SIZE,), dtype=dtype) for n in "xy")
    mode = sg.Mode(accuracy=accuracy, backend=backend)
    f = sg.function([x, y], formula(x, y), mode=mode, on_unused_input="ignore")
    return f, len(guards_in(f.stage("guarded")))


# formula, the same in mpmath: sums that cancel, behind which each op amplifies or hides the error
AMPLIFYING = {
    "difference": (lambda x, y: x * y - y * y, lambda x, y: x * y - y * y),
    "quotient": (lambda x, y: 1 / (x * y - y * y), lambda x, y: 1 / (x * y - y * y)),
    "log": (lambda x, y: sg.log(4 + (x * y - y * y)), lambda x, y: mp.log(4 + (x * y - y * y))),
    "sine": (lambda x, y: sg.sin(x * y * 3e8), lambda x, y: mp.sin(x * y * 300000000)),
    "exponential": (lambda x, y: sg.exp(x * y * 300), lambda x, y: mp.exp(x * y * 300)),
    "polynomial": (
        lambda x, y: x * x - 2 * x * y + y * y,
        lambda x, y: (x - y) ** 2,
    ),
    "tangent": (lambda x, y: sg.tan(x * y * 1e5), lambda x, y: mp.tan(x * y * 100000)),
}


def points(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.uniform(1, 2, SIZE).astype(dtype)
    step = np.where(np.arange(SIZE) % 2, 10.0 ** rng.uniform(-7, -2, SIZE), 0.5)
    return x, (x * (1 + step)).astype(dtype)


def truth(exact, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with mp.workprec(300):
        rows = [exact(mp.mpf(float(a)), mp.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        return np.array([float(r) for r in rows]).astype(x.dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", AMPLIFYING)
def test_high_accuracy_is_within_a_few_ulp(name: str, backend: str) -> None:
    formula, exact = AMPLIFYING[name]
    f, _ = compiled(formula, "high", backend)
    x, y = points("float64")
    np.testing.assert_allclose(f(x, y), truth(exact, x, y), rtol=17 * 2.0**-53)


@pytest.mark.parametrize("backend", ["llvm", "numba"])
def test_float32_is_guarded_too(backend: str) -> None:
    formula, exact = AMPLIFYING["polynomial"]
    f, count = compiled(formula, "default", backend, "float32")
    assert count == 1
    x, y = points("float32")
    np.testing.assert_allclose(f(x, y), truth(exact, x, y), rtol=520 * 2.0**-24)


def test_lanes_that_are_sure_keep_their_bits() -> None:
    formula, _ = AMPLIFYING["polynomial"]
    plain, none = compiled(formula, "rules")
    guarded, one = compiled(formula, "default")
    assert (none, one) == (0, 1)
    x = np.linspace(1, 2, SIZE)
    y = -3 * x  # nothing cancels
    assert np.array_equal(plain(x, y), guarded(x, y))


def test_as_written_changes_no_bit() -> None:
    f, count = compiled(lambda x, y: sg.log(1 - sg.sigmoid(x)), "as-written")
    assert count == 0
    x, y = points("float64")
    x = x * 40
    assert np.isneginf(f(x, y)[x > 40]).all()


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, y: x * y,
        lambda x, y: x + y,
        lambda x, y: sg.exp(x),
        lambda x, y: sg.exp(x) + sg.exp(y),
        lambda x, y: sg.sqrt(x * x + 1),
        lambda x, y: sg.maximum(x, y) * 2,
    ],
)
def test_what_cannot_amplify_is_not_guarded(formula) -> None:
    assert compiled(formula, "default")[1] == 0


def test_large_cheap_loops_are_not_guarded_by_default() -> None:
    x, y = (sg.tensor(n, shape=(4_000_000,), dtype="float32") for n in "xy")
    f = sg.function([x, y], 2 * x + 3 * y - x * y + 1)
    assert guards_in(f.stage("guarded")) == []
    f = sg.function([x, y], 2 * x + 3 * y - x * y + 1, mode=sg.Mode(accuracy="high"))
    assert len(guards_in(f.stage("guarded"))) == 1


def test_an_overflow_on_the_way_is_repaired() -> None:
    f, _ = compiled(lambda x, y: (x - 1) / (y - x), "high")
    x, y = np.full(SIZE, -1.7e308), np.full(SIZE, 1.2e308)
    np.testing.assert_allclose(f(x, y), -1.7e8 / 2.9e8)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_give_what_the_formula_gives(value: float) -> None:
    formula, _ = AMPLIFYING["polynomial"]
    x, y = np.full(SIZE, value), np.linspace(1, 2, SIZE)
    plain, _ = compiled(formula, "rules")
    guarded, _ = compiled(formula, "high")
    assert np.array_equal(plain(x, y), guarded(x, y), equal_nan=True)


def test_guards_inside_reductions_scans_and_gradients() -> None:
    x, y = (sg.tensor(n, shape=(SIZE,)) for n in "xy")
    mode = sg.Mode(accuracy="high")
    difference = x * y - y * y
    a, b = points("float64")
    exact = truth(AMPLIFYING["difference"][1], a, b)
    total = sg.function([x, y], sg.sum(difference), mode=mode)
    np.testing.assert_allclose(total(a, b), exact.sum(), rtol=1e-14)
    state, _ = sg.scan(lambda s, k: (s * 0 + (x * y - y * y), None), x, length=2)
    np.testing.assert_allclose(sg.function([x, y], state, mode=mode)(a, b), exact, rtol=2e-15)
    slope = sg.grad(sg.sum(difference), y)
    found = sg.function([x, y], slope, mode=mode)(a, b)
    np.testing.assert_allclose(found, a - 2 * b, rtol=1e-14)


def test_empty_arrays() -> None:
    x = sg.vector("x")
    f = sg.function([x], x * x - 2 * x + 1, mode=sg.Mode(accuracy="high"))
    assert f(np.zeros(0)).shape == (0,)


def test_a_guard_says_why() -> None:
    x, y = (sg.tensor(n, shape=(SIZE,)) for n in "xy")
    record = Record()
    run_stages(((x * x - 2 * x * y + y * y).node,), sg.Mode(accuracy="high"), record)
    (found,) = [a for a in record.rewrites if a.table == "guards"]
    assert "computed again with twice the digits" in found.why
    assert found.lines[0].file == __file__


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_every_op_with_a_bound_has_a_slow_form(name: str) -> None:
    """Its element is written with words that double-double has."""
    from symgraph.ir.node import make_node
    from symgraph.ir.op import OPS

    op = OPS[name]
    attrs = {
        "polynomial": {"coefficients": (1.0, 2.0)},
        "exp_monomial": {"exponents": (2, -1), "scale": -0.5},
        "scaled_product": {"exponents": (1, -2), "exponentials": (False, True), "then": "sqrt"},
    }.get(name, {})
    arity = {"scaled_product": 2, "where": 3, "fma": 3, "exp_monomial": 3}.get(name)
    arity = arity or (len(op.samples) if op.samples else 1)
    xs = [sg.vector(f"x{k}").node for k in range(arity)]
    if name == "where" or name.startswith("logical"):
        booleans = xs if name != "where" else xs[:1]
        xs = [(sg.vector(f"b{k}") > 0).node if x in booleans else x for k, x in enumerate(xs)]
    node = make_node(op, xs, attrs)
    found = slow_form(node)
    assert found is not None
    function_of(found[1])


def test_guarding_twice_is_guarding_once() -> None:
    x, y = (sg.tensor(n, shape=(SIZE,)) for n in "xy")
    once = guard(((x * y - y * y).node,), "high")
    assert len(guards_in(once)) == 1
    assert guard(once, "high") == once


def test_whole_powers_are_exact_products_where_in_doubt() -> None:
    x, y = sg.vector("x"), sg.vector("y")
    f = sg.function([x, y], 9 * x**4 - y * y * (y * y - 2))  # Rump 1983: 17 digits cancel
    assert f(np.full(3, 10864.0), np.full(3, 18817.0)).tolist() == [1.0] * 3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_intermediate_that_leaves_the_range_is_computed_again(dtype: str, backend: str) -> None:
    x, y = sg.vector("x", dtype=dtype), sg.vector("y", dtype=dtype)
    formula = sg.maximum(x * y, -x * y) / (y * y)  # no chain of factors: |x| / y
    f = sg.function([x, y], formula, mode=sg.Mode(accuracy="high", backend=backend))
    least = float(np.finfo(dtype).smallest_normal)
    most = float(np.finfo(dtype).max)
    a = np.array([least, 2.0, 0.0, most / 4, -least], dtype)
    b = np.array([least * 8, 4.0, 1.0, most / 2, least * 2], dtype)
    assert np.array_equal(f(a, b), np.array([0.125, 0.5, 0.0, 0.5, 0.5], dtype))


def test_zeros_are_no_underflow() -> None:
    x, y = sg.tensor("x", shape=(SIZE,)), sg.tensor("y", shape=(SIZE,))
    formula = sg.maximum(x * y, -x * y) / (y * y)
    f = sg.function([x, y], formula, mode=sg.Mode(accuracy="high"))
    f(np.zeros(SIZE), np.ones(SIZE))
    assert f.lanes[0] == 0


def test_a_condition_may_compare_numbers_of_another_dtype():
    x, a, b = (sg.tensor(n, shape=(120,), dtype=d) for n, d in
               (("x", "float32"), ("a", "float64"), ("b", "float64")))  # fmt: skip
    f = sg.function([x, a, b], sg.where(sg.atan(sg.exp(x)) > 1, a * a - b * b, 0.0))
    values = np.linspace(-200, 200, 120), np.full(120, 3.0), np.full(120, 3.0 - 1e-12)
    found = f(values[0].astype("float32"), *values[1:])
    np.testing.assert_array_equal(found[:55], 0.0)
    np.testing.assert_allclose(found[65:], 6 * (3.0 - values[2][0]), rtol=1e-12)


def test_bounds_of_quotients_by_numbers_that_are_known_divide_by_nothing() -> None:
    x, y = (sg.tensor(n, shape=(SIZE,), dtype="float64") for n in "xy")
    scale = np.linspace(-9, 20, SIZE)
    (made,) = guard([((x * y - y * y) / scale).node], "default")
    found = toposort([made])
    assert [n.op.name for n in found].count("divide") == 1
    a, b = points("float64")
    exact = truth(lambda a, b: a * b - b * b, a, b) / scale
    f = sg.function([x, y], (x * y - y * y) / scale)
    np.testing.assert_allclose(f(a, b), exact, rtol=4097 * 2.0**-53)


STEPS = {
    "rest of numbers": lambda x, c: (c - x) / 7.0,
    "sum with numbers": lambda x, c: (x + c) / 7.0 / 3.0,
    "multiple": lambda x, c: (x - c) / 3.0 * 1e-3,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", STEPS)
def test_what_is_left_of_numbers_is_no_next_to_nothing(name: str, dtype: str) -> None:
    """Its quotients cannot underflow, so no guard asks whether they did."""
    c = np.array([28.0, -8.0, 1e-3, 7.0] * 16, dtype)
    x = sg.tensor("x", shape=(SIZE,), dtype=dtype)
    value = STEPS[name](x, c)
    assert underflowed(region_of((value * x).node)[0]) is None
    y = sg.tensor("y", shape=(SIZE,), dtype=dtype)
    assert underflowed(region_of((x / 7.0 * y).node)[0]) is not None
    assert underflowed(region_of((x / 7.0 * x).node)[0]) is None  # nothing brings it back
    near = c if name != "sum with numbers" else -c
    with np.errstate(all="ignore"):
        steps = [near]
        steps += [np.nextafter(near, np.dtype(dtype).type(way)) for way in (np.inf, -np.inf)]
        steps += [near * np.dtype(dtype).type(f) for f in (0.5, 0.25, 0.5000001, 2, 1e-30, 1e30)]
    f = sg.function([x], value, mode=sg.Mode(accuracy="as-written"))
    least = _step(value.node)
    found = np.abs(np.concatenate([f(v) for v in steps]))
    assert 0 < least <= found[found > 0].min()


def test_products_of_one_difference_share_one_test() -> None:
    """The error is that of x - y; what it is multiplied by takes no part."""
    x, y, z = (sg.tensor(n, shape=(SIZE,), dtype="float64") for n in "xyz")
    d = (x * y - y) / 3.0
    made = guard([v.node for v in (d, d * z, z / d)], "default")
    doubts = {n.inputs[1] for n in guards_in(made)}
    excess = {next(n for n in toposort([v]) if n.op.name == "subtract" and _reads_size(n))
              for v in doubts}  # fmt: skip
    assert len(guards_in(made)) == 3
    assert len(excess) == 1


def _reads_size(node) -> bool:
    """Is it a bound less a multiple of a size?"""
    allowed = node.inputs[1]
    return allowed.op.name == "multiply" and allowed.inputs[1].op.name == "abs"


@pytest.mark.parametrize("power", [2, 3])
def test_powers_of_a_difference_are_as_accurate_as_others(power: int) -> None:
    x, y = points("float64")
    a, b = (sg.tensor(n, shape=(SIZE,), dtype="float64") for n in "xy")
    d = a * b - b * b
    formula = d * d if power == 2 else d * d * d
    exact = truth(lambda x, y: (x * y - y * y) ** power, x, y)
    np.testing.assert_allclose(sg.function([a, b], formula)(x, y), exact, rtol=4097 * 2.0**-53)


def test_a_function_with_a_limit_hides_nothing_of_what_is_huge() -> None:
    x, y = (sg.tensor(n, shape=(SIZE,), dtype="float64") for n in "xy")
    a, b = np.full(SIZE, 1.5e308), np.full(SIZE, 1e-308)
    for formula, wanted in (
        (sg.tanh(2 * x + 1) - 0.5 * y, 1.0),
        (sg.tanh(2 * x * y) - y, np.tanh(3.0)),
    ):
        f = sg.function([x, y], formula)
        np.testing.assert_allclose(f(a, b), np.full(SIZE, wanted), rtol=1e-15)


def test_a_product_of_multiples_of_one_value_has_one_sign() -> None:
    x, y = sg.vector("x"), sg.vector("y")
    for square in ((x / 10) * (x / 5), (-x) * (x * -2), (x * 3) * (x / 4)):
        assert fact(square.node).lo == 0
    assert fact(((x / 10) * (x / -5)).node).hi == 0
    assert fact(((x / 10) * (y / 5)).node).lo == -np.inf


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_twice_the_digits_cannot_tell_from_zero_is_zero(backend: str) -> None:
    def formula(x, y):  # x * y * pi**2 / 6
        return sg.special.gammaln(x + y + 1) - (
            sg.special.gammaln(x + 1) + sg.special.gammaln(y + 1)
        )

    f, _ = compiled(formula, "high", backend)
    x = np.geomspace(1e-250, 1e-170, SIZE)
    assert f(x, x[::-1] * 1e-20).tolist() == [0.0] * SIZE


def test_pairs_hold_what_is_far_below_one() -> None:
    def formula(x, y):
        p = 1 / (1 + sg.exp(-x * x))
        return p - p * p * y

    f, _ = compiled(formula, "high")
    x = np.linspace(7, 12, SIZE)
    with mp.workprec(600):
        rest = [mp.exp(-(mp.mpf(v) ** 2)) for v in x.tolist()]
        exact = [float(r / (1 + r) ** 2) for r in rest]
    np.testing.assert_allclose(f(x, np.ones(SIZE)), exact, rtol=1e-14)


def test_products_that_pairs_hold_exactly_keep_their_last_digit() -> None:
    f, _ = compiled(lambda x, y: (x + 1) * (x - 1) - x * x, "high")
    g, _ = compiled(lambda x, y: x * x - (y + x) * (x - y), "high")
    x, y = np.full(SIZE, 2.0**50 + 1), np.full(SIZE, 3.0)
    assert f(x, y).tolist() == [-1.0] * SIZE
    assert g(x, y).tolist() == [9.0] * SIZE


def test_the_largest_of_rounded_values_stays_the_largest() -> None:
    x, t = sg.tensor("x", shape=("n", 3)), sg.tensor("t", shape=("n", 1))
    powers = sg.exp(x / t)
    loss = -sg.log((powers / sg.sum(powers, axis=1, keepdims=True))[:, :1])
    f = sg.function([x, t], loss)
    rng = np.random.default_rng(1)
    xs, ts = rng.normal(size=(SIZE, 3)) * 9, rng.uniform(0.3, 3, (SIZE, 1))
    xs[:, 0] += 25
    with mp.workprec(300):
        rows = [[mp.mpf(v) / mp.mpf(t) for v in row] for row, (t,) in zip(xs, ts, strict=True)]
        exact = [float(mp.log1p(sum(mp.exp(v - r[0]) for v in r[1:]))) for r in rows]
    np.testing.assert_allclose(f(xs, ts)[:, 0], exact, rtol=1e-12)


def test_a_product_of_float32_goes_on_to_pairs_where_float64_has_not_digits_enough() -> None:
    r, a, b = (sg.tensor(n, shape=(64,), dtype="float32") for n in "rab")
    f = sg.function([r, a, b], r * sg.sin(b) / sg.cos(a + b))
    values = [np.full(64, x, "float32") for x in (1e25, 145405.27, 7.4893296e17)]
    with mp.workdps(50):
        scale, first, second = (mp.mpf(float(v[0])) for v in values)
        wanted = float(scale * mp.sin(second) / mp.cos(first + second))
    assert f(*values) == pytest.approx(np.full(64, wanted), rel=1e-6)


def test_moments_that_are_zero_are_in_no_doubt() -> None:
    """Adam's first moment over the root of its second, of pixels that are never bright: 0 / 0."""
    w, m, v, g = (sg.tensor(n, shape=(64,), dtype="float32") for n in "wmvg")
    count = sg.tensor("count", dtype="float32", shape=())
    first, second = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    small = sg.sqrt(second / (1 - 0.999**count)) + 1e-8
    f = sg.function([w, m, v, g, count], w - 0.005 * (first / (1 - 0.9**count)) / small)
    rng = np.random.default_rng(0)
    zeros, start = np.zeros(64, "float32"), rng.uniform(0.1, 1, 64).astype("float32")
    assert np.array_equal(f(start, zeros, zeros, zeros, np.float32(3)), start)
    assert f.lanes[0] == 0 < f.lanes[1]
    tenths = np.full(64, 0.1, "float32")  # what cancels to next to nothing still is in doubt
    assert np.isfinite(f(zeros, tenths, zeros, -9 * tenths, np.float32(3))).all()
    assert f.lanes[0] >= 64
