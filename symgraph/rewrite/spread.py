"""``spread_loops``: what a scan need not do turn by turn is done for all turns at once.

    state that does not change                     --> captured
    s = s + f(t), read by nothing else             --> f is an out, s its sum over all turns
    s = s + a[t].T @ b[t]                          --> one product of all rows of a and b
    x[t] @ w, or small values of sequences alone   --> computed before, read as a sequence
    (a[t] @ w)[:, k:], and no more of it           --> a[t] @ w[:, k:]
    small values that only outs need               --> computed after, from what the states need

What is left is the recurrence. Moving large values out would trade registers for memory, so only
products move whatever their size. Sums get another order of their terms.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgraph.ir.dim import DimLike, product
from symgraph.ir.graph import Graph, close, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node, rebuild
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.assume_inside import state_images, stated_in, stated_of, with_facts
from symgraph.ops.capture import placeholder
from symgraph.ops.outer_sum import OuterSum, outer_sum
from symgraph.records import dataclass, field
from symgraph.rewrite.batch import Batch

LARGEST = 1 << 25  # elements of a value over all turns: memory that the loop would not have needed
USUAL_TURNS = 1 << 16  # of a loop whose length is a symbol
SMALL = 256  # elements of a value that costs more in calls and dependences than in memory


def spread_loops(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """The same outputs, with scans that do less; those inside of loops and branches too."""
    made: dict[Node, Node] = {}
    results: dict[Node, list[Node]] = {}
    for node in toposort(outputs):
        if node.op.name == "proj" and node.inputs[0] in results:
            made[node] = results[node.inputs[0]][node.attrs["index"]]
            continue
        inputs = tuple(made.get(i, i) for i in node.inputs)
        found = rebuild(node, inputs, _with_bodies(node))
        if found.op.name == "scan" and not found.attrs["remat"]:
            spread = _Spread.of(found).run()
            if spread is not None:
                results[node] = spread
        made[node] = found
    return tuple(made[o] for o in outputs)


def _with_bodies(node: Node) -> dict[str, object] | None:
    graphs = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
    changed = {k: Graph(g.params, spread_loops(g.outputs)) for k, g in graphs.items()}
    if all(changed[k].outputs == g.outputs for k, g in graphs.items()):
        return None
    return {**node.attrs, **changed}


@dataclass(slots=True)
class _Spread:
    """A scan taken apart; values captured stand for themselves."""

    node: Node
    states: dict[int, Node]  # state number -> placeholder
    news: dict[int, Node]  # state number -> next value
    sequences: dict[Node, Node]  # placeholder -> the sequence that it is an element of
    outs: list[Node]
    final: dict[int, Node] = field(default_factory=dict)  # states that the loop need not carry
    sums: dict[int, tuple[Node, str]] = field(default_factory=dict)
    outers: dict[int, tuple[OuterSum, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Node) -> _Spread:
        """The parts of a scan, with fresh placeholders for what changes."""
        body, n_state, n_xs = node.attrs["body"], node.attrs["n_state"], node.attrs["n_xs"]
        first = n_state + n_xs
        params = [placeholder(p.tensor).node for p in body.params[:first]]
        mapping = dict(zip(body.params, (*params, *node.inputs[first:]), strict=True))
        made = substitute_nodes(body.outputs, mapping)
        state_images(stated_in(body), mapping)
        return cls(
            node,
            dict(enumerate(params[:n_state])),
            dict(enumerate(made[:n_state])),
            dict(zip(params[n_state:], node.inputs[n_state:first], strict=True)),
            list(made[n_state:]),
        )

    @property
    def length(self) -> DimLike:
        """The number of turns."""
        found: DimLike = self.node.attrs["length"]
        return found

    def run(self) -> list[Node] | None:
        """All results of the scan in other terms; None where nothing moves."""
        before = (dict(self.states), list(self.outs), dict(self.sequences), dict(self.news))
        self._drop_constant_states()
        self._take_sums()
        self._split_products()
        self._cut_products()
        self._move_before()
        wanted = [*self.outs, *[f for f, _ in self.sums.values()]]
        for outer, _ in self.outers.values():
            wanted += [outer.left.value.node, outer.right.value.node]
        stored, after = self._stored(dict.fromkeys(wanted))
        if before == (self.states, self.outs, self.sequences, self.news) and not after:
            return None
        return self._rebuilt(stored, after)

    # ------------------------------------------------------------ states

    def _drop_constant_states(self) -> None:
        """A state that is its own next value is its first one."""
        mapping = {}
        for k in [k for k, s in self.states.items() if self.news[k] is s]:
            mapping[self.states.pop(k)] = self.final[k] = self.node.inputs[k]
            self.news.pop(k)
        if mapping:
            self._substitute(mapping)

    def _substitute(self, mapping: dict[Node, Node]) -> None:
        made = substitute_nodes([*self.news.values(), *self.outs], mapping)
        self.news = dict(zip(self.news, made, strict=False))
        self.outs = list(made[len(self.news) :])

    def _take_sums(self) -> None:
        """States that only add up leave the loop."""
        for k in list(self.states):
            state, new = self.states[k], self.news[k]
            part = _added(new, state)
            if part is None:
                continue
            others = self._everything()[len(self.news) :]
            others += [n for j, n in self.news.items() if j != k]
            if state in toposort([part, *others]):
                continue
            changing = self._changing([part])
            outer = outer_sum(Variable(part), changing) if part in changing else None
            if outer is not None and all(
                self._fits(f.value.node) for f in (outer.left, outer.right)
            ):
                self.outers[k] = outer, new.op.name
            elif part in changing and _is_small(part) and self._fits(part):
                self.sums[k] = part, new.op.name
            else:
                continue
            del self.states[k], self.news[k]

    def _fits(self, node: Node) -> bool:
        """Is a value small enough to be stored for every turn?"""
        length = self.length if isinstance(self.length, int) else USUAL_TURNS
        size = product(node.tensor.shape)
        return isinstance(size, int) and length * size <= LARGEST

    def _changing(self, nodes: Sequence[Node]) -> set[Node]:
        """The nodes below that depend on a state or a sequence."""
        found = {*self.states.values(), *self.sequences}
        for node in toposort(nodes):
            if any(i in found for i in node.inputs):
                found.add(node)
        return found

    # ------------------------------------------------------------ before and after

    def _everything(self) -> list[Node]:
        found = [*self.news.values(), *self.outs, *[f for f, _ in self.sums.values()]]
        for outer, _ in self.outers.values():
            found += [outer.left.value.node, outer.right.value.node]
        return found

    def _early(self) -> set[Node]:
        """The nodes that depend on sequences, not on states, and can be had for all turns."""
        early = set(self.sequences)
        changing = self._changing(self._everything())
        batch = Batch(self.length)
        for node in toposort(self._everything()):
            inner = [i for i in node.inputs if i in changing]
            if inner and all(i in early for i in inner) and batch.can(node, changing):
                early.add(node)
        return early

    def _split_products(self) -> None:
        """[x, h] @ w --> x @ w[:k] + h @ w[k:], where x comes from sequences alone."""
        early, changing = self._early(), self._changing(self._everything())
        mapping: dict[Node, Node] = {}
        for node in toposort(self._everything()):
            if node.op.name != "matmul" or node.inputs[1] in changing or node in early:
                continue
            left, right = node.inputs
            is_joined = left.op.name == "concat" and left.attrs["axis"] == 1
            if not is_joined or left.tensor.ndim != 2 or right.tensor.ndim != 2:
                continue
            if any(i in early for i in left.inputs):
                mapping[node] = _split_product(left, right, node)
        if mapping:
            self._substitute_all(mapping)

    def _cut_products(self) -> None:
        """Products of which only some columns are read are made with those columns alone."""
        everything = self._everything()
        changing = self._changing(everything)
        readers: dict[Node, list[Node]] = {}
        for node in toposort(everything):
            for source in node.inputs:
                readers.setdefault(source, []).append(node)
        mapping: dict[Node, Node] = {}
        for node, found in readers.items():
            if node.op.name != "matmul" or node.inputs[1] in changing or node in everything:
                continue
            if all(_is_columns(r, node) for r in found) and len(found) == 1:
                mapping[found[0]] = _cut_product(found[0], node)
        if mapping:
            self._substitute_all(mapping)

    def _move_before(self) -> None:
        """Early values that others read become sequences: products, and what is small."""
        early = self._early()
        everything = self._everything()
        heavy: set[Node] = set()
        for node in toposort(everything):
            if node in early and (node.op.name == "matmul" or any(i in heavy for i in node.inputs)):
                heavy.add(node)
        is_all_small = all(_is_small(n) for n in self._changing(everything))
        movable = {n for n in early if n in heavy or (is_all_small and n.inputs)}
        border: dict[Node, None] = {n: None for n in everything if n in movable}
        for node in toposort(everything):
            if node not in movable:
                border.update(dict.fromkeys(i for i in node.inputs if i in movable))
        border = {n: None for n in border if n in heavy or not _is_view(n)}
        border = {n: None for n in border if self._fits(n)}
        if not border:
            return
        batch = Batch(self.length, dict(self.sequences))
        mapping = {}
        for node, sequence in zip(border, batch.nodes(border), strict=True):
            mapping[node] = placeholder(node.tensor).node
            self.sequences[mapping[node]] = sequence
        self._substitute_all(mapping)

    def _substitute_all(self, mapping: dict[Node, Node]) -> None:
        everything = self._everything()
        made = dict(zip(everything, substitute_nodes(everything, mapping), strict=True))
        self.news = {k: made[n] for k, n in self.news.items()}
        self.outs = [made[n] for n in self.outs]
        self.sums = {k: (made[f], op) for k, (f, op) in self.sums.items()}
        changed = {}
        for k, (outer, op) in self.outers.items():
            left = type(outer.left)(Variable(made[outer.left.value.node]), outer.left.is_turned)
            right = type(outer.right)(Variable(made[outer.right.value.node]), outer.right.is_turned)
            changed[k] = OuterSum(left, right), op
        self.outers = changed

    def _stored(self, wanted: dict[Node, None]) -> tuple[list[Node], list[Node]]:
        """What the loop stores, and which of the wanted values are computed after it."""
        core = set(toposort(list(self.news.values())))
        changing = self._changing(list(wanted))
        if not all(_is_small(n) for n in changing | (core & self._changing(list(core)))):
            return [n for n in wanted if n not in self.sequences], []
        batch = Batch(self.length)
        stop = core | set(self.sequences) | set(self.states.values())
        after: list[Node] = []
        stored: dict[Node, None] = {}
        for node in wanted:
            below = [n for n in toposort([node], stop=stop.__contains__) if n in changing]
            outside = [n for n in below if n not in stop]
            if outside and all(batch.can(n, changing) for n in outside):
                after.append(node)
                stored.update(dict.fromkeys(n for n in below if n in stop))
            else:
                stored[node] = None
        return [n for n in stored if n not in self.sequences], after

    # ------------------------------------------------------------ the new scan

    def _rebuilt(self, stored: list[Node], after: list[Node]) -> list[Node]:
        attrs = self.node.attrs
        sequences = dict(self.sequences)
        if self.states or any(n not in sequences for n in stored):
            outputs = [*self.news.values(), *stored]
            below = set(toposort(outputs))
            xs = [p for p in sequences if p in below]
            params = [*self.states.values(), *xs]
            body, captured = close(params, outputs)
            body = with_facts(body, [*params, *captured], stated_of(params))
            counts = {"n_state": len(self.states), "n_xs": len(xs)}
            inputs = [self.node.inputs[k] for k in self.states]
            inputs += [*[sequences[p] for p in xs], *captured]
            made = make_node(
                self.node.op, inputs, {**attrs, "body": body, **counts}, lines=self.node.lines
            )
            found = [_result(made, k) for k in range(len(outputs))]
            self.final |= dict(zip(self.states, found, strict=False))
            sequences |= dict(zip(stored, found[len(self.states) :], strict=True))
        batch = Batch(self.length, sequences)
        batch.nodes(after)
        known = batch.known
        for k, (part, op) in self.sums.items():
            total = make_node(find_op("sum"), (known[part],), {"axes": (0,)}, lines=())
            self.final[k] = make_node(find_op(op), (self.node.inputs[k], total), lines=())
        for k, (outer, op) in self.outers.items():
            factors = [Variable(known[f.value.node]) for f in (outer.left, outer.right)]
            product_ = outer.total(*factors).node
            self.final[k] = make_node(find_op(op), (self.node.inputs[k], product_), lines=())
        states = [self.final[k] for k in range(attrs["n_state"])]
        return [*states, *[known[o] for o in self.outs]]


def _result(node: Node, index: int) -> Node:
    return make_node(find_op("proj"), (node,), {"index": index}, lines=())


def _added(new: Node, state: Node) -> Node | None:
    """What is added to a state, or taken from it, to make the next; None if that is not all."""
    if new.op.name == "add" and state in new.inputs:
        first, second = new.inputs
        part = second if first is state else first
    elif new.op.name == "subtract" and new.inputs[0] is state:
        part = new.inputs[1]
    else:
        return None
    return part if part.tensor.shape == state.tensor.shape else None


def _is_small(node: Node) -> bool:
    if not isinstance(node.type, TensorType):
        return False
    size = product(node.tensor.shape)
    return isinstance(size, int) and size <= SMALL


def _is_view(node: Node) -> bool:
    return node.op.kind == "index"


def _is_columns(node: Node, whole: Node) -> bool:
    """Is it some columns of a matrix, next to each other?"""
    if node.op.name != "slice" or node.tensor.ndim != 2:
        return False
    is_all_rows = node.tensor.shape[0] == whole.tensor.shape[0]
    return is_all_rows and tuple(node.attrs["steps"]) == (1, 1) and node.attrs["starts"][0] == 0


def _cut_product(columns: Node, node: Node) -> Node:
    left, right = node.inputs
    attrs = {
        "starts": (0, columns.attrs["starts"][1]),
        "steps": (1, 1),
        "lengths": (right.tensor.shape[0], columns.tensor.shape[1]),
    }
    part = make_node(find_op("slice"), (right,), attrs, lines=())
    return make_node(node.op, (left, part), node.attrs, lines=node.lines)


def _split_product(left: Node, right: Node, node: Node) -> Node:
    """A product with joined columns as the sum of the products of the parts."""
    found: Node | None = None
    start: DimLike = 0
    for part in left.inputs:
        length = part.tensor.shape[1]
        attrs = {
            "starts": (start, 0),
            "steps": (1, 1),
            "lengths": (length, right.tensor.shape[1]),
        }
        rows = make_node(find_op("slice"), (right,), attrs, lines=())
        made = make_node(node.op, (part, rows), node.attrs, lines=node.lines)
        found = made if found is None else make_node(find_op("add"), (found, made), lines=())
        start = start + length
    assert found is not None
    return found
