"""Crossings of segments between two layers: counting them, and small changes that lessen them.

``transpose`` exchanges neighbours; ``sift`` tries all places in the layer, which costs more and
finds more. Both keep clusters together, as do all layers they are given.

Sources: Barth, Juenger & Mutzel 2002 for the count, with a sorted list for their tree of counters;
Gansner et al. 1993, section 3, for the exchanges; Matuszewski, Schoenfeld & Molitor 1999, Graph
Drawing, for sifting.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .grid import Grid, Role

Ends = list[float]  # positions in a neighbouring layer, sorted


@dataclass(slots=True)
class Effort:
    """How much may still be done: a unit is a look at one place, about 1 microsecond."""

    left: int


def count_crossings(grid: Grid, position: Sequence[int]) -> int:
    """Pairs of segments that cross, in all layers; position: of each place in its layer."""
    return sum(_below(grid, layer, position) for layer in grid.layers)


def _below(grid: Grid, layer: Sequence[int], position: Sequence[int]) -> int:
    """Pairs of segments that cross between a layer and the next."""
    downs, ports = grid.downs, grid.ports
    ends: list[float] = []
    total = 0
    for place in layer:
        below = downs[place]
        if len(below) == 1:
            end = position[below[0]] + ports[place][0]
            index = bisect_right(ends, end)
            total += len(ends) - index
            ends.insert(index, end)
        elif below:
            fresh = [position[d] + p for d, p in zip(below, ports[place], strict=True)]
            count = len(ends)
            total += sum([count - bisect_right(ends, end) for end in fresh])
            ends += fresh
            ends.sort()
    return total


def transpose(grid: Grid, position: list[int], with_ties: bool, effort: Effort) -> None:
    """Exchange neighbours wherever fewer segments cross then, until it helps no more.

    Only places of one cluster are exchanged. ``with_ties``: also where equally many cross, but some
    do, which opens the way to other exchanges.
    """
    layers = grid.layers
    waiting = [len(layer) > 1 for layer in layers]
    gained = True
    while gained and effort.left > 0:
        gained = False
        for rank, layer in enumerate(layers):
            if not waiting[rank]:
                continue
            waiting[rank] = False
            effort.left -= len(layer)
            gain, is_changed = _transpose_layer(grid, layer, position, with_ties)
            gained = gained or gain > 0
            if is_changed:
                for near in range(max(rank - 1, 0), min(rank + 2, len(layers))):
                    waiting[near] = len(layers[near]) > 1


def _transpose_layer(
    grid: Grid, layer: list[int], position: list[int], with_ties: bool
) -> tuple[int, bool]:
    """One pass over a layer: by how many crossings fewer there are, and whether it changed."""
    above, below = _layer_ends(grid, layer, position)
    total, is_changed = 0, False
    for index in range(len(layer) - 1):
        left, right = above[index], above[index + 1]
        low_left, low_right = below[index], below[index + 1]
        gain = _gain(left, right) + _gain(low_left, low_right)
        if gain < 0 or (gain == 0 and not with_ties):
            continue
        if gain == 0 and not _crossing(left, right) + _crossing(low_left, low_right):
            continue
        first, second = layer[index], layer[index + 1]
        if grid.cluster[first] != grid.cluster[second] or _is_border(grid, first, second):
            continue
        total, is_changed = total + gain, True
        layer[index], layer[index + 1] = second, first
        position[second], position[first] = index, index + 1
        above[index], above[index + 1] = right, left
        below[index], below[index + 1] = low_right, low_left
    return total, is_changed


def sift(grid: Grid, position: list[int], effort: Effort) -> None:
    """Move each place to where in its layer fewest segments cross, until it helps no more."""
    layers = grid.layers
    waiting = [len(layer) > 1 for layer in layers]
    while any(waiting):
        again = [False] * len(layers)
        for rank, layer in enumerate(layers):
            if not waiting[rank] or len(layer) ** 2 > effort.left:
                continue
            effort.left -= len(layer) ** 2
            if _sift_layer(grid, layer, position):
                for near in range(max(rank - 1, 0), min(rank + 2, len(layers))):
                    again[near] = len(layers[near]) > 1
        waiting = again


def _sift_layer(grid: Grid, layer: list[int], position: list[int]) -> bool:
    """Sift each place of a layer, those with most segments first; whether any moved."""
    some, others = _layer_ends(grid, layer, position)
    above = dict(zip(layer, some, strict=True))
    below = dict(zip(layer, others, strict=True))
    is_changed = False
    for place in sorted(layer, key=lambda p: -len(above[p]) - len(below[p])):
        if _is_border(grid, place, place):
            continue
        start = position[place]
        gain, best = max(_best_move(grid, layer, start, step, above, below) for step in (-1, 1))
        if gain > 0:
            is_changed = True
            layer.insert(best, layer.pop(start))
            for index in range(min(start, best), max(start, best) + 1):
                position[layer[index]] = index
    return is_changed


def _best_move(
    grid: Grid,
    layer: list[int],
    start: int,
    step: int,
    above: dict[int, Ends],
    below: dict[int, Ends],
) -> tuple[int, int]:
    """Walking from a place to one side, the most crossings saved and where; (0, start) if none."""
    place = layer[start]
    own, low = above[place], below[place]
    enters = Role.RIGHT if step < 0 else Role.LEFT  # the border of a cluster met first
    role = grid.role
    best, where, gain, depth = 0, start, 0, 0
    index = start + step
    while 0 <= index < len(layer):
        other = layer[index]
        if step < 0:
            gain += _gain(above[other], own) + _gain(below[other], low)
        else:
            gain += _gain(own, above[other]) + _gain(low, below[other])
        if role[other] in (Role.LEFT, Role.RIGHT):
            depth += 1 if role[other] is enters else -1
            if depth < 0:  # the edge of the place's own cluster
                break
        if gain > best and not depth:
            best, where = gain, index
        index += step
    return best, where


def _layer_ends(
    grid: Grid, layer: Sequence[int], position: Sequence[int]
) -> tuple[list[Ends], list[Ends]]:
    """For each place of a layer, where its segments end above and below, sorted."""
    ups, downs, ports = grid.ups, grid.downs, grid.ports
    above: list[Ends] = [sorted([position[u] for u in ups[place]]) for place in layer]
    below = []
    for place in layer:
        ends = downs[place]
        if len(ends) == 1:
            below.append([position[ends[0]] + ports[place][0]])
        else:
            below.append(sorted([position[d] + p for d, p in zip(ends, ports[place], strict=True)]))
    return above, below


def _is_border(grid: Grid, first: int, second: int) -> bool:
    """Whether either place belongs to a frame; such stay outermost in their cluster."""
    role = grid.role
    return role[first] >= Role.LEFT or role[second] >= Role.LEFT


def _gain(first: Ends, second: Ends) -> int:
    """By how many crossings fewer there are with second before first."""
    if not first or not second:
        return 0
    if first[-1] < second[0]:
        return -len(first) * len(second)
    less = sum([bisect_left(second, end) + bisect_right(second, end) for end in first])
    return less - len(first) * len(second)


def _crossing(first: Ends, second: Ends) -> int:
    """Crossings with first before second."""
    return sum([bisect_left(second, end) for end in first])
