"""Arrays from nothing: values, dtypes and lengths as NumPy's; lengths that only the call tells."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from symgraph.config import config
from symgraph.errors import ShapeError
from symgraph.ir.dim import Dim, evaluate
from symgraph.ops import create
from symgraph.ops.evaluate import evaluate as values_of
from symgraph.ops.leaves import tensor
from tests.tables.structural import by_loops, check, close, gradients, inputs, value

n, m = Dim("n"), Dim("m")


def numbers(*dims):
    return np.random.default_rng(6).normal(size=dims)


def same(y, expected):
    """A graph without inputs has NumPy's type and value."""
    assert y.dtype == expected.dtype
    assert y.shape == expected.shape
    close(value(y, [], []), expected, expected.dtype)
    close(by_loops(y, [], []), expected, expected.dtype)


@pytest.mark.parametrize(
    "bounds",
    [
        (5,),
        (0,),
        (-3,),
        (2, 7),
        (7, 2),
        (1, 10, 3),
        (10, 1, -4),
        (0.5, 3),
        (0, 1, 0.1),
        (3, 0, -0.5),
    ],
)
def test_arange_is_as_in_numpy(bounds):
    same(create.arange(*bounds), np.arange(*bounds))
    for dtype in ("int16", "float32", "float64"):
        if all(isinstance(b, int) for b in bounds):
            same(create.arange(*bounds, dtype=dtype), np.arange(*bounds, dtype=dtype))


def test_arange_by_dims_is_exact_for_every_size():
    cases = [
        (create.arange(n), lambda k: np.arange(k)),
        (create.arange(2, n), lambda k: np.arange(2, k)),
        (create.arange(n, 1, -2), lambda k: np.arange(k, 1, -2)),
        (create.arange(1, 2 * n, 3), lambda k: np.arange(1, 2 * k, 3)),
    ]
    (atom,) = n.atoms
    for (y, expected), size in itertools.product(cases, range(6)):
        assert evaluate(y.shape[0], {atom: size}) == len(expected(size))
        (found,) = values_of([y.node], {}, {atom: size})
        assert found.tolist() == expected(size).tolist()


def test_arange_of_what_only_the_call_tells():
    a, b = tensor("a", (), "int64"), tensor("b", (), "int64")
    for y, expected in [
        (create.arange(b), lambda p, q: np.arange(q)),
        (create.arange(a, b), lambda p, q: np.arange(p, q)),
        (create.arange(a, b, -2), lambda p, q: np.arange(p, q, -2)),
        (create.arange(a, b, 3, dtype="float32"), lambda p, q: np.arange(p, q, 3, dtype="float32")),
    ]:
        assert y.ndim == 1
        for p, q in itertools.product((-2, 0, 5), (-1, 0, 4)):
            found = value(y, [a, b], [np.int64(p), np.int64(q)])
            assert found.tolist() == expected(p, q).tolist()
            assert found.dtype == y.dtype


def test_arange_of_computed_floats():
    a = tensor("a", (), "float64")
    y = create.arange(0.0, a, 0.5)
    assert value(y, [a], [np.float64(1.7)]).tolist() == [0, 0.5, 1, 1.5]


def test_computed_lengths_take_part_in_shapes():
    k = tensor("k", (), "int64")
    y = create.full((k, 2), 3.0)
    z = y + create.arange(y.shape[0])[:, None]
    assert value(z, [k], [np.int64(2)]).tolist() == [[3, 3], [4, 4]]
    assert value(create.zeros(k), [k], [np.int64(-4)]).shape == (0,)


@pytest.mark.parametrize("num", [0, 1, 2, 7])
@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace_is_as_in_numpy(num, endpoint):
    options = {"num": num, "endpoint": endpoint}
    same(create.linspace(0.1, 2, **options), np.linspace(0.1, 2, **options))
    same(
        create.linspace(0, 9, dtype="int64", **options), np.linspace(0, 9, dtype="int64", **options)
    )

    def function(a, b):
        return np.linspace(a, b, axis=1, **options)

    check(function, function, numbers(2), numbers(2))


def test_linspace_hits_its_end():
    assert value(create.linspace(0.0, 0.3, 11), [], [])[-1] == 0.3


def test_constants_of_a_shape():
    same(create.zeros((2, 3)), np.zeros((2, 3)))
    same(create.ones(4, "int8"), np.ones(4, "int8"))
    same(create.full((2,), 7), np.full((2,), 7))
    same(create.full((2,), 7, "float32"), np.full((2,), 7, "float32"))
    same(create.full((2, 2), [1.0, 2]), np.full((2, 2), [1.0, 2]))
    same(create.full((), 1.5), np.full((), 1.5))
    with config(floatX="float32"):
        same(create.empty((2,)), np.zeros((2,), "float32"))
    assert create.zeros((n, m)).shape == (n, m)


def test_like_takes_shape_and_dtype():
    x = tensor("x", shape=("n", 2), dtype="int32")
    for function, numpy in (
        (np.zeros_like, 0),
        (np.ones_like, 1),
        (lambda x: np.full_like(x, 7), 7),
        (np.empty_like, 0),
    ):
        y = function(x)
        assert str(y.type) == "int32[n, 2]"
        found = value(y, [x], [np.zeros((3, 2), "int32")])
        assert (found == numpy).all()
    assert np.zeros_like(x, dtype="float32").dtype == np.float32
    assert np.full_like(x, 1, shape=(4,)).shape == (4,)


@pytest.mark.parametrize("k", [-4, -1, 0, 1, 4])
def test_matrices_by_their_diagonals(k):
    same(create.eye(3, 4, k=k), np.eye(3, 4, k=k))
    same(create.tri(3, k=k, dtype="int32"), np.tri(3, k=k, dtype="int32"))
    x = numbers(2, 3, 4)
    check(lambda x: np.tril(x, k), lambda x: np.tril(x, k), x)
    check(lambda x: np.triu(x, k), lambda x: np.triu(x, k), x)
    check(lambda x: np.diagonal(x, k, 2, 0), lambda x: np.diagonal(x, k, 2, 0), x)
    check(lambda x: np.trace(x, k, 1, 2), lambda x: np.trace(x, k, 1, 2), x)
    check(lambda x: np.diag(x, k), lambda x: np.diag(x, k), numbers(3))
    check(lambda x: np.diag(x, k), lambda x: np.diag(x, k), numbers(3, 2))


def test_identity_of_a_dim():
    y = create.identity(n)
    assert y.shape == (n, n)
    (atom,) = n.atoms
    (found,) = values_of([y.node], {}, {atom: 3})
    assert found.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(axis):
    labels = np.array([[0, 2], [-1, 5]])
    expected = np.moveaxis((labels[..., None] == np.arange(3)).astype("float32"), -1, axis)
    check(lambda x: create.one_hot(x, 3, dtype="float32", axis=axis), lambda x: expected, labels)


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_meshgrid_is_as_in_numpy(indexing):
    arrays = [numbers(2), numbers(3), numbers(4)]
    for k in range(3):

        def function(*xs, k=k):
            return np.meshgrid(*xs, indexing=indexing)[k]

        check(function, function, *arrays)
    check(lambda x: np.meshgrid(x)[0], lambda x: np.meshgrid(x)[0], arrays[0])


def test_gradients_pass_a_diagonal():
    (x,) = inputs([numbers(3, 3)])
    ((_, g),) = gradients(np.trace(x), [x], np.array(2.0))
    assert value(g, [x], [numbers(3, 3)]).tolist() == (2 * np.eye(3)).tolist()


x = tensor("x", shape=(2, 3))
MISTAKES = [
    (lambda: create.arange(3, 1, 0), ShapeError, "a step other than 0"),
    (lambda: create.arange(n, 0.5), ShapeError, "arange of dims takes integers only"),
    (lambda: create.zeros((2, -1)), ShapeError, "a dimension cannot be negative: -1"),
    (lambda: create.zeros(tensor("k", (), "float64")), ShapeError, "must be an integer scalar"),
    (lambda: np.tril(tensor("v", (3,))), ShapeError, "tril needs at least 2 axes"),
    (lambda: np.diag(tensor("t", (1, 2, 3))), ShapeError, "a vector or a matrix, got 3 axes"),
    (lambda: np.diagonal(x, 0, 1, -1), ShapeError, "two different axes"),
    (lambda: create.one_hot(x, 3), ShapeError, "class numbers, which are integers"),
    (lambda: create.meshgrid(x, indexing="yx"), ShapeError, "indexing 'xy' or 'ij', not 'yx'"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_named(number):
    build, error, text = MISTAKES[number]
    with pytest.raises(error) as found:
        build()
    assert text in str(found.value)
