"""Runs a Program with the interpreter: the meaning of every kind of step.

Library calls get their meaning from the caller (``codegen.library`` has the table), since this
layer knows none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any  # NumPy scalars and arrays of any dtype

import numpy as np

from symgraph.errors import BoundsError, SymgraphError
from symgraph.loop.interp import Array, Failed, Scope, evaluate, fresh, integer, run_kernel, view_as
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
from symgraph.records import dataclass

Meaning = Callable[[Sequence[Array], Sequence[int], Mapping[str, Any]], None]
Observer = Callable[[Step, Mapping[str, Array]], None]


@dataclass(frozen=True, slots=True)
class _Run:
    scope: Scope
    kernels: dict[str, Kernel]
    library: Mapping[str, Meaning]
    observe: Observer | None


def run_program(
    program: Program,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    sizes: Sequence[int],
    library: Mapping[str, Meaning],
    observe: Observer | None = None,
) -> None:
    """Runs a program on C-contiguous arrays, writing ``outputs``.

    ``library`` maps a row's name to its meaning (arrays, sizes, attrs); ``observe`` is called
    after every step with the arrays by name. Raises: Failed when a kernel or a check stops.
    """
    scope = Scope({}, {n: np.int64(v) for n, v in zip(program.sizes, sizes, strict=True)})
    for spec, array in zip(program.inputs, inputs, strict=True):
        scope.arrays[spec.name] = _checked(spec, array, scope).view()
        scope.arrays[spec.name].flags.writeable = False
    for spec, array in zip(program.outputs, outputs, strict=True):
        scope.arrays[spec.name] = _checked(spec, array, scope)
    for spec in program.temporaries:
        scope.arrays[spec.name] = fresh(_shape(spec, scope), spec.dtype)
    kernels = {kernel.name: kernel for kernel in program.kernels}
    with np.errstate(all="ignore"):
        _steps(program.steps, _Run(scope, kernels, library, observe))


def _shape(spec: Buffer, scope: Scope) -> tuple[int, ...]:
    return tuple(max(0, integer(dim, scope)) for dim in spec.shape)


def _checked(spec: Buffer, array: Array, scope: Scope) -> Array:
    shape = _shape(spec, scope)
    if array.dtype != spec.dtype or array.shape != shape or not array.flags.c_contiguous:
        raise SymgraphError(
            f"buffer {spec.name} must be contiguous {spec.dtype}{shape}, "
            f"not {array.dtype}{array.shape}"
        )
    return array


def _steps(steps: tuple[Step, ...], run: _Run) -> None:
    declared: list[str] = []
    for step in steps:
        _STEPS[type(step)](step, run)
        if isinstance(step, View | Bind):
            declared.append(step.name)
        if run.observe is not None:
            run.observe(step, run.scope.arrays)
    for name in declared:  # views and bound sizes end with the steps around them
        run.scope.arrays.pop(name, None)
        run.scope.scalars.pop(name, None)


def _integers(args: Sequence[Any], scope: Scope) -> tuple[int, ...]:
    return tuple(integer(x, scope) for x in args)


def _call(step: Call, run: _Run) -> None:
    arrays = [run.scope.arrays[name] for name in step.buffers]
    run_kernel(run.kernels[step.kernel], arrays, _integers(step.sizes, run.scope))


def _library(step: Library, run: _Run) -> None:
    arrays = [run.scope.arrays[name] for name in step.buffers]
    run.library[step.name](arrays, _integers(step.sizes, run.scope), dict(step.attrs))


def _view(step: View, run: _Run) -> None:
    base, at = run.scope.arrays[step.base], _integers(step.index, run.scope)
    if len(at) > base.ndim or not all(0 <= i < n for i, n in zip(at, base.shape, strict=False)):
        raise BoundsError(f"view {step.name} = {step.base}{list(at)} is outside {base.shape}")
    found = base[at]
    if step.start is not None:
        start = integer(step.start, run.scope)
        if not 0 <= start <= len(found):
            raise BoundsError(f"view {step.name} starts at {start}, outside {found.shape}")
        found = found[start:]
    if found.ndim == 0:  # indexing down to an element copies; a view must not
        found = base.reshape(-1)[int(np.ravel_multi_index(at, base.shape)) :][:1].reshape(())
    run.scope.arrays[step.name] = found


def _bind(step: Bind, run: _Run) -> None:
    run.scope.scalars[step.name] = np.int64(run.scope.arrays[step.buffer][()])


def _check(step: Check, run: _Run) -> None:
    if not evaluate(step.cond, run.scope):
        raise Failed(step.code, _integers(step.args, run.scope))


def _repeat(step: Repeat, run: _Run) -> None:
    for i in range(integer(step.extent, run.scope)):
        run.scope.scalars[step.var] = np.int64(i)
        _steps(step.steps, run)
    run.scope.scalars.pop(step.var, None)


def _loop(step: Loop, run: _Run) -> None:
    while run.scope.arrays[step.cond][()]:
        _steps(step.steps, run)


def _branch(step: Branch, run: _Run) -> None:
    _steps(step.then if run.scope.arrays[step.cond][()] else step.orelse, run)


def _copy(step: Copy, run: _Run) -> None:
    target, source = run.scope.arrays[step.target], run.scope.arrays[step.source]
    target[...] = view_as(source, target.shape, step.source)


_STEPS: dict[type, Callable[[Any, _Run], None]] = {
    Call: _call,
    Library: _library,
    View: _view,
    Bind: _bind,
    Check: _check,
    Repeat: _repeat,
    Loop: _loop,
    Branch: _branch,
    Copy: _copy,
}
