"""Stages that share loops: a tree of loops, grown one stage at a time.

A ``Block`` is an ordered list of entries: text (statements) or a ``Nest`` (one loop with a block
inside). A stage is placed by walking down: at each depth it enters the first loop of its extent
that comes after, or consistently contains, everything that it reads; otherwise it opens a new loop
at the end. It may enter a loop that contains a writer of what it reads if the writer's value is
complete within one turn and is read at the loop's own index. So a row softmax (maximum, sum,
quotient) becomes one loop over rows with three loops inside, and sum and sum of squares one loop.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.ir.dim import DimLike
from symgraph.loop.ir import Let, Stmt, Word
from symgraph.lower.demand import COSTLY
from symgraph.lower.notes import Apart, reasons
from symgraph.lower.stage import Stage, loop_index
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

WINDOW = 48  # top-level entries looked back over: keeps the work linear in the graph
LARGEST_BODY = 300  # statements in one loop nest; beyond it compile time and register pressure grow
MOST_FUNCTIONS = 48  # elementary functions in one: LLVM's time is quadratic in them (1000: 42 s)
# In one of a program with more than twice as many: its loops are alike, and the smaller they are,
# the sooner one stands for all. A store and a load cost less than one function.
FUNCTIONS_OF_MANY = 6
# Buffers of a loop that is shared by what has nothing else in common: LLVM compares each with each.
MOST_APART = 16


@dataclass(slots=True)
class Text:
    """Statements of one stage. ``leads`` says that they belong to the nest that follows."""

    statements: list[Stmt]
    stages: set[int]
    leads: bool = False


@dataclass(slots=True)
class Nest:
    """One loop."""

    depth: int
    dim: DimLike
    block: list[Entry]
    stages: set[int]
    closed: bool = False
    size: int = 0
    functions: int = 0
    buffers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Barrier:
    """A step that is no loop nest: a library call, a copy, control flow."""

    step: object
    stages: set[int]


Entry = Text | Nest | Barrier


def _continues(block: list[Entry], position: int) -> bool:
    """Is a place inside of what belongs to one loop: text before and after it?"""
    if position == 0:
        return False
    entry, before = block[position], block[position - 1]
    if isinstance(before, Text) and before.leads:
        return True
    if not isinstance(entry, Text) or entry.leads:
        return False
    nests = (e for e in reversed(block[:position]) if isinstance(e, Nest))
    return any(entry.stages <= nest.stages for nest in nests)


def functions_in(stage: Stage) -> int:
    """How many elementary functions a stage computes."""
    words = (let.value for let in stage.lets)
    return sum(1 for w in words if isinstance(w, Word) and w.name in COSTLY)


@dataclass(slots=True)
class Clusters:
    """The top level under construction, and who writes which buffer."""

    b: WordBuilder
    aliases: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    stages: dict[int, Stage] = field(default_factory=dict)
    writers: dict[str, list[int]] = field(default_factory=dict)
    checks: set[int] = field(default_factory=set)  # stages without which nothing is looked up
    apart: list[Apart] = field(default_factory=list)
    most_functions: int = MOST_FUNCTIONS

    def expect(self, functions: int) -> None:
        """How many elementary functions there will be in all."""
        self.most_functions = (
            FUNCTIONS_OF_MANY if functions > 2 * MOST_FUNCTIONS else MOST_FUNCTIONS
        )

    def add(self, stage: Stage) -> None:
        """Place a stage; its producers must have been added before."""
        self.stages[stage.number] = stage
        needs = self._needs(stage)
        self._place(self.entries, stage, 0, needs)
        if stage.target is not None:
            self.writers.setdefault(stage.target.name, []).append(stage.number)
        if stage.is_check:
            self.checks.add(stage.number)

    def barrier(self, step: object, number: int, writes: Iterable[str]) -> None:
        """Append a step that is no loop nest; stages that read what it writes come after it."""
        self.entries.append(Barrier(step, {number}))
        for name in writes:
            self.writers.setdefault(self.base(name), []).append(number)

    def base(self, name: str) -> str:
        """The buffer behind a reinterpreted name."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def _needs(self, stage: Stage) -> set[int]:
        needs: set[int] = set()
        for load in stage.loads():
            needs.update(self.writers.get(self.base(load.buffer), ()))
        if stage.target is not None:
            # Writes to one buffer keep their order.
            needs.update(self.writers.get(stage.target.name, ()))
        if self.checks and not stage.is_check and stage.looks_up:
            needs |= self.checks
        return needs

    def _place(self, block: list[Entry], stage: Stage, depth: int, needs: set[int]) -> None:
        lead: list[Stmt] = [Let(x.name, x.value) for x in stage.lets if x.level == depth]
        if depth == len(stage.space):
            text = Text(self._innermost(stage, depth, lead), {stage.number})
            block.insert(self._earliest(block, needs) if depth == 0 else len(block), text)
            return
        if depth == stage.kept:
            lead += stage.before
        position = self._enter(block, stage, depth, needs)
        if position is None:
            if depth == 0 and needs:
                self.apart += reasons(self, block[-WINDOW:], stage, needs)
            if lead:
                block.append(Text(lead, {stage.number}, leads=True))
            nest = Nest(depth, stage.space[depth], [], set(), closed=stage.alone)
            block.append(nest)
            position = len(block) - 1
        else:
            found = block[position]
            assert isinstance(found, Nest)
            nest = found
            if lead:
                block.insert(position, Text(lead, {stage.number}, leads=True))
                position += 1
        nest.stages.add(stage.number)
        nest.size += len(stage.lets) + len(stage.inside)
        nest.functions += functions_in(stage)
        nest.buffers |= self._buffers(stage)
        self._place(nest.block, stage, depth + 1, needs)
        if depth == stage.kept and stage.after:
            block.insert(position + 1, Text(list(stage.after), {stage.number}))

    @staticmethod
    def _innermost(stage: Stage, depth: int, lead: list[Stmt]) -> list[Stmt]:
        statements = lead + stage.inside
        # A fold over nothing but axes of length 1.
        if depth == stage.kept and (stage.before or stage.after):
            statements = stage.before + statements + stage.after
        return statements

    @staticmethod
    def _earliest(block: list[Entry], needs: set[int]) -> int:
        """Where numbers are computed: right after what they read, so that loops can read them.

        Never between a loop and the text that belongs to it.
        """
        start = max(0, len(block) - WINDOW)
        position = len(block)
        while position > start and not block[position - 1].stages & needs:
            position -= 1
        if position == start > 0:
            return len(block)
        while position < len(block) and _continues(block, position):
            position += 1
        return position

    def _enter(self, block: list[Entry], stage: Stage, depth: int, needs: set[int]) -> int | None:
        """The position of the first nest that the stage may share, or None."""
        if stage.alone:
            return None
        start = max(0, len(block) - WINDOW) if depth == 0 else 0
        first = start
        for position in range(len(block) - 1, start - 1, -1):
            entry = block[position]
            inside = entry.stages & needs
            if inside:
                open_ = isinstance(entry, Nest) and all(
                    self.aligned(w, stage, depth) for w in inside
                )
                first = position if open_ else position + 1
                break
        for position in range(first, len(block)):
            entry = block[position]
            if isinstance(entry, Nest) and self._fits(entry, stage, depth):
                return position
        return None

    def _fits(self, nest: Nest, stage: Stage, depth: int) -> bool:
        return not nest.closed and nest.dim == stage.space[depth] and self.has_room(nest, stage)

    def has_room(self, nest: Nest, stage: Stage) -> bool:
        """Does a stage fit into a loop that is not too long then?"""
        if nest.functions and nest.functions + functions_in(stage) > self.most_functions:
            return False
        if len(nest.buffers) >= MOST_APART and nest.buffers.isdisjoint(self._buffers(stage)):
            return False
        return nest.size + len(stage.lets) <= LARGEST_BODY

    def _buffers(self, stage: Stage) -> set[str]:
        """What a stage reads and writes."""
        found = {self.base(load.buffer) for load in stage.loads()}
        return found if stage.target is None else found | {stage.target.name}

    def aligned(self, writer: int, stage: Stage, depth: int) -> bool:
        """Is what the writer made in this turn of the loop all that the stage reads in it?"""
        source = self.stages.get(writer)
        if source is None or source.alone or source.kept <= depth or source.target is None:
            return False
        index = loop_index(self.b, depth)
        axes = [a for a, i in enumerate(source.index) if i is index]
        if not axes:
            return False
        (axis,) = axes[:1]
        for load in stage.loads():
            if self.base(load.buffer) == source.target.name and (
                load.buffer != source.target.name or load.index[axis] is not index
            ):
                return False
        return True
