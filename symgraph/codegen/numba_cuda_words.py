"""The names that generated source calls, for numba's CUDA target and for its simulator.

On a device they are LLVM instructions as on the CPU (``llvm_words``), but for what NVVM's older
LLVM lacks: minimum, maximum and abs are compare and select. In the simulator they are the plain
functions. Elementary functions are those of ``symgraph_kernels``, from the same definitions.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any  # numba's contexts, builders and types have no annotations

from llvmlite import ir

from symgraph.codegen import llvm_words, numba_memory, numba_words, plain
from symgraph.codegen.llvm_words import EMITTERS, Emit, Emitter
from symgraph.codegen.numba_api import types
from symgraph.codegen.numba_cuda_api import simulated
from symgraph.codegen.numba_cuda_kernel import TYPES
from symgraph.codegen.plain import DTYPE_OF
from symgraph.codegen.spelling import SPELLED
from symgraph.loop.words import WORDS
from symgraph_kernels.llvm import DeviceBuilder
from symgraph_kernels.table import ROWS

_WORD_OF = {spelled: name for name, spelled in SPELLED.items()}
# word -> the function of NVIDIA's libdevice, for words that symgraph_kernels has none for
_LIBDEVICE = {"nextafter": "nextafter", "atan2": "atan2", "hypot": "hypot", "cbrt": "cbrt"}


@cache
def lookup(name: str) -> Any:
    """What a name in generated source stands for, on the device or in the simulator."""
    if name.startswith(TYPES):
        return numba_memory.numba_type(DTYPE_OF[name.removeprefix(TYPES)])
    return plain.lookup(name) if simulated() else _device(name)


def _device(name: str) -> Any:
    if name in ("inf", "nan"):
        return float(name)
    register = import_module("numba.cuda.extending").intrinsic
    if name == "at":
        return _index(register)
    if name in DTYPE_OF:
        return numba_memory.cast(DTYPE_OF[name], register)
    head, _, rest = name.partition("_")
    if head == "bitcast":
        to = numba_memory.numba_type(DTYPE_OF[rest])
        return numba_words.make(name, 1, EMITTERS["bitcast"][1], lambda x: to, register)
    word = _WORD_OF.get(name, name)
    arity, emit = _emitter(word)
    emit = _for_nvvm(emit)
    return numba_words.make(name, arity, emit, lambda x: numba_words.result_type(word, x), register)


def _index(register: Any) -> Any:
    def at(typing_context, i):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return args[0]

        return types.uint64(types.int64), generate

    return register(at)


def _emitter(word: str) -> tuple[int, Emit]:
    if word in _DEVICE:
        return WORDS[word].arity, _DEVICE[word]
    if word in EMITTERS:
        return EMITTERS[word]
    if word in _LIBDEVICE and word not in ROWS:
        return WORDS[word].arity, lambda e, args: _libdevice(e, _LIBDEVICE[word], args)
    return WORDS[word].arity, lambda e, args: llvm_words.emit(e, word, args)


def _for_nvvm(emit: Emit) -> Emit:
    """The emitter with a builder that writes what NVVM understands."""

    def emit_for_nvvm(e: Emitter, args: Any) -> Any:
        outer, e.b = e.b, DeviceBuilder(e.b.block)
        found = emit(e, args)
        outer.position_at_end(e.b.block)
        return found

    return emit_for_nvvm


def _libdevice(e: Emitter, name: str, args: Any) -> Any:
    full = f"__nv_{name}{'f' if e.width == 32 else ''}"
    signature = ir.FunctionType(e.kind, [e.kind] * len(args))
    function = e.b.module.globals.get(full) or ir.Function(e.b.module, signature, full)
    return e.b.call(function, args)


# ---------------------------------------------------------------- what NVVM lacks


def _extreme(operator: str) -> Emit:
    """minimum, maximum: NaN propagates, -0.0 < 0.0."""

    def emit(e: Emitter, args: Any) -> Any:
        x, y = args
        if e.is_bool:
            return e.b.and_(x, y) if operator == "<" else e.b.or_(x, y)
        found = e.b.select(e.compare(operator, x, y), x, y)
        if not e.is_float:
            return found
        bits = ir.IntType(e.width)
        join = e.b.or_ if operator == "<" else e.b.and_
        joined = e.b.bitcast(join(e.b.bitcast(x, bits), e.b.bitcast(y, bits)), e.kind)
        found = e.b.select(e.b.fcmp_ordered("==", x, y), joined, found)
        return e.b.select(e.b.fcmp_unordered("uno", x, x), x, found)

    return emit


def _drop_nan(operator: str) -> Emit:
    extreme = _extreme(operator)

    def emit(e: Emitter, args: Any) -> Any:
        found = extreme(e, args)
        if not e.is_float:
            return found
        x, y = args
        found = e.b.select(e.b.fcmp_unordered("uno", y, y), x, found)
        return e.b.select(e.b.fcmp_unordered("uno", x, x), y, found)

    return emit


def _abs(e: Emitter, args: Any) -> Any:
    if e.is_float or e.is_complex or not e.signed:
        return EMITTERS["abs"][1](e, args)
    (x,) = args
    return e.b.select(e.compare("<", x, e.number(0)), e.b.neg(x), x)


_DEVICE: dict[str, Emit] = {
    "minimum": _extreme("<"),
    "maximum": _extreme(">"),
    "fmin": _drop_nan("<"),
    "fmax": _drop_nan(">"),
    "abs": _abs,
}
