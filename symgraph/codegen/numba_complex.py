"""Words of many instructions, written as LLVM: complex division, abs, exp, and integer powers.

Division is Smith's, operation for operation as in NumPy, without branches. abs is hypot. exp
follows C99 Annex G for infinities, NaN and signed zeros.
Source: Smith 1962, Algorithm 116: Complex division, CACM 5(8).
"""

from __future__ import annotations

from typing import Any  # numba's contexts, builders and types have no annotations

from llvmlite import ir

from symgraph.codegen.functions import emit
from symgraph.codegen.numba_api import cgutils, types

Parts = tuple[Any, Any]


def real_kind(kind: Any) -> Any:
    """numba's float type of the parts of a complex type."""
    return types.float32 if kind == types.complex64 else types.float64


def _fabs(b: Any, x: Any) -> Any:
    return _intrinsic(b, "llvm.fabs", x)


def _intrinsic(b: Any, name: str, *args: Any) -> Any:
    """An LLVM intrinsic overloaded on the type of its arguments."""
    kind = args[0].type
    signature = ir.FunctionType(kind, [kind] * len(args))
    return b.call(b.module.declare_intrinsic(name, (kind,), signature), args)


def divide(b: Any, x: Parts, y: Parts) -> Parts:
    """(a + bi) / (c + di), scaled by the larger part of the divisor; x / 0 is infinite or NaN."""
    (re, im), (c, d) = x, y
    zero, one = ir.Constant(re.type, 0.0), ir.Constant(re.type, 1.0)
    big_c, big_d = _fabs(b, c), _fabs(b, d)
    by_real = b.fcmp_ordered(">=", big_c, big_d)
    large, small = b.select(by_real, c, d), b.select(by_real, d, c)
    u, v = b.select(by_real, re, im), b.select(by_real, im, re)
    ratio = b.fdiv(small, large)
    scale = b.fdiv(one, b.fadd(large, b.fmul(small, ratio)))
    cross = b.fmul(u, ratio)
    top = b.fmul(b.fadd(u, b.fmul(v, ratio)), scale)
    side = b.select(by_real, b.fsub(v, cross), b.fsub(cross, v))
    nothing = b.and_(b.fcmp_ordered("==", big_c, zero), b.fcmp_ordered("==", big_d, zero))
    return (
        b.select(nothing, b.fdiv(re, big_c), top),
        b.select(nothing, b.fdiv(im, big_c), b.fmul(side, scale)),
    )


def reciprocal(b: Any, x: Parts) -> Parts:
    """1 / (c + di), as NumPy computes it."""
    c, d = x
    one = ir.Constant(c.type, 1.0)
    by_real = b.fcmp_ordered("<=", _fabs(b, d), _fabs(b, c))
    large, small = b.select(by_real, c, d), b.select(by_real, d, c)
    ratio = b.fdiv(small, large)
    bottom = b.fadd(large, b.fmul(small, ratio))
    re = b.fdiv(b.select(by_real, one, ratio), bottom)
    return re, b.fdiv(b.fneg(b.select(by_real, ratio, one)), bottom)


def multiply(b: Any, x: Parts, y: Parts) -> Parts:
    """(a + bi)(c + di) by the school formula, as NumPy and C without Annex G."""
    (re, im), (c, d) = x, y
    return (
        b.fsub(b.fmul(re, c), b.fmul(im, d)),
        b.fadd(b.fmul(re, d), b.fmul(im, c)),
    )


def exponential(b: Any, kind: Any, x: Parts) -> Parts:
    """e**re * (cos im + i sin im)."""
    re, im = x
    float_kind = real_kind(kind)

    def number(value: float) -> Any:
        return ir.Constant(re.type, value)

    zero, infinite = number(0.0), number(float("inf"))
    # e**re may overflow where the product does not: two halves are multiplied one by one
    half = emit(b, "exp", float_kind, b.fmul(re, number(0.5)))
    whole = emit(b, "exp", float_kind, re)
    near_overflow = b.fcmp_ordered(">", re, number(88.0 if kind == types.complex64 else 709.0))
    cosine, sine = (emit(b, name, float_kind, im) for name in ("cos", "sin"))

    def times(part: Any) -> Any:
        split = b.fmul(b.fmul(part, half), half)
        return b.select(near_overflow, split, b.fmul(part, whole))

    turned = b.fcmp_unordered("!=", im, zero)
    endless = b.fcmp_unordered("uno", b.fsub(im, im), zero)  # im is infinite or NaN
    vanishing = b.fcmp_ordered("==", re, number(float("-inf")))
    growing = b.fcmp_ordered("==", re, infinite)
    top = b.select(turned, times(cosine), whole)
    side = b.select(turned, times(sine), im)
    top = b.select(b.and_(endless, growing), infinite, top)
    for_nothing = b.and_(endless, vanishing)
    return b.select(for_nothing, zero, top), b.select(for_nothing, zero, side)


def integer_power(context: Any, b: Any, kind: Any, x: Any, y: Any) -> Any:
    """x ** y by squaring, wrapping around; 1 / x ** -y truncated for a negative exponent."""
    width = x.type
    zero, one = ir.Constant(width, 0), ir.Constant(width, 1)
    power, factor, left = (cgutils.alloca_once_value(b, value) for value in (one, x, y))
    test, body, end = (b.append_basic_block(name) for name in ("power", "square", "done"))
    compare = b.icmp_signed if kind.signed else b.icmp_unsigned
    b.branch(test)
    b.position_at_end(test)
    more = compare(">", b.load(left), zero)
    b.cbranch(more, body, end)
    b.position_at_end(body)
    rest, base = b.load(left), b.load(factor)
    odd = b.trunc(rest, ir.IntType(1))
    b.store(b.mul(b.load(power), b.select(odd, base, one)), power)
    b.store(b.mul(base, base), factor)
    b.store(b.lshr(rest, one), left)
    b.branch(test)
    b.position_at_end(end)
    found = b.load(power)
    if not kind.signed:
        return found
    minus = ir.Constant(width, -1)
    is_odd = b.trunc(y, ir.IntType(1))
    unit = b.select(b.icmp_signed("==", x, minus), b.select(is_odd, minus, one), zero)
    unit = b.select(b.icmp_signed("==", x, one), one, unit)
    return b.select(b.icmp_signed("<", y, zero), unit, found)
