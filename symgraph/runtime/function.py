"""``Function``: what ``sg.function`` returns. It checks, picks a specialisation, runs, publishes.

All updates are computed from the old values and published together after the program has ended
without an error; a call that fails changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgraph.codegen.backend import backend
from symgraph.config import config
from symgraph.display import mimebundle, view
from symgraph.errors import ArgumentError, DTypeError, ShapeError, SymgraphError, message
from symgraph.garbage import none_looked_for
from symgraph.ir.dim import Atom, DimLike, single_atom, substitute
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.origin import Line, at_line, user_line
from symgraph.ir.resolve import violations
from symgraph.runtime import native, warm
from symgraph.runtime.arguments import Array, apart, bind_arguments, convert
from symgraph.runtime.plumbing import Plumbing, Ready, Specialisation, Written
from symgraph.runtime.shared import COMMIT, COMMITTING, publish, read_states
from symgraph.runtime.vectorcall import function_type, put_into

if TYPE_CHECKING:
    from symgraph.accuracy.report import Accuracy
    from symgraph.runtime.kernel_view import KernelView
    from symgraph.runtime.native import Entry
    from symgraph.runtime.profile import Profile
    from symgraph.trace.explain import Explanation
    from symgraph.trace.make import Subject
    from symgraph.trace.trace import Trace

SHORTEST_FIXED = 2  # lengths 0 and 1 stay symbols: code for them would be code for nothing else


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
        self._entries: dict[frozenset[tuple[Atom, DimLike]], Ready] = {}
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
        if p.given:
            apart(self.name, p.parameters, arrays, [values[n] for n in p.shared])
            for k in p.given:
                if not arrays[k].flags.writeable:
                    arrays[k] = arrays[k].copy()
            values |= zip(p.inputs, arrays, strict=True)
        ready = self._prepare(values, arrays)
        if ready.entry is not None and out is None:
            made = ready.entry.call(self, arrays, None)
            if made is not NotImplemented:
                return made
        written = self._written(ready)
        results: list[Any] = [*self._results(written, out, arrays, in_place=True)]
        if ready.entry is not None and out is not None:
            made = ready.entry.call(self, arrays, results[: p.n_outputs])
            if made is not NotImplemented:
                return self._returned(results[: p.n_outputs], out)
        leaves = [values[n] if n in values else n.attrs["value"] for n in written.leaves]
        if p.observe is not None:
            p.observe(self, values)
        if on_device:
            results[p.n_outputs :] = written.executable.run_on_device(
                leaves, results[: p.n_outputs], written.layout
            )
        else:
            written.executable.run(leaves, results, written.layout)
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
        ready = self._written(self._prepare(values, arrays))
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
        special = self._fixed(sizes) | violations(self._p.outline.known, sizes)
        key = frozenset(special.items())
        ready = self._entries.get(key)
        if ready is None:
            ready = self._entries[key] = Ready(special, sizes, None, None)
            ready.entry = self._entry(ready)
        if ready.entry is None:
            return Ready(special, sizes, None, None)
        put_into(self, _class_and_offset()[1], ready.entry.native.entry, ready.entry.native.block)
        return Ready(special, sizes, ready.entry, None)

    def _entry(self, ready: Ready) -> Entry | None:
        """The machine code's own entry for a specialisation: from disk, or made now."""
        p, (_, offset) = self._p, _class_and_offset()
        if p.observe is not None or p.lengths or offset < 0 or p.backend in ("interp", "cuda"):
            return None
        name = warm.name(p.outline.name(ready.special), offset)
        found = warm.read(name, p.outline.constants) if name and not config.trace else None
        if found is not None:
            return native.attach(p, *found)
        with none_looked_for():
            return self._written_entry(ready, name, offset)

    def _written_entry(self, ready: Ready, name: str | None, offset: int) -> Entry | None:
        p, written = self._p, self._written(ready)
        dims = self._specialised(self._complete(ready)).dims
        from symgraph.runtime.recipes import recipe  # the loop IR, which a warm start does not need

        made = recipe(p, written.executable, written.leaves, dims, ready.sizes, offset)
        if made is None:
            return None
        if name:
            warm.write(name, made, written.executable.code, p.outline.constants())
        return native.attach(p, made, written.executable.code)

    def _complete(self, ready: Ready) -> dict[Atom, DimLike]:
        """Special dims, with those that gradients ask for."""
        return dict(ready.special) | violations(self._p.required, ready.sizes)

    def _written(self, ready: Ready) -> Written:
        """The specialisation as Python runs it; compiled now where the code came from disk."""
        if ready.written is None:
            found = self._specialised(self._complete(ready))
            layout = found.executable.layout(ready.sizes)
            leaves = tuple(found.argument_leaves())
            guarded = found.record.stages.get("guarded", ())
            ready.written = Written(found.executable, leaves, layout, guarded, ready.sizes)
        return ready.written

    def _fail(self, block: int, code: int, *facts: int) -> None:
        """Raises what a failure code of the entry with that block means."""
        for ready in self._entries.values():
            if ready.entry is not None and ready.entry.native.block == block:
                raise self._written(ready).executable.failure(code, facts)
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
            found = self._special[key] = self._p.outline.specialise(special)
            if config.trace:
                from symgraph.trace.make import write_if_asked

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

    def _results(
        self, ready: Written, out: Any, arrays: Sequence[Array], *, in_place: bool = False
    ) -> list[Array]:
        """Arrays to write; ``in_place``: what takes an argument's memory is the argument."""
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
        for k, i in ready.executable.taken:
            argument = arrays[p.inputs.index(ready.leaves[i])]
            target = fresh[k]
            if target is None:
                fresh[k] = argument if in_place else argument.copy()
            else:
                np.copyto(target, argument)
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
        results = self._p.outline.graph.outputs[: self._p.n_outputs]
        names = [n.name or f"output {k}" for k, n in enumerate(results)]
        return names + [f"new {n.name or 'state'}" for n in self._p.updated]

    @property
    def graph(self) -> Graph:
        """The graph as built: parameters are the inputs, outputs are results, then new state."""
        return self._p.outline.graph

    @property
    def optimized(self) -> Graph:
        """The graph after all rewriting, as it is lowered."""
        self._specialised({})
        return Graph(tuple(self._p.inputs), self._p.outline.record.stages["final"])

    def stage(self, name: str) -> tuple[Node, ...]:
        """Outputs after a stage of the compiler: built, stable, expanded, final."""
        self._specialised({})
        stages = self._p.outline.record.stages
        if name not in stages:
            raise ArgumentError(f"there is no stage {name!r}; stages: {', '.join(stages)}")
        found: tuple[Node, ...] = stages[name]
        return found

    @property
    def trace(self) -> Trace:
        """Every rewrite with rule, reason, before and after; stages, kernels, memory, times."""
        if self._trace is None:
            from symgraph.trace.make import make_trace

            self._trace = make_trace(self._subject(self._specialised({})))
        return self._trace

    def accuracy(self, *args: Any, seed: int = 0, **kwargs: Any) -> Accuracy:
        """Bits of error of each output, as written and as compiled; on made up inputs if none.

        Print it: it names the line that loses the most, the rules and guards that mend it, and how
        many lanes were computed slowly. State is not changed. A measurement takes a second or so.
        """
        from symgraph.accuracy.report import Case, made_up, measure

        p = self._p
        synthetic = not args and not kwargs
        given = made_up(p.inputs, seed=seed) if synthetic else args
        values, arrays = self._values(tuple(given), kwargs, on_device=False)
        ready = self._written(self._prepare(values, arrays))
        results = [*self._results(ready, None, arrays)]
        leaves = [values[n] if n in values else n.attrs["value"] for n in ready.leaves]
        before, _ = self.lanes
        ready.executable.run(leaves, results, ready.layout)
        after, possible = self.lanes
        record = self._specialised({}).record
        return measure(
            Case(
                self.name,
                self.output_names,
                self.graph.outputs[: p.n_outputs],
                record.stages["final"][: p.n_outputs],
                values,
                results[: p.n_outputs],
                record.journals,
                after,
                (after - before) / max(1, self._lanes(ready)),
                after / possible if possible else None,
                synthetic,
            )
        )

    def _lanes(self, written: Written) -> int:
        """Lanes of one call that could be computed slowly."""
        from symgraph.accuracy.lanes import lanes

        return lanes(written.guarded, written.sizes)

    @property
    def lanes(self) -> tuple[int, int]:
        """Lanes computed slowly in all calls so far, and those that could have been.

        Functions of one graph share their code and count together from when each is first called.
        Calls with lengths that the code does not know count as long as the last ones. 0 possible
        where the backend counts no calls.
        """
        slow = possible = 0
        for ready in self._entries.values():
            written = self._written(ready)
            codes: list[Any] = [written.executable.code]  # each backend loads its own
            if ready.entry is not None:
                codes.append(ready.entry.code)
            for code in {id(c): c for c in codes if hasattr(c, "counts")}.values():
                possible += (code.calls() or 0) * self._lanes(written)
                slow += sum(code.counts().values())
        return slow, possible

    def explain(self, what: str | int | Line | None = None) -> Explanation:
        """From a line ("train.py:12") to nodes, rewrites and kernels, and back; None: the story.

        ``what`` may be a node ("%7"), a name, an operation, a rule or a kernel too.
        """
        from symgraph.trace.explain import explain

        return explain(self.trace, what)

    def trace_of(self, *args: Any, **kwargs: Any) -> Trace:
        """The trace of the code that runs for these arguments, in which lengths may be numbers."""
        from symgraph.trace.make import make_trace

        values, arrays = self._values(args, kwargs, on_device=False)
        special = self._prepare(values, arrays).special
        return make_trace(self._subject(self._specialised(special)))

    def _subject(self, found: Specialisation) -> Subject:
        from symgraph.runtime.kernel_view import machine_code
        from symgraph.trace.make import Subject

        p, ready = self._p, found.executable
        return Subject(
            self.name,
            p.outline.graph,
            self.output_names,
            p.required,
            found.record,
            ready.lowered,
            ready.outputs,
            ready.plan,
            p.backend,
            backend(p.backend).source,
            partial(machine_code, ready.lowered.program),
        )

    @property
    def kernels(self) -> list[KernelView]:
        """The loops that run, in order."""
        from symgraph.runtime.kernel_view import KernelView

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

    def view(self, *args: Any, **options: Any) -> Any:
        """A page that steps through compiling; ``theme=``, ``height=``; ``.save("f.html")``.

        With arguments, a call with them is profiled, and nodes and lines are coloured by time.
        """
        return view(self, *args, **options)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{q.name or '_'}: {q.variable.type}" for q in self._p.parameters)
        return f"<function {self.name}({inputs})>"


@cache
def _class_and_offset() -> tuple[type, int]:
    """The class of instances, and where they have their entry; -1 where they have none."""
    return function_type(Function) or (Function, -1)


_class_and_offset()  # once for a process, of which none builds graphs for anything but functions
