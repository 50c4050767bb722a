"""Every rule of the scalar tables, on its own example: types, values, fixpoints, gradients."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.autodiff.transform import grad
from symgraph.ops.convert import wrap
from symgraph.ops.evaluate import evaluate
from symgraph.rewrite import terms
from symgraph.rewrite.canonicalize import CANONICALIZE
from symgraph.rewrite.engine import rewrite
from symgraph.rewrite.linalg import LINALG
from symgraph.rewrite.pipeline import optimize
from symgraph.rewrite.rule import Rule
from symgraph.rewrite.softmax import SOFTMAX
from symgraph_tools.rules.examples import COMPUTED, RULES, STRUCTURAL, Case, case_of
from symgraph_tools.rules.points import points as points_of
from symgraph_tools.rules.truth import bits, exact

POINTS = 40
FEW_ULP = 5.0  # bits: the rows of erfc and gammaln alone are good to 6 and 16 ulp
NAMES = [r.name for r in RULES]
each_rule = pytest.mark.parametrize("rule", RULES, ids=NAMES)
SCALAR = [r for r in RULES if r.name not in STRUCTURAL]
each_scalar_rule = pytest.mark.parametrize("rule", SCALAR, ids=[r.name for r in SCALAR])


def points(case: Case) -> list[dict[str, float]]:
    """Even, log-distributed and extreme points of the intervals."""
    return points_of(case.domain, POINTS)


def applied(rule: Rule, node: object) -> object:
    """What a rule makes of a node, as the engine would apply it."""
    made = rule.apply(node)
    terms.forget()
    return made


def test_every_computed_rule_has_an_example():
    missing = {r.name for r in RULES if r.lhs is None} - COMPUTED.keys()
    assert not missing


@pytest.mark.parametrize("rule", [*CANONICALIZE, *RULES, *SOFTMAX, *LINALG], ids=lambda r: r.name)
def test_rule_says_why_and_on_whose_word(rule):
    assert rule.why
    assert rule.source
    assert rule.lhs is not None or (rule.rhs.__doc__ or "").count("-->") >= 1


def test_names_of_rules_are_unique():
    names = [r.name for r in (*CANONICALIZE, *RULES, *SOFTMAX, *LINALG)]
    assert sorted(set(names)) == sorted(names)


@each_scalar_rule
def test_rule_fires_on_its_example_and_keeps_the_type(rule):
    case = case_of(rule)
    made = applied(rule, case.formula.node)
    assert made is not None
    assert made is not case.formula.node
    assert made.type == case.formula.node.type


@each_scalar_rule
def test_rule_is_no_worse_than_what_it_replaces(rule):
    case = case_of(rule)
    made = applied(rule, case.formula.node)
    before, after = [], []
    for point in points(case):
        values = {case.holes[n].node: v for n, v in point.items()}
        truth = exact(case.formula.node, values)
        if not np.isfinite(float(truth)) or (truth != 0 and abs(float(truth)) < 1e-300):
            continue
        old, new = (float(evaluate([n], values)[0]) for n in (case.formula.node, made))
        before.append(bits(old, truth))
        after.append(bits(new, truth))
        assert after[-1] <= max(before[-1] + 1, FEW_ULP), (
            f"{point}: {old} became {new}, not {truth}"
        )
    assert len(after) > POINTS // 4
    assert np.mean(after) <= np.mean(before) + 0.5


@each_rule
def test_optimizing_the_example_twice_changes_nothing(rule):
    case = case_of(rule)
    once = optimize([case.formula.node])
    assert optimize(once) == once


@each_rule
def test_each_table_leaves_alone_what_the_others_made(rule):
    case = case_of(rule)
    (made,) = optimize([case.formula.node])
    for table in (CANONICALIZE, SOFTMAX, LINALG):
        assert rewrite([made], table) == (made,)


@each_scalar_rule
def test_rule_commutes_with_the_gradient(rule):
    case = case_of(rule)
    made = wrap(applied(rule, case.formula.node))
    inputs = list(case.holes.values())
    old, new = (grad(f, inputs, disconnected="zero") for f in (case.formula, made))
    compared = 0
    for point in points(case):
        values = {case.holes[n].node: v for n, v in point.items()}
        for a, b in zip(old, new, strict=True):
            x, y = (float(evaluate([v.node], values)[0]) for v in (a, b))
            truth = _exact_or_none(a, values)
            if truth is None or not np.isfinite(x):
                continue
            compared += 1
            # a gradient of the naive form may be all wrong: then the new one must be right
            assert np.isclose(x, y, rtol=1e-7, atol=1e-12) or np.isclose(
                y, float(truth), rtol=1e-6, atol=1e-12
            ), f"{point}: {x} became {y}"
    assert compared


def _exact_or_none(variable: object, values: dict[object, float]) -> object:
    try:
        truth = exact(variable.node, values)
    except KeyError:
        return float("nan")
    return truth if np.isfinite(float(truth)) else None
