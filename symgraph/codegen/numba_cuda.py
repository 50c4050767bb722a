"""The numba backend for CUDA: kernels in parts, each one launch; steps driven from the host.

``compile(program).run(inputs, outputs, sizes)`` takes NumPy arrays and device arrays. What is on
the device stays there: no copy between kernels, and outputs given as None come back as device
arrays, to be inputs of the next call. ``call`` is the interface of all backends, with copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from threading import Lock
from typing import Any  # NumPy or device arrays

import numpy as np

from symgraph.codegen import numba_cuda_api as api
from symgraph.codegen import plain
from symgraph.codegen.backend import Outcome
from symgraph.codegen.library import LIBRARY
from symgraph.codegen.numba_cuda_compile import Launches, launches, ptx, source
from symgraph.codegen.numba_cuda_run import Memory, Run, allocate, fetch
from symgraph.errors import ArgumentError, message
from symgraph.loop.interp import Failed, Scope, integer
from symgraph.loop.ir import MAX_FACTS, Buffer, Kernel, Library, Program

_SIMULATOR = Lock()  # it runs one kernel at a time and refuses another

__all__ = ["BACKEND", "CudaProgram", "ptx", "to_device"]


def to_device(array: Any) -> Any:
    """A C-contiguous copy of an array on the device; DeviceError where there is none."""
    cuda = api.require_device()
    found = np.ascontiguousarray(array)
    memory = cuda.to_device(found.reshape(-1) if found.size else np.zeros(1, found.dtype))
    return memory if found.size == 0 else memory.reshape(found.shape or (1,))


class CudaProgram:
    """A program on the device."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._kernels = {k.name: launches(k) for k in program.kernels}
        self._library: dict[str, Launches] = {}

    def run(self, inputs: Sequence[Any], outputs: list[Any], sizes: Sequence[int]) -> Outcome:
        """Runs it: (0 or the code of the failure, its facts).

        inputs: NumPy or device arrays in the program's order. outputs: NumPy arrays, copied to the
        device and back; device arrays, written in place; or None, replaced in the list by a new
        device array. All are C-contiguous, of the declared dtypes; their sizes are checked.
        """
        program = self._program
        scope = Scope({}, {n: np.int64(v) for n, v in zip(program.sizes, sizes, strict=True)})
        memory: dict[str, Memory] = {}
        for spec, given in zip(program.inputs, inputs, strict=True):
            memory[spec.name] = _input(spec, given, _shape(spec, scope))
        for spec, given in zip(program.outputs, outputs, strict=True):
            shape = _shape(spec, scope)
            memory[spec.name] = (
                allocate(shape, spec.dtype) if given is None else _input(spec, given, shape)
            )
        for spec in program.temporaries:
            memory[spec.name] = allocate(_shape(spec, scope), spec.dtype)
        outcome = self._steps(memory, dict(zip(program.sizes, sizes, strict=True)))
        for i, spec in enumerate(program.outputs):
            _give(outputs, i, memory[spec.name])
        return outcome

    def _steps(self, memory: dict[str, Memory], sizes: dict[str, int]) -> Outcome:
        run = Run.start(self._kernels, self._of_library, memory, sizes)
        try:
            with _SIMULATOR if api.simulated() else nullcontext():
                run.steps(self._program.steps)
        except Failed as stop:
            return stop.code, (*stop.facts, *[0] * (MAX_FACTS - len(stop.facts)))
        return 0, (0,) * MAX_FACTS

    def _of_library(self, step: Library, dtype: np.dtype[Any]) -> Launches:
        """The loop kernel of a library row, compiled once."""
        kernel = LIBRARY[step.name].loops(dtype, dict(step.attrs))
        if kernel.name not in self._library:
            self._library[kernel.name] = launches(kernel)
        return self._library[kernel.name]

    def call(self, pointers: Sequence[int], sizes: Sequence[int]) -> Outcome:
        """Runs it on host memory at addresses: inputs are copied in, outputs back."""
        program = self._program
        scope = Scope({}, {n: np.int64(v) for n, v in zip(program.sizes, sizes, strict=True)})
        specs = program.inputs + program.outputs
        arrays = [
            plain.array(spec.dtype)(at, _shape(spec, scope))
            for spec, at in zip(specs, pointers, strict=False)
        ]
        count = len(program.inputs)
        return self.run(arrays[:count], arrays[count:], sizes)

    def to_bytes(self) -> bytes | None:
        """None: numba compiles for the device when kernels are first launched."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def _shape(spec: Buffer, scope: Scope) -> tuple[int, ...]:
    return tuple(max(0, integer(dim, scope)) for dim in spec.shape)


def _input(spec: Buffer, given: Any, shape: tuple[int, ...]) -> Memory:
    array = to_device(given) if isinstance(given, np.ndarray) else given
    size = int(np.prod(shape, dtype=np.int64))
    if np.dtype(array.dtype) != spec.dtype or array.size < size:
        facts = {"dtype": array.dtype, "shape": array.shape}
        raise ArgumentError(message(f"{spec.name} must be {spec.dtype}{shape}", facts))
    return Memory(array.reshape((array.size,)), shape)


def _give(outputs: list[Any], i: int, memory: Memory) -> None:
    """Output i from the device."""
    if outputs[i] is None:
        outputs[i] = memory.flat.reshape(memory.shape or (1,)) if memory.size else memory.flat
    elif isinstance(outputs[i], np.ndarray):
        outputs[i][...] = fetch(memory)


class _Cuda:
    name = "cuda"

    def target(self) -> str:
        return "cuda"

    def compile(self, program: Program, quick: bool = False) -> CudaProgram:
        return CudaProgram(program)

    def restore(self, program: Program, data: bytes) -> CudaProgram:
        return CudaProgram(program)

    def source(self, kernel: Kernel) -> str:
        return source(kernel)


BACKEND = _Cuda()
