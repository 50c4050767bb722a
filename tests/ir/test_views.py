"""Graphs for people: the tree and the formula."""

from __future__ import annotations

from symgraph.ir.views import formula_text, tree_text
from symgraph.ops.leaves import tensor
from tests.ir.test_text import loops


def test_a_tree_shows_each_node_once():
    x = tensor("x", ("n",))
    y = (x + 1.0) * (x + 1.0) - x.sum()
    y.name = "y"
    assert tree_text(y.node) == (
        "subtract y: float64[n]  [1]\n"
        "|-- multiply: float64[n]  [2]\n"
        "|   |-- add: float64[n]  [3]\n"
        "|   |   |-- x: float64[n]\n"
        "|   |   `-- 1.0: float64[]\n"
        "|   `-- add: float64[n]  [3, above]\n"
        "`-- sum: float64[] {axes=(0,)}  [4]\n"
        "    `-- x: float64[n]\n"
    )
    assert tree_text(y.node, depth=1) == (
        "subtract y: float64[n]  [1]\n"
        "|-- multiply: float64[n]  [2]\n"
        "|   `-- ...\n"
        "`-- sum: float64[] {axes=(0,)}  [3]\n"
        "    `-- ...\n"
    )


def test_a_tree_shows_the_graphs_inside():
    text = tree_text(loops())
    assert "body=@0" in text
    assert text.count("graph @") == 3


def test_a_formula_reads_as_mathematics():
    x, w, b = tensor("x", ("n", 3)), tensor("W", (3, 4)), tensor("b", (4,))
    assert formula_text((x @ w + b).node) == "x @ W + b\n"
    a, c, d = (tensor(n, ()) for n in "acd")
    assert formula_text((a - (c - d)).node) == "a - (c - d)\n"
    assert formula_text((a - c - d).node) == "a - c - d\n"
    assert formula_text(((a + c) * d).node) == "(a + c) * d\n"
    assert formula_text((-((a**c) ** d)).node) == "-(a ** c) ** d\n"
    assert formula_text(((-a) ** 2.0).node) == "(-a) ** 2.0\n"
    assert formula_text((-a * -c).node) == "-a * -c\n"


def test_parts_of_a_formula_that_are_used_twice_get_a_line():
    x = tensor("x", ("n",))
    part = x + 1.0
    assert formula_text((part * part).node) == "t1 = x + 1.0\nt1 * t1\n"
    part.name = "shifted"
    assert formula_text((part * part).node) == "shifted = x + 1.0\nshifted * shifted\n"
