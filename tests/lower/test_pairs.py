"""Rows in pairs where they add to columns: the values, the row that is left, and the bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.text import show
from symgraph.lower.schedule import CPU

from .lowered import assert_right, program_of

COLUMNS = 96


def standardized(rows: int, dtype: str, mode: sg.Mode | None = None) -> sg.Function:
    """Rows over their norm, times g, and the sums of both axes."""
    x = sg.tensor("x", dtype=dtype, shape=(rows, COLUMNS))
    g = sg.tensor("g", dtype=dtype, shape=(COLUMNS,))
    h = x / sg.sqrt(sg.sum(x * x, axis=1, keepdims=True)) * g
    return sg.function([x, g], [h, sg.sum(h, axis=0), sg.sum(h * h), sg.max(h)], mode=mode)


def is_paired(f: sg.Function) -> bool:
    return any("also_" in k.source for k in f.kernels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1001, 1003, 2048])
def test_every_row_counts_once(rows: int, dtype: str, rng: np.random.Generator) -> None:
    f = standardized(rows, dtype)
    x = rng.normal(size=(rows, COLUMNS)).astype(dtype)
    g = rng.normal(size=COLUMNS).astype(dtype)
    wide, by = x.astype("longdouble"), g.astype("longdouble")
    right = wide / np.sqrt((wide**2).sum(1, keepdims=True)) * by
    eps = float(np.finfo(dtype).eps)
    h, columns, squares, top = f(x, g)
    assert is_paired(f)
    assert float(abs(h - right).max()) <= 4 * eps * float(abs(right).max())
    assert float(abs(columns - right.sum(0)).max()) <= 4 * eps * float(abs(right).sum(0).max())
    assert float(squares) == pytest.approx(float((right**2).sum()), rel=8 * eps)
    assert top == h.max()


def test_few_rows_and_short_rows_stay_as_they_are() -> None:
    x = sg.tensor("x", dtype="float32", shape=(20000, 20))
    h = x / sg.sqrt(sg.sum(x * x, axis=1, keepdims=True))
    assert not is_paired(sg.function([x], [h, sg.sum(h, axis=0)]))
    assert not is_paired(standardized(64, "float32"))


def test_rows_that_add_to_no_column_stay_as_they_are() -> None:
    x = sg.tensor("x", dtype="float32", shape=(2000, COLUMNS))
    h = x / sg.sqrt(sg.sum(x * x, axis=1, keepdims=True))
    assert not is_paired(sg.function([x], [h]))


@pytest.mark.parametrize("rows", [16, 24, 27, 35])
def test_pairs_mean_what_rows_did(rows: int, rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype="float64", shape=(rows, COLUMNS))
    h = x / sg.sqrt(sg.sum(x * x, axis=1, keepdims=True))
    outputs = [h, sg.sum(h, axis=0), sg.sum(h * h), sg.max(h, axis=0)]
    chunks = replace(CPU, chunk_work=1000)
    assert "also_" in show(program_of(outputs, [x], chunks).program)
    assert_right(outputs, {x: rng.normal(size=(rows, COLUMNS))}, schedule=chunks)


def test_numba_agrees(rng: np.random.Generator) -> None:
    x = rng.normal(size=(1001, COLUMNS)).astype("float32")
    g = rng.normal(size=COLUMNS).astype("float32")
    ours = standardized(1001, "float32")(x, g)
    theirs = standardized(1001, "float32", sg.Mode(backend="numba"))(x, g)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_max_ulp(np.asarray(a), np.asarray(b), 1)


def test_small_programs_are_still_done_in_place(rng: np.random.Generator) -> None:
    x = sg.tensor("x", dtype="float32", shape=(64, COLUMNS))
    h = x / sg.sqrt(sg.sum(x * x, axis=1, keepdims=True))
    f = sg.function([sg.In(x, mutable=True)], [h, sg.sum(h, axis=0)])
    value = rng.normal(size=(64, COLUMNS)).astype("float32")
    assert f(value)[0] is value
