"""``einsum``: sums of products by subscripts, as few matrix products as the subscripts allow.

parse      subscripts to one tuple of labels per operand, and one for the result
reduce     diagonals taken, labels of one operand alone summed, before anything is multiplied
order      the cheapest pair first (all orders are tried up to ``MOST_TRIED`` operands)
contract   a pair becomes one matmul, or a product where nothing is summed over
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from symgraph.errors import ArgumentError, ShapeError, message
from symgraph.ir.dim import DimLike, broadcast, product
from symgraph.ir.op import NUMPY_FUNCTIONS, find_op
from symgraph.ir.origin import user_line
from symgraph.ir.variable import Variable
from symgraph.ops.convert import common, make
from symgraph.ops.create import iota
from symgraph.ops.linalg import known_length, matmul
from symgraph.ops.shape import expand_dims, permute_dims, reshape, squeeze
from symgraph.records import dataclass

Labels = tuple[str, ...]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # for axes given by numbers
MOST_TRIED = 5  # operands up to which every order is compared: 5 give 180 orders


@dataclass(frozen=True, slots=True)
class Term:
    """An operand and the labels of its axes, each once."""

    x: Variable
    labels: Labels


def einsum(subscripts: Any, *operands: Any, optimize: object = True) -> Variable:
    """Sum of products of operands, as ``subscripts`` say: ``einsum("ij,jk->ik", a, b)``.

    Implicit results, ``...``, repeated labels (diagonals), any number of operands, and NumPy's form
    with lists of axes.    Dtypes: promoted; sums keep their dtype.    ``optimize`` is not needed.
    Raises: ArgumentError for subscripts that do not fit; ShapeError where lengths differ.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists(subscripts, operands)
    xs = common(operands)
    inputs, result = parse(subscripts, xs)
    sizes = _sizes(subscripts, xs, inputs)
    terms = [_distinct(_term(x, labels, sizes)) for x, labels in zip(xs, inputs, strict=True)]
    while len(terms) > 1:
        i, j = _cheapest(terms, result, sizes)
        pair, others = (terms[i], terms[j]), [t for k, t in enumerate(terms) if k not in (i, j)]
        found = None if others else _stacked(*pair, result)
        terms = [*others, found or _contract(*pair, _needed(others, result))]
    last = _sum_out(terms[0], set(result))
    return permute_dims(last.x, [last.labels.index(label) for label in result])  # type: ignore[no-any-return]


def _from_lists(first: Any, rest: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """einsum(a, [0, 1], b, [1, 2], [0, 2]) as text and operands."""
    items = (first, *rest)
    operands, lists = items[: len(items) // 2 * 2 : 2], items[1::2]

    def text(axes: Any) -> str:
        return "".join("..." if a is Ellipsis else _LETTERS[a] for a in axes)

    found = ",".join(text(axes) for axes in lists)
    return (f"{found}->{text(items[-1])}" if len(items) % 2 else found), operands


# --- parsing


def parse(subscripts: str, xs: Sequence[Variable]) -> tuple[list[Labels], Labels]:
    """Labels per operand and of the result; axes of ``...`` are ".0", ".1", ... from the end."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(xs):
        raise _wrong(subscripts, f"subscripts for {len(parts)} operands, got {len(xs)}")
    inputs = [_labels(subscripts, part, x.ndim) for part, x in zip(parts, xs, strict=True)]
    dots = max((sum(c[0] == "." for c in labels) for labels in inputs), default=0)
    leading = tuple(f".{k}" for k in reversed(range(dots)))
    if arrow:
        result = _labels(subscripts, right, None, leading)
    else:
        counts = Counter(c for labels in inputs for c in labels if c[0] != ".")
        result = leading + tuple(sorted(c for c, n in counts.items() if n == 1))
    known = {c for labels in inputs for c in labels}
    for label in result:
        if label not in known:
            raise _wrong(subscripts, f"label {label!r} of the result is in no operand")
    if len(set(result)) != len(result):
        raise _wrong(subscripts, "a label comes twice in the result")
    return inputs, result


def _labels(subscripts: str, part: str, rank: int | None, leading: Labels = ()) -> Labels:
    before, dots, after = part.partition("...")
    if not all(c.isalpha() for c in before + after):
        raise _wrong(subscripts, f"subscripts are letters, commas, '...' and '->', got {part!r}")
    named = len(before) + len(after)
    if rank is not None:
        if named > rank or (named < rank and not dots):
            raise _wrong(subscripts, f"{part!r} has {named} labels for {rank} axes")
        leading = tuple(f".{k}" for k in reversed(range(rank - named)))
    return (*before, *(leading if dots else ()), *after)


def _wrong(subscripts: str, what: str) -> ArgumentError:
    line = user_line()
    return ArgumentError(
        message(f"einsum {subscripts!r}: {what}", line=str(line) if line else None)
    )


def _sizes(subscripts: str, xs: Sequence[Variable], inputs: Sequence[Labels]) -> dict[str, DimLike]:
    found: dict[str, DimLike] = {}
    for x, labels in zip(xs, inputs, strict=True):
        for label, dim in zip(labels, x.shape, strict=True):
            met = broadcast(found.get(label, 1), dim)
            if met is None:
                facts = {v.name or f"operand {k}": v.type for k, v in enumerate(xs)}
                line = user_line()
                what = f"label {label!r} has lengths {found[label]} and {dim}"
                raise ShapeError(
                    message(f"einsum {subscripts!r}: {what}", facts, str(line) if line else None)
                )
            found[label] = met
    return found


# --- one operand


def _term(x: Variable, labels: Labels, sizes: Mapping[str, DimLike]) -> Term:
    """An operand without the axes along which it is broadcast."""
    dropped = tuple(
        a
        for a, c in enumerate(labels)
        if x.shape[a] == 1 and sizes[c] != 1 and labels.count(c) == 1
    )
    kept = tuple(c for a, c in enumerate(labels) if a not in dropped)
    return Term(squeeze(x, dropped) if dropped else x, kept)


def _distinct(term: Term) -> Term:
    """Repeated labels as diagonals."""
    x, labels = term.x, term.labels
    repeated = [c for c in dict.fromkeys(labels) if labels.count(c) > 1]
    if not repeated:
        return term
    first = dict(zip(reversed(labels), reversed(x.shape), strict=True))
    # Lengths that only the call can compare are compared by this reshape.
    x = reshape(x, tuple(first[c] for c in labels))
    axes = [a for a, c in enumerate(labels) if c in repeated]
    arrays = []
    for a in axes:
        others = tuple(k for k, c in enumerate(repeated) if c != labels[a])
        places = iota(first[labels[a]])
        arrays.append(expand_dims(places, others) if others else places)
    found = find_op("gather")(x, *arrays, axes=tuple(axes), position=0, checked=True)
    return Term(found, (*repeated, *(c for c in labels if c not in repeated)))


def _sum_out(term: Term, needed: set[str]) -> Term:
    """Labels that nobody else needs, summed."""
    axes = tuple(a for a, c in enumerate(term.labels) if c not in needed)
    if not axes:
        return term
    name = "any" if term.x.dtype.kind == "b" else "sum"
    kept = tuple(c for c in term.labels if c in needed)
    return Term(make(name, [term.x], axes=axes), kept)


# --- pairs


def _needed(others: Sequence[Term], result: Labels) -> set[str]:
    return {*result, *(c for t in others for c in t.labels)}


def _cheapest(
    terms: Sequence[Term], result: Labels, sizes: Mapping[str, DimLike]
) -> tuple[int, int]:
    """The pair to contract first."""
    if len(terms) == 2:
        return 0, 1
    labels = [frozenset(t.labels) for t in terms]
    kept = frozenset(result)
    pairs = list(itertools.combinations(range(len(terms)), 2))
    if len(terms) <= MOST_TRIED:
        return min(pairs, key=lambda p: _best_cost(labels, p, kept, sizes))
    return min(pairs, key=lambda p: _pair_cost(labels, p, kept, sizes))


def _after(
    labels: Sequence[frozenset[str]], pair: tuple[int, int], kept: frozenset[str]
) -> list[frozenset[str]]:
    others = [c for k, c in enumerate(labels) if k not in pair]
    needed = kept.union(*others)
    return [*others, (labels[pair[0]] | labels[pair[1]]) & needed]


def _volume(labels: frozenset[str], sizes: Mapping[str, DimLike]) -> int:
    found = 1
    for label in labels:
        found *= known_length(sizes[label])
    return found


def _pair_cost(
    labels: Sequence[frozenset[str]],
    pair: tuple[int, int],
    kept: frozenset[str],
    sizes: Mapping[str, DimLike],
) -> int:
    """Multiplications, less what the pair frees: the greedy measure for many operands."""
    a, b = labels[pair[0]], labels[pair[1]]
    result = _after(labels, pair, kept)[-1]
    return _volume(a | b, sizes) + _volume(result, sizes) - _volume(a, sizes) - _volume(b, sizes)


def _best_cost(
    labels: Sequence[frozenset[str]],
    pair: tuple[int, int],
    kept: frozenset[str],
    sizes: Mapping[str, DimLike],
) -> int:
    """Multiplications of the best order that begins with this pair."""
    own = _volume(labels[pair[0]] | labels[pair[1]], sizes)
    rest = _after(labels, pair, kept)
    if len(rest) == 1:
        return own
    pairs = itertools.combinations(range(len(rest)), 2)
    return own + min(_best_cost(rest, p, kept, sizes) for p in pairs)


def _contract(left: Term, right: Term, needed: set[str]) -> Term:
    """Two operands as one: a batch of matrix products, or an elementwise product."""
    a = _sum_out(left, needed | set(right.labels))
    b = _sum_out(right, needed | set(left.labels))
    shared = [c for c in a.labels if c in b.labels]
    batch, summed = [c for c in shared if c in needed], [c for c in shared if c not in needed]
    rows = [c for c in a.labels if c not in shared]
    columns = [c for c in b.labels if c not in shared]
    if not summed or not (rows or columns):
        # where all labels are shared, axes stay as they are, so that sums run along memory
        labels = (*batch, *rows, *columns, *summed) if rows or columns else a.labels
        name = "logical_and" if a.x.dtype.kind == "b" else "multiply"
        met = Term(find_op(name)(_aligned(a, labels), _aligned(b, labels)), labels)
        return _sum_out(met, needed)
    x = _as_matrices(a, batch, rows, summed)
    y = _as_matrices(b, batch, summed, columns)
    sizes = _lengths(a) | _lengths(b)
    labels = (*batch, *rows, *columns)
    return Term(reshape(matmul(x, y), tuple(sizes[c] for c in labels)), labels)


def _stacked(left: Term, right: Term, result: Labels) -> Term | None:
    """A matrix times each of a stack of matrices, where no operand and no result is transposed.

    ``oc,bct->bot``; a convolution's ``bchw,oc->bohw``: as one product of matrices it would need
    both the stack and the result with its axes exchanged.
    """
    for matrix, stack in ((left, right), (right, left)):
        summed = [c for c in stack.labels if c in matrix.labels]
        rows = [c for c in matrix.labels if c not in summed]
        start = stack.labels.index(summed[0]) if summed else 0
        end = start + len(summed)
        lead, columns = stack.labels[:start], stack.labels[end:]
        fit = result[start : start + len(rows)]
        if stack.labels[start:end] != tuple(summed) or not (rows and lead and columns):
            continue
        if set(fit) == set(rows) and result == (*lead, *fit, *columns):
            x = _as_matrices(matrix, (), fit, summed)
            y = _as_matrices(stack, lead, summed, columns)
            sizes = _lengths(matrix) | _lengths(stack)
            return Term(reshape(matmul(x, y), tuple(sizes[c] for c in result)), result)
    return None


def _lengths(term: Term) -> dict[str, DimLike]:
    return dict(zip(term.labels, term.x.shape, strict=True))


def _aligned(term: Term, labels: Labels) -> Variable:
    """The operand with its axes in order, and axes of length 1 for the labels that it lacks."""
    own = [c for c in labels if c in term.labels]
    x = permute_dims(term.x, [term.labels.index(c) for c in own])
    new = tuple(k for k, c in enumerate(labels) if c not in own)
    return expand_dims(x, new) if new else x  # type: ignore[no-any-return]


def _as_matrices(
    term: Term, batch: Sequence[str], first: Sequence[str], second: Sequence[str]
) -> Variable:
    order = [term.labels.index(c) for c in (*batch, *first, *second)]
    sizes = _lengths(term)
    shape = (
        *(sizes[c] for c in batch),
        product(tuple(sizes[c] for c in first)),
        product(tuple(sizes[c] for c in second)),
    )
    return reshape(permute_dims(term.x, order), shape)  # type: ignore[no-any-return]


NUMPY_FUNCTIONS["einsum"] = einsum
