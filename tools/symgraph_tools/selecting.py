"""Part of a drawing: without constants, conversions or movements; around a node; in frames.

Each takes a drawing and gives a drawing. What is left out is passed through: an arrow into it goes
on to what reads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf

from symgraph.errors import nearest

from .collapse import chain_text
from .drawing import Cluster, Drawing, DrawingError, DrawnEdge, DrawnNode

HIDDEN: Mapping[str, frozenset[str]] = {
    "const": frozenset({"constant", "dim"}),
    "cast": frozenset({"astype", "stop_gradient"}),
    "shape": frozenset(
        {"reshape", "expand_dims", "squeeze", "broadcast_to", "permute_dims", "sum_to"}
    ),
}
"""What ``hide`` can leave out, by the names of ops."""


def hide(drawing: Drawing, kinds: Iterable[str]) -> Drawing:
    """Without the nodes of some kinds of ``HIDDEN``.

    Raises: DrawingError for a kind that is none.
    """
    ops: set[str] = set()
    for kind in kinds:
        if kind not in HIDDEN:
            raise DrawingError(f"nothing is hidden as {kind!r}; there are {', '.join(HIDDEN)}")
        ops |= HIDDEN[kind]
    gone = {node.id for node in drawing.nodes if node.op in ops}
    into: dict[str, list[DrawnEdge]] = {}
    for edge in drawing.edges:
        into.setdefault(edge.target, []).append(edge)
    edges = []
    for edge in drawing.edges:
        if edge.target in gone:
            continue
        sources, seen = [edge.source], set()
        while sources:
            source = sources.pop()
            if source not in gone:
                edges.append(replace(edge, source=source))
            elif source not in seen:
                seen.add(source)
                sources += [below.source for below in reversed(into.get(source, []))]
    nodes = tuple(node for node in drawing.nodes if node.id not in gone)
    return replace(drawing, nodes=nodes, edges=tuple(edges))


def focus(drawing: Drawing, name: str, radius: int) -> Drawing:
    """The nodes at most so many arrows away from those of a name, an op, or a first line.

    Raises: DrawingError with the nearest right name, where there is none.
    """
    known: dict[str, list[str]] = {}
    for node in drawing.nodes:
        head = node.lines[0] if node.lines else node.id
        for word in {node.id, node.op, head, head.removesuffix(" =")}:
            known.setdefault(word, []).append(node.id)
    if name not in known:
        near = nearest(name, [word for word in known if word])
        guess = f"; did you mean {near!r}?" if near else ""
        raise DrawingError(f"no node is called {name!r}{guess}")
    around: dict[str, list[str]] = {}
    for edge in drawing.edges:
        around.setdefault(edge.source, []).append(edge.target)
        around.setdefault(edge.target, []).append(edge.source)
    far = dict.fromkeys(known[name], 0)
    pending = deque(far)
    while pending:
        one = pending.popleft()
        for other in around.get(one, ()):
            if far[one] < radius and other not in far:
                far[other] = far[one] + 1
                pending.append(other)
    nodes = tuple(node for node in drawing.nodes if node.id in far)
    edges = tuple(e for e in drawing.edges if e.source in far and e.target in far)
    return replace(drawing, nodes=nodes, edges=edges)


def framed(drawing: Drawing, groups: Mapping[str, str]) -> Drawing:
    """With a frame around the nodes of each group, id -> label, that have none."""
    labels = {label: f"f{number}" for number, label in enumerate(dict.fromkeys(groups.values()))}
    clusters = tuple(Cluster(key, label) for label, key in labels.items())
    nodes = tuple(
        replace(n, cluster=labels[groups[n.id]]) if n.id in groups and n.cluster is None else n
        for n in drawing.nodes
    )
    return replace(drawing, nodes=nodes, clusters=drawing.clusters + clusters)


def folded(drawing: Drawing, groups: Mapping[str, str]) -> Drawing:
    """With one box of kind kernel for the nodes of each group: id -> label.

    A group that would read what it itself makes stays open: a picture has no cycle.
    """
    groups = _without_cycles(drawing, groups)
    members: dict[str, list[DrawnNode]] = {}
    for node in drawing.nodes:
        if node.id in groups:
            members.setdefault(groups[node.id], []).append(node)
    stands: dict[str, str] = {}
    boxes: dict[str, DrawnNode] = {}
    for label, some in members.items():
        steps = [node.lines[0] for node in some]
        last = some[-1]
        stands |= {node.id: last.id for node in some}
        lines = (label, chain_text(steps)) if len(some) > 1 else (label,)
        tooltip = " → ".join(steps)
        boxes[last.id] = replace(last, lines=lines, kind="kernel", tooltip=tooltip)
    nodes = tuple(
        boxes.get(node.id, node)
        for node in drawing.nodes
        if stands.get(node.id, node.id) == node.id
    )
    ends = dict.fromkeys(
        (stands.get(e.source, e.source), stands.get(e.target, e.target)) for e in drawing.edges
    )
    edges = tuple(DrawnEdge(source, target) for source, target in ends if source != target)
    return replace(drawing, nodes=nodes, edges=edges)


def _without_cycles(drawing: Drawing, groups: Mapping[str, str]) -> dict[str, str]:
    """Groups that can be boxes: what lies between two nodes of one joins it; of several, none can.

    Labels and ids are told apart by a mark, for a label may be some node's id.
    """
    found = dict(groups)
    while True:
        out: dict[str, set[str]] = {}
        for edge in drawing.edges:
            ends = [_box(found, edge.source), _box(found, edge.target)]
            if ends[0] != ends[1]:
                out.setdefault(ends[0], set()).add(ends[1])
        rings = [ring for ring in _rings(out) if len(ring) > 1]
        if not rings:
            return found
        for ring in rings:
            labels = [name[1:] for name in ring if name[0] == "="]
            if len(labels) == 1:
                found |= {name[1:]: labels[0] for name in ring if name[0] != "="}
            else:
                found = {node: label for node, label in found.items() if label not in labels}


def _box(groups: Mapping[str, str], node: str) -> str:
    """The name of what a node is part of: its group's, or its own."""
    return "=" + groups[node] if node in groups else "-" + node


def _rings(out: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Sets of names that reach each other (Tarjan 1972, SIAM J. Comput. 1(2))."""
    number: dict[str, int] = {}
    low: dict[str, float] = {}
    open_names: list[str] = []
    rings = []
    for root in out:
        stack = [(root, iter(out[root]))] if root not in number else []
        while stack:
            name, rest = stack[-1]
            if name not in number:
                number[name] = low[name] = len(number)
                open_names.append(name)
            for other in rest:
                if other not in number:
                    stack.append((other, iter(out.get(other, ()))))
                    break
                low[name] = min(low[name], low[other])
            else:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[name])
                if low[name] == number[name]:
                    ring = open_names[open_names.index(name) :]
                    del open_names[-len(ring) :]
                    low |= dict.fromkeys(ring, inf)  # done: no longer a way up
                    rings.append(ring)
    return rings


def kernel_groups(drawing: Drawing, stored: Mapping[str, str]) -> dict[str, str]:
    """The kernel of each node: of those that it stores, and of what only these read.

    ``stored``: id -> kernel. Library calls, loops and leaves belong to none.
    """
    users: dict[str, list[str]] = {}
    for edge in drawing.edges:
        users.setdefault(edge.source, []).append(edge.target)
    found = dict(stored)
    owners = {edge.target for edge in drawing.edges if edge.label}
    for node in reversed(drawing.nodes):
        is_alone = node.kind != "op" or node.op in ("matmul", "sort", "argsort")
        if is_alone or node.id in found or node.id in owners or node.cluster is not None:
            continue
        kernels = {found.get(user, "") for user in users.get(node.id, ())}
        if len(kernels) == 1 and "" not in kernels:
            (found[node.id],) = kernels
    return found
