"""Rules that are known not to fit a node are not tried at it again, unless more was stated."""

from __future__ import annotations

import symgraph as sg
from symgraph import exp, multiply, sin, sqrt
from symgraph.rewrite.build import shared
from symgraph.rewrite.engine import rewrite
from symgraph.rewrite.journal import Counts
from symgraph.rewrite.pattern import holes
from symgraph.rewrite.pipeline import PIPELINE, run
from symgraph.rewrite.rule import rule

x = holes("x")


def tried(outputs, passes=PIPELINE):
    counts = Counts()
    found = run(outputs, passes, counts=counts)
    return counts.tried, found


def test_a_second_run_tries_no_rule():
    a = sg.vector("a")
    formula = (sin(a) * a + exp(-a)).node
    first, found = tried([formula])
    again, same = tried(found)
    assert first > 0
    assert again == 0
    assert same == found


def test_a_pass_with_the_rules_of_another_tries_only_its_own():
    a = sg.vector("a")
    (found,) = run([(sin(a) * a + exp(-a)).node], PIPELINE[1:2])
    new = len(set(PIPELINE[2].rules) - set(PIPELINE[1].rules))
    linear, _ = tried([found], PIPELINE[2:])
    assert linear <= 6 * new
    assert tried([found], PIPELINE[2:])[0] == 0


def test_what_is_stated_later_is_seen():
    a = sg.vector("a")
    formula = sqrt(multiply(a, multiply(a, sin(a))))
    (before,) = run([formula.node], PIPELINE)
    sg.assume(a > 0)
    (after,) = run([formula.node], PIPELINE)
    names = {n.op.name for n in after.inputs}
    assert before is not after
    assert "sqrt" in names


def test_a_rule_that_asks_for_the_readers_of_a_node_is_tried_again():
    seen = []

    @rule.compute("sin", why="test", source="test")
    def alone(node):
        seen.append(node.inputs[0] in shared())

    inner = exp(sg.vector("a"))
    one = sin(inner)
    rewrite([one.node], (alone,))
    rewrite([one.node, multiply(inner, inner).node], (alone,))
    assert seen == [False, True]


def test_a_rule_of_a_node_alone_is_tried_once():
    seen = []

    @rule.compute("sin", why="test", source="test")
    def noted(node):
        seen.append(node)

    one = sin(sg.vector("a"))
    rewrite([one.node], (noted,))
    rewrite([one.node], (noted,))
    rewrite([multiply(one, one).node], (noted,))
    assert seen == [one.node]
