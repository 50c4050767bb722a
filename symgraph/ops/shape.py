"""Movement within one array: reshape, transpose, expand, squeeze.

Few nodes, many names: ``T``, ``swapaxes``, ``moveaxis`` are ``permute_dims``; ``flatten`` is
``reshape``; ``dimshuffle`` is all of them. What repeats elements is in ``broadcast.py`` and
``join.py``; what selects them, in ``index.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import AxisError, ShapeError
from symgraph.ir.dim import Dim, DimLike, as_dim, divide_exactly, floordiv, product
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs
from symgraph.ir.type import Shape, ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.convert import asarray, make, unsupported
from symgraph.ops.kinds import indexed, normal_axes, normal_axis

Axis = int | Sequence[int] | None


def tensor_types(types: tuple[Type, ...]) -> list[TensorType]:
    """The types of inputs that are all arrays."""
    assert all(isinstance(t, TensorType) for t in types)
    return [t for t in types if isinstance(t, TensorType)]


def as_shape(shape: Any, name: str = "dim") -> Shape:
    """A shape from an int, a dim, or a sequence of ints, dims, names and variables of dims."""
    if isinstance(shape, Variable) and shape.ndim == 1 and shape.node.op.name == "constant":
        shape = tuple(int(d) for d in shape.node.attrs["value"])
    if isinstance(shape, int | np.integer | Dim | str | Variable):
        shape = (shape,)
    return tuple(as_dim(known_integer(d), f"{name}.{axis}") for axis, d in enumerate(shape))


def known_integer(value: Any) -> Any:
    """The int or dim that a scalar variable stands for; values of other kinds as they are."""
    if isinstance(value, Variable) and value.ndim == 0 and value.dtype.kind in "iu":
        node = value.node
        if node.op.name == "constant":
            return int(node.attrs["value"])
        if node.op.name == "dim":
            return node.attrs["dim"]
        raise unsupported(
            "shape",
            "a length computed from data",
            "use sg.arange(n) and its .shape, or give the function the length as a dimension",
        )
    return value


# --- reshape


def _reshape_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    shape = attrs["shape"]
    context.equal(product(x.shape), product(shape), "number of elements")
    return TensorType(x.dtype, shape)


def _reshape_front(x: Any, shape: Any = None, *more: Any, order: str = "C") -> Variable:
    x = asarray(x)
    asked = (shape, *more) if more else shape if isinstance(shape, tuple | list) else (shape,)
    if isinstance(shape, np.ndarray | Variable) and not more:
        asked = as_shape(shape)
    if order == "F":
        backwards: Variable = permute_dims(reshape(permute_dims(x), tuple(asked)[::-1]))
        return backwards
    if order not in ("C", "A", "K"):
        raise ShapeError(describe(x, f"reshape takes order 'C' or 'F', not {order!r}"))
    dims = _fill_rest(x, tuple(asked))
    return x if dims == x.shape else make("reshape", [x], shape=dims)


def _fill_rest(x: Variable, asked: tuple[Any, ...]) -> Shape:
    """The shape asked for, with -1 replaced by what is left of the elements."""
    is_rest = [isinstance(known_integer(d), int | np.integer) and d == -1 for d in asked]
    if sum(is_rest) > 1:
        raise ShapeError(describe(x, f"reshape to {asked}: only one axis can be -1"))
    if not any(is_rest):
        return as_shape(asked, x.name or "reshape")
    place = is_rest.index(True)
    others = as_shape(asked[:place] + asked[place + 1 :], x.name or "reshape")
    rest = _rest(x, product(others), asked)
    return (*others[:place], rest, *others[place:])


def _rest(x: Variable, known: DimLike, asked: tuple[Any, ...]) -> DimLike:
    total = x.size
    bad = known == 0 or (isinstance(total, int) and isinstance(known, int) and total % known != 0)
    if bad:
        raise ShapeError(
            describe(
                x,
                f"reshape: {total} elements do not fill shape {tuple(asked)}",
                "the number of elements must stay the same; -1 stands for the rest",
            )
        )
    return floordiv(total, known)


def _reshape_element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    (x,) = inputs
    found: dict[int, Any] = {}
    for mine, theirs in groups(x.shape, out.shape):
        place = b.const(0)
        for axis in theirs:
            if out.shape[axis] != 1:
                place = b.add(b.mul(place, b.size(out.shape[axis])), index[axis])
        long = [axis for axis in mine if x.shape[axis] != 1]
        for axis in reversed(long):
            size = b.size(x.shape[axis])
            found[axis] = place if axis == long[0] else b.mod(place, size)
            place = place if axis == long[0] else b.floordiv(place, size)
    return x(tuple(found.get(axis, b.const(0)) for axis in range(len(x.shape))))


def groups(left: Shape, right: Shape) -> list[tuple[list[int], list[int]]]:
    """Axes of two shapes of equal size, in the smallest groups of equal size.

    (2, 3, n) and (6, n) --> [([0, 1], [0]), ([2], [1])]. What cannot be told apart is one group.
    """
    out: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(left) or j < len(right):
        mine, theirs = list(range(i, min(i + 1, len(left)))), list(range(j, min(j + 1, len(right))))
        while True:
            p, q = product(tuple(left[a] for a in mine)), product(tuple(right[a] for a in theirs))
            if p == q:
                break
            to_left, to_right = i + len(mine) < len(left), j + len(theirs) < len(right)
            if to_right and (not to_left or divide_exactly(p, q) is not None):
                theirs.append(j + len(theirs))
            elif to_left:
                mine.append(i + len(mine))
            else:
                break
        out.append((mine, theirs))
        i, j = i + len(mine), j + len(theirs)
    return out


reshape = indexed(
    "reshape",
    """The same elements, in row-major order, in another shape; one axis may be -1.

    Shapes: any with as many elements; -1 is resolved for symbolic dims too.    Dtypes: all.
    Raises: ShapeError where the number of elements differs, at the call where only that tells.
    """,
    infer=_reshape_infer,
    front=_reshape_front,
    reference=lambda x, shape: np.reshape(x, shape),
    element=_reshape_element,
    grad=lambda g, y, x, shape: [make("reshape", [g], shape=x.shape)],
    names={"numpy": "reshape"},
)


def ravel(x: Any, order: str = "C") -> Variable:
    """All elements along one axis."""
    return reshape(asarray(x), (-1,) if asarray(x).size != 0 else (0,), order=order)  # type: ignore[no-any-return]


# --- permute_dims


def _permute_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    return TensorType(x.dtype, tuple(x.shape[a] for a in attrs["axes"]))


def _permute_front(x: Any, axes: Sequence[int] | None = None) -> Variable:
    x = asarray(x)
    order = tuple(reversed(range(x.ndim)))
    if axes is not None:
        order = tuple(normal_axis(a, x.ndim) for a in axes)
    if sorted(order) != list(range(x.ndim)):
        raise AxisError(describe(x, f"permute_dims needs each of {x.ndim} axes once, got {axes}"))
    return x if order == tuple(range(x.ndim)) else make("permute_dims", [x], axes=order)


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes one."""
    return tuple(int(a) for a in np.argsort(axes))


permute_dims = indexed(
    "permute_dims",
    """Axes in another order; all reversed where none is given.

    Shapes: x.shape[axes].    Dtypes: all.    Raises: AxisError unless each axis is named once.
    """,
    infer=_permute_infer,
    front=_permute_front,
    reference=lambda x, axes: np.transpose(x, axes),
    element=lambda b, index, inputs, out, attrs: inputs[0](
        tuple(index[a] for a in inverse(attrs["axes"]))
    ),
    grad=lambda g, y, x, axes: [_permute_front(g, inverse(axes))],
    names={"numpy": ("transpose", "permute_dims")},
)


def matrix_transpose(x: Any) -> Variable:
    """The last two axes swapped."""
    x = asarray(x)
    if x.ndim < 2:
        raise AxisError(
            describe(x, "a matrix transpose needs at least 2 axes", "expand_dims first")
        )
    return swapaxes(x, -1, -2)


def swapaxes(x: Any, axis1: int, axis2: int) -> Variable:
    """Two axes exchanged."""
    x = asarray(x)
    order = list(range(x.ndim))
    a, b = normal_axis(axis1, x.ndim), normal_axis(axis2, x.ndim)
    order[a], order[b] = order[b], order[a]
    return permute_dims(x, order)  # type: ignore[no-any-return]


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Variable:
    """Axes moved to new places; the others keep their order."""
    x = asarray(x)
    sources, targets = _axis_list(source, x.ndim), _axis_list(destination, x.ndim)
    if len(sources) != len(targets):
        raise AxisError(describe(x, f"moveaxis: {len(sources)} axes to {len(targets)} places"))
    order = [a for a in range(x.ndim) if a not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return permute_dims(x, order)  # type: ignore[no-any-return]


def _axis_list(axis: int | Sequence[int], rank: int) -> list[int]:
    axes = [normal_axis(a, rank) for a in (axis if isinstance(axis, tuple | list) else [axis])]
    if len(set(axes)) != len(axes):
        raise AxisError(f"an axis is given twice: {axis}")
    return axes


def rollaxis(x: Any, axis: int, start: int = 0) -> Variable:
    """One axis moved to stand before another."""
    x = asarray(x)
    axis = normal_axis(axis, x.ndim)
    start = start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


# --- expand_dims and squeeze


def _expand_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    shape = list(x.shape)
    for axis in attrs["axes"]:
        shape.insert(axis, 1)
    return TensorType(x.dtype, tuple(shape))


def _expand_front(x: Any, axis: int | Sequence[int] = 0) -> Variable:
    x = asarray(x)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    axes = normal_axes(axis, x.ndim + count)
    return make("expand_dims", [x], axes=axes) if axes else x


expand_dims = indexed(
    "expand_dims",
    """New axes of length 1 at places of the result.

    Raises: AxisError for a place outside the result, or named twice.
    """,
    infer=_expand_infer,
    front=_expand_front,
    reference=lambda x, axes: np.expand_dims(x, axes),
    element=lambda b, index, inputs, out, attrs: inputs[0](
        tuple(i for axis, i in enumerate(index) if axis not in attrs["axes"])
    ),
    grad=lambda g, y, x, axes: [make("squeeze", [g], axes=axes)],
    names={"numpy": "expand_dims"},
)


def _squeeze_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    for axis in attrs["axes"]:
        context.equal(x.shape[axis], 1, f"length of axis {axis} to drop")
    kept = tuple(d for axis, d in enumerate(x.shape) if axis not in attrs["axes"])
    return TensorType(x.dtype, kept)


def _squeeze_front(x: Any, axis: Axis = None) -> Variable:
    x = asarray(x)
    if axis is None:
        axes = tuple(a for a, d in enumerate(x.shape) if d == 1)
    else:
        axes = normal_axes(axis, x.ndim)
    return make("squeeze", [x], axes=axes) if axes else x


def _squeeze_element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    kept = iter(index)
    rank = len(inputs[0].shape)
    axes = attrs["axes"]
    return inputs[0](tuple(b.const(0) if a in axes else next(kept) for a in range(rank)))


squeeze = indexed(
    "squeeze",
    """Axes of length 1 dropped; all that are known to be 1 where no axis is given.

    Raises: ShapeError for an axis of another length, at the call where only that tells.
    """,
    infer=_squeeze_infer,
    front=_squeeze_front,
    reference=lambda x, axes: np.squeeze(x, axes),
    element=_squeeze_element,
    grad=lambda g, y, x, axes: [make("expand_dims", [g], axes=axes)],
    names={"numpy": "squeeze"},
)


def dimshuffle(x: Any, *pattern: int | str | Sequence[int | str]) -> Variable:
    """Axes in a new order, ``"x"`` for a new axis of length 1; axes not named must have length 1.

    >>> sg.matrix("m").dimshuffle(1, "x", 0).ndim
    3
    """
    x = asarray(x)
    flat: list[Any] = []
    for part in pattern:
        flat.extend(part if isinstance(part, tuple | list) else (part,))
    order = [normal_axis(p, x.ndim) for p in flat if p != "x"]
    if len(set(order)) != len(order):
        raise AxisError(describe(x, f"dimshuffle names an axis twice: {tuple(flat)}"))
    dropped = [a for a in range(x.ndim) if a not in order]
    moved = squeeze(permute_dims(x, [*order, *dropped]), tuple(range(len(order), x.ndim)))
    return expand_dims(moved, tuple(k for k, p in enumerate(flat) if p == "x"))  # type: ignore[no-any-return]


def _transpose_method(x: Variable, *axes: Any) -> Variable:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
        return permute_dims(x, axes[0])  # type: ignore[no-any-return]
    return permute_dims(x, axes or None)  # type: ignore[no-any-return]


METHODS.update(
    {
        "reshape": reshape,
        "ravel": ravel,
        "flatten": ravel,
        "transpose": _transpose_method,
        "T": permute_dims,
        "mT": matrix_transpose,
        "swapaxes": swapaxes,
        "squeeze": squeeze,
        "dimshuffle": dimshuffle,
    }
)
NUMPY_FUNCTIONS.update(
    {
        "ravel": ravel,
        "matrix_transpose": matrix_transpose,
        "swapaxes": swapaxes,
        "moveaxis": moveaxis,
        "rollaxis": rollaxis,
    }
)
