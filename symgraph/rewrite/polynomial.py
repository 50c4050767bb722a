"""Polynomial normal form over opaque nodes: what cancels when a sum is expanded.

A polynomial is {monomial: coefficient}; a monomial is a sorted tuple of (node number, exponent).
Rules ask it whether the difference of two expressions has fewer terms than it seems.
"""

from __future__ import annotations

import threading

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import number
from symgraph.rewrite.exact import Fraction

Monomial = tuple[tuple[int, int], ...]
Coefficient = int | Fraction  # whole numbers are ten times as fast
Polynomial = dict[Monomial, Coefficient]
Expanded = tuple[Polynomial, Coefficient]  # the polynomial, and the 1-norm before collecting
MOST_TERMS = 60
MOST_DEPTH = 24
MOST_AT_ZERO = 4  # terms, two of which cancel next to 0


class _Memo(threading.local):
    def __init__(self) -> None:
        self.expanded: dict[Node, Expanded | None] = {}
        self.atoms: dict[int, Node] = {}
        self.sizes: dict[int, int] = {}  # |x| --> x, whose squares are the same


_memo = _Memo()


def forget() -> None:
    """Drop what is remembered for this thread."""
    _memo.expanded.clear()
    _memo.atoms.clear()
    _memo.sizes.clear()


def expand(node: Node, depth: int = 0) -> Expanded | None:
    """The polynomial of a node over its opaque parts; None where it grows too large."""
    if node not in _memo.expanded:
        _memo.expanded[node] = _expand(node, depth) if depth < MOST_DEPTH else _atom(node)
    return _memo.expanded[node]


def _remember(node: Node) -> None:
    _memo.atoms[node.number] = node
    if node.op.name == "abs" and t.family(node.inputs[0]) not in ("+", "*"):
        _memo.atoms[node.inputs[0].number] = node.inputs[0]
        _memo.sizes[node.number] = node.inputs[0].number


def _atom(node: Node) -> Expanded:
    _remember(node)
    return {((node.number, 1),): 1}, 1


def _plain(x: Fraction) -> Coefficient:
    return x.numerator if x.denominator == 1 else x


def _size(x: Coefficient) -> Coefficient:
    return x if x >= 0 else -x


def _expand(node: Node, depth: int) -> Expanded | None:
    family = t.family(node)
    if family == "+":
        return _expand_sum(node, depth)
    factor, found = t.factors(node)
    scale = _plain(factor)
    if not found:
        return ({(): scale} if scale else {}), _size(scale)
    if found == ((node, 1),) and scale == 1:
        return _atom(node)
    single: Monomial = ()  # what is no sum, so that long polynomials are gone through once
    sums: list[tuple[Expanded, int]] = []
    for base, exponent in found:
        if base.op.name == "abs" and exponent % 2 == 0:
            base = base.inputs[0]
        if exponent > 0 and t.family(base) == "+" and exponent <= 6:
            inner = expand(base, depth + 1)
            if inner is None:
                return None
            sums.append((inner, exponent))
        else:
            _remember(base)
            single = _merged(single, ((base.number, exponent),))
    return _multiplied({single: scale} if scale else {}, _size(scale), sums)


def _multiplied(
    out: Polynomial, norm: Coefficient, powers: list[tuple[Expanded, int]]
) -> Expanded | None:
    for inner, exponent in powers:
        for _ in range(exponent):
            out, norm = _product(out, inner[0]), norm * inner[1]
            if len(out) > MOST_TERMS:
                return None
    return out, norm


def _expand_sum(node: Node, depth: int) -> Expanded | None:
    out: Polynomial = {}
    norm: Coefficient = 0
    for times, part in t.terms(node):
        scale = _plain(times)
        inner = ({(): 1}, 1) if part is None else expand(part, depth + 1)
        if inner is None:
            return None
        norm += _size(scale) * inner[1]
        for key, value in inner[0].items():
            out[key] = out.get(key, 0) + scale * value
    out = {k: c for k, c in out.items() if c}
    return (out, norm) if len(out) <= MOST_TERMS else None


def _product(left: Polynomial, right: Polynomial) -> Polynomial:
    if len(left) == 1 and () in left:
        scale = left[()]
        return right if scale == 1 else {b: scale * y for b, y in right.items() if scale}
    if len(left) == 1 and not _memo.sizes:
        ((a, x),) = left.items()
        return {_merged(a, b): x * y for b, y in right.items()}
    out: Polynomial = {}
    for a, x in left.items():
        for b, y in right.items():
            key = _merged(a, b)
            out[key] = out.get(key, 0) + x * y
    return {k: c for k, c in out.items() if c}


def _merged(left: Monomial, right: Monomial) -> Monomial:
    if not left:
        return right
    if not right:
        return left
    exponents = dict(left)
    for atom, exponent in right:
        exponents[atom] = exponents.get(atom, 0) + exponent
    sizes = _memo.sizes
    for atom in [a for a in exponents if a in sizes] if sizes else ():
        if exponents[atom] % 2 == 0:
            base = sizes[atom]
            exponents[base] = exponents.get(base, 0) + exponents.pop(atom)
    return tuple(sorted([item for item in exponents.items() if item[1]]))


def from_polynomial(found: Polynomial, like: Node) -> Node:
    """The node of a polynomial, its content and common monomial factored out."""
    dtype = like.tensor.dtype
    if not found:
        return number(0, dtype)
    common = _common(found)
    values = [Fraction(c) for c in found.values()]
    first = min(map(abs, values))
    content = first if all((c / first).denominator == 1 for c in values) else Fraction(1)
    parts: list[t.Term] = []
    for key, value in zip(found, values, strict=True):
        left = [(_memo.atoms[a], e - common.get(a, 0)) for a, e in key if e != common.get(a, 0)]
        parts.append((value / content, t.from_factors(Fraction(1), left, dtype) if left else None))
    inner = t.from_terms(sorted(parts, key=lambda p: p[1] is None), dtype)
    if not common and content == 1:
        return inner
    outside = [(_memo.atoms[a], e) for a, e in common.items()]
    scale, own = t.factors(inner)
    return t.from_factors(content * scale, [*outside, *own], dtype)


def _common(found: Polynomial) -> dict[int, int]:
    """The monomial that divides all."""
    common: dict[int, int] | None = None
    for key in found:
        own = dict(key)
        if common is None:
            common = own
        else:
            common = {a: min(e, own[a]) for a, e in common.items() if a in own}
    return {a: e for a, e in (common or {}).items() if e}


def _norm(found: Polynomial) -> Coefficient:
    total: Coefficient = 0
    for value in found.values():
        total += _size(value)
    return total


def count_terms(node: Node) -> int:
    """The number of terms when expanded; 99 for too many."""
    found = expand(node)
    return 99 if found is None else len(found[0])


def difference(left: Node, right: Node) -> tuple[Node, bool]:
    """left - right, and whether terms cancelled by algebra alone."""
    total = t.sub(left, right)
    found, a, b = expand(total), expand(left), expand(right)
    if found is None or a is None or b is None:
        return total, False
    cancelled = _norm(found[0]) < a[1] + b[1]
    return (from_polynomial(found[0], left) if cancelled else total), cancelled


def cancelling_sum(left: Node, right: Node) -> Node | None:
    """left + right expanded, where terms of it cancel; None otherwise."""
    total = expand(t.add([left, right], flat=True))
    a, b = expand(left), expand(right)
    if total is None or a is None or b is None:
        return None
    cancels = _norm(total[0]) < a[1] + b[1]
    return from_polynomial(total[0], left) if cancels else None


def vanished(parts: list[Node], total: Polynomial) -> bool:
    """Is some monomial of the parts gone from their sum?"""
    keys: set[Monomial] = set()
    for part in parts:
        found = expand(part)
        if found is None:
            return False
        keys |= set(found[0])
    return len(total) < len(keys)


# f(x) = x**order (1 + ...)
LEADING = {
    **dict.fromkeys(("sin", "tan", "sinh", "tanh", "asin", "atan", "asinh", "atanh"), 1),
    **dict.fromkeys(("expm1", "log1p"), 1),
    **dict.fromkeys(("cos", "cosh", "exp"), 0),
}


def cancelled_at_zero(parts: list[Node], total: Polynomial, like: Node) -> Node | None:
    """The sum of parts, with terms together that cancel next to 0, as x cosh(x) and sinh(x) do.

    Their monomials are the same where functions are taken by the first term of their series. None
    where terms of different parts do not cancel so.
    """
    atoms = {a for key in total for a, _ in key} if len(total) <= MOST_AT_ZERO else ()
    if not any(_memo.atoms[a].op.name in LEADING for a in atoms):
        return None
    found = [expand(part) for part in parts]
    if any(f is None for f in found):
        return None
    alike: dict[Monomial, dict[int, Monomial]] = {}
    for key in total:
        owners = [k for k, f in enumerate(found) if f is not None and key in f[0]]
        if len(owners) == 1:
            alike.setdefault(_leading(key), {})[owners[0]] = key
    for keys in alike.values():
        if len(keys) > 1 and sum(total[k] for k in keys.values()) == 0:
            together = {k: total[k] for k in keys.values()}
            rest = {k: c for k, c in total.items() if k not in together}
            made = from_polynomial(together, like)
            return t.add([made, from_polynomial(rest, like)]) if rest else made
    return None


def _leading(key: Monomial) -> Monomial:
    found: Monomial = ()
    for atom, exponent in key:
        node = _memo.atoms[atom]
        order = LEADING.get(node.op.name)
        if order is None:
            found = _merged(found, ((atom, exponent),))
        elif order:
            _remember(node.inputs[0])
            found = _merged(found, ((node.inputs[0].number, exponent * order),))
    return found


def grouped(found: Polynomial, like: Node) -> tuple[Node, Node] | None:
    """Two factors of a polynomial, each with more than one term: (a + k) * q for an atom a.

    p = a * q + r, with q and r free of a and r = k * q for a number or an atom's monomial k.
    """
    atoms = {a for key in found for a, e in key if e == 1}
    for atom in sorted(atoms):
        quotient: Polynomial = {}
        rest: Polynomial = {}
        for key, value in found.items():
            exponents = dict(key)
            if exponents.pop(atom, 0) == 1:
                quotient[tuple(sorted(exponents.items()))] = value
            else:
                rest[key] = value
        if any(a == atom for key in rest for a, _ in key) or len(quotient) != len(rest):
            continue
        factor = _proportion(rest, quotient)
        if factor is not None and len(quotient) > 1:
            sum_of_two: Polynomial = {((atom, 1),): 1, factor[0]: factor[1]}
            return from_polynomial(sum_of_two, like), from_polynomial(quotient, like)
    return None


def _proportion(rest: Polynomial, quotient: Polynomial) -> tuple[Monomial, Fraction] | None:
    """The monomial and number k with rest = k * quotient."""
    first = next(iter(quotient))
    for key, value in rest.items():
        ratio = _merged(key, tuple((a, -e) for a, e in first))
        scale = Fraction(value) / quotient[first]
        if all(rest.get(_merged(k, ratio)) == scale * v for k, v in quotient.items()):
            return ratio, scale
    return None
