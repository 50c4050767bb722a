"""``while_loop``: steps as long as a condition on the state holds, as one node.

Node: inputs = initial states, captured values. Attributes: ``cond`` (a Graph with one bool output)
and ``body`` (a Graph of the next states) over the same parameters, ``n_state``, and ``max_length``
(int, Dim or None), which the gradient needs; the first state counts the steps where there is one,
and ``cond`` compares it. The result is the tuple of the last states.

Its gradient is that of a scan over ``max_length`` steps which keep the state once the condition has
failed. Those steps are a lazy ``cond``, not a ``where``, so that a step beyond the end is never
computed and cannot turn a zero cotangent into NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symgraph.errors import ArgumentError, DTypeError, GradientError, ShapeError, message
from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import BOOL, FLOAT64, INT64, is_inexact
from symgraph.ir.graph import Graph, close, map_graph, substitute_nodes
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, TensorType, TupleType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.assume_inside import (
    first_broken,
    nothing_broken,
    state_outside,
    stated_of,
    with_facts,
)
from symgraph.ops.capture import function_line, placeholder, results
from symgraph.ops.convert import asarray, cast
from symgraph.ops.tracing import as_length, must_equal, trace_step
from symgraph.ops.tree import LEAF, NONE, flatten, unflatten


def while_loop(
    cond: Callable[[Any], Any], body: Callable[[Any], Any], init: Any, max_length: Any = None
) -> Any:
    """The state after ``while cond(state): state = body(state)``.

    Shapes: the state keeps its shapes and dtypes; ``cond`` gives a bool scalar.    ``init`` is a
    variable or a nested tuple, list or dict; Python numbers in it take the dtype that ``body``
    gives them.    ``max_length``: stop after so many steps at most; needed for gradients. Raises:
    ShapeError, DTypeError naming a state that changes; GradientError, when differentiated without
    ``max_length``.
    """
    states, tree = flatten(init)
    start = [asarray(s) for s in states]
    line = function_line(body)
    traced = trace_step(lambda s, _: (body(s), cond(s)), start, (), tree, NONE, line)
    if traced.out_tree != LEAF:
        raise ArgumentError(
            message("while_loop: cond must return one bool", {"got": str(traced.out_tree)})
        )
    condition = check_condition(traced.outs[0], "while_loop: cond")
    start = [cast(s, p.dtype) for s, p in zip(start, traced.params, strict=True)]
    most = None if max_length is None else as_length(max_length, "while_loop: max_length")
    params, after = traced.params, traced.states
    if most is not None:
        # The steps are counted by a state of their own, so that no backend needs to know of a
        # limit.
        count = placeholder(TensorType(INT64, ()), "count")
        start, params = [cast(asarray(0), INT64), *start], [count, *params]
        after = [count + 1, *after]
        condition = (count < cast(asarray(most), INT64)) & condition
    _state_facts(condition, start, params, after, most)
    found = _run(condition, start, params, after, most)
    return unflatten(tree, found[len(found) - tree.size :])


def _run(
    condition: Variable,
    start: Sequence[Variable],
    params: Sequence[Variable],
    after: Sequence[Variable],
    most: DimLike | None,
) -> list[Variable]:
    """The last states of a traced loop."""
    outputs = [condition.node, *[s.node for s in after]]
    placeholders = [p.node for p in params]
    both, captured = close(placeholders, outputs)
    body = Graph(both.params, both.outputs[1:])
    attrs = {
        "cond": Graph(both.params, both.outputs[:1]),
        # what is stated of a step holds while the condition does
        "body": with_facts(body, [*placeholders, *captured], stated_of(placeholders)),
        "n_state": len(start),
        "max_length": most,
    }
    return results(make_node(WHILE, [*[s.node for s in start], *captured], attrs))


def _state_facts(
    condition: Variable,
    start: Sequence[Variable],
    params: Sequence[Variable],
    after: Sequence[Variable],
    most: DimLike | None,
) -> None:
    """What was stated of values of a step, of the first value that breaks it, a state more each."""
    stated = [(n, row) for n, rows in stated_of([p.node for p in params]) for row in rows]
    if not stated:
        return
    kept = [placeholder(TensorType(FLOAT64, n.tensor.shape)) for n, _ in stated]
    found = _run(
        condition,
        [*start, *(nothing_broken(n, row) for n, row in stated)],
        [*params, *kept],
        [*after, *(first_broken(k, n, row) for k, (n, row) in zip(kept, stated, strict=True))],
        most,
    )
    for value, (about, row) in zip(found[len(start) :], stated, strict=True):
        state_outside(value, about, (row,))


def check_condition(condition: Variable, about: str) -> Variable:
    """A condition, which must be a bool scalar: DTypeError, ShapeError otherwise."""
    facts = {"condition": condition.type}
    if condition.dtype != BOOL:
        raise DTypeError(message(f"{about} must be bool", facts, hint="compare: x > 0, n != 0"))
    if condition.shape != ():
        raise ShapeError(
            message(
                f"{about} must be a scalar",
                facts,
                hint="reduce it by sg.all or sg.any; sg.where chooses by element",
            )
        )
    return condition


def _infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    body, cond, n_state = attrs["body"], attrs["cond"], attrs["n_state"]
    assert [p.type for p in body.params] == [p.type for p in cond.params]
    for k, (found, param) in enumerate(zip(types, body.params, strict=True)):
        assert isinstance(found, TensorType)
        must_equal(found, param.tensor, context, f"while_loop: input {k}")
    for k in range(n_state):
        must_equal(body.outputs[k].tensor, body.params[k].tensor, context, f"while_loop: state {k}")
    return TupleType(tuple(p.tensor for p in body.params[:n_state]))


def _reference(
    *arrays: Any, evaluate: Any, cond: Graph, body: Graph, n_state: int, max_length: int | None
) -> Any:
    states, captured = list(arrays[:n_state]), arrays[n_state:]
    while bool(evaluate(cond, [*states, *captured])[0]):
        states = evaluate(body, [*states, *captured])
    return tuple(states)


def bounded(inputs: Sequence[Variable], attrs: Attrs) -> list[Variable]:
    """The same loop as a scan of ``max_length`` steps, most of which may do nothing."""
    n_state, captured = attrs["n_state"], inputs[attrs["n_state"] :]
    branch = find_op("cond")

    def step(state: tuple[Any, ...], _: None) -> tuple[Any, None]:
        alive, *values = state
        (holds,) = map_graph(attrs["cond"], [v.node for v in (*values, *captured)])
        alive = find_op("logical_and")(alive, Variable(holds))

        def go(*now: Variable) -> tuple[Variable, ...]:
            found = map_graph(attrs["body"], [v.node for v in (*now, *captured)])
            return tuple(Variable(n) for n in found)

        return (alive, *branch(alive, go, lambda *now: now, *values)), None

    init = (cast(asarray(True), BOOL), *inputs[:n_state])
    (_, *found), _ = find_op("scan")(step, init, None, attrs["max_length"])
    return [*found]


def _vjp(
    gs: Sequence[Variable | None],
    node: Node,
    differentiate: Any,
    wanted: Sequence[bool] | None = None,
) -> list[Variable | None]:
    if node.attrs["max_length"] is None:
        line = str(node.lines[-1]) if node.lines else None
        hint = "give max_length=, the most steps it can take: the gradient stores a state for each"
        raise GradientError(
            message("while_loop has no gradient without max_length", line=line, hint=hint)
        )
    params = [placeholder(i.tensor) for i in node.inputs]
    found = bounded(params, node.attrs)
    flags = wanted or [True] * len(params)
    chosen = [k for k, p in enumerate(params) if flags[k] and is_inexact(p.dtype)]
    ends = [(f.node, g) for f, g in zip(found, gs, strict=True) if g is not None]
    parts = differentiate(
        [f for f, _ in ends], [g for _, g in ends], [params[k].node for k in chosen]
    )
    return placed(parts, chosen, params, node.inputs)


def placed(
    parts: Sequence[Variable | None],
    chosen: Sequence[int],
    params: Sequence[Variable],
    inputs: Sequence[Node],
) -> list[Variable | None]:
    """Cotangents in terms of placeholders, put at their inputs, in terms of the inputs."""
    kept = [(k, p) for k, p in zip(chosen, parts, strict=True) if p is not None]
    mapping = {p.node: i for p, i in zip(params, inputs, strict=True)}
    nodes = substitute_nodes([p.node for _, p in kept], mapping)
    by_input = {k: Variable(n) for (k, _), n in zip(kept, nodes, strict=True)}
    return [by_input.get(k) for k in range(len(inputs))]


WHILE = register(
    Op(
        "while_loop",
        "control",
        "A loop that runs as long as a condition on its state holds.",
        infer=_infer,
        front=while_loop,
        reference=_reference,
        vjp=_vjp,
    )
)
