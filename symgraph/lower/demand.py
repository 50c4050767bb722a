"""Which nodes are stored in a buffer; all others are computed where they are read.

Stored are: leaves that are arrays, results of reductions, library calls and control flow, what
those need as whole arrays, outputs, and cheap-to-store values that several nodes read. Storing is
a suggestion: a value whose readers all end up in its own loop body never reaches memory (see
``cluster``).
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.ir.dim import product
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.lower.shift import is_cut_inside, is_joined

STORED_KINDS = frozenset(("reduction", "prefix", "pieces", "scatter", "library", "control"))
INLINED = frozenset(("elementwise", "index", "gather"))
_IN_PLACE = frozenset(("elementwise", "index"))  # readers of joined arrays without an array
LONGEST_INLINE = 192  # nodes computed inside one loop body; longer bodies compile slowly and spill
MANY_COSTLY = 96  # functions of a program whose loops are short, so that one stands for more
LONGEST_OF_MANY = 64
DEEPEST_VIEWS = 24  # views of views computed in one index expression
CHEAP = 3  # operations that cost less to repeat than to store and load again
MOST_TURNED = 3  # arrays read across their rows, where one that is stored first is read so alone
COSTLY = frozenset((
    "divide", "pow", "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin",
    "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "atan2", "asinh", "acosh",
    "atanh", "cbrt", "hypot", "sigmoid", "softplus", "log1mexp", "logaddexp", "erf", "erfc",
    "erfcx", "erfinv", "gamma", "gammaln", "digamma", "trigamma", "ndtri", "random_bits",
    "ndtr", "log_ndtr", "log1pmx", "cosm1", "exprel", "sinhc", "sqrt1pm1", "pow1p",
    "pow1pm1", "sinc_radians", "softplus_inverse", "exp_product", "log_quotient", "log_near",
    "exp_monomial", "sigmoid_difference", "expm1_difference", "pow_sum", "pow1p_sum", "erfcx_slope",
    "share_of_two", "cospi",
    "scaled_product",
    "floor_divide", "remainder",
))  # fmt: skip


def is_scalar_constant(node: Node) -> bool:
    """Is it a constant that is written into the code?"""
    return node.op.name == "constant" and node.tensor.shape == ()


def is_array_leaf(node: Node) -> bool:
    """Does it come from outside as an array?"""
    return node.op.kind == "leaf" and node.op.name != "dim" and not is_scalar_constant(node)


def keeps_order(node: Node) -> bool:
    """Is a reshape one that only adds or drops axes of length 1?"""
    (source,) = node.inputs
    return [d for d in source.tensor.shape if d != 1] == [d for d in node.tensor.shape if d != 1]


def is_reinterpretation(node: Node) -> bool:
    """Is it another shape over the same elements in order, that is free on a buffer?"""
    return node.op.name == "reshape" and not keeps_order(node)


def costly(order: Iterable[Node]) -> int:
    """How many nodes are elementary functions, or cost as much."""
    return sum(node.op.name in COSTLY for node in order)


def demanded(outputs: Iterable[Node]) -> set[Node]:
    """The nodes that get a buffer."""
    outputs = tuple(outputs)
    order = toposort(outputs)
    readers = _readers(order)
    stored: set[Node] = set(outputs)
    weight: dict[Node, int] = {}
    depth: dict[Node, int] = {}
    loads: dict[Node, int] = {}  # of arrays of its own size
    longest = LONGEST_OF_MANY if costly(order) > MANY_COSTLY else LONGEST_INLINE
    for node in order:
        joined = is_joined(node) and all(r.op.kind in _IN_PLACE for r in readers[node])
        if is_array_leaf(node) or (node.op.kind in STORED_KINDS and not joined):
            stored.add(node)
        stored.update(_whole_operands(node))
    holds: set[Node] = set()  # nodes whose scalar code reads joined arrays in place
    for node in order:
        if node.op.kind == "tuple" or node.op.kind == "leaf":
            weight[node] = depth[node] = 0
            loads[node] = 1
            if node.op.kind == "tuple":
                stored.add(node)
            continue
        inner = [i for i in node.inputs if i not in stored]
        own = 10 if node.op.name in COSTLY else 1 if node.op.kind == "elementwise" else 0
        weight[node] = own + sum(weight[i] for i in inner)
        loads[node] = sum(1 if i in stored else loads[i] for i in node.inputs if _as_large(i, node))
        views = 1 if node.op.kind in ("index", "gather", "pieces", "scatter") else 0
        depth[node] = views + max((depth[i] for i in inner), default=0)
        is_long = weight[node] >= longest or depth[node] >= DEEPEST_VIEWS
        is_turned = loads[node] > MOST_TURNED and any(map(_turns_rows, readers[node]))
        if is_long or is_turned or _worth_storing(node, readers[node], weight[node]):
            stored.add(node)
        if node not in stored and (is_joined(node) or any(i in holds for i in inner)):
            holds.add(node)
            if _needs_array(node, readers[node], weight[node]):
                stored.add(node)
                holds.discard(node)
    return stored


def _as_large(source: Node, node: Node) -> bool:
    """Has an input as many elements, or is the node a view of some of them?"""
    if not isinstance(source.type, TensorType) or not isinstance(node.type, TensorType):
        return False
    return node.op.kind == "index" or product(source.tensor.shape) == product(node.tensor.shape)


def _turns_rows(reader: Node) -> bool:
    """Does it go along another axis than the last one of what it reads?"""
    return reader.op.name == "permute_dims" and reader.attrs["axes"][-1] != reader.tensor.ndim - 1


def _needs_array(node: Node, readers: set[Node], weight: int) -> bool:
    """Is an array with joined parts in it better in memory than read in place?

    Only loops over its own elements are cut at the parts' edges. Where they are not, all parts are
    computed for each element, which pays for loads alone.
    """
    if any(r.op.kind not in _IN_PLACE for r in readers):
        return True
    if not is_joined(node):
        return False
    return weight > CHEAP and (len(readers) > 1 or not is_cut_inside(node))


def _readers(order: list[Node]) -> dict[Node, set[Node]]:
    readers: dict[Node, set[Node]] = {n: set() for n in order}
    for node in order:
        for source in node.inputs:
            readers[source].add(node)
    return readers


def _whole_operands(node: Node) -> list[Node]:
    """Inputs that must be arrays in memory for this node."""
    kind = node.op.kind
    if kind in ("library", "control"):
        return [transposed_base(i) if node.op.name == "matmul" else i for i in node.inputs]
    if is_reinterpretation(node):
        return [node.inputs[0]]
    return []


def transposed_base(node: Node) -> Node:
    """What a product reads instead of a node that swaps the last two axes: the node below it."""
    return node.inputs[0] if swaps_last_axes(node) else node


def swaps_last_axes(node: Node) -> bool:
    """Is it ``x.mT``, which a product takes as a flag?"""
    if node.op.name != "permute_dims":
        return False
    axes = tuple(node.attrs["axes"])
    rank = len(axes)
    return rank >= 2 and axes == (*range(rank - 2), rank - 1, rank - 2)


def _worth_storing(node: Node, readers: set[Node], weight: int) -> bool:
    if weight > CHEAP and len(readers) > 1:
        return True
    return weight >= 10 and any(_repeats(node, r) for r in readers)


def _repeats(node: Node, reader: Node) -> bool:
    """Would computing it inside the reader repeat the work, because the reader broadcasts it?"""
    if not isinstance(reader.type, TensorType) or reader.op.kind not in INLINED:
        return False
    mine, theirs = product(node.tensor.shape), product(reader.tensor.shape)
    return mine != theirs and reader.op.kind == "elementwise"
