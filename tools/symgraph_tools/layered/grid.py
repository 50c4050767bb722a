"""The graph cut into layers: nodes, the bends of long edges, labels, tags and borders of clusters.

A ``Grid`` is the working state of the layout: every segment joins neighbouring layers, and the
steps after this one only reorder ``layers`` and read the rest. ``build_grid`` makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple


class Role(IntEnum):
    """What a place in a layer is for."""

    NODE = 0
    BEND = 1  # where a long edge passes a layer
    LABEL = 2  # where an edge's label stands on it
    TAG = 3  # where an edge too long to draw is cut
    LEFT = 4  # where the frame of a cluster passes a layer
    RIGHT = 5


class Arrow(NamedTuple):
    """An edge for the grid: node numbers, port as a fraction of the width from the middle."""

    source: int
    target: int
    port: float
    label_width: float  # 0 for none


class Chain(NamedTuple):
    """The places that an edge visits; where it is cut, ``rest`` begins at the second tag."""

    places: list[int]
    rest: list[int]


@dataclass(slots=True)
class Grid:
    """Places by number, in layers. Places below ``len(nodes)`` are the nodes, in their order."""

    layers: list[list[int]] = field(default_factory=list)
    rank: list[int] = field(default_factory=list)
    width: list[float] = field(default_factory=list)  # along the layer
    role: list[Role] = field(default_factory=list)
    cluster: list[int] = field(default_factory=list)  # the innermost, -1 for none
    downs: list[list[int]] = field(default_factory=list)
    ups: list[list[int]] = field(default_factory=list)
    ports: list[list[float]] = field(default_factory=list)  # of downs
    chains: list[Chain] = field(default_factory=list)  # of the arrows
    parents: list[int] = field(default_factory=list)  # of the clusters, -1 for none
    spans: list[tuple[int, int]] = field(default_factory=list)  # first and last rank, of clusters
    lefts: list[list[int]] = field(default_factory=list)  # places of the frame, by rank from first
    rights: list[list[int]] = field(default_factory=list)

    def add(self, rank: int, width: float, role: Role, cluster: int) -> int:
        """A new place at the end of its layer."""
        number = len(self.rank)
        self.rank.append(rank)
        self.width.append(width)
        self.role.append(role)
        self.cluster.append(cluster)
        self.downs.append([])
        self.ups.append([])
        self.ports.append([])
        self.layers[rank].append(number)
        return number

    def join(self, upper: int, lower: int, port: float = 0.0) -> None:
        """A segment between places of neighbouring layers."""
        self.downs[upper].append(lower)
        self.ports[upper].append(port)
        self.ups[lower].append(upper)

    def is_joint(self, place: int) -> bool:
        """Whether the place is part of a line, which should be straight there."""
        return self.role[place] in (Role.BEND, Role.LEFT, Role.RIGHT)


def build_grid(
    ranks: Sequence[int],
    widths: Sequence[float],
    node_clusters: Sequence[int],
    parents: Sequence[int],
    arrows: Sequence[Arrow],
    tag_widths: Sequence[float],
    most_bends: int,
) -> Grid:
    """Layers of all places; arrows beyond the number of bends allowed, longest first, are cut.

    ``tag_widths`` are those of the tag that stands for each node as a source.
    """
    grid = Grid(layers=[[] for _ in range(max(ranks, default=-1) + 1)], parents=list(parents))
    for rank, width, cluster in zip(ranks, widths, node_clusters, strict=True):
        grid.add(rank, width, Role.NODE, cluster)
    grid.spans = _spans(ranks, node_clusters, parents)
    paths = [ancestors(cluster, parents) for cluster in range(len(parents))]
    _add_borders(grid)
    cut = _too_long(arrows, ranks, most_bends)
    source_tags: dict[int, int] = {}
    for number, arrow in enumerate(arrows):
        passing = _passing(grid, arrow, node_clusters, paths)
        if number in cut:
            _add_tags(grid, arrow, passing, tag_widths[arrow.source], source_tags)
        else:
            _add_chain(grid, arrow, passing)
    return grid


def ancestors(cluster: int, parents: Sequence[int]) -> list[int]:
    """The cluster and all around it, outermost first; empty for -1."""
    path = []
    while cluster >= 0:
        path.append(cluster)
        cluster = parents[cluster]
    return path[::-1]


def _spans(
    ranks: Sequence[int], node_clusters: Sequence[int], parents: Sequence[int]
) -> list[tuple[int, int]]:
    """First and last rank of each cluster's nodes; first > last where it has none."""
    spans = [(len(ranks), -1)] * len(parents)
    for rank, innermost in zip(ranks, node_clusters, strict=True):
        cluster = innermost
        while cluster >= 0:
            first, last = spans[cluster]
            spans[cluster] = (min(first, rank), max(last, rank))
            cluster = parents[cluster]
    return spans


def _add_borders(grid: Grid) -> None:
    """Two lines of places for each cluster, at the left and right of what is in it."""
    for cluster, (first, last) in enumerate(grid.spans):
        for role, sides in ((Role.LEFT, grid.lefts), (Role.RIGHT, grid.rights)):
            line = [grid.add(rank, 0.0, role, cluster) for rank in range(first, last + 1)]
            for upper, lower in pairwise(line):
                grid.join(upper, lower)
            sides.append(line)


def _too_long(arrows: Sequence[Arrow], ranks: Sequence[int], most_bends: int) -> set[int]:
    """The arrows to cut so that the others have no more bends than allowed."""
    lengths = [ranks[arrow.target] - ranks[arrow.source] - 1 for arrow in arrows]
    surplus = sum(lengths) - most_bends
    cut = set()
    for number in sorted(range(len(arrows)), key=lambda n: (-lengths[n], n)):
        if surplus <= 0 or lengths[number] < 2:
            break
        surplus -= lengths[number]
        cut.add(number)
    return cut


def _passing(
    grid: Grid, arrow: Arrow, node_clusters: Sequence[int], paths: Sequence[list[int]]
) -> list[tuple[int, int]]:
    """For each layer between the ends, its rank and the cluster that the edge passes there.

    It stays in the source's clusters to their last rank and enters the target's at their first.
    """
    source, target = node_clusters[arrow.source], node_clusters[arrow.target]
    leaving = paths[source] if source >= 0 else []
    entering = paths[target] if target >= 0 else []
    shared = 0
    while shared < min(len(leaving), len(entering)) and leaving[shared] == entering[shared]:
        shared += 1
    middle = leaving[shared - 1] if shared else -1
    up = [(grid.spans[c][1], c) for c in reversed(leaving[shared:])]
    down = [(grid.spans[c][0], c) for c in reversed(entering[shared:])]
    passing = []
    for rank in range(grid.rank[arrow.source] + 1, grid.rank[arrow.target]):
        cluster = next((c for last, c in up if rank <= last), None)
        if cluster is None:
            cluster = next((c for first, c in down if rank >= first), middle)
        passing.append((rank, cluster))
    return passing


def _add_chain(grid: Grid, arrow: Arrow, passing: Sequence[tuple[int, int]]) -> None:
    """The places of an edge; its label, if any, is on the middle layer."""
    places = [arrow.source]
    for number, (rank, cluster) in enumerate(passing):
        if arrow.label_width and number == len(passing) // 2:
            places.append(grid.add(rank, arrow.label_width, Role.LABEL, cluster))
        else:
            places.append(grid.add(rank, 0.0, Role.BEND, cluster))
        grid.join(places[-2], places[-1])
    grid.join(places[-1], arrow.target, arrow.port)
    grid.chains.append(Chain([*places, arrow.target], []))


def _add_tags(
    grid: Grid,
    arrow: Arrow,
    passing: Sequence[tuple[int, int]],
    width: float,
    source_tags: dict[int, int],
) -> None:
    """A tag below the source, one for all its edges that are cut, and one above the target."""
    tag = source_tags.get(arrow.source)
    if tag is None:
        rank, cluster = passing[0]
        tag = source_tags[arrow.source] = grid.add(rank, width, Role.TAG, cluster)
        grid.join(arrow.source, tag)
    rank, cluster = passing[-1]
    other = grid.add(rank, width, Role.TAG, cluster)
    grid.join(other, arrow.target, arrow.port)
    grid.chains.append(Chain([arrow.source, tag], [other, arrow.target]))
