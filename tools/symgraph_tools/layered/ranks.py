"""Ranks: which layer each node is on, so that every edge points down and edges are short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .simplex import SpanningTree

# Work that the simplex may do, in nodes times pivots: it keeps 1,000 nodes near 0.1 s. Beyond it
# the ranks are valid, only not of least total length.
SIMPLEX_WORK = 1_000_000
SWEEPS = 8


class Link(NamedTuple):
    """An edge of the ranking: target at least ``least`` ranks below source, pulled by weight."""

    source: int
    target: int
    weight: int
    least: int


def assign_ranks(order: Sequence[int], links: Sequence[Link]) -> list[int]:
    """The rank of each node, the first 0; sum(weight * length) is least, or nearly.

    ``order`` lists the nodes sources first.
    """
    into: list[list[Link]] = [[] for _ in order]
    out: list[list[Link]] = [[] for _ in order]
    for link in links:
        into[link.target].append(link)
        out[link.source].append(link)
    ranks = _longest_paths(order, into)
    _settle(order, ranks, into, out)
    pivots = SIMPLEX_WORK // max(len(order), 1)
    if links and pivots > 1:
        ranks = SpanningTree(ranks, links).improved(pivots)
    _balance(order, ranks, into, out)
    return _raised(ranks, into, out)


def _longest_paths(order: Sequence[int], into: Sequence[Sequence[Link]]) -> list[int]:
    """Each node as high as its inputs allow."""
    ranks = [0] * len(order)
    for node in order:
        ranks[node] = max((ranks[link.source] + link.least for link in into[node]), default=0)
    return ranks


def _settle(
    order: Sequence[int],
    ranks: list[int],
    into: Sequence[Sequence[Link]],
    out: Sequence[Sequence[Link]],
) -> None:
    """Pull each node towards the side that weighs more, as far as its neighbours let it."""
    pull = [
        sum(link.weight for link in out[node]) - sum(link.weight for link in into[node])
        for node in range(len(order))
    ]
    for _ in range(SWEEPS):
        before = list(ranks)
        for node in reversed(order):
            if pull[node] > 0:
                ranks[node] = min(ranks[link.target] - link.least for link in out[node])
        for node in order:
            if pull[node] < 0:
                ranks[node] = max(ranks[link.source] + link.least for link in into[node])
        if ranks == before:
            break


def _raised(
    ranks: Sequence[int], into: Sequence[Sequence[Link]], out: Sequence[Sequence[Link]]
) -> list[int]:
    """The ranks with each connected part moved to begin at 0."""
    raised = [-1] * len(ranks)
    for start in range(len(ranks)):
        if raised[start] >= 0:
            continue
        part, seen = [start], {start}
        for node in part:  # grows while it is read
            near = [link.source for link in into[node]] + [link.target for link in out[node]]
            fresh = [other for other in dict.fromkeys(near) if other not in seen]
            part += fresh
            seen.update(fresh)
        first = min(ranks[node] for node in part)
        for node in part:
            raised[node] = ranks[node] - first
    return raised


def _balance(
    order: Sequence[int],
    ranks: list[int],
    into: Sequence[Sequence[Link]],
    out: Sequence[Sequence[Link]],
) -> None:
    """Move nodes pulled equally both ways to the emptiest rank of those they may have."""
    population = Counter(ranks)
    for node in order:
        if not into[node] or not out[node]:
            continue
        if sum(link.weight for link in into[node]) != sum(link.weight for link in out[node]):
            continue
        high = max(ranks[link.source] + link.least for link in into[node])
        low = min(ranks[link.target] - link.least for link in out[node])
        best = ranks[node]
        for rank in range(high, min(low, high + 50) + 1):
            if population[rank] + 1 < population[best]:
                best = rank
        population[ranks[node]] -= 1
        population[best] += 1
        ranks[node] = best
