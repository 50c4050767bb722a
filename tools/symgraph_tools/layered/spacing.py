"""How far apart neighbours in a layer stand, in px."""

from __future__ import annotations

from .grid import Grid, Role

NODE_GAP = 20.0  # between boxes
LINE_GAP = 11.0  # between lines, and between a line and a box
FRAME_PAD = 14.0  # from a cluster's frame to what is in it
FRAME_GAP = 16.0  # from a cluster's frame to what is beside it

_IS_BOX = tuple(role in (Role.NODE, Role.LABEL, Role.TAG) for role in Role)


def distance(grid: Grid, left: int, right: int) -> float:
    """The least distance between the middles of two neighbours."""
    return gap(grid.role[left], grid.role[right]) + (grid.width[left] + grid.width[right]) / 2


def gap(left: Role, right: Role) -> float:
    """The least distance between the sides of two neighbours."""
    if left is Role.LEFT or right is Role.RIGHT:  # inside a frame
        return FRAME_PAD
    if left is Role.RIGHT or right is Role.LEFT:
        return FRAME_GAP
    return NODE_GAP if _IS_BOX[left] and _IS_BOX[right] else LINE_GAP
