"""``f.explain``: what it says of lines, nodes, rules and kernels."""

from __future__ import annotations

import pytest

import symgraph as sg
from symgraph.trace.explain import explain

INTERPRETED = sg.Mode(backend="interp")


@pytest.fixture(scope="module")
def naive():
    x = sg.vector("x")
    return sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=INTERPRETED)


@pytest.fixture(scope="module")
def network():
    w, x, y = sg.matrix("w"), sg.matrix("x"), sg.matrix("y")
    z = sg.tanh(x @ w)
    e = sg.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    loss = -sg.sum(y * sg.log(p))
    return sg.function([w, x, y], [loss, sg.grad(loss, w)], mode=INTERPRETED)


def test_the_story_of_a_naive_formula_has_five_lines(naive):
    lines = str(naive.explain()).splitlines()
    assert lines[0].startswith("You wrote log(1 - sigmoid(x)), at test_explain.py:")
    assert lines[1] == (
        "1 - sigmoid(x) became sigmoid(-x): "
        "a difference of nearly equal numbers keeps few of their digits."
    )
    assert lines[2] == "log(sigmoid(-x)) became -softplus(x): sigmoid underflows below x = -745."
    assert lines[3] == "At x = 40 what you wrote gives -inf; what runs gives -40."
    assert lines[4] == "What runs is -softplus(x), in one loop: k0_negative."
    assert len(lines) == 5


def test_a_line_leads_to_nodes_steps_and_kernels(naive):
    number = naive.graph.outputs[0].lines[0].number
    text = str(naive.explain(f"test_explain.py:{number}"))
    assert "%3 subtract" in text
    assert "-> %8 negative" in text
    assert "step 2: log(sigmoid(-x)) became -softplus(x)" in text
    assert "runs in k0_negative" in text
    assert str(naive.explain(naive.graph.outputs[0].lines[0])) == text


def test_a_node_leads_back_to_its_line(naive):
    text = str(naive.explain("%3"))
    assert "from test_explain.py" in text
    assert "replaced in step 1 by %6" in text
    assert str(naive.explain(3)) == text
    assert str(naive.explain("subtract")) == text


def test_a_rule_says_what_it_did_or_why_not(naive):
    applied = str(naive.explain("log(sigmoid(x)) -> -softplus(-x)"))
    assert "Maechler" in applied
    assert "log(sigmoid(-x)) --> -softplus(x)" in applied
    other = str(naive.explain("log of softmax"))
    assert "was not applied to function: it begins at log, of which there is log" in other


def test_a_kernel_says_what_it_computes(naive):
    text = str(naive.explain("k0_negative"))
    assert "computes %8 negative" in text
    assert "16*x.shape[0] bytes" in text


def test_what_is_expanded_keeps_its_line(network):
    line = next(
        x.number
        for row in network.trace.rows
        for x in row.lines
        if x.text == "p = e / e.sum(axis=1, keepdims=True)"
    )
    text = str(network.explain(f":{line}"))
    assert "(step" in text
    assert "runs in k" in text


def test_why_loops_stay_apart_is_told():
    m = sg.matrix("m")
    trace = sg.function([m], sg.sum(m / sg.sum(m), axis=0) * 2, mode=INTERPRETED).trace
    first, second = trace.parts.apart
    assert first.why == "sum is known only after its whole loop, and every turn of sum needs it"
    assert second.why == "multiply loops over ?m.1, sum over ?m.0"
    assert first.why in str(explain(trace, first.node))
    told = "multiply loops over m.shape[1], sum over m.shape[0]"
    assert told in str(explain(trace, second.other))


def test_why_an_output_is_copied_is_told():
    x = sg.vector("x")
    f = sg.function([x], [x, x + 1], mode=INTERPRETED)
    text = str(f.explain("x"))
    assert "copied" in text
    assert "an output is an array of its own" in text


def test_an_operation_that_no_rule_repairs_says_so():
    x, y = sg.vectors("x", "y")
    f = sg.function([x, y], sg.exp(x) + y, mode=INTERPRETED)
    assert "left as exp" in str(f.explain("exp"))


def test_unknown_names_are_refused_with_a_guess(naive):
    with pytest.raises(sg.ArgumentError, match="did you mean 'softplus'"):
        naive.explain("sofplus")
    with pytest.raises(sg.ArgumentError, match=r"no node .* is from nowhere\.py:3; lines: "):
        naive.explain("nowhere.py:3")
    with pytest.raises(sg.ArgumentError, match="there is no node %99"):
        naive.explain("%99")


def test_a_fact_that_would_let_a_rule_repair_is_told():
    x, y = sg.vector("x"), sg.vector("y")
    f = sg.function([x, y], sg.sqrt(x * x + y), mode=INTERPRETED)
    told = (
        "√(x * x + y) stays as it is, since y may be negative; sg.assume(y >= 0) lets "
        '"norm" make it hypot(x, √y): squares overflow and underflow long before their root'
    )
    assert f"{told}." in f.explain().lines
    assert f"  {told}" in f.explain("sqrt").lines
    assert f"  {told}" in f.explain("norm").lines
    number = f.graph.outputs[0].lines[0].number
    assert f"  {told}" in f.explain(f"test_explain.py:{number}").lines
    y = sg.vector("y", domain="nonnegative")
    f = sg.function([x, y], sg.sqrt(x * x + y), mode=INTERPRETED)
    assert "stays as it is" not in str(f.explain())


def test_why_a_product_is_not_in_a_loop_is_told():
    x, w = sg.matrix("x"), sg.matrix("w")
    h = sg.tanh(x @ w + 1.0)
    f = sg.function([x, w], h @ w.T)
    text = str(f.explain("tanh"))
    assert "%5 tanh is not in one loop with %7 matmul, which gemm does" in text
    text = str(f.explain("matmul"))
    assert "%7 matmul is done by gemm, a routine of its own: it goes over its arrays" in text


def test_why_a_loop_is_not_done_in_vectors_is_told():
    x = sg.vector("x")
    f = sg.function([x], sg.cumulative_sum(sg.exp(x)), mode=INTERPRETED)
    text = str(f.explain("k0_cumulative_sum"))
    assert "(serial): a turn may need what the turn before made" in text
    g = sg.function([x], sg.exp(x), mode=INTERPRETED)
    assert "nothing in the way of vectors" in str(g.explain("k0_exp"))


def test_a_line_whose_result_is_copied_says_why():
    x = sg.vector("x")
    y = x * 1.0
    f = sg.function([x], [y, sg.max(x)], mode=INTERPRETED)
    number = next(r for r in f.trace.rows if r.op == "multiply").lines[0].number
    text = str(f.explain(f"test_explain.py:{number}"))
    assert "copied (copy y0 = x0_x): an output is an array of its own" in text
    assert "with 1 copy" in str(f.explain())


def test_what_may_go_wrong_and_what_helps_is_told_where_no_rule_fits():
    x, y = sg.vectors("x", "y")
    f = sg.function([x, y], (x * x - y) * 2.0, mode=INTERPRETED)
    text = str(f.explain("subtract"))
    assert "a difference of nearly equal numbers keeps few of their digits" in text
    assert "Mode(accuracy='high')" in text


def test_a_file_is_named_with_or_without_folders_but_not_by_half_its_name(naive):
    line = naive.graph.outputs[0].lines[0]
    assert "runs in" in str(naive.explain(f"trace/test_explain.py:{line.number}"))
    with pytest.raises(sg.ArgumentError, match="no node"):
        naive.explain(f"explain.py:{line.number}")


def test_loops_over_blocks_are_counted_as_loops_over_the_whole():
    x = sg.matrix("x", dtype="float64")
    f = sg.function([x], sg.sum(x * x, axis=1), mode=INTERPRETED)
    (kernel,) = f.kernels
    n = 4096
    assert abs(kernel.flops(**{"x.0": 3, "x.1": n}) - 3 * 2 * n) < 0.02 * 3 * 2 * n
