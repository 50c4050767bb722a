"""Products of matrices and vectors: the node ``matmul``, and what is written with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, ShapeError
from symgraph.ir.dim import DimLike, product
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, common, make
from symgraph.ops.create import diagonal, eye, trace
from symgraph.ops.index import getitem
from symgraph.ops.kinds import normal_axis, sum_to_shape
from symgraph.ops.shape import (
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    ravel,
    reshape,
    squeeze,
    tensor_types,
)

# --- matmul


def _matmul_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    a, b = tensor_types(types)
    if len(a.shape) < 2 or len(b.shape) < 2 or a.dtype != b.dtype:
        raise ShapeError(f"a product of {a} and {b}")
    context.equal(a.shape[-1], b.shape[-2], "inner dimensions")
    batch = context.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return TensorType(a.dtype, (*batch, a.shape[-2], b.shape[-1]))


def _matmul_front(x: Any, y: Any) -> Variable:
    a, b = common([x, y])
    for operand in (a, b):
        if operand.ndim == 0:
            raise ShapeError(describe(operand, "matmul takes no scalars", "use * for scaling"))
    left = expand_dims(a, 0) if a.ndim == 1 else a
    right = expand_dims(b, 1) if b.ndim == 1 else b
    found = make("matmul", _with_equal_batches(left, right))
    dropped = [-2] * (a.ndim == 1) + [-1] * (b.ndim == 1)
    return squeeze(found, tuple(dropped)) if dropped else found


def _with_equal_batches(a: Variable, b: Variable) -> list[Variable]:
    """Operands whose leading axes are those of the result, or all 1, or none."""
    try:
        batch = ShapeContext().broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ShapeError:
        return [a, b]  # refused when the node is made, with the names of the operands
    found = []
    for x in (a, b):
        own = x.shape[:-2]
        fits = own == batch or all(d == 1 for d in own)
        found.append(x if fits else broadcast_to(x, (*batch, *x.shape[-2:])))
    return found


def _matmul_grad(g: Variable, y: Variable, a: Variable, b: Variable) -> list[Variable]:
    """g @ b.mT and a.mT @ g, summed over axes that were broadcast."""
    left = sum_to_shape(make("matmul", [g, matrix_transpose(b)]), a)
    if b.ndim == 2 and a.ndim > 2:  # one product over all rows, not one per matrix
        rows = product(a.shape[:-1])
        flat_a, flat_g = reshape(a, (rows, a.shape[-1])), reshape(g, (rows, g.shape[-1]))
        return [left, make("matmul", [permute_dims(flat_a), flat_g])]
    return [left, sum_to_shape(make("matmul", [matrix_transpose(a), g]), b)]


def _matmul_expand(a: Variable, b: Variable) -> Variable:
    """As multiplications and a sum, for dtypes that no library takes."""
    left, right = expand_dims(a, -1), expand_dims(b, -3)
    is_bool = a.dtype.kind == "b"
    terms = find_op("logical_and" if is_bool else "multiply")(left, right)
    return make("any" if is_bool else "sum", [terms], axes=(terms.ndim - 2,))


matmul = register(
    Op(
        "matmul",
        "library",
        """Matrix product over the last two axes; leading axes broadcast.

        Shapes: (..., m, k) @ (..., k, n) -> (..., m, n); a vector is a row on the left, a column on
        the right, and its axis is dropped.    Dtypes: all; bool gives "or" of "and"s.
        Raises: ShapeError for scalars and where inner dims differ, at the latest at the call.
        """,
        infer=_matmul_infer,
        front=_matmul_front,
        reference=np.matmul,
        vjp=_matmul_grad,
        expand=_matmul_expand,
        names={"numpy": "matmul"},
    )
)


# --- written with it


def dot(x: Any, y: Any) -> Variable:
    """NumPy's dot: scalars multiply; else the last axis of x with the second last of y."""
    a, b = common([x, y])
    if a.ndim == 0 or b.ndim == 0:
        return find_op("multiply")(a, b)  # type: ignore[no-any-return]
    if b.ndim <= 2 and a.ndim <= 2:
        return matmul(a, b)  # type: ignore[no-any-return]
    return tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))


def tensordot(x: Any, y: Any, axes: Any = 2) -> Variable:
    """Sum over pairs of axes: the last of x with the first of y (an int), or two lists of axes."""
    a, b = common([x, y])
    left, right = _pairs_of_axes(a, b, axes)
    for i, j in zip(left, right, strict=True):
        _same_length(a, b, i, j)
    rest_a = [k for k in range(a.ndim) if k not in left]
    rest_b = [k for k in range(b.ndim) if k not in right]
    inner = product(tuple(a.shape[i] for i in left))
    shape_a, shape_b = tuple(a.shape[k] for k in rest_a), tuple(b.shape[k] for k in rest_b)
    flat_a = reshape(permute_dims(a, [*rest_a, *left]), (product(shape_a), inner))
    inner_b = product(tuple(b.shape[j] for j in right))
    flat_b = reshape(permute_dims(b, [*right, *rest_b]), (inner_b, product(shape_b)))
    return reshape(make("matmul", [flat_a, flat_b]), (*shape_a, *shape_b))  # type: ignore[no-any-return]


def _pairs_of_axes(a: Variable, b: Variable, axes: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, int | np.integer):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ShapeError(describe(a, f"tensordot over {axes} axes of {a.ndim} and {b.ndim}"))
        return list(range(a.ndim - axes, a.ndim)), list(range(axes))
    first, second = ([p] if isinstance(p, int) else list(p) for p in axes)
    if len(first) != len(second):
        raise ShapeError(describe(a, f"tensordot pairs {len(first)} axes with {len(second)}"))
    return [normal_axis(i, a.ndim) for i in first], [normal_axis(j, b.ndim) for j in second]


def _same_length(a: Variable, b: Variable, i: int, j: int) -> None:
    m, n = a.shape[i], b.shape[j]
    if isinstance(m, int) and isinstance(n, int) and m != n:
        raise ShapeError(
            describe(
                a,
                f"axis {i} of length {m} meets axis {j} of {b.name or 'the other'}, of length {n}",
                "the axes that are summed over must agree",
            )
        )


def vecdot(x: Any, y: Any, axis: int = -1) -> Variable:
    """sum(conj(x) * y) along an axis; the other axes broadcast."""
    a, b = common([x, y])
    a, b = moveaxis(a, axis, -1), moveaxis(b, axis, -1)
    _same_length(a, b, a.ndim - 1, b.ndim - 1)
    a = find_op("conj")(a) if a.dtype.kind == "c" else a
    found = a * b
    return make("sum", [found], axes=(found.ndim - 1,))


def vdot(x: Any, y: Any) -> Variable:
    """sum(conj(x) * y) over all elements."""
    return vecdot(ravel(x), ravel(y))


def inner(x: Any, y: Any) -> Variable:
    """Sum over the last axis of both; scalars multiply."""
    a, b = common([x, y])
    if a.ndim == 0 or b.ndim == 0:
        return find_op("multiply")(a, b)  # type: ignore[no-any-return]
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


def outer(x: Any, y: Any) -> Variable:
    """x[i] * y[j] of two vectors; arrays are flattened."""
    a, b = common([x, y])
    return expand_dims(ravel(a), 1) * ravel(b)  # type: ignore[no-any-return]


def _linalg_diagonal(x: Any, *, offset: int = 0) -> Variable:
    return diagonal(x, offset, -2, -1)


def _linalg_trace(x: Any, *, offset: int = 0, dtype: Any = None) -> Variable:
    return trace(x, offset, -2, -1, dtype)


def kron(x: Any, y: Any) -> Variable:
    """Each element of x times all of y."""
    a, b = common([x, y])
    rank = max(a.ndim, b.ndim)
    a, b = (expand_dims(v, tuple(range(rank - v.ndim))) if v.ndim < rank else v for v in (a, b))
    left = expand_dims(a, tuple(2 * k + 1 for k in range(rank)))
    right = expand_dims(b, tuple(2 * k for k in range(rank)))
    shape = tuple(product((m, n)) for m, n in zip(a.shape, b.shape, strict=True))
    return reshape(left * right, shape)  # type: ignore[no-any-return]


def multi_dot(arrays: Sequence[Any]) -> Variable:
    """The product of several matrices in the order that costs least; the ends may be vectors."""
    xs = common(list(arrays))
    if len(xs) < 2:
        raise ArgumentError("multi_dot needs at least two arrays")
    row, column = xs[0].ndim == 1, xs[-1].ndim == 1
    xs[0] = expand_dims(xs[0], 0) if row else xs[0]
    xs[-1] = expand_dims(xs[-1], 1) if column else xs[-1]
    found = _chain(xs)
    dropped = [-2] * row + [-1] * column
    return squeeze(found, tuple(dropped)) if dropped else found


UNKNOWN_LENGTH = 100  # what a dim counts as where costs are compared before it is known


def known_length(dim: DimLike) -> int:
    """A length for comparing costs."""
    return dim if isinstance(dim, int) else UNKNOWN_LENGTH


def _chain(xs: Sequence[Variable]) -> Variable:
    sizes = [known_length(x.shape[0]) for x in xs] + [known_length(xs[-1].shape[1])]
    cost: dict[tuple[int, int], int] = {(k, k): 0 for k in range(len(xs))}
    cut: dict[tuple[int, int], int] = {}
    for width in range(1, len(xs)):
        for i in range(len(xs) - width):
            j = i + width
            options = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            }
            cut[i, j] = min(options, key=lambda k: options[k])
            cost[i, j] = options[cut[i, j]]

    def join(i: int, j: int) -> Variable:
        if i == j:
            return xs[i]
        return matmul(join(i, cut[i, j]), join(cut[i, j] + 1, j))  # type: ignore[no-any-return]

    return join(0, len(xs) - 1)


def matrix_power(x: Any, n: int) -> Variable:
    """x multiplied by itself, n >= 0 times, by squaring."""
    x = asarray(x)
    if n < 0:
        raise ArgumentError(describe(x, f"matrix_power takes n >= 0, got {n}"))
    if n == 0:
        return broadcast_to(eye(x.shape[-1], dtype=x.dtype), x.shape)  # type: ignore[no-any-return]
    found: Variable | None = None
    while True:
        if n & 1:
            found = x if found is None else matmul(found, x)
        n >>= 1
        if not n:
            assert found is not None
            return found
        x = matmul(x, x)


def _spatial(x: Variable) -> Variable:
    """x, whose last axis must have length 3; the reshape carries the check of an unknown one."""
    length = x.shape[-1]
    if isinstance(length, int) and length != 3:
        raise ShapeError(describe(x, f"cross needs vectors of length 3, got {length}"))
    return reshape(x, (*x.shape[:-1], 3))  # type: ignore[no-any-return]


def cross(x: Any, y: Any, axis: int = -1) -> Variable:
    """The vector product of vectors of length 3 along an axis; other axes broadcast."""
    a, b = (_spatial(moveaxis(v, axis, -1)) for v in common([x, y]))

    def turned(v: Variable, by: int) -> Variable:
        return getitem(v, (Ellipsis, [(k + by) % 3 for k in range(3)]))

    return moveaxis(turned(a, 1) * turned(b, 2) - turned(a, 2) * turned(b, 1), -1, axis)


METHODS["dot"] = dot
_FUNCTIONS: Sequence[Any] = (
    dot, tensordot, vecdot, vdot, inner, outer, kron, multi_dot, matrix_power, cross
)  # fmt: skip
NUMPY_FUNCTIONS.update({f.__name__: f for f in _FUNCTIONS})
NUMPY_FUNCTIONS.update(
    {"numpy.linalg.diagonal": _linalg_diagonal, "numpy.linalg.trace": _linalg_trace}
)
