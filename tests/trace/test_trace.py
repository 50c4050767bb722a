"""The trace of a function: the same graphs as the compiler had, in memory and from a file."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.compile import Compiler
from symgraph.ir.graph import toposort
from symgraph.trace.read import read_trace
from symgraph.trace.record import chapters_of
from symgraph.trace.story import tell
from symgraph.trace.trace import Trace
from tests.trace.workloads import WORKLOADS, build

INTERPRETED = sg.Mode(backend="interp")


@pytest.fixture(scope="module")
def functions():
    made = {}

    def get(name):
        if name not in made:
            inputs, outputs, _ = build(name)
            made[name] = sg.function(inputs, outputs, mode=INTERPRETED, name=name)
        return made[name]

    return get


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_stage_of_the_trace_is_the_very_graph_of_the_compiler(name, functions):
    f = functions(name)
    stages = {row.name for row in f.trace.stages}
    for stage in ("built", "tidied", "stable", "joined", "expanded", "final"):
        assert stage in stages
        assert f.trace.at(stage).outputs == f.stage(stage)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_trace_read_from_a_file_has_the_same_graphs(name, functions, tmp_path):
    trace = functions(name).trace
    for suffix in ("sgtrace", "json"):
        trace.save(tmp_path / f"t.{suffix}")
        found = read_trace(tmp_path / f"t.{suffix}")
        assert len(found) == len(trace)
        assert found.rule_names() == trace.rule_names()
        assert [r.op for r in found.rows] == [r.op for r in trace.rows]
        assert found.steps[-1].delta == trace.steps[-1].delta
        last = len(trace.steps) - 1
        assert found.state(last).order() == trace.state(last).order()
        assert len(found.at(-1).outputs) == len(trace.at(-1).outputs)
        found.save(tmp_path / f"again.{suffix}")
        again, first = ((tmp_path / f"{stem}.{suffix}").read_bytes() for stem in ("again", "t"))
        assert again == first


@pytest.mark.parametrize("name", [n for n in WORKLOADS if n != "deep_chain_grad"])
def test_added_and_removed_nodes_of_all_steps_give_the_graph(name, functions):
    trace = functions(name).trace
    alive: set[int] = set()
    for number, row in enumerate(trace.steps):
        alive = (alive - set(row.delta.removed)) | set(row.delta.added)
        assert alive == set(trace.state(number).order()), (number, row.rule.name)


@pytest.mark.parametrize("name", ["garch_grad", "lstm_grad", "layernorm_grad"])
def test_what_the_compiler_makes_has_no_line_of_its_caller(name):
    inputs, outputs, _ = build(name)
    trace = sg.function(inputs, outputs, mode=INTERPRETED).trace
    files = {line.file for row in trace.rows for line in row.lines}
    files |= {line.file for kernel in trace.parts.kernels for line in kernel.lines}
    assert any(file.endswith("workloads.py") for file in files)
    assert __file__ not in files


def test_steps_say_what_was_replaced_by_what():
    x = sg.vector("x")
    trace = sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=INTERPRETED).trace
    first, second = trace
    assert (first.before.op.name, first.after.op.name) == ("subtract", "sigmoid")
    assert (second.before.op.name, second.after.op.name) == ("log", "negative")
    assert "digits" in first.why
    assert first.lines[0].file == __file__
    assert "1 - sigmoid(x)" in str(trace)


def test_steps_of_a_file_have_nodes_too(tmp_path):
    x = sg.vector("x")
    trace = sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=INTERPRETED).trace
    trace.save(tmp_path / "t.sgtrace")
    first, second = read_trace(tmp_path / "t.sgtrace")
    assert (first.before.op.name, first.after.op.name) == ("subtract", "sigmoid")
    assert (second.before.op.name, second.after.op.name) == ("log", "negative")


def test_rewrites_before_a_gradient_are_told_first():
    x = sg.vector("x")
    cost = sg.sum(sg.log(1 - sg.sigmoid(x)))
    gradient = sg.grad(cost, x)
    f = sg.function([x], gradient * 2, mode=INTERPRETED)
    chapter = [row for row in f.trace.steps if row.kind == "start"]
    assert [row.stage for row in chapter] == ["before grad", "built"]
    assert chapter[0].line is not None
    assert chapter[0].line.text == "gradient = sg.grad(cost, x)"
    early = [step.rule for step in f.trace if step.stage == "before grad"]
    assert "1 - sigmoid(x) -> sigmoid(-x)" in early


def test_value_and_grad_is_told_too():
    x = sg.vector("x")
    value, gradient = sg.value_and_grad(lambda v: sg.sum(sg.log(1 - sg.sigmoid(v))))(x)
    f = sg.function([x], [value, gradient], mode=INTERPRETED)
    assert any(step.stage == "before grad" for step in f.trace)


def test_what_is_remembered_of_a_gradient_goes_with_it():
    import gc
    import weakref

    x = sg.vector("x")
    gradient = sg.grad(sg.sum(sg.log(1 - sg.sigmoid(x))), x)
    (chapter,) = chapters_of([gradient.node])
    journal = weakref.ref(chapter.journals[0].final[0])
    del gradient, chapter
    gc.collect()
    assert journal() is None


def test_kernels_buffers_and_checks_are_in_it():
    x, w = sg.matrix("x"), sg.matrix("w")
    f = sg.function([x, w], sg.exp(sg.tanh(x @ w) @ w), mode=INTERPRETED, name="net")
    parts = f.trace.parts
    assert [k.name for k in parts.kernels] == [k.name for k in f.kernels]
    assert all(k.nodes and k.lines for k in parts.kernels)
    roles = [b.role for b in parts.buffers]
    assert roles.count("input") == 2
    assert roles.count("output") == 1
    assert all(b.slot >= 0 for b in parts.buffers if b.role == "temporary")
    assert any("=" in check for check in parts.checks)
    assert {"lower", "plan", "build"} <= f.trace.times.keys()


def test_values_of_shared_variables_stay_out_of_files_unless_asked_for(tmp_path):
    secret = np.full((300, 10), 12345.678)
    w = sg.shared(secret, name="w")
    trace = sg.function([], sg.sum(w * 2), mode=INTERPRETED).trace
    trace.save(tmp_path / "t.json")
    assert "12345" not in (tmp_path / "t.json").read_text()
    trace.save(tmp_path / "v.json", values=True)
    assert "12345.678" in (tmp_path / "v.json").read_text()
    assert read_trace(tmp_path / "t.json").at(-1).outputs[0].type == trace.at(-1).outputs[0].type


def test_a_file_has_machine_code_if_asked_for(tmp_path):
    x = sg.vector("x")
    trace = sg.function([x], x * 2).trace
    for code in (False, True):
        trace.save(tmp_path / "t.sgtrace", code=code)
        (kernel,) = read_trace(tmp_path / "t.sgtrace").parts.kernels
        assert set(kernel.sources) == ({"py", "ir", "llvm", "asm"} if code else {"py", "ir"})
    assert "define" in kernel.sources["llvm"]


def test_the_setting_trace_writes_a_file_for_each_function(tmp_path):
    x = sg.vector("x")
    with sg.config(trace=str(tmp_path / "new")):
        for _ in range(2):
            sg.function([x], x * 2, mode=INTERPRETED, name="twice").compile()
        sg.function([x], x + 1, mode=INTERPRETED, name="a/b")(np.ones(3))
    names = sorted(p.name for p in (tmp_path / "new").iterdir())
    assert names == ["a_b.sgtrace", "twice-2.sgtrace", "twice.sgtrace"]


def test_a_later_version_is_refused_by_its_number(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"format": "symgraph.trace/2", "written_by": "symgraph 9.0", "steps": []}')
    with pytest.raises(sg.ParseError, match=r"symgraph\.trace/2.*written by symgraph 9\.0"):
        read_trace(path)


def test_a_constant_is_blamed_on_its_readers_not_on_who_wrote_it_first():
    other = sg.vector("other") - 12.25  # the first to write it
    x = sg.vector("x")
    y = sg.exp(x) * 12.25
    trace = sg.function([x], y, mode=INTERPRETED).trace
    constant = next(row for row in trace.rows if row.op == "constant")
    product = next(row for row in trace.rows if row.op == "multiply")
    assert constant.lines == product.lines
    assert other.node.inputs[1].lines == ()


def test_what_is_made_of_constants_keeps_the_lines_of_its_program():
    first = sg.sum(sg.full((3,), 7.5))
    x = sg.vector("x")
    y = x + sg.sum(sg.full((3,), 7.5))
    trace = sg.function([x], y, mode=INTERPRETED).trace
    total = next(row for row in trace.rows if row.op == "sum")
    assert {line.number for line in total.lines} == {y.node.lines[0].number}
    assert len(first.node.lines) == 2


def test_kernels_are_blamed_for_what_they_compute_not_for_what_they_read():
    x = sg.vector("x")
    y = sg.exp(x)
    f = sg.function([x], y)
    f(np.ones(3))
    assert [line.number for line in f.kernels[0].lines] == [y.node.lines[0].number]


def test_a_stage_ends_before_what_the_next_one_makes_anew():
    """The graph after each stage is that of the compiler, also where guards follow."""
    x = sg.tensor("x", shape=("n", 4), dtype="float32")
    w = sg.shared(np.full((4, 3), 0.5), "w")
    logits = x @ sg.astype(w, "float32")
    p = sg.exp(logits) / sg.sum(sg.exp(logits), axis=1, keepdims=True)
    loss = -sg.mean(sg.log(p[:, 0]))
    updates = {w: w - 0.1 * sg.grad(loss, w)}
    f = sg.function([x], loss, updates=updates, mode=INTERPRETED)
    for stage in f.trace.stages:
        graph = f.trace.at(stage.name)
        ops = {node.op.name for node in toposort(graph.outputs)}
        assert ("guarded" in ops) == (stage.name == "guarded")
    assert f.trace.at("final").outputs == f.optimized.outputs


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_graph_after_each_stage_is_that_of_the_compiler(name):
    """Also as built, though taking the gradient has rewritten the cost before."""
    inputs, outputs, _ = build(name)
    nodes = tuple(v.node for v in outputs)
    compiler = Compiler(tuple(v.node for v in inputs), nodes, INTERPRETED)
    compiler.specialise({})
    record = compiler.record
    story = tell(record, chapters_of(nodes))
    trace = Trace(name, (), (), story.weave.rows, story.steps, story.stages)
    for stage, wanted in record.stages.items():
        assert trace.at(stage).outputs == wanted, stage


def test_loops_with_one_body_and_facts_of_their_own_are_told_apart():
    x, y = sg.vector("x"), sg.vector("y", domain="positive")
    sums = [sg.scan(lambda s, a: (s + sg.sqrt(a * a), None), 0.0, xs)[0] for xs in (x, y)]
    f = sg.function([x, y], sums, mode=INTERPRETED)
    for stage in ("built", "stable", "final"):
        assert f.trace.at(stage).outputs == f.stage(stage), stage


def test_a_cost_begins_as_written_though_its_gradient_has_rewritten_it():
    """Named dims: the function has the very nodes that were rewritten for the gradient."""
    x = sg.tensor("x", shape=("n", 4))
    w = sg.shared(np.full((4, 3), 0.5), "w")
    p = sg.exp(x @ w) / sg.sum(sg.exp(x @ w), axis=1, keepdims=True)
    cost = -sg.mean(sg.log(p[:, 0])) + sg.log(1 - sg.sigmoid(x)).sum() * 1e-3
    f = sg.function([x], cost, updates={w: w - 0.1 * sg.grad(cost, w)}, mode=INTERPRETED)
    assert f.trace.at("built").outputs == f.graph.outputs
    assert f.trace.at("final").outputs == f.optimized.outputs
    total, _ = sg.scan(lambda s, v: (-sg.log(1 - sg.sigmoid(s + v)), None), sg.sum(w), xs=x[:, 0])
    g = sg.function([x], [-total, sg.grad(-total, w)], mode=INTERPRETED)
    assert g.trace.at("built").outputs == g.graph.outputs
    assert g.trace.at("final").outputs == g.optimized.outputs
