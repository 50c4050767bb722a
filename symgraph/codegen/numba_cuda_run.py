"""A program driven from the host over device memory: the steps of the loop IR.

All memory is flat arrays on the device; a view is a slice, a kernel sees a reshape. Only 0-d
conditions, bound sizes and the status of kernels that can fail come back to the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any  # device arrays

import numpy as np

from symgraph.codegen import numba_cuda_api as api
from symgraph.codegen.numba_cuda_compile import Launch, Launches
from symgraph.loop.interp import Failed, Scope, evaluate, integer
from symgraph.loop.ir import (
    Bind,
    Branch,
    Call,
    Check,
    Copy,
    Expr,
    Library,
    Loop,
    Repeat,
    Step,
    View,
)
from symgraph.records import dataclass, field

_NO_FAILURE = np.iinfo("int64").max


@dataclass(frozen=True, slots=True)
class Memory:
    """A buffer or view: flat device memory of at least prod(shape) elements, and its shape."""

    flat: Any
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class _Fetched(dict[str, Any]):
    """Arrays by name for expressions of the program: each look-up copies from the device."""

    def __init__(self, memory: dict[str, Memory]) -> None:
        super().__init__()
        self._memory = memory

    def __getitem__(self, name: str) -> Any:
        return fetch(self._memory[name])


def fetch(memory: Memory) -> Any:
    """The contents as a NumPy array."""
    return memory.flat[: memory.size].copy_to_host().reshape(memory.shape)


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Memory:
    """New device memory, uninitialised; empty arrays have an element, so that kernels take them."""
    cuda = api.require_device()
    return Memory(cuda.device_array((max(1, math.prod(shape)),), dtype), shape)


@dataclass(frozen=True, slots=True)
class Run:
    """One call of a program."""

    kernels: Mapping[str, Launches]
    library: Callable[[Library, np.dtype[Any]], Launches]
    memory: dict[str, Memory]
    scope: Scope
    scratch: dict[tuple[str, str], Memory] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        kernels: Mapping[str, Launches],
        library: Callable[[Library, np.dtype[Any]], Launches],
        memory: dict[str, Memory],
        sizes: Mapping[str, int],
    ) -> Run:
        """A run over memory by name."""
        scalars = {name: np.int64(value) for name, value in sizes.items()}
        return cls(kernels, library, memory, Scope(_Fetched(memory), scalars))

    def steps(self, steps: tuple[Step, ...]) -> None:
        """Runs steps in order. Raises: Failed."""
        for step in steps:
            _STEPS[type(step)](self, step)

    def integers(self, exprs: Sequence[Expr]) -> tuple[int, ...]:
        """Values of int64 expressions."""
        return tuple(integer(x, self.scope) for x in exprs)

    # ------------------------------------------------------------ kernels

    def call(self, step: Call) -> None:
        """Launches the parts of a kernel."""
        self.launch(self.kernels[step.kernel], step.buffers, self.integers(step.sizes))

    def launch(self, made: Launches, names: Sequence[str], sizes: tuple[int, ...]) -> None:
        """Launches a kernel on named memory."""
        kernel = made.kernel
        scope = Scope({}, {n: np.int64(v) for n, v in zip(kernel.sizes, sizes, strict=True)})
        memory = [self.memory[name] for name in names]
        memory += [self._scratch(kernel.name, b.name, b.dtype, b.shape) for b in made.scratch]
        specs = kernel.buffers + made.scratch
        arrays = [_seen(m, b.shape, scope) for m, b in zip(memory, specs, strict=True)]
        for launch in made.launches:
            turns = math.prod(max(0, integer(x, scope)) for x in launch.turns)
            self._start(launch, turns, (*arrays, *map(np.int64, sizes)))

    def _scratch(
        self, kernel: str, name: str, dtype: np.dtype[Any], shape: tuple[Expr, ...]
    ) -> Memory:
        key = kernel, name
        if key not in self.scratch:
            self.scratch[key] = allocate(self.integers(shape), dtype)
        return self.scratch[key]

    def _start(self, launch: Launch, turns: int, args: tuple[Any, ...]) -> None:
        blocks, threads = _grid(launch.kind, turns)
        if blocks == 0:
            return
        status = self._status()
        everyone = np.int64(-1)
        launch.function[blocks, threads](*args, status, everyone)
        if not launch.fails:
            return
        first = int(status.copy_to_host()[0])
        if first != _NO_FAILURE:
            launch.function[1, 1](*args, status, np.int64(first))
            _, code, *facts = status.copy_to_host()
            raise Failed(int(code), tuple(map(int, facts)))

    def _status(self) -> Any:
        key = "", "status"
        if key not in self.scratch:
            start = np.array([_NO_FAILURE, 0, 0, 0, 0, 0])
            self.scratch[key] = Memory(api.require_device().to_device(start), (6,))
        return self.scratch[key].flat

    def product(self, step: Library) -> None:
        """A library call: matrix products by tiles, the others by loop kernels."""
        sizes = self.integers(step.sizes)
        if step.name not in ("gemm", "gemm_batched"):
            dtype = np.dtype(self.memory[step.buffers[0]].flat.dtype)
            self.launch(self.library(step, dtype), step.buffers, sizes)
            return
        from symgraph.codegen import numba_cuda_library  # its kernels need the device

        a, b, c = (self.memory[name].flat for name in step.buffers)
        batch, m, n, k = sizes if step.name == "gemm_batched" else (1, *sizes)
        numba_cuda_library.multiply(a, b, c, (batch, m, n, k), dict(step.attrs))

    # ------------------------------------------------------------ memory

    def view(self, step: View) -> None:
        """A slice of flat memory."""
        base, at = self.memory[step.base], self.integers(step.index)
        rest = base.shape[len(at) :]
        offset = 0
        for i, n in zip(at, base.shape, strict=False):
            offset = offset * n + i
        if step.start is not None:
            start = integer(step.start, self.scope)
            offset = (offset * rest[0] + start) * math.prod(rest[1:])
            rest = (rest[0] - start, *rest[1:])
        else:
            offset *= math.prod(rest)
        flat = base.flat[offset : offset + math.prod(rest)] if math.prod(rest) else base.flat
        self.memory[step.name] = Memory(flat, rest)

    def copy(self, step: Copy) -> None:
        """Device to device."""
        target, source = self.memory[step.target], self.memory[step.source]
        if target.size:
            target.flat[: target.size].copy_to_device(source.flat[: target.size])

    # ------------------------------------------------------------ control

    def bind(self, step: Bind) -> None:
        """A size from device memory."""
        self.scope.scalars[step.name] = np.int64(self.first(step.buffer))

    def first(self, name: str) -> Any:
        """The value of a 0-d buffer."""
        return self.memory[name].flat[:1].copy_to_host()[0]

    def check(self, step: Check) -> None:
        """Stops unless the condition holds."""
        if not evaluate(step.cond, self.scope):
            raise Failed(step.code, self.integers(step.args))

    def repeat(self, step: Repeat) -> None:
        """A counted loop."""
        for i in range(integer(step.extent, self.scope)):
            self.scope.scalars[step.var] = np.int64(i)
            self.steps(step.steps)

    def loop(self, step: Loop) -> None:
        """While a 0-d buffer is true."""
        while self.first(step.cond):
            self.steps(step.steps)

    def branch(self, step: Branch) -> None:
        """One of two."""
        self.steps(step.then if self.first(step.cond) else step.orelse)


def _grid(kind: str, turns: int) -> tuple[int, int]:
    """(blocks, threads of each) for a part."""
    threads = api.threads()
    if kind == "single":
        return 1, 1
    if kind == "rows":
        return min(turns, 2**31 - 1), threads
    if kind == "reduce":  # every block leaves its part, also where there is nothing to fold
        return api.most_blocks(), threads
    return -(-turns // threads), threads


def _seen(memory: Memory, shape: tuple[Expr, ...], scope: Scope) -> Any:
    """The memory as an array of a kernel's shape."""
    dims = tuple(max(0, integer(x, scope)) for x in shape) or (1,)
    size = math.prod(dims)
    if size == 0:
        return allocate((1,), np.dtype(memory.flat.dtype)).flat.reshape((1,) * len(dims))
    return memory.flat[:size].reshape(dims)


_STEPS: dict[type, Callable[[Run, Any], None]] = {
    Call: Run.call,
    Library: Run.product,
    View: Run.view,
    Bind: Run.bind,
    Check: Run.check,
    Repeat: Run.repeat,
    Loop: Run.loop,
    Branch: Run.branch,
    Copy: Run.copy,
}
