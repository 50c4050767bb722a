"""Where drawn curves cross: the measure by which layouts are compared, ours and Graphviz's alike.

A curve is its control points: a start, then three points for each cubic piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
SAMPLES = 8  # straight pieces that stand for a cubic
GOLDEN = 0.6180339887498949


def polyline(curve: Sequence[Point]) -> NDArray[np.float64]:
    """Points (n, 2) along a curve, ends included."""
    points = [np.array(curve[:1], dtype=float)]
    t = np.arange(1, SAMPLES + 1)[:, None] / SAMPLES
    for first in range(0, len(curve) - 1, 3):
        a, b, c, d = (np.array(p, dtype=float) for p in curve[first : first + 4])
        points.append(
            (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
        )
    return np.concatenate(points)


def crossings(curves: Sequence[Sequence[Point]], ends: Sequence[tuple[str, str]]) -> int:
    """Points where curves cross, of pairs of edges that share no node.

    Each curve is moved aside by less than 1e-4 px, so that no crossing falls on a sample.
    """
    starts, stops, owners = [], [], []
    for number, curve in enumerate(curves):
        points = polyline(curve) + 1e-4 * ((number + 1) * GOLDEN % 1)
        starts.append(points[:-1])
        stops.append(points[1:])
        owners.append(np.full(len(points) - 1, number))
    if not starts:
        return 0
    p, q, owner = np.concatenate(starts), np.concatenate(stops), np.concatenate(owners)
    names = {name: n for n, name in enumerate(sorted({e for pair in ends for e in pair}))}
    node = np.array([[names[a], names[b]] for a, b in ends])[owner]
    low, high = np.minimum(p, q), np.maximum(p, q)
    order = np.argsort(low[:, 1], kind="stable")
    p, q, node, low, high = (array[order] for array in (p, q, node, low, high))
    until = np.searchsorted(low[:, 1], high[:, 1], side="right")
    total = 0
    for n in range(len(p)):
        near = slice(n + 1, until[n])
        touch = (low[near, 0] <= high[n, 0]) & (high[near, 0] >= low[n, 0])
        for end in (0, 1):
            touch &= (node[near, 0] != node[n, end]) & (node[near, 1] != node[n, end])
        some = np.flatnonzero(touch) + n + 1
        if len(some):
            total += int(np.count_nonzero(_cross(p[n], q[n], p[some], q[some])))
    return total


def _cross(
    p: NDArray[np.float64], q: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether the segment p q crosses each of a b."""

    def side(
        u: NDArray[np.float64], v: NDArray[np.float64], w: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        d, e = v - u, w - u
        return d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0] > 0

    return (side(p, q, a) != side(p, q, b)) & (side(a, b, p) != side(a, b, q))
