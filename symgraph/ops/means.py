"""``logmeanexp`` and ``softmax_complement``: log(mean(exp(x))), and 1 - softmax(x)."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.ir.op import Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, Type
from symgraph.ir.variable import Variable
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, make
from symgraph.ops.kinds import reduction
from symgraph.ops.reduce import is_ordered, nonempty, reducing, unreduced
from symgraph.ops.statistics import count_of, mean_dtype

BLANCHARD = "Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4)"


def _centred(x: Variable, axes: tuple[int, ...]) -> tuple[Variable, Variable]:
    """x less its largest element, and that element, or 0 where it is infinite."""
    largest = make("max", [x], axes=axes)
    shift = find_op("where")(find_op("isfinite")(largest), largest, 0.0)
    return x - unreduced(shift, axes), shift


def _logmeanexp_expand(x: Variable, axes: tuple[int, ...]) -> Variable:
    """m + log(mean(exp(x - m))), the mean less 1 taken from expm1 where it is near 1."""
    centred, shift = _centred(x, axes)
    count = count_of(x, axes, x.dtype)
    powers = make("sum", [find_op("exp")(centred)], axes=axes) / count
    excess = make("sum", [find_op("expm1")(centred)], axes=axes) / count
    return find_op("log_near")(powers, excess) + shift  # type: ignore[no-any-return]


def _logmeanexp_gradient(
    g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]
) -> list[Variable]:
    """g * softmax(x); 0 where all is -inf."""
    empty = find_op("equal")(y, -np.inf)
    shares = make("softmax", [x], axes=axes) * unreduced(g, axes)
    return [broadcast_to(find_op("where")(unreduced(empty, axes), 0.0, shares), x.shape)]


def _logmeanexp_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        wide = x.astype("longdouble")
        top = wide.max(axis=axes, keepdims=True)
        shift = np.where(np.isfinite(top), top, 0)
        excess = np.expm1(wide - shift).mean(axis=axes)
        return np.asarray(np.log1p(excess) + np.squeeze(shift, axes)).astype(x.dtype)


LOGMEANEXP = reduction(
    "logmeanexp",
    """log(mean(exp(x), axis)), without overflow, accurate near 0 too.

    Dtypes: floating; integers become float64.    NaN: propagates.    All -inf: -inf, gradient 0.
    Raises: ShapeError for an empty axis.
    Source: Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4).
    """,
    front=reducing("logmeanexp", mean_dtype, is_ordered, "real numbers"),
    reference=_logmeanexp_reference,
    expand=_logmeanexp_expand,
    grad=_logmeanexp_gradient,
    infer=nonempty("same"),
    source=BLANCHARD,
)


def _complement_expand(x: Variable, axes: tuple[int, ...]) -> Variable:
    """Of a largest element the sum of the others, which the whole sum would swallow."""
    centred, _ = _centred(x, axes)
    powers = find_op("exp")(centred)
    is_largest = find_op("equal")(centred, 0.0)
    zero = asarray(np.zeros((), x.dtype))
    others = make("sum", [find_op("where")(is_largest, zero, powers)], axes=axes)
    rest = others + (make("sum", [cast(is_largest, x.dtype)], axes=axes) - 1.0)
    total = 1.0 + rest
    left = find_op("where")(is_largest, unreduced(rest, axes), unreduced(total, axes) - powers)
    found: Variable = left / unreduced(total, axes)
    return found


def _complement_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        wide = x.astype("longdouble")
        powers = np.exp(wide - wide.max(axis=axes, keepdims=True))
        largest = powers == 1
        rest = np.where(largest, 0, powers).sum(axis=axes, keepdims=True)
        rest = rest + (largest.sum(axis=axes, keepdims=True) - 1)
        return (np.where(largest, rest, 1 + rest - powers) / (1 + rest)).astype(x.dtype)


def _complement_gradient(
    g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]
) -> list[Variable]:
    return [-part for part in find_op("softmax").vjp(g, make("softmax", [x], axes=axes), x, axes)]  # type: ignore[misc]


def _same_type(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    return types[0]


COMPLEMENT = register(
    Op(
        "softmax_complement",
        "composite",
        """1 - softmax(x, axes), accurate where that share is near 1.

        Shapes: as x.    Dtypes: floating.    NaN: fills its axis.
        """,
        infer=_same_type,
        front=lambda x, axes: make("softmax_complement", [asarray(x)], axes=tuple(axes)),
        reference=_complement_reference,
        vjp=_complement_gradient,
        expand=_complement_expand,
        source=BLANCHARD,
    )
)
