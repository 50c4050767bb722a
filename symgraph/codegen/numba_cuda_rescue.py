"""Slow and accurate functions of kernels on a device: double-double code, and in the simulator.

On the CPU these are programs for one interpreter (``rescue``). A device cannot share code between
kernels that are compiled apart, so each gets the rows that it calls as functions of its own
module, from the same definitions (``symgraph_kernels.wide_llvm``). Lanes are threads: a warp pays
for a slow lane, others do not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any  # numba's contexts, builders and types have no annotations

from llvmlite import ir

from symgraph.codegen.numba_cuda_api import simulated
from symgraph.codegen.numba_memory import numba_type
from symgraph.codegen.rescue import llvm_name
from symgraph.loop.ir import Cast, Const, Expr, Function, Let, Var, Word
from symgraph.loop.rescue import run, triple
from symgraph.loop.traverse import children, postorder
from symgraph_kernels import wide
from symgraph_kernels.llvm import DOUBLE, DeviceBuilder, Value, Words
from symgraph_kernels.wide import Wide
from symgraph_kernels.wide_llvm import WideCalls

_KINDS = {"float32": ir.FloatType(), "float64": DOUBLE}


def lookup(function: Function) -> Any:
    """What the name of a function stands for in the source of a kernel."""
    return _plain(function) if simulated() else _intrinsic(function)


def _plain(function: Function) -> Callable[..., Any]:
    dtypes = [function.result.dtype] * 2 + [p.dtype for p in function.params]
    return lambda *args: run(function, [d.type(a) for d, a in zip(dtypes, args, strict=True)])


def _intrinsic(function: Function) -> Any:
    dtypes = [function.result.dtype] * 2 + [p.dtype for p in function.params]
    kinds = [numba_type(d) for d in dtypes]
    signature = kinds[0](*kinds)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.call(defined(builder.module, function), args)

    # numba reads the number of arguments from the signature
    names = ", ".join(f"a{i}" for i in range(len(kinds)))
    space = {"signature": signature, "generate": generate}
    exec(f"def {function.name}(context, {names}): return signature, generate", space)
    return import_module("numba.cuda.extending").intrinsic(space[function.name])


def defined(module: Any, function: Function) -> Any:
    """The function in a module, with the rows it calls."""
    name = llvm_name(function).replace(".", "_")  # NVVM's names have no dots
    found = module.globals.get(name)
    if found is not None:
        return found
    kinds = [_KINDS[str(function.result.dtype)]] * 2
    kinds += [_KINDS[str(p.dtype)] for p in function.params]
    made = ir.Function(module, ir.FunctionType(kinds[0], kinds), name)
    made.linkage = "internal"
    made.attributes.add("noinline")
    fast, doubt, *_ = made.args
    builder = DeviceBuilder(made.append_basic_block("entry"))
    done, slow = (made.append_basic_block(label) for label in ("done", "slow"))
    builder.cbranch(builder.fcmp_ordered("<=", doubt, ir.Constant(kinds[0], 0.0)), done, slow)
    DeviceBuilder(done).ret(fast)
    _write_slow(DeviceBuilder(slow), function, made.args)
    return made


def _write_slow(b: Any, function: Function, args: Any) -> None:
    """The body; ``fast`` where an argument is not finite or the result is NaN."""
    words = Words(b, True, "cuda")
    fast, _, *given = args
    known: dict[str, Wide] = {}
    regular = None
    for param, value in zip(function.params, given, strict=True):
        x = Value(b, value if value.type == DOUBLE else b.fpext(value, DOUBLE))
        finite = (words.abs(x) < float("inf")).ir
        regular = finite if regular is None else b.and_(regular, finite)
        known[param.name] = wide.lift(words, x)
    found = wide.drop(words, _result(WideCalls(b, "cuda"), function, known)).ir
    good = b.fcmp_ordered("ord", found, found)
    good = good if regular is None else b.and_(good, regular)
    narrow = found if fast.type == DOUBLE else b.fptrunc(found, fast.type)
    b.ret(b.select(good, narrow, fast))


def _result(calls: WideCalls, function: Function, known: dict[str, Wide]) -> Wide:
    done: dict[int, Wide] = {}
    for let in (*function.body, Let("", function.result)):
        for node in postorder(let.value):
            if id(node) not in done:
                done[id(node)] = _value(calls, node, known, done)
        known[let.name] = done[id(let.value)]
    return known[""]


def _value(calls: WideCalls, node: Expr, known: dict[str, Wide], done: dict[int, Wide]) -> Wide:
    args = [done[id(c)] for c in children(node)]
    match node:
        case Var(name):
            return known[name]
        case Const():
            return Wide(
                *(Value(calls.builder, ir.Constant(DOUBLE, float(x))) for x in triple(node))
            )
        case Word(name):
            row: Callable[..., Wide] = getattr(calls, name)
            return row(*args)
        case Cast(x, dtype) if dtype.kind in "iu" and x.dtype.kind == "f":
            return calls.trunc(*args)
    return args[0]
