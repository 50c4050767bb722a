"""Kernels as LLVM functions, written directly from the loop IR.

A function takes the addresses of the buffers, then the sizes, then ``facts`` where the kernel can
fail (it then returns the code of the failure, or 0), then the thread pool's function where it has
loops for several threads. No buffer that is written overlaps another one (``noalias``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgraph.codegen.llvm_expression import Memory
from symgraph.codegen.llvm_parallel import Spreader
from symgraph.codegen.llvm_rescue import is_short, short_definition
from symgraph.codegen.llvm_statement import Statements, strides
from symgraph.codegen.llvm_stream import write_fence
from symgraph.codegen.llvm_text import INDEX, POINTER, Module, Value, type_of
from symgraph.codegen.rescue import Definition, definition
from symgraph.loop.ir import Buffer, Const, Fail, For, Function, If, Kernel, Stmt, While, Word
from symgraph.loop.text import show_const
from symgraph.loop.traverse import can_fail, expressions, postorder, statements
from symgraph_kernels.table import ROWS

# A kernel with more elementary functions than this calls them instead of inlining them. LLVM's time
# grows with the square of a loop's body: 100, 300, 1000 tanh take 0.6, 4, 42 s; called, 0.1 to 0.3.
MAX_INLINED = 100
MOST_INLINED_STATEMENTS = 200
NUMBERS = 8  # of a vector
PREFIX = "kernel."  # of the names of functions


def function_calls(kernel: Kernel) -> int:
    """How many elementary and special functions stand in a kernel."""
    nodes = postorder(*(x for s in statements(kernel.body) for x in expressions(s)))
    return sum(isinstance(x, Word) and x.name in ROWS for x in nodes)


def _turns(body: Sequence[Stmt]) -> float:
    """Statements that a body runs, vectors of numbers as one; infinite where that is not known."""
    total = 0.0
    for s in body:
        inner = _turns(s.body) if isinstance(s, For) else 0.0
        if isinstance(s, For) and isinstance(s.extent, Const):
            total += inner * math.ceil(s.extent.value.real / NUMBERS)
        elif isinstance(s, For | While | If):
            return math.inf
        else:
            total += 1
    return total


class KernelText:
    """Writes one kernel into a module; ``threads``: does its function take the thread pool?

    ``numbers``: constants that its function takes as its last arguments.
    """

    def __init__(self, kernel: Kernel, module: Module, numbers: Sequence[Const] = ()) -> None:
        self.kernel, self.module, self.numbers = kernel, module, numbers
        self.fails = can_fail(kernel)
        self.name = f'@"{PREFIX}{kernel.name}"'
        self.threads = False
        self.texts: list[str] = []
        # straight code, which is worth inlining into a loop of steps: its state becomes registers
        inner = list(statements(kernel.body))
        loops = any(isinstance(s, For | While | Fail) for s in inner)
        self.is_small = not loops and len(inner) <= MOST_INLINED_STATEMENTS
        # a call, and values through memory, take as long as its few turns
        self.is_short = not self.fails and _turns(kernel.body) <= MOST_INLINED_STATEMENTS

    def write(self) -> None:
        """Writes the function, and those that it spreads its loops with, into ``texts``."""
        kernel, writer = self.kernel, Statements(self.kernel, self.module)
        b, e = writer.b, writer.e
        b.calls_note = " noinline" if function_calls(kernel) > MAX_INLINED else ""
        params = [self._parameter(spec, k) for k, spec in enumerate(kernel.buffers)]
        for k, size in enumerate(kernel.sizes):
            e.values[size] = Value(INDEX, f"%s{k}")
            params.append(f"i64 %s{k}")
        if self.fails:
            params.append("ptr noalias %facts")
        for k, number in enumerate(self.numbers):
            e.numbers[show_const(number)] = Value(type_of(number.dtype), f"%n{k}")
        e.natural.update(kernel.sizes)
        for k, spec in enumerate(kernel.buffers):
            address = Value(POINTER, f"%b{k}")
            e.memory[spec.name] = Memory(address, spec.dtype, strides(e, spec.shape))
        for function in kernel.functions:
            made = e.functions[function.name] = _definition(function, self.module)
            for name, text in made.parts():
                self.module.define(name, text)
        spreader = Spreader(kernel)
        writer.spread = spreader.spread
        writer.block(kernel.body)
        if writer.streams:
            write_fence(b, self.module)
        b.line("ret i32 0" if self.fails else "ret void")
        result = "i32" if self.fails else "void"
        self.threads = spreader.count > 0
        if self.threads:
            params.append("ptr %parallel")
        params += [str(n) for n in e.numbers.values()]
        head = f"define internal {result} {self.name}({', '.join(params)}) nounwind {{"
        lines = [head, "entry:", *writer.entry, *b.lines, "}"]
        self.texts = [*spreader.texts, "\n".join(lines)]

    def _parameter(self, spec: Buffer, k: int) -> str:
        access = "" if spec.name in self.kernel.writes else " readonly"
        return f"ptr noalias{access} %b{k}"


def _definition(function: Function, module: Module) -> Definition:
    return short_definition(function, module) if is_short(function) else definition(function)
