"""A drawing in Graphviz's DOT language, for whoever prefers its layouts; nothing here runs it.

Kinds keep their shapes and colours, and arguments their order.
"""

from __future__ import annotations

from .drawing import Drawing, DrawnEdge, DrawnNode, Kind
from .glyphs import displayable
from .shapes import node_lines
from .themes import Theme, theme_named

SHAPES: dict[Kind, str] = {
    "op": 'shape=box, style="filled,rounded"',
    "input": "shape=oval, style=filled",
    "constant": "shape=note, style=filled",
    "shared": "shape=cylinder, style=filled",
    "output": "shape=hexagon, style=filled",
    "kernel": "shape=box, style=filled, peripheries=2",
}


def to_dot(
    drawing: Drawing, *, theme: str = "light", direction: str = "down", edge_labels: bool = False
) -> str:
    """The drawing as a digraph, ending in a newline; ``ordering=in`` keeps arguments in order.

    Raises: DrawingError for an unknown theme.
    """
    look = theme_named(theme)
    lines = [
        "digraph {",
        f"  graph [rankdir={'TB' if direction == 'down' else 'LR'}, ordering=in, "
        f"bgcolor={_quoted(look.background)}, fontcolor={_quoted(look.text)}, "
        f"fontname=Helvetica, labelloc=t, label={_quoted(drawing.title)}]",
        f"  node [fontname=Helvetica, fontsize=10, fontcolor={_quoted(look.text)}]",
        f"  edge [fontname=Helvetica, fontsize=8, color={_quoted(look.line)}, "
        f"fontcolor={_quoted(look.faint)}, arrowsize=0.7]",
    ]
    names = {node.id: f"n{number}" for number, node in enumerate(drawing.nodes)}
    lines += _body(drawing, names, look)
    # dot keeps the order in which edges into a node are listed.
    arguments = sorted(drawing.edges, key=lambda e: (e.target_port is None, e.target_port or 0))
    lines += [_edge(edge, names, edge_labels) for edge in arguments]
    return "\n".join([*lines, "}"]) + "\n"


def _body(drawing: Drawing, names: dict[str, str], look: Theme) -> list[str]:
    """Clusters with the nodes in them, then the other nodes; without recursion."""
    members: dict[str | None, list[DrawnNode]] = {}
    for node in drawing.nodes:
        members.setdefault(node.cluster, []).append(node)
    children: dict[str | None, list[int]] = {}
    for number, cluster in enumerate(drawing.clusters):
        children.setdefault(cluster.parent, []).append(number)
    lines: list[str] = []
    stack: list[tuple[int, bool]] = [(number, True) for number in reversed(children.get(None, []))]
    depth = 1
    while stack:
        number, opens = stack.pop()
        if not opens:
            depth -= 1
            lines.append("  " * depth + "}")
            continue
        cluster = drawing.clusters[number]
        lines.append(
            f"{'  ' * depth}subgraph cluster_{number} {{ label={_quoted(cluster.label)}; "
            f"color={_quoted(look.frame)}; style=rounded"
        )
        depth += 1
        lines += [_node(node, names, look, depth) for node in members.get(cluster.id, [])]
        stack.append((number, False))
        stack += [(child, True) for child in reversed(children.get(cluster.id, []))]
    return lines + [_node(node, names, look, 1) for node in members.get(None, [])]


def _node(node: DrawnNode, names: dict[str, str], look: Theme, depth: int) -> str:
    ink = look.kinds[node.kind]
    text = "\n".join(node_lines(node))
    tooltip = "\n".join(
        [node.tooltip or text, *(f"{name}: {value}" for name, value in node.details)]
    )
    return (
        f"{'  ' * depth}{names[node.id]} [{SHAPES[node.kind]}, label={_quoted(text)}, "
        f"fillcolor={_quoted(ink.fill)}, color={_quoted(ink.stroke)}, "
        f"tooltip={_quoted(tooltip)}]"
    )


def _edge(edge: DrawnEdge, names: dict[str, str], edge_labels: bool) -> str:
    label = f" [label={_quoted(edge.label)}]" if edge_labels and edge.label else ""
    return f"  {names[edge.source]} -> {names[edge.target]}{label}"


def _quoted(text: str) -> str:
    """A quoted string in which dot reads no command, as in \\N, and no entity, as in &lt;."""
    lines = [displayable(line).replace("&", "&amp;") for line in text.splitlines()]
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
