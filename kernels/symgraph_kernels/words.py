"""The primitive words: the small language in which every scalar function here is written, once.

A definition is a branch-free Python function `f(s, x, ...)`. `s` is an interpreter of the words
for one float type, and the values are whatever that interpreter computes with: `llvm.Words` emits
LLVM instructions, `plain.Words` works on NumPy arrays. Values understand `+ - * /`, unary `-`,
comparisons, and `& | ~` on conditions; a Python float beside a value is a constant of the value's
type. The words an interpreter has besides:

    s.wide                      True for float64, False for float32
    s.number(a, b)              the constant a in float64, b in float32
    s.poly(table, x)            `polynomial` of the coefficients in a `Table`
    s.fma(x, y, z)              x * y + z, rounded once
    s.select(c, x, y)           x where c else y; both are evaluated
    s.rint(x) s.floor(x) s.abs(x) s.sqrt(x) s.copysign(x, y)
    s.pow2(n)                   2**n for a float n, an integer in the normal exponent range
    s.scales                    True where s.ldexp(x, n) is an instruction: x * 2**n for a float n,
                                an integer below 2**31, rounded once
    s.frexp(x)                  (m, k): x = m * 2**k, sqrt(1/2) <= m < sqrt(2), k a float;
                                subnormal x included
    s.ratio(x, y)               (a, b, k): x / y = a / b * 2**k, 2/3 <= a/b <= 3/2, k a float;
                                x and y positive, subnormal ones included
    s.quadrant(n)               bits 0 and 1, as conditions, of the integer in the float n,
                                |n| < 2**51 (float32: 2**22)
    s.bits(x), s.from_bits(i)   the integer of the float's own width, and back; integers have
                                + - & | ^ << >> (arithmetic)
    s.floating(i)               the float of an integer's value
    s.lookup(table, i)          table[i] for an integer i; `table` is a tuple of floats
    s.double()                  the same interpreter for float64; s.widen(x), s.narrow(y) go
                                there and back
    s.far(name, fast, x)        `fast`, but where |x| >= `FAR[name].limit` what
                                `FAR[name].definition` gives; the only word that may branch
                                (vector code branches once per vector, see llvm.py)

Why so: LLVM vectorizes a loop only if each call in it is an intrinsic that it can widen, and
selects never stop it. The integer part lives in floats, because int64 <-> float32 conversions
halve the width of a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

type_names = {"float64": "f64", "float32": "f32"}


class Table(NamedTuple):
    """Polynomial coefficients, lowest degree first, for either float type."""

    float64: tuple[float, ...]
    float32: tuple[float, ...]


class Far(NamedTuple):
    """A function's rare arguments: |x| >= limit is computed by `definition`, in float64."""

    definition: Callable[..., Any]  # Any: values of whichever interpreter runs it
    limit: tuple[float, float]  # float64, float32


FAR: dict[str, Far] = {}

LONG = 7  # coefficients, from which on waiting for each fma costs more than two more of them


def polynomial(s: Any, coefficients: tuple[float, ...], x: Any) -> Any:
    """Horner's rule with fma, lowest degree first; if long, odd and even powers side by side.

    The last steps are Horner's in either case: what the others round off is multiplied by x.
    """
    if len(coefficients) < LONG:
        return _horner(s, coefficients, x)
    square = x * x
    odd, even = (_horner(s, coefficients[start::2], square) for start in (3, 2))
    rest = s.fma(odd, x, even)
    return s.fma(s.fma(rest, x, coefficients[1]), x, coefficients[0])


def _horner(s: Any, coefficients: tuple[float, ...], x: Any) -> Any:
    total: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = s.fma(total, x, c)
    return total


class Binary:
    """What interpreters make of the format of a float; they bring the words that it needs."""

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.mantissa, self.one, self.root_half = (
            (52, 0x3FF0000000000000, 0x3FE6A09E667F3BCD) if wide else (23, 0x3F800000, 0x3F3504F3)
        )
        self.least = 2.0 ** (-1022 if wide else -126)  # normal number
        self.lift = self.mantissa + 2  # times 2**lift, subnormal numbers are normal
        self.shift = 1.5 * 2.0**self.mantissa  # rounds what it is added to; the low bits have it

    def number(self, wide: float, narrow: float) -> float:
        return wide if self.wide else narrow

    def poly(self, table: Table, x: Any) -> Any:
        return polynomial(self, table.float64 if self.wide else table.float32, x)

    def pow2(self: Any, n: Any) -> Any:
        i = self.bits(n + self.shift)
        return self.from_bits((i << self.mantissa) + self.one)

    def frexp(self: Any, x: Any) -> tuple[Any, Any]:
        small = x < self.least
        d = self.bits(self.select(small, x * 2.0**self.lift, x)) - self.root_half
        m = self.from_bits((d & ((1 << self.mantissa) - 1)) + self.root_half)
        k = self.floating(d >> self.mantissa)
        return m, k - self.select(small, float(self.lift), 0.0)

    def ratio(self: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        lift = float(self.lift)
        x_small, y_small = x < self.least, y < self.least
        i = self.bits(self.select(x_small, x * 2.0**self.lift, x))
        j = self.bits(self.select(y_small, y * 2.0**self.lift, y))
        whole = -1 << self.mantissa
        down = (j - self.root_half) & whole
        apart = (i - j + (1 << (self.mantissa - 1))) & whole
        exponent = self.floating(apart >> self.mantissa)
        lifted = self.select(y_small, lift, 0.0) - self.select(x_small, lift, 0.0)
        return self.from_bits(i - down - apart), self.from_bits(j - down), exponent + lifted

    def quadrant(self: Any, n: Any) -> tuple[Any, Any]:
        i = self.bits(n + self.shift)
        return (i & 1) != 0, (i & 2) != 0
