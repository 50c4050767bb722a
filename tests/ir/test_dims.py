"""Dimensions: their algebra agrees with that of numbers, and equal dims compare equal."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.errors import ShapeError, SymbolicError
from symgraph.ir.dim import (
    Atom,
    Dim,
    DimLike,
    add,
    as_dim,
    broadcast,
    data_length,
    divide_exactly,
    evaluate,
    floordiv,
    fresh_token,
    from_terms,
    is_nonnegative,
    maximum,
    minimum,
    mod,
    mul,
    product,
    single_atom,
    sub,
    substitute,
    symbols,
    unknown,
)

N, M, K = Dim("n"), Dim("m"), Dim("k")
NAMES = {"n": N, "m": M, "k": K}


def bind(n: int, m: int, k: int) -> dict[Atom, int]:
    """Sizes of the three names."""
    return {Atom("name", name): size for name, size in (("n", n), ("m", m), ("k", k))}


SIZES = st.builds(bind, *[st.integers(0, 40)] * 3)

# A dim beside the function of the sizes that it stands for.
Pair = tuple[DimLike, Callable[[dict[Atom, int]], int]]


def _number(value: int) -> Pair:
    return value, lambda sizes: value


def _name(name: str) -> Pair:
    return NAMES[name], lambda sizes: sizes[Atom("name", name)]


BINARY: dict[str, tuple[Callable[..., DimLike], Callable[[int, int], int]]] = {
    "add": (add, lambda a, b: a + b),
    "sub": (sub, lambda a, b: a - b),
    "mul": (mul, lambda a, b: a * b),
    "min": (minimum, min),
    "max": (maximum, max),
}


def _binary(op: str, a: Pair, b: Pair) -> Pair:
    on_dims, on_numbers = BINARY[op]
    return on_dims(a[0], b[0]), lambda sizes: on_numbers(a[1](sizes), b[1](sizes))


def _by_number(op: str, a: Pair, b: int) -> Pair:
    if op == "floordiv":
        return floordiv(a[0], b), lambda sizes: a[1](sizes) // b
    return mod(a[0], b), lambda sizes: a[1](sizes) % b


PAIRS = st.recursive(
    st.one_of(st.integers(-5, 9).map(_number), st.sampled_from(sorted(NAMES)).map(_name)),
    lambda inner: st.one_of(
        st.builds(_binary, st.sampled_from(sorted(BINARY)), inner, inner),
        st.builds(
            _by_number,
            st.sampled_from(["floordiv", "mod"]),
            inner,
            st.sampled_from([-3, -2, -1, 1, 2, 3, 7]),
        ),
    ),
    max_leaves=7,
)


@settings(max_examples=400)
@given(PAIRS, SIZES)
def test_any_expression_has_the_value_that_numbers_give(pair: Pair, sizes: dict[Atom, int]):
    dim, number = pair
    assert evaluate(dim, sizes) == number(sizes)


@settings(max_examples=200)
@given(PAIRS, SIZES, SIZES)
def test_substitution_in_two_steps_is_evaluation(
    pair: Pair, sizes: dict[Atom, int], others: dict[Atom, int]
):
    dim, number = pair
    name = Atom("name", "n")
    half = substitute(dim, {name: add(mul(2, K), 1)})
    assert evaluate(half, others) == number({**others, name: 2 * others[Atom("name", "k")] + 1})
    assert substitute(dim, {}) == dim


@settings(max_examples=200)
@given(PAIRS, PAIRS, PAIRS)
def test_the_ring_laws_hold_as_equality_of_dims(a: Pair, b: Pair, c: Pair):
    x, y, z = a[0], b[0], c[0]
    assert add(x, y) == add(y, x)
    assert mul(x, y) == mul(y, x)
    assert add(add(x, y), z) == add(x, add(y, z))
    assert mul(mul(x, y), z) == mul(x, mul(y, z))
    assert mul(x, add(y, z)) == add(mul(x, y), mul(x, z))
    assert sub(x, x) == 0
    assert add(x, 0) == x == mul(x, 1)
    assert mul(x, 0) == 0
    assert minimum(x, y) == minimum(y, x)
    assert maximum(x, y) == maximum(y, x)
    assert minimum(x, x) == x == maximum(x, x)


@settings(max_examples=200)
@given(PAIRS, SIZES)
def test_what_is_said_to_be_nonnegative_is(pair: Pair, sizes: dict[Atom, int]):
    dim, number = pair
    if is_nonnegative(dim):
        assert number(sizes) >= 0


@settings(max_examples=200)
@given(PAIRS, PAIRS, SIZES)
def test_an_order_that_is_told_is_right(a: Pair, b: Pair, sizes: dict[Atom, int]):
    if not isinstance(a[0], Dim):
        return
    try:
        answers = (a[0] <= b[0], a[0] < b[0], a[0] >= b[0], a[0] > b[0])
    except SymbolicError:
        return
    x, y = a[1](sizes), b[1](sizes)
    assert answers == (x <= y, x < y, x >= y, x > y)


@settings(max_examples=100)
@given(PAIRS)
def test_dims_survive_pickling_and_copying(pair: Pair):
    dim = pair[0]
    for again in (pickle.loads(pickle.dumps(dim)), copy.deepcopy(dim)):
        assert again == dim
        assert hash(again) == hash(dim)
        assert str(again) == str(dim)


def test_equal_expressions_are_equal_dims():
    assert N + 1 == 1 + N
    assert 2 * N == N + N
    assert (N + M) * (N - M) == N * N - M * M
    assert N - N == 0
    assert type(N - N + 3) is int
    assert N != M
    assert N != "n"
    assert Dim("n") == N
    assert len({Dim("n"), N, N + 0}) == 1


TEXTS = [
    (N, "n"),
    (N + 1, "n + 1"),
    (2 * N * M - 3, "2*m*n - 3"),
    (-N, "-n"),
    (1 - N, "-n + 1"),
    (N * N, "n**2"),
    (N // 2, "(n // 2)"),
    ((N + 1) // 2, "((n + 1) // 2)"),
    (N // (M + 1), "(n // (m + 1))"),
    (N % 3, "(n % 3)"),
    (minimum(N, 3), "min(3, n)"),
    (maximum(N, M + 1), "max(m + 1, n)"),
    (broadcast(N, M), "m|n"),
    (broadcast(N + 1, M), "m|(n + 1)"),
    (2 * broadcast(N, M), "2*(m|n)"),
    (broadcast(N, M) + 1, "(m|n) + 1"),
    (unknown("x.0"), "?x.0"),
    (data_length("found"), "!found"),
]


@pytest.mark.parametrize(("dim", "text"), TEXTS, ids=[t for _, t in TEXTS])
def test_dims_print_as_people_write_them(dim: DimLike, text: str):
    assert str(dim) == repr(dim) == text


EXACT = [
    ((2 * N) // 2, N),
    ((2 * N + 1) // 2, N),
    ((2 * N - 1) // 2, N - 1),
    ((6 * N + 4) // 3, 2 * N + 1),
    ((N * M) // N, M),
    ((N * M + N) // N, M + 1),
    ((4 * N) % 2, 0),
    ((2 * N + 3) % 2, 1),
    (N % 1, 0),
    (N // 1, N),
    (N // -1, -N),
    (0 // N, 0),
    (0 % N, 0),
    (N // N, 1),
]


@pytest.mark.parametrize(("found", "expected"), EXACT, ids=lambda d: str(d))
def test_divisions_that_come_out_even_leave_no_atom(found: DimLike, expected: DimLike):
    assert found == expected


def test_division_has_one_normal_form():
    assert (N + 5) // 2 == (N + 1) // 2 + 2
    assert (3 * N) // 2 == N + N // 2
    assert (N - 5) // 2 == (N + 1) // 2 - 3
    assert (N + 4) % 4 == N % 4


def test_division_by_zero_is_an_error():
    for divide in (floordiv, mod):
        with pytest.raises(ShapeError, match="divided by zero"):
            divide(N, 0)
        with pytest.raises(ShapeError, match="divided by zero"):
            evaluate(divide(M, N), bind(0, 1, 1))


def test_a_quotient_that_may_be_negative_is_not_taken_as_a_size():
    length = maximum(0, (N - 5) // 2)
    assert [evaluate(length, bind(n, 0, 0)) for n in (0, 2, 5, 6, 9)] == [0, 0, 0, 0, 2]


def test_minimum_and_maximum_are_decided_where_they_can_be():
    assert minimum(N, N + 3) == N
    assert maximum(N, N + 3) == N + 3
    assert minimum(0, N) == 0
    assert maximum(0, N) == N
    assert minimum(N, 3) == minimum(3, N) != 3
    assert minimum(minimum(N, 3), N) == minimum(N, 3)
    assert maximum(maximum(N, 3), N) == maximum(N, 3)
    assert minimum(maximum(N, 3), N) == N
    assert maximum(0, N - minimum(N, 5)) == N - minimum(N, 5)


def test_broadcasting_is_decided_where_it_can_be():
    assert broadcast(N, N) == N
    assert broadcast(1, N) == N == broadcast(N, 1)
    assert broadcast(4, N) == 4 == broadcast(N, 4)
    assert broadcast(3, 4) is None
    assert broadcast(1, 1) == 1
    assert broadcast(0, 1) == 0
    both = broadcast(N, M)
    assert both == broadcast(M, N)
    assert broadcast(both, N) == both
    assert broadcast(both, K) == broadcast(N, broadcast(M, K))
    assert broadcast(both, 7) == 7


@pytest.mark.parametrize(
    ("n", "m", "size"), [(3, 3, 3), (1, 3, 3), (3, 1, 3), (1, 1, 1), (0, 1, 0)]
)
def test_a_broadcast_dim_has_the_size_that_numpy_gives(n: int, m: int, size: int):
    dim = broadcast(N, M)
    assert evaluate(dim, bind(n, m, 0)) == size == np.broadcast_shapes((n,), (m,))[0]


def test_sizes_that_do_not_broadcast_are_an_error():
    with pytest.raises(ShapeError, match="3 and 2 do not broadcast"):
        evaluate(broadcast(N, M), bind(2, 3, 0))


def test_substituting_a_number_simplifies():
    n = Atom("name", "n")
    assert substitute(broadcast(N, M), {n: 1}) == M
    assert substitute(broadcast(N, M), {n: M}) == M
    assert substitute(minimum(N, 3), {n: 2}) == 2
    assert substitute(N * M + 1, {n: 0}) == 1
    assert substitute((N + M) // 2, {n: M}) == M


def test_evaluating_without_all_sizes_names_what_is_missing():
    with pytest.raises(ShapeError, match="no value for m"):
        evaluate(N * M, {Atom("name", "n"): 3})


def test_unknown_dims_are_all_different():
    a, b = unknown("x.0"), unknown("x.0")
    assert a != b
    assert str(a) == str(b)
    assert broadcast(a, b) not in (a, b)
    assert sub(a, b) != 0
    assert data_length("k") != data_length("k")
    assert fresh_token() != fresh_token()


def test_products_of_dims_that_print_alike_commute():
    a, b = unknown("x"), unknown("x")
    assert mul(a, b) == mul(b, a)
    p, q = floordiv(a, b), floordiv(b, a)
    assert p != q
    assert mul(p, q) == mul(q, p)


def test_what_orders_cannot_be_told_is_an_error():
    for compare in (lambda: N < M, lambda: N <= 3, lambda: N > M, lambda: N >= 1):
        with pytest.raises(SymbolicError, match=r"order of dimensions .* not known") as error:
            compare()
        assert "sg.where" in str(error.value)
    assert N >= 0
    assert N + 1 > N
    assert not N < N
    assert N * M <= N * M + 2


NOT_NUMBERS = [int, float, bool, range, lambda d: [0][d]]


@pytest.mark.parametrize("use", NOT_NUMBERS)
def test_a_dim_is_no_number_before_the_call(use: Callable[[Dim], object]):
    with pytest.raises(SymbolicError):
        use(N)


def test_numbers_and_names_become_dims():
    assert as_dim(3) == 3
    assert as_dim(np.int32(3)) == 3
    assert type(as_dim(np.int64(3))) is int
    assert as_dim("n") == N
    assert as_dim(N + 1) == N + 1
    atom = single_atom(as_dim(None, "x.1"))
    assert atom is not None
    assert (atom.kind, atom.label) == ("unknown", "?x.1")
    assert N + np.int64(2) == N + 2
    assert np.int64(2) + N == N + 2


@pytest.mark.parametrize("value", [True, 2.0, -1, [3], "", np.zeros(2)], ids=repr)
def test_what_is_no_dimension_is_refused(value: object):
    with pytest.raises((ShapeError, TypeError)):
        as_dim(value)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_dim_needs_a_name(name: str):
    with pytest.raises(ShapeError, match="is not the name of a dimension"):
        Dim(name)


@pytest.mark.parametrize("other", ["m", None, [1]])
def test_dims_take_no_part_in_other_arithmetic(other: object):
    for apply in (lambda: N + other, lambda: N // other, lambda: other - N):
        with pytest.raises(TypeError):
            apply()


def test_symbols_are_found_inside_functions():
    dim = minimum(N, (M + 1) // 2) * broadcast(K, N)
    assert {a.label for a in symbols(dim)} == {"n", "m", "k"}
    assert symbols(4) == set()


def test_products_and_exact_division():
    assert product(()) == 1
    assert product((N, 3, M)) == 3 * N * M
    assert divide_exactly(6 * N * M, 3 * N) == 2 * M
    assert divide_exactly(6 * N + 1, 3) is None
    assert divide_exactly(N, N + M) is None
    assert from_terms({}) == 0
    assert from_terms({(): 4}) == 4


def test_large_coefficients_stay_exact():
    dim = mul(2**62, N)
    assert evaluate(mul(dim, 4), bind(3, 0, 0)) == 3 * 2**64
