"""Movement of elements: reshape, transpose, expand, broadcast, join, repeat, roll, pad."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from symgraph.errors import (
    ArgumentError,
    AxisError,
    ShapeError,
    SymbolicError,
    SymgraphError,
    UnsupportedError,
)
from symgraph.ir.dim import Dim
from symgraph.ir.op import find_op
from symgraph.ops import broadcast, join, shape
from symgraph.ops.convert import make
from symgraph.ops.leaves import tensor
from symgraph.ops.pad import pad
from tests.tables.structural import by_loops, check, gradients, inputs, value

n, m = Dim("n"), Dim("m")


def numbers(*dims):
    return np.random.default_rng(1).normal(size=dims)


CASES = {
    "reshape": (lambda x: x.reshape(3, 8), lambda x: x.reshape(3, 8), (2, 3, 4)),
    "reshape to one": (lambda x: x.reshape(-1), lambda x: x.reshape(-1), (2, 3)),
    "reshape with rest": (
        lambda x: np.reshape(x, (2, -1, 2)),
        lambda x: x.reshape(2, -1, 2),
        (4, 6),
    ),
    "reshape of a scalar": (lambda x: x.reshape((1, 1)), lambda x: x.reshape(1, 1), ()),
    "reshape of nothing": (lambda x: x.reshape((4, 0)), lambda x: x.reshape(4, 0), (0, 3)),
    "reshape by columns": (
        lambda x: shape.reshape(x, (3, 4), order="F"),
        lambda x: x.reshape((3, 4), order="F"),
        (2, 6),
    ),
    "ravel": (np.ravel, np.ravel, (2, 3, 2)),
    "T": (lambda x: x.T, lambda x: x.T, (2, 3, 4)),
    "transpose": (lambda x: x.transpose(1, -1, 0), lambda x: x.transpose(1, 2, 0), (2, 3, 4)),
    "mT": (lambda x: x.mT, lambda x: x.mT, (2, 3, 4)),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), (2, 3, 4)),
    "moveaxis": (
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
        (2, 3, 4),
    ),
    "rollaxis": (lambda x: np.rollaxis(x, 2, 1), lambda x: np.rollaxis(x, 2, 1), (2, 3, 4)),
    "expand_dims": (
        lambda x: np.expand_dims(x, (0, -1)),
        lambda x: np.expand_dims(x, (0, -1)),
        (2, 3),
    ),
    "squeeze": (lambda x: np.squeeze(x, (0, 2)), lambda x: x.squeeze((0, 2)), (1, 2, 1)),
    "broadcast_to": (
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        (3, 1),
    ),
    "atleast_3d": (np.atleast_3d, np.atleast_3d, (4,)),
    "flip": (lambda x: np.flip(x, (0, -1)), lambda x: np.flip(x, (0, -1)), (2, 3, 4)),
    "flip all": (np.flip, np.flip, (2, 3)),
    "rot90": (lambda x: np.rot90(x, 3, (1, 2)), lambda x: np.rot90(x, 3, (1, 2)), (2, 3, 4)),
    "roll": (lambda x: np.roll(x, 2, 1), lambda x: np.roll(x, 2, 1), (2, 5)),
    "roll flat": (lambda x: np.roll(x, -3), lambda x: np.roll(x, -3), (2, 5)),
    "roll both": (
        lambda x: np.roll(x, (7, 1), (0, 1)),
        lambda x: np.roll(x, (7, 1), (0, 1)),
        (3, 2),
    ),
    "tile": (lambda x: np.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), (2, 2)),
    "tile less": (lambda x: np.tile(x, 2), lambda x: np.tile(x, 2), (2, 3)),
    "repeat": (lambda x: np.repeat(x, 3, axis=1), lambda x: np.repeat(x, 3, axis=1), (2, 2)),
    "repeat flat": (lambda x: np.repeat(x, 2), lambda x: np.repeat(x, 2), (2, 2)),
    "repeat each": (
        lambda x: np.repeat(x, [2, 0, 1], axis=0),
        lambda x: np.repeat(x, [2, 0, 1], axis=0),
        (3, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_movement_is_as_in_numpy(name):
    function, numpy, dims = CASES[name]
    check(function, numpy, numbers(*dims))


JOINS = {
    "concat": (lambda a, b: np.concatenate([a, b]), [(2, 3), (4, 3)]),
    "concat inner": (lambda a, b: np.concatenate((a, b), axis=-1), [(2, 3), (2, 1)]),
    "concat nothing": (lambda a, b: np.concatenate((a, b), axis=0), [(0, 2), (3, 2)]),
    "concat flat": (lambda a, b: np.concatenate((a, b), axis=None), [(2, 2), (3,)]),
    "stack": (lambda a, b: np.stack([a, b, a], axis=1), [(2, 3), (2, 3)]),
    "vstack": (lambda a, b: np.vstack([a, b]), [(3,), (2, 3)]),
    "hstack": (lambda a, b: np.hstack([a, b]), [(2, 3), (2, 1)]),
    "hstack of vectors": (lambda a, b: np.hstack([a, b]), [(2,), (3,)]),
    "dstack": (lambda a, b: np.dstack([a, b]), [(2, 3), (2, 3)]),
    "append": (lambda a, b: np.append(a, b, axis=0), [(2, 3), (1, 3)]),
    "column_stack": (lambda a, b: np.column_stack([a, b]), [(2,), (2, 3)]),
}


@pytest.mark.parametrize("name", JOINS)
def test_joining_is_as_in_numpy(name):
    function, dims = JOINS[name]
    check(function, function, *[numbers(*d) + k for k, d in enumerate(dims)])


MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("widths", [1, (2, 5), ((0, 3), (4, 0)), ((7, 8),)])
def test_pad_is_as_in_numpy(mode, widths):
    def function(x):
        return np.pad(x, widths, mode)

    check(function, function, numbers(3, 2))


def test_pad_reflects_a_single_element():
    check(lambda x: np.pad(x, 3, "reflect"), lambda x: np.pad(x, 3, "reflect"), numbers(1))


def test_pad_with_a_constant_for_each_side():
    def function(x):
        return np.pad(x, ((1, 2), (0, 1)), constant_values=((1, 2), (3, 4)))

    check(function, function, numbers(2, 2))


def test_pad_by_dims():
    x = tensor("x", shape=("n",))
    y = pad(x, (n, 1), constant_values=9)
    assert str(y.type) == "float64[2*n + 1]"
    assert value(y, [x], [np.ones(2)]).tolist() == [9, 9, 1, 1, 9]


@pytest.mark.parametrize("parts", [3, [1, 4], [2, 2, 9]])
def test_split_is_as_in_numpy(parts):
    x = numbers(2, 6)
    expected = np.split(x, parts, axis=1)
    for k, part in enumerate(expected):
        check(lambda x, k=k: np.split(x, parts, axis=1)[k], lambda x, part=part: part, x)


def test_array_split_gives_longer_parts_first():
    (x,) = inputs([np.arange(7.0)])
    lengths = [p.shape for p in np.array_split(x, 3)]
    assert lengths == [(3,), (2,), (2,)]


def test_unstack_gives_the_parts_of_an_axis():
    x = numbers(2, 3)
    for k in range(3):
        check(lambda x, k=k: join.unstack(x, axis=1)[k], lambda x, k=k: x[:, k], x, unknown=False)


def test_broadcast_arrays_to_their_common_shape():
    a, b = numbers(3, 1), numbers(2)
    check(
        lambda a, b: np.broadcast_arrays(a, b)[0], lambda a, b: np.broadcast_arrays(a, b)[0], a, b
    )


def test_dimshuffle_is_theanos():
    x = numbers(2, 1, 3)
    check(lambda x: x.dimshuffle(2, "x", 0), lambda x: x[:, 0].T[:, None, :], x)
    check(lambda x: x.dimshuffle("x", 0, 1, 2), lambda x: x[None], x)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32", "complex64"])
def test_every_dtype_moves(dtype):
    x = (numbers(2, 3) * 3).astype(dtype)
    for function in (lambda x: x.T, lambda x: np.roll(x, 1, 0), lambda x: np.tile(x, 2)):
        check(function, function, x)


def test_stack_promotes_and_numbers_are_weak():
    x = tensor("x", shape=(), dtype="float32")
    assert join.stack([x, 1.5]).dtype == np.float32
    assert join.stack([x, np.float64(1.5)]).dtype == np.float64
    assert np.concatenate([tensor("i", (2,), "int8"), tensor("j", (2,), "uint8")]).dtype == np.int16


def test_nodes_are_canonical():
    x = tensor("x", shape=(2, 3))
    assert x.T.node is x.swapaxes(0, 1).node is np.moveaxis(x, 0, 1).node
    assert x.reshape(2, 3).node is x.node
    assert x.flatten().node is x.reshape(-1).node is x.ravel().node
    assert x.transpose(0, 1) is x


# --- symbolic dims


def test_reshape_resolves_the_rest_of_symbolic_shapes():
    x = tensor("x", shape=("n", 4, "m"))
    assert x.reshape(-1).shape == (4 * n * m,)
    assert x.reshape(n, -1).shape == (n, 4 * m)
    assert x.reshape((-1, 2, m)).shape == (2 * n, 2, m)
    assert x.reshape((4, m, -1)).shape == (4, m, n)


def test_reshape_checks_at_the_call_what_is_not_known():
    x = tensor("x", shape=("n",))
    y = x.reshape(3, -1)
    (check_,) = y.node.checks
    assert check_.kind == "equal"
    assert value(y, [x], [np.arange(6.0)]).tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ((2, 3, n), (6, n), [([0, 1], [0]), ([2], [1])]),
        ((n, m), (n * m,), [([0, 1], [0])]),
        ((n, 1, m), (n, m), [([0], [0]), ([1, 2], [1])]),
        ((n, 6), (2, n, 3), [([0, 1], [0, 1, 2])]),
        ((), (1, 1), [([], [0]), ([], [1])]),
    ],
)
def test_reshape_groups_axes(left, right, expected):
    assert shape.groups(left, right) == expected


def test_reshape_reads_its_input_at_the_right_place():
    element = find_op("reshape").element
    for dims, target in [
        ((2, 3, 4), (6, 4)),
        ((6, 4), (2, 3, 4)),
        ((4, 6), (3, 8)),
        ((2, 1, 3), (3, 2)),
    ]:
        x = np.arange(np.prod(dims)).reshape(dims)
        found = [_read(element, x, target, place) for place in np.ndindex(target)]
        assert found == x.ravel().tolist()


def _read(element, x, target, place):
    """One element of a row of kind index, with its words computed at once on ints."""
    from symgraph.ir.type import TensorType
    from symgraph.lower.words import SizeNames, WordBuilder

    b = WordBuilder(SizeNames())

    class Plain:
        shape, dtype = x.shape, x.dtype

        def __call__(self, index):
            return index

    out = TensorType(x.dtype, target)
    index = tuple(b.const(i) for i in place)
    return x[tuple(_number(i) for i in element(b, index, [Plain()], out, {"shape": target}))]


def _number(x):
    from symgraph.loop.interp import Scope, integer

    return integer(x, Scope({}, {}))


def test_sum_to_decides_when_dims_are_known():
    x = tensor("x", shape=(2, "n", "m"))
    y = broadcast.sum_to(x, (n, 1))
    assert y.node.op.name == "sum_to"
    assert y.shape == (n, 1)
    for a, b in itertools.product((1, 3), (1, 2)):
        array = numbers(2, a, b)
        assert np.allclose(value(y, [x], [array]), array.sum((0, 2)).reshape(a, 1), atol=1e-14)
    known = tensor("k", shape=(2, 3, 4))
    check_by_loops = make("sum_to", [known], shape=(3, 1))
    array = numbers(2, 3, 4)
    found = by_loops(check_by_loops, [known], [array])
    assert np.allclose(found, array.sum((0, 2)).reshape(3, 1), atol=1e-14)


def test_gradient_of_broadcasting_sums():
    x = tensor("x", shape=("n", 1))
    y = broadcast.broadcast_to(x, (2, n, 3))
    seed = numbers(2, 4, 3)
    ((_, g),) = gradients(y, [x], seed)
    assert np.allclose(value(g, [x], [numbers(4, 1)]), seed.sum((0, 2))[:, None], atol=1e-14)


def test_broadcast_to_checks_unknown_lengths_at_the_call():
    x = tensor("x", shape=("n",))
    (found,) = broadcast.broadcast_to(x, (2, 3)).node.checks
    assert (found.kind, found.left, found.right) == ("expand", n, 3)


def test_split_of_an_unknown_length_checks_that_it_goes_up():
    x = tensor("x", shape=("n",))
    first = join.split(x, 3)[0]
    assert value(first, [x], [np.arange(6.0)]).tolist() == [0, 1]
    assert first.node.inputs[0].checks[0].kind == "equal"


def test_roll_by_what_only_the_call_tells():
    x, k = tensor("x", ("n",)), tensor("k", (), "int64")
    y = np.roll(x, k)
    for shift in (-5, 0, 2):
        expected = np.roll(np.arange(4.0), shift)
        assert value(y, [x, k], [np.arange(4.0), np.int64(shift)]).tolist() == expected.tolist()


# --- mistakes

x = tensor("x", shape=(2, 3))
v = tensor("v", shape=("n",))
MISTAKES = [
    (lambda: x.reshape(4, 2), ShapeError, "reshape: number of elements: 6 is not 8"),
    (lambda: x.reshape(4, -1), ShapeError, "6 elements do not fill shape (4, -1)"),
    (lambda: x.reshape(-1, -1), ShapeError, "only one axis can be -1"),
    (
        lambda: np.concatenate([x, tensor("w", shape=(2, 4))]),
        ShapeError,
        "concat: length of axis 1: 3 is not 4",
    ),
    (lambda: np.concatenate([x, v]), ShapeError, "concat: arrays with 2 and 1 axes"),
    (lambda: join.concat([]), ArgumentError, "concat needs at least one array"),
    (lambda: np.stack([x, x.T]), ShapeError, "stack: length of axis 0: 2 is not 3"),
    (lambda: x.transpose(0, 0), AxisError, "each of 2 axes once"),
    (lambda: x.swapaxes(0, 2), AxisError, "axis 2 of an array with 2 axes"),
    (lambda: np.expand_dims(x, 4), AxisError, "axis 4"),
    (lambda: x.squeeze(0), ShapeError, "length of axis 0 to drop: 2 is not 1"),
    (lambda: v.mT, AxisError, "a matrix transpose needs at least 2 axes"),
    (lambda: np.broadcast_to(x, (4, 3)), ShapeError, "an axis of length 2 does not broadcast to 4"),
    (lambda: np.broadcast_to(x, (3,)), ShapeError, "2 axes do not broadcast to 1"),
    (lambda: np.split(x, 2, axis=1), ShapeError, "3 elements do not split into 2 equal parts"),
    (lambda: join.unstack(v), ShapeError, "whose length n is not known"),
    (lambda: np.pad(x, 1, "mean"), ShapeError, "pad has no mode 'mean'"),
    (lambda: np.pad(x, -1), ShapeError, "cannot be negative"),
    (lambda: x.dimshuffle(0, 0), AxisError, "names an axis twice"),
    (lambda: x.dimshuffle(0), ShapeError, "length of axis 1 to drop: 3 is not 1"),
    (
        lambda: x.reshape(tensor("k", (), "int64"), 2),
        UnsupportedError,
        "a length computed from data",
    ),
    (lambda: np.packbits(x), SymbolicError, "np.packbits does not take variables"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_named(number):
    build, error, text = MISTAKES[number]
    with pytest.raises(error) as found:
        build()
    assert text in str(found.value)
    assert isinstance(found.value, SymgraphError)


def test_errors_name_the_variable_and_the_line():
    with pytest.raises(ShapeError) as found:
        np.concatenate([x, tensor("weights", shape=(2, 4))])
    text = str(found.value)
    assert "weights: float64[2, 4]" in text
    assert "test_shape.py" in text
    assert "all axes but the one joined must agree" in text
