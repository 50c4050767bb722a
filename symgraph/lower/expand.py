"""Composite ops written out with simpler ones, in graphs and in the bodies that they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from symgraph.ir.dim import DimLike, product, sub
from symgraph.ir.graph import Graph, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node, rebuild
from symgraph.ir.op import find_op
from symgraph.ir.origin import as_if_at
from symgraph.ir.variable import Variable
from symgraph.lower.complex_products import by_parts, is_by_parts
from symgraph.lower.demand import swaps_last_axes
from symgraph.ops.branch import cond
from symgraph.ops.convert import dim_value
from symgraph.ops.create import iota

LOOPS = ("scan", "while_loop")
MOST_ROUNDS = 32  # an expansion may use composites again; none of ours nests deeper than five


TINY = 128  # multiplications of a product of a batch: fewer than a routine takes to begin
FEW = 8  # rows or columns of a matrix that rows meet in a loop, fused with what is around it
MANY_ROWS = 256  # fewer are done before such a loop is worth a look
TINY_OF_TURN = 256  # of a product of a loop's turn, which without routines can be one kernel


def _is_routine(node: Node, is_repeated: bool) -> bool:
    """Is a product worth a routine: of floats, and not tiny in a batch or a loop?"""
    (*batch, m, n), k = node.tensor.shape, node.inputs[0].tensor.shape[-1]
    work = product((m, n, k))
    most = TINY if product(tuple(batch)) != 1 else 0
    most = max(most, TINY_OF_TURN if is_repeated else 0)
    is_tiny = isinstance(work, int) and work <= most
    is_tiny = is_tiny or _is_in_registers(product((*batch, m)), n, k)
    if node.tensor.dtype.kind == "c":
        return not is_by_parts(node)
    return node.tensor.dtype.kind == "f" and not is_tiny


def _is_in_registers(rows: DimLike, n: DimLike, k: DimLike) -> bool:
    """Do many rows meet a matrix of a few numbers, as points that are turned or moved do?"""
    if not (isinstance(rows, int) and isinstance(n, int) and isinstance(k, int)):
        return False
    return rows >= MANY_ROWS and 2 <= n <= FEW and k <= FEW and n * k <= 4 * FEW


def _is_last(node: Node, _: bool) -> bool:
    return bool(node.attrs["axis"] == node.tensor.ndim - 1)


DIRECT: dict[str, Callable[[Node, bool], bool]] = {
    "matmul": _is_routine,
    "argsort": _is_last,
    "sort": _is_last,
    "roll": lambda node, _: not _is_rolled_by_number(node),
}
"""Ops with an expansion: where a routine, or the op's own code, does the node as it is."""


BLOCK = 4096  # elements of a long vector among which its best one is looked for


def _first_place(x: Variable, axes: tuple[int, ...], best: str) -> Variable:
    """The first place of the largest or smallest element, by two folds that vectorize.

    A fold of the value with its place depends on itself through a comparison in every turn. The
    best value is NaN where there is one; then the first NaN is meant.
    """
    (axis,) = axes
    length = x.shape[axis]
    if x.ndim == 1 and isinstance(length, int) and length >= 2 * BLOCK:
        return _first_of_blocks(x, length, best)
    short = isinstance(length, int) and length < 2**31 and x.dtype.itemsize == 4
    places = iota(length)
    if short:
        places = find_op("astype")(places, "int32")
    places = find_op("expand_dims")(places, tuple(range(1, x.ndim - axis)))
    found = find_op("equal")(x, find_op(best)(x, axis=axis, keepdims=True))
    if x.dtype.kind == "f":
        found = find_op("logical_or")(found, find_op("isnan")(x))
    last = find_op("astype")(dim_value(sub(length, 1)), str(places.dtype))
    first = find_op("min")(find_op("where")(found, places, last), axis=axis)
    return find_op("astype")(first, "int64")  # type: ignore[no-any-return]


def _first_of_blocks(x: Variable, length: int, best: str) -> Variable:
    """The first place of the best element: that of its block, then that in the block alone.

    Memory is read once. The last block is the one that ends with x, whole like the others.
    """
    starts = find_op("minimum")(iota(-(-length // BLOCK)) * BLOCK, length - BLOCK)
    first = _best_start(_blocks(x, find_op("expand_dims")(starts, 1)), starts, best)
    return first + _first_place(_blocks(x, first), (0,), best)  # type: ignore[no-any-return]


def _best_start(blocks: Variable, starts: Variable, best: str) -> Variable:
    """Where the first of the blocks with the best element starts."""
    number = _first_place(find_op(best)(blocks, axis=1), (0,), best)
    return find_op("gather")(starts, number, axes=(0,), position=0, checked=True)  # type: ignore[no-any-return]


def _blocks(x: Variable, start: Variable) -> Variable:
    """Elements of a vector from a place on."""
    places = find_op("add")(start, iota(BLOCK))
    return find_op("gather")(x, places, axes=(0,), position=0, checked=True)  # type: ignore[no-any-return]


def _rolled(x: Variable, shifts: tuple[DimLike, ...]) -> Variable:
    """The end before the beginning: slices that are read in place, where mod stops vectors."""
    for axis, shift in enumerate(shifts):
        length = x.shape[axis]
        assert isinstance(shift, int)
        assert isinstance(length, int)
        edge = -shift % length if length else 0
        if edge:
            before = (slice(None),) * axis
            x = find_op("concat")(
                [x[(*before, slice(edge, None))], x[(*before, slice(edge))]], axis
            )
    return x


def _is_rolled_by_number(node: Node) -> bool:
    pairs = zip(node.attrs["shifts"], node.tensor.shape, strict=True)
    return all(isinstance(d, int) for pair in pairs for d in pair)


WRITTEN: dict[str, Callable[..., Variable]] = {
    "argmax": partial(_first_place, best="max"),
    "argmin": partial(_first_place, best="min"),
    "roll": _rolled,
}
"""Ops that have a loop of their own, but are faster written with others."""


MOST_STORED = 2048  # numbers that are stored and read again in no time
SAFE_SQUARES = 2.0**-900  # a sum of squares above has lost nothing to those that underflowed


def _norm_of_all(x: Variable, axes: tuple[int, ...]) -> Variable:
    """The root of the plain sum of squares; only where that leaves the range, of three sums.

    For one number from an array that is in memory, which the branch reads again.
    """
    written = find_op("euclidean_norm").expand
    assert written is not None
    size = product(x.shape)
    stored = x.node.op.kind == "leaf" or (isinstance(size, int) and size <= MOST_STORED)
    if x.dtype.itemsize == 4 or len(axes) < x.ndim or not stored:
        return written(x, axes=axes)  # type: ignore[no-any-return]
    squares = find_op("sum")(x * x, axes)
    usual = find_op("logical_and")(squares > SAFE_SQUARES, squares < math.inf)
    return cond(  # type: ignore[no-any-return]
        usual, lambda s, x: find_op("sqrt")(s), lambda s, x: written(x, axes=axes), squares, x
    )


AT_ONCE: dict[str, Callable[..., Variable]] = {"euclidean_norm": _norm_of_all}
"""Ops that are written otherwise where nothing is repeated."""


def needs_expansion(node: Node, is_repeated: bool = False) -> bool:
    """Is it written with other ops before lowering? ``is_repeated``: it stands in a loop."""
    if node.op.name in DIRECT:
        return not DIRECT[node.op.name](node, is_repeated)
    if node.op.name in WRITTEN:
        return True
    return node.op.kind == "composite"


def expand(outputs: Sequence[Node], is_repeated: bool = False) -> tuple[Node, ...]:
    """Outputs without composite ops. Lines pass on to what replaces them.

    ``is_repeated``: they are computed in each turn of a loop.
    """
    bodies: dict[Graph, Graph] = {}
    nodes = tuple(outputs)
    for _ in range(MOST_ROUNDS):
        changed = _round(nodes, bodies, is_repeated)
        if changed == nodes:
            return _turned_products(nodes, is_repeated)
        nodes = changed
    raise AssertionError("an expansion does not end")


def _turned_products(outputs: tuple[Node, ...], is_repeated: bool) -> tuple[Node, ...]:
    """(a @ b).mT --> b.mT @ a.mT, if nothing else reads a @ b: products turn operands for free."""
    readers: dict[Node, int] = dict.fromkeys(outputs, 2)
    order = toposort(outputs)
    for node in order:
        for source in node.inputs:
            readers[source] = readers.get(source, 0) + 1
    made: dict[Node, Node] = {}
    for node in order:
        if not swaps_last_axes(node):
            continue
        (found,) = node.inputs
        if found.op.name != "matmul" or needs_expansion(found, is_repeated):
            continue
        if readers[found] == 1:
            left, right = found.inputs
            turned = (_turned(right), _turned(left))
            made[node] = make_node(found.op, turned, found.attrs, lines=node.lines)
    return substitute_nodes(outputs, made) if made else outputs


def _turned(node: Node) -> Node:
    if swaps_last_axes(node):
        return node.inputs[0]
    rank = node.tensor.ndim
    axes = (*range(rank - 2), rank - 1, rank - 2)
    return make_node(find_op("permute_dims"), (node,), {"axes": axes}, lines=())


def _round(
    outputs: tuple[Node, ...], bodies: dict[Graph, Graph], is_repeated: bool
) -> tuple[Node, ...]:
    made: dict[Node, Node] = {}
    several: dict[Node, tuple[Node, ...]] = {}
    for node in toposort(outputs):
        if node.op.name == "proj" and node.inputs[0] in several:
            made[node] = several[node.inputs[0]][node.attrs["index"]]
            continue
        inputs = tuple(made[i] if i not in several else i for i in node.inputs)
        if not needs_expansion(node, is_repeated):
            made[node] = rebuild(node, inputs, _attrs(node, bodies, is_repeated))
            continue
        found = _expanded(node, inputs, is_repeated)
        if isinstance(found, tuple):
            several[node] = found
        else:
            made[node] = found
    return tuple(made[o] for o in outputs)


def _expanded(node: Node, inputs: tuple[Node, ...], is_repeated: bool) -> Node | tuple[Node, ...]:
    write = by_parts if is_by_parts(node) else WRITTEN.get(node.op.name, node.op.expand)
    write = write if is_repeated else AT_ONCE.get(node.op.name, write)
    assert write is not None, f"{node.op.name} has no expansion"
    with as_if_at(node.lines):
        found = write(*[Variable(i) for i in inputs], **node.attrs)
    if isinstance(found, tuple | list):
        return tuple(v.node for v in found)
    result: Node = found.node
    assert result.type == node.type or _alike(result, node), (
        f"{node.op.name} expands to {result.type}, not {node.type}"
    )
    return result


def _alike(a: Node, b: Node) -> bool:
    """Same dtype and rank: dims may be written differently."""
    return a.tensor.dtype == b.tensor.dtype and a.tensor.ndim == b.tensor.ndim


def _attrs(node: Node, bodies: dict[Graph, Graph], is_repeated: bool) -> Any:
    held = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
    if not held:
        return None
    changed = dict(node.attrs)
    is_repeated = is_repeated or node.op.name in LOOPS
    for key, graph in held.items():
        if graph not in bodies:
            bodies[graph] = Graph(graph.params, expand(graph.outputs, is_repeated))
        changed[key] = bodies[graph]
    return changed if any(changed[k] is not node.attrs[k] for k in held) else None
