"""Sums that cancel are done again; others keep their bits, and cost a bound."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import symgraph as sg
from symgraph.compile import run_stages
from symgraph.ir.graph import toposort
from symgraph.trace.record import Record

BACKENDS = ("llvm", "numba", "interp")
LENGTH = 300
HIGH = 16  # ulp: what is less is not done again
rng = np.random.default_rng(17)


def exact(values: np.ndarray) -> list[Fraction]:
    return [Fraction(float(v)) for v in values]


def dot(x: np.ndarray, y: np.ndarray) -> Fraction:
    return sum((p * q for p, q in zip(exact(x), exact(y), strict=True)), Fraction(0))


def ulps(found, wanted: Fraction, dtype: str) -> float:
    rounded = np.dtype(dtype).type(float(wanted))
    return float(abs(Fraction(float(found)) - wanted) / Fraction(float(np.spacing(abs(rounded)))))


def cancelling(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y whose sums, and whose product's sum, are far smaller than their terms."""
    half, other = rng.normal(size=(2, LENGTH // 2))
    x, y = np.concatenate([half, half]), np.concatenate([other, -other])
    order = rng.permutation(LENGTH)
    y[3] *= 1 + 1e-3 * np.sqrt(np.finfo(dtype).eps)
    return x[order].astype(dtype), y[order].astype(dtype)


def slow_parts(f) -> int:
    return sum(n.op.name == "cond" for n in toposort(f.stage("guarded")))


FORMULAS = {
    "sum": (lambda x, y: sg.sum(y), lambda x, y: sum(exact(y), Fraction(0))),
    "mean": (lambda x, y: sg.mean(y), lambda x, y: sum(exact(y), Fraction(0)) / len(y)),
    "dot": (lambda x, y: x @ y, dot),
    "sum_of_products": (lambda x, y: sg.sum(x * y), dot),
    "products_of_differences": (
        lambda x, y: sg.sum((x - y) * (x + y) * y),
        lambda x, y: sum(
            ((p - q) * (p + q) * q for p, q in zip(exact(x), exact(y), strict=True)), Fraction(0)
        ),
    ),
    "difference_of_sums": (
        lambda x, y: sg.sum(x * x) - sg.sum(y * y),
        lambda x, y: dot(x, x) - dot(y, y),
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_sum_that_cancels_is_right(name, dtype, backend):
    formula, truth = FORMULAS[name]
    x, y = (sg.vector(n, dtype=dtype) for n in "xy")
    mode = sg.Mode(backend=backend)
    f = sg.function([x, y], formula(x, y), mode=mode, on_unused_input="ignore")
    a, b = cancelling(dtype)
    if name == "difference_of_sums":
        b = (a * (1 + 4 * np.finfo(dtype).eps)).astype(dtype)
    assert ulps(f(a, b), truth(a, b), dtype) <= 2


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "dot"])
def test_ordinary_data_keeps_its_bits(name):
    """Those of the formula as written: where nothing is in doubt, a guard changes nothing."""
    formula, _ = FORMULAS[name]
    x, y = sg.vector("x"), sg.vector("y")
    f, plain = (
        sg.function([x, y], formula(x, y), mode=sg.Mode(accuracy=level), on_unused_input="ignore")
        for level in ("default", "as-written")
    )
    given = rng.normal(size=(2, 5000)) + 0.1
    assert np.array_equal(f(*given), plain(*given))


@pytest.mark.parametrize("accuracy", ["rules", "as-written"])
def test_only_modes_with_guards_have_them(accuracy):
    x = sg.vector("x")
    f = sg.function([x], sg.sum(x), mode=sg.Mode(accuracy=accuracy))
    assert slow_parts(f) == 0


def test_sums_of_one_sign_and_large_results_are_not_guarded_by_default():
    x, m = sg.vector("x"), sg.matrix("m")
    assert slow_parts(sg.function([x], sg.sum(x * x))) == 0
    assert slow_parts(sg.function([m], sg.sum(m, axis=1))) == 0
    assert slow_parts(sg.function([m], sg.sum(m))) == 1
    t = sg.tensor("t", shape=(5000, 100))  # few columns, but of rows that are computed
    rows = (t - sg.mean(t, axis=1, keepdims=True)) * t
    assert slow_parts(sg.function([t], sg.sum(rows, axis=0))) == 0


@pytest.mark.parametrize("backend", ["llvm", "numba"])
@pytest.mark.parametrize("accuracy", ["default", "high"])
def test_a_variance_by_two_means_of_squares(accuracy, backend):
    x, y = sg.vector("x"), sg.vector("y")
    formula = sg.mean(x * y) - sg.mean(x) * sg.mean(y)  # no rule makes it two passes
    f = sg.function([x, y], formula, mode=sg.Mode(accuracy=accuracy, backend=backend))
    a, b = 1e6 + rng.normal(size=(2, 200))
    n = len(a)
    wanted = dot(a, b) / n - sum(exact(a)) * sum(exact(b)) / n**2
    assert ulps(f(a, b), wanted, "float64") <= 4


@pytest.mark.parametrize("backend", ["llvm", "numba"])
def test_rows_products_and_scans_in_high(backend):
    m, v, k = sg.matrix("m"), sg.vector("v"), sg.tensor("k", shape=(LENGTH, 3))
    mode = sg.Mode(accuracy="high", backend=backend)

    def step(state, row):
        return state + 1.0, sg.sum(row * v)

    _, scanned = sg.scan(step, sg.constant(0.0), m)
    behind = sg.sum(sg.reshape(m, (-1,))[: 2 * LENGTH] * sg.concat([v, v]))
    f = sg.function([m, v, k], [sg.sum(m * v, axis=1), m @ v, m @ k, scanned, behind], mode=mode)
    a, b = cancelling("float64")
    rows, columns = np.stack([a, a[::-1], a + 1]), np.stack([b, b[::-1], b * b], axis=1)
    found = f(rows, b, columns)
    wanted = [dot(row, b) for row in rows]
    for values in (found[0], found[1], found[3]):
        assert max(ulps(x, t, "float64") for x, t in zip(values, wanted, strict=True)) <= HIGH
    for i in range(3):
        for j in range(3):
            assert ulps(found[2][i, j], dot(rows[i], columns[:, j]), "float64") <= HIGH
    assert ulps(found[4], wanted[0] + wanted[1], "float64") <= HIGH


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_stays_so(value):
    x = sg.vector("x")
    f = sg.function([x], sg.sum(x))
    given = rng.normal(size=LENGTH)
    given[7] = value
    assert np.array_equal(f(given), value, equal_nan=True)


def test_an_empty_sum_is_zero():
    x = sg.vector("x")
    assert sg.function([x], sg.sum(x))(np.zeros(0)) == 0


def test_few_rows_are_guarded_by_default_and_one_flagged_row_leaves_the_others():
    m = sg.tensor("m", shape=(3, LENGTH))
    f = sg.function([m], sg.sum(m, axis=1))
    _, b = cancelling("float64")
    rows = np.stack([np.ones(LENGTH), b, np.arange(LENGTH)])
    found = f(rows)
    assert found[0] == LENGTH
    assert found[2] == LENGTH * (LENGTH - 1) // 2
    assert ulps(found[1], sum(exact(b)), "float64") <= 2


def test_many_rows_are_done_again_only_where_much_is_lost():
    """Of 1,000 rows of normal numbers a few always lie near zero: those are plain sums."""
    m = sg.tensor("m", shape=(1000, LENGTH))
    f = sg.function([m], sg.sum(m, axis=1))
    rows = np.random.default_rng(3).normal(size=(1000, LENGTH))

    def off() -> list[float]:
        return [ulps(v, sum(exact(row)), "float64") for v, row in zip(f(rows), rows, strict=True)]

    assert 2 < max(off()) < 5_000
    rows[17] = cancelling("float64")[1]
    assert off()[17] <= 2


def test_the_record_says_that_sums_are_done_again():
    x = sg.vector("x")
    record = Record()
    run_stages(((sg.sum(x) / 3.0).node,), sg.Mode(), record)
    (found,) = [a for a in record.rewrites if a.table == "guards"]
    assert "sums" in found.why
    assert found.lines[0].file == __file__


def test_gradients_of_a_layer_norm_are_not_computed_twice_by_default():
    """Their sums over a batch cancel as a rule; a second pass made it three times slower."""
    x, gain, shift = sg.tensor("x", shape=(4096, 768)), sg.vector("gain"), sg.vector("shift")
    centered = x - sg.mean(x, axis=1, keepdims=True)
    scale = sg.sqrt(sg.mean(centered * centered, axis=1, keepdims=True) + 1e-5)
    y = centered / scale * gain + shift
    f = sg.function([x, gain, shift], sg.grad(sg.sum(y * y), [x, gain, shift]))
    assert slow_parts(f) == 0


def test_the_test_of_one_sum_waits_for_no_root():
    """It compares squares; where they overflow the sum is done again."""
    x = sg.vector("x")
    f = sg.function([x], sg.sum(x))
    kernels = [k.source for k in f.kernels]
    assert not any("sqrt" in text and "sum_of" in text for text in kernels)
    for scale in (1.0, 1e200, 1e-150):
        given = np.array([1.0, 1e-17, -1.0, 3e-17]) * scale
        assert ulps(f(given), sum(exact(given), Fraction(0)), "float64") <= 2
    assert f(np.zeros(4)) == 0
    assert np.isnan(f(np.array([1.0, np.nan])))
    assert f(np.array([1.0, np.inf])) == np.inf


@pytest.mark.parametrize("accuracy", ["default", "high"])
def test_rows_of_float32_are_done_in_float64_at_once(accuracy):
    """A loss of triplets: of hundreds of rows one is always in doubt, so there is no branch."""
    near, far, own = (sg.tensor(n, dtype="float32", shape=(300, 40)) for n in ("n", "f", "o"))
    closer = sg.sum((own - near) ** 2, axis=1) - sg.sum((own - far) ** 2, axis=1)
    margin = closer + 1.0
    loss = sg.where(margin > 0, margin, 0 * margin)
    f = sg.function([near, far, own], loss, mode=sg.Mode(accuracy=accuracy))
    assert slow_parts(f) == 0
    a, c = rng.normal(size=(2, 300, 40)).astype("float32")
    b = a + np.float32(0.02) * rng.normal(size=(300, 40)).astype("float32")
    wanted = [dot(z - x, z - x) - dot(z - y, z - y) + 1 for x, y, z in zip(
        *(v.astype("float64") for v in (a, b, c)), strict=True)]  # fmt: skip
    found = f(a, b, c)
    assert max(ulps(v, w, "float32") for v, w in zip(found, wanted, strict=True) if w > 0) <= 0.51
    assert not found[[w < 0 for w in wanted]].any()


def test_few_rows_of_float32_keep_their_branch():
    x = sg.tensor("x", dtype="float32", shape=(4, 300))
    f = sg.function([x], sg.sum(x * x * x, axis=1) + 1.0)
    assert slow_parts(f) == 1
