"""Short rows as lanes: the same values, in blocks of any number of rows."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.parse import parse
from symgraph.loop.text import same, show
from symgraph.lower.program import Lowered
from symgraph.lower.schedule import Schedule
from tests.lower.lowered import assert_right, loops

rng = np.random.default_rng(21)
# Blocks of 4 rows (8 of float32), from 3 rows on; sums over rows in chunks of a few.
SMALL = Schedule(lane_rows=3, lane_bytes=32, chunk_work=2000)


def blocks_of(lowered: Lowered) -> int:
    return sum(s.var.startswith("b_") for s in loops(lowered))


def log_softmax(x):
    x = x - sg.max(x, axis=-1, keepdims=True)
    return x - sg.log(sg.sum(sg.exp(x), axis=-1, keepdims=True))


def softmax(x):
    e = sg.exp(x - sg.max(x, axis=-1, keepdims=True))
    return e / sg.sum(e, axis=-1, keepdims=True)


def with_sums(x):
    """Sums over rows beside what is computed in them: a fold, and one for each column."""
    p = softmax(x)
    return [sg.sum(p, axis=0), sg.sum(sg.log(sg.sum(sg.exp(x), axis=1))), p]


def norm_and_gradient(x):
    c = x - sg.mean(x, axis=1, keepdims=True)
    y = c / sg.sqrt(sg.mean(c * c, axis=1, keepdims=True) + 1e-5)
    loss = sg.sum(y * y * y)
    return [loss, sg.grad(loss, x)]


def best(x):
    return [sg.exp(sg.max(x, axis=1)), sg.argmax(sg.exp(x), axis=1), sg.any(sg.exp(x) > 3, axis=1)]


def running(x):
    return [sg.cumulative_sum(sg.exp(x), axis=1) / sg.sum(sg.exp(x), axis=1, keepdims=True)]


def shifted(x):
    return [sg.log(sg.sum(sg.exp(x[:, 1:]) * x[:, :-1] ** 2, axis=1))]


FORMULAS = {
    "log_softmax": lambda x: [log_softmax(x)],
    **{f.__name__: f for f in (with_sums, norm_and_gradient, best, running, shifted)},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(4, 3), (17, 5), (41, 10), (8, 4)])
@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_rows(name, shape, dtype):
    x = sg.tensor("x", shape=shape, dtype=dtype)
    tiny = 64 * float(np.finfo(dtype).eps)
    given = {x: rng.normal(size=shape)}
    lowered = assert_right(FORMULAS[name](x), given, tiny, SMALL, atol=tiny)
    assert same(parse(show(lowered.program)), lowered.program)


@pytest.mark.parametrize("name", ["log_softmax", "with_sums", "norm_and_gradient"])
def test_rows_are_lanes(name):
    x = sg.tensor("x", shape=(41, 10))
    lowered = assert_right(
        FORMULAS[name](x), {x: rng.normal(size=(41, 10))}, rtol=1e-11, schedule=SMALL
    )
    assert blocks_of(lowered) >= 1


def test_gathered_rows_are_lanes():
    table, index = sg.tensor("t", shape=(9, 5)), sg.tensor("i", shape=(30,), dtype="int64")
    given = {table: rng.normal(size=(9, 5)), index: rng.integers(0, 9, 30)}
    assert_right([log_softmax(table[index])], given, schedule=SMALL)


def test_batches_of_short_rows():
    x = sg.tensor("x", shape=(3, 7, 5))
    assert_right([log_softmax(x), softmax(x)], {x: rng.normal(size=(3, 7, 5))}, schedule=SMALL)


@pytest.mark.parametrize(
    ("shape", "formula"),
    [
        ((40, 30), log_softmax),  # long rows
        ((2, 5), log_softmax),  # few rows
        ((40, 10), lambda x: sg.sum(x, axis=1)),  # nothing but a sum
        ((40, 10), lambda x: sg.exp(x) / 2),  # no sum
    ],
)
def test_other_loops_stay(shape, formula):
    x = sg.tensor("x", shape=shape)
    lowered = assert_right([formula(x)], {x: np.ones(shape)}, schedule=SMALL)
    assert blocks_of(lowered) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [255, 256, 1000, 0, 1])
def test_compiled_code_agrees_with_numpy(rows, dtype):
    """Whole blocks and a rest, infinities, NaN, strides; the same bits with one thread."""
    x = sg.matrix("x", dtype=dtype)
    f = sg.function([x], [log_softmax(x), sg.sum(softmax(x), axis=0)])
    data = rng.normal(size=(rows, 14)).astype(dtype)[:, ::2]
    data[3:5, 1] = -np.inf
    data[7:8, 2] = np.nan
    found = f(data)
    e = np.exp(data.astype("float64"))
    total = e.sum(axis=1, keepdims=True)
    tiny = np.finfo(dtype).eps
    with np.errstate(divide="ignore"):
        right = np.log(e / total)
    np.testing.assert_allclose(found[0], right, rtol=16 * tiny, atol=8 * tiny)
    np.testing.assert_allclose(found[1], (e / total).sum(axis=0), rtol=64 * tiny)
    with sg.threads(1):
        again = f(data)
    for one, two in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "k", "n"), [((999,), 3, 3), ((300,), 8, 4), ((7, 50), 4, 2)])
def test_many_points_meet_a_small_matrix_in_a_loop(rows, k, n, dtype):
    x, a, shift = (
        sg.tensor(name, dtype=dtype, shape=s)
        for name, s in zip("xas", ((*rows, k), (k, n), (n,)), strict=True)
    )
    f = sg.function([x, a, shift], x @ a + shift)
    given = [rng.normal(size=s).astype(dtype) for s in ((*rows, k), (k, n), (n,))]
    np.testing.assert_allclose(f(*given), given[0] @ given[1] + given[2], rtol=1e-5, atol=1e-5)
    (kernel,) = f.kernels  # the sum is part of it, where a routine's result would be read again
    assert kernel.source.count("x0_x[") > 0


def test_points_that_only_add_to_rows_are_lanes_where_each_is_dear():
    """The gradient of energies of pairs: no sum within a point, a division of each."""
    x = sg.matrix("x")
    gap = x[:, None, :] - x
    energy = sg.sum(1 / (1 + sg.sum(gap * gap, axis=2)) ** 2)
    f = sg.function([x], sg.grad(energy, x))
    data = rng.normal(size=(300, 3))
    gaps = data[:, None, :] - data
    right = -8 * np.sum(gaps / (1 + np.sum(gaps**2, axis=2, keepdims=True)) ** 3, axis=1)
    np.testing.assert_allclose(f(data), right, rtol=1e-12, atol=1e-12)
    assert any("lanes" in k.source for k in f.kernels)


def test_rows_that_are_looked_up_are_read_along_themselves(rng: np.random.Generator) -> None:
    """Lanes of rows from anywhere would read every element from another line of memory."""
    table = sg.tensor("table", dtype="float32", shape=(900, 16))
    at, to = (sg.tensor(n, dtype="int64", shape=(4000,)) for n in ("at", "to"))
    away = table[at] - table[to]
    loss = sg.mean(sg.sqrt(sg.sum(away * away, axis=1) + 1e-9))
    f = sg.function([table, at, to], [loss, sg.grad(loss, table)])
    value = rng.normal(size=(900, 16)).astype("float32")
    here, there = rng.integers(0, 900, (2, 4000))
    apart = value.astype("float64")[here] - value[there]
    wanted = np.sqrt((apart**2).sum(1) + 1e-9)
    found, slope = f(value, here, there)
    assert found == pytest.approx(wanted.mean(), rel=1e-6)
    steps, right = apart / wanted[:, None] / 4000, np.zeros((900, 16))
    np.add.at(right, here, steps)
    np.add.at(right, there, -steps)
    np.testing.assert_allclose(slope, right, rtol=1e-4, atol=1e-7)
    assert not any("lanes0_" in kernel.source for kernel in f.kernels)
