"""The names that generated source calls, for numba: ``llvm_words`` as numba intrinsics.

``lookup`` is the counterpart of ``plain.lookup``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any  # numba's contexts, builders and types have no annotations

import numpy as np
from llvmlite import ir

from symgraph.codegen import functions, llvm_words, numba_memory
from symgraph.codegen.llvm_words import EMITTERS, Emit, Emitter
from symgraph.codegen.numba_api import as_dtype, intrinsic, types
from symgraph.codegen.plain import DTYPE_OF, parse_local
from symgraph.codegen.spelling import SPELLED
from symgraph.loop.words import WORDS

DType = np.dtype[np.generic]
_WORD_OF = {spelled: name for name, spelled in SPELLED.items()}
_TO_BOOL = frozenset(["eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit"])


class NumbaEmitter(Emitter):
    """Words through llvmlite's builder, on values as numba passes them."""

    __slots__ = ("context",)

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        dtypes = (as_dtype(t) for t in (signature.args[-1], signature.return_type))
        super().__init__(builder, *dtypes)
        self.context = context

    def kind_of(self, dtype: DType) -> Any:
        """The LLVM type of a dtype."""
        return self.context.get_value_type(numba_memory.numba_type(dtype))

    def integer(self, width: int) -> Any:
        """The LLVM type of an integer of so many bits."""
        return ir.IntType(width)

    def constant(self, kind: Any, value: float) -> Any:
        """A constant of an LLVM type."""
        return ir.Constant(kind, value)

    def call(self, name: str, *args: Any) -> Any:
        """An LLVM intrinsic overloaded on the type of the first argument: llvm.<name>.f64."""
        kind = args[0].type
        signature = ir.FunctionType(kind, [a.type for a in args])
        return self.b.call(
            self.b.module.declare_intrinsic(f"llvm.{name}", (kind,), signature), args
        )

    def function(self, word: str, *args: Any) -> Any:
        """An elementary or special function of floats of dtype ``part``."""
        return functions.emit(self.b, word, self.part, *args)

    def parts(self, x: Any) -> tuple[Any, Any]:
        """Real and imaginary part of a complex value."""
        return self.b.extract_value(x, 0), self.b.extract_value(x, 1)

    def whole(self, re: Any, im: Any) -> Any:
        """A complex value of the result's type from its parts."""
        empty = ir.Constant(self.kind_of(self.result), ir.Undefined)
        return self.b.insert_value(self.b.insert_value(empty, re, 0), im, 1)


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
        return emit(NumbaEmitter(context, builder, signature), args)

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
        return make(name, 1, EMITTERS["bitcast"][1], lambda x: to)
    if head == "local":
        return numba_memory.local(*parse_local(rest))
    word = _WORD_OF.get(name, name)
    arity = EMITTERS[word][0] if word in EMITTERS else WORDS[word].arity

    def emit(e: Emitter, args: Any) -> Any:
        return llvm_words.emit(e, word, args)

    return make(name, arity, emit, lambda x: result_type(word, x))
