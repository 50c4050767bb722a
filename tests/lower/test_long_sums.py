"""Sums of many terms: error that does not grow with their number, in all orders and widths."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.loop.ir import Branch, Call, For
from symgraph.loop.traverse import statements
from symgraph.lower.leading_sums import BLOCK as ROWS
from symgraph.lower.long_sums import BLOCK, RUN
from tests.lower.lowered import assert_right

rng = np.random.default_rng(11)
LENGTHS = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3, 300_000)
REDUCTIONS = {
    "sum": (lambda x: sg.sum(x), math.fsum),
    "mean": (lambda x: sg.mean(x), lambda x: math.fsum(x) / len(x) if len(x) else math.nan),
    "dot": (lambda x: sg.sum(x * x), lambda x: math.fsum(x * x)),
    "norm": (lambda x: sg.norm(x), lambda x: math.sqrt(math.fsum(x * x))),
}


def ulps(found: float, wanted: float, dtype: str = "float64") -> float:
    if math.isnan(wanted):
        return 0.0 if math.isnan(found) else math.inf
    return abs(float(found) - wanted) / float(np.spacing(np.dtype(dtype).type(abs(wanted))))


@pytest.mark.parametrize("backend", ["llvm", "numba"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_positive_terms_lose_two_ulp_whatever_their_number(name, backend):
    reduce, truth = REDUCTIONS[name]
    x = sg.vector("x")
    f = sg.function([x], reduce(x), mode=sg.Mode(backend=backend))
    with np.errstate(all="ignore"):
        for length in LENGTHS:
            given = rng.uniform(0.1, 1.0, length)
            assert ulps(f(given), truth(given)) <= 2, length


@pytest.mark.slow
@pytest.mark.parametrize("length", [10**6, 10**7, 10**8])
def test_float32_sums_are_right_to_one_ulp(length):
    x = sg.vector("x", dtype="float32")
    f = sg.function([x], [sg.sum(x), sg.mean(x), sg.norm(x), sg.sum(x * x)])
    given = rng.uniform(0.1, 1.0, length).astype("float32")
    total = float(np.sum(given, dtype="longdouble"))
    squares = float(np.sum(given.astype("float64") ** 2, dtype="longdouble"))
    found = f(given)
    truths = (total, total / length, math.sqrt(squares), squares)
    assert max(ulps(a, b, "float32") for a, b in zip(found, truths, strict=True)) <= 1


@pytest.mark.slow
def test_float64_sums_of_ten_million_terms_are_right_to_two_ulp():
    x = sg.vector("x")
    given = rng.uniform(0.1, 1.0, 10**7)
    truths = [float(np.sum(v, dtype="longdouble")) for v in (given, given * given)]
    found = sg.function([x], [sg.sum(x), sg.sum(x * x)])(given)
    assert max(ulps(a, b) for a, b in zip(found, truths, strict=True)) <= 2


def test_rows_are_summed_in_blocks_too():
    x = sg.matrix("x")
    given = rng.uniform(0.1, 1.0, (3, 7 * BLOCK + 5))
    found = sg.function([x], sg.sum(x, axis=1))(given)
    assert max(ulps(a, math.fsum(row)) for a, row in zip(found, given, strict=True)) <= 2


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinite_and_undefined_terms_give_what_they_give_in_any_sum(value):
    x = sg.vector("x")
    f = sg.function([x], sg.sum(x))
    given = rng.uniform(0.1, 1.0, 4 * BLOCK)
    given[2 * BLOCK] = value
    assert np.array_equal(f(given), value, equal_nan=True)


def test_a_sum_that_overflows_is_infinite():
    x = sg.vector("x")
    given = np.full(4 * BLOCK, 1e308)
    assert sg.function([x], sg.sum(x))(given) == math.inf


def test_short_loops_and_sums_of_float32_have_no_blocks():
    x = sg.tensor("x", shape=(BLOCK,))
    y = sg.tensor("y", shape=(4 * BLOCK,), dtype="float32")
    given = {x: rng.normal(size=BLOCK), y: rng.normal(size=4 * BLOCK).astype("float32")}
    lowered = assert_right([sg.sum(x), sg.sum(y)], given)
    found = [
        s.var for k in lowered.program.kernels for s in statements(k.body) if isinstance(s, For)
    ]
    assert found
    assert not any(var.startswith("b_") for var in found)


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-180, 1.0, 1e180, 1e300, np.inf, np.nan])
def test_a_norm_is_one_vector_loop_whatever_its_scale(scale):
    x = sg.tensor("x", shape=(64,))
    lowered = assert_right([sg.norm(x)], {x: np.linspace(1, 2, 64) * scale})
    kernels = {k.name: k for k in lowered.program.kernels}
    assert any(isinstance(step, Branch) for step in lowered.program.steps)
    called = [s.kernel for s in lowered.program.steps if isinstance(s, Call)]
    loops = [s for name in called for s in statements(kernels[name].body) if isinstance(s, For)]
    assert [loop.kind for loop in loops] == ["vector"]


def test_a_norm_of_what_is_computed_or_of_rows_has_no_branch():
    x, w = sg.tensor("x", shape=("n",)), sg.tensor("w", shape=(5, 3))
    for norm in (sg.norm(sg.exp(x) + 1), sg.norm(w, axis=1)):
        f = sg.function([x, w], norm, on_unused_input="ignore")
        assert "cond" not in {n.op.name for n in toposort(f.stage("expanded"))}


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_norms_of_any_scale_keep_their_digits(scale):
    x = sg.vector("x")
    given = rng.normal(size=3 * BLOCK)
    wanted = math.sqrt(math.fsum(given * given))
    found = float(sg.function([x], sg.norm(x))(given * scale)) / scale
    assert abs(found - wanted) <= 4 * np.spacing(wanted)


RUNNING = {
    "plain": lambda x: sg.cumsum(x),
    "terms": lambda x: sg.cumsum(x * x) * 2.0,
    "backwards": lambda x: sg.grad(sg.sum(sg.cumsum(x) * x), x),
    "shifted": lambda x: sg.cumulative_sum(x, include_initial=True)[:-1] + x,
}


def running_truth(name: str, x: np.ndarray) -> np.ndarray:
    wide = x.astype("longdouble")
    found = {
        "plain": lambda: np.cumsum(wide),
        "terms": lambda: np.cumsum(wide * wide) * 2,
        "backwards": lambda: np.cumsum(wide) + np.cumsum(wide[::-1])[::-1],
        "shifted": lambda: np.cumsum(wide),
    }[name]()
    return found.astype("float64")


@pytest.mark.parametrize("backend", ["llvm", "numba"])
@pytest.mark.parametrize("name", RUNNING)
def test_running_sums_lose_a_few_ulp_whatever_their_number(name, backend):
    x = sg.vector("x")
    f = sg.function([x], RUNNING[name](x), mode=sg.Mode(backend=backend))
    for length in (1, RUN - 1, RUN, RUN + 1, 5 * RUN + 3, 300_000):
        given = rng.uniform(0.1, 1.0, length)
        wanted = running_truth(name, given)
        assert (np.abs(f(given) - wanted) / np.spacing(wanted)).max() <= 8, length


@pytest.mark.parametrize("axis", [0, 1])
def test_running_sums_of_rows_and_columns_are_right(axis):
    x = sg.matrix("x")
    given = rng.uniform(0.1, 1.0, (700, 900))
    wanted = np.cumsum(given.astype("longdouble"), axis=axis).astype("float64")
    found = sg.function([x], sg.cumsum(x, axis=axis))(given)
    assert (np.abs(found - wanted) / np.spacing(wanted)).max() <= 8


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_running_sums_show_infinite_and_undefined_terms_from_there_on(value):
    x = sg.vector("x")
    given = rng.uniform(0.1, 1.0, 4 * RUN)
    given[RUN + 3] = value
    found = sg.function([x], sg.cumsum(x))(given)
    np.testing.assert_allclose(found, np.cumsum(given), rtol=1e-14)


LEADING = {
    "matrix": ((300_000, 3), 0),
    "wide": ((400, 3000), 0),
    "middle": ((3, 20_000, 2), 1),
    "both": ((50, 700, 3, 4), (0, 1)),
    "edges": ((400, 3, 500), (0, 2)),
    "short": ((2, 5000), 0),
}


@pytest.mark.parametrize("backend", ["llvm", "numba"])
@pytest.mark.parametrize("name", LEADING)
def test_sums_over_leading_axes_lose_a_few_ulp_whatever_their_number(name, backend):
    shape, axis = LEADING[name]
    x = sg.tensor("x", shape=tuple("abcd"[: len(shape)]))
    outputs = [sg.sum(x, axis=axis), sg.mean(x * x, axis=axis)]
    given = rng.uniform(0.1, 1.0, shape)
    found = sg.function([x], outputs, mode=sg.Mode(backend=backend))(given)
    wide = given.astype("longdouble")
    for got, truth in zip(found, (wide.sum(axis), (wide * wide).mean(axis)), strict=True):
        wanted = truth.astype("float64")
        assert (np.abs(got - wanted) / np.spacing(wanted)).max() <= 8


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_columns_with_infinite_and_undefined_terms_are_as_in_any_sum(value):
    x = sg.matrix("x")
    given = rng.uniform(0.1, 1.0, (5 * ROWS, 4))
    given[2 * ROWS, 1] = value
    found = sg.function([x], sg.sum(x, axis=0))(given)
    np.testing.assert_allclose(found, given.sum(axis=0), rtol=1e-14)


@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS, 7 * ROWS + 5])
def test_every_row_is_added_once(rows):
    given = rng.integers(-9, 9, (rows, 3)).astype("float64")
    known = sg.tensor("x", shape=(rows, 3))
    assert_right([sg.sum(known, axis=0), sg.sum(known * 2.0, axis=0)], {known: given})
    x = sg.tensor("x", shape=("n", 3))
    found = sg.function([x], sg.sum(x, axis=0))(given)
    np.testing.assert_array_equal(found, given.sum(axis=0))
