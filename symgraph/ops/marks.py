"""Ops that change nothing but the gradient: to stop it, clip it, replace it, or recompute for it.

They must stay in a graph until it has been differentiated; after that a compiler may drop the first
two and expand the third.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from symgraph.errors import ArgumentError, ShapeError, VerifyError, message
from symgraph.ir.dtype import is_inexact
from symgraph.ir.graph import Graph, map_graph
from symgraph.ir.node import make_node
from symgraph.ir.op import Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, TensorType, TupleType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.capture import close_lazily, function_line, placeholder, results, zeros_like
from symgraph.ops.convert import asarray, cast, wrap
from symgraph.ops.evaluate import evaluate_graph
from symgraph.ops.kinds import elementwise
from symgraph.ops.scan_segments import run_scan
from symgraph.ops.tracing import must_equal, trace_step
from symgraph.ops.tree import NONE, flatten, flatten_like, map_leaves, unflatten

STOP = elementwise(
    "stop_gradient",
    "x itself, taken as a constant by every derivative.",
    reference=lambda x: x,
    scalar=lambda s, x: x,
    grad=lambda g, y, x: [None],
)

CLIP = elementwise(
    "clip_gradient",
    "x itself, whose cotangent is clipped to lo .. hi.",
    reference=lambda x, lo, hi: x,
    takes="floating",
    scalar=lambda s, x, lo, hi: x,
    options={"lo": -1.0, "hi": 1.0},
    grad=lambda g, y, x, lo, hi: [find_op("clip")(g, lo, hi)],
)


def stop_gradient(x: Any) -> Any:
    """x itself, taken as a constant by every derivative; x may be a nested structure."""
    return map_leaves(STOP, x)


def clip_gradient(x: Any, lo: float, hi: float) -> Any:
    """x itself, whose gradient is clipped to lo .. hi on its way; x may be a nested structure."""
    if not lo <= hi:
        raise ArgumentError(message("clip_gradient: lo is above hi", {"lo": lo, "hi": hi}))
    return map_leaves(lambda v: CLIP(v, float(lo), float(hi)), x)


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own: it returns ``(result, backward)``.

    ``backward(g)``, with g in the structure of the result, gives one cotangent per argument (or
    None), as a tuple unless there is one argument. Arguments and results may be nested structures.
    What the function uses besides its arguments gets no gradient through it.
    """

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        leaves, tree = flatten(args)
        given = [asarray(leaf) for leaf in leaves]
        params = [placeholder(x.type, x.name) for x in given]
        since = placeholder(TensorType(asarray(0.0).dtype, ())).node.number
        made = function(*unflatten(tree, params))
        if not isinstance(made, tuple) or len(made) != 2 or not callable(made[1]):
            line = function_line(function)
            raise ArgumentError(
                message(
                    "custom_gradient: the function must return (result, backward)",
                    line=str(line) if line else None,
                    hint="backward(g) gives the cotangents of the arguments",
                )
            )
        outs, out_tree = flatten(made[0])
        ends = [asarray(o) for o in outs]
        gs = [placeholder(e.type) for e in ends]
        parts = _parts(made[1](unflatten(out_tree, gs)), args, tree.size)
        found = _node(given, params, ends, gs, _checked(parts, params), since)
        return unflatten(out_tree, found)

    return call


def _parts(result: Any, args: tuple[Any, ...], count: int) -> list[Any]:
    """The cotangents by leaf of the arguments; None for an argument stands for all its leaves."""
    by_argument = (result,) if len(args) == 1 and not _is_wrapped(result, args) else result
    if not isinstance(by_argument, tuple | list) or len(by_argument) != len(args):
        raise ArgumentError(
            message(
                f"custom_gradient: backward must give {len(args)} cotangents, one per argument",
                {"got": repr(by_argument)},
            )
        )
    parts: list[Any] = []
    for part, arg in zip(by_argument, args, strict=True):
        tree = flatten(arg)[1]
        parts += (
            [None] * tree.size
            if part is None
            else flatten_like(tree, part, "custom_gradient: a cotangent")
        )
    assert len(parts) == count
    return parts


def _is_wrapped(result: Any, args: tuple[Any, ...]) -> bool:
    """Is the cotangent of a single argument given as a tuple of one?"""
    return (
        isinstance(result, tuple | list)
        and len(result) == 1
        and not isinstance(args[0], tuple | list)
    )


def _checked(parts: Sequence[Any], params: Sequence[Variable]) -> list[Variable | None]:
    """Cotangents in the types of the arguments."""
    found: list[Variable | None] = []
    for part, param in zip(parts, params, strict=True):
        if part is None or not is_inexact(param.dtype):
            found.append(None)
            continue
        made = cast(asarray(part), param.dtype)
        if made.ndim != param.ndim:
            raise ShapeError(
                message(
                    "custom_gradient: a cotangent has another rank",
                    {"argument": param.type, "got": made.type},
                )
            )
        found.append(made)
    return found


def _node(
    given: Sequence[Variable],
    params: Sequence[Variable],
    ends: Sequence[Variable],
    gs: Sequence[Variable],
    parts: Sequence[Variable | None],
    since: int,
) -> list[Variable]:
    covers = tuple(k for k, p in enumerate(parts) if p is not None)
    before = [v.node for v in (*params, *gs)]
    bodies = [[e.node for e in ends], [p.node for p in parts if p is not None]]
    (body, backward), captured = close_lazily(before, bodies, since)
    # The parameters come as arguments, cotangents, captured values; only ``backward`` reads the
    # second.
    inputs = [*[x.node for x in given], *captured]
    attrs = {
        "body": body,
        "backward": backward,
        "covers": covers,
        "n_args": len(params),
        "n_outs": len(ends),
    }
    node = make_node(CUSTOM, inputs, attrs)
    return [wrap(node)] if isinstance(node.type, TensorType) else results(node)


def _params(inputs: Sequence[Any], gs: Sequence[Any], n_args: int) -> list[Any]:
    return [*inputs[:n_args], *gs, *inputs[n_args:]]


def _infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    body: Graph = attrs["body"]
    skipped = range(attrs["n_args"], attrs["n_args"] + attrs["n_outs"])
    params = [p for k, p in enumerate(body.params) if k not in skipped]
    if len(params) != len(types):
        raise VerifyError(f"custom_gradient: {len(types)} inputs for {len(params)} parameters")
    for k, (found, param) in enumerate(zip(types, params, strict=True)):
        assert isinstance(found, TensorType)
        must_equal(found, param.tensor, context, f"custom_gradient: input {k}")
    outs = tuple(o.type for o in body.outputs)
    return outs[0] if len(outs) == 1 else TupleType(outs)


def _expand(*inputs: Variable, body: Graph, n_args: int, n_outs: int, **attrs: Any) -> Any:
    """The function itself, as a Variable, or a tuple of them where it has several results."""
    unused = [body.params[n_args + k] for k in range(n_outs)]
    found = map_graph(body, _params([x.node for x in inputs], unused, n_args))
    made = tuple(Variable(n) for n in found)
    return made[0] if len(made) == 1 else made


def _vjp(
    g: Any,
    y: Any,
    *inputs: Variable,
    backward: Graph,
    n_args: int,
    covers: tuple[int, ...],
    **attrs: Any,
) -> Any:
    gs, ys = (g, y) if isinstance(g, list) else ([g], [y])
    full = [zeros_like(out) if one is None else one for one, out in zip(gs, ys, strict=True)]
    found = map_graph(backward, [v.node for v in _params(inputs, full, n_args)])
    parts: list[Variable | None] = [None] * len(inputs)
    for k, node in zip(covers, found, strict=True):
        parts[k] = Variable(node)
    return parts


def _reference(*arrays: Any, body: Graph, n_args: int, n_outs: int, **attrs: Any) -> Any:
    found = evaluate_graph(body, _params(arrays, [None] * n_outs, n_args))
    return found[0] if len(found) == 1 else tuple(found)


CUSTOM = register(
    Op(
        "custom_gradient",
        "composite",
        "A function with a gradient of its own.",
        infer=_infer,
        front=custom_gradient,
        reference=_reference,
        vjp=_vjp,
        expand=_expand,
    )
)


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose gradient computes it again instead of storing what is inside.

    Only what depends on the arguments is computed again: pass, rather than close over, what is
    large.
    """

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        leaves, tree = flatten(args)
        expand, squeeze = find_op("expand_dims"), find_op("squeeze")
        xs = [expand(asarray(x), 0) for x in leaves]
        step = trace_step(
            lambda _, x: (None, function(*x)), [], xs, NONE, tree, function_line(function)
        )
        # One step of a scan that stores nothing but its sequences: equal nodes inside are not
        # shared with those of the gradient, as nodes of one graph would be.
        outs = run_scan(step, [], xs, 1, reverse=False, remat=True)
        return unflatten(step.out_tree, [squeeze(o, 0) for o in outs])

    return call
