"""The scan of a traced step: one node, or, for ``checkpoint=``, a scan of scans.

The gradient of the latter stores only the states between segments: N steps in K segments store K
states, and N / K steps at a time while going backwards; K = sqrt(N) stores least. The outer scan is
marked ``remat``: its gradient runs a segment again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgraph.errors import ArgumentError
from symgraph.ir.dim import DimLike, floordiv, mul, sub
from symgraph.ir.graph import Graph, close
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.assume_inside import stated_of, with_facts
from symgraph.ops.capture import placeholder, results
from symgraph.ops.tracing import Step

SEGMENTS = (
    32  # where the length is not known: within a factor 2 of the least memory up to 4,000 steps
)


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
    params = [p.node for p in step.params]
    body, captured = close(params, [o.node for o in outputs])
    body = with_facts(body, [*params, *captured], stated_of(params))
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
    return make_node(find_op("scan"), inputs, attrs)


def segmented(
    step: Step,
    start: Sequence[Variable],
    xs: Sequence[Variable],
    length: DimLike,
    reverse: bool,
    checkpoint: bool | int,
) -> list[Variable]:
    """The results of a scan, run in segments and a rest: last states, then outs."""
    count = _segments(length, checkpoint)
    per_segment = floordiv(length, count)
    if isinstance(per_segment, int) and per_segment < 2:
        return run_scan(step, start, xs, length, reverse)
    covered = mul(per_segment, count)
    rest = sub(length, covered)
    first = rest if reverse else 0  # a reverse scan begins with the last elements
    blocks = [_split(_cut(x, first, covered), count, per_segment) for x in xs]
    found = run_scan(
        _segment(step, per_segment, reverse), start, blocks, count, reverse, remat=True
    )
    n_state = len(start)
    states, outs = found[:n_state], [_join(o, covered) for o in found[n_state:]]
    if rest == 0:
        return [*states, *outs]
    edge: DimLike = 0 if reverse else covered
    tail = run_scan(step, states, [_cut(x, edge, rest) for x in xs], rest, reverse)
    pairs = zip(outs, tail[n_state:], strict=True)
    concat = find_op("concat")
    return [*tail[:n_state], *[concat([t, o] if reverse else [o, t]) for o, t in pairs]]


def _segments(length: DimLike, checkpoint: bool | int) -> int:
    if checkpoint is True:
        return max(1, math.isqrt(length)) if isinstance(length, int) else SEGMENTS
    if not isinstance(checkpoint, int) or checkpoint < 1:
        raise ArgumentError(
            f"scan: checkpoint must be True or a number of segments, not {checkpoint!r}"
        )
    return checkpoint


def _segment(step: Step, length: DimLike, reverse: bool) -> Step:
    """The step of the outer scan: the inner scan over one segment."""
    n_state = len(step.states)
    states = [placeholder(p.type) for p in step.params[:n_state]]
    xs = [placeholder(TensorType(p.dtype, (length, *p.shape))) for p in step.params[n_state:]]
    found = run_scan(step, states, xs, length, reverse)
    return Step([*states, *xs], found[:n_state], found[n_state:], step.out_tree)


def _cut(x: Variable, start: DimLike, length: DimLike) -> Variable:
    """x[start : start + length]."""
    if start == 0 and length == x.shape[0]:
        return x
    starts = (start, *[0] * (x.ndim - 1))
    return find_op("slice")(x, starts, (1,) * x.ndim, (length, *x.shape[1:]))  # type: ignore[no-any-return]


def _split(x: Variable, count: DimLike, length: DimLike) -> Variable:
    return find_op("reshape")(x, (count, length, *x.shape[1:]))  # type: ignore[no-any-return]


def _join(x: Variable, length: DimLike) -> Variable:
    return find_op("reshape")(x, (length, *x.shape[2:]))  # type: ignore[no-any-return]
