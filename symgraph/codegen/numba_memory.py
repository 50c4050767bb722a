"""Casts, arrays at addresses, scratch memory and product calls for generated source under numba."""

from __future__ import annotations

from functools import cache
from typing import Any  # numba's contexts, builders and types have no annotations

import numpy as np
from llvmlite import ir

from symgraph.codegen.numba_api import cgutils, from_dtype, intrinsic, types

DType = np.dtype[np.generic]
_INT, _LONG = ir.IntType(32), ir.IntType(64)
_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112  # enums of the CBLAS interface


def numba_type(dtype: DType) -> Any:
    """numba's type of a scalar of this dtype."""
    return from_dtype(dtype)


@intrinsic
def at(typing_context, i):  # type: ignore[no-untyped-def]
    """The index as unsigned, so that numba emits no branch for negative ones."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    return types.uint64(types.int64), generate


@cache
def cast(dtype: DType, register: Any = intrinsic) -> Any:
    """The conversion of any number to ``dtype``; ``register`` makes an intrinsic of a target."""
    to = numba_type(dtype)

    def typing(typing_context, x):  # type: ignore[no-untyped-def]
        x = types.unliteral(x)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _convert(context, builder, args[0], x, to)

        return to(x), generate

    typing.__name__ = str(to)
    return register(typing)


def _convert(context: Any, b: Any, value: Any, source: Any, to: Any) -> Any:
    if source == to:
        return value
    if isinstance(source, types.Complex):
        return _from_complex(context, b, value, source, to)
    if isinstance(to, types.Complex):
        re = _convert(context, b, value, source, to.underlying_float)
        empty = ir.Constant(context.get_value_type(to), ir.Undefined)
        zero = ir.Constant(re.type, 0.0)
        return b.insert_value(b.insert_value(empty, re, 0), zero, 1)
    if isinstance(source, types.Float):
        return _from_float(context, b, value, source, to)
    return _from_int(context, b, value, source, to)


def _from_complex(context: Any, b: Any, value: Any, source: Any, to: Any) -> Any:
    part = source.underlying_float
    re, im = b.extract_value(value, 0), b.extract_value(value, 1)
    if isinstance(to, types.Boolean):
        return b.or_(*(_convert(context, b, x, part, to) for x in (re, im)))
    if isinstance(to, types.Complex):
        found = ir.Constant(context.get_value_type(to), ir.Undefined)
        for i, x in enumerate((re, im)):
            found = b.insert_value(found, _convert(context, b, x, part, to.underlying_float), i)
        return found
    return _convert(context, b, re, part, to)


def _from_float(context: Any, b: Any, value: Any, source: Any, to: Any) -> Any:
    kind = context.get_value_type(to)
    if isinstance(to, types.Float):
        return b.fpext(value, kind) if to.bitwidth > source.bitwidth else b.fptrunc(value, kind)
    if isinstance(to, types.Boolean):
        return b.fcmp_unordered("!=", value, ir.Constant(value.type, 0.0))
    if to.bitwidth == 64:
        return b.fptosi(value, kind) if to.signed else b.fptoui(value, kind)
    # through a signed integer that holds the whole range, so that a negative number wraps around
    middle = _LONG if to.bitwidth == 32 and not to.signed else _INT
    found = b.fptosi(value, middle)
    return found if middle == kind else b.trunc(found, kind)


def _from_int(context: Any, b: Any, value: Any, source: Any, to: Any) -> Any:
    kind = context.get_value_type(to)
    signed = isinstance(source, types.Integer) and source.signed
    if isinstance(to, types.Boolean):
        return b.icmp_signed("!=", value, ir.Constant(value.type, 0))
    if isinstance(to, types.Float):
        return b.sitofp(value, kind) if signed else b.uitofp(value, kind)
    if kind.width == value.type.width:
        return value
    if kind.width < value.type.width:
        return b.trunc(value, kind)
    return b.sext(value, kind) if signed else b.zext(value, kind)


@cache
def array(dtype: DType) -> Any:
    """``array(address, shape)``: memory as a C-contiguous array of this dtype, owned elsewhere."""

    def typing(typing_context, address, shape):  # type: ignore[no-untyped-def]
        kind = types.Array(numba_type(dtype), len(shape), "C")
        dims = types.UniTuple(types.intp, len(shape))

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            extents = cgutils.unpack_tuple(builder, args[1], len(shape))
            return _array(context, builder, kind, args[0], extents)

        return kind(types.int64, dims), generate

    typing.__name__ = f"array_{dtype}"
    return intrinsic(typing)


def _array(context: Any, b: Any, kind: Any, address: Any, extents: list[Any]) -> Any:
    found = context.make_array(kind)(context, b)
    if isinstance(address.type, ir.IntType):
        address = b.inttoptr(address, found.data.type)
    size = ir.Constant(_LONG, np.dtype(str(kind.dtype).replace("boolean", "bool")).itemsize)
    strides: list[Any] = []
    stride = size
    for extent in reversed(extents):
        strides.insert(0, stride)
        stride = b.mul(stride, extent)
    context.populate_array(
        found,
        data=b.bitcast(address, found.data.type),
        shape=extents,
        strides=strides,
        itemsize=size,
        meminfo=None,
    )
    return found._getvalue()


@cache
def local(dtype: DType, shape: tuple[int, ...]) -> Any:
    """``local()``: uninitialised scratch memory on the stack, one place however often it runs."""

    def typing(typing_context):  # type: ignore[no-untyped-def]
        kind = types.Array(numba_type(dtype), len(shape), "C")

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            element = context.get_data_type(kind.dtype)
            memory = ir.ArrayType(element, int(np.prod(shape, dtype=np.int64)))
            address = cgutils.alloca_once(builder, memory)
            address.align = 64
            extents = [ir.Constant(_LONG, n) for n in shape]
            return _array(context, builder, kind, address, extents)

        return kind(), generate

    typing.__name__ = f"local_{dtype}"
    return intrinsic(typing)


@intrinsic
def copy_memory(typing_context, target, source, nbytes):  # type: ignore[no-untyped-def]
    """memmove(target, source, nbytes)."""

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        kinds = [byte, byte, _LONG]
        move = b.module.declare_intrinsic(
            "llvm.memmove", kinds, ir.FunctionType(ir.VoidType(), [*kinds, ir.IntType(1)])
        )
        places = [b.inttoptr(x, byte) for x in args[:2]]
        b.call(move, [*places, args[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), generate


# ---------------------------------------------------------------- products through pointers


def _call(b: Any, address: Any, result: Any, args: list[Any]) -> Any:
    kind = ir.FunctionType(result, [a.type for a in args])
    return b.call(b.inttoptr(address, kind.as_pointer()), args)


def _flag(b: Any, value: Any) -> Any:
    on = b.icmp_signed("!=", value, ir.Constant(value.type, 0))
    return b.select(on, ir.Constant(_INT, _TRANSPOSED), ir.Constant(_INT, _PLAIN))


def _pointer(b: Any, address: Any) -> Any:
    return b.inttoptr(address, ir.IntType(8).as_pointer())


def _scalar(b: Any, kind: Any, value: Any) -> Any:
    """CBLAS takes real factors by value and complex ones by pointer."""
    if not isinstance(kind, types.Complex):
        return value
    place = cgutils.alloca_once_value(b, value)
    return b.bitcast(place, ir.IntType(8).as_pointer())


def _leading(b: Any, value: Any) -> Any:
    one = ir.Constant(_LONG, 1)
    return b.select(b.icmp_signed(">", value, one), value, one)


@intrinsic
def cblas_gemm(typing_context, f, trans_a, trans_b, m, n, k, alpha, a, b, beta, c):  # type: ignore[no-untyped-def]
    """c = alpha * op(a) @ op(b) + beta * c, row-major and packed; nothing where c is empty."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function, trans_a, trans_b, m, n, k, alpha, a, b, beta, c = args
        kind = signature.args[6]
        zero = ir.Constant(_LONG, 0)
        some = builder.and_(builder.icmp_signed(">", m, zero), builder.icmp_signed(">", n, zero))
        flags = [_flag(builder, trans_a), _flag(builder, trans_b)]
        lead_a = builder.select(builder.icmp_signed("!=", trans_a, zero), m, k)
        lead_b = builder.select(builder.icmp_signed("!=", trans_b, zero), k, n)
        alpha, beta = _scalar(builder, kind, alpha), _scalar(builder, kind, beta)
        a, b, c = (_pointer(builder, x) for x in (a, b, c))
        leads = [_leading(builder, x) for x in (lead_a, lead_b, n)]
        with builder.if_then(some):
            order = ir.Constant(_INT, _ROW_MAJOR)
            sizes = [m, n, k, alpha, a, leads[0], b, leads[1], beta, c, leads[2]]
            _call(builder, function, ir.VoidType(), [order, *flags, *sizes])
        return context.get_dummy_value()

    kind, size = types.unliteral(alpha), types.int64
    return types.none(size, size, size, size, size, size, kind, size, size, kind, size), generate


@intrinsic
def cblas_gemv(typing_context, f, trans, m, n, alpha, a, x, beta, y):  # type: ignore[no-untyped-def]
    """y = alpha * op(a) @ x + beta * y, where a is (m, n), row-major; nothing where y is empty."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function, trans, m, n, alpha, a, x, beta, y = args
        kind, zero, one = signature.args[4], ir.Constant(_LONG, 0), ir.Constant(_LONG, 1)
        turned = builder.icmp_signed("!=", trans, zero)
        results, inner = builder.select(turned, n, m), builder.select(turned, m, n)
        # CBLAS leaves y alone where the inner extent is 0; with extent 1 and alpha = 0 it scales y
        empty = builder.icmp_signed("<=", inner, zero)
        m = builder.select(builder.and_(empty, turned), one, m)
        n = builder.select(builder.and_(empty, builder.not_(turned)), one, n)
        nothing = ir.Constant(alpha.type, None)
        alpha = _scalar(builder, kind, builder.select(empty, nothing, alpha))
        beta = _scalar(builder, kind, beta)
        a, x, y = (_pointer(builder, place) for place in (a, x, y))
        with builder.if_then(builder.icmp_signed(">", results, zero)):
            order = ir.Constant(_INT, _ROW_MAJOR)
            head = [order, _flag(builder, trans), m, n, alpha, a, _leading(builder, n)]
            _call(builder, function, ir.VoidType(), [*head, x, one, beta, y, one])
        return context.get_dummy_value()

    kind, size = types.unliteral(alpha), types.int64
    return types.none(size, size, size, size, kind, size, size, kind, size), generate


@intrinsic
def matrix_product(typing_context, f, batch, m, n, k, flags, alpha, a, b, beta, c, parallel):  # type: ignore[no-untyped-def]
    """c = alpha * op(a) @ op(b) + beta * c for each of a batch: see ``product_entry``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function, *sizes, alpha, a, b, beta, c, parallel = args
        a, b, c, parallel = (_pointer(builder, place) for place in (a, b, c, parallel))
        _call(builder, function, ir.VoidType(), [*sizes, alpha, a, b, beta, c, parallel])
        return context.get_dummy_value()

    kind, size = types.unliteral(alpha), types.int64
    sizes, places = [size] * 6, [size] * 2
    return types.none(*sizes, kind, *places, kind, *places), generate


TABLE = {
    "at": at,
    "copy_memory": copy_memory,
    "cblas_gemm": cblas_gemm,
    "cblas_gemv": cblas_gemv,
    "matrix_product": matrix_product,
}
