"""The interpreter as a backend: the meaning of programs, slow, with every index checked.

It uses the caller's inputs and outputs in place, and temporaries of its own, filled with values
that show where something is read before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symgraph.codegen import plain
from symgraph.codegen.backend import Outcome
from symgraph.codegen.library import MEANINGS
from symgraph.codegen.python_kernel import kernel_source
from symgraph.loop.interp import Array, Failed, Scope, integer
from symgraph.loop.ir import MAX_FACTS, Buffer, Kernel, Program
from symgraph.loop.run import run_program


class Interpreted:
    """A program that the interpreter runs."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def call(self, pointers: Sequence[int], sizes: Sequence[int]) -> Outcome:
        """Runs it: (0 or the code of the failure, its facts)."""
        program = self._program
        scope = Scope({}, {n: np.int64(v) for n, v in zip(program.sizes, sizes, strict=True)})
        specs = program.inputs + program.outputs
        arrays = [_array(spec, at, scope) for spec, at in zip(specs, pointers, strict=False)]
        count = len(program.inputs)
        try:
            run_program(program, arrays[:count], arrays[count:], sizes, MEANINGS)
        except Failed as stop:
            return stop.code, (*stop.facts, *[0] * (MAX_FACTS - len(stop.facts)))
        return 0, (0,) * MAX_FACTS

    def to_bytes(self) -> bytes | None:
        """None: the program is all there is."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def _array(spec: Buffer, address: int, scope: Scope) -> Array:
    shape = tuple(max(0, integer(dim, scope)) for dim in spec.shape)
    found: Array = plain.array(spec.dtype)(address, shape)
    return found


class _Interpreter:
    name = "interp"

    def target(self) -> str:
        return "interp"

    def compile(self, program: Program, quick: bool = False) -> Interpreted:
        return Interpreted(program)

    def restore(self, program: Program, data: bytes) -> Interpreted:
        return Interpreted(program)

    def source(self, kernel: Kernel) -> str:
        return kernel_source(kernel)


BACKEND = _Interpreter()
