"""``tidy_loops``: loops that run the same steps become one, and what nobody reads is dropped.

    scan(step) and scan(step that stores more) --> one scan (the second is what a gradient makes)
    scan whose out or state is not read        --> scan without it
    cond with a result that is not read        --> cond without it

Not rules of the engine, because they look at all readers of a node at once. Bodies are tidied too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from symgraph.ir.graph import Graph, close, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node, rebuild
from symgraph.ir.op import find_op
from symgraph.ops.assume_inside import state_images, stated_in, stated_of, with_facts
from symgraph.ops.capture import placeholder
from symgraph.records import dataclass

MOST_ROUNDS = 50  # a round makes progress on every loop; loops that feed each other need several


def tidy_loops(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """The same outputs from fewer and smaller loops.

    Outer loops first: two of them are seen to run alike as long as their bodies are as written.
    """
    found = tuple(outputs)
    if not any(n.op.kind == "control" for n in toposort(found)):
        return found
    for _ in range(MOST_ROUNDS):
        before, found = found, _round(found)
        if found == before:
            break
    return _with_bodies(found)


def _with_bodies(outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Outputs with the bodies of all control nodes tidied."""
    changed: dict[Node, Node] = {}
    for node in toposort(outputs):
        graphs = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
        if not graphs or node.op.kind != "control":
            continue
        tidied = {k: Graph(g.params, tidy_loops(g.outputs)) for k, g in graphs.items()}
        if any(tidied[k] is not graphs[k] for k in graphs):
            inputs = substitute_nodes(node.inputs, changed)
            changed[node] = rebuild(node, inputs, {**node.attrs, **tidied})
    return substitute_nodes(outputs, changed) if changed else outputs


def _round(outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    read: dict[Node, dict[int, Node]] = {}  # loops to the `proj` nodes that read them
    for node in toposort(outputs):
        if node.op.name == "proj" and node.inputs[0].op.name in ("scan", "cond"):
            read.setdefault(node.inputs[0], {})[node.attrs["index"]] = node
    replaced: dict[Node, Node] = {}
    for group in _groups([n for n in read if n.op.name == "scan"]):
        replaced.update(_joined(group, read))
    for node in read:
        if node.op.name == "cond":
            replaced.update(_trimmed(node, read[node]))
    return substitute_nodes(outputs, replaced) if replaced else outputs


@dataclass(frozen=True, slots=True)
class Loop:
    """A scan with its step in terms of placeholders that all scans of its group share."""

    node: Node
    params: tuple[Node, ...]
    states: tuple[Node, ...]
    outs: tuple[Node, ...]


def _groups(scans: Sequence[Node]) -> list[list[Loop]]:
    """Scans over the same start and sequences whose states run alike."""
    shared: dict[Hashable, tuple[Node, ...]] = {}
    groups: dict[Hashable, list[Loop]] = {}
    for node in scans:
        attrs = node.attrs
        first = attrs["n_state"] + attrs["n_xs"]
        key = (node.inputs[:first], *(attrs[k] for k in ("n_state", "length", "reverse", "remat")))
        body = attrs["body"]
        if key not in shared:
            shared[key] = tuple(placeholder(p.tensor).node for p in body.params[:first])
        mapping = dict(zip(body.params, (*shared[key], *node.inputs[first:]), strict=True))
        made = substitute_nodes(body.outputs, mapping)
        state_images(stated_in(body), mapping)
        loop = Loop(node, shared[key], made[: attrs["n_state"]], made[attrs["n_state"] :])
        groups.setdefault((key, loop.states), []).append(loop)
    return list(groups.values())


def _joined(group: list[Loop], read: dict[Node, dict[int, Node]]) -> dict[Node, Node]:
    """What replaces the readers of a group of scans: readers of one scan of what they need."""
    first = group[0]
    group = [first, *[o for o in group[1:] if not _depends(o, first) and not _depends(first, o)]]
    n_state = len(first.states)
    wanted = [(loop, index) for loop in group for index in sorted(read[loop.node])]
    outs = list(dict.fromkeys(loop.outs[k - n_state] for loop, k in wanted if k >= n_state))
    states = _live(first, {k for _, k in wanted if k < n_state}, outs)
    everything = [first.states[k] for k in states] + outs
    below = set(toposort(everything))
    xs = [k for k in range(n_state, len(first.params)) if first.params[k] in below]
    if len(group) == 1 and _is_whole(first, states, outs, xs):
        return {}
    kept = [*states, *xs]
    params = [first.params[k] for k in kept]
    body, captured = close(params, everything)
    body = with_facts(body, [*params, *captured], stated_of(params))
    attrs = {**first.node.attrs, "body": body, "n_state": len(states), "n_xs": len(xs)}
    lines = tuple(dict.fromkeys(line for loop in group for line in loop.node.lines))
    inputs = [*[first.node.inputs[k] for k in kept], *captured]
    node = make_node(first.node.op, inputs, attrs, lines=lines)
    place = {k: i for i, k in enumerate(states)}
    found = {}
    for loop, k in wanted:
        index = place[k] if k < n_state else len(states) + outs.index(loop.outs[k - n_state])
        found[read[loop.node][k]] = make_node(find_op("proj"), (node,), {"index": index}, lines=())
    return found


def _is_whole(loop: Loop, states: list[int], outs: list[Node], xs: list[int]) -> bool:
    """Is everything of the only scan of a group read?"""
    kept = (len(states), len(outs), len(xs))
    return kept == (len(loop.states), len(loop.outs), len(loop.params) - len(loop.states))


def _depends(loop: Loop, other: Loop) -> bool:
    """Does a scan capture what another one computes?"""
    first = len(loop.params)
    return other.node in toposort(loop.node.inputs[first:])


def _live(loop: Loop, wanted: set[int], outs: Sequence[Node]) -> list[int]:
    """The states that are read, or that what is read depends on."""
    live = set(wanted)
    while True:
        below = set(toposort([*outs, *[loop.states[k] for k in live]]))
        found = live | {k for k in range(len(loop.states)) if loop.params[k] in below}
        if found == live:
            return sorted(live)
        live = found


def _trimmed(node: Node, readers: dict[int, Node]) -> dict[Node, Node]:
    """A cond without the results that nobody reads."""
    then, orelse = node.attrs["then"], node.attrs["orelse"]
    kept = sorted(readers)
    if len(kept) == len(then.outputs):
        return {}
    bodies = {
        name: Graph(g.params, tuple(g.outputs[k] for k in kept))
        for name, g in (("then", then), ("orelse", orelse))
    }
    made = make_node(node.op, node.inputs, {**node.attrs, **bodies}, lines=node.lines)
    proj = find_op("proj")
    return {
        readers[k]: make_node(proj, (made,), {"index": i}, lines=()) for i, k in enumerate(kept)
    }
