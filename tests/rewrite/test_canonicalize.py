"""Canonical forms: each exact row keeps every bit, on arrays of all kinds of values."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.ir.graph import toposort
from symgraph.ir.op import find_op
from symgraph.ops.convert import make
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import constant, tensor
from symgraph.rewrite.canonicalize import CANONICALIZE
from symgraph.rewrite.engine import rewrite

(astype, reshape, permute_dims, expand_dims, squeeze, broadcast_to, where, abs_, maximum) = map(
    find_op,
    [
        "astype",
        "reshape",
        "permute_dims",
        "expand_dims",
        "squeeze",
        "broadcast_to",
        "where",
        "abs",
        "maximum",
    ],
)
hypot, cos, sum_, exp, square, reciprocal, positive, log, negative = map(
    find_op, ["hypot", "cos", "sum", "exp", "square", "reciprocal", "positive", "log", "negative"]
)
x = tensor("x", shape=(3, 4), dtype="float64")
v = tensor("v", shape=(4,), dtype="float64")
s = tensor("s", shape=(), dtype="float64")
k = tensor("k", shape=(4,), dtype="int32")
n = tensor("n", shape=("n", "m"), dtype="float64")
c = tensor("c", shape=(4,), dtype="bool")
SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, 1.5, -2.0, 3.0, 1e300, -1e-300, 7.0]
)
VALUES = {
    x.node: SPECIAL.reshape(3, 4),
    v.node: SPECIAL[:4],
    s.node: np.array(-0.0),
    k.node: np.array([-3, 0, 2, 9], "int32"),
    n.node: SPECIAL.reshape(3, 4),
    c.node: np.array([True, False, True, False]),
}

# rule, what it is tried on, what it must give
EXACT = [
    ("fold constants", constant(2.0) * constant(3.0) + v, 6.0 + v),
    ("times one", x * 1, x),
    ("times one", x / 1.0, x),
    ("times one", 1 * k, k),
    ("integer times zero", k * 0 + k, None),
    ("integer minus itself", (k - k) + k, None),
    ("double negation", negative(negative(x)), x),
    ("sum of negated", x + (-v), x - v),
    ("sum of negated", x - (-v), x + v),
    ("signs outside", (-x) / (-v), x / v),
    ("plain sign", positive(x) + 0.5, x + 0.5),
    ("spelled out", square(x), x * x),
    ("spelled out", reciprocal(x), 1 / x),
    ("known abs", abs_(-x), abs_(x)),
    ("known abs", abs_(exp(x)), exp(x)),
    ("idempotent", maximum(x, x), x),
    ("known where", where(c, v, v), v),
    ("known where", where(constant(True), v, exp(v)), v),
    ("known where", where(find_op("logical_not")(c), v, exp(v)), where(c, exp(v), v)),
    ("even function", cos(-x), cos(x)),
    ("even function", hypot(abs_(x), v), hypot(x, v)),
    ("known comparison", where(find_op("equal")(hypot(x, 1.0), 0.0), 1.0, x), x),
    ("useless cast", make("astype", [x], dtype=x.dtype), x),
    ("useless cast", astype(astype(k, "int64"), "int32"), k),
    ("useless movement", make("reshape", [x], shape=(3, 4)), x),
    ("joined movement", x.T.T, x),
    ("joined movement", reshape(reshape(x, (12,)), (4, 3)), reshape(x, (4, 3))),
    ("joined movement", squeeze(expand_dims(x, 1), 1), x),
    ("reshape that inserts", reshape(v, (1, 4)), expand_dims(v, 0)),
    ("late broadcast", broadcast_to(v, (3, 4)) * x, v * x),
    ("late broadcast", exp(broadcast_to(v, (3, 4))), broadcast_to(exp(v), (3, 4))),
    ("resolved sum to", make("sum_to", [n], shape=n.shape), n),
    ("useless reduction", make("sum", [x], axes=()), x),
    ("reduction of expanded", sum_(expand_dims(x, 0), axis=(0, 1)), sum_(x, axis=0)),
]
CHANGING = [
    ("plus zero", x + 0, x),
    ("plus zero", 0 - x, -x),
    ("negated difference", -(x - v), v - x),
    ("joined reduction", sum_(sum_(x, axis=1), axis=0), sum_(x, axis=(0, 1))),
    ("resolved sum to", make("sum_to", [x], shape=(1, 4)), expand_dims(sum_(x, axis=0), 0)),
    ("resolved sum to", make("sum_to", [x], shape=(4,)), sum_(x, axis=0)),
]


def bits(value):
    """The bytes of an array; NaN has no sign."""
    return np.where(value == value, value, np.nan).astype(value.dtype).tobytes()


@pytest.mark.parametrize(("name", "before", "after"), EXACT + CHANGING)
def test_formula_has_this_form(name, before, after):
    trace = []
    (found,) = rewrite([before.node], CANONICALIZE, trace=trace)
    assert name in {entry.rule for entry in trace}
    assert found.type == before.node.type
    if after is not None:
        assert found is after.node


@pytest.mark.parametrize(("name", "before", "after"), EXACT)
def test_exact_row_keeps_every_bit(name, before, after):
    exact = tuple(r for r in CANONICALIZE if r.exact)
    (found,) = rewrite([before.node], exact)
    old, new = (evaluate([node], VALUES)[0] for node in (before.node, found))
    if before.node.op.name in ("sum", "sum_to"):
        old, new = old + 0.0, new + 0.0  # NumPy's sum of -0.0 alone is 0.0
    assert bits(old) == bits(new)


def test_every_row_has_an_example():
    assert {r.name for r in CANONICALIZE} == {row[0] for row in EXACT + CHANGING}


def test_only_rows_that_keep_every_bit_say_so():
    says = {r.name: r.exact for r in CANONICALIZE}
    assert all(says[name] for name, _, _ in EXACT)
    assert all(r.exact or r.changes or r.name.startswith("joined") for r in CANONICALIZE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constants_fold_in_the_dtype_of_their_node(dtype):
    value = np.asarray(1, dtype) / np.asarray(3, dtype)
    (found,) = rewrite(
        [(constant(np.asarray(1, dtype)) / constant(np.asarray(3, dtype))).node], CANONICALIZE
    )
    assert found.attrs["value"] == value
    assert found.attrs["value"].dtype == dtype


def test_dividing_by_an_integer_constant_keeps_all_digits():
    w = tensor("w", shape=(), dtype="float64")
    (found,) = rewrite([log(w / 2).node], CANONICALIZE)
    assert float(evaluate([found], {w.node: 3.3})[0]) == np.log(3.3 / 2)


def test_a_sum_to_that_only_the_call_decides_stays():
    a, b = (tensor(name, shape=(name,), dtype="float64") for name in "ab")
    node = make("sum_to", [a + b], shape=a.shape).node
    assert rewrite([node], CANONICALIZE) == (node,)


def test_a_constant_too_large_to_keep_is_not_folded():
    big = broadcast_to(constant(1.0), (1000, 1000))
    (found,) = rewrite([exp(big).node], CANONICALIZE)
    assert found.op.name == "broadcast_to"
    assert max(n.attrs["value"].size for n in toposort([found]) if n.op.name == "constant") == 1
