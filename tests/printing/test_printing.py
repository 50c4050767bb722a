"""Graphs as trees, mathematics and LaTeX."""

from __future__ import annotations

import io

import numpy as np
import pytest

import symgraph as sg
from symgraph import printing
from symgraph.ir.text import parse_text

x, w = sg.matrix("x"), sg.matrix("W")
b = sg.vector("b")
t = sg.tensor("t", shape=(3, 4), dtype="float32")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (sg.log_softmax(x @ w + b), "log_softmax(x·W + b)"),
        (sg.log(1 - sg.sigmoid(b)), "log(1 - sigmoid(b))"),
        ((x + 1) @ w, "(x + 1)·W"),
        (x @ (w + 1), "x·(W + 1)"),
        (x @ (w @ x), "x·(W·x)"),
        (x.mT @ x, "xᵀ·x"),
        ((x + 1).mT, "(x + 1)ᵀ"),
        (b**2 + sg.square(b + 1), "b² + (b + 1)²"),
        (b**0.5, "b**0.5"),
        ((-b) ** 3, "(-b)³"),
        (-(b**3), "-b³"),
        (b - (b - 1), "b - (b - 1)"),
        (b / (b * 2), "b / (2 * b)"),
        (-(b + 1), "-(b + 1)"),
        (sg.sqrt(b), "√b"),
        (sg.sqrt(b + 1), "√(b + 1)"),
        (abs(b - 1), "|b - 1|"),
        (b <= 1, "b ≤ 1"),
        (sg.sum(x), "sum(x)"),
        (sg.sum(x, axis=1), "sum(x, axis=1)"),
        (sg.softmax(x, axis=0), "softmax(x, axis=0)"),
        (sg.where(b > 0, b, -1.0), "where(b > 0, b, -1)"),
        (b + x, "b + x"),  # broadcasting goes without saying
        (sg.constant(np.ones((2, 2)), name="eye") @ x, "eye·x"),
    ],
)
def test_mathematics_reads_as_written(value, text):
    assert printing.math(value) == text + "\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (sg.log_softmax(x @ w + b), r"\operatorname{log\_softmax}\left(x\,W + b\right)"),
        (sg.exp(b) / (1 + b**2), r"\frac{\exp\left(b\right)}{1 + b^{2}}"),
        (sg.vector("alpha") * sg.vector("w1"), r"\alpha \odot w_{1}"),
        (sg.vector("step_size") * 2.5, r"2.5\,\mathrm{step\_size}"),
        (b * 1e-8, r"1\cdot 10^{-8}\,b"),
        (x.mT @ x, r"x^{\top}\,x"),
        (sg.sqrt(abs(b)), r"\sqrt{\left|b\right|}"),
    ],
)
def test_latex_of_one_formula(value, text):
    assert printing.latex(value) == text + "\n"


def test_latex_of_several_lines_is_aligned_and_balanced():
    y = sg.tanh(x @ w)
    text = printing.latex([y * y, sg.exp(y)])
    assert text.startswith("\\begin{aligned}\n  t_{1} &= \\tanh")
    assert text.endswith("\\end{aligned}\n")
    assert text.count("\\left") == text.count("\\right")
    assert text.count("{") == text.count("}")


def test_what_is_used_twice_gets_a_line_and_notes_stand_beside():
    y = sg.exp(t)
    text = printing.math([y + 1, y * y], types=True, shapes=True)
    assert text == (
        "t1 = exp(t)    : float32[3, 4]\nt1 + 1    : float32[3, 4]\nt1 * t1    : float32[3, 4]\n"
    )
    assert printing.math(y, shapes=True) == "exp(t)    : [3, 4]\n"
    assert printing.math(y, memory=True) == "exp(t)    : 48 B\n"
    assert "y = sg.exp(t)" in printing.math(y, lines=True)


def test_the_body_of_a_loop_follows():
    last, _ = sg.scan(lambda s, v: (s * 0.5 + v, None), sg.constant(0.0), xs=b)
    assert printing.math(last) == ("scan(0, b)[0]\nin scan, body(p0, p1):\n    0.5 * p0 + p1\n")


def test_tree_has_types_unless_other_notes_are_asked_for():
    y = sg.exp(t)
    assert printing.tree(y) == "exp: float32[3, 4]  [1]\n`-- t: float32[3, 4]\n"
    assert printing.tree(y, types=True) == "exp: float32  [1]\n`-- t: float32\n"
    assert printing.tree(y, shapes=True) == "exp: [3, 4]  [1]\n`-- t: [3, 4]\n"
    assert printing.tree(y, memory=True).startswith("exp: float32[3, 4]  48 B")
    n = sg.vector("n")
    assert "8*?n.0 B" in printing.tree(n + 1, memory=True)


def test_long_texts_are_cut_where_asked():
    y = b
    for _ in range(50):
        y = sg.sin(y)
    assert printing.tree(y, max_nodes=5).splitlines()[5:] == ["... cut here, after 5 lines"]
    many = [sg.exp(b + k) for k in range(20)]
    assert printing.math(many, max_nodes=3).splitlines()[3:] == [
        "... cut here, 17 lines before the end"
    ]
    assert "..." in printing.tree(y, depth=3)


def test_ssa_can_be_read_back():
    y = sg.exp(b) + 1
    assert parse_text(printing.ssa(y)).outputs == (y.node,)


def test_dprint_writes_where_it_is_told():
    found = io.StringIO()
    printing.dprint({"y": sg.exp(t)}, file=found)
    assert found.getvalue() == printing.tree(sg.exp(t))


def test_a_function_is_printed_as_it_was_built():
    f = sg.function([b], sg.log(1 - sg.sigmoid(b)))
    assert printing.math(f) == "log(1 - sigmoid(b))\n"
    assert printing.math(f.optimized) == "-softplus(b)\n"


def test_deep_graphs_are_printed_without_recursion():
    y = b
    for _ in range(3_000):
        y = sg.sin(y)
    assert printing.math(y).count("sin(") == 3_000


def test_what_has_no_graph_is_refused():
    with pytest.raises(sg.ArgumentError, match="a int cannot be printed as a graph"):
        printing.tree(3)
    with pytest.raises(sg.ArgumentError, match="no style 'prose'; styles: math, tree"):
        printing.render(b, "prose")
