"""What a compiled function shows: trace, kernels, memory, graphs, stages."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.ops.evaluate import evaluate


def _softmax_loss():
    x = sg.tensor("x", shape=("rows", "classes"))
    e = sg.exp(x)
    p = e / e.sum(axis=1, keepdims=True)
    return x, -sg.log(p).mean()


def _ops(nodes):
    return {n.op.name for n in toposort(nodes)}


def test_the_trace_says_what_was_changed_and_why():
    x, cost = _softmax_loss()
    f = sg.function([x], cost)
    assert f.trace
    for step in f.trace:
        assert step.rule
        assert step.why
        assert step.before is not step.after
    unchanged = sg.function([x], cost, mode=sg.Mode(passes=()))
    assert not [step for step in unchanged.trace if step.stage != "final"]


def test_graphs_before_and_after():
    x, cost = _softmax_loss()
    f = sg.function([x], cost)
    assert {"exp", "log", "divide"} <= _ops(f.graph.outputs)
    assert f.optimized.outputs == f.stage("final")
    assert not {"log", "divide"} <= _ops(f.stage("stable"))
    a = np.array([[1000.0, 0.0], [-1000.0, 5.0]])
    (naive,) = evaluate(f.graph.outputs, {x.node: a[1:]})
    np.testing.assert_allclose(sg.function([x], cost, mode="quick")(a[1:]), naive, rtol=1e-15)
    assert np.isfinite(f(a))
    with pytest.raises(sg.ArgumentError, match="no stage"):
        f.stage("nowhere")


def test_the_source_of_a_kernel_runs_as_plain_python(rng):
    x = sg.tensor("x", shape=("rows", "classes"))
    f = sg.function([x], sg.softmax(x, axis=1))
    (kernel,) = f.kernels
    dims = {"rows": 3, "classes": 4}
    arrays = [np.zeros([_number(d, dims) for d in b.shape]) for b in kernel.kernel.buffers]
    read = [b.name not in kernel.kernel.writes for b in kernel.kernel.buffers]
    a = rng.normal(size=(3, 4))
    arrays[read.index(True)][...] = a
    space: dict[str, object] = {}
    exec(compile(kernel.source, "<kernel>", "exec"), space)
    space[kernel.name](*arrays, *(dims[n.split("_")[1]] for n in kernel.kernel.sizes))
    wanted = f(a)
    assert any(np.allclose(out, wanted, rtol=1e-13) for out in arrays)


def _number(extent, dims):
    """The length of an axis: a variable named after a dimension, or a constant."""
    return dims[extent.name.split("_")[1]] if hasattr(extent, "name") else int(extent.value)


def test_kernels_name_the_lines_of_the_user():
    x, cost = _softmax_loss()
    f = sg.function([x], cost)
    lines = {str(line) for kernel in f.kernels for line in kernel.lines}
    assert any("test_inspection.py" in line for line in lines)


def test_llvm_and_assembly_can_be_read():
    x = sg.vector("x")
    first, second = sg.function([x], [x @ x * 2, sg.sort(x) + 1]).kernels[:2]
    assert first.llvm.startswith("define")
    assert first.llvm.count("define") == 1
    assert f"kernel.{first.name}(" in first.llvm
    assert first.asm.startswith(f"kernel.{first.name}:")
    assert first.asm != second.asm


def test_memory_is_planned_for_given_dims():
    x = sg.tensor("x", shape=("n", "n"))
    f = sg.function([x], sg.exp(x @ x) @ x)
    assert f.memory(n=100) >= 100 * 100 * 8
    assert f.memory(n=200) > 3 * f.memory(n=100)
    with pytest.raises(sg.ArgumentError, match="n"):
        f.memory()


def test_memory_of_a_chain_is_reused():
    x = sg.tensor("x", shape=("n", "n"))
    y = x
    for _ in range(6):
        y = sg.tanh(y @ x)
    f = sg.function([x], y)
    assert f.memory(n=64) <= 3 * 64 * 64 * 8 + 4096


def test_a_function_shows_its_inputs():
    x = sg.tensor("x", shape=("n",))
    assert "x: float64[n]" in repr(sg.function([x], x + 1, name="next"))
    assert "next" in repr(sg.function([x], x + 1, name="next"))
