"""Every way to break a graph is found, and the node named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symgraph.errors import VerifyError
from symgraph.ir.dim import Dim
from symgraph.ir.graph import Graph, param_node
from symgraph.ir.node import Node, constant_node, make_node
from symgraph.ir.op import Op, find_op
from symgraph.ir.type import Check, TensorType, TupleType
from symgraph.ir.verify import verify
from symgraph.ops.control import cond, scan, while_loop
from symgraph.ops.leaves import constant, tensor

FLOAT = np.dtype("float64")
SCALAR = TensorType(FLOAT, ())


def copied(node: Node, **changed: Any) -> Node:
    """A node that is not interned, as no code may make one."""
    made = object.__new__(Node)
    for name in Node.__slots__:
        if name != "__weakref__":
            setattr(made, name, changed.get(name, getattr(node, name)))
    return made


def sample() -> Node:
    """A sound node."""
    x = tensor("x", ("n", 3))
    return ((x + 1.0).sum(axis=1) * tensor("y", (None,))).node


def test_sound_graphs_pass():
    verify([sample()])
    x = tensor("v", ("k",))
    state, out = scan(lambda s, v: (s + cond(v > 0, lambda: v, lambda: s), s * v), 0.0, x)
    verify([state.node, out.node])
    found = while_loop(lambda s: s < 10.0, lambda s: s * 2.0, constant(1.0))
    verify([found.node])
    p = param_node(0, SCALAR)
    verify(Graph((p,), (make_node(find_op("negative"), (p,)),)))
    x = tensor("x", ("n",))
    verify(Graph((x.node,), ((x * 2.0).node,)))
    verify([])


def _inside(body_of: Callable[[Node], Node]) -> Node:
    """A scan whose body's output is changed."""
    found, _ = scan(lambda s, v: (s + v, None), 0.0, tensor("v", ("k",)))
    node = found.node.inputs[0]
    body = node.attrs["body"]
    broken = Graph(body.params, (body_of(body.outputs[0]),))
    return make_node(node.op, node.inputs, {**node.attrs, "body": broken})


def _tuple_reader() -> Node:
    found, _ = scan(lambda s, v: (s + v, None), 0.0, tensor("v", ("k",)))
    several = found.node.inputs[0]
    return copied(find_negative(), inputs=(several,))


def find_negative() -> Node:
    """The negative of an input."""
    return (-tensor("x", ("n",))).node


def _writable() -> Node:
    value = np.zeros(3)
    return make_node(find_op("constant"), (), {"value": value})


def _later() -> Node:
    node = find_negative()
    late = tensor("late", ("n",)).node
    return copied(node, inputs=(late,))


BROKEN: list[tuple[str, Callable[[], Any], str]] = [
    ("copy", lambda: copied(sample()), "not interned"),
    ("dtype", lambda: copied(find_negative(), type=SCALAR), "not interned"),
    ("later", _later, "was made after it"),
    ("tuple", _tuple_reader, "several results, without proj"),
    ("writable", _writable, "can be written to"),
    ("param", lambda: param_node(0, SCALAR), "does not list"),
    ("above", lambda: make_node(find_op("exp"), (param_node(3, SCALAR),)), "does not list"),
    ("open", lambda: _inside(lambda o: (constant(1.0) * tensor("w", ())).node), "closed"),
    ("loose", lambda: _inside(lambda o: param_node(9, SCALAR)), "does not list"),
]


@pytest.mark.parametrize(("name", "make", "what"), BROKEN, ids=[b[0] for b in BROKEN])
def test_what_is_broken_is_found(name: str, make: Callable[[], Node], what: str):
    with pytest.raises(VerifyError) as error:
        verify([make()])
    assert what in str(error.value)
    assert "node: " in str(error.value)
    assert isinstance(error.value, AssertionError)


FIELDS: list[tuple[str, Any, str]] = [
    ("type", TensorType(FLOAT, (3,)), "its inputs and attributes give"),
    ("type", TensorType(np.dtype("float32"), (Dim("n"),)), "its inputs and attributes give"),
    ("type", TensorType(np.dtype("float16"), (Dim("n"),)), "is no type"),
    ("type", TensorType(FLOAT, (-1,)), "negative"),
    ("type", TensorType(FLOAT, (-1 - Dim("n"),)), "negative"),
    ("type", TensorType(FLOAT, ("n",)), "is no dimension"),  # type: ignore[arg-type]
    ("type", TensorType(FLOAT, (True,)), "is no dimension"),
    ("type", TupleType((TensorType(np.dtype("float16"), ()),)), "is no type"),
    ("checks", (Check("equal", 1, Dim("n"), "made up"),), "give the checks"),
    ("names", ("x", "x"), "its names are"),
    ("names", ("",), "its names are"),
    ("names", tuple("abcdefghij"), "its names are"),
    ("names", (3,), "its names are"),
]


@pytest.mark.parametrize(("field", "value", "what"), FIELDS, ids=[str(f[1])[:30] for f in FIELDS])
def test_a_node_that_was_tampered_with_is_found(field: str, value: Any, what: str):
    node = find_negative()
    before = getattr(node, field)
    try:
        setattr(node, field, value)
        with pytest.raises(VerifyError, match=what):
            verify([node])
    finally:
        setattr(node, field, before)
    verify([node])


def test_attributes_are_checked():
    node = sample().inputs[0]
    for changed in ({"axes": [1]}, {"axes": (0,)}, {"": 3}, {}):
        before = node.attrs
        try:
            node.attrs = changed
            with pytest.raises(VerifyError):
                verify([node])
        finally:
            node.attrs = before


def test_an_op_must_be_the_one_in_the_table():
    node = find_negative()
    ours = node.op
    stranger = Op("negative", "elementwise", "", ours.infer, ours.front, ours.reference)
    try:
        node.op = stranger
        with pytest.raises(VerifyError, match="not the one in the table"):
            verify([node])
    finally:
        node.op = ours


def test_parameters_are_numbered_and_listed_once():
    p, q = param_node(0, SCALAR), param_node(1, SCALAR)
    total = make_node(find_op("add"), (p, q))
    verify(Graph((p, q), (total,)))
    with pytest.raises(VerifyError, match="parameter number 0"):
        verify(Graph((q, p), (total,)))
    with pytest.raises(VerifyError, match="does not list"):
        verify(Graph((p,), (total,)))
    with pytest.raises(VerifyError, match="twice"):
        verify(Graph((p, p), (p,)))


def test_the_error_names_node_type_and_line():
    x = tensor("x", ("n",))
    energy = x * 2.0
    energy.name = "energy"
    energy.node.names = ("energy", "energy")
    with pytest.raises(VerifyError) as error:
        verify([energy.node])
    text = str(error.value)
    assert "node: multiply energy" in text
    assert "type: float64[n]" in text
    assert "test_verify.py:" in text
    energy.node.names = ("energy",)
    assert constant_node(np.zeros(2)).attrs["value"].flags.writeable is False
