"""``sort`` and ``argsort`` along an axis: NaN last, equal elements in order where that shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.errors import AxisError
from symgraph.ir.dtype import INT64
from symgraph.ir.op import METHODS, Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.convert import asarray, make, require
from symgraph.ops.index import flip, take_along_axis
from symgraph.ops.kinds import normal_axis
from symgraph.ops.shape import moveaxis


def _infer_sort(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    return types[0]


def _infer_argsort(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = types
    assert isinstance(x, TensorType)
    return TensorType(INT64, x.shape)


def _operand(name: str, x: Any, axis: int | None) -> tuple[Variable, int]:
    x = asarray(x)
    require(
        x.dtype.kind != "c",
        name,
        x.dtype,
        "real numbers and bool",
        "sort by sg.abs(x) or sg.real(x)",
    )
    if axis is None:
        return find_op("reshape")(x, (-1,)), 0
    if x.ndim == 0:
        raise AxisError(describe(x, f"{name} needs at least 1 axis", "a scalar has no order"))
    return x, normal_axis(axis, x.ndim)


def _sort_front(
    x: Any, axis: int | None = -1, *, descending: bool = False, stable: bool = True
) -> Variable:
    x, axis = _operand("sort", x, axis)
    found = make("sort", [x], axis=axis)
    return flip(found, axis) if descending else found


def _argsort_front(
    x: Any, axis: int | None = -1, *, descending: bool = False, stable: bool = True
) -> Variable:
    x, axis = _operand("argsort", x, axis)
    if not descending:
        return make("argsort", [x], axis=axis)
    # Of equal elements the first stays first: sort from the end, and count from the end.
    found = flip(make("argsort", [flip(x, axis)], axis=axis), axis)
    return asarray(x.shape[axis]) - 1 - found  # type: ignore[no-any-return]


def _sort_grad(g: Variable, y: Variable, x: Variable, axis: int) -> list[Variable | None]:
    places = make("argsort", [make("argsort", [x], axis=axis)], axis=axis)
    return [take_along_axis(g, places, axis=axis)]


def _sort_expand(x: Variable, axis: int) -> Variable:
    """Routines sort the last axis."""
    last = moveaxis(x, axis, -1)
    return moveaxis(make("sort", [last], axis=x.ndim - 1), -1, axis)


def _argsort_expand(x: Variable, axis: int) -> Variable:
    """Routines sort the last axis."""
    last = moveaxis(x, axis, -1)
    return moveaxis(make("argsort", [last], axis=x.ndim - 1), -1, axis)


sort = register(
    Op(
        "sort",
        "library",
        """The elements along an axis in ascending order; NaN last.

        ``axis=None``: of all elements, flattened.    ``descending``: the other way.
        Dtypes: real numbers and bool; complex raises DTypeError.
        Zeros of either sign are equal, and stand in any order.
        """,
        infer=_infer_sort,
        front=_sort_front,
        reference=lambda x, axis: np.sort(x, axis=axis, kind="stable"),
        vjp=_sort_grad,
        expand=_sort_expand,
        names={"numpy": "sort"},
    )
)

argsort = register(
    Op(
        "argsort",
        "library",
        """The indices (int64) that sort along an axis; equal elements keep their order; NaN last.

        ``axis=None``: of all elements, flattened.    ``descending``: the other way, stable too.
        Dtypes: real numbers and bool; complex raises DTypeError.
        """,
        infer=_infer_argsort,
        front=_argsort_front,
        reference=lambda x, axis: np.argsort(x, axis=axis, kind="stable").astype("int64"),
        expand=_argsort_expand,
        names={"numpy": "argsort"},
    )
)
METHODS.update({"sort": sort, "argsort": argsort})
