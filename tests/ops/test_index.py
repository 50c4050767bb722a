"""Indexing in all of NumPy's forms, and changed copies by the same forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.errors import (
    AxisError,
    BoundsError,
    DTypeError,
    ShapeError,
    SymbolicError,
    UnsupportedError,
)
from symgraph.ir.dim import Dim, evaluate, single_atom
from symgraph.ir.op import find_op
from symgraph.ops import at, index
from symgraph.ops.leaves import tensor
from symgraph.ops.update import SCATTER
from tests.tables.structural import by_loops, check, gradients, inputs, value

n = Dim("n")
HOW = {"set": None, "add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}


def numbers(*dims):
    return np.random.default_rng(3).normal(size=dims)


def distinct(*dims):
    """An array whose elements tell where they come from."""
    return np.arange(float(np.prod(dims))).reshape(dims)


def changed(x, key, values, how):
    """NumPy's x.at[key]: repeated places combine in order."""
    found = x.copy()
    if how == "set":
        found[key] = values
    else:
        HOW[how].at(found, key, values)
    return found


# --- any key, against NumPy


@st.composite
def keys(draw):
    """A shape of up to four axes and a key that fits it."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=0, max_size=4)))
    common = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    pieces, axis, rest = [], 0, False
    while axis < len(shape):
        length = shape[axis]
        kinds = ["slice", "new", "array", "mask"] + ["int"] * (length > 0) + ["rest"] * (not rest)
        kind = draw(st.sampled_from([*kinds, "stop"]))
        if kind == "stop":
            break
        if kind == "new":
            pieces.append(None)
            continue
        if kind == "rest":
            pieces.append(Ellipsis)
            rest = True
            axis += draw(st.integers(0, len(shape) - axis))
            continue
        pieces.append(draw(selector(kind, length, common)))
        axis += 1
    used = sum(p is not None and p is not Ellipsis for p in pieces)
    if rest and used + sum(p is Ellipsis for p in pieces) > len(shape) + 1:
        pieces = [p for p in pieces if p is not Ellipsis]
    return _fitting(shape, pieces)


def selector(kind, length, common):
    """One piece of a key for an axis."""
    bound = st.one_of(st.none(), st.integers(-6, 6))
    if kind == "slice":
        step = st.sampled_from([None, 1, 2, 3, -1, -2])
        return st.builds(slice, bound, bound, step)
    if kind == "int":
        return st.integers(-length, length - 1)
    if kind == "mask":
        return st.lists(st.booleans(), min_size=length, max_size=length).map(
            lambda flags: np.array(flags, bool)
        )
    if length == 0:
        return st.just(np.zeros((0,), int))
    return st.sampled_from([common, common[-1:], ()]).flatmap(
        lambda shape: st.lists(
            st.integers(-length, length - 1),
            min_size=int(np.prod(shape)),
            max_size=int(np.prod(shape)),
        ).map(lambda flat, shape=shape: np.array(flat, int).reshape(shape))
    )


def _fitting(shape, pieces):
    """The key cut until NumPy takes it: what does not broadcast, or meets another axis, goes."""
    x = distinct(*shape)
    while True:
        try:
            x[tuple(pieces)]
            return shape, tuple(pieces)
        except (IndexError, ValueError):
            pieces = pieces[:-1]


@settings(max_examples=400)
@given(keys())
def test_every_key_selects_as_in_numpy(case):
    shape, key = case
    x = distinct(*shape)
    expected = x[key]
    (v,) = inputs([x])
    y = v[key]
    assert y.shape == expected.shape
    np.testing.assert_array_equal(value(y, [v], [x]), expected)
    np.testing.assert_array_equal(by_loops(y, [v], [x]), expected)


@settings(max_examples=200)
@given(keys())
def test_every_key_selects_from_unknown_lengths(case):
    shape, key = case
    x = distinct(*shape)
    expected = x[key]
    (v,) = inputs([x], known=False)
    y = v[key]
    sizes = {single_atom(d): k for d, k in zip(v.shape, shape, strict=True)}
    assert tuple(evaluate(d, sizes) for d in y.shape) == expected.shape
    np.testing.assert_array_equal(value(y, [v], [x]), expected)


@settings(max_examples=200)
@given(keys(), st.sampled_from(sorted(HOW)))
def test_every_key_changes_as_in_numpy(case, how):
    shape, key = case
    x = distinct(*shape)
    values = 3 - 2 * distinct(*x[key].shape)
    expected = changed(x, key, values, how)
    v, w = inputs([x, values])
    y = getattr(v.at[key], how)(w)
    np.testing.assert_array_equal(value(y, [v, w], [x, values]), expected)
    np.testing.assert_array_equal(by_loops(y, [v, w], [x, values]), expected)


@settings(max_examples=100)
@given(keys())
def test_every_key_sends_gradients_back(case):
    shape, key = case
    x = distinct(*shape)
    (v,) = inputs([x])
    y = v[key]
    seed = 1 + distinct(*y.shape)
    ((_, g),) = gradients(y, [v], seed)
    expected = np.zeros(shape)
    np.add.at(expected, key, seed)
    assert g.type == v.type
    np.testing.assert_array_equal(value(g, [v], [x]), expected)


# --- slices


BOUNDS = (None, 0, 1, 2, 3, -1, -2, -3)
STEPS = (None, 1, 2, 3, -1, -2, -3)


@pytest.mark.parametrize("step", STEPS)
def test_slices_of_unknown_lengths_are_exact_for_every_size(step):
    v = tensor("v", shape=("n",))
    (atom,) = n.atoms
    for start, stop in itertools.product(BOUNDS, BOUNDS):
        key = slice(start, stop, step)
        y = v[key]
        for size in range(7):
            x = distinct(size)
            assert evaluate(y.shape[0], {atom: size}) == len(x[key]), (key, size)
            np.testing.assert_array_equal(value(y, [v], [x]), x[key])


@pytest.mark.parametrize("step", [1, 2, -1, -2])
def test_slices_by_dims_are_exact_for_every_size(step):
    v = tensor("v", shape=("n",))
    (atom,) = n.atoms
    bounds = [
        (None, lambda k: None),
        (n, lambda k: k),
        (n - 2, lambda k: k - 2),
        (-n, lambda k: -k),
    ]
    bounds += [(2 - n, lambda k: 2 - k), (n // 2, lambda k: k // 2), (2, lambda k: 2)]
    for (start, low), (stop, high) in itertools.product(bounds, bounds):
        y = v[start:stop:step]
        for size in range(6):
            x = distinct(size)
            expected = x[low(size) : high(size) : step]
            assert evaluate(y.shape[0], {atom: size}) == len(expected), (start, stop, size)
            np.testing.assert_array_equal(value(y, [v], [x]), expected)


def test_slices_of_equal_lengths_have_equal_dims():
    v = tensor("v", shape=("n",))
    assert (v[1:] - v[:-1]).node.checks == ()
    assert v[1:].shape == v[:-1].shape
    assert v[2:].shape == v[1:-1].shape == v[:-2].shape
    assert v[-3:].shape == v[:3].shape
    assert v[::-1].shape == (n,)
    assert v[:].node is v[0:].node is v[:n].node is v.node
    assert v[::-1][::-1].shape == (n,)


def test_slices_with_bounds_that_only_the_call_tells():
    v, low, high = tensor("v", ("n", 2)), tensor("low", (), "int64"), tensor("high", (), "int32")
    for step in (None, 2, -1, -2):
        y = v[low:high:step]
        assert y.ndim == 2
        for size, a, b in itertools.product((0, 3), range(-5, 6), (-4, -1, 0, 2, 7)):
            x = distinct(size, 2)
            found = value(y, [v, low, high], [x, np.int64(a), np.int32(b)])
            np.testing.assert_array_equal(found, x[a:b:step])


def test_computed_slices_of_several_axes_are_independent():
    v, k = tensor("v", (3, 4)), tensor("k", (), "int64")
    x = distinct(3, 4)
    y = v[k:, :k]
    np.testing.assert_array_equal(value(y, [v, k], [x, np.int64(2)]), x[2:, :2])
    z = v.at[k:, :k].add(1.0)
    np.testing.assert_array_equal(
        value(z, [v, k], [x, np.int64(1)]), changed(x, np.s_[1:, :1], 1, "add")
    )
    mixed = v[k:, [0, 2]]
    np.testing.assert_array_equal(value(mixed, [v, k], [x, np.int64(1)]), x[1:, [0, 2]])


def test_integers_that_only_the_call_tells():
    v, k = tensor("v", ("n", 3)), tensor("k", (), "int64")
    x = distinct(4, 3)
    for place in (-4, -1, 0, 3):
        np.testing.assert_array_equal(value(v[k], [v, k], [x, np.int64(place)]), x[place])
        np.testing.assert_array_equal(value(v[k, -1], [v, k], [x, np.int64(place)]), x[place, -1])
        y = v.at[k, 1:].set(0.0)
        expected = changed(x, np.s_[place, 1:], 0, "set")
        np.testing.assert_array_equal(value(y, [v, k], [x, np.int64(place)]), expected)


def test_the_last_element_of_an_unknown_length_is_checked_at_the_call():
    v = tensor("v", shape=("n",))
    (found,) = v[-1].node.inputs[0].checks
    assert (found.kind, found.left, found.right) == ("at_least", n - 1, 0)
    (found,) = v[2].node.inputs[0].checks
    assert (found.kind, found.left, found.right) == ("at_least", n, 3)
    assert value(v[n - 1], [v], [distinct(3)]) == 2


# --- arrays


def test_arrays_that_only_the_call_tells():
    x, i, j = numbers(4, 3, 2), np.array([[0, -1], [2, 2]]), np.array([1, -3])
    check(lambda x, i, j: x[i, j], lambda x, i, j: x[i, j], x, i, j)
    check(lambda x, i, j: x[i, :, [1]], lambda x, i, j: x[i, :, [1]], x, i, j)
    check(lambda x, i, j: x[1:, j, None], lambda x, i, j: x[1:, j, None], x, i, j)
    check(
        lambda x, i, j: x[i.astype("uint8") % 4], lambda x, i, j: x[i.astype("uint8") % 4], x, i, j
    )


def test_take_is_as_in_numpy():
    x, i = numbers(3, 4), np.array([[0, 5], [-2, -7]])
    for mode in ("wrap", "clip"):
        check(
            lambda x, i, mode=mode: np.take(x, i, axis=1, mode=mode),
            lambda x, i, mode=mode: np.take(x, i, axis=1, mode=mode),
            x,
            i,
        )
    check(lambda x, i: np.take(x, i), lambda x, i: np.take(x, i), x, i)
    check(lambda x: x.take([1, -1], 0), lambda x: x.take([1, -1], 0), x)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis_is_as_in_numpy(axis):
    x = numbers(3, 4)
    i = np.argsort(x, axis=axis)[:2, :3]
    i = i[:, :1] if axis == 0 else i[:1]
    dims = (2, 4) if axis == 0 else (3, 3)
    i = np.broadcast_to(i, dims).copy()

    def function(x, i):
        return np.take_along_axis(x, i, axis)

    check(function, function, x, i)


def test_put_along_axis_gives_a_changed_copy():
    x, i = numbers(2, 3), np.array([[2], [0]])
    expected = x.copy()
    np.put_along_axis(expected, i, 9.0, 1)
    check(lambda x, i: at.put_along_axis(x, i, 9.0, 1), lambda x, i: expected, x, i)


def test_compress_takes_where_a_known_condition_holds():
    x = numbers(3, 2)
    flags = [True, False, True]
    for axis in (0, None):
        check(
            lambda x, axis=axis: np.compress(flags, x, axis=axis),
            lambda x, axis=axis: np.compress(flags, x, axis=axis),
            x,
        )


def test_dynamic_slice_moves_the_start_inside():
    x = distinct(5, 3)
    v, k = tensor("v", (5, 3)), tensor("k", (), "int64")
    y = index.dynamic_slice(v, [k, 0], [2, 3])
    assert y.shape == (2, 3)
    for place, start in ((-3, 0), (1, 1), (4, 3), (9, 3)):
        np.testing.assert_array_equal(value(y, [v, k], [x, np.int64(place)]), x[start : start + 2])


# --- changed copies


KEYS = [
    np.s_[1],
    np.s_[:, 1:],
    np.s_[::-2, None, 0],
    np.s_[[0, 2, 0]],
    np.s_[[0, 2, 0], [1, 1, 1]],
    np.s_[1:, [1, 0]],
    np.s_[..., [[True, False, True]] * 3],
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("number", range(len(KEYS)))
def test_gradients_of_changed_copies(how, number):
    key = KEYS[number]
    key = np.array(key[1]) if isinstance(key, tuple) and key[0] is Ellipsis else key
    x = numbers(3, 3)
    values = np.random.default_rng(4).normal(size=x[key].shape)
    check(
        lambda x, v: getattr(x.at[key], how)(v),
        lambda x, v: changed(x, key, v, how),
        x,
        values,
        unknown=number != 6,
    )


def test_values_broadcast_and_numbers_are_weak():
    x = numbers(3, 2)
    check(lambda x: x.at[1:].set(7), lambda x: changed(x, np.s_[1:], 7, "set"), x)
    check(
        lambda x: x.at[[0, 1]].add(np.array([1.0, 2])),
        lambda x: changed(x, np.s_[[0, 1]], np.array([1.0, 2]), "add"),
        x,
    )
    check(lambda x: x.at[0, 0].subtract(1), lambda x: changed(x, np.s_[0, 0], -1, "add"), x)
    check(lambda x: x.at[()].set(1.0), lambda x: np.ones_like(x), x)


def test_the_last_of_repeated_places_stays_and_has_the_gradient():
    x, i, values = numbers(4), np.array([1, 3, 1, 1]), numbers(4)
    check(lambda x, i, v: x.at[i].set(v), lambda x, i, v: changed(x, i, v, "set"), x, i, values)
    v, w = inputs([x, values])
    (_, (_, g)) = gradients(v.at[i].set(w), [v, w], np.ones(4))
    assert value(g, [v, w], [x, values]).tolist() == [0, 1, 0, 1]


def test_ties_of_min_and_max_share_the_gradient():
    x, values = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    v, w = inputs([x, values])
    for y in (v.at[:].max(w), v.at[[0, 1]].max(w)):
        (_, g), (_, h) = gradients(y, [v, w], np.ones(2))
        assert value(g, [v, w], [x, values]).tolist() == [0.5, 0]
        assert value(h, [v, w], [x, values]).tolist() == [0.5, 1]


def test_masks_that_only_the_call_tells_write_by_where():
    x = numbers(3, 2)
    for how in HOW:
        check(
            lambda x, how=how: getattr(x.at[x > 0], how)(0.25),
            lambda x, how=how: changed(x, x > 0, 0.25, how),
            x,
        )
    rows = np.array([True, False, True])
    check(
        lambda x, m: x.at[m].set([1.0, 2.0]), lambda x, m: changed(x, m, [1.0, 2.0], "set"), x, rows
    )


def test_places_known_to_differ_are_marked():
    v, i = tensor("v", (4, 4)), tensor("i", (), "int64")
    assert v.at[[0, 2]].add(1.0).node.attrs["unique"]
    assert v.at[[0, -3]].add(1.0).node.attrs["unique"]
    assert v.at[i].add(1.0).node.attrs["unique"]
    assert v.at[i:].add(1.0).node.attrs["unique"]
    assert not v.at[[0, 0]].add(1.0).node.attrs["unique"]
    assert not v.at[[0, -4]].add(1.0).node.attrs["unique"]
    assert v.at[1].add(1.0).node.op.name == "update_slice"


@pytest.mark.parametrize(
    ("function", "unique"),
    [
        (lambda v: v[[0, 2]], True),
        (lambda v: v[[0, 0]], False),
        (lambda v: np.diagonal(v, 1), True),
        (lambda v: np.take_along_axis(v, v.argmax(1, keepdims=True), 1), False),
        (lambda v: v[index.iota(4)[:, None], index.iota(4)], False),  # may be outside
        (lambda v: np.pad(v, 1, "edge"), False),
    ],
)
def test_gradients_know_whether_places_differ(function, unique):
    x = numbers(4, 4)
    (v,) = inputs([x])
    y = function(v)
    ((_, g),) = gradients(y, [v], np.ones(y.shape))
    assert g.node.op.name == "scatter"
    assert g.node.attrs["unique"] == unique


def test_scatter_takes_what_gather_takes():
    v, i = tensor("v", (2, 5)), tensor("i", (3,), "int64")
    y = SCATTER(v, 1.0, i, axes=(1,), position=1, how="add")
    assert y.node.inputs[1].tensor.shape == (2, 3)
    places = np.array([4, 4, -5])
    found = value(y, [v, i], [np.zeros((2, 5)), places])
    assert found.tolist() == [[1, 0, 0, 0, 2]] * 2


# --- mistakes

x = tensor("x", shape=(2, 3))
v = tensor("v", shape=("n",))
MISTAKES = [
    (lambda: x[2], BoundsError, "index 2 is outside axis 0 of length 2"),
    (lambda: x[0, -4], BoundsError, "index -4 is outside axis 1 of length 3"),
    (lambda: x[:, [0, 3]], BoundsError, "index 3 is outside axis 1 of length 3"),
    (lambda: x[0, 0, 0], AxisError, "too many indices: 3 for 2 axes"),
    (lambda: x[..., ...], AxisError, "only one Ellipsis"),
    (lambda: x[1.0], DTypeError, "an index cannot have dtype float64"),
    (lambda: x[x], DTypeError, "an index cannot have dtype float64"),
    (lambda: x[x > 0], UnsupportedError, "a mask whose count only the call tells"),
    (lambda: x[::0], ShapeError, "an integer other than 0, not 0"),
    (lambda: x[0.5:], DTypeError, "a bound of a slice must be an integer"),
    (lambda: x[[0, 1], [0, 1, 2]], ShapeError, "do not broadcast"),
    (lambda: x.at[0].set(np.ones(2)), ShapeError, "does not broadcast"),
    (lambda: x.at[x > 0].set(np.ones(4)), ShapeError, "values with 1 axes at a mask with 2 axes"),
    (lambda: tensor("i", (2,), "int8").at[0].set(0.5), DTypeError, "float64 do not go into int8"),
    (lambda: x.__setitem__(0, 1), SymbolicError, "write x = x.at[idx].set(value)"),
    (lambda: np.take(x, [0], mode="bounce"), ShapeError, "take has no mode 'bounce'"),
    (lambda: np.take_along_axis(x, np.zeros(2, int), 0), ShapeError, "needs indices with 2 axes"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_named(number):
    build, error, text = MISTAKES[number]
    with pytest.raises(error) as found:
        build()
    assert text in str(found.value)


def test_a_refused_mask_says_what_to_write_instead():
    with pytest.raises(UnsupportedError) as found:
        x[x > 0]
    assert "sg.where(mask, x, other)" in str(found.value)
    assert "test_index.py" in str(found.value)


def test_indices_outside_stop_the_loop_program():
    from symgraph.loop.interp import Failed

    w, i = tensor("w", (3,)), tensor("i", (2,), "int64")
    for places in ([0, 3], [-4, 0]):
        for y in (w[i], w.at[i].set(0.0)):
            with pytest.raises(Failed) as found:
                by_loops(y, [w, i], [numbers(3), np.array(places)])
            bad = next(p for p in places if not -3 <= p < 3)
            assert found.value.facts[:2] == (bad, 3)


def test_slices_and_integers_are_one_node():
    found = x[0].node
    assert found.op.name == "squeeze"
    assert found.inputs[0].op.name == "slice"
    assert x[1:, ::2].node.op.name == "slice"
    assert find_op("gather") is x[[0, 1]].node.op
