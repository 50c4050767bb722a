"""The backend for the CPU: LLVM written directly from the loop IR, made into object code.

Neither numba nor SciPy is imported; LLVM itself comes with llvmlite.
"""

from __future__ import annotations

import re

from symgraph.codegen import artefact, objects
from symgraph.codegen.llvm_kernel import PREFIX
from symgraph.codegen.llvm_program import program_text
from symgraph.loop.ir import Kernel, Program


def kernel_assembly(program: Program, kernel: str) -> tuple[str, str]:
    """(LLVM, machine assembly) of one kernel as it stands in the optimized program.

    With the functions that run its loops on several threads; the whole program's where LLVM has
    made the kernel a part of something else.
    """
    text = program_text(program)
    name = rf'"?(?:{PREFIX}|part\.|body\.){re.escape(text.names[kernel])}(?:\.\d+)?"?'
    llvm, machine = objects.optimized_assembly(text.assembly)
    how = re.DOTALL | re.MULTILINE
    bodies = re.findall(rf"^define [^\n]*@{name}\(.*?^}}", llvm, how)
    codes = re.findall(rf"^{name}:.*?^\.Lfunc_end", machine, how)
    return "\n\n".join(bodies) or llvm, "\n\n".join(codes) or machine


def assembly(program: Program) -> tuple[str, str]:
    """(LLVM assembly, machine assembly) of a program, optimized: for reading."""
    return objects.optimized_assembly(program_text(program).assembly)


class _Llvm:
    name = "llvm"

    def target(self) -> str:
        return artefact.target_key()

    def compile(self, program: Program, quick: bool = False) -> artefact.Loaded:
        text = program_text(program)
        return artefact.load(objects.optimize(text.assembly, text.needs, quick))

    def restore(self, program: Program, data: bytes) -> artefact.Loaded:
        return artefact.load(artefact.Artefact.from_bytes(data))

    def source(self, kernel: Kernel) -> str:
        from symgraph.codegen.python_kernel import kernel_source  # only for who reads it

        return kernel_source(kernel)


BACKEND = _Llvm()
