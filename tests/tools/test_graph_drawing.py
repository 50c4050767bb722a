"""Graphs as drawings, and traces as text."""

from __future__ import annotations

import numpy as np

import symgraph as sg
from symgraph.ir.graph import Graph
from symgraph_tools.changes import change_lines, change_text
from symgraph_tools.graph_drawing import graph_drawing


def graph_of(*outputs) -> Graph:
    """Outputs as a graph."""
    return Graph((), tuple(output.node for output in outputs))


def test_kinds_and_types_are_those_of_the_nodes():
    x = sg.vector("x", dtype="float32")
    w = sg.shared(np.zeros(3, "float32"), "w")
    table = sg.constant(np.arange(3, dtype="float32"))
    drawing = graph_drawing(graph_of(sg.exp(x * w) + table), output_names=["y"])
    kinds = {node.lines[0]: node.kind for node in drawing.nodes}
    assert (kinds["x"], kinds["w"], kinds["exp"], kinds["y"]) == ("input", "shared", "op", "output")
    assert sorted(kinds.values()).count("constant") == 1
    assert all(node.lines[-1].startswith("float32[") for node in drawing.nodes)


def test_numbers_are_written_inside_the_operation_in_their_place():
    x = sg.vector("x")
    drawing = graph_drawing(graph_of(1.0 - x, x - 1.0, sg.maximum(x, 0.0)))
    lines = {node.lines[0] for node in drawing.nodes}
    assert {"1.0 - _", "_ - 1.0", "maximum(_, 0.0)"} <= lines
    assert not [node for node in drawing.nodes if node.kind == "constant"]


def test_arguments_keep_their_order_unless_the_operation_commutes():
    x, y = sg.vectors("x", "y")
    drawing = graph_drawing(graph_of(x / y, x + y))
    heads = {node.id: node.lines[0] for node in drawing.nodes}
    ports = {
        name: [e.target_port for e in drawing.edges if heads[e.target] == name]
        for name in ("divide", "add")
    }
    assert ports == {"divide": [0, 1], "add": [None, None]}


def test_a_node_tells_the_line_that_made_it():
    x = sg.vector("x")
    y = sg.tanh(x)
    drawing = graph_drawing(graph_of(y))
    (drawn,) = [node for node in drawing.nodes if node.lines[0] == "tanh"]
    assert "y = sg.tanh(x)" in dict(drawn.details)["line"]


def test_deep_graphs_are_drawn_without_recursion():
    x = sg.vector("x")
    for _ in range(5_000):
        x = sg.sin(x)
    assert len(graph_drawing(graph_of(x)).nodes) == 5_002


def test_a_change_is_shown_without_what_both_sides_share():
    x, y = sg.vectors("x", "y")
    long = sg.tanh(sg.exp(x) + y)
    before, after = sg.log(1 + sg.exp(long)), sg.softplus(long)
    text = change_text(before.node, after.node)
    assert text == "log(1 + exp(a)) --> softplus(a)"


def test_changes_say_why_once():
    x = sg.vector("x")
    f = sg.function([x], sg.log(1 + sg.exp(x)))
    told: set[str] = set()
    first = "\n".join(change_lines(f.trace, told))
    assert "why: " in first
    assert "source: " in first
    assert "from: f = sg.function([x], sg.log(1 + sg.exp(x)))" in first
    again = "\n".join(change_lines(f.trace, told))
    assert "as above" in again
    assert "why: " not in again


def test_a_number_named_elsewhere_is_still_written_inside():
    sg.constant(0.25, name="quarter")  # equal constants are one node, whoever named it
    drawing = graph_drawing(graph_of(sg.maximum(sg.vector("x"), 0.25)))
    assert "maximum(_, 0.25)" in {node.lines[0] for node in drawing.nodes}
