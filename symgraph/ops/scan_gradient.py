"""The gradient of ``scan``: a forward scan that also stores what the backward one reads.

The step is differentiated symbolically once. In the resulting graph, the nodes that do not depend
on a cotangent are known forward; those at the border, which the backward part reads, are the
candidates for storing. What is cheap to compute from other stored values is computed again
instead (``residuals``); with ``remat`` only states and sequences are stored. The backward scan
carries the cotangents of the states and the sums for captured values; contributions that are
outer or matrix products leave the loop and become one product (``outer_sum``).

The result is again made of scans, so gradients of gradients need nothing more. The stored values
are outs of a copy of the scan node; ``rewrite.loops`` merges it with the original.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from symgraph.ir.dtype import is_inexact
from symgraph.ir.graph import close, map_graph, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.assume import assumptions
from symgraph.ops.assume_inside import state_images, stated_in, stated_of, with_facts
from symgraph.ops.capture import placeholder, results, zeros_like
from symgraph.ops.outer_sum import outer_sum
from symgraph.records import dataclass

Differentiate = Callable[..., list[Variable | None]]

# Ops that cost less to compute again than to store and load a value of every step.
_NAMES = """
add subtract multiply negative positive abs square sign where astype clip maximum minimum real imag
conj stop_gradient less less_equal greater greater_equal equal not_equal logical_and logical_or
logical_not bitwise_and bitwise_or bitwise_xor bitwise_invert broadcast_to reshape permute_dims
expand_dims squeeze slice
"""
CHEAP = frozenset(_NAMES.split())
MOST_CHEAP = 8  # of them for one value


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
        mapping = dict(zip(body.params, [p.node for p in params], strict=True))
        state_images(stated_in(body), mapping)
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
    if not step.parts:
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
            p.node
            for k, p in enumerate(forward.params)
            if k in needed or (k >= forward.n_state and wanted[k])
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
    forward: Forward,
    gs: Sequence[Variable | None],
    differentiate: Differentiate,
    wanted: Sequence[bool],
) -> Derivative:
    """Differentiate the step until it is known which states have a cotangent at all."""
    needed = _needed(forward, wanted)
    n_state = forward.n_state
    g_outs = {
        j: placeholder(forward.outs[j].tensor) for j, g in enumerate(gs[n_state:]) if g is not None
    }
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


class _Backward:
    """Builds the backward scan, and the forward one that stores."""

    def __init__(
        self,
        forward: Forward,
        step: Derivative,
        gs: Sequence[Variable | None],
        wanted: Sequence[bool],
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
        step = self.step
        captured = [k for k in self.parts if k >= self.sequences.stop]
        factored = {k: f for k in captured if (f := outer_sum(self.parts[k], self.inner))}
        outs = {self.parts[k].node: None for k in self.sequences if k in self.parts}
        factors = [v.value.node for f in factored.values() for v in (f.left, f.right)]
        outs |= dict.fromkeys(v for v in factors if v not in self.known)
        # What is summed of a value that leaves the loop anyway is summed outside as well.
        parts_of = {k: self.parts[k].node for k in captured}
        summed = {
            k: n for k, n in parts_of.items() if n.op.name == "sum_to" and n.inputs[0] in outs
        }
        sums = {
            k: placeholder(n.tensor) for k, n in parts_of.items() if k not in (*factored, *summed)
        }
        carry = [
            self.parts[k] if k in self.parts else zeros_like(step.g_states[k]) for k in step.carried
        ]
        carry += [find_op("add")(s, self.parts[k]) for k, s in sums.items()]
        found, stored = self._scan(carry, sums, list(outs), [v for v in factors if v in self.known])
        stored |= zip(outs, found[len(carry) :], strict=True)
        parts = dict(zip((*step.carried, *sums), found, strict=False))
        parts |= {k: stored[self.parts[k].node] for k in self.sequences if k in self.parts}
        parts |= {
            k: f.total(stored[f.left.value.node], stored[f.right.value.node])
            for k, f in factored.items()
        }
        sum_to = find_op("sum_to")
        parts |= {k: sum_to(stored[n.inputs[0]], n.tensor.shape) for k, n in summed.items()}
        return [parts.get(k) if w else None for k, w in enumerate(self.wanted)]

    def _scan(
        self, carry: list[Variable], sums: dict[int, Variable], outs: list[Node], more: list[Node]
    ) -> tuple[list[Variable], dict[Node, Variable]]:
        """The results of the backward scan, and all stored sequences, those of ``more`` too."""
        forward, step, attrs = self.forward, self.step, self.forward.node.attrs
        n_state = forward.n_state
        outputs = [*[v.node for v in carry], *outs]
        stored = self._stored(outputs, more)
        elements = {forward.params[k].node: k for k in self.sequences}
        sequences = dict(zip(stored, self._store(stored), strict=True))
        sequences |= {p: Variable(forward.node.inputs[k]) for p, k in elements.items()}
        reads = {f: placeholder(f.tensor) for f in stored}
        state_images([(f, assumptions(f)) for f in stored], {f: p.node for f, p in reads.items()})
        outputs = list(substitute_nodes(outputs, {f: p.node for f, p in reads.items()}))
        start = [self._start(k) for k in step.carried]
        start += [zeros_like(Variable(forward.node.inputs[k])) for k in sums]
        xs = {p.node: self.gs[n_state + j] for j, p in step.g_outs.items()}
        xs |= {reads[f].node if f in reads else f: seq for f, seq in sequences.items()}
        used = set(toposort(outputs))
        xs = {p: seq for p, seq in xs.items() if p in used}
        before = [v.node for v in (*step.g_states.values(), *sums.values())]
        body, captured = close([*before, *xs], outputs)
        body = with_facts(body, [*before, *xs, *captured], stated_of([*before, *xs]))
        inputs = [
            *[s.node for s in start],
            *[x.node for x in xs.values() if x is not None],
            *captured,
        ]
        counts = {"n_state": len(start), "n_xs": len(xs), "reverse": not attrs["reverse"]}
        made = {"body": body, "length": attrs["length"], "remat": False, **counts}
        return results(make_node(find_op("scan"), inputs, made)), sequences

    def _start(self, state: int) -> Variable:
        found = self.gs[state]
        return found if found is not None else zeros_like(Variable(self.forward.node.inputs[state]))

    def _stored(self, outputs: list[Node], more: list[Node]) -> list[Node]:
        """The forward values, besides elements of the sequences, that the backward step reads."""
        forward = self.forward
        elements = {forward.params[k].node for k in self.sequences}
        states = [p.node for p in forward.params[: forward.n_state]]
        kept = {*states, *more}
        if not forward.node.attrs["remat"]:
            free = elements | set(self._replaced(forward.outs)) | set(more)
            kept = free | residuals(_border(outputs, self.known), free, states, self.known)
        kept |= elements
        read = [n for n in toposort(outputs, stop=kept.__contains__) if n in kept]
        return [f for f in dict.fromkeys((*read, *more)) if f not in elements]

    def _replaced(self, nodes: list[Node]) -> list[Node]:
        return list(substitute_nodes(nodes, self.outside))

    def _store(self, stored: list[Node]) -> list[Variable]:
        """Sequences of forward values: outs that exist, or outs of a scan that stores more."""
        forward, attrs = self.forward, self.forward.node.attrs
        outs = self._replaced(forward.outs)
        more = [f for f in stored if f not in outs]
        node = forward.node
        if more:
            first = forward.n_state + forward.n_xs
            changing = [p.node for p in forward.params[:first]]
            outputs = [*self._replaced(forward.states), *outs, *more]
            body, captured = close(changing, outputs)
            body = with_facts(body, [*changing, *captured], stated_of(changing))
            attrs = dict(attrs) | {"body": body}
            node = make_node(node.op, [*node.inputs[:first], *captured], attrs)
        sequences = results(node)[forward.n_state :]
        return [sequences[[*outs, *more].index(f)] for f in stored]


def _dependents(
    outputs: Sequence[Node], on: set[Node], without: Collection[Node] = ()
) -> set[Node]:
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


def residuals(
    border: Sequence[Node], given: set[Node], states: Sequence[Node], known: set[Node]
) -> set[Node]:
    """What to store so that the border can be had by cheap ops: as few values as possible.

    ``given``: values stored anyway. What is made by cheap ops from one value is replaced by that
    value; a state is added where it makes two others unnecessary.
    """
    chosen: set[Node] = set()
    for node in border:
        sources = _sources(node, given, known)
        chosen.update(sources if len(sources) < 2 else [node])
    chosen = _thinned(chosen, given, known)
    for state in states:
        rest = _thinned(chosen | {state}, given, known)
        if len(rest) < len(chosen):
            chosen = rest
    return chosen


def _thinned(chosen: set[Node], given: set[Node], known: set[Node]) -> set[Node]:
    """Without the values that cheap ops make from the others; the latest are dropped first."""
    kept = set(chosen)
    for node in sorted(chosen, key=lambda n: -n.number):
        if not _sources(node, (kept - {node}) | given, known):
            kept.remove(node)
    return kept


def _sources(node: Node, given: set[Node], known: set[Node]) -> list[Node]:
    """The values, not given, from which a few cheap ops make a node; the node itself if none do."""
    sources: dict[Node, None] = {}
    pending = [node] if node not in given else []
    seen = set(pending)
    while pending:
        n = pending.pop()
        if n.op.name not in CHEAP or len(seen) > MOST_CHEAP:
            sources[n] = None
            continue
        reads = [i for i in n.inputs if i in known and i not in given and i not in seen]
        seen.update(reads)
        pending += reads
    return list(sources)
