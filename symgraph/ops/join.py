"""Joining, splitting, turning, rolling, repeating. Nodes: ``concat``, ``stack``, ``roll``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, ShapeError
from symgraph.ir.dim import Dim, DimLike, add, floordiv, mul
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import atleast_3d, broadcast_to
from symgraph.ops.convert import asarray, cast, common, make
from symgraph.ops.create import iota
from symgraph.ops.index import GATHER, SLICE, flip, getitem, take
from symgraph.ops.kinds import indexed, normal_axis
from symgraph.ops.shape import (
    as_shape,
    expand_dims,
    ravel,
    reshape,
    squeeze,
    swapaxes,
    tensor_types,
)

# --- concat


def _concat_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    xs, axis = tensor_types(types), attrs["axis"]
    shape = list(xs[0].shape)
    for x in xs[1:]:
        if len(x.shape) != len(shape):
            raise ShapeError(f"arrays with {len(shape)} and {len(x.shape)} axes")
        for a, dim in enumerate(x.shape):
            if a == axis:
                shape[a] = add(shape[a], dim)
            else:
                shape[a] = context.equal(shape[a], dim, f"length of axis {a}")
    return TensorType(xs[0].dtype, tuple(shape))


def _concat_front(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Variable:
    xs = _operands(arrays, "concat", dtype)
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if xs[0].ndim == 0:
        raise ShapeError(describe(xs[0], "concat takes arrays, not scalars", "use sg.stack"))
    axis = normal_axis(axis, xs[0].ndim)
    return xs[0] if len(xs) == 1 else make("concat", xs, axis=axis)


def _operands(arrays: Any, name: str, dtype: Any) -> list[Variable]:
    if isinstance(arrays, Variable):
        arrays = list(arrays)
    xs = common(arrays) if len(arrays) else []
    if not xs:
        raise ArgumentError(f"{name} needs at least one array")
    return xs if dtype is None else [cast(x, np.dtype(dtype)) for x in xs]


def _concat_pieces(b: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    found, start = [], b.const(0)
    for number, x in enumerate(inputs):
        offsets = tuple(start if a == attrs["axis"] else b.const(0) for a in range(len(x.shape)))
        found.append((number, offsets))
        start = b.add(start, b.size(x.shape[attrs["axis"]]))
    return found


def _concat_grad(g: Variable, y: Variable, *xs: Variable, axis: int) -> list[Variable]:
    found, start = [], 0
    for x in xs:
        found.append(_block(g, x.shape[axis], start, axis))
        start = add(start, x.shape[axis])  # type: ignore[assignment]
    return found


def _block(x: Variable, length: DimLike, start: DimLike, axis: int) -> Variable:
    """``length`` elements along an axis from a start that is known to leave room for them."""
    starts = tuple(start if a == axis else 0 for a in range(x.ndim))
    lengths = tuple(length if a == axis else d for a, d in enumerate(x.shape))
    found: Variable = SLICE(x, starts, (1,) * x.ndim, lengths) if lengths != x.shape else x
    return found


concat = indexed(
    "concat",
    """Arrays one after the other along an axis; None: all of them flattened.

    Dtypes: promoted; Python numbers are weak.
    Raises: ShapeError where other axes differ, at the call where only that tells.
    """,
    infer=_concat_infer,
    front=_concat_front,
    reference=lambda *xs, axis: np.concatenate(xs, axis),
    element=_concat_pieces,
    grad=_concat_grad,
    kind="pieces",
    names={"numpy": ("concatenate", "concat")},
)

# --- stack


def _stack_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    xs, axis = tensor_types(types), attrs["axis"]
    shape = list(xs[0].shape)
    for x in xs[1:]:
        if len(x.shape) != len(shape):
            raise ShapeError(f"arrays with {len(shape)} and {len(x.shape)} axes")
        shape = [
            context.equal(a, d, f"length of axis {k}")
            for k, (a, d) in enumerate(zip(shape, x.shape, strict=True))
        ]
    return TensorType(xs[0].dtype, (*shape[:axis], len(xs), *shape[axis:]))


def _stack_front(arrays: Any, axis: int = 0, dtype: Any = None) -> Variable:
    xs = _operands(arrays, "stack", dtype)
    return make("stack", xs, axis=normal_axis(axis, xs[0].ndim + 1))


def _one_of(x: Variable, number: int, axis: int) -> Variable:
    return squeeze(_block(x, 1, number, axis), axis)  # type: ignore[no-any-return]


stack = register(
    Op(
        "stack",
        "composite",
        """Arrays of one shape along a new axis.

        Dtypes: promoted; Python numbers are weak.    Raises: ShapeError where shapes differ.
        """,
        infer=_stack_infer,
        front=_stack_front,
        reference=lambda *xs, axis: np.stack(xs, axis),
        vjp=lambda g, y, *xs, axis: [_one_of(g, k, axis) for k in range(len(xs))],
        expand=lambda *xs, axis: concat([expand_dims(x, axis) for x in xs], axis=axis),
        names={"numpy": "stack"},
    )
)


def vstack(arrays: Sequence[Any]) -> Variable:
    """Along the first axis, vectors as rows."""
    xs = [asarray(a) for a in arrays]
    return concat([expand_dims(ravel(x), 0) if x.ndim < 2 else x for x in xs], 0)  # type: ignore[no-any-return]


def hstack(arrays: Sequence[Any]) -> Variable:
    """Along the second axis; vectors one after the other."""
    xs = [asarray(a) for a in arrays]
    xs = [ravel(x) if x.ndim == 0 else x for x in xs]
    return concat(xs, 0 if xs and xs[0].ndim == 1 else 1)  # type: ignore[no-any-return]


def column_stack(arrays: Sequence[Any]) -> Variable:
    """Vectors as the columns of a matrix; matrices side by side."""
    xs = [asarray(a) for a in arrays]
    return concat([expand_dims(ravel(x), 1) if x.ndim < 2 else x for x in xs], 1)  # type: ignore[no-any-return]


def dstack(arrays: Sequence[Any]) -> Variable:
    """Along the third axis, matrices as layers."""
    xs = [asarray(a) for a in arrays]
    return concat([atleast_3d(x) for x in xs], 2)  # type: ignore[no-any-return]


def append(x: Any, values: Any, axis: int | None = None) -> Variable:
    """x and then values along an axis; both flattened where none is given."""
    return concat([x, values], axis)  # type: ignore[no-any-return]


def unstack(x: Any, axis: int = 0) -> tuple[Variable, ...]:
    """The parts of x along an axis of known length, without that axis."""
    x = asarray(x)
    axis = normal_axis(axis, x.ndim)
    length = x.shape[axis]
    if isinstance(length, Dim):
        raise ShapeError(
            describe(
                x, f"unstack along axis {axis}, whose length {length} is not known", "use sg.scan"
            )
        )
    return tuple(_one_of(x, k, axis) for k in range(length))


def split(x: Any, parts: Any, axis: int = 0) -> list[Variable]:
    """x in parts along an axis: an int number of equal parts, or the places to cut at.

    Raises: ShapeError where equal parts do not go up, at once where lengths are known.
    """
    x = asarray(x)
    axis = normal_axis(axis, x.ndim)
    if not isinstance(parts, int | np.integer):
        return _cut(x, [int(p) if isinstance(p, np.integer) else p for p in parts], axis)
    length, count = x.shape[axis], int(parts)
    if count <= 0 or (isinstance(length, int) and length % count):
        raise ShapeError(
            describe(
                x, f"{length} elements do not split into {count} equal parts", "use array_split"
            )
        )
    each = floordiv(length, count)
    if isinstance(each, Dim) and mul(each, count) != length:
        # A reshape carries the check that the parts go up.
        x = reshape(x, (*x.shape[:axis], mul(each, count), *x.shape[axis + 1 :]))
    return [_block(x, each, mul(each, k), axis) for k in range(count)]


def _cut(x: Variable, places: Sequence[Any], axis: int) -> list[Variable]:
    bounds = [None, *places, None]
    before = (slice(None),) * axis
    return [getitem(x, (*before, slice(a, b))) for a, b in itertools.pairwise(bounds)]


def array_split(x: Any, parts: Any, axis: int = 0) -> list[Variable]:
    """``split`` into nearly equal parts, the longer ones first."""
    x = asarray(x)
    if not isinstance(parts, int | np.integer):
        return split(x, parts, axis)
    length = x.shape[normal_axis(axis, x.ndim)]
    if isinstance(length, Dim):
        return split(x, parts, axis)
    each, longer = divmod(length, int(parts))
    sizes = [each + 1] * longer + [each] * (int(parts) - longer)
    return _cut(x, [int(p) for p in np.cumsum(sizes[:-1])], normal_axis(axis, x.ndim))


# --- roll


def _roll_element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    (x,) = inputs
    places = [
        i if shift == 0 else b.mod(b.sub(i, b.size(shift)), b.size(dim))
        for i, shift, dim in zip(index, attrs["shifts"], x.shape, strict=True)
    ]
    return x(tuple(places))


def _roll_front(x: Any, shift: Any, axis: Any = None) -> Variable:
    x = asarray(x)
    if axis is None:
        return reshape(_roll_front(ravel(x), shift, 0), x.shape)  # type: ignore[no-any-return]
    axes = [normal_axis(a, x.ndim) for a in (axis if isinstance(axis, tuple | list) else [axis])]
    amounts = list(shift) if isinstance(shift, tuple | list) else [shift] * len(axes)
    axes = axes * len(amounts) if len(axes) == 1 else axes
    if len(amounts) != len(axes):
        raise ShapeError(describe(x, f"roll: {len(amounts)} shifts for {len(axes)} axes"))
    shifts: list[DimLike] = [0] * x.ndim
    for a, amount in zip(axes, amounts, strict=True):
        if isinstance(amount, Variable):
            x = _roll_by_variable(x, amount, a)
        else:
            shifts[a] = add(shifts[a], amount if isinstance(amount, Dim) else int(amount))
    return make("roll", [x], shifts=tuple(shifts)) if any(s != 0 for s in shifts) else x


def _roll_by_variable(x: Variable, shift: Variable, axis: int) -> Variable:
    places = find_op("remainder")(iota(x.shape[axis]) - shift, asarray(x.shape[axis]))
    return GATHER(x, places, axes=(axis,), position=axis, checked=True)  # type: ignore[no-any-return]


roll = indexed(
    "roll",
    """Elements moved along axes, those that leave at one end coming in at the other.

    ``shift``: ints, dims or integer scalars, one for each axis; axis None: of the flattened array.
    """,
    infer=lambda types, attrs, context: types[0],
    front=_roll_front,
    reference=lambda x, shifts: np.roll(x, shifts, tuple(range(x.ndim))),
    element=_roll_element,
    grad=lambda g, y, x, shifts: [make("roll", [g], shifts=tuple(mul(-1, s) for s in shifts))],
    names={"numpy": "roll"},
)


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Variable:
    """Turned by k right angles in the plane of two axes, from the first towards the second."""
    x = asarray(x)
    first, second = (normal_axis(a, x.ndim) for a in axes)
    for _ in range(k % 4):
        x = flip(swapaxes(x, first, second), first)
    return x  # type: ignore[no-any-return]


def fliplr(x: Any) -> Variable:
    """Reversed along axis 1."""
    return flip(x, 1)


def flipud(x: Any) -> Variable:
    """Reversed along axis 0."""
    return flip(x, 0)


# --- repetition


def tile(x: Any, reps: Any) -> Variable:
    """x beside itself, ``reps`` times along each axis."""
    x = asarray(x)
    counts = as_shape(reps)
    rank = max(x.ndim, len(counts))
    x = expand_dims(x, tuple(range(rank - x.ndim))) if rank > x.ndim else x
    counts = (1,) * (rank - len(counts)) + counts
    new = tuple(2 * a for a in range(rank))
    paired = [d for pair in zip(counts, x.shape, strict=True) for d in pair]
    if all(c == 1 for c in counts):
        return x  # type: ignore[no-any-return]
    shape = tuple(mul(c, d) for c, d in zip(counts, x.shape, strict=True))
    return reshape(broadcast_to(expand_dims(x, new), paired), shape)  # type: ignore[no-any-return]


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Variable:
    """Each element ``repeats`` times in a row: an int or a dim, or one known int per element."""
    x = asarray(x)
    x = ravel(x) if axis is None else x
    axis = normal_axis(axis or 0, x.ndim)
    if not isinstance(repeats, int | np.integer | Dim):
        counts = np.asarray(repeats)
        if counts.ndim == 1 and counts.size != 1:
            return take(x, np.repeat(np.arange(counts.size), counts), axis)
        repeats = int(counts.reshape(()))
    (count,) = as_shape(repeats)
    paired = (*x.shape[: axis + 1], count, *x.shape[axis + 1 :])
    shape = (*x.shape[:axis], mul(x.shape[axis], count), *x.shape[axis + 1 :])
    return reshape(broadcast_to(expand_dims(x, axis + 1), paired), shape)  # type: ignore[no-any-return]


METHODS["repeat"] = repeat
_FUNCTIONS = (
    vstack, hstack, dstack, column_stack, append, unstack, split, array_split, tile, repeat,
    rot90, fliplr, flipud,
)  # fmt: skip
NUMPY_FUNCTIONS.update({f.__name__: f for f in _FUNCTIONS})
