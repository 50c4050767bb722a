"""A program's source compiled by numba as one unit, up to one LLVM module.

numba's front end runs through a short pipeline (bytecode, types, LLVM), without the passes for
objects, closures, parallel loops and Python wrappers; its own optimizer does not run, because
``artefact`` optimizes the linked module once. Nothing falls back to object mode: the pipeline
has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # numba's compiler objects have no annotations

import llvmlite.binding as llvm
from llvmlite import ir

from symgraph.codegen import numba_rescue, numba_words
from symgraph.codegen.externals import FAILURES
from symgraph.codegen.llvm_kernel import MAX_INLINED, function_calls
from symgraph.codegen.numba_api import (
    CompilerBase,
    compiler,
    cpu_target,
    intrinsic,
    pass_manager,
    typed_passes,
    types,
    untyped_passes,
)
from symgraph.codegen.numba_memory import numba_type
from symgraph.codegen.python_kernel import Source
from symgraph.codegen.python_program import ProgramSource
from symgraph.garbage import none_looked_for
from symgraph.loop import NO_RESCUE
from symgraph.loop.ir import Kernel
from symgraph.loop.traverse import can_fail

ENTRY = "run"
_POINTER = types.CPointer(types.int64)
_PASSES = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.RewriteSemanticConstants,
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.AnnotateTypes,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)


class _ShortPipeline(CompilerBase):
    """numba's own way to choose passes; the class is its interface, not ours."""

    def define_pipelines(self) -> list[Any]:
        manager = pass_manager("symgraph")
        for step in _PASSES:
            manager.add_pass(step, step.__name__)
        manager.finalize()
        return [manager]


def _flags() -> Any:
    flags = compiler.Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    flags.nrt = False
    return flags


def build(source: ProgramSource) -> str:
    """LLVM assembly of a program with the C entry ``run``, linked but not optimized."""
    with none_looked_for():  # with numba loaded a search takes 90 ms, like a build
        text = _built(source)
    if any(function_calls(kernel) > MAX_INLINED for kernel, _ in source.kernels):
        text = text.replace("alwaysinline", "noinline")
    return text


def _built(source: ProgramSource) -> str:
    library = cpu_target.target_context.codegen().create_library("symgraph")
    # the optimizer runs once, on the linked module: not here on every function
    library._optimize_functions = lambda module: None
    functions: dict[str, Any] = {}
    for kernel, text in source.kernels:
        functions |= {f.name: numba_rescue.intrinsic_of(f) for f in kernel.functions}
        flags = _flags()
        flags.noalias = True  # a call never passes overlapping memory that is written
        result = types.int64 if can_fail(kernel) else types.none
        compiled = _compile(text, functions, _parameters(kernel), result, flags, library)
        functions[text.name] = _caller(compiled)
    args = (_POINTER, _POINTER, _POINTER)
    run = _compile(source.run, functions, args, types.int32, _flags(), library)
    return _linked(library, run.fndesc, any(k.functions for k, _ in source.kernels))


def _parameters(kernel: Kernel) -> tuple[Any, ...]:
    arrays = [types.Array(numba_type(b.dtype), len(b.shape), "C") for b in kernel.buffers]
    return (*arrays, *[types.int64] * len(kernel.sizes), *[_POINTER] * can_fail(kernel))


def _compile(
    source: Source,
    functions: dict[str, Any],
    args: tuple[Any, ...],
    result: Any,
    flags: Any,
    library: Any,
) -> Any:
    words = {name: numba_words.lookup(name) for name in source.used if name not in functions}
    space = words | functions
    exec(compile(source.text, f"<symgraph {source.name}>", "exec"), space)
    target = cpu_target
    return compiler.compile_extra(
        target.typing_context,
        target.target_context,
        space[source.name],
        args,
        result,
        flags,
        {},
        library=library,
        pipeline_class=_ShortPipeline,
    )


def _caller(compiled: Any) -> Any:
    """The compiled function as a callable for numba code in the same library."""
    signature, description = compiled.signature, compiled.fndesc

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        function = context.declare_function(builder.module, description)
        convention = context.call_conv
        status, value = convention.call_function(
            builder, function, signature.return_type, signature.args, args
        )
        del status  # there are no exceptions: error_model "numpy", no bounds checks, no NRT
        return value

    # numba reads the number of arguments from the signature
    names = ", ".join(f"a{i}" for i in range(len(signature.args)))
    space = {"signature": signature, "generate": generate}
    exec(f"def call(context, {names}): return signature, generate", space)
    call: Callable[..., Any] = space["call"]
    found: Any = intrinsic(call)
    return found


def _linked(library: Any, entry: Any, rescued: bool) -> str:
    """The library's module with the C entry and everything it links to, as text."""
    module = library._final_module.clone()  # numba has no public way to the unoptimized module
    for other in library._linking_libraries:
        module.link_in(other._get_module_for_linking(), preserve=True)
    module.link_in(llvm.parse_assembly(_entry(entry, rescued)))
    return str(module)


def _entry(description: Any, rescued: bool) -> str:
    """int32 run(int64* buffers, int64* sizes, int64* facts), around numba's calling convention.

    ``rescued``: there are slow functions, which may fail to be loaded while it runs.
    """
    context = cpu_target.target_context
    module = ir.Module(ENTRY)
    module.triple = llvm.get_process_triple()
    pointer = ir.IntType(64).as_pointer()
    code = ir.IntType(32)
    function = ir.Function(module, ir.FunctionType(code, [pointer] * 3), ENTRY)
    builder = ir.IRBuilder(function.append_basic_block())
    inner = context.declare_function(module, description)
    failures = ir.GlobalVariable(module, ir.IntType(64), FAILURES) if rescued else None
    before = _read(builder, failures)
    _, value = context.call_conv.call_function(
        builder, inner, description.restype, description.argtypes, function.args
    )
    if failures is not None:
        well = builder.icmp_unsigned("==", before, _read(builder, failures))
        value = builder.select(well, value, code(NO_RESCUE))
    builder.ret(value)
    return str(module)


def _read(builder: Any, variable: Any) -> Any:
    """What a variable holds now."""
    if variable is None:
        return None
    return builder.load_atomic(variable, "acquire", 8)
