"""Positions pulled together: least total length of the lines along the layers, all distances kept.

Brandes and Köpf's positions are quick and straight, and up to twice as wide as they need to be.
From them, the network simplex of ``simplex`` moves whole parts to where their lines are shortest;
it stops when its budget is used up, and what it has by then is no worse than what it was given.

Source: Gansner, Koutsofios, North & Vo 1993, section 4.2: for each line a variable of its own, to
the left of both its ends, makes the absolute value linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from .grid import Grid, Role
from .ranks import Link
from .separation import Separated, in_order
from .simplex import SpanningTree

SCALE = 2  # positions are multiples of 1/SCALE px
STRAIGHT = 0.5  # px; joints of one line that are so near each other stay one
# Work that the simplex may do, in variables times pivots: 1,000 nodes stay below 0.1 s.
WORK = 1_200_000
# Lines and distances beyond which only the tree to begin with would take longer than all the rest.
MANY = 12_000
# What a unit of length costs, by how many of the two ends are joints of a line: a bend between two
# joints catches the eye most (the weights of the source).
WEIGHTS = (1, 2, 8)
FRAME_WEIGHT = 1


def tighten(grid: Grid, separated: Separated) -> list[float]:
    """Positions of the variables, with lines shorter and every least distance kept."""
    merged = _merged(grid, separated)
    names = sorted(set(merged))
    number = {name: n for n, name in enumerate(names)}
    of = [number[name] for name in merged]
    links = _distances(separated, of)
    start = _integral(separated, of, len(names), links)
    pulls = _pulls(grid, separated, of)
    if len(links) + 2 * len(pulls) > MANY:
        return separated.at
    for (left, right, offset), weight in pulls.items():
        middle = len(start)
        start.append(min(start[left], start[right] + offset))
        links.append(Link(middle, left, weight, 0))
        links.append(Link(middle, right, weight, -offset))
    pivots = WORK // max(len(start), 1)
    found = SpanningTree(start, links).improved(pivots) if links else start
    return [found[n] / SCALE for n in of]


def _merged(grid: Grid, separated: Separated) -> list[int]:
    """For each variable the first of those that are one with it: joints that are straight."""
    first = list(range(len(separated.at)))
    variable, at = separated.variable, separated.at
    for layer in grid.layers:
        for place in layer:
            if grid.role[place] is not Role.BEND:
                continue
            for below in grid.downs[place]:
                one, other = variable[place], variable[below]
                if grid.role[below] is Role.BEND and abs(at[one] - at[other]) < STRAIGHT:
                    first[other] = first[one]
    return first


def _distances(separated: Separated, of: Sequence[int]) -> list[Link]:
    """The least distances, between what is left of the variables."""
    least: dict[tuple[int, int], int] = {}
    for one, others in enumerate(separated.links):
        for other, distance in others:
            key = (of[one], of[other])
            least[key] = max(least.get(key, 0), ceil(distance * SCALE))
    sides = {(of[left], of[right]) for left, right in separated.sides}
    return [Link(a, b, FRAME_WEIGHT if (a, b) in sides else 0, d) for (a, b), d in least.items()]


def _integral(
    separated: Separated, of: Sequence[int], count: int, links: Sequence[Link]
) -> list[int]:
    """Whole numbers near the positions that keep the distances."""
    start = [0] * count
    for one, at in zip(of, separated.at, strict=True):
        start[one] = round(at * SCALE)
    after: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for link in links:
        after[link.source].append((link.target, link.least))
    for one in in_order(count, after):
        for other, least in after[one]:
            start[other] = max(start[other], start[one] + int(least))
    return start


def _pulls(grid: Grid, separated: Separated, of: Sequence[int]) -> dict[tuple[int, int, int], int]:
    """What lines cost, by their ends and by how far from its middle the lower is met."""
    pulls: dict[tuple[int, int, int], int] = {}
    for upper, lowers in enumerate(grid.downs):
        for lower, port in zip(lowers, grid.ports[upper], strict=True):
            one, other = of[separated.variable[upper]], of[separated.variable[lower]]
            if one == other or grid.role[upper] in (Role.LEFT, Role.RIGHT):
                continue
            key = (one, other, round(port * grid.width[lower] * SCALE))
            joints = (grid.role[upper] is Role.BEND) + (grid.role[lower] is Role.BEND)
            pulls[key] = pulls.get(key, 0) + WEIGHTS[joints]
    return pulls
