"""The names that generated source calls, for numba: LLVM intrinsics and small functions.

Each word is one LLVM instruction or intrinsic where there is one that the vectorizer widens;
elementary functions come from ``symgraph_kernels.jit``. ``lookup`` is the counterpart of
``plain.lookup``. Types are checked by the loop IR's verifier; all arguments of a word have one
type here too, but for the condition of ``select``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any  # numba's contexts, builders and types have no annotations

from llvmlite import ir

from symgraph.codegen import functions, numba_complex, numba_memory
from symgraph.codegen.numba_api import intrinsic, types
from symgraph.codegen.plain import DTYPE_OF, parse_local
from symgraph.codegen.spelling import SPELLED
from symgraph.loop.words import WORDS

Emit = Callable[["Emitter", Any], Any]
_WORD_OF = {spelled: name for name, spelled in SPELLED.items()}


class Emitter:
    """One call of a word while it becomes LLVM: builder, numba type of the last argument."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.b = context, builder
        self.type, self.result = signature.args[-1], signature.return_type
        self.llvm = context.get_value_type(self.type)

    @property
    def is_float(self) -> bool:
        """Is the argument float32 or float64?"""
        return isinstance(self.type, types.Float)

    @property
    def is_complex(self) -> bool:
        """Is the argument complex64 or complex128?"""
        return isinstance(self.type, types.Complex)

    @property
    def signed(self) -> bool:
        """Is the argument a signed integer?"""
        return isinstance(self.type, types.Integer) and self.type.signed

    @property
    def width(self) -> int:
        """Bits of the argument."""
        return int(self.type.bitwidth)

    def number(self, value: float) -> Any:
        """A constant of the argument's type."""
        return ir.Constant(self.llvm, value)

    def call(self, name: str, *args: Any) -> Any:
        """An LLVM intrinsic overloaded on the argument's type: llvm.<name>.f64."""
        kind = self.llvm
        signature = ir.FunctionType(kind, [a.type for a in args])
        return self.b.call(
            self.b.module.declare_intrinsic(f"llvm.{name}", (kind,), signature), args
        )

    def compare(self, operator: str, x: Any, y: Any) -> Any:
        """An ordered comparison (!=: true for NaN)."""
        if self.is_float:
            way = self.b.fcmp_unordered if operator == "!=" else self.b.fcmp_ordered
            return way(operator, x, y)
        way = self.b.icmp_signed if self.signed else self.b.icmp_unsigned
        return way(operator, x, y)

    def parts(self, x: Any) -> tuple[Any, Any]:
        """Real and imaginary part of a complex value."""
        return self.b.extract_value(x, 0), self.b.extract_value(x, 1)

    def whole(self, re: Any, im: Any) -> Any:
        """A complex value of the argument's type from its parts."""
        empty = ir.Constant(self.context.get_value_type(self.result), ir.Undefined)
        return self.b.insert_value(self.b.insert_value(empty, re, 0), im, 1)


# ---------------------------------------------------------------- emitters


def _by_kind(on_float: str, on_int: str, flags: tuple[str, ...] = ()) -> Emit:
    def emit(e: Emitter, args: Any) -> Any:
        if e.is_float:
            return getattr(e.b, on_float)(*args, flags=flags)
        return getattr(e.b, on_int)(*args)

    return emit


def _add(e: Emitter, args: Any) -> Any:
    if isinstance(e.type, types.Boolean):
        return e.b.or_(*args)
    if e.is_complex:
        (a, b), (c, d) = e.parts(args[0]), e.parts(args[1])
        return e.whole(e.b.fadd(a, c), e.b.fadd(b, d))
    return _by_kind("fadd", "add")(e, args)


def _mul(e: Emitter, args: Any) -> Any:
    if isinstance(e.type, types.Boolean):
        return e.b.and_(*args)
    if e.is_complex:
        return e.whole(*numba_complex.multiply(e.b, e.parts(args[0]), e.parts(args[1])))
    return _by_kind("fmul", "mul")(e, args)


def _sub(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return _add(e, [args[0], _neg(e, args[1:])])
    return _by_kind("fsub", "sub")(e, args)


def _div(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*numba_complex.divide(e.b, e.parts(args[0]), e.parts(args[1])))
    return e.b.fdiv(*args)


def _neg(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*(e.b.fneg(part) for part in e.parts(args[0])))
    return e.b.fneg(args[0]) if e.is_float else e.b.neg(args[0])


def _abs(e: Emitter, args: Any) -> Any:
    if e.is_float:
        return e.call("fabs", *args)
    if e.is_complex:
        return functions.emit(e.b, "hypot", numba_complex.real_kind(e.type), *e.parts(args[0]))
    if not e.signed:
        return args[0]
    return e.call("abs", args[0], ir.Constant(ir.IntType(1), 0))


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
        if isinstance(e.type, types.Boolean):
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
        return e.whole(*numba_complex.reciprocal(e.b, e.parts(args[0])))
    return e.b.fdiv(e.number(1), args[0])


def _exp(e: Emitter, args: Any) -> Any:
    if e.is_complex:
        return e.whole(*numba_complex.exponential(e.b, e.type, e.parts(args[0])))
    return functions.emit(e.b, "exp", e.type, *args)


def _pow(e: Emitter, args: Any) -> Any:
    if e.is_float:
        return functions.emit(e.b, "pow", e.type, *args)
    return numba_complex.integer_power(e.context, e.b, e.type, *args)


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
    return e.b.select(*args)


def _signbit(e: Emitter, args: Any) -> Any:
    bits = e.b.bitcast(args[0], ir.IntType(e.width))
    return e.b.icmp_signed("<", bits, ir.Constant(bits.type, 0))


def _classify(one: Emit, combine: str) -> Emit:
    """isnan and kin on a float; on a complex number of either or of both parts."""

    def emit(e: Emitter, args: Any) -> Any:
        if not e.is_complex:
            return one(e, args[0])
        re, im = (one(e, part) for part in e.parts(args[0]))
        return getattr(e.b, combine)(re, im)

    return emit


def _magnitude(e: Emitter, x: Any, operator: str) -> Any:
    signature = ir.FunctionType(x.type, [x.type])
    size = e.b.call(e.b.module.declare_intrinsic("llvm.fabs", (x.type,), signature), [x])
    return e.b.fcmp_ordered(operator, size, ir.Constant(x.type, float("inf")))


def emit_bitcast(e: Emitter, args: Any) -> Any:
    """The bits of the argument as the result's type."""
    return e.b.bitcast(args[0], e.context.get_value_type(e.result))


def _mulhi(e: Emitter, args: Any) -> Any:
    wide = ir.IntType(2 * e.width)
    product = e.b.mul(*(e.b.zext(x, wide) for x in args))
    return e.b.trunc(e.b.lshr(product, ir.Constant(wide, e.width)), e.llvm)


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
        found = e.b.sub(quotient, e.b.zext(adjust, e.llvm))
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

_TO_BOOL = frozenset(["eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit"])
_REASSOC = ("reassoc", "nsz")

# word -> (number of arguments, emitter)
EMITTERS: dict[str, tuple[int, Emit]] = {
    "add": (2, _add),
    "sub": (2, _sub),
    "mul": (2, _mul),
    "sum_of": (2, _by_kind("fadd", "add", _REASSOC)),
    "product_of": (2, _by_kind("fmul", "mul", _REASSOC)),
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
}


def result_type(name: str, x: Any) -> Any:
    """numba's type of a word on an argument of type x."""
    if name in _TO_BOOL:
        return types.boolean
    if name in ("abs", "real", "imag") and isinstance(x, types.Complex):
        return x.underlying_float
    if name == "complex":
        return types.complex64 if x == types.float32 else types.complex128
    return x


def make(
    name: str,
    arity: int,
    emit: Emit,
    result: Callable[[Any], Any],
    register: Callable[[Any], Any] = intrinsic,
) -> Any:
    """A numba intrinsic of ``arity`` arguments of one type (``select``: boolean first).

    ``register`` is the target's decorator for intrinsics.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(Emitter(context, builder, signature), args)

    def typing(typing_context: Any, *args: Any) -> Any:
        x = types.unliteral(args[-1])
        firsts = (types.boolean,) if name == "select" else (x,)
        return result(x)(*(firsts + (x,) * (arity - 1))), generate

    # numba reads the number of arguments from the signature, hence one function for each
    shapes: dict[int, Callable[..., Any]] = {
        1: lambda typing_context, x: typing(typing_context, x),
        2: lambda typing_context, x, y: typing(typing_context, x, y),
        3: lambda typing_context, x, y, z: typing(typing_context, x, y, z),
    }
    function = shapes[arity]
    function.__name__ = function.__qualname__ = name
    return register(function)


@cache
def lookup(name: str) -> Any:
    """What a name in generated source stands for when numba compiles it."""
    if name in ("inf", "nan"):
        return float(name)
    if name in numba_memory.TABLE:
        return numba_memory.TABLE[name]
    if name in DTYPE_OF:
        return numba_memory.cast(DTYPE_OF[name])
    head, _, rest = name.partition("_")
    if head == "array":
        return numba_memory.array(DTYPE_OF[rest])
    if head == "bitcast":
        to = numba_memory.numba_type(DTYPE_OF[rest])
        return make(name, 1, emit_bitcast, lambda x: to)
    if head == "local":
        return numba_memory.local(*parse_local(rest))
    word = _WORD_OF.get(name, name)
    if word in EMITTERS:
        arity, emit = EMITTERS[word]
        return make(name, arity, emit, lambda x: result_type(word, x))
    return make(
        name, WORDS[word].arity, lambda e, args: functions.emit(e.b, word, e.type, *args), _same
    )


def _same(x: Any) -> Any:
    return x
