"""Guards: lanes whose rounding errors may have grown are computed again, slowly and accurately.

``guard`` looks at every elementwise region (operations between values that are stored or come out
of reductions, which count as exact). Where the error bound of what leaves the region
(``error_bounds``) may exceed ``LIMITS[accuracy]`` half ulps, the value v becomes

    guarded(v, bound - limit * |v|, inputs of the region...)

whose last part is the doubt: positive in a lane whose bound is too large, NaN in one whose value is
not finite. Only such lanes pay for the slow form. Nothing is guarded that cannot amplify an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.ir.dim import product
from symgraph.ir.dtype import FLOAT64
from symgraph.ir.graph import Graph, param_node, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node, rebuild
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.rewrite.build import call, made_for, number
from symgraph.rewrite.error_bounds import BOUNDS, EXACT, Bound, size, times, total
from symgraph.rewrite.guard_cost import Budget, is_few
from symgraph.rewrite.guarded_sums import (
    FEW_ROWS,
    SUMS,
    Redoable,
    as_sum,
    is_cheap,
    is_dot,
    redoable,
    redone,
    sum_bound,
)
from symgraph.rewrite.journal import Application
from symgraph.rewrite.ranges import wild_exponentials
from symgraph.rewrite.regions import (
    MOST_INPUTS,
    in_region,
    is_larger,
    leaves_out_largest,
    overflowing,
    region_of,
    underflowed,
    within,
)
from symgraph.rewrite.short_sums import spelled_out

# half units in the last place that an error may reach, by the width of the dtype
LIMITS = {"default": {8: 4096.0, 4: 512.0}, "high": {8: 32.0, 4: 32.0}}
Entries = list[Application | tuple[Any, Any]]  # of a journal
MOST_NODES = 200  # in a slow form
STEP = 2.0**-8  # of a limit: bounds of products of one factor are rounded up, to be equal
# ops whose relative error is that of one operand, so many times
CARRIED = {"multiply": 1.0, "divide": 1.0, "square": 2.0, "reciprocal": 1.0, "negative": 1.0,
           "sqrt": 0.5}  # fmt: skip
# right digits in double-double of functions that are rounded beside their terms. What others leave
# may be right far below: 1 + 1e-50 is a pair of floats.
DIGITS: Mapping[str, float] = dict.fromkeys(("gammaln", "digamma", "gamma"), 84.0)
PRODUCTS = frozenset(("multiply", "divide"))
SOURCE = "Higham 2002, Accuracy and Stability of Numerical Algorithms, 3.3"


def guard(outputs: Sequence[Node], accuracy: str, trace: Entries | None = None) -> tuple[Node, ...]:
    """Outputs with guards where they are needed at this accuracy; ``trace``: what was done."""
    if accuracy not in LIMITS:
        return tuple(outputs)
    return _Guards(accuracy, trace).graph(spelled_out(tuple(outputs)), inside=False)


class _Guards:
    def __init__(self, accuracy: str, trace: Entries | None) -> None:
        self.limits, self.always, self.trace = LIMITS[accuracy], accuracy == "high", trace
        self.budget = Budget((), inside=False)
        self.bounds: dict[Node, Bound] = {}  # sums taken as exact
        self.deep: dict[Node, Bound] = {}  # the same with the errors of sums
        self.sums: dict[Node, Redoable] = {}
        self.tried: dict[Node, Redoable | None] = {}
        self.bodies: dict[Graph, Graph] = {}
        self.last: tuple[Node, list[Node], list[Node]] | None = None  # a node and its region

    def graph(self, outputs: tuple[Node, ...], inside: bool) -> tuple[Node, ...]:
        """Outputs with guards, also in the graphs that nodes hold (``inside``)."""
        outer, self.budget = self.budget, Budget(outputs, inside)
        found = self._graph(outputs)
        self.budget = outer
        return found

    def _graph(self, outputs: tuple[Node, ...]) -> tuple[Node, ...]:
        order = toposort(outputs)
        leaving = self._leaving(order, outputs)
        feeding = set() if self.always else _feeding(order)
        made: dict[Node, Node] = {}
        inside: dict[Node, Node] = {}  # the unguarded form, for nodes that are read in their region
        for node in order:
            own = in_region(node)
            inputs = tuple((inside if own else made)[i] for i in node.inputs)
            plain = rebuild(node, inputs, self._attrs(node))
            if is_dot(plain):
                plain = as_sum(plain)
            stays = own and any(made[i] is not inside[i] for i in node.inputs)
            if (plain is not node or stays) and self.trace is not None:
                self.trace.append((node, plain))  # also of what reads the unguarded form
            made[node] = inside[node] = plain
            if own:
                self._bound(plain)
                if node in leaving:
                    made[node] = self._guarded(plain, node not in feeding)
            if not own:
                self._sum(plain)
                if node in leaving and node not in feeding and plain in self.sums:
                    made[node] = self._guarded(plain, True)
                inside[node] = plain if plain in self.sums else made[node]
        return tuple(made[o] for o in outputs)

    def _leaving(self, order: Iterable[Node], outputs: tuple[Node, ...]) -> set[Node]:
        """Floating values of regions that something outside of the region reads."""
        found = set(outputs)
        for node in order:
            if node.op.name == "guarded":
                found.update(node.inputs[2:])  # what it guards is guarded
            elif not in_region(node):
                whole = self._redone_whole(node)
                found.update(node.inputs if whole is None else whole.reads)
        return {n for n in found if _is_float(n) and (in_region(n) or n.op.name in SUMS)}

    def _redone_whole(self, node: Node) -> Redoable | None:
        """A sum whose terms are computed again with it."""
        found = self._redoable(node)
        return found if found is not None and found.region else None

    def _redoable(self, node: Node) -> Redoable | None:
        """A sum that may be done again: by default where that costs little."""
        if node.op.name not in SUMS or (node.op.name == "matmul" and not self.always):
            return None
        if node not in self.tried:
            found = redoable(node, in_region)
            cheap = found is not None and not self.budget.inside and is_cheap(found)
            self.tried[node] = found if self.always or cheap else None
        return self.tried[node]

    def _sum(self, node: Node) -> None:
        """Notes a sum that can be done again, with its bound."""
        found = self._redoable(node)
        if found is None or node in self.sums:
            return
        before = made_for(node.lines)
        self.sums[node], self.deep[node] = found, sum_bound(found)
        made_for(before)

    def _reaches(self, node: Node) -> bool:
        """Do the errors of the sums below a value count for it? By default for few elements."""
        return self.always or is_few(product(node.tensor.shape))

    def _attrs(self, node: Node) -> Any:
        held = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
        if not held or node.op.name == "guarded":
            return None
        for body in held.values():
            if body not in self.bodies:
                self.bodies[body] = Graph(body.params, self.graph(body.outputs, inside=True))
        changed = {k: self.bodies[v] for k, v in held.items()}
        return dict(node.attrs) | changed if any(changed[k] is not held[k] for k in held) else None

    def _bound(self, node: Node) -> Bound:
        found = self.bounds.get(node)
        if found is None:
            before = made_for(node.lines)
            row = BOUNDS[node.op.name]
            found = self.bounds[node] = row(node, [self._known(i) for i in node.inputs])
            if self._reaches(node) and any(i in self.deep for i in node.inputs):
                deep = [self.deep.get(i) or self._known(i) for i in node.inputs]
                self.deep[node] = row(node, deep)
            made_for(before)
        return found

    def _known(self, node: Node) -> Bound:
        return self.bounds.get(node, EXACT)

    def _guarded(self, node: Node, may_branch: bool) -> Node:
        before = made_for(node.lines)
        try:
            deep = self.deep.get(node) if may_branch else None
            doubt = None if deep is None else self._doubt(node, deep, amplified=True)
            made = None if doubt is None else self._branch(node, doubt)
            if made is not None:
                return made
            if is_larger(node, MOST_NODES):
                return node
            bound = self._known(node)
            doubt = self._doubt(node, bound)
            if doubt is None or not (self.always or self._affordable(node, doubt)):
                return node
            return self._made(node, doubt, bound)
        finally:
            made_for(before)

    def _region(self, node: Node) -> tuple[list[Node], list[Node]]:
        """``region_of``, remembered for the node at hand."""
        if self.last is None or self.last[0] is not node:
            self.last = node, *region_of(node)
        return self.last[1:]

    def _affordable(self, node: Node, doubt: Node) -> bool:
        """Is the doubt cheap beside the region, counting what other guards compute already?"""
        region, leaves = self._region(node)
        new, _ = within(doubt, set(region))
        return self.budget.affords(node, region, leaves, new)

    def _doubt(self, node: Node, bound: Bound, amplified: bool = False) -> Node | None:
        """Positive where the bound is too large, NaN where something overflowed on the way.

        ``amplified``: None where nothing can amplify an error, whatever overflows.
        """
        limit = self._branch_limit(node) if amplified else self.limits[node.tensor.dtype.itemsize]
        amplifies = bound.extra is not None or bound.relative > limit
        if amplified and not amplifies:
            return None
        region, _ = self._region(node)
        overflows, hidden = overflowing(node, region)
        parts = [self._excess(node, bound, amplified, limit)] if amplifies else []
        small = self._underflowed(node, region, amplifies)
        if small is not None:
            dtype = node.tensor.dtype
            parts.append(call("where", small, number(math.inf, dtype), number(0.0, dtype)))
        # what a condition compares may be of another dtype
        parts += [_of_dtype(call("subtract", h, h), node) for h in hidden]
        found = total(*parts)
        if not overflows:
            return found
        zero = number(0.0, node.tensor.dtype)  # 0 * inf is NaN
        return call("subtract", node, node) if found is None else call("fma", node, zero, found)

    def _branch_limit(self, node: Node) -> float:
        """Half units that a value of sums may be off before its branch runs.

        One row in doubt does all rows again. Of rows of ordinary numbers a share lies near zero: a
        limit that grows with their number keeps the share of calls that is slow (1 in 100).
        """
        limit, count = self.limits[node.tensor.dtype.itemsize], product(node.tensor.shape)
        many = isinstance(count, int) and count > FEW_ROWS and node.tensor.dtype == FLOAT64
        return limit * count if many and not self.always else limit

    def _excess(self, node: Node, bound: Bound, deep: bool, limit: float) -> Node:
        """What a bound is too large by. Of a product, of the one factor that the error comes from.

        extra / |d| is that of d * x too, if x is exact to a few units: so x takes no part, and
        products of one d share one test. Not in float32: its slow forms read from the doubt, beside
        the value, whether float64 has digits enough.
        """
        if bound.extra is None:
            allowed = times(size(node), limit - bound.relative)
            return call("subtract", number(0.0, node.tensor.dtype), allowed)
        step = limit * STEP
        left = limit - math.ceil(bound.relative / step) * step
        carrier, power = node, 1.0
        is_wide = node.tensor.dtype.itemsize == 8
        while is_wide and (found := self._carrier(carrier, deep)) is not None:
            carrier, power = found[0], power * found[1]
        extra = self._held(carrier, deep).extra
        assert extra is not None
        return call("subtract", extra, times(size(carrier), left / power))

    def _held(self, node: Node, deep: bool) -> Bound:
        """The bound of a node, with the errors of sums if they are meant."""
        return (self.deep.get(node) if deep else None) or self._known(node)

    def _carrier(self, node: Node, deep: bool) -> tuple[Node, float] | None:
        """(The operand that all that is amplified comes from, to what power it is taken)."""
        power = CARRIED.get(node.op.name)
        if power is None:
            return None
        found = {i for i in node.inputs if self._held(i, deep).extra is not None}
        if len(found) != 1:
            return None
        (carrier,) = found
        return carrier, power * node.inputs.count(carrier)

    def _underflowed(self, node: Node, region: Sequence[Node], amplifies: bool) -> Node | None:
        """Where an intermediate underflowed: of few elements also exp(x) in exp(x) * y."""
        if self.always or amplifies:
            return underflowed(region)
        if self.budget.inside or not is_few(product(node.tensor.shape)):
            return None
        weights = {e for n in region if n.op.name in PRODUCTS for e in wild_exponentials(n)}
        return underflowed(region, weights) if weights else None

    def _branch(self, node: Node, doubt: Node) -> Node | None:
        """The value with its sums done again where it is in doubt."""
        region, leaves = self._region(node)
        if len(region) > MOST_NODES:
            return None
        sums = [self.sums[n] for n in leaves if n in self.sums]
        made = redone(node, doubt, leaves, sums)
        if made is not None and self.trace is not None:
            limit = self._branch_limit(node)
            self.trace.append(_record(node, made, limit, "with the sums that it is made of"))
        return made

    def _made(self, node: Node, doubt: Node, bound: Bound) -> Node:
        found = slow_form(node, bound.extra)
        if found is None:
            return node
        inputs, body = found
        made = make_node(
            find_op("guarded"), (node, doubt, *inputs), {"body": body}, lines=node.lines
        )
        if self.trace is not None:
            self.trace.append(_record(node, made, self.limits[node.tensor.dtype.itemsize]))
        return made


def _feeding(order: Sequence[Node]) -> set[Node]:
    """Few elements that long loops read: a branch between would keep these from being one."""
    found: set[Node] = set()
    for node in reversed(order):
        is_long = not isinstance(node.type, TensorType) or not is_few(product(node.tensor.shape))
        if is_long or node in found:
            found.update(node.inputs)
    return found


def slow_form(node: Node, extra: Node | None = None) -> tuple[tuple[Node, ...], Graph] | None:
    """What a region reads, and the region as a graph of that; None if it is too large.

    ``extra``: of its bound. Where functions have errors of their own with twice the digits, what is
    left below them is 0: it has no digit that is right, and may stand for far smaller numbers.
    None, too, where it reads sums without the largest of rounded values: with more digits none is.
    """
    region, leaves = region_of(node)
    noise = None if extra is None else _noise(extra, {n.op.name for n in region})
    if len(region) > MOST_NODES or len(leaves) + (noise is not None) > MOST_INPUTS:
        return None
    if leaves_out_largest(leaves):
        return None
    params = {n: param_node(k, n.type) for k, n in enumerate(leaves)}
    (output,) = substitute_nodes([node], params)
    if noise is None:
        return tuple(leaves), Graph(tuple(params.values()), (output,))
    floor = param_node(len(leaves), noise.type)
    least = call("less", call("abs", output), floor)
    kept = call("where", least, number(0.0, node.tensor.dtype), output)
    return (*leaves, noise), Graph((*params.values(), floor), (kept,))


def _noise(extra: Node, names: set[str]) -> Node | None:
    """What double-double may be off where floats may be by ``extra``; 0 if that is infinite."""
    if names.isdisjoint(DIGITS):
        return None
    digits = min(DIGITS[n] for n in names if n in DIGITS)
    dtype = extra.tensor.dtype
    known = call("less", extra, number(math.inf, dtype))
    return call("where", known, times(extra, 2.0**-digits), number(0.0, dtype))


def _of_dtype(x: Node, like: Node) -> Node:
    dtype = like.tensor.dtype
    return x if x.tensor.dtype == dtype else call("astype", x, dtype=dtype)


def _is_float(node: Node) -> bool:
    return isinstance(node.type, TensorType) and node.tensor.dtype.kind == "f"


def _record(node: Node, made: Node, limit: float, how: str = "") -> Application:
    why = (
        f"the rounding errors of {_words(node)} may add up to more than {limit / 2:g} units of its "
        "last digit; where a bound beside it says so, it is computed again with twice the digits"
        f"{', ' + how if how else ''}"
    )
    return Application("guards", "guard", why, SOURCE, "", node, made, node.lines)


def _words(node: Node) -> str:
    return f"{node.op.name} of " + ", ".join(i.name or i.op.name for i in node.inputs)
