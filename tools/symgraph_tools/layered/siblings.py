"""Clusters in layers: each is kept together, and beside its siblings in one order in all layers.

A frame is one rectangle over many layers, so two frames that share a layer cannot change sides
from one layer to the next. ``sort_keys`` sorts a layer so; ``sibling_order`` fixes the sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from .grid import Grid, Role, ancestors

Key = tuple[tuple[float, int], ...]


def sibling_order(grid: Grid) -> list[int]:
    """A place for each cluster among its siblings: by where its places lie in their layers."""
    total = [0.0] * len(grid.parents)
    count = [0] * len(grid.parents)
    for layer in grid.layers:
        for index, place in enumerate(layer):
            cluster = grid.cluster[place]
            while cluster >= 0:
                total[cluster] += (index + 0.5) / len(layer)
                count[cluster] += 1
                cluster = grid.parents[cluster]
    mean = [t / c if c else 0.0 for t, c in zip(total, count, strict=True)]
    numbers = [0] * len(grid.parents)
    for number, cluster in enumerate(sorted(range(len(mean)), key=lambda c: (mean[c], c))):
        numbers[cluster] = number
    return numbers


def sort_keys(
    grid: Grid,
    layer: Sequence[int],
    values: Sequence[float],
    ties: Sequence[int],
    siblings: Sequence[int] | None,
) -> list[Key]:
    """Keys that sort a layer by value and keep each cluster together, its borders outermost.

    siblings: the order of the clusters to keep, or None to let each layer have its own.
    """
    total: dict[int, float] = {}
    count: dict[int, int] = {}
    paths = {c: ancestors(c, grid.parents) for c in {grid.cluster[place] for place in layer}}
    for place, value in zip(layer, values, strict=True):
        for cluster in paths[grid.cluster[place]]:
            total[cluster] = total.get(cluster, 0.0) + value
            count[cluster] = count.get(cluster, 0) + 1
    mean = {cluster: total[cluster] / count[cluster] for cluster in total}
    if siblings is not None:
        _make_monotone(mean, count, grid.parents, siblings)
    # Clusters before places where equal: a number below 0 for the one, from 0 for the other.
    first = -len(grid.parents) - 1
    heads = {
        cluster: (mean[cluster], first + (siblings[cluster] if siblings else cluster))
        for cluster in mean
    }
    keys: list[Key] = []
    for place, value, tie in zip(layer, values, ties, strict=True):
        path = tuple(heads[cluster] for cluster in paths[grid.cluster[place]])
        role = grid.role[place]
        own = -inf if role is Role.LEFT else inf if role is Role.RIGHT else value
        keys.append((*path, (own, tie)))
    return keys


def _make_monotone(
    mean: dict[int, float],
    count: dict[int, int],
    parents: Sequence[int],
    siblings: Sequence[int],
) -> None:
    """Least change, in weighted squares, after which means rise in the order of the siblings.

    Source: pool adjacent violators, Ayer et al. 1955, Ann. Math. Statist. 26(4).
    """
    groups: dict[int, list[int]] = {}
    for cluster in sorted(mean, key=lambda c: siblings[c]):
        groups.setdefault(parents[cluster], []).append(cluster)
    for group in groups.values():
        pools: list[tuple[float, int, list[int]]] = []
        for cluster in group:
            value, weight, members = mean[cluster], count[cluster], [cluster]
            while pools and pools[-1][0] >= value:
                other, share, earlier = pools.pop()
                value = (value * weight + other * share) / (weight + share)
                weight, members = weight + share, earlier + members
            pools.append((value, weight, members))
        for value, _, members in pools:
            mean.update(dict.fromkeys(members, value))
