"""Specialisations as entries: signatures from programs, and entries attached to functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from symgraph.codegen.externals import PARALLEL
from symgraph.errors import UnsupportedError
from symgraph.ir.dim import Atom, Dim, DimLike, evaluate, product, substitute
from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement
from symgraph.ir.type import TensorType
from symgraph.records import dataclass
from symgraph.runtime import entry, layout, vectorcall
from symgraph.runtime.entry import PATIENCE
from symgraph.runtime.shared import Cell
from symgraph.runtime.signature import ARGUMENT, CONSTANT, STATE, Signature, Tensor

if TYPE_CHECKING:
    from symgraph.codegen.artefact import Artefact
    from symgraph.runtime.executable import Executable

Array = np.ndarray[Any, Any]
RELEASE = 1 << 14  # work from which the GIL is released: 38 ns, against 10 us


class Interface(Protocol):
    """What a function is from outside: its inputs, its states, and what it gives."""

    inputs: list[Node]
    shared: list[Node]
    updated: list[Node]
    n_outputs: int

    @property
    def required(self) -> list[Requirement]:
        """All that dims must fulfil."""
        ...

    nesting: str
    threads: int

    @property
    def given(self) -> tuple[int, ...]:
        """The numbers of inputs that a call may destroy."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """An entry before it is in memory: its image, its counts, and the constants it is given."""

    image: bytes
    counts: entry.Interface
    constants: tuple[Array, ...]
    work: int


def states_of(p: Interface) -> list[Node]:
    """The shared variables that a function reads or updates, in a fixed order."""
    return list(dict.fromkeys((*p.shared, *p.updated)))


def recipe(
    p: Interface,
    executable: Executable,
    leaves: Sequence[Node],
    dims: Mapping[Atom, DimLike],
    sizes: Mapping[Atom, int],
    offset: int,
) -> Recipe | None:
    """The entry of an executable; None where only Python can call it.

    ``leaves`` are the user's leaves for the program's inputs, ``dims`` what the specialisation
    makes of symbols, ``sizes`` those of the call that is under way, ``offset`` where functions have
    their entry, and after it their block.
    """
    at = layout.find()
    artefact = getattr(executable.code, "artefact", None)
    if at is None or artefact is None:
        return None
    states = states_of(p)
    inputs, constants = _sources(leaves, p.inputs, states)
    signature = _signature(p, executable, states, inputs, dims, sizes, artefact)
    if signature is None or not signature.is_complete():
        return None
    try:
        image = entry.image(signature, at, offset + 8, cell_places())
    except UnsupportedError:  # a dimension that code does not compute
        return None
    return Recipe(image, entry.interface(signature), constants, signature.work)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in memory, as Python calls it."""

    native: entry.Native
    outputs: int
    patient: bool
    code: Any  # the program's, as its backend has loaded it

    def call(self, function: object, arrays: Sequence[Array], results: Any) -> Any:
        """The function's result for converted arguments; ``results``: arrays to write instead.

        NotImplemented where a state does not have the dims that this code is for.
        """
        given = entry.given(self.outputs, results)
        if not self.patient:
            return self.native.call(function, arrays, given)
        from symgraph.runtime.patience import patiently  # queues, and a thread

        return patiently(
            lambda: self.native.call(function, arrays, given), lambda: entry.cancel(given)
        )


def attach(p: Interface, made: Recipe, code: Any) -> Entry:
    """The entry in memory, over the program's code."""
    run, functions = code.addresses(p.threads)
    cells: list[Cell] = [n.attrs["cell"] for n in states_of(p)]
    native = entry.Native(made.image, made.counts, run, functions, made.constants, cells, code)
    return Entry(native, p.n_outputs, made.work >= PATIENCE, code)


def _sources(
    leaves: Sequence[Node], arguments: Sequence[Node], states: Sequence[Node]
) -> tuple[tuple[tuple[str, int], ...], tuple[Array, ...]]:
    """Where each input of the program comes from, and the constants among them."""
    number = {n: (ARGUMENT, k) for k, n in enumerate(arguments)}
    number |= {n: (STATE, k) for k, n in enumerate(states)}
    constants: list[Array] = []
    found = []
    for leaf in leaves:
        if leaf not in number:
            number[leaf] = (CONSTANT, len(constants))
            constants.append(np.require(leaf.attrs["value"], requirements=["C", "A"]))
        found.append(number[leaf])
    return tuple(found), tuple(constants)


def _signature(
    p: Interface,
    executable: Executable,
    states: Sequence[Node],
    inputs: tuple[tuple[str, int], ...],
    dims: Mapping[Atom, DimLike],
    sizes: Mapping[Atom, int],
    artefact: Artefact,
) -> Signature | None:
    from symgraph.lower.memory import taken  # the loop IR, which a warm start does not need
    from symgraph.runtime.work import tries, work

    lowered, plan = executable.lowered, executable.plan
    arguments = tuple(_tensor(n.tensor, dims) for n in p.inputs)
    held = tuple(_tensor(n.tensor, dims) for n in states)
    results = tuple(_tensor(n.tensor, {}) for n in executable.outputs)
    atoms = [lowered.sizes[name] for name in lowered.program.sizes]
    if any(a not in sizes for a in atoms):
        return None
    names = {name: sizes[lowered.sizes[name]] for name in lowered.program.sizes}
    everything = (*arguments, *held, *results)
    return Signature(
        arguments,
        held,
        results,
        tuple(states.index(n) for n in p.updated),
        inputs,
        tuple(atoms),
        plan.sizes,
        plan.slots,
        _checks(p.required, dims),
        len(artefact.needs),
        p.nesting,
        work(lowered.program, names),
        tries(lowered.program, names) if artefact.gives_up and not p.given else 0,
        sum(evaluate(product(t.dims), sizes) for t in everything),
        0 if artefact.counters and PARALLEL in artefact.needs else RELEASE,
        p.given,
        tuple((k, inputs[i][1]) for k, i in taken(lowered.program)),
    )


def _tensor(found: TensorType, dims: Mapping[Atom, DimLike]) -> Tensor:
    return Tensor(found.dtype, tuple(substitute(d, dims) for d in found.shape))


def _checks(
    required: Sequence[Requirement], dims: Mapping[Atom, DimLike]
) -> tuple[tuple[str, DimLike, DimLike], ...]:
    """What the dims of a specialisation do not say by themselves: (comparison, left, right)."""
    found: dict[tuple[str, DimLike, DimLike], None] = {}
    for requirement in required:
        check = requirement.check
        left, right = substitute(check.left, dims), substitute(check.right, dims)
        if left == right or not (isinstance(left, Dim) or isinstance(right, Dim)):
            continue
        stretches = {"broadcast": (left, right), "expand": (left,)}.get(check.kind, ())
        if 1 not in stretches:
            found["sge" if check.kind == "at_least" else "eq", left, right] = None
    return tuple(found)


@cache
def cell_places() -> tuple[int, int]:
    """Where a state's cell has its value and its device."""
    return vectorcall.cell_places(Cell)
