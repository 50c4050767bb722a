"""``symgraph show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..conventions import Console, command, stage_option, target_argument

if TYPE_CHECKING:
    from ..target import Target

FORMATS = ("svg", "dot", "txt", "json", "png", "pdf")


@command("show", examples=("symgraph show train.py:step -o step.svg",))
@target_argument
@stage_option
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The file to write; its suffix says how: {', '.join(FORMATS)}.",
)
@click.option("--theme", type=click.Choice(["light", "dark", "print"]), default="light")
@click.option("--direction", type=click.Choice(["down", "right"]), default="down")
def show(
    console: Console, subject: Target, stage: str, path: Path, theme: str, direction: Any
) -> None:
    """Draw a graph: SVG, DOT, JSON, PNG, PDF, or a tree as text."""
    suffix = path.suffix.removeprefix(".")
    if suffix not in FORMATS:
        raise click.BadParameter(
            f"{path.name}: the suffix is one of {', '.join(FORMATS)}", param_hint="'-o'"
        )
    graph = subject.graph(stage)
    if suffix == "txt":
        from symgraph.printing import tree

        path.write_text(tree(graph), encoding="utf-8")
        return
    from ..graph_drawing import graph_drawing

    title = f"{subject.name}, {stage}"
    drawing = graph_drawing(graph, title=title, output_names=subject.output_names)
    _write(path, suffix, drawing, theme, direction)


def _write(path: Path, suffix: str, drawing: Any, theme: str, direction: Any) -> None:
    """Write a drawing in the format that a suffix names."""
    if suffix == "json":
        from ..drawing_json import to_json

        path.write_text(to_json(drawing), encoding="utf-8")
    elif suffix == "dot":
        from ..dot import to_dot

        path.write_text(to_dot(drawing, theme=theme, direction=direction), encoding="utf-8")
    else:
        from ..layout import lay_out
        from ..raster import save_raster
        from ..svg import render_svg

        layout = lay_out(drawing, direction=direction)
        if suffix == "svg":
            path.write_text(render_svg(layout, theme=theme), encoding="utf-8")
        else:
            save_raster(layout, path, theme=theme)


COMMAND = show
