"""``Rule``: one rewrite as data: what it matches, what it gives, when, why, and on whose word.

    rule(log(1 + x), log1p(x), why="1 + x drops x below eps", source="Goldberg 1991, theorem 4")

    @rule.compute("exp", why=..., source=...)
    def merged(node): ...            # a node or None

A rule keeps dtype and shape. ``changes`` says in words where the value changes beyond rounding (an
overflow that is avoided needs no word); ``exact`` that it never does, not in a bit, so that the
rule may run with ``accuracy="as-written"``. ``domain``: the intervals that tests draw holes from.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.records import dataclass, field
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, number
from symgraph.rewrite.conditions import Condition
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn
from symgraph.rewrite.match import Binding, match_factors, match_op, match_terms
from symgraph.rewrite.pattern import (
    Call,
    Hole,
    Matcher,
    Number,
    OpPattern,
    Pat,
    ProductPattern,
    SumPattern,
    as_pattern,
    compiled,
    family_of,
)

Compute = Callable[[Node], Node | None]
_count = itertools.count()


def next_bit() -> int:
    """A bit for sets of rules that nothing else has."""
    return 1 << next(_count)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rewrite. ``ops``: names of the ops it may start at; ``needs``: families met below.

    ``real``: for floating dtypes only. ``early``: tried before the inputs are rewritten.
    ``lifts``: may be tried below a movement, f(move(x)) as move(f(x)). ``bit``: its place in sets
    of rules.
    """

    name: str
    lhs: Pat | None
    rhs: Pat | Compute
    why: str
    source: str
    ops: frozenset[str]
    needs: frozenset[str]
    when: Condition | None = None
    changes: str = ""
    exact: bool = False
    real: bool = True
    early: bool = False
    lifts: bool = True
    matcher: Matcher | None = None
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bit: int = field(init=False, default_factory=next_bit)

    def apply(self, node: Node) -> Node | None:
        """The node rewritten, or None where the rule does not fit."""
        if self.matcher is None:
            assert not isinstance(self.rhs, Pat)
            return self.rhs(node)
        for made in self._results(node):
            if made is not None and made is not node:
                return made
        return None

    def _results(self, node: Node) -> Iterator[Node | None]:
        matcher = self.matcher
        if isinstance(matcher, OpPattern):
            for bound in match_op(matcher, node, {}):
                if self._holds(bound):
                    yield self._built(bound, node)
        elif isinstance(matcher, SumPattern):
            view = t.sum_view(node)
            for bound, scale, left in match_terms(matcher, view, {}, node, whole=False):
                if self._holds(bound):
                    yield self._in_sum(node, view, bound, scale, left)
        elif isinstance(matcher, ProductPattern):
            yield from self._in_product(matcher, node)

    def _holds(self, bound: Binding) -> bool:
        return self.when is None or self.when.test(bound)

    def _built(self, bound: Binding, node: Node) -> Node:
        assert isinstance(self.rhs, Pat)
        return build(self.rhs, bound, _dtype(bound, node))

    def _in_sum(
        self, node: Node, view: t.SumView, bound: Binding, scale: Fraction, left: list[int]
    ) -> Node:
        made = t.scaled(scale, self._built(bound, node))
        taken = [k for k in range(len(view.leaves)) if k not in left]
        return t.replace_terms(node, {taken[0]: made, **dict.fromkeys(taken[1:])})

    def _in_product(self, matcher: ProductPattern, node: Node) -> Iterator[Node | None]:
        view = t.product_view(node)
        for turned in (False, True):
            wanted = _turned(matcher) if turned else matcher
            for bound, scale, left in match_factors(wanted, view, {}, node, whole=False):
                if self._holds(bound):
                    made = self._built(bound, node)
                    rest = [*left, *((b, -e) if turned else (b, e) for b, e in t.factors(made)[1])]
                    own = t.factors(made)[0]
                    if turned and not own:
                        continue
                    total = scale / own if turned else scale * own
                    yield t.from_factors(total, rest, node.tensor.dtype)


def _turned(matcher: ProductPattern) -> ProductPattern:
    flipped = tuple((m, -e) for m, e in matcher.factors)
    return ProductPattern(1 / matcher.coefficient, flipped, matcher.needs)


def _dtype(bound: Binding, node: Node) -> Any:
    """The dtype of numbers on the right: that of the operands, where the result is bool."""
    if node.tensor.dtype.kind != "b":
        return node.tensor.dtype
    operands = [
        b.tensor.dtype
        for b in bound.values()
        if isinstance(b, Node) and isinstance(b.type, TensorType)
    ]
    return next((d for d in operands if d.kind != "b"), node.tensor.dtype)


def build(pattern: Pat, bound: Binding, dtype: Any) -> Node:
    """The node that a pattern stands for, given what its holes bind."""
    if isinstance(pattern, Hole):
        found = bound[pattern.name]
        assert isinstance(found, Node)
        return found
    if isinstance(pattern, Number):
        return number(
            Fraction(pattern.value) if pattern.value == pattern.value else pattern.value, dtype
        )
    assert isinstance(pattern, Call)
    inputs = [build(a, bound, dtype) for a in pattern.args]
    builder = _BUILDERS.get(pattern.op)
    if builder is not None and dtype.kind == "f":
        return builder(*inputs)
    if len(inputs) == 1 and not pattern.attrs and inputs[0].tensor.dtype.kind == "f":
        return fn(pattern.op, *inputs)
    attrs = {k: bound[v.name] if isinstance(v, Hole) else v for k, v in pattern.attrs.items()}
    return call(pattern.op, *inputs, **attrs)


_BUILDERS: dict[str, Callable[..., Node]] = {
    "add": lambda a, b: t.add([a, b]),
    "subtract": lambda a, b: t.sub(a, b),
    "negative": t.neg,
    "multiply": lambda a, b: t.mul([a, b]),
    "divide": t.div,
    "square": lambda a: t.power(a, 2),
}


def _root_ops(matcher: Matcher) -> frozenset[str]:
    if isinstance(matcher, SumPattern):
        return frozenset({"add", "subtract"})
    if isinstance(matcher, ProductPattern):
        return frozenset({"multiply", "divide"})
    assert isinstance(matcher, OpPattern), "a rule needs an op at its root"
    return frozenset({matcher.op})


def _root_needs(matcher: Matcher) -> frozenset[str]:
    if isinstance(matcher, SumPattern | ProductPattern):
        return matcher.needs
    assert isinstance(matcher, OpPattern)
    return frozenset(f for a in matcher.args if (f := family_of(a)) is not None)


class _Maker:
    """``rule(lhs, rhs, ...)`` makes a pattern rule, ``@rule.compute(ops, ...)`` a computed one."""

    def __call__(
        self, lhs: Pat, rhs: Any, *, why: str, source: str, name: str = "", **row: Any
    ) -> Rule:
        matcher, right = compiled(lhs), as_pattern(rhs)
        label = name or f"{lhs} -> {right}"
        return Rule(
            label,
            lhs,
            right,
            why,
            source,
            _root_ops(matcher),
            _root_needs(matcher),
            matcher=matcher,
            **row,
        )

    def compute(
        self, ops: str, *, why: str, source: str, needs: str = "", **row: Any
    ) -> Callable[[Compute], Rule]:
        """A rule as a function of a node: another node, or None where it does not apply.

        ``ops``: names of the ops it starts at. ``needs``: families of which one must be met below.
        """

        def make(function: Compute) -> Rule:
            label = row.pop("name", "") or function.__name__.strip("_").replace("_", " ")
            return Rule(
                label,
                None,
                function,
                why,
                source,
                frozenset(ops.split()),
                frozenset(needs.split()),
                **row,
            )

        return make


rule = _Maker()
