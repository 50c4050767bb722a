"""``sum_high`` and ``sum_low``: a sum as an unevaluated pair, and what rounding took from it.

Both run Knuth's two-sum over the terms, one after the other: ``sum_high`` is the plain sum in
order, ``sum_low`` the sum of all that its additions rounded away. Together they are the sum to
twice the digits. Guards make them (``rewrite/guarded_sums.py``); users write ``sum``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.ir.dtype import DType
from symgraph.ir.op import Op
from symgraph.ops.kinds import Fold, reduction

Pair = tuple[Any, Any]


def two_sum(s: Any, x: Any, y: Any) -> Pair:
    """x + y, and what it rounds away."""
    total = s.add(x, y)
    back = s.sub(total, x)
    return total, s.add(s.sub(x, s.sub(total, back)), s.sub(y, back))


def _start(b: Any, dtype: DType) -> Pair:
    zero = b.const(0, dtype)
    return zero, zero


def _step(b: Any, state: Pair, value: Any, position: Any) -> Pair:
    total, lost = two_sum(b, state[0], value)
    return total, b.add(state[1], lost)


def _combine(b: Any, left: Pair, right: Pair) -> Pair:
    total, lost = two_sum(b, left[0], right[0])
    return total, b.add(b.add(left[1], right[1]), lost)


def _front(*args: Any, **attrs: Any) -> Any:
    raise TypeError("sums in pairs are made by the compiler")


def _reference(part: int) -> Callable[..., Any]:
    def reference(x: Any, axes: tuple[int, ...]) -> Any:
        with np.errstate(all="ignore"):
            wide = x.sum(axis=axes, dtype=np.longdouble)
            high = np.asarray(wide.astype(x.dtype))
            return (wide - high).astype(x.dtype) if part else high

    return reference


def _pair(name: str, doc: str, part: int) -> Op:
    return reduction(
        name,
        doc,
        front=_front,
        reference=_reference(part),
        fold=Fold(_start, _step, lambda b, state: state[part], _combine),
        source="Knuth, The Art of Computer Programming 2, 4.2.2; Ogita, Rump & Oishi 2005",
    )


SUM_HIGH = _pair("sum_high", "The sum over axes, term after term.", 0)
SUM_LOW = _pair("sum_low", "What the additions of ``sum_high`` round away.", 1)
