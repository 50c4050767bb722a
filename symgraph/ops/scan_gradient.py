"""The gradient of ``scan``: a forward scan that also stores what the backward one reads.

The step is differentiated symbolically once. In the resulting graph, the nodes that do not depend
on a cotangent are known forward; those at the border, which the backward part reads, are the
candidates for storing. What is cheap to compute from other stored values is computed again
instead (``residuals``); with ``remat`` only states and sequences are stored. The backward scan
carries the cotangents of the states and the sums for captured values; contributions that are
outer or matrix products leave the loop and become one product (``OuterSum``).

The result is again made of scans, so gradients of gradients need nothing more. The stored values
are outs of a copy of the scan node; ``rewrite.loops`` merges it with the original.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symgraph.ir.dtype import is_inexact
from symgraph.ir.graph import close, map_graph, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.capture import placeholder, results, zeros_like

Differentiate = Callable[..., list[Variable | None]]

# Ops that cost less to compute again than to store and load a value of every step.
CHEAP = frozenset(
    "add subtract multiply negative positive abs square where sign astype less less_equal greater greater_equal "
    "equal not_equal logical_and logical_or logical_not bitwise_and bitwise_or bitwise_xor bitwise_invert "
    "maximum minimum clip real imag conj stop_gradient broadcast_to reshape permute_dims expand_dims squeeze "
    "getitem slice flip".split()
)


@dataclass(frozen=True, slots=True)
class Forward:
    """A scan node taken apart, with fresh placeholders for its parameters."""

    node: Node
    params: list[Variable]
    states: list[Node]  # next states, in terms of params
    outs: list[Node]
    n_state: int
    n_xs: int

    @classmethod
    def of(cls, node: Node) -> Forward:
        """The parts of a node; captured values stand for themselves."""
        body, n_state, n_xs = node.attrs["body"], node.attrs["n_state"], node.attrs["n_xs"]
        params = [placeholder(p.tensor) for p in body.params]
        made = map_graph(body, [p.node for p in params])
        return cls(node, params, list(made[:n_state]), list(made[n_state:]), n_state, n_xs)


@dataclass(frozen=True, slots=True)
class Derivative:
    """The differentiated step: cotangent placeholders in, cotangents of the parameters out."""

    carried: list[int]  # the states that have a cotangent
    g_states: dict[int, Variable]  # placeholders, of the carried states
    g_outs: dict[int, Variable]  # placeholders, of the outs that have a cotangent
    parts: dict[int, Variable]  # cotangents by parameter


def scan_vjp(
    gs: Sequence[Variable | None],
    node: Node,
    differentiate: Differentiate,
    wanted: Sequence[bool] | None = None,
) -> list[Variable | None]:
    """Cotangents of a scan's inputs; only for those wanted."""
    forward = Forward.of(node)
    wanted = _differentiable(node, wanted)
    step = _differentiate_step(forward, gs, differentiate, wanted)
    if not step.carried and not step.g_outs:
        return [None] * len(node.inputs)
    return _Backward(forward, step, gs, wanted).run()


def _differentiable(node: Node, wanted: Sequence[bool] | None) -> list[bool]:
    flags = wanted or [True] * len(node.inputs)
    return [w and is_inexact(i.tensor.dtype) for w, i in zip(flags, node.inputs, strict=True)]


def _needed(forward: Forward, wanted: Sequence[bool]) -> set[int]:
    """The states whose cotangents lead to something wanted."""
    order = toposort(forward.states)
    needed = {k for k in range(forward.n_state) if wanted[k]}
    while True:
        reached = {
            p.node for k, p in enumerate(forward.params) if k in needed or (k >= forward.n_state and wanted[k])
        }
        for n in order:
            if any(i in reached for i in n.inputs) and (
                not isinstance(n.type, TensorType) or is_inexact(n.type.dtype)
            ):
                reached.add(n)
        found = needed | {k for k, s in enumerate(forward.states) if s in reached}
        found = {k for k in found if is_inexact(forward.states[k].tensor.dtype)}
        if found == needed:
            return needed
        needed = found


def _differentiate_step(
    forward: Forward, gs: Sequence[Variable | None], differentiate: Differentiate, wanted: Sequence[bool]
) -> Derivative:
    """Differentiate the step until it is known which states have a cotangent at all."""
    needed = _needed(forward, wanted)
    n_state = forward.n_state
    g_outs = {j: placeholder(forward.outs[j].tensor) for j, g in enumerate(gs[n_state:]) if g is not None}
    wrt = [k for k in range(len(forward.params)) if (k in needed if k < n_state else wanted[k])]
    carried = {k for k in needed if gs[k] is not None}
    g_states = {k: placeholder(forward.params[k].type) for k in needed}
    while True:
        ends = [forward.states[k] for k in sorted(carried)] + [forward.outs[j] for j in g_outs]
        seeds = [g_states[k] for k in sorted(carried)] + list(g_outs.values())
        found = differentiate(ends, seeds, [forward.params[k].node for k in wrt])
        parts = {k: p for k, p in zip(wrt, found, strict=True) if p is not None}
        grown = carried | {k for k in parts if k < n_state}
        if grown == carried:
            kept = {k: g_states[k] for k in sorted(carried)}
            return Derivative(sorted(carried), kept, g_outs, parts)
        carried = grown


@dataclass(frozen=True, slots=True)
class OuterSum:
    """A contribution a @ b (``left`` (m, p), ``right`` (p, n)) summed over all steps by one product."""

    left: Variable
    right: Variable

    def total(self, lefts: Variable, rights: Variable) -> Variable:
        """sum over t of lefts[t] @ rights[t], of sequences (T, m, p) and (T, p, n)."""
        reshape, swap = find_op("reshape"), find_op("permute_dims")
        steps, m, p = lefts.shape
        joined = reshape(swap(lefts, (1, 0, 2)), (m, steps * p))
        return find_op("matmul")(joined, reshape(rights, (steps * p, rights.shape[2])))  # type: ignore[no-any-return]


def outer_sum(part: Variable, inner: set[Node]) -> OuterSum | None:
    """The factors of a contribution that is a matrix product of values computed in the step."""
    node = part.node
    if node.op.name != "matmul" or part.ndim != 2:
        return None
    left, right = (Variable(i) for i in node.inputs)
    if left.ndim != 2 or right.ndim != 2 or not (left.node in inner and right.node in inner):
        return None
    return OuterSum(left, right)


class _Backward:
    """Builds the backward scan, and the forward one that stores."""

    def __init__(
        self, forward: Forward, step: Derivative, gs: Sequence[Variable | None], wanted: Sequence[bool]
    ) -> None:
        self.forward, self.step, self.gs, self.wanted = forward, step, gs, wanted
        n_state, n_xs = forward.n_state, forward.n_xs
        self.sequences = range(n_state, n_state + n_xs)
        outer = forward.node.inputs[n_state + n_xs :]
        inner = [p.node for p in forward.params[n_state + n_xs :]]
        self.outside = dict(zip(inner, outer, strict=True))
        g_nodes = {v.node for v in (*step.g_states.values(), *step.g_outs.values())}
        self.parts = self._with_captured(step.parts)
        changing = {p.node for p in forward.params[: n_state + n_xs]}
        self.known = _dependents([p.node for p in self.parts.values()], changing, without=g_nodes)
        self.inner = _dependents([p.node for p in self.parts.values()], changing | g_nodes)

    def _with_captured(self, parts: dict[int, Variable]) -> dict[int, Variable]:
        """The parts in terms of the captured values themselves, so that invariants stay outside."""
        found = substitute_nodes([p.node for p in parts.values()], self.outside)
        return {k: Variable(n) for k, n in zip(parts, found, strict=True)}

    def run(self) -> list[Variable | None]:
        forward, step = self.forward, self.step
        first = forward.n_state + forward.n_xs
        captured = [k for k in self.parts if k >= first]
        factored = {k: f for k in captured if (f := outer_sum(self.parts[k], self.inner))}
        sums = {k: placeholder(self.parts[k].type) for k in captured if k not in factored}
        add = find_op("add")
        next_g = [
            self.parts[k] if k in self.parts else zeros_like(step.g_states[k]) for k in step.carried
        ]
        next_sums = [add(s, self.parts[k]) for k, s in sums.items()]
        x_parts = [k for k in self.sequences if k in self.parts]
        outs = [self.parts[k] for k in x_parts]
        outs += [v for f in factored.values() for v in (f.left, f.right)]
        found = self._scan(next_g, sums, next_sums, outs)
        return self._deliver(found, sums, x_parts, factored)

    def _scan(
        self, next_g: list[Variable], sums: dict[int, Variable], next_sums: list[Variable], outs: list[Variable]
    ) -> list[Variable]:
        forward, step, attrs = self.forward, self.step, self.forward.node.attrs
        n_state = forward.n_state
        outputs = [v.node for v in (*next_g, *next_sums, *outs)]
        stored = self._stored(outputs)
        reads = {f: placeholder(f.tensor) for f in stored}
        outputs = list(substitute_nodes(outputs, {f: p.node for f, p in reads.items()}))
        start = [self._start(k) for k in step.carried]
        start += [zeros_like(Variable(forward.node.inputs[k])) for k in sums]
        xs = {p.node: self.gs[n_state + j] for j, p in step.g_outs.items()}
        xs |= {p.node: seq for p, seq in zip(reads.values(), self._store(stored), strict=True)}
        xs |= {forward.params[k].node: Variable(forward.node.inputs[k]) for k in self.sequences}
        used = set(toposort(outputs))
        xs = {p: seq for p, seq in xs.items() if p in used}
        carry = [*step.g_states.values(), *sums.values()]
        body, captured = close([*[c.node for c in carry], *xs], outputs)
        inputs = [*[s.node for s in start], *[x.node for x in xs.values() if x is not None], *captured]
        counts = {"n_state": len(start), "n_xs": len(xs), "reverse": not attrs["reverse"]}
        made = {"body": body, "length": attrs["length"], "remat": False, **counts}
        return results(make_node(find_op("scan"), inputs, made))

    def _start(self, state: int) -> Variable:
        found = self.gs[state]
        return found if found is not None else zeros_like(Variable(self.forward.node.inputs[state]))

    def _deliver(
        self,
        found: list[Variable],
        sums: dict[int, Variable],
        x_parts: list[int],
        factored: dict[int, OuterSum],
    ) -> list[Variable | None]:
        """The results of the backward scan as cotangents of the forward scan's inputs."""
        parts: dict[int, Variable] = {}
        rest = iter(found)
        for k in (*self.step.carried, *sums, *x_parts):
            parts[k] = next(rest)
        for k, factors in factored.items():
            lefts, rights = next(rest), next(rest)
            parts[k] = factors.total(lefts, rights)
        return [parts.get(k) if w else None for k, w in enumerate(self.wanted)]

    def _stored(self, outputs: list[Node]) -> list[Node]:
        """The forward values, other than elements of the sequences, that the backward step reads."""
        forward = self.forward
        elements = {forward.params[k].node for k in self.sequences}
        states = [p.node for p in forward.params[: forward.n_state]]
        free = elements | set(self._replaced(forward.outs))
        if forward.node.attrs["remat"]:
            used = set(toposort(outputs))
            return [s for s in states if s in used]
        border = _border(outputs, self.known)
        kept = residuals(border, free, states, self.known)
        return [f for f in kept if f not in elements]

    def _replaced(self, nodes: list[Node]) -> list[Node]:
        return list(substitute_nodes(nodes, self.outside))

    def _store(self, stored: list[Node]) -> list[Variable]:
        """Sequences of forward values: outs there are already, or outs of a scan that stores more."""
        forward, attrs = self.forward, self.forward.node.attrs
        outs = self._replaced(forward.outs)
        more = [f for f in stored if f not in outs]
        node = forward.node
        if more:
            first = forward.n_state + forward.n_xs
            changing = [p.node for p in forward.params[:first]]
            outputs = [*self._replaced(forward.states), *outs, *more]
            body, captured = close(changing, outputs)
            attrs = dict(attrs) | {"body": body}
            node = make_node(node.op, [*node.inputs[:first], *captured], attrs)
        sequences = results(node)[forward.n_state :]
        return [sequences[[*outs, *more].index(f)] for f in stored]


def _dependents(outputs: Sequence[Node], on: set[Node], without: set[Node] = frozenset()) -> set[Node]:  # type: ignore[assignment]
    """The nodes below outputs that depend on ``on``, but on nothing of ``without``."""
    found, barred = set(on), set(without)
    for node in toposort(outputs):
        if any(i in barred for i in node.inputs):
            barred.add(node)
        elif any(i in found for i in node.inputs):
            found.add(node)
    return found - barred


def _border(outputs: Sequence[Node], known: set[Node]) -> list[Node]:
    """The known nodes that others read, or that are outputs."""
    border = dict.fromkeys(o for o in outputs if o in known)
    for node in toposort(outputs, stop=known.__contains__):
        if node not in known:
            border.update(dict.fromkeys(i for i in node.inputs if i in known))
    return [*border]


def residuals(border: Sequence[Node], free: set[Node], states: Sequence[Node], known: set[Node]) -> list[Node]:
    """What to store so that the border can be had by cheap ops: fewer values where that is possible.

    ``free``: values stored anyway. A state is added where it makes two others unnecessary.
    """
    chosen: dict[Node, None] = dict.fromkeys(border)
    for state in states:
        if state not in chosen:
            rest = _thinned({**chosen, state: None}, free, known)
            if len(chosen) - (len(rest) - 1) >= 2:
                chosen = rest
    return list(_thinned(chosen, free, known))


def _thinned(chosen: dict[Node, None], free: set[Node], known: set[Node]) -> dict[Node, None]:
    """Without the values that cheap ops make from the others; the latest are dropped first."""
    kept = dict(chosen)
    for node in sorted(chosen, key=lambda n: -n.number):
        others = (kept.keys() - {node}) | free
        if node not in free and _cheaply(node, others, known):
            del kept[node]
    return kept


def _cheaply(node: Node, given: set[Node], known: set[Node]) -> bool:
    """Can it be computed by a few cheap ops from given values and what does not change?"""
    most = 8  # ops computed again for one value
    pending, seen = [node], {node}
    while pending:
        n = pending.pop()
        if n.op.name not in CHEAP or len(seen) > most:
            return False
        new = [i for i in n.inputs if i in known and i not in given and i not in seen]
        seen.update(new)
        pending += new
    return True


