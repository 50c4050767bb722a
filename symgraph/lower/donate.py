"""Results written where an input was: the caller gave its memory away (``In(x, mutable=True)``).

Such a program has an output with the name of an input: the output's memory holds the input's value
when the program begins, and the result when it ends. An output may take an input's place where they
have one dtype and shape, and every element is read before it is written: by steps before the first
that writes, or by one kernel that reads each element in the very iteration that writes it, or in a
loop before. Anything else (views, library calls, other indices) keeps memory of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from symgraph.ir.node import Node
from symgraph.loop.ir import (
    Buffer,
    Call,
    Check,
    Copy,
    Expr,
    For,
    If,
    Kernel,
    Library,
    Load,
    Program,
    Repeat,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
    While,
)
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import (
    blocks,
    expressions,
    is_const,
    postorder,
    rebuild,
    statements,
    steps_of,
)
from symgraph.lower.memory import names_in
from symgraph.lower.program import Lowered
from symgraph.lower.rows import with_expressions
from symgraph.lower.turns import Renaming, renamed
from symgraph.records import dataclass


def donate(lowered: Lowered, given: Collection[Node], results: int) -> Lowered:
    """The program with the first ``results`` outputs in the memory of ``given`` inputs.

    As many as can be; each input serves one output.
    """
    program = lowered.program
    pairs = zip(program.inputs, lowered.inputs, strict=True)
    free = [spec for spec, node in pairs if node in given]
    for k in range(results):
        output = program.outputs[k]
        for spec in [s for s in free if _alike(s, output)]:
            found = _with_output_in(program, spec, k)
            if found is not None:
                program = found
                free.remove(spec)
                break
    return replace(lowered, program=program)


def _alike(x: Buffer, y: Buffer) -> bool:
    return bool(x.shape) and x.dtype == y.dtype and _text(x.shape) == _text(y.shape)


def _text(exprs: Sequence[Expr]) -> list[str]:
    return [show_expr(x) for x in exprs]


def _with_output_in(program: Program, spec: Buffer, k: int) -> Program | None:
    """The program with output ``k`` in the memory of an input; None where that is not safe."""
    x, y = spec.name, program.outputs[k].name
    last = max((n for n, s in enumerate(program.steps) if x in _named(s)), default=-1)
    writers = [n for n, s in enumerate(program.steps) if y in _named(s)]
    views = [s for s in program.steps if isinstance(s, View) and s.base in (x, y)]
    if not writers or last > writers[0] or views or _is_read_by_steps(program, y):
        return None
    steps, kernels = list(program.steps), program.kernels
    if last == writers[0]:
        step = steps[last]
        if isinstance(step, Copy) and (step.target, step.source) == (y, x):
            del steps[last]
        else:
            merged = _merged(program, step, x, y)
            if merged is None:
                return None
            steps[last], kernels = merged
    outputs = (*program.outputs[:k], spec, *program.outputs[k + 1 :])
    after = renamed(steps, Renaming({y: x}, {}))
    return replace(program, outputs=outputs, steps=after, kernels=kernels)


def _named(step: Step) -> set[str]:
    """All buffers that a step, the steps inside it, and their expressions name."""
    return {*names_in(step), *(name for s in steps_of((step,)) for name in _loaded(s))}


def _loaded(step: Step) -> Iterator[str]:
    exprs: tuple[Expr, ...] = ()
    match step:
        case Call(sizes=sizes) | Library(sizes=sizes):
            exprs = sizes
        case View(index=index, start=start):
            exprs = index if start is None else (*index, start)
        case Check(cond=cond, args=args):
            exprs = (cond, *args)
        case Repeat(extent=extent):
            exprs = (extent,)
    return (node.buffer for node in postorder(*exprs) if isinstance(node, Load))


def _is_read_by_steps(program: Program, name: str) -> bool:
    """Does an expression of a step read the buffer? Renaming does not reach it there."""
    return any(name in _loaded(s) for s in steps_of(program.steps))


def _merged(program: Program, step: Step, x: str, y: str) -> tuple[Step, tuple[Kernel, ...]] | None:
    """The call of a kernel with one buffer for both; and all kernels. None where it is not safe."""
    if not isinstance(step, Call) or step.buffers.count(x) != 1 or step.buffers.count(y) != 1:
        return None
    kernel = next(k for k in program.kernels if k.name == step.kernel)
    i, o = step.buffers.index(x), step.buffers.index(y)
    old, new = kernel.buffers[o], kernel.buffers[i]
    if _text(old.shape) != _text(new.shape) or not _is_read_first(kernel, new.name, old.name):
        return None
    calls = [s for s in steps_of(program.steps) if isinstance(s, Call) and s.kernel == kernel.name]
    name = kernel.name if len(calls) == 1 else f"{kernel.name}_in_{new.name}"
    made = replace(
        kernel,
        name=name,
        buffers=kernel.buffers[:o] + kernel.buffers[o + 1 :],
        writes=kernel.writes - {old.name} | {new.name},
        body=_on_buffer(kernel.body, old.name, new.name),
    )
    others = tuple(k for k in program.kernels if k.name != name)
    return replace(step, kernel=name, buffers=step.buffers[:o] + step.buffers[o + 1 :]), (
        *others,
        made,
    )


# ---------------------------------------------------------------- the order of reads and writes


@dataclass(frozen=True, slots=True)
class _Access:
    """An element read or written: the loops around it, outermost first, and where."""

    loops: tuple[For, ...]
    index: tuple[Expr, ...]
    writes: bool


def _is_read_first(kernel: Kernel, x: str, y: str) -> bool:
    """Is every element of x read for the last time before that element of y is written?"""
    found: list[_Access] = []
    if any(_is_repeated(s, x, y) for s in statements(kernel.body)):
        return False
    _collect(kernel.body, (), x, y, found)
    writes = [(n, a) for n, a in enumerate(found) if a.writes]
    reads = [(n, a) for n, a in enumerate(found) if not a.writes]
    return all(n < m and _meet_once(r, w) for n, r in reads for m, w in writes)


def _is_repeated(s: Stmt, x: str, y: str) -> bool:
    """Does a statement use either in turns without an index, or write to the input already?"""
    if isinstance(s, While):
        inside = (s, *statements(s.body))
        return any({x, y} & set(_buffers(inner)) for inner in inside)
    return isinstance(s, Store | Update) and s.buffer == x


def _buffers(s: Stmt) -> Iterator[str]:
    if isinstance(s, Store | Update):
        yield s.buffer
    for node in postorder(*expressions(s)):
        if isinstance(node, Load):
            yield node.buffer


def _collect(
    body: Sequence[Stmt], loops: tuple[For, ...], x: str, y: str, found: list[_Access]
) -> None:
    """All reads of x and writes of y, in order."""
    for s in body:
        loads = (n for n in postorder(*expressions(s)) if isinstance(n, Load) and n.buffer == x)
        found.extend(_Access(loops, load.index, writes=False) for load in loads)
        if isinstance(s, Store | Update) and s.buffer == y:
            found.append(_Access(loops, s.index, writes=True))
        around = (*loops, s) if isinstance(s, For) else loops
        for block in blocks(s):
            _collect(block, around, x, y, found)


def _meet_once(read: _Access, write: _Access) -> bool:
    """Do two accesses touch one element only in one iteration of all loops around both?

    So it is if each of these loops counts along an axis of both.
    """
    shared = [a for a, b in zip(read.loops, write.loops, strict=False) if a is b]
    along = {
        a.name
        for a, b in zip(read.index, write.index, strict=False)
        if isinstance(a, Var) and isinstance(b, Var) and a.name == b.name
    }
    return all(loop.var in along or is_const(loop.extent, 1) for loop in shared)


def _on_buffer(body: Sequence[Stmt], old: str, new: str) -> tuple[Stmt, ...]:
    """Statements on another buffer."""

    def change(x: Expr) -> Expr:
        return Load(new, x.index, x.dtype) if isinstance(x, Load) and x.buffer == old else x

    def moved(s: Stmt) -> Stmt:
        if isinstance(s, Store | Update) and s.buffer == old:
            s = replace(s, buffer=new)
        s = with_expressions(s, lambda x: rebuild(x, change))
        if isinstance(s, For | While):
            return replace(s, body=tuple(map(moved, s.body)))
        if isinstance(s, If):
            return replace(s, then=tuple(map(moved, s.then)), orelse=tuple(map(moved, s.orelse)))
        return s

    return tuple(map(moved, body))
