"""Words of many instructions, written as LLVM: complex division, abs, exp, and integer powers.

They write through an emitter of ``llvm_words``.

Division is Smith's, operation for operation as in NumPy, without branches. abs is hypot. exp
follows C99 Annex G for infinities, NaN and signed zeros.
Source: Smith 1962, Algorithm 116: Complex division, CACM 5(8).
"""

from __future__ import annotations

from typing import Any  # emitters and values of either route

Parts = tuple[Any, Any]


def divide(e: Any, x: Parts, y: Parts) -> Parts:
    """(a + bi) / (c + di), scaled by the larger part of the divisor; x / 0 is infinite or NaN."""
    b, (re, im), (c, d) = e.b, x, y
    zero, one = e.constant(re.type, 0.0), e.constant(re.type, 1.0)
    big_c, big_d = e.call("fabs", c), e.call("fabs", d)
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


def reciprocal(e: Any, x: Parts) -> Parts:
    """1 / (c + di), as NumPy computes it."""
    b, (c, d) = e.b, x
    one = e.constant(c.type, 1.0)
    by_real = b.fcmp_ordered("<=", e.call("fabs", d), e.call("fabs", c))
    large, small = b.select(by_real, c, d), b.select(by_real, d, c)
    ratio = b.fdiv(small, large)
    bottom = b.fadd(large, b.fmul(small, ratio))
    re = b.fdiv(b.select(by_real, one, ratio), bottom)
    return re, b.fdiv(b.fneg(b.select(by_real, ratio, one)), bottom)


def multiply(e: Any, x: Parts, y: Parts) -> Parts:
    """(a + bi)(c + di) by the school formula, as NumPy and C without Annex G."""
    b, (re, im), (c, d) = e.b, x, y
    return (
        b.fsub(b.fmul(re, c), b.fmul(im, d)),
        b.fadd(b.fmul(re, d), b.fmul(im, c)),
    )


def exponential(e: Any, x: Parts) -> Parts:
    """e**re * (cos im + i sin im)."""
    b, (re, im) = e.b, x

    def number(value: float) -> Any:
        return e.constant(re.type, value)

    zero, infinite = number(0.0), number(float("inf"))
    # e**re may overflow where the product does not: two halves are multiplied one by one
    half = e.function("exp", b.fmul(re, number(0.5)))
    whole = e.function("exp", re)
    near_overflow = b.fcmp_ordered(">", re, number(88.0 if e.part.itemsize == 4 else 709.0))
    cosine, sine = (e.function(name, im) for name in ("cos", "sin"))

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


def integer_power(e: Any, x: Any, y: Any) -> Any:
    """x ** y by squaring, wrapping around; 1 / x ** -y truncated for a negative exponent."""
    b, zero, one = e.b, e.number(0), e.number(1)
    before = b.block
    test, body, end = (b.append_basic_block(name) for name in ("power", "square", "done"))
    b.branch(test)
    b.position_at_end(test)
    power, factor, left = (b.phi(e.kind) for _ in range(3))
    b.cbranch(e.compare(">", left, zero), body, end)
    b.position_at_end(body)
    odd = b.trunc(left, e.integer(1))
    turn = b.mul(power, b.select(odd, factor, one)), b.mul(factor, factor), b.lshr(left, one)
    for phi, first, following in zip((power, factor, left), (one, x, y), turn, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(following, body)
    b.branch(test)
    b.position_at_end(end)
    if not e.signed:
        return power
    minus = e.number(-1)
    is_odd = b.trunc(y, e.integer(1))
    unit = b.select(b.icmp_signed("==", x, minus), b.select(is_odd, minus, one), zero)
    unit = b.select(b.icmp_signed("==", x, one), one, unit)
    return b.select(b.icmp_signed("<", y, zero), unit, power)
