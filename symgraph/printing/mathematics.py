"""Graphs as formulas: which parts get a line of their own, and the bodies of loops.

A part that is used twice, that the user named, or that grows long is written on a line above, under
its name or ``t1``, ``t2``, ... Graphs inside nodes follow: ``scan's step(p0, p1):`` and its lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.literal import Writer
from symgraph.ir.node import Node
from symgraph.ir.views import WIDEST
from symgraph.printing.notation import (
    ATOM,
    LATEX,
    LEAVES,
    UNICODE,
    UNSAID,
    Dialect,
    Part,
    expression,
    leaf,
)
from symgraph.printing.notes import Notes
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """``name = text``, or a result without a name; note: what stands beside it."""

    name: str
    text: str
    note: str


def math_text(graph: Graph, notes: Notes, max_nodes: int | None) -> str:
    """All lines of a graph and of the graphs in it, as Unicode."""
    found: list[str] = []
    for header, rows in _blocks(graph, UNICODE, notes):
        indent = ""
        if header:
            found.append(header)
            indent = "    "
        for row in rows:
            text = f"{row.name} = {row.text}" if row.name else row.text
            found.append(f"{indent}{text}" + (f"    : {row.note}" if row.note else ""))
    return _cut(found, max_nodes)


def latex_text(graph: Graph, max_nodes: int | None) -> str:
    """The same in LaTeX: one formula, or lines aligned at their equals signs."""
    found: list[str] = []
    for header, rows in _blocks(graph, LATEX, Notes()):
        if header:
            found.append(f"&\\text{{{header.replace('_', chr(92) + '_')}}}")
        found += [f"{row.name} &= {row.text}" if row.name else f"&{row.text}" for row in rows]
    if len(found) == 1:
        return found[0].replace("&", "", 1) + "\n"
    shown = _cut(found, max_nodes).splitlines()
    body = " \\\\\n".join(f"  {line}" for line in shown)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n"


def _cut(lines: list[str], most: int | None) -> str:
    if most is not None and len(lines) > most:
        lines = [*lines[:most], f"... cut here, {len(lines) - most} lines before the end"]
    return "\n".join(lines) + "\n"


def _blocks(graph: Graph, dialect: Dialect, notes: Notes) -> Iterator[tuple[str, list[Line]]]:
    """The lines of each graph with a header: the main one, without, first."""
    writer = Writer(exact=False, elide=4)
    pending: list[tuple[str, Graph]] = [("", graph)]
    seen: set[Graph] = set()
    for header, one in pending:  # grows while it is read
        yield header, list(_lines(one, dialect, notes, writer))
        for node in toposort(one.params + one.outputs):
            for inner in subgraphs(node):
                if inner not in seen:
                    seen.add(inner)
                    names = ", ".join(leaf(p, writer, UNICODE)[0] for p in inner.params)
                    key = next(k for k, v in node.attrs.items() if v is inner)
                    pending.append((f"in {node.op.name}, {key}({names}):", inner))


def _lines(graph: Graph, dialect: Dialect, notes: Notes, writer: Writer) -> Iterator[Line]:
    order = toposort(graph.outputs)
    uses = _uses(order, graph.outputs)
    taken = {n.name for n in order if n.name is not None}
    texts: dict[Node, Part] = {}
    count = 0
    for node in order:
        if node.op.name in LEAVES:
            texts[node] = leaf(node, writer, dialect)
            continue
        part = expression(node, [texts[i] for i in node.inputs], writer, dialect)
        is_short = uses[node] <= 1 and len(part[0]) <= WIDEST
        if node.op.name in UNSAID or (part[1] == ATOM and len(part[0]) <= 2):
            is_short = True
        if (node.name is None or node.op.name in UNSAID) and (is_short or not uses[node]):
            texts[node] = part
            continue
        name = node.name
        while name is None or (name != node.name and name in taken):
            count += 1
            name = f"t{count}"
        taken.add(name)
        texts[node] = (dialect.name(name), ATOM)
        yield Line(texts[node][0], part[0], notes.text(node, writer))
    for output in graph.outputs:
        is_named = texts[output][1] == ATOM and uses[output] and output.op.name not in LEAVES
        yield Line("", texts[output][0], "" if is_named else notes.text(output, writer))


def _uses(order: list[Node], outputs: tuple[Node, ...]) -> Counter[Node]:
    """How often each node is written; what stands for its input passes its uses on."""
    uses: Counter[Node] = Counter(i for n in order for i in n.inputs if n.op.name not in UNSAID)
    for output in outputs:
        uses[output] += 0
    for node in reversed(order):
        if node.op.name in UNSAID:
            uses[node.inputs[0]] += max(1, uses[node])
    return uses
