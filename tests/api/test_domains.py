"""Domains of inputs and assumptions: what rules make of them, and their checks."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.rewrite.conditions import finite, negative, nonnegative, nonzero, positive, whole
from symgraph.rewrite.facts import fact

CONSTRUCTORS = (sg.scalar, sg.vector, sg.matrix, sg.tensor3, sg.tensor4, sg.row, sg.col)


@pytest.mark.parametrize(
    ("domain", "holds"),
    [
        ("positive", positive),
        ("nonnegative", nonnegative),
        ("negative", negative),
        ("nonzero", nonzero),
        ("integer", whole),
        ("finite", finite),
        (("positive", "finite"), finite),
        ((1, None), positive),
        ((-3, -1), negative),
    ],
)
def test_domain_is_a_fact(domain, holds):
    assert holds(sg.tensor("x", shape=("n",), domain=domain).node)
    assert not holds(sg.tensor("x", shape=("n",)).node)


@pytest.mark.parametrize("domain", ["probability", "unit", (0, 1)])
def test_probability_is_the_closed_unit_interval(domain):
    found = fact(sg.vector("p", domain=domain).node)
    assert (found.lo, found.hi, found.positive) == (0, 1, False)


@pytest.mark.parametrize("make", CONSTRUCTORS)
def test_every_constructor_takes_a_domain(make):
    assert positive(make("x", domain="positive").node)


def test_plurals_and_shared_take_a_domain():
    assert all(positive(x.node) for x in sg.vectors("x", "y", domain="positive"))
    assert positive(sg.shared(np.ones(3), domain="positive").node)


def test_facts_go_through_the_graph():
    p, q = sg.vectors("p", "q", domain="probability")
    k = sg.vector("k", domain=("integer", "positive"))
    assert nonnegative((1 - p).node)
    assert (fact((p * q).node).lo, fact((p * q).node).hi) == (0, 1)
    assert whole((k * k + 1).node)
    assert positive((k * sg.exp(p)).node)
    assert nonzero((k * (k + 1)).node)
    assert nonnegative(sg.sum(p, axis=0).node)


def test_difference_of_two_inputs_may_be_stated():
    x, y = sg.vectors("x", "y")
    sg.assume(x > y)
    assert positive((x - y).node)
    sg.assume(x == sg.floor(x))
    assert whole(x.node)
    sg.assume(y != 0)
    assert nonzero(y.node)


def test_domain_survives_dims_that_meet():
    """Compiling makes inputs anew where their dims turn out to be equal."""
    x, y = sg.vector("x", domain="positive"), sg.vector("y", domain="positive")
    f = sg.function([x, y], sg.log(x * y * y) + x)
    assert "where" not in {n.op.name for n in toposort(f.stage("stable"))}


def test_fact_of_an_intermediate_survives_rewriting():
    x, y = sg.vectors("x", "y")
    ratio = (x * 2 / 2) / y
    sg.assume(ratio > 0)
    f = sg.function([x, y], sg.abs(ratio))
    assert "abs" not in {n.op.name for n in toposort(f.stage("stable"))}


def _checked(domain, value):
    x = sg.vector("rate", domain=domain)
    return sg.function([x], x * 2, mode="debug")(np.asarray(value, "float64"))


@pytest.mark.parametrize(
    ("domain", "value", "shown"),
    [
        ("positive", [1.0, 0.0], "rate > 0"),
        ("nonnegative", [1.0, -2.5], "rate >= 0"),
        ("probability", [0.5, 1.5], "rate <= 1"),
        ("integer", [1.0, 2.5], "rate is whole"),
        ("finite", [1.0, np.inf], "rate is finite"),
        ("nonzero", [1.0, 0.0], "rate != 0"),
        ((2, 3), [2.0, 1.5], "rate >= 2"),
    ],
)
def test_debug_mode_names_variable_line_and_value(domain, value, shown):
    with pytest.raises(sg.NumericError) as caught:
        _checked(domain, value)
    text = str(caught.value)
    assert shown in text
    assert repr(float(value[1])) in text
    assert "first at (1,)" in text
    assert "test_domains.py" in text


def test_debug_mode_accepts_what_holds():
    np.testing.assert_array_equal(_checked("probability", [0.0, 1.0]), [0.0, 2.0])
    np.testing.assert_array_equal(_checked("positive", [1.0, np.nan]), [2.0, np.nan])


def test_debug_mode_checks_assumed_expressions():
    x, y = sg.vectors("x", "y")
    sg.assume(x < y)
    f = sg.function([x, y], x + y, mode="debug")
    f(np.zeros(2), np.ones(2))
    with pytest.raises(sg.NumericError, match="assumed"):
        f(np.ones(2), np.zeros(2))


@pytest.mark.parametrize("domain", ["positiv", (1, 0), 3, (1, 2, 3), ("positive", 1)])
def test_a_wrong_domain_says_what_there_is(domain):
    with pytest.raises(sg.ArgumentError, match=r"domain|interval"):
        sg.vector("x", domain=domain)


FACTS = {
    "greater": (lambda e: e > 0, -1.0),
    "greater_equal": (lambda e: e >= 0, -1.0),
    "less": (lambda e: e < 3, 4.0),
    "less_equal": (lambda e: e <= 3, 4.0),
    "equal": (lambda e: sg.equal(e, 2.0), 1.0),
    "not_equal": (lambda e: sg.not_equal(e, 5.0), 5.0),
    "whole": (lambda e: sg.equal(e, sg.floor(e)), 2.5),
    "finite": (sg.isfinite, np.inf),
    "finite, of NaN": (sg.isfinite, np.nan),
}


def _sliced(x, condition):
    part = x[1:]
    sg.assume(condition(part))
    return sg.sum(part)


def _gathered(x, condition):
    part = x[sg.constant(np.array([2, 1]))]
    sg.assume(condition(part))
    return sg.sum(part)


def _scanned(x, condition):
    def step(state, element):
        sg.assume(condition(element))
        return state + element, None

    return sg.scan(step, sg.constant(0.0), x)[0]


def _scanned_state(x, condition):
    def step(state, element):
        sg.assume(condition(state))
        return element, None

    return sg.scan(step, sg.constant(2.0), x)[0]


def _scanned_twice(x, condition):
    def step(state, element):
        return state + _scanned(sg.stack([element, element]), condition), None

    return sg.scan(step, sg.constant(0.0), x)[0]


def _looped(x, condition):
    def body(state):
        k, total = state
        sg.assume(condition(x[k]))
        return k + 1, total + x[k]

    return sg.while_loop(lambda state: state[0] < 3, body, (sg.constant(0), sg.constant(0.0)))[1]


def _branched(x, condition):
    def taken():
        sg.assume(condition(x[1] * 1.0))
        return sg.sum(x)

    return sg.cond(x[0] > 1, taken, lambda: x[0])


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize(
    "place",
    [_sliced, _gathered, _scanned, _scanned_state, _scanned_twice, _looped, _branched],
    ids=lambda f: f.__name__[1:],
)
def test_facts_are_checked_wherever_they_are_stated(place, fact):
    condition, wrong = FACTS[fact]
    x = sg.vector("x")
    f = sg.function([x], place(x, condition), mode="debug")
    f(np.array([2.0, 2.0, 2.0]))
    with pytest.raises(sg.NumericError, match=r"assumed[\s\S]*test_domains"):
        f(np.array([2.0, wrong, 2.0]))


def test_fact_of_a_branch_holds_nowhere_else():
    x = sg.scalar("x")

    def right():
        sg.assume(x - 1 > 0)
        return sg.log(x - 1)

    y = sg.cond(x > 1, right, lambda: sg.abs(x - 1))
    assert not positive((x - 1).node)
    f = sg.function([x], y, mode="debug")
    assert f(0.25) == 0.75
    assert f(2.0) == 0.0
