"""Whole numbers divided by a number that is known, so that a loop over them stays vector code.

    x // d = (m M >> 63 + l) ^ s,   s = x >> 63,   m = x ^ s,   M = ceil(2**(63 + l) / d)

with l the bits of d - 1: m is below 2**63, so that M, below 2**64, gives every quotient exactly
(Granlund & Montgomery 1994). LLVM divides so too, but by a product of 128 bits, which no vector
has; here it is four products of halves.
"""

from __future__ import annotations

from symgraph.codegen.llvm_text import Builder, Value, constant

_WIDE, _HALF = 64, 32
_LOW = (1 << _HALF) - 1


def floor_division(b: Builder, x: Value, divisor: int, remainder: bool) -> Value:
    """x // divisor or x % divisor of a signed number of 64 bits, for a divisor of 2 or more."""
    shift = (divisor - 1).bit_length()
    factor = -(-(1 << (_WIDE - 1 + shift)) // divisor)
    sign = b.ashr(x, _i64(_WIDE - 1))
    high = _upper_half(b, b.xor(x, sign), factor)
    quotient = b.xor(b.lshr(high, _i64(shift - 1)), sign)
    return b.sub(x, b.mul(quotient, _i64(divisor))) if remainder else quotient


def _upper_half(b: Builder, x: Value, y: int) -> Value:
    """The upper 64 bits of the product of two numbers without signs."""
    top, low = b.lshr(x, _i64(_HALF)), b.and_(x, _i64(_LOW))
    y_top, y_low = _i64(y >> _HALF), _i64(y & _LOW)
    # neither sum leaves 64 bits: (2**32 - 1)**2 + 2 (2**32 - 1) is 2**64 - 1
    middle = b.add(b.mul(top, y_low), b.lshr(b.mul(low, y_low), _i64(_HALF)))
    other = b.add(b.mul(low, y_top), b.and_(middle, _i64(_LOW)))
    carried = b.add(b.lshr(middle, _i64(_HALF)), b.lshr(other, _i64(_HALF)))
    return b.add(b.mul(top, y_top), carried)


def _i64(value: int) -> Value:
    return constant("i64", value)
