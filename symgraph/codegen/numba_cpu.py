"""The numba backend for the CPU: readable source, one compile unit for each program, object code.

``compile`` imports numba; ``restore`` loads object code with llvmlite alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgraph.codegen import artefact
from symgraph.codegen.backend import Outcome
from symgraph.codegen.python_kernel import kernel_source
from symgraph.codegen.python_program import program_source
from symgraph.loop.ir import Kernel, Program


class NumbaProgram:
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


def assembly(program: Program) -> tuple[str, str]:
    """(LLVM assembly, machine assembly) of a program, optimized: for reading."""
    from symgraph.codegen import numba_build  # numba takes 0.3 s to import

    return artefact.optimized_assembly(numba_build.build(program_source(program)))


class _Numba:
    name = "numba"

    def target(self) -> str:
        from importlib.metadata import version

        return f"{artefact.target_key()}|{version('numba')}"

    def compile(self, program: Program, quick: bool = False) -> NumbaProgram:
        from symgraph.codegen import numba_build

        source = program_source(program)
        return NumbaProgram(artefact.optimize(numba_build.build(source), source.needs, quick))

    def restore(self, program: Program, data: bytes) -> NumbaProgram:
        return NumbaProgram(artefact.Artefact.from_bytes(data))

    def source(self, kernel: Kernel) -> str:
        return kernel_source(kernel)


BACKEND = _Numba()
