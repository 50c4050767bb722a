"""Tracing the step of a loop: what it makes of its state, which must keep its shapes and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, DTypeError, ShapeError, VerifyError, message
from symgraph.ir.dim import Dim, DimLike
from symgraph.ir.origin import Line
from symgraph.ir.type import ShapeContext, TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.capture import placeholder
from symgraph.ops.convert import asarray, cast, common_dtype
from symgraph.ops.tree import Tree, flatten, flatten_like, paths, unflatten
from symgraph.records import dataclass

MOST_TRACES = 4  # a weak state may change dtype once per kind: bool, int, float, complex


@dataclass(frozen=True, slots=True)
class Step:
    """A traced step: placeholders of states and elements, next states, outs."""

    params: list[Variable]
    states: list[Variable]
    outs: list[Variable]
    out_tree: Tree


def trace_step(
    step: Callable[..., Any],
    start: Sequence[Variable],
    xs: Sequence[Variable],
    tree: Tree,
    x_tree: Tree,
    line: Line | None,
) -> Step:
    """Call the step on placeholders until the dtypes of weak states are settled; check states."""
    names = [*paths(tree, "state"), *paths(x_tree, "x")]
    types = [s.type for s in start]
    weak = [s.weak for s in start]
    element_types = [TensorType(x.dtype, x.shape[1:]) for x in xs]
    for _ in range(MOST_TRACES):
        flags = [*weak, *[False] * len(xs)]
        params = [
            placeholder(t, n, weak=w)
            for t, n, w in zip([*types, *element_types], names, flags, strict=True)
        ]
        made = _call(step, params, tree, x_tree, line)
        if not any(weak):
            break
        types = [
            TensorType(common_dtype([s, n]), s.shape) if s.weak else s.type
            for s, n in zip(params, made.states, strict=False)
        ]
        weak = [False] * len(weak)
    states = [
        same_type(n, p, name, line)
        for n, p, name in zip(made.states, made.params, names, strict=False)
    ]
    return Step(made.params, states, made.outs, made.out_tree)


def _call(
    step: Callable[..., Any], params: list[Variable], tree: Tree, x_tree: Tree, line: Line | None
) -> Step:
    count = tree.size
    result = step(unflatten(tree, params[:count]), unflatten(x_tree, params[count:]))
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise ArgumentError(
            message(
                "scan: step must return a pair (state, out)",
                {"got": type(result).__name__},
                str(line) if line else None,
                "return state, None where there is no out",
            )
        )
    states = [
        asarray(s) for s in flatten_like(tree, result[0], "scan: the state that step returns")
    ]
    outs, out_tree = flatten(result[1])
    return Step(params, states, [asarray(o) for o in outs], out_tree)


def same_type(value: Variable, like: Variable, name: str, line: Line | None) -> Variable:
    """The next value of a state, which must have the state's type; Python numbers are converted."""
    if value.weak and not like.weak and np.can_cast(value.dtype, like.dtype, "same_kind"):
        value = cast(value, like.dtype)
    facts = {f"{name} before": like.type, f"{name} after": value.type}
    if value.dtype != like.dtype:
        raise DTypeError(
            message(
                f"{name} changes its dtype in the loop",
                facts,
                line,
                f"start with {value.dtype}, or return sg.astype(..., {str(like.dtype)!r})",
            )
        )
    context = ShapeContext()
    try:
        if value.ndim != like.ndim:
            raise ShapeError("another rank")
        for a, b in zip(value.shape, like.shape, strict=True):
            context.equal(a, b, "state")
    except ShapeError:
        hint = (
            "start with an array of the shape that the step returns (sg.broadcast_to), or reduce it"
        )
        raise ShapeError(
            message(f"{name} changes its shape in the loop", facts, line, hint)
        ) from None
    return value


def as_length(length: Any, about: str) -> DimLike:
    """An int or a dim from what users give as a number of steps; ArgumentError otherwise."""
    if isinstance(length, Dim):
        return length
    if isinstance(length, Variable):
        attrs = length.node.attrs
        if length.node.op.name == "dim":
            return attrs["dim"]  # type: ignore[no-any-return]
        if length.node.op.name == "constant":
            length = attrs["value"][()]
    if not hasattr(length, "__index__") or isinstance(length, Variable):
        hint = "use a dimension (x.shape[0]), or xs=sg.arange(n), or while_loop with a counter"
        raise ArgumentError(
            message(f"{about} must be an int or a dimension", {"got": length}, hint=hint)
        )
    number = int(length.__index__())
    if number < 0:
        raise ArgumentError(f"{about} is negative: {number}")
    return number


def must_equal(found: TensorType, wanted: TensorType, context: ShapeContext, about: str) -> None:
    """Same dtype and rank (else VerifyError); dims equal, checked now or at the call."""
    if found.dtype != wanted.dtype or found.ndim != wanted.ndim:
        raise VerifyError(f"{about}: {found} instead of {wanted}")
    for a, b in zip(found.shape, wanted.shape, strict=True):
        context.equal(a, b, about)
