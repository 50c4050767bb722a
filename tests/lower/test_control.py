"""Loops, branches and random numbers lowered to programs, against the references of their ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symgraph.autodiff.transform import grad
from symgraph.codegen.library import MEANINGS
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node, rebuild
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.loop.ir import For, Repeat, Store
from symgraph.loop.run import run_program
from symgraph.lower.program import lower
from symgraph.ops import random
from symgraph.ops.control import cond, scan, while_loop
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor
from symgraph.rewrite.loops import tidy_loops
from tests.autodiff.by_reference import normal
from tests.lower.lowered import program_of

sin, tanh, sqrt = find_op("sin"), find_op("tanh"), find_op("sqrt")


def expanded(outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Outputs in which composite ops are written with others, in bodies too."""
    made: dict[Node, Node] = {}
    for node in toposort(outputs):
        inputs = tuple(made[i] for i in node.inputs)
        if node.op.kind == "composite":
            assert node.op.expand is not None
            found = node.op.expand(*map(Variable, inputs), **node.attrs).node
            made[node] = expanded((found,))[0]
            continue
        graphs = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
        bodies = {k: Graph(g.params, expanded(g.outputs)) for k, g in graphs.items()}
        made[node] = rebuild(node, inputs, {**node.attrs, **bodies} if bodies else None)
    return tuple(made[o] for o in outputs)


def check(outputs: list[Variable], given: dict[Variable, Any]) -> None:
    """A lowered program gives the values that the references give."""
    arrays = {v.node: np.asarray(x, v.dtype) for v, x in given.items()}
    nodes = tuple(o.node for o in outputs)
    expected = evaluate(nodes, arrays)
    nodes = expanded(tidy_loops(nodes))
    below = toposort(nodes)
    arrays = {n: x for n, x in arrays.items() if n in below}
    constants = [n for n in below if n.op.name == "constant" and n.tensor.shape != ()]
    arrays |= {n: n.attrs["value"] for n in constants}
    lowered = lower(list(arrays), list(nodes))
    found = [np.empty(n.tensor.shape, n.tensor.dtype) for n in nodes]
    run_program(lowered.program, list(arrays.values()), found, (), MEANINGS)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13, atol=1e-14)


def recurrent(**options: Any) -> tuple[list[Variable], dict[Variable, Any]]:
    """A recurrent network with its gradients."""
    h, xs, w = tensor("h", (3,)), tensor("xs", (7, 3)), tensor("w", (3, 3))
    last, outs = scan(lambda s, x: (tanh(w @ s + x), s * x), h, xs, **options)
    cost = (last * last).sum() + (outs * outs).sum()
    return [cost, *grad(cost, [h, xs, w])], {h: normal(3), xs: normal(7, 3), w: normal(3, 3)}


def from_numbers() -> tuple[list[Variable], dict[Variable, Any]]:
    """A loop whose state starts at numbers that are written into code elsewhere."""
    x = tensor("x", (4,))
    (total, count), outs = scan(lambda s, e: ((s[0] + e * 1.0, s[1] + 1), s[0]), (1.0, 0), x)
    return [total, count, outs, x + 1.0], {x: normal(4)}


def limited() -> tuple[list[Variable], dict[Variable, Any]]:
    """A while loop with a limit, and its gradient."""
    a = tensor("a", ())
    value, steps = while_loop(
        lambda s: s[0] < 10.0, lambda s: (s[0] * a + 0.1, s[1] + 1), (a, 0), 20
    )
    return [value, steps, grad(value * value, a)], {a: 1.5}


def branch(at: float) -> tuple[list[Variable], dict[Variable, Any]]:
    """A branch, and its gradient, which is one too."""
    a, b = tensor("a", ()), tensor("b", (2,))
    found = cond(a > 1.0, lambda v: sqrt(v) * b, lambda v: v * b * b, a)
    return [found, *grad(found.sum(), [a, b])], {a: at, b: normal(2)}


def numbers() -> tuple[list[Variable], dict[Variable, Any]]:
    """Random numbers: expressions in which most parts are read several times."""
    key = random.key(3)
    drawn = [random.bits(key, (2, 3), "uint64"), random.normal(key, (5,)), random.split(key, 3)]
    return [*drawn, random.fold_in(key, 9), random.randint(key, -5, 5, (4,))], {}


CASES: dict[str, Callable[[], tuple[list[Variable], dict[Variable, Any]]]] = {
    "scan": recurrent,
    "scan in reverse": lambda: recurrent(reverse=True),
    "scan in segments": lambda: recurrent(checkpoint=2),
    "scan in segments in reverse": lambda: recurrent(checkpoint=True, reverse=True),
    "scan from numbers": from_numbers,
    "while_loop": limited,
    "cond taken": lambda: branch(1.5),
    "cond not taken": lambda: branch(0.5),
    "random numbers": numbers,
}


@pytest.mark.parametrize("name", CASES)
def test_program_gives_what_the_references_give(name: str):
    check(*CASES[name]())


def test_random_words_are_short_code():
    """Twenty rounds of the generator as locals: as a tree the expression would have billions."""
    drawn = random.bits(random.key(0), (8,), "uint64")
    (kernel,) = lower([], [drawn.node]).program.kernels
    assert len(str(kernel)) < 100_000


def test_a_recurrence_of_numbers_is_one_kernel_with_its_state_in_a_local() -> None:
    x, a = tensor("x", shape=(9,)), tensor("a", shape=())
    for reverse in (False, True):
        (last, other), outs = scan(
            lambda s, v: ((a * s[0] + v[0], s[0] - s[1]), (s[0], v[0] * s[1])),
            (np.float64(0.3), np.float64(-0.8)),
            (x,),
            reverse=reverse,
        )
        ends = [last, other, *outs]
        check(ends, {x: normal(9), a: 0.7})
        lowered = program_of(ends, [x, a])
        assert not any(isinstance(s, Repeat) for s in lowered.program.steps)
        (kernel,) = (k for k in lowered.program.kernels if k.name.endswith("_scan"))
        (loop,) = (s for s in kernel.body if isinstance(s, For))
        stored = [s.buffer for s in loop.body if isinstance(s, Store)]
        assert all(len(lowered_shape(lowered, name)) == 1 for name in stored)


def lowered_shape(lowered: Any, name: str) -> tuple[Any, ...]:
    boxes = (*lowered.program.outputs, *lowered.program.temporaries)
    return next(tuple(b.shape) for b in boxes if b.name == name)


def test_small_arrays_as_state_are_copied_inside_one_kernel() -> None:
    x = tensor("x", shape=(5, 3))
    (last,), outs = scan(lambda s, v: ((tanh(s[0][::-1] * v[0]),), s[0] + 1.0), (normal(3),), (x,))
    check([last, outs], {x: normal(5, 3)})
    lowered = program_of([last, outs], [x])
    assert not any(isinstance(s, Repeat) for s in lowered.program.steps)
