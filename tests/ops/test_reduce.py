"""Reductions and running folds: axes, dtypes, NaN, empty axes, ties, gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.special

from symgraph.errors import ArgumentError, AxisError, DTypeError, ShapeError, UnsupportedError
from symgraph.ir.dtype import ALL
from symgraph.ir.op import find_op
from symgraph.ops import reduce, running, statistics
from symgraph.ops.leaves import tensor
from tests.tables.structural import by_loops, check, close, gradients, inputs, value

NAMES = ("sum", "prod", "max", "min", "mean", "var", "std", "any", "all", "ptp")
AXES = (None, 0, -1, (0, 2), (), (2, -2, 0))


def numbers(*dims):
    return np.random.default_rng(2).normal(size=dims)


@pytest.mark.parametrize(
    ("name", "axis"),
    [(n, a) for n in NAMES for a in AXES if (n, a) != ("ptp", ())],  # which NumPy refuses
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_are_as_in_numpy(name, axis, keepdims):
    def function(x):
        return getattr(np, name)(x, axis=axis, keepdims=keepdims)

    slopes = name not in ("any", "all") and not (name in ("var", "std") and axis == ())
    check(function, function, numbers(2, 3, 2), slopes=slopes)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "any", "all", "max", "min", "var"])
@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_dtypes_are_numpys(name, dtype):
    x = (numbers(2, 3) * 4).astype(dtype)
    if name in ("max", "min") and dtype.kind == "c":
        with pytest.raises(DTypeError, match="real numbers and bool"):
            getattr(np, name)(*inputs([x]))
        return

    def function(x):
        return getattr(np, name)(x, axis=0)

    check(function, function, x)


def test_dtype_is_that_of_the_accumulation():
    x = np.full(300, 100, "int8")
    check(lambda x: x.sum(dtype="int16"), lambda x: x.sum(dtype="int16"), x)
    check(lambda x: x.mean(dtype="float32"), lambda x: x.mean(dtype="float32"), x)
    check(lambda x: np.cumsum(x, dtype="uint8"), lambda x: np.cumsum(x, dtype="uint8"), x)


def test_methods_are_the_functions():
    (x,) = inputs([numbers(2, 3)])
    for name in (
        "sum",
        "prod",
        "max",
        "min",
        "mean",
        "var",
        "std",
        "any",
        "all",
        "argmax",
        "argmin",
    ):
        assert getattr(x, name)(1).node is getattr(np, name)(x, axis=1).node


# --- special values


def test_nan_wins_maxima_and_their_places():
    rows = itertools.product((0.0, np.nan, 1.0, -np.inf, np.inf), repeat=3)
    x = np.array(list(rows))
    for name in ("max", "min", "argmax", "argmin"):

        def function(x, name=name):
            return getattr(np, name)(x, axis=1)

        check(function, function, x, slopes=False)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "float32"])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_of_equal_extremes_is_found(name, dtype):
    rows = np.array(list(itertools.product((0, 1, 3), repeat=3))).astype(dtype)
    for axis, keepdims in ((1, False), (0, True), (None, False), (None, True)):

        def function(x, axis=axis, keepdims=keepdims):
            return getattr(np, name)(x, axis=axis, keepdims=keepdims)

        check(function, function, rows)


def test_partial_folds_of_argmax_combine():
    """Lanes see every second element: the fold of each half, combined, is the fold of all."""
    from symgraph.loop.interp import Scope, evaluate
    from symgraph.lower.words import SizeNames, WordBuilder

    b, scope = WordBuilder(SizeNames()), Scope({}, {})
    dtype = np.dtype("float64")
    for values in itertools.product((0.0, np.nan, 2.0, -np.inf), repeat=4):
        for name in ("argmax", "argmin"):
            fold = find_op(name).fold
            halves = []
            for lane in (0, 1):
                state = fold.start(b, dtype)
                for place in range(lane, 4, 2):
                    state = fold.step(b, state, b.const(values[place], dtype), b.const(place))
                halves.append(state)
            for left, right in (halves, halves[::-1]):
                found = int(evaluate(fold.finish(b, fold.combine(b, left, right)), scope))
                assert found == getattr(np, name)(values)


def test_empty_axes():
    x = np.zeros((0, 3))
    check(lambda x: x.sum(0), lambda x: x.sum(0), x, slopes=False)
    check(lambda x: x.prod(0), lambda x: x.prod(0), x, slopes=False)
    check(lambda x: x.all(0), lambda x: x.all(0), x)
    check(lambda x: x.any(), lambda x: x.any(), x)
    check(lambda x: x.sum(1), lambda x: x.sum(1), x)
    check(lambda x: x.max(1), lambda x: x.max(1), x)
    for name in ("mean", "var"):
        (empty,) = inputs([x])
        assert np.isnan(value(getattr(empty, name)(0), [empty], [x])).all()


def test_variance_takes_off_degrees_of_freedom():
    x = numbers(2, 5)
    check(lambda x: x.var(1, ddof=1), lambda x: x.var(1, ddof=1), x)
    check(lambda x: np.std(x, correction=1), lambda x: np.std(x, ddof=1), x)
    (one,) = inputs([numbers(1)])
    assert np.isnan(value(one.var(ddof=1), [one], [numbers(1)]))


def test_variance_of_complex_numbers_is_real():
    x = numbers(2, 3) + 1j * numbers(3)
    check(lambda x: x.var(1), lambda x: x.var(1), x)


def test_variance_keeps_what_squares_would_lose():
    x = 1e8 + np.arange(5.0)
    check(np.var, np.var, x, slopes=False)


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_logsumexp(axis):
    def graph(x):
        return statistics.LOGSUMEXP(x, axis)

    check(graph, lambda x: np.float64(scipy.special.logsumexp(x, axis=axis)), numbers(3, 2))
    check(
        lambda x: statistics.LOGSUMEXP(x, axis, keepdims=True),
        lambda x: scipy.special.logsumexp(x, axis=axis, keepdims=True),
        numbers(3, 2),
    )


def test_logsumexp_at_its_limits():
    x = np.array([[1000, 1000], [-np.inf, 2], [-np.inf, -np.inf], [np.inf, 1], [np.nan, 1]])
    expected = np.array([1000 + np.log(2), 2, -np.inf, np.inf, np.nan])
    check(lambda x: statistics.LOGSUMEXP(x, 1), lambda x: expected, x, slopes=False)
    (v,) = inputs([x[:3]])
    ((_, g),) = gradients(statistics.LOGSUMEXP(v, 1), [v], np.ones(3))
    assert value(g, [v], [x[:3]]).tolist() == [[0.5, 0.5], [0, 1], [0, 0]]


def test_logsumexp_keeps_small_terms_beside_a_large_one():
    x = np.array([0.0, -40.0])
    check(lambda x: statistics.LOGSUMEXP(x), lambda x: np.log1p(np.exp(-40.0)), x, slopes=False)
    (v,) = inputs([x])
    found = by_loops(statistics.LOGSUMEXP(v), [v], [x])
    np.testing.assert_array_max_ulp(found, np.log1p(np.exp(-40.0)), 1)


def test_gradients_of_extremes_are_shared_between_equals():
    x = np.array([[1.0, 3, 3], [2, 2, 2]])
    (v,) = inputs([x])
    ((_, g),) = gradients(v.max(1), [v], np.ones(2))
    assert value(g, [v], [x]).tolist() == [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]


@pytest.mark.parametrize("zeros", [(), ((0, 1),), ((0, 1), (0, 2)), ((0, 0), (1, 2))])
def test_gradients_of_products_are_right_at_zeros(zeros):
    x = numbers(2, 3)
    for place in zeros:
        x[place] = 0
    check(lambda x: x.prod(1), lambda x: x.prod(1), x)
    check(lambda x: x.prod(), lambda x: x.prod(), x)
    check(lambda x: np.cumprod(x, axis=1), lambda x: np.cumprod(x, axis=1), x)
    check(lambda x: np.cumprod(x), lambda x: np.cumprod(x), x)


def test_second_derivatives_of_products_are_right_at_zeros():
    x = np.array([2.0, 0.0, 3.0, 0.0])
    (v,) = inputs([x])
    ((_, g),) = gradients(v.prod(), [v], np.array(1.0))
    for k in range(4):
        ((_, row),) = gradients(g[k], [v], np.array(1.0))
        expected = [
            0 if j == k else np.prod([x[i] for i in range(4) if i not in (j, k)]) for j in range(4)
        ]
        assert value(row, [v], [x]).tolist() == expected


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("initial", [False, True])
def test_running_folds(name, initial):
    numpy = {"cumulative_sum": np.cumsum, "cumulative_prod": np.cumprod}[name]
    start = 1.0 if name == "cumulative_prod" else 0.0
    for axis in (0, -1):

        def expected(x, axis=axis):
            found = numpy(x, axis=axis)
            if not initial:
                return found
            pad = [(0, 0)] * 3
            pad[axis] = (1, 0)
            return np.pad(found, pad, constant_values=start)

        row = find_op(name)
        check(
            lambda x, axis=axis, row=row: row(x, axis, include_initial=initial),
            expected,
            numbers(2, 3, 2),
        )


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint8", "float32", "complex64"])
def test_running_folds_have_numpys_dtypes(dtype):
    x = (numbers(5) * 3).astype(dtype)
    check(np.cumsum, np.cumsum, x)
    check(np.cumprod, np.cumprod, x)


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, 0.5, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [None, 1])
def test_vector_norms(order, axis):
    x = numbers(2, 3)
    if axis is None:
        x = x.ravel()

    def function(x):
        return np.linalg.norm(x, order, axis=axis)

    check(function, function, x, slopes=order != 0)


@pytest.mark.parametrize("order", ["fro", 1, -1, np.inf, -np.inf])
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norms(order, keepdims):
    def function(x):
        return np.linalg.norm(x, order, axis=(0, 2), keepdims=keepdims)

    check(function, function, numbers(2, 3, 2))


def test_the_norm_has_a_gradient_at_the_origin():
    (v,) = inputs([np.zeros(3)])
    ((_, g),) = gradients(statistics.vector_norm(v), [v], np.array(1.0))
    assert value(g, [v], [np.zeros(3)]).tolist() == [0, 0, 0]


def test_count_nonzero():
    x = np.array([[0.0, 1, np.nan], [0, 0, -0.0]])
    check(np.count_nonzero, np.count_nonzero, x)
    check(lambda x: np.count_nonzero(x, axis=1), lambda x: np.count_nonzero(x, axis=1), x)


@pytest.mark.parametrize("axis", [0, -1])
def test_differences_are_as_in_numpy(axis):
    x = numbers(3, 4)
    for n in range(4):
        check(lambda x, n=n: np.diff(x, n, axis), lambda x, n=n: np.diff(x, n, axis), x)

    def padded(x):
        return np.diff(x, axis=axis, prepend=0.0, append=x)

    check(padded, padded, x)
    check(np.diff, np.diff, x > 0)


def test_averages_are_as_in_numpy():
    x, w = numbers(2, 3), np.array([1.0, 2, 3])
    check(lambda x, w: np.average(x, 1, w), lambda x, w: np.average(x, 1, w), x, w)
    check(lambda x: np.average(x, weights=x**2), lambda x: np.average(x, weights=x**2), x)
    check(lambda x: np.average(x, axis=0), lambda x: np.average(x, axis=0), x)


def test_reductions_over_no_axes_are_the_array_itself():
    (v,) = inputs([numbers(2)])
    for name in ("sum", "prod", "max", "min", "mean"):
        assert getattr(v, name)(()) is v


def test_ufunc_reductions_are_reductions():
    (v,) = inputs([numbers(2, 3)])
    assert np.add.reduce(v, axis=1).node is v.sum(1).node
    assert np.maximum.reduce(v).node is v.max(0).node


def test_composites_are_what_their_references_say():
    x = numbers(3, 4).astype("float32")
    for row in (statistics.MEAN, statistics.LOGSUMEXP, statistics.EUCLIDEAN_NORM):
        (v,) = inputs([x])
        y = row(v, 1)
        close(by_loops(y, [v], [x]), row.reference(x, axes=(1,)), y.dtype)


# --- mistakes

x = tensor("x", shape=(2, 3))
e = tensor("e", shape=(0, 3))
MISTAKES = [
    (lambda: x.sum(2), AxisError, "axis 2 of an array with 2 axes"),
    (lambda: x.sum((0, -2)), AxisError, "an axis is given twice"),
    (lambda: e.max(0), ShapeError, "axis 0 is empty, and there is no identity to start from"),
    (lambda: e.argmin(), ShapeError, "axis 0 is empty"),
    (lambda: statistics.LOGSUMEXP(e, 0), ShapeError, "logsumexp: axis 0 is empty"),
    (lambda: tensor("c", (2,), "complex64").max(), DTypeError, "max does not take complex64"),
    (lambda: running.CUMULATIVE_SUM(x), AxisError, "cumulative_sum needs an axis for 2 axes"),
    (lambda: np.diff(x, -1), ArgumentError, "diff takes n >= 0, got -1"),
    (lambda: np.linalg.norm(x, 2, axis=(0, 1)), UnsupportedError, "order 2 of matrices"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_named(number):
    build, error, text = MISTAKES[number]
    with pytest.raises(error) as found:
        build()
    assert text in str(found.value)


def test_extremes_of_unknown_lengths_are_checked_at_the_call():
    v = tensor("v", shape=("n", 2))
    (found,) = v.max(0).node.checks
    assert (found.kind, str(found.left), found.right) == ("at_least", "n", 1)
    assert v.max(1).node.checks == ()
    assert reduce.SUM(v).node.checks == ()
