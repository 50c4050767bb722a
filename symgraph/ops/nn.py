"""``softmax`` and ``log_softmax``: exponentials over their sum along axes, without overflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.ir.op import Attrs, Op, find_op, register
from symgraph.ir.type import ShapeContext, Type
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, cast, make, require
from symgraph.ops.kinds import normal_axes

BLANCHARD = "Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4)"


def _same_type(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    return types[0]


def _front(name: str) -> Any:
    def front(x: Any, axis: int | Sequence[int] | None = -1) -> Variable:
        x = asarray(x)
        require(x.dtype.kind in "biuf", name, x.dtype, "real numbers")
        x = x if x.dtype.kind == "f" else cast(x, np.dtype("float64"))
        return make(name, [x], axes=normal_axes(axis, x.ndim))

    return front


def _keep(x: Variable, axes: tuple[int, ...]) -> Variable:
    return make("expand_dims", [x], axes=axes) if axes else x


def _centred(x: Variable, axes: tuple[int, ...]) -> Variable:
    """x minus its largest element along axes; infinities and NaN are left to exp."""
    largest = make("max", [x], axes=axes)
    zero = asarray(np.zeros((), x.dtype))
    shift = find_op("where")(find_op("isfinite")(largest), largest, zero)
    return x - _keep(shift, axes)  # type: ignore[no-any-return]


def _softmax_expand(x: Variable, axes: tuple[int, ...]) -> Variable:
    powers = find_op("exp")(_centred(x, axes))
    return powers / _keep(make("sum", [powers], axes=axes), axes)  # type: ignore[no-any-return]


def _softmax_grad(g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]) -> list[Variable]:
    return [y * (g - _keep(make("sum", [g * y], axes=axes), axes))]


def _log_softmax_expand(x: Variable, axes: tuple[int, ...]) -> Variable:
    """One of the largest elements is left out of the sum, whose rounding it would swallow."""
    centred = _centred(x, axes)
    zero = asarray(np.zeros((), x.dtype))
    is_largest = find_op("equal")(centred, zero)
    others = find_op("where")(is_largest, zero, find_op("exp")(centred))
    count = make("sum", [cast(is_largest, x.dtype)], axes=axes)
    rest = make("sum", [others], axes=axes) + (count - 1.0)
    return centred - _keep(find_op("log1p")(rest), axes)  # type: ignore[no-any-return]


def _log_softmax_grad(
    g: Variable, y: Variable, x: Variable, axes: tuple[int, ...]
) -> list[Variable]:
    total = _keep(make("sum", [g], axes=axes), axes)
    return [g - make("softmax", [x], axes=axes) * total]


def _wide(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    wide = x.astype(np.longdouble)
    largest = wide.max(axis=axes, keepdims=True)
    centred = wide - np.where(np.isfinite(largest), largest, 0)
    return centred, np.exp(centred)


def _softmax_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        _, powers = _wide(x, axes)
        return (powers / powers.sum(axis=axes, keepdims=True)).astype(x.dtype)


def _log_softmax_reference(x: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        centred, powers = _wide(x, axes)
        rest = np.where(centred == 0, 0, powers).sum(axis=axes, keepdims=True)
        ties = (centred == 0).sum(axis=axes, keepdims=True)
        return (centred - np.log1p(rest + (ties - 1))).astype(x.dtype)


SOFTMAX = register(
    Op(
        "softmax",
        "composite",
        """exp(x) / sum(exp(x), axis, keepdims=True), without overflow.

        Shapes: as x.    Dtypes: floating; integers become float64.    NaN: fills its axis.
        """,
        infer=_same_type,
        front=_front("softmax"),
        reference=_softmax_reference,
        vjp=_softmax_grad,
        expand=_softmax_expand,
        source=BLANCHARD,
    )
)

LOG_SOFTMAX = register(
    Op(
        "log_softmax",
        "composite",
        """x - logsumexp(x, axis, keepdims=True), accurate near 0 too.

        Shapes: as x.    Dtypes: floating; integers become float64.    NaN: fills its axis.
        """,
        infer=_same_type,
        front=_front("log_softmax"),
        reference=_log_softmax_reference,
        vjp=_log_softmax_grad,
        expand=_log_softmax_expand,
        source=BLANCHARD,
    )
)
