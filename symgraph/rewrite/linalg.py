"""Matrix products: fewer of them, smaller ones, and in the order that costs least.

Costs are multiplications, with ``UNKNOWN_LENGTH`` for a dim that is not known before the call. A
product that something else needs too is not taken apart (``shared``).
"""

from __future__ import annotations

from functools import lru_cache

from symgraph.ir.node import Node
from symgraph.ops.linalg import known_length
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, fraction, shared
from symgraph.rewrite.rule import Rule, rule

MOST_MATRICES = 12
ORDER = "the order of a chain of products decides its cost"
REORDERS = "rounded in another order"


def _is_matrix(node: Node) -> bool:
    return node.tensor.ndim == 2


def swapped(node: Node) -> Node:
    """The transpose of a matrix; of a transpose, what it transposes."""
    if node.op.name == "permute_dims" and node.attrs["axes"] == (1, 0):
        return node.inputs[0]
    return call("permute_dims", node, axes=(1, 0))


def is_transpose(node: Node) -> bool:
    """Is it a matrix transposed?"""
    return node.op.name == "permute_dims" and node.attrs["axes"] == (1, 0)


@rule.compute(
    "permute_dims",
    needs="matmul",
    why="products take transposed operands at no cost",
    source="(A @ B).T = B.T @ A.T",
    real=False,
    exact=True,
)
def transposed_product(node: Node) -> Node | None:
    """(A @ B).T --> B.T @ A.T, where one of them is transposed already."""
    inner = node.inputs[0]
    if not is_transpose(node) or inner.op.name != "matmul" or inner in shared():
        return None
    a, b = inner.inputs
    return call("matmul", swapped(b), swapped(a)) if is_transpose(a) or is_transpose(b) else None


@rule.compute(
    "matmul",
    needs="* negative",
    why="one number scales the result once, inside the product's own call",
    source="(c A) @ B = c (A @ B)",
    changes=REORDERS,
)
def scalar_outside(node: Node) -> Node | None:
    """(A * 2) @ B --> (A @ B) * 2; (-A) @ B --> -(A @ B)."""
    operands: list[Node] = []
    scales: list[tuple[str, Node | None]] = []
    for operand in node.inputs:
        inner, found = _unscaled(operand)
        operands.append(inner)
        scales += found
    if not scales:
        return None
    made = call("matmul", *operands)
    for op, scale in scales:
        made = call(op, made, scale) if scale is not None else call("negative", made)
    return made


def _unscaled(node: Node) -> tuple[Node, list[tuple[str, Node | None]]]:
    """A matrix without scalar factors, and these."""
    found: list[tuple[str, Node | None]] = []
    while node not in shared():
        name = node.op.name
        if name == "negative":
            found.append((name, None))
            node = node.inputs[0]
        elif name in ("multiply", "divide") and node.inputs[1].tensor.ndim == 0:
            found.append((name, node.inputs[1]))
            node = node.inputs[0]
        elif name == "multiply" and node.inputs[0].tensor.ndim == 0:
            found.append((name, node.inputs[0]))
            node = node.inputs[1]
        elif is_transpose(node):
            inner, scales = _unscaled_once(node.inputs[0])
            if not scales:
                break
            found += scales
            node = swapped(inner)
        else:
            break
    return node, found


def _unscaled_once(node: Node) -> tuple[Node, list[tuple[str, Node | None]]]:
    name = node.op.name
    if node in shared():
        return node, []
    if name == "negative":
        return node.inputs[0], [(name, None)]
    if name in ("multiply", "divide") and node.inputs[1].tensor.ndim == 0:
        return node.inputs[0], [(name, node.inputs[1])]
    return node, []


@rule.compute(
    "matmul",
    needs="matmul",
    why=ORDER,
    source="matrix chain multiplication, Hu & Shing 1982",
    changes=REORDERS,
)
def chain_order(node: Node) -> Node | None:
    """(A @ B) @ v --> A @ (B @ v) where that takes fewer multiplications."""
    matrices = _chain(node)
    if len(matrices) < 3 or not all(map(_is_matrix, matrices)):
        return None
    sizes = [known_length(m.tensor.shape[0]) for m in matrices]
    sizes.append(known_length(matrices[-1].tensor.shape[1]))
    best, cut = _orders(tuple(sizes))
    if best >= _cost(node):
        return None

    def join(i: int, j: int) -> Node:
        if i == j:
            return matrices[i]
        k = cut[i, j]
        return call("matmul", join(i, k), join(k + 1, j))

    return join(0, len(matrices) - 1)


def _chain(node: Node) -> list[Node]:
    """The matrices of a chain of products, those of products needed elsewhere joined."""
    found: list[Node] = []
    stack = [node]
    while stack:
        top = stack.pop()
        splits = top.op.name == "matmul" and (top is node or top not in shared())
        if splits and len(found) + len(stack) < MOST_MATRICES:
            stack += [top.inputs[1], top.inputs[0]]
        else:
            found.append(top)
    return found


def _cost(node: Node) -> int:
    """Multiplications of the chain as it stands."""
    total, stack = 0, [node]
    while stack:
        top = stack.pop()
        if top.op.name == "matmul" and (top is node or top not in shared()):
            a, b = top.inputs
            total += (
                known_length(a.tensor.shape[-2])
                * known_length(a.tensor.shape[-1])
                * known_length(b.tensor.shape[-1])
            )
            stack += [a, b]
    return total


@lru_cache(maxsize=256)
def _orders(sizes: tuple[int, ...]) -> tuple[int, dict[tuple[int, int], int]]:
    """The least cost of a chain, and where each part is cut for it."""
    count = len(sizes) - 1
    cost = {(k, k): 0 for k in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for width in range(1, count):
        for i in range(count - width):
            j = i + width
            options = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            }
            cut[i, j] = min(options, key=lambda k, o=options: o[k])  # type: ignore[misc]
            cost[i, j] = options[cut[i, j]]
    return cost[0, count - 1], cut


@rule.compute(
    "sum",
    needs="matmul",
    why="sums of rows and columns are vectors; the product is never formed",
    source="sum(A @ B) = sum(A, 0) @ sum(B, 1)",
    changes=REORDERS,
    real=False,
)
def sum_of_product(node: Node) -> Node | None:
    """sum(A @ B) --> sum(sum(A, 0) * sum(B, 1)); over one axis, a product with a vector."""
    inner, axes = node.inputs[0], node.attrs["axes"]
    if inner.op.name != "matmul" or not _is_matrix(inner) or inner in shared():
        return None
    a, b = inner.inputs
    if (
        not (_is_matrix(a) and _is_matrix(b))
        or node.tensor.dtype != inner.tensor.dtype
        or node.tensor.dtype.kind == "b"
    ):
        return None
    rows = call("expand_dims", call("sum", a, axes=(0,)), axes=(0,)) if 0 in axes else a
    columns = call("expand_dims", call("sum", b, axes=(1,)), axes=(1,)) if 1 in axes else b
    if axes == (0, 1):
        products = call("multiply", call("sum", a, axes=(0,)), call("sum", b, axes=(1,)))
        return call("sum", products, axes=(0,))
    return call("squeeze", call("matmul", rows, columns), axes=axes)


@rule.compute(
    "gather",
    needs="matmul",
    why="of the product only the diagonal is needed",
    source="diag(A @ B) = sum(A * B.T, 1)",
    changes=REORDERS,
    real=False,
)
def diagonal_of_product(node: Node) -> Node | None:
    """diagonal(A @ B) --> sum(A * B.T, 1); so trace(A @ B) is one sum of A * B.T."""
    inner = node.inputs[0]
    if (
        inner.op.name != "matmul"
        or not _is_matrix(inner)
        or inner in shared()
        or len(node.inputs) != 3
    ):
        return None
    rows, columns = node.inputs[1:]
    a, b = inner.inputs
    square = a.tensor.shape[0] == b.tensor.shape[1]
    if node.attrs["axes"] != (0, 1) or rows is not columns or rows.op.name != "iota" or not square:
        return None
    if rows.attrs["length"] != a.tensor.shape[0] or node.tensor.dtype.kind == "b":
        return None
    return call("sum", call("multiply", a, swapped(b)), axes=(1,))


@rule.compute(
    "matmul",
    why="an outer product is a multiplication, which fuses with what uses it",
    source="definition",
    real=False,
)
def outer_product(node: Node) -> Node | None:
    """A @ B --> A * B for A of shape (m, 1) and B of shape (1, n)."""
    a, b = node.inputs
    if a.tensor.shape[-1] != 1 or b.tensor.shape[-2] != 1 or node.tensor.dtype.kind == "b":
        return None
    return call("multiply", a, b)


@rule.compute(
    "sum",
    needs="*",
    why="a number is multiplied once, not for each element",
    source="distributivity",
    changes=REORDERS,
)
def number_out_of_sum(node: Node) -> Node | None:
    """sum(x * 2) --> sum(x) * 2; sum(-x) --> -sum(x)."""
    scale, inner = t.coef(node.inputs[0])
    if (
        scale == 1
        or inner is None
        or fraction(inner) is not None
        or inner.tensor.shape != node.inputs[0].tensor.shape
    ):
        return None
    return t.scaled(scale, call("sum", inner, axes=node.attrs["axes"]))


@rule.compute(
    "sum",
    needs="broadcast_to",
    why="equal numbers are counted, not added",
    source="n equal terms are n times one",
    changes="rounded once",
    real=False,
)
def sum_of_repeated(node: Node) -> Node | None:
    """sum(broadcast_to(x, (n, m)), 0) --> x * n."""
    from symgraph.rewrite.build import size_node

    inner, axes = node.inputs[0], node.attrs["axes"]
    if (
        inner.op.name != "broadcast_to"
        or len(inner.inputs) > 1
        or node.tensor.dtype != inner.tensor.dtype
    ):
        return None
    x = inner.inputs[0]
    offset = inner.tensor.ndim - x.tensor.ndim
    repeated = [
        a
        for a in axes
        if a < offset or (x.tensor.shape[a - offset] == 1 and inner.tensor.shape[a] != 1)
    ]
    if not repeated:
        return None
    count = size_node(tuple(inner.tensor.shape[a] for a in repeated), node.tensor.dtype)
    own = tuple(a - offset for a in axes if a >= offset)
    total = call("sum", x, axes=own) if own else x
    kept = tuple(d for a, d in enumerate(inner.tensor.shape) if a not in axes)
    scaled = call("multiply", total, count)
    return scaled if scaled.tensor.shape == kept else call("broadcast_to", scaled, shape=kept)


LINALG: tuple[Rule, ...] = (
    transposed_product,
    scalar_outside,
    chain_order,
    sum_of_product,
    diagonal_of_product,
    outer_product,
    number_out_of_sum,
    sum_of_repeated,
)
