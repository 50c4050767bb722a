"""The paths that draw the outlines of ``shapes``: moves, lines and cubic curves."""

from __future__ import annotations

from .drawing import Kind
from .shapes import BAR, FOLD, LID, ROUND, SLANT, Box

# A letter as in SVG (M, L, C, Z) and its coordinates.
Step = tuple[str, tuple[float, ...]]
Path = tuple[Step, ...]
ARC = 0.5522847498307936  # the control points of a quarter circle: 4/3 (sqrt(2) - 1)


def outline(kind: Kind, box: Box) -> list[Path]:
    """The border of a node, closed, and then the lines drawn inside it."""
    match kind:
        case "op":
            return [rectangle(box, ROUND)]
        case "input":
            return [capsule(box)]
        case "constant":
            return _note(box)
        case "shared":
            return _cylinder(box)
        case "output":
            return [_hexagon(box)]
        case "kernel":
            return _barred(box)


def rectangle(box: Box, radius: float) -> Path:
    """A box with round corners."""
    left, right, top, bottom = box.left, box.right, box.top, box.bottom
    r = min(radius, box.width / 2, box.height / 2)
    k = r * (1 - ARC)
    if not r:
        return _polygon((left, top), (right, top), (right, bottom), (left, bottom))
    return (
        ("M", (left + r, top)),
        ("L", (right - r, top)),
        ("C", (right - k, top, right, top + k, right, top + r)),
        ("L", (right, bottom - r)),
        ("C", (right, bottom - k, right - k, bottom, right - r, bottom)),
        ("L", (left + r, bottom)),
        ("C", (left + k, bottom, left, bottom - k, left, bottom - r)),
        ("L", (left, top + r)),
        ("C", (left, top + k, left + k, top, left + r, top)),
        ("Z", ()),
    )


def capsule(box: Box) -> Path:
    """A box with half circles for its short sides."""
    return rectangle(box, min(box.width, box.height) / 2)


def _polygon(*corners: tuple[float, float]) -> Path:
    first, *others = corners
    return (("M", first), *(("L", corner) for corner in others), ("Z", ()))


def _note(box: Box) -> list[Path]:
    """A sheet with one corner folded."""
    left, right, top, bottom = box.left, box.right, box.top, box.bottom
    x, y = right - FOLD, top + FOLD
    sheet = _polygon((left, top), (x, top), (right, y), (right, bottom), (left, bottom))
    return [sheet, (("M", (x, top)), ("L", (x, y)), ("L", (right, y)))]


def _cylinder(box: Box) -> list[Path]:
    """A drum: half ellipses above and below, and the front of the lid."""
    left, right = box.left, box.right
    high, low = box.top + LID, box.bottom - LID
    kx, ky = box.width / 2 * (1 - ARC), LID * ARC
    middle = box.x
    body: Path = (
        ("M", (left, high)),
        ("C", (left, high - ky, left + kx, box.top, middle, box.top)),
        ("C", (right - kx, box.top, right, high - ky, right, high)),
        ("L", (right, low)),
        ("C", (right, low + ky, right - kx, box.bottom, middle, box.bottom)),
        ("C", (left + kx, box.bottom, left, low + ky, left, low)),
        ("Z", ()),
    )
    front: Path = (
        ("M", (left, high)),
        ("C", (left, high + ky, left + kx, high + LID, middle, high + LID)),
        ("C", (right - kx, high + LID, right, high + ky, right, high)),
    )
    return [body, front]


def _hexagon(box: Box) -> Path:
    left, right, top, bottom = box.left, box.right, box.top, box.bottom
    return _polygon(
        (left, box.y),
        (left + SLANT, top),
        (right - SLANT, top),
        (right, box.y),
        (right - SLANT, bottom),
        (left + SLANT, bottom),
    )


def _barred(box: Box) -> list[Path]:
    """A box with a second line inside its left and right sides."""
    bars: list[Path] = [
        (("M", (x, box.top)), ("L", (x, box.bottom))) for x in (box.left + BAR, box.right - BAR)
    ]
    return [rectangle(box, 0.0), *bars]
