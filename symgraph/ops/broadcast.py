"""``broadcast_to`` and its transpose ``sum_to``; arrays brought to a common shape or rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.errors import ShapeError, message
from symgraph.ir.dim import DimLike
from symgraph.ir.op import NUMPY_FUNCTIONS, Attrs, Op, register
from symgraph.ir.origin import user_line
from symgraph.ir.type import Check, Shape, ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, make
from symgraph.ops.kinds import indexed
from symgraph.ops.shape import as_shape, expand_dims, tensor_types


def _broadcast_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    x, shape = tensor_types(types)[0], attrs["shape"]
    if len(x.shape) > len(shape):
        raise ShapeError(f"{len(x.shape)} axes do not broadcast to {len(shape)}")
    for small, large in zip(x.shape, shape[len(shape) - len(x.shape) :], strict=True):
        require_expands(context, small, large)
    return TensorType(x.dtype, shape)


def require_expands(context: ShapeContext, small: DimLike, large: DimLike) -> None:
    """``small`` must be 1 or equal ``large``; what is not decided here is checked at the call."""
    if small == large or small == 1:
        return
    if isinstance(small, int) and isinstance(large, int):
        raise ShapeError(f"an axis of length {small} does not broadcast to {large}")
    context.checks.append(Check("expand", small, large, "broadcast to a given shape"))


def _broadcast_front(x: Any, shape: Any) -> Variable:
    x = asarray(x)
    dims = as_shape(shape, x.name or "broadcast")
    return x if dims == x.shape else make("broadcast_to", [x], shape=dims)


def _broadcast_element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    x = inputs[0]
    own = index[len(index) - len(x.shape) :]
    return x(tuple(b.const(0) if d == 1 else i for d, i in zip(x.shape, own, strict=True)))


def _broadcast_grad(g: Variable, y: Variable, x: Variable, *lengths: Variable, **attrs: Any) -> Any:
    return [make("sum_to", [g], shape=x.shape), *[None] * len(lengths)]


broadcast_to = indexed(
    "broadcast_to",
    """x repeated along axes of length 1 and new leading axes, to a shape.

    Nodes may have further inputs, ``data_length``s that the shape depends on; they are not read.
    Raises: ShapeError where an axis is neither 1 nor as asked.
    """,
    infer=_broadcast_infer,
    front=_broadcast_front,
    reference=lambda x, *lengths, shape: np.broadcast_to(x, shape).copy(),
    element=_broadcast_element,
    grad=_broadcast_grad,
    names={"numpy": "broadcast_to"},
)


def broadcast_arrays(*arrays: Any) -> tuple[Variable, ...]:
    """All arrays broadcast against each other."""
    xs = [asarray(a) for a in arrays]
    return tuple(broadcast_to(x, broadcast_shapes(*[x.shape for x in xs])) for x in xs)


def broadcast_shapes(*shapes: Any) -> Shape:
    """The shape of arrays of these shapes that meet elementwise; ShapeError where they do not."""
    try:
        return ShapeContext().broadcast_shapes(*[as_shape(s) for s in shapes])
    except ShapeError as error:
        line = user_line()
        facts = {f"shape {k}": s for k, s in enumerate(shapes)}
        raise ShapeError(message(str(error), facts, str(line) if line else None)) from None


def _sum_to_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    shape = attrs["shape"]
    if len(shape) > len(x.shape):
        raise ShapeError(f"{len(x.shape)} axes cannot be summed to {len(shape)}")
    for small, large in zip(shape, x.shape[len(x.shape) - len(shape) :], strict=True):
        require_expands(context, small, large)
    return TensorType(x.dtype, shape)


def _sum_to_expand(x: Variable, shape: Shape) -> Variable:
    """Which axes are summed is known when dims are: those that are 1 in ``shape`` only."""
    lead = x.ndim - len(shape)
    ones = tuple(k for k, d in enumerate(shape) if d == 1 and x.shape[lead + k] != 1)
    axes = (*range(lead), *(lead + k for k in ones))
    found = make("sum", [x], axes=axes) if axes else x
    found = expand_dims(found, ones) if ones else found
    return found if found.shape == shape else make("reshape", [found], shape=shape)


def _sum_to_reference(x: Any, shape: tuple[int, ...]) -> Any:
    lead = x.ndim - len(shape)
    ones = tuple(lead + k for k, d in enumerate(shape) if d == 1 and x.shape[lead + k] != 1)
    return np.sum(x, axis=(*range(lead), *ones), dtype=x.dtype).reshape(shape)


sum_to = register(
    Op(
        "sum_to",
        "composite",
        """x summed over the axes along which ``shape`` would have to be broadcast to x.shape.

        The transpose of broadcasting. How it sums is decided when dims are known.
        """,
        infer=_sum_to_infer,
        front=lambda x, shape: make("sum_to", [asarray(x)], shape=as_shape(shape)),
        reference=_sum_to_reference,
        vjp=lambda g, y, x, shape: [broadcast_to(g, x.shape)],
        expand=_sum_to_expand,
    )
)


def _at_least(rank: int, x: Any) -> Variable:
    x = asarray(x)
    if x.ndim >= rank:
        return x  # type: ignore[no-any-return]
    if rank == 3 and x.ndim == 2:
        return expand_dims(x, 2)  # type: ignore[no-any-return]
    if rank == 3 and x.ndim == 1:
        return expand_dims(x, (0, 2))  # type: ignore[no-any-return]
    return expand_dims(x, tuple(range(rank - x.ndim)))  # type: ignore[no-any-return]


def atleast_1d(*arrays: Any) -> Variable | tuple[Variable, ...]:
    """Scalars as arrays of one element."""
    found = tuple(_at_least(1, a) for a in arrays)
    return found[0] if len(found) == 1 else found


def atleast_2d(*arrays: Any) -> Variable | tuple[Variable, ...]:
    """Fewer than 2 axes: new ones in front."""
    found = tuple(_at_least(2, a) for a in arrays)
    return found[0] if len(found) == 1 else found


def atleast_3d(*arrays: Any) -> Variable | tuple[Variable, ...]:
    """Fewer than 3 axes: new ones around, as in NumPy."""
    found = tuple(_at_least(3, a) for a in arrays)
    return found[0] if len(found) == 1 else found


NUMPY_FUNCTIONS.update(
    {f.__name__: f for f in (broadcast_arrays, atleast_1d, atleast_2d, atleast_3d)}
)
