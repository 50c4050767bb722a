"""Square roots: conjugates, norms without overflow; and trigonometric and exponential quotients."""

from __future__ import annotations

from collections.abc import Iterator

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import PRODUCTS, SUMS
from symgraph.rewrite.axes import moved
from symgraph.rewrite.build import call, number, size_node
from symgraph.rewrite.conditions import nonnegative, nonpositive, positive, signed
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import (
    absolute,
    fn,
    half,
    is_half_turn,
    less,
    num,
    where,
)
from symgraph.rewrite.polynomial import count_terms, difference, expand, vanished
from symgraph.rewrite.rule import Rule, rule

GOLDBERG = "Goldberg 1991, What every computer scientist should know, section 1.4"
DLMF = "NIST Digital Library of Mathematical Functions"
MOST_PARTS = 6
ROOTS = ("sqrt", "hypot")


def squared(x: Node) -> Node:
    """x * x, roots undone."""
    scale, found = t.factors(x)
    parts: list[Node] = [number(scale * scale, x.tensor.dtype)]
    for base, exponent in found:
        if base.op.name == "hypot":
            parts.append(t.power(t.add([t.power(i, 2) for i in base.inputs]), exponent))
        else:
            parts.append(t.power(base, 2 * exponent))
    return t.mul(parts)


def _roots(node: Node) -> list[tuple[int, Fraction, Node]]:
    """Terms that are a root times what is not below a bar."""
    found = []
    for k, (c, part) in enumerate(t.terms(node)):
        if part is None:
            continue
        own = t.factors(part)[1]
        if sum(b.op.name in ROOTS and e == 1 for b, e in own) == 1 and all(e > 0 for _, e in own):
            found.append((k, c, part))
    return found


@rule.compute(
    SUMS, needs="sqrt hypot *", why="roots of nearly equal numbers cancel", source=GOLDBERG
)
def difference_of_roots(node: Node) -> Node | None:
    """sqrt(x) - sqrt(y) --> (x - y) / (sqrt(x) + sqrt(y)) where x - y simplifies."""
    parts, roots = t.terms(node), _roots(node)
    for i, (j, c, a) in enumerate(roots):
        for k, d, b in roots[i + 1 :]:
            if c * d >= 0 or not (nonnegative(a) and nonnegative(b)):
                continue
            first, second = squared(t.scaled(c, a)), squared(t.scaled(d, b))
            gap, cancelled = difference(first, second)
            plain = c == -d and len(parts) == 2
            # sqrt(x + 2) - 2 sqrt(x + 1) + sqrt(x): a pair that does not cancel gains nothing
            gains = cancelled and (c == -d or _monomial_gone(first, second, gap))
            if plain or (gains and (count_terms(gap) <= 2 or len(parts) == 2)):
                below = t.add([t.scaled(abs(c), a), t.scaled(abs(d), b)])
                made = t.div(t.scaled(Fraction(1 if c > 0 else -1), gap), below)
                return t.replace_terms(node, {j: made, k: None})
    return None


@rule.compute(
    SUMS,
    needs="sqrt hypot *",
    why="a root near the rest of the sum cancels with it",
    source=GOLDBERG,
)
def conjugate(node: Node) -> Node | None:
    """x - sqrt(x*x - y) --> y / (x + sqrt(x*x - y)), for the sign of x where that cancels."""
    parts = t.terms(node)
    if len(parts) > MOST_PARTS:
        return None
    for k, c, part in _roots(node):
        if not nonnegative(part):
            continue
        for rest, alone in _companions(parts, k):
            made = _conjugate(parts, rest, t.scaled(c, part), c, alone)
            if made is not None and made is not node:
                return t.replace_terms(node, {rest[0]: made, **dict.fromkeys([*rest[1:], k])})
    return None


@rule.compute(
    SUMS,
    needs="sqrt *",
    why="the arithmetic mean of near numbers nearly is their geometric mean",
    source="x + y - 2 * sqrt(x * y) = (sqrt(x) - sqrt(y)) ** 2",
)
def arithmetic_less_geometric(node: Node) -> Node | None:
    """x + y - 2 * sqrt(x * y) --> ((x - y) / (sqrt(x) + sqrt(y))) ** 2, where x and y are > 0."""
    parts = t.terms(node)
    if not 3 <= len(parts) <= MOST_PARTS:
        return None
    for k, (c, part) in enumerate(parts):
        if part is None or part.op.name != "sqrt":
            continue
        scale, found = t.factors(part.inputs[0])
        if scale != 1 or len(found) != 2 or any(e != 1 for _, e in found):
            continue
        (x, _), (y, _) = found
        own = [j for j, (d, p) in enumerate(parts) if (p is x or p is y) and 2 * d == -c]
        if len(own) != 2:
            continue
        near = t.div(t.minus(x, y), t.plus(fn("sqrt", x), fn("sqrt", y)))
        made = t.scaled(c / -2, t.mul([near, near]))
        if not (positive(x) and positive(y)):
            plain = t.from_terms([parts[j] for j in (*own, k)], node.tensor.dtype)
            made = where(less(num(0, x), call("minimum", x, y)), made, plain)
        return t.replace_terms(node, {own[0]: made, own[1]: None, k: None})
    return None


def _companions(parts: tuple[t.Term, ...], k: int) -> Iterator[tuple[list[int], bool]]:
    """Terms that a root may cancel with: each alone, all others.

    True for those that must leave something of one sign: hypot(x, y) - x + z is no sum with x - z.
    """
    others = [j for j in range(len(parts)) if j != k]
    if len(others) > 1:
        yield from (([j], True) for j in others)
    yield others, False
    if len(others) > 1:
        yield from (([j], False) for j in others)


def _conjugate(
    parts: tuple[t.Term, ...], rest: list[int], root: Node, c: Fraction, alone: bool
) -> Node | None:
    """rest + root by the conjugate, where it cancels (rest and root of opposite signs)."""
    if not rest:
        return None
    other = t.from_terms([parts[j] for j in rest], root.tensor.dtype)
    first, second = t.mul([other, other]), squared(root)
    gap, cancelled = difference(first, second)
    if not cancelled or not _monomial_gone(first, second, gap):
        return None
    if alone and not signed(gap):
        return None
    size = t.neg(root) if c < 0 else root  # >= 0
    # other + root = gap / (other - root); with opposite signs that is +-(|other| + |root|)
    turned = t.div(gap, t.add([absolute(other), size]))
    opposite = turned if c < 0 else t.neg(turned)
    if signed(other):
        return opposite if nonnegative(other) == (c < 0) or nonpositive(other) == (c > 0) else None
    zero = num(0, other)
    cancels = less(other, zero) if c > 0 else less(zero, other)
    return where(cancels, opposite, t.plus(other, root))


@rule.compute(
    SUMS,
    needs="*",
    why="a quotient near the rest of the sum cancels with it",
    source=GOLDBERG,
)
def over_a_root(node: Node) -> Node | None:
    """1 - x / sqrt(x*x + y) --> (sqrt(x*x + y) - x) / sqrt(x*x + y), whose top has a conjugate."""
    parts = t.terms(node)
    if len(parts) != 2:
        return None
    for k, (c, part) in enumerate(parts):
        if part is None:
            continue
        roots = [b for b, e in t.factors(part)[1] if e == -1 and b.op.name in ROOTS]
        if len(roots) != 1:
            continue
        root, other = roots[0], t.scaled(*parts[1 - k], node.tensor.dtype)
        above = t.mul([t.scaled(c, part), root])
        whole = t.mul([other, root])
        if nonnegative(above) and nonnegative(whole):
            continue
        gap, cancelled = difference(squared(whole), t.mul([above, above]))
        if cancelled and _monomial_gone(squared(whole), t.mul([above, above]), gap):
            return t.div(t.plus(whole, above), root)
    return None


def _monomial_gone(left: Node, right: Node, gap: Node) -> bool:
    """Has left - right fewer kinds of terms than the two? Else it cancels as much as they do."""
    total = expand(gap)
    return total is not None and vanished([left, right], total[0])


@rule.compute(
    "sqrt",
    needs="+ *",
    why="squares overflow and underflow long before their root",
    source="Moler & Morrison 1983, Replacing square roots by Pythagorean sums",
)
def norm(node: Node) -> Node | None:
    """sqrt(x*x + y*y) --> hypot(x, y), with numbers and up to three terms."""
    scale, found = t.factors(node.inputs[0])
    if len(found) == 1 and found[0][1] == 1 and scale > 0 and scale != 1:
        inner = norm.apply(call("sqrt", found[0][0])) if t.family(found[0][0]) == "+" else None
        return (
            None if inner is None else t.mul([fn("sqrt", number(scale, inner.tensor.dtype)), inner])
        )
    parts = t.terms(node.inputs[0])
    if len(parts) not in (2, 3) or any(c <= 0 for c, _ in parts):
        return None
    roots = [_term_root(c, p, node) for c, p in parts]
    if any(r is None for r in roots) or not any(p is not None for _, p in parts):
        return None
    exact = [r for r in roots if r is not None]
    if all(r.op.name in ("sqrt", "constant") for r in exact):
        return None
    total = exact[0]
    for other in exact[1:]:
        total = call("hypot", total, other)
    return total


def _term_root(scale: Fraction, part: Node | None, like: Node) -> Node | None:
    """The root of a term that is a square, or is known not to be negative."""
    if part is None:
        return fn("sqrt", number(scale, like.tensor.dtype))
    if not nonnegative(part):
        return None
    return fn("sqrt", t.scaled(scale, part))


@rule.compute(
    "sqrt",
    needs="+",
    why="squares cancel and overflow where sum and difference do not",
    source=GOLDBERG,
)
def root_of_square_difference(node: Node) -> Node | None:
    """sqrt(x*x - y*y) --> sqrt(abs(x - y)) * sqrt(abs(x + y))."""
    from symgraph.rewrite.algebra import difference_of_squares

    inner = node.inputs[0]
    if len(t.terms(inner)) != 2:
        return None
    made = difference_of_squares.apply(inner)
    if made is None:
        return None
    scale, found = t.factors(made)
    if len(found) != 2 or scale <= 0 or any(e != 1 for _, e in found):
        return None
    return t.mul(
        [
            fn("sqrt", number(scale, node.tensor.dtype)),
            *(call("sqrt", fn("abs", b)) for b, _ in found),
        ]
    )


@rule.compute(
    PRODUCTS, needs="hypot sqrt", why="the square of a norm needs no root", source="definition"
)
def norm_squared(node: Node) -> Node | None:
    """hypot(x, y) * hypot(x, y) --> x*x + y*y."""
    scale, found = t.factors(node)
    for base, exponent in found:
        if base.op.name == "hypot" and exponent == 2:
            total = t.add([t.power(i, 2) for i in base.inputs])
            rest = [(total if b is base else b, 1 if b is base else e) for b, e in found]
            return t.from_factors(scale, rest, node.tensor.dtype)
    return None


@rule.compute(
    "sqrt",
    needs="sum mean",
    why="squares overflow and underflow long before the root of their sum",
    source="Blue 1978, A portable Fortran program to find the Euclidean norm of a vector",
)
def vector_norm(node: Node) -> Node | None:
    """sqrt(sum(x*x, axes)) --> euclidean_norm(x, axes); sqrt(mean(x*x)) over sqrt(n)."""
    total = node.inputs[0]
    if total.op.name not in ("sum", "mean") or t.family(total.inputs[0]) != "*":
        return None
    inner, axes = total.inputs[0], total.attrs["axes"]
    scale, found = t.factors(inner)
    if scale <= 0 or not found or any(e % 2 for _, e in found):
        return None
    x = t.from_factors(Fraction(1), [(b, e // 2) for b, e in found], node.tensor.dtype)
    if x.tensor.shape != inner.tensor.shape:
        return None
    made = call("euclidean_norm", x, axes=axes)
    if scale != 1:
        made = t.mul([made, fn("sqrt", number(scale, node.tensor.dtype))])
    if total.op.name == "mean":
        count = size_node(tuple(inner.tensor.shape[a] for a in axes), node.tensor.dtype)
        made = call("divide", made, fn("sqrt", count))
    return made


# Differences of one function at two points -----------------------------------------------------


@rule.compute(
    SUMS,
    needs="sin cos tan atan",
    why="a function at two near points cancels",
    source=DLMF + " 4.21.6-4.21.9",
)
def trigonometric_difference(node: Node) -> Node | None:
    """sin(x + y) - sin(x) --> 2 * cos(x + y/2) * sin(y/2); cos, tan, atan likewise."""
    parts = t.terms(node)
    named = [
        (k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name in _DIFFERENCES
    ]
    if len(named) > MOST_PARTS:
        return None
    for i, (j, c, a) in enumerate(named):
        for k, d, b in named[i + 1 :]:
            if a.op is b.op and c == -d:
                gap, cancelled = difference(a.inputs[0], b.inputs[0])
                if not cancelled and (a.op.name == "atan" or count_terms(gap) > 1):
                    continue
                made = _DIFFERENCES[a.op.name](a.inputs[0], b.inputs[0], gap)
                return t.replace_terms(node, {j: t.scaled(c, made), k: None})
    return None


def _sin_difference(a: Node, b: Node, gap: Node) -> Node:
    middle = half(t.add([a, b], flat=True))
    return t.scaled(Fraction(2), t.mul([fn("cos", middle), fn("sin", half(gap))]))


def _cos_difference(a: Node, b: Node, gap: Node) -> Node:
    middle = half(t.add([a, b], flat=True))
    return t.scaled(Fraction(-2), t.mul([fn("sin", middle), fn("sin", half(gap))]))


def _tan_difference(a: Node, b: Node, gap: Node) -> Node:
    return t.div(fn("sin", gap), t.mul([fn("cos", a), fn("cos", b)]))


def _atan_difference(a: Node, b: Node, gap: Node) -> Node:
    return call("atan2", gap, t.add([num(1, a), t.mul([a, b])]))


_DIFFERENCES = {
    "sin": _sin_difference,
    "cos": _cos_difference,
    "tan": _tan_difference,
    "atan": _atan_difference,
}


@rule.compute(
    SUMS,
    needs="*",
    why="two products that cancel are one function of a sum",
    source=DLMF + " 4.21.1-4.21.2",
)
def addition_theorem(node: Node) -> Node | None:
    """sin(x)*sin(y) + cos(x)*cos(y) --> cos(x - y)."""
    pairs = []
    for k, (c, part) in enumerate(t.terms(node)):
        scale, found = t.factors(part) if part is not None else (Fraction(1), ())
        if len(found) == 2 and all(e == 1 and b.op.name in ("sin", "cos") for b, e in found):
            pairs.append((k, c * scale, found[0][0], found[1][0]))
    for i, (j, c, f, g) in enumerate(pairs):
        for k, d, p, q in pairs[i + 1 :]:
            points = {f.inputs[0], g.inputs[0]}
            if abs(c) != abs(d) or f.op is not g.op or p.op is not q.op or f.op is p.op:
                continue
            if points != {p.inputs[0], q.inputs[0]}:
                continue
            of_cos, of_sin = (c, d) if f.op.name == "cos" else (d, c)
            x, y = f.inputs[0], g.inputs[0]
            turned = y if of_sin / of_cos < 0 else t.neg(y)
            return t.replace_terms(
                node, {j: t.scaled(of_cos, fn("cos", t.add([x, turned]))), k: None}
            )
    return None


@rule.compute(
    SUMS,
    needs="asin acos atan",
    why="an angle near a quarter turn keeps few digits of its distance",
    source=DLMF + " 4.24.10-4.24.15",
)
def angle_from_quarter_turn(node: Node) -> Node | None:
    """pi/2 - asin(x) --> acos(x); atan(x) - pi/4 --> atan((x - 1) / (x + 1)), and the like."""
    parts = t.terms(node)
    at = next((k for k, (_, p) in enumerate(parts) if p is None), None)
    if at is None:
        return None
    turn = number(parts[at][0], node.tensor.dtype)
    for k, (c, part) in enumerate(parts):
        made = None if part is None else _angle(part, turn, c)
        if made is not None:
            return t.replace_terms(node, {k: made, at: None})
    return None


def _angle(part: Node, turn: Node, c: Fraction) -> Node | None:
    """c * part + turn as one angle."""
    name, x = part.op.name, part.inputs[0] if part.inputs else part
    quarter = is_half_turn(turn, -c / 2)
    if name == "asin" and quarter:
        return t.scaled(-c, call("acos", x))
    if name == "acos" and quarter:
        return t.scaled(-c, fn("asin", x))
    if name == "atan" and quarter and nonnegative(x):
        return t.scaled(-c, fn("atan", t.div(num(1, x), x)))
    if name == "atan" and is_half_turn(turn, -c / 4):
        one = num(1, x)
        near = fn("atan", t.div(t.sub(x, one), t.add([x, one])))
        far = t.plus(part, t.scaled(1 / c, turn))
        return t.scaled(c, where(less(fn("abs", x), num(4, x)), near, far))
    if name == "asin" and is_half_turn(turn, -c / 4) and x.op.name == "sqrt":
        gap, _ = difference(num(1, x), t.scaled(Fraction(2), x.inputs[0]))
        return t.scaled(-c / 2, fn("asin", gap))
    return None


@rule.compute(
    "acos", needs="+", why="acos near 1 keeps few digits", source=DLMF + " 4.24.13, with 4.21.20"
)
def acos_near_one(node: Node) -> Node | None:
    """acos(1 - x) --> 2 * asin(sqrt(x / 2))."""
    x = node.inputs[0]
    if t.constant_term(x) != 1:
        return None
    parts = [(c, p) for c, p in t.terms(x) if p is not None]
    rest = t.neg(t.from_terms(parts, x.tensor.dtype))
    return t.scaled(Fraction(2), fn("asin", fn("sqrt", half(rest))))


@rule.compute(
    "sin cos tan",
    needs="+",
    why="the rounding of a quarter turn added is larger than a small argument",
    source=DLMF + " 4.21.10",
)
def quarter_turn(node: Node) -> Node | None:
    """sin(x + pi/2) --> cos(x), and the like for odd multiples."""
    parts = t.terms(node.inputs[0])
    for k, (c, part) in enumerate(parts):
        if part is not None or len(parts) < 2:
            continue
        turn = number(c, node.tensor.dtype)
        for quarters in (1, -1, 3, -3):
            if is_half_turn(turn, Fraction(quarters, 2)):
                return _turned(node.op.name, t.replace_terms(node.inputs[0], {k: None}), quarters)
    return None


def _turned(name: str, x: Node, quarters: int) -> Node:
    sign = Fraction(1 if quarters % 4 == 1 else -1)
    if name == "sin":
        return t.scaled(sign, fn("cos", x))
    if name == "cos":
        return t.scaled(-sign, fn("sin", x))
    return t.div(num(-1, x), fn("tan", x))


@rule.compute(
    "sqrt",
    needs="*",
    why="a product of sums of squares overflows and underflows long before its root",
    source="Blue 1978, A portable Fortran program to find the Euclidean norm of a vector",
)
def product_of_norms(node: Node) -> Node | None:
    """sqrt(sum(x*x) * y) --> euclidean_norm(x) * sqrt(y), for one or more such factors."""
    scale, found = t.factors(node.inputs[0])
    norms: list[t.Factor] = []
    rest: list[t.Factor] = []
    for base, exponent in found:
        core = t.core(base)
        root = vector_norm.apply(call("sqrt", core)) if abs(exponent) == 1 else None
        if root is None:
            rest.append((base, exponent))
        else:
            norms.append((moved(base, core, root), exponent))
    if not norms or len(found) < 2 or scale <= 0:
        return None
    dtype = node.tensor.dtype
    made = t.from_factors(Fraction(1), norms, dtype)
    if scale == 1 and not rest:
        return made
    return t.mul([made, fn("sqrt", t.from_factors(scale, rest, dtype))])


@rule.compute(
    "log",
    needs="sum mean",
    why="squares overflow and underflow long before the logarithm of their sum",
    source="Blue 1978, A portable Fortran program to find the Euclidean norm of a vector",
)
def log_of_square_sum(node: Node) -> Node | None:
    """log(sum(x*x, axes)) --> 2 * log(euclidean_norm(x, axes)); log(mean(x*x)) likewise."""
    made = vector_norm.apply(call("sqrt", node.inputs[0]))
    return None if made is None else t.scaled(Fraction(2), fn("log", made))


ROOT_RULES: tuple[Rule, ...] = (
    norm,
    root_of_square_difference,
    norm_squared,
    vector_norm,
    product_of_norms,
    log_of_square_sum,
    difference_of_roots,
    arithmetic_less_geometric,
    conjugate,
    over_a_root,
    trigonometric_difference,
    addition_theorem,
    angle_from_quarter_turn,
    acos_near_one,
    quarter_turn,
)
