"""Crossings of segments between two layers: counting them, and exchanging neighbours to lessen them.

Source of the count: Barth, Juenger & Mutzel 2002, with a sorted list for their tree of counters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from .grid import Grid, Role

BORDERS = (Role.LEFT, Role.RIGHT)  # which stay outermost in their cluster


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
            total += sum(count - bisect_right(ends, end) for end in fresh)
            ends += fresh
            ends.sort()
    return total


def transpose(grid: Grid, position: list[int], passes: int, keep_ties: bool) -> None:
    """Exchange neighbours wherever fewer segments cross then, layer by layer, until none helps.

    Only places of one cluster are exchanged. Unless ``keep_ties``, also those between which the
    number stays the same, which opens the way to other exchanges.
    """
    layers = grid.layers
    waiting = [len(layer) > 1 for layer in layers]
    for turn in range(passes):
        again = [False] * len(layers)
        for rank, layer in enumerate(layers):
            if waiting[rank] and _transpose_layer(grid, layer, position, keep_ties or turn > 0):
                for near in range(max(rank - 1, 0), min(rank + 2, len(layers))):
                    again[near] = len(layers[near]) > 1
        if not any(again):
            break
        waiting = again


def _transpose_layer(grid: Grid, layer: list[int], position: list[int], keep_ties: bool) -> bool:
    """One pass over a layer; whether any exchange lessened the crossings."""
    ups, downs, ports, cluster = grid.ups, grid.downs, grid.ports, grid.cluster
    above = [sorted([position[u] for u in ups[place]]) for place in layer]
    below = [
        sorted([position[d] + p for d, p in zip(downs[place], ports[place], strict=True)])
        for place in layer
    ]
    is_better = False
    for index in range(len(layer) - 1):
        first, second = layer[index], layer[index + 1]
        gain = _gain(above[index], above[index + 1]) + _gain(below[index], below[index + 1])
        if gain < 0 or (gain == 0 and keep_ties) or cluster[first] != cluster[second]:
            continue
        if grid.role[first] in BORDERS or grid.role[second] in BORDERS:
            continue
        is_better = is_better or gain > 0
        layer[index], layer[index + 1] = second, first
        position[second], position[first] = index, index + 1
        above[index], above[index + 1] = above[index + 1], above[index]
        below[index], below[index + 1] = below[index + 1], below[index]
    return is_better


def _gain(first: list[float] | list[int], second: list[float] | list[int]) -> int:
    """By how many crossings fewer there are with second before first; both sorted."""
    if not first or not second:
        return 0
    if first[-1] < second[0]:
        return -len(first) * len(second)
    less = sum([bisect_left(second, end) + bisect_right(second, end) for end in first])
    return less - len(first) * len(second)
