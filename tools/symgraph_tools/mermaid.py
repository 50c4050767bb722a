"""A drawing as a Mermaid flowchart, which GitHub and many editors show in Markdown.

Mermaid refuses more than 500 edges or 50,000 characters; larger drawings are collapsed first.
"""

from __future__ import annotations

from .collapse import collapse
from .drawing import Drawing, DrawingError, DrawnNode, Kind
from .glyphs import displayable
from .shapes import node_lines
from .themes import Theme, theme_named

MOST_EDGES = 400
MOST_CHARACTERS = 50_000
BRACKETS: dict[Kind, tuple[str, str]] = {
    "op": ("(", ")"),
    "input": ("([", "])"),
    "constant": ("[", "]"),
    "shared": ("[(", ")]"),
    "output": ("{{", "}}"),
    "kernel": ("[[", "]]"),
}
ENTITIES = str.maketrans(
    {"#": "#35;", '"': "#quot;", "&": "#amp;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\\": "#92;"}
)


def to_mermaid(
    drawing: Drawing, *, theme: str = "light", direction: str = "down", edge_labels: bool = False
) -> str:
    """The drawing as a flowchart, ending in a newline; collapsed if it has over 400 edges.

    Raises: DrawingError if it is too large even so, or for an unknown theme.
    """
    look = theme_named(theme)
    small = collapse(drawing, MOST_EDGES)
    if len(small.edges) > MOST_EDGES:
        raise DrawingError(
            f"Mermaid shows at most {MOST_EDGES} edges; this drawing has {len(drawing.edges)}, and "
            f"{len(small.edges)} when chains and repeats are collapsed: draw a part of it, or "
            "write SVG, which has no limit"
        )
    is_collapsed = small is not drawing
    names = {node.id: f"n{number}" for number, node in enumerate(small.nodes)}
    lines = [f"flowchart {'TD' if direction == 'down' else 'LR'}"]
    lines += _clusters(small, names)
    lines += [_node(node, names, 1) for node in small.nodes if node.cluster is None]
    for edge in small.edges:
        label = edge.label if edge_labels or is_collapsed else ""
        arrow = f'-->|"{_escaped(label)}"|' if label else "-->"
        lines.append(f"  {names[edge.source]} {arrow} {names[edge.target]}")
    lines += _styles(small, names, look)
    text = "\n".join(lines) + "\n"
    if len(text) > MOST_CHARACTERS:
        raise DrawingError(
            f"Mermaid shows at most {MOST_CHARACTERS} characters; this drawing takes {len(text)}: "
            "draw a part of it, or write SVG, which has no limit"
        )
    return text


def _clusters(drawing: Drawing, names: dict[str, str]) -> list[str]:
    """Subgraphs with the nodes in them; without recursion."""
    members: dict[str, list[DrawnNode]] = {}
    for node in drawing.nodes:
        if node.cluster is not None:
            members.setdefault(node.cluster, []).append(node)
    children: dict[str | None, list[int]] = {}
    for number, cluster in enumerate(drawing.clusters):
        children.setdefault(cluster.parent, []).append(number)
    lines: list[str] = []
    stack = [(number, 1, True) for number in reversed(children.get(None, []))]
    while stack:
        number, depth, opens = stack.pop()
        if not opens:
            lines.append(f"{'  ' * depth}end")
            continue
        cluster = drawing.clusters[number]
        lines.append(f'{"  " * depth}subgraph c{number}["{_escaped(cluster.label)}"]')
        lines += [_node(node, names, depth + 1) for node in members.get(cluster.id, [])]
        stack.append((number, depth, False))
        stack += [(n, depth + 1, True) for n in reversed(children.get(cluster.id, []))]
    return lines


def _node(node: DrawnNode, names: dict[str, str], depth: int) -> str:
    opening, closing = BRACKETS[node.kind]
    text = "<br/>".join(map(_escaped, node_lines(node)))
    return f'{"  " * depth}{names[node.id]}{opening}"{text}"{closing}'


def _styles(drawing: Drawing, names: dict[str, str], look: Theme) -> list[str]:
    """A class for each kind that occurs."""
    lines = []
    for kind, ink in look.kinds.items():
        some = [names[node.id] for node in drawing.nodes if node.kind == kind]
        if some:
            lines.append(f"  classDef {kind} fill:{ink.fill},stroke:{ink.stroke},color:{look.text}")
            lines.append(f"  class {','.join(some)} {kind}")
    return lines


def _escaped(text: str) -> str:
    """Text for a quoted label: Mermaid's entities are written with # for &."""
    return " ".join(map(displayable, text.splitlines())).translate(ENTITIES)
