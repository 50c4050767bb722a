"""Running folds along one axis: cumulative sums and products; and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, AxisError
from symgraph.ir.dtype import BOOL, INT64, as_dtype
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, make
from symgraph.ops.index import flip
from symgraph.ops.kinds import Fold, monoid, normal_axis
from symgraph.ops.reduce import WIDER, sum_dtype
from symgraph.ops.shape import ravel, tensor_types


def _prefix_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    return x


def _prefix_front(name: str) -> Callable[..., Variable]:
    def front(
        x: Any, axis: int | None = None, dtype: Any = None, *, include_initial: bool = False
    ) -> Variable:
        x = asarray(x)
        if axis is None and x.ndim != 1:
            raise AxisError(
                describe(
                    x, f"{name} needs an axis for {x.ndim} axes", f"ravel it, or {name}(x, axis=0)"
                )
            )
        axis = normal_axis(0 if axis is None else axis, x.ndim)
        x = cast(x, sum_dtype(x.dtype) if dtype is None else as_dtype(dtype))
        found = make(name, [x], axis=axis)
        if not include_initial:
            return found
        start = asarray(np.asarray(1 if name == "cumulative_prod" else 0, x.dtype))
        shape = tuple(1 if a == axis else d for a, d in enumerate(x.shape))
        joined: Variable = find_op("concat")([broadcast_to(start, shape), found], axis=axis)
        return joined

    return front


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    def reference(x: Any, axis: int) -> Any:
        with np.errstate(all="ignore"):
            wide = np.dtype(WIDER.get(x.dtype.name, x.dtype))
            return function(x, axis=axis, dtype=wide).astype(x.dtype)

    return reference


def _backwards_sum(g: Variable, axis: int) -> Variable:
    """Sums of what comes at and after each element."""
    return flip(make("cumulative_sum", [flip(g, axis)], axis=axis), axis)


def _cumulative_prod_grad(g: Variable, y: Variable, x: Variable, axis: int) -> list[Variable]:
    """Right with zeros: y / x up to the first, the products without it there, 0 behind it."""
    is_zero = find_op("equal")(x, 0)
    seen = make("cumulative_sum", [cast(is_zero, INT64)], axis=axis)
    first = find_op("logical_and")(is_zero, find_op("equal")(seen, 1))
    where = find_op("where")
    one, zero = (asarray(np.asarray(v, x.dtype)) for v in (1, 0))
    without = make("cumulative_prod", [where(first, one, x)], axis=axis)
    at_first = _backwards_sum(g * without, axis)
    elsewhere = _backwards_sum(g * y, axis) / where(is_zero, one, x)
    return [where(first, at_first, where(is_zero, zero, elsewhere))]


def _prefix(name: str, doc: str, fold: Fold, grad: Callable[..., Any], numpy: Any) -> Op:
    return register(
        Op(
            name,
            "prefix",
            doc,
            infer=_prefix_infer,
            front=_prefix_front(name),
            reference=_running(numpy),
            vjp=grad,
            fold=fold,
            names={"numpy": name},
        )
    )


CUMULATIVE_SUM = _prefix(
    "cumulative_sum",
    "Sums of the elements up to each one along an axis; ``include_initial`` puts a 0 in front.",
    monoid("add", lambda dtype: 0),
    lambda g, y, x, axis: [_backwards_sum(g, axis)],
    np.cumsum,
)
CUMULATIVE_PROD = _prefix(
    "cumulative_prod",
    "Products of the elements up to each one along an axis; ``include_initial`` puts a 1 in front.",
    monoid("mul", lambda dtype: 1),
    _cumulative_prod_grad,
    np.cumprod,
)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Variable:
    """``cumulative_sum``; of the flattened array where no axis is given."""
    x = asarray(x)
    return CUMULATIVE_SUM(ravel(x) if axis is None else x, axis or 0, dtype)  # type: ignore[no-any-return]


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Variable:
    """``cumulative_prod``; of the flattened array where no axis is given."""
    x = asarray(x)
    return CUMULATIVE_PROD(ravel(x) if axis is None else x, axis or 0, dtype)  # type: ignore[no-any-return]


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Variable:
    """x[1:] - x[:-1] along an axis, n times; of bool, whether neighbours differ.

    ``prepend``, ``append``: what comes before and after x first.
    Raises: ArgumentError for a negative n; AxisError for a scalar.
    """
    x = asarray(x)
    axis = normal_axis(axis, x.ndim)
    if n < 0:
        raise ArgumentError(describe(x, f"diff takes n >= 0, got {n}"))
    ends = [_as_end(v, x, axis) for v in (prepend, append)]
    parts = [p for p in (ends[0], x, ends[1]) if p is not None]
    x = find_op("concat")(parts, axis) if len(parts) > 1 else x
    name = "not_equal" if x.dtype == BOOL else "subtract"
    before: tuple[Any, ...] = (slice(None),) * axis
    for _ in range(n):
        x = find_op(name)(x[(*before, slice(1, None))], x[(*before, slice(None, -1))])
    return x  # type: ignore[no-any-return]


def _as_end(value: Any, x: Variable, axis: int) -> Variable | None:
    if value is None:
        return None
    value = asarray(value)
    if value.ndim:
        return value  # type: ignore[no-any-return]
    shape = tuple(1 if a == axis else d for a, d in enumerate(x.shape))
    return broadcast_to(value, shape)  # type: ignore[no-any-return]


METHODS.update({"cumsum": cumsum, "cumprod": cumprod})
NUMPY_FUNCTIONS.update({"cumsum": cumsum, "cumprod": cumprod, "diff": diff})
