"""How much a program does for given sizes: turns of its innermost loops.

A turn takes 0.1 to 10 ns. The number decides whether a call releases the GIL, and whether it may
take so long that Ctrl-C must be heard meanwhile; it changes no result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from symgraph.loop.ir import (
    Branch,
    Call,
    Const,
    Copy,
    Expr,
    For,
    If,
    Kernel,
    Library,
    Loop,
    Program,
    Repeat,
    Step,
    Stmt,
    Var,
    While,
    Word,
)

UNKNOWN = 1 << 40
"""The work of a loop of unknown length: enough for all precautions."""
TRIED = 1 << 15
"""The work after which a loop of unknown length is a long one: 10 us or more."""
PRODUCT_SHARE = 16  # multiplications of a matrix product that take as long as one turn of a loop
_ARITHMETIC: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "floordiv": lambda x, y: x // y if y else 0,
    "mod": lambda x, y: x % y if y else 0,
    "minimum": min,
    "maximum": max,
}
Sizes = Mapping[str, int]


def work(program: Program, sizes: Sizes) -> int:
    """Turns of innermost loops in all steps, at least 1."""
    kernels = {kernel.name: kernel for kernel in program.kernels}
    return max(1, min(UNKNOWN, _steps(program.steps, sizes, kernels)))


def tries(program: Program, sizes: Sizes) -> int:
    """How many turns of loops of unknown length are tried before a call is taken for a long one.

    0 where a turn, or the rest of the program, is long itself.
    """
    kernels = {kernel.name: kernel for kernel in program.kernels}
    loops = [s for s in program.steps if isinstance(s, Loop)]
    rest = _steps([s for s in program.steps if not isinstance(s, Loop)], sizes, kernels)
    turn = max((_steps(s.steps, sizes, kernels) for s in loops), default=UNKNOWN)
    return TRIED // turn if rest <= TRIED and turn else 0


def _steps(steps: Iterable[Step], sizes: Sizes, kernels: Mapping[str, Kernel]) -> int:
    return sum(_step(step, sizes, kernels) for step in steps)


def _step(step: Step, sizes: Sizes, kernels: Mapping[str, Kernel]) -> int:
    match step:
        case Call(name, _, given):
            kernel = kernels[name]
            inner = {n: _number(x, sizes) for n, x in zip(kernel.sizes, given, strict=True)}
            return _body(kernel.body, inner)
        case Library(_, _, given):
            total = 1
            for x in given:
                total *= max(1, _number(x, sizes))
            return total // PRODUCT_SHARE
        case Repeat(var, extent, inside):
            turns = _number(extent, sizes)
            return turns * (1 + _steps(inside, {**sizes, var: turns}, kernels))
        case Loop():
            return UNKNOWN
        case Branch(_, then, orelse):
            return max(_steps(then, sizes, kernels), _steps(orelse, sizes, kernels))
        case Copy():
            return 1
    return 1


def _body(body: Iterable[Stmt], sizes: Sizes) -> int:
    total = 0
    for statement in body:
        match statement:
            case For(var, extent, inside):
                turns = max(0, _number(extent, sizes))
                total += turns * max(1, _body(inside, {**sizes, var: max(0, turns - 1)}))
            case While():
                return UNKNOWN
            case If(_, then, orelse):
                total += max(_body(then, sizes), _body(orelse, sizes))
    return total


def _number(x: Expr, sizes: Sizes) -> int:
    """The value of a size; a generous guess where data decides."""
    match x:
        case Const(value):
            return int(value.real)
        case Var(name) if name in sizes:
            return sizes[name]
        case Word(name, args) if name in _ARITHMETIC:
            return int(_ARITHMETIC[name](*(_number(a, sizes) for a in args)))
    return 1 << 10
