"""Collect, cancel, factor: what a person would simplify before computing.

The order of floating terms is free, and a sum that cancels by algebra alone is better not computed.
Where an intermediate was infinite or NaN and cancels, the value is the one without it: ``changes``
says so. Nothing that a whole expression depends on disappears: ``x - x`` stays unless x is known to
be finite.
"""

from __future__ import annotations

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, fraction, number
from symgraph.rewrite.conditions import finite, nonnegative, nonzero, positive
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import exact_root, fn, square_root, where
from symgraph.rewrite.polynomial import (
    cancelled_at_zero,
    expand,
    from_polynomial,
    grouped,
    vanished,
)
from symgraph.rewrite.rule import Rule, rule

SUMS = "add subtract"
PRODUCTS = "multiply divide"
HIDES = "finite where an infinite intermediate made it NaN"
MOST_PARTS = 8
GROWTH = 0  # nodes that an expanded form may have more than what it replaces


@rule.compute(
    SUMS,
    why="x + x is 2x, and what cancels by algebra should not be rounded first",
    source="algebra",
    changes=HIDES,
)
def like_terms(node: Node) -> Node | None:
    """2*x + y - x --> x + y; x - x only for x known to be finite."""
    parts = t.terms(node)
    kept = t.collect(parts)
    if len(kept) == len(parts):
        return None
    if not kept and not all(p is None or finite(p) for _, p in parts):
        return None
    if kept == [(c, None) for c, _ in kept] and not all(p is None or finite(p) for _, p in parts):
        return None
    return t.from_terms(kept, node.tensor.dtype)


@rule.compute(
    PRODUCTS,
    why="equal factors are one power, and what divides out should not be rounded",
    source="algebra",
    changes=HIDES,
)
def like_factors(node: Node) -> Node | None:
    """x*y / x --> y; exp(x)*exp(y) --> exp(x + y); sqrt(x)*sqrt(x) --> x."""
    raw = _raw_factors(node)
    view = t.product_view(node)
    if not view.factors or not view.coefficient:
        return None
    exps = [b for b, e in raw if b.op.name == "exp"]
    squares = any(b.op.name in ("sqrt", "abs") and e % 2 == 0 for b, e in view.factors)
    above, under = {b for b, e in raw if e > 0}, {b for b, e in raw if e <= 0}
    cancels = not above.isdisjoint(under)
    gone = {b for b, _ in raw} - {b for b, _ in view.factors}
    if gone and not all(nonzero(b) and finite(b) for b in gone) and not view.factors:
        return None
    # x*x / (y*y) as (x / y)**2: neither square leaves the range before the quotient does. Of more
    # factors the powers would: w*w/(a*a) * w/(b*b) is 0 where w**3 / (a*a*b*b) is inf / inf
    is_short = len(view.factors) <= 2
    ratio = node.op.name == "divide" and is_short and all(_has_power(i) for i in node.inputs)
    return t.mul([node]) if _merge(exps) or cancels or squares or ratio else None


def _merge(exps: list[Node]) -> bool:
    """Do the exponents cancel in part? Else their sum rounds where the product does not."""
    parts = [p for b in exps for p in t.terms(b.inputs[0])]
    return len(t.collect(parts)) < len(parts)


def _has_power(node: Node) -> bool:
    return any(e >= 2 for _, e in t.factors(node)[1])


def _raw_factors(node: Node) -> list[t.Factor]:
    """Factors of the multiplications and divisions at the top, not collected."""
    out: list[t.Factor] = []
    stack: list[t.Factor] = [(node, 1)]
    while stack:
        top, exponent = stack.pop()
        if len(out) + len(stack) >= t.MOST:
            out.append((top, exponent))
        elif top.op.name in ("multiply", "divide"):
            stack.append((top.inputs[1], -exponent if top.op.name == "divide" else exponent))
            stack.append((top.inputs[0], exponent))
        elif top.op.name == "negative":
            stack.append((top.inputs[0], exponent))
        elif top.op.name == "square":
            stack.append((top.inputs[0], 2 * exponent))
        elif (power_of := t.integer_power(top)) is not None:
            stack.append((top.inputs[0], power_of * exponent))
        elif top.op.name != "constant":
            out.append((top, exponent))
    return out


@rule.compute(PRODUCTS, why="numbers are multiplied once, here", source="algebra")
def numbers_together(node: Node) -> Node | None:
    """x * 2 / 2 --> x; 3 * (x / 4) --> x * 0.75."""
    numbers = [fraction(i) is not None for i in node.inputs]
    if numbers not in ([True, False], [False, True]):
        return None
    inner = node.inputs[numbers.index(False)]
    own = t.coef(inner)[0]
    if abs(own) == 1 or (numbers[0] and node.op.name == "divide"):
        return None
    return t.scaled(*t.coef(node), node.tensor.dtype)


@rule.compute(
    "pow",
    why="small powers are products, roots are sqrt, and powers of powers multiply",
    source="algebra",
    changes="pow(-0.0, 0.5) is -0.0",
)
def simple_power(node: Node) -> Node | None:
    """x**2 --> x * x; x**0.5 --> sqrt(x); exp(x)**y --> exp(x*y); (x**y)**z --> x**(y*z)."""
    base, exponent = node.inputs
    value = fraction(exponent)
    if value == 1:
        return base
    if value == 2:
        plain = base.op.name not in ("sqrt", "abs", "exp", "negative")
        return call("multiply", base, base) if plain else t.power(base, 2)
    if value == -1:
        return t.div(number(1, node.tensor.dtype), base)
    if value is not None and abs(value) == Fraction(1, 2) and nonnegative(base):
        root = fn("sqrt", base)
        return root if value > 0 else t.div(number(1, node.tensor.dtype), root)
    if base.op.name == "exp":
        return fn("exp", t.mul([base.inputs[0], exponent]))
    if base.op.name == "pow" and positive(base.inputs[0]):
        return call("pow", base.inputs[0], t.mul([base.inputs[1], exponent]))
    if base.op.name == "sqrt" and value is not None and value.denominator == 1:
        return (
            call("pow", base.inputs[0], number(value / 2, node.tensor.dtype))
            if value % 2
            else t.power(base.inputs[0], int(value) // 2)
        )
    return None


@rule.compute("sqrt", why="the square would overflow or underflow", source="algebra")
def root_of_square(node: Node) -> Node | None:
    """sqrt(x*x) --> abs(x); sqrt(x*x*y) --> abs(x) * sqrt(y); sqrt(exp(x)) --> exp(x/2)."""
    inner = node.inputs[0]
    if inner.op.name == "exp":
        return fn("exp", t.scaled(Fraction(1, 2), inner.inputs[0]))
    if t.family(inner) != "*" and inner.op.name != "pow":
        return None
    scale, found = t.factors(inner)
    if exact_root(scale) is not None and found and all(e % 2 == 0 for _, e in found):
        return square_root(inner)
    even = [(b, e) for b, e in found if e % 2 == 0]
    if not even or scale <= 0:
        return None
    rest = t.from_factors(scale, [(b, e) for b, e in found if e % 2], node.tensor.dtype)
    return t.mul([*(t.power(fn("abs", b), e // 2) for b, e in even), fn("sqrt", rest)])


@rule.compute(
    SUMS,
    why="what cancels by algebra alone should not be rounded first",
    source="polynomial normal form",
    changes=HIDES,
)
def polynomial(node: Node) -> Node | None:
    """(x + y)**2 - x**2 --> y*(2*x + y): expanded where that has fewer terms."""
    parts = t.terms(node)
    if len(parts) > t.MOST - 1 or _is_expanded(parts):
        return None
    found = expand(node)
    if found is None or not found[0] or set(found[0]) == {()}:
        return None
    if len(found[0]) > max(MOST_PARTS, len(parts)):
        return None
    if len(found[0]) >= len(parts):  # do fewer monomials stay than there are, all the same?
        terms = [t.scaled(c, p, node.tensor.dtype) for c, p in parts]
        if not vanished(terms, found[0]):
            return None
    made = from_polynomial(found[0], node)
    return made if _size(made) <= _size(node) + GROWTH else None


def _is_expanded(parts: tuple[t.Term, ...]) -> bool:
    """Are all terms single monomials, none like another? Then nothing can vanish."""
    monomials = [() if p is None else t.factors(p)[1] for _, p in parts]
    if any(t.family(b) == "+" or b.op.name == "abs" for found in monomials for b, _ in found):
        return False
    return len(set(map(frozenset, monomials))) == len(monomials)


def _size(node: Node) -> int:
    seen: set[Node] = set()
    stack = [node]
    while stack and len(seen) < 200:
        top = stack.pop()
        if top not in seen:
            seen.add(top)
            stack += top.inputs
    return len(seen)


@rule.compute(
    SUMS,
    why="a product of sum and difference loses nothing where squares cancel",
    source="Goldberg 1991, What every computer scientist should know, section 1.4",
)
def difference_of_squares(node: Node) -> Node | None:
    """x*x - y*y --> (x - y) * (x + y); x**3 - y**3 --> (x - y) * (x*x + x*y + y*y)."""
    parts = t.terms(node)
    if len(parts) != 2:
        return None
    if any(p is None for _, p in parts):
        return _square_less_number(parts, node)
    (c, a), (d, b) = ((s * t.factors(p)[0], _monic(p)) for s, p in parts if p is not None)
    if c * d >= 0:
        return None
    squares = [r for r in (_root(abs(c), a, 2), _root(abs(d), b, 2)) if r is not None]
    if len(squares) == 2:
        first, second = squares if c > 0 else squares[::-1]
        return t.mul([t.add([first, t.neg(second)], flat=True), t.add([first, second], flat=True)])
    cubes = [r for r in (_root(c, a, 3), _root(d, b, 3)) if r is not None]
    if len(cubes) == 2:
        first, second = cubes
        rest = t.add(
            [t.mul([first, first]), t.neg(t.mul([first, second])), t.mul([second, second])]
        )
        return t.mul([t.add([first, second]), rest])
    return None


def _square_less_number(parts: tuple[t.Term, ...], node: Node) -> Node | None:
    """1 - x*x --> (1 - x) * (1 + x), for leaves and other numbers that are squares."""
    (c, a), (d, b) = parts
    part, root = (a, exact_root(abs(d))) if b is None else (b, exact_root(abs(c)))
    if part is None or root is None or c * d >= 0:
        return None
    whole = _root(abs(c if b is None else d), part, 2)
    if whole is None:
        return None
    first, second = (whole, number(root, node.tensor.dtype))
    if (c > 0) != (b is None):
        first, second = second, first
    return t.mul([t.sub(first, second), t.plus(first, second)])


def _monic(node: Node) -> Node:
    """The node without its coefficient."""
    scale, found = t.factors(node)
    return node if scale == 1 else t.from_factors(Fraction(1), found, node.tensor.dtype)


def _root(scale: Fraction, node: Node, degree: int) -> Node | None:
    """The square or cube root of scale * node, where the exponents divide."""
    own, found = t.factors(node)
    scale *= own
    root = (
        exact_root(scale)
        if degree == 2
        else Fraction(1 if scale > 0 else -1)
        if abs(scale) == 1
        else None
    )
    if root is None or not found or any(e % degree for _, e in found):
        return None
    return t.from_factors(root, [(b, e // degree) for b, e in found], node.tensor.dtype)


@rule.compute(
    SUMS,
    why="a common factor is multiplied once, and the rest may cancel exactly",
    source="algebra",
)
def common_factor(node: Node) -> Node | None:
    """x*y + x*z --> x * (y + z)."""
    parts = t.terms(node)
    sets = [dict(t.factors(p)[1]) if p is not None else {} for _, p in parts]
    shared = [b for b in sets[0] if all(b in s for s in sets[1:])]
    if not shared or len(parts) > MOST_PARTS:
        return None
    # x*y/z is not for sure (x*y) / z, which may overflow where x / z * y does not
    products = any(sum(e > 0 for e in s.values()) > 1 for s in sets)
    common: list[t.Factor] = []
    for base in shared:
        exponents = [s[base] for s in sets]
        if all(e > 0 for e in exponents):
            common.append((base, min(exponents)))
        elif all(e < 0 for e in exponents) and base.op.kind == "leaf" and not products:
            common.append((base, max(exponents)))
    if not common:
        return None
    inverse = t.from_factors(Fraction(1), [(b, -e) for b, e in common], node.tensor.dtype)
    inner = [t.mul([t.scaled(c, p, node.tensor.dtype), inverse]) for c, p in parts]
    if not all(_smaller(i, p) for i, (_, p) in zip(inner, parts, strict=True)):
        return None
    return t.mul([t.from_factors(Fraction(1), common, node.tensor.dtype), t.add(inner)])


def _smaller(made: Node, before: Node | None) -> bool:
    return (
        before is None
        or len(t.factors(made)[1]) < len(t.factors(before)[1])
        or sum(abs(e) for _, e in t.factors(made)[1]) < sum(abs(e) for _, e in t.factors(before)[1])
    )


@rule.compute(SUMS, why="a perfect square needs no cancellation", source="algebra")
def perfect_square(node: Node) -> Node | None:
    """x*x - 2*x*y + y*y --> (x - y)**2."""
    made = square_of(node)
    return made


def square_of(node: Node) -> Node | None:
    """The square that three terms make, or None."""
    parts = t.terms(node)
    if len(parts) != 3:
        return None
    for i in range(3):
        (c, a), (d, b), (e, middle) = parts[i], parts[(i + 1) % 3], parts[(i + 2) % 3]
        if c <= 0 or d <= 0 or middle is None:
            continue
        first, second = _positive_root(c, a, node), _positive_root(d, b, node)
        if first is None or second is None:
            continue
        twice, given = t.factors(t.mul([first, second])), t.factors(middle)
        for sign in (1, -1):
            if e * given[0] == 2 * sign * twice[0] and dict(given[1]) == dict(twice[1]):
                root = t.add([first, second if sign > 0 else t.neg(second)])
                return t.mul([root, root])
    return None


def _positive_root(scale: Fraction, part: Node | None, like: Node) -> Node | None:
    if part is None:
        root = exact_root(scale)
        return None if root is None else number(root, like.tensor.dtype)
    return _root(scale, part, 2)


@rule.compute(
    SUMS,
    needs="*",
    why="over one denominator the numerators cancel exactly",
    source="algebra",
    changes=HIDES,
)
def fractions(node: Node) -> Node | None:
    """1/x - 1/(x + 1) --> 1 / (x * (x + 1)): combined where terms cancel, in all or next to 0."""
    parts = t.terms(node)
    if len(parts) > MOST_PARTS:
        return None
    below: dict[Node, int] = {}
    for _, part in parts:
        for base, exponent in t.factors(part)[1] if part is not None else ():
            if exponent < 0:
                below[base] = min(exponent, below.get(base, 0))
    if not below or len(below) > 3:
        return None
    dtype = node.tensor.dtype
    bottom = [t.power(b, -e) for b, e in below.items()]
    tops = [t.mul([t.scaled(c, p, dtype), *bottom]) for c, p in parts]
    total = expand(t.add(tops, flat=True))
    if total is None or not total[0]:
        return None
    top = None
    if len(total[0]) <= len(parts) and vanished(tops, total[0]):
        top = from_polynomial(total[0], node)
    elif all(t.family(b) == "+" for b in below):
        top = cancelled_at_zero(tops, total[0], node)
    if top is not None:
        scale, found = t.factors(top)
        return t.from_factors(scale, [*found, *below.items()], dtype)
    if len(parts) == 2 and all(p is not None for _, p in parts):
        return _two_reciprocals(parts, dtype)
    return None


def _two_reciprocals(parts: tuple[t.Term, ...], dtype: object) -> Node | None:
    (c, a), (d, b) = ((s, t.factors(p)) for s, p in parts if p is not None)
    (p, left), (q, right) = a, b
    if len(left) == len(right) == 1 and left[0][1] == right[0][1] == -1 and c * p == -d * q:
        top = t.sub(right[0][0], left[0][0])
        scale, found = t.factors(top)
        return t.from_factors(scale * c * p, [*found, left[0], right[0]], dtype)
    return None


@rule.compute(
    PRODUCTS,
    needs="where",
    why="a factor of a branch that is not taken may be infinite, and 0 * inf is NaN",
    source="identity",
    changes="no NaN from a branch that is not taken",
)
def zero_branch(node: Node) -> Node | None:
    """where(c, x, 0) * y --> where(c, x*y, 0)."""
    scale, found = t.factors(node)
    for base, exponent in found:
        if base.op.name != "where" or exponent != 1:
            continue
        condition, then, otherwise = base.inputs
        zeros = [fraction(b) == 0 and b.op.name == "constant" for b in (then, otherwise)]
        if not any(zeros) or all(zeros):
            continue
        rest = [(b, e) for b, e in found if b is not base]
        kept = otherwise if zeros[0] else then
        inner = t.mul([kept, t.from_factors(scale, rest, node.tensor.dtype)])
        zero = number(0, node.tensor.dtype)
        return where(condition, zero, inner) if zeros[0] else where(condition, inner, zero)
    return None


@rule.compute(
    SUMS,
    why="a product of sums cancels in each of them, where it is exact",
    source="factoring by grouping",
)
def grouping(node: Node) -> Node | None:
    """x*y + x + y + 1 --> (x + 1) * (y + 1), for four terms and more."""
    if not 4 <= len(t.terms(node)) <= MOST_PARTS:
        return None
    found = expand(node)
    if found is None or len(found[0]) < 4:
        return None
    made = grouped(found[0], node)
    return None if made is None else t.mul(list(made))


ALGEBRA: tuple[Rule, ...] = (
    like_terms,
    like_factors,
    numbers_together,
    simple_power,
    root_of_square,
    zero_branch,
)
"""Always simpler; nothing is expanded."""

FACTOR: tuple[Rule, ...] = (
    perfect_square,
    polynomial,
    fractions,
    difference_of_squares,
    common_factor,
    grouping,
)
"""Sums that cancel by algebra, tried after the stabilizing rules have had their turn."""
