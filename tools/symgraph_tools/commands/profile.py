"""``symgraph profile``: where the time of a call goes, and that of compiling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..conventions import Console, Failure, command, json_option, output_option, target_argument

if TYPE_CHECKING:
    from symgraph.ir.graph import Graph

    from ..profiling import Report
    from ..target import Target

FORMATS = ("txt", "json", "html", "svg", "chrome")


@command(
    "profile",
    examples=(
        "symgraph profile program.py:f --dim n=1000",
        "symgraph profile program.py:f -o profile.html",
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
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="chrome: events for chrome://tracing and Perfetto.  [default: by suffix of -o, or txt]",
)
@output_option
@json_option
def profile(
    console: Console,
    subject: Target,
    inputs: Path | None,
    repeat: int,
    threads: int | None,
    compare: Path | None,
    form: str | None,
    json: bool,
) -> None:
    """Time every step of a call, with bytes, operations and share of what the machine can do.

    Inputs are made up (64 elements an axis; --dim and --shape say other lengths) unless --inputs
    has them. Bytes and operations are counted on the final loops; the limits of the machine are
    measured here and now, and the best of them kept.
    """
    import contextlib

    import symgraph as sg
    from symgraph.ops.evaluate import bind_dims

    from ..inputs import arrays_for, inputs_of
    from ..limits import measure_limits
    from ..profiling import make_report, report_json, text_lines

    form = "json" if json else form or _by_suffix(console.output)
    function = subject.function("llvm")
    arrays = arrays_for(function.graph, subject.given, inputs)
    with sg.threads(threads) if threads else contextlib.nullcontext():
        found = function.profile(*arrays, repeat=repeat)
        limits = measure_limits(_dtype(function.graph), threads or 0)
    nodes = inputs_of(function.graph)
    sizes = bind_dims(dict(zip(nodes, arrays, strict=True)), {})
    trace = function.trace
    trace.name = subject.name
    report = make_report(trace, found, limits, sizes)
    if form == "json":
        console.json("profile", report_json(report))
    elif form == "txt":
        old = _earlier(compare) if compare is not None else None
        console.write("\n".join(text_lines(report, old)) + "\n")
    else:
        console.write(_drawn(report, form))


def _drawn(report: Report, form: str) -> str:
    from ..profile_page import bars, profile_html
    from ..profiling import chrome_trace

    return {"html": profile_html, "svg": bars, "chrome": chrome_trace}[form](report)


def _by_suffix(path: Path | None) -> str:
    suffix = path.suffix.removeprefix(".") if path is not None else ""
    return suffix if suffix in FORMATS else "txt"


def _dtype(graph: Graph) -> str:
    """The dtype that decides how many operations fit a vector: float32 where nothing is wider."""
    from symgraph.ir.graph import toposort
    from symgraph.ir.type import TensorType

    found = {n.type.dtype for n in toposort(graph.outputs) if isinstance(n.type, TensorType)}
    return (
        "float32"
        if all(d.name in ("float32", "complex64") for d in found if d.kind in "fc")
        else "float64"
    )


def _earlier(path: Path) -> dict[str, float]:
    import json

    try:
        found = json.loads(path.read_bytes())
        return {row["name"]: float(row["us"]) for row in found["steps"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path} is no profile that --json has written", code=3) from error


COMMAND = profile
