"""``x.at[key].set(v)`` and kin: changed copies for every form of key that reading takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.errors import ShapeError
from symgraph.ir.op import METHODS, find_op
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, make
from symgraph.ops.index import GATHER, along_axis, getitem, new_axes, placement, take_slices
from symgraph.ops.keys import Part, is_full, parse
from symgraph.ops.kinds import normal_axis
from symgraph.ops.shape import expand_dims, squeeze
from symgraph.ops.update import SCATTER, fitting
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class At:
    """``x.at``: index it to say where; ``.set .add .multiply .min .max`` give a changed copy."""

    x: Variable

    def __getitem__(self, key: Any) -> Place:
        return Place(self.x, key)


@dataclass(frozen=True, slots=True)
class Place:
    """``x.at[key]``."""

    x: Variable
    key: Any

    def get(self) -> Variable:
        """x[key]."""
        return getitem(self.x, self.key)

    def set(self, values: Any) -> Variable:
        """A copy with values at the key."""
        return update(self.x, self.key, values, "set")

    def add(self, values: Any) -> Variable:
        """A copy with values added; where a place is named twice, twice."""
        return update(self.x, self.key, values, "add")

    def subtract(self, values: Any) -> Variable:
        """A copy with values taken away."""
        return update(self.x, self.key, find_op("negative")(asarray(values)), "add")

    def multiply(self, values: Any) -> Variable:
        """A copy with values multiplied in."""
        return update(self.x, self.key, values, "multiply")

    def min(self, values: Any) -> Variable:
        """A copy with the smaller of each element and its values."""
        return update(self.x, self.key, values, "min")

    def max(self, values: Any) -> Variable:
        """A copy with the larger of each element and its values."""
        return update(self.x, self.key, values, "max")


def update(x: Variable, key: Any, values: Any, how: str) -> Variable:
    """x with values written or combined at ``x[key]``; values broadcast to its shape."""
    values = fitting(x, values)
    mask = _computed_mask(x, key)
    if mask is not None:
        return _masked(x, mask, values, how)
    return _at_parts(x, parse(x, key), values, how)


def _at_parts(x: Variable, parts: Sequence[Part], values: Variable, how: str) -> Variable:
    if any(p.kind == "span" for p in parts):
        return _at_span(x, parts, values, how)
    if any(p.kind == "array" for p in parts):
        return _at_arrays(x, parts, values, how)
    return _at_slices(x, parts, values, how)


def _at_span(x: Variable, parts: Sequence[Part], values: Variable, how: str) -> Variable:
    """The first slice with computed bounds: what it selects is taken, changed, and put back."""
    place = next(k for k, p in enumerate(parts) if p.kind == "span")
    axis = sum(p.kind != "new" for p in parts[:place])
    where = {"axes": (axis,), "position": axis, "checked": True}
    part = GATHER(x, parts[place].value, **where)
    others = [*parts[:place], Part("slice", slice(None)), *parts[place + 1 :]]
    changed = _at_parts(part, others, values, how)
    return SCATTER(x, changed, parts[place].value, how="set", unique=True, **where)  # type: ignore[no-any-return]


def _at_slices(x: Variable, parts: Sequence[Part], values: Variable, how: str) -> Variable:
    """Through ``update_slice``: values get the axes of integers and lose new ones."""
    consuming = [p for p in parts if p.kind != "new"]
    bounds = [p.bounds(d) for p, d in zip(consuming, x.shape, strict=True)]
    starts, steps = tuple(b[0] for b in bounds), tuple(b[1] for b in bounds)
    lengths = [b[2] for b in bounds]
    kept = tuple(d for p, d in zip(consuming, lengths, strict=True) if p.kind != "int")
    values = _without_new(values, kept, new_axes(parts, 0))
    values = expand_dims(values, tuple(a for a, p in enumerate(consuming) if p.kind == "int"))
    if how == "set" and values.shape == x.shape and set(steps) <= {1}:
        return values
    return make("update_slice", [x, values], starts=starts, steps=steps, how=how)


def _without_new(values: Variable, kept: Sequence[Any], new: tuple[int, ...]) -> Variable:
    """Values broadcast to the shape of ``x[key]``, which has axes of length 1 at ``new``."""
    shape = list(kept)
    for axis in new:
        shape.insert(axis, 1)
    # NumPy's assignment also drops leading axes of length 1 that the target does not have.
    surplus = values.ndim - len(shape)
    if surplus > 0 and all(d == 1 for d in values.shape[:surplus]):
        values = squeeze(values, tuple(range(surplus)))
    return squeeze(broadcast_to(values, shape), new) if new else broadcast_to(values, shape)  # type: ignore[no-any-return]


def _at_arrays(x: Variable, parts: Sequence[Part], values: Variable, how: str) -> Variable:
    """Scatter into the part that slices and integers select, which is then put back."""
    basic = [
        Part("slice", slice(None)) if p.kind == "array" else p for p in parts if p.kind != "new"
    ]
    part = take_slices(x, basic)
    kept = [p for p in parts if p.kind not in ("new", "int")]
    arrays = [(k, p.value) for k, p in enumerate(kept) if p.kind == "array"]
    axes, indices = zip(*arrays, strict=True)
    where = {"axes": axes, "position": placement(parts)}
    read = GATHER(part, *indices, **where)
    new = new_axes(parts, max(i.ndim for i in indices))
    values = _without_new(values, read.shape, new)
    changed: Variable = SCATTER(part, values, *indices, how=how, **where)
    bounds = [p.bounds(d) for p, d in zip(basic, x.shape, strict=True)]
    everything = all(is_full(bound, d) for bound, d in zip(bounds, x.shape, strict=True))
    if everything and not any(p.kind == "int" for p in basic):
        return changed
    return _at_slices(x, basic, changed, "set")


def _computed_mask(x: Variable, key: Any) -> Variable | None:
    key = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    if isinstance(key, Variable) and key.dtype.kind == "b" and key.node.op.name != "constant":
        return key
    return None


def _masked(x: Variable, mask: Variable, values: Variable, how: str) -> Variable:
    """Written with ``where``: values must not depend on how many elements the mask selects."""
    if mask.ndim > x.ndim or values.ndim > x.ndim - mask.ndim:
        raise ShapeError(
            describe(
                x,
                f"values with {values.ndim} axes at a mask with {mask.ndim} axes",
                "with a computed mask, values broadcast against the axes after it; use sg.where",
            )
        )
    mask = expand_dims(mask, tuple(range(mask.ndim, x.ndim)))
    names = {"add": "add", "multiply": "multiply", "min": "minimum", "max": "maximum"}
    changed = values if how == "set" else find_op(names[how])(x, values)
    return find_op("where")(mask, changed, x)  # type: ignore[no-any-return]


def put_along_axis(x: Any, indices: Any, values: Any, axis: int = -1) -> Variable:
    """A copy of x with values at ``take_along_axis(x, indices, axis)``."""
    x, indices = asarray(x), asarray(indices)
    arrays = along_axis(x, indices, normal_axis(axis, x.ndim))
    return SCATTER(x, values, *arrays, axes=tuple(range(x.ndim)))  # type: ignore[no-any-return]


METHODS["at"] = At
