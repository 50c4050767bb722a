"""Reverse mode on graphs: cotangents of outputs --> cotangents of the nodes asked for.

Each op's row says how a cotangent passes through it; this module walks the graph once, backwards,
without recursion, and adds up. What is not here: checks of what users pass, and everything built
on gradients (``transform``).

*Complex numbers.* The cotangent of z = x + iy for a real cost f is df/dx - i df/dy, JAX's
convention: rows apply the transpose of the derivative, never its conjugate. Steepest descent of a
real cost therefore steps along the conjugate of the gradient.

*Masks.* ``where(c, a, b)`` sends no cotangent to the branch not taken, yet zero times an infinite
derivative further up would be NaN. So the choice is not made at the ``where``: the cotangent of
``a`` travels as (g, c) through elementwise ops, which are pointwise in g, and through ops that only
move elements, and is selected where it leaves them. The same selections are made, later, and NaN
cannot leak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.errors import GradientError, VerifyError, message
from symgraph.ir.dtype import is_inexact
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node, add_lines
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, make
from symgraph.records import dataclass

Path = tuple[tuple[Variable, bool], ...]
MOVES = frozenset(("reshape", "permute_dims", "expand_dims", "squeeze"))
LONGEST_PATH = 8  # selections that travel together; longer ones are made, to keep the walk linear


@dataclass(frozen=True, slots=True)
class Cotangent:
    """``value`` where every condition of ``path`` is as said, zero elsewhere."""

    value: Variable
    path: Path = ()

    def selected(self) -> Variable:
        """The cotangent with its selections made."""
        value = self.value
        for condition, taken in reversed(self.path):
            zero = asarray(np.zeros((), value.dtype))
            where = find_op("where")
            value = where(condition, value, zero) if taken else where(condition, zero, value)
        return value


def gradient(
    outputs: Sequence[Node],
    cotangents: Sequence[Variable],
    wrt: Sequence[Node],
    stop: Sequence[Node] = (),
    known: Mapping[Node, Variable] | None = None,
) -> list[Variable | None]:
    """d(sum of cotangent * output) / d(each node of ``wrt``); None where nothing smooth leads.

    Shapes and dtypes: each gradient has those of its node.    ``stop``: nodes taken as constants.
    ``known``: cotangents that replace what would reach these nodes.
    Raises: GradientError, naming op and line, for an op without a gradient on the way.
    """
    seeds = [(o, Cotangent(g)) for o, g in zip(outputs, cotangents, strict=True)]
    fixed = {node: Cotangent(g) for node, g in (known or {}).items()}
    found = _Walk(wrt, stop, fixed).run(seeds)
    return [None if f is None else f.selected() for f in found]


class _Walk:
    """One backward walk: the cotangents collected so far, by node (a list of them for a tuple)."""

    def __init__(
        self,
        wrt: Sequence[Node],
        stop: Sequence[Node] = (),
        fixed: Mapping[Node, Cotangent] | None = None,
        ends: Sequence[Node] = (),
    ) -> None:
        self.wrt, self.stop, self.fixed = wrt, frozenset(stop), fixed or {}
        self.ends = frozenset(ends)  # the walk does not look below these
        self.found: dict[Node, Cotangent] = dict(self.fixed)
        self.of_tuples: dict[Node, list[Variable | None]] = {}

    def run(self, seeds: Sequence[tuple[Node, Cotangent]]) -> list[Cotangent | None]:
        roots = [*[o for o, _ in seeds], *self.fixed]
        order = toposort(roots, stop=self.ends.__contains__ if self.ends else None)
        self.active = self._depends(order)
        for node, cotangent in seeds:
            self.receive(node, cotangent)
        passing = self.active - self.ends
        for node in reversed(order):
            if node in passing and any(i in self.active for i in node.inputs):
                self.through(node)
        return [self.found.get(n) for n in self.wrt]

    def _depends(self, order: Sequence[Node]) -> set[Node]:
        """The nodes through which cotangents reach ``wrt``."""
        wanted = set(self.wrt)
        active: set[Node] = set()
        for node in order:
            differentiable = not isinstance(node.type, TensorType) or is_inexact(node.type.dtype)
            if not differentiable or node in self.stop:
                continue
            if node in wanted or any(i in active for i in node.inputs):
                active.add(node)
        return active

    def receive(self, node: Node, part: Cotangent) -> None:
        """Add a contribution to the cotangent of a node."""
        if node not in self.active or node in self.fixed:
            return
        part = _fit(part, node)
        present = self.found.get(node)
        self.found[node] = part if present is None else _sum(present, part)

    def through(self, node: Node) -> None:
        """Pass the cotangent of a node on to its inputs."""
        if not isinstance(node.type, TensorType):
            gs = self.of_tuples.pop(node, None)
            if gs is not None:
                self._share(node, _plain(_tuple_rule(node, gs, self.active)))
            return
        cotangent = self.found.get(node)
        if cotangent is None:
            return
        if node.op.name == "proj":
            self._collect(node, cotangent.selected())
        elif node.op.name == "where":
            self._share(node, _choice(node, cotangent))
        elif node.op.vjp is None and node.op.expand is not None:
            self._share(node, self._expanded(node, cotangent))
        else:
            self._share(node, _pass(node, cotangent))

    def _share(self, node: Node, parts: Sequence[Cotangent | None]) -> None:
        if len(parts) != len(node.inputs):
            raise VerifyError(f"the gradient of {node.op.name} gave {len(parts)} cotangents")
        for child, part in zip(node.inputs, parts, strict=True):
            if part is not None:
                add_lines(part.value.node, node.lines[-1:])
                self.receive(child, part)

    def _collect(self, node: Node, g: Variable) -> None:
        several = node.inputs[0]
        items = self.of_tuples.setdefault(several, [None] * len(several.type.items))  # type: ignore[union-attr]
        present = items[node.attrs["index"]]
        items[node.attrs["index"]] = g if present is None else find_op("add")(present, g)

    def _expanded(self, node: Node, cotangent: Cotangent) -> list[Cotangent | None]:
        """Through an op that is written with others: backwards through those."""
        assert node.op.expand is not None
        written = node.op.expand(*[Variable(i) for i in node.inputs], **node.attrs)
        inner = [i for i in node.inputs if i in self.active]
        parts = _Walk(inner, ends=node.inputs).run([(written.node, cotangent)])
        found = dict(zip(inner, parts, strict=True))
        return [found.get(i) for i in node.inputs]


def _fit(part: Cotangent, node: Node) -> Cotangent:
    """A cotangent in the dtype of its node: the real part, or converted."""
    value, dtype = part.value, node.tensor.dtype
    if value.ndim != node.tensor.ndim:
        raise VerifyError(f"a cotangent of type {value.type} for {node!r}")
    if value.dtype.kind == "c" and dtype.kind != "c":
        value = find_op("real")(value)
    if value.dtype != dtype:
        value = make("astype", [value], dtype=dtype)
    return part if value is part.value else Cotangent(value, part.path)


def _sum(a: Cotangent, b: Cotangent) -> Cotangent:
    """Both contributions; between those of the branches of one `where` it chooses."""
    if _same(a.path, b.path):
        return Cotangent(find_op("add")(a.value, b.value), a.path)
    if a.path and b.path and _same(a.path[:-1], b.path[:-1]):
        (condition, taken), (other, _) = a.path[-1], b.path[-1]
        if condition.node is other.node:
            yes, no = (a, b) if taken else (b, a)
            chosen = find_op("where")(condition, yes.value, no.value)
            return Cotangent(chosen, a.path[:-1])
    return Cotangent(find_op("add")(a.selected(), b.selected()))


def _same(a: Path, b: Path) -> bool:
    return len(a) == len(b) and all(
        c.node is d.node and s == t for (c, s), (d, t) in zip(a, b, strict=True)
    )


def _choice(node: Node, cotangent: Cotangent) -> list[Cotangent | None]:
    """Through ``where``: to each branch under its condition."""
    condition = Variable(node.inputs[0])
    if len(cotangent.path) >= LONGEST_PATH:
        cotangent = Cotangent(cotangent.selected())
    parts: list[Cotangent | None] = [None]
    for branch, taken in zip(node.inputs[1:], (True, False), strict=True):
        part = Cotangent(cotangent.value, (*cotangent.path, (condition, taken)))
        if branch.tensor.shape != node.tensor.shape:
            part = Cotangent(make("sum_to", [part.selected()], shape=branch.tensor.shape))
        parts.append(part)
    return parts


def _pass(node: Node, cotangent: Cotangent) -> list[Cotangent | None]:
    """Through an op by the rule of its row; selections travel on through elementwise ones."""
    if not cotangent.path:
        return _plain(_apply(node, cotangent.value))
    if node.op.kind == "elementwise":
        parts = [
            None if p is None else _under(p, cotangent.path, i, node)
            for p, i in zip(_apply(node, cotangent.value), node.inputs, strict=True)
        ]
        if "unknown" not in parts:
            return parts  # type: ignore[return-value]
    if node.op.name in MOVES:
        return [_moved(node, cotangent)]
    return _plain(_apply(node, cotangent.selected()))


def _moved(node: Node, cotangent: Cotangent) -> Cotangent:
    """Through an op that only moves elements: its rule moves the conditions back too."""
    (value,) = _apply(node, cotangent.value)
    assert value is not None
    whole = [(find_op("broadcast_to")(c, node.tensor.shape), t) for c, t in cotangent.path]
    path = [(_apply(node, c)[0], taken) for c, taken in whole]
    return Cotangent(value, tuple((c, t) for c, t in path if c is not None))


def _plain(parts: Sequence[Variable | None]) -> list[Cotangent | None]:
    return [None if p is None else Cotangent(p) for p in parts]


def _under(part: Variable, path: Path, child: Node, node: Node) -> Cotangent | str:
    """A pointwise cotangent under selections; "unknown" where it was summed in an unknown way."""
    if child.tensor.shape == node.tensor.shape:
        return Cotangent(part, path)
    if part.node.op.name != "sum_to":
        return "unknown"
    inner = Cotangent(Variable(part.node.inputs[0]), path)
    return Cotangent(make("sum_to", [inner.selected()], shape=child.tensor.shape))


def _apply(node: Node, g: Variable) -> Sequence[Variable | None]:
    inputs = [Variable(i) for i in node.inputs]
    rule = _rule(node)
    return rule(g, Variable(node), *inputs, **node.attrs)  # type: ignore[no-any-return]


def _tuple_rule(
    node: Node, gs: list[Variable | None], active: set[Node]
) -> Sequence[Variable | None]:
    """Control flow differentiates its bodies with ``gradient``, and only for inputs that count."""
    rule = _rule(node)
    if node.op.kind == "control":
        wanted = tuple(i in active for i in node.inputs)
        return rule(gs, node, gradient, wanted=wanted)  # type: ignore[no-any-return]
    ys = [find_op("proj")(node, index=k) for k in range(len(gs))]
    inputs = [Variable(i) for i in node.inputs]
    return rule(gs, ys, *inputs, **node.attrs)  # type: ignore[no-any-return]


def _rule(node: Node) -> Any:
    if node.op.vjp is None:
        facts = {node.name or "its result": node.type}
        line = str(node.lines[-1]) if node.lines else None
        raise GradientError(
            message(
                f"{node.op.name} has no gradient",
                facts,
                line,
                "sg.stop_gradient(x) takes it as constant; sg.custom_gradient says what it is",
            )
        )
    return node.op.vjp
