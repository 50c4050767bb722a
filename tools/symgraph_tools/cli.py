"""The command ``symgraph``: print and show graphs of one's own programs, and a demo.

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 a target that cannot be loaded; 5 an optional package
that is not installed. Errors are one line on standard error. Everything but click is imported by
the command that needs it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from symgraph.ir.graph import Graph

    from .target import Stage, Target

SETTINGS = {"help_option_names": ["-h", "--help"]}
TARGET_HELP = (
    "TARGET is file.py[:attr], package.module:attr, or a .sg file. The attribute is a compiled "
    "function, a variable, or several in a list or dict; without one, the only compiled function "
    "of the file. A Python target is run."
)
FORMATS = ("svg", "dot", "txt", "json", "png", "pdf")


class Failure(click.ClickException):
    """An error for the user: one line, and the exit code of its kind."""

    exit_code = 1

    def show(self, file: Any = None) -> None:  # Any: as click declares it
        """Print the line."""
        click.echo(f"symgraph: {self.message}", file=file, err=file is None)


class CannotLoad(Failure):
    """A target that cannot be loaded."""

    exit_code = 3


class MissingExtra(Failure):
    """An optional package that is not installed."""

    exit_code = 5


@click.group(context_settings=SETTINGS, epilog="Try first: symgraph demo")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, asked: _print_version(context) if asked else None,
    help="Show the version and exit.",
)
def main() -> None:
    """Compile array formulas: naive formula in, accurate value and gradient out."""


def _print_version(context: click.Context) -> None:
    """Print the version of the package that is imported, installed or not, and stop."""
    from symgraph import __version__

    click.echo(f"symgraph {__version__}")
    context.exit()


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder for the pictures; made if it is not there.  [default: the current one]",
)
@click.option("--epochs", type=click.IntRange(min=1), default=30, show_default=True)
@click.option("--svg", is_flag=True, help="Draw the graphs of a training step, before and after.")
@click.option("--png", is_flag=True, help="Draw the loss curve (needs the extra viz).")
def demo(out: Path, epochs: int, svg: bool, png: bool) -> None:
    """Train two classifiers of handwritten digits and show what the compiler did.

    Fails (exit code 1) unless held-out digits are read rightly: 95 % by the softmax classifier,
    97 % by the network.
    """
    # Products this small gain nothing from threads, which only disturb the times.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with _failures():
        from .demo import Pictures, run_demo

        if svg or png:
            out.mkdir(parents=True, exist_ok=True)
        if not run_demo(epochs, Pictures(out, svg, png)):
            raise Failure("the demo missed the accuracy that it wants; see above")


def _target_command(function: Callable[..., None]) -> Callable[..., None]:
    """What print and show have in common: the target, and which graph of it."""
    for decorate in (
        click.option(
            "--stage",
            type=click.Choice(["built", "final"]),
            default="final",
            show_default=True,
            help="The graph as the program wrote it, or as rewriting leaves it.",
        ),
        click.argument("target"),
    ):
        function = decorate(function)
    function.__doc__ = f"{function.__doc__}\n\n    {TARGET_HELP}"
    return function


@main.command("print")
@_target_command
@click.option(
    "--style",
    type=click.Choice(["math", "tree", "ssa", "latex"]),
    default="math",
    show_default=True,
    help="math: formulas; tree: inputs below; ssa: a line for each node, which can be read back.",
)
@click.option("--types", is_flag=True, help="With the dtype of each value.")
@click.option("--shapes", is_flag=True, help="With the shape of each value.")
@click.option("--memory", is_flag=True, help="With the bytes of each value.")
@click.option("--lines", is_flag=True, help="With the line of the program that made each value.")
@click.option("--depth", type=click.IntRange(min=0), default=60, help="How deep a tree goes.")
@click.option("--max-nodes", type=click.IntRange(min=1), help="How much to print at most.")
def print_(target: str, stage: Stage, style: str, **options: Any) -> None:
    """Print a graph as text."""
    with _failures():
        from symgraph.printing import render

        _, graph = _load(target, stage)
        click.echo(render(graph, style, **options), nl=False)


@main.command()
@_target_command
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
def show(target: str, stage: Stage, path: Path, theme: str, direction: Any) -> None:
    """Draw a graph: SVG, DOT, JSON, PNG, PDF, or a tree as text."""
    suffix = path.suffix.removeprefix(".")
    if suffix not in FORMATS:
        raise click.BadParameter(
            f"{path.name}: the suffix is one of {', '.join(FORMATS)}", param_hint="'-o'"
        )
    with _failures():
        loaded, graph = _load(target, stage)
        if suffix == "txt":
            from symgraph.printing import tree

            path.write_text(tree(graph), encoding="utf-8")
            return
        from .graph_drawing import graph_drawing

        names = loaded.output_names
        drawing = graph_drawing(graph, title=f"{loaded.name}, {stage}", output_names=names)
        _write(path, suffix, drawing, theme, direction)


def _write(path: Path, suffix: str, drawing: Any, theme: str, direction: Any) -> None:
    """Write a drawing in the format that a suffix names."""
    if suffix == "json":
        from .drawing_json import to_json

        path.write_text(to_json(drawing), encoding="utf-8")
    elif suffix == "dot":
        from .dot import to_dot

        path.write_text(to_dot(drawing, theme=theme, direction=direction), encoding="utf-8")
    else:
        from .layout import lay_out
        from .raster import save_raster
        from .svg import render_svg

        layout = lay_out(drawing, direction=direction)
        if suffix == "svg":
            path.write_text(render_svg(layout, theme=theme), encoding="utf-8")
        else:
            save_raster(layout, path, theme=theme)


def _load(text: str, stage: Stage) -> tuple[Target, Graph]:
    """A target and its graph at a stage."""
    from .target import load_target

    target = load_target(text)
    return target, target.graph(stage)


@contextmanager
def _failures() -> Iterator[None]:
    """Errors of symgraph and of the file system as failures with their exit code."""
    from symgraph.errors import SymgraphError

    try:
        yield
    except (SymgraphError, OSError) as error:
        from .raster import MissingExtraError
        from .target import TargetError, one_line

        kind = Failure
        if isinstance(error, TargetError):
            kind = CannotLoad
        elif isinstance(error, MissingExtraError):
            kind = MissingExtra
        raise kind(one_line(error)) from error
