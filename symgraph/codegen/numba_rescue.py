"""Functions of kernels for numba: intrinsics that put the text of ``rescue`` into the module."""

from __future__ import annotations

from typing import Any  # numba's contexts, builders and types have no annotations

from llvmlite import ir

from symgraph.codegen import rescue
from symgraph.codegen.numba_api import intrinsic
from symgraph.codegen.numba_memory import numba_type
from symgraph.loop.ir import Function

_KINDS = {"float": ir.FloatType(), "double": ir.DoubleType()}


class _Text(ir.Function):  # type: ignore[misc]  # llvmlite is untyped
    """A function or global of a module that is given as text."""

    text: str

    def __str__(self) -> str:
        return self.text


def intrinsic_of(function: Function) -> Any:
    """What the name of a function stands for in generated source."""
    made = rescue.definition(function)
    dtypes = [function.result.dtype] * 2 + [p.dtype for p in function.params]
    kinds = [numba_type(d) for d in dtypes]
    signature = kinds[0](*kinds)

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.call(_added(builder.module, made), args)

    # numba reads the number of arguments from the signature
    names = ", ".join(f"a{i}" for i in range(len(kinds)))
    space = {"signature": signature, "generate": generate}
    exec(f"def {function.name}(context, {names}): return signature, generate", space)
    return intrinsic(space[function.name])


def _added(module: Any, made: rescue.Definition) -> Any:
    """The function in a module, with what it needs."""
    found = module.globals.get(made.name)
    if found is not None:
        return found
    for name, text in made.parts()[:-1]:
        if name not in module.globals:
            # one of several kernels' modules, which are linked: equal programs are one
            _put(module, name, "void", (), text.replace(" = global ", " = weak_odr global "))
    return _put(module, made.name, made.result, made.params, made.text)


def _put(module: Any, name: str, result: str, params: tuple[str, ...], text: str) -> Any:
    kind = _KINDS.get(result, ir.VoidType())
    made = _Text(module, ir.FunctionType(kind, [_KINDS[p] for p in params]), name)
    made.text = text
    return made
