"""A picture of results: for each workload the share of the machine's limit, and the best peer's.

One bar for a workload, on a scale to 100 %; a mark where the fastest other library is. Colours are
of the theme, the file fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any  # JSON
from xml.sax.saxutils import escape

from ..glyphs import FONTS
from ..themes import THEMES
from .report import OURS, ratio

ROW, LABEL, SCALE, MARGIN = 20, 190, 420, 14  # px


def roofline_svg(found: Mapping[str, Any], theme: str = "light") -> str:
    """The workloads that have a limit, the best share first."""
    shares = sorted(found["shares"].items(), key=lambda item: -item[1])
    width = LABEL + SCALE + 120
    height = 2 * MARGIN + ROW * (len(shares) + 2)
    colors = THEMES[theme]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    head += f'viewBox="0 0 {width} {height}" role="img" font-family="{FONTS}" font-size="12">'
    parts = [head, "<title>share of the machine's limit</title>"]
    parts.append(f'<rect width="{width}" height="{height}" fill="{colors.background}"/>')
    parts += _axis(len(shares), colors)
    for place, (name, share) in enumerate(shares):
        parts += _bar(place, name, share, ratio(found["results"][name]), colors)
    return "\n".join([*parts, "</svg>\n"])


def _axis(rows: int, colors: Any) -> Iterator[str]:
    bottom = MARGIN + ROW * (rows + 1)
    for percent in (0, 25, 50, 75, 100):
        x = LABEL + SCALE * percent / 100
        yield f'<path d="M{x:g} {MARGIN + ROW}V{bottom}" stroke="{colors.line}" opacity="0.3"/>'
        yield _text(x, MARGIN + 10, f"{percent} %", colors.text, "middle")


def _bar(place: int, name: str, share: float, peer: float | None, colors: Any) -> Iterator[str]:
    y = MARGIN + ROW * (place + 1)
    yield _text(LABEL - 8, y + 14, name, colors.text, "end")
    yield _rectangle(LABEL, y + 4, SCALE * min(share, 1.0), ROW - 8, colors.kinds["input"].stroke)
    if peer is not None:
        x = LABEL + SCALE * min(share / peer, 1.0)
        yield f'<path d="M{x:g} {y + 2}v{ROW - 4}" stroke="{colors.text}" stroke-width="2"/>'
    note = f"{share:.0%}" + (f", {peer:.1f} x best peer" if peer is not None else f" {OURS}")
    yield _text(LABEL + SCALE + 8, y + 14, note, colors.text, "start")


def _rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"/>'


def _text(x: float, y: float, text: str, fill: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{fill}" text-anchor="{anchor}">{escape(text)}</text>'
