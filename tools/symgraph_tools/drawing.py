"""What a picture of a graph shows: nodes, edges and clusters, before anything has a place.

``Drawing`` knows nothing of symgraph's IR: whoever has a graph fills one in. ``layout.lay_out``
gives its parts coordinates; ``svg``, ``raster``, ``dot``, ``mermaid``, ``drawing_json`` write it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from symgraph.errors import SymgraphError

Kind = Literal["op", "input", "constant", "shared", "output", "kernel"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class DrawingError(SymgraphError, ValueError):
    """A drawing that contradicts itself, or that cannot be written as asked."""


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A box: lines of text, the first the most important.

    ``tooltip`` and ``details`` (pairs of name and value) appear where a pointer rests on it.
    ``op`` is the operation, where it is one; ``shade`` a colour in place of that of its kind.
    """

    id: str
    lines: tuple[str, ...] = ()
    kind: Kind = "op"
    cluster: str | None = None
    tooltip: str = ""
    details: tuple[tuple[str, str], ...] = ()
    op: str = ""
    shade: str = ""


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An arrow between nodes, by id.

    ``target_port`` is the number of the argument, from 0: arrows into one node arrive in that
    order. None lets the layout choose the place, as suits an operation that commutes.
    """

    source: str
    target: str
    target_port: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A frame around the nodes that name it, and around the clusters whose parent it is."""

    id: str
    label: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes, edges and clusters that fit each other; the edges form no cycle.

    ``key``: what the shades of nodes mean, as pairs of text and colour.
    Raises: DrawingError for an id used twice, a name that nothing has, or a cycle.
    """

    nodes: tuple[DrawnNode, ...] = ()
    edges: tuple[DrawnEdge, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    title: str = ""
    key: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        clusters = _unique("cluster", (cluster.id for cluster in self.clusters))
        nodes = _unique("node", (node.id for node in self.nodes))
        for node in self.nodes:
            if node.kind not in KINDS:
                raise DrawingError(f"node {node.id!r} is of kind {node.kind!r}, not one of {KINDS}")
            if node.cluster is not None and node.cluster not in clusters:
                raise DrawingError(f"node {node.id!r} names no known cluster: {node.cluster!r}")
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in nodes:
                    raise DrawingError(f"edge {edge.source!r} -> {edge.target!r}: no node {end!r}")
            if edge.target_port is not None and edge.target_port < 0:
                raise DrawingError(
                    f"edge {edge.source!r} -> {edge.target!r}: target port {edge.target_port} < 0"
                )
        _check_parents(self.clusters, clusters)
        topological_order(self)

    def prefixed(self, prefix: str, cluster: str | None = None) -> Drawing:
        """The same with other ids, to stand beside another; what has no frame is put into one."""
        nodes = [
            replace(n, id=prefix + n.id, cluster=prefix + n.cluster if n.cluster else cluster)
            for n in self.nodes
        ]
        edges = [replace(e, source=prefix + e.source, target=prefix + e.target) for e in self.edges]
        clusters = [
            replace(c, id=prefix + c.id, parent=prefix + c.parent if c.parent else cluster)
            for c in self.clusters
        ]
        outer = (Cluster(cluster),) if cluster is not None else ()
        return Drawing(tuple(nodes), tuple(edges), (*outer, *clusters))


def topological_order(drawing: Drawing) -> list[int]:
    """Indices of the nodes, sources first; of those that are ready, the earliest listed first.

    Raises: DrawingError that names a cycle.
    """
    index = {node.id: number for number, node in enumerate(drawing.nodes)}
    following: list[list[int]] = [[] for _ in drawing.nodes]
    missing = [0] * len(drawing.nodes)
    for edge in drawing.edges:
        following[index[edge.source]].append(index[edge.target])
        missing[index[edge.target]] += 1
    order = [number for number, count in enumerate(missing) if not count]
    for number in order:  # grows while it is read
        for target in following[number]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    if len(order) < len(drawing.nodes):
        names = " -> ".join(repr(drawing.nodes[n].id) for n in _cycle(following, missing))
        raise DrawingError(f"the edges form a cycle: {names}; a drawing must have none")
    return order


def _cycle(following: list[list[int]], missing: list[int]) -> list[int]:
    """A cycle among the nodes with missing arguments, its first node repeated at the end."""
    preceding: dict[int, int] = {}
    for source, targets in enumerate(following):
        if missing[source]:
            preceding.update((target, source) for target in targets if missing[target])
    node = next(iter(preceding))
    seen: dict[int, None] = {}
    while node not in seen:  # every node left has a predecessor that is left
        seen[node] = None
        node = preceding[node]
    loop = list(seen)[list(seen).index(node) :]
    return [node, *reversed(loop)]


def _unique(what: str, ids: Iterable[str]) -> set[str]:
    """The ids as a set, if none is used twice."""
    counts = Counter(ids)
    twice = [one for one, count in counts.items() if count > 1]
    if twice:
        raise DrawingError(f"{what} id used more than once: {twice[0]!r}")
    return set(counts)


def _check_parents(clusters: tuple[Cluster, ...], known: set[str]) -> None:
    """Every parent is a cluster, and no cluster is inside itself."""
    parents = {cluster.id: cluster.parent for cluster in clusters}
    for cluster in clusters:
        if cluster.parent is not None and cluster.parent not in known:
            raise DrawingError(
                f"cluster {cluster.id!r} has a parent that is not known: {cluster.parent!r}"
            )
    sound: set[str] = set()
    for cluster in clusters:
        path: dict[str, None] = {}
        above: str | None = cluster.id
        while above is not None and above not in sound:
            if above in path:
                raise DrawingError(f"cluster {above!r} is inside itself")
            path[above] = None
            above = parents[above]
        sound.update(path)
