"""A kernel for people."""

from __future__ import annotations

from typing import Any

from symgraph.codegen.backend import backend
from symgraph.display import mimebundle
from symgraph.ir.origin import Line
from symgraph.loop.ir import Kernel, Program
from symgraph.records import dataclass
from symgraph.runtime.executable import Executable
from symgraph.trace.cost import dims_of, kernel_bytes, kernel_flops, number_for


def machine_code(program: Program, kernel: str) -> dict[str, str]:
    """LLVM and assembly of one kernel of a program, as it stands in the whole, optimized."""
    made = _last.get(id(program))
    if made is None or made[0] is not program:
        from symgraph.codegen.llvm_cpu import kernel_assembly  # imports LLVM

        _last.clear()
        made = _last[id(program)] = program, kernel_assembly(program)
    return dict(zip(("llvm", "asm"), made[1][kernel], strict=True))


# The program that was read last, with its kernels: whoever looks at one looks at others too.
_last: dict[int, tuple[Program, dict[str, tuple[str, str]]]] = {}


@dataclass(frozen=True, slots=True)
class KernelView:
    """A kernel for people: ``source`` runs as plain Python on arrays; ``lines`` are the user's."""

    kernel: Kernel
    executable: Executable
    generator: str

    @property
    def name(self) -> str:
        """Its name, from the ops in it."""
        return self.kernel.name

    @property
    def source(self) -> str:
        """Readable source."""
        return backend(self.generator).source(self.kernel)

    @property
    def lines(self) -> list[Line]:
        """The lines of the user's program that it computes."""
        return [Line(file, number) for file, number in self.kernel.lines]

    def bytes(self, **dims: int) -> int:
        """Bytes that a call reads and writes, each buffer once, for dimensions given by name."""
        sizes = dims_of(self.executable.lowered.sizes)
        return number_for(kernel_bytes(self.kernel, sizes), dims, f"{self.name}.bytes")

    def flops(self, **dims: int) -> int:
        """Operations of a call, counted on its loops (``trace.cost``), for dimensions by name."""
        sizes = dims_of(self.executable.lowered.sizes)
        return number_for(kernel_flops(self.kernel, sizes), dims, f"{self.name}.flops")

    def _code(self) -> dict[str, str]:
        return machine_code(self.executable.lowered.program, self.name)

    @property
    def llvm(self) -> str:
        """The kernel as optimized LLVM."""
        return self._code()["llvm"]

    @property
    def asm(self) -> str:
        """The kernel as machine assembly."""
        return self._code()["asm"]

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"
