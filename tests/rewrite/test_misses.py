"""``near_misses``: which facts would let a rule repair what stays as written."""

from __future__ import annotations

import threading

import pytest

import symgraph as sg
from symgraph.ir.variable import node_of
from symgraph.ops.assume import Assumption
from symgraph.rewrite.facts import fact, supposing
from symgraph.rewrite.misses import near_misses
from symgraph.rewrite.pipeline import PIPELINE, optimize

RULES = [row for step in PIPELINE for row in step.rules]
CASES = [
    # the formula, the rule that stays away, and what would let it come
    (lambda x, y, z: sg.sqrt(x * x + y), "norm", {"y": ">="}),
    (lambda x, y, z: sg.exp(y * sg.log(x)), "exp(y * log(x)) -> pow(x, y)", {"x": ">"}),
    (lambda x, y, z: x / sg.abs(x), "x / abs(x) -> sign(x)", {"x": "!="}),
    (lambda x, y, z: (x**y) ** z, "simple power", {"x": ">"}),
    (lambda x, y, z: sg.log(sg.sum(x * sg.exp(y))), "log of sum", {"x": ">"}),
]


def missed(value: sg.Variable) -> dict[str, dict[str | None, str]]:
    out = optimize([node_of(value)])
    return {m.rule.name: {n.name: r.relation for n, r in m.facts} for m in near_misses(out, RULES)}


@pytest.mark.parametrize(("formula", "rule", "facts"), CASES, ids=[c[1] for c in CASES])
def test_the_fact_that_is_missing_is_told_and_suffices(formula, rule, facts):
    x, y, z = (sg.vector(n) for n in "xyz")
    assert missed(formula(x, y, z))[rule] == facts
    domains = {">=": "nonnegative", ">": "positive", "!=": "nonzero"}
    given = [sg.vector(n, domain=domains[facts[n]] if n in facts else None) for n in "xyz"]
    value = formula(*given)
    applied: list = []
    optimize([node_of(value)], trace=applied)
    assert rule in {a.rule for a in applied}
    assert rule not in missed(value)


def test_what_is_repaired_or_needs_no_repair_misses_nothing():
    x, y = sg.vector("x"), sg.vector("y")
    for value in (sg.log(1 - sg.sigmoid(x)), x + y, sg.sqrt(x + 1) - sg.sqrt(x), x @ y):
        assert missed(value) == {}


def test_supposed_facts_are_seen_above_and_forgotten():
    x = sg.vector("x")
    node, root = node_of(x), node_of(sg.sqrt(x) * sg.exp(x))
    assert not fact(root).positive
    with supposing({node: Assumption(">")}) as asked:
        assert fact(root).positive
        assert asked == [root]
        seen: list[bool] = []
        other = threading.Thread(target=lambda: seen.append(fact(root).positive))
        other.start()
        other.join()
    assert seen == [False]
    assert not fact(root).positive
    assert not fact(node).positive
