"""Graphs as text and back: the very nodes that were written, and errors for any other text."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.errors import ParseError
from symgraph.ir.dim import (
    Dim,
    DimLike,
    add,
    broadcast,
    data_length,
    floordiv,
    maximum,
    minimum,
    mod,
    mul,
    unknown,
)
from symgraph.ir.dtype import ALL
from symgraph.ir.graph import Graph, param_node
from symgraph.ir.literal import Writer, content_key
from symgraph.ir.node import Node, attr_key, constant_node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.parse import Reader
from symgraph.ir.text import graph_text, parse_text
from symgraph.ir.type import TensorType, TupleType
from symgraph.ops.control import cond, scan
from symgraph.ops.leaves import constant, tensor
from symgraph.runtime.shared import shared

FLOAT = np.dtype("float64")
N, M = Dim("n"), Dim("m")
UNKNOWN, DATA = unknown("x.0"), data_length("found")


def holding(value: object) -> Node:
    """A node with an attribute."""
    attrs = {"index": value, "type": TensorType(FLOAT, ())}
    return make_node(find_op("param"), (), attrs, lines=())


def sample() -> Node:
    """A node above names, unknown dims, constants and shared parts."""
    x = tensor("x", ("n", 3))
    y = tensor("the second", (None,))
    part = (x * 2.0 - 1.0).sum(axis=1)
    part.name = "part"
    part.name = 'with "quotes", = and %1'
    return (part * y + part + constant(np.arange(3, dtype="int32")).sum()).node


def loops() -> list[Node]:
    """A scan with a conditional inside."""
    state, out = scan(
        lambda s, v: (s + v, cond(v > 0, lambda: v * s, lambda: s)), 0.0, tensor("v", ("k",))
    )
    return [state.node, out.node]


def test_reading_gives_the_very_nodes_that_were_written():
    node = sample()
    text = graph_text(node)
    assert parse_text(text).outputs == (node,)
    assert graph_text(parse_text(text)) == text


def test_graphs_inside_nodes_are_written_once_each():
    nodes = loops()
    text = graph_text(nodes)
    assert parse_text(text).outputs == tuple(nodes)
    assert [line for line in text.splitlines() if line.startswith(("graph", "main"))] == [
        "graph @0",
        "graph @1",
        "graph @2",
        "main",
    ]


def test_a_graph_keeps_its_parameters():
    p = [param_node(k, TensorType(FLOAT, (N,))) for k in range(3)]
    graph = Graph(tuple(p), (make_node(find_op("add"), p[:2]), p[0]))
    assert parse_text(graph_text(graph)) is graph


def test_text_without_tokens_makes_new_inputs_of_the_same_form():
    node = sample()
    text = graph_text(node, exact=False)
    assert "serial" not in text
    again = parse_text(text).outputs[0]
    assert again is not node
    assert graph_text(again, exact=False) == text
    assert again.names == node.names


def test_lines_of_the_user_are_written_on_request():
    node = (tensor("x", ("n",)) * 17.25).node
    text = graph_text(node, lines=True)
    assert f'at "{__file__.replace(chr(92), chr(92) * 2)}"' in text
    lines = node.lines
    del node
    assert parse_text(text).outputs[0].lines == lines
    assert "test_text" not in graph_text(parse_text(text))


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -3,
    2**70,
    0.0,
    -0.0,
    1.5,
    1e300,
    -1e-300,
    5e-324,
    0.1,
    math.inf,
    -math.inf,
    math.nan,
    -math.nan,
    struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000001))[0],
    1 - 0j,
    complex(-0.0, math.nan),
    "",
    'quotes " and \\ and \n',
    "é \u2028 \U0001f600",
    b"",
    b"\x00\xff",
    (),
    (1,),
    (1, (2.0, "a", (None,)), ()),
    *ALL,
    N,
    2 * N * M - 3,
    -N,
    1 - N * N,
    minimum(N, 3),
    maximum(N, M + 1),
    floordiv(N - 3, M),
    mod(N, 7),
    broadcast(broadcast(N, M), Dim("k")),
    UNKNOWN,
    add(mul(2, UNKNOWN), unknown("x.0")),
    floordiv(DATA, 2),
    Dim("a dimension with spaces"),
    Dim("min"),
    Dim("inf"),
    Dim("größe"),
    TensorType(FLOAT, ()),
    TensorType(np.dtype("int8"), (N, 3, UNKNOWN)),
    TupleType((TensorType(FLOAT, (N,)), TupleType((TensorType(FLOAT, ()),)))),
    TupleType(()),
    find_op("exp"),
    np.array(2.0),
    np.array(-0.0),
    np.array(0.1, "float32"),
    np.array([0.1, 1 / 3, 3e38, 1e-45, -0.0, np.inf, -np.inf, np.nan], "float32"),
    np.array([[1, -2], [3, 127]], "int8"),
    np.array(2**64 - 1, "uint64"),
    np.array([True, False]),
    np.array([1 + 2j, complex(-0.0, np.inf)], "complex64"),
    np.zeros((0, 3)),
    np.zeros((2, 0), "bool"),
    np.arange(1_000.0).reshape(10, 100),
    np.array([0x7FF8000000000001, 0xFFF8000000000000], "uint64").view("float64"),
    np.array(0x7F800001, "uint32").view("float32"),
    np.arange(12.0).reshape(3, 4).T,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:30])
def test_every_kind_of_attribute_reads_back_bit_by_bit(value: Any):
    node = holding(value)
    text = graph_text(node)
    found = parse_text(text).outputs[0]
    assert found is node
    written = text.replace(" {", "\n").splitlines()
    assert written, "attributes are on the line of the node"
    writer, reader = Writer(), Reader()
    spelled = writer.value(value)
    for line in writer.declarations():
        reader.declare(line)
    again = reader.value(spelled)
    assert attr_key(again) == attr_key(value)
    assert writer.value(again) == spelled


@settings(max_examples=200)
@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.complex_numbers(),
            st.text(),
            st.binary(),
            st.sampled_from(ALL),
        ),
        lambda inner: st.lists(inner, max_size=4).map(tuple),
        max_leaves=12,
    )
)
def test_any_nested_value_reads_back(value: Any):
    assert attr_key(Reader().value(Writer().value(value))) == attr_key(value)


@settings(max_examples=150)
@given(st.sampled_from(ALL), st.integers(0, 90), st.integers(0, 2**32 - 1))
def test_arrays_of_any_bits_read_back(dtype: Any, size: int, seed: int):
    raw = random.Random(seed).randbytes(size * dtype.itemsize)
    if dtype.kind == "b":
        raw = bytes(b & 1 for b in raw)
    array = np.frombuffer(raw, dtype)
    assert attr_key(Reader().value(Writer().value(array))) == attr_key(array)


def test_unknown_dims_of_one_label_stay_apart():
    a, b = tensor("x", (None,)), tensor("x", (None,))
    node = (a * b).node
    text = graph_text(node)
    assert 'dim ?x.0 = unknown("?x.0"' in text
    assert 'dim ?x.0#1 = unknown("?x.0"' in text
    assert parse_text(text).outputs[0] is node
    fresh = parse_text(graph_text(node, exact=False)).outputs[0]
    shapes = {i.tensor.shape[0] for i in fresh.inputs}
    assert len(shapes) == 2
    assert not shapes & {a.shape[0], b.shape[0]}


def test_large_arrays_can_be_elided_by_content():
    value = np.arange(100.0)
    node = (constant(value) + tensor("x", (100,))).node
    text = graph_text(node, elide=16)
    key = content_key(value)
    assert f'content("{key}")' in text
    assert len(text) < 400
    with pytest.raises(ParseError, match="is elided"):
        parse_text(text)
    assert parse_text(text, arrays={key: value}).outputs[0] is node
    with pytest.raises(ParseError, match=r"is not float64\[100\]"):
        parse_text(text, arrays={key: np.arange(3.0)})
    assert parse_text(graph_text(node)).outputs[0] is node
    assert content_key(value) != content_key(value.astype("float32"))
    assert content_key(value) != content_key(value.reshape(10, 10))
    assert content_key(value) == content_key(value[::-1].copy()[::-1])


def test_shared_state_reads_as_new_state_with_the_same_value():
    w = shared(np.arange(3.0), "w")
    node = (w * 2.0 + w.sum()).node
    again = parse_text(graph_text(node)).outputs[0]
    assert again is not node
    cells = {n.attrs["cell"] for n in (again.inputs[0].inputs[0], again.inputs[1].inputs[0])}
    assert len(cells) == 1, "one variable stays one"
    (cell,) = cells
    assert cell is not w.cell
    assert np.array_equal(cell.value, w.get_value())


def test_what_text_cannot_hold_is_opaque_and_refused_when_read():
    node = holding(print)
    text = graph_text(node)
    assert 'opaque("builtin_function_or_method")' in text
    with pytest.raises(ParseError, match="cannot be read back"):
        parse_text(text)


def test_text_written_by_hand_may_be_brief():
    graph = parse_text(
        """
        # a comment
        main
          %0 x = input: float32[n, ?rows]
          %7 = constant {value=float32(2.0)}
          %2 y = multiply(%0, %7)
          outputs %2
        """
    )
    (y,) = graph.outputs
    assert y.name == "y"
    assert str(y.type) == "float32[n, ?rows]"


GOOD = """symgraph 1
dim ?a = unknown("?a", "t1")
graph @0
  %0 = param: float64[] {index=0}
  %1 = exp(%0): float64[]
  params %0
  outputs %1
main
  %0 x = input: float64[n, ?a] {serial="s1"}
  %1 = constant: float64[] {value=float64(2.0)}
  %2 = multiply(%0, %1): float64[n, ?a]
  %3 = sum(%2): float64[n] {axes=(1,)}
  outputs %3
"""
BAD = [
    ("symgraph 1", "symgraph 2", "version '2'"),
    ("main\n", "", "a node outside of a graph"),
    ("  outputs %3\n", "", "no outputs"),
    ("outputs %3", "outputs %9", "'%9' is no node above"),
    ("%2 = multiply(%0, %1)", "%2 = multiply(%0, %5)", "'%5' is no node above"),
    ("%2 = multiply(%0, %1)", "%1 = multiply(%0, %1)", "%1 is there already"),
    ("multiply(%0, %1)", "multipli(%0, %1)", "no op named 'multipli'"),
    ("multiply(%0, %1): float64[n, ?a]", "multiply(%0, %1): float64[n]", "multiply gives"),
    ("multiply(%0, %1): float64[n, ?a]", "multiply(%0, %1): float16[n]", "is not a dtype"),
    ("multiply(%0, %1)", "multiply(%0, %1", "not a node"),
    ("{axes=(1,)}", "", "does not take these inputs and attributes"),
    ("{axes=(1,)}", "{axes=(1,)", r"'}'"),
    ("{axes=(1,)}", "{axes=(1,)} 3", "expected the end"),
    ("{axes=(1,)}", "{axes=(1,), axes=(0,)}", "twice"),
    ("{axes=(1,)}", "{axes=__import__}", "'__import__'"),
    ("{axes=(1,)}", "{axes=@7}", "@7 is not declared"),
    ("{axes=(1,)}", '{axes=op("nope")}', "no op named 'nope'"),
    ("{axes=(1,)}", "{axes=" + "(" * 80 + ")" * 80 + "}", "inside each other"),
    ("float64(2.0)", "float64(two)", "expected a number"),
    ("float64(2.0)", "float64(2.0, 3.0)", "not the elements of"),
    ("float64(2.0)", "int8(300)", "not the elements of"),
    ("float64(2.0)", "int8(1.5)", "not the elements of"),
    ("float64(2.0)", "bool(1)", "not the elements of"),
    ("float64(2.0)", 'array(float64[3], base64("AAAA"))', "not the bytes of"),
    ("float64(2.0)", 'array(float64[3], base64("@@@"))', "not the bytes of"),
    ("float64(2.0)", "array(float64[n], 1.0)", "a shape of numbers"),
    ('unknown("?a", "t1")', 'strange("?a", "t1")', "does not declare"),
    ("float64[n, ?a] {serial", "float64[n, -3] {serial", "cannot be negative"),
    ("float64[n, ?a] {serial", f"float64[n, {2**63}] {{serial", "whole number of int64"),
    ("float64[n, ?a] {serial", "float64[n, min(3)] {serial", "min of 1"),
    ("float64[n, ?a] {serial", "float64[n ?a] {serial", "expected"),
    ("graph @0", "graph @4", "graph @0"),
    ("main", "rest", "expected a node"),
    (GOOD, "", "ends before the main graph"),
    (GOOD, "%0 = input: float64[]", "outside of a graph"),
]


def test_the_sample_of_the_bad_texts_is_good():
    assert graph_text(parse_text(GOOD), exact=False).count("\n") > 5


@pytest.mark.parametrize(("old", "new", "what"), BAD, ids=[w for _, _, w in BAD])
def test_text_that_is_wrong_is_a_parse_error(old: str, new: str, what: str):
    assert old in GOOD
    with pytest.raises(ParseError) as error:
        parse_text(GOOD.replace(old, new, 1))
    assert what in str(error.value)
    assert isinstance(error.value, ValueError)


def test_errors_name_the_line():
    with pytest.raises(ParseError, match="line 11 is no graph text") as error:
        parse_text(GOOD.replace("multiply", "multipli"))
    assert "%2 = multipli(%0, %1)" in str(error.value)


def mutations(text: str, count: int) -> list[str]:
    """Texts with a few letters deleted, doubled, swapped or replaced."""
    draw = random.Random(7)
    found = []
    for _ in range(count):
        letters = list(text)
        for _ in range(draw.randint(1, 4)):
            k = draw.randrange(len(letters))
            match draw.randrange(4):
                case 0:
                    del letters[k : k + draw.randint(1, 9)]
                case 1:
                    letters[k:k] = letters[k : k + draw.randint(1, 9)]
                case 2:
                    letters[k] = draw.choice('%@$?!(){}[]=,:"\\ 0n-9e+*.#\n\x00é')
                case 3:
                    j = draw.randrange(len(letters))
                    letters[k], letters[j] = letters[j], letters[k]
        found.append("".join(letters))
    return found


def test_damaged_text_gives_a_parse_error_or_a_graph():
    texts = [GOOD, graph_text(loops())]
    refused = 0
    for text in mutations(texts[0], 300) + mutations(texts[1], 300):
        try:
            parse_text(text)
        except ParseError:
            refused += 1
    assert 300 < refused < 600


def symbolic() -> list[DimLike]:
    """One dim of every kind."""
    return [v for v in VALUES if isinstance(v, Dim)]


@pytest.mark.parametrize("dim", symbolic(), ids=str)
def test_types_with_any_dim_read_back(dim: DimLike):
    found = TensorType(FLOAT, (dim, 1, add(dim, 1)))
    writer, reader = Writer(), Reader()
    text = writer.type(found)
    for line in writer.declarations():
        reader.declare(line)
    assert reader.type(text) == found


def test_constants_read_back_as_the_same_node():
    node = constant_node(np.array([1.5, -0.0]))
    assert parse_text(graph_text(node)).outputs[0] is node
