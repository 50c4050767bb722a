"""``symgraph show``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..conventions import Command, Console, command, output_option, stage_option, target_argument

if TYPE_CHECKING:
    from ..target import Target

FORMATS = ("svg", "html", "png", "pdf", "dot", "mmd", "json", "graphml", "txt")
COLLAPSE = ("scope", "fusion", "repeat")
HIDE = ("const", "cast", "shape")
COLORS = ("op", "dtype", "line", "pass", "device", "bytes", "time", "error")
EXAMPLES = (
    "symgraph show train.py:step -o step.svg",
    "symgraph show train.py:step -o step.html",
    "symgraph show train.py:step -f mmd --collapse repeat",
    "symgraph show model.sg -o model.svg --stage built --theme print --labels",
    "symgraph show train.py:step -o near.svg --focus softplus --radius 1 --hide const,shape",
    "symgraph show train.py:step -o error.svg --stage built --color-by error --legend",
    "symgraph show train.py:step -o kernels.svg --collapse fusion --color-by dtype --legend",
)


def _several(name: str, allowed: tuple[str, ...], about: str) -> Callable[[Command], Command]:
    """An option that takes words of a list, apart by commas."""

    def words(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
        found = tuple(word.strip() for word in text.split(",") if word.strip())
        for word in found:
            if word not in allowed:
                raise click.BadParameter(f"{word!r} is not one of {', '.join(allowed)}")
        return found

    return click.option(name, default="", metavar=",".join(allowed), callback=words, help=about)


@command("show", examples=EXAMPLES)
@target_argument
@stage_option
@output_option
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), help="The format.  [default: by suffix]"
)
@click.option("--depth", type=click.IntRange(min=0), help="Levels of loops' bodies to draw.")
@_several("--collapse", COLLAPSE, "What to draw as one box.")
@click.option(
    "--frames",
    type=click.Choice(["none", "kernel", "line"]),
    default="none",
    help="Frames around the nodes of one kernel, or of one line of the program.",
)
@click.option("--focus", metavar="NODE", default="", help="What is near a name or an op.")
@click.option("--radius", type=click.IntRange(min=0), default=2, show_default=True)
@_several("--hide", HIDE, "What to leave out.")
@click.option(
    "--color-by",
    type=click.Choice(COLORS),
    default=None,
    help="Colours by a property.  time: of a call with inputs that are made up; error: bits lost.",
)
@click.option("--labels", is_flag=True, help="Dtypes and shapes on arrows instead of in boxes.")
@click.option("--legend", is_flag=True, help="Say below what outlines and colours mean.")
@click.option("--theme", type=click.Choice(["light", "dark", "print"]), default="light")
@click.option(
    "--layout",
    "engine",
    type=click.Choice(["auto", "builtin", "dot"]),
    default="auto",
    help="dot: by Graphviz, where it is installed.",
)
@click.option("--rankdir", type=click.Choice(["TB", "LR"]), default="TB", show_default=True)
@click.option("--open", "opens", is_flag=True, help="Open the file that was written.")
def show(console: Console, subject: Target, form: str | None, opens: bool, **options: Any) -> None:
    """Draw a graph, or make the page that steps through compiling (html)."""
    path = console.output
    form = form or _by_suffix(path)
    if opens and (path is None or str(path) == "-"):
        raise click.UsageError("--open needs a file to open: give -o FILE")
    from ..picture import Wanted, written

    wanted = Wanted(**{**options, "color_by": options["color_by"] or ""})
    console.write(written(subject, form, wanted))
    if opens:
        click.launch(str(path))


def _by_suffix(path: Path | None) -> str:
    """The format that the suffix of a file names."""
    if path is None:
        raise click.UsageError("Missing option '-o': a file whose suffix is the format, or -f")
    suffix = path.suffix.removeprefix(".")
    if suffix not in FORMATS:
        raise click.BadParameter(
            f"{path.name}: the suffix is one of {', '.join(FORMATS)}", param_hint="'-o'"
        )
    return suffix


COMMAND = show
