"""``symgraph profile``: where the time of a call goes, and that of compiling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..conventions import Console, Failure, command, json_option, target_argument

if TYPE_CHECKING:
    from ..target import Target

FORMATS = ("txt", "json", "chrome", "svg")


@command(
    "profile",
    examples=(
        "symgraph profile program.py:f --dim n=1000",
        "symgraph profile program.py:f --format chrome -o call.trace.json",
        "symgraph profile program.py:f --inputs x.npz --repeat 2",
        "symgraph profile program.py:f --compare old.json",
    ),
)
@target_argument
@click.option("--inputs", type=click.Path(path_type=Path, dir_okay=False), help="An .npz file.")
@click.option("--repeat", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of compiled code.")
@click.option(
    "--compare", type=click.Path(path_type=Path, dir_okay=False), help="An earlier --json."
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="txt", show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The file to write; - is standard output.",
)
@json_option
def profile(
    console: Console,
    subject: Target,
    inputs: Path | None,
    repeat: int,
    threads: int | None,
    compare: Path | None,
    form: str,
    json: bool,
) -> None:
    """Time every step of a call, with bytes, operations and share of what the machine can do.

    Inputs are made up (64 elements an axis; --dim and --shape say other lengths) unless --inputs
    has them. Bytes and operations are counted on the final loops.
    """
    import contextlib

    import symgraph as sg
    from symgraph.ops.evaluate import bind_dims

    from ..inputs import arrays_for, inputs_of
    from ..limits import measure_limits
    from ..profiling import bars, chrome_trace, make_report, report_json, text_lines

    function = subject.function("llvm")
    arrays = arrays_for(function.graph, subject.given, inputs)
    with sg.threads(threads) if threads else contextlib.nullcontext():
        found = function.profile(*arrays, repeat=repeat)
    nodes = inputs_of(function.graph)
    sizes = bind_dims(dict(zip(nodes, arrays, strict=True)), {})
    trace = function.trace
    trace.name = subject.name
    report = make_report(trace, found, measure_limits(), sizes)
    if json or form == "json":
        console.json("profile", report_json(report))
    elif form == "chrome":
        console.write(chrome_trace(report))
    elif form == "svg":
        console.write(bars(report))
    else:
        old = _earlier(compare) if compare is not None else None
        console.write("\n".join(text_lines(report, old)) + "\n")


def _earlier(path: Path) -> dict[str, float]:
    import json

    try:
        found = json.loads(path.read_bytes())
        return {row["name"]: float(row["us"]) for row in found["steps"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path} is no profile that --json has written", code=3) from error


COMMAND = profile
