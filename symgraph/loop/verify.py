"""The rules of the loop IR; ``verify_kernel`` and ``verify_program`` raise VerifyError.

Checked: every name is declared once and used in its scope, dtypes and ranks agree, indices and
extents are int64, conditions bool, only declared buffers are written, actual buffers of a call
fit and do not repeat one that is written. Not checked: bounds, which depend on sizes (the
interpreter checks each access), and overlap through views.
"""

from __future__ import annotations

from collections import Counter

from symgraph.errors import VerifyError
from symgraph.loop.ir import (
    Bind,
    Branch,
    Buffer,
    Call,
    Check,
    Copy,
    Kernel,
    Library,
    Loop,
    Program,
    Repeat,
    Step,
    View,
)
from symgraph.loop.text import show_buffer
from symgraph.loop.verify_kernel import Scope, declare_buffer, verify_kernel
from symgraph.loop.words import BOOL, INT64


def verify_program(program: Program) -> None:
    """Checks kernels, buffers and steps of a program; VerifyError says which rule it breaks."""
    kernels: dict[str, Kernel] = {}
    for kernel in program.kernels:
        if kernel.name in kernels:
            raise VerifyError(f"two kernels are named {kernel.name}")
        verify_kernel(kernel)
        kernels[kernel.name] = kernel
    scope = Scope("program")
    for size in program.sizes:
        scope.scalar(size, INT64, fixed=True)
    changed = {spec.name: spec for spec in program.outputs}
    for spec in program.inputs:
        twin = changed.get(spec.name)
        alike = twin is None or show_buffer(twin) == show_buffer(spec)
        scope.require(alike, f"input and output {spec.name} differ")
    read_only = {spec.name for spec in program.inputs} - changed.keys()
    inputs = tuple(spec for spec in program.inputs if spec.name in read_only)
    for spec in inputs + program.outputs + program.temporaries:
        declare_buffer(spec, scope)
    _StepCheck(scope, kernels, read_only).block(program.steps)


__all__ = ["verify_kernel", "verify_program"]


class _StepCheck:
    def __init__(self, scope: Scope, kernels: dict[str, Kernel], read_only: set[str]) -> None:
        self.scope, self.kernels, self.read_only = scope, kernels, read_only

    def block(self, steps: tuple[Step, ...]) -> None:
        declared: list[str] = []
        for step in steps:
            self._step(step, declared)
        self.scope.drop(declared)
        self.read_only.difference_update(declared)

    def _step(self, step: Step, declared: list[str]) -> None:
        scope = self.scope
        match step:
            case Call():
                self._call(step)
            case Library():
                self._library(step)
            case View():
                self._view(step)
                declared.append(step.name)
            case Bind(name, buffer):
                scope.element(buffer, (), INT64)
                scope.scalar(name, INT64, fixed=True)
                declared.append(name)
            case Check(cond, code, args):
                scope.expr(cond, BOOL)
                scope.facts(code, args)
            case Repeat(var, extent, steps, kind):
                scope.require(kind in ("serial", "parallel"), f"a loop of steps is {kind}")
                scope.expr(extent, INT64)
                scope.scalar(var, INT64, fixed=True)
                self.block(steps)
                scope.drop([var])
            case Loop(cond, steps):
                scope.element(cond, (), BOOL)
                self.block(steps)
            case Branch(cond, then, orelse):
                scope.element(cond, (), BOOL)
                self.block(then)
                self.block(orelse)
            case Copy(target, source):
                self._buffers((target, source), frozenset((target,)))
                same = scope.arrays[target] == scope.arrays[source]
                scope.require(same, f"copy of {source} to {target} changes dtype or rank")

    def _call(self, step: Call) -> None:
        scope, kernel = self.scope, self.kernels.get(step.kernel)
        if kernel is None:
            raise VerifyError(f"program: there is no kernel {step.kernel}")
        fits = len(step.buffers) == len(kernel.buffers) and len(step.sizes) == len(kernel.sizes)
        scope.require(fits, f"the call of {kernel.name} has a wrong number of arguments")
        written = {
            actual
            for actual, spec in zip(step.buffers, kernel.buffers, strict=True)
            if spec.name in kernel.writes
        }
        self._buffers(step.buffers, frozenset(written))
        for actual, spec in zip(step.buffers, kernel.buffers, strict=True):
            self._same_dtype(kernel, actual, spec)
        for x in step.sizes:
            scope.expr(x, INT64)

    def _same_dtype(self, kernel: Kernel, actual: str, spec: Buffer) -> None:
        found = self.scope.arrays[actual][0]
        text = f"{kernel.name} takes {spec.name} as {spec.dtype}, {actual} is {found}"
        self.scope.require(found == spec.dtype, text)

    def _library(self, step: Library) -> None:
        scope = self.scope
        scope.require(bool(step.buffers), f"library call {step.name} has no buffers")
        self._buffers(step.buffers, frozenset(step.buffers[-1:]))
        for x in step.sizes:
            scope.expr(x, INT64)

    def _view(self, step: View) -> None:
        scope = self.scope
        scope.require(step.base in scope.arrays, f"buffer {step.base} is not declared")
        dtype, rank = scope.arrays[step.base]
        left = rank - len(step.index)
        scope.require(left >= (step.start is not None), f"view {step.name} has too many indices")
        for x in (*step.index, *((step.start,) if step.start is not None else ())):
            scope.expr(x, INT64)
        scope.array(step.name, dtype, left)
        if step.base in self.read_only:
            self.read_only.add(step.name)

    def _buffers(self, names: tuple[str, ...], written: frozenset[str]) -> None:
        scope = self.scope
        for name in names:
            scope.require(name in scope.arrays, f"buffer {name} is not declared")
        for name in written:
            scope.require(name not in self.read_only, f"input {name} is written")
            once = Counter(names)[name] == 1
            scope.require(once, f"{name} is written and passed twice in one call")
