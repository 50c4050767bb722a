"""``cond``: a lazy choice between two computations, as one node.

Node: inputs = the condition, then values. Attributes: ``then`` and ``orelse``, Graphs over those
values. The result is the tuple of outputs of the branch taken; the other is not computed. What a
branch function makes is inside its branch; what existed before is captured, and computed outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import DTypeError, ShapeError, message
from symgraph.ir.dtype import is_inexact, promote
from symgraph.ir.graph import Graph, map_graph
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import Attrs, Op, register
from symgraph.ir.origin import user_line
from symgraph.ir.type import ShapeContext, TensorType, TupleType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.assume_inside import state_where_taken, stated_meanwhile, with_facts
from symgraph.ops.capture import close_lazily, placeholder, results, zeros_like
from symgraph.ops.convert import asarray, cast
from symgraph.ops.tracing import must_equal
from symgraph.ops.tree import flatten, flatten_like, paths, unflatten
from symgraph.ops.while_loop import check_condition


def cond(
    pred: Any, then_fn: Callable[..., Any], else_fn: Callable[..., Any], *operands: Any
) -> Any:
    """``then_fn(*operands)`` if ``pred`` else ``else_fn(*operands)``; only the one taken runs.

    Shapes: both give the same structure of variables, with the same shapes and dtypes; Python
    numbers take the dtype of the other branch.    ``pred``: a bool scalar.
    Raises: ArgumentError, ShapeError, DTypeError where the branches differ.
    """
    condition = check_condition(asarray(pred), "cond: pred")
    leaves, tree = flatten(operands)
    passed = [leaf for leaf in leaves if isinstance(leaf, Variable | np.ndarray)]
    params = {
        k: placeholder(asarray(x).type)
        for k, x in enumerate(leaves)
        if isinstance(x, Variable | np.ndarray)
    }
    given = unflatten(tree, [params.get(k, leaf) for k, leaf in enumerate(leaves)])
    since = placeholder(condition.type).node.number  # nodes made from here on are inside
    with stated_meanwhile() as of_then:
        taken, out_tree = flatten(then_fn(*given))
    with stated_meanwhile() as of_else:
        other = flatten_like(out_tree, else_fn(*given), "cond: the result of else_fn")
    pairs = [
        _alike(asarray(a), asarray(b), name)
        for a, b, name in zip(taken, other, paths(out_tree, "result"), strict=True)
    ]
    placeholders = [p.node for p in params.values()]

    def choose(then: Sequence[Variable], orelse: Sequence[Variable]) -> list[Variable]:
        bodies = [[v.node for v in then], [v.node for v in orelse]]
        (one, two), captured = close_lazily(placeholders, bodies, since)
        free = [*placeholders, *captured]
        one, two = with_facts(one, free, of_then), with_facts(two, free, of_else)
        inputs = [condition.node, *[asarray(x).node for x in passed], *captured]
        return results(make_node(COND, inputs, {"then": one, "orelse": two}))

    state_where_taken(choose, of_then)
    state_where_taken(lambda values, others: choose(others, values), of_else)
    return unflatten(out_tree, choose([a for a, _ in pairs], [b for _, b in pairs]))


def _alike(a: Variable, b: Variable, name: str) -> tuple[Variable, Variable]:
    """The results of both branches in one type."""
    if a.weak and b.weak:
        a, b = (cast(v, promote(a.dtype, b.dtype)) for v in (a, b))
    elif a.weak and np.can_cast(a.dtype, b.dtype, "same_kind"):
        a = cast(a, b.dtype)
    elif b.weak and np.can_cast(b.dtype, a.dtype, "same_kind"):
        b = cast(b, a.dtype)
    line = user_line()
    facts = {f"{name} of then_fn": a.type, f"{name} of else_fn": b.type}
    if a.dtype != b.dtype:
        raise DTypeError(
            message(
                "cond: the branches give different dtypes",
                facts,
                line,
                "use sg.astype in one of them",
            )
        )
    try:
        if a.ndim != b.ndim:
            raise ShapeError("another rank")
        for one, two in zip(a.shape, b.shape, strict=True):
            ShapeContext().equal(one, two, "branches")
    except ShapeError:
        raise ShapeError(
            message(
                "cond: the branches give different shapes",
                facts,
                line,
                "use sg.broadcast_to in one of them",
            )
        ) from None
    return a, b


def _infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    then, orelse = attrs["then"], attrs["orelse"]
    assert [p.type for p in then.params] == [p.type for p in orelse.params]
    for k, (found, param) in enumerate(zip(types[1:], then.params, strict=True)):
        assert isinstance(found, TensorType)
        must_equal(found, param.tensor, context, f"cond: input {k}")
    for k, (a, b) in enumerate(zip(then.outputs, orelse.outputs, strict=True)):
        must_equal(b.tensor, a.tensor, context, f"cond: result {k}")
    return TupleType(tuple(o.type for o in then.outputs))


def _reference(pred: Any, *arrays: Any, evaluate: Any, then: Graph, orelse: Graph) -> Any:
    return tuple(evaluate(then if bool(pred) else orelse, list(arrays)))


def _vjp(
    gs: Sequence[Variable | None],
    node: Node,
    differentiate: Any,
    wanted: Sequence[bool] | None = None,
) -> list[Variable | None]:
    """A cond of the branches' gradients, each of which computes its own forward values again."""
    values = node.inputs[1:]
    flags = (wanted or [True] * len(node.inputs))[1:]
    chosen = [k for k, v in enumerate(values) if flags[k] and is_inexact(v.tensor.dtype)]
    params = [placeholder(v.tensor) for v in values]
    cotangents = [(k, g) for k, g in enumerate(gs) if g is not None]
    given = [placeholder(node.type.items[k]) for k, _ in cotangents]  # type: ignore[union-attr, arg-type]
    since = placeholder(TensorType(np.dtype(bool), ())).node.number
    branches = []
    for body in (node.attrs["then"], node.attrs["orelse"]):
        outputs = map_graph(body, [p.node for p in params])
        ends = [outputs[k] for k, _ in cotangents]
        branches.append(differentiate(ends, given, [params[k].node for k in chosen]))
    reached = [j for j in range(len(chosen)) if any(b[j] is not None for b in branches)]
    bodies = [
        [(b[j] if b[j] is not None else zeros_like(params[chosen[j]])).node for j in reached]
        for b in branches
    ]
    parts: list[Variable | None] = [None] * len(node.inputs)
    if not reached:
        return parts
    nodes = [p.node for p in (*params, *given)]
    (then, orelse), captured = close_lazily(nodes, bodies, since)
    inputs = [*node.inputs, *[g.node for _, g in cotangents], *captured]
    found = results(make_node(COND, inputs, {"then": then, "orelse": orelse}))
    for j, g in zip(reached, found, strict=True):
        parts[1 + chosen[j]] = g
    return parts


COND = register(
    Op(
        "cond",
        "control",
        "A lazy choice between two computations.",
        infer=_infer,
        front=cond,
        reference=_reference,
        vjp=_vjp,
    )
)
