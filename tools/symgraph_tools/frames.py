"""Room for the frames of clusters and their labels, and where the layers are across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .drawing import Cluster
from .glyphs import displayable, text_width
from .layered.grid import Grid
from .layered.spacing import FRAME_PAD
from .shapes import TEXT_SIZE

LABEL_LINE = 16.0  # the height of a frame's label
LABEL_INSET = 9.0  # from the frame's side to its label
LAYER_GAP, LABELLED_GAP = 30.0, 20.0  # between layers; the latter where labels have their own
STEEPNESS = 18.0  # along for across: lines that go far need room to be told apart
MOST_SPREAD = 48.0


def frame_labels(clusters: Sequence[Cluster]) -> list[str]:
    """What is written on each frame, on one line."""
    return [" ".join(displayable(cluster.label).split()) for cluster in clusters]


@dataclass(frozen=True, slots=True)
class FrameRoom:
    """What labels need of their frames. Labels are at the top left, whatever the direction."""

    labels: Sequence[str]
    is_down: bool

    @property
    def needed(self) -> list[float]:
        """The width of each frame's label with its margins."""
        return [text_width(t, TEXT_SIZE) + 2 * LABEL_INSET if t else 0.0 for t in self.labels]

    @property
    def widths(self) -> list[float]:
        """The least length of each frame along the layers."""
        return self.needed if self.is_down else [0.0] * len(self.labels)

    @property
    def low_pad(self) -> float:
        """Room inside the low side along the layers."""
        return 0.0 if self.is_down or not any(self.labels) else LABEL_LINE


@dataclass(slots=True)
class Across:
    """Where layers begin and end, and frames."""

    tops: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)
    frames: list[tuple[float, float]] = field(default_factory=list)


def across_layers(
    grid: Grid,
    extents: Sequence[float],
    along: Sequence[float],
    room: FrameRoom,
    has_labels: bool,
) -> Across:
    """Layers apart by what lies between them: lines that go far, sides of frames, their labels."""
    count = len(grid.layers)
    gaps = [LABELLED_GAP if has_labels else LAYER_GAP] * count + [0.0]
    for rank, layer in enumerate(grid.layers):
        far = [abs(along[p] - along[below]) for p in layer for below in grid.downs[p]]
        gaps[rank] += min(max(far, default=0.0) / STEEPNESS, MOST_SPREAD)
    first_pads = [FRAME_PAD + (LABEL_LINE if room.is_down and t else 0.0) for t in room.labels]
    last_pads = [FRAME_PAD] * len(room.labels)
    placed = _place(grid, extents, gaps, first_pads, last_pads)
    if not room.is_down:
        is_short = False
        for number, (start, end) in enumerate(placed.frames):
            lack = room.needed[number] - (end - start)
            if grid.lefts[number] and lack > 0:
                last_pads[number] += lack
                is_short = True
        if is_short:
            placed = _place(grid, extents, gaps, first_pads, last_pads)
    return placed


def _place(
    grid: Grid,
    extents: Sequence[float],
    gaps: Sequence[float],
    first_pads: Sequence[float],
    last_pads: Sequence[float],
) -> Across:
    """Positions, given the room inside each frame before its first layer and after its last."""
    before, after = _nested(grid, first_pads, 0), _nested(grid, last_pads, 1)
    count = len(grid.layers)
    start_room, end_room = [0.0] * (count + 1), [0.0] * (count + 1)
    for cluster, (first, last) in enumerate(grid.spans):
        if first <= last:
            start_room[first] = max(start_room[first], before[cluster])
            end_room[last] = max(end_room[last], after[cluster])
    result = Across()
    at = start_room[0]
    for rank, extent in enumerate(extents):
        result.tops.append(at)
        result.bottoms.append(at + extent)
        at += extent + gaps[rank] + end_room[rank] + start_room[rank + 1]
    for cluster, (first, last) in enumerate(grid.spans):
        if first <= last:
            start = result.tops[first] - before[cluster]
            result.frames.append((start, result.bottoms[last] + after[cluster]))
        else:
            result.frames.append((0.0, 0.0))
    return result


def _nested(grid: Grid, pads: Sequence[float], side: int) -> list[float]:
    """The pad of each cluster with those of the clusters in it that begin (or end) with it."""
    total = [0.0] * len(pads)
    children: list[list[int]] = [[] for _ in pads]
    order = []
    for cluster, parent in enumerate(grid.parents):
        if parent >= 0:
            children[parent].append(cluster)
        else:
            order.append(cluster)
    for cluster in order:  # grows while it is read
        order += children[cluster]
    for cluster in reversed(order):
        inner = [
            total[c]
            for c in children[cluster]
            if grid.lefts[c] and grid.spans[c][side] == grid.spans[cluster][side]
        ]
        total[cluster] = max(inner, default=0.0) + pads[cluster]
    return total
