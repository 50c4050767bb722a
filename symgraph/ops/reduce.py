"""Reductions by a fold: sum, prod, max, min, any, all, argmax, argmin.

Nodes hold ``axes`` (sorted tuple) and drop them; ``keepdims`` is an ``expand_dims`` after. Dtypes
as in NumPy 2: sums of small integers and bool are int64 (unsigned: uint64). Means, variances and
norms are in ``statistics.py``, running sums in ``running.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ShapeError
from symgraph.ir.dim import Dim, DimLike, is_nonnegative, product, sub
from symgraph.ir.dtype import BOOL, INT64, DType, as_dtype
from symgraph.ir.op import METHODS, Attrs, Infer, find_op
from symgraph.ir.type import Check, ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, make, require
from symgraph.ops.index import flip
from symgraph.ops.kinds import Fold, monoid, normal_axes, normal_axis, reduction
from symgraph.ops.shape import (
    Axis,
    expand_dims,
    inverse,
    permute_dims,
    ravel,
    reshape,
    tensor_types,
)

WIDER = {"float32": "float64", "float64": "longdouble", "complex64": "complex128"}


def unreduced(g: Variable, axes: Sequence[int]) -> Variable:
    """g with the reduced axes back, of length 1: it broadcasts against what was reduced."""
    return expand_dims(g, tuple(axes)) if axes else g


def sum_dtype(x: DType) -> DType:
    """The dtype of a sum: integers are widened to 64 bits."""
    if x.kind == "b" or (x.kind == "i" and x.itemsize < 8):
        return INT64
    return as_dtype("uint64") if x.kind == "u" else x


OF_ONE_IS_ITSELF = frozenset(["sum", "prod", "max", "min", "any", "all", "mean", "logsumexp"])


def reducing(
    name: str, dtype_of: Callable[[DType], DType], takes: Callable[[DType], bool], says: str
) -> Callable[..., Variable]:
    """A front that converts to the dtype of the result first, then reduces."""

    def front(
        x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, **attrs: Any
    ) -> Variable:
        x = asarray(x)
        require(takes(x.dtype), name, x.dtype, says)
        x = cast(x, dtype_of(x.dtype) if dtype is None else as_dtype(dtype))
        axes = normal_axes(axis, x.ndim)
        if not axes and name in OF_ONE_IS_ITSELF:
            return x  # type: ignore[no-any-return]
        found = make(name, [x], axes=axes, **attrs)
        return unreduced(found, axes) if keepdims else found

    return front


def _same(dtype: DType) -> DType:
    return dtype


def any_dtype(dtype: DType) -> bool:
    """All dtypes."""
    return True


def is_ordered(dtype: DType) -> bool:
    """All dtypes that compare by size: not complex."""
    return dtype.kind in "biuf"


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy sum or product that accumulates in a wider format where there is one."""

    def reference(x: Any, axes: tuple[int, ...]) -> Any:
        with np.errstate(all="ignore"):
            wide = np.dtype(WIDER.get(x.dtype.name, x.dtype))
            return np.asarray(function(x, axis=axes, dtype=wide)).astype(x.dtype)

    return reference


def nonempty(result: str) -> Infer:
    """The type of a reduction without identity: its axes must not be empty."""

    def infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
        (x,) = tensor_types(types)
        for axis in attrs["axes"]:
            _require_some(context, x.shape[axis], axis)
        shape = tuple(d for axis, d in enumerate(x.shape) if axis not in attrs["axes"])
        return TensorType(INT64 if result == "int64" else x.dtype, shape)

    return infer


def _require_some(context: ShapeContext, dim: DimLike, axis: int) -> None:
    if isinstance(dim, Dim):
        if not is_nonnegative(sub(dim, 1)):
            context.checks.append(Check("at_least", dim, 1, f"reduction over axis {axis}"))
    elif dim == 0:
        raise ShapeError(f"axis {axis} is empty, and there is no identity to start from")


# --- sum and prod

SUM = reduction(
    "sum",
    """Sum over axes; over all where none is given, over nothing for an empty tuple.

    Dtypes: small integers and bool give int64, unsigned uint64, others their own.
    Accuracy: float32 accumulates wider.    Empty axis: 0.
    """,
    front=reducing("sum", sum_dtype, any_dtype, "any dtype"),
    reference=_wide(np.sum),
    fold=monoid("add", lambda dtype: 0),
    grad=lambda g, y, x, axes: [broadcast_to(unreduced(g, axes), x.shape)],
    names={"numpy": "sum"},
)


def _prod_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    """g times the product of all other elements, exact where some are 0."""
    if not axes:
        return [g]
    kept = [a for a in range(x.ndim) if a not in axes]
    order = [*kept, *axes]
    moved = permute_dims(x, order)
    flat = reshape(moved, (*[x.shape[a] for a in kept], product(tuple(x.shape[a] for a in axes))))
    before = _exclusive_product(flat)
    after = flip(_exclusive_product(flip(flat, -1)), -1)
    others = permute_dims(reshape(before * after, moved.shape), inverse(order))
    return [unreduced(g, axes) * others]


def _exclusive_product(x: Variable) -> Variable:
    """Products along the last axis of the elements before each one."""
    return find_op("cumulative_prod")(x, axis=-1, include_initial=True)[..., :-1]  # type: ignore[no-any-return]


PROD = reduction(
    "prod",
    """Product over axes.

    Dtypes: as sum.    Empty axis: 1.    Gradient: right where elements are 0.
    """,
    front=reducing("prod", sum_dtype, any_dtype, "any dtype"),
    reference=_wide(np.prod),
    fold=monoid("mul", lambda dtype: 1),
    grad=_prod_grad,
    names={"numpy": "prod"},
)

# --- max, min, any, all


def _lowest(dtype: DType) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(str(dtype)).min


def _highest(dtype: DType) -> Any:
    return np.inf if dtype.kind == "f" else np.iinfo(str(dtype)).max


def _extremereducing(name: str, of_bool: str) -> Callable[..., Variable]:
    numbers = reducing(name, _same, is_ordered, "real numbers and bool")

    def front(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Variable:
        x = asarray(x)
        if x.dtype == BOOL:
            found: Variable = find_op(of_bool)(x, axis, keepdims=keepdims)
            return found
        return numbers(x, axis, keepdims=keepdims)

    return front


def _extreme_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    """Shared evenly among equal extremes."""
    winners = cast(find_op("equal")(x, unreduced(y, axes)), x.dtype)
    return [winners * unreduced(g / make("sum", [winners], axes=axes), axes)]


def _numpy_extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def reference(x: Any, axes: tuple[int, ...]) -> Any:
        with np.errstate(invalid="ignore"):
            return function(x, axis=axes)

    return reference


MAX = reduction(
    "max",
    """Largest element over axes; NaN if there is one.

    Dtypes: real and bool.    Raises: ShapeError for an empty axis, at the latest at the call.
    Gradient: shared evenly among equal elements.
    """,
    front=_extremereducing("max", "any"),
    reference=_numpy_extreme(np.max),
    fold=monoid("maximum", _lowest),
    grad=_extreme_grad,
    infer=nonempty("same"),
    names={"numpy": ("max", "amax")},
)

MIN = reduction(
    "min",
    """Smallest element over axes; NaN if there is one.

    Dtypes: real and bool.    Raises: ShapeError for an empty axis, at the latest at the call.
    Gradient: shared evenly among equal elements.
    """,
    front=_extremereducing("min", "all"),
    reference=_numpy_extreme(np.min),
    fold=monoid("minimum", _highest),
    grad=_extreme_grad,
    infer=nonempty("same"),
    names={"numpy": ("min", "amin")},
)


def _to_bool(dtype: DType) -> DType:
    return BOOL


ANY = reduction(
    "any",
    "Whether some element is not zero.    Empty axis: False.",
    front=reducing("any", _to_bool, any_dtype, "any dtype"),
    reference=lambda x, axes: np.any(x, axis=axes),
    fold=monoid("or_", lambda dtype: False),
    names={"numpy": "any"},
)

ALL = reduction(
    "all",
    "Whether no element is zero.    Empty axis: True.",
    front=reducing("all", _to_bool, any_dtype, "any dtype"),
    reference=lambda x, axes: np.all(x, axis=axes),
    fold=monoid("and_", lambda dtype: True),
    names={"numpy": "all"},
)

# --- argmax and argmin


def _arg_fold(better: str, start: Callable[[DType], Any]) -> Fold:
    """The fold that keeps the best value and its first place; the first NaN is best of all."""

    def wins(b: Any, new: Any, old: Any) -> Any:
        first = getattr(b, better)(new, old)
        if new.dtype.kind != "f":
            return first
        return b.or_(first, b.and_(b.isnan(new), b.not_(b.isnan(old))))

    def step(b: Any, state: tuple[Any, ...], value: Any, position: Any) -> tuple[Any, ...]:
        take = wins(b, value, state[0])
        return b.select(take, value, state[0]), b.select(take, position, state[1])

    def combine(b: Any, left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
        ties = b.not_(b.or_(wins(b, left[0], right[0]), wins(b, right[0], left[0])))
        earlier = b.and_(ties, b.lt(right[1], left[1]))
        take = b.or_(wins(b, right[0], left[0]), earlier)
        return b.select(take, right[0], left[0]), b.select(take, right[1], left[1])

    return Fold(
        start=lambda b, dtype: (b.const(start(dtype), dtype), b.const(0, INT64)),
        step=step,
        finish=lambda b, state: state[1],
        combine=combine,
    )


def _argreducing(name: str) -> Callable[..., Variable]:
    def front(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Variable:
        x = asarray(x)
        require(is_ordered(x.dtype), name, x.dtype, "real numbers and bool")
        x = cast(x, as_dtype("uint8")) if x.dtype == BOOL else x
        rank = x.ndim
        if axis is None:
            found = make(name, [ravel(x)], axes=(0,))
            return unreduced(found, range(rank)) if keepdims else found
        axes = (normal_axis(axis, rank),)
        found = make(name, [x], axes=axes)
        return unreduced(found, axes) if keepdims else found

    return front


ARGMAX = reduction(
    "argmax",
    """Index of the largest element, the first of equal ones; of the first NaN if there is one.

    axis None: index into the flattened array.    Raises: ShapeError for an empty axis.
    """,
    front=_argreducing("argmax"),
    reference=lambda x, axes: np.argmax(x, axis=axes[0]),
    fold=_arg_fold("gt", _lowest),
    result="int64",
    infer=nonempty("int64"),
    names={"numpy": "argmax"},
)

ARGMIN = reduction(
    "argmin",
    """Index of the smallest element, the first of equal ones; of the first NaN if there is one.

    axis None: index into the flattened array.    Raises: ShapeError for an empty axis.
    """,
    front=_argreducing("argmin"),
    reference=lambda x, axes: np.argmin(x, axis=axes[0]),
    fold=_arg_fold("lt", _highest),
    result="int64",
    infer=nonempty("int64"),
    names={"numpy": "argmin"},
)

METHODS.update(
    {
        "sum": SUM,
        "prod": PROD,
        "max": MAX,
        "min": MIN,
        "any": ANY,
        "all": ALL,
        "argmax": ARGMAX,
        "argmin": ARGMIN,
    }
)
