"""Matrix products: order, scalars, transposes, sums and diagonals; values stay within rounding."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.ir.graph import toposort
from symgraph.ir.op import find_op
from symgraph.ops.create import diagonal, trace
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor
from symgraph.rewrite.linalg import LINALG
from symgraph.rewrite.pipeline import optimize

matmul, sum_, exp, expand_dims = map(find_op, ["matmul", "sum", "exp", "expand_dims"])
A = tensor("A", shape=("n", "k"), dtype="float64")
B = tensor("B", shape=("k", "m"), dtype="float64")
C = tensor("C", shape=("k", "n"), dtype="float64")
D = tensor("D", shape=("m", "p"), dtype="float64")
v = tensor("v", shape=("m",), dtype="float64")
u = tensor("u", shape=("n",), dtype="float64")
s = tensor("s", shape=(), dtype="float64")
SIZES = {"n": 4, "k": 3, "m": 5, "p": 2}
rng = np.random.default_rng(5)
VALUES = {t.node: rng.normal(size=[SIZES[str(d)] for d in t.shape]) for t in (A, B, C, D, v, u, s)}

CASES = [
    ("chain order", (A @ B) @ v, A @ (B @ v)),
    ("chain order", u @ (A @ B), (u @ A) @ B),
    ("diagonal of product", trace(A @ C), sum_(A * C.T)),
    ("diagonal of product", diagonal(A @ C), sum_(A * C.T, axis=1)),
    ("sum of product", sum_(A @ B), sum_(sum_(A, axis=0) * sum_(B, axis=1))),
    ("sum of product", sum_(A @ B, axis=1), None),
    ("sum of product", sum_(A @ B, axis=0, keepdims=True), None),
    ("scalar outside", (A * 2) @ B, (A @ B) * 2),
    ("scalar outside", (-A) @ B, -(A @ B)),
    ("scalar outside", A @ (B / s), (A @ B) / s),
    ("scalar outside", (A * 2).T @ C.T, None),
    ("transposed product", (A.T @ C.T).T, C @ A),
    ("outer product", expand_dims(u, 1) @ expand_dims(v, 0), expand_dims(u, 1) * expand_dims(v, 0)),
    ("number out of sum", sum_(A * 3), sum_(A) * 3),
    ("number out of sum", sum_(-A, axis=1), -sum_(A, axis=1)),
    ("sum of repeated", sum_(find_op("broadcast_to")(v, (7, v.shape[0])), axis=0), v * 7),
]


@pytest.mark.parametrize(("name", "before", "after"), CASES)
def test_product_has_this_form(name, before, after):
    applications = []
    (found,) = optimize([before.node], trace=applications)
    assert name in {a.rule for a in applications}
    assert found.type == before.node.type
    if after is not None:
        assert found is optimize([after.node])[0]
    old, new = (evaluate([n], VALUES)[0] for n in (before.node, found))
    np.testing.assert_allclose(new, old, rtol=1e-13, atol=1e-13)


def test_every_row_has_a_case():
    assert {r.name for r in LINALG} == {c[0] for c in CASES}


def test_the_cheapest_of_all_orders_is_found():
    shapes = [(10, 100), (100, 5), (5, 50), (50, 1)]
    chain = [tensor(f"M{i}", shape=shape, dtype="float64") for i, shape in enumerate(shapes)]
    (found,) = optimize([(((chain[0] @ chain[1]) @ chain[2]) @ chain[3]).node])
    cost = sum(
        n.inputs[0].tensor.shape[0] * n.inputs[0].tensor.shape[1] * n.inputs[1].tensor.shape[1]
        for n in toposort([found])
        if n.op.name == "matmul"
    )
    assert cost == 5 * 50 * 1 + 100 * 5 * 1 + 10 * 100 * 1


def test_a_product_that_is_needed_elsewhere_is_not_taken_apart():
    product = A @ B
    outputs = [(product @ v).node, exp(product).node]
    assert optimize(outputs) == tuple(outputs)


def test_the_sum_of_a_product_needed_elsewhere_reads_it():
    product = A @ B
    outputs = [sum_(product).node, exp(product).node]
    assert optimize(outputs) == tuple(outputs)


def test_as_written_keeps_the_order_of_products():
    node = ((A @ B) @ v).node
    assert optimize([node], accuracy="as-written") == (node,)


def test_dimensions_that_differ_are_no_diagonal_of_equal_length():
    short = tensor("S", shape=("k", 2), dtype="float64")
    node = diagonal(A @ short).node
    (found,) = optimize([node])
    values = VALUES | {short.node: rng.normal(size=(3, 2))}
    np.testing.assert_allclose(evaluate([found], values)[0], evaluate([node], values)[0])
