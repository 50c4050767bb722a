"""From specialisations to recipes of entries: their signatures, and the code made from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.codegen.artefact import Artefact
from symgraph.codegen.externals import PARALLEL
from symgraph.codegen.objects import compile_text
from symgraph.errors import UnsupportedError
from symgraph.ir.dim import Atom, Dim, DimLike, evaluate, product, substitute
from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement
from symgraph.ir.type import TensorType
from symgraph.lower.memory import taken
from symgraph.runtime import entry_code, layout
from symgraph.runtime.entry import EXPORTS, LEVEL, PATIENCE
from symgraph.runtime.entry import Interface as Counts
from symgraph.runtime.executable import Executable
from symgraph.runtime.layout import Layout
from symgraph.runtime.native import Interface, Recipe, cell_places, states_of
from symgraph.runtime.signature import ARGUMENT, CONSTANT, STATE, Signature, Tensor
from symgraph.runtime.work import tries, work

Array = np.ndarray[Any, Any]
RELEASE = 1 << 14  # work from which the GIL is released: 38 ns, against 10 us


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
        code = image(signature, at, offset + 8, cell_places())
    except UnsupportedError:  # a dimension that code does not compute
        return None
    return Recipe(code, counts(signature), constants, signature.work)


def counts(signature: Signature) -> Counts:
    """How many of each thing an entry's block refers to."""
    s = signature
    return Counts(len(s.arguments), s.functions, s.constants, len(s.states))


def image(signature: Signature, at: Layout, block: int, cell: tuple[int, int]) -> bytes:
    """The object image of a signature's entry."""
    text = entry_code.text(signature, at, block, cell, PATIENCE)
    return compile_text(text, EXPORTS, LEVEL)


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
        () if artefact.stacked else plan.sizes,
        (-1,) * len(plan.slots) if artefact.stacked else plan.slots,
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
