"""Shapes that meet: broadcasting, what is checked at the call, and dtypes of Python numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
from symgraph.errors import DTypeError, ShapeError
from symgraph.ir.dim import Dim, DimLike, broadcast, single_atom
from symgraph.ir.resolve import requirements, resolve, violations
from symgraph.ir.type import Check, ShapeContext, TensorType, TupleType
from symgraph.ops.leaves import constant, tensor

N, M = Dim("n"), Dim("m")


def atom(dim: DimLike) -> Any:
    """The symbol that a dim is."""
    found = single_atom(dim)
    assert found is not None
    return found


def test_types_print_with_dtype_and_dims():
    found = TensorType(np.dtype("float32"), (N, 3))
    assert str(found) == "float32[n, 3]"
    assert str(TupleType((found, TensorType(np.dtype("bool"), ())))) == "(float32[n, 3], bool[])"
    assert found == TensorType(np.dtype("float32"), (Dim("n"), 3))
    assert hash(found) == hash(TensorType(np.dtype("float32"), (Dim("n"), 3)))


SHAPES = [
    (((N, 3), (3,)), (N, 3)),
    (((N, 1), (1, M)), (N, M)),
    (((), (N,)), (N,)),
    (((4,), (N,)), (4,)),
    (((2, 1, N), (M, 1)), (2, M, N)),
    ((), ()),
]


@pytest.mark.parametrize(("shapes", "expected"), SHAPES, ids=str)
def test_shapes_broadcast_from_the_last_axis(shapes: Any, expected: Any):
    assert ShapeContext().broadcast_shapes(*shapes) == expected


def test_dims_that_only_a_call_can_compare_leave_a_check():
    context = ShapeContext()
    assert context.broadcast_shapes((N,), (M,)) == (broadcast(N, M),)
    assert context.checks == [Check("broadcast", N, M, "axes do not broadcast")]
    context = ShapeContext()
    assert context.equal(N, 4, "lengths") == 4
    assert context.equal(4, N, "lengths") == 4
    assert context.equal(N, N, "lengths") == N
    assert [c.kind for c in context.checks] == ["equal", "equal"]


def test_numbers_that_do_not_fit_are_an_error_when_the_graph_is_built():
    x, y = tensor("x", (2, 3)), tensor("y", (4, 3))
    with pytest.raises(ShapeError) as error:
        x + y
    text = str(error.value)
    assert text.startswith("add: axes do not broadcast: 2 and 4")
    assert "x: float64[2, 3]" in text
    assert "y: float64[4, 3]" in text
    assert "test_shapes.py:" in text
    assert "x + y" in text
    assert "help:" in text


def test_a_dim_unknown_before_the_call_may_turn_out_to_be_one():
    x, y = tensor("x", (None,)), tensor("y", (None,))
    required = requirements([(x * y).node])
    a, b = atom(x.shape[0]), atom(y.shape[0])
    assert violations(required, {a: 3, b: 3}) == {}
    assert violations(required, {a: 1, b: 3}) == {a: 1}
    assert violations(required, {a: 3, b: 1}) == {b: 1}
    with pytest.raises(ShapeError, match="2 and 3 must be equal, or one of them 1"):
        violations(required, {a: 2, b: 3})


def test_dims_that_meet_are_taken_as_equal():
    x, y = tensor("x", ("n",)), tensor("y", (None,))
    required = requirements([(x * y).node])
    assert resolve(required, {}) == {atom(y.shape[0]): N}
    assert resolve(required, {atom(N): 4}) == {atom(N): 4, atom(y.shape[0]): 4}


def test_a_name_stands_for_one_size():
    x, y = tensor("x", ("n",)), tensor("y", ("m",))
    found = resolve(requirements([(x * y + tensor("z", (5,))).node]), {})
    assert set(found.values()) == {5}


SOLVED = [
    ("a rest", lambda x: x[2:], 8, 10),
    ("a rest of a rest", lambda x: x[3:][2:], 8, 13),
    ("what is between", lambda x: x[2:17], 8, 10),
    ("a start", lambda x: x[:9], 8, 8),
    ("twice", lambda x: sg.concat([x, x]), 8, 4),
    ("one more", lambda x: sg.concat([x, sg.zeros(3)]), 8, 5),
    ("any start", lambda x: x[:8], 8, None),
    ("not a half", lambda x: sg.concat([x, x]), 7, None),
    ("every second", lambda x: x[::2], 8, None),
    ("one that may stretch", lambda x: x[2:], 1, None),
]


@pytest.mark.parametrize(
    ("make", "length", "found"), [r[1:] for r in SOLVED], ids=[r[0] for r in SOLVED]
)
def test_a_dim_that_meets_a_number_has_one_value_where_it_has(make, length, found):
    x = tensor("x", ("n",))
    y = make(x) * tensor("y", (length,))
    wanted = {} if found is None else {atom(N): found}
    assert resolve(requirements([y.node]), {}) == wanted
    if found is not None:
        assert violations(requirements([y.node]), {atom(N): found}) == {}


def test_a_rest_that_meets_a_number_may_be_one_long():
    x, y = np.arange(10.0), np.arange(8.0)
    f = sg.function([s := sg.vector("x", dtype="float64")], s[2:] * y)
    np.testing.assert_array_equal(f(x), x[2:] * y)
    np.testing.assert_array_equal(f(x[:3]), x[2] * y)
    with pytest.raises(ShapeError, match="7 and 8 must be equal, or one of them 1"):
        f(x[:9])


def test_no_sizes_at_all_is_an_error_when_resolving():
    x, y, z = tensor("x", ("n",)), tensor("y", (2,)), tensor("z", (3,))
    required = requirements([(x * y).node, (x * z).node])
    with pytest.raises(ShapeError, match="must be equal, or one of them 1"):
        resolve(required, {})


def _required(check: Check) -> Any:
    made = requirements([(tensor("x", ("n",)) * tensor("y", ("m",))).node])
    return [type(made[0])(check, made[0].node)]


def test_a_least_length_is_no_equality():
    required = _required(Check("at_least", N, 1, "reduction over axis 0"))
    assert resolve(required, {}) == {}
    assert violations(required, {atom(N): 7}) == {}
    with pytest.raises(ShapeError, match="0 and 1 are in the wrong order"):
        violations(required, {atom(N): 0})
    with pytest.raises(ShapeError):
        resolve(required, {atom(N): 0})


def test_stretching_goes_one_way():
    required = _required(Check("expand", N, M, "broadcast to a given shape"))
    n, m = atom(N), atom(M)
    assert violations(required, {n: 3, m: 3}) == {}
    assert violations(required, {n: 1, m: 3}) == {n: 1}
    with pytest.raises(ShapeError, match="3 and 1 must be equal, or the first of them 1"):
        violations(required, {n: 3, m: 1})


WEAK = [
    ("float32", 2.0, "float32"),
    ("float32", 2, "float32"),
    ("float32", True, "float32"),
    ("float32", 1j, "complex64"),
    ("float64", 1j, "complex128"),
    ("int8", 1, "int8"),
    ("int8", 1.5, "float64"),
    ("uint8", 1, "uint8"),
    ("bool", 1, "int64"),
    ("bool", True, "bool"),
    ("int32", np.float32(1), "float64"),
    ("float32", np.float64(1), "float64"),
    ("float32", np.zeros(2), "float64"),
    ("int8", np.int16(1), "int16"),
    ("float32", Dim("n"), "float32"),
    ("int16", Dim("n"), "int16"),
]


@pytest.mark.parametrize(("dtype", "number", "expected"), WEAK, ids=str)
def test_python_numbers_take_the_dtype_of_what_they_meet(dtype: str, number: Any, expected: str):
    x = tensor("x", (2,), dtype)
    assert (x * number).dtype == expected
    assert (number * x).dtype == expected
    if not isinstance(number, Dim):
        assert (np.zeros(2, dtype) * number).dtype == expected


def test_numbers_among_themselves_stay_weak():
    x = tensor("x", (2,), "float32")
    two = constant(2)
    assert two.weak
    assert (two * 3).weak
    assert (two * 3 + x).dtype == "float32"
    assert not (two * np.float64(3)).weak
    assert not x.weak


def test_a_number_that_does_not_fit_its_dtype_is_an_error():
    x = tensor("x", (2,), "int8")
    with pytest.raises(DTypeError) as error:
        x + 300
    text = str(error.value)
    assert text.startswith("the Python integer 300 does not fit int8")
    assert "-128 .. 127" in text
    assert "test_shapes.py:" in text
