"""The words as LLVM: `emit_function(module, "exp", "float64")` adds `sg.exp.f64` to the module.

The functions are `internal alwaysinline`, strict (no fast-math flag, whatever the caller's
flags), and use only integer and float arithmetic, bitcast, select and llvm.fma / rint / floor /
fabs / sqrt / copysign (with AVX-512, llvm.ldexp too), so such text serves CPU loops (which
vectorize) and NVVM. Text is made
once per function and process; adding it to a second module costs microseconds.

The one exception to branch-free is `far`: sin, cos and tan of huge arguments. There the function
calls `sg.far.sin.f64(fast, x)`, which returns `fast` after one compare unless x is huge. For CPU
modules (`target="cpu"`) that function carries vector forms of 2, 4, 8 (and 16) lanes by the
attribute `vector-function-abi-variant`, so that a loop over `sin` still vectorizes: each vector
pays one compare and branch. For `target="cuda"` only the scalar form exists.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir

from symgraph_kernels.words import FAR, Binary, type_names

DOUBLE, FLOAT, BIT = ir.DoubleType(), ir.FloatType(), ir.IntType(1)
LANES = {"f64": (2, 4, 8), "f32": (4, 8, 16)}
PREFIX = "sg."


def emit_function(module: ir.Module, name: str, dtype: Any, target: str = "cpu") -> ir.Function:
    """The LLVM function `sg.<name>.<f32|f64>` of `module`, added with all it needs if not there.

    Its signature is (float type, ...) -> float type with the arity of the table row. dtype:
    anything whose `str` is "float32" or "float64" (NumPy dtypes, numba types). target: "cpu" or
    "cuda" (see the module docstring).
    Raises: KeyError for a name that the table lacks or for another dtype.
    """
    kind = type_names[str(dtype)]
    found = module.globals.get(f"{PREFIX}{name}.{kind}")
    if found is not None:
        return found
    function, needed = _prepared(name, kind, target)
    for item in needed:
        if item.name not in module.globals:
            module.add_global(item)
    module.add_global(function)
    return function


def function_text(name: str, dtype: Any, target: str = "cpu") -> str:
    """LLVM IR text of `sg.<name>.<type>` with all it refers to: it parses on its own."""
    return "\n".join(function_parts(name, dtype, target).values())


def function_parts(name: str, dtype: Any, target: str = "cpu") -> dict[str, str]:
    """The same text as one piece per global, by the name of the global."""
    function, needed = _prepared(name, type_names[str(dtype)], target)
    return {item.name: str(item) for item in (*needed, function)}


class Value:
    """An SSA value with operators; a Python number beside it becomes a constant of its type."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.ir = builder, value

    def _of(self, other: Value | float) -> ir.Value:
        return other.ir if isinstance(other, Value) else ir.Constant(self.ir.type, other)

    def _binary(self, floating: str, integer: str, x: Value | float, y: Value | float) -> Value:
        op = integer if isinstance(self.ir.type, ir.IntType) else floating
        return Value(self.builder, getattr(self.builder, op)(self._of(x), self._of(y)))

    def _compare(self, op: str, other: Value | float) -> Value:
        b = self.builder
        if isinstance(self.ir.type, ir.IntType):
            return Value(b, b.icmp_signed(op, self.ir, self._of(other)))
        compare = b.fcmp_unordered if op == "!=" else b.fcmp_ordered
        return Value(b, compare(op, self.ir, self._of(other)))

    def __add__(self, y: Value | float) -> Value:
        return self._binary("fadd", "add", self, y)

    def __radd__(self, y: float) -> Value:
        return self._binary("fadd", "add", y, self)

    def __sub__(self, y: Value | float) -> Value:
        return self._binary("fsub", "sub", self, y)

    def __rsub__(self, y: float) -> Value:
        return self._binary("fsub", "sub", y, self)

    def __mul__(self, y: Value | float) -> Value:
        return self._binary("fmul", "mul", self, y)

    def __rmul__(self, y: float) -> Value:
        return self._binary("fmul", "mul", y, self)

    def __truediv__(self, y: Value | float) -> Value:
        return Value(self.builder, self.builder.fdiv(self.ir, self._of(y)))

    def __rtruediv__(self, y: float) -> Value:
        return Value(self.builder, self.builder.fdiv(self._of(y), self.ir))

    def __neg__(self) -> Value:
        return Value(self.builder, self.builder.fneg(self.ir))

    def __and__(self, y: Value | int) -> Value:
        return Value(self.builder, self.builder.and_(self.ir, self._of(y)))

    def __or__(self, y: Value | int) -> Value:
        return Value(self.builder, self.builder.or_(self.ir, self._of(y)))

    def __xor__(self, y: Value | int) -> Value:
        return Value(self.builder, self.builder.xor(self.ir, self._of(y)))

    def __invert__(self) -> Value:
        return Value(self.builder, self.builder.xor(self.ir, ir.Constant(self.ir.type, -1)))

    def __lshift__(self, y: Value | int) -> Value:
        return Value(self.builder, self.builder.shl(self.ir, self._of(y)))

    def __rshift__(self, y: Value | int) -> Value:
        return Value(self.builder, self.builder.ashr(self.ir, self._of(y)))

    def __lt__(self, y: Value | float) -> Value:
        return self._compare("<", y)

    def __le__(self, y: Value | float) -> Value:
        return self._compare("<=", y)

    def __gt__(self, y: Value | float) -> Value:
        return self._compare(">", y)

    def __ge__(self, y: Value | float) -> Value:
        return self._compare(">=", y)

    def __eq__(self, y: Value | float) -> Value:  # type: ignore[override]
        return self._compare("==", y)

    def __ne__(self, y: Value | float) -> Value:  # type: ignore[override]
        return self._compare("!=", y)

    __hash__ = None  # type: ignore[assignment]


class Words(Binary):
    """The words over an IRBuilder, for float64 (`wide`) or float32."""

    def __init__(self, builder: ir.IRBuilder, wide: bool, target: str) -> None:
        super().__init__(wide)
        self.builder, self.target = builder, target
        self.scales = target == "cpu" and _has_scaling()
        self.type = DOUBLE if wide else FLOAT
        self.integer = ir.IntType(64 if wide else 32)

    def _value(self, x: Value | float) -> ir.Value:
        return x.ir if isinstance(x, Value) else ir.Constant(self.type, x)

    def _intrinsic(self, name: str, *args: Value | float) -> Value:
        values = [self._value(x) for x in args]
        ftype = ir.FunctionType(self.type, [self.type] * len(values))
        function = self.builder.module.declare_intrinsic(name, (self.type,), ftype)
        return Value(self.builder, self.builder.call(function, values))

    def fma(self, x: Value | float, y: Value | float, z: Value | float) -> Value:
        return self._intrinsic("llvm.fma", x, y, z)

    def rint(self, x: Value) -> Value:
        return self._intrinsic("llvm.rint", x)

    def floor(self, x: Value) -> Value:
        return self._intrinsic("llvm.floor", x)

    def abs(self, x: Value) -> Value:
        return self._intrinsic("llvm.fabs", x)

    def sqrt(self, x: Value) -> Value:
        return self._intrinsic("llvm.sqrt", x)

    def copysign(self, x: Value | float, y: Value) -> Value:
        return self._intrinsic("llvm.copysign", x, y)

    def select(self, c: Value, x: Value | float, y: Value | float) -> Value:
        kind = next((v.ir.type for v in (x, y) if isinstance(v, Value)), self.type)
        x, y = (v.ir if isinstance(v, Value) else ir.Constant(kind, v) for v in (x, y))
        return Value(self.builder, self.builder.select(c.ir, x, y))

    def bits(self, x: Value) -> Value:
        return Value(self.builder, self.builder.bitcast(x.ir, self.integer))

    def from_bits(self, i: Value) -> Value:
        return Value(self.builder, self.builder.bitcast(i.ir, self.type))

    def floating(self, i: Value) -> Value:
        return Value(self.builder, self.builder.sitofp(i.ir, self.type))

    def ldexp(self, x: Value, n: Value) -> Value:
        whole, kind = ir.IntType(32), "f64" if self.wide else "f32"
        declare = self.builder.module.declare_intrinsic
        # lrint is defined for NaN too: to any number, where x is NaN anyway
        to = declare(f"llvm.lrint.i32.{kind}", (), ir.FunctionType(whole, [self.type]))
        signature = ir.FunctionType(self.type, [self.type, whole])
        scale = declare(f"llvm.ldexp.{kind}.i32", (), signature)
        exponent = self.builder.call(to, [n.ir])
        return Value(self.builder, self.builder.call(scale, [x.ir, exponent]))

    def lookup(self, table: tuple[float, ...], i: Value) -> Value:
        pointer = self.builder.gep(
            _constants(self.builder.module, table), [ir.Constant(i.ir.type, 0), i.ir], inbounds=True
        )
        return Value(self.builder, self.builder.load(pointer, typ=DOUBLE))

    def double(self) -> Words:
        return Words(self.builder, True, self.target)

    def widen(self, x: Value) -> Value:
        return x if self.wide else Value(self.builder, self.builder.fpext(x.ir, DOUBLE))

    def narrow(self, x: Value) -> Value:
        return x if self.wide else Value(self.builder, self.builder.fptrunc(x.ir, FLOAT))

    def far(self, name: str, fast: Value, x: Value) -> Value:
        function = _far(self.builder.module, name, "f64" if self.wide else "f32", self.target)
        return Value(self.builder, self.builder.call(function, [fast.ir, x.ir]))


class DeviceBuilder(ir.IRBuilder):  # type: ignore[misc]  # llvmlite is untyped
    """Products that NVVM leaves alone: it fuses mul and add by default, which undoes pairs.

    And what its LLVM lacks: negation and fabs on the bits, rint from NVIDIA's libdevice.
    """

    def fmul(
        self, lhs: ir.Value, rhs: ir.Value, name: str = "", flags: tuple[str, ...] = ()
    ) -> Any:
        """The product, rounded to nearest and not contracted."""
        suffix = "d" if lhs.type == DOUBLE else "f"
        ftype = ir.FunctionType(lhs.type, [lhs.type, lhs.type])
        product = self.module.declare_intrinsic(f"llvm.nvvm.mul.rn.{suffix}", (), ftype)
        return self.call(product, [lhs, rhs], name)

    def fneg(self, arg: ir.Value, name: str = "", flags: tuple[str, ...] = ()) -> Any:
        """-arg: the sign bit turned."""
        bits = self._integer(arg)
        sign = ir.Constant(bits.type, 1 << (bits.type.width - 1))
        return self.bitcast(self.xor(bits, sign), arg.type, name)

    def call(self, fn: Any, args: Any, name: str = "", **options: Any) -> Any:
        """The call, or what stands for it."""
        if fn.name.startswith("llvm.fabs."):
            bits = self._integer(args[0])
            rest = ir.Constant(bits.type, (1 << (bits.type.width - 1)) - 1)
            return self.bitcast(self.and_(bits, rest), args[0].type, name)
        if fn.name.startswith("llvm.rint."):
            full = "__nv_rint" if args[0].type == DOUBLE else "__nv_rintf"
            fn = self.module.globals.get(full) or ir.Function(self.module, fn.function_type, full)
        return super().call(fn, args, name, **options)

    def _integer(self, x: ir.Value) -> Any:
        return self.bitcast(x, ir.IntType(64 if x.type == DOUBLE else 32))


@functools.cache
def _has_scaling() -> bool:
    """Does this processor scale vectors by powers of 2 in one instruction (AVX-512)?"""
    from llvmlite.binding import get_host_cpu_features

    return bool(get_host_cpu_features().get("avx512f"))


def _builder(function: ir.Function, target: str) -> ir.IRBuilder:
    kind = DeviceBuilder if target == "cuda" else ir.IRBuilder
    return kind(function.append_basic_block("entry"))


class _Frozen(ir.Function):  # type: ignore[misc]  # llvmlite is untyped
    """A finished function: its text stays, whatever a pass over llvmlite objects does.

    Numba's fast-math is such a pass: it would add its flags to our error-free steps.
    """

    text: str

    def __str__(self) -> str:
        return self.text


def _constants(module: ir.Module, table: tuple[float, ...]) -> ir.GlobalVariable:
    name = f"{PREFIX}table.{len(table)}"
    found = module.globals.get(name)
    if found is not None:
        return found
    kind = ir.ArrayType(DOUBLE, len(table))
    constant = ir.GlobalVariable(module, kind, name)
    constant.linkage, constant.global_constant = "internal", True
    constant.initializer = ir.Constant(kind, [ir.Constant(DOUBLE, x) for x in table])
    return constant


@functools.cache
def _prepared(name: str, kind: str, target: str) -> tuple[_Frozen, tuple[Any, ...]]:
    """The finished function and the globals it refers to, in order of definition."""
    from symgraph_kernels.table import ROWS

    row = ROWS[name]
    module = ir.Module()
    wide = kind == "f64"
    function = _function(module, f"{PREFIX}{name}.{kind}", DOUBLE if wide else FLOAT, row.arity)
    builder = _builder(function, target)
    words = Words(builder, wide, target)
    builder.ret(row.evaluate(words, *(Value(builder, a) for a in function.args)).ir)
    _freeze(function, "alwaysinline nounwind")
    return function, tuple(g for g in module.globals.values() if g is not function)


def _function(module: ir.Module, name: str, kind: ir.Type, arity: int) -> _Frozen:
    function = _Frozen(module, ir.FunctionType(kind, [kind] * arity), name)
    function.linkage = "internal"
    return function


def _freeze(function: _Frozen, attributes: str) -> None:
    """Fix the text, with attributes of which llvmlite does not know all, and drop the blocks.

    The text must hold no metadata (branch weights, say), whose numbers belong to one module.
    """
    head, brace, body = ir.Function.__str__(function).partition("\n{")
    function.text = f"{head} {attributes}{brace}{body}"
    function.blocks = []


def _far(module: ir.Module, name: str, kind: str, target: str) -> ir.Function:
    """`sg.far.<name>.<kind>(fast, x)`: fast unless |x| >= limit, then the far definition."""
    full = f"{PREFIX}far.{name}.{kind}"
    found = module.globals.get(full)
    if found is not None:
        return found
    wide = kind == "f64"
    function = _function(module, full, DOUBLE if wide else FLOAT, 2)
    builder = _builder(function, target)
    words = Words(builder, wide, target)
    fast, x = (Value(builder, a) for a in function.args)
    limit = words.number(*FAR[name].limit)
    huge = words.abs(x) >= limit
    with builder.if_then(huge.ir):
        exact = FAR[name].definition(words.double(), words.widen(x))
        builder.ret(words.narrow(exact).ir)
    builder.ret(fast.ir)
    forms = _vector_forms(module, function, kind, limit) if target == "cpu" else {}
    names = ",".join(f"_ZGV_LLVM_N{lanes}vv_{full}({form})" for lanes, form in forms.items())
    note = f'"vector-function-abi-variant"="{names}" willreturn ' if names else ""
    _freeze(function, f"{note}noinline readnone nounwind")
    return function


def _vector_forms(
    module: ir.Module, scalar: ir.Function, kind: str, limit: float
) -> dict[int, str]:
    """Add `<scalar>.<lanes>`: `fast` if no lane is huge, else lane by lane. Names by lanes.

    weak_odr, since nothing refers to them before the loop vectorizer looks for them by name.
    """
    names = {}
    for lanes in LANES[kind]:
        element = scalar.return_value.type
        vector = ir.VectorType(element, lanes)
        function = _function(module, f"{scalar.name}.{lanes}", vector, 2)
        function.linkage = "weak_odr"
        builder = _builder(function, "cpu")
        fast, x = function.args
        above, below = (
            builder.fcmp_ordered(op, x, ir.Constant(vector, [ir.Constant(element, value)] * lanes))
            for op, value in ((">=", limit), ("<=", -limit))
        )
        mask = builder.bitcast(builder.or_(above, below), ir.IntType(lanes))
        with builder.if_then(builder.icmp_unsigned("!=", mask, mask.type(0))):
            out = fast
            for i in range(lanes):
                at = ir.IntType(32)(i)
                pair = [builder.extract_element(fast, at), builder.extract_element(x, at)]
                out = builder.insert_element(out, builder.call(scalar, pair), at)
            builder.ret(out)
        builder.ret(fast)
        _freeze(function, "willreturn noinline readnone nounwind")
        names[lanes] = function.name
    return names
