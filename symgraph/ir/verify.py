"""Is a graph legal? What every pass may rely on, checked again from nothing.

- A node is interned, its op is the one in the table, and its inputs were made before it.
- Inferring its type and checks again gives those that it has; dtypes are supported, dims not
  negative.
- Attributes are of the kinds that ``ir/literal.py`` names (or hashable), and arrays are read-only.
- A result with several parts is read by ``proj`` alone.
- Parameters occur in the bodies of nodes only, numbered from 0, each listed by its graph; nothing
  else comes from outside of a body.
- Names are texts, not empty, each once.

A violation is a bug of symgraph or of a plugin; VerifyError names the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import numpy as np

from symgraph.errors import SymgraphError, VerifyError, message
from symgraph.ir.dim import Dim, is_nonnegative, sub
from symgraph.ir.dtype import ALL
from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.node import MOST_LINES, Node, infer_type, interned
from symgraph.ir.op import OPS
from symgraph.ir.type import TensorType, TupleType, Type

OUTSIDE = ("input", "shared")  # leaves that no body may hold


def verify(what: Graph | Iterable[Node]) -> None:
    """Raise VerifyError, naming the node, unless a graph and all graphs inside it are legal.

    A graph given as such may have parameters or inputs as its parameters; outputs alone must not
    depend on ``param`` nodes.
    """
    seen: set[Graph] = set()
    pending: list[tuple[tuple[Node, ...], Graph | None]] = []
    if isinstance(what, Graph):
        pending.append((what.params + what.outputs, what))
        is_body = bool(what.params) and all(p.op.name == "param" for p in what.params)
    else:
        pending.append((tuple(what), None))
        is_body = False
    while pending:
        roots, graph = pending.pop()
        _verify_parameters(roots, graph, is_body)
        is_body = True
        for node in toposort(roots):
            _verify_node(node)
            inner = [g for g in subgraphs(node) if g not in seen]
            seen.update(inner)
            pending += [(g.params + g.outputs, g) for g in inner]


def _verify_parameters(roots: tuple[Node, ...], graph: Graph | None, is_body: bool) -> None:
    listed = graph.params if graph is not None else ()
    for node in toposort(roots):
        if node.op.name == "param" and node not in listed:
            _refuse(node, "a parameter that the graph around it does not list")
        if is_body and node.op.name in OUTSIDE:
            _refuse(node, "comes from outside, and the body of a node must be closed")
    if len(set(listed)) != len(listed):
        _refuse(listed[0], "a graph lists a parameter twice")
    for index, node in enumerate(listed if is_body else ()):
        if node.op.name != "param" or node.attrs.get("index") != index:
            _refuse(node, f"must be parameter number {index} of its graph")


def _verify_node(node: Node) -> None:
    if OPS.get(node.op.name) is not node.op:
        _refuse(node, "its op is not the one in the table")
    _verify_attributes(node)
    for child in node.inputs:
        if child.number >= node.number:
            _refuse(node, f"its input {child!r} was made after it")
        if isinstance(child.type, TupleType) and node.op.name != "proj":
            _refuse(node, f"reads {child!r}, which has several results, without proj")
    if not interned(node):
        _refuse(node, "not interned: there is another node like it")
    _verify_type(node, node.type)
    _verify_inference(node)
    _verify_names(node)


def _verify_inference(node: Node) -> None:
    try:
        found, checks = infer_type(node.op, node.inputs, node.attrs)
    except Exception as error:  # a type rule may raise anything for attributes it cannot have
        known = isinstance(error, SymgraphError)
        _refuse(node, f"no type: {error if known else repr(error)}", error)
    if found != node.type:
        _refuse(node, f"its inputs and attributes give {found}")
    if checks != node.checks:
        _refuse(node, f"its inputs and attributes give the checks {checks}")


def _verify_type(node: Node, found: Type) -> None:
    if isinstance(found, TupleType):
        for item in found.items:
            _verify_type(node, item)
        return
    if not isinstance(found, TensorType) or found.dtype not in ALL:
        _refuse(node, f"{found!r} is no type")
    for dim in found.shape:
        if type(dim) is not int and not isinstance(dim, Dim):
            _refuse(node, f"{dim!r} is no dimension")
        if is_nonnegative(sub(-1, dim)):
            _refuse(node, f"the dimension {dim} is negative")


def _verify_attributes(node: Node) -> None:
    for name, value in node.attrs.items():
        if not isinstance(name, str) or not name:
            _refuse(node, f"{name!r} is no name of an attribute")
        if isinstance(value, np.ndarray):
            if value.flags.writeable:
                _refuse(node, f"the array of its attribute {name} can be written to")
            continue
        try:
            hash(value)
        except TypeError as error:
            _refuse(node, f"its attribute {name} is not immutable: {error}", error)


def _verify_names(node: Node) -> None:
    names = node.names
    are_texts = all(isinstance(n, str) and n for n in names)
    if not are_texts or len(set(names)) != len(names) or len(names) > MOST_LINES:
        _refuse(node, f"its names are {names!r}")


def _refuse(node: Node, what: str, cause: Exception | None = None) -> NoReturn:
    facts = {"node": f"{node.op.name} {node.name or node.number}", "type": node.type}
    line = str(node.lines[0]) if node.lines else None
    raise VerifyError(message(f"{node.op.name}: {what}", facts, line)) from cause
