"""From functions of variables to closed graphs: placeholders, tracing, and what a body captures.

``ir.graph.close`` closes the body of a loop, where all that does not depend on the placeholders is
computed once, outside. A branch is lazy: what it makes stays inside, and only what was there
before is captured (``close_lazily``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.ir.dim import fresh_token
from symgraph.ir.graph import Graph, param_node, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import Line, is_ours, user_line
from symgraph.ir.type import TensorType, TupleType
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, wrap

_OUTSIDE = ("input", "shared", "param")  # leaves that are bound outside of any body


def placeholder(found: TensorType, name: str | None = None, *, weak: bool = False) -> Variable:
    """A fresh variable of a type, to trace a function with; `name` is for error messages."""
    node = make_node(find_op("input"), (), {"serial": fresh_token(), "type": found}, lines=())
    made = Variable(node, weak=weak)
    made._name = name  # not the node's: the parameters that replace it are shared between graphs
    return made


def zeros_like(x: Variable) -> Variable:
    """Zeros with the type of x."""
    zero = asarray(np.zeros((), x.dtype))
    return zero if not x.shape else find_op("broadcast_to")(zero, x.shape)


def results(node: Node) -> list[Variable]:
    """All results of a node with several."""
    assert isinstance(node.type, TupleType)
    proj = find_op("proj")
    return [wrap(make_node(proj, (node,), {"index": k})) for k in range(len(node.type.items))]


def function_line(function: Callable[..., Any]) -> Line | None:
    """Where a user's function is defined, else the line that passes it."""
    code = getattr(function, "__code__", None)
    if code is None or is_ours(code.co_filename):
        return user_line()
    return Line(code.co_filename, code.co_firstlineno)


def close_lazily(
    params: Sequence[Node], bodies: Sequence[Sequence[Node]], since: int
) -> tuple[list[Graph], list[Node]]:
    """Closed graphs over the same parameters, and what they capture: nodes older than ``since``.

    The captured nodes become further parameters of every graph. Scalar constants stay inside.
    """
    known = set(params)

    def outside(node: Node) -> bool:
        if node in known or node.op.name == "dim":
            return False
        if node.op.name == "constant":
            return node.tensor.shape != ()
        return node.number < since or node.op.name in _OUTSIDE

    everything = toposort([o for body in bodies for o in body], stop=outside)
    free = [n for n in everything if outside(n)]
    return [graph_of([*params, *free], body) for body in bodies], free


def graph_of(params: Sequence[Node], outputs: Sequence[Node]) -> Graph:
    """The graph of outputs in terms of nodes that become its numbered parameters."""
    numbered = tuple(param_node(k, n.type) for k, n in enumerate(params))
    return Graph(numbered, substitute_nodes(outputs, dict(zip(params, numbered, strict=True))))
