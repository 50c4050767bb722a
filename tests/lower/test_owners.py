"""Scattered rows have owners: the same values, and the same bits on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


def added(rows: int, how: str = "add", count: int | None = None) -> sg.Function:
    x = sg.tensor("x", dtype="float32", shape=(count, 64))
    at = sg.tensor("at", dtype="int64", shape=(count,))
    place = sg.zeros((rows, 64), dtype="float32").at[at]
    return sg.function([x, at], getattr(place, how)(x))


def has_owners(f: sg.Function) -> bool:
    return any("owner_" in kernel.source for kernel in f.kernels)


@pytest.mark.parametrize("rows", [1, 5, 8, 1001])
@pytest.mark.parametrize("how", ["add", "set", "max"])
def test_rows_are_scattered_in_order(rows: int, how: str, rng: np.random.Generator) -> None:
    f = added(rows, how, 9000)
    x, at = rng.normal(size=(9000, 64)).astype("float32"), rng.integers(-rows, rows, 9000)
    wanted = np.zeros((rows, 64), "float32")
    if how == "add":
        np.add.at(wanted, at, x)
    elif how == "max":
        np.maximum.at(wanted, at, x)
    else:
        wanted[at] = x
    np.testing.assert_array_equal(f(x, at), wanted)
    assert has_owners(f)


def test_no_rows_and_few_rows(rng: np.random.Generator) -> None:
    f = added(10)
    assert not f(np.zeros((0, 64), "float32"), np.zeros(0, "int64")).any()
    x = rng.normal(size=(3, 64)).astype("float32")
    np.testing.assert_array_equal(f(x, np.array([2, 2, -1]))[2], x[0] + x[1])


def test_the_gradient_of_a_lookup(rng: np.random.Generator) -> None:
    table, at = sg.matrix("table"), sg.tensor("at", dtype="int64", shape=(None,))
    y = table[at]
    f = sg.function([table, at], sg.grad(sg.sum(y * y), table))
    value, index = rng.normal(size=(700, 48)), rng.integers(0, 700, 8000)
    wanted = np.zeros_like(value)
    np.add.at(wanted, index, 2 * value[index])
    np.testing.assert_allclose(f(value, index), wanted, rtol=1e-12)
    with sg.config(threads=1):
        alone = sg.function([table, at], sg.grad(sg.sum(y * y), table))(value, index)
    assert np.array_equal(alone, f(value, index))


def test_single_numbers_have_no_owners(rng: np.random.Generator) -> None:
    at = sg.tensor("at", dtype="int64", shape=(None,))
    f = sg.function([at], sg.zeros((256,), dtype="int64").at[at].add(1))
    index = rng.integers(0, 256, 50_000)
    np.testing.assert_array_equal(f(index), np.bincount(index, minlength=256))
    assert not has_owners(f)
