"""A drawing as GraphML, which yEd, Gephi, Cytoscape and networkx read.

Nodes have their text, kind, op and details as data; frames are nested graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .drawing import Drawing, DrawnNode
from .glyphs import displayable
from .shapes import node_lines

KEYS = (("label", "node"), ("kind", "node"), ("op", "node"), ("details", "node"),
        ("port", "edge"), ("label", "edge"))  # fmt: skip
NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def to_graphml(drawing: Drawing) -> str:
    """The drawing as XML, ending in a newline."""
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<graphml xmlns="{NAMESPACE}">'
    for name, of in KEYS:
        yield f'<key id="{of}.{name}" for="{of}" attr.name="{name}" attr.type="string"/>'
    yield '<graph edgedefault="directed">'
    members: dict[str | None, list[DrawnNode]] = {}
    for node in drawing.nodes:
        members.setdefault(node.cluster, []).append(node)
    children: dict[str | None, list[int]] = {}
    for number, cluster in enumerate(drawing.clusters):
        children.setdefault(cluster.parent, []).append(number)
    stack = [(number, True) for number in reversed(children.get(None, []))]
    while stack:
        number, opens = stack.pop()
        cluster = drawing.clusters[number]
        if not opens:
            yield "</graph></node>"
            continue
        yield f"<node id={_quoted('frame ' + cluster.id)}>{_data('node.label', cluster.label)}"
        yield '<graph edgedefault="directed">'
        yield from map(_node, members.get(cluster.id, []))
        stack.append((number, False))
        stack += [(child, True) for child in reversed(children.get(cluster.id, []))]
    yield from map(_node, members.get(None, []))
    for edge in drawing.edges:
        port = "" if edge.target_port is None else str(edge.target_port)
        ends = f"source={_quoted(edge.source)} target={_quoted(edge.target)}"
        yield f"<edge {ends}>{_data('edge.port', port)}{_data('edge.label', edge.label)}</edge>"
    yield "</graph>"
    yield "</graphml>"


def _node(node: DrawnNode) -> str:
    details = "\n".join(f"{name}: {value}" for name, value in node.details)
    rows = (
        ("label", "\n".join(node_lines(node))),
        ("kind", node.kind),
        ("op", node.op),
        ("details", details),
    )
    data = "".join(_data(f"node.{name}", value) for name, value in rows)
    return f"<node id={_quoted(node.id)}>{data}</node>"


def _data(key: str, value: str) -> str:
    text = escape("\n".join(map(displayable, value.splitlines())))
    return f'<data key="{key}">{text}</data>' if value else ""


def _quoted(text: str) -> str:
    return f'"{escape(displayable(text))}"'
