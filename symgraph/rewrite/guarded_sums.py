"""Sums that cancel are done again in pairs of floats, in a branch that runs where one does.

A sum of n terms is done in blocks (``lower/long_sums``); its error is about

    u * sqrt(sum((SPREAD * |t| + error of t)**2))        where rounding errors are independent

(Higham & Mary 2019), for data in any order. A value of sums (``sum``, ``mean``, a dot product,
``E[x**2] - E[x]**2``, a difference of likelihoods) whose bound exceeds its limit is computed again:
terms by error-free transformations (two-sum, two-product by ``fma``), their sums by ``sum_high``
and ``sum_low``, and the formula of the sums in double-double with the two parts as inputs. Terms of
float32 are simply done in float64. All of that is one branch (``cond``), so that it costs nothing
but the bound where nothing cancels. Matrix products are sums too, where everything is guarded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from symgraph.ir.dim import product
from symgraph.ir.dtype import FLOAT32, FLOAT64
from symgraph.ir.graph import Graph, param_node, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import as_if_at
from symgraph.ir.type import TensorType
from symgraph.records import dataclass
from symgraph.rewrite.build import call, made_for, number
from symgraph.rewrite.error_bounds import BOUNDS, EXACT, Bound, error_of, times, total
from symgraph.rewrite.facts import fact
from symgraph.rewrite.guard_cost import is_few

SPREAD = 16.0  # root mean square of the errors of sums of 1,024 terms in 32 or so lanes
OF_ONE_SIGN = 8.0  # half units that a sum of terms of one sign is off
MOST_TERMS = 24  # operations in a term that are done in pairs
MOST_OPERANDS = 24
SIMPLE = 4  # operations in a term of a long sum that is guarded by default
_OF_THE_DTYPE = frozenset(("astype", "guarded", "equal", "not_equal"))  # other with more digits
FEW_ROWS = 16  # results of which it is likely that none is in doubt
SUMS = ("sum", "matmul")
MOVES = frozenset(("expand_dims", "squeeze", "permute_dims", "broadcast_to", "reshape"))
Parts = tuple[Node, Node | None]


@dataclass(frozen=True, slots=True)
class Redoable:
    """A sum of ``terms`` over ``axes``; which operations of a term are done in pairs (``region``).

    ``reads`` is what the terms are made of; what only moves elements is done again.
    """

    node: Node
    terms: Node
    axes: tuple[int, ...]
    region: tuple[Node, ...]
    reads: tuple[Node, ...]


def redoable(node: Node, in_region: Callable[[Node], bool]) -> Redoable | None:
    """A sum or product of floats as something that can be done again; None for other nodes."""
    if node.op.name not in SUMS or not isinstance(node.type, TensorType):
        return None
    dtype = node.tensor.dtype
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        return None
    if node.op.name == "matmul":
        terms, axes = terms_of_product(node)
        return Redoable(node, terms, axes, (terms,), node.inputs)
    terms, axes = node.inputs[0], node.attrs["axes"]
    length = product(terms.tensor.shape)

    def is_inner(n: Node) -> bool:  # what is smaller is a number to the terms, guarded by itself
        return in_region(n) and product(n.tensor.shape) == length

    def is_read(n: Node) -> bool:
        return not is_inner(n) and n.op.name not in MOVES

    many = _has_more(terms, MOST_TERMS, is_inner)
    order = [] if many else toposort([terms], stop=is_read)
    region = tuple(n for n in order if is_inner(n))
    if many or not all(map(_has_pair, region)):
        region, order = (), toposort([terms], stop=lambda n: n.op.name not in MOVES)
        return Redoable(node, terms, axes, (), tuple(n for n in order if n.op.name not in MOVES))
    return Redoable(node, terms, axes, region, tuple(n for n in order if is_read(n)))


def _has_more(terms: Node, most: int, is_inner: Callable[[Node], bool]) -> bool:
    """Are there more inner nodes? Looks at no more: many sums may share one long formula."""
    seen, stack, found = {terms}, [terms], 0
    while stack and found <= most:
        node = stack.pop()
        inner = is_inner(node)
        found += inner
        if inner or node.op.name in MOVES:
            missing = [i for i in dict.fromkeys(node.inputs) if i not in seen]
            seen.update(missing)
            stack += missing
    return found > most


def terms_of_product(node: Node) -> tuple[Node, tuple[int, ...]]:
    """The terms of x (..., m, k) @ y (..., k, n), of shape (..., m, k, n), and the axis of k."""
    left, right = node.inputs
    x = call("expand_dims", left, axes=(left.tensor.ndim,))
    y = call("expand_dims", right, axes=(right.tensor.ndim - 2,))
    return call("multiply", x, y), (node.tensor.ndim - 1,)


def is_dot(node: Node) -> bool:
    """Is it the product of two vectors, written with matrices?"""
    return node.op.name == "matmul" and all(d == 1 for d in node.tensor.shape)


def as_sum(dot: Node) -> Node:
    """The product of two vectors as a sum."""
    before = made_for(dot.lines)
    terms, axes = terms_of_product(dot)
    found = call("sum", terms, axes=axes)
    made_for(before)
    return found


def is_cheap(found: Redoable) -> bool:
    """Does a loop over arrays from outside give few numbers?

    What is computed on the way, as a mean of each row, would have to be stored for the branch, and
    loops that are one would be several. Many terms must be simple: a bound and a second pass over
    long terms made gradients of batches, which often cancel, three times slower.
    """
    length = product(found.terms.tensor.shape)
    size = product(found.node.tensor.shape)
    stored = ("input", "shared", "constant", "param")
    read = all(n.op.name in stored or product(n.tensor.shape) == 1 for n in found.reads)
    simple = is_few(length) or len(found.region) <= SIMPLE
    return found.node.op.name == "sum" and read and simple and is_few(size) and size != length


def sum_bound(found: Redoable) -> Bound:
    """The error of a sum that doing it again would mend."""
    terms, axes = found.terms, found.axes
    dtype = terms.tensor.dtype
    if found.node.op.name == "matmul":
        squares = call("matmul", *(call("square", x) for x in found.node.inputs))
        return Bound(1.0, times(call("sqrt", squares), SPREAD + 1))
    bounds: dict[Node, Bound] = {}
    for n in found.region:
        bounds[n] = BOUNDS[n.op.name](n, [bounds.get(i, EXACT) for i in n.inputs])
    own = bounds.get(terms, EXACT)
    spread = SPREAD if dtype == FLOAT64 else 0.0  # float32 is added in float64
    known = fact(terms)
    if own.extra is None and (known.lo >= 0 or known.hi <= 0):
        return Bound(own.relative + (OF_ONE_SIGN if spread else 1.0))
    error = error_of(terms, Bound(own.relative + spread, own.extra))
    if error is None:
        return Bound(1.0)
    wide = error if dtype == FLOAT64 else call("astype", error, dtype=FLOAT64)
    root = call("sqrt", call("sum", call("square", _like(wide, terms)), axes=axes))
    return Bound(1.0, root if dtype == FLOAT64 else call("astype", root, dtype=dtype))


def _like(x: Node, terms: Node) -> Node:
    """x in the shape of the terms."""
    shape = terms.tensor.shape
    return x if x.tensor.shape == shape else call("broadcast_to", x, shape=shape)


# In pairs ----------------------------------------------------------------------------------------


def _added(x: Parts, y: Parts) -> Parts:
    high = call("add", x[0], y[0])
    back = call("subtract", high, x[0])
    rest = call("add", _minus(x[0], _minus(high, back)), _minus(y[0], back))
    return high, total(rest, x[1], y[1])


def _minus(x: Node, y: Node) -> Node:
    return call("subtract", x, y)


def _negative(x: Parts) -> Parts:
    return call("negative", x[0]), None if x[1] is None else call("negative", x[1])


def _multiplied(x: Parts, y: Parts) -> Parts:
    high = call("multiply", x[0], y[0])
    rest = call("fma", x[0], y[0], call("negative", high))
    crossed = [call("multiply", a, b) for a, b in ((x[0], y[1]), (y[0], x[1])) if b is not None]
    return high, total(rest, *crossed)


def _divided(x: Parts, y: Parts) -> Parts:
    high = call("divide", x[0], y[0])
    rest = call("fma", call("negative", high), y[0], x[0])
    crossed = None if y[1] is None else call("negative", call("multiply", high, y[1]))
    left = total(rest, x[1], crossed)
    assert left is not None
    return high, call("divide", left, y[0])


def _scaled(node: Node, *factors: Parts) -> Parts:
    """A scaled product as it reads: where it leaves the range, its pair is not finite."""
    above: Parts | None = None
    below: Parts | None = None
    for x, power in zip(factors, node.attrs["exponents"], strict=True):
        for _ in range(abs(power)):
            if power > 0:
                above = x if above is None else _multiplied(above, x)
            else:
                below = x if below is None else _multiplied(below, x)
    one = number(1.0, node.tensor.dtype), None
    return (above or one) if below is None else _divided(above or one, below)


PAIRS: Mapping[str, Callable[..., Parts]] = {
    "add": lambda node, x, y: _added(x, y),
    "subtract": lambda node, x, y: _added(x, _negative(y)),
    "multiply": lambda node, x, y: _multiplied(x, y),
    "square": lambda node, x: _multiplied(x, x),
    "negative": lambda node, x: _negative(x),
    "stop_gradient": lambda node, x: x,
    "divide": lambda node, x, y: _divided(x, y),
    "scaled_product": _scaled,
}
"""Operations of terms, error-free but for terms of second order."""


def _has_pair(node: Node) -> bool:
    attrs = node.attrs
    plain = node.op.name != "scaled_product" or not (attrs["then"] or any(attrs["exponentials"]))
    return node.op.name in PAIRS and plain


def _in_pairs(found: Redoable) -> Parts:
    """The sum as a pair."""
    axes = found.axes
    made: dict[Node, Parts] = {}
    for n in found.region:
        made[n] = PAIRS[n.op.name](n, *(made.get(i, (i, None)) for i in n.inputs))
    high, low = made.get(found.terms, (found.terms, None))
    rest = None if low is None else call("sum", low, axes=axes)
    found_high = call("sum_high", high, axes=axes)
    return found_high, total(call("sum_low", high, axes=axes), rest)


def _widened(found: Redoable) -> Parts:
    """The sum of float32 as a pair, from its terms in float64."""
    axes, dtype = found.axes, found.node.tensor.dtype
    terms = _wide_terms(found)
    whole = call("add", call("sum_high", terms, axes=axes), call("sum_low", terms, axes=axes))
    high = call("astype", whole, dtype=dtype)
    rest = call("subtract", whole, call("astype", high, dtype=FLOAT64))
    return high, call("astype", rest, dtype=dtype)


def _wide(x: Node) -> Node:
    return call("astype", x, dtype=FLOAT64) if x.tensor.dtype == FLOAT32 else x


def _wide_terms(found: Redoable) -> Node:
    made: dict[Node, Node] = {}
    for n in found.region:
        wide = [made.get(i) or _wide(i) for i in n.inputs]
        made[n] = make_node(n.op, tuple(wide), dict(n.attrs))
    return made.get(found.terms) or _wide(found.terms)


def parts_of(found: Redoable) -> Parts:
    """A sum as a pair of floats."""
    return _in_pairs(found) if found.node.tensor.dtype == FLOAT64 else _widened(found)


# The branch --------------------------------------------------------------------------------------


def redone(
    root: Node, doubt: Node, leaves: Iterable[Node], sums: Iterable[Redoable]
) -> Node | None:
    """``root``, from its sums in pairs where its doubt is positive; None if that reads too much.

    Of many rows of float32 one is nearly always in doubt, and the branch does all of them again:
    such rows are done in float64 at once, which is as accurate and needs no bound.
    """
    found = list(sums)
    with as_if_at(root.lines):
        if _are_rows(root, found):
            made = _in_float64(root, found)
            if made is not None:
                return made
        return _redone(root, doubt, leaves, found)


def _are_rows(root: Node, sums: Sequence[Redoable]) -> bool:
    count = product(root.tensor.shape)
    simple = all(s.node.op.name == "sum" and len(s.region) <= SIMPLE for s in sums)
    return root.tensor.dtype == FLOAT32 and simple and isinstance(count, int) and count > FEW_ROWS


def _in_float64(root: Node, sums: Sequence[Redoable]) -> Node | None:
    """``root`` from the terms of its sums in float64, rounded once; None for other values in it."""
    values = {s.node: call("sum", _wide_terms(s), axes=s.axes) for s in sums}

    def is_leaf(n: Node) -> bool:
        return n in values or not any(i in above for i in n.inputs)

    above = set(values)
    for n in toposort([root]):
        if any(i in above for i in n.inputs):
            above.add(n)
    for n in toposort([root], stop=is_leaf):
        if n not in above or n in values:
            continue
        if n.op.name in _OF_THE_DTYPE or (n.op.kind != "elementwise" and n.op.name not in MOVES):
            return None
        wide = [values.get(i) or _wide(i) for i in n.inputs]
        values[n] = make_node(n.op, tuple(wide), dict(n.attrs))
    return call("astype", values[root], dtype=FLOAT32)


def _redone(
    root: Node, doubt: Node, leaves: Iterable[Node], sums: Sequence[Redoable]
) -> Node | None:
    own = [n for n in leaves if all(n is not s.node for s in sums)]
    positive, told = _test_of(root, doubt)
    operands = dict.fromkeys((root, told, *own, *(n for s in sums for n in s.reads)))
    if len(operands) > MOST_OPERANDS:
        return None
    pairs = [parts_of(s) for s in sums]
    given = [*own, *(x for pair in pairs for x in pair if x is not None)]
    slow = make_node(find_op("guarded"), (root, doubt, *given), {"body": _body(root, own, sums)})
    params = {
        n: param_node(k, n.type)
        for k, n in enumerate(operands)
        if not (n.op.name == "constant" and n.tensor.shape == ())
    }
    (taken,) = substitute_nodes([slow], params)
    then = Graph(tuple(params.values()), (taken,))
    orelse = Graph(tuple(params.values()), (params[root],))
    branch = make_node(
        find_op("cond"),
        (positive, *params),
        {"then": then, "orelse": orelse},
    )
    return make_node(find_op("proj"), (branch,), {"index": 0})


def _body(root: Node, own: list[Node], sums: Sequence[Redoable]) -> Graph:
    """The formula of what it reads, with a high and a low part for each sum."""
    params = {n: param_node(k, n.type) for k, n in enumerate(own)}
    given = list(params.values())
    values: dict[Node, Node] = dict(params)
    for s in sums:
        kind = s.node.type
        high, low = (param_node(len(given) + k, kind) for k in range(2))
        given += [high, low]
        values[s.node] = call("add", high, low)
    (output,) = substitute_nodes([root], values)
    return Graph(tuple(given), (output,))


def _test_of(root: Node, doubt: Node) -> tuple[Node, Node]:
    """(Is any doubt positive? The node that tells the branch what the doubt is.)

    Of sqrt(x) - c |y| by squares: the root is taken in the branch, and no call waits for it.
    """
    known = doubt.inputs if doubt.op.name == "subtract" else ()
    if len(known) == 2 and known[0].op.name == "sqrt" and _is_size(known[1]):
        squares = known[0].inputs[0]
        above = call("greater", squares, call("square", known[1]))
        over = call("equal", squares, number(math.inf, squares.tensor.dtype))
        return _any(call("logical_or", above, over)), squares
    return _any(call("greater", doubt, number(0.0, doubt.tensor.dtype))), doubt


def _is_size(node: Node) -> bool:
    """Is it c |x|, or of a sum that is not negative?"""
    parts = [n for n in node.inputs if n.op.name != "constant"]
    return node.op.name == "multiply" and len(parts) == 1 and fact(parts[0]).lo >= 0


def _any(found: Node) -> Node:
    rank = found.tensor.ndim
    return call("any", found, axes=tuple(range(rank))) if rank else found
