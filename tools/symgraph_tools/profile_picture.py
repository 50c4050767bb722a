"""A profile as SVG: a bar for each step, as long as its share of the time."""

from __future__ import annotations

from symgraph.runtime.profile import Profile

from .glyphs import text_width
from .outlines import rectangle
from .scene import Group, Scene, Shape, Text
from .shapes import TEXT_SIZE, Box
from .svg import scene_svg
from .themes import theme_named

ROW, BAR, LONGEST, MARGIN = 22.0, 14.0, 320.0, 14.0  # px
MOST_ROWS = 40


def profile_svg(profile: Profile, *, theme: str = "light") -> str:
    """The steps that take longest, in the order in which they run, as bars."""
    look = theme_named(theme)
    longest = sorted(profile.rows, key=lambda row: -row.elapsed_ns)[:MOST_ROWS]
    rows = [row for row in profile.rows if row in longest]
    widest = max([text_width(row.name, TEXT_SIZE) for row in rows], default=0.0)
    most = max([row.elapsed_ns for row in rows], default=1) or 1
    left = MARGIN + widest + 10
    groups = []
    for number, row in enumerate(rows):
        y = MARGIN + (number + 0.5) * ROW
        length = max(2.0, LONGEST * row.elapsed_ns / most)
        ink = look.kinds["kernel" if row.lines else "shared"]
        bar = rectangle(Box(left + length / 2, y, length, BAR), 3.0)
        label = f"{row.elapsed_ns / 1e3:.1f} µs, {row.share:.1%}"
        where = "\n".join(str(line) for line in row.lines)
        items = (
            Text(MARGIN, y + 4, row.name, TEXT_SIZE, look.text, False),
            Shape(bar, ink.fill, ink.stroke),
            Text(left + length + 7, y + 4, label, TEXT_SIZE, look.faint, False),
        )
        groups.append(Group("node", "kernel", row.name, f"{row.name}\n{where}", items))
    width = left + LONGEST + 130
    height = 2 * MARGIN + ROW * len(rows)
    return scene_svg(Scene(width, height, look.background, "", tuple(groups)))
