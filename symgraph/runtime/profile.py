"""Where the time of a call goes: each step of the program compiled and timed by itself.

A profile runs on the caller's own arguments, several times, and keeps the least time of each step.
Loops and branches count as one step. The sum of the steps is the time of compiled code; checking
arguments and allocating results is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter_ns
from typing import Any

from symgraph.codegen.backend import Compiled, backend
from symgraph.display import mimebundle
from symgraph.errors import SymgraphError
from symgraph.ir.origin import Line
from symgraph.loop.ir import (
    Bind,
    Branch,
    Call,
    Kernel,
    Library,
    Loop,
    Program,
    Repeat,
    Step,
    View,
)
from symgraph.loop.traverse import steps_of
from symgraph.records import dataclass, field
from symgraph.trace.cost import dim_of
from symgraph.trace.shares import line_shares
from symgraph.trace.steps import step_cost

NAMING = (View, Bind)  # steps that name memory and sizes, and compute nothing
KINDS = {Repeat: "loop", Loop: "while", Branch: "branch"}


@dataclass(frozen=True, slots=True)
class Row:
    """One step: its name, least time in nanoseconds, share of all, and the user's lines.

    ``nbytes``, ``flops``: what it has to move and compute, counted on its loops (``trace.cost``).
    ``parts``: of its time, by line, as its statements have it (``trace.shares``).
    """

    name: str
    elapsed_ns: int
    share: float
    lines: tuple[Line, ...]
    nbytes: int = 0
    flops: int = 0
    parts: Mapping[Line, float] = field(default_factory=dict)

    def by_line(self) -> dict[Line, float]:
        """Parts of 1 by line; the same for all where its statements do not tell."""
        even = 1 / max(1, len(self.lines))
        return dict(self.parts) or dict.fromkeys(self.lines, even)


@dataclass(frozen=True, slots=True)
class Profile:
    """Steps in the order in which they run. ``by_line`` adds up what came from each user line."""

    rows: tuple[Row, ...]

    @property
    def elapsed_ns(self) -> int:
        """Nanoseconds in all steps."""
        return sum(r.elapsed_ns for r in self.rows)

    def by_line(self) -> dict[Line, int]:
        """Nanoseconds per user line; a step is shared among lines by what is done for each."""
        found: dict[Line, int] = {}
        for row in self.rows:
            for line, part in row.by_line().items():
                found[line] = found.get(line, 0) + round(part * row.elapsed_ns)
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __str__(self) -> str:
        lines = [f"{r.elapsed_ns / 1e3:12.1f} us {r.share:6.1%}  {r.name}" for r in self.rows]
        return "\n".join([*lines, f"{self.elapsed_ns / 1e3:12.1f} us in all"])


def profile(
    program: Program,
    generator: str,
    pointers: Sequence[int],
    sizes: Sequence[int],
    repeat: int,
    made: Mapping[str, tuple[Line, ...]],
) -> Profile:
    """Time every step of a program ``repeat`` times on given buffers.

    ``made``: the user's lines of what a buffer or a local of a kernel holds.
    """
    timed = [(k, s) for k, s in enumerate(program.steps) if not isinstance(s, NAMING)]
    steps = [(s, _alone(program, k, generator)) for k, s in timed]
    best: list[int] = [0] * len(steps)
    for turn in range(repeat):
        for k, (_, code) in enumerate(steps):
            start = perf_counter_ns()
            failure, _ = code.call(pointers, sizes)
            elapsed = perf_counter_ns() - start
            if failure:
                raise SymgraphError("a call that fails cannot be profiled")
            best[k] = elapsed if turn == 0 else min(best[k], elapsed)
    for _, code in steps:
        code.close()
    total = max(1, sum(best))
    timed_steps = zip((s for s, _ in steps), best, strict=True)
    known = dict(zip(program.sizes, sizes, strict=True))
    rows = []
    for s, ns in timed_steps:
        lines, cost = _lines(s, program, made), step_cost(s, program, known)
        rows.append(Row(_name(s), ns, ns / total, lines, *cost, _parts(s, program, made, known)))
    return Profile(tuple(rows))


def _parts(
    step: Step,
    program: Program,
    made: Mapping[str, tuple[Line, ...]],
    known: Mapping[str, int],
) -> dict[Line, float]:
    """What a call of a kernel does for each line; nothing for other steps."""
    if not isinstance(step, Call):
        return {}
    (kernel,) = _used(step, program)
    actual = dict(zip((b.name for b in kernel.buffers), step.buffers, strict=True))
    lines = {**made, **{own: made.get(name, ()) for own, name in actual.items()}}
    sizes = {n: dim_of(x, known) for n, x in zip(kernel.sizes, step.sizes, strict=True)}
    return line_shares(kernel, {n: d for n, d in sizes.items() if isinstance(d, int)}, lines)


def _alone(program: Program, k: int, generator: str) -> Compiled:
    """Step ``k`` as a program, after the steps that name what it uses."""
    step = program.steps[k]
    named = tuple(s for s in program.steps[:k] if isinstance(s, NAMING))
    # what one step leaves for another is an output of it, or a backend need not leave it anywhere
    outputs = program.outputs + program.temporaries
    kernels = _used(step, program)
    alone = replace(program, outputs=outputs, temporaries=(), steps=(*named, step), kernels=kernels)
    return backend(generator).compile(alone)


def _used(step: Step, program: Program) -> tuple[Kernel, ...]:
    names = {s.kernel for s in steps_of((step,)) if isinstance(s, Call)}
    return tuple(k for k in program.kernels if k.name in names)


def _name(step: Step) -> str:
    if isinstance(step, Call):
        return step.kernel
    if isinstance(step, Library):
        return step.name
    return KINDS.get(type(step), type(step).__name__.lower())


def _lines(step: Step, program: Program, made: Mapping[str, tuple[Line, ...]]) -> tuple[Line, ...]:
    pairs = dict.fromkeys(pair for k in _used(step, program) for pair in k.lines)
    found = dict.fromkeys(Line(file, number) for file, number in pairs)
    for one in steps_of((step,)):
        if isinstance(one, Library):
            found |= dict.fromkeys(line for name in one.buffers[-1:] for line in made.get(name, ()))
    return tuple(found)
