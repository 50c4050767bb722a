"""Products: matmul, dot, tensordot, einsum and kin against NumPy, with gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.errors import ArgumentError, AxisError, DTypeError, ShapeError
from symgraph.ir.graph import toposort
from symgraph.ops import einsum as subscripts
from symgraph.ops import linalg
from symgraph.ops.einsum import einsum
from symgraph.ops.leaves import tensor
from tests.tables.structural import check, check_gradient, close, inputs, value


def numbers(*dims, seed=7):
    return np.random.default_rng(seed).normal(size=dims)


PAIRS = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((4, 2, 3), (5, 1, 3, 2)),
    ((1, 2, 3), (5, 3, 2)),
    ((3,), (5, 3, 2)),
    ((5, 2, 3), (3,)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_matmul_is_as_in_numpy(left, right):
    a, b = numbers(*left), numbers(*right, seed=8)
    check(lambda a, b: a @ b, lambda a, b: a @ b, a, b)
    check(np.matmul, np.matmul, a, b, slopes=False)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "int64", "float32", "complex64"])
def test_matmul_has_numpys_dtypes(dtype):
    a, b = (numbers(2, 3) * 3).astype(dtype), (numbers(3, 2) * 3).astype(dtype)
    check(np.matmul, np.matmul, a, b)
    mixed = b.astype("float64") if dtype != "complex64" else b
    check(np.matmul, np.matmul, a, mixed, slopes=False)


def test_matmul_with_constants():
    check(lambda a: a @ np.eye(3), lambda a: a @ np.eye(3), numbers(2, 3))
    check(lambda a: [[1.0, 2.0]] @ a, lambda a: [[1.0, 2.0]] @ a, numbers(2, 3))


def test_matmul_is_one_node():
    x, y = tensor("x", ("n", "k")), tensor("y", ("k", 4))
    assert (x @ y).node.op.name == "matmul"
    assert str((x @ y).type) == "float64[n, 4]"
    assert (x @ y).node.checks == ()
    (found,) = (x @ tensor("z", ("j", 4))).node.checks
    assert found.kind == "equal"
    v = tensor("v", ("k",))
    assert (x @ v).node.op.name == "squeeze"


def test_batches_agree_or_are_one():
    """What lowering relies on: leading axes of operands are the result's, or all 1, or none."""
    a, b = tensor("a", (5, 1, 2, 3)), tensor("b", (4, 3, 2))
    found = (a @ b).node
    assert [i.tensor.shape[:-2] for i in found.inputs] == [(5, 4), (5, 4)]
    found = (tensor("a", (5, 2, 3)) @ tensor("b", (3, 2))).node
    assert [i.tensor.shape[:-2] for i in found.inputs] == [(5,), ()]


@pytest.mark.parametrize(
    ("left", "right"),
    [((), (2,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3, 2)), ((2, 2, 3), (3,))],
)
def test_dot_is_as_in_numpy(left, right):
    check(np.dot, np.dot, numbers(*left), numbers(*right, seed=8))


@pytest.mark.parametrize(
    "axes", [0, 1, 2, ((0, 1), (1, 0)), ((1,), (0,)), (1, 0), ((-1, 0), (0, -1))]
)
def test_tensordot_is_as_in_numpy(axes):
    a, b = numbers(2, 2), numbers(2, 2, seed=8)
    check(lambda a, b: np.tensordot(a, b, axes), lambda a, b: np.tensordot(a, b, axes), a, b)


def test_vecdot_conjugates_the_left():
    a, b = numbers(2, 3) + 1j * numbers(2, 3, seed=9), numbers(3) - 2j * numbers(3, seed=8)
    check(np.vecdot, np.vecdot, a, b)
    check(np.vdot, np.vdot, a[0], b)
    check(
        lambda a, b: np.vecdot(a, b, axis=0), lambda a, b: np.vecdot(a, b, axis=0), a.real, a.imag
    )


def test_inner_outer_and_kron_are_as_in_numpy():
    check(np.inner, np.inner, numbers(2, 3), numbers(4, 3, seed=8))
    check(np.inner, np.inner, numbers(3), numbers(3, seed=8))
    check(np.outer, np.outer, numbers(2, 2), numbers(3, seed=8))
    check(np.kron, np.kron, numbers(2, 3), numbers(3, 2, seed=8))
    check(np.kron, np.kron, numbers(2), numbers(3, 2, seed=8))


def test_multi_dot_takes_the_cheap_order():
    arrays = [numbers(4, 9), numbers(9, 2), numbers(2, 7), numbers(7)]
    check(lambda *xs: np.linalg.multi_dot(xs), lambda *xs: np.linalg.multi_dot(xs), *arrays)
    a, b, c = tensor("a", (100, 2)), tensor("b", (2, 100)), tensor("c", (100, 3))
    first = linalg.multi_dot([a, b, c]).node
    assert [i.tensor.shape for i in first.inputs] == [(100, 2), (2, 3)]


@pytest.mark.parametrize("power", [0, 1, 2, 5])
def test_matrix_power_is_as_in_numpy(power):
    x = numbers(2, 3, 3)

    def function(x):
        return np.linalg.matrix_power(x, power)

    check(function, function, x)


@pytest.mark.parametrize("name", ["diagonal", "trace"])
def test_linalg_takes_the_last_axes(name):
    x = numbers(2, 3, 4)
    for module in (np, np.linalg):
        function = getattr(module, name)
        check(function, function, x)


def test_cross_is_as_in_numpy():
    check(np.cross, np.cross, numbers(2, 3), numbers(3, seed=8))
    check(
        lambda a, b: np.cross(a, b, axis=0),
        lambda a, b: np.cross(a, b, axis=0),
        numbers(3, 2),
        numbers(3, 2, seed=8),
    )


# --- einsum


FORMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,kj->ki", (2, 3), (4, 3)),
    ("ji", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->ji", (3, 3, 2)),
    ("ijk->", (2, 3, 2)),
    ("i,i", (3,), (3,)),
    ("i,j->ji", (3,), (2,)),
    ("bij,bjk->bik", (2, 3, 2), (2, 2, 4)),
    ("bi,bi->b", (2, 3), (2, 3)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    ("...i,...i", (4, 3), (3,)),
    ("i...->...", (3, 2, 2)),
    ("i...,i...->i...", (3, 2), (3, 1)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("ij,ij,ij->j", (2, 3), (2, 3), (2, 3)),
    ("ij,ij->j", (2, 3), (2, 3)),
    ("ij,ji->j", (2, 3), (3, 2)),
    ("ij,kl->il", (2, 3), (4, 2)),
    ("abc,bd,cd,e->ae", (2, 3, 2), (3, 2), (2, 2), (2,)),
    ("ij,i->", (2, 3), (2,)),
    (",ij->ij", (), (2, 3)),
    ("ij,ij->ij", (2, 1), (2, 3)),
    ("aab,bcc->ac", (2, 2, 3), (3, 2, 2)),
    ("ab,bc,cd,de,ef,fg->ag", (2, 3), (3, 2), (2, 4), (4, 2), (2, 3), (3, 2)),
    (" i j , j -> i ", (2, 3), (3,)),
    ("oc,bct->bot", (2, 3), (4, 3, 5)),
    ("bchw,co->bohw", (2, 3, 4, 5), (3, 2)),
    ("abcd,bcef->aefd", (2, 3, 4, 5), (3, 4, 2, 3)),
    ("acbd,bcef->aefd", (2, 4, 3, 5), (3, 4, 2, 3)),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f[0])
def test_einsum_is_as_in_numpy(form):
    text, *shapes = form
    arrays = [numbers(*s, seed=k) for k, s in enumerate(shapes)]

    def function(*xs):
        return np.einsum(text, *xs)

    check(
        lambda *xs: einsum(text, *xs),
        function,
        *arrays,
        unknown="..." not in text and "1" not in str(shapes),
    )
    assert function(*inputs(arrays)).dtype == np.float64


@st.composite
def contractions(draw):
    """Subscripts over up to five labels, with lengths, repeated labels and any result."""
    lengths = {c: draw(st.integers(1, 3)) for c in "abcde"}
    terms = draw(st.lists(st.text("abcde", max_size=3), min_size=1, max_size=4))
    used = sorted(set("".join(terms)))
    result = "".join(draw(st.permutations(used))[: draw(st.integers(0, 3))])
    text = ",".join(terms) + draw(st.sampled_from(["->" + result, ""]))
    return text, [tuple(lengths[c] for c in t) for t in terms]


@settings(max_examples=150)
@given(contractions())
def test_every_einsum_is_numpys(case):
    text, shapes = case
    arrays = [numbers(*s, seed=k) for k, s in enumerate(shapes)]
    expected = np.einsum(text, *arrays)
    xs = inputs(arrays)
    y = einsum(text, *xs)
    assert y.shape == expected.shape
    close(value(y, xs, arrays), expected, "float64")


@settings(max_examples=25)
@given(contractions())
def test_every_einsum_has_a_gradient(case):
    text, shapes = case
    arrays = [numbers(*s, seed=k) for k, s in enumerate(shapes)]
    check_gradient(lambda *xs: einsum(text, *xs), arrays, loops=False)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex128"])
@pytest.mark.parametrize("text", ["ij,jk->ik", "ij,ij->i", "ii->i", "ij->", "ij,kl->ik"])
def test_einsum_keeps_dtypes(dtype, text):
    arrays = [(numbers(2, 2, seed=k) * 3).astype(dtype) for k in range(1 + ("," in text))]
    check(lambda *xs: einsum(text, *xs), lambda *xs: np.einsum(text, *xs), *arrays)


def test_einsum_takes_lists_of_axes():
    a, b = numbers(2, 3), numbers(3, 4, seed=8)
    check(
        lambda a, b: einsum(a, [0, 1], b, [1, 2], [2, 0]),
        lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]),
        a,
        b,
    )
    check(lambda a: einsum(a, [1, 0]), lambda a: np.einsum(a, [1, 0]), a)


def products(y):
    """The shapes that the matrix products of a graph multiply."""
    return [
        tuple(i.tensor.shape for i in node.inputs)
        for node in toposort([y.node])
        if node.op.name == "matmul"
    ]


def test_einsum_multiplies_in_the_cheap_order():
    a, b, c = tensor("a", (100, 2)), tensor("b", (2, 100)), tensor("c", (100, 3))
    assert products(einsum("ij,jk,kl->il", a, b, c)) == [((2, 100), (100, 3)), ((100, 2), (2, 3))]


def test_einsum_is_a_matrix_product_where_it_can_be():
    a, b = tensor("a", ("b", "h", "q", "d")), tensor("b", ("b", "h", "k", "d"))
    y = einsum("bhqd,bhkd->bhqk", a, b)
    (found,) = products(y)
    assert [len(s) for s in found] == [4, 4]
    assert [str(d) for d in y.shape] == ["b", "h", "q", "k"]
    assert products(einsum("bi,bi->b", *(tensor(c, (4, 3)) for c in "xy"))) == []


def test_einsum_leaves_a_stack_of_matrices_where_it_is():
    w, x = tensor("w", ("o", "c")), tensor("x", ("b", "c", "t"))
    for y in (einsum("oc,bct->bot", w, x), einsum("bct,oc->bot", x, w)):
        ((left, right),) = products(y)
        assert [str(d) for d in left] == ["o", "c"]
        assert [str(d) for d in right] == ["b", "c", "t"]


def test_einsum_parses_as_documented():
    xs = inputs([numbers(2, 3, 4), numbers(4)])
    found, result = subscripts.parse("...i,i", xs)
    assert found == [(".1", ".0", "i"), ("i",)]
    assert result == (".1", ".0")


# --- mistakes

x, y = tensor("x", shape=(2, 3)), tensor("weights", shape=(4, 5))
s = tensor("s", shape=())
MISTAKES = [
    (lambda: x @ y, ShapeError, "matmul: inner dimensions: 3 is not 4"),
    (lambda: x @ s, ShapeError, "matmul takes no scalars"),
    (
        lambda: tensor("a", (2, 3, 3)) @ tensor("b", (4, 3, 3)),
        ShapeError,
        "matmul: axes do not broadcast: 2 and 4",
    ),
    (
        lambda: np.tensordot(x, y, 1),
        ShapeError,
        "axis 1 of length 3 meets axis 0 of weights, of length 4",
    ),
    (lambda: np.tensordot(x, y, 3), ShapeError, "tensordot over 3 axes of 2 and 2"),
    (lambda: np.tensordot(x, y, ((0, 1), (0,))), ShapeError, "pairs 2 axes with 1"),
    (lambda: np.tensordot(x, y, ((2,), (0,))), AxisError, "axis 2"),
    (lambda: np.vecdot(x, y), ShapeError, "axis 1 of length 3 meets axis 1 of weights"),
    (lambda: linalg.multi_dot([x]), ArgumentError, "at least two arrays"),
    (lambda: linalg.matrix_power(x, -1), ArgumentError, "n >= 0, got -1"),
    (lambda: np.cross(x, y), ShapeError, "vectors of length 3, got 5"),
    (lambda: einsum("ij,jk->ik", x, y), ShapeError, "label 'j' has lengths 3 and 4"),
    (lambda: einsum("ij,jk->ik", x), ArgumentError, "subscripts for 2 operands, got 1"),
    (lambda: einsum("ijk->i", x), ArgumentError, "'ijk' has 3 labels for 2 axes"),
    (lambda: einsum("ij->ik", x), ArgumentError, "label 'k' of the result is in no operand"),
    (lambda: einsum("ij->ii", x), ArgumentError, "a label comes twice in the result"),
    (lambda: einsum("i1->i", x), ArgumentError, "subscripts are letters"),
    (lambda: einsum("ii", x), ShapeError, "label 'i' has lengths 2 and 3"),
    (lambda: x @ "y", TypeError, ""),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_named(number):
    build, error, text = MISTAKES[number]
    with pytest.raises(error) as found:
        build()
    assert text in str(found.value)


def test_a_refused_product_names_operands_and_line():
    with pytest.raises(ShapeError) as found:
        x @ y
    text = str(found.value)
    assert "x: float64[2, 3]" in text
    assert "weights: float64[4, 5]" in text
    assert "test_linalg.py" in text
    assert ".mT" in text


def test_refusals_are_the_types_that_users_expect():
    assert issubclass(ShapeError, ValueError)
    assert issubclass(DTypeError, TypeError)
    assert issubclass(AxisError, IndexError)
