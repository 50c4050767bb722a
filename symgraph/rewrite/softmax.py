"""Softmax, log-softmax and log-sum-exp in all the spellings people use.

The parts of a pattern may be indexed, sliced, reshaped or broadcast: a movement between them is
looked through (``kept_reduction``, ``_moved``), and what is found is moved in the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import PRODUCTS, SUMS
from symgraph.rewrite.axes import axis_map, kept_reduction, moved
from symgraph.rewrite.build import call, number, size_node, uniform
from symgraph.rewrite.conditions import positive, scalar
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn, is_number, where
from symgraph.rewrite.logarithms import has_exp
from symgraph.rewrite.rule import Rule, rule
from symgraph.rewrite.shares import SHARES

BLANCHARD = (
    "Blanchard, Higham & Higham 2021, Accurately computing the log-sum-exp and softmax functions"
)
OVERFLOWS = "exp overflows above 709, and all underflow below -745"


def keep(node: Node, axes: tuple[int, ...]) -> Node:
    """A reduction with its axes kept as 1."""
    return call("expand_dims", node, axes=axes) if axes else node


def constant_along(node: Node, axes: tuple[int, ...], rank: int) -> bool:
    """Has it the same value along these axes of an array of this rank?"""
    offset = rank - node.tensor.ndim
    return all(a < offset or node.tensor.shape[a - offset] == 1 for a in axes)


def exponent_of(node: Node) -> tuple[Node | None, Node | None]:
    """w * exp(x) as (x, w); w None for 1; (None, None) without an exponential."""
    scale, found = t.factors(node)
    exps = [(b, e) for b, e in found if b.op.name == "exp"]
    if not exps:
        return None, None
    exponent = t.add([t.scaled(Fraction(e), b.inputs[0]) for b, e in exps])
    rest = [(b, e) for b, e in found if b.op.name != "exp"]
    weight = t.from_factors(scale, rest, node.tensor.dtype) if rest or scale != 1 else None
    return exponent, weight


# log(sum(exp(x))) ------------------------------------------------------------------------------


@rule.compute("log", needs="sum", why=OVERFLOWS, source=BLANCHARD)
def log_of_sum(node: Node) -> Node | None:
    """log(sum(exp(x), axes)) --> logsumexp(x, axes); weights take part in the shift."""
    total = node.inputs[0]
    if total.op.name != "sum":
        return None
    axes, inner = total.attrs["axes"], total.inputs[0]
    exponent, weight = exponent_of(inner)
    if exponent is None:
        return _log_of_sum_of_sums(inner, axes)
    exponent = _of_shape(exponent, inner)
    if weight is None:
        return call("logsumexp", exponent, axes=axes)
    if constant_along(weight, axes, inner.tensor.ndim) and weight.tensor.ndim in (
        0,
        inner.tensor.ndim,
    ):
        outside = call("squeeze", weight, axes=axes) if weight.tensor.ndim else weight
        return t.add([call("logsumexp", exponent, axes=axes), fn("log", outside)])
    if positive(weight):
        return call("logsumexp", t.add([exponent, fn("log", weight)]), axes=axes)
    if _is_centred(exponent, axes):
        return None
    return _weighted(exponent, weight, axes)


def _of_shape(node: Node, like: Node) -> Node:
    shape = like.tensor.shape
    return node if node.tensor.shape == shape else call("broadcast_to", node, shape=shape)


def _weighted(exponent: Node, weight: Node, axes: tuple[int, ...]) -> Node:
    """log(sum(w * exp(x))): m + log(sum(sign(w) * exp(x + log|w| - m))), m the largest exponent."""
    sized = t.add([exponent, fn("log", fn("abs", weight))])
    largest = call("max", sized, axes=axes)
    shift = where(call("isfinite", largest), largest, number(0, largest.tensor.dtype))
    powers = t.mul([call("sign", weight), call("exp", t.minus(sized, keep(shift, axes)))])
    return t.plus(call("log", call("sum", powers, axes=axes)), shift)


def _log_of_sum_of_sums(inner: Node, axes: tuple[int, ...]) -> Node | None:
    """log(sum(exp(x) + exp(y))): the terms' logarithms added first."""
    if t.family(inner) != "+" or not all(has_exp(p) for _, p in t.terms(inner)):
        return None
    made = fn("log", inner)
    return call("logsumexp", made, axes=axes)


@rule.compute("log", needs="mean", why=OVERFLOWS, source=BLANCHARD)
def log_of_mean(node: Node) -> Node | None:
    """log(mean(exp(x), axes)) --> logmeanexp(x, axes); with weights logsumexp(x, axes) - log(n)."""
    total = node.inputs[0]
    if total.op.name != "mean":
        return None
    axes, inner = total.attrs["axes"], total.inputs[0]
    exponent, weight = exponent_of(inner)
    if exponent is None:
        return None
    if weight is None:
        return call("logmeanexp", _of_shape(exponent, inner), axes=axes)
    count = size_node(tuple(inner.tensor.shape[a] for a in axes), node.tensor.dtype)
    return t.minus(fn("log", call("sum", inner, axes=axes)), fn("log", count))


@rule.compute("logsumexp softmax log_softmax", why="it finds its own shift", source=BLANCHARD)
def shift_taken_out(node: Node) -> Node | None:
    """logsumexp(x - max(x)) --> logsumexp(x) - max(x); softmax(x - max(x)) --> softmax(x)."""
    x, axes = node.inputs[0], node.attrs["axes"]
    parts = t.terms(x)
    shifts = [
        k
        for k, (_, p) in enumerate(parts)
        if p is not None and _is_shift(p, axes, x.tensor.ndim, node)
    ]
    if not shifts or len(shifts) == len(parts):
        return None
    rest = _of_shape(t.replace_terms(x, dict.fromkeys(shifts)), x)
    made = call(node.op.name, rest, axes=axes)
    if node.op.name != "logsumexp":
        return made
    taken = [t.scaled(parts[k][0], _without(parts[k][1], axes, x.tensor.ndim)) for k in shifts]
    return t.add([made, *taken])


def _is_shift(part: Node, axes: tuple[int, ...], rank: int, node: Node) -> bool:
    """Something constant along the axes; for logsumexp only a largest or smallest element."""
    if not constant_along(part, axes, rank):
        return False
    core = t.core(part)
    return node.op.name != "logsumexp" or core.op.name in ("max", "min", "where", "maximum")


def _without(part: Node | None, axes: tuple[int, ...], rank: int) -> Node:
    assert part is not None
    offset = rank - part.tensor.ndim
    own = tuple(a - offset for a in axes if a >= offset)
    return call("squeeze", part, axes=own) if own else part


# exp(x) / sum(exp(x)) --------------------------------------------------------------------------


def _quotients(node: Node) -> Iterator[tuple[t.Factor, t.Factor, Node]]:
    """Pairs of a factor above, a factor below that is a kept sum, and that sum."""
    found = t.factors(node)[1]
    for below in found:
        total = kept_reduction(below[0]) if below[1] == -1 else None
        if total is not None and total.op.name == "sum":
            for above in found:
                if above[1] > 0 and t.core(above[0]).op.name == "exp":
                    yield above, below, total


def _replaced(node: Node, gone: tuple[t.Factor, ...], made: Node) -> Node:
    """The product without one power of each of these factors, times something."""
    scale, found = t.factors(node)
    left = dict(found)
    for base, exponent in gone:
        left[base] -= 1 if exponent > 0 else -1
    more, own = t.factors(made)
    rest = [(b, e) for b, e in left.items() if e]
    return t.from_factors(scale * more, [*own, *rest], node.tensor.dtype)


@rule.compute(PRODUCTS, needs="sum mean", why=OVERFLOWS, source=BLANCHARD)
def softmax_by_hand(node: Node) -> Node | None:
    """exp(x) / sum(exp(x), axes, keepdims=True) --> softmax(x, axes), indexed or reshaped too."""
    for above, below, total in _quotients(node):
        made = _softmax(above[0], below[0], total)
        if made is not None:
            return _replaced(node, (above, below), made)
    return None


def _softmax(above: Node, below: Node, total: Node) -> Node | None:
    inner, axes = total.inputs[0], total.attrs["axes"]
    if inner.op.name != "exp":
        return None
    x = inner.inputs[0]
    outer, start = (above, inner) if t.core(above) is inner else (above.inputs[0], x)
    if above.op.name != "exp" and start is x:
        return None
    if not _inside(outer, start):
        return None
    made = call("softmax", x, axes=axes)
    if outer is start:
        return made
    if scalar(below) or _moves_only(outer, start, below, axes):
        return moved(outer, start, made)
    return None


@rule.compute(PRODUCTS, needs="sum", why=OVERFLOWS, source=BLANCHARD)
def expectation(node: Node) -> Node | None:
    """sum(w * exp(x), axes) / sum(exp(x), axes) --> sum(w * softmax(x, axes), axes)."""
    found = t.factors(node)[1]
    sums = [(f, t.core(f[0])) for f in found if abs(f[1]) == 1 and t.core(f[0]).op.name == "sum"]
    for above, top in sums:
        for below, bottom in sums:
            if above[1] < 0 or below[1] > 0 or bottom.inputs[0].op.name != "exp":
                continue
            x, axes = bottom.inputs[0].inputs[0], bottom.attrs["axes"]
            exponent, weight = exponent_of(top.inputs[0])
            same = top.attrs["axes"] == axes and above[0].tensor.shape == below[0].tensor.shape
            if exponent is not x or weight is None or not same:
                continue
            if top.inputs[0].tensor != x.tensor:
                continue
            made = call("sum", t.mul([weight, call("softmax", x, axes=axes)]), axes=axes)
            return _replaced(node, (above, below), moved(above[0], top, made))
    return None


def _moves_only(outer: Node, inner: Node, below: Node, axes: tuple[int, ...]) -> bool:
    """Does the movement select along ``axes`` alone, so that ``below`` fits before it as after it?

    A slice that takes all of the other axes does; so does a gather that takes each row once, in
    order, where ``below`` is one number per row.
    """
    rank = inner.tensor.ndim
    if outer.inputs[0] is not inner:
        return False
    others = [a for a in range(rank) if a not in axes]
    if outer.op.name == "slice" and len(outer.inputs) == 1:
        attrs, shape = outer.attrs, inner.tensor.shape
        full = all(
            attrs["starts"][a] == 0 and attrs["steps"][a] == 1 and attrs["lengths"][a] == shape[a]
            for a in others
        )
        return full and constant_along(below, axes, rank) and below.tensor.ndim in (0, rank)
    return (
        outer.op.name == "gather"
        and takes_rows_in_order(outer, others)
        and below.tensor.ndim == len(others)
    )


def takes_rows_in_order(outer: Node, others: list[int]) -> bool:
    """Is it x[arange(n), y], or a scatter to there: one element for each row?"""
    x, first = outer.inputs[0], 2 if outer.op.name == "scatter" else 1
    rank = (outer.inputs[1] if first == 2 else outer).tensor.ndim
    if (
        outer.attrs["position"] != 0
        or sorted(outer.attrs["axes"]) != list(range(x.tensor.ndim))
        or rank != len(others)
    ):
        return False
    for place, axis in enumerate(others):
        index = outer.inputs[first + outer.attrs["axes"].index(axis)]
        if not _counts_along(index, place, rank, x.tensor.shape[axis]):
            return False
    return True


@rule.compute(
    "sum",
    needs="scatter",
    why="one element of each row is not zero",
    source="definition",
    real=False,
)
def sum_of_one_per_row(node: Node) -> Node | None:
    """sum(zeros.at[arange(n), y].add(v), 1) --> v, the gradient of x[arange(n), y] summed."""
    inner, axes = node.inputs[0], node.attrs["axes"]
    if (
        inner.op.name != "scatter"
        or inner.attrs.get("how") not in ("add", "set")
        or node.tensor.dtype != inner.tensor.dtype
    ):
        return None
    base, values = inner.inputs[:2]
    others = [a for a in range(inner.tensor.ndim) if a not in axes]
    if uniform(t.core(base)) != 0 or not others or not takes_rows_in_order(inner, others):
        return None
    return values if values.type == node.type else None


def _counts_along(index: Node, place: int, rank: int, length: object) -> bool:
    """Is it 0, 1, 2, ... along one axis of the result, and of its full length?"""
    while index.op.name == "astype":
        index = index.inputs[0]
    inner, axes = axis_map(index)
    while inner.op.name == "astype":
        inner = inner.inputs[0]
    own = [k + rank - len(axes) for k, a in enumerate(axes) if a is not None]
    if own != [place]:
        return False
    if inner.op.name == "iota":
        return bool(inner.attrs["length"] == length)
    if inner.op.name != "constant" or not isinstance(length, int):
        return False
    value = inner.attrs["value"]
    return bool(value.shape == (length,) and (value == range(length)).all())


@rule.compute(PRODUCTS, needs="sum", why=OVERFLOWS, source=BLANCHARD)
def shifted_quotient(node: Node) -> Node | None:
    """exp(x) / sum(w * exp(y)) --> exp(x - m) / sum(w * exp(y - m)) with m the largest y, once."""
    for above, below, total in _quotients(node):
        inner, axes = total.inputs[0], total.attrs["axes"]
        exponent, weight = exponent_of(inner)
        if exponent is None or _is_centred(exponent, axes):
            continue
        top = t.core(above[0])
        largest = call("max", _of_shape(exponent, inner), axes=axes)
        shift = where(call("isfinite", largest), largest, number(0, largest.tensor.dtype))
        powers = call("exp", t.minus(exponent, keep(shift, axes)))
        denominator = call("sum", powers if weight is None else t.mul([weight, powers]), axes=axes)
        beside = moved(below[0], total, shift)
        numerator = call("exp", t.minus(moved(above[0], top, top.inputs[0]), beside))
        made = call("divide", numerator, moved(below[0], total, denominator))
        scale, found = t.factors(node)
        left = dict(found)
        left[above[0]] -= 1
        left[below[0]] += 1
        rest = t.from_factors(scale, [(b, e) for b, e in left.items() if e], node.tensor.dtype)
        return made if is_number(rest, 1) else call("multiply", made, rest)
    return None


def _is_centred(exponent: Node, axes: tuple[int, ...]) -> bool:
    """Is a largest element taken off already?"""
    for c, part in t.terms(exponent):
        if part is not None and c < 0:
            core = t.core(part)
            core = core.inputs[1] if core.op.name == "where" else core
            if core.op.name == "max" and core.attrs["axes"] == axes:
                return True
    return False


# x - logsumexp(x) ------------------------------------------------------------------------------


@rule.compute(
    SUMS, needs="logsumexp", why="the largest element nearly equals its logsumexp", source=BLANCHARD
)
def log_softmax_by_hand(node: Node) -> Node | None:
    """x - logsumexp(x, axes, keepdims=True) --> log_softmax(x, axes), indexed or reshaped too."""
    parts = t.terms(node)
    for k, (c, part) in enumerate(parts):
        total = None if part is None else kept_or_plain(part)
        if total is None or part is None:
            continue
        x, axes = total.inputs[0], total.attrs["axes"]
        made = call("log_softmax", x, axes=axes)
        own = t.terms(x)
        taken = _find_terms(parts, own, -c, k)
        if taken is not None and (kept_reduction(part) is total or scalar(part)):
            rest = dict.fromkeys(taken[1:])
            return t.replace_terms(node, {taken[0]: t.scaled(-c, made), k: None, **rest})
        for j, (d, other) in enumerate(parts):
            if j == k or d != -c or other is None or t.core(other) is not t.core(x):
                continue
            inner = _inside(other, x)
            if inner and (scalar(part) or _moves_only(other, x, part, axes)):
                return t.replace_terms(node, {j: t.scaled(d, moved(other, x, made)), k: None})
    return None


@rule.compute(
    SUMS, needs="logsumexp", why="the largest element nearly equals its logsumexp", source=BLANCHARD
)
def largest_by_hand(node: Node) -> Node | None:
    """max(x, axes) - logsumexp(x, axes) --> max(log_softmax(x, axes), axes)."""
    parts = t.terms(node)
    for k, (c, part) in enumerate(parts):
        total = None if part is None else kept_or_plain(part)
        if total is None or part is None:
            continue
        x, axes = total.inputs[0], total.attrs["axes"]
        largest = moved(part, total, call("max", x, axes=axes))
        for j, (d, other) in enumerate(parts):
            if other is largest and d == -c:
                made = call("max", call("log_softmax", x, axes=axes), axes=axes)
                return t.replace_terms(node, {j: t.scaled(d, moved(part, total, made)), k: None})
    return None


@rule.compute(SUMS, needs="max", why="what was taken out comes back", source="identity")
def largest_added_back(node: Node) -> Node | None:
    """max(x, axes) - max(log_softmax(x, axes), axes) --> logsumexp(x, axes)."""
    parts = t.terms(node)
    for k, (c, part) in enumerate(parts):
        sign, plain = (1, None) if part is None else _without_signs(part)
        core = None if plain is None else t.core(plain)
        if plain is None or core is None or core.op.name != "max":
            continue
        inner = core.inputs[0]
        if inner.op.name != "log_softmax" or inner.attrs["axes"] != core.attrs["axes"]:
            continue
        x, axes = inner.inputs[0], core.attrs["axes"]
        largest = moved(plain, core, call("max", x, axes=axes))
        for j, (d, other) in enumerate(parts):
            if other is largest and d == -c * sign:
                made = moved(plain, core, call("logsumexp", x, axes=axes))
                return t.replace_terms(node, {j: t.scaled(d, made), k: None})
    return None


def _without_signs(part: Node) -> tuple[int, Node]:
    """The sign of a movement of -y, and the movement of y: keepdims=True moves what was negated."""
    found, sign = part, 1
    while found.op.name in t.MOVEMENTS or found.op.name == "negative":
        if found.op.name == "negative":
            part, sign = moved(part, found, found.inputs[0]), -sign
        found = found.inputs[0]
    return sign, part


def kept_or_plain(part: Node) -> Node | None:
    """The logsumexp that a term is, with its axes kept, dropped or squeezed."""
    found = part
    while found.op.name in ("expand_dims", "broadcast_to", "reshape", "squeeze"):
        found = found.inputs[0]
    return found if found.op.name == "logsumexp" else None


def _inside(outer: Node, inner: Node) -> bool:
    """Is the movement of one the other?"""
    while outer is not inner and outer.op.name in t.MOVEMENTS:
        outer = outer.inputs[0]
    return outer is inner


def _find_terms(
    parts: tuple[t.Term, ...], wanted: tuple[t.Term, ...], scale: Fraction, without: int
) -> list[int] | None:
    """The places of scale * wanted among the parts; None if one is missing."""
    taken: list[int] = []
    for c, node in wanted:
        at = next(
            (
                k
                for k, (d, p) in enumerate(parts)
                if k != without and k not in taken and p is node and d == scale * c
            ),
            None,
        )
        if at is None:
            return None
        taken.append(at)
    return taken or None


@rule.compute(
    "log", needs="softmax", why="softmax underflows where its logarithm is finite", source=BLANCHARD
)
def log_of_softmax(node: Node) -> Node | None:
    """log(softmax(x)) --> log_softmax(x)."""
    x = node.inputs[0]
    return (
        call("log_softmax", x.inputs[0], axes=x.attrs["axes"]) if x.op.name == "softmax" else None
    )


@rule.compute(
    "exp",
    needs="log_softmax",
    why="log_softmax subtracts what softmax divides by",
    source=BLANCHARD,
)
def exp_of_log_softmax(node: Node) -> Node | None:
    """exp(log_softmax(x)) --> softmax(x)."""
    x = node.inputs[0]
    return (
        call("softmax", x.inputs[0], axes=x.attrs["axes"]) if x.op.name == "log_softmax" else None
    )


# Variance --------------------------------------------------------------------------------------


@rule.compute(
    SUMS,
    needs="mean",
    why="the mean of squares and the square of the mean cancel",
    source="Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance",
)
def variance_by_hand(node: Node) -> Node | None:
    """mean(x*x) - mean(x)**2 --> var(x), with or without kept axes."""
    parts = t.terms(node)
    for k, (c, part) in enumerate(parts):
        if part is None or t.core(part).op.name != "mean":
            continue
        squares = t.core(part)
        axes = squares.attrs["axes"]
        root = fn("sqrt", squares.inputs[0]) if t.family(squares.inputs[0]) == "*" else None
        x = None if root is None or root.op.name != "abs" else root.inputs[0]
        if x is None:
            continue
        wanted = ((moved(part, squares, call("mean", x, axes=axes)), 2),)
        for j, (d, other) in enumerate(parts):
            if other is not None and d == -c and t.factors(other) == (Fraction(1), wanted):
                made = moved(part, squares, call("var", x, axes=axes, correction=0.0))
                return t.replace_terms(node, {k: t.scaled(c, made), j: None})
    return None


SOFTMAX: tuple[Rule, ...] = (
    softmax_by_hand,
    expectation,
    shifted_quotient,
    log_of_sum,
    log_of_mean,
    shift_taken_out,
    log_softmax_by_hand,
    largest_by_hand,
    largest_added_back,
    log_of_softmax,
    exp_of_log_softmax,
    sum_of_one_per_row,
    variance_by_hand,
    *SHARES,
)
