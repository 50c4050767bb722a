"""What a notebook shows: pictures as static SVG, which GitHub and nbviewer show too, and text.

A graph, a variable and a function are drawn; a trace is drawn before and after; a kernel is its
source; a profile is bars. Nothing has an id, so any number of them stand in one notebook. The page
(``f.view()``) runs scripts, and is kept apart from the notebook in a frame of its own.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from symgraph import printing
from symgraph.ir.graph import Graph
from symgraph.ir.variable import Variable
from symgraph.runtime.function import Function
from symgraph.runtime.kernel_view import KernelView
from symgraph.runtime.profile import Profile
from symgraph.trace.trace import Trace

from .changes import change_lines
from .collapse import collapse
from .drawing import Cluster, Drawing, DrawnEdge, DrawnNode
from .graph_drawing import graph_drawing
from .layout import lay_out
from .page.build import page_html
from .page.timing import time_heat
from .profile_picture import profile_svg
from .svg import render_svg

MOST_NODES = 250  # of a picture in a notebook; larger ones are collapsed, or text alone
MOST_LINES = 40  # of text
Bundle = dict[str, str]


def mimebundle(value: object) -> Bundle:
    """The forms of a value, by MIME type."""
    for kind, make in MAKERS.items():
        if isinstance(value, kind):
            return make(value)
    return {"text/plain": repr(value)}


def view(
    value: Function | Trace, *args: Any, height: int = 640, theme: str = "light", repeat: int = 5
) -> PageView:
    """The page of a function (compiled now if it is not yet) or of a trace.

    ``args``: of the function; it is profiled on them, ``repeat`` times, and coloured by time.
    """
    if isinstance(value, Trace):
        return PageView(page_html(value, theme=theme), value.name, height)
    if args:  # the code for these lengths, whose kernels are not those of ``value.kernels``
        found, trace = value.profile(*args, repeat=repeat), value.trace_of(*args)
        text = page_html(trace, theme=theme, heat={"time": time_heat(trace, found)})
    else:
        text = page_html(value.trace, theme=theme, machine=machine_code(value))
    return PageView(text, value.name, height)


def machine_code(function: Function) -> dict[str, dict[str, str]]:
    """LLVM and assembly of each kernel, where the backend of a function has them."""
    if function.backend not in ("llvm", "numba"):
        return {}
    return {k.name: {"llvm": k.llvm, "asm": k.asm} for k in function.kernels}


class PageView:
    """A page, which a notebook shows in a frame; ``save`` writes it, ``html`` is its text."""

    def __init__(self, text: str, name: str, height: int) -> None:
        """A page by its text."""
        self.html, self.name, self.height = text, name, height

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, which any browser opens."""
        Path(path).write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_mimebundle_(self, **options: Any) -> Bundle:
        # srcdoc: a document of its own, so that scripts, styles and ids of several do not meet.
        frame = (
            f'<iframe sandbox="allow-scripts" style="width:100%;height:{self.height}px;border:0" '
            f'title="{html.escape(self.name)}" srcdoc="{html.escape(self.html)}"></iframe>'
        )
        return {"text/plain": repr(self), "text/html": frame}

    def __repr__(self) -> str:
        return f'<page of {self.name}, {len(self.html) // 1000} kB: .save("{self.name}.html")>'


def _of_graph(value: Any) -> Bundle:
    graph = printing.as_graph(value)
    title = value.name if isinstance(value, Function) else ""
    names = value.output_names if isinstance(value, Function) else ()
    drawing = graph_drawing(graph, title=title, output_names=names)
    return _with_picture(_text(value, graph), drawing)


def _of_trace(trace: Trace) -> Bundle:
    lines = [repr(trace), *change_lines(trace)][:MOST_LINES]
    return _with_picture("\n".join(lines), before_and_after(trace))


def _of_kernel(kernel: KernelView) -> Bundle:
    lines = "".join(f"<li><code>{html.escape(str(line))}</code></li>" for line in kernel.lines)
    body = f"<p><b>{html.escape(kernel.name)}</b></p><ul>{lines}</ul>"
    source = f"<pre>{html.escape(kernel.source)}</pre>"
    return {"text/plain": kernel.source, "text/html": body + source}


def _of_profile(profile: Profile) -> Bundle:
    return {"text/plain": str(profile), "image/svg+xml": profile_svg(profile)}


MAKERS: dict[type, Callable[[Any], Bundle]] = {
    Variable: _of_graph,
    Graph: _of_graph,
    Function: _of_graph,
    Trace: _of_trace,
    KernelView: _of_kernel,
    Profile: _of_profile,
}


def before_and_after(trace: Trace) -> Drawing:
    """Both ends of a trace side by side, each in a frame: as built, and as the rules leave it."""
    named = {row.name for row in trace.stages}
    ends = (
        ("before", "as built", "built" if "built" in named else 0),
        ("after", "after rewriting", "stable" if "stable" in named else -1),
    )
    nodes: list[DrawnNode] = []
    edges: list[DrawnEdge] = []
    clusters: list[Cluster] = []
    for key, label, stage in ends:
        part = graph_drawing(trace.at(stage), output_names=trace.outputs).prefixed(f"{key}.", key)
        nodes += part.nodes
        edges += part.edges
        clusters += [replace(c, label=label) if c.id == key else c for c in part.clusters]
    return Drawing(tuple(nodes), tuple(edges), tuple(clusters), trace.name)


def _text(value: object, graph: Graph) -> str:
    """The short form, and below it the formulas of small graphs."""
    formulas = printing.math(graph, max_nodes=MOST_LINES)
    return f"{value!r}\n{formulas.rstrip()}"


def _with_picture(text: str, drawing: Drawing) -> Bundle:
    if len(drawing.nodes) > MOST_NODES:
        drawing = collapse(drawing, MOST_NODES)
    if len(drawing.nodes) > MOST_NODES:
        return {"text/plain": text}
    return {"text/plain": text, "image/svg+xml": render_svg(lay_out(drawing))}
