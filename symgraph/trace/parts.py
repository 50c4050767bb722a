"""Kernels, memory plan and checks of a compiled program, as rows of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from symgraph.ir.dim import atom_dim
from symgraph.ir.node import Node
from symgraph.ir.origin import Line
from symgraph.ir.resolve import Requirement
from symgraph.ir.type import TensorType
from symgraph.loop.ir import Assign, Branch, Kernel, Let, Loop, Repeat, Step
from symgraph.loop.text import show, step_line
from symgraph.loop.traverse import statements
from symgraph.lower.memory import Plan, lifetimes
from symgraph.lower.program import Lowered
from symgraph.trace.cost import dims_of, kernel_bytes, kernel_flops
from symgraph.trace.format import ApartRow, BufferRow, KernelRow, Parts

Source = Callable[[Kernel], str]


def parts_of(
    lowered: Lowered,
    outputs: Sequence[Node],
    plan: Plan,
    numbers: Mapping[Node, int],
    required: Sequence[Requirement],
    source: Source,
    backend: str,
    cached: bool,
) -> Parts:
    """The parts of a program; ``numbers``: of the rows that nodes of the last graph have."""
    by_serial = {node.number: number for node, number in numbers.items()}
    return Parts(
        backend=backend,
        cached=cached,
        sizes={name: atom_dim(atom) for name, atom in lowered.sizes.items()},
        program=tuple(_step_texts(lowered.program.steps)),
        kernels=tuple(_kernel(k, lowered, by_serial, source) for k in lowered.program.kernels),
        buffers=tuple(_buffers(lowered, outputs, plan, numbers)),
        slots=plan.sizes,
        checks=tuple(_check(r) for r in required),
        apart=tuple(_apart(lowered, numbers)),
    )


def _apart(lowered: Lowered, numbers: Mapping[Node, int]) -> Iterator[ApartRow]:
    for row in lowered.notes.apart:
        if row.node in numbers and row.other in numbers:
            yield ApartRow(numbers[row.node], numbers[row.other], row.why)


def _kernel(
    kernel: Kernel, lowered: Lowered, by_serial: Mapping[int, int], source: Source
) -> KernelRow:
    return KernelRow(
        kernel.name,
        tuple(dict.fromkeys(by_serial[n] for n in kernel.origin if n in by_serial)),
        tuple(Line(file, number) for file, number in kernel.lines),
        (),
        _locals(kernel, lowered, by_serial),
        kernel_bytes(kernel, dims_of(lowered.sizes)),
        kernel_flops(kernel, dims_of(lowered.sizes)),
        {"py": source(kernel), "ir": show(kernel)},
    )


def _locals(kernel: Kernel, lowered: Lowered, by_serial: Mapping[int, int]) -> dict[str, int]:
    """For names in a kernel, the row whose value they hold."""
    names = [s.name for s in statements(kernel.body) if isinstance(s, Let | Assign)]
    nodes = {n: lowered.notes.locals.get(n) for n in names}
    nodes |= {b.name: lowered.sources.get(b.name) for b in kernel.buffers}
    return {
        name: by_serial[node.number]
        for name, node in nodes.items()
        if node is not None and node.number in by_serial
    }


def _buffers(
    lowered: Lowered, outputs: Sequence[Node], plan: Plan, numbers: Mapping[Node, int]
) -> list[BufferRow]:
    program = lowered.program
    ends = [("input", b, n) for b, n in zip(program.inputs, lowered.inputs, strict=True)]
    ends += [("output", b, n) for b, n in zip(program.outputs, outputs, strict=True)]
    names = {b.name for _, b, _ in ends} | {t.name for t in lowered.temporaries}
    lives = lifetimes(program.steps, names)
    found = [
        BufferRow(b.name, role, n.type, numbers.get(n, -1), -1, *lives.get(b.name, (0, 0)))
        for role, b, n in ends
    ]
    for storage, slot in zip(lowered.temporaries, plan.slots, strict=True):
        node = lowered.sources.get(storage.name)
        number = -1 if node is None else numbers.get(node, -1)
        life = lives.get(storage.name, (0, 0))
        kind = TensorType(storage.dtype, storage.shape)
        found.append(BufferRow(storage.name, "temporary", kind, number, slot, *life))
    return found


def _step_texts(steps: Sequence[Step], indent: str = "") -> list[str]:
    found = []
    for step in steps:
        found.append(indent + step_line(step))
        inner: tuple[Step, ...] = ()
        if isinstance(step, Repeat | Loop):
            inner = step.steps
        elif isinstance(step, Branch):
            inner = (*step.then, *step.orelse)
        found += _step_texts(inner, indent + "    ")
    return found


def _check(requirement: Requirement) -> str:
    check, lines = requirement.check, requirement.node.lines
    sign = {"equal": "=", "broadcast": "= or 1 with", "expand": "into", "at_least": ">="}
    where = f" at {lines[0].file}:{lines[0].number}" if lines else ""
    return f"{check.left} {sign.get(check.kind, check.kind)} {check.right}{where}"
