"""Matching of patterns with nodes: all ways, by backtracking over terms and factors.

What a pattern means is said in ``pattern.py``. Read next: ``rule.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from symgraph.ir.node import Node, rebuild
from symgraph.rewrite import terms as t
from symgraph.rewrite.axes import kept_reduction
from symgraph.rewrite.build import uniform
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.pattern import (
    Hole,
    Matcher,
    Number,
    OpPattern,
    ProductPattern,
    SumPattern,
    lone_hole,
)

Binding = dict[str, Any]  # hole -> Node, or an attribute's value
ONE = Fraction(1)


def match(matcher: Matcher, node: Node, bound: Binding) -> Iterator[Binding]:
    """All ways in which a pattern matches a node, given what is bound already."""
    if isinstance(matcher, Hole):
        known = bound.get(matcher.name)
        if known is None:
            yield {**bound, matcher.name: node}
        elif same(ONE, known, node):
            yield bound
    elif isinstance(matcher, Number):
        value = uniform(node)
        if value is not None and value == matcher.value:
            yield bound
    elif isinstance(matcher, SumPattern):
        if t.family(node) == "+" and matcher.needs <= t.sum_view(node).ops:
            for found, _, left in match_terms(matcher, t.sum_view(node), bound, node, whole=True):
                if not left:
                    yield found
    elif isinstance(matcher, ProductPattern):
        yield from _match_product(matcher, node, bound)
    else:
        yield from match_op(matcher, node, bound)


def match_op(matcher: OpPattern, node: Node, bound: Binding) -> Iterator[Binding]:
    """An op with its attributes and inputs."""
    if node.op.name != matcher.op:
        if node.op.name not in t.MOVEMENTS:
            return
        node = _seen_through(matcher, node)
        if node.op.name != matcher.op:
            return
    for name, wanted in matcher.attrs:
        value = node.attrs.get(name)
        if isinstance(wanted, Hole):
            if wanted.name in bound and bound[wanted.name] != value:
                return
            bound = {**bound, wanted.name: value}
        elif value != wanted:
            return
    yield from _match_inputs(matcher.args, node.inputs, matcher.needs, bound)
    if matcher.swaps:
        yield from _match_inputs(matcher.args, node.inputs[::-1], matcher.needs, bound)


def _match_inputs(
    args: tuple[Matcher, ...],
    inputs: tuple[Node, ...],
    needs: tuple[str | None, ...],
    bound: Binding,
) -> Iterator[Binding]:
    if len(args) != len(inputs):
        return
    for need, given in zip(needs, inputs, strict=True):
        if (
            need is not None
            and t.family(given) != need
            and t.family(t.core(given)) != need
            and need != "*"
        ):
            return
    states = [bound]
    for arg, given in zip(args, inputs, strict=True):
        states = [found for state in states for found in match(arg, given, state)]
        if not states:
            return
    yield from states


def _match_operand(matcher: Matcher, node: Node, bound: Binding) -> Iterator[Binding]:
    """A pattern inside a sum or product, where a reduction must line up as with keepdims."""
    reduces = isinstance(matcher, OpPattern) and "axes" in node.attrs and node.op.name == matcher.op
    if (
        not reduces
        or node.tensor.ndim == 0
        or node.tensor.ndim == node.inputs[0].tensor.ndim
        or kept_reduction(node) is node
    ):
        yield from match(matcher, node, bound)


def _seen_through(matcher: OpPattern, node: Node) -> Node:
    """The op wanted, below movements: move(f(x)) as f(move(x)), a reduction as with keepdims."""
    inner = t.core(node)
    if inner.op.name != matcher.op:
        return node
    if "axes" in inner.attrs:
        return kept_reduction(node) or node
    if inner.op.kind != "elementwise" or len(inner.inputs) != 1:
        return node
    chain = []
    while node is not inner:
        chain.append(node)
        node = node.inputs[0]
    made = inner.inputs[0]
    for outer in reversed(chain):
        made = rebuild(outer, (made, *outer.inputs[1:]))
    return rebuild(inner, (made,))


Rest = list[int]  # indices of terms that the pattern left over


def match_terms(
    matcher: SumPattern, view: t.SumView, bound: Binding, node: Node, *, whole: bool
) -> Iterator[tuple[Binding, Fraction, Rest]]:
    """Ways to find a sum's terms in another: binding, scale, terms left over.

    ``whole``: scale 1 and nothing left over, the last hole taking several terms if need be.
    """
    leaves = view.leaves
    free = list(range(len(leaves)))
    scale = ONE if whole else None
    if matcher.constant:
        at = [k for k in free if leaves[k][1] is None]
        if len(at) != 1:
            return
        ratio = leaves[at[0]][0] / matcher.constant
        if not ratio or (whole and ratio != 1):
            return
        scale, free = ratio, [k for k in free if k != at[0]]
    yield from _match_rest(matcher.terms, leaves, free, scale, bound, node, whole)


def _match_rest(
    wanted: tuple[tuple[Fraction, Matcher], ...],
    leaves: tuple[t.Term, ...],
    free: list[int],
    scale: Fraction | None,
    bound: Binding,
    node: Node,
    whole: bool,
) -> Iterator[tuple[Binding, Fraction, Rest]]:
    if not wanted:
        yield bound, scale or ONE, free
        return
    (coefficient, matcher), *rest = wanted
    if isinstance(matcher, Hole) and scale is not None:
        yield from _match_hole(
            coefficient * scale, matcher, wanted, leaves, free, scale, bound, node, whole
        )
        return
    for k in free:
        given, part = leaves[k]
        if part is None:
            continue
        ratio = given / coefficient
        if scale is not None and ratio != scale:
            continue
        left = [j for j in free if j != k]
        for found in _match_operand(matcher, part, bound):
            yield from _match_rest(tuple(rest), leaves, left, ratio, found, node, whole)


def _match_hole(
    coefficient: Fraction,
    hole: Hole,
    wanted: tuple[tuple[Fraction, Matcher], ...],
    leaves: tuple[t.Term, ...],
    free: list[int],
    scale: Fraction,
    bound: Binding,
    node: Node,
    whole: bool,
) -> Iterator[tuple[Binding, Fraction, Rest]]:
    rest, known = wanted[1:], bound.get(hole.name)
    if known is not None:
        taken = _find_sum(coefficient, known, leaves, free)
        if taken is not None:
            left = [k for k in free if k not in taken]
            yield from _match_rest(rest, leaves, left, scale, bound, node, whole)
        return
    if whole and not rest:
        if free:
            value = t.from_terms(
                [(leaves[k][0] / coefficient, leaves[k][1]) for k in free], node.tensor.dtype
            )
            yield {**bound, hole.name: value}, scale, []
        return
    for k in free:
        given, part = leaves[k]
        if part is not None:
            value = t.scaled(given / coefficient, part)
            left = [j for j in free if j != k]
            yield from _match_rest(
                rest, leaves, left, scale, {**bound, hole.name: value}, node, whole
            )


def _find_sum(
    scale: Fraction, known: Node, leaves: tuple[t.Term, ...], free: list[int]
) -> set[int] | None:
    """The terms that make up scale * known, or None."""
    taken: set[int] = set()
    for coefficient, part in t.terms(known):
        wanted = scale * coefficient
        k = next(
            (j for j in free if j not in taken and leaves[j][1] is part and leaves[j][0] == wanted),
            None,
        )
        if k is None:
            return None
        taken.add(k)
    return taken


def same(scale: Fraction, left: Node, right: Node) -> bool:
    """Is right == scale * left, by structure?"""
    if left is right:
        return scale == 1
    if not t.is_real(left) or not t.is_real(right):
        return False
    if t.family(left) == "+" and t.family(right) == "+":
        return _totals(left, scale) == _totals(right, ONE)
    (a, x), (b, y) = t.coef(left), t.coef(right)
    if a * scale != b:
        return False
    return (
        x is y
        or (x is not None and y is not None and x is not left and same(ONE, x, y))
        or _same_product(x, y)
    )


def _same_product(left: Node | None, right: Node | None) -> bool:
    if left is None or right is None or t.family(left) != "*" or t.family(right) != "*":
        return False
    (a, x), (b, y) = t.factors(left), t.factors(right)
    return a == b and dict(x) == dict(y)


def _totals(node: Node, scale: Fraction) -> dict[Node | None, Fraction]:
    return {part: scale * c for c, part in t.collect(t.terms(node))}


def _match_product(matcher: ProductPattern, node: Node, bound: Binding) -> Iterator[Binding]:
    if lone_hole(matcher):
        hole = matcher.factors[0][0]
        assert isinstance(hole, Hole)
        known = bound.get(hole.name)
        if known is not None:
            if same(matcher.coefficient, known, node):
                yield bound
        elif t.is_real(node) and _halves_exactly(matcher.coefficient):
            yield {**bound, hole.name: t.scaled(1 / matcher.coefficient, node)}
        return
    if not t.is_real(node):
        return
    view = t.product_view(node)
    if not matcher.needs <= view.ops:
        return
    for found, scale, left in match_factors(matcher, view, bound, node, whole=True):
        if scale == 1 and not left:
            yield found


def _halves_exactly(value: Fraction) -> bool:
    top, bottom = abs(value.numerator), value.denominator
    return top & (top - 1) == 0 and bottom & (bottom - 1) == 0


def match_factors(
    matcher: ProductPattern, view: t.ProductView, bound: Binding, node: Node, *, whole: bool
) -> Iterator[tuple[Binding, Fraction, list[t.Factor]]]:
    """Ways to find a product's factors in another: binding, scale, factors left over."""
    ratio = view.coefficient / matcher.coefficient
    yield from _match_bases(matcher.factors, list(view.factors), ratio, bound, node, whole)


def _match_bases(
    wanted: tuple[tuple[Matcher, int], ...],
    free: list[t.Factor],
    scale: Fraction,
    bound: Binding,
    node: Node,
    whole: bool,
) -> Iterator[tuple[Binding, Fraction, list[t.Factor]]]:
    if not wanted:
        yield bound, scale, free
        return
    (matcher, exponent), *rest = wanted
    if isinstance(matcher, Hole) and matcher.name not in bound and whole and not rest:
        value = _root_of(scale, free, exponent, node)
        if value is not None:
            yield {**bound, matcher.name: value}, ONE, []
        return
    if isinstance(matcher, Hole) and matcher.name in bound:
        yield from _match_known(
            bound[matcher.name], exponent, tuple(rest), free, scale, bound, node, whole
        )
        return
    for k, (base, given) in enumerate(free):
        if given * exponent <= 0 or abs(given) < abs(exponent) or (whole and given != exponent):
            continue
        left = [
            *free[:k],
            *([(base, given - exponent)] if given != exponent else []),
            *free[k + 1 :],
        ]
        for found in _match_operand(matcher, base, bound):
            yield from _match_bases(tuple(rest), left, scale, found, node, whole)


def _match_known(
    known: Node,
    exponent: int,
    rest: tuple[tuple[Matcher, int], ...],
    free: list[t.Factor],
    scale: Fraction,
    bound: Binding,
    node: Node,
    whole: bool,
) -> Iterator[tuple[Binding, Fraction, list[t.Factor]]]:
    """A hole that is bound: its own factors must all be there."""
    coefficient, parts = t.factors(known)
    if not coefficient:
        return
    left = dict(free)
    for base, own in parts:
        given, wanted = left.get(base, 0), own * exponent
        if given * wanted <= 0 or abs(given) < abs(wanted):
            return
        left[base] = given - wanted
    remaining = [(b, e) for b, e in left.items() if e]
    yield from _match_bases(rest, remaining, scale / coefficient**exponent, bound, node, whole)


def _root_of(scale: Fraction, free: list[t.Factor], exponent: int, node: Node) -> Node | None:
    """All that is left as value ** exponent."""
    if not free or any(e % exponent for _, e in free):
        return None
    if exponent == -1:
        scale = 1 / scale if scale else scale
    elif exponent != 1 and scale != 1:
        return None
    return t.from_factors(scale, [(b, e // exponent) for b, e in free], node.tensor.dtype)
