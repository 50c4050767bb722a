"""An optimized graph as a ``Program``: clusters, library calls and control flow, in order.

``lower`` is the entry. A ``Lowering`` holds what one program shares (names, sizes, kernels,
temporaries, failure codes); a ``Segment`` is one straight run of nodes: the whole graph, or the
body of a loop or branch, which becomes the steps inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgraph.ir.dim import Atom, DimLike
from symgraph.ir.dtype import DType
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.loop.ir import Buffer, Copy, Kernel, Program, Step, Stmt
from symgraph.lower.assemble import assemble
from symgraph.lower.build import Namer, StageBuilder
from symgraph.lower.cluster import Clusters
from symgraph.lower.control import CONTROL
from symgraph.lower.demand import COSTLY, demanded, is_reinterpretation, is_scalar_constant
from symgraph.lower.guarded import function_of
from symgraph.lower.lanes import with_lanes
from symgraph.lower.library import LIBRARY
from symgraph.lower.memory import names_in
from symgraph.lower.notes import Notes
from symgraph.lower.schedule import CPU, Schedule
from symgraph.lower.stage import Storage
from symgraph.lower.words import SizeNames, WordBuilder
from symgraph.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failure code means: the node that checks, and the axis that an index is outside of."""

    node: Node
    axis: int


@dataclass(slots=True)
class Lowering:
    """What one program shares between its segments."""

    schedule: Schedule = CPU
    sizes: SizeNames = field(default_factory=SizeNames)
    namer: Namer = field(default_factory=Namer)
    kernels: list[Kernel] = field(default_factory=list)
    temporaries: list[Storage] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    sources: dict[str, Node] = field(default_factory=dict)  # which node a buffer holds
    persistent: set[str] = field(default_factory=set)  # buffers read by steps other than kernels
    notes: Notes = field(default_factory=Notes)
    b: WordBuilder = field(init=False)

    def __post_init__(self) -> None:
        self.b = WordBuilder(self.sizes, function_of)

    def fail_code(self, node: Node, axis: int) -> int:
        """A failure code (from 1) for an index check."""
        self.failures.append(Failure(node, axis))
        return len(self.failures)

    def temporary(
        self, node: Node, shape: tuple[DimLike, ...] | None = None, dtype: DType | None = None
    ) -> Storage:
        """A new buffer for a node's value."""
        found = node.tensor if isinstance(node.type, TensorType) else None
        if shape is None or dtype is None:
            assert found is not None
            shape, dtype = found.shape, found.dtype
        return self.private(Storage(f"t{self.namer.next()}", dtype, shape), node)

    def private(self, storage: Storage, node: Node) -> Storage:
        """A buffer of the program that no caller sees."""
        self.temporaries.append(storage)
        return self.known(storage, node)

    def known(self, storage: Storage, node: Node | None = None) -> Storage:
        """Remember a storage by its name, and whose value it holds."""
        self.storages[storage.name] = storage
        if node is not None:
            self.sources[storage.name] = node
        return storage

    def actual(self, name: str) -> str:
        """The buffer behind a reinterpreted name."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def in_lanes(self, statements: list[Stmt]) -> list[Stmt]:
        """Statements of a kernel, with the rows of short loops as lanes where that pays."""
        return with_lanes(statements, self.b, self.schedule)

    def buffer(self, storage: Storage) -> Buffer:
        """A storage as a buffer of the loop IR."""
        return Buffer(storage.name, storage.dtype, tuple(self.b.size(d) for d in storage.shape))


class Segment:
    """One straight run of nodes on the way to steps."""

    def __init__(
        self, lowering: Lowering, env: Mapping[Node, Storage], is_outermost: bool = False
    ) -> None:
        self.lowering, self.is_outermost = lowering, is_outermost
        self.b = lowering.b
        self.where: dict[Node, Storage] = dict(env)
        # Copies that control flow reads: of numbers, of views.
        self.numbers: dict[Node, Storage] = {}
        self.clusters = Clusters(lowering.b, lowering.aliases, apart=lowering.notes.apart)
        self.builder = StageBuilder(lowering.b, lowering.namer, self.storage, lowering.fail_code)

    def storage(self, node: Node) -> Storage | None:
        """The buffer of a node; a reinterpreted one for a free reshape; None if it is inlined."""
        found = self.where.get(node)
        if found is None and node.op.name == "reshape" and is_reinterpretation(node):
            base = self.storage(node.inputs[0])
            assert base is not None, "the input of a reshape is stored"
            name = f"{base.name}_as{self.lowering.namer.next()}"
            self.lowering.aliases[name] = base.name
            found = self.where[node] = self.lowering.known(
                Storage(name, base.dtype, node.tensor.shape)
            )
        return found

    def stored(self, node: Node) -> Storage:
        """The buffer of a node that has one; a number that is written into code gets one here."""
        found = self.storage(node) or self.numbers.get(node)
        if found is None and (is_scalar_constant(node) or node.op.name == "dim"):
            found = self.numbers[node] = self.lowering.temporary(node)
            for stage in self.builder.point(node, found):
                self.clusters.add(stage)
        assert found is not None, f"{node} is not stored"
        return found

    def plain(self, node: Node) -> Storage:
        """The buffer of a node in the shape it was made with: another shape over one is copied."""
        source = self.stored(node)
        if source.name not in self.lowering.aliases:
            return source
        if node not in self.numbers:
            self.numbers[node] = self.lowering.temporary(node)
            self.clusters.add(self.builder.copy(node, source, self.numbers[node]))
        return self.numbers[node]

    def run(self, outputs: Sequence[tuple[Node, Storage]]) -> list[Step]:
        """Steps that compute nodes into given buffers."""
        copies = self._claim(outputs)
        nodes = [n for n, _ in outputs]
        order = toposort(nodes, stop=lambda n: n in self.where and n.op.kind == "leaf")
        stored = demanded(nodes)
        self.clusters.expect(sum(node.op.name in COSTLY for node in order))
        for node in order:
            self._emit(node, stored)
        for node, target in copies:
            self._copy(node, target)
        del self.builder  # which knows this segment: a circle keeps both, and all expressions
        kept = [target.name for _, target in outputs]
        return assemble(self.clusters, self.lowering, kept, self.is_outermost)

    def _claim(self, outputs: Sequence[tuple[Node, Storage]]) -> list[tuple[Node, Storage]]:
        """Nodes write outputs themselves; leaves, loops and repeated outputs are copied.

        What an output shows in another shape is computed right into it, in its own shape.
        """
        copies = []
        for node, target in outputs:
            source = node
            while is_reinterpretation(source) and source not in self.where:
                source = source.inputs[0]
            is_result = source.op.name == "proj" and source.inputs[0].op.name == "scan"
            if source in self.where or (source.op.kind in ("leaf", "tuple") and not is_result):
                copies.append((node, target))
            elif source is node:
                self.where[node] = target
            else:
                box = Storage(target.name, target.dtype, source.tensor.shape)
                self.where[source] = self.lowering.known(box)
        return copies

    def _emit(self, node: Node, stored: set[Node]) -> None:
        kind = node.op.kind
        if kind in ("gather", "scatter"):
            for stage in self.builder.checks(node):
                self.clusters.add(stage)
        if kind == "control":
            CONTROL[node.op.name](self, node)
            return
        if kind in ("leaf", "tuple"):
            return
        target = self.where.get(node)
        if target is None:
            if node not in stored or is_reinterpretation(node):
                return
            target = self.lowering.temporary(node)
        elif node not in stored:
            return
        self.lowering.sources.setdefault(target.name, node)
        if kind == "library":
            LIBRARY[node.op.name](self, node, target)
        else:
            for stage in self.builder.stages(node, target):
                for box in stage.private:
                    self.lowering.private(box, node)
                self.clusters.add(stage)
        self.where[node] = target

    def _copy(self, node: Node, target: Storage) -> None:
        source = self.storage(node)
        if source is not None and source.name not in self.lowering.aliases:
            self.step(Copy(target.name, source.name), (source.name,), (target.name,))
            return
        if source is None:  # a scalar constant, or a dimension
            for stage in self.builder.point(node, target):
                self.clusters.add(stage)
        else:
            self.clusters.add(self.builder.copy(node, source, target))

    def step(self, step: object, reads: Sequence[str], writes: Sequence[str]) -> None:
        """Append a step that is no kernel."""
        base = self.clusters.base
        self.lowering.persistent.update(base(r) for r in (*reads, *writes))
        self.clusters.barrier(step, self.lowering.namer.next(), writes)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program, and how its names relate to nodes and dims."""

    program: Program
    inputs: tuple[Node, ...]
    sizes: Mapping[str, Atom]
    failures: tuple[Failure, ...]
    temporaries: tuple[Storage, ...]
    sources: Mapping[str, Node]
    notes: Notes = field(default_factory=Notes)


def lower(inputs: Sequence[Node], outputs: Sequence[Node], schedule: Schedule = CPU) -> Lowered:
    """The program of outputs as a function of array leaves (inputs, shared, array constants).

    ``inputs`` lists all array leaves below, in the order in which the caller will pass them.
    """
    lowering = Lowering(schedule)
    env: dict[Node, Storage] = {}
    for k, node in enumerate(inputs):
        name = "".join(c if c.isalnum() else "_" for c in node.name or node.op.name)
        env[node] = lowering.known(
            Storage(f"x{k}_{name}", node.tensor.dtype, node.tensor.shape), node
        )
    targets = [
        lowering.known(Storage(f"y{k}", n.tensor.dtype, n.tensor.shape))
        for k, n in enumerate(outputs)
    ]
    lowering.persistent.update(t.name for t in targets)
    segment = Segment(lowering, env, is_outermost=True)
    steps = segment.run(list(zip(outputs, targets, strict=True)))
    return _finish(lowering, inputs, [env[n] for n in inputs], targets, steps)


def _finish(
    lowering: Lowering,
    nodes: Sequence[Node],
    inputs: list[Storage],
    outputs: list[Storage],
    steps: list[Step],
) -> Lowered:
    used = {lowering.actual(name) for step in steps for name in names_in(step)}
    temporaries = tuple(t for t in lowering.temporaries if t.name in used)
    shown = [lowering.buffer(s) for s in (*inputs, *outputs, *temporaries)]
    n, m = len(inputs), len(inputs) + len(outputs)
    program = Program(
        tuple(shown[:n]),
        tuple(shown[n:m]),
        tuple(shown[m:]),
        tuple(lowering.sizes.names.values()),
        tuple(steps),
        tuple(lowering.kernels),
    )
    sizes = {name: atom for atom, name in lowering.sizes.names.items()}
    failures = tuple(lowering.failures)
    return Lowered(
        program, tuple(nodes), sizes, failures, temporaries, lowering.sources, lowering.notes
    )


def is_leaf_argument(node: Node) -> bool:
    """Does the caller pass this leaf as an array?"""
    return node.op.name in ("input", "shared") or (
        node.op.name == "constant" and not is_scalar_constant(node)
    )
