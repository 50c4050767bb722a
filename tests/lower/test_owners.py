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


def squared(count: int = 20_000) -> sg.Function:
    """The loss of a lookup, and its gradient."""
    table = sg.tensor("table", shape=(500, 64), dtype="float32")
    at = sg.tensor("at", shape=(count,), dtype="int64")
    target = sg.tensor("target", shape=(count, 64), dtype="float32")
    away = table[at] - target
    loss = sg.sum(away * away)
    return sg.function([table, at, target], [loss, sg.grad(loss, table)])


def test_a_loss_is_added_up_and_its_gradient_filled_by_the_owners(rng: np.random.Generator) -> None:
    f = squared()
    table, target = (rng.normal(size=(n, 64)).astype("float32") for n in (500, 20_000))
    at = rng.integers(-500, 500, 20_000)
    loss, slope = f(table, at, target)
    assert sum("owner_" in kernel.source for kernel in f.kernels) == 1
    assert len(f.kernels) == 2, "the check of the indices, and all the rest"
    away = table[at].astype("float64") - target
    assert loss == np.float32((away**2).sum()) or abs(loss - (away**2).sum()) <= np.spacing(loss)
    wanted = np.zeros((500, 64))
    np.add.at(wanted, at, 2 * away)
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-4)
    with sg.config(threads=1):
        alone = squared()(table, at, target)
    assert loss == alone[0]
    np.testing.assert_array_equal(slope, alone[1])


def test_what_a_scatter_reads_is_made_before(rng: np.random.Generator) -> None:
    """Sums that the scattered rows need are no part of the owners' turns."""
    x, at = sg.tensor("x", shape=(9000, 64)), sg.vector("at", dtype="int64")
    f = sg.function([x, at], sg.zeros((100, 64)).at[at].add(x / sg.sum(x)))
    value, index = rng.uniform(size=(9000, 64)), rng.integers(0, 100, 9000)
    wanted = np.zeros((100, 64))
    np.add.at(wanted, index, value / value.sum())
    np.testing.assert_allclose(f(value, index), wanted, rtol=1e-11)


def test_rows_scattered_onto_others(rng: np.random.Generator) -> None:
    base, x = sg.tensor("base", shape=(100, 64)), sg.tensor("x", shape=(9000, 64))
    at = sg.vector("at", dtype="int64")
    f = sg.function([base, x, at], (base * 2).at[at].add(x))
    first, value, index = rng.normal(size=(100, 64)), rng.normal(size=(9000, 64)), np.arange(9000)
    wanted = 2 * first
    np.add.at(wanted, index % 100, value)
    np.testing.assert_allclose(f(first, value, index % 100), wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("place", [0, 7777, 8999])
@pytest.mark.parametrize("value", [100, -101, 2**40])
def test_an_index_outside_is_told(place: int, value: int) -> None:
    x, at = sg.tensor("x", shape=(100, 4)), sg.vector("at", dtype="int64")
    f = sg.function([x, at], x[at])
    index = np.arange(9000) % 100
    f(np.zeros((100, 4)), index)
    index[place] = value
    with pytest.raises(IndexError, match=str(value)):
        f(np.zeros((100, 4)), index)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("value", [2000, -2001, 2**40])
def test_an_index_outside_is_told_before_anything_reads_by_it(place: int, value: int) -> None:
    """Translations in a graph: the loss is no part of the owners' turns, only the scatters are."""
    entity, relation = (sg.tensor(n, dtype="float32", shape=(None, None)) for n in ("e", "r"))
    head, link, tail = (sg.tensor(n, dtype="int64", shape=(None,)) for n in "hlt")
    away = entity[head] + relation[link] - entity[tail]
    loss = sg.mean(sg.sqrt(sg.sum(away * away, axis=1) + 1e-9))
    inputs = [entity, relation, head, link, tail]
    f = sg.function(inputs, [loss, *sg.grad(loss, [entity, relation])])
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(n, 16)).astype("float32") for n in (2000, 500)]
    index = [rng.integers(0, n, 8000) for n in (2000, 500, 2000)]
    assert has_owners(f)
    f(*values, *index)
    index[place][777] = value if place != 1 else min(value, 500)
    with pytest.raises(IndexError, match=str(index[place][777])):
        f(*values, *index)


@pytest.mark.parametrize("width", [1, 5, 32, 33, 200])
def test_rows_of_unknown_width_are_scattered_in_order(width: int, rng: np.random.Generator) -> None:
    x, at = sg.tensor("x", dtype="float32", shape=(None, None)), sg.vector("at", dtype="int64")
    f = sg.function([x, at], sg.zeros((100, x.shape[1]), dtype="float32").at[at].add(x))
    value, index = rng.normal(size=(3001, width)).astype("float32"), rng.integers(0, 100, 3001)
    wanted = np.zeros((100, width), "float32")
    np.add.at(wanted, index, value)
    assert has_owners(f)
    np.testing.assert_array_equal(f(value, index), wanted)


def test_an_index_outside_is_told_before_a_loop_that_was_begun_earlier() -> None:
    """Cross-entropy by class: the loop over rows is there before the lookup, and could hold it."""
    scores, at = (
        sg.tensor("scores", dtype="float32", shape=(400, None)),
        sg.vector("at", dtype="int64"),
    )
    high = sg.max(scores, axis=1, keepdims=True)
    total = high + sg.log(sg.sum(sg.exp(scores - high), axis=1, keepdims=True))
    place = at + scores.shape[1] * sg.arange(400)
    loss = sg.mean(sg.reshape(total, (-1,)) - sg.reshape(scores, (-1,))[place])
    f = sg.function([scores, at], [loss, sg.grad(loss, scores)])
    value, index = np.zeros((400, 20), "float32"), np.arange(400) % 20
    assert f(value, index)[0] == np.float32(np.log(20))
    for bad in (10**6, 2**40, -(2**40)):
        index[200] = bad
        with pytest.raises(IndexError, match=str(bad + 4000)):
            f(value, index)
