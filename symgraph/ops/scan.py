"""``scan``: a loop with state, as one node that holds the graph of its step.

Node: inputs = initial states, sequences, captured values. Attributes: ``body`` (a Graph whose
parameters come in that order, each sequence as one element of it; outputs = next states, outs),
``n_state``, ``n_xs``, ``length`` (int or Dim), ``reverse``, and ``remat`` (the gradient keeps only
the states and computes the rest of a step again). The result is a tuple: last states, then outs
stacked along a new first axis. A reverse scan runs from the last index to the first; element i of
an out belongs to element i of the sequences.

Read next: ``scan_gradient``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, DTypeError, ShapeError, VerifyError, message
from symgraph.ir.dim import Dim, DimLike
from symgraph.ir.graph import Graph, close
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import Attrs, Op, find_op, register
from symgraph.ir.origin import Line, user_line
from symgraph.ir.type import ShapeContext, TensorType, TupleType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.capture import function_line, placeholder, results
from symgraph.ops.convert import asarray, cast, common_dtype
from symgraph.ops.scan_gradient import scan_vjp
from symgraph.ops.tree import Tree, flatten, flatten_like, paths, unflatten

MOST_TRACES = 4  # a weak state may change dtype once per kind: bool, int, float, complex


def scan(
    step: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: Any = None,
    *,
    reverse: bool = False,
    checkpoint: bool | int | None = None,
) -> tuple[Any, Any]:
    """Run ``state, out = step(state, x)`` for every x in ``xs``; gives the last state and all outs.

    Shapes: the state keeps its shapes and dtypes; ``xs`` are arrays of one length, or None with
    ``length``; outs get a new first axis.    ``init``, ``xs`` and ``out`` are variables or nested
    tuples, lists and dicts; ``out`` may be None. Python numbers in ``init`` take the dtype that the
    step gives them (``step`` is then traced twice).    ``reverse``: from the last element to the first.
    ``checkpoint``: the gradient stores the state of sqrt(length) steps (True; 32 where the length is
    not known yet), or of that many (int), and computes the steps between again. None: it stores what it needs of
    every step.
    Raises: ShapeError, DTypeError naming the state that changes; ArgumentError for other structures.
    """
    states, tree = flatten(init)
    sequences, x_tree = flatten(xs)
    start = [asarray(s) for s in states]
    elements = [asarray(x) for x in sequences]
    steps = _length(elements, length, paths(x_tree, "xs"))
    traced = trace_step(step, start, elements, tree, x_tree, function_line(step))
    start = [cast(s, p.dtype) for s, p in zip(start, traced.params, strict=False)]
    if checkpoint is not None and checkpoint is not False:
        from symgraph.ops.scan_checkpoint import segmented

        found = segmented(traced, start, elements, steps, reverse, checkpoint)
    else:
        found = run_scan(traced, start, elements, steps, reverse)
    return unflatten(tree, found[: len(start)]), unflatten(traced.out_tree, found[len(start) :])


@dataclass(frozen=True, slots=True)
class Step:
    """A traced step: placeholders of states and elements, next states, outs."""

    params: list[Variable]
    states: list[Variable]
    outs: list[Variable]
    out_tree: Tree


def run_scan(
    step: Step,
    start: Sequence[Variable],
    xs: Sequence[Variable],
    length: DimLike,
    reverse: bool,
    remat: bool = False,
) -> list[Variable]:
    """The scan node of a traced step: last states, then outs."""
    outputs = [*step.states, *step.outs]
    body, captured = close([p.node for p in step.params], [o.node for o in outputs])
    inputs = [*[s.node for s in start], *[x.node for x in xs], *captured]
    return results(scan_node(body, inputs, len(start), len(xs), length, reverse, remat))


def scan_node(
    body: Graph,
    inputs: Sequence[Node],
    n_state: int,
    n_xs: int,
    length: DimLike,
    reverse: bool,
    remat: bool = False,
) -> Node:
    """The node itself."""
    counts = {"n_state": n_state, "n_xs": n_xs}
    attrs = {"body": body, "length": length, "reverse": reverse, "remat": remat, **counts}
    return make_node(SCAN, inputs, attrs)


def trace_step(
    step: Callable[..., Any],
    start: Sequence[Variable],
    xs: Sequence[Variable],
    tree: Tree,
    x_tree: Tree,
    line: Line | None,
) -> Step:
    """Call the step on placeholders until the dtypes of weak states are settled; check the states."""
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
        same_type(n, p, name, str(line) if line else None)
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
    states = [asarray(s) for s in flatten_like(tree, result[0], "scan: the state that step returns")]
    outs, out_tree = flatten(result[1])
    return Step(params, states, [asarray(o) for o in outs], out_tree)


def same_type(value: Variable, like: Variable, name: str, line: str | None) -> Variable:
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
        hint = "start with an array of the shape that the step returns (sg.broadcast_to), or reduce it"
        raise ShapeError(message(f"{name} changes its shape in the loop", facts, line, hint)) from None
    return value


def _length(xs: Sequence[Variable], length: Any, names: Sequence[str]) -> DimLike:
    """The number of steps."""
    line = user_line()
    where = str(line) if line else None
    found: list[DimLike] = [] if length is None else [as_length(length)]
    for x, name in zip(xs, names, strict=True):
        if not x.shape:
            raise ShapeError(
                message(f"scan: {name} is a scalar", {name: x.type}, where, "it needs a first axis to run along")
            )
        found.append(x.shape[0])
    if not found:
        raise ArgumentError(message("scan needs xs or length", line=where, hint="scan(step, init, length=10)"))
    numbers = {d for d in found if isinstance(d, int)}
    if len(numbers) > 1:
        facts = dict(zip(names, [x.type for x in xs], strict=True)) | {"length": length}
        raise ShapeError(message("scan: lengths differ", facts, where, "all of xs run along their first axis"))
    return numbers.pop() if numbers else found[0]


def as_length(length: Any) -> DimLike:
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
        raise ArgumentError(message("scan: length must be an int or a dimension", {"got": length}, hint=hint))
    number = int(length.__index__())
    if number < 0:
        raise ArgumentError(f"scan: a negative length: {number}")
    return number


def _infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    body, n_state = attrs["body"], attrs["n_state"]
    if len(types) != len(body.params):
        raise VerifyError(f"scan: {len(types)} inputs for {len(body.params)} parameters")
    for k, (found, param) in enumerate(zip(types, body.params, strict=True)):
        assert isinstance(found, TensorType)
        if n_state <= k < n_state + attrs["n_xs"]:
            context.equal(found.shape[0], attrs["length"], "scan: lengths of xs differ")
            found = TensorType(found.dtype, found.shape[1:])
        must_equal(found, param.tensor, context, f"scan: input {k}")
    for k in range(n_state):
        must_equal(body.outputs[k].tensor, body.params[k].tensor, context, f"scan: state {k}")
    states = [p.tensor for p in body.params[:n_state]]
    outs = [
        TensorType(o.tensor.dtype, (attrs["length"], *o.tensor.shape)) for o in body.outputs[n_state:]
    ]
    return TupleType((*states, *outs))


def must_equal(found: TensorType, wanted: TensorType, context: ShapeContext, about: str) -> None:
    """Same dtype and rank (else VerifyError); dims equal, checked now or at the call."""
    if found.dtype != wanted.dtype or found.ndim != wanted.ndim:
        raise VerifyError(f"{about}: {found} instead of {wanted}")
    for a, b in zip(found.shape, wanted.shape, strict=True):
        context.equal(a, b, about)


def _reference(*arrays: Any, evaluate: Any, body: Graph, n_state: int, n_xs: int, **attrs: Any) -> Any:
    states, xs = list(arrays[:n_state]), arrays[n_state : n_state + n_xs]
    captured = arrays[n_state + n_xs :]
    order = range(attrs["length"])
    kept: list[Any] = [None] * attrs["length"]
    for t in reversed(order) if attrs["reverse"] else order:
        found = evaluate(body, [*states, *[x[t] for x in xs], *captured])
        states, kept[t] = found[:n_state], found[n_state:]
    outs = [
        np.stack([outs[j] for outs in kept]) if kept else np.empty((0, *o.tensor.shape), o.tensor.dtype)
        for j, o in enumerate(body.outputs[n_state:])
    ]
    return (*states, *outs)


SCAN = register(
    Op(
        "scan",
        "control",
        "A loop over the first axis with state.",
        infer=_infer,
        front=scan,
        reference=_reference,
        vjp=scan_vjp,
    )
)
