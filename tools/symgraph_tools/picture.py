"""What ``symgraph show`` draws: a graph of a target, the part that is asked for, in any format.

Every format is written by a function of a drawing (``FORMATS``), so all of them show the same.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgraph.ir.node import Node
from symgraph.trace.format import REWRITE
from symgraph.trace.trace import Trace

from .collapse import collapse_repeats
from .drawing import Drawing, DrawingError
from .graph_drawing import graph_drawing
from .layout import Direction, lay_out
from .raster import MissingExtraError
from .selecting import focus, folded, framed, hide, kernel_groups
from .shading import shade
from .target import Target

if TYPE_CHECKING:
    from .page.content import Heat

Notes = dict[Node, list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to draw and how; the options of the command."""

    stage: str = "final"
    depth: int | None = None
    collapse: tuple[str, ...] = ()
    frames: str = "none"
    focus: str = ""
    radius: int = 2
    hide: tuple[str, ...] = ()
    color_by: str = ""
    labels: bool = False
    legend: bool = False
    theme: str = "light"
    rankdir: str = "TB"
    engine: str = "builtin"

    @property
    def direction(self) -> Direction:
        """Which way the arrows go."""
        return "down" if self.rankdir == "TB" else "right"


@dataclass(slots=True)
class Facts:
    """What a trace knows of nodes: kernels that store them, passes that made them."""

    kernels: dict[Node, str] = field(default_factory=dict)
    notes: Notes = field(default_factory=dict)


def picture(subject: Target, wanted: Wanted) -> Drawing:
    """The drawing that is asked for.

    Raises: DrawingError for a node, a kind or a property that is not there.
    """
    values: Mapping[int, float] = {}
    if wanted.color_by == "time":
        subject, heat = timed(subject)
        values = heat.of
    title = f"{subject.name}, {wanted.stage}"
    has_kernels = "fusion" in wanted.collapse or wanted.frames == "kernel"
    if has_kernels and wanted.stage == "final":  # kernels are made of what comes after: guards
        wanted = replace(wanted, stage=subject.trace().stages[-1].name)
    if has_kernels and wanted.depth is None:  # loops' bodies are inside kernels
        wanted = replace(wanted, depth=0)
    if wanted.color_by == "error":
        from .page.error import error_heat

        values = error_heat(subject.trace(), subject.given, wanted.stage).of
    graph = subject.graph(wanted.stage)
    facts = Facts()
    if has_kernels or wanted.color_by:
        facts = _facts(subject, wanted, values)
    drawing = graph_drawing(
        graph,
        title=title,
        output_names=subject.output_names,
        depth=0 if "scope" in wanted.collapse else wanted.depth,
        edge_types=wanted.labels,
        note=lambda node: facts.notes.get(node, ()),
    )
    drawing = _grouped(drawing, wanted)
    if wanted.focus:
        drawing = focus(drawing, wanted.focus, wanted.radius)
    drawing = hide(drawing, wanted.hide)
    if "repeat" in wanted.collapse:
        drawing = collapse_repeats(drawing)
    return shade(drawing, wanted.color_by, wanted.theme) if wanted.color_by else drawing


def _grouped(drawing: Drawing, wanted: Wanted) -> Drawing:
    """Kernels as boxes or frames, or a frame for each line of the program."""
    details = {node.id: dict(node.details) for node in drawing.nodes}
    if "fusion" in wanted.collapse or wanted.frames == "kernel":
        stored = {n: d["kernel"] for n, d in details.items() if "kernel" in d}
        if not stored:
            raise DrawingError(
                "no kernel is known of this graph: draw the final stage of a compiled function"
            )
        groups = kernel_groups(drawing, stored)
        change = folded if "fusion" in wanted.collapse else framed
        drawing = change(drawing, groups)
    if wanted.frames == "line":
        lines = {
            n.id: details[n.id]["line"] for n in drawing.nodes if "line" in details.get(n.id, {})
        }
        drawing = framed(drawing, {n: _short(line) for n, line in lines.items()})
    return drawing


def _short(line: str) -> str:
    """A line without the folders of its file."""
    head, colon, rest = line.partition(":")
    return Path(head).name + colon + rest[:60]


def _facts(subject: Target, wanted: Wanted, values: Mapping[int, float]) -> Facts:
    """Kernels, passes, and the values to colour by, by node."""
    trace = subject.trace()
    number = trace.find_stage(wanted.stage).step
    state, facts = trace.state(number), Facts()
    made = _passes(trace, number)
    device = trace.parts.backend if trace.parts.backend == "cuda" else "cpu"
    present = state.order()
    for key in present:
        node = state.node(key)
        notes = facts.notes.setdefault(node, [("device", device)])
        if key in made:
            notes.append(("made by", made[key]))
        if key in values:
            notes.append((wanted.color_by, f"{values[key]:.4g}"))
    if wanted.stage in ("final", trace.stages[-1].name):
        for kernel in trace.parts.kernels:
            for key in set(kernel.nodes) & set(present):
                facts.notes.setdefault(state.node(key), []).append(("kernel", kernel.name))
    return facts


def timed(subject: Target) -> tuple[Target, Heat]:
    """The trace of a call with inputs that are made up, and its times by node."""
    from .inputs import arrays_for
    from .page.timing import time_heat

    function = subject.function("llvm")
    arrays = arrays_for(function.graph, subject.given, None)
    found = function.profile(*arrays)
    trace = function.trace_of(*arrays)
    return Target(subject.name, trace, trace.outputs), time_heat(trace, found)


def _passes(trace: Trace, last: int) -> dict[int, str]:
    """What made each number: the program, or a table of rules."""
    made = {}
    for row in trace.steps[: last + 1]:
        for key in row.delta.added:
            made[key] = row.table if row.kind == REWRITE else row.rule.name
    return made


Writer = Callable[[Drawing, Wanted], str]


def _svg(drawing: Drawing, wanted: Wanted) -> str:
    if wanted.engine == "dot":
        return _by_dot(drawing, wanted)
    from .svg import render_svg

    layout = lay_out(drawing, direction=wanted.direction, edge_labels=wanted.labels)
    return render_svg(layout, theme=wanted.theme, legend=wanted.legend)


def _by_dot(drawing: Drawing, wanted: Wanted) -> str:
    """The picture that Graphviz makes.

    Raises: MissingExtraError where there is none.
    """
    program = shutil.which("dot")
    if program is None:
        raise MissingExtraError(
            "--layout dot needs Graphviz's program dot, which is not installed; "
            "--layout builtin needs nothing"
        )
    done = subprocess.run(
        [program, "-Tsvg"], input=_dot(drawing, wanted), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DrawingError(f"dot failed: {done.stderr.strip()[:200]}")
    return done.stdout


def _dot(drawing: Drawing, wanted: Wanted) -> str:
    from .dot import to_dot

    return to_dot(
        drawing, theme=wanted.theme, direction=wanted.direction, edge_labels=wanted.labels
    )


def _mermaid(drawing: Drawing, wanted: Wanted) -> str:
    from .mermaid import to_mermaid

    return to_mermaid(
        drawing, theme=wanted.theme, direction=wanted.direction, edge_labels=wanted.labels
    )


def _json(drawing: Drawing, wanted: Wanted) -> str:
    from .drawing_json import to_json

    return to_json(drawing)


def _graphml(drawing: Drawing, wanted: Wanted) -> str:
    from .graphml import to_graphml

    return to_graphml(drawing)


WRITERS: Mapping[str, Writer] = {
    "svg": _svg,
    "dot": _dot,
    "mmd": _mermaid,
    "json": _json,
    "graphml": _graphml,
}
"""Formats that are text, by suffix."""
RASTERS = ("png", "pdf")
OTHERS = ("html", "txt")
FORMATS = ("svg", "html", "png", "pdf", "dot", "mmd", "json", "graphml", "txt")


def written(subject: Target, form: str, wanted: Wanted) -> str | bytes:
    """The picture as text, or as bytes where the format is no text."""
    if form == "html":
        from .page.build import page_html

        value: Any = subject.value
        machine: dict[str, dict[str, str]] = {}
        if getattr(value, "kernels", None) is not None:
            from .notebook import machine_code

            machine = machine_code(value)
        heat: dict[str, Heat] = {}
        if wanted.color_by == "time":  # of the code for some lengths, whose kernels are others
            subject, heat["time"] = timed(subject)
            machine = {}
        trace = subject.trace()
        if wanted.color_by == "error":
            from .page.error import error_heat

            heat["error as written"] = error_heat(trace, subject.given, "built")
            heat["error in the end"] = error_heat(trace, subject.given)
        return page_html(trace, title=subject.name, theme=wanted.theme, machine=machine, heat=heat)
    if form == "txt":
        from symgraph.printing import tree

        return tree(subject.graph(wanted.stage))
    drawing = picture(subject, wanted)
    if form in WRITERS:
        return WRITERS[form](drawing, wanted)
    return _raster(drawing, form, wanted)


def _raster(drawing: Drawing, form: str, wanted: Wanted) -> bytes:
    from .raster import save_raster

    layout = lay_out(drawing, direction=wanted.direction, edge_labels=wanted.labels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture.{form}"
        save_raster(layout, path, theme=wanted.theme, legend=wanted.legend)
        return path.read_bytes()
