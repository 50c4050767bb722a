"""Patterns: any order and grouping, subsets, scales, holes twice, attributes, what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.ir.graph import toposort
from symgraph.ir.op import find_op
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor
from symgraph.rewrite import terms
from symgraph.rewrite.conditions import positive
from symgraph.rewrite.engine import rewrite
from symgraph.rewrite.pattern import holes
from symgraph.rewrite.rule import rule

exp, log, log1p, sigmoid, tanh, sum_, logsumexp, cosh, expand_dims, reshape = map(
    find_op,
    [
        "exp",
        "log",
        "log1p",
        "sigmoid",
        "tanh",
        "sum",
        "logsumexp",
        "cosh",
        "expand_dims",
        "reshape",
    ],
)
x, y, axes = holes("x y axes")
because = {"why": "test", "source": "test"}
a, b, c = (tensor(n, shape=("n",), dtype="float64") for n in "abc")
VALUES = {v.node: np.linspace(-1.7, 2.3, 5) + k for k, v in enumerate((a, b, c))}


def changed(formula, one_rule):
    """The formula after one rule, or None where the rule does not fit; values must agree."""
    (found,) = rewrite([formula.node], (one_rule,))
    if found is formula.node:
        return None
    old, new = (evaluate([n], VALUES)[0] for n in (formula.node, found))
    np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-14)
    assert found.type == formula.node.type
    return found


SIGMOID = rule(1 / (1 + exp(-x)), sigmoid(x), **because)
ONE_MINUS = rule(1 - sigmoid(x), sigmoid(-x), **because)


@pytest.mark.parametrize(
    "formula",
    [
        1 / (1 + exp(-a)),
        1 / (exp(-a) + 1),
        1 / (1 + exp(a)),
        b / (1 + exp(-(a - b))),
        -3 * b / (1 + exp(-a)) / c,
        c * (1 / (1 + exp(-a)) * b),
    ],
)
def test_products_match_in_any_order_with_factors_left_over(formula):
    found = changed(formula, SIGMOID)
    assert found is not None
    assert "sigmoid" in {n.op.name for n in toposort([found])}


def test_a_quotient_matches_upside_down():
    found = changed((1 + exp(-a)) * b, SIGMOID)
    assert found is not None
    assert found.op.name == "divide"


@pytest.mark.parametrize(
    "formula",
    [
        1 - sigmoid(a),
        sigmoid(a) - 1,
        2 * sigmoid(a) - 2,
        b + 1 - sigmoid(a),
        b - (sigmoid(a) - (c + 1)),
        (b + 0.5) - 0.5 * sigmoid(a),
    ],
)
def test_sums_match_as_subsets_at_any_scale(formula):
    assert changed(formula, ONE_MINUS) is not None


@pytest.mark.parametrize("formula", [2 - sigmoid(a), 1 + sigmoid(a), b - sigmoid(a)])
def test_sums_do_not_match_with_another_constant(formula):
    assert changed(formula, ONE_MINUS) is None


def test_the_terms_left_over_keep_their_grouping():
    found = changed((a - b) + (c + (1 - sigmoid(a))), ONE_MINUS)
    assert found.inputs[0] is (a - b).node


def test_one_hole_takes_all_that_is_left_inside():
    one_rule = rule(log(1 + x), log1p(x), **because)
    found = changed(log(exp(a) + 1 + exp(b)), one_rule)
    assert found.op.name == "log1p"
    assert found.inputs[0].op.name == "add"


def test_a_hole_twice_must_be_the_same():
    one_rule = rule(exp(x) / cosh(x), 1 + tanh(x), **because)
    assert changed(exp(a) / cosh(a), one_rule) is not None
    assert changed(exp(a) / cosh(b), one_rule) is None


def test_a_hole_bound_to_a_sum_is_found_in_another_order_and_sign():
    one_rule = rule(exp(x) + exp(-x), 2 * cosh(x), **because)
    assert changed(exp(a - b) + exp(b - a), one_rule) is not None
    assert changed(exp(2 * a) + exp(a * -2), one_rule) is not None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_match_constants_of_any_dtype_by_value(dtype):
    v = tensor("v", shape=(), dtype=dtype)
    (found,) = rewrite([log(1 + v).node], (rule(log(1 + x), log1p(x), **because),))
    assert found is log1p(v).node
    assert found.tensor.dtype == dtype


def test_rules_on_floats_leave_integers_and_complex_numbers_alone():
    v = tensor("v", shape=(), dtype="complex128")
    w = tensor("w", shape=(), dtype="int64")
    one_rule = rule(x + x, 2 * x, **because)
    for formula in (v + v, w + w):
        assert rewrite([formula.node], (one_rule,)) == (formula.node,)


def test_attributes_bind_to_holes():
    m = tensor("m", shape=("n", 3), dtype="float64")
    one_rule = rule(log(sum_(exp(x), axes=axes)), logsumexp(x, axes=axes), **because)
    (found,) = rewrite([log(sum_(exp(m), axis=1)).node], (one_rule,))
    assert found is logsumexp(m, axis=1).node


def test_a_kept_reduction_is_seen_through():
    m = tensor("m", shape=(4, 3), dtype="float64")
    one_rule = rule(exp(x) / sum_(exp(x), axes=axes), tanh(x), **because)
    for total in (sum_(exp(m), axis=1, keepdims=True), reshape(sum_(exp(m), axis=1), (4, 1))):
        (found,) = rewrite([(exp(m) / total).node], (one_rule,))
        assert found is tanh(m).node
    square = tensor("s", shape=(3, 3), dtype="float64")
    wrong_axis = exp(square) / sum_(exp(square), axis=1)  # divides columns by the sums of rows
    assert rewrite([wrong_axis.node], (one_rule,)) == (wrong_axis.node,)


def test_movement_between_the_parts_hides_nothing():
    m = tensor("m", shape=("n", 3), dtype="float64")
    one_rule = rule(log(sigmoid(x)), -x, **because)
    for moved in (sigmoid(m).T, sigmoid(m)[:, 1], reshape(sigmoid(m), (-1,)), sigmoid(m).T[0]):
        (found,) = rewrite([log(moved).node], (one_rule,))
        assert "sigmoid" not in {n.op.name for n in toposort([found])}
        assert found.type == moved.node.type


def test_a_result_of_smaller_shape_is_broadcast():
    one_rule = rule(x + y - y, x, **because)
    m = tensor("m", shape=(4, 3), dtype="float64")
    v = tensor("v", shape=(3,), dtype="float64")
    (found,) = rewrite([(v + m - m).node], (one_rule,))
    assert found.op.name == "broadcast_to"
    assert found.tensor.shape == (4, 3)


def test_conditions_are_about_what_holes_bind():
    one_rule = rule(log(exp(x) * y), x + log(y), when=positive(y), **because)
    assert changed(log(exp(a) * cosh(b)), one_rule) is not None
    assert changed(log(exp(a) * b), one_rule) is None


def test_rules_print_as_formulas():
    assert ONE_MINUS.name == "1 - sigmoid(x) -> sigmoid(-x)"


def test_views_stop_at_a_bounded_number_of_leaves():
    total = a
    for k in range(100):
        total = total + exp(a * float(k + 2))
    assert len(terms.terms(total.node)) == terms.MOST
    terms.forget()


def test_coefficients_that_no_float_holds_are_split():
    huge = a * 1e300
    made = terms.scaled(terms.coef((huge * 1e300).node)[0], a.node)
    terms.forget()
    values = np.array([1e-320, 1e-308])
    np.testing.assert_allclose(evaluate([made], {a.node: values})[0], values * 1e300 * 1e300)
