"""Bytes and operations of the steps of a program for given sizes, as ``cost.py`` counts them."""

from __future__ import annotations

from collections.abc import Mapping

from symgraph.ir.dim import DimLike
from symgraph.loop.ir import Branch, Buffer, Call, Copy, Library, Loop, Program, Repeat, Step
from symgraph.trace.cost import dim_of, kernel_bytes, kernel_flops

PRODUCTS = {"gemm": 3, "gemv": 2, "ger": 2, "dot": 1}  # sizes whose product counts, before batches


def step_cost(step: Step, program: Program, known: Mapping[str, int]) -> tuple[int, int]:
    """(bytes, operations) of a step. What only data tells counts once; of branches, the dearer."""
    names: dict[str, DimLike] = dict(known)
    if isinstance(step, Call):
        kernel = next(k for k in program.kernels if k.name == step.kernel)
        own = {n: dim_of(x, names) for n, x in zip(kernel.sizes, step.sizes, strict=True)}
        mine: dict[str, DimLike] = {n: 1 if d is None else d for n, d in own.items()}
        return _number(kernel_bytes(kernel, mine)), _number(kernel_flops(kernel, mine))
    if isinstance(step, Library):
        return _library(step, program, names)
    if isinstance(step, Copy):
        return 2 * sum(_size(b, names) for b in _buffers(program, (step.target,))), 0
    if isinstance(step, Repeat):
        extent = dim_of(step.extent, names)
        turns = 1 if extent is None else _number(extent)
        return _times(turns, _sum(step.steps, program, {**known, step.var: turns // 2}))
    if isinstance(step, Loop):
        return _sum(step.steps, program, known)
    if isinstance(step, Branch):
        return max(_sum(step.then, program, known), _sum(step.orelse, program, known))
    return 0, 0


def _sum(steps: tuple[Step, ...], program: Program, known: Mapping[str, int]) -> tuple[int, int]:
    parts = [step_cost(s, program, known) for s in steps]
    return sum(p[0] for p in parts), sum(p[1] for p in parts)


def _times(turns: int, cost: tuple[int, int]) -> tuple[int, int]:
    return turns * cost[0], turns * cost[1]


def _library(step: Library, program: Program, known: Mapping[str, DimLike]) -> tuple[int, int]:
    """Buffers once each; a product twice the product of its sizes."""
    nbytes = sum(_size(b, known) for b in _buffers(program, step.buffers))
    numbers = [dim_of(x, known) for x in step.sizes]
    sizes = [1 if d is None else _number(d) for d in numbers]
    flops = 0
    if step.name in PRODUCTS or step.name.startswith("gemm"):
        flops = 2
        for size in sizes:
            flops *= size
    return nbytes, flops


def _buffers(program: Program, names: tuple[str, ...]) -> list[Buffer]:
    every = {b.name: b for b in (*program.inputs, *program.outputs, *program.temporaries)}
    return [every[n] for n in names if n in every]


def _size(buffer: Buffer, known: Mapping[str, DimLike]) -> int:
    total = int(buffer.dtype.itemsize)
    for extent in buffer.shape:
        dim = dim_of(extent, known)
        total *= 1 if dim is None else _number(dim)
    return total


def _number(dim: DimLike) -> int:
    return dim if isinstance(dim, int) else 0
