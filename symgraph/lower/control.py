"""Loops and branches: nodes that hold graphs become steps that hold steps. A table: ``CONTROL``.

The state of a loop lives in buffers of its own. A turn computes the new state beside the old one,
so that every new value is made from old ones; counted loops then exchange the two (``turns``),
others copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from symgraph.ir.graph import Graph
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType, TupleType
from symgraph.loop.ir import Branch, Copy, Expr, Loop, Step, View
from symgraph.lower.inline import inlined
from symgraph.lower.points import by_points
from symgraph.lower.stage import Storage
from symgraph.lower.turns import Pair, alternating, starts_in_second

if TYPE_CHECKING:
    from symgraph.lower.program import Segment


def _results(segment: Segment, node: Node) -> list[Storage]:
    """The buffers of a node's results: those of its ``proj`` nodes where outputs were claimed."""
    assert isinstance(node.type, TupleType)
    found = []
    for index, item in enumerate(node.type.items):
        assert isinstance(item, TensorType)
        proj = make_node(find_op("proj"), (node,), {"index": index}, lines=())
        if proj not in segment.where:
            segment.where[proj] = segment.lowering.temporary(node, item.shape, item.dtype)
        found.append(segment.where[proj])
    return found


def _inner(
    segment: Segment, graph: Graph, params: Sequence[Storage], targets: Sequence[Storage]
) -> list[Step]:
    """The steps of a graph on given parameter buffers, into given buffers."""
    inner = type(segment)(segment.lowering, dict(zip(graph.params, params, strict=True)))
    return inner.run(list(zip(graph.outputs, targets, strict=True)))


def _start(segment: Segment, inits: Sequence[Node], states: Sequence[Storage]) -> list[Step]:
    return [Copy(s.name, segment.plain(i).name) for i, s in zip(inits, states, strict=True)]


def _element(segment: Segment, base: Storage, at: Expr, name: str) -> tuple[View, Storage]:
    """One turn's slice of an array: a view along the leading axis."""
    view = segment.lowering.known(Storage(name, base.dtype, base.shape[1:]))
    return View(name, base.name, (at,)), view


def scan(segment: Segment, node: Node) -> None:
    """A counted loop over slices, with carried state: a ``Repeat``."""
    lowering, b, attrs = segment.lowering, segment.b, node.attrs
    n_state, n_xs, body = attrs["n_state"], attrs["n_xs"], attrs["body"]
    first = n_state + n_xs  # states are copied and sequences viewed, so their shapes count
    inputs = [segment.plain(i) for i in node.inputs[:first]]
    inputs += [segment.stored(i) for i in node.inputs[first:]]
    results = _results(segment, node)
    states, outs = results[:n_state], results[n_state:]
    number = lowering.namer.next()
    turn = b.var(f"t{number}")
    at = b.sub(b.sub(b.size(attrs["length"]), 1), turn) if attrs["reverse"] else turn
    views: list[Step] = []
    params = list(states)
    for k, source in enumerate(inputs[n_state : n_state + n_xs]):
        view, storage = _element(segment, source, at, f"x{number}_{k}")
        views.append(view)
        params.append(storage)
    params += inputs[n_state + n_xs :]
    targets = []
    for k, out in enumerate(outs):
        view, storage = _element(segment, out, at, f"o{number}_{k}")
        views.append(view)
        targets.append(storage)
        lowering.persistent.add(storage.name)
    first_kernel = len(lowering.kernels)
    turns, pairs = _turn(segment, node, body, params, states, targets)
    steps, var, length = [*views, *turns], f"t{number}", b.size(attrs["length"])
    one = by_points(lowering, first_kernel, steps, var, length, pairs)
    one = one or inlined(lowering, first_kernel, steps, var, length, pairs)
    if one is not None:
        start = _start(segment, node.inputs[:n_state], states)
        segment.step([*start, one], [s.name for s in inputs], [s.name for s in results])
        return
    loop = alternating(steps, var, attrs["length"], pairs, b)
    first_in = dict(pairs) if starts_in_second(attrs["length"]) else {}
    start = [
        Copy(first_in.get(s.name, s.name), segment.plain(i).name)
        for i, s in zip(node.inputs[:n_state], states, strict=True)
    ]
    segment.step([*start, *loop], [s.name for s in inputs], [s.name for s in results])


def _turn(
    segment: Segment,
    node: Node,
    body: Graph,
    params: list[Storage],
    states: list[Storage],
    targets: list[Storage],
) -> tuple[list[Step], list[Pair]]:
    """Steps that compute the outputs of a turn, and new states into buffers beside the old."""
    n_state = len(states)
    changed = [k for k in range(n_state) if body.outputs[k] is not body.params[k]]
    fresh = [segment.lowering.temporary(node, states[k].shape, states[k].dtype) for k in changed]
    segment.lowering.persistent.update(s.name for s in (*fresh, *states))
    nodes = tuple(body.outputs[k] for k in changed) + body.outputs[n_state:]
    steps = _inner(segment, Graph(body.params, nodes), params, [*fresh, *targets])
    return steps, [(states[k].name, new.name) for k, new in zip(changed, fresh, strict=True)]


def while_loop(segment: Segment, node: Node) -> None:
    """A loop as long as a condition on the state holds: a ``Loop``."""
    attrs, lowering = node.attrs, segment.lowering
    n_state, body, cond = attrs["n_state"], attrs["body"], attrs["cond"]
    inputs = [segment.stored(i) for i in node.inputs]
    states = _results(segment, node)[:n_state]
    params = [*states, *inputs[n_state:]]
    flag_type = cond.outputs[0].tensor
    flag = lowering.temporary(node, flag_type.shape, flag_type.dtype)
    lowering.persistent.add(flag.name)
    test = _inner(segment, cond, params, [flag])
    turn, pairs = _turn(segment, node, body, params, states, [])
    turn += [Copy(state, new) for state, new in pairs]
    again = _inner(segment, cond, params, [flag])
    start = _start(segment, node.inputs[:n_state], states)
    loop = Loop(flag.name, tuple(turn + again))
    segment.step([*start, *test, loop], [s.name for s in inputs], [s.name for s in states])


def cond(segment: Segment, node: Node) -> None:
    """Two graphs of which one runs: a ``Branch``."""
    predicate, *operands = [segment.stored(i) for i in node.inputs]
    results = _results(segment, node)
    segment.lowering.persistent.update(s.name for s in results)
    then = _inner(segment, node.attrs["then"], operands, results)
    orelse = _inner(segment, node.attrs["orelse"], operands, results)
    branch = Branch(predicate.name, tuple(then), tuple(orelse))
    segment.step(branch, [predicate.name, *(s.name for s in operands)], [s.name for s in results])


CONTROL: dict[str, Callable[[Segment, Node], None]] = {
    "scan": scan,
    "while_loop": while_loop,
    "cond": cond,
}
