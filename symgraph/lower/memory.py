"""Which temporaries share memory: lifetimes over the steps of a program, slots by best fit.

A temporary lives from the first to the last top-level step that names it; one that a loop touches
lives through the loop. Two temporaries share a slot if their lifetimes are apart and one size is
known to hold the other: equal dims (or a constant multiple). The plan is symbolic; ``Plan.bytes``
evaluates it for given sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

from symgraph.ir.dim import Atom, DimLike, evaluate, is_nonnegative, mul, product, sub
from symgraph.loop.ir import Bind, Branch, Call, Copy, Library, Loop, Program, Repeat, Step, View
from symgraph.lower.stage import Storage
from symgraph.records import dataclass

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True, slots=True)
class Plan:
    """For each temporary its slot, and for each slot its size in bytes as a dimension."""

    slots: tuple[int, ...]
    sizes: tuple[DimLike, ...]

    def offsets(self, sizes: Mapping[Atom, int]) -> tuple[list[int], int]:
        """Byte offset of every temporary in the arena, and the bytes of the arena."""
        starts, total = [], 0
        for size in self.sizes:
            starts.append(total)
            total += -(-evaluate(size, sizes) // ALIGNMENT) * ALIGNMENT
        return [starts[s] for s in self.slots], total


def plan(program: Program, temporaries: Sequence[Storage]) -> Plan:
    """Slots for the temporaries of a program: the smallest that is free and large enough.

    The work is that of sorting, times how many different sizes there are.
    """
    lives = lifetimes(program.steps, {t.name for t in temporaries})
    slots: list[int] = [-1] * len(temporaries)
    sizes: list[DimLike] = []
    busy: list[tuple[int, int]] = []  # a heap of (last step, slot)
    free: dict[DimLike, list[int]] = {}  # heaps of slots, by size
    holds = _Holds()
    order = sorted(range(len(temporaries)), key=lambda k: lives.get(temporaries[k].name, (0, 0))[0])
    for k in order:
        storage = temporaries[k]
        first, last = lives.get(storage.name, (0, 0))
        while busy and busy[0][0] < first:
            _, slot = heappop(busy)
            heappush(free.setdefault(sizes[slot], []), slot)
        size = mul(product(storage.shape), storage.dtype.itemsize)
        fitting = [held for held, there in free.items() if there and holds(held, size)]
        if fitting:
            slot = heappop(free[min(fitting, key=lambda held: _rank(held, size, free[held][0]))])
        else:
            slot = len(sizes)
            sizes.append(size)
        slots[k] = slot
        heappush(busy, (last, slot))
    return Plan(tuple(slots), tuple(sizes))


def _rank(held: DimLike, size: DimLike, slot: int) -> tuple[bool, int, int]:
    """Slots in the order of taking them: of the very size, then small ones, then early ones."""
    return held != size, held if isinstance(held, int) else 0, slot


def taken(program: Program) -> tuple[tuple[int, int], ...]:
    """For every output in the memory of an input: its number, and the input's."""
    inputs = {spec.name: k for k, spec in enumerate(program.inputs)}
    outputs = enumerate(program.outputs)
    return tuple((k, inputs[spec.name]) for k, spec in outputs if spec.name in inputs)


class _Holds:
    """Is one size known to hold another? Polynomials are compared once."""

    def __init__(self) -> None:
        self._known: dict[tuple[DimLike, DimLike], bool] = {}

    def __call__(self, held: DimLike, size: DimLike) -> bool:
        if isinstance(held, int) and isinstance(size, int):
            return held >= size
        key = held, size
        if key not in self._known:
            self._known[key] = held == size or is_nonnegative(sub(held, size))
        return self._known[key]


def lifetimes(steps: Sequence[Step], names: set[str]) -> dict[str, tuple[int, int]]:
    """The first and last top-level step that names each of some buffers."""
    lives: dict[str, tuple[int, int]] = {}
    for number, step in enumerate(steps):
        for name in names_in(step):
            if name in names:
                first, _ = lives.get(name, (number, number))
                lives[name] = (first, number)
    return lives


def names_in(step: Step) -> Iterable[str]:
    """The buffers that a step and the steps inside it name."""
    stack = [step]
    while stack:
        s = stack.pop()
        if isinstance(s, Call | Library):
            yield from s.buffers
        elif isinstance(s, Copy):
            yield from (s.target, s.source)
        elif isinstance(s, View):
            yield s.base
        elif isinstance(s, Bind):
            yield s.buffer
        elif isinstance(s, Repeat):
            stack.extend(s.steps)
        elif isinstance(s, Loop):
            yield s.cond
            stack.extend(s.steps)
        elif isinstance(s, Branch):
            yield s.cond
            stack.extend((*s.then, *s.orelse))
