"""``Trace``: the life of one function's graph, from the program as written to kernels.

    f.trace                    made from what compiling wrote down, when it is first asked for
    read_trace("f.sgtrace")    the same from a file

Iterating gives the rewrites; ``steps`` has those and all else that changed the graph; ``at(n)`` is
the graph after step n. Everything that shows a compilation is a function of this object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symgraph.archive import Location
from symgraph.display import mimebundle, view
from symgraph.errors import ArgumentError, ParseError, nearest
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node, add_name
from symgraph.ir.origin import Line
from symgraph.ir.text import checked_node
from symgraph.records import dataclass, field
from symgraph.trace.format import (
    REWRITE,
    Body,
    Ends,
    Parts,
    PassRow,
    Row,
    RuleText,
    StageRow,
    StepRow,
)
from symgraph.trace.write import save_trace


@dataclass(frozen=True, slots=True)
class Step:
    """One step, with the nodes before and after where it is a rewrite."""

    number: int
    row: StepRow
    trace: Trace = field(repr=False, compare=False)

    @property
    def rule(self) -> str:
        """The name of the rule, or of what the stage did."""
        return self.row.rule.name

    @property
    def why(self) -> str:
        """The reason, in words."""
        return self.row.rule.why

    @property
    def source(self) -> str:
        """On whose word."""
        return self.row.rule.source

    @property
    def changes(self) -> str:
        """Where the value changes beyond rounding."""
        return self.row.rule.changes

    @property
    def table(self) -> str:
        """The table of rules it is from."""
        return self.row.table

    @property
    def stage(self) -> str:
        """The stage of the compiler, or ``before grad``."""
        return self.row.stage

    @property
    def lines(self) -> tuple[Line, ...]:
        """The line of the user's program that made what was rewritten."""
        return (self.row.line,) if self.row.line else ()

    @property
    def before(self) -> Node:
        """The node that was replaced."""
        return self._ends()[0]

    @property
    def after(self) -> Node:
        """The node that took its place."""
        return self._ends()[1]

    def _ends(self) -> tuple[Node, Node]:
        known = self.trace.ends[self.number] if self.trace.ends else None
        if known is not None:
            return known
        if self.row.kind != REWRITE:
            raise ArgumentError(f"step {self.number}, {self.rule}, is no rewrite of one node")
        before = self.trace.state(self.number - 1).node(self.row.before)
        return before, self.trace.state(self.number).node(self.row.after)

    def __str__(self) -> str:
        where = f" at {self.row.line}" if self.row.line else ""
        head = f"{self.table or self.stage}: {self.rule}{where}"
        source = f" [{self.source}]" if self.source else ""
        return f"{head}\n  why: {self.why}{source}" if self.why else head


class State:
    """The graph after a step: what each number reads, and the ends of graphs."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.inputs: dict[int, tuple[int, ...]] = {}
        self.ends: dict[int, Ends] = {0: Ends((), ())}
        self._nodes: dict[int, Node] = {}

    def advance(self, step: StepRow) -> None:
        """Apply one more step."""
        self.inputs |= step.delta.inputs
        self.ends |= step.delta.graphs
        self._nodes.clear()

    def reads(self, key: int) -> tuple[int, ...]:
        """The inputs of a number."""
        return self.inputs.get(key, self.rows[key].inputs)

    def order(self, tops: Sequence[int] | None = None, *, bodies: bool = True) -> list[int]:
        """All numbers below some, or in the graph, inputs and graphs inside first.

        ``bodies``: with the graphs inside.
        """
        if tops is None:
            tops = (*self.ends[0].params, *self.ends[0].outputs)
        found: list[int] = []
        state: dict[int, bool] = {}  # False: on the way down; True: done
        for top in tops:
            stack = [top]
            while stack:
                key = stack[-1]
                if key in state:
                    stack.pop()
                    if not state[key]:
                        state[key] = True
                        found.append(key)
                    continue
                state[key] = False
                reads = self._below(key) if bodies else self.reads(key)
                below = [i for i in reads if not state.get(i, False)]
                if any(i in state for i in below):
                    raise ParseError(f"node {key} reads itself")
                stack += below
        return found

    def _below(self, key: int) -> Iterator[int]:
        yield from self.reads(key)
        for number in self.rows[key].bodies:
            ends = self.ends.get(number)
            if ends is None:
                raise ParseError(f"node {key} holds graph {number}, which is not there")
            yield from (*ends.params, *ends.outputs)

    def node(self, key: int) -> Node:
        """The node of the compiler that a number stands for."""
        if key not in self._nodes:
            for k in self.order([key]):
                if k not in self._nodes:
                    self._nodes[k] = self._made(k)
        return self._nodes[key]

    def _made(self, key: int) -> Node:
        row = self.rows[key]
        attrs = {
            k: self.graph(v.number) if isinstance(v, Body) else v for k, v in row.attrs.items()
        }
        inputs = [self._nodes[i] for i in self.reads(key)]
        node = checked_node(row.op, inputs, attrs, row.type, row.lines)
        for name in row.names:
            add_name(node, name)
        return node

    def graph(self, number: int = 0) -> Graph:
        """The whole graph, or one inside it."""
        ends = self.ends[number]
        return Graph(tuple(map(self.node, ends.params)), tuple(map(self.node, ends.outputs)))


@dataclass(slots=True, eq=False)
class Trace:
    """Rows, steps, stages, passes, times in nanoseconds, and the parts of the program."""

    name: str
    parameters: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: Sequence[Row]
    steps: Sequence[StepRow]
    stages: Sequence[StageRow] = ()
    passes: Sequence[PassRow] = ()
    times: Mapping[str, int] = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)
    ends: Sequence[tuple[Node, Node] | None] = ()
    machine_code: Callable[[str], Mapping[str, str]] | None = None
    _state: tuple[int, State] | None = None

    def __iter__(self) -> Iterator[Step]:
        return (self.step(k) for k, row in enumerate(self.steps) if row.kind == REWRITE)

    def __len__(self) -> int:
        return sum(row.kind == REWRITE for row in self.steps)

    def step(self, number: int) -> Step:
        """Step ``number`` of ``steps``."""
        if not 0 <= number < len(self.steps):
            raise ArgumentError(
                f"there is no step {number}; {self.name} has steps 0 to {len(self.steps) - 1}"
            )
        return Step(number, self.steps[number], self)

    def state(self, number: int) -> State:
        """The graph after step ``number``, as numbers; going forward is cheap."""
        self.step(number)
        done, state = self._state or (-1, State(self.rows))
        if done > number:
            done, state = -1, State(self.rows)
        for row in self.steps[done + 1 : number + 1]:
            state.advance(row)
        self._state = number, state
        return state

    def at(self, when: int | str = -1) -> Graph:
        """The graph after a step, or after the stage of that name; -1: the last."""
        number = self.find_stage(when).step if isinstance(when, str) else when
        return self.state(number if number >= 0 else len(self.steps) + number).graph()

    def find_stage(self, name: str) -> StageRow:
        """The stage of that name; ArgumentError with the nearest right name."""
        for row in self.stages:
            if row.name == name:
                return row
        names = [row.name for row in self.stages]
        near = nearest(name, names)
        guess = f"did you mean {near!r}? " if near else ""
        raise ArgumentError(f"there is no stage {name!r}; {guess}stages: {', '.join(names)}")

    def save(self, path: Location, *, values: bool = False, code: bool = False) -> None:
        """Write it: JSON where the name ends in ``.json``, else a zip.

        ``values``: with the values of shared variables, which are zeros in the file otherwise.
        ``code``: with LLVM and assembly of the kernels, where this is the trace of a function.
        """
        save_trace(path, self.with_code() if code else self, values=values)

    def with_code(self) -> Trace:
        """The same with LLVM and assembly of each kernel, which take a compilation to make."""
        if self.machine_code is None:
            return self
        kernels = tuple(
            replace(k, sources={**k.sources, **self.machine_code(k.name)})
            for k in self.parts.kernels
        )
        return replace(self, parts=replace(self.parts, kernels=kernels))

    def rule_names(self) -> dict[str, RuleText]:
        """Rules that were applied, by name."""
        return {row.rule.name: row.rule for row in self.steps if row.kind == REWRITE}

    def view(self, **options: Any) -> Any:
        """The page of this trace; ``theme=``, ``height=``; ``.save("f.html")``."""
        return view(self, **options)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def __repr__(self) -> str:
        kernels = len(self.parts.kernels)
        return f"<trace of {self.name}: {len(self)} rewrites, {kernels} kernels>"
