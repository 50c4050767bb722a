"""Rewriting to a fixpoint: inputs first, each node once, rules looked up by op.

``rewrite(outputs, rules)`` visits nodes bottom-up without recursion. A node whose inputs are done
is rebuilt on them and offered to the rules of its op; what a rule gives is visited in turn, so
that a chain of rules ends in a form that none of them changes. A node's final form is remembered:
shared parts are walked once, and the time is linear in the size of the graph. What happens is
written into a ``Journal``.

Cut points (``keep``) are leaves: rules see neither into them nor past them. Graphs held by nodes
(bodies of ``scan``, ``cond``, ``while_loop``) are rewritten too, each once. Rules are rejected by
the families of ops below a node before they are matched.
"""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from time import perf_counter_ns

from symgraph.config import config
from symgraph.errors import RewriteWarning, VerifyError
from symgraph.ir.dim import fresh_token
from symgraph.ir.graph import Graph, substitute_nodes, toposort
from symgraph.ir.node import Node, add_lines, add_name, make_node, rebuild
from symgraph.ir.op import Attrs, find_op
from symgraph.ir.type import TensorType
from symgraph.ops.assume import carry, generation
from symgraph.records import dataclass
from symgraph.rewrite import polynomial
from symgraph.rewrite import terms as t
from symgraph.rewrite.axes import moved
from symgraph.rewrite.build import asked_shared, call, made_for, share
from symgraph.rewrite.facts import copy_fact
from symgraph.rewrite.journal import Application, Counts, Journal
from symgraph.rewrite.rule import Rule

EVERY = "*"  # in Rule.ops: tried at every node
Table = tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Offer:
    """Rules that one kind of node is offered, and the set of their bits."""

    rules: Table
    bits: int


@dataclass(frozen=True, slots=True)
class _Index:
    """Rules by the op they start at: those tried before and after the inputs are rewritten."""

    early: Mapping[str, _Offer]
    late: Mapping[str, _Offer]
    every: _Offer


@lru_cache(maxsize=64)
def _index(rules: Table) -> _Index:
    every = tuple(r for r in rules if EVERY in r.ops)
    tables: tuple[dict[str, list[Rule]], dict[str, list[Rule]]] = ({}, {})
    for row in rules:
        for op in row.ops - {EVERY}:
            tables[0 if row.early else 1].setdefault(op, []).append(row)
    early, late = tables
    return _Index(
        {op: _offer(rows) for op, rows in early.items()},
        {op: _offer((*rows, *every)) for op, rows in late.items()},
        _offer(every),
    )


def _offer(rules: Iterable[Rule]) -> _Offer:
    found = tuple(rules)
    return _Offer(found, sum({r.bit for r in found}))


def rewrite(
    outputs: Iterable[Node],
    rules: Sequence[Rule],
    *,
    table: str = "",
    keep: Iterable[Node] = (),
    trace: list[Application] | None = None,
    counts: Counts | None = None,
    journals: list[Journal] | None = None,
) -> tuple[Node, ...]:
    """Outputs --> outputs that no rule changes, of the same types and values."""
    start = perf_counter_ns()
    outputs = tuple(outputs)
    stand_ins = {n: _stand_in(n) for n in keep if n.op.kind != "leaf"}
    inner = substitute_nodes(outputs, stand_ins) if stand_ins else outputs
    journal = Journal(table, inner, start_ns=start)
    run = _Run(_index(tuple(rules)), journal, counts or Counts())
    before = share(run.shared)
    # a collection walks all nodes alive: 0.16 ms a node instead of 0.11 at 20,000 nodes
    collects = gc.isenabled()
    gc.disable()
    try:
        inner = run.outputs(inner)
    finally:
        if collects:
            gc.enable()
        share(before)
        t.forget()
        polynomial.forget()
    if trace is not None:
        trace += [one for one in journal.entries if isinstance(one, Application)]
    if journals is not None:
        journal.final, journal.elapsed_ns = inner, perf_counter_ns() - start
        journals.append(journal)
    if stand_ins:
        return substitute_nodes(inner, {s: n for n, s in stand_ins.items()})
    return inner


def _stand_in(node: Node) -> Node:
    made = make_node(
        find_op("input"), (), {"serial": fresh_token(), "type": node.type}, lines=node.lines
    )
    for name in node.names:
        add_name(made, name)
    if isinstance(node.type, TensorType):
        copy_fact(node, made)
    return made


class _Run:
    """One run of one table: what each node became, and the fuel left."""

    def __init__(self, index: _Index, journal: Journal, counts: Counts) -> None:
        self.index, self.journal, self.counts = index, journal, counts
        self.done: dict[Node, Node] = {}
        self.shared: set[Node] = set()
        self.graphs: dict[Graph, Graph] = {}
        # by table, families and dtype: the table, which keeps its number, and what is open
        self.open: dict[tuple[int, frozenset[str], bool], tuple[_Offer, Table]] = {}
        self.fuel = 0
        self.exhausted = False

    def outputs(self, outputs: tuple[Node, ...]) -> tuple[Node, ...]:
        order = toposort(outputs)
        self.fuel += config.number("rewrite_fuel") * len(order)
        readers = Counter(i for node in order for i in set(node.inputs))
        self.shared |= {n for n, count in readers.items() if count > 1}
        for root in outputs:
            self._finish(root)
        return tuple(self.done[o] for o in outputs)

    def _finish(self, root: Node) -> None:
        """Fill ``done`` for a node and all below, by a stack of nodes that wait for others."""
        done, stack = self.done, [root]
        becomes: dict[
            Node, Node
        ] = {}  # a node that waits for another to be finished, which it becomes
        tried_early: set[Node] = set()
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            following = becomes.get(node)
            if following is not None:
                if following in done:
                    done[node] = done[following]
                    stack.pop()
                else:
                    stack.append(following)
                continue
            if node not in tried_early and node.op.name in self.index.early:
                tried_early.add(node)
                made = self._first(node, self.index.early[node.op.name])
                if made is not None and not self._undoes(node, made, becomes):
                    becomes[node] = made
                    continue
            # an input that waits for this very node stands in its own result, and stays there
            missing = [i for i in node.inputs if i not in done and i not in becomes]
            if missing:
                stack += missing
                continue
            made = self._visit(node)
            if made is not None and node in self.shared:
                self.shared.add(made)
            if made is None or made is node:
                done[node] = node
            elif made in done:
                done[node] = done[made]
            elif self._undoes(node, made, becomes):
                done[node] = node
            else:
                becomes[node] = made

    def _undoes(self, node: Node, made: Node, becomes: Mapping[Node, Node]) -> bool:
        """Does ``made`` wait for its own result already? Then the node stays as it is.

        That is in order where the node is a part of that result (a branch that keeps the formula),
        and a circle of rules where it is all of it.
        """
        if made not in becomes:
            return False
        if isinstance(self.journal.entries[-1], Application):
            del self.journal.entries[-1]
        while made in becomes:
            made = becomes[made]
            if made is node:
                self._warn("rewriting went in a circle")
                break
        return True

    def _visit(self, node: Node) -> Node | None:
        """The node on finished inputs, or what a rule makes of it; None where nothing changes."""
        self.counts.visited += 1
        inputs = tuple(self.done.get(i, i) for i in node.inputs)
        if inputs != node.inputs:
            return self._again(node, inputs)
        bodies = self._bodies(node)
        if bodies is not None:
            return bodies
        return self._first(
            node, self.index.late.get(node.op.name, self.index.every)
        ) or self._through(node)

    def _bodies(self, node: Node) -> Node | None:
        """The node with the graphs that it holds rewritten; None where they do not change."""
        graphs = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
        if not graphs:
            return None
        made = {k: self._graph(v) for k, v in graphs.items()}
        if made == graphs:
            return None
        return self._again(node, node.inputs, {**node.attrs, **made})

    def _again(self, node: Node, inputs: tuple[Node, ...], attrs: Attrs | None = None) -> Node:
        made = rebuild(node, inputs, attrs)
        self.journal.entries.append((node, made))
        return made

    def _graph(self, graph: Graph) -> Graph:
        found = self.graphs.get(graph)
        if found is None:
            made = Graph(graph.params, self.outputs(graph.outputs))
            self.journal.entries.append((graph, made))
            found = self.graphs[graph] = made
            self.graphs[made] = made
        return found

    def _first(self, node: Node, offer: _Offer) -> Node | None:
        """What the first rule that fits makes of a node."""
        now = generation()
        stated, settled = node.settled
        if stated != now:
            settled = 0  # concluded without the newest assumption, which may say more
        if self.exhausted or not offer.bits & ~settled:
            return None
        before = made_for(node.lines)
        asked_shared()
        try:
            for row in self._open(node, offer):
                if row.bit & settled:
                    continue
                self.counts.tried += 1
                made = row.apply(node)
                if made is not None and made is not node:
                    made = _fitted(made, node, row)
                    if made is not node:
                        self._record(row, node, made)
                        return None if self.exhausted else made
        finally:
            made_for(before)
        if not asked_shared():
            node.settled = now, settled | offer.bits
        return None

    def _open(self, node: Node, offer: _Offer) -> Table:
        """``open_rules``, remembered: in a deep graph most nodes are like others."""
        families, floating = _families(node), _is_floating(node)
        key = (id(offer), families, floating)
        if key not in self.open:
            self.open[key] = offer, tuple(_admitted(offer.rules, families, floating))
        return self.open[key][1]

    def _record(self, row: Rule, before: Node, after: Node) -> None:
        self.counts.applied[row.name] += 1
        self.fuel -= 1
        if self.fuel < 0:
            self.exhausted = True
            self._warn(
                f"rewriting stopped after {config.number('rewrite_fuel')} applications per node"
            )
            return
        _pass_on(before, after)
        self.journal.entries.append(
            Application(
                self.journal.table,
                row.name,
                row.why,
                row.source,
                row.changes,
                before,
                after,
                before.lines,
                perf_counter_ns(),
            )
        )

    def _warn(self, what: str) -> None:
        most = ", ".join(
            f"{name!r} ({count} times)" for name, count in self.counts.applied.most_common(3)
        )
        warnings.warn(
            f"{what} in table {self.journal.table!r}; rules applied most: {most}. The graph is "
            "right but may be less simple than it could be; sg.config.rewrite_fuel sets the limit",
            RewriteWarning,
            stacklevel=2,
        )

    def _through(self, node: Node) -> Node | None:
        """f(move(q)) --> move(f(q) rewritten), where a rule fits f(q)."""
        if self.exhausted or node.op.kind != "elementwise":
            return None
        place = _moved_input(node)
        if place is None:
            return None
        offer = self.index.late.get(node.op.name)
        if offer is None:
            return None
        outer = node.inputs[place]
        below = t.core(outer)
        fits = [
            r
            for r in offer.rules
            if r.needs and not r.exact and r.lifts and t.family(below) in r.needs
        ]
        if not fits:
            return None
        inputs = (*node.inputs[:place], below, *node.inputs[place + 1 :])
        inner = rebuild(node, inputs)
        made = self._first(inner, _offer(fits))
        if made is None:
            return None
        found = _fitted(moved(outer, below, made), node, fits[0])
        entry = self.journal.entries[-1]
        assert isinstance(entry, Application)
        self.journal.entries[-1] = replace(entry, before=node, after=found, lines=node.lines)
        return found


def open_rules(node: Node, rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules that early rejection leaves for a node: by dtype, and by the families below."""
    return _admitted(rules, _families(node), _is_floating(node))


def _admitted(rules: Iterable[Rule], families: frozenset[str], floating: bool) -> Iterator[Rule]:
    for row in rules:
        if row.real and not floating:
            continue
        needs = row.needs
        if needs and (needs.isdisjoint(families) if row.matcher is None else not needs <= families):
            continue
        yield row


def _moved_input(node: Node) -> int | None:
    """The place of an elementwise op's only input but scalar constants, if that is a movement."""
    places = [
        k for k, i in enumerate(node.inputs) if not (i.op.name == "constant" and i.tensor.ndim == 0)
    ]
    if len(places) != 1 or node.inputs[places[0]].op.name not in t.MOVEMENTS:
        return None
    return places[0]


def _families(node: Node) -> frozenset[str]:
    """The families that early rejection looks at: of terms, of factors, or of inputs."""
    name = node.op.name
    if name in ("add", "subtract"):
        return t.sum_view(node).ops
    if name in ("multiply", "divide"):
        return t.product_view(node).ops
    return frozenset(f for i in node.inputs for f in (t.family(i), t.family(t.core(i))))


def _is_floating(node: Node) -> bool:
    if not isinstance(node.type, TensorType):
        return False
    if node.type.dtype.kind == "b" and node.inputs:
        return all(isinstance(i.type, TensorType) and i.type.dtype.kind == "f" for i in node.inputs)
    return node.type.dtype.kind == "f"


def _fitted(made: Node, node: Node, row: Rule) -> Node:
    """The result of a rule with the dtype and shape of what it replaces."""
    if made.type == node.type:
        return made
    wanted, given = node.type, made.type
    if (
        not isinstance(wanted, TensorType)
        or not isinstance(given, TensorType)
        or given.ndim > wanted.ndim
    ):
        raise VerifyError(f"rule {row.name!r} changed the type {wanted} to {given}")
    if given.dtype != wanted.dtype:
        made = call("astype", made, dtype=wanted.dtype)
    if given.shape != wanted.shape:
        made = call("broadcast_to", made, shape=wanted.shape)
    return made


def _pass_on(before: Node, after: Node) -> None:
    """Names and lines of the user's pass to the node that takes the place of his."""
    if after.op.kind != "constant":
        carry(before, after)
    if after.op.kind != "leaf" and after.number > before.number:
        add_lines(after, before.lines)
        for name in before.names:
            add_name(after, name)
