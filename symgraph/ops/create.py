"""Arrays from nothing: ranges, identities, constants, triangles, diagonals, one-hot.

``iota`` (0, 1, 2, ...) and ``broadcast_to`` of a scalar are the only nodes; all else is written
with them. ``data_length`` makes a dimension of a number that only the call tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.errors import ShapeError, message
from symgraph.ir.dim import Dim, DimLike, as_dim, floordiv, maximum, minimum
from symgraph.ir.dim import data_length as data_dim
from symgraph.ir.dtype import BOOL, INT64, DType, as_dtype
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Op, find_op, register
from symgraph.ir.type import Shape, TensorType
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, common_dtype, make
from symgraph.ops.kinds import indexed, normal_axis
from symgraph.ops.shape import as_shape, expand_dims, moveaxis, ravel

# --- lengths and ranges

DATA_LENGTH = register(
    Op(
        "data_length",
        "elementwise",
        """A number of elements, as the value of the dimension ``dim``: max(n, 0).

        Whatever has that dimension in its shape depends on this node. The program that computes it
        runs before the one that needs the dimension.
        """,
        infer=lambda types, attrs, context: TensorType(INT64, ()),
        front=lambda n, dim: make("data_length", [cast(asarray(n), INT64)], dim=dim),
        reference=lambda n, dim: np.maximum(n, 0),
        element=lambda s, n, dim: s.maximum(n, s.const(0, INT64)),
        properties=frozenset(("defines dimension",)),
    )
)


def measured(length: Any) -> tuple[DimLike, list[Variable]]:
    """A dimension for a length; a computed one comes with the node that defines it."""
    if isinstance(length, Variable):
        length = _known_scalar(length)
    if not isinstance(length, Variable):
        return as_dim(length), []
    if length.ndim != 0 or length.dtype.kind not in "iu":
        raise ShapeError(describe(length, "a length must be an integer scalar"))
    dim = data_dim(length.name or "length")
    return dim, [DATA_LENGTH(length, dim=dim)]


def _known_scalar(value: Variable) -> Any:
    if value.ndim == 0 and value.node.op.name == "constant":
        return value.node.attrs["value"].item()
    return value.node.attrs["dim"] if value.node.op.name == "dim" else value


def _iota_front(length: Any) -> Variable:
    dim, nodes = measured(length)
    return make("iota", nodes, length=dim)


iota = indexed(
    "iota",
    "0, 1, 2, ... as int64.    length: an int, a dim, or an integer scalar that the call tells.",
    infer=lambda types, attrs, context: TensorType(INT64, (attrs["length"],)),
    front=_iota_front,
    reference=lambda *lengths, length: np.arange(length, dtype=np.int64),
    element=lambda b, index, inputs, out, attrs: index[0],
    grad=lambda g, y, *lengths, length: [None] * len(lengths),
)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Variable:
    """start, start + step, ... before stop; start is 0 where only one bound is given.

    Bounds may be numbers, dims or integer scalar variables.    Dtypes: as in NumPy, int64 unless
    one of the three is floating.    Raises: ShapeError for a step of 0.
    """
    first, last = (0, start) if stop is None else (start, stop)
    parts = [_known_scalar(v) if isinstance(v, Variable) else v for v in (first, last, step)]
    if not isinstance(parts[2], Variable | Dim) and parts[2] == 0:
        raise ShapeError(message("arange needs a step other than 0"))
    found = common_dtype([asarray(v) for v in parts]) if dtype is None else as_dtype(dtype)
    found = INT64 if found == BOOL else found
    places = iota(_range_length(*parts))
    if dtype is not None and found.kind == "f" and all(isinstance(v, int) for v in parts):
        return cast(parts[0] + places * parts[2], found)
    begin, stride = (cast(asarray(v), found) for v in (parts[0], parts[2]))
    scaled = cast(places, found) if _is_one(parts[2]) else cast(places, found) * stride
    return scaled if _is_zero(parts[0]) else begin + scaled


def _is_one(value: Any) -> bool:
    return isinstance(value, int | float) and value == 1


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _range_length(first: Any, last: Any, step: Any) -> Any:
    """ceil((last - first) / step), at least 0, in whatever the three are."""
    if any(isinstance(v, Variable) for v in (first, last, step)):
        span = asarray(last) - first
        if span.dtype.kind == "f" or isinstance(step, float):
            return cast(find_op("ceil")(span / step), INT64)
        return find_op("negative")(find_op("floor_divide")(find_op("negative")(span), step))
    if any(isinstance(v, Dim) for v in (first, last, step)):
        if not all(isinstance(v, int | Dim) for v in (first, last, step)):
            raise ShapeError(message("arange of dims takes integers only"))
        return maximum(0, -floordiv(first - last, step))
    return max(0, math.ceil((last - first) / step))


def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    *,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Variable:
    """num numbers at equal distances from start to stop, which is hit exactly.

    Shapes: start and stop may be arrays; the new axis comes at ``axis``.
    Dtypes: floating; integers become float64.
    """
    a, b = asarray(start), asarray(stop)
    found = common_dtype([a, b, asarray(1.0)])
    a, b = cast(a, found), cast(b, found)
    shape = find_op("add")(a, b).shape
    count, nodes = measured(num)
    places = expand_dims(make("iota", nodes, length=count), tuple(range(1, len(shape) + 1)))
    parts = maximum(count - 1 if endpoint else count, 1)
    step = (b - a) / cast(asarray(parts), found)
    values = cast(places, found) * step + a
    if endpoint and count != 1:
        is_last = find_op("equal")(places, asarray(count - 1))
        is_last = find_op("logical_and")(is_last, find_op("greater")(places, 0))
        values = find_op("where")(is_last, b, values)
    values = moveaxis(values, 0, axis)
    wanted = found if dtype is None else as_dtype(dtype)
    return cast(find_op("floor")(values) if wanted.kind in "iu" else values, wanted)


# --- constants of a shape


def full(shape: Any, value: Any, dtype: Any = None) -> Variable:
    """An array of one value.

    Shapes: ints, dims, names, or integer scalar variables.    Dtypes: the value's unless given.
    """
    if isinstance(shape, int | np.integer | Dim | str | Variable):
        shape = tuple(as_shape(shape)) if _is_vector(shape) else (shape,)
    measures = [measured(d) for d in shape]
    dims, nodes = tuple(d for d, _ in measures), [n for _, more in measures for n in more]
    filled = asarray(value, dtype)
    if not dims and filled.ndim == 0:
        return cast(filled, filled.dtype)
    if nodes:
        return make("broadcast_to", [filled, *nodes], shape=dims)
    return broadcast_to(filled, dims)  # type: ignore[no-any-return]


def _is_vector(shape: Any) -> bool:
    return isinstance(shape, Variable) and shape.ndim == 1


def _floating(dtype: Any) -> DType:
    return as_dtype(config.text("floatX") if dtype is None else dtype)


def zeros(shape: Any, dtype: Any = None) -> Variable:
    """Zeros; of ``config.floatX`` unless a dtype is given."""
    return full(shape, np.zeros((), _floating(dtype)))


def ones(shape: Any, dtype: Any = None) -> Variable:
    """Ones; of ``config.floatX`` unless a dtype is given."""
    return full(shape, np.ones((), _floating(dtype)))


def empty(shape: Any, dtype: Any = None) -> Variable:
    """An array whose values do not matter: zeros."""
    return zeros(shape, dtype)


def full_like(x: Any, value: Any, dtype: Any = None, shape: Any = None) -> Variable:
    """One value in the shape and dtype of x."""
    x = asarray(x)
    return full(x.shape if shape is None else shape, value, x.dtype if dtype is None else dtype)


def zeros_like(x: Any, dtype: Any = None, shape: Any = None) -> Variable:
    """Zeros in the shape and dtype of x."""
    return full_like(x, 0, dtype, shape)


def ones_like(x: Any, dtype: Any = None, shape: Any = None) -> Variable:
    """Ones in the shape and dtype of x."""
    return full_like(x, 1, dtype, shape)


def empty_like(x: Any, dtype: Any = None, shape: Any = None) -> Variable:
    """An array like x whose values do not matter: zeros."""
    return full_like(x, 0, dtype, shape)


# --- matrices


def _row_and_column(rows: Any, columns: Any) -> tuple[Variable, Variable]:
    return expand_dims(iota(rows), 1), iota(columns)


def eye(rows: Any, columns: Any = None, k: int = 0, dtype: Any = None) -> Variable:
    """1 where column = row + k, else 0."""
    i, j = _row_and_column(rows, rows if columns is None else columns)
    return cast(find_op("equal")(i + k if k else i, j), _floating(dtype))


def identity(n: Any, dtype: Any = None) -> Variable:
    """1 on the diagonal, else 0."""
    return eye(n, dtype=dtype)


def tri(rows: Any, columns: Any = None, k: int = 0, dtype: Any = None) -> Variable:
    """1 where column <= row + k, else 0."""
    i, j = _row_and_column(rows, rows if columns is None else columns)
    return cast(find_op("less_equal")(j, i + k if k else i), _floating(dtype))


def _triangle(x: Any, k: int, name: str, keep: str) -> Variable:
    x = asarray(x)
    if x.ndim < 2:
        raise ShapeError(describe(x, f"{name} needs at least 2 axes"))
    i, j = _row_and_column(x.shape[-2], x.shape[-1])
    zero = asarray(np.zeros((), x.dtype))
    return find_op("where")(find_op(keep)(j, i + k if k else i), x, zero)  # type: ignore[no-any-return]


def tril(x: Any, k: int = 0) -> Variable:
    """The lower triangle of matrices: 0 above diagonal k."""
    return _triangle(x, k, "tril", "less_equal")


def triu(x: Any, k: int = 0) -> Variable:
    """The upper triangle of matrices: 0 below diagonal k."""
    return _triangle(x, k, "triu", "greater_equal")


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """x[..., i, i + offset]: the diagonal of two axes, which becomes the last axis."""
    x = asarray(x)
    first, second = normal_axis(axis1, x.ndim), normal_axis(axis2, x.ndim)
    if first == second:
        raise ShapeError(describe(x, "a diagonal needs two different axes"))
    down, right = max(-offset, 0), max(offset, 0)
    rows, columns = x.shape[first], x.shape[second]
    left = minimum(rows - down if down else rows, columns - right if right else columns)
    i = iota(maximum(0, left))
    indices = [i + down if down else i, i + right if right else i]
    order = sorted([(first, indices[0]), (second, indices[1])], key=lambda pair: pair[0])
    axes, arrays = zip(*order, strict=True)
    return find_op("gather")(x, *arrays, axes=axes, position=x.ndim - 2, checked=True)  # type: ignore[no-any-return]


def diag(x: Any, k: int = 0) -> Variable:
    """The diagonal of a matrix, or a matrix with a vector on its diagonal."""
    x = asarray(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(describe(x, f"diag takes a vector or a matrix, got {x.ndim} axes"))
    size = x.shape[0] + abs(k)
    i = iota(x.shape[0])
    rows, columns = (i - k if k < 0 else i), (i + k if k > 0 else i)
    base = broadcast_to(np.zeros((), x.dtype), (size, size))
    return find_op("scatter")(  # type: ignore[no-any-return]
        base, x, rows, columns, axes=(0, 1), checked=True, unique=True
    )


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Variable:
    """The sum of a diagonal."""
    return find_op("sum")(diagonal(x, offset, axis1, axis2), -1, dtype)  # type: ignore[no-any-return]


def one_hot(x: Any, num_classes: Any, *, dtype: Any = None, axis: int = -1) -> Variable:
    """1 where the class number stands, else 0; all 0 for numbers outside 0 .. num_classes-1.

    Shapes: x of integers (...) -> (..., num_classes).
    """
    x = asarray(x)
    if x.dtype.kind not in "iu":
        raise ShapeError(describe(x, "one_hot takes class numbers, which are integers"))
    found = find_op("equal")(expand_dims(cast(x, INT64), -1), iota(num_classes))
    return moveaxis(cast(found, _floating(dtype)), -1, axis)


def meshgrid(*arrays: Any, indexing: str = "xy") -> list[Variable]:
    """Coordinates of a grid, one array for each of the given vectors.

    ``indexing``: "xy" has the second axis first, as NumPy does, "ij" keeps the order.
    """
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid takes indexing 'xy' or 'ij', not {indexing!r}")
    xs = [ravel(a) for a in arrays]
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[0], order[1] = 1, 0
    shape: Shape = tuple(xs[order.index(axis)].shape[0] for axis in range(len(xs)))
    found = []
    for x, place in zip(xs, order, strict=True):
        others = tuple(a for a in range(len(xs)) if a != place)
        found.append(broadcast_to(expand_dims(x, others), shape))
    return found


METHODS.update({"diagonal": diagonal, "trace": trace})
_FUNCTIONS: Sequence[Any] = (
    zeros_like, ones_like, full_like, empty_like, tril, triu, diagonal, diag, trace, meshgrid,
    linspace,
)  # fmt: skip
NUMPY_FUNCTIONS.update({f.__name__: f for f in _FUNCTIONS})
