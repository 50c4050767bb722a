"""Keys of ``x[key]`` as parts: what each piece selects, and the arithmetic of slices.

A part is "new" (newaxis), "slice" (start, stop, step with ints and dims), "int" (an int or dim),
"span" (a slice whose bounds only the call tells: the places it selects, over a length that data
tells), or "array" (a variable of integers, also a scalar). Constant masks become integer arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from symgraph.errors import AxisError, BoundsError, DTypeError, ShapeError
from symgraph.ir.dim import (
    Dim,
    DimLike,
    add,
    floordiv,
    is_nonnegative,
    maximum,
    minimum,
    mul,
    sub,
)
from symgraph.ir.dtype import INT64
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable, describe
from symgraph.ops.convert import asarray, cast, unsupported
from symgraph.ops.create import iota
from symgraph.records import dataclass

Bounds = tuple[DimLike, int, DimLike]  # start, step, length


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a key."""

    kind: str
    value: Any = None

    def bounds(self, dim: DimLike) -> Bounds:
        """Start, step and length on an axis; all of it for arrays."""
        if self.kind == "slice":
            return slice_axis(dim, self.value)
        if self.kind == "int":
            return self.value, 1, 1
        return 0, 1, dim


def is_full(bounds: Bounds, dim: DimLike) -> bool:
    """Does a slice take all of an axis in order?"""
    return bounds == (0, 1, dim)


def parse(x: Variable, key: Any) -> list[Part]:
    """The parts of a key, Ellipsis and missing axes filled in; one per axis of x, and new ones."""
    pieces = list(_pieces(x, key if isinstance(key, tuple) else (key,)))
    used = sum(p.kind not in ("new", "rest") for p in pieces)
    if used > x.ndim:
        raise AxisError(
            describe(x, f"too many indices: {used} for {x.ndim} axes", "x.shape has the dimensions")
        )
    ellipses = sum(p.kind == "rest" for p in pieces)
    if ellipses > 1:
        raise AxisError(describe(x, "an index can have only one Ellipsis ('...')"))
    pieces = pieces if ellipses else [*pieces, Part("rest")]
    filled: list[Part] = []
    for piece in pieces:
        rest = [Part("slice", slice(None))] * (x.ndim - used)
        filled.extend(rest if piece.kind == "rest" else [piece])
    return list(_on_axes(x, filled))


def _pieces(x: Variable, key: tuple[Any, ...]) -> Iterator[Part]:
    for piece in key:
        if piece is None:
            yield Part("new")
        elif piece is Ellipsis:
            yield Part("rest")
        elif isinstance(piece, slice):
            yield Part("slice", slice(*map(_bound, (piece.start, piece.stop, piece.step))))
        else:
            yield from _selector(x, piece)


def _bound(value: Any) -> Any:
    """A bound of a slice: None, int, Dim, or a scalar variable that only the call tells."""
    known = _known(value)
    if known is None or isinstance(known, int | Dim):
        return known
    if isinstance(known, Variable) and known.ndim == 0 and known.dtype.kind in "iu":
        return known
    raise DTypeError(f"a bound of a slice must be an integer, not {value!r}")


def _known(value: Any) -> Any:
    """int or Dim where a value is one in any disguise."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, Variable) and value.ndim == 0 and value.dtype.kind in "iu":
        if value.node.op.name == "constant":
            return int(value.node.attrs["value"])
        return value.node.attrs["dim"] if value.node.op.name == "dim" else value
    is_flag = isinstance(value, bool | np.bool_)
    if isinstance(value, int | np.integer) and not is_flag:
        return int(value)
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iu":
        return int(value)
    return value


def _selector(x: Variable, piece: Any) -> Iterator[Part]:
    known = _known(piece)
    if isinstance(known, int | Dim):
        yield Part("int", known)
        return
    if isinstance(piece, list | tuple) and not piece:
        piece = np.zeros(0, np.int64)
    if isinstance(piece, str):
        raise DTypeError(describe(x, f"an index cannot be a str: {piece!r}", "axes have no names"))
    array = asarray(piece)
    if array.dtype.kind == "b":
        yield from _mask(x, array)
    elif array.dtype.kind in "iu":
        yield Part("array", array)
    else:
        raise DTypeError(
            describe(
                x, f"an index cannot have dtype {array.dtype}", "indices are integers or masks"
            )
        )


def _mask(x: Variable, mask: Variable) -> Iterator[Part]:
    if mask.node.op.name != "constant" or mask.ndim == 0:
        raise unsupported(
            "index",
            "a mask whose count only the call tells",
            "sg.where(mask, x, other) keeps the shape; x.at[mask].set(value) writes; a NumPy mask "
            "or sg.compress(known_mask, x) selects",
        )
    for array in np.nonzero(mask.node.attrs["value"]):
        yield Part("array", asarray(array))


def _on_axes(x: Variable, parts: list[Part]) -> Iterator[Part]:
    """Parts with what depends on the axis that they meet: integers wrapped and checked."""
    axis = 0
    for part in parts:
        if part.kind == "new":
            yield part
            continue
        if part.kind == "int":
            yield Part("int", _integer(x, part.value, axis))
        elif part.kind == "slice" and any(
            isinstance(v, Variable) for v in (part.value.start, part.value.stop, part.value.step)
        ):
            yield Part("span", _computed_slice(x.shape[axis], part.value))
        else:
            yield part
        axis += 1


def _integer(x: Variable, index: DimLike, axis: int) -> DimLike:
    """An index counted from the start; BoundsError where it is known to be outside."""
    dim = x.shape[axis]
    place = add(dim, index) if is_nonnegative(sub(-1, index)) else index
    if isinstance(place, int) and (place < 0 or (isinstance(dim, int) and place >= dim)):
        raise BoundsError(outside(x, index, axis))
    return place


def outside(x: Variable, index: object, axis: int) -> str:
    """The text of a BoundsError."""
    return describe(
        x,
        f"index {index} is outside axis {axis} of length {x.shape[axis]}",
        "indices run from 0 to length - 1, or from -length to -1",
    )


# --- the arithmetic of slices


def slice_axis(dim: DimLike, key: slice) -> Bounds:
    """Start, step and length of a slice of an axis, exact for every size of symbolic dims.

    Symbolic starts may lie outside where the length is 0. Equal slices of one axis give equal
    dims: ``x[1:]`` and ``x[:-1]`` both have length max(0, n - 1).
    """
    step = 1 if key.step is None else key.step
    if not isinstance(step, int) or step == 0:
        raise ShapeError(f"the step of a slice must be an integer other than 0, not {step}")
    start, stop = key.start, key.stop
    if isinstance(dim, int) and not isinstance(start, Dim) and not isinstance(stop, Dim):
        return _known_slice(dim, key)
    return _symbolic_slice(dim, start, stop, step)


@lru_cache(maxsize=1024)  # arithmetic of dims takes 40 us, and programs repeat their slices
def _symbolic_slice(dim: DimLike, start: DimLike | None, stop: DimLike | None, step: int) -> Bounds:
    return _forward(dim, start, stop, step) if step > 0 else _backward(dim, start, stop, -step)


def _known_slice(dim: int, key: slice) -> Bounds:
    found = range(*key.indices(dim))
    if len(found) <= 1:
        return (found.start if len(found) else 0), 1, len(found)
    return found.start, found.step, len(found)


def _place(dim: DimLike, bound: DimLike) -> tuple[DimLike, str]:
    """A bound counted from the start, and what its sign was: "+", "-" or "?" (not known)."""
    if is_nonnegative(bound):
        return bound, "+"
    if is_nonnegative(sub(-1, bound)):
        return add(dim, bound), "-"
    is_negative = minimum(1, maximum(0, mul(-1, bound)))
    return add(bound, mul(dim, is_negative)), "?"


def _forward(dim: DimLike, start: DimLike | None, stop: DimLike | None, step: int) -> Bounds:
    first, sign = (0, "+") if start is None else _place(dim, start)
    last, last_sign = (dim, "-") if stop is None else _place(dim, stop)
    if last_sign != "-":
        last = minimum(last, dim)
    span = sub(last, first)
    if sign != "+":  # the start is max(first, 0), and last - max(first, 0) is the least of these
        span = minimum(span, last)
        first = maximum(first, 0)
    return first, step, maximum(0, floordiv(add(span, step - 1), step))


def _backward(dim: DimLike, start: DimLike | None, stop: DimLike | None, stride: int) -> Bounds:
    first, sign = (sub(dim, 1), "-") if start is None else _place(dim, start)
    last, last_sign = (-1, "+") if stop is None else _place(dim, stop)
    if sign != "-":
        first = minimum(first, sub(dim, 1))
    if last_sign != "+":
        last = maximum(last, -1)
    span = sub(first, last)
    return first, -stride, maximum(0, floordiv(add(span, stride - 1), stride))


def _computed_slice(dim: DimLike, key: slice) -> Variable:
    """The places that a slice with computed bounds selects, over a length that only data tells."""
    step = 1 if key.step is None else key.step
    if not isinstance(step, int) or step == 0:
        raise unsupported("slice", "a step that only the call tells", "use an int as the step")
    size = cast(asarray(dim), INT64)
    low, high = (0, size) if step > 0 else (-1, size - 1)
    first = _computed_bound(key.start, size, low, high, low if step > 0 else high)
    last = _computed_bound(key.stop, size, low, high, high if step > 0 else low)
    span = last - first if step > 0 else first - last
    count = find_op("floor_divide")(span + (abs(step) - 1), abs(step))
    return first + iota(count) * step  # type: ignore[no-any-return]


def _computed_bound(bound: Any, size: Variable, low: Any, high: Any, default: Any) -> Variable:
    if bound is None:
        return cast(asarray(default), INT64)
    value = cast(asarray(bound), INT64)
    placed = find_op("where")(value < 0, value + size, value)
    return find_op("maximum")(find_op("minimum")(placed, high), low)  # type: ignore[no-any-return]
