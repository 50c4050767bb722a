"""A program ready to run: arrays in, arrays out, temporaries in an arena that is reused.

An ``Executable`` is one specialisation of a function (see ``ir.resolve``). Calls are re-entrant:
each takes an arena from a pool, and puts it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.codegen.backend import Compiled
from symgraph.errors import BoundsError, SymgraphError, message
from symgraph.ir.dim import Atom, evaluate
from symgraph.ir.node import Node
from symgraph.loop import NO_RESCUE
from symgraph.lower.memory import ALIGNMENT, Plan, taken
from symgraph.lower.program import Lowered
from symgraph.records import dataclass, field
from symgraph.runtime.device import DeviceArray
from symgraph.runtime.profile import Profile, profile

Array = np.ndarray[Any, Any]
MOST_ARENAS = 8  # kept for reuse; more than that many concurrent calls allocate their own


@dataclass(frozen=True, slots=True)
class Layout:
    """What depends on sizes alone: the program's size arguments, output shapes, arena offsets."""

    sizes: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    offsets: tuple[int, ...]
    nbytes: int


@dataclass(slots=True)
class Executable:
    """A compiled program with its plan."""

    lowered: Lowered
    plan: Plan
    code: Compiled
    outputs: tuple[Node, ...]
    _arenas: list[Array] = field(default_factory=list)

    def layout(self, sizes: Mapping[Atom, int]) -> Layout:
        """The layout for given sizes of dimension symbols."""
        atoms = [self.lowered.sizes[name] for name in self.lowered.program.sizes]
        offsets, nbytes = self.plan.offsets(sizes)
        return Layout(
            tuple(sizes[a] for a in atoms),
            tuple(tuple(evaluate(d, sizes) for d in n.tensor.shape) for n in self.outputs),
            tuple(offsets),
            nbytes,
        )

    @property
    def taken(self) -> tuple[tuple[int, int], ...]:
        """For each output in the memory of an input: its number, and the input's."""
        return taken(self.lowered.program)

    def counts(self) -> dict[str, int]:
        """How many lanes each slow form has computed so far, where the backend counts them."""
        found: dict[str, int] = getattr(self.code, "counts", dict)()
        return found

    def run(self, arrays: Sequence[Array], results: Sequence[Array], layout: Layout) -> None:
        """Run on C-contiguous arrays. Raises BoundsError for an index outside its axis.

        Results that are ``taken`` hold the value of their input.
        """
        arena = self._take(layout.nbytes)
        code, facts = self.code.call(_pointers(arrays, results, arena, layout), layout.sizes)
        if len(self._arenas) < MOST_ARENAS:
            self._arenas.append(arena)
        if code:
            raise self.failure(code, facts)

    def profile(
        self,
        arrays: Sequence[Array],
        results: Sequence[Array],
        layout: Layout,
        how: str,
        turns: int,
    ) -> Profile:
        """Time every step of the program on given arrays, with the backend named ``how``."""
        arena = np.empty(layout.nbytes + ALIGNMENT, "uint8")
        pointers = _pointers(arrays, results, arena, layout)
        held = {**self.lowered.notes.locals, **self.lowered.sources}
        made = {k: node.lines for k, node in held.items() if node.op.kind != "leaf"}
        return profile(self.lowered.program, how, pointers, layout.sizes, turns, made)

    def run_on_device(
        self, arrays: Sequence[Any], results: Sequence[Array], layout: Layout
    ) -> list[DeviceArray]:
        """Run on a device: ``results`` are fetched; further outputs stay there, returned."""
        given = [a.memory if isinstance(a, DeviceArray) else a for a in arrays]
        further = self.outputs[len(results) :]
        filled: list[Any] = [*results, *[None] * len(further)]
        code, facts = self.code.run(given, filled, layout.sizes)  # type: ignore[attr-defined]
        if code:
            raise self.failure(code, facts)
        shapes = layout.shapes[len(results) :]
        return [DeviceArray(m, s) for m, s in zip(filled[len(results) :], shapes, strict=True)]

    def _take(self, nbytes: int) -> Array:
        try:
            arena = self._arenas.pop()
        except IndexError:
            arena = np.empty(0, "uint8")
        if arena.nbytes < nbytes + ALIGNMENT:
            arena = np.empty(nbytes + ALIGNMENT, "uint8")
        return arena

    def failure(self, code: int, facts: Sequence[int]) -> SymgraphError:
        """The error that a failure code stands for."""
        if code == NO_RESCUE:
            from symgraph.runtime import rescue  # most programs never need it

            return rescue.failure()
        if not 0 < code <= len(self.lowered.failures):
            return SymgraphError(f"compiled code stopped with code {code}")
        failure = self.lowered.failures[code - 1]
        node = failure.node
        source = node.inputs[0]
        line = str(node.lines[0]) if node.lines else None
        return BoundsError(
            message(
                f"index {facts[0]} is outside axis {failure.axis}, which has length {facts[1]}",
                {"op": node.op.name, "array": f"{source.name or source.op.name}: {source.type}"},
                line,
                "indices run from -length to length - 1",
            )
        )


def _pointers(
    arrays: Sequence[Array], results: Sequence[Array], arena: Array, layout: Layout
) -> list[int]:
    """Addresses in the order of the program's buffers; temporaries lie in the arena."""
    start = -(-arena.ctypes.data // ALIGNMENT) * ALIGNMENT
    own = [a.ctypes.data for a in (*arrays, *results)]
    return own + [start + o for o in layout.offsets]
