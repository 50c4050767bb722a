"""``pad``: elements before and after those of an array, in NumPy's modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ShapeError
from symgraph.ir.dim import DimLike, add, maximum, mul, sub
from symgraph.ir.op import NUMPY_FUNCTIONS, find_op
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, make
from symgraph.ops.create import full, iota
from symgraph.ops.index import GATHER
from symgraph.ops.join import concat
from symgraph.ops.shape import as_shape


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Variable:
    """x with elements before and after it along each axis.

    ``pad_width``: a number, (before, after), or such a pair for each axis; ints or dims.
    ``mode``: "constant", "edge", "reflect", "symmetric", "wrap", as in NumPy.
    Raises: ShapeError for other modes and for negative widths.
    """
    x = asarray(x)
    widths = _pairs(x, pad_width)
    if mode == "constant":
        return _pad_constant(x, widths, constant_values)
    if mode not in _PLACES:
        known = ", ".join(("constant", *_PLACES))
        raise ShapeError(describe(x, f"pad has no mode {mode!r}", f"modes: {known}"))
    for axis, (before, after) in enumerate(widths):
        if before == 0 and after == 0:
            continue
        size = x.shape[axis]
        place = iota(add(add(before, size), after)) - asarray(before)
        places = _PLACES[mode](place, size)
        x = GATHER(x, places, axes=(axis,), position=axis, checked=True)
    return x  # type: ignore[no-any-return]


def _pairs(x: Variable, widths: Any) -> list[tuple[Any, Any]]:
    """A pair for each axis from NumPy's short forms."""
    items = widths if isinstance(widths, tuple | list) else np.asarray(widths, object).tolist()
    if not isinstance(items, tuple | list):
        return [_pair(x, (items, items))] * x.ndim
    nested = [i if isinstance(i, tuple | list) else None for i in items]
    if all(n is None for n in nested):
        pair = tuple(items) * 2 if len(items) == 1 else tuple(items)
        return [_pair(x, pair)] * x.ndim
    pairs = [_pair(x, tuple(n or ())) for n in nested]
    pairs = pairs * x.ndim if len(pairs) == 1 else pairs
    if len(pairs) != x.ndim:
        raise ShapeError(describe(x, f"pad got {len(pairs)} widths for {x.ndim} axes"))
    return pairs


def _pair(x: Variable, pair: tuple[Any, ...]) -> tuple[DimLike, DimLike]:
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2:
        raise ShapeError(describe(x, f"pad needs pairs (before, after), got {pair}"))
    before, after = as_shape(pair)
    return before, after


def _pad_constant(x: Variable, widths: Sequence[tuple[Any, Any]], value: Any) -> Variable:
    shape = tuple(add(add(a, d), b) for (a, b), d in zip(widths, x.shape, strict=True))
    if shape == x.shape:
        return x
    if isinstance(value, tuple | list | np.ndarray) and np.ndim(value) > 0:
        values = np.broadcast_to(np.asarray(value), (x.ndim, 2)).tolist()
        return _pad_by_axis(x, widths, values)
    filled = broadcast_to(cast(asarray(value), x.dtype), shape)
    starts = tuple(before for before, _ in widths)
    return make("update_slice", [filled, x], starts=starts, steps=(1,) * x.ndim, how="set")


def _pad_by_axis(x: Variable, widths: Sequence[tuple[Any, Any]], values: Any) -> Variable:
    for axis, ((before, after), (low, high)) in enumerate(zip(widths, values, strict=True)):
        around = [
            full((*x.shape[:axis], width, *x.shape[axis + 1 :]), value, x.dtype)
            for width, value in ((before, low), (after, high))
        ]
        x = concat([around[0], x, around[1]], axis)
    return x


def _at_edge(place: Variable, size: DimLike) -> Variable:
    return find_op("maximum")(find_op("minimum")(place, asarray(sub(size, 1))), 0)  # type: ignore[no-any-return]


def _wrapped(place: Variable, size: DimLike) -> Variable:
    return find_op("remainder")(place, asarray(size))  # type: ignore[no-any-return]


def _mirrored(place: Variable, size: DimLike) -> Variable:
    """0 1 2 2 1 0 0 1 ...: the edge is repeated."""
    period = mul(2, size)
    place = find_op("remainder")(place, asarray(period))
    return find_op("minimum")(place, asarray(sub(period, 1)) - place)  # type: ignore[no-any-return]


def _reflected(place: Variable, size: DimLike) -> Variable:
    """0 1 2 1 0 1 ...: the edge is not repeated; a single element is."""
    period = maximum(mul(2, sub(size, 1)), 1)
    place = find_op("remainder")(place, asarray(period))
    return find_op("minimum")(place, asarray(period) - place)  # type: ignore[no-any-return]


_PLACES: dict[str, Callable[[Variable, DimLike], Variable]] = {
    "edge": _at_edge,
    "wrap": _wrapped,
    "reflect": _reflected,
    "symmetric": _mirrored,
}

NUMPY_FUNCTIONS["pad"] = pad
