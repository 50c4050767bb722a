"""One form per expression: constants folded, useless movement dropped, `sum_to` resolved.

All rows that are ``exact`` keep every bit, the sign of zero and NaN included (but for the sign of a
zero that is a sum of nothing else); those run with ``accuracy="as-written"`` too. The others say
what they change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.errors import SymgraphError
from symgraph.ir.dim import Dim
from symgraph.ir.node import Node, constant_node, rebuild
from symgraph.ir.type import TensorType
from symgraph.rewrite.build import call, fraction, number, uniform
from symgraph.rewrite.facts import fact
from symgraph.rewrite.rule import Rule, rule
from symgraph.rewrite.views import core

MOST_FOLDED = 1 << 16  # bytes of a folded constant: larger ones are cheaper to compute than to keep
FOLDABLE = frozenset(
    ("elementwise", "reduction", "index", "gather", "composite", "prefix", "pieces")
)
ALGEBRA = "algebra"
FAR_APART = 0.5  # facts are of exact values; so far apart, relatively, both differ when rounded
DEFINITION = "definition"


def _is(node: Node, value: int) -> bool:
    return node.op.name == "constant" and fraction(node) == value


def _fits(found: Node, node: Node) -> Node | None:
    return found if found.type == node.type else None


@rule.compute(
    "*",
    why="a value known when the graph is built need not be computed at each call",
    source=DEFINITION,
    exact=True,
    real=False,
)
def fold_constants(node: Node) -> Node | None:
    """op(constants) --> constant, by the op's NumPy reference in the node's own dtype."""
    for i in node.inputs:
        if i.op.name != "constant":
            return None
    if not node.inputs or node.op.kind not in FOLDABLE or not isinstance(node.type, TensorType):
        return None
    shape = node.type.shape
    if any(isinstance(d, Dim) for d in shape) or any(
        isinstance(d, Dim) for v in node.attrs.values() for d in _flat(v)
    ):
        return None
    if (
        int(np.prod([int(d) for d in shape if not isinstance(d, Dim)], dtype=np.int64))
        * node.type.dtype.itemsize
        > MOST_FOLDED
    ):
        return None
    if node.op.name in ("broadcast_to", "expand_dims") and node.inputs[0].tensor.ndim == 0:
        return None  # a scalar repeated is worth keeping as one number
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(
                node.op.reference(*[i.attrs["value"] for i in node.inputs], **node.attrs)
            )
    except (SymgraphError, ValueError, IndexError, ZeroDivisionError):
        return None  # the error belongs to the call that meets it
    if value.dtype != node.type.dtype or value.shape != shape:
        return None
    return constant_node(value)


def _flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


# Numbers that do nothing -----------------------------------------------------------------------


@rule.compute(
    "multiply divide", why="1 does nothing", source="IEEE 754: x * 1 is x", exact=True, real=False
)
def times_one(node: Node) -> Node | None:
    """x * 1 --> x; x / 1 --> x."""
    left, right = node.inputs
    if _is(right, 1):
        return _fits(left, node)
    return _fits(right, node) if node.op.name == "multiply" and _is(left, 1) else None


@rule.compute(
    "add subtract",
    why="0 does nothing",
    source="IEEE 754",
    real=False,
    changes="-0.0 + 0.0 is -0.0",
)
def plus_zero(node: Node) -> Node | None:
    """x + 0 --> x; 0 - x --> -x."""
    left, right = node.inputs
    if _is(right, 0):
        return _fits(left, node)
    if _is(left, 0) and node.op.name == "add":
        return _fits(right, node)
    return (
        _fits(call("negative", right), node)
        if _is(left, 0) and node.tensor.dtype.kind == "f"
        else None
    )


@rule.compute(
    "multiply",
    why="integers have no NaN: 0 times anything is 0",
    source=ALGEBRA,
    exact=True,
    real=False,
)
def integer_times_zero(node: Node) -> Node | None:
    """x * 0 --> 0 for integers."""
    if node.tensor.dtype.kind not in "iu" or not any(_is(i, 0) for i in node.inputs):
        return None
    return number(0, node.tensor.dtype)


@rule.compute("subtract", why="integers have no infinity", source=ALGEBRA, exact=True, real=False)
def integer_minus_itself(node: Node) -> Node | None:
    """x - x --> 0 for integers."""
    same = node.inputs[0] is node.inputs[1] and node.tensor.dtype.kind in "iu"
    return number(0, node.tensor.dtype) if same else None


@rule.compute(
    "negative",
    why="two signs are none",
    source="IEEE 754: negation is exact",
    exact=True,
    real=False,
)
def double_negation(node: Node) -> Node | None:
    """-(-x) --> x."""
    inner = node.inputs[0]
    return inner.inputs[0] if inner.op.name == "negative" else None


@rule.compute(
    "negative",
    why="a difference turned needs no negation",
    source=ALGEBRA,
    changes="-(x - x) is 0.0, not -0.0",
)
def negated_difference(node: Node) -> Node | None:
    """-(x - y) --> y - x; -(x * 2) --> x * -2."""
    inner = node.inputs[0]
    if inner.op.name == "subtract":
        return call("subtract", inner.inputs[1], inner.inputs[0])
    if inner.op.name in ("multiply", "divide") and inner.inputs[1].op.name == "constant":
        value = uniform(inner.inputs[1])
        if value is not None and inner.inputs[1].tensor.ndim == 0:
            return call(inner.op.name, inner.inputs[0], number(-value, node.tensor.dtype))
    return None


@rule.compute(
    "add subtract",
    why="a sign joins the sum",
    source="IEEE 754: negation is exact",
    exact=True,
    real=False,
)
def sum_of_negated(node: Node) -> Node | None:
    """x + (-y) --> x - y; x - (-y) --> x + y."""
    left, right = node.inputs
    if node.tensor.dtype.kind not in "iufc":
        return None
    if right.op.name == "negative":
        return call("subtract" if node.op.name == "add" else "add", left, right.inputs[0])
    if left.op.name == "negative" and node.op.name == "add":
        return call("subtract", right, left.inputs[0])
    return None


@rule.compute(
    "multiply divide",
    why="signs go to one place",
    source="IEEE 754: negation is exact",
    exact=True,
)
def signs_outside(node: Node) -> Node | None:
    """(-x) * y --> -(x * y); (-x) / (-y) --> x / y."""
    left, right = node.inputs
    signs = [i.op.name == "negative" for i in (left, right)]
    if not any(signs):
        return None
    bare = [i.inputs[0] if s else i for i, s in zip((left, right), signs, strict=True)]
    made = call(node.op.name, *bare)
    return made if all(signs) else call("negative", made)


@rule.compute("positive", why="+x is x", source=DEFINITION, exact=True, real=False)
def plain_sign(node: Node) -> Node | None:
    """+x --> x."""
    return _fits(node.inputs[0], node)


@rule.compute("reciprocal square", why="one spelling per function", source=DEFINITION, exact=True)
def spelled_out(node: Node) -> Node | None:
    """reciprocal(x) --> 1 / x; square(x) --> x * x."""
    x = node.inputs[0]
    if node.op.name == "square":
        return call("multiply", x, x)
    return call("divide", number(1, x.tensor.dtype), x)


@rule.compute("abs", why="the sign is known", source=DEFINITION, exact=True)
def known_abs(node: Node) -> Node | None:
    """abs(-x) --> abs(x); abs(abs(x)) --> abs(x); abs(exp(x)) --> exp(x)."""
    inner = node.inputs[0]
    if inner.op.name == "negative":
        return call("abs", inner.inputs[0])
    return inner if inner.op.name == "abs" or fact(inner).positive else None


@rule.compute(
    "maximum minimum fmax fmin logical_and logical_or bitwise_and bitwise_or",
    why="both are the same",
    source=DEFINITION,
    exact=True,
    real=False,
)
def idempotent(node: Node) -> Node | None:
    """maximum(x, x) --> x."""
    return node.inputs[0] if node.inputs[0] is node.inputs[1] else None


@rule.compute(
    "where",
    why="a condition known when the graph is built needs no choice",
    source=DEFINITION,
    exact=True,
    real=False,
)
def known_where(node: Node) -> Node | None:
    """where(True, x, y) --> x; where(c, x, x) --> x; where(not c, x, y) --> where(c, y, x)."""
    condition, then, otherwise = node.inputs
    if then is otherwise:
        return then
    value = uniform(core(condition))
    if value is not None:
        found = then if value else otherwise
        wider = found.tensor.shape != node.tensor.shape
        return call("broadcast_to", found, shape=node.tensor.shape) if wider else found
    if condition.op.name in ("logical_not", "bitwise_invert"):
        return call("where", condition.inputs[0], otherwise, then)
    return None


@rule.compute(
    "cos cosh hypot",
    why="the sign of the argument does not matter",
    source="cos(-x) = cos(x)",
    exact=True,
)
def even_function(node: Node) -> Node | None:
    """cos(-x) --> cos(x); hypot(abs(x), y) --> hypot(x, y)."""
    inputs = tuple(i.inputs[0] if i.op.name in ("negative", "abs") else i for i in node.inputs)
    return None if inputs == node.inputs else call(node.op.name, *inputs)


@rule.compute(
    "equal not_equal",
    why="the ranges of both sides are apart",
    source=DEFINITION,
    exact=True,
)
def known_comparison(node: Node) -> Node | None:
    """hypot(x, 1) == 0 --> False, where rounding cannot close the gap either."""
    left, right = (fact(i) for i in node.inputs)
    low, high = (right, left) if left.lo > right.hi else (left, right)
    if not high.lo - low.hi > FAR_APART * max(abs(high.lo), abs(low.hi)):
        return None
    made = constant_node(np.asarray(node.op.name == "not_equal"))
    return made if node.tensor.ndim == 0 else call("broadcast_to", made, shape=node.tensor.shape)


# Casts -----------------------------------------------------------------------------------------


@rule.compute(
    "astype",
    why="a cast that changes nothing, or two where one does",
    source="NumPy: safe casts keep every value",
    exact=True,
    real=False,
)
def useless_cast(node: Node) -> Node | None:
    """astype(x, its own dtype) --> x; astype(astype(x, wider), dtype) --> astype(x, dtype)."""
    x, dtype = node.inputs[0], node.tensor.dtype
    if x.tensor.dtype == dtype:
        return x
    if x.op.name != "astype":
        return None
    inner = x.inputs[0]
    if not np.can_cast(inner.tensor.dtype, x.tensor.dtype, "safe"):
        return None
    return inner if inner.tensor.dtype == dtype else call("astype", inner, dtype=dtype)


# Movement --------------------------------------------------------------------------------------


@rule.compute(
    "reshape permute_dims broadcast_to slice expand_dims squeeze roll",
    why="movement that moves nothing",
    source=DEFINITION,
    exact=True,
    real=False,
)
def useless_movement(node: Node) -> Node | None:
    """reshape(x, x.shape) --> x, and the like for each movement."""
    x, name, attrs = node.inputs[0], node.op.name, node.attrs
    shape = x.tensor.shape
    if name in ("reshape", "broadcast_to"):
        return x if shape == node.tensor.shape else None
    if name == "permute_dims":
        return x if attrs["axes"] == tuple(range(len(shape))) else None
    if name in ("expand_dims", "squeeze"):
        return x if attrs["axes"] == () else None
    if name == "slice" and len(node.inputs) == 1:
        whole = all(s == 0 for s in attrs["starts"]) and all(s == 1 for s in attrs["steps"])
        return x if whole and tuple(attrs["lengths"]) == shape else None
    return None


@rule.compute(
    "reshape permute_dims expand_dims squeeze broadcast_to",
    why="two movements that are one",
    source=DEFINITION,
    exact=True,
    real=False,
)
def joined_movement(node: Node) -> Node | None:
    """reshape(reshape(x)) --> reshape(x); permutations multiply; squeeze undoes expand_dims."""
    inner, name = node.inputs[0], node.op.name
    made = _JOINS.get((name, inner.op.name))
    return (
        None
        if made is None or len(node.inputs) > 1 or len(inner.inputs) > 1
        else made(node, inner, inner.inputs[0])
    )


def _reshaped(node: Node, inner: Node, x: Node) -> Node:
    return call("reshape", x, shape=node.tensor.shape) if x.tensor.shape != node.tensor.shape else x


def _permuted(node: Node, inner: Node, x: Node) -> Node:
    axes = tuple(inner.attrs["axes"][a] for a in node.attrs["axes"])
    return call("permute_dims", x, axes=axes)


def _expanded_squeeze(node: Node, inner: Node, x: Node) -> Node | None:
    if node.tensor.shape == x.tensor.shape:
        return x
    return call("reshape", x, shape=node.tensor.shape)


def _expanded_twice(node: Node, inner: Node, x: Node) -> Node:
    places = [a for a in range(node.tensor.ndim) if a not in node.attrs["axes"]]
    moved = {places[a] for a in inner.attrs["axes"]}
    return call("expand_dims", x, axes=tuple(sorted(moved | set(node.attrs["axes"]))))


def _broadcast_twice(node: Node, inner: Node, x: Node) -> Node:
    return call("broadcast_to", x, shape=node.tensor.shape)


def _broadcast_expanded(node: Node, inner: Node, x: Node) -> Node | None:
    """New leading axes need no expand_dims, nor does a scalar."""
    leading = inner.attrs["axes"] == tuple(range(len(inner.attrs["axes"])))
    return (
        call("broadcast_to", x, shape=node.tensor.shape) if leading or x.tensor.ndim == 0 else None
    )


def _squeezed_broadcast(node: Node, inner: Node, x: Node) -> Node | None:
    if x.tensor.ndim != inner.tensor.ndim:
        return None
    return call(
        "broadcast_to", call("squeeze", x, axes=node.attrs["axes"]), shape=node.tensor.shape
    )


def _expanded_broadcast(node: Node, inner: Node, x: Node) -> Node | None:
    """expand_dims of a scalar repeated is a scalar repeated."""
    return call("broadcast_to", x, shape=node.tensor.shape) if x.tensor.ndim == 0 else None


_JOINS = {
    ("reshape", "reshape"): _reshaped,
    ("reshape", "expand_dims"): _reshaped,
    ("reshape", "squeeze"): _reshaped,
    ("permute_dims", "permute_dims"): _permuted,
    ("squeeze", "expand_dims"): _expanded_squeeze,
    ("expand_dims", "squeeze"): _expanded_squeeze,
    ("expand_dims", "expand_dims"): _expanded_twice,
    ("broadcast_to", "broadcast_to"): _broadcast_twice,
    ("broadcast_to", "expand_dims"): _broadcast_expanded,
    ("squeeze", "broadcast_to"): _squeezed_broadcast,
    ("expand_dims", "broadcast_to"): _expanded_broadcast,
    ("reshape", "broadcast_to"): _expanded_broadcast,
    ("permute_dims", "broadcast_to"): _expanded_broadcast,
}


@rule.compute(
    "reshape",
    why="one spelling: axes of length 1 are inserted by expand_dims",
    source=DEFINITION,
    exact=True,
    real=False,
)
def reshape_that_inserts(node: Node) -> Node | None:
    """reshape(x, (n, 1)) --> expand_dims(x, 1) for x of shape (n,)."""
    given, wanted = node.inputs[0].tensor.shape, node.tensor.shape
    if len(wanted) <= len(given) or len(node.inputs) > 1:
        return None
    new, k = [], 0
    for axis, dim in enumerate(wanted):
        if k < len(given) and dim == given[k]:
            k += 1
        elif dim == 1:
            new.append(axis)
        else:
            return None
    return call("expand_dims", node.inputs[0], axes=tuple(new)) if k == len(given) else None


_ELEMENTWISE = "*"


@rule.compute(
    _ELEMENTWISE,
    needs="broadcast_to expand_dims",
    why="elementwise ops broadcast by themselves",
    source=DEFINITION,
    exact=True,
    real=False,
)
def late_broadcast(node: Node) -> Node | None:
    """f(broadcast_to(x), y) --> f(x, y) where the shape stays; else broadcast_to(f(x, ...))."""
    if node.op.kind != "elementwise":
        return None
    inputs = tuple(_narrow(i) for i in node.inputs)
    if inputs == node.inputs:
        return None
    made = rebuild(node, inputs)
    if made.type == node.type:
        return made
    return call("broadcast_to", made, shape=node.tensor.shape)


def _narrow(node: Node) -> Node:
    """The node before it was repeated; a scalar before it got axes."""
    while len(node.inputs) == 1 and (
        node.op.name == "broadcast_to"
        or (node.op.name == "expand_dims" and node.inputs[0].tensor.ndim == 0)
    ):
        node = node.inputs[0]
    return node


# Reductions ------------------------------------------------------------------------------------


@rule.compute(
    "sum_to",
    why="the axes that were broadcast are known",
    source=DEFINITION,
    exact=True,
    real=False,
)
def resolved_sum_to(node: Node) -> Node | None:
    """sum_to(x, x.shape) --> x; else the sum over axes that are 1 in the shape, where decided."""
    x, shape = node.inputs[0], node.attrs["shape"]
    given = x.tensor.shape
    if shape == given:
        return x
    if len(node.inputs) > 1:
        return None
    extra = len(given) - len(shape)
    summed = list(range(extra))
    for axis, (have, want) in enumerate(zip(given[extra:], shape, strict=True), extra):
        if have == want:
            continue
        if want != 1 or (isinstance(have, Dim) and _undecided(have)):
            return None
        summed.append(axis)
    made = call("sum", x, axes=tuple(summed))
    ones = tuple(a - extra for a in summed if a >= extra)
    return call("expand_dims", made, axes=ones) if ones else made


def _undecided(dim: Dim) -> bool:
    return any(atom.kind == "broadcast" for monomial in dim.terms for atom in monomial)


@rule.compute(
    "sum prod max min any all mean",
    why="nothing is reduced",
    source=DEFINITION,
    real=False,
    exact=True,
)
def useless_reduction(node: Node) -> Node | None:
    """sum(x, ()) --> x; sum over axes of length 1 --> squeeze."""
    x, axes = node.inputs[0], node.attrs["axes"]
    if x.tensor.dtype != node.tensor.dtype or not all(x.tensor.shape[a] == 1 for a in axes):
        return None
    return call("squeeze", x, axes=axes) if axes else x


@rule.compute(
    "sum max min prod any all",
    why="one pass over the data instead of two",
    source="associativity",
    real=False,
)
def joined_reduction(node: Node) -> Node | None:
    """sum(sum(x, axis=1), axis=0) --> sum(x, axis=(0, 1))."""
    inner = node.inputs[0]
    if inner.op is not node.op or inner.inputs[0].tensor.dtype != inner.tensor.dtype:
        return None
    x = inner.inputs[0]
    left = [a for a in range(x.tensor.ndim) if a not in inner.attrs["axes"]]
    axes = {left[a] for a in node.attrs["axes"]} | set(inner.attrs["axes"])
    return call(node.op.name, x, axes=tuple(sorted(axes)))


@rule.compute(
    "sum max min mean",
    needs="expand_dims",
    why="an axis of length 1 adds nothing",
    source=DEFINITION,
    real=False,
    exact=True,
)
def reduction_of_expanded(node: Node) -> Node | None:
    """sum(expand_dims(x, 0), 0) --> x."""
    inner = node.inputs[0]
    if inner.op.name != "expand_dims" or node.tensor.dtype != inner.tensor.dtype:
        return None
    new = set(inner.attrs["axes"])
    axes = node.attrs["axes"]
    if not new & set(axes):
        return None
    old = [a for a in range(inner.tensor.ndim) if a not in new]
    reduced = tuple(old.index(a) for a in axes if a not in new)
    made = call(node.op.name, inner.inputs[0], axes=reduced) if reduced else inner.inputs[0]
    kept = [a for a in range(inner.tensor.ndim) if a not in axes]
    ones = tuple(kept.index(a) for a in sorted(new - set(axes)))
    return call("expand_dims", made, axes=ones) if ones else made


CANONICALIZE: tuple[Rule, ...] = (
    fold_constants,
    times_one,
    plus_zero,
    integer_times_zero,
    integer_minus_itself,
    double_negation,
    negated_difference,
    sum_of_negated,
    signs_outside,
    plain_sign,
    spelled_out,
    known_abs,
    idempotent,
    known_where,
    even_function,
    known_comparison,
    useless_cast,
    useless_movement,
    joined_movement,
    reshape_that_inserts,
    late_broadcast,
    resolved_sum_to,
    useless_reduction,
    joined_reduction,
    reduction_of_expanded,
)
