"""The order of the places in each layer, with few crossings.

From two first orders, sweeps down and up put each place at the mean or median of its neighbours'
positions, and exchanges of neighbours follow; the best order met is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from .crossings import count_crossings, transpose
from .grid import Grid, Role
from .siblings import sibling_order, sort_keys

# Work for one drawing, in places and segments times rounds. With it, 1,000 nodes take 0.3 s.
WORK = 120_000
MOST_ROUNDS, FEWEST_ROUNDS = 60, 3
PATIENCE = 10  # rounds without a better order
MOST_PASSES = 8  # of exchanges in a round


def order_layers(grid: Grid) -> int:
    """Sort ``grid.layers``, and return the number of crossings."""
    size = len(grid.rank) + sum(map(len, grid.downs))
    rounds = min(max(WORK // max(size, 1), FEWEST_ROUNDS), MOST_ROUNDS)
    position = [0] * len(grid.rank)
    best, least = None, -1
    for from_top in (True, False):
        _first_order(grid, from_top)
        siblings = None
        if grid.parents:
            _improve(grid, position, max(rounds // 4, 2), None)
            siblings = sibling_order(grid)
        crossings = _improve(grid, position, rounds, siblings)
        if best is None or crossings < least:
            best, least = [list(layer) for layer in grid.layers], crossings
        if not least:
            break
    grid.layers = best or []
    return least


def _improve(grid: Grid, position: list[int], rounds: int, siblings: list[int] | None) -> int:
    """Sweep and exchange; leaves the best order that was met, and returns its crossings."""
    _sort_clusters(grid, siblings)
    _number(grid, position)
    transpose(grid, position, MOST_PASSES, keep_ties=True)
    least = count_crossings(grid, position)
    best = [list(layer) for layer in grid.layers]
    idle = 0
    for turn in range(rounds):
        if not least or idle > PATIENCE:
            break
        _sweep(grid, position, turn, siblings)
        transpose(grid, position, MOST_PASSES, keep_ties=turn % 4 < 2)
        crossings = count_crossings(grid, position)
        idle += 1
        if crossings < least:
            best, least, idle = [list(layer) for layer in grid.layers], crossings, 0
    grid.layers = best
    _number(grid, position)
    return least


def _number(grid: Grid, position: list[int]) -> None:
    """Fill in the position of each place in its layer."""
    for layer in grid.layers:
        for index, place in enumerate(layer):
            position[place] = index


def _first_order(grid: Grid, from_top: bool) -> None:
    """Places in the order in which a walk along the segments, depth first, meets them."""
    following, other = (grid.downs, grid.ups) if from_top else (grid.ups, grid.downs)
    starts = [place for place in range(len(grid.rank)) if not other[place]]
    seen = [False] * len(grid.rank)
    layers: list[list[int]] = [[] for _ in grid.layers]
    # Both directions are walked, so that what hangs together is together; the way from_top says
    # is walked first.
    for start in starts:
        stack = [start]
        while stack:
            place = stack.pop()
            if seen[place]:
                continue
            seen[place] = True
            layers[grid.rank[place]].append(place)
            stack += [p for p in reversed(other[place]) if not seen[p]]
            stack += [p for p in reversed(following[place]) if not seen[p]]
    grid.layers = layers


def _sort_clusters(grid: Grid, siblings: list[int] | None) -> None:
    """Make the order one that keeps clusters together, as near as may be to what it is."""
    if not grid.parents:
        return
    for layer in grid.layers:
        values = [index / len(layer) for index in range(len(layer))]
        keys = sort_keys(grid, layer, values, range(len(layer)), siblings)
        layer[:] = _sorted_by(layer, keys)


def _sweep(grid: Grid, position: list[int], turn: int, siblings: list[int] | None) -> None:
    """Sort all layers by their neighbours in the layer before: downwards, or upwards."""
    is_down = turn % 2 == 0
    use_median = turn % 8 >= 4
    sign = -1 if turn % 4 >= 2 else 1  # equal values change places every other time
    layers = grid.layers if is_down else grid.layers[::-1]
    for layer in layers[1:]:
        ends = [_ends(grid, place, position, is_down) for place in layer]
        values = _values(ends, use_median)
        ties = [sign * position[place] for place in layer]
        if grid.parents:
            keys = sort_keys(grid, layer, values, ties, siblings)
            layer[:] = _sorted_by(layer, keys)
        else:
            layer[:] = _sorted_by(layer, list(zip(values, ties, strict=True)))
        for index, place in enumerate(layer):
            position[place] = index


def _ends(grid: Grid, place: int, position: list[int], is_down: bool) -> Sequence[float]:
    """Where the segments of a place end in the layer before, in the direction of the sweep."""
    if is_down:
        return [position[above] for above in grid.ups[place]]
    below = grid.downs[place]
    if len(below) == 1:
        return (position[below[0]] + grid.ports[place][0],)
    return [position[d] + p for d, p in zip(below, grid.ports[place], strict=True)]


def _values(ends: Sequence[Sequence[float]], use_median: bool) -> list[float]:
    """The mean or median of each list; of an empty one, the value before it."""
    values: list[float] = []
    value = -1.0
    for some in ends:
        if len(some) == 1:
            value = some[0]
        elif some:
            value = _median(some) if use_median else sum(some) / len(some)
        values.append(value)
    return values


def _median(ends: Sequence[float]) -> float:
    """The median, of an even number nearer to where the others are closer together.

    Source: Gansner et al. 1993, section 3.
    """
    ends = sorted(ends)
    middle = len(ends) // 2
    if len(ends) % 2:
        return ends[middle]
    if len(ends) == 2:
        return (ends[0] + ends[1]) / 2
    left, right = ends[middle - 1] - ends[0], ends[-1] - ends[middle]
    if not left + right:
        return (ends[middle - 1] + ends[middle]) / 2
    return (ends[middle - 1] * right + ends[middle] * left) / (left + right)


def _sorted_by[K](layer: list[int], keys: Sequence[K]) -> list[int]:
    return [layer[n] for n in sorted(range(len(layer)), key=keys.__getitem__)]
