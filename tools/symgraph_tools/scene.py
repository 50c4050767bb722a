"""A layout as lines, outlines and text with colours, which ``svg`` and ``raster`` write alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .drawing import KINDS, Kind
from .glyphs import displayable, text_width
from .layout import Layout, PlacedCluster, PlacedEdge, PlacedNode, PlacedTag
from .outlines import Step, capsule, outline, rectangle
from .passing import Passing
from .shapes import HEAD_LINE, HEAD_SIZE, TEXT_LINE, TEXT_SIZE, Box, node_size
from .themes import Ink, Theme, theme_named

ARROW_LENGTH, ARROW_HALF_WIDTH = 7.0, 3.2
LINE_WIDTH, FRAME_WIDTH = 1.1, 1.0
TITLE_SIZE, TITLE_HEIGHT = 16.0, 30.0
MARGIN = 16.0
LEGEND_GAP = 10.0
BASELINE = 0.35  # of the size of text, from the middle of its line down to its baseline
FRAME_LABEL_INSET = 9.0
LEGEND_NAMES: dict[Kind, str] = {
    "op": "operation",
    "input": "input",
    "constant": "constant",
    "shared": "shared state",
    "output": "output",
    "kernel": "kernel",
}

Role = Literal["cluster", "edge", "node", "tag", "label", "legend", "title"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A path, filled or not, with a line or not; "" is no colour."""

    steps: tuple[Step, ...]
    fill: str
    stroke: str
    width: float = 1.0
    dash: float = 0.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, by its baseline and its middle or start."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    is_centred: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """What is drawn for one part of the drawing, with what a pointer resting on it tells."""

    role: Role
    kind: str
    id: str
    tooltip: str
    items: tuple[Shape | Text, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture, in px: groups in the order in which they are drawn."""

    width: float
    height: float
    background: str
    title: str
    groups: tuple[Group, ...]


def build_scene(layout: Layout, *, theme: str = "light", legend: bool = False) -> Scene:
    """The picture of a layout: frames, lines, nodes; a title if the drawing has one.

    Raises: DrawingError for an unknown theme.
    """
    look = theme_named(theme)
    groups = [_frame(one, look) for one in layout.clusters]
    groups += [_line(edge, look) for edge in layout.edges]
    passing = Passing(layout)
    groups += [_frame_label(one, look, passing) for one in layout.clusters if one.label]
    groups += [_node(node, look) for node in layout.nodes]
    groups += [_tag(tag, look) for tag in layout.tags]
    groups += [_edge_label(edge, look) for edge in layout.edges if edge.label]
    width, height = layout.width, layout.height
    if legend or layout.drawing.key:
        key, key_width, key_height = _legend(layout, look)
        groups.append(key)
        width, height = max(width, key_width), height + key_height
    title = displayable(layout.drawing.title)
    if title:
        # The title takes room above, so what has coordinates keeps them.
        text = Text(MARGIN, -TITLE_HEIGHT / 2 + 9.0, title, TITLE_SIZE, look.text, False)
        groups.append(Group("title", "", "", "", (text,)))
        width = max(width, text_width(title, TITLE_SIZE) + 2 * MARGIN)
        height += TITLE_HEIGHT
    return Scene(width, height, look.background, layout.drawing.title, tuple(groups))


def top_of(scene: Scene) -> float:
    """The least y of a scene: 0, or less where there is a title above."""
    return -TITLE_HEIGHT if scene.title else 0.0


def _frame(placed: PlacedCluster, look: Theme) -> Group:
    fill = look.frame_fills[placed.depth % 2]
    shape = Shape(rectangle(placed.box, 7.0), fill, look.frame, FRAME_WIDTH, look.frame_dash)
    return Group("cluster", "", placed.cluster.id, placed.label, (shape,))


def _frame_label(placed: PlacedCluster, look: Theme, passing: Passing) -> Group:
    """The label where no line passes, or at the left; below it a plate, for lines that do."""
    fill = look.frame_fills[placed.depth % 2]
    width = text_width(placed.label, TEXT_SIZE)
    y = placed.box.top + 11.0
    first = placed.box.left + FRAME_LABEL_INSET
    last = placed.box.right - FRAME_LABEL_INSET - width
    x = passing.free_place(first, last, width, y)
    plate = Shape(rectangle(Box(x + width / 2, y, width + 4, 14.0), 2.0), fill, "")
    text = Text(x, y + BASELINE * TEXT_SIZE, placed.label, TEXT_SIZE, look.faint, False)
    return Group("label", "cluster", placed.cluster.id, "", (plate, text))


def _line(placed: PlacedEdge, look: Theme) -> Group:
    edge = placed.edge
    items: list[Shape | Text] = []
    for number, curve in enumerate(placed.curves):
        is_last = number == len(placed.curves) - 1
        items += _arrow(curve, look) if is_last else [_curve(curve, look)]
    port = "" if edge.target_port is None else f" [{edge.target_port}]"
    label = f"\n{edge.label}" if edge.label else ""
    tooltip = f"{edge.source} → {edge.target}{port}{label}"
    return Group("edge", "", f"{edge.source}->{edge.target}", tooltip, tuple(items))


def _curve(curve: Sequence[tuple[float, float]], look: Theme) -> Shape:
    return Shape(_steps(curve), "", look.line, LINE_WIDTH)


def _steps(curve: Sequence[tuple[float, float]]) -> tuple[Step, ...]:
    """Path steps of a curve, straight pieces as such."""
    steps: list[Step] = [("M", curve[0])]
    for first in range(0, len(curve) - 1, 3):
        start, one, two, end = curve[first : first + 4]
        is_straight = (
            abs(start[0] - one[0]) + abs(start[0] - two[0]) + abs(start[0] - end[0]) < 0.01
            or abs(start[1] - one[1]) + abs(start[1] - two[1]) + abs(start[1] - end[1]) < 0.01
        )
        steps.append(("L", end) if is_straight else ("C", (*one, *two, *end)))
    return tuple(steps)


def _arrow(curve: Sequence[tuple[float, float]], look: Theme) -> list[Shape | Text]:
    """A curve with a head at its end; the line stops inside the head."""
    (x, y), (before_x, before_y) = curve[-1], curve[-2]
    is_down = abs(x - before_x) <= abs(y - before_y)
    dx, dy = (0.0, 1.0) if is_down else (1.0, 0.0)
    end = (x - dx * ARROW_LENGTH * 0.7, y - dy * ARROW_LENGTH * 0.7)
    shortened = [*curve[:-1], end]
    left = (x - dx * ARROW_LENGTH - dy * ARROW_HALF_WIDTH, y - dy * ARROW_LENGTH - dx * 3.2)
    right = (x - dx * ARROW_LENGTH + dy * ARROW_HALF_WIDTH, y - dy * ARROW_LENGTH + dx * 3.2)
    head: tuple[Step, ...] = (("M", (x, y)), ("L", left), ("L", right), ("Z", ()))
    return [_curve(shortened, look), Shape(head, look.line, "")]


def _node(placed: PlacedNode, look: Theme) -> Group:
    node = placed.node
    details = [f"{name}: {value}" for name, value in node.details]
    tooltip = "\n".join([node.tooltip or " ".join(node.lines) or node.id, *details])
    ink = look.kinds[node.kind]
    ink = replace(ink, fill=node.shade) if node.shade else ink
    items = _body(node.kind, placed.box, ink)
    return Group("node", node.kind, node.id, tooltip, (*items, *_words(placed, look)))


def _body(kind: Kind, box: Box, ink: Ink) -> list[Shape]:
    """The outline of a node, and lines inside it."""
    first, *others = outline(kind, box)
    shapes = [Shape(first, ink.fill, ink.stroke, ink.width, ink.dash)]
    return shapes + [Shape(steps, "", ink.stroke, ink.width * 0.8, ink.dash) for steps in others]


def _words(placed: PlacedNode, look: Theme) -> list[Text]:
    box, lines = placed.box, placed.lines
    height = HEAD_LINE + TEXT_LINE * (len(lines) - 1)
    y = box.y - height / 2 + HEAD_LINE / 2
    if placed.node.kind == "shared":
        y += 2.0  # below the lid
    texts = [Text(box.x, y + BASELINE * HEAD_SIZE, lines[0], HEAD_SIZE, look.text)]
    y += (HEAD_LINE + TEXT_LINE) / 2
    for line in lines[1:]:
        texts.append(Text(box.x, y + BASELINE * TEXT_SIZE, line, TEXT_SIZE, look.faint))
        y += TEXT_LINE
    return texts


def _tag(tag: PlacedTag, look: Theme) -> Group:
    shape = Shape(capsule(tag.box), look.background, look.line, 0.9, 3.0)
    text = Text(tag.box.x, tag.box.y + BASELINE * TEXT_SIZE, tag.text, TEXT_SIZE, look.faint)
    tooltip = f"a line from {tag.source}, cut here: it goes on at the tags of the same text"
    return Group("tag", "", tag.source, tooltip, (shape, text))


def _edge_label(placed: PlacedEdge, look: Theme) -> Group:
    assert placed.label is not None
    box, text = placed.label, displayable(placed.edge.label)
    plate = Shape(rectangle(box, 3.0), look.background, "")
    words = Text(box.x, box.y + BASELINE * TEXT_SIZE, text, TEXT_SIZE, look.faint)
    name = f"{placed.edge.source}->{placed.edge.target}"
    return Group("label", "edge", name, "", (plate, words))


def _legend(layout: Layout, look: Theme) -> tuple[Group, float, float]:
    """A sample of each kind that occurs, side by side below the picture; and room for it."""
    present = {node.node.kind for node in layout.nodes}
    items: list[Shape | Text] = []
    x, height = MARGIN, 30.0
    y = layout.height + height / 2
    for kind in KINDS:
        if kind in present:
            size = node_size(kind, [LEGEND_NAMES[kind]], 0, False)
            box = Box(x + size.width / 2, y, size.width, size.height)
            placed = PlacedNode(layout.nodes[0].node, (LEGEND_NAMES[kind],), box)
            items += _body(kind, box, look.kinds[kind])
            items += _legend_words(placed, kind, look)
            x += size.width + LEGEND_GAP
    for text, colour in layout.drawing.key:
        width = text_width(displayable(text), TEXT_SIZE) + 14
        swatch = rectangle(Box(x + width / 2, y, width, 19.0), 4.0)
        items.append(Shape(swatch, colour, look.frame, 0.8))
        items.append(Text(x + 7, y + 4, displayable(text), TEXT_SIZE, look.text, False))
        x += width + LEGEND_GAP / 2
    if layout.tags:
        note = "same tag: one line"
        size = Box(0, 0, text_width(note, TEXT_SIZE) + 16, 19.0)
        box = Box(x + size.width / 2, y, size.width, size.height)
        items.append(Shape(capsule(box), look.background, look.line, 0.9, 3.0))
        items.append(Text(box.x, y + BASELINE * TEXT_SIZE, note, TEXT_SIZE, look.faint))
        x += size.width + LEGEND_GAP
    return Group("legend", "", "", "", tuple(items)), x - LEGEND_GAP + MARGIN, height + MARGIN


def _legend_words(placed: PlacedNode, kind: Kind, look: Theme) -> list[Text]:
    y = placed.box.y + BASELINE * HEAD_SIZE + (2.0 if kind == "shared" else 0.0)
    return [Text(placed.box.x, y, placed.lines[0], HEAD_SIZE, look.text)]
