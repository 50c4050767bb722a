"""The meaning of the loop IR, in plain Python on NumPy arrays.

Slow and obviously right: one NumPy scalar at a time, every index checked, uninitialised memory
filled with values that show. Backends are tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # NumPy scalars of any dtype

import numpy as np

from symgraph.errors import BoundsError, SymgraphError
from symgraph.loop import rescue, words
from symgraph.loop.ir import (
    UPDATES,
    Assign,
    Const,
    Expr,
    Fail,
    For,
    Function,
    If,
    Kernel,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    Update,
    Var,
    While,
    Word,
)
from symgraph.loop.traverse import children, postorder

Array = np.ndarray[Any, np.dtype[Any]]


class Failed(SymgraphError):
    """A kernel or program stopped with a code (> 0) and int64 facts."""

    def __init__(self, code: int, facts: tuple[int, ...]) -> None:
        super().__init__(f"stopped with code {code}, facts {facts}")
        self.code, self.facts = code, facts


Instruction = Callable[[list[Any], "Scope"], Any]


class Scope:
    """Names that have a value now: scalars and arrays; and how to evaluate what was met so far."""

    __slots__ = ("arrays", "functions", "plans", "scalars")

    def __init__(self, arrays: dict[str, Array], scalars: dict[str, Any]) -> None:
        self.arrays, self.scalars = arrays, scalars
        self.functions: dict[str, Function] = {}
        self.plans: dict[Expr, list[Instruction]] = {}


def evaluate(x: Expr, scope: Scope) -> Any:
    """The value of an expression; shared nodes are computed once."""
    plan = scope.plans.get(x)
    if plan is None:
        plan = scope.plans[x] = _plan(x)
    done: list[Any] = []
    for instruction in plan:
        done.append(instruction(done, scope))
    return done[-1]


def _plan(x: Expr) -> list[Instruction]:
    """One instruction for each node, operands before users; each reads the values before it."""
    place: dict[int, int] = {}
    plan: list[Instruction] = []
    for node in postorder(x):
        place[id(node)] = len(plan)
        plan.append(_instruction(node, [place[id(child)] for child in children(node)]))
    return plan


def _instruction(node: Expr, operands: list[int]) -> Instruction:
    dtype = node.dtype
    match node:
        case Const(value):
            known = words.convert(value, dtype)
            return lambda done, scope: known
        case Var(name):
            return lambda done, scope: words.convert(scope.scalars[name], dtype)
        case Load(buffer):
            return lambda done, scope: element(
                scope.arrays[buffer], buffer, tuple([int(done[k]) for k in operands])
            )
        case Word(name) if name in words.WORDS:
            return lambda done, scope: words.evaluate(
                name, tuple([done[k] for k in operands]), dtype
            )
        case Word(name):
            return lambda done, scope: rescue.run(
                scope.functions[name], [done[k] for k in operands]
            )
    (only,) = operands
    return lambda done, scope: words.convert(done[only], dtype)


def integer(x: Expr, scope: Scope) -> int:
    """The value of an int64 expression."""
    return int(evaluate(x, scope))


def element(array: Array, name: str, at: tuple[int, ...]) -> Any:
    """array[at] as a scalar; BoundsError outside."""
    check_bounds(array, name, at)
    return array[at]


def check_bounds(array: Array, name: str, at: tuple[int, ...]) -> None:
    """Raises BoundsError unless ``at`` lies inside."""
    if len(at) != array.ndim or not all(0 <= i < n for i, n in zip(at, array.shape, strict=True)):
        raise BoundsError(f"{name}[{', '.join(map(str, at))}] is outside {array.shape}")


def view_as(array: Array, shape: tuple[int, ...], name: str) -> Array:
    """The first prod(shape) elements of contiguous memory as an array of that shape."""
    if array.shape == shape:
        return array
    size = int(np.prod(shape, dtype=np.int64))
    if any(n < 0 for n in shape) or size > array.size:
        raise BoundsError(f"{name} has {array.size} elements, too few for {shape}")
    return array.reshape(-1)[:size].reshape(shape)


def run_kernel(kernel: Kernel, arrays: Sequence[Array], sizes: Sequence[int]) -> None:
    """Runs a kernel on C-contiguous arrays in its buffers' order; Failed if it stops."""
    scalars: dict[str, Any] = {n: np.int64(v) for n, v in zip(kernel.sizes, sizes, strict=True)}
    scope = Scope({}, scalars)
    scope.functions = {f.name: f for f in kernel.functions}
    for spec, array in zip(kernel.buffers, arrays, strict=True):
        if array.dtype != spec.dtype or not array.flags.c_contiguous:
            raise SymgraphError(f"{kernel.name}: {spec.name} must be contiguous {spec.dtype}")
        shape = tuple(integer(dim, scope) for dim in spec.shape)
        scope.arrays[spec.name] = view_as(array, shape, spec.name)
    with np.errstate(all="ignore"):
        _block(kernel.body, scope)


def fresh(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Uninitialised memory, filled with what a wrong read would show: NaN, or a large number."""
    fill = {"f": np.nan, "c": np.nan, "b": True}.get(dtype.kind, 77)
    return np.full(shape, fill, dtype)


def _block(body: tuple[Stmt, ...], scope: Scope) -> None:
    declared: list[str] = []
    for s in body:
        _STATEMENTS[type(s)](s, scope)
        if isinstance(s, Let | Local):
            declared.append(s.name)
    for name in declared:  # the scope of a local ends with its block
        scope.scalars.pop(name, None)
        scope.arrays.pop(name, None)


def _let(s: Let, scope: Scope) -> None:
    scope.scalars[s.name] = evaluate(s.value, scope)


def _assign(s: Assign, scope: Scope) -> None:
    if s.name not in scope.scalars:
        raise SymgraphError(f"{s.name} is assigned before it is introduced")
    scope.scalars[s.name] = evaluate(s.value, scope)


def _store(s: Store, scope: Scope) -> None:
    at = tuple(integer(i, scope) for i in s.index)
    check_bounds(scope.arrays[s.buffer], s.buffer, at)
    scope.arrays[s.buffer][at] = evaluate(s.value, scope)


def _update(s: Update, scope: Scope) -> None:
    at = tuple(integer(i, scope) for i in s.index)
    array = scope.arrays[s.buffer]
    old = element(array, s.buffer, at)
    array[at] = words.evaluate(UPDATES[s.op], (old, evaluate(s.value, scope)), array.dtype)


def _local(s: Local, scope: Scope) -> None:
    scope.arrays[s.name] = fresh(s.shape, s.dtype)


def _for(s: For, scope: Scope) -> None:
    for i in range(integer(s.extent, scope)):
        scope.scalars[s.var] = np.int64(i)
        _block(s.body, scope)
    scope.scalars.pop(s.var, None)


def _while(s: While, scope: Scope) -> None:
    while evaluate(s.cond, scope):
        _block(s.body, scope)


def _if(s: If, scope: Scope) -> None:
    _block(s.then if evaluate(s.cond, scope) else s.orelse, scope)


def _fail(s: Fail, scope: Scope) -> None:
    raise Failed(s.code, tuple(integer(x, scope) for x in s.args))


_STATEMENTS: dict[type, Callable[[Any, Scope], None]] = {
    Let: _let,
    Assign: _assign,
    Store: _store,
    Update: _update,
    Local: _local,
    For: _for,
    While: _while,
    If: _if,
    Fail: _fail,
}
