"""Facts: what ops, constants, dtypes and assumptions say of values."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from symgraph.errors import UnsupportedError
from symgraph.ir.op import find_op
from symgraph.ops.assume import assume
from symgraph.ops.leaves import constant, tensor
from symgraph.rewrite.conditions import (
    finite,
    negative,
    nonnegative,
    nonzero,
    one_hot,
    positive,
    probability,
    whole,
)
from symgraph.rewrite.facts import fact

(exp, sigmoid, tanh, sqrt, log, sum_, abs_, where, softmax, erfc, floor, cosh, maximum, hypot) = (
    map(
        find_op,
        [
            "exp",
            "sigmoid",
            "tanh",
            "sqrt",
            "log",
            "sum",
            "abs",
            "where",
            "softmax",
            "erfc",
            "floor",
            "cosh",
            "maximum",
            "hypot",
        ],
    )
)
x = tensor("x", shape=("n", 3), dtype="float64")
k = tensor("k", shape=("n",), dtype="int64")


@pytest.mark.parametrize(
    ("formula", "holds"),
    [
        (exp(x), positive),
        (1 + exp(x), positive),
        (x * x, nonnegative),
        (x * x + 1, positive),
        (-exp(x), negative),
        (exp(x) * sigmoid(x), positive),
        (exp(x) / (1 + exp(x)), positive),
        (sqrt(x * x + 1), positive),
        (abs_(x), nonnegative),
        (cosh(x) - 0.5, positive),
        (sigmoid(x) - 1, negative),
        (1 - tanh(x), nonnegative),
        (where(x > 0, exp(x), 1.0), positive),
        (sum_(exp(x), axis=1), positive),
        (sum_(exp(x), axis=0), nonnegative),
        (softmax(x), probability),
        (erfc(x), positive),
        (maximum(x, 1.0), positive),
        (hypot(x, 1.0), positive),
        (floor(x), whole),
        (exp(x)[:, 0], positive),
        (k, whole),
        (k, finite),
        (constant(3.0), finite),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_fact_is_known(formula, holds):
    assert holds(formula.node)


@pytest.mark.parametrize(
    ("formula", "holds"),
    [
        (x, nonnegative),
        (x + 1, positive),
        (x * x, positive),
        (tanh(x), nonnegative),
        (sum_(exp(x), axis=0), positive),  # an axis of length 0 has sum 0
        (exp(x), finite),
        (constant(float("inf")), finite),
        (constant(float("nan")), nonnegative),
        (abs_(x), positive),
        (sqrt(x), positive),
        (log(x), nonnegative),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_fact_is_not_claimed(formula, holds):
    assert not holds(formula.node)


@pytest.mark.parametrize("seed", range(5))
def test_ranges_hold_on_values(seed):
    from symgraph.ops.evaluate import evaluate

    generator = np.random.default_rng(seed)
    unary = [exp, sigmoid, tanh, abs_, cosh, floor, lambda v: v * v, lambda v: -v, lambda v: v + 1]
    binary = [lambda p, q: p + q, lambda p, q: p * q, maximum, hypot, lambda p, q: p - q]
    v = tensor("v", shape=(50,), dtype="float64")
    pool = [v]
    for _ in range(25):
        if generator.random() < 0.5:
            made = unary[generator.integers(len(unary))](pool[generator.integers(len(pool))])
        else:
            p, q = (pool[generator.integers(len(pool))] for _ in range(2))
            made = binary[generator.integers(len(binary))](p, q)
        pool.append(made)
    found = evaluate([p.node for p in pool], {v.node: generator.normal(size=50)})
    for node, value in zip([p.node for p in pool], found, strict=True):
        known = fact(node)
        value = value[np.isfinite(value)]
        slack = 1e-12 * np.maximum(1, np.abs(value))
        assert (value >= known.lo - slack).all()
        assert (value <= known.hi + slack).all()
        if known.whole:
            assert (value == np.round(value)).all()


def test_assumptions_are_facts():
    v = tensor("v", shape=("m",), dtype="float64")
    assert not positive(v.node)
    assert not positive((v * 2).node)
    assume((v > 0) & (v <= 10))
    assert positive(v.node)
    assert positive((v * 2).node)
    assert fact(v.node).hi == 10
    w = tensor("w", shape=(), dtype="float64")
    assume(w > -1)
    assert positive((w + 1).node)
    assume(find_op("isfinite")(w))
    assert finite(w.node)


def test_an_assumption_that_is_no_comparison_is_refused():
    v = tensor("v", shape=("m",), dtype="float64")
    with pytest.raises(UnsupportedError, match=r"compare two expressions"):
        assume(find_op("isnan")(v))


def test_one_hot_arrays_are_known():
    from symgraph.ops.create import one_hot as make_one_hot

    made = make_one_hot(k, 4, dtype="float64")
    assert one_hot(made.node)
    assert probability(made.node)
    assert nonnegative((made * exp(x[:, :1])).node)
    assert not one_hot(x.node)


def test_facts_of_a_deep_chain_need_no_recursion():
    v = tensor("v", shape=(), dtype="float64")
    for _ in range(20_000):
        v = exp(v) * 0.5
    assert positive(v.node)


def test_conditions_read_as_text():
    from symgraph.rewrite.pattern import holes

    p, q = holes("p q")
    assert (positive(p) & ~nonzero(q)).text == "positive(p) and not nonzero(q)"


def test_an_assumption_about_an_expression_lasts_until_it_is_written_again():
    x, y = tensor("x", shape=("n",)), tensor("y", shape=("n",))
    assume(x * y + 1 > 0)
    gc.collect()
    assert fact((x * y + 1).node).positive
