"""Two or more graphs beside each other, as one HTML file: what is only here is coloured and signed.

The pictures are static SVG; the file runs no script and asks for nothing. Colours are blue and
orange, which all eyes tell apart, and every box that differs has a sign: + only here, - not in all
others, ~ the same operation on something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from symgraph.ir.graph import Graph
from symgraph.ir.node import Node

from ..drawing import Drawing
from ..graph_drawing import graph_drawing
from ..layout import lay_out
from ..matching import Matched, difference_lines, states
from ..svg import render_svg

SIGNS: Mapping[str, str] = {"removed": "- ", "added": "+ ", "changed": "~ "}
SHADES: Mapping[str, str] = {"removed": "#f6c48e", "added": "#a5d4f2", "changed": "#f3ecb0"}
WORDS: Mapping[str, str] = {
    "removed": "- not in the other",
    "added": "+ only here",
    "changed": "~ the same operation on something else",
}
MOST_DRAWN = 1500  # nodes; of larger graphs the lines are shown alone
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:1.5em;color:#1b1f24;background:#fff}
h1{font-size:1.25em}h2{font-size:1em;margin:.2em 0}
main{display:flex;gap:1em;align-items:flex-start;overflow-x:auto}
section{flex:1 1 0;min-width:18em}figure{margin:0;overflow:auto;border:1px solid #d5dbe2}
svg{display:block;max-width:none}
ul{list-style:none;padding:0}li{display:inline-block;margin-right:1.2em}
b{display:inline-block;width:1em;height:1em;vertical-align:-.15em;margin-right:.4em;
  border:1px solid #5f6b7a}
pre{font:12px/1.5 ui-monospace,monospace;overflow-x:auto;border:1px solid #d5dbe2;padding:.6em}
.added{background:#d8edfa}.removed{background:#fbe6cd}
@media print{main{display:block}section{break-inside:avoid}}
"""


def difference_html(names: Sequence[str], graphs: Sequence[Graph], found: Sequence[Matched]) -> str:
    """The first graph, then the others as they differ from it; ``found``: the first with each."""
    pairs = [states(one) for one in found]
    first = {node: state for one, _ in pairs for node, state in one.items()}
    all_states = [first, *(second for _, second in pairs)]
    sides = [
        f"<section><h2>{escape(name)}</h2>{_figure(graph, own)}</section>"
        for name, graph, own in zip(names, graphs, all_states, strict=True)
    ]
    texts = [
        f"<h2>{escape(names[0])} and {escape(name)}: {_counts(one)}</h2>{_lines(one)}"
        for name, one in zip(names[1:], found, strict=True)
    ]
    key = "".join(
        f'<li><b style="background:{SHADES[state]}"></b>{escape(word)}</li>'
        for state, word in WORDS.items()
    )
    title = escape(", ".join(names))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title} · differences</title><style>{STYLE}</style></head><body>"
        f"<h1>{title}</h1><ul>{key}</ul><main>{''.join(sides)}</main>{''.join(texts)}"
        "</body></html>\n"
    )


def _figure(graph: Graph, own: Mapping[Node, str]) -> str:
    """A picture with the nodes that differ marked, where it is not too large to look at."""
    drawing = graph_drawing(
        graph, note=lambda node: [("difference", own[node])] if node in own else ()
    )
    if len(drawing.nodes) > MOST_DRAWN:
        return f"<p>{len(drawing.nodes)} boxes are not drawn; the lines that differ are below.</p>"
    return f"<figure>{render_svg(lay_out(marked(drawing)))}</figure>"


def marked(drawing: Drawing) -> Drawing:
    """With a colour and a sign for each node that has a difference among its details."""
    nodes = []
    for node in drawing.nodes:
        state = dict(node.details).get("difference", "")
        if state:
            lines = (SIGNS[state] + node.lines[0], *node.lines[1:])
            node = replace(node, lines=lines, shade=SHADES[state])
        nodes.append(node)
    return replace(drawing, nodes=tuple(nodes))


def _counts(found: Matched) -> str:
    counts = (found.same, found.changed, found.removed, found.added)
    words = ("same", "changed", "removed", "added")
    return ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True))


def _lines(found: Matched) -> str:
    classes = {"+": "added", "-": "removed"}
    texts = [
        f'<span class="{classes.get(line[:1], "")}">{escape(line)}</span>'
        for line in difference_lines(found)
    ]
    return "<pre>" + "\n".join(texts or ["no difference"]) + "</pre>"
