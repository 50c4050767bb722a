"""``Function``: what ``sg.function`` returns. It checks, picks a specialisation, runs, publishes.

All updates are computed from the old values and published together after the program has ended
without an error; a call that fails changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from symgraph.codegen.backend import backend
from symgraph.config import config
from symgraph.display import mimebundle, view
from symgraph.errors import ArgumentError, DTypeError, ShapeError, SymgraphError, message
from symgraph.ir.dim import Atom, DimLike, single_atom, substitute
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.origin import Line, at_line, user_line
from symgraph.ir.resolve import Requirement, violations
from symgraph.loop.ir import Kernel
from symgraph.runtime.arguments import Parameter, bind_arguments, convert
from symgraph.runtime.executable import Array, Executable, Layout
from symgraph.runtime.profile import Profile
from symgraph.runtime.shared import COMMIT, COMMITTING, publish, read_states
from symgraph.runtime.vectorcall import function_type, put_into
from symgraph.trace.cost import dims_of, kernel_bytes, kernel_flops, number_for
from symgraph.trace.explain import Explanation, explain
from symgraph.trace.make import Subject, make_trace, write_if_asked
from symgraph.trace.record import Record
from symgraph.trace.trace import Trace

if TYPE_CHECKING:
    from symgraph.runtime.native import Entry

SHORTEST_FIXED = 2  # lengths 0 and 1 stay symbols: code for them would be code for nothing else


class Specialisation(Protocol):
    """An executable and the user's leaves that its arguments stand for."""

    @property
    def executable(self) -> Executable:
        """The program, ready to run."""
        ...

    @property
    def record(self) -> Record:
        """What compiling it did."""
        ...

    @property
    def dims(self) -> Mapping[Atom, DimLike]:
        """What dimension symbols of the user's graph are in it."""
        ...

    def argument_leaves(self) -> list[Node]:
        """For every argument of the program, the leaf of the user's graph."""
        ...


@dataclass(frozen=True, slots=True)
class Length:
    """A dimension that only data tells: a function computes it from the same inputs."""

    atom: Atom
    inputs: tuple[int, ...]
    compute: Function


@dataclass(slots=True)
class Plumbing:
    """What a function is made of; filled in by ``symgraph.api``."""

    name: str
    parameters: list[Parameter]
    inputs: list[Node]
    shared: list[Node]
    n_outputs: int
    updated: list[Node]
    structure: Callable[[Sequence[Any]], Any]
    required: list[Requirement]
    specialise: Callable[[Mapping[Atom, DimLike]], Specialisation]
    record: Any
    graph: Graph
    rebuild: tuple[Callable[..., Any], tuple[Any, ...]]
    backend: str
    nesting: str
    threads: int = 0
    lengths: list[Length] = field(default_factory=list)
    observe: Callable[..., None] | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A specialisation prepared for one set of shapes."""

    executable: Executable
    leaves: tuple[Node, ...]
    layout: Layout
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class KernelView:
    """A kernel for people: ``source`` runs as plain Python on arrays; ``lines`` are the user's."""

    kernel: Kernel
    executable: Executable
    generator: str

    @property
    def name(self) -> str:
        """Its name, from the ops in it."""
        return self.kernel.name

    @property
    def source(self) -> str:
        """Readable source."""
        return backend(self.generator).source(self.kernel)

    @property
    def lines(self) -> list[Line]:
        """The lines of the user's program that it computes."""
        return [Line(file, number) for file, number in self.kernel.lines]

    def bytes(self, **dims: int) -> int:
        """Bytes that a call reads and writes, each buffer once, for dimensions given by name."""
        sizes = dims_of(self.executable.lowered.sizes)
        return number_for(kernel_bytes(self.kernel, sizes), dims, f"{self.name}.bytes")

    def flops(self, **dims: int) -> int:
        """Operations of a call, counted on its loops (``trace.cost``), for dimensions by name."""
        sizes = dims_of(self.executable.lowered.sizes)
        return number_for(kernel_flops(self.kernel, sizes), dims, f"{self.name}.flops")

    def _assembly(self) -> tuple[str, str]:
        from symgraph.codegen.llvm_cpu import kernel_assembly  # imports LLVM

        return kernel_assembly(self.executable.lowered.program, self.kernel.name)

    @property
    def llvm(self) -> str:
        """The kernel as optimized LLVM."""
        return self._assembly()[0]

    @property
    def asm(self) -> str:
        """The kernel as machine assembly."""
        return self._assembly()[1]

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"


class Function:
    """A compiled graph. Call it with arrays, by position or by name; ``out=`` receives results.

    Instances are of a class below this one, whose calls are machine code (``vectorcall``) once
    there is some; ``__call__`` here is the way of every call that it does not take.
    """

    def __new__(cls, plumbing: Plumbing) -> Function:
        made: Function = object.__new__(_class_and_offset()[0] if cls is Function else cls)
        return made

    def __init__(self, plumbing: Plumbing) -> None:
        self._p = plumbing
        self._ready: dict[tuple[Any, ...], Ready] = {}
        self._special: dict[frozenset[tuple[Atom, DimLike]], Specialisation] = {}
        self._entries: dict[frozenset[tuple[Atom, DimLike]], Entry | None] = {}
        self._seen: dict[Atom, int] = {}
        self._varying: set[Atom] = set()
        self._lock = threading.RLock()
        self._trace: Trace | None = None
        self.name = plumbing.name

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        return self.call(*args, out=out, **kwargs)

    def call(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """The Python path of a call: converts arguments, compiles, says what is wrong."""
        p = self._p
        on_device = p.backend == "cuda"
        values, arrays = self._values(args, kwargs, on_device)
        ready = self._prepare(values, arrays)
        if ready.entry is not None and out is None:
            made = ready.entry.call(self, arrays, None)
            if made is not NotImplemented:
                return made
        results: list[Any] = [*self._results(ready, out, arrays)]
        if ready.entry is not None and out is not None:
            made = ready.entry.call(self, arrays, results[: p.n_outputs])
            if made is not NotImplemented:
                return self._returned(results[: p.n_outputs], out)
        leaves = [values[n] if n in values else n.attrs["value"] for n in ready.leaves]
        if p.observe is not None:
            p.observe(self, values)
        if on_device:
            results[p.n_outputs :] = ready.executable.run_on_device(
                leaves, results[: p.n_outputs], ready.layout
            )
        else:
            ready.executable.run(leaves, results, ready.layout)
        if p.observe is not None:
            p.observe(self, values, results)
        self._publish(results[p.n_outputs :])
        return self._returned(results[: p.n_outputs], out)

    def _values(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], on_device: bool
    ) -> tuple[dict[Node, Array], list[Array]]:
        """The values of inputs and shared variables in this call, and the arguments alone."""
        p = self._p
        given = bind_arguments(p.parameters, args, kwargs, self.name)
        arrays = [
            convert(v, q, k) for k, (v, q) in enumerate(zip(given, p.parameters, strict=True))
        ]
        values: dict[Node, Array] = dict(zip(p.inputs, arrays, strict=True))
        with COMMIT:
            values |= zip(p.shared, read_states(p.shared, on_device), strict=True)
        return values, arrays

    def profile(self, *args: Any, repeat: int = 5, **kwargs: Any) -> Profile:
        """Time per kernel and per user line for a call with these arguments; changes no state.

        Every step is compiled by itself and run ``repeat`` times; the least time counts.
        """
        if self._p.backend not in ("llvm", "numba", "interp"):
            raise ArgumentError(
                f"{self.name}: profiles are made on the CPU, not on {self._p.backend}"
            )
        values, arrays = self._values(args, kwargs, on_device=False)
        ready = self._prepare(values, arrays)
        leaves = [values[n] if n in values else n.attrs["value"] for n in ready.leaves]
        results = self._results(ready, None, arrays)
        how = self._p.backend
        return ready.executable.profile(leaves, results, ready.layout, how, repeat)

    def _prepare(self, values: Mapping[Node, Array], arrays: Sequence[Array]) -> Ready:
        lengths = [
            (x.atom, int(x.compute(*[arrays[i] for i in x.inputs]))) for x in self._p.lengths
        ]
        key = (*(a.shape for a in values.values()), *lengths)
        ready = self._ready.get(key)
        if ready is None:
            with self._lock:
                ready = self._make_ready(values, dict(lengths))
                self._ready[key] = ready
        return ready

    def _make_ready(self, values: Mapping[Node, Array], lengths: dict[Atom, int]) -> Ready:
        sizes = self._sizes(values) | lengths
        for atom, number in lengths.items():
            if number < 0:
                what = f"{self.name}: a length computed from data is negative: {atom} = {number}"
                raise ShapeError(at_line(what))
        special = self._fixed(sizes) | violations(self._p.required, sizes)
        found = self._specialised(special)
        leaves = tuple(found.argument_leaves())
        entry = self._entry(special, found, leaves, sizes)
        return Ready(found.executable, leaves, found.executable.layout(sizes), entry)

    def _entry(
        self,
        special: Mapping[Atom, DimLike],
        found: Specialisation,
        leaves: Sequence[Node],
        sizes: Mapping[Atom, int],
    ) -> Entry | None:
        """The machine code's own entry for a specialisation; calls reach the latest directly."""
        key, (_, offset) = frozenset(special.items()), _class_and_offset()
        p = self._p
        if p.observe is not None or p.lengths or offset < 0:
            return None
        if key not in self._entries:
            from symgraph.runtime import native  # imports LLVM

            made = native.recipe(p, found.executable, leaves, found.dims, sizes, offset)
            code = found.executable.code
            self._entries[key] = None if made is None else native.attach(p, made, code)
        entry = self._entries[key]
        if entry is not None:
            put_into(self, offset, entry.native.entry, entry.native.block)
        return entry

    def _fail(self, block: int, code: int, *facts: int) -> None:
        """Raises what a failure code of the entry with that block means."""
        for key, entry in self._entries.items():
            if entry is not None and entry.native.block == block:
                raise self._special[key].executable.failure(code, facts)
        raise SymgraphError(f"compiled code stopped with code {code}")

    def _fixed(self, sizes: Mapping[Atom, int]) -> dict[Atom, int]:
        """Lengths that are numbers in the code: those that have been the same in all calls.

        Code for known lengths is tiled and unrolled for them. A length that changes once is a
        symbol from then on, so that a function of k dimensions is compiled k + 1 times at most.
        """
        for atom, size in sizes.items():
            if self._seen.setdefault(atom, size) != size or size < SHORTEST_FIXED:
                self._varying.add(atom)
        return {a: n for a, n in sizes.items() if a not in self._varying and a.kind != "data"}

    def _specialised(self, special: Mapping[Atom, DimLike]) -> Specialisation:
        key = frozenset(special.items())
        if key not in self._special:
            found = self._special[key] = self._p.specialise(special)
            if config.trace:
                write_if_asked(self._subject(found))
        return self._special[key]

    def _sizes(self, values: Mapping[Node, Array]) -> dict[Atom, int]:
        """Dimension symbols from shapes; dims given as numbers or expressions are compared."""
        sizes: dict[Atom, int] = {}
        pairs = [
            (n, a, d, s)
            for n, v in values.items()
            for a, (d, s) in enumerate(zip(n.tensor.shape, v.shape, strict=True))
        ]
        for node, axis, dim, size in pairs:
            atom = single_atom(dim)
            if atom is not None and sizes.setdefault(atom, size) != size:
                raise ShapeError(self._shape_text(node, axis, dim, sizes[atom], size, values))
        for node, axis, dim, size in pairs:
            wanted = substitute(dim, sizes)
            if wanted != size and single_atom(dim) is None:
                raise ShapeError(self._shape_text(node, axis, dim, wanted, size, values))
        return sizes

    def _shape_text(
        self,
        node: Node,
        axis: int,
        dim: DimLike,
        wanted: DimLike,
        size: int,
        values: Mapping[Node, Array],
    ) -> str:
        name = node.name or node.op.name
        line = user_line()
        facts: dict[str, object] = {
            n.name or n.op.name: f"{n.type}, got {v.shape}" for n, v in values.items()
        }
        if node.lines:
            facts["declared"] = node.lines[0]
        return message(
            f"{self.name}: axis {axis} of {name} must be {dim}"
            + (f" = {wanted}" if dim != wanted else "")
            + f", got {size}",
            facts,
            str(line) if line else None,
            "dims of one name must be equal in one call",
        )

    def _results(self, ready: Ready, out: Any, arrays: Sequence[Array]) -> list[Array]:
        p = self._p
        outputs = ready.executable.outputs
        fresh: list[Array | None] = [None] * len(outputs)
        if out is not None:
            given = out if isinstance(out, list | tuple) else [out]
            if len(given) != p.n_outputs:
                raise ArgumentError(
                    at_line(f"{self.name}: out= takes {p.n_outputs} arrays, got {len(given)}")
                )
            if any(np.may_share_memory(a, b) for k, a in enumerate(given) for b in given[:k]):
                raise ArgumentError(f"{self.name}: two arrays of out= overlap")
            for k, array in enumerate(given):
                self._check_out(array, outputs[k], ready.layout.shapes[k])
                clash = any(np.may_share_memory(array, a) for a in arrays)
                fresh[k] = array if array.flags.carray and not clash else None
        made = zip(fresh, outputs, ready.layout.shapes, strict=True)
        return [np.empty(s, n.tensor.dtype) if a is None else a for a, n, s in made]

    def _check_out(self, array: Any, node: Node, shape: tuple[int, ...]) -> None:
        if not isinstance(array, np.ndarray) or not array.flags.writeable:
            raise ArgumentError(
                at_line(
                    f"{self.name}: out= takes writable NumPy arrays, got {type(array).__name__}"
                )
            )
        if array.dtype != node.tensor.dtype:
            raise DTypeError(
                at_line(
                    f"{self.name}: out= has dtype {array.dtype}, the result {node.tensor.dtype}",
                    {"result": node.tensor},
                )
            )
        if array.shape != shape:
            what = f"{self.name}: out= has shape {array.shape}, the result {shape}"
            raise ShapeError(at_line(what, {"result": node.tensor}))

    def _publish(self, values: Sequence[Array]) -> None:
        if not values:
            return
        with COMMIT:
            COMMITTING.value = 1
            try:
                for node, value in zip(self._p.updated, values, strict=True):
                    publish(node.attrs["cell"], value)
            finally:
                COMMITTING.value = 0

    def _returned(self, results: Sequence[Array], out: Any) -> Any:
        if out is not None:
            given = out if isinstance(out, list | tuple) else [out]
            for target, made in zip(given, results, strict=True):
                if target is not made:
                    target[...] = made
            return out
        return self._p.structure([r[()] if r.ndim == 0 else r for r in results])

    @property
    def backend(self) -> str:
        """The name of its code generator."""
        return self._p.backend

    @property
    def output_names(self) -> list[str]:
        """What the outputs of ``graph`` are called: results, then the new values of state."""
        results = self._p.graph.outputs[: self._p.n_outputs]
        names = [n.name or f"output {k}" for k, n in enumerate(results)]
        return names + [f"new {n.name or 'state'}" for n in self._p.updated]

    @property
    def graph(self) -> Graph:
        """The graph as built: parameters are the inputs, outputs are results, then new state."""
        return self._p.graph

    @property
    def optimized(self) -> Graph:
        """The graph after all rewriting, as it is lowered."""
        self._specialised({})
        return Graph(tuple(self._p.inputs), self._p.record.stages["final"])

    def stage(self, name: str) -> tuple[Node, ...]:
        """Outputs after a stage of the compiler: built, stable, expanded, final."""
        self._specialised({})
        stages = self._p.record.stages
        if name not in stages:
            raise ArgumentError(f"there is no stage {name!r}; stages: {', '.join(stages)}")
        found: tuple[Node, ...] = stages[name]
        return found

    @property
    def trace(self) -> Trace:
        """Every rewrite with rule, reason, before and after; stages, kernels, memory, times."""
        if self._trace is None:
            self._trace = make_trace(self._subject(self._specialised({})))
        return self._trace

    def explain(self, what: str | int | Line | None = None) -> Explanation:
        """From a line ("train.py:12") to nodes, rewrites and kernels, and back; None: the story.

        ``what`` may be a node ("%7"), a name, an operation, a rule or a kernel too.
        """
        return explain(self.trace, what)

    def _subject(self, found: Specialisation) -> Subject:
        p, ready = self._p, found.executable
        return Subject(
            self.name,
            p.graph,
            self.output_names,
            p.required,
            found.record,
            ready.lowered,
            ready.outputs,
            ready.plan,
            p.backend,
            backend(p.backend).source,
        )

    @property
    def kernels(self) -> list[KernelView]:
        """The loops that run, in order."""
        executable = self._specialised({}).executable
        return [
            KernelView(k, executable, self._p.backend) for k in executable.lowered.program.kernels
        ]

    def memory(self, **dims: int) -> int:
        """Planned bytes of temporaries, for dimensions given by name."""
        executable = self._specialised({}).executable
        atoms = {
            a
            for size in executable.plan.sizes
            for a in (size.atoms if hasattr(size, "atoms") else ())
        }
        sizes = {a: dims[a.label.strip("?")] for a in atoms if a.label.strip("?") in dims}
        missing = sorted(a.label.strip("?") for a in atoms - set(sizes))
        if missing:
            raise ArgumentError(f"{self.name}.memory needs the dimensions {', '.join(missing)}")
        return executable.plan.offsets(sizes)[1]

    def compile(self) -> Function:
        """Compile now, instead of at the first call; returns itself."""
        self._specialised({})
        return self

    def copy(self) -> Function:
        """The same function with its own arenas and specialisations; shared state stays shared."""
        return Function(self._p)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._p.rebuild

    def view(self, **options: Any) -> Any:
        """A page that steps through compiling; ``theme=``, ``height=``; ``.save("f.html")``."""
        return view(self, **options)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{q.name or '_'}: {q.variable.type}" for q in self._p.parameters)
        return f"<function {self.name}({inputs})>"


@cache
def _class_and_offset() -> tuple[type, int]:
    """The class of instances, and where they have their entry; -1 where they have none."""
    return function_type(Function) or (Function, -1)
