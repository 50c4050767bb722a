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
from symgraph.rewrite.exact import Fraction, dot
from symgraph.rewrite.functions import exact_root, fn, less, num, where
from symgraph.rewrite.rule import Rule, rule

ORDER = 26
HALF = Fraction(1, 2)
PROBE = 6  # terms computed first, to see whether anything cancels
ZERO_ORDER = 10**6  # the order of a series that is 0
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
AT_ZERO = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "exp",
        "expm1",
        "sinh",
        "cosh",
        "tanh",
        "log1p",
        "atan",
        "asin",
        "asinh",
        "atanh",
        "sigmoid",
        "exprel",
        "sinhc",
        "sinc_radians",
    ]
)

Coefficients = list[Any]  # fractions; floats in the first look, which only asks what cancels
Series = tuple[int, Coefficients]  # order of the first term, coefficients from there on
Start = Callable[[Any, int], Series]  # the series of a variable, from a zero and a length
TOLERANCE = 1e-11  # of the first look: what is below counts as cancelled, until fractions tell


class NoSeries(Exception):
    """The expression has no power series there that can be told."""


def _times(a: Coefficients, b: Coefficients) -> Coefficients:
    n = len(a)
    if isinstance(a[0], Fraction):
        turned = b[::-1]
        return [dot(a[: i + 1], turned[n - 1 - i :]) for i in range(n)]
    out = [a[0] * 0] * n
    for i, x in enumerate(a):
        if x:
            for j, y in enumerate(b[: n - i]):
                if y:
                    out[i + j] += x * y
    return out


def _quotient(a: Coefficients, b: Coefficients) -> Coefficients:
    out: Coefficients = []
    if isinstance(a[0], Fraction):
        for i, value in enumerate(a):
            out.append((value - dot(b[1 : i + 1], out[::-1])) / b[0])
        return out
    for i, value in enumerate(a):
        for j in range(1, i + 1):
            if b[j]:
                value -= b[j] * out[i - j]
        out.append(value / b[0])
    return out


def _powered(a: Coefficients, exponent: Any) -> Coefficients:
    """a ** exponent for a[0] == 1."""
    out = [a[0]]
    if isinstance(a[0], Fraction):
        slopes = _derivative(a)[:-1]
        for i in range(1, len(a)):
            # (exponent * j - (i - j)) * a[j] = (exponent + 1) * j * a[j] - i * a[j]
            whole = (exponent + 1) * dot(slopes, out[::-1]) - i * dot(a[1 : i + 1], out[::-1])
            out.append(whole / i)
        return out
    for i in range(1, len(a)):
        total = a[0] * 0
        for j in range(1, i + 1):
            if a[j]:
                total += (exponent * j - (i - j)) * a[j] * out[i - j]
        out.append(total / i)
    return out


def _integral(a: Coefficients) -> Coefficients:
    return [a[0] * 0, *(x / (i + 1) for i, x in enumerate(a))][: len(a)]


def _derivative(a: Coefficients) -> Coefficients:
    return [*(i * x for i, x in enumerate(a[1:], 1)), a[0] * 0]


def _convolved(a: Coefficients, b: Coefficients, i: int) -> Any:
    """Coefficient i of the integral of a' * b, times i."""
    if isinstance(a[0], Fraction):
        return dot([j * x for j, x in enumerate(a[1 : i + 1], 1)], b[i - 1 :: -1])
    total = a[0] * 0
    for j in range(1, i + 1):
        if a[j]:
            total += j * a[j] * b[i - j]
    return total


def _exp(a: Coefficients) -> Coefficients:
    out = [a[0] + 1]
    for i in range(1, len(a)):
        out.append(_convolved(a, out, i) / i)
    return out


def _sine_cosine(a: Coefficients, sign: int) -> tuple[Coefficients, Coefficients]:
    s, c = [a[0]], [a[0] + 1]
    for i in range(1, len(a)):
        s.append(_convolved(a, c, i) / i)
        c.append(sign * _convolved(a, s, i) / i)
    return s, c


def _normal(order: int, a: Coefficients) -> Series:
    least = TOLERANCE * max(map(abs, a)) if isinstance(a[0], float) else 0
    first = next((k for k, c in enumerate(a) if (abs(c) > least if least else c)), None)
    if first is None:
        return ZERO_ORDER, [a[0] * 0] * len(a)
    return order + first, a[first:] + [a[0] * 0] * first


def _plain(found: Series) -> Coefficients:
    """Coefficients from the constant term on."""
    order, a = found
    if order < 0:
        raise NoSeries
    return ([a[0] * 0] * min(order, len(a)) + a)[: len(a)]


def all_series(
    node: Node, at: Node, centre: int | Start, count: int, kind: Any
) -> dict[Node, Series]:
    """The power series in ``at - centre`` of a node and its parts, where there is one.

    ``centre`` may be a function that gives the series of ``at`` itself in another variable.
    """
    zero = kind(0)
    if isinstance(centre, int):
        own = _normal(0, [kind(centre), kind(1), *[zero] * (count - 2)])
    else:
        own = centre(zero, count)
    made: dict[Node, Series] = {at: own}
    for item in _of_one(node, at):
        if item in made or any(i not in made for i in item.inputs):
            continue  # what has no series is an error only where it is needed
        try:
            made[item] = _series(item, [made[i] for i in item.inputs], zero, count)
        except (NoSeries, ZeroDivisionError, OverflowError):
            continue
    return made


def _of_one(node: Node, at: Node) -> list[Node]:
    """The nodes of an expression, inputs first, if it may be a function of ``at`` alone."""
    order = below(node) or []
    alone = {at}
    for item in order:
        inputs = item.inputs
        if alone.issuperset(inputs) if inputs else item.op.name == "constant":
            alone.add(item)
    return order if node in alone else []


def below(node: Node) -> list[Node] | None:
    """The nodes of an expression, inputs first, down to what has no series; None for too many."""
    if node in _large:
        return None
    if _is_open(node) and any(i in _large for i in node.inputs):
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
        if len(seen) > MOST_NODES:
            _large.add(node)
            return None
        stack.append((top, True))
        if _is_open(top):
            stack += [(i, False) for i in top.inputs]
    return order


_large: weakref.WeakSet[Node] = weakref.WeakSet()  # with more nodes below than are looked at


def _is_open(node: Node) -> bool:
    """Has it a series where its inputs have one?"""
    return node.op.name in ARITHMETIC or node.op.name in FUNCTIONS


def _series(node: Node, inputs: list[Series], zero: Any, count: int) -> Series:
    name = node.op.name
    if name == "constant":
        value = fraction(node)
        if value is None:
            raise NoSeries
        return _normal(0, [type(zero)(value), *[zero] * (count - 1)])
    if name in ("add", "subtract"):
        return _sum(inputs, -1 if name == "subtract" else 1, zero, count)
    if name == "negative":
        return inputs[0][0], [-c for c in inputs[0][1]]
    if name == "multiply":
        return inputs[0][0] + inputs[1][0], _times(inputs[0][1], inputs[1][1])
    if name == "square":
        return 2 * inputs[0][0], _times(inputs[0][1], inputs[0][1])
    if name == "divide":
        return _divided(*inputs)
    if name == "reciprocal":
        return _divided((0, [zero + 1, *[zero] * (count - 1)]), inputs[0])
    if name in ("pow", "sqrt"):
        return _root_or_power(node, inputs)
    if name == "hypot":
        (v, a), (w, b) = ((2 * o, _times(c, c)) for o, c in inputs)
        return _root_or_power(node, [_sum([(v, a), (w, b)], 1, zero, count)])
    if len(inputs) != 1 or name not in FUNCTIONS:
        raise NoSeries
    return _normal(0, FUNCTIONS[name](_plain(inputs[0])))


def _sum(inputs: list[Series], sign: int, zero: Any, count: int) -> Series:
    (v, a), (w, b) = inputs
    low = min(v, w)
    out = [zero] * count
    for shift, part, factor in ((v - low, a, 1), (w - low, b, sign)):
        for i in range(max(0, count - shift)):
            out[i + shift] += factor * part[i]
    return _normal(low, out)


def _divided(top: Series, bottom: Series) -> Series:
    if not bottom[1][0]:
        raise NoSeries
    return top[0] - bottom[0], _quotient(top[1], bottom[1])


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
    scaled = _powered([x / a[0] for x in a], type(a[0])(exponent))
    return int(order * exponent), [lead * c for c in scaled]


def _require(a: Coefficients, value: int) -> Coefficients:
    if abs(a[0] - value) > (TOLERANCE if isinstance(a[0], float) else 0):
        raise NoSeries
    return [a[0] * 0 + value, *a[1:]]


def _log(a: Coefficients) -> Coefficients:
    a = _require(a, 1)
    return _integral(_quotient(_derivative(a), a))


def _of_exp(a: Coefficients) -> Coefficients:
    return _exp(_require(a, 0))


def _sigmoid(a: Coefficients) -> Coefficients:
    e = _of_exp(a)
    return _quotient(e, [e[0] + 1, *e[1:]])


def _circular(part: int, sign: int) -> Callable[[Coefficients], Coefficients]:
    def of(a: Coefficients) -> Coefficients:
        s, c = _sine_cosine(_require(a, 0), sign)
        return _quotient(s, c) if part == 2 else (s, c)[part]

    return of


def _inverse(sign: int, exponent: Fraction) -> Callable[[Coefficients], Coefficients]:
    """The integral of (1 + sign * x*x) ** exponent."""

    def of(a: Coefficients) -> Coefficients:
        squares = _times(_require(a, 0), a)
        slope = _powered([a[0] * 0 + 1, *(sign * c for c in squares[1:])], type(a[0])(exponent))
        return _integral(_times(_derivative(a), slope))

    return of


def _relative(function: Callable[[Coefficients], Coefficients]) -> Any:
    """f(x) / x of a series x without constant term, for f(0) = 0."""

    def of(a: Coefficients) -> Coefficients:
        a = _require(a, 0)
        first = next((k for k, c in enumerate(a) if c), None)
        if first is None:
            return [a[0] * 0 + 1, *a[1:]]
        n = len(a)
        longer = a + [a[0] * 0] * first
        top, bottom = function(longer)[first:], longer[first:]
        return _quotient(top[:n], bottom[:n])

    return of


FUNCTIONS: dict[str, Callable[[Coefficients], Coefficients]] = {
    "log": _log,
    "log1p": lambda a: _log([a[0] + 1, *a[1:]]),
    "exp": _of_exp,
    "expm1": lambda a: [a[0] * 0, *_of_exp(a)[1:]],
    "sigmoid": _sigmoid,
    "sin": _circular(0, -1),
    "cos": _circular(1, -1),
    "tan": _circular(2, -1),
    "sinh": _circular(0, 1),
    "cosh": _circular(1, 1),
    "tanh": _circular(2, 1),
    "exprel": _relative(lambda a: [a[0] * 0, *_of_exp(a)[1:]]),
    "sinhc": _relative(_circular(0, 1)),
    "sinc_radians": _relative(_circular(0, -1)),
    "atan": _inverse(1, Fraction(-1)),
    "atanh": _inverse(-1, Fraction(-1)),
    "asin": _inverse(-1, Fraction(-1, 2)),
    "asinh": _inverse(1, Fraction(-1, 2)),
}


def _candidates(node: Node) -> list[tuple[Node, int]]:
    """Where series may be taken: functions' arguments at 0, logarithms' at 1, variables at 0."""
    found: dict[tuple[Node, int], None] = {}
    for item in below(node) or ():
        name = item.op.name
        if name in ("where", "polynomial"):
            return []
        if name in AT_ZERO:
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
        b.op.name in FUNCTIONS or b.op.name in ("sqrt", "pow", "add", "subtract")
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
