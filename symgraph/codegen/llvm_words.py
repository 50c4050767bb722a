"""The words of the loop IR as LLVM instructions, for every route that ends in LLVM.

Each word is one LLVM instruction or intrinsic where there is one that the vectorizer widens;
elementary functions come from ``symgraph_kernels``. An emitter writes through an ``Emitter``: the
builder of llvmlite under numba (``numba_words``, ``numba_cuda_words``), or of plain text
(``llvm_text``). Types are checked by the loop IR's verifier; all arguments of a word have one type
here too, but for the condition of ``select``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # values and types of either builder, which have no common type

import numpy as np

from symgraph.codegen import llvm_complex
from symgraph.loop.words import COMPLEX_PARTS

DType = np.dtype[np.generic]
Emit = Callable[["Emitter", Any], Any]


class Emitter:
    """Words on arguments of one dtype while they become LLVM; a route fills in the last part."""

    __slots__ = ("b", "dtype", "result")

    def __init__(self, b: Any, dtype: DType, result: DType) -> None:
        self.b, self.dtype, self.result = b, dtype, result

    @property
    def is_bool(self) -> bool:
        """Is the argument a truth value?"""
        return self.dtype.kind == "b"

    @property
    def is_float(self) -> bool:
        """Is the argument float32 or float64?"""
        return self.dtype.kind == "f"

    @property
    def is_complex(self) -> bool:
        """Is the argument complex64 or complex128?"""
        return self.dtype.kind == "c"

    @property
    def signed(self) -> bool:
        """Is the argument a signed integer?"""
        return self.dtype.kind == "i"

    @property
    def width(self) -> int:
        """Bits of the argument."""
        return 8 * self.dtype.itemsize

    @property
    def part(self) -> DType:
        """The dtype of the parts of a complex argument; of any other the dtype itself."""
        return COMPLEX_PARTS.get(self.dtype, self.dtype)

    @property
    def kind(self) -> Any:
        """The LLVM type of the argument."""
        return self.kind_of(self.dtype)

    def number(self, value: float) -> Any:
        """A constant of the argument's type."""
        return self.constant(self.kind, value)

    def compare(self, operator: str, x: Any, y: Any) -> Any:
        """An ordered comparison (!=: true for NaN)."""
        if self.is_float:
            way = self.b.fcmp_unordered if operator == "!=" else self.b.fcmp_ordered
            return way(operator, x, y)
        way = self.b.icmp_signed if self.signed else self.b.icmp_unsigned
        return way(operator, x, y)

    # ------------------------------------------------------------ what a route fills in

    def kind_of(self, dtype: DType) -> Any:
        """The LLVM type of a dtype."""
        raise NotImplementedError

    def integer(self, width: int) -> Any:
        """The LLVM type of an integer of so many bits."""
        raise NotImplementedError

    def constant(self, kind: Any, value: float) -> Any:
        """A constant of an LLVM type."""
        raise NotImplementedError

    def call(self, name: str, *args: Any) -> Any:
        """An LLVM intrinsic overloaded on the type of the first argument: llvm.<name>.f64."""
        raise NotImplementedError

    def function(self, word: str, *args: Any) -> Any:
        """An elementary or special function of floats of dtype ``part``."""
        raise NotImplementedError

    def parts(self, x: Any) -> tuple[Any, Any]:
        """Real and imaginary part of a complex value."""
        raise NotImplementedError

    def whole(self, re: Any, im: Any) -> Any:
        """A complex value of the result's type from its parts."""
        raise NotImplementedError


# ---------------------------------------------------------------- emitters


def _by_kind(on_float: str, on_int: str, flags: tuple[str, ...] = ()) -> Emit:
    def emit(e: Emitter, args: Any) -> Any:
        if e.is_float:
            return getattr(e.b, on_float)(*args, flags=flags)
        return getattr(e.b, on_int)(*args)

    return emit


def _add(e: Emitter, args: Any) -> Any:
    if e.is_bool:
        return e.b.or_(*args)
    if e.is_complex:
        (a, b), (c, d) = e.parts(args[0]), e.parts(args[1])
        return e.whole(e.b.fadd(a, c), e.b.fadd(b, d))
    return _by_kind("fadd", "add")(e, args)


def _mul(e: Emitter, args: Any) -> Any:
    if e.is_bool:
        return e.b.and_(*args)
    if e.is_complex:
        return e.whole(*llvm_complex.multiply(e, e.parts(args[0]), e.parts(args[1])))
    return _by_kind("fmul", "mul")(e, args)


def _sub(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return _add(e, [args[0], _neg(e, args[1:])])
    return _by_kind("fsub", "sub")(e, args)


def _div(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*llvm_complex.divide(e, e.parts(args[0]), e.parts(args[1])))
    return e.b.fdiv(*args)


def _neg(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*(e.b.fneg(part) for part in e.parts(args[0])))
    return e.b.fneg(args[0]) if e.is_float else e.b.neg(args[0])


def _abs(e: Emitter, args: Any) -> Any:
    if e.is_float:
        return e.call("fabs", *args)
    if e.is_complex:
        return e.function("hypot", *e.parts(args[0]))
    if not e.signed:
        return args[0]
    return e.call("abs", args[0], e.constant(e.integer(1), 0))


def _sign(e: Emitter, args: Any) -> Any:
    (x,) = args
    zero, one = e.number(0), e.number(1)
    positive = e.b.select(e.compare(">", x, zero), one, zero)
    if not (e.signed or e.is_float):
        return positive
    found = e.b.select(e.compare("<", x, zero), e.number(-1), positive)
    return e.b.select(e.b.fcmp_unordered("uno", x, x), x, found) if e.is_float else found


def _extreme(operator: str, on_float: str) -> Emit:
    def emit(e: Emitter, args: Any) -> Any:
        if e.is_bool:
            return e.b.and_(*args) if operator == "<" else e.b.or_(*args)
        if e.is_float:
            return e.call(on_float, *args)
        name = ("s" if e.signed else "u") + ("min" if operator == "<" else "max")
        return e.call(name, *args)

    return emit


def _drop_nan(operator: str) -> Emit:
    """fmin, fmax: as minimum and maximum, but the other argument where one is NaN."""
    extreme = _extreme(operator, "minimum" if operator == "<" else "maximum")

    def emit(e: Emitter, args: Any) -> Any:
        found = extreme(e, args)
        if not e.is_float:
            return found
        x, y = args
        found = e.b.select(e.b.fcmp_unordered("uno", y, y), x, found)
        return e.b.select(e.b.fcmp_unordered("uno", x, x), y, found)

    return emit


def _intrinsic(name: str) -> Emit:
    return lambda e, args: e.call(name, *args)


def _square(e: Emitter, args: Any) -> Any:
    return _mul(e, [args[0], args[0]])


def _reciprocal(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*llvm_complex.reciprocal(e, e.parts(args[0])))
    return e.b.fdiv(e.number(1), args[0])


def _exp(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*llvm_complex.exponential(e, e.parts(args[0])))
    return e.function("exp", *args)


def _pow(e: Emitter, args: Any) -> Any:
    if e.is_float:
        return e.function("pow", *args)
    return llvm_complex.integer_power(e, *args)


def _fma(e: Emitter, args: Any) -> Any:
    if e.is_float:
        return e.call("fma", *args)
    return e.b.add(e.b.mul(args[0], args[1]), args[2])


def _comparison(operator: str) -> Emit:
    def emit(e: Emitter, args: Any) -> Any:
        if not e.is_complex:
            return e.compare(operator, *args)
        (a, b), (c, d) = e.parts(args[0]), e.parts(args[1])
        if operator == "==":
            return e.b.and_(e.b.fcmp_ordered("==", a, c), e.b.fcmp_ordered("==", b, d))
        return e.b.or_(e.b.fcmp_unordered("!=", a, c), e.b.fcmp_unordered("!=", b, d))

    return emit


def _not(e: Emitter, args: Any) -> Any:
    return e.b.not_(args[0])


def _shift(left: bool) -> Emit:
    def emit(e: Emitter, args: Any) -> Any:
        x, y = args
        width = e.number(e.width)
        inside = e.b.icmp_unsigned("<", y, width)
        if left:
            return e.b.select(inside, e.b.shl(x, e.b.select(inside, y, e.number(0))), e.number(0))
        if e.signed:  # beyond the width the sign fills everything
            return e.b.ashr(x, e.b.select(inside, y, e.number(e.width - 1)))
        return e.b.select(inside, e.b.lshr(x, e.b.select(inside, y, e.number(0))), e.number(0))

    return emit


def _select(e: Emitter, args: Any) -> Any:
    if not e.is_complex:
        return e.b.select(*args)
    cond, x, y = args
    return e.whole(*(e.b.select(cond, *pair) for pair in zip(e.parts(x), e.parts(y), strict=True)))


def _signbit(e: Emitter, args: Any) -> Any:
    bits = e.b.bitcast(args[0], e.integer(e.width))
    return e.b.icmp_signed("<", bits, e.constant(bits.type, 0))


def _classify(one: Emit, combine: str) -> Emit:
    """isnan and kin on a float; on a complex number of either or of both parts."""

    def emit(e: Emitter, args: Any) -> Any:
        if not e.is_complex:
            return one(e, args[0])
        re, im = (one(e, part) for part in e.parts(args[0]))
        return getattr(e.b, combine)(re, im)

    return emit


def _magnitude(e: Emitter, x: Any, operator: str) -> Any:
    return e.b.fcmp_ordered(operator, e.call("fabs", x), e.constant(x.type, float("inf")))


def _bitcast(e: Emitter, args: Any) -> Any:
    """The bits of the argument as the result's type."""
    return e.b.bitcast(args[0], e.kind_of(e.result))


def _mulhi(e: Emitter, args: Any) -> Any:
    wide = e.integer(2 * e.width)
    product = e.b.mul(*(e.b.zext(x, wide) for x in args))
    return e.b.trunc(e.b.lshr(product, e.constant(wide, e.width)), e.kind)


def _real(e: Emitter, args: Any) -> Any:
    return e.parts(args[0])[0] if e.is_complex else args[0]


def _imag(e: Emitter, args: Any) -> Any:
    return e.parts(args[0])[1] if e.is_complex else e.number(0)


def _conj(e: Emitter, args: Any) -> Any:
    if not e.is_complex:
        return args[0]
    re, im = e.parts(args[0])
    return e.whole(re, e.b.fneg(im))


def _make_complex(e: Emitter, args: Any) -> Any:
    return e.whole(*args)


def _int_division(remainder: bool) -> Emit:
    """Floor division of integers, 0 where the divisor is 0; branch-free."""

    def emit(e: Emitter, args: Any) -> Any:
        x, y = args
        zero, one = e.number(0), e.number(1)
        by_zero = e.b.icmp_signed("==", y, zero)
        if not e.signed:
            safe = e.b.select(by_zero, one, y)
            found = e.b.urem(x, safe) if remainder else e.b.udiv(x, safe)
            return e.b.select(by_zero, zero, found)
        minus = e.b.icmp_signed("==", y, e.number(-1))  # INT_MIN // -1 traps: negate instead
        safe = e.b.select(e.b.or_(by_zero, minus), one, y)
        quotient, rest = e.b.sdiv(x, safe), e.b.srem(x, safe)
        unlike = e.b.icmp_signed("<", e.b.xor(rest, safe), zero)
        adjust = e.b.and_(unlike, e.b.icmp_signed("!=", rest, zero))
        if remainder:
            found = e.b.select(adjust, e.b.add(rest, safe), rest)
            return e.b.select(e.b.or_(by_zero, minus), zero, found)
        found = e.b.sub(quotient, e.b.zext(adjust, e.kind))
        found = e.b.select(minus, e.b.neg(x), found)
        return e.b.select(by_zero, zero, found)

    return emit


def _float_division(remainder: bool) -> Emit:
    """NumPy's npy_divmod: fmod, then both parts moved to the sign of the divisor."""

    def emit(e: Emitter, args: Any) -> Any:
        x, y = args
        zero, one = e.number(0.0), e.number(1.0)
        rest = e.b.frem(x, y)
        by_zero = e.b.fcmp_ordered("==", y, zero)
        nonzero = e.b.fcmp_unordered("!=", rest, zero)
        unlike = e.b.xor(e.b.fcmp_ordered("<", y, zero), e.b.fcmp_ordered("<", rest, zero))
        adjust = e.b.and_(nonzero, unlike)
        if remainder:
            moved = e.b.select(adjust, e.b.fadd(rest, y), rest)
            moved = e.b.select(nonzero, moved, e.call("copysign", zero, y))
            return e.b.select(by_zero, rest, moved)
        exact = e.b.fdiv(e.b.fsub(x, rest), y)
        exact = e.b.select(adjust, e.b.fsub(exact, one), exact)
        floor = e.call("floor", exact)
        far = e.b.fcmp_ordered(">", e.b.fsub(exact, floor), e.number(0.5))
        found = e.b.select(far, e.b.fadd(floor, one), floor)
        quotient = e.b.fdiv(x, y)
        found = e.b.select(
            e.b.fcmp_unordered("!=", exact, zero), found, e.call("copysign", zero, quotient)
        )
        return e.b.select(by_zero, quotient, found)

    return emit


def _division(remainder: bool) -> Emit:
    on_float, on_int = _float_division(remainder), _int_division(remainder)
    return lambda e, args: (on_float if e.is_float else on_int)(e, args)


# ---------------------------------------------------------------- the table

FREE_ORDER = ("reassoc", "nsz")

# word -> (number of arguments, emitter)
EMITTERS: dict[str, tuple[int, Emit]] = {
    "add": (2, _add),
    "sub": (2, _sub),
    "mul": (2, _mul),
    "sum_of": (2, _by_kind("fadd", "add", FREE_ORDER)),
    "product_of": (2, _by_kind("fmul", "mul", FREE_ORDER)),
    "div": (2, _div),
    "floordiv": (2, _division(False)),
    "mod": (2, _division(True)),
    "neg": (1, _neg),
    "abs": (1, _abs),
    "sign": (1, _sign),
    "minimum": (2, _extreme("<", "minimum")),
    "maximum": (2, _extreme(">", "maximum")),
    "fmin": (2, _drop_nan("<")),
    "fmax": (2, _drop_nan(">")),
    "fma": (3, _fma),
    "pow": (2, _pow),
    "exp": (1, _exp),
    "floor": (1, _intrinsic("floor")),
    "ceil": (1, _intrinsic("ceil")),
    "trunc": (1, _intrinsic("trunc")),
    "rint": (1, _intrinsic("rint")),
    "sqrt": (1, _intrinsic("sqrt")),
    "square": (1, _square),
    "reciprocal": (1, _reciprocal),
    "copysign": (2, _intrinsic("copysign")),
    "signbit": (1, _signbit),
    "eq": (2, _comparison("==")),
    "ne": (2, _comparison("!=")),
    "lt": (2, _comparison("<")),
    "le": (2, _comparison("<=")),
    "gt": (2, _comparison(">")),
    "ge": (2, _comparison(">=")),
    "and": (2, lambda e, args: e.b.and_(*args)),
    "or": (2, lambda e, args: e.b.or_(*args)),
    "xor": (2, lambda e, args: e.b.xor(*args)),
    "not": (1, _not),
    "shl": (2, _shift(True)),
    "shr": (2, _shift(False)),
    "select": (3, _select),
    "isnan": (1, _classify(lambda e, x: e.b.fcmp_unordered("uno", x, x), "or_")),
    "isinf": (1, _classify(lambda e, x: _magnitude(e, x, "=="), "or_")),
    "isfinite": (1, _classify(lambda e, x: _magnitude(e, x, "<"), "and_")),
    "mulhi": (2, _mulhi),
    "real": (1, _real),
    "imag": (1, _imag),
    "conj": (1, _conj),
    "complex": (2, _make_complex),
    "bitcast": (1, _bitcast),
}


def emit(e: Emitter, word: str, args: Any) -> Any:
    """Any word of the vocabulary: by its emitter, or else as an elementary function."""
    row = EMITTERS.get(word)
    return row[1](e, args) if row is not None else e.function(word, *args)
