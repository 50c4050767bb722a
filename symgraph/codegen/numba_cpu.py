"""The numba backend for the CPU: readable source, one compile unit for each program, object code.

``compile`` imports numba; ``restore`` loads object code without it.
"""

from __future__ import annotations

from symgraph.codegen import artefact, objects
from symgraph.codegen.python_kernel import kernel_source
from symgraph.codegen.python_program import program_source
from symgraph.loop.ir import Kernel, Program


def assembly(program: Program) -> tuple[str, str]:
    """(LLVM assembly, machine assembly) of a program, optimized: for reading."""
    from symgraph.codegen import numba_build  # numba takes 0.3 s to import

    return objects.optimized_assembly(numba_build.build(program_source(program)))


class _Numba:
    name = "numba"

    def target(self) -> str:
        from importlib.metadata import version

        return f"{artefact.target_key()}|{version('numba')}"

    def compile(self, program: Program, quick: bool = False) -> artefact.Loaded:
        from symgraph.codegen import numba_build

        source = program_source(program)
        return artefact.load(objects.optimize(numba_build.build(source), source.needs, quick))

    def restore(self, program: Program, data: bytes) -> artefact.Loaded:
        return artefact.load(artefact.Artefact.from_bytes(data))

    def source(self, kernel: Kernel) -> str:
        return kernel_source(kernel)


BACKEND = _Numba()
