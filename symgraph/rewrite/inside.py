"""What is known of the parameters of loops and branches, from outside and by induction.

    scan(step, init > 0, xs >= 0)  -->  the same, whose step knows that x >= 0; that its state is
                                        positive too, if the next state is whenever the state is

Facts are an attribute of parameters (``known``). Equal bodies are one object with numbered
parameters, so that what is kept beside the graph would be said of all of them. What was stated
inside is kept beside nodes as ever, and its bodies have their own (``ops.assume_inside``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.ops.assume_inside import carried_over, param_with
from symgraph.rewrite.facts import INF, Fact, concluded_from, fact, hull, packed

ROUNDS = 8  # of induction; every one that finds more lets go of a bound
STEPS = (1.0, 0.0, -1.0, -INF)  # lower bounds to fall back to; the upper ones are their negatives


def informed(node: Node) -> Mapping[str, Graph]:
    """The graphs of a control node with what is known of their parameters."""
    graphs = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
    ways = {"scan": _loop, "while_loop": _loop, "cond": _branches}
    if node.op.name not in ways:
        return graphs
    known = ways[node.op.name](node)
    return {k: _told(g, known) for k, g in graphs.items()}


def _loop(node: Node) -> list[Fact]:
    n_state, body = node.attrs["n_state"], node.attrs["body"]
    given = [fact(i) for i in node.inputs]
    return [*_invariants(body, given, n_state), *given[n_state:]]


def _branches(node: Node) -> list[Fact]:
    return [fact(i) for i in node.inputs[1:]]


def _invariants(body: Graph, given: Sequence[Fact], n_state: int) -> list[Fact]:
    """Facts of states that the first ones fulfil, and the next ones if the ones before do."""
    found = list(given[:n_state])
    for _ in range(ROUNDS):
        seeds = dict(zip(body.params, [*found, *given[n_state:]], strict=True))
        after = concluded_from(body.outputs[:n_state], seeds)
        wider = [_wider(f, a) for f, a in zip(found, after, strict=True)]
        if wider == found:
            return found
        found = wider
    return [Fact()] * n_state


def _wider(before: Fact, after: Fact) -> Fact:
    """A fact that holds of both; a bound that does not hold falls back to one of ``STEPS``."""
    both = hull([before, after])
    lo, lo_open = _bound(before.lo, before.lo_open, both.lo, both.lo_open)
    hi, hi_open = _bound(-before.hi, before.hi_open, -both.hi, both.hi_open)
    apart = before.nonzero and after.nonzero
    return Fact(lo, -hi, lo_open, hi_open, both.whole, both.finite, apart)


def _bound(old: float, old_open: bool, new: float, new_open: bool) -> tuple[float, bool]:
    if (new, new_open) == (old, old_open):
        return old, old_open
    step = next(s for s in STEPS if s <= new)
    return step, new_open if step == new else step > -INF


def _told(graph: Graph, known: Sequence[Fact]) -> Graph:
    """The graph whose parameters say what is known of them."""
    params = tuple(_param(p, f) for p, f in zip(graph.params, known, strict=True))
    if params == graph.params:
        return graph
    return carried_over(graph, params)


def _param(old: Node, known: Fact) -> Node:
    assert isinstance(old.type, TensorType)
    attrs = {k: v for k, v in old.attrs.items() if k != "known"}
    if old.type.dtype.kind == "f" and known != Fact():
        attrs["known"] = packed(known)
    return old if attrs == dict(old.attrs) else param_with(old, attrs)
