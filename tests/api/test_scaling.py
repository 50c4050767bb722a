"""Compile work is linear in the graph: what is counted are calls of functions, never seconds."""

import gc
import sys
from collections.abc import Callable

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.llvm_program import program_text
from symgraph.ir.graph import toposort
from symgraph.lower.program import is_leaf_argument, lower
from symgraph.mode import Mode
from symgraph.trace.record import Record


def network(layers: int) -> sg.Function:
    """A network of equal layers with the gradient of its loss by all weights."""
    x = sg.tensor("x", shape=(8, 16))
    weights = [sg.tensor(f"w{k}", shape=(16, 16)) for k in range(layers)]
    biases = [sg.tensor(f"b{k}", shape=(16,)) for k in range(layers)]
    h = x
    for w, b in zip(weights, biases, strict=True):
        h = sg.tanh(h @ w + b)
    loss = sg.sum(h * h)
    return sg.function([x, *weights, *biases], [loss, *sg.grad(loss, [*weights, *biases])])


def chain(layers: int) -> sg.Function:
    """A long formula of one vector with its gradient."""
    x, w = (sg.tensor(name, shape=(64,)) for name in "xw")
    y = x
    for k in range(layers):
        y = sg.tanh(y * w + 0.01 * k)
    loss = sg.sum(y)
    return sg.function([x, w], [loss, *sg.grad(loss, [x, w])])


def sums(layers: int) -> sg.Function:
    """Values that all are results of their own, each made of the one before."""
    x = sg.tensor("x", shape=(64,))
    y, found = x, []
    for k in range(layers):
        y = sg.sin(y) * 1.5 + 0.1 * k
        found.append(sg.sum(y))
    return sg.function([x], found)


def arguments(f: sg.Function) -> list[np.ndarray]:
    """Small numbers for every input."""
    return [np.full(tuple(v.type.shape), 0.01) for v in f.graph.params]


def calls(make: Callable[[int], sg.Function], layers: int) -> int:
    """How many Python functions building, compiling and one call take."""
    count = 0

    def event(frame: object, kind: str, argument: object) -> None:
        nonlocal count
        count += kind == "call"

    gc.collect()
    sys.setprofile(event)
    try:
        f = make(layers)
        f(*arguments(f))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("make", [network])
def test_work_grows_no_faster_than_the_graph(make: Callable[[int], sg.Function]) -> None:
    with sg.config(cache=False):
        calls(make, 2)  # what is made once
        small, middle, large = (calls(make, layers) for layers in (8, 16, 32))
    assert large - middle <= 2.2 * (middle - small)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "layers"), [(chain, 150), (sums, 100)])
def test_work_grows_no_faster_than_long_formulas(
    make: Callable[[int], sg.Function], layers: int
) -> None:
    """At sizes between which no other way of lowering begins, which is a step of its own."""
    with sg.config(cache=False):
        calls(make, 100)  # what is made once, slow lanes too
        small, middle, large = (calls(make, n) for n in (layers, 2 * layers, 4 * layers))
    assert large - middle <= 2.2 * (middle - small)


def definitions(layers: int) -> tuple[int, int]:
    """Kernels of a network, and functions of its LLVM module."""
    from symgraph.compile import run_stages

    outputs = run_stages(network(layers).graph.outputs, Mode(), Record())
    lowered = lower([n for n in toposort(outputs) if is_leaf_argument(n)], outputs)
    text = program_text(lowered.program).assembly
    return len(lowered.program.kernels), text.count("\ndefine")


def test_equal_layers_share_their_functions() -> None:
    (kernels, functions), (more, same) = definitions(24), definitions(48)
    assert more > 1.8 * kernels
    assert same <= functions + 2  # the first and the last of a group may be of another length
