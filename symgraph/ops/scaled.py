"""``scaled_product``: a product of powers whose intermediates cannot leave the range of the dtype.

Each factor is taken apart into a significand and a binary exponent; significands are multiplied,
exponents added, and the two are put together once. Where no intermediate of the plain product
leaves the range, the result has the same bits, since scaling by powers of 2 is exact. A few factors
of float32 are simply multiplied in float64, whose range holds all their products, and rounded once.

Rules make it (``rewrite/ranges.py``); users write products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from symgraph.ir.dtype import FLOAT32, FLOAT64, DType
from symgraph.ir.op import Op, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import make
from symgraph.ops.kinds import elementwise
from symgraph.ops.math import in_double
from symgraph.ops.samples import INF, NAN, reals

# float32: any product of some of six factors is the result (2**128) without the others (2**-149)
FEW_POWERS = 6
MOST_POWERS = 40  # significands are below 2, their product below 2**40: no overflow in float32
THEN = ("", "sqrt", "log", "log1p")
ROOT_TWO = math.sqrt(2)


class _Format(NamedTuple):
    """A binary format: integer of its width, bits of the significand, bias and mask of exponents.

    ``lift`` makes subnormal numbers normal; ``most`` is an exponent beyond the range by more than
    2**MOST_POWERS; ``magic`` added to a whole number leaves it in the low bits.
    """

    bits: DType
    mantissa: int
    bias: int
    mask: int
    lift: int
    most: int
    magic: float
    ln2_high: float
    ln2_low: float


# ln 2 in two parts, the first with as many trailing zeros as an exponent has digits
_DOUBLE = _Format(
    np.dtype("int64"), 52, 1023, 0x7FF, 64, 1300, 1.5 * 2.0**52,
    0.6931471803691238, 1.9082149292705877e-10,
)  # fmt: skip
_SINGLE = _Format(
    np.dtype("int32"), 23, 127, 0xFF, 32, 220, 1.5 * 2.0**23,
    0.693145751953125, 1.42860682030941723e-6,
)  # fmt: skip


def _format(dtype: DType) -> _Format:
    return _SINGLE if dtype.itemsize == 4 else _DOUBLE


def _parts(s: Any, x: Any, f: _Format) -> tuple[Any, Any]:
    """x as significand * 2**exponent; zeros, infinities and NaN are their own significand."""
    size = s.abs(x)
    small = s.lt(size, 2.0 ** (2 - f.bias))
    bits = s.bitcast(s.select(small, s.mul(x, 2.0**f.lift), x), f.bits)
    raised = s.and_(s.shr(bits, f.mantissa), f.mask)
    lifted = s.const(f.bias + f.lift, f.bits)
    exponent = s.sub(raised, s.select(small, lifted, s.const(f.bias, f.bits)))
    kept = s.and_(bits, ~(f.mask << f.mantissa))
    significand = s.bitcast(s.or_(kept, f.bias << f.mantissa), x.dtype)
    ordinary = s.and_(s.gt(size, 0), s.lt(size, INF))
    zero = s.const(0, f.bits)
    return s.select(ordinary, significand, x), s.select(ordinary, exponent, zero)


def _exp_parts(s: Any, x: Any, f: _Format) -> tuple[Any, Any]:
    """exp(x) as significand * 2**exponent."""
    limit = 16.0 * f.most  # beyond what all other factors together could bring back
    inside = s.maximum(s.minimum(x, limit), -limit)
    shifted = s.add(s.mul(inside, 1 / math.log(2)), f.magic)
    whole = s.sub(shifted, f.magic)
    magic = int(np.asarray(f.magic, x.dtype).view(f.bits))
    exponent = s.sub(s.bitcast(shifted, f.bits), magic)
    rest = s.sub(s.sub(inside, s.mul(whole, f.ln2_high)), s.mul(whole, f.ln2_low))
    ordinary = s.lt(s.abs(x), INF)
    zero = s.const(0, f.bits)
    return s.exp(s.select(ordinary, rest, x)), s.select(ordinary, exponent, zero)


def _power_of_two(s: Any, exponent: Any, f: _Format, dtype: DType) -> Any:
    return s.bitcast(s.shl(s.add(exponent, f.bias), f.mantissa), dtype)


def _joined(s: Any, significand: Any, exponent: Any, f: _Format) -> Any:
    """significand * 2**exponent, rounded once, in two steps that stay inside the range."""
    inside = s.maximum(s.minimum(exponent, f.most), -f.most)
    first = s.shr(inside, 1)
    dtype = significand.dtype
    half = s.mul(significand, _power_of_two(s, first, f, dtype))
    return s.mul(half, _power_of_two(s, s.sub(inside, first), f, dtype))


def _root(s: Any, significand: Any, exponent: Any, f: _Format) -> Any:
    odd = s.and_(exponent, 1)
    is_odd = s.eq(odd, 1)
    even = s.select(is_odd, s.mul(significand, 2), significand)
    return _joined(s, s.sqrt(even), s.shr(s.sub(exponent, odd), 1), f)


def _logarithm(s: Any, significand: Any, exponent: Any, f: _Format) -> Any:
    """log(significand) + exponent * log(2), the significand near 1."""
    inner, more = _parts(s, significand, f)
    large = s.gt(inner, ROOT_TWO)
    inner = s.select(s.and_(large, s.lt(inner, INF)), s.mul(inner, 0.5), inner)
    one, zero = s.const(1, f.bits), s.const(0, f.bits)
    total = s.add(s.add(exponent, more), s.select(large, one, zero))
    magic = int(np.asarray(f.magic, significand.dtype).view(f.bits))
    whole = s.sub(s.bitcast(s.add(total, magic), significand.dtype), f.magic)
    return s.add(s.mul(whole, f.ln2_high), s.add(s.log(inner), s.mul(whole, f.ln2_low)))


def _logarithm_of_one_more(s: Any, significand: Any, exponent: Any, f: _Format) -> Any:
    """log(1 + x): of x alone where it is large."""
    found = _joined(s, significand, exponent, f)
    large = s.gt(found, 2.0**60)
    small = s.log1p(s.select(large, s.const(1, found.dtype), found))
    return s.select(large, _logarithm(s, significand, exponent, f), small)


def _scaled(
    s: Any, *xs: Any, exponents: tuple[int, ...], exponentials: tuple[bool, ...], then: str
) -> Any:
    if xs[0].dtype.itemsize == 4 and sum(map(abs, exponents)) <= FEW_POWERS:
        return _in_float64(s, xs, exponents, exponentials, then)
    f = _format(xs[0].dtype)
    above, below, total = None, None, s.const(0, f.bits)
    for x, power, exponential in zip(xs, exponents, exponentials, strict=True):
        significand, exponent = (_exp_parts if exponential else _parts)(s, x, f)
        for _ in range(abs(power)):
            if power > 0:
                above = significand if above is None else s.mul(above, significand)
            else:
                below = significand if below is None else s.mul(below, significand)
        total = s.add(total, s.mul(exponent, power) if power != 1 else exponent)
    found = above if above is not None else s.const(1, xs[0].dtype)
    if below is not None:
        found = s.div(found, below)
    return _FINISH[then](s, found, total, f)


def _in_float64(
    s: Any,
    xs: Sequence[Any],
    exponents: Sequence[int],
    exponentials: Sequence[bool],
    then: str,
) -> Any:
    """The function of a product of float32 by float64."""
    above, below = None, None
    for x, power, exponential in zip(xs, exponents, exponentials, strict=True):
        wide = s.cast(x, FLOAT64)
        if exponential:  # held to where its power neither overflows nor brings anything back
            limit = 700.0 / abs(power)
            held = s.maximum(s.minimum(wide, limit), -limit)
            wide = s.exp(s.select(s.lt(s.abs(wide), INF), held, wide))
        for _ in range(abs(power)):
            if power > 0:
                above = wide if above is None else s.mul(above, wide)
            else:
                below = wide if below is None else s.mul(below, wide)
    found = above if above is not None else s.const(1, FLOAT64)
    found = found if below is None else s.div(found, below)
    return s.cast(getattr(s, then)(found) if then else found, FLOAT32)


_FINISH = {"": _joined, "sqrt": _root, "log": _logarithm, "log1p": _logarithm_of_one_more}


def _reference(*xs: Any, exponents: Sequence[int], exponentials: Sequence[bool], then: str) -> Any:
    """The same in long double with separate exponents, rounded once."""
    found: Any = np.longdouble(1)
    total: Any = np.int64(0)
    for x, power, exponential in zip(xs, exponents, exponentials, strict=True):
        wide = np.asarray(x, "longdouble")
        if exponential:
            whole = np.where(np.abs(wide) < 1e6, np.rint(wide / np.log(np.longdouble(2))), 0)
            whole = whole.astype("int64")
            m, k = np.exp(wide - whole * np.log(np.longdouble(2))), whole
        else:
            m, k = np.frexp(wide)
        for _ in range(abs(power)):
            found = found * m if power > 0 else found / m
        total = total + power * k.astype("int64")
    if then.startswith("log"):
        whole = np.ldexp(found, np.clip(total, -20000, 16000).astype("int32"))
        near = np.log1p(np.where(whole < 2.0**60, whole, 0))
        inner, more = np.frexp(found)
        low = inner < np.sqrt(np.longdouble(0.5))
        inner, more = np.where(low, inner * 2, inner), more + total - low
        far = np.log(inner) + more * np.log(np.longdouble(2))
        return np.where(whole < 2.0**60, near, far) if then == "log1p" else far
    if then == "sqrt":
        odd = total % 2
        found, total = np.sqrt(found * np.where(odd, 2, 1)), (total - odd) // 2
    return np.ldexp(found, np.clip(total, -20000, 20000).astype("int32"))


def _gradient(
    g: Variable,
    y: Variable,
    *xs: Variable,
    exponents: tuple[int, ...],
    exponentials: tuple[bool, ...],
    then: str,
) -> list[Variable]:
    """d log(product) = sum of exponent * dx / x; of an exponential, exponent * dx."""
    found = []
    for k, x in enumerate(xs):
        share = float(exponents[k]) * (0.5 if then == "sqrt" else 1.0)
        if then.startswith("log"):
            # log1p(p) has p / (1 + p) of the slope of log(p)
            weight = -find_op("expm1")(-y) if then == "log1p" else 1.0
            found.append(g * share * weight if exponentials[k] else g * share * weight / x)
        elif exponentials[k]:
            found.append(g * share * y)
        elif then == "sqrt":
            found.append(g * share * (y / x))
        else:
            lower = tuple(e - (j == k) for j, e in enumerate(exponents))
            rest = make(
                "scaled_product", list(xs), exponents=lower, exponentials=exponentials, then=""
            )
            found.append(g * share * rest)
    return found


SCALED: Op = elementwise(
    "scaled_product",
    """Product of x[k] ** exponents[k], whose intermediates have exponents of their own.

    Where ``exponentials[k]``, exp(x[k]) takes the place of x[k]. ``then``: "", or "sqrt", "log"
    or "log1p" of the product. Overflows and underflows only where the result does.
    """,
    arity=3,
    takes="floating",
    rule="float",
    reference=in_double(_reference),
    options={"exponents": (1, 1, -1), "exponentials": (False, False, False), "then": ""},
    scalar=_scaled,
    grad=_gradient,
    samples=(
        reals(-9, 9, also=(1e200, -1e-200, 5e-324, 0.0, INF, NAN)),
        reals(-9, 9, also=(1e200, 1e-200, -5e-324, 1.0)),
        reals(1, 9, also=(1e200, 1e-200, 5e-324, -1.0, INF)),
    ),
    ulp=3.0,
    source="scaling by powers of 2 is exact in IEEE 754",
)
