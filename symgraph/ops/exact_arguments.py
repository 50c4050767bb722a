"""Functions of exact sums, products and quotients: what ``rewrite.polish`` makes of some.

exp magnifies the rounding of its argument by the argument, pow that of an exponent by a logarithm.
Each of these ops takes what its argument was made of, finds what was rounded off it by error-free
steps, and adds that times the slope. Where there is no such number (the argument overflows) the
function of the rounded argument stays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from symgraph.ir.variable import Variable
from symgraph.ops.convert import make
from symgraph.ops.defects import in_long
from symgraph.ops.kinds import elementwise
from symgraph.ops.math import LN2, exp, log, log1p
from symgraph.ops.samples import INF, NAN, POSITIVE, reals

DEKKER = "error-free transformations: Dekker 1971, Numer. Math. 18; Knuth, TAOCP 2, 4.2.2"


def _rest(s: Any, x: Any, y: Any, total: Any) -> Any:
    """What x + y is more than their rounded sum (Knuth)."""
    part = s.sub(total, x)
    return s.add(s.sub(x, s.sub(total, part)), s.sub(y, part))


def _corrected(s: Any, found: Any, more: Any) -> Any:
    """found + more, if ``more`` is a number of its size."""
    size = s.mul(s.abs(found), 0.5)
    return s.select(s.lt(s.abs(more), size), s.add(found, more), found)


def _times(s: Any, x: tuple[Any, Any], y: Any) -> tuple[Any, Any]:
    high = s.mul(x[0], y)
    return high, s.fma(x[1], y, s.fma(x[0], y, s.neg(high)))


def _over(s: Any, x: tuple[Any, Any], y: Any) -> tuple[Any, Any]:
    high = s.div(x[0], y)
    return high, s.mul(s.add(s.fma(s.neg(high), y, x[0]), x[1]), s.reciprocal(y))


def _exp_monomial(
    s: Any, given: Any, *factors: Any, exponents: tuple[int, ...], scale: float
) -> Any:
    """By the factors above and below in turn, as pairs."""
    above = [x for x, e in zip(factors, exponents, strict=True) for _ in range(max(e, 0))]
    below = [x for x, e in zip(factors, exponents, strict=True) for _ in range(max(-e, 0))]
    pair = s.const(scale, given.dtype), s.const(0.0, given.dtype)
    if above and abs(scale) == 1.0:
        pair = above.pop(0) if scale > 0 else s.neg(above.pop(0)), pair[1]
    while above or below:
        if above:
            pair = _times(s, pair, above.pop(0))
        if below:
            pair = _over(s, pair, below.pop(0))
    found = s.exp(given)
    rest = s.add(s.sub(pair[0], given), pair[1])
    return _corrected(s, found, s.mul(found, rest))


def _monomial_reference(given: Any, *factors: Any, exponents: tuple[int, ...], scale: float) -> Any:
    import numpy as np

    def evaluate(plain: Any, *wide: Any) -> Any:
        total = scale
        for x, e in zip(wide, exponents, strict=True):
            total = total * x ** float(e)
        return np.exp(np.where(np.isfinite(total), total, plain))

    return in_long(evaluate)(given, *factors)


def _monomial_gradient(
    g: Variable, z: Variable, given: Variable, *factors: Variable, **attrs: Any
) -> list[Variable | None]:
    slopes = (g * (z * given) * (e / x) for x, e in zip(factors, attrs["exponents"], strict=True))
    return [None, *slopes]


def _row(name: str, doc: str, reference: Callable[..., Any], **row: Any) -> Any:
    defaults: dict[str, Any] = {"source": DEKKER, "ulp": 3.0, "arity": 2}
    return elementwise(
        name, doc, takes="floating", rule="float", reference=reference, **defaults | row
    )


exp_monomial = _row(
    "exp_monomial",
    "exp of a product of powers of what follows, times ``scale``; the first is that, rounded.",
    _monomial_reference,
    arity=3,
    options={"exponents": (1, -1), "scale": 1.0},
    scalar=_exp_monomial,
    grad=_monomial_gradient,
    samples=None,  # its arguments are not independent: tested by hand
)


def _sigmoid_difference(s: Any, x: Any, y: Any) -> Any:
    gap = s.sub(x, y)
    found = s.sigmoid(gap)
    slope = s.mul(found, s.sub(1, found))
    return _corrected(s, found, s.mul(slope, _rest(s, x, s.neg(y), gap)))


def _share(power: str, x: Any, y: Any) -> Any:
    """b**x / (b**x + b**y), where NumPy's function of this name gives powers of b."""
    import numpy as np

    small = getattr(np, power)(-np.abs(x - y))
    return np.where(x < y, small, 1) / (1 + small)


def _sigmoid_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    slope = g * (z * make("sigmoid_difference", [y, x]))
    return [slope, -slope]


sigmoid_difference = _row(
    "sigmoid_difference",
    "1 / (1 + exp(y - x)) of the exact difference.",
    in_long(partial(_share, "exp")),
    scalar=_sigmoid_difference,
    grad=_sigmoid_gradient,
    samples=(reals(-30, 30, also=(0.0, 1e-9, NAN)), reals(-30, 30, also=(0.0, 300.0, -80.0))),
)


def _share_of_two(s: Any, x: Any, y: Any) -> Any:
    gap = s.sub(x, y)
    found = s.exp2(s.neg(s.abs(gap)))
    rest = _rest(s, x, s.neg(y), gap)
    rest = s.mul(s.select(s.gt(gap, 0), s.neg(rest), rest), LN2)
    found = _corrected(s, found, s.mul(found, rest))
    return s.div(s.select(s.gt(gap, 0), s.const(1, x.dtype), found), s.add(found, 1))


def _share_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    slope = g * (LN2 * (z * make("share_of_two", [y, x])))
    return [slope, -slope]


share_of_two = _row(
    "share_of_two",
    "2**x / (2**x + 2**y) of the exact difference.",
    in_long(partial(_share, "exp2")),
    scalar=_share_of_two,
    grad=_share_gradient,
    samples=(reals(-30, 30, also=(0.0, 1e-9, NAN)), reals(-30, 30, also=(0.0, 300.0, -80.0))),
)


def _expm1_difference(s: Any, x: Any, y: Any) -> Any:
    gap = s.sub(x, y)
    found = s.expm1(gap)
    return _corrected(s, found, s.mul(s.add(found, 1), _rest(s, x, s.neg(y), gap)))


def _expm1_reference(x: Any, y: Any) -> Any:
    import numpy as np

    return np.expm1(x - y)


def _expm1_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    slope = g * exp(x - y)
    return [slope, -slope]


expm1_difference = _row(
    "expm1_difference",
    "exp(x - y) - 1 of the exact difference.",
    in_long(_expm1_reference),
    scalar=_expm1_difference,
    grad=_expm1_gradient,
    samples=(reals(-30, 30, also=(0.0, 1e-9, NAN)), reals(-30, 30, also=(0.0, 300.0, -INF))),
)


def _power_of_sum(word: str, logarithm: str) -> Callable[..., Any]:
    def scalar(s: Any, x: Any, y: Any, more: Any) -> Any:
        exponent = s.add(y, more)
        found = getattr(s, word)(x, exponent)
        lost = s.mul(getattr(s, logarithm)(x), _rest(s, y, more, exponent))
        return _corrected(s, found, s.mul(found, lost))

    return scalar


def _pow_reference(x: Any, y: Any, more: Any) -> Any:
    import numpy as np

    return np.power(x, y + more)


def _pow1p_reference(x: Any, y: Any, more: Any) -> Any:
    import numpy as np

    return np.exp((y + more) * np.log1p(x))


def _pow_gradient(
    g: Variable, z: Variable, x: Variable, y: Variable, more: Variable
) -> list[Variable]:
    slope = g * ((y + more) * make("pow_sum", [x, y, more - 1.0]))
    by_exponent = g * (z * log(x))
    return [slope, by_exponent, by_exponent]


def _pow1p_gradient(
    g: Variable, z: Variable, x: Variable, y: Variable, more: Variable
) -> list[Variable]:
    slope = g * ((y + more) * make("pow1p_sum", [x, y, more - 1.0]))
    by_exponent = g * (z * log1p(x))
    return [slope, by_exponent, by_exponent]


_EXPONENTS = (reals(-9, 9, also=(0.5, 300.0, -300.0, NAN)), reals(-2, 2, also=(-1.0, 1e-9)))
pow_sum = _row(
    "pow_sum",
    "x ** (y + more) of the exact sum, for x > 0.",
    in_long(_pow_reference),
    arity=3,
    scalar=_power_of_sum("pow", "log"),
    grad=_pow_gradient,
    samples=(POSITIVE, *_EXPONENTS),
)
pow1p_sum = _row(
    "pow1p_sum",
    "(1 + x) ** (y + more) of the exact sum, for x > -1.",
    in_long(_pow1p_reference),
    arity=3,
    scalar=_power_of_sum("pow1p", "log1p"),
    grad=_pow1p_gradient,
    samples=(reals(-0.9, 9, also=(1e-9, -0.5)), *_EXPONENTS),
)
