"""A drawing with coordinates: a layered layout, downwards or to the right; no program is needed.

``lay_out`` puts each node on a layer below all that it comes from, orders the layers so that few
lines cross, and returns a ``Layout`` in px that every writer draws alike. What each step does is in
the package ``layered``. Equal drawings give equal layouts, on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .drawing import Cluster, Drawing, DrawingError, DrawnEdge, DrawnNode, topological_order
from .frames import FrameRoom, across_layers, frame_labels
from .glyphs import displayable, text_width
from .layered.alignment import align
from .layered.grid import Arrow, Chain, Grid, Role, build_grid
from .layered.ordering import order_layers
from .layered.ranks import Link, assign_ranks
from .layered.routes import Point, route
from .layered.separation import frame_sides, separate
from .layered.tightening import tighten
from .shapes import TEXT_LINE, TEXT_SIZE, Box, inset, node_lines, node_size

Direction = Literal["down", "right"]
MARGIN = 16.0
STRAIGHT = 1.0  # px to the side that a line may come without a bend: positions are rounded
LABEL_PAD = 4.0  # beside and around the text of an edge's label or of a tag
# Bends that lines may have: more, and a picture is all lines; the longest are cut into two tags.
BENDS, BENDS_EACH = 2_000, 5


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node's box, and the lines written in it."""

    node: DrawnNode
    lines: tuple[str, ...]
    box: Box


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge's curves: one, or, where it is cut, one to a tag and one from a tag.

    A curve is a start, then three control points for each cubic piece; the last ends in the target.
    Of several edges that are cut below one source, only the first has the curve to the tag.
    """

    edge: DrawnEdge
    curves: tuple[tuple[Point, ...], ...]
    label: Box | None = None


@dataclass(frozen=True, slots=True)
class PlacedTag:
    """Where lines too long to draw are cut: the same text below the source, above each target."""

    text: str
    box: Box
    source: str


@dataclass(frozen=True, slots=True)
class PlacedCluster:
    """The frame of a cluster that has nodes; depth 0 has none around it."""

    cluster: Cluster
    label: str
    box: Box
    depth: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that a drawing shows, in px, within width x height; clusters outermost first."""

    drawing: Drawing
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    tags: tuple[PlacedTag, ...]
    clusters: tuple[PlacedCluster, ...]
    width: float
    height: float
    direction: Direction
    ranks: tuple[int, ...]


def lay_out(
    drawing: Drawing, *, direction: Direction = "down", edge_labels: bool = False
) -> Layout:
    """Coordinates for all parts of a drawing; edges' labels have a place if asked for.

    Time: about 0.4 ms a node for hundreds, less each for thousands.
    Raises: DrawingError for an unknown direction.
    """
    if direction not in ("down", "right"):
        raise DrawingError(f"direction is 'down' or 'right', not {direction!r}")
    return _Layering(drawing, direction == "down", edge_labels).layout()


class _Layering:
    """One layout in the making; lengths are along the layers and across them.

    Invariant: lists named for nodes, edges and clusters are in the order of the drawing.
    """

    def __init__(self, drawing: Drawing, is_down: bool, edge_labels: bool) -> None:
        self.drawing, self.is_down = drawing, is_down
        index = {node.id: number for number, node in enumerate(drawing.nodes)}
        self.ends = [(index[edge.source], index[edge.target]) for edge in drawing.edges]
        self.labels = [displayable(e.label) if edge_labels else "" for e in drawing.edges]
        clusters = {cluster.id: number for number, cluster in enumerate(drawing.clusters)}
        self.parents = [clusters[c.parent] if c.parent else -1 for c in drawing.clusters]
        self.within = [clusters[n.cluster] if n.cluster else -1 for n in drawing.nodes]
        self.slots, self.counts, self.is_free = _slots(drawing, self.ends)
        self.lines = [node_lines(node) for node in drawing.nodes]
        self.sizes = [
            node_size(node.kind, lines, count, not is_down)
            for node, lines, count in zip(drawing.nodes, self.lines, self.counts, strict=True)
        ]
        self.ranks = self._rank()
        self.tags = [f"{lines[0]} #{n}" for n, lines in enumerate(self.lines)]
        self.grid = self._grid()
        order_layers(self.grid)
        self.frame_labels = frame_labels(drawing.clusters)
        room = FrameRoom(self.frame_labels, is_down)
        separated = separate(self.grid, align(self.grid), room.widths, room.low_pad)
        self.along = separated.places(tighten(self.grid, separated))
        self.frames = frame_sides(self.grid, self.along, room.widths, room.low_pad)
        self.across = across_layers(self.grid, self._extents(), self.along, room, any(self.labels))

    def _rank(self) -> list[int]:
        links = [
            Link(source, target, 1, 2 if label else 1)
            for (source, target), label in zip(self.ends, self.labels, strict=True)
        ]
        return assign_ranks(topological_order(self.drawing), links)

    def _grid(self) -> Grid:
        arrows = []
        for number, (source, target) in enumerate(self.ends):
            port = 0.0 if self.is_free[target] else self._port(number)
            size = self._label_size(self.labels[number])[0] if self.labels[number] else 0.0
            arrows.append(Arrow(source, target, port, size))
        return build_grid(
            self.ranks,
            [self._turned(box.width, box.height)[0] for box in self.sizes],
            self.within,
            self.parents,
            arrows,
            [self._label_size(tag)[0] for tag in self.tags],
            BENDS + BENDS_EACH * len(self.ranks),
        )

    def _port(self, number: int) -> float:
        """Where an edge arrives, as a fraction of the target's side from its middle."""
        return (self.slots[number] + 1) / (self.counts[self.ends[number][1]] + 1) - 0.5

    def _turned(self, x: float, y: float) -> tuple[float, float]:
        """(x, y) as (along, across), and back."""
        return (x, y) if self.is_down else (y, x)

    def _label_size(self, text: str) -> tuple[float, float]:
        """Room for a label or tag, along and across."""
        return self._turned(text_width(text, TEXT_SIZE) + 2 * LABEL_PAD + 4, TEXT_LINE + LABEL_PAD)

    def _extents(self) -> list[float]:
        """The size of each layer across."""
        tallest = [0.0] * len(self.grid.layers)
        for rank, box in zip(self.ranks, self.sizes, strict=True):
            tallest[rank] = max(tallest[rank], self._turned(box.width, box.height)[1])
        for number, chain in enumerate(self.grid.chains):
            for place in (*chain.places, *chain.rest):
                role, rank = self.grid.role[place], self.grid.rank[place]
                if role in (Role.LABEL, Role.TAG):
                    text = self._place_text(role, number)
                    tallest[rank] = max(tallest[rank], self._label_size(text)[1])
        return tallest

    def _place_text(self, role: Role, edge: int) -> str:
        return self.labels[edge] if role is Role.LABEL else self.tags[self.ends[edge][0]]

    def _box(self, along: float, across: float, size: tuple[float, float]) -> Box:
        """A box from its middle and size, along and across."""
        x, y = self._turned(along, across)
        return Box(x, y, *self._turned(*size))

    def _middle(self, rank: int) -> float:
        return (self.across.tops[rank] + self.across.bottoms[rank]) / 2

    def layout(self) -> Layout:
        """Everything placed, moved to begin at the margin."""
        self._settle_free_ports()
        nodes = [
            self._box(self.along[n], self._middle(rank), self._turned(box.width, box.height))
            for n, (rank, box) in enumerate(zip(self.ranks, self.sizes, strict=True))
        ]
        tags: dict[int, PlacedTag] = {}
        edges = [self._edge(n, chain, nodes, tags) for n, chain in enumerate(self.grid.chains)]
        return _at_margin(
            Layout(
                self.drawing,
                tuple(map(PlacedNode, self.drawing.nodes, self.lines, nodes)),
                tuple(edges),
                tuple(tags.values()),
                self._clusters(),
                0.0,
                0.0,
                "down" if self.is_down else "right",
                tuple(self.ranks),
            )
        )

    def _settle_free_ports(self) -> None:
        """Number the arrows into nodes without numbered ports by where they come from."""
        arrivals: dict[int, list[tuple[float, int]]] = {}
        for number, chain in enumerate(self.grid.chains):
            target = self.ends[number][1]
            if self.is_free[target]:
                last = (chain.rest or chain.places)[-2]
                arrivals.setdefault(target, []).append((self.along[last], number))
        for some in arrivals.values():
            for slot, (_, number) in enumerate(sorted(some)):
                self.slots[number] = slot

    def _edge(
        self, number: int, chain: Chain, boxes: Sequence[Box], tags: dict[int, PlacedTag]
    ) -> PlacedEdge:
        source, target = self.ends[number]
        label = None
        for place in (*chain.places, *chain.rest):
            role = self.grid.role[place]
            if role not in (Role.LABEL, Role.TAG):
                continue
            text = self._place_text(role, number)
            middle = self._middle(self.grid.rank[place])
            box = self._box(self.along[place], middle, self._label_size(text))
            if role is Role.LABEL:
                label = box
            elif place not in tags:
                tags[place] = PlacedTag(text, box, self.drawing.nodes[source].id)
            elif place in chain.places:  # another edge has drawn the way to this tag
                chain = Chain([], chain.rest)
        curves = [
            self._curve(places, source, target, number, boxes)
            for places in (chain.places, chain.rest)
            if places
        ]
        return PlacedEdge(self.drawing.edges[number], tuple(curves), label)

    def _curve(
        self, places: Sequence[int], source: int, target: int, number: int, boxes: Sequence[Box]
    ) -> tuple[Point, ...]:
        """The curve through places, from border to border of the nodes or tags at its ends."""
        grid, nodes = self.grid, self.drawing.nodes
        along = [self.along[place] for place in places]
        layers = [grid.rank[place] for place in places]
        tag_half = self._label_size("")[1] / 2 if self.is_down else 0.0
        if places[0] == source:
            half = self._turned(boxes[source].width, boxes[source].height)[1] / 2
            start = self._middle(layers[0]) + half
            start -= inset(nodes[source].kind, boxes[source], 0.0, not self.is_down)
        else:
            half = tag_half or self._label_size(self.tags[source])[1] / 2
            start = self._middle(layers[0]) + half
        if places[-1] == target:
            length, height = self._turned(boxes[target].width, boxes[target].height)
            offset = self._port(number) * length
            along[-1] += offset
            if abs(along[-1] - along[-2]) < STRAIGHT:
                along[-1] = along[-2]
            end = self._middle(layers[-1]) - height / 2
            end += inset(nodes[target].kind, boxes[target], offset, not self.is_down)
        else:
            half = tag_half or self._label_size(self.tags[source])[1] / 2
            end = self._middle(layers[-1]) - half
        curve = route(along, layers, self.across.tops, self.across.bottoms, start, end)
        return tuple(self._turned(x, y) for x, y in curve)

    def _clusters(self) -> tuple[PlacedCluster, ...]:
        placed = []
        for number, cluster in enumerate(self.drawing.clusters):
            if not self.grid.lefts[number]:
                continue
            (low, high), (first, last) = self.frames[number], self.across.frames[number]
            box = self._box((low + high) / 2, (first + last) / 2, (high - low, last - first))
            depth, parent = 0, self.parents[number]
            while parent >= 0:
                depth, parent = depth + 1, self.parents[parent]
            placed.append(PlacedCluster(cluster, self.frame_labels[number], box, depth))
        return tuple(sorted(placed, key=lambda one: one.depth))


def _slots(
    drawing: Drawing, ends: Sequence[tuple[int, int]]
) -> tuple[list[int], list[int], list[bool]]:
    """For each edge its place among those into its target; for each node how many, and if free."""
    into: list[list[int]] = [[] for _ in drawing.nodes]
    for number, (_, target) in enumerate(ends):
        into[target].append(number)
    slots = [0] * len(ends)
    is_free = []
    for numbers in into:
        ports = [drawing.edges[number].target_port for number in numbers]
        is_free.append(all(port is None for port in ports))
        ordered = sorted(
            zip(ports, numbers, strict=True),
            key=lambda pair: (pair[0] is None, pair[0] or 0, pair[1]),
        )
        for slot, (_, number) in enumerate(ordered):
            slots[number] = slot
    return slots, [len(numbers) for numbers in into], is_free


def _at_margin(layout: Layout) -> Layout:
    """The same layout, moved so that everything begins at the margin, with its size."""
    boxes = [node.box for node in layout.nodes] + [tag.box for tag in layout.tags]
    boxes += [cluster.box for cluster in layout.clusters]
    boxes += [edge.label for edge in layout.edges if edge.label]
    points = [p for edge in layout.edges for curve in edge.curves for p in curve]
    if not boxes:
        return replace(layout, width=2 * MARGIN, height=2 * MARGIN)
    left = min([box.left for box in boxes] + [x for x, _ in points])
    top = min([box.top for box in boxes] + [y for _, y in points])
    right = max([box.right for box in boxes] + [x for x, _ in points])
    bottom = max([box.bottom for box in boxes] + [y for _, y in points])
    dx, dy = MARGIN - left, MARGIN - top

    def moved(box: Box) -> Box:
        return Box(box.x + dx, box.y + dy, box.width, box.height)

    return replace(
        layout,
        nodes=tuple(replace(node, box=moved(node.box)) for node in layout.nodes),
        tags=tuple(replace(tag, box=moved(tag.box)) for tag in layout.tags),
        clusters=tuple(replace(one, box=moved(one.box)) for one in layout.clusters),
        edges=tuple(
            replace(
                edge,
                curves=tuple(tuple((x + dx, y + dy) for x, y in c) for c in edge.curves),
                label=moved(edge.label) if edge.label else None,
            )
            for edge in layout.edges
        ),
        width=right - left + 2 * MARGIN,
        height=bottom - top + 2 * MARGIN,
    )
