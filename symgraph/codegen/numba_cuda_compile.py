"""Kernels of a program made ready for launches, and as PTX."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any  # numba has no annotations

import numpy as np

from symgraph.codegen import numba_cuda_api as api
from symgraph.codegen import numba_cuda_rescue, numba_cuda_words
from symgraph.codegen.numba_cuda_kernel import can_fail, part_source
from symgraph.codegen.numba_cuda_split import Part, split
from symgraph.codegen.numba_memory import numba_type
from symgraph.errors import DeviceError, message
from symgraph.loop.ir import Buffer, Expr, Kernel
from symgraph.records import dataclass

# The simulator's threads are Python's, in which NumPy would warn of overflow.
_QUIET = """
inner = {name}
def {name}(*args):
    with errstate(all="ignore"):
        inner(*args)
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """One part of a kernel: what to start, and the extents that the grid covers."""

    kind: str
    function: Any
    turns: tuple[Expr, ...]
    fails: bool


@dataclass(frozen=True, slots=True)
class Launches:
    """A kernel as launches; ``scratch`` comes after its buffers."""

    kernel: Kernel
    scratch: tuple[Buffer, ...]
    launches: tuple[Launch, ...]


def launches(kernel: Kernel) -> Launches:
    """The kernel for the device; numba compiles each part when it is first launched."""
    cuda = api.require_device()
    made = split(kernel, api.most_blocks())
    found = tuple(_launch(part, cuda) for part in made.parts)
    return Launches(kernel, made.scratch, found)


def _launch(part: Part, cuda: Any) -> Launch:
    function = cuda.jit(_function(part, cuda))
    turns = tuple(f.extent for f in part.nest.loops) if part.nest else ()
    return Launch(part.kind, function, turns, can_fail(part.kernel))


def _function(part: Part, cuda: Any) -> Callable[..., None]:
    source = part_source(part, api.threads())
    slow = {f.name: f for f in part.kernel.functions}
    space = {n: numba_cuda_words.lookup(n) for n in source.used if n not in slow} | {"cuda": cuda}
    space |= {n: numba_cuda_rescue.lookup(f) for n, f in slow.items() if n in source.used}
    file = f"<cuda kernel {source.name}>"
    linecache.cache[file] = len(source.text), None, source.text.splitlines(keepends=True), file
    exec(compile(source.text, file, "exec"), space)
    if api.simulated():
        space["errstate"] = np.errstate
        exec(_QUIET.format(name=source.name), space)
    found: Callable[..., None] = space[source.name]
    return found


def source(kernel: Kernel) -> str:
    """The launches of a kernel as a person reads them."""
    parts = split(kernel, api.most_blocks()).parts
    texts = [f"# {p.kind}\n{part_source(p, api.threads()).text}" for p in parts]
    return "\n\n".join(texts)


def ptx(kernel: Kernel, cc: tuple[int, int] = (9, 0)) -> str:
    """PTX of all launches of a kernel for a compute capability; needs NVVM but no GPU.

    Raises: DeviceError in the simulator, or where NVVM is not installed.
    """
    if api.simulated():
        raise DeviceError(message("the simulator has no PTX", hint="unset NUMBA_ENABLE_CUDASIM"))
    cuda = api.module()
    texts = []
    for part in split(kernel, api.most_blocks()).parts:
        function = _function(part, cuda)
        try:
            texts.append(cuda.compile_ptx(function, signature(part.kernel), cc=cc)[0])
        except Exception as problem:
            if type(problem).__name__ != "NvvmSupportError":
                raise
            hint = "install numba-cuda[cu13]"
            raise DeviceError(message(f"there is no NVVM: {problem}", hint=hint)) from None
    return "\n".join(texts)


def signature(kernel: Kernel) -> tuple[Any, ...]:
    """numba's types of the arguments of a part of the kernel."""
    int64 = np.dtype("int64")
    arrays = [_array(b.dtype, max(1, len(b.shape))) for b in kernel.buffers]
    sizes = [numba_type(int64)] * len(kernel.sizes)
    return (*arrays, *sizes, _array(int64, 1), numba_type(int64))


def _array(dtype: np.dtype[Any], ndim: int) -> Any:
    from symgraph.codegen.numba_api import types

    return types.Array(numba_type(dtype), ndim, "C")
