"""The backend for the CPU: LLVM written directly from the loop IR, made into object code.

Neither numba nor SciPy is imported; LLVM itself comes with llvmlite.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgraph.codegen import artefact
from symgraph.codegen.backend import Outcome
from symgraph.codegen.llvm_kernel import PREFIX
from symgraph.codegen.llvm_program import program_text
from symgraph.codegen.python_kernel import kernel_source
from symgraph.loop.ir import Kernel, Program


class LlvmProgram:
    """A program as object code in memory."""

    def __init__(self, made: artefact.Artefact) -> None:
        self.artefact = made
        self._loaded = artefact.load(made)

    def call(self, pointers: Sequence[int], sizes: Sequence[int]) -> Outcome:
        """Runs it without the GIL: (0 or the code of the failure, its facts)."""
        return self._loaded.call(pointers, sizes)

    def counts(self) -> dict[str, int]:
        """How many lanes each function of kernels has computed slowly so far."""
        return self._loaded.counts()

    def addresses(self, threads: int) -> tuple[int, tuple[int, ...]]:
        """Where the code is, and the functions it is given; ``threads``: most for its loops."""
        return self._loaded.addresses(threads)

    def to_bytes(self) -> bytes | None:
        """The artefact: object code with its digest."""
        return self.artefact.to_bytes()

    def close(self) -> None:
        """Gives the memory of the code back; it must not be running."""
        self._loaded.close()


def kernel_assembly(program: Program, kernel: str) -> tuple[str, str]:
    """(LLVM, machine assembly) of one kernel as it stands in the optimized program.

    With the functions that run its loops on several threads; the whole program's where LLVM has
    made the kernel a part of something else.
    """
    text = program_text(program)
    name = rf'"?(?:{PREFIX}|part\.|body\.){re.escape(text.names[kernel])}(?:\.\d+)?"?'
    llvm, machine = artefact.optimized_assembly(text.assembly)
    how = re.DOTALL | re.MULTILINE
    bodies = re.findall(rf"^define [^\n]*@{name}\(.*?^}}", llvm, how)
    codes = re.findall(rf"^{name}:.*?^\.Lfunc_end", machine, how)
    return "\n\n".join(bodies) or llvm, "\n\n".join(codes) or machine


def assembly(program: Program) -> tuple[str, str]:
    """(LLVM assembly, machine assembly) of a program, optimized: for reading."""
    return artefact.optimized_assembly(program_text(program).assembly)


class _Llvm:
    name = "llvm"

    def target(self) -> str:
        return artefact.target_key()

    def compile(self, program: Program, quick: bool = False) -> LlvmProgram:
        text = program_text(program)
        return LlvmProgram(artefact.optimize(text.assembly, text.needs, quick))

    def restore(self, program: Program, data: bytes) -> LlvmProgram:
        return LlvmProgram(artefact.Artefact.from_bytes(data))

    def source(self, kernel: Kernel) -> str:
        return kernel_source(kernel)


BACKEND = _Llvm()
