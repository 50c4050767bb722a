"""Where lines pass at some height, to put a label beside them."""

from __future__ import annotations

from collections.abc import Sequence

from .layout import Layout

BAND = 64.0  # px; lines are looked up by the bands that they pass
SAMPLES = 12  # straight pieces that stand for a cubic
CLEAR = 7.0  # px between a label and a line
HALF_LINE = 8.0  # px, of a label's line


class Passing:
    """The lines of a layout, by height. Only layouts with clusters are looked at."""

    def __init__(self, layout: Layout) -> None:
        """Sort the pieces of all curves into bands."""
        self.bands: dict[int, list[Sequence[tuple[float, float]]]] = {}
        if not layout.clusters:
            return
        for edge in layout.edges:
            for curve in edge.curves:
                for first in range(0, len(curve) - 1, 3):
                    self._add(curve[first : first + 4])

    def _add(self, piece: Sequence[tuple[float, float]]) -> None:
        heights = [y for _, y in piece]
        for band in range(int(min(heights) // BAND), int(max(heights) // BAND) + 1):
            self.bands.setdefault(band, []).append(piece)

    def free_place(self, first: float, last: float, width: float, y: float) -> float:
        """The least x, from first to last, where a label of this width meets no line; else first.

        y: the middle of the label.
        """
        low, high = y - HALF_LINE, y + HALF_LINE
        spans = []
        for band in range(int(low // BAND), int(high // BAND) + 1):
            spans += [_span(piece, low, high) for piece in self.bands.get(band, ())]
        x = first
        for span in sorted(span for span in spans if span):
            if span[0] - CLEAR < x + width and span[1] + CLEAR > x:
                x = span[1] + CLEAR
        return x if x <= last else first


def _span(
    piece: Sequence[tuple[float, float]], low: float, high: float
) -> tuple[float, float] | None:
    """From where to where, along x, a cubic is between two heights; None if nowhere."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = piece
    found = []
    before = (ax, ay)
    for number in range(1, SAMPLES + 1):
        t = number / SAMPLES
        u = 1 - t
        k = (u * u * u, 3 * t * u * u, 3 * t * t * u, t * t * t)
        point = (
            k[0] * ax + k[1] * bx + k[2] * cx + k[3] * dx,
            k[0] * ay + k[1] * by + k[2] * cy + k[3] * dy,
        )
        if max(before[1], point[1]) >= low and min(before[1], point[1]) <= high:
            found += [before[0], point[0]]
        before = point
    return (min(found), max(found)) if found else None
