"""``scan``: a loop with state, as one node that holds the graph of its step.

Node: inputs = initial states, sequences, captured values. Attributes: ``body`` (a Graph whose
parameters come in that order, each sequence as one element of it; outputs = next states, outs),
``n_state``, ``n_xs``, ``length`` (int or Dim), ``reverse``, and ``remat`` (the gradient keeps only
the states and computes the rest of a step again). The result is a tuple: last states, then outs
stacked along a new first axis. A reverse scan runs from the last index to the first; element i of
an out belongs to element i of the sequences.

Read next: ``tracing``, ``scan_segments``, ``scan_gradient``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, ShapeError, VerifyError
from symgraph.ir.dim import DimLike
from symgraph.ir.graph import Graph
from symgraph.ir.op import Attrs, Op, register
from symgraph.ir.origin import at_line
from symgraph.ir.type import ShapeContext, TensorType, TupleType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.assume_inside import state_outside, stated_of
from symgraph.ops.capture import function_line
from symgraph.ops.convert import asarray, cast
from symgraph.ops.scan_gradient import scan_vjp
from symgraph.ops.scan_segments import run_scan, segmented
from symgraph.ops.tracing import Step, as_length, must_equal, trace_step
from symgraph.ops.tree import flatten, paths, unflatten


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
    step gives them (``step`` is then traced twice).    ``reverse``: from the last element to the
    first. ``checkpoint``: the gradient stores the state of sqrt(length) steps (True; 32 where the
    length is not known yet), or of that many (int), and computes the steps between again. None: it
    stores what it needs of every step. Raises: ShapeError, DTypeError naming the state that
    changes; ArgumentError for other structures.
    """
    states, tree = flatten(init)
    sequences, x_tree = flatten(xs)
    start = [asarray(s) for s in states]
    elements = [asarray(x) for x in sequences]
    steps = _length(elements, length, paths(x_tree, "xs"))
    traced = trace_step(step, start, elements, tree, x_tree, function_line(step))
    start = [cast(s, p.dtype) for s, p in zip(start, traced.params, strict=False)]
    _state_facts(traced, start, elements, steps, reverse)
    if checkpoint is not None and checkpoint is not False:
        found = segmented(traced, start, elements, steps, reverse, checkpoint)
    else:
        found = run_scan(traced, start, elements, steps, reverse)
    return unflatten(tree, found[: len(start)]), unflatten(traced.out_tree, found[len(start) :])


def _state_facts(
    step: Step,
    start: Sequence[Variable],
    xs: Sequence[Variable],
    length: DimLike,
    reverse: bool,
) -> None:
    """What was stated of values of the step, of the values of all steps."""
    stated = stated_of([p.node for p in step.params])
    if stated:
        from dataclasses import replace  # 3 ms, and not needed where nothing is stated

        values = replace(step, outs=[Variable(n) for n, _ in stated])
        found = run_scan(values, start, xs, length, reverse)[len(start) :]
        for value, (about, rows) in zip(found, stated, strict=True):
            state_outside(value, about, rows)


def _length(xs: Sequence[Variable], length: Any, names: Sequence[str]) -> DimLike:
    """The number of steps."""
    found: list[DimLike] = [] if length is None else [as_length(length, "scan: length")]
    for x, name in zip(xs, names, strict=True):
        if not x.shape:
            what = f"scan: {name} is a scalar"
            raise ShapeError(at_line(what, {name: x.type}, "it needs a first axis to run along"))
        found.append(x.shape[0])
    if not found:
        raise ArgumentError(at_line("scan needs xs or length", hint="scan(step, init, length=10)"))
    numbers = {d for d in found if isinstance(d, int)}
    if len(numbers) > 1:
        facts = dict(zip(names, [x.type for x in xs], strict=True)) | {"length": length}
        raise ShapeError(
            at_line("scan: lengths differ", facts, "all of xs run along their first axis")
        )
    return numbers.pop() if numbers else found[0]


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
        TensorType(o.tensor.dtype, (attrs["length"], *o.tensor.shape))
        for o in body.outputs[n_state:]
    ]
    return TupleType((*states, *outs))


def _reference(
    *arrays: Any, evaluate: Any, body: Graph, n_state: int, n_xs: int, **attrs: Any
) -> Any:
    states, xs = list(arrays[:n_state]), arrays[n_state : n_state + n_xs]
    captured = arrays[n_state + n_xs :]
    order = range(attrs["length"])
    kept: list[Any] = [None] * attrs["length"]
    for t in reversed(order) if attrs["reverse"] else order:
        found = evaluate(body, [*states, *[x[t] for x in xs], *captured])
        states, kept[t] = found[:n_state], found[n_state:]
    outs = [
        np.stack([outs[j] for outs in kept])
        if kept
        else np.empty((0, *o.tensor.shape), o.tensor.dtype)
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
