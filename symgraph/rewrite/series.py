"""Removable singularities: a sum whose leading terms cancel becomes its power series near there.

``(x - sin(x))`` is a difference of nearly equal numbers for small x, whatever the order of
operations. The exact series of the sum (coefficients are fractions) is evaluated instead where its
argument is small, inside the radius where ``ORDER`` terms suffice; elsewhere the sum stays.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, fraction
from symgraph.rewrite.coefficients import (
    AT_ZERO,
    FUNCTIONS,
    ZERO_ORDER,
    Coefficients,
    NoSeries,
    Series,
    normal,
    plain,
    powered,
    quotient,
    times,
)
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import exact_root, fn, less, num, where
from symgraph.rewrite.rule import Rule, rule

ORDER = 26
HALF = Fraction(1, 2)
PROBE = 6  # terms computed first, to see whether anything cancels
RADII = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
MOST_NODES = 60
MOST_CANDIDATES = 4
ARITHMETIC = frozenset(
    [
        "add",
        "subtract",
        "negative",
        "multiply",
        "square",
        "divide",
        "reciprocal",
        "pow",
        "sqrt",
        "hypot",
    ]
)
ZERO_PLACES = frozenset(FUNCTIONS) - {"log"}  # functions with a series at 0

Start = Callable[[Any, int], Series]  # the series of a variable, from a zero and a length


def all_series(
    node: Node, at: Node, centre: int | Start, count: int, kind: Any
) -> dict[Node, Series]:
    """The power series in ``at - centre`` of a node and its parts, where there is one.

    ``centre`` may be a function that gives the series of ``at`` itself in another variable.
    """
    zero = kind(0)
    if isinstance(centre, int):
        own = normal(0, [kind(centre), kind(1), *[zero] * (count - 2)])
    else:
        own = centre(zero, count)
    made: dict[Node, Series] = {at: own}
    for item in _of_one(node, at):
        inputs = _parts(item)
        if item in made or any(i not in made for i in inputs):
            continue  # what has no series is an error only where it is needed
        try:
            made[item] = _series(item, [made[i] for i in inputs], zero, count)
        except (NoSeries, ZeroDivisionError, OverflowError):
            continue
    return made


def _of_one(node: Node, at: Node) -> list[Node]:
    """The nodes of an expression, inputs first, if it may be a function of ``at`` alone."""
    order = below(node) or []
    alone = {at}
    for item in order:
        inputs = _parts(item)
        if alone.issuperset(inputs) if inputs else item.op.name == "constant":
            alone.add(item)
    return order if node in alone else []


def below(node: Node) -> list[Node] | None:
    """The nodes of an expression, inputs first, down to what has no series; None for too many."""
    if node in _large:
        return None
    if any(i in _large for i in _parts(node)):
        _large.add(node)
        return None
    order: list[Node] = []
    stack, seen = [(node, False)], set()
    while stack:
        top, finished = stack.pop()
        if finished:
            order.append(top)
            continue
        if top in seen:
            continue
        seen.add(top)
        if len(seen) > MOST_NODES or top in _large:
            _large.add(node)
            return None
        stack.append((top, True))
        stack += [(i, False) for i in _parts(top)]
    return order


_large: weakref.WeakSet[Node] = weakref.WeakSet()  # with more nodes below than are looked at


def _parts(node: Node) -> tuple[Node, ...]:
    """The inputs of what has a series where they have; of a branch with a series the other."""
    if node.op.name in ARITHMETIC or node.op.name in FUNCTIONS:
        return node.inputs
    return node.inputs[2:] if _is_expanded(node) else ()


def _is_expanded(node: Node) -> bool:
    """Is it ``where(abs(x) < r, a series, what that stands for)``?"""
    if node.op.name != "where":
        return False
    condition, near, _ = node.inputs
    small = condition.op.name == "less" and condition.inputs[0].op.name == "abs"
    return small and any(n.op.name == "polynomial" for n in (near, *near.inputs))


def _series(node: Node, inputs: list[Series], zero: Any, count: int) -> Series:
    name = node.op.name
    if name == "constant":
        value = fraction(node)
        if value is None:
            raise NoSeries
        return normal(0, [type(zero)(value), *[zero] * (count - 1)])
    if name in ("add", "subtract"):
        return _sum(inputs, -1 if name == "subtract" else 1, zero, count)
    if name == "negative":
        return inputs[0][0], [-c for c in inputs[0][1]]
    if name == "multiply":
        return inputs[0][0] + inputs[1][0], times(inputs[0][1], inputs[1][1])
    if name == "square":
        return 2 * inputs[0][0], times(inputs[0][1], inputs[0][1])
    if name == "divide":
        return _divided(*inputs)
    if name == "reciprocal":
        return _divided((0, [zero + 1, *[zero] * (count - 1)]), inputs[0])
    if name in ("pow", "sqrt"):
        return _root_or_power(node, inputs)
    if name == "hypot":
        (v, a), (w, b) = ((2 * o, times(c, c)) for o, c in inputs)
        return _root_or_power(node, [_sum([(v, a), (w, b)], 1, zero, count)])
    return _of_function(node, inputs, zero)


def _of_function(node: Node, inputs: list[Series], zero: Any) -> Series:
    name = node.op.name
    if name == "where":
        return inputs[0]
    if len(inputs) != 1 or name not in FUNCTIONS:
        raise NoSeries
    found = FUNCTIONS[name](plain(inputs[0]))
    if name in AT_ZERO:
        constant = node.tensor.dtype.type(AT_ZERO[name])
        found = [found[0] + type(zero)(float(constant)), *found[1:]]
    return normal(0, found)


def _sum(inputs: list[Series], sign: int, zero: Any, count: int) -> Series:
    (v, a), (w, b) = inputs
    low = min(v, w)
    out = [zero] * count
    for shift, part, factor in ((v - low, a, 1), (w - low, b, sign)):
        for i in range(max(0, count - shift)):
            out[i + shift] += factor * part[i]
    return normal(low, out)


def _divided(top: Series, bottom: Series) -> Series:
    if not bottom[1][0]:
        raise NoSeries
    return top[0] - bottom[0], quotient(top[1], bottom[1])


def _root_or_power(node: Node, inputs: list[Series]) -> Series:
    order, a = inputs[0]
    exponent = HALF if node.op.name in ("sqrt", "hypot") else fraction(node.inputs[1])
    if exponent is None or order >= ZERO_ORDER or not a[0]:
        raise NoSeries
    if exponent.denominator == 1:
        lead = a[0] ** int(exponent)
    elif (order * exponent).denominator != 1:
        raise NoSeries
    elif isinstance(a[0], float):
        if a[0] < 0:
            raise NoSeries
        lead = a[0] ** float(exponent)
    else:
        found = exact_root(a[0]) if exponent == HALF else a[0] if a[0] == 1 else None
        if found is None:
            raise NoSeries
        lead = found
    scaled = powered([x / a[0] for x in a], type(a[0])(exponent))
    return int(order * exponent), [lead * c for c in scaled]


def _candidates(node: Node) -> list[tuple[Node, int]]:
    """Where series may be taken: functions' arguments at 0, logarithms' at 1, variables at 0."""
    found: dict[tuple[Node, int], None] = {}
    for item in below(node) or ():
        name = item.op.name
        if name == "polynomial" or (name == "where" and not _is_expanded(item)):
            return []
        if name in ZERO_PLACES:
            place = (_bare(item.inputs[0]), 0)
        elif name == "log":
            place = (item.inputs[0], 1)
        elif item.op.kind == "leaf" and name != "constant":
            place = (item, 0)
        else:
            continue
        if place[0].op.name != "constant" and t.is_real(place[0]):
            found[place] = None
    return list(found)[:MOST_CANDIDATES]


def _bare(x: Node) -> Node:
    """x without its coefficient and power: a series in them is one in x."""
    _, found = t.factors(x)
    return found[0][0] if len(found) == 1 and found[0][1] > 0 else x


@rule.compute(
    "add subtract",
    why="the leading terms of the sum cancel there",
    source="Taylor's theorem, exact coefficients",
    lifts=False,
)
def removable_singularity(node: Node) -> Node | None:
    """x - sin(x) --> where(abs(x) < r, x**3 * polynomial(x*x), x - sin(x))."""
    parts = t.terms(node)
    if len(parts) > 6 or not any(_transcendental(p) for _, p in parts):
        return None
    for place, centre in _candidates(node):
        made = _expanded(_in_terms_of(node, place), place, centre)
        if made is not None:
            return where(*made, node)
    return None


def _in_terms_of(node: Node, place: Node) -> Node:
    """The sum with products of the factors of ``place`` as its powers: x * exp(x/y) / y."""
    _, own = t.factors(place)
    if len(own) < 2:
        return node
    parts = []
    for scale, part in t.terms(node):
        left = dict(t.factors(part)[1]) if part is not None else {}
        powers = [left.get(b, 0) // e for b, e in own]
        power = powers[0]
        if part is None or power < 1 or any(left.get(b) != power * e for b, e in own):
            parts.append((scale, part))
            continue
        more, factors = t.factors(part)
        rest = [f for f in factors if f[0] not in dict(own)]
        over = t.factors(place)[0] ** power
        kept = [t.from_factors(Fraction(1), rest, node.tensor.dtype)] if rest else []
        product = place if power == 1 else t.power(place, power)
        for other in kept:
            product = call("multiply", product, other)
        parts.append((scale * more / over, product))
    return t.from_terms(parts, node.tensor.dtype)


def _transcendental(part: Node | None) -> bool:
    if part is None:
        return False
    return any(
        b.op.name in FUNCTIONS or b.op.name in ("sqrt", "pow", "add", "subtract") or _is_expanded(b)
        for b, _ in t.factors(part)[1]
    )


def cancelling(node: Node, made: dict[Node, Series]) -> tuple[int, int] | None:
    """The least order of a term and the order of the sum, where the sum's is higher."""
    if node not in made:
        return None
    orders = [0 if p is None else made[p][0] for _, p in t.terms(node) if p is None or p in made]
    order = made[node][0]
    low = min(orders)
    if len(orders) < len(t.terms(node)) or order <= low or (order >= ZERO_ORDER and low < 0):
        return None
    return low, order


def _expanded(node: Node, at: Node, centre: int) -> tuple[Node, Node] | None:
    """Where the series is taken, and the series."""
    if cancelling(node, all_series(node, at, centre, PROBE, float)) is None:
        return None
    made = all_series(node, at, centre, ORDER, Fraction)
    found = cancelling(node, made)
    if found is None or found[1] >= ZERO_ORDER:
        return None
    low, order = found
    a = made[node][1]
    count = min(ORDER - PROBE, ORDER - (order - low)) - 1
    a = a[:count]
    radius = next((r for r in RADII if converges(a, r)), None)
    if radius is None:
        return None
    x = at if not centre else t.sub(at, num(centre, at))
    return less(fn("abs", x), num(radius, x)), evaluated(a, order, x)


def evaluated(a: Coefficients, order: int, x: Node) -> Node:
    """x**order * polynomial(x), in x*x where odd powers are missing."""
    if not any(a[1::2]):
        inside = call("polynomial", t.mul([x, x]), coefficients=tuple(float(c) for c in a[::2]))
    else:
        inside = call("polynomial", x, coefficients=tuple(float(c) for c in a))
    return t.mul([t.power(x, order), inside]) if order else inside


def converges(a: Coefficients, radius: float) -> bool:
    """Are the last terms below rounding, and the first not cancelled by the others?"""
    first = abs(float(a[0]))
    tail = all(
        abs(float(c)) * radius**i < 2.0**-54 * first for i, c in enumerate(a) if i >= len(a) - 2
    )
    return tail and sum(abs(float(c)) * radius**i for i, c in enumerate(a[1:], 1)) < first


SERIES: tuple[Rule, ...] = (removable_singularity,)
