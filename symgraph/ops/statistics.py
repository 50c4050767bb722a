"""Means, variances, norms and logsumexp: reductions written with sums and maxima."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import DTypeError
from symgraph.ir.dim import product
from symgraph.ir.dtype import BOOL, FLOAT64, DType, as_dtype, is_inexact
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs, find_op
from symgraph.ir.type import ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, make, unsupported
from symgraph.ops.kinds import normal_axes, normal_axis, reduction
from symgraph.ops.reduce import (
    MAX,
    MIN,
    SUM,
    WIDER,
    any_dtype,
    is_ordered,
    nonempty,
    reducing,
    unreduced,
)
from symgraph.ops.shape import Axis, tensor_types


def count_of(x: Variable, axes: Sequence[int], dtype: DType) -> Variable:
    """The number of elements along axes, as a scalar of a dtype."""
    return cast(asarray(product(tuple(x.shape[a] for a in axes))), dtype)


def mean_dtype(x: DType) -> DType:
    """The dtype of a mean: integers become float64."""
    return x if is_inexact(x) else FLOAT64


def _mean_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        count = np.prod([x.shape[a] for a in axes], dtype=np.int64)
        wide = np.dtype(WIDER.get(x.dtype.name, x.dtype))
        return np.asarray(np.sum(x, axis=axes, dtype=wide) / wide.type(count)).astype(x.dtype)


MEAN = reduction(
    "mean",
    """Sum over axes divided by their number of elements.

    Dtypes: integers and bool give float64.    Empty axis: NaN.
    """,
    front=reducing("mean", mean_dtype, any_dtype, "any dtype"),
    reference=_mean_reference,
    expand=lambda x, axes: make("sum", [x], axes=axes) / count_of(x, axes, x.dtype),
    grad=lambda g, y, x, axes: [
        broadcast_to(unreduced(g / count_of(x, axes, x.dtype), axes), x.shape)
    ],
    names={"numpy": "mean"},
)


def _freedom(x: Variable, axes: Sequence[int], correction: float) -> Variable:
    """max(number of elements - correction, 0)."""
    count = count_of(x, axes, x.dtype)
    found: Variable = find_op("maximum")(count - correction, 0.0)
    return found


def _centred(x: Variable, axes: tuple[int, ...]) -> Variable:
    found: Variable = x - unreduced(make("mean", [x], axes=axes), axes)
    return found


def _var_expand(x: Variable, axes: tuple[int, ...], correction: float) -> Variable:
    centred = _centred(x, axes)
    return make("sum", [centred * centred], axes=axes) / _freedom(x, axes, correction)  # type: ignore[no-any-return]


def _var_grad(
    g: Variable, y: Variable, x: Variable, axes: tuple[int, ...], correction: float
) -> list[Variable]:
    scaled = unreduced(g / _freedom(x, axes, correction), axes)
    return [2.0 * scaled * _centred(x, axes)]


def average(x: Any, axis: Axis = None, weights: Any = None, *, keepdims: bool = False) -> Variable:
    """sum(weights * x) / sum(weights) over axes; the mean where no weights are given.

    Shapes: weights as x, or a vector along one axis.
    """
    x = asarray(x)
    if weights is None:
        return MEAN(x, axis, keepdims=keepdims)  # type: ignore[no-any-return]
    axes = normal_axes(axis, x.ndim)
    share = asarray(weights)
    if share.ndim == 1 and x.ndim > 1 and len(axes) == 1:
        share = unreduced(share, [a for a in range(x.ndim) if a != axes[0]])
    total = SUM(broadcast_to(share, x.shape), axes, keepdims=keepdims)
    return SUM(x * share, axes, keepdims=keepdims) / total  # type: ignore[no-any-return]


def _var_reference(x: Any, axes: tuple[int, ...], correction: float) -> Any:
    with np.errstate(all="ignore"):
        wide = x.astype(WIDER.get(x.dtype.name, x.dtype))
        count = wide.dtype.type(np.prod([x.shape[a] for a in axes], dtype=np.int64))
        centred = wide - wide.sum(axis=axes, keepdims=True) / count
        return np.asarray((centred**2).sum(axis=axes) / max(count - correction, 0)).astype(x.dtype)


def _var_front(
    x: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: bool = False,
) -> Variable:
    x = asarray(x)
    x = cast(x, mean_dtype(x.dtype) if dtype is None else as_dtype(dtype))
    less = float(ddof if correction is None else correction)
    if x.dtype.kind == "c":
        parts = [find_op("real")(x), find_op("imag")(x)]
        real, imag = (_var_front(p, axis, correction=less, keepdims=keepdims) for p in parts)
        return real + imag  # type: ignore[no-any-return]
    axes = normal_axes(axis, x.ndim)
    found = make("var", [x], axes=axes, correction=less)
    return unreduced(found, axes) if keepdims else found


def _var_infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (x,) = tensor_types(types)
    if x.dtype.kind != "f":
        raise DTypeError(f"var does not take {x.dtype}")
    return TensorType(x.dtype, tuple(d for a, d in enumerate(x.shape) if a not in attrs["axes"]))


VAR = reduction(
    "var",
    """Mean squared distance from the mean: sum(|x - mean(x)|**2) / max(n - correction, 0).

    ``correction`` or ``ddof``: what is taken off the number of elements.
    Dtypes: integers and bool give float64, complex its real.    Empty axis: NaN.
    """,
    front=_var_front,
    reference=_var_reference,
    expand=_var_expand,
    grad=_var_grad,
    infer=_var_infer,
    names={"numpy": "var"},
)


def std(x: Any, axis: Axis = None, dtype: Any = None, **options: Any) -> Variable:
    """Square root of ``var``; the same options."""
    return find_op("sqrt")(_var_front(x, axis, dtype, **options))  # type: ignore[no-any-return]


def _finite_or_zero(m: Variable) -> Variable:
    """m with infinities and NaN as 0, a shift that leaves them to exp."""
    zero = asarray(np.zeros((), m.dtype))
    found: Variable = find_op("where")(find_op("isfinite")(m), m, zero)
    return found


def _logsumexp_expand(x: Variable, axes: tuple[int, ...]) -> Variable:
    """One of the largest terms is left out of the sum, whose rounding it would swallow."""
    shift = _finite_or_zero(make("max", [x], axes=axes))
    centred = x - unreduced(shift, axes)
    zero = asarray(np.zeros((), x.dtype))
    is_largest = find_op("equal")(centred, zero)
    others = find_op("where")(is_largest, zero, find_op("exp")(centred))
    count = make("sum", [cast(is_largest, x.dtype)], axes=axes)
    rest = make("sum", [others], axes=axes) + (count - 1.0)
    return find_op("log1p")(rest) + shift  # type: ignore[no-any-return]


def _logsumexp_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    """g * softmax(x): exp(x - y) would carry the rounding of y. Where all is -inf it is 0."""
    empty = find_op("equal")(y, -np.inf)
    shares = make("softmax", [x], axes=axes)
    return [find_op("where")(unreduced(empty, axes), 0.0, shares * unreduced(g, axes))]


def _logsumexp_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        wide = x.astype(np.longdouble)
        top = wide.max(axis=axes, keepdims=True)
        shift = np.where(np.isfinite(top), top, 0)
        is_largest = wide == shift
        rest = np.where(is_largest, 0, np.exp(wide - shift)).sum(axis=axes)
        total = np.log1p(rest + (is_largest.sum(axis=axes) - 1)) + np.squeeze(shift, axes)
        return np.asarray(total).astype(x.dtype)


LOGSUMEXP = reduction(
    "logsumexp",
    """log(sum(exp(x), axis)), without overflow.

    Dtypes: floating; integers become float64.    NaN: propagates.    All -inf: -inf, gradient 0.
    Raises: ShapeError for an empty axis.
    Source: Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4).
    """,
    front=reducing("logsumexp", mean_dtype, is_ordered, "real numbers"),
    reference=_logsumexp_reference,
    expand=_logsumexp_expand,
    grad=_logsumexp_grad,
    infer=nonempty("same"),
    source="Blanchard, Higham & Higham 2021",
)


def count_nonzero(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """Number of elements that are not zero."""
    return SUM(cast(asarray(x), BOOL), axis, keepdims=keepdims)  # type: ignore[no-any-return]


def ptp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """max - min."""
    high, low = MAX(x, axis, keepdims=keepdims), MIN(x, axis, keepdims=keepdims)
    return high - low  # type: ignore[no-any-return]


def _norm_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    """g * x / y; 0 at the origin."""
    safe = find_op("where")(find_op("equal")(y, 0), asarray(np.ones((), y.dtype)), y)
    return [x * unreduced(g / safe, axes)]


def _norm_reference(x: Any, axes: tuple[int, ...]) -> Any:
    wide = x.astype(np.longdouble)
    return np.asarray(np.sqrt((wide**2).sum(axis=axes))).astype(x.dtype)


# Where squares leave the range of float64, and by what elements are scaled there
_NORM_LIMITS = (2.0**486, 2.0**-538, 2.0**-511, 2.0**537)


def _norm_expand(x: Variable, axes: tuple[int, ...]) -> Variable:
    """sqrt(sum(x**2)), by sums that vectorize and run on several threads.

    Squares of float32 stay in the range of float64. float64 has three sums (Blue 1978): of large
    elements scaled down, of small ones scaled up, and of the others.
    """
    where, total = find_op("where"), find_op("sum")
    if x.dtype.itemsize == 4:
        wide = find_op("astype")(x, "float64")
        return find_op("astype")(find_op("sqrt")(total(wide * wide, axes)), x.dtype)  # type: ignore[no-any-return]
    high, down, low, up = _NORM_LIMITS
    size = find_op("abs")(x)
    is_large, is_small = size > high, size < low
    scaled = size * where(is_large, down, where(is_small, up, 1.0))
    square = scaled * scaled
    large, small = (total(where(c, square, 0.0), axes) for c in (is_large, is_small))
    rest = total(where(find_op("logical_or")(is_large, is_small), 0.0, square), axes)
    root = find_op("sqrt")
    of_rest = where(rest > 0.0, root(rest + small / up / up), root(small) / up)
    found = where(large > 0.0, root(large + rest * down * down) / down, of_rest)
    return where(find_op("isnan")(rest), rest, found)  # type: ignore[no-any-return]


EUCLIDEAN_NORM = reduction(
    "euclidean_norm",
    """sqrt(sum(x**2)) over axes, without overflow or underflow, in one pass.

    Dtypes: floating.    Empty axis: 0.    Gradient at the origin: 0.
    """,
    front=reducing("euclidean_norm", mean_dtype, is_ordered, "real numbers"),
    reference=_norm_reference,
    expand=_norm_expand,
    grad=_norm_grad,
    source="Blue 1978, A portable Fortran program to find the Euclidean norm of a vector",
)


def vector_norm(x: Any, axis: Axis = None, *, keepdims: bool = False, ord: float = 2) -> Variable:
    """(sum of abs(x)**ord) ** (1 / ord) over axes; ord may be 0 (count), inf (max), -inf (min)."""
    x = asarray(x)
    size = find_op("abs")(cast(x, mean_dtype(x.dtype)))
    if ord in (np.inf, -np.inf):
        return (MAX if ord > 0 else MIN)(size, axis, keepdims=keepdims)  # type: ignore[no-any-return]
    if ord == 0:
        return cast(count_nonzero(size, axis, keepdims=keepdims), size.dtype)
    if ord == 1:
        return SUM(size, axis, keepdims=keepdims)  # type: ignore[no-any-return]
    if ord == 2:
        own = size if x.dtype.kind == "c" else cast(x, size.dtype)
        return EUCLIDEAN_NORM(own, axis, keepdims=keepdims)  # type: ignore[no-any-return]
    return SUM(size**ord, axis, keepdims=keepdims) ** (1.0 / ord)  # type: ignore[no-any-return]


def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Variable:
    """NumPy's linalg.norm: vector norms, and for matrices "fro", 1, -1, inf, -inf."""
    x = asarray(x)
    if ord is None or ord == "fro":
        return vector_norm(x, axis, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axis
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    if len(axes) == 1:
        return vector_norm(x, axes, keepdims=keepdims, ord=ord)
    rows, columns = (normal_axis(a, x.ndim) for a in axes)
    if ord not in (1, -1, np.inf, -np.inf):
        raise unsupported("norm", f"order {ord!r} of matrices", "use 'fro', 1, -1, inf or -inf")
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    size = SUM(find_op("abs")(cast(x, mean_dtype(x.dtype))), first, keepdims=True)
    found = (MAX if ord > 0 else MIN)(size, second, keepdims=True)
    return found if keepdims else find_op("squeeze")(found, (rows, columns))  # type: ignore[no-any-return]


METHODS.update({"mean": MEAN, "var": VAR, "std": std, "ptp": ptp, "norm": norm})
NUMPY_FUNCTIONS.update(
    {f.__name__: f for f in (std, average, count_nonzero, ptp, norm, vector_norm)}
)
