"""Positions made exact: neighbours apart, and each side of a frame one straight line.

A frame's sides are one variable each, over all its layers. Of the positions that keep all
distances, ``separate`` takes the mean of two: everything moved right only where it must, and
everything moved left only where it must. Distances are linear, so the mean keeps them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .grid import Grid, Role
from .spacing import FRAME_PAD, distance


@dataclass(slots=True)
class Separated:
    """Positions by variable, and what they keep: ``links`` are least distances to the right.

    ``variable``: that of each place; the two sides of a frame are one variable each, in ``sides``.
    """

    variable: list[int]
    at: list[float]
    links: list[list[tuple[int, float]]]
    sides: list[tuple[int, int]]

    def places(self, at: Sequence[float]) -> list[float]:
        """The position of each place, from those of the variables."""
        return [at[number] for number in self.variable]


def separate(
    grid: Grid, desired: Sequence[float], frame_widths: Sequence[float], low_pad: float
) -> Separated:
    """Positions of all places near the desired.

    ``frame_widths``: the least width of each frame; ``low_pad``: room besides, inside its low side.
    """
    variable, count = _variables(grid)
    targets = [0.0] * count
    members = [0] * count
    for place, number in enumerate(variable):
        targets[number] += desired[place]
        members[number] += 1
    targets = [t / m if m else 0.0 for t, m in zip(targets, members, strict=True)]
    links = _links(grid, variable, frame_widths, low_pad)
    order = in_order(count, links)
    moved_right = list(targets)
    for one in order:
        for other, least in links[one]:
            moved_right[other] = max(moved_right[other], moved_right[one] + least)
    moved_left = list(targets)
    for one in reversed(order):
        for other, least in links[one]:
            moved_left[one] = min(moved_left[one], moved_left[other] - least)
    at = [(a + b) / 2 for a, b in zip(moved_right, moved_left, strict=True)]
    sides = [
        (variable[left[0]], variable[right[0]])
        for left, right in zip(grid.lefts, grid.rights, strict=True)
        if left
    ]
    return Separated(variable, at, links, sides)


def _variables(grid: Grid) -> tuple[list[int], int]:
    """The variable of each place: its own, or that of its frame's side."""
    variable = list(range(len(grid.rank)))
    count = len(variable)
    for sides in (*grid.lefts, *grid.rights):
        for place in sides:
            variable[place] = count
        count += 1
    return variable, count


def _links(
    grid: Grid, variable: Sequence[int], frame_widths: Sequence[float], low_pad: float
) -> list[list[tuple[int, float]]]:
    """For each variable, those that must be at least so far to its right."""
    found: dict[tuple[int, int], float] = {}
    for layer in grid.layers:
        for left, right in pairwise(layer):
            least = distance(grid, left, right)
            if grid.role[left] is Role.LEFT:
                least += low_pad
            key = (variable[left], variable[right])
            found[key] = max(found.get(key, 0.0), least)
    for left_side, right_side, width in zip(grid.lefts, grid.rights, frame_widths, strict=True):
        if left_side:
            key = (variable[left_side[0]], variable[right_side[0]])
            found[key] = max(found.get(key, 0.0), width)
    count = len(grid.rank) + 2 * len(grid.lefts)
    links: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for (left, right), least in found.items():
        links[left].append((right, least))
    return links


def in_order(count: int, links: Sequence[Sequence[tuple[int, float]]]) -> list[int]:
    """The variables from left to right."""
    waiting = [0] * count
    for some in links:
        for other, _ in some:
            waiting[other] += 1
    order = [number for number in range(count) if not waiting[number]]
    for one in order:  # grows while it is read
        for other, _ in links[one]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    assert len(order) == count, "clusters change sides between layers"
    return order


def frame_sides(
    grid: Grid, xs: Sequence[float], frame_widths: Sequence[float], low_pad: float
) -> list[tuple[float, float]]:
    """The sides of each frame, drawn in to what it holds, inner frames first."""
    low = [float("inf")] * len(grid.parents)
    high = [float("-inf")] * len(grid.parents)
    for place, cluster in enumerate(grid.cluster):
        if cluster >= 0 and grid.role[place] < Role.LEFT:
            low[cluster] = min(low[cluster], xs[place] - grid.width[place] / 2)
            high[cluster] = max(high[cluster], xs[place] + grid.width[place] / 2)
    frames = [(0.0, 0.0)] * len(grid.parents)
    for cluster in _inner_first(grid.parents):
        if not grid.lefts[cluster]:
            continue
        left, right = xs[grid.lefts[cluster][0]], xs[grid.rights[cluster][0]]
        # What a frame gives up is free, unless its label needs it.
        first, last = low[cluster] - FRAME_PAD - low_pad, high[cluster] + FRAME_PAD
        spare = max(frame_widths[cluster] - (last - first), 0.0)
        last = min(last + spare, right)
        first = max(min(first, last - frame_widths[cluster]), left)
        frames[cluster] = (first, last)
        parent = grid.parents[cluster]
        if parent >= 0:
            low[parent] = min(low[parent], first)
            high[parent] = max(high[parent], last)
    return frames


def _inner_first(parents: Sequence[int]) -> list[int]:
    """Clusters, each before the one around it."""
    waiting = [0] * len(parents)
    for parent in parents:
        if parent >= 0:
            waiting[parent] += 1
    order = [cluster for cluster, count in enumerate(waiting) if not count]
    for cluster in order:  # grows while it is read
        parent = parents[cluster]
        if parent >= 0:
            waiting[parent] -= 1
            if not waiting[parent]:
                order.append(parent)
    return order
