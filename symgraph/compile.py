"""The compiler: START READING HERE. From a graph to an ``Executable``, stage by stage.

    capture     the outputs and updates, with ``givens`` replaced            (api.function)
    resolve     dims that meet become equal                                   ir.resolve
    rewrite     canonicalize, stabilize, simplify products                     rewrite.pipeline
    expand      composite ops written with simpler ones                        lower.expand
    lower       loops over buffers, library calls, control flow               lower.program
    plan        which temporaries share memory                                lower.memory
    build       machine code, from the disk cache where it is there           codegen, runtime.cache

``STAGES`` has the graph stages in order; each takes and gives outputs. A ``Compiler`` belongs to
one function and makes its specialisations: the usual one, where all dims that meet are equal, and
further ones when a call brings an axis of length 1 that broadcasts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from time import perf_counter_ns

from symgraph.codegen.backend import Compiled, backend
from symgraph.config import config
from symgraph.errors import ParseError
from symgraph.garbage import none_looked_for
from symgraph.ir.dim import Atom, DimLike
from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node
from symgraph.ir.origin import as_if_at
from symgraph.ir.resolve import Requirement, requirements, resolve
from symgraph.loop.forms import each_once, form_of
from symgraph.loop.ir import Program
from symgraph.loop.text import show
from symgraph.lower.donate import donate
from symgraph.lower.expand import expand
from symgraph.lower.memory import plan
from symgraph.lower.past_caches import with_streams
from symgraph.lower.program import Lowered, is_leaf_argument, lower
from symgraph.lower.schedule import CPU, DEVICE, Schedule
from symgraph.mode import Mode
from symgraph.ops.assume import assumed_of, carry
from symgraph.records import dataclass, field
from symgraph.rewrite.guards import Entries, guard
from symgraph.rewrite.journal import Application, Journal
from symgraph.rewrite.loops import tidy_loops
from symgraph.rewrite.pipeline import PIPELINE, finish, optimize
from symgraph.rewrite.spread import spread_loops
from symgraph.runtime import cache
from symgraph.runtime.executable import Executable
from symgraph.trace.record import Record

Stage = Callable[[tuple[Node, ...], Mode, Record], tuple[Node, ...]]


def _tidy(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    return tidy_loops(outputs)


def _spread(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    if mode.accuracy == "as-written":  # sums get another order
        return outputs
    return tidy_loops(spread_loops(outputs))


def _rewrite(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    passes = PIPELINE if mode.passes is None else mode.passes
    if mode.is_quick:
        passes = PIPELINE[:1]
    return optimize(outputs, mode.accuracy, record.rewrites, passes, journals=record.journals)


def _range(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    if mode.passes is not None or mode.is_quick:
        return outputs
    return finish(outputs, mode.accuracy, record.rewrites, record.journals)


def _expand(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    return expand(outputs)


def _clean(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    return optimize(outputs, mode.accuracy, None, PIPELINE[:1], journals=record.journals)


def _guard(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    if mode.passes is not None:
        return outputs
    entries: Entries = []
    made = guard(outputs, mode.accuracy, entries)
    record.rewrites += [e for e in entries if isinstance(e, Application)]
    record.journals.append(Journal("guards", outputs, entries, made))
    return made


STAGES: tuple[tuple[str, Stage], ...] = (
    ("tidied", _tidy),
    ("stable", _rewrite),
    ("joined", _tidy),
    ("spread", _spread),
    ("ranged", _range),
    ("expanded", _expand),
    ("final", _clean),
    ("guarded", _guard),
)


@dataclass(slots=True)
class Compiler:
    """Compiles the outputs of one function, in as many specialisations as calls need.

    The first ``results`` outputs may be written into the memory of ``given`` inputs.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    mode: Mode
    given: tuple[Node, ...] = ()
    results: int = 0
    required: list[Requirement] = field(init=False)
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        self.required = requirements(self.outputs)

    def specialise(self, special: Mapping[Atom, DimLike]) -> Specialised:
        """The program where some dimension symbols have given values."""
        below = toposort((*self.outputs, *self.inputs))
        # what stages make has the line of what it is made for, or none
        with as_if_at(()), none_looked_for():
            made = self._rewritten(special, below)
            given = {new for new, leaf in made.origin.items() if leaf in self.given}
            ready = build(made.outputs, self.mode, made.record, given, self.results)
        return Specialised(ready, made.origin, made.record, made.dims)

    def rewritten(self) -> Record:
        """The graph after each stage, where no program is wanted."""
        with as_if_at(()):
            return self._rewritten({}, toposort((*self.outputs, *self.inputs))).record

    def _rewritten(self, special: Mapping[Atom, DimLike], below: list[Node]) -> Rewritten:
        start = perf_counter_ns()
        dims = resolve(self.required, special)
        leaves = [n for n in below if is_leaf_argument(n)]
        assumed = assumed_of(leaves)
        everything = substitute_nodes((*self.outputs, *leaves, *assumed), {}, dims)
        built, moved = everything[: len(self.outputs)], everything[len(self.outputs) :]
        for node, after in zip(assumed, moved[len(leaves) :], strict=True):
            carry(node, after)
        moved = moved[: len(leaves)]
        record = self.record if not special else Record()
        new = dict(zip(leaves, moved, strict=True))
        record.inputs = tuple(new.get(i, i) for i in self.inputs)
        record.times["resolve"] = perf_counter_ns() - start
        outputs = run_stages(built, self.mode, record)
        origin = {m: leaf for leaf, m in new.items()}
        return Rewritten(outputs, origin, record, dims)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Outputs after all stages of the graph, and the user's leaf for each of theirs."""

    outputs: tuple[Node, ...]
    origin: Mapping[Node, Node]
    record: Record
    dims: Mapping[Atom, DimLike]


@dataclass(frozen=True, slots=True)
class Specialised:
    """An executable, and the leaves of the user's graph that its arguments stand for."""

    executable: Executable
    origin: Mapping[Node, Node]
    record: Record
    dims: Mapping[Atom, DimLike]

    def argument_leaves(self) -> list[Node]:
        """For every argument of the program, the leaf of the user's graph (or a new constant)."""
        return [self.origin.get(n, n) for n in self.executable.lowered.inputs]


def run_stages(outputs: tuple[Node, ...], mode: Mode, record: Record) -> tuple[Node, ...]:
    """Outputs after all graph stages; the record keeps each stage."""
    record.stages["built"] = outputs
    for name, stage in STAGES:
        start, known = perf_counter_ns(), len(record.journals)
        outputs = stage(outputs, mode, record)
        record.stages[name] = outputs
        record.times[name] = perf_counter_ns() - start
        for journal in record.journals[known:]:
            journal.stage = name
    return outputs


def build(
    outputs: Sequence[Node],
    mode: Mode,
    record: Record | None = None,
    given: Collection[Node] = (),
    results: int = 0,
) -> Executable:
    """Lower, plan, and get machine code for graph outputs.

    ``given``: leaves whose memory the first ``results`` outputs may take.
    """
    record = record or Record()
    times = [perf_counter_ns()]
    leaves = [n for n in toposort(outputs) if is_leaf_argument(n)]
    schedule = _schedule(mode)
    lowered = lower(leaves, outputs, schedule)
    if given:
        lowered = donate(lowered, given, results)
    lowered = with_streams(lowered, schedule)
    times.append(perf_counter_ns())
    memory = plan(lowered.program, lowered.temporaries)
    times.append(perf_counter_ns())
    with each_once():
        code = machine_code(lowered, mode, record)
    times.append(perf_counter_ns())
    spans = (b - a for a, b in pairwise(times))
    record.times |= dict(zip(("lower", "plan", "build"), spans, strict=True))
    return Executable(lowered, memory, code, tuple(outputs))


def _schedule(mode: Mode) -> Schedule:
    """The cost model of what code is for; as it is written, each operation rounds as it says."""
    found = DEVICE if mode.code_generator == "cuda" else CPU
    return replace(found, wide_sums=False) if mode.accuracy == "as-written" else found


def machine_code(lowered: Lowered, mode: Mode, record: Record) -> Compiled:
    """The compiled program, from disk where an equal one was compiled before."""
    generator = backend(mode.code_generator)
    program, quick = lowered.program, mode.name == "quick"
    if not config.cache or generator.name == "interp":
        return generator.compile(program, quick)
    how = f"{generator.name} {'quick' if quick else 'fast'}"
    name = cache.key(identity(program), how, generator.target())
    data = cache.read(name)
    if data is not None:
        try:
            restored = generator.restore(program, data)
            record.from_cache = True
            return restored
        except ParseError as error:
            cache.reject(name, str(error))
    made = generator.compile(program, quick)
    content = made.to_bytes()
    if content is not None:
        cache.write(name, content)
    return made


_WORD, _USUAL = re.compile(r"\b[^\W\d]\w*"), re.compile(r"\b(?:x\d|n_)\w*")


def identity(program: Program) -> str:
    """A text that is equal for equal programs, whoever built them, where, and under which names.

    Inputs and sizes carry the user's names; here they are ``x0``, ``n0``, ..., which the lowering
    gives to nothing else.
    """
    plain = {b.name: f"x{k}" for k, b in enumerate(program.inputs)}
    plain |= {name: f"n{k}" for k, name in enumerate(program.sizes)}
    text = show(replace(program, kernels=()))
    usual = all(_USUAL.fullmatch(name) for name in plain)  # then no other word is looked at
    words = _USUAL if usual else _WORD
    text = words.sub(lambda word: plain.get(word[0], word[0]), text)
    return "\n".join([text, *(f"{k.name} {form_of(k).key()}" for k in program.kernels)])
