"""Comparisons, logic, bits, tests of values, and choice (``where``).

Comparisons are exact also where no dtype holds both sides: int64 with uint64, and Python integers
outside the range of the array's dtype.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, message
from symgraph.ir.dtype import BOOL, UINTS, DType
from symgraph.ir.op import NUMPY_FUNCTIONS, Op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, cast, common, make, unsupported, wrap
from symgraph.ops.kinds import elementwise, elementwise_front
from symgraph.ops.samples import ANY, SPECIALS, booleans, integers, reals

ARRAY_API = "Array API standard 2024.12"
NUMPY = "NumPy 2 reference"
UINT64 = UINTS[3]

# Comparisons ----------------------------------------------------------------------------------


def _comparison_front(name: str, takes: str) -> Callable[..., Variable]:
    ordinary = elementwise_front(name, 2, takes, "same", {})
    compare = getattr(operator, _PYTHON[name])

    def front(*args: Any, **given: Any) -> Variable:
        if len(args) != 2 or given:
            return ordinary(*args, **given)
        x, y = asarray(args[0]), asarray(args[1])
        for left, right, turned in ((x, y, False), (y, x, True)):
            outside = _beyond(left, right)
            if outside is not None:  # then every element compares alike, as 0 does with outside
                answer = compare(outside, 0) if turned else compare(0, outside)
                return _everywhere(left, answer)
        signs = {x.dtype.kind, y.dtype.kind}
        if signs == {"i", "u"} and UINT64 in (x.dtype, y.dtype) and not (x.weak or y.weak):
            return _mixed(ordinary, compare, x, y)
        return ordinary(x, y)

    return front


_PYTHON = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}


def _beyond(x: Variable, number: Variable) -> int | None:
    """-1 or 1 for a Python integer below or above the range of the dtype of x; else None."""
    if x.weak or not number.weak or number.node.op.name != "constant":
        return None
    if x.dtype.kind not in "iu" or number.dtype.kind not in "iu":
        return None
    info = np.iinfo(x.dtype)  # type: ignore[type-var]  # an integer dtype, by the test above
    value = int(number.node.attrs["value"])
    return -1 if value < info.min else 1 if value > info.max else None


def _everywhere(x: Variable, answer: bool) -> Variable:
    """One truth value in the shape of an integer x."""
    return make("equal" if answer else "not_equal", [x, x])


def _mixed(
    ordinary: Callable[..., Variable], compare: Callable[..., bool], x: Variable, y: Variable
) -> Variable:
    """int64 with uint64: as uint64 where the signed one is not negative."""
    signed = x if x.dtype.kind == "i" else y
    as_unsigned = ordinary(cast(x, UINT64), cast(y, UINT64))
    if_negative = compare(-1, 0) if signed is x else compare(0, -1)
    below = signed < 0
    return below | as_unsigned if if_negative else ~below & as_unsigned  # type: ignore[no-any-return]


def _comparison(name: str, formula: str, word: str, takes: str, **row: Any) -> Op:
    """A row of comparison."""
    more = {"numpy": ()} | row
    return elementwise(
        name,
        f"{formula}. False for NaN{', but not_equal is True' if word == 'ne' else ''}; exact for "
        "integers of any two dtypes.",
        arity=2,
        takes=takes,
        word=word,
        result="bool",
        front=_comparison_front(name, takes),
        reference=getattr(np, name),
        samples=(reals(-10, 10, also=SPECIALS), integers(-10, 10, also=(0, 1))),
        source=ARRAY_API,
        **more,
    )


_SYMMETRIC = frozenset(("commutative",))
equal = _comparison("equal", "x == y", "eq", "any", properties=_SYMMETRIC)
not_equal = _comparison("not_equal", "x != y", "ne", "any", properties=_SYMMETRIC)
less = _comparison("less", "x < y", "lt", "real_or_bool")
less_equal = _comparison("less_equal", "x <= y", "le", "real_or_bool")
greater = _comparison("greater", "x > y", "gt", "real_or_bool")
greater_equal = _comparison("greater_equal", "x >= y", "ge", "real_or_bool")


def _is_close(x: Variable, y: Variable, rtol: float, atol: float, equal_nan: bool) -> Variable:
    near = (abs(x - y) <= atol + rtol * abs(y)) & isfinite(y)
    near = near | equal(x, y)
    return near | (isnan(x) & isnan(y)) if equal_nan else near  # type: ignore[no-any-return]


isclose = elementwise(
    "isclose",
    "|x - y| <= atol + rtol * |y|, or x == y. NaN is close to nothing, with ``equal_nan`` to NaN.",
    arity=2,
    takes="inexact",
    rule="quotient",
    result="bool",
    options={"rtol": 1e-05, "atol": 1e-08, "equal_nan": False},
    expand=_is_close,
    reference=lambda x, y, rtol, atol, equal_nan: np.isclose(x, y, rtol, atol, equal_nan),
    samples=(ANY, ANY),
    source=NUMPY,
)

# Logic and bits -------------------------------------------------------------------------------


def _logical(name: str, formula: str, word: str, arity: int = 2, **row: Any) -> Op:
    """A row of logic: operands are taken as bool (x != 0; NaN is true)."""
    return elementwise(
        name,
        f"{formula}, each taken as x != 0 (NaN is true).",
        arity=arity,
        rule="logical",
        word=word,
        result="bool",
        reference=getattr(np, name),
        samples=(booleans(),) * arity,
        source=ARRAY_API,
        **row,
    )


_LATTICE = frozenset(("commutative", "associative", "idempotent"))
logical_and = _logical("logical_and", "x and y", "and_", properties=_LATTICE)
logical_or = _logical("logical_or", "x or y", "or_", properties=_LATTICE)
logical_xor = _logical(
    "logical_xor", "x or y, not both", "xor", properties=frozenset(("commutative", "associative"))
)
logical_not = _logical("logical_not", "not x", "not_", arity=1)


def _bitwise(name: str, formula: str, word: str, arity: int = 2, **row: Any) -> Op:
    """A row on bits; logic for bool."""
    return elementwise(
        name,
        f"{formula}, bit by bit; for bool the logical one.",
        arity=arity,
        takes="bits",
        word=word,
        reference=getattr(np, name),
        samples=(integers(-1000, 1000, also=(0, -1)),) * arity,
        source=ARRAY_API,
        **row,
    )


bitwise_and = _bitwise("bitwise_and", "x and y", "and_", properties=_LATTICE)
bitwise_or = _bitwise("bitwise_or", "x or y", "or_", properties=_LATTICE)
bitwise_xor = _bitwise(
    "bitwise_xor",
    "x or y, not both",
    "xor",
    properties=frozenset(("commutative", "associative")),
)
bitwise_invert = _bitwise(
    "bitwise_invert", "not x", "not_", arity=1, numpy=("invert", "bitwise_not")
)


def _shift(name: str, doc: str, word: str, numpy: str) -> Op:
    """A row of shifting; the count is outside 0 .. width-1 at times."""
    return elementwise(
        name,
        doc,
        arity=2,
        takes="integer",
        rule="numeric",
        word=word,
        reference=getattr(np, name),
        samples=(integers(-1000, 1000, also=(0, -1)), integers(0, 12, also=(0, 7, 8, 31, 63, 100))),
        numpy=(numpy,),
        source=ARRAY_API,
    )


bitwise_left_shift = _shift(
    "bitwise_left_shift",
    "x * 2**y, wrapping around; 0 where y is not in 0 .. width-1.",
    "shl",
    "left_shift",
)
bitwise_right_shift = _shift(
    "bitwise_right_shift",
    "floor(x / 2**y); 0 (-1 for negative x) where y is not in 0 .. width-1.",
    "shr",
    "right_shift",
)


def _bit_count(s: Any, x: Any) -> Any:
    """The ones among the bits, by sums over pairs, fours, eights, ... of bits."""
    width = 8 * x.dtype.itemsize
    unsigned = np.dtype(f"uint{width}")
    if x.dtype.kind == "i":
        x = s.select(s.lt(x, 0), s.neg(x), x)
    bits = s.cast(x, unsigned)
    group = 1
    while group < width:
        mask = sum((2**group - 1) << k for k in range(0, width, 2 * group))
        low = s.and_(bits, s.const(np.array(mask, unsigned), unsigned))
        high = s.and_(
            s.shr(bits, s.const(group, unsigned)), s.const(np.array(mask, unsigned), unsigned)
        )
        bits, group = s.add(low, high), 2 * group
    return s.cast(bits, UINTS[0])


def _count_front(x: Any) -> Variable:
    (operand,) = common([x], "numeric")
    return _ordinary_count(operand, UINTS[0])


_ordinary_count = elementwise_front("bitwise_count", 1, "integer", "numeric", {"dtype": UINTS[0]})
bitwise_count = elementwise(
    "bitwise_count",
    "The number of ones in the binary form of |x|, as uint8.",
    takes="integer",
    rule="numeric",
    result="dtype",
    options={"dtype": UINTS[0]},
    front=_count_front,
    scalar=lambda s, x, dtype: _bit_count(s, x),
    reference=lambda x, dtype: np.bitwise_count(x),
    samples=(integers(-1000, 1000, also=(0, -1, 127, -128)),),
    source=NUMPY,
)

# Tests of values ------------------------------------------------------------------------------


def _test(name: str, doc: str, for_integers: bool) -> Op:
    """A row that asks whether a number is of some sort; integers and bool are all alike."""
    return elementwise(
        name,
        doc,
        result="bool",
        scalar=lambda s, x: getattr(s, name)(x) if _inexact(x) else s.const(for_integers, BOOL),
        reference=getattr(np, name),
        samples=(ANY,),
        source=ARRAY_API,
    )


def _inexact(x: Any) -> bool:
    return x.dtype.kind in "fc"


isnan = _test("isnan", "Is x NaN (or one part of a complex x)?", for_integers=False)
isinf = _test("isinf", "Is x infinite (or one part of a complex x)?", for_integers=False)
isfinite = _test("isfinite", "Is x neither infinite nor NaN?", for_integers=True)


def _signbit(s: Any, x: Any) -> Any:
    if x.dtype.kind == "f":
        return s.signbit(x)
    return s.lt(x, 0) if x.dtype.kind == "i" else s.const(False, BOOL)


signbit = elementwise(
    "signbit",
    "Is the sign bit of x set? True for -0.0 and for a NaN of negative sign.",
    takes="real_or_bool",
    result="bool",
    scalar=_signbit,
    reference=np.signbit,
    samples=(ANY,),
    source=ARRAY_API,
)


def isposinf(x: Any) -> Variable:
    """Is x +inf?"""
    return isinf(x) & ~signbit(x)  # type: ignore[no-any-return]


def isneginf(x: Any) -> Variable:
    """Is x -inf?"""
    return isinf(x) & signbit(x)  # type: ignore[no-any-return]


# Choice ---------------------------------------------------------------------------------------


def _where(*args: Any, **given: Any) -> Variable:
    if len(args) == 1 and not given:
        raise unsupported("where", "where(condition) alone is nonzero(condition)", "use sg.nonzero")
    if len(args) != 3 or given:
        raise ArgumentError(
            message(
                f"where takes 3 arguments, got {len(args) + len(given)}",
                hint="where(condition, x, y)",
            )
        )
    (condition,) = common(args[:1], "logical")
    raw = [asarray(a) for a in args[1:]]
    made = make("where", [condition, *common(raw)])
    made.weak = all(x.weak for x in (asarray(args[0]), *raw))
    return made


def _where_gradient(
    g: Variable, z: Variable, condition: Variable, x: Variable, y: Variable
) -> list[Variable | None]:
    return [None, where(condition, g, 0.0), where(condition, 0.0, g)]


where = elementwise(
    "where",
    "x where condition, else y. Both are evaluated; no NaN passes from the one not taken, nor from "
    "its gradient.",
    arity=3,
    scalar=lambda s, condition, x, y: s.select(condition, x, y),
    front=_where,
    reference=np.where,
    grad=_where_gradient,
    samples=(booleans(), ANY, ANY),
    source=ARRAY_API,
)


def _largest(dtype: DType) -> float:
    return float(np.finfo(dtype).max)  # type: ignore[type-var]  # a floating dtype


def _replaced(x: Variable, nan: float, posinf: float, neginf: float) -> Variable:
    """Each infinity and NaN replaced; finite x keep their gradient, replaced ones have none."""
    if x.dtype.kind == "c":
        from symgraph.ops.parts import complex, imag, real

        parts = [_replaced(part(x), nan, posinf, neginf) for part in (real, imag)]
        return complex(*parts)  # type: ignore[no-any-return]
    largest = _largest(x.dtype)
    high = largest if math.isnan(posinf) else posinf
    low = -largest if math.isnan(neginf) else neginf
    most, least, other = (asarray(np.asarray(v, x.dtype)) for v in (high, low, nan))
    bounded = where(isinf(x), where(x > 0, most, least), x)
    return where(isnan(x), other, bounded)  # type: ignore[no-any-return]


_ordinary_nan_to_num = elementwise_front(
    "nan_to_num", 1, "any", "same", {"nan": 0.0, "posinf": math.nan, "neginf": math.nan}
)


def _nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Variable:
    operand = asarray(x)
    if operand.dtype.kind not in "fc":
        return wrap(operand.node, weak=operand.weak)
    high, low = (math.nan if v is None else float(v) for v in (posinf, neginf))
    return _ordinary_nan_to_num(operand, nan=float(nan), posinf=high, neginf=low)


def _nan_to_num_reference(x: Any, nan: float, posinf: float, neginf: float) -> Any:
    bounds = [None if math.isnan(v) else v for v in (posinf, neginf)]
    return np.nan_to_num(x, nan=nan, posinf=bounds[0], neginf=bounds[1])


nan_to_num = elementwise(
    "nan_to_num",
    "x with NaN replaced by ``nan`` and infinities by ``posinf`` and ``neginf`` (None: the largest "
    "finite numbers). Integers stay. Gradient: 0 where replaced.",
    takes="inexact",
    options={"nan": 0.0, "posinf": math.nan, "neginf": math.nan},
    front=_nan_to_num,
    expand=_replaced,
    reference=_nan_to_num_reference,
    samples=(ANY,),
    source=NUMPY,
)

NUMPY_FUNCTIONS.update({"isposinf": isposinf, "isneginf": isneginf})
