"""A layout as SVG: one file or an inline element, sizes in px, the same bytes every time.

There are no ids, no style sheet and no script in it, so several can stand on one page, and nothing
is fetched. Parts carry a class and their id in the drawing (``data-id``) for whoever adds a script.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .drawing import Drawing
from .glyphs import FONTS, displayable
from .layout import Layout, lay_out
from .scene import Group, Scene, Shape, Text, build_scene, top_of


def drawing_to_svg(drawing: Drawing, *, theme: str = "light") -> str:
    """A drawing laid out downwards, as SVG."""
    return render_svg(lay_out(drawing), theme=theme)


def render_svg(layout: Layout, *, theme: str = "light", legend: bool = False) -> str:
    """A layout as SVG, ending in a newline.

    Raises: DrawingError for an unknown theme.
    """
    return scene_svg(build_scene(layout, theme=theme, legend=legend))


def scene_svg(scene: Scene) -> str:
    """A picture as SVG, ending in a newline."""
    return "\n".join(_lines(scene)) + "\n"


def _lines(scene: Scene) -> Iterable[str]:
    width, height, top = _number(scene.width), _number(scene.height), _number(top_of(scene))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 {top} {width} {height}" role="img" font-family="{FONTS}">'
    )
    if scene.title:
        yield f"<title>{_escaped(scene.title)}</title>"
    yield f'<rect y="{top}" width="{width}" height="{height}" fill="{scene.background}"/>'
    for group in scene.groups:
        yield _group(group)
    yield "</svg>"


def _group(group: Group) -> str:
    name = f"{group.role} {group.kind}".strip()
    identity = f" data-id={quoted(group.id)}" if group.id else ""
    title = f"<title>{_escaped(group.tooltip)}</title>" if group.tooltip else ""
    items = "".join(_shape(one) if isinstance(one, Shape) else _text(one) for one in group.items)
    return f'<g class="{name}"{identity}>{title}{items}</g>'


def _shape(shape: Shape) -> str:
    steps = "".join(
        letter + " ".join([_number(value) for value in values]) for letter, values in shape.steps
    )
    line = ""
    if shape.stroke:
        line = f' stroke="{shape.stroke}" stroke-width="{_number(shape.width)}"'
    if shape.dash:
        line += f' stroke-dasharray="{_number(shape.dash)}"'
    return f'<path d="{steps}" fill="{shape.fill or "none"}"{line}/>'


def _text(text: Text) -> str:
    anchor = ' text-anchor="middle"' if text.is_centred else ""
    return (
        f'<text x="{_number(text.x)}" y="{_number(text.y)}" font-size="{_number(text.size)}" '
        f'fill="{text.colour}"{anchor}>{_escaped(text.text)}</text>'
    )


def _escaped(text: str) -> str:
    """Text for XML, line by line, without what XML forbids."""
    return escape("\n".join(map(displayable, text.splitlines())), quote=False)


def quoted(text: str) -> str:
    """Text as an attribute of XML, in quotes."""
    return f'"{escape(displayable(text))}"'


def _number(value: float) -> str:
    """Two decimals at most: 1/100 px is below what any screen shows."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
