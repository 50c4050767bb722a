"""What is stated inside of loops and branches, stated again of values outside, for debug mode.

A fact about what a step computes holds for every step that runs, one of a branch only where that
branch is taken. Such a value has no node outside, so one is made that only debug mode evaluates:
a scan that gives the value of every step, a loop that keeps the first value that breaks the fact,
a branch beside one whose value breaks nothing.

Rules see such facts inside of the body alone. Parameters of bodies are numbered and shared between
all of them, so a body of which something is stated gets parameters of its own (``with_facts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any  # attributes of nodes are of any type

import numpy as np

from symgraph.ir.dim import fresh_token
from symgraph.ir.dtype import FLOAT64
from symgraph.ir.graph import Graph, substitute_nodes, toposort
from symgraph.ir.node import Node, add_name, make_node
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops.assume import (
    Assumption,
    assumptions,
    everything_stated,
    hold,
    state,
    withdraw,
)
from symgraph.ops.convert import asarray, cast

Rows = tuple[Assumption, ...]
_BROKEN = {
    ">": "less_equal",
    ">=": "less",
    "<": "greater_equal",
    "<=": "greater",
    "!=": "equal",
}  # none is true of NaN


def stated_of(params: Sequence[Node]) -> list[tuple[Node, Rows]]:
    """What was stated of values that depend on these placeholders."""
    inner = set(params)
    stated = everything_stated()
    return [(n, rows) for n, rows in stated.items() if not inner.isdisjoint(toposort([n]))]


@contextmanager
def stated_meanwhile() -> Iterator[list[tuple[Node, Rows]]]:
    """What is stated inside of a block; it holds nowhere else."""
    before = everything_stated()
    found: list[tuple[Node, Rows]] = []
    yield found
    for node, rows in everything_stated().items():
        new = tuple(r for r in rows if r not in before.get(node, ()))
        if new:
            found.append((node, new))
            withdraw(node, new)


def with_facts(body: Graph, free: Sequence[Node], stated: Sequence[tuple[Node, Rows]]) -> Graph:
    """A body made by ``close``, in which facts hold that were stated of the same before that.

    ``free``: the placeholders and captured nodes that its parameters stand for.
    """
    if not stated:
        return body
    own = tuple(_of_its_own(p) for p in body.params)
    outputs = substitute_nodes(body.outputs, dict(zip(body.params, own, strict=True)))
    mapping = dict(zip(free, own, strict=True))
    state_images(stated, mapping)
    return Graph(own, outputs)


def _of_its_own(param: Node) -> Node:
    return param_with(param, {**param.attrs, "serial": fresh_token()})


def param_with(param: Node, attrs: Mapping[str, Any]) -> Node:
    """A parameter of the same names with other attributes."""
    made = make_node(param.op, (), attrs, lines=())
    for name in param.names:
        add_name(made, name)
    return made


def state_images(stated: Sequence[tuple[Node, Rows]], mapping: Mapping[Node, Node]) -> None:
    """State facts again, of what becomes of their nodes where others take some places."""
    images = substitute_nodes([n for n, _ in stated], mapping)
    for image, (_, rows) in zip(images, stated, strict=True):
        state(image, rows)


def stated_in(body: Graph) -> list[tuple[Node, Rows]]:
    """What was stated of the parameters of a body, and of what it computes."""
    if not everything_stated():
        return []
    nodes = toposort((*body.params, *body.outputs))
    return [
        (n, assumptions(n)) for n in nodes if n.inputs or n.op.name == "param" if assumptions(n)
    ]


def carried_over(body: Graph, params: Sequence[Node]) -> Graph:
    """The body over other parameters, of which the same is stated."""
    mapping = dict(zip(body.params, params, strict=True))
    state_images(stated_in(body), mapping)
    return Graph(tuple(params), substitute_nodes(body.outputs, mapping))


def state_outside(value: Variable, about: Node, rows: Rows) -> None:
    """State of a value outside what was stated of one inside, by whose name it goes."""
    what = (
        "what the step is given" if about.op.name == "input" else f"the result of {about.op.name}"
    )
    for name in about.names or (what,):
        add_name(value.node, name)
    state(value.node, rows)
    hold(value.node)


def state_where_taken(
    choose: Callable[[list[Variable], list[Variable]], list[Variable]],
    stated: Sequence[tuple[Node, Rows]],
) -> None:
    """State facts of a branch: ``choose`` gives its values where it is taken, else the others."""
    if not stated:
        return
    values = [cast(Variable(n), FLOAT64) for n, _ in stated]
    others = [
        v * 0.0 + asarray(_harmless(rows)) for v, (_, rows) in zip(values, stated, strict=True)
    ]
    for value, (about, rows) in zip(choose(values, others), stated, strict=True):
        state_outside(value, about, rows)


def first_broken(kept: Variable, about: Node, row: Assumption) -> Variable:
    """``kept`` if it breaks a fact or the value does not; else the value, in float64."""
    value = cast(Variable(about), FLOAT64)
    keeps = _broken(kept, row) | ~_broken(value, row)
    return find_op("where")(keeps, kept, value)  # type: ignore[no-any-return]


def nothing_broken(about: Node, row: Assumption) -> Variable:
    """Numbers in the shape of a value that break nothing, as ``first_broken`` begins."""
    return find_op("broadcast_to")(asarray(_harmless((row,))), about.tensor.shape)  # type: ignore[no-any-return]


def _harmless(rows: Rows) -> np.float64:
    """A number that breaks no fact: NaN, about which all but one say nothing."""
    return np.float64(0.0 if any(r.relation == "finite" for r in rows) else np.nan)


def _broken(x: Variable, row: Assumption) -> Variable:
    if row.relation == "finite":
        return ~find_op("isfinite")(x)  # type: ignore[no-any-return]
    if row.relation == "whole":
        return find_op("greater")(x, find_op("floor")(x))  # type: ignore[no-any-return]
    if row.relation == "==":
        return find_op("less")(x, row.bound) | find_op("greater")(x, row.bound)  # type: ignore[no-any-return]
    return find_op(_BROKEN[row.relation])(x, row.bound)  # type: ignore[no-any-return]
