"""Lines from place to place: straight through the layers, an S between them.

All lines between two layers are the same S, stretched, so two of them cross only where their ends
change sides, and none meets a box. Coordinates here are (along the layer, across the layers).
"""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]
STUB = 9.0  # a straight end above each layer, where arrowheads are
BEND = 0.5  # of the distance between layers, to the control points


def route(
    along: Sequence[float],
    layers: Sequence[int],
    tops: Sequence[float],
    bottoms: Sequence[float],
    start: float,
    end: float,
) -> list[Point]:
    """Control points of a curve: a start, then three points for each cubic piece.

    ``along`` and ``layers``: of the places visited; ``tops`` and ``bottoms``: of all layers;
    ``start`` and ``end``: across, where the curve leaves its source and meets its target.
    """
    curve = [(along[0], start)]
    for index in range(1, len(along)):
        above, below = layers[index - 1], layers[index]
        x, other = along[index - 1], along[index]
        if abs(x - other) < 0.01:
            continue
        leave, arrive = bottoms[above], tops[below] - STUB
        _straight(curve, leave)
        lean = (arrive - leave) * BEND
        curve += [(x, leave + lean), (other, arrive - lean), (other, arrive)]
    _straight(curve, end)
    return curve


def _straight(curve: list[Point], to: float) -> None:
    """Go on across the layers, if there is any way to go."""
    x, y = curve[-1]
    if to - y > 0.01:
        curve += [(x, y + (to - y) / 3), (x, y + (to - y) * 2 / 3), (x, to)]
