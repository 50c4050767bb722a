"""The engine: fixpoints, sharing, cut points, provenance, bodies of loops, fuel, and its cost."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

from symgraph.config import config
from symgraph.errors import RewriteWarning, VerifyError
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.op import find_op
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor
from symgraph.rewrite.engine import rewrite
from symgraph.rewrite.journal import Counts
from symgraph.rewrite.pattern import holes
from symgraph.rewrite.pipeline import PIPELINE, Pass, optimize, run, stabilize_for_grad
from symgraph.rewrite.rule import rule

exp, log, log1p, sin, tanh, sqrt, cos, negative = map(
    find_op, ["exp", "log", "log1p", "sin", "tanh", "sqrt", "cos", "negative"]
)
x, y = holes("x y")
LOG1P = rule(log(1 + x), log1p(x), why="1 + x drops x", source="Goldberg 1991")
a, b = (tensor(n, shape=("n",), dtype="float64") for n in "ab")


def test_a_chain_of_rules_ends_in_a_form_that_none_changes():
    rules = (
        rule(sin(x), cos(x), why="test", source="test"),
        rule(cos(x), tanh(x), why="test", source="test"),
    )
    assert rewrite([exp(sin(a)).node], rules) == (exp(tanh(a)).node,)


def test_shared_parts_are_visited_once():
    node = a
    for _ in range(40):  # 2**40 paths
        node = sin(node) + cos(node) * node
    counts = Counts()
    rewrite([node.node], (LOG1P,), counts=counts)
    assert counts.visited == len(toposort([node.node]))


def test_what_is_the_same_stays_the_same_object():
    node = (sin(a) * b).node
    assert rewrite([node], (LOG1P,)) == (node,)


def test_names_and_lines_pass_to_the_replacement():
    formula = log(1 + a)
    formula.name = "loss"
    (found,) = rewrite([formula.node], (LOG1P,))
    assert found.op.name == "log1p"
    assert found.name == "loss"
    assert set(formula.node.lines) <= set(found.lines)
    assert found.lines[0].file == __file__


def test_new_nodes_inside_get_the_line_of_what_they_replace():
    formula = 1 / (1 + exp(-a * b))
    (found,) = rewrite([formula.node], PIPELINE[1].rules)
    assert all(n.lines for n in toposort([found]) if n.op.kind != "leaf")


def test_every_application_is_recorded():
    trace = []
    formula = log(1 + a) * 2
    rewrite([formula.node], (LOG1P,), table="mine", trace=trace)
    (entry,) = trace
    assert (entry.table, entry.rule) == ("mine", LOG1P.name)
    assert (entry.why, entry.source) == (LOG1P.why, LOG1P.source)
    assert (entry.before.op.name, entry.after.op.name) == ("log", "log1p")
    assert entry.lines[0].file == __file__
    assert "1 + x drops x" in str(entry)


def test_cut_points_are_leaves():
    inner = 1 + a
    (found,) = rewrite([log(inner).node], (LOG1P,), keep=[inner.node])
    assert found is log(inner).node
    (found,) = rewrite([log(1 + inner).node], (LOG1P,), keep=[inner.node])
    assert found is log1p(inner).node


def test_facts_of_cut_points_are_known():
    inner = exp(a)
    root = find_op("sqrt")(inner * inner)
    (found,) = optimize([root.node], keep=[inner.node])
    assert found is inner.node


def test_stabilizing_for_a_gradient_keeps_what_it_is_taken_by():
    logits = a * b
    loss = find_op("sum")(log(1 + exp(logits)))
    (found,) = stabilize_for_grad([loss.node], keep=[logits.node])
    assert logits.node in toposort([found])
    assert "softplus" in {n.op.name for n in toposort([found])}


def test_bodies_of_loops_are_rewritten_once():
    from symgraph.ops.control import scan

    final, _ = scan(lambda s, v: (log(1 + s * v), None), find_op("sum")(a), xs=b)
    (found,) = rewrite([final.node], (LOG1P,))
    bodies = [g for n in toposort([found]) for g in n.attrs.values() if isinstance(g, Graph)]
    names = {n.op.name for g in bodies for n in toposort(g.outputs)}
    assert "log1p" in names
    assert "log" not in names


def test_rules_that_undo_each_other_are_named_and_end():
    rules = (
        rule(sin(x), cos(x), name="there", why="test", source="test"),
        rule(cos(x), sin(x), name="back", why="test", source="test"),
    )
    with pytest.warns(RewriteWarning, match=r"circle.*'there'"):
        rewrite([exp(sin(a)).node], rules)


def test_rules_that_never_end_run_out_of_fuel_with_a_warning():
    grows = rule(sin(x), sin(x + 1), name="grows", why="test", source="test")
    with config(rewrite_fuel=3), pytest.warns(RewriteWarning, match=r"3 applications.*'grows'"):
        (found,) = rewrite([sin(a).node], (grows,))
    assert found.tensor == a.type


def test_a_rule_may_stand_in_its_own_result():
    guarded = rule(
        log(x), find_op("where")(find_op("less")(x, 1), log(x), log1p(x - 1)), why="t", source="t"
    )
    (found,) = rewrite([log(a).node], (guarded,))
    assert found.op.name == "where"
    assert found.inputs[1] is log(a).node


def test_a_rule_that_changes_the_rank_is_refused():
    @rule.compute("sin", why="test", source="test")
    def widen(node):
        """sin(x) --> [x]."""
        return find_op("expand_dims")(a, 0).node

    with pytest.raises(VerifyError, match="widen"):
        rewrite([sin(a).node], (widen,))


def test_as_written_changes_no_bit():
    formulas = [
        log(1 + exp(a)) + (a - a),
        (a + b) - a,
        1 / (1 + exp(-a)) * 1,
        sqrt(a * a + b * b),
        negative(negative(a)) * find_op("broadcast_to")(b * 1, ("n",)),
    ]
    values = {a.node: np.array([1e-30, -700.0, 3.0, np.inf, np.nan, -0.0]), b.node: np.arange(6.0)}
    nodes = [f.node for f in formulas]
    found = optimize(nodes, accuracy="as-written")
    for old, new in zip(evaluate(nodes, values), evaluate(found, values), strict=True):
        assert old.tobytes() == new.tobytes()


def formula_of_size(size):
    """A graph of naive formulas with about so many nodes."""
    v = tensor("v", shape=("n",), dtype="float64")
    steps = (
        lambda t: exp(-t) + 1.0,
        lambda t: log(t) * v,
        lambda t: 1 / (1 + exp(-t)),
        lambda t: t - v * 0.5,
        lambda t: sqrt(t * t + 1),
    )
    made, k = v, 0
    while k < size // 3:
        made = steps[k % len(steps)](made)
        k += 1
    return made.node


def cost(size):
    """Attempts, visits and milliseconds per node."""
    node = formula_of_size(size)
    counts, count = Counts(), len(toposort([node]))
    start = time.process_time()
    run([node], PIPELINE, counts=counts)
    return counts.tried / count, counts.visited / count, (time.process_time() - start) / count * 1e3


def test_cost_per_node_does_not_grow_with_the_graph(capsys):
    small, large = cost(1_000), cost(20_000)
    with capsys.disabled():
        print(f"\nrewriting: {small[2]:.3f} ms a node at 1,000 nodes, {large[2]:.3f} at 20,000")
    assert large[0] < 1.05 * small[0] + 0.1
    assert large[1] < 1.05 * small[1] + 0.1
    assert large[0] < 15


@pytest.mark.parametrize("op", ["add", "multiply"])
def test_long_sums_and_products_cost_no_more_per_node(op):
    def tried(size):
        total = a
        for k in range(size):
            total = find_op(op)(total, sin(a * float(k + 2)))
        counts = Counts()
        run([total.node], PIPELINE, counts=counts)
        return counts.tried / size

    assert tried(2_000) < 1.05 * tried(200)


@pytest.mark.slow
def test_a_chain_of_100_000_nodes_is_rewritten():
    v = tensor("v", shape=(), dtype="float64")
    made = v
    for _ in range(50_000):
        made = sin(made) + v
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = optimize([made.node])
    assert found is made.node


def test_a_users_rule_joins_the_passes():
    mine = rule(sin(x) * 2, cos(x), name="mine", why="test", source="test")
    trace = []
    (found,) = optimize([(sin(a) * 2).node], passes=(*PIPELINE, Pass("user", (mine,))), trace=trace)
    assert found is cos(a).node
    assert [(entry.table, entry.rule) for entry in trace] == [("user", "mine")]
