"""sin, cos and tan of any finite argument.

Near (|x| < 2**30; float32: 2**13) by Cody & Waite: x - n pi/2 in three fma steps, of which the
first is exact, kept as y + c. Beyond, by Payne & Hanek 1983 in float64: x = M 2**(32 q); the
table has 2/pi * 2**(32 q) mod 4 in four floats, so that M times it, mod 4, keeps 120 bits after
the point whatever the exponent; this is the word `far`.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import COS, SIN, TAN
from symgraph_kernels.pairs import Pair, Value, fast_sum, full_sum, product
from symgraph_kernels.twooverpi import TWO_OVER_PI
from symgraph_kernels.words import FAR, Far

HALF_PI = (
    (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591815e-33),
    (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
)
LIMIT = (2.0**30, 2.0**13)
Reduced = tuple[Value, Value, Value]


def near(s: Any, x: Value) -> Reduced:
    """(y, c, n): x = n pi/2 + y + c, |y| <= pi/4, for |x| below the limit."""
    first, second, third = (-s.number(a, b) for a, b in zip(*HALF_PI, strict=True))
    n = s.rint(x * 0.6366197723675814)
    r = s.fma(n, first, x)
    y = s.fma(n, second, r)
    return y, s.fma(n, third, s.fma(n, second, r - y)), n


def huge(s: Any, x: Value, more: Value = 0, table: tuple[float, ...] = TWO_OVER_PI) -> Reduced:
    """The same in float64 for |x| 2**more >= 2**30, `more` an integer; n is only right modulo 4."""
    i = s.bits(s.abs(x))
    q = ((i >> 52) - 1075 + more) >> 5  # M = x 2**(-32 q) is an integer, since 4 * M must vanish
    q = s.select(q > 0, q, 0)
    scaled = s.from_bits(s.bits(x) - (((q << 5) - more) << 52))
    parts = [product(s, scaled, s.lookup(table, (q << 2) + j)) for j in range(4)]
    quarter, total, lows = None, None, []
    for term in (parts[0][0], parts[0][1], parts[1][0]):
        whole = s.rint(term)
        turn = whole - 4.0 * s.rint(whole * 0.25)
        if total is None:
            quarter, total = turn, term - whole
        else:
            quarter = quarter + turn
            total, low = full_sum(s, total, term - whole)
            lows.append(low)
    whole = s.rint(total)
    total, quarter = total - whole, quarter + whole
    low, rest = 0.0 * total, parts[2][1] + parts[3][0]
    for term in (*lows, parts[1][1], parts[2][0]):
        low, error = full_sum(s, low, term)
        rest = rest + error
    total, low = full_sum(s, total, low)
    low = low + rest
    y, error = product(s, total, HALF_PI[0][0])
    return y, error + s.fma(total, HALF_PI[0][1], low * HALF_PI[0][0]), quarter


def either(s: Any, x: Value) -> Reduced:
    """In float64: near or huge, by |x|."""
    beyond = s.abs(x) >= LIMIT[0]
    close = near(s, s.select(beyond, 0.0, x))
    far = huge(s, s.select(beyond, x, LIMIT[0]))
    y, c, n = (s.select(beyond, b, a) for a, b in zip(close, far, strict=True))
    return y + (x - x), c, n  # NaN for infinities


def sin_pair(s: Any, y: Value, c: Value) -> Pair:
    """sin(y + c), |y| <= pi/4."""
    z = y * y
    return y, s.fma(y * z, s.poly(SIN, z), c)


def cos_pair(s: Any, y: Value, c: Value) -> Pair:
    """cos(y + c), |y| <= pi/4."""
    z = y * y
    h = 0.5 * z
    w = 1.0 - h
    return w, ((1.0 - w) - h) + s.fma(z * z, s.poly(COS, z), -y * c)


def _sin(s: Any, reduced: Reduced, shift: float) -> Value:
    y, c, n = reduced
    odd, negative = s.quadrant(n + shift)
    high, low = sin_pair(s, y, c)
    base, rest = cos_pair(s, y, c)
    v = s.select(odd, base + rest, high + low)
    return s.select(negative, -v, v)


def _tan(s: Any, reduced: Reduced) -> Value:
    """tan(y + c), or -1 over it after an odd quarter, corrected by what the quotient misses."""
    y, c, n = reduced
    odd, _ = s.quadrant(n)
    z = y * y
    c = s.fma(c, z * 1.6, c)  # tan' = 1 + tan^2, nearly
    high, low = fast_sum(s, y, s.fma(y * z, s.poly(TAN, z), c))
    inverse = -1.0 / high
    miss = s.fma(high, inverse, 1.0) + low * inverse
    return s.select(odd, s.fma(miss, inverse, inverse), high + low)


def sin(s: Any, x: Value) -> Value:
    fast = _sin(s, near(s, x), 0.0)
    return s.far("sin", s.select(s.abs(x) < s.number(2.0**-30, 2.0**-14), x, fast), x)


def cos(s: Any, x: Value) -> Value:
    return s.far("cos", _sin(s, near(s, x), 1.0), x)


def tan(s: Any, x: Value) -> Value:
    fast = _tan(s, near(s, x))
    return s.far("tan", s.select(s.abs(x) < s.number(2.0**-30, 2.0**-14), x, fast), x)


FAR["sin"] = Far(lambda s, x: _sin(s, either(s, x), 0.0), LIMIT)
FAR["cos"] = Far(lambda s, x: _sin(s, either(s, x), 1.0), LIMIT)
FAR["tan"] = Far(lambda s, x: _tan(s, either(s, x)), LIMIT)
