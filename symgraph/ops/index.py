"""Selection: ``x[...]`` in NumPy's forms, ``take``, ``flip``; the nodes ``slice`` and ``gather``.

``slice``   starts, steps, lengths: one int or dim per axis, never negative lengths
``gather``  x and integer arrays that broadcast together; ``axes[k]`` is where array k selects, and
            their common axes come at ``position`` among those of x that stay. ``checked``: indices
            are known to lie in 0 .. n-1; otherwise negative ones count from the end, and those
            outside are a BoundsError, at once or at the call

How a key becomes parts is in ``keys.py``; changed copies (``x.at``) are in ``update.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import BoundsError, ShapeError
from symgraph.ir.dim import Dim, DimLike, add, is_nonnegative, sub
from symgraph.ir.dtype import INT64, is_integer
from symgraph.ir.node import Node
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs, find_op
from symgraph.ir.type import Check, ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.convert import asarray, cast, make, require
from symgraph.ops.create import iota
from symgraph.ops.keys import Part, is_full, outside, parse
from symgraph.ops.kinds import indexed, normal_axes, normal_axis
from symgraph.ops.shape import Axis, expand_dims, ravel, squeeze, tensor_types

# --- slice


def _slice_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    bounds = zip(attrs["starts"], attrs["steps"], attrs["lengths"], x.shape, strict=True)
    for axis, (first, step, length, dim) in enumerate(bounds):
        if not isinstance(length, int) or length == 0:
            continue
        if isinstance(first, int) and isinstance(dim, int):
            last = first + (length - 1) * step
            if not (0 <= first < dim and 0 <= last < dim):
                raise ShapeError(f"places {first} to {last} of axis {axis} of length {dim}")
            continue
        for place in dict.fromkeys((first, add(first, (length - 1) * step))):
            _require_inside(context, dim, place, axis)
    return TensorType(x.dtype, tuple(attrs["lengths"]))


def _require_inside(context: ShapeContext, dim: DimLike, index: DimLike, axis: int) -> None:
    """0 <= index < dim, decided here or checked at the call."""
    about = f"index on axis {axis}"
    for larger, smaller in ((index, 0), (dim, add(index, 1))):
        if not is_nonnegative(sub(larger, smaller)):
            context.checks.append(Check("at_least", larger, smaller, about))


def _slice_element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    return inputs[0](slice_places(b, index, attrs))


def slice_places(b: Any, index: Any, attrs: Attrs) -> tuple[Any, ...]:
    """Where element ``index`` of a slice lies: start + step * i on each axis."""
    places = []
    for i, start, step in zip(index, attrs["starts"], attrs["steps"], strict=True):
        first, offset = b.size(start), b.mul(i, abs(step))
        places.append(b.sub(first, offset) if step < 0 else b.add(offset, first))
    return tuple(places)


def numpy_slice(start: int, step: int, length: int) -> slice:
    """Python's slice with these numbers."""
    if length == 0:
        return slice(0, 0)
    stop = start + step * length
    return slice(start, None if stop < 0 else stop, step)


def _slice_grad(g: Variable, y: Variable, x: Variable, **attrs: Any) -> list[Variable]:
    zeros = find_op("broadcast_to")(np.zeros((), x.dtype), x.shape)
    return [
        make("update_slice", [zeros, g], how="set", starts=attrs["starts"], steps=attrs["steps"])
    ]


SLICE = indexed(
    "slice",
    """Elements start, start + step, ... along each axis, as many as ``lengths`` says.""",
    infer=_slice_infer,
    front=lambda x, starts, steps, lengths: make(
        "slice", [asarray(x)], starts=tuple(starts), steps=tuple(steps), lengths=tuple(lengths)
    ),
    reference=lambda x, starts, steps, lengths: x[
        tuple(map(numpy_slice, starts, steps, lengths))
    ].copy(),
    element=_slice_element,
    grad=_slice_grad,
)

# --- gather


def gathered_shape(types: list[TensorType], attrs: Attrs, context: ShapeContext) -> list[DimLike]:
    """The shape of what index arrays select from the first type."""
    x, *indices = types
    block = context.broadcast_shapes(*[i.shape for i in indices])
    rest = [d for axis, d in enumerate(x.shape) if axis not in attrs["axes"]]
    return [*rest[: attrs["position"]], *block, *rest[attrs["position"] :]]


def _gather_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    found = tensor_types(types)
    return TensorType(found[0].dtype, tuple(gathered_shape(found, attrs, context)))


def _gather_element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    x, *indices = inputs
    rank, position, axes = max(len(i.shape) for i in indices), attrs["position"], attrs["axes"]
    block = index[position : position + rank]
    rest = iter(index[:position] + index[position + rank :])
    places = []
    for axis, dim in enumerate(x.shape):
        if axis not in axes:
            places.append(next(rest))
            continue
        source = indices[axes.index(axis)]
        own = block[rank - len(source.shape) :]
        inside = tuple(b.const(0) if d == 1 else i for d, i in zip(source.shape, own, strict=True))
        place = b.cast(source(inside), INT64)
        if not attrs["checked"] and source.dtype.kind == "i":
            place = b.select(b.lt(place, 0), b.add(place, b.size(dim)), place)
        places.append(place)
    return x(tuple(places))


def _gather_reference(
    x: Any, *indices: Any, axes: tuple[int, ...], position: int, checked: bool
) -> Any:
    key: list[Any] = [slice(None)] * x.ndim
    for axis, array in zip(axes, np.broadcast_arrays(*indices), strict=True):
        key[axis] = array
    rank = max(np.ndim(i) for i in indices)
    order = [*axes, *[a for a in range(x.ndim) if a not in axes]]
    moved = np.transpose(x, order)[tuple(key[a] for a in axes)]
    source = list(range(rank))
    return np.moveaxis(moved, source, [position + k for k in source]).copy()


def _gather_grad(g: Variable, y: Variable, x: Variable, *indices: Variable, **attrs: Any) -> Any:
    zeros = find_op("broadcast_to")(np.zeros((), x.dtype), x.shape)
    unique = never_twice(indices, attrs["checked"])
    found = make("scatter", [zeros, g, *indices], how="add", unique=unique, **attrs)
    return [found, *[None] * len(indices)]


def never_twice(arrays: Sequence[Variable], checked: bool) -> bool:
    """Are index arrays known to name no place twice? (``checked``: none is negative.)"""
    if all(a.size == 1 for a in arrays):
        return True
    if all(a.node.op.name == "constant" for a in arrays):
        values = np.broadcast_arrays(*[a.node.attrs["value"] for a in arrays])
        places = np.stack([v.ravel() for v in values])
        return not (places < 0).any() and np.unique(places, axis=1).shape == places.shape
    rank = max(a.ndim for a in arrays)
    needed, covered = set(), set()
    for array in arrays:
        long = {axis + rank - array.ndim for axis, d in enumerate(array.shape) if d != 1}
        needed |= long
        covered |= long if _is_run(array.node) else set()
    return checked and needed <= covered


def _is_run(node: Node) -> bool:
    """Is it start + step * iota with a step other than 0, maybe with axes of length 1?"""
    while node.op.name != "iota":
        scalars = [i for i in node.inputs if i.tensor.shape == ()]
        others = [i for i in node.inputs if i.tensor.shape != ()]
        is_shift = node.op.name in ("add", "subtract", "expand_dims", "negative")
        is_scaled = node.op.name == "multiply" and any(
            i.op.name == "constant" and bool(i.attrs["value"]) for i in scalars
        )
        if len(others) != 1 or not (is_shift or is_scaled):
            return False
        (node,) = others
    return True


def _gather_front(
    x: Any, *indices: Any, axes: Sequence[int], position: int = 0, checked: bool = False
) -> Variable:
    x = asarray(x)
    arrays = [asarray(i) for i in indices]
    for array in arrays:
        require(is_integer(array.dtype), "gather", array.dtype, "integers as indices")
    if not checked:
        arrays = [_checked_constant(x, a, axis) for a, axis in zip(arrays, axes, strict=True)]
        checked = all(_is_known(x, a, axis) for a, axis in zip(arrays, axes, strict=True))
    return make("gather", [x, *arrays], axes=tuple(axes), position=position, checked=checked)


def _is_known(x: Variable, array: Variable, axis: int) -> bool:
    return array.node.op.name == "constant" and isinstance(x.shape[axis], int)


def _checked_constant(x: Variable, array: Variable, axis: int) -> Variable:
    """A constant index array with negative numbers counted from the start; BoundsError outside."""
    dim = x.shape[axis]
    if array.node.op.name != "constant" or not isinstance(dim, int):
        return array
    value = array.node.attrs["value"]
    bad = value[(value < -dim) | (value >= dim)]
    if bad.size:
        raise BoundsError(outside(x, int(bad.flat[0]), axis))
    return asarray(np.where(value < 0, value + dim, value).astype(np.int64))


GATHER = indexed(
    "gather",
    """Elements of x at integer arrays, one per axis of ``axes``, which broadcast together.

    Shapes: the arrays' common axes at ``position`` among the axes of x that are not indexed.
    Negative indices count from the end.    Raises: BoundsError outside, at the latest at the call.
    Gradient: added up where an element is taken more than once.
    """,
    infer=_gather_infer,
    front=_gather_front,
    reference=_gather_reference,
    element=_gather_element,
    grad=_gather_grad,
    kind="gather",
)

# --- x[key]


def getitem(x: Variable, key: Any) -> Variable:
    """x[key] for integers, slices, newaxis, Ellipsis, integer arrays, constant masks.

    Bounds of slices and integers may be dims or integer scalars. Raises: BoundsError, AxisError,
    UnsupportedError for masks that only the call tells.
    """
    parts = parse(x, key)
    found = take_slices(x, parts)
    kept = [p for p in parts if p.kind not in ("new", "int")]
    arrays = [(place, p.value) for place, p in enumerate(kept) if p.kind == "array"]
    rank = 0
    if arrays:
        axes, values = zip(*arrays, strict=True)
        position, rank = placement(parts), max(v.ndim for v in values)
        found = GATHER(found, *values, axes=axes, position=position)
    new = new_axes(parts, rank)
    return expand_dims(found, new) if new else found


def take_slices(x: Variable, parts: Sequence[Part]) -> Variable:
    """The slices, spans and integers of a key; axes of integers are dropped."""
    consuming = [p for p in parts if p.kind != "new"]
    bounds = [p.bounds(d) for p, d in zip(consuming, x.shape, strict=True)]
    if not all(is_full(bound, d) for bound, d in zip(bounds, x.shape, strict=True)):
        starts, steps, lengths = zip(*bounds, strict=True)
        x = SLICE(x, starts, steps, lengths)
    for axis, part in enumerate(consuming):
        if part.kind == "span":
            x = GATHER(x, part.value, axes=(axis,), position=axis, checked=True)
    dropped = tuple(axis for axis, p in enumerate(consuming) if p.kind == "int")
    return squeeze(x, dropped) if dropped else x


def _is_adjacent(parts: Sequence[Part]) -> bool:
    """Do arrays (and integers, which count as arrays beside them) stand in one run?"""
    places = [k for k, p in enumerate(parts) if p.kind in ("array", "int")]
    return not places or places[-1] - places[0] + 1 == len(places)


def placement(parts: Sequence[Part]) -> int:
    """The number of sliced axes in front of the arrays' axes: NumPy's rule."""
    if not _is_adjacent(parts):
        return 0
    first = next(k for k, p in enumerate(parts) if p.kind in ("array", "int"))
    return sum(p.kind in ("slice", "span") for p in parts[:first])


def new_axes(parts: Sequence[Part], rank: int) -> tuple[int, ...]:
    """Where newaxis comes in the result, given the rank of the arrays' block (0: none)."""
    places: list[int] = []
    block_first = rank > 0 and not _is_adjacent(parts)
    count = rank if block_first else 0
    block_pending = rank > 0 and not block_first
    for part in parts:
        if part.kind in ("array", "int"):
            count += rank if block_pending else 0
            block_pending = False
        else:
            if part.kind == "new":
                places.append(count)
            count += 1
    return tuple(places)


def take(x: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Variable:
    """x at integer indices along one axis; of the flattened array where no axis is given.

    ``mode``: "raise", or what becomes of indices outside: "wrap", "clip" (negative ones too).
    """
    x = asarray(x)
    x = ravel(x) if axis is None else x
    axis = normal_axis(axis or 0, x.ndim)
    chosen = asarray(indices)
    if mode == "wrap":
        chosen = find_op("remainder")(chosen, asarray(x.shape[axis]))
    elif mode == "clip":
        chosen = find_op("maximum")(find_op("minimum")(chosen, asarray(x.shape[axis] - 1)), 0)
    elif mode != "raise":
        raise ShapeError(describe(x, f"take has no mode {mode!r}", "use 'raise', 'wrap' or 'clip'"))
    found: Variable = GATHER(x, chosen, axes=(axis,), position=axis, checked=mode != "raise")
    return found


def along_axis(x: Variable, indices: Variable, axis: int) -> list[Variable]:
    """Index arrays for all axes: ``indices`` on one, the place itself on the others."""
    found = []
    for a in range(x.ndim):
        other = tuple(k for k in range(x.ndim) if k != a)
        found.append(indices if a == axis else expand_dims(iota(x.shape[a]), other))
    return found


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Variable:
    """x[..., indices[..., i, ...], ...]: along one axis, at the same place on the others.

    Shapes: indices has the rank of x and broadcasts against it on the other axes.
    """
    x, indices = asarray(x), asarray(indices)
    if indices.ndim != x.ndim:
        raise ShapeError(
            describe(x, f"take_along_axis needs indices with {x.ndim} axes, got {indices.ndim}")
        )
    arrays = along_axis(x, indices, normal_axis(axis, x.ndim))
    return GATHER(x, *arrays, axes=tuple(range(x.ndim)), position=0)  # type: ignore[no-any-return]


def flip(x: Any, axis: Axis = None) -> Variable:
    """Elements in reverse order along axes; along all where none is given."""
    x = asarray(x)
    axes = normal_axes(axis, x.ndim)
    backwards = slice(None, None, -1)
    return getitem(x, tuple(backwards if a in axes else slice(None) for a in range(x.ndim)))


def _compress_method(x: Variable, condition: Any, axis: int | None = None) -> Variable:
    return compress(condition, x, axis)


def compress(condition: Any, x: Any, axis: int | None = None) -> Variable:
    """The elements along an axis where a condition that is known holds."""
    x = asarray(x)
    x = ravel(x) if axis is None else x
    axis = normal_axis(axis or 0, x.ndim)
    if not isinstance(condition, Variable):
        condition = np.nonzero(np.asarray(condition))[0]
    return getitem(x, (*[slice(None)] * axis, condition))


def dynamic_slice(x: Any, starts: Sequence[Any], lengths: Sequence[int | Dim]) -> Variable:
    """A block of fixed lengths from computed starts, one per axis.

    Starts are moved so that the block lies inside x, as ``jax.lax.dynamic_slice`` does.
    """
    x = asarray(x)
    if len(starts) != x.ndim or len(lengths) != x.ndim:
        raise ShapeError(describe(x, "dynamic_slice needs a start and a length for every axis"))
    for axis, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        if length == x.shape[axis]:
            continue
        last = asarray(sub(x.shape[axis], length))
        start = find_op("maximum")(find_op("minimum")(cast(asarray(start), INT64), last), 0)
        x = GATHER(x, start + iota(length), axes=(axis,), position=axis, checked=True)
    return x  # type: ignore[no-any-return]


METHODS.update({"__getitem__": getitem, "take": take, "compress": _compress_method})
NUMPY_FUNCTIONS.update(
    {
        "take": take,
        "take_along_axis": take_along_axis,
        "flip": flip,
        "compress": compress,
    }
)
