"""The outline of each kind of node: how much room its text needs, and where its border runs.

Kinds differ by outline as well as by colour: an operation is a rounded box, an input a capsule, a
constant a note with a cut corner, shared state a cylinder, an output a hexagon, a kernel a box with
double sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from .drawing import DrawnNode, Kind
from .glyphs import text_width, wrapped

HEAD_SIZE, TEXT_SIZE = 13.0, 11.0  # of the first line and of the others, px
HEAD_LINE, TEXT_LINE = 18.0, 15.0  # line heights
LONGEST_LINE = 60  # characters; longer ones are wrapped, so nothing is cut
ROUND, FOLD, SLANT, LID, BAR = 6.0, 9.0, 11.0, 5.0, 5.0
PORT_GAP = 11.0  # between arrows into one node, so that their heads stay apart

# Room beside the text, and above and below it.
PADS: dict[Kind, tuple[float, float]] = {
    "op": (11.0, 5.0),
    "input": (15.0, 5.0),
    "constant": (12.0, 5.0),
    "shared": (12.0, 9.0),
    "output": (18.0, 6.0),
    "kernel": (16.0, 6.0),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its middle and its size, px; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """The least x."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The greatest x."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """The least y."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """The greatest y."""
        return self.y + self.height / 2


def node_lines(node: DrawnNode) -> tuple[str, ...]:
    """The lines that are written in a node: its own, wrapped, or its id where it has none."""
    return tuple(part for line in node.lines or (node.id,) for part in wrapped(line, LONGEST_LINE))


def node_size(kind: Kind, lines: Sequence[str], ports: int, ports_on_side: bool) -> Box:
    """The size, around the origin, that holds the lines and that many arrows into one side."""
    beside, above = PADS[kind]
    widths = [
        text_width(line, TEXT_SIZE if number else HEAD_SIZE) for number, line in enumerate(lines)
    ]
    width = max([*widths, 24.0]) + 2 * beside
    height = HEAD_LINE + TEXT_LINE * (len(lines) - 1) + 2 * above
    if kind == "input":
        width += max(height - 30.0, 0.0) / 2  # tall capsules round off more of their corners
    room = PORT_GAP * (ports + 1)
    if ports_on_side:
        return Box(0.0, 0.0, width, max(height, room))
    return Box(0.0, 0.0, max(width, room), height)


def inset(kind: Kind, box: Box, offset: float, on_side: bool) -> float:
    """How far inside the box the border runs, at an offset from the middle of one of its sides.

    ``on_side``: on the left or right, the offset being vertical; else on the top or bottom.
    """
    half = (box.height if on_side else box.width) / 2
    away = min(abs(offset), half)
    if kind == "shared":
        return 0.0 if on_side else LID - LID * sqrt(1 - (away / half) ** 2)
    if kind == "output":
        if on_side:
            return SLANT * away / half
        beyond = away - (half - SLANT)
        return max(beyond, 0.0) * box.height / 2 / SLANT
    radius = {"input": min(box.width, box.height) / 2, "op": ROUND}.get(kind, 0.0)
    beyond = away - (half - radius)
    if beyond <= 0:
        return 0.0
    return radius - sqrt(max(radius**2 - beyond**2, 0.0))
