"""Positions along the layers: lines straight, nodes below what they come from, little width.

Four drafts align each place with its median neighbour, seen from above or below, from the left or
the right; the mean of the middle two is taken.

Source: Brandes & Koepf 2001, Fast and Simple Horizontal Coordinate Assignment, Graph Drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .grid import Grid, Role
from .spacing import distance


def align(grid: Grid) -> list[float]:
    """The middle of each place along its layer; neighbours keep their distance."""
    position = [0] * len(grid.rank)
    for layer in grid.layers:
        for index, place in enumerate(layer):
            position[place] = index
    conflicts = _conflicts(grid, position)
    drafts = []
    for is_down in (True, False):
        for is_left in (True, False):
            root, following = _blocks(grid, position, conflicts, is_down, is_left)
            drafts.append(_compact(grid, root, following, is_left))
    return _balanced(drafts, grid)


def _conflicts(grid: Grid, position: Sequence[int]) -> set[tuple[int, int]]:
    """Segments that cross a segment between two joints of lines: those stay straight instead."""
    found: set[tuple[int, int]] = set()
    for upper, lower in pairwise(grid.layers):
        first, scanned = 0, 0
        for index, place in enumerate(lower):
            inner = _inner_end(grid, place)
            if inner < 0 and index + 1 < len(lower):
                continue
            last = position[inner] if inner >= 0 else len(upper) - 1
            for other in lower[scanned : index + 1]:
                is_inner = _inner_end(grid, other) >= 0
                for above in grid.ups[other]:
                    if not first <= position[above] <= last and not is_inner:
                        found.add((above, other))
            first, scanned = last, index + 1
    return found


def _inner_end(grid: Grid, place: int) -> int:
    """The joint above a joint, -1 if there is none."""
    if grid.is_joint(place) and len(grid.ups[place]) == 1 and grid.is_joint(grid.ups[place][0]):
        return grid.ups[place][0]
    return -1


def _blocks(
    grid: Grid,
    position: Sequence[int],
    conflicts: set[tuple[int, int]],
    is_down: bool,
    is_left: bool,
) -> tuple[list[int], list[int]]:
    """Places that share a coordinate: for each its block's first, and the next in a ring."""
    count = len(grid.rank)
    root, following = list(range(count)), list(range(count))
    neighbours = grid.ups if is_down else grid.downs
    for layer in grid.layers if is_down else reversed(grid.layers):
        bound = -1 if is_left else count
        for place in layer if is_left else reversed(layer):
            ends = neighbours[place]
            if not ends:
                continue
            if len(ends) > 1:
                ends = sorted(ends, key=position.__getitem__)
            middle = (len(ends) - 1) / 2
            medians = [int(middle), int(middle + 0.5)]
            for index in medians if is_left else reversed(medians):
                other = ends[index]
                pair = (other, place) if is_down else (place, other)
                if following[place] != place or pair in conflicts:
                    continue
                if (position[other] > bound) if is_left else (position[other] < bound):
                    following[other] = place
                    root[place] = root[other]
                    following[place] = root[place]
                    bound = position[other]
    return root, following


def _compact(
    grid: Grid, root: Sequence[int], following: Sequence[int], is_left: bool
) -> list[float]:
    """Coordinates of blocks: as far to one side as they go, then pulled back to their neighbours.

    The second pass closes gaps between blocks that nothing on their own side holds.
    """
    count = len(grid.rank)
    before: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    after: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    waiting = [0] * count
    for layer in grid.layers:
        for one, other in pairwise(layer if is_left else reversed(layer)):
            gap = distance(grid, one, other) if is_left else distance(grid, other, one)
            before[root[other]].append((root[one], gap))
            after[root[one]].append((root[other], gap))
            waiting[root[other]] += 1
    order = [place for place in range(count) if root[place] == place and not waiting[place]]
    at = [0.0] * count
    for block in order:  # grows while it is read
        at[block] = max([at[other] + gap for other, gap in before[block]], default=0.0)
        for other, _ in after[block]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    for block in reversed(order):
        if after[block] and grid.role[block] not in (Role.LEFT, Role.RIGHT):
            room = min([at[other] - gap for other, gap in after[block]])
            at[block] = max(at[block], room)
    sign = 1.0 if is_left else -1.0
    return [sign * at[root[place]] for place in range(count)]


def _balanced(drafts: Sequence[Sequence[float]], grid: Grid) -> list[float]:
    """The mean of the middle two of four drafts, after all are moved to overlap the narrowest."""
    half = [width / 2 for width in grid.width]
    lows, highs = [], []
    for draft in drafts:
        lows.append(min((x - h for x, h in zip(draft, half, strict=True)), default=0.0))
        highs.append(max((x + h for x, h in zip(draft, half, strict=True)), default=0.0))
    best = min(range(len(drafts)), key=lambda n: (highs[n] - lows[n], n))
    shifts = [
        lows[best] - lows[n] if n % 2 == 0 else highs[best] - highs[n] for n in range(len(drafts))
    ]
    result = []
    for xs in zip(*drafts, strict=True):
        moved = sorted([x + shift for x, shift in zip(xs, shifts, strict=True)])
        result.append((moved[1] + moved[2]) / 2)
    return result
