"""Graphs as text in single-assignment form, and back, exactly.

    symgraph 1
    dim ?y.0 = unknown("?y.0", "b62d.7.1")
    main
      %0 x = input: float64[n, 3] {serial="b62d.7.0"}
      %1 y = input: float64[?y.0] {serial="b62d.7.2"}
      %2 = sum(%0): float64[n] {axes=(1,)}
      %3 cost = multiply(%2, %1): float64[broadcast(n, ?y.0)]
      outputs %3

A line is a node: number, names, op, inputs, type, attributes, and the user's lines if asked for.
Graphs inside nodes (bodies of loops) come before ``main`` as ``graph @0`` and so on, with
``params``. Reading gives the very nodes that were written, as long as they are alive: nodes are
interned. Shared state is an exception, since its cell is read as a new one.

Text written by hand may leave out types (but of inputs), serials and declarations of dims. How
dims, types and attributes are spelled is in ``ir/literal.py``; views for people in ``ir/views.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ParseError, message
from symgraph.ir.dim import fresh_token
from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.literal import Array, Writer, quoted, word
from symgraph.ir.node import Node, add_name, attr_items, make_node
from symgraph.ir.op import OPS
from symgraph.ir.origin import Line
from symgraph.ir.parse import Reader
from symgraph.ir.states import STATES
from symgraph.ir.tokens import TEXT, Cursor, unquoted
from symgraph.ir.type import TensorType, Type
from symgraph.records import dataclass, field

VERSION = 1
TYPED = ("input", "shared", "param")  # leaves whose attribute "type" is the type of the node
_WORD = rf"(?:[^\W\d]\w*|{TEXT})"
_NODE = re.compile(
    rf"%([0-9]+)(?: ({_WORD}(?:, {_WORD})*))? = ({_WORD})"
    r"(?:\(((?:%[0-9]+(?:, %[0-9]+)*)?)\))?(?::? (.*))?"
)
_NAME = re.compile(_WORD)


def graph_text(
    what: Graph | Node | Iterable[Node],
    *,
    exact: bool = True,
    elide: int | None = None,
    lines: bool = False,
) -> str:
    """A graph, a node or several as text that ``parse_text`` reads.

    ``exact=False`` leaves out the random tokens of inputs and unknown dims: reading then makes new
    ones. ``elide=16``: arrays of more than 16 elements are written by a hash of their content.
    ``lines``: with the lines of the user's program.
    """
    main = as_graph(what)
    writer = Writer(exact=exact, elide=elide)
    body: list[str] = []
    for graph in nested(main):
        body.append("main" if graph is main else f"graph @{len(writer.graphs)}")
        body += _graph_lines(graph, writer, lines)
        if graph is not main:
            writer.graphs[graph] = len(writer.graphs)
    states = [f"state ${k} = {text}" for k, (_, text) in enumerate(writer.states.values())]
    return "\n".join([f"symgraph {VERSION}", *writer.declarations(), *states, *body]) + "\n"


def as_graph(what: Graph | Node | Iterable[Node]) -> Graph:
    """A graph without parameters from nodes; a graph as it is."""
    if isinstance(what, Graph):
        return what
    return Graph((), (what,) if isinstance(what, Node) else tuple(what))


def nested(main: Graph) -> list[Graph]:
    """All graphs inside the nodes of a graph, inner ones first; itself last."""
    order: dict[Graph, None] = {}
    stack = [main]
    while stack:
        graph = stack[-1]
        nodes = toposort(graph.params + graph.outputs)
        inner = dict.fromkeys(g for n in nodes for g in subgraphs(n) if g not in order)
        stack += inner
        if not inner:
            order[stack.pop()] = None
    return list(order)


def _graph_lines(graph: Graph, writer: Writer, with_lines: bool) -> list[str]:
    numbers: dict[Node, int] = {}
    found: list[str] = []
    for node in toposort(graph.params + graph.outputs):
        numbers[node] = len(numbers)
        found.append(node_text(node, numbers, writer, with_lines))
    for label, nodes in (("params", graph.params), ("outputs", graph.outputs)):
        if nodes or label == "outputs":
            found.append(f"  {label} " + ", ".join(f"%{numbers[n]}" for n in nodes))
    return found


def node_text(
    node: Node, numbers: Mapping[Node, int], writer: Writer, with_lines: bool = False
) -> str:
    """The line of one node."""
    names = " " + ", ".join(map(word, node.names)) if node.names else ""
    inputs = f"({', '.join([f'%{numbers[i]}' for i in node.inputs])})" if node.inputs else ""
    text = f"  %{numbers[node]}{names} = {word(node.op.name)}{inputs}: {writer.type(node.type)}"
    shown = attribute_texts(node, writer)
    if shown:
        text += " {" + ", ".join(f"{word(name)}={value}" for name, value in shown) + "}"
    if with_lines and node.lines:
        text += " at " + ", ".join(f"{quoted(line.file)} {line.number}" for line in node.lines)
    return text


def attribute_texts(node: Node, writer: Writer) -> list[tuple[str, str]]:
    """Names and texts of a node's attributes, less what its type and exactness make needless."""
    hidden = {"type"} if node.op.name in TYPED and node.attrs.get("type") == node.type else set()
    if not writer.exact:
        hidden.add("serial")
    return [(k, writer.value(v)) for k, v in attr_items(node.attrs) if k not in hidden]


def parse_text(text: str, *, arrays: Mapping[str, Array] | None = None) -> Graph:
    """The graph that a text says; nodes printed alone come as the outputs of a graph.

    ``arrays``: those that were elided, by their content key.
    Raises: ParseError, with the number of the line.
    """
    parsing = _Parsing(Reader(arrays=arrays or {}))
    for number, line in enumerate(text.splitlines(), 1):
        try:
            parsing.line(line.strip())
        except ParseError as error:
            raise ParseError(
                message(f"line {number} is no graph text: {error}", {"line": repr(line[:100])})
            ) from error
    return parsing.result()


@dataclass(slots=True)
class _Parsing:
    """The graph that is being read, line by line."""

    reader: Reader
    nodes: dict[str, Node] | None = None
    params: list[Node] = field(default_factory=list)
    outputs: list[Node] | None = None
    is_main: bool = False
    main: Graph | None = None
    rests: dict[str, tuple[Type | None, dict[str, Any], tuple[Line, ...]]] = field(
        default_factory=dict
    )

    def line(self, line: str) -> None:
        """Read one line."""
        if not line or line.startswith("#"):
            return
        if line.startswith("%"):
            self.node(line)
            return
        first, _, rest = line.partition(" ")
        if first == "symgraph":
            check_version(rest)
        elif first == "dim":
            self.reader.declare(line)
        elif first == "state":
            self.reader.state(_after(rest, f"${len(self.reader.states)} = "))
        elif first in ("params", "outputs"):
            self.ends(first, rest)
        elif first in ("graph", "main"):
            self.finish()
            expected = "" if first == "main" else f"@{len(self.reader.graphs)}"
            if rest != expected or self.main is not None:
                raise ParseError(f"expected {f'graph {expected}' if expected else 'main'!r}")
            self.nodes, self.params, self.outputs = {}, [], None
            self.is_main = first == "main"
        else:
            raise ParseError("expected a node, a declaration, or the start or end of a graph")

    def node(self, line: str) -> None:
        """Make the node of a line."""
        match = _NODE.fullmatch(line)
        if match is None or self.nodes is None or self.outputs is not None:
            raise ParseError("not a node, or a node outside of a graph")
        number, names, op, inputs, rest = match.groups()
        if number in self.nodes:
            raise ParseError(f"%{number} is there already")
        name = unquoted(op) if op[0] == '"' else op
        found, attrs, lines = self.rest(rest or "")
        if name in TYPED and "type" not in attrs:
            attrs = {**attrs, "type": found}
        if name == "input" and "serial" not in attrs:
            attrs = {**attrs, "serial": fresh_token()}
        read = [self.find(i) for i in inputs.split(", ")] if inputs else []
        node = checked_node(name, read, attrs, found, lines)
        for label in _NAME.findall(names or ""):
            add_name(node, unquoted(label) if label[0] == '"' else label)
        self.nodes[number] = node

    def rest(self, text: str) -> tuple[Type | None, dict[str, Any], tuple[Line, ...]]:
        """Type, attributes and lines; remembered, for most nodes are like another."""
        if text not in self.rests:
            cursor = Cursor(text)
            found = self.reader.read_type(cursor) if cursor.kind() == "word" else None
            attrs: dict[str, Any] = {}
            if cursor.skip("{"):
                pairs = cursor.list_of(lambda: self.attribute(cursor), "}")
                attrs = dict(pairs)
                if len(attrs) != len(pairs):
                    raise ParseError("an attribute is there twice")
            lines: list[Line] = []
            while cursor.skip("," if lines else "at"):
                lines.append(Line(cursor.text(), cursor.whole()))
            cursor.end()
            if len(text) > 200:
                return found, attrs, tuple(lines)
            self.rests[text] = found, attrs, tuple(lines)
        return self.rests[text]

    def attribute(self, cursor: Cursor) -> tuple[str, Any]:
        """``name=value``."""
        is_quoted = cursor.kind() == "text"
        name = cursor.text() if is_quoted else cursor.take("word", "an attribute")
        cursor.expect("=")
        return name, self.reader.read_value(cursor)

    def find(self, reference: str) -> Node:
        """The node that ``%3`` is."""
        node = self.nodes.get(reference[1:]) if self.nodes is not None else None
        if node is None:
            raise ParseError(f"{reference[:20]!r} is no node above")
        return node

    def ends(self, label: str, rest: str) -> None:
        """Set the parameters or the outputs."""
        nodes = [self.find(r.strip()) for r in rest.split(",")] if rest.strip() else []
        if self.nodes is None or self.outputs is not None or (label == "params" and self.params):
            raise ParseError(f"{label} outside of a graph, or twice")
        if label == "params":
            self.params = nodes
        else:
            self.outputs = nodes

    def finish(self) -> None:
        """Close the graph that is being read."""
        if self.nodes is None:
            return
        if self.outputs is None:
            raise ParseError("the graph above has no outputs")
        graph = Graph(tuple(self.params), tuple(self.outputs))
        if self.is_main:
            self.main = graph
        else:
            self.reader.graphs.append(graph)
        self.nodes = None

    def result(self) -> Graph:
        """The main graph."""
        self.finish()
        if self.main is None:
            raise ParseError("the text ends before the main graph")
        return self.main


def check_version(text: str) -> None:
    """ParseError unless this version can be read."""
    if text != str(VERSION):
        raise ParseError(f"text of version {text[:20]!r}; this symgraph reads version {VERSION}")


def _after(text: str, start: str) -> str:
    if not text.startswith(start):
        raise ParseError(f"expected {start!r}")
    return text[len(start) :]


def checked_node(
    name: str,
    inputs: Sequence[Node],
    attrs: Mapping[str, Any],
    found: Type | None,
    lines: tuple[Line, ...] = (),
) -> Node:
    """The node of an op by name; ParseError where op, inputs, attributes and type do not fit."""
    op = OPS.get(name)
    if op is None:
        raise ParseError(f"there is no op named {name[:60]!r}")
    try:
        node = make_node(op, inputs, attrs, lines=lines)
    except Exception as error:  # whatever a type rule raises for attributes that it cannot have
        raise ParseError(f"{name} does not take these inputs and attributes: {error}") from error
    if found is not None and node.type != found:
        raise ParseError(f"{name} gives {node.type}, not {found}")
    for value in attrs.values():
        _check_state(node.type, value)
    return node


def _check_state(found: Type, value: object) -> None:
    """Compiled code trusts the type of a node with the memory of its state."""
    row = next((r for r in STATES.values() if type(value) is r.of), None)
    if row is None:
        return
    array = row.to_value(value)
    if (
        not isinstance(array, np.ndarray)
        or not isinstance(found, TensorType)
        or array.dtype != found.dtype
        or array.ndim != found.ndim
        or any(isinstance(d, int) and d != n for d, n in zip(found.shape, array.shape, strict=True))
    ):
        raise ParseError(f"the state of a {row.tag} is not {found}")
