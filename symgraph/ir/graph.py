"""Graphs and walks over them, all without recursion.

A ``Graph`` has numbered parameters and outputs; the bodies of ``scan``, ``cond`` and
``while_loop`` are graphs held as attributes. Its parameters are ``param`` nodes, numbered, so that
equal bodies are the same object. Bodies are closed: what they use from outside is passed in.
"""

from __future__ import annotations

import copyreg
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from symgraph.display import mimebundle
from symgraph.ir.dim import Atom, Dim, DimLike, substitute
from symgraph.ir.node import Node, add_name, make_node, rebuild
from symgraph.ir.op import find_op
from symgraph.ir.origin import Line
from symgraph.ir.type import TensorType, TupleType, Type


class Graph:
    """Outputs as functions of numbered parameters; equal graphs are one object."""

    __slots__ = ("__weakref__", "outputs", "params")

    params: tuple[Node, ...]
    outputs: tuple[Node, ...]

    def __new__(cls, params: tuple[Node, ...], outputs: tuple[Node, ...]) -> Graph:
        key = (params, outputs)
        found = _graphs.get(key)
        if found is None:
            found = object.__new__(cls)
            found.params, found.outputs = params, outputs
            found = _graphs.setdefault(key, found)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _graph_from_table, (len(self.params), to_table(self.params + self.outputs))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __repr__(self) -> str:
        return f"<graph of {len(self.params)} parameters, {len(toposort(self.outputs))} nodes>"


_graphs: weakref.WeakValueDictionary[tuple[tuple[Node, ...], tuple[Node, ...]], Graph] = (
    weakref.WeakValueDictionary()
)


def _graph_from_table(count: int, table: list[tuple[Any, ...]]) -> Graph:
    nodes = nodes_from_table(table)
    return Graph(nodes[:count], nodes[count:])


def toposort(
    outputs: Iterable[Node],
    stop: Callable[[Node], bool] | None = None,
    begun: Iterable[Node] = (),
) -> list[Node]:
    """All nodes that outputs depend on, inputs first; walks no further than where ``stop``.

    ``begun``: what this gave for the first of the outputs, for who knows it.
    """
    order: list[Node] = [*begun]
    done: set[Node] = set(order)
    stack = [*outputs][::-1]
    while stack:
        node = stack[-1]
        if node not in done:
            inputs = node.inputs
            if not done.issuperset(inputs) and (stop is None or not stop(node)):
                stack += inputs[::-1]  # and this node once more, when they are done
                continue
            done.add(node)
            order.append(node)
        stack.pop()
    return order


def leaves(outputs: Iterable[Node], op: str) -> list[Node]:
    """The nodes of one leaf op ("input", "shared", "constant", "param"), in order of making."""
    return sorted((n for n in toposort(outputs) if n.op.name == op), key=lambda n: n.number)


def subgraphs(node: Node) -> list[Graph]:
    """The graphs held by a node's attributes."""
    attrs = node.attrs
    return [v for v in attrs.values() if isinstance(v, Graph)] if attrs else []


def substitute_nodes(
    outputs: Iterable[Node],
    mapping: Mapping[Node, Node],
    dims: Mapping[Atom, DimLike] | None = None,
) -> tuple[Node, ...]:
    """Outputs with nodes replaced, and dimension symbols replaced in all types and attributes."""
    outputs = tuple(outputs)
    made: dict[Node, Node] = dict(mapping)
    for node in toposort(outputs, stop=lambda n: n in mapping):
        if node in made:
            continue
        inputs = tuple(made[i] for i in node.inputs)
        made[node] = rebuild(node, inputs, substitute_attrs(node, dims) if dims else None)
    return tuple(made[o] for o in outputs)


def substitute_attrs(node: Node, dims: Mapping[Atom, DimLike]) -> Mapping[str, Any]:
    """The attributes of a node with dimension symbols replaced, in graphs held by it too."""
    changed = {k: _substitute_value(v, dims) for k, v in node.attrs.items()}
    return changed if any(changed[k] is not node.attrs[k] for k in changed) else node.attrs


def _substitute_value(value: Any, dims: Mapping[Atom, DimLike]) -> Any:
    if isinstance(value, Dim):
        found = substitute(value, dims)
        return value if found == value else found
    if isinstance(value, tuple):
        items = tuple(_substitute_value(v, dims) for v in value)
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if isinstance(value, TensorType):
        shape = tuple(substitute(d, dims) for d in value.shape)
        return value if shape == value.shape else TensorType(value.dtype, shape)
    if isinstance(value, TupleType):
        items = tuple(_substitute_value(v, dims) for v in value.items)
        return value if items == value.items else TupleType(items)
    if isinstance(value, Graph):
        nodes = substitute_nodes(value.params + value.outputs, {}, dims)
        return Graph(nodes[: len(value.params)], nodes[len(value.params) :])
    return value


def map_graph(graph: Graph, params: Iterable[Node]) -> tuple[Node, ...]:
    """The outputs of a graph with its parameters replaced by nodes."""
    return substitute_nodes(graph.outputs, dict(zip(graph.params, params, strict=True)))


def param_node(index: int, found: Type) -> Node:
    """Parameter number ``index`` of a graph."""
    return make_node(find_op("param"), (), {"index": index, "type": found}, lines=())


def close(params: list[Node], outputs: list[Node]) -> tuple[Graph, list[Node]]:
    """A closed graph from outputs over placeholder ``params``, and what it captures from outside.

    Captured nodes become further parameters. The largest parts that do not depend on the
    placeholders are captured whole (they are computed once, outside); scalar constants stay inside.
    """
    order = toposort(outputs)
    inner = set(params)
    for node in order:
        if any(i in inner for i in node.inputs):
            inner.add(node)
    captured: dict[Node, None] = {}
    for node in order:
        if node in inner:
            captured.update(
                dict.fromkeys(i for i in node.inputs if i not in inner and not _stays(i))
            )
    captured.update(dict.fromkeys(o for o in outputs if o not in inner and not _stays(o)))
    free = list(captured)
    numbered = [param_node(k, n.type) for k, n in enumerate([*params, *free])]
    for new, old in zip(numbered, [*params, *free], strict=True):
        for name in old.names:
            add_name(new, name)
    mapping = dict(zip([*params, *free], numbered, strict=True))
    return Graph(tuple(numbered), substitute_nodes(outputs, mapping)), free


def _stays(node: Node) -> bool:
    if node.op.name == "constant":
        return bool(node.tensor.shape == ())
    return node.op.name == "dim"


NodeRow = tuple[Any, ...]


def to_table(outputs: tuple[Node, ...]) -> list[NodeRow]:
    """Rows of op name, input numbers, attributes, lines, names; then the outputs' numbers."""
    order = toposort(outputs)
    index = {n: k for k, n in enumerate(order)}
    rows: list[NodeRow] = [
        (
            n.op.name,
            tuple(index[i] for i in n.inputs),
            dict(n.attrs),
            tuple((line.file, line.number) for line in n.lines),
            n.names,
        )
        for n in order
    ]
    return [*rows, ("outputs", tuple(index[o] for o in outputs))]


def nodes_from_table(table: list[NodeRow]) -> tuple[Node, ...]:
    """The output nodes of a table made by ``to_table``."""
    made: list[Node] = []
    for name, inputs, attrs, lines, names in table[:-1]:
        where = tuple(Line(f, k) for f, k in lines)
        node = make_node(find_op(name), tuple(made[i] for i in inputs), attrs, lines=where)
        for label in names:
            add_name(node, label)
        made.append(node)
    return tuple(made[i] for i in table[-1][1])


def from_table(table: list[NodeRow]) -> Node:
    """The single output node of a table."""
    return nodes_from_table(table)[0]


def _reduce_node(node: Node) -> tuple[Any, ...]:
    """A node pickles as a table of all nodes below it, so that depth costs no recursion."""
    return from_table, (to_table((node,)),)


copyreg.pickle(Node, _reduce_node)
