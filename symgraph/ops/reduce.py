"""Reductions over axes and running folds along one: sum, max, mean, var, argmax, cumulative_sum, ...

Nodes hold ``axes`` (sorted tuple) and drop them; ``keepdims`` is an ``expand_dims`` after. NumPy 2's
dtypes: sums of small integers and bool are int64 (unsigned: uint64), means of integers float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import AxisError, DTypeError, ShapeError
from symgraph.ir.dim import Dim, DimLike, is_nonnegative, product, sub
from symgraph.ir.dtype import BOOL, FLOAT64, INT64, DType, as_dtype, is_inexact
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Attrs, Infer, Op, find_op, register
from symgraph.ir.type import Check, ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable, describe
from symgraph.ops.convert import asarray, cast, make, require, unsupported
from symgraph.ops.kinds import Fold, monoid, normal_axes, normal_axis, reduction
from symgraph.ops.shape import Axis, broadcast_to, expand_dims, ravel, tensor_types

_WIDER = {"float32": "float64", "float64": "longdouble", "complex64": "complex128"}


def unreduced(g: Variable, axes: Sequence[int]) -> Variable:
    """g with the reduced axes back, of length 1: it broadcasts against what was reduced."""
    return expand_dims(g, tuple(axes)) if axes else g


def count_of(x: Variable, axes: Sequence[int], dtype: DType) -> Variable:
    """The number of elements along axes, as a scalar of a dtype."""
    return cast(asarray(product(tuple(x.shape[a] for a in axes))), dtype)


def _sum_dtype(x: DType) -> DType:
    if x.kind == "b" or (x.kind == "i" and x.itemsize < 8):
        return INT64
    return as_dtype("uint64") if x.kind == "u" else x


def _mean_dtype(x: DType) -> DType:
    return x if is_inexact(x) else FLOAT64


def _front(
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
        found = make(name, [x], axes=axes, **attrs)
        return unreduced(found, axes) if keepdims else found

    return front


def _same(dtype: DType) -> DType:
    return dtype


def _any_dtype(dtype: DType) -> bool:
    return True


def _ordered(dtype: DType) -> bool:
    return dtype.kind in "biuf"


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy sum or product that accumulates in a wider format where there is one."""

    def reference(x: Any, axes: tuple[int, ...]) -> Any:
        with np.errstate(all="ignore"):
            wide = np.dtype(_WIDER.get(x.dtype.name, x.dtype))
            return np.asarray(function(x, axis=axes, dtype=wide)).astype(x.dtype)

    return reference


def _nonempty(result: str) -> Infer:
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
    front=_front("sum", _sum_dtype, _any_dtype, "any dtype"),
    reference=_wide(np.sum),
    fold=monoid("add", lambda dtype: 0),
    grad=lambda g, y, x, axes: [broadcast_to(unreduced(g, axes), x.shape)],
    names={"numpy": "sum"},
)


def _prod_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    """g times the product of all other elements, exact where some are 0."""
    if not axes:
        return [g]
    from symgraph.ops.index import flip
    from symgraph.ops.shape import inverse, permute_dims, reshape

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
    return cumulative_prod(x, axis=-1, include_initial=True)[..., :-1]


PROD = reduction(
    "prod",
    """Product over axes.

    Dtypes: as sum.    Empty axis: 1.    Gradient: right where elements are 0.
    """,
    front=_front("prod", _sum_dtype, _any_dtype, "any dtype"),
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


def _extreme_front(name: str, of_bool: str) -> Callable[..., Variable]:
    numbers = _front(name, _same, _ordered, "real numbers and bool")

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

    Dtypes: real and bool.    Raises: ShapeError for an empty axis, at the call where only that tells.
    Gradient: shared evenly among equal elements.
    """,
    front=_extreme_front("max", "any"),
    reference=_numpy_extreme(np.max),
    fold=monoid("maximum", _lowest),
    grad=_extreme_grad,
    infer=_nonempty("same"),
    names={"numpy": ("max", "amax")},
)

MIN = reduction(
    "min",
    """Smallest element over axes; NaN if there is one.

    Dtypes: real and bool.    Raises: ShapeError for an empty axis, at the call where only that tells.
    Gradient: shared evenly among equal elements.
    """,
    front=_extreme_front("min", "all"),
    reference=_numpy_extreme(np.min),
    fold=monoid("minimum", _highest),
    grad=_extreme_grad,
    infer=_nonempty("same"),
    names={"numpy": ("min", "amin")},
)


def _to_bool(dtype: DType) -> DType:
    return BOOL


ANY = reduction(
    "any",
    "Whether some element is not zero.    Empty axis: False.",
    front=_front("any", _to_bool, _any_dtype, "any dtype"),
    reference=lambda x, axes: np.any(x, axis=axes),
    fold=monoid("or_", lambda dtype: False),
    names={"numpy": "any"},
)

ALL = reduction(
    "all",
    "Whether no element is zero.    Empty axis: True.",
    front=_front("all", _to_bool, _any_dtype, "any dtype"),
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


def _arg_front(name: str) -> Callable[..., Variable]:
    def front(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Variable:
        x = asarray(x)
        require(_ordered(x.dtype), name, x.dtype, "real numbers and bool")
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
    front=_arg_front("argmax"),
    reference=lambda x, axes: np.argmax(x, axis=axes[0]),
    fold=_arg_fold("gt", _lowest),
    result="int64",
    infer=_nonempty("int64"),
    names={"numpy": "argmax"},
)

ARGMIN = reduction(
    "argmin",
    """Index of the smallest element, the first of equal ones; of the first NaN if there is one.

    axis None: index into the flattened array.    Raises: ShapeError for an empty axis.
    """,
    front=_arg_front("argmin"),
    reference=lambda x, axes: np.argmin(x, axis=axes[0]),
    fold=_arg_fold("lt", _highest),
    result="int64",
    infer=_nonempty("int64"),
    names={"numpy": "argmin"},
)

# --- mean, variance, logsumexp: written with others


def _mean_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        count = np.prod([x.shape[a] for a in axes], dtype=np.int64)
        wide = np.dtype(_WIDER.get(x.dtype.name, x.dtype))
        return np.asarray(np.sum(x, axis=axes, dtype=wide) / wide.type(count)).astype(x.dtype)


MEAN = reduction(
    "mean",
    """Sum over axes divided by their number of elements.

    Dtypes: integers and bool give float64.    Empty axis: NaN.
    """,
    front=_front("mean", _mean_dtype, _any_dtype, "any dtype"),
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


def _var_reference(x: Any, axes: tuple[int, ...], correction: float) -> Any:
    with np.errstate(all="ignore"):
        wide = x.astype(_WIDER.get(x.dtype.name, x.dtype))
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
    x = cast(x, _mean_dtype(x.dtype) if dtype is None else as_dtype(dtype))
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
    shift = _finite_or_zero(make("max", [x], axes=axes))
    total = make("sum", [find_op("exp")(x - unreduced(shift, axes))], axes=axes)
    return find_op("log")(total) + shift  # type: ignore[no-any-return]


def _logsumexp_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    """g * softmax(x); 0 where all is -inf."""
    zero = asarray(np.zeros((), y.dtype))
    shift = find_op("where")(find_op("equal")(y, asarray(np.asarray(-np.inf, y.dtype))), zero, y)
    return [unreduced(g, axes) * find_op("exp")(x - unreduced(shift, axes))]


def _logsumexp_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        wide = x.astype(_WIDER[x.dtype.name])
        top = wide.max(axis=axes, keepdims=True)
        shift = np.where(np.isfinite(top), top, 0)
        total = np.log(np.exp(wide - shift).sum(axis=axes)) + np.squeeze(shift, axes)
        return np.asarray(total).astype(x.dtype)


LOGSUMEXP = reduction(
    "logsumexp",
    """log(sum(exp(x), axis)), without overflow.

    Dtypes: floating; integers become float64.    NaN: propagates.    All -inf: -inf, gradient 0.
    Raises: ShapeError for an empty axis.
    Source: Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4).
    """,
    front=_front("logsumexp", _mean_dtype, _ordered, "real numbers"),
    reference=_logsumexp_reference,
    expand=_logsumexp_expand,
    grad=_logsumexp_grad,
    infer=_nonempty("same"),
    source="Blanchard, Higham & Higham 2021",
)

# --- running folds


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
                describe(x, f"{name} needs an axis for {x.ndim} axes", f"ravel it, or {name}(x, axis=0)")
            )
        axis = normal_axis(0 if axis is None else axis, x.ndim)
        x = cast(x, _sum_dtype(x.dtype) if dtype is None else as_dtype(dtype))
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
            wide = np.dtype(_WIDER.get(x.dtype.name, x.dtype))
            return function(x, axis=axis, dtype=wide).astype(x.dtype)

    return reference


def _backwards_sum(g: Variable, axis: int) -> Variable:
    """Sums of what comes at and after each element."""
    from symgraph.ops.index import flip

    return flip(make("cumulative_sum", [flip(g, axis)], axis=axis), axis)


def _cumulative_prod_grad(g: Variable, y: Variable, x: Variable, axis: int) -> list[Variable]:
    """Right with zeros: up to the first zero y / x, at it the products that leave it out, then 0."""
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
cumulative_prod = CUMULATIVE_PROD = _prefix(
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


# --- composed


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
    wide = x.astype(_WIDER[x.dtype.name])
    return np.asarray(np.sqrt((wide**2).sum(axis=axes))).astype(x.dtype)


EUCLIDEAN_NORM = reduction(
    "euclidean_norm",
    "sqrt(sum(x**2)) over axes.    Dtypes: floating.    Gradient at the origin: 0.",
    front=_front("euclidean_norm", _mean_dtype, _ordered, "real numbers"),
    reference=_norm_reference,
    expand=lambda x, axes: find_op("sqrt")(make("sum", [x * x], axes=axes)),
    grad=_norm_grad,
)


def vector_norm(x: Any, axis: Axis = None, *, keepdims: bool = False, ord: float = 2) -> Variable:
    """(sum of abs(x)**ord) ** (1 / ord) over axes; ord may be 0 (count), inf and -inf (max, min)."""
    x = asarray(x)
    size = find_op("abs")(cast(x, _mean_dtype(x.dtype)))
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
    axes = (
        tuple(range(x.ndim)) if axis is None else tuple(axis) if not isinstance(axis, int) else (axis,)
    )
    if len(axes) == 1:
        return vector_norm(x, axes, keepdims=keepdims, ord=ord)
    rows, columns = (normal_axis(a, x.ndim) for a in axes)
    if ord not in (1, -1, np.inf, -np.inf):
        raise unsupported("norm", f"order {ord!r} of matrices", "use 'fro', 1, -1, inf or -inf")
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    size = SUM(find_op("abs")(cast(x, _mean_dtype(x.dtype))), first, keepdims=True)
    found = (MAX if ord > 0 else MIN)(size, second, keepdims=True)
    return found if keepdims else find_op("squeeze")(found, (rows, columns))  # type: ignore[no-any-return]


_AS_METHODS: dict[str, Callable[..., Any]] = {
    "sum": SUM, "prod": PROD, "max": MAX, "min": MIN, "any": ANY, "all": ALL, "mean": MEAN, "var": VAR,
    "std": std, "argmax": ARGMAX, "argmin": ARGMIN, "cumsum": cumsum, "cumprod": cumprod, "ptp": ptp,
    "norm": norm,
}  # fmt: skip
METHODS.update(_AS_METHODS)
NUMPY_FUNCTIONS.update(
    {
        "std": std,
        "cumsum": cumsum,
        "cumprod": cumprod,
        "count_nonzero": count_nonzero,
        "ptp": ptp,
        "norm": norm,
        "vector_norm": vector_norm,
    }
)
