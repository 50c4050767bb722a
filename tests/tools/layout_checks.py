"""What must hold for any layout; each function raises AssertionError where it does not."""

from __future__ import annotations

from itertools import pairwise

from symgraph_tools.glyphs import text_width
from symgraph_tools.layout import Layout
from symgraph_tools.shapes import HEAD_SIZE, TEXT_SIZE, Box

SLACK = 1e-6  # px


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have area in common."""
    return (
        min(one.right, other.right) - max(one.left, other.left) > SLACK
        and min(one.bottom, other.bottom) - max(one.top, other.top) > SLACK
    )


def holds(outer: Box, inner: Box) -> bool:
    """Whether a box is within another."""
    return (
        outer.left - SLACK <= inner.left
        and inner.right <= outer.right + SLACK
        and outer.top - SLACK <= inner.top
        and inner.bottom <= outer.bottom + SLACK
    )


def check_layout(layout: Layout) -> None:
    """All of the checks below."""
    check_boxes(layout)
    check_text(layout)
    check_directions(layout)
    check_ends(layout)
    check_clusters(layout)
    check_lines(layout)


def check_boxes(layout: Layout) -> None:
    """Nodes, tags and labels of edges are apart, and on the page."""
    boxes = [(node.node.id, node.box) for node in layout.nodes]
    boxes += [(f"tag {tag.text}", tag.box) for tag in layout.tags]
    boxes += [(f"label of {e.edge}", e.label) for e in layout.edges if e.label]
    page = Box(layout.width / 2, layout.height / 2, layout.width, layout.height)
    boxes.sort(key=lambda pair: pair[1].top)
    open_boxes: list[tuple[str, Box]] = []
    for name, box in boxes:
        assert holds(page, box), f"{name} is off the page"
        open_boxes = [pair for pair in open_boxes if pair[1].bottom > box.top]
        for other, placed in open_boxes:
            assert not overlap(box, placed), f"{name} overlaps {other}"
        open_boxes.append((name, box))


def check_text(layout: Layout) -> None:
    """Every line of text is narrower than its box, and all lines together lower."""
    for node in layout.nodes:
        for number, line in enumerate(node.lines):
            width = text_width(line, TEXT_SIZE if number else HEAD_SIZE)
            assert width <= node.box.width - 8, f"{node.node.id}: {line} is cut"
        assert 18 + 15 * (len(node.lines) - 1) <= node.box.height - 8, f"{node.node.id} is too low"
    for one in layout.clusters:
        assert text_width(one.label, TEXT_SIZE) <= one.box.width, f"{one.label} is cut"


def check_directions(layout: Layout) -> None:
    """Every edge goes on by at least a rank, and its target begins after its source ends."""
    boxes = {node.node.id: node.box for node in layout.nodes}
    ranks = {node.id: rank for node, rank in zip(layout.drawing.nodes, layout.ranks, strict=True)}
    for placed in layout.edges:
        edge = placed.edge
        source, target = boxes[edge.source], boxes[edge.target]
        assert ranks[edge.source] < ranks[edge.target], edge
        if layout.direction == "down":
            assert source.bottom < target.top, edge
        else:
            assert source.right < target.left, edge


def check_ends(layout: Layout) -> None:
    """Curves begin and end on the border of a node or tag, and arrive in the order of the ports."""
    boxes = {node.node.id: node.box for node in layout.nodes}
    is_down = layout.direction == "down"
    arrivals: dict[str, list[tuple[int, float]]] = {}
    for placed in layout.edges:
        edge = placed.edge
        tags = [tag.box for tag in layout.tags if tag.source == edge.source]
        for curve in placed.curves:
            assert len(curve) % 3 == 1
            begins = [boxes[edge.source], *tags]
            ends = [boxes[edge.target], *tags]
            assert any(on_border(curve[0], box, is_down, -1) for box in begins), edge
            assert any(on_border(curve[-1], box, is_down, 1) for box in ends), edge
        x, y = placed.curves[-1][-1]
        if edge.target_port is not None:
            arrivals.setdefault(edge.target, []).append((edge.target_port, x if is_down else y))
    for some in arrivals.values():
        for (port, at), (next_port, next_at) in pairwise(sorted(some)):
            assert at < next_at or port == next_port


def on_border(point: tuple[float, float], box: Box, is_down: bool, side: int) -> bool:
    """Whether a point is on the side of the box where lines arrive (1) or leave (-1).

    Outlines with round or slanted sides run up to half their height inside the box.
    """
    x, y = point if is_down else (point[1], point[0])
    left, right = (box.left, box.right) if is_down else (box.top, box.bottom)
    top, bottom = (box.top, box.bottom) if is_down else (box.left, box.right)
    inward = y - top if side > 0 else bottom - y
    deepest = (bottom - top) / 2 if is_down else max(12.0, min(box.width, box.height) / 2)
    return left - SLACK <= x <= right + SLACK and -SLACK <= inward <= deepest + SLACK


def check_clusters(layout: Layout) -> None:
    """A frame holds its own nodes and frames, and has nothing in common with any other."""
    parents = {cluster.id: cluster.parent for cluster in layout.drawing.clusters}

    def path(cluster: str | None) -> list[str]:
        found = []
        while cluster is not None:
            found.append(cluster)
            cluster = parents[cluster]
        return found

    used = {name for node in layout.drawing.nodes for name in path(node.cluster)}
    assert {one.cluster.id for one in layout.clusters} == used
    for one in layout.clusters:
        name = one.cluster.id
        for node in layout.nodes:
            if name in path(node.node.cluster):
                assert holds(one.box, node.box), f"{node.node.id} sticks out of {name}"
            else:
                assert not overlap(one.box, node.box), f"{node.node.id} is not of {name}"
        for other in layout.clusters:
            if name in path(other.cluster.id):
                assert holds(one.box, other.box), f"{other.cluster.id} sticks out of {name}"
            elif other.cluster.id not in path(name):
                assert not overlap(one.box, other.box), f"{other.cluster.id} meets {name}"


def check_lines(layout: Layout) -> None:
    """No line runs through a node that is not at its end."""
    nodes = sorted(layout.nodes, key=lambda node: node.box.top)
    for placed in layout.edges:
        ends = (placed.edge.source, placed.edge.target)
        for curve in placed.curves:
            for first in range(0, len(curve) - 1, 3):
                piece = curve[first : first + 4]
                xs, ys = [x for x, _ in piece], [y for _, y in piece]
                hull = Box(
                    (min(xs) + max(xs)) / 2,
                    (min(ys) + max(ys)) / 2,
                    max(max(xs) - min(xs), 4 * SLACK),
                    max(max(ys) - min(ys), 4 * SLACK),
                )
                for node in nodes:
                    if node.box.top > hull.bottom:
                        break
                    if node.node.id not in ends:
                        assert not overlap(hull, node.box), f"{placed.edge} meets {node.node.id}"
