"""The nodes of changed copies: ``update_slice`` and ``scatter``. What users call is in ``at.py``.

Both take x first and the new values second, and write or combine (``how``: set, add, multiply, min,
max) into a copy. ``update_slice`` writes where ``slice`` with the same ``starts`` and ``steps``
reads; its row's ``element`` gives the place of a value's index. ``scatter`` writes where ``gather``
with the same ``axes``, ``position`` and ``checked`` reads; ``unique`` says that no place is written
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import DTypeError, ShapeError
from symgraph.ir.dim import product
from symgraph.ir.dtype import INT64
from symgraph.ir.op import Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, make
from symgraph.ops.create import iota
from symgraph.ops.index import (
    GATHER,
    SLICE,
    gathered_shape,
    never_twice,
    numpy_slice,
    slice_places,
)
from symgraph.ops.shape import expand_dims, reshape, tensor_types

HOW: dict[str, Any] = {
    "set": None,
    "add": np.add,
    "multiply": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}


def _zeros_like(x: Variable) -> Variable:
    return broadcast_to(np.zeros((), x.dtype), x.shape)  # type: ignore[no-any-return]


# --- update_slice


def _update_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    x, values = tensor_types(types)
    if x.dtype != values.dtype or len(x.shape) != len(values.shape):
        raise ShapeError(f"values {values} do not go into {x}")
    return x


def _update_reference(x: Any, values: Any, starts: Any, steps: Any, how: str) -> Any:
    found = x.copy()
    key = tuple(map(numpy_slice, starts, steps, values.shape))
    with np.errstate(all="ignore"):
        found[key] = values if how == "set" else HOW[how](found[key], values)
    return found


def _update_grad(g: Variable, y: Variable, x: Variable, values: Variable, **attrs: Any) -> Any:
    how, place = attrs["how"], {"starts": attrs["starts"], "steps": attrs["steps"]}

    def read(array: Variable) -> Variable:
        return SLICE(array, lengths=values.shape, **place)  # type: ignore[no-any-return]

    if how == "set":
        return [make("update_slice", [g, _zeros_like(values)], how="set", **place), read(g)]
    if how == "add":
        return [g, read(g)]
    if how == "multiply":
        return [make("update_slice", [g, values], how="multiply", **place), read(g) * read(x)]
    won = cast(find_op("equal")(values, read(y)), g.dtype)
    kept = cast(find_op("equal")(x, y), g.dtype)
    share = g / make("update_slice", [kept, won], how="add", **place)
    return [share * kept, read(share) * won]


UPDATE_SLICE = register(
    Op(
        "update_slice",
        "scatter",
        """A copy of x with the values written or combined at start + step * i on each axis.

        Values have the shape of that part.    ``how``: set, add, multiply, min, max.
        Gradient of min and max: shared evenly between equals.
        """,
        infer=_update_infer,
        front=lambda x, values, starts, steps, how="set": make(
            "update_slice", [asarray(x), asarray(values)], starts=starts, steps=steps, how=how
        ),
        reference=_update_reference,
        vjp=_update_grad,
        element=lambda b, index, inputs, out, attrs: slice_places(b, index, attrs),
    )
)

# --- scatter


def _scatter_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    x, values, *indices = tensor_types(types)
    expected = gathered_shape([x, *indices], attrs, context)
    if x.dtype != values.dtype or len(values.shape) != len(expected):
        raise ShapeError(f"values {values} do not go into {x}")
    for mine, theirs in zip(values.shape, expected, strict=True):
        context.equal(mine, theirs, "axes of the values to scatter")
    return x


def _scatter_reference(x: Any, values: Any, *indices: Any, **attrs: Any) -> Any:
    axes, position = attrs["axes"], attrs["position"]
    arrays = np.broadcast_arrays(*indices)
    rank = arrays[0].ndim
    order = [*axes, *[a for a in range(x.ndim) if a not in axes]]
    moved = np.transpose(x, order).copy()
    blocks = np.moveaxis(values, [position + k for k in range(rank)], list(range(rank)))
    with np.errstate(all="ignore"):
        for place in np.ndindex(arrays[0].shape):
            key = tuple(int(a[place]) for a in arrays)
            how = HOW[attrs["how"]]
            moved[key] = blocks[place] if how is None else how(moved[key], blocks[place])
    return np.transpose(moved, np.argsort(order)).copy()


def _scatter_grad(
    g: Variable, y: Variable, x: Variable, values: Variable, *indices: Variable, **attrs: Any
) -> Any:
    how, unique = attrs["how"], attrs["unique"]
    place = {k: attrs[k] for k in ("axes", "position", "checked")}

    def read(array: Variable) -> Variable:
        return GATHER(array, *indices, **place)  # type: ignore[no-any-return]

    def write(into: Variable, what: Variable, how: str) -> Variable:
        return make("scatter", [into, what, *indices], how=how, unique=unique, **place)

    none = [None] * len(indices)
    if how == "set":
        mine = read(g) if unique else _where_last(read(g), x, indices, place)
        return [write(g, _zeros_like(values), "set"), mine, *none]
    if how == "add":
        return [g, read(g), *none]
    if how == "multiply":
        mine = read(g * x) if unique else read(g * y) / values
        return [write(g, values, "multiply"), mine, *none]
    won = cast(find_op("equal")(values, read(y)), g.dtype)
    kept = cast(find_op("equal")(x, y), g.dtype)
    share = g / write(kept, won, "add")
    return [share * kept, read(share) * won, *none]


def _where_last(
    g: Variable, x: Variable, indices: Sequence[Variable], place: dict[str, Any]
) -> Variable:
    """g where a value was the last one written to its place, 0 where a later one replaced it."""
    axes, position = place["axes"], place["position"]
    rank = max(i.ndim for i in indices)
    block = g.shape[position : position + rank]
    number = reshape(iota(product(block)), block)
    shape = tuple(x.shape[a] for a in axes)
    at = {"axes": tuple(range(len(axes))), "position": 0, "checked": place["checked"]}
    zeros = broadcast_to(np.zeros((), INT64), shape)
    last = make("scatter", [zeros, number, *indices], how="set", unique=False, **at)
    is_last = find_op("equal")(GATHER(last, *indices, **at), number)
    behind = g.ndim - position - rank
    is_last = expand_dims(is_last, tuple(range(rank, rank + behind))) if behind else is_last
    return find_op("where")(is_last, g, asarray(np.zeros((), g.dtype)))  # type: ignore[no-any-return]


def fitting(x: Variable, values: Any) -> Variable:
    """Values in the dtype of x; DTypeError where that would lose more than precision."""
    values = asarray(values)
    order = "biufc"
    if values.weak:
        fits = order.index(values.dtype.kind) <= order.index(x.dtype.kind)
    else:
        fits = np.can_cast(values.dtype, x.dtype, "same_kind")
    if not fits:
        raise DTypeError(
            describe(
                x, f"values of dtype {values.dtype} do not go into {x.dtype}", "cast with sg.astype"
            )
        )
    return cast(values, x.dtype)


def _scatter_front(
    x: Any,
    values: Any,
    *indices: Any,
    axes: Sequence[int],
    position: int = 0,
    how: str = "set",
    checked: bool = False,
    unique: bool = False,
) -> Variable:
    """Shapes are those of ``gather`` with the same indices; values are broadcast to them."""
    x = asarray(x)
    read = GATHER(x, *indices, axes=axes, position=position, checked=checked)
    arrays = [Variable(i) for i in read.node.inputs[1:]]
    values = broadcast_to(fitting(x, values), read.shape)
    attrs = {**read.node.attrs, "how": how, "unique": unique or never_twice(arrays, checked)}
    return make("scatter", [x, values, *arrays], **attrs)


SCATTER = register(
    Op(
        "scatter",
        "scatter",
        """A copy of x with values written or combined at integer arrays, in row-major order.

        Indices as in ``gather``.    ``how``: set (the last one stays), add, multiply, min, max.
        Raises: BoundsError outside.    Gradient of set: to the last value written to a place.
        """,
        infer=_scatter_infer,
        front=_scatter_front,
        reference=_scatter_reference,
        vjp=_scatter_grad,
    )
)
