"""``symgraph.trace/1``: the format of traces, in memory and in files.

A trace tells the life of *one* graph. A node has a number that it keeps through all rewrites, as
long as it is the same operation: a rewrite adds nodes, takes the place of one, and what nobody
reads any more is removed. The graph at step n is what steps 0 to n make of an empty graph.

A file is a zip (``.sgtrace``: ``trace.json``, and ``arrays/<hash>.npy`` for constants of more than
16 elements), or the JSON alone with all constants in it. Numbers of nodes count ``nodes`` from 0;
types and attributes are spelled as in ``symgraph/ir/literal.py``. The JSON is one object::

    {"format": "symgraph.trace/1", "written_by": "symgraph 0.1.0", "name": "train",
     "parameters": ["x"],  "outputs": ["cost", "new w"],
     "files":  ["train.py"],                      lines are [number of the file, number of the line]
     "dims":   ["dim ?x.0 = unknown(\\"?x.0\\", \\"token\\")"],  "states": ["cell(...)"],
     "nodes":  [{"op": "log", "inputs": [3], "type": "float64[n]", "attrs": {"axis": "0"},
                 "names": ["y"], "lines": [[0, 12]]}],
     "rules":  [{"name": "log of softmax", "why": "...", "source": "...", "changes": ""}],
     "steps":  [{"kind": "rewrite", "stage": "stable", "table": "stabilize", "rule": 0,
                 "before": 7, "after": 12, "line": [0, 12], "ns": 40000,
                 "added": [12, 13], "removed": [7, 6],
                 "inputs": [[8, [12, 2]]],        node 8 reads 12 and 2 from now on
                 "graphs": [[0, [1], [9]]]}],     graph 0 has parameters 1 and outputs 9 now
     "stages": [{"name": "stable", "step": 41, "ns": 812000}],   the graph after this step
     "passes": [{"stage": "stable", "table": "stabilize", "applied": 12, "ns": 300000}],
     "times":  {"resolve": 10000, "lower": 300000, "plan": 20000, "build": 9000000},
     "cached": false, "backend": "numba",
     "sizes":  {"n_x": "n"},                      sizes of the program, as dims
     "program": ["k0_log_softmax(x0, y0; n_x)"],  its steps, as text
     "kernels": [{"name": "k0_log_softmax", "nodes": [12], "lines": [[0, 12]], "notes": ["..."],
                  "locals": {"v1_0": 12}, "bytes": "16*n", "flops": "40*n",
                  "sources": {"ir": "...", "py": "...", "llvm": "...", "asm": "..."}}],
     "buffers": [{"name": "t3", "role": "temporary", "type": "float64[n]", "node": 12,
                  "slot": 0, "first": 0, "last": 2}],            lifetime in steps of the program
     "slots":  ["8*n"],                           bytes of each, as dims
     "checks": ["n = m at train.py:3"],           what every call compares
     "apart":  [[9, 7, "..."]],                   why node 9 is not in the loop of node 7
     "missed": [[9, "norm", "..."]]}              a rule that a fact nobody stated kept from node 9

Graph 0 is the function; others are the bodies of loops and branches, which attributes name as
``@1``. ``kind`` of a step: ``start`` (a graph from nothing: the function as built, or before that
the cost as ``sg.grad`` found it), ``rewrite`` (one application of a rule), ``stage`` (a part of the
compiler that is no table of rules). All keys but ``format`` and ``steps`` may be missing.

A version that is not 1 is refused by its number. Values of shared variables are not written unless
asked for: they are zeros in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symgraph.ir.dim import DimLike
from symgraph.ir.origin import Line
from symgraph.ir.type import Type
from symgraph.records import dataclass, field

FORMAT, VERSION = "symgraph.trace", 1
START, REWRITE, STAGE = "start", "rewrite", "stage"
KINDS = (START, REWRITE, STAGE)
ROLES = ("input", "output", "temporary")
SOURCES = ("py", "ir", "llvm", "asm")


@dataclass(frozen=True, slots=True)
class Body:
    """In attributes of rows: the graph of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class Row:
    """A node as it was when it was added; ``inputs`` are numbers of rows before it."""

    op: str
    inputs: tuple[int, ...]
    type: Type
    attrs: Mapping[str, Any]  # as of nodes, but a Body for a Graph
    names: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def bodies(self) -> tuple[int, ...]:
        """Numbers of the graphs inside it, by the names of the attributes, as files have them."""
        return tuple(v.number for _, v in sorted(self.attrs.items()) if isinstance(v, Body))


@dataclass(frozen=True, slots=True)
class Ends:
    """Parameters and outputs of a graph, as numbers of rows."""

    params: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a rule says of itself."""

    name: str
    why: str = ""
    source: str = ""
    changes: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a step did to the graph: nodes added and removed, new inputs, new ends of graphs."""

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    inputs: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    graphs: Mapping[int, Ends] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.added or self.removed or self.inputs or self.graphs)


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step: what, by which rule, at which line; ``before`` and ``after`` are rows, or -1.

    ``elapsed_ns``: from the step before to this one, 0 where that is not known.
    """

    kind: str
    stage: str
    table: str
    rule: RuleText
    before: int
    after: int
    line: Line | None
    delta: Delta
    elapsed_ns: int = 0


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the compiler: the graph is as after step ``step``."""

    name: str
    step: int
    elapsed_ns: int = 0


@dataclass(frozen=True, slots=True)
class PassRow:
    """A run of a table of rules."""

    stage: str
    table: str
    applied: int
    elapsed_ns: int


@dataclass(frozen=True, slots=True)
class KernelRow:
    """A kernel: the rows and lines it came from, what a call moves and computes, its sources.

    ``locals``: for names in its source, the row whose value they hold.
    """

    name: str
    nodes: tuple[int, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    locals: Mapping[str, int]
    nbytes: DimLike
    flops: DimLike
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BufferRow:
    """Memory of the program; temporaries have a slot in the arena and a lifetime in steps."""

    name: str
    role: str
    type: Type
    node: int = -1
    slot: int = -1
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class ApartRow:
    """Why a row is not computed in the loop that makes what it reads, the other."""

    node: int
    other: int
    why: str


@dataclass(frozen=True, slots=True)
class MissRow:
    """A rule that would repair a row (-1: one of no number) if a fact were stated, told whole."""

    node: int
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What the program is made of, from the last graph on."""

    backend: str = ""
    cached: bool = False
    sizes: Mapping[str, DimLike] = field(default_factory=dict)
    program: tuple[str, ...] = ()
    kernels: tuple[KernelRow, ...] = ()
    buffers: tuple[BufferRow, ...] = ()
    slots: tuple[DimLike, ...] = ()
    checks: tuple[str, ...] = ()
    apart: tuple[ApartRow, ...] = ()
    missed: tuple[MissRow, ...] = ()
