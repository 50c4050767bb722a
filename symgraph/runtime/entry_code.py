"""The entry of one function as LLVM text: from Python's arguments to the program and back.

    entry(function, args, nargs, names)       called by Python for ``f(x, y)`` (a vectorcall)
    strict(function, args, nargs, results, block)    the same for converted arguments; ``results``
                                              has a word that cancels, and arrays to write

Checks come in stages, and what a stage reads is safe because of the one before it: types, then
dtypes, ranks and layout, then dims. Where one fails, ``entry`` takes the Python path, which
converts, or says what is wrong. Equal dims are compared, others computed, in the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symgraph.errors import UnsupportedError
from symgraph.ir.dim import Atom, Dim, DimLike, is_nonnegative, mul, product, single_atom
from symgraph.loop import GAVE_UP, MAX_FACTS
from symgraph.lower.memory import ALIGNMENT
from symgraph.runtime.entry_support import ALIGNED, C_CONTIGUOUS, DECLARATIONS, NUMBERS, WRITEABLE
from symgraph.runtime.layout import Layout
from symgraph.runtime.signature import ARGUMENT, CONSTANT, STATE, Signature, Tensor

RUN, FUNCTIONS = 0, 16  # offsets in a function's block; entry_support has that of the arenas
_READY = C_CONTIGUOUS | ALIGNED
_ELSEWHERE = "inttoptr (i64 1 to ptr)"  # what ``body`` gives for a call that is not for it


def constants_offset(signature: Signature) -> int:
    """Where in the block the addresses of constants begin."""
    return FUNCTIONS + 8 * signature.functions


def states_offset(signature: Signature) -> int:
    """Where in the block the cells begin; the spare array of each cell follows behind them all."""
    return constants_offset(signature) + 8 * signature.constants


def text(signature: Signature, at: Layout, block: int, cell: tuple[int, int], patience: int) -> str:
    """The module. ``block``: offset of a function's block; ``cell``: of a cell's value, device.

    ``patience``: work from which calls are left to Python.
    """
    body = "\n".join(_Body(signature, at, cell, patience).lines)
    ways = _WAYS.replace("BLOCK", str(block))
    descrs = {t.dtype.char for t in (*signature.arguments, *signature.states, *signature.results)}
    names = "".join(f'@"np.{char}" = external global i8\n' for char in sorted(descrs))
    return f"{DECLARATIONS}{names}{body}\n{ways}"


_WAYS = f"""
define ptr @entry(ptr %self, ptr %args, i64 %flagged, ptr %names) {{
  %nargs = and i64 %flagged, 9223372036854775807
  %plain = icmp eq ptr %names, null
  br i1 %plain, label %try, label %slow
try:
  %pblock = getelementptr i8, ptr %self, i64 BLOCK
  %block = load ptr, ptr %pblock
  %r = call fastcc ptr @body(ptr %self, ptr %args, i64 %nargs, ptr null, ptr %block, i1 false)
  %other = icmp eq ptr %r, {_ELSEWHERE}
  br i1 %other, label %slow, label %end
end:
  ret ptr %r
slow:
  %s = call ptr @sg_slow(ptr %self, ptr %args, i64 %nargs, ptr %names)
  ret ptr %s
}}

define ptr @strict(ptr %self, ptr %args, i64 %nargs, ptr %results, ptr %block) {{
  %r = call fastcc ptr @body(ptr %self, ptr %args, i64 %nargs, ptr %results, ptr %block, i1 true)
  %other = icmp eq ptr %r, {_ELSEWHERE}
  br i1 %other, label %refuse, label %end
end:
  ret ptr %r
refuse:
  call void @Py_IncRef(ptr @_Py_NotImplementedStruct)
  ret ptr @_Py_NotImplementedStruct
}}
!0 = !{{!"branch_weights", i32 1000, i32 1}}
"""


class _Body:
    """Writes ``body``; one use."""

    def __init__(
        self, signature: Signature, at: Layout, place: tuple[int, int], patience: int
    ) -> None:
        self.patience = patience
        self.sig, self.at = signature, at
        self.value_at, self.device_at = place
        self.count = 0
        self.dims: dict[DimLike, str] = {}
        self.atoms: dict[Atom, str] = {}
        self.lines = [
            "define internal fastcc ptr @body(ptr %self, ptr %args, i64 %nargs, ptr %given,"
            " ptr %block, i1 %own) {"
        ]
        self._memory()
        arguments, states = self._types()
        self.arguments = arguments
        data = self._layouts(arguments, states)
        self._shapes(data)
        self._apart(data)
        self._patience()
        self._hold(states)
        self._results()
        self._run(data)
        self._finish(states)

    # ---------------------------------------------------------------- words

    def value(self, instruction: str) -> str:
        """An instruction with a result, and its name."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {instruction}")
        return f"%v{self.count}"

    def line(self, instruction: str) -> None:
        """An instruction without one, or a label."""
        self.lines.append(instruction if instruction.endswith(":") else f"  {instruction}")

    def at_offset(self, base: str, offset: int) -> str:
        """base + offset bytes."""
        return self.value(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    def load(self, kind: str, base: str, offset: int) -> str:
        """A field."""
        return self.value(f"load {kind}, ptr {self.at_offset(base, offset)}")

    def equal(self, kind: str, x: object, y: object) -> str:
        """x == y."""
        return self.value(f"icmp eq {kind} {x}, {y}")

    def guard(self, conditions: Sequence[str], otherwise: str) -> None:
        """Goes on if all hold."""
        if not conditions:
            return
        every = conditions[0]
        for condition in conditions[1:]:
            every = self.value(f"and i1 {every}, {condition}")
        self.count += 1
        self.line(f"br i1 {every}, label %L{self.count}, label %{otherwise}, !prof !0")
        self.line(f"L{self.count}:")

    # ---------------------------------------------------------------- stages

    def _memory(self) -> None:
        """Everything on the stack, at the start of the function."""
        sig = self.sig
        pointers = len(sig.inputs) + len(sig.results) + len(sig.places) + sig.functions
        deepest = max([len(t.dims) for t in sig.results] + [1])
        self.line(f"%buffers = alloca i64, i64 {pointers or 1}")
        self.line(f"%sizes = alloca i64, i64 {len(sig.sizes) or 1}")
        self.line(f"%facts = alloca i64, i64 {MAX_FACTS}")
        self.line(f"%shape = alloca i64, i64 {deepest}")
        self.line(f"%objects = alloca ptr, i64 {len(sig.results) or 1}")
        for k, tensor in enumerate(sig.arguments):
            if _may_be_number(tensor):
                self.line(f"%number{k} = alloca double")
        for k, tensor in enumerate(sig.outputs):
            if not tensor.dims:
                self.line(f"%scalar{k} = alloca [16 x i8], align 16")

    def _types(self) -> tuple[list[str], list[str]]:
        """Arguments and states are arrays (or numbers), and as many as they should be."""
        sig, at = self.sig, self.at
        self.guard([self.equal("i64", "%nargs", len(sig.arguments))], "elsewhere")
        arguments = [self.load("ptr", "%args", 8 * k) for k in range(len(sig.arguments))]
        checks = []
        if sig.states:
            checks.append(self.equal("i32", self.value("load i32, ptr @sg_committing"), 0))
        first = self._offset_of_states()
        self.cells = [self.load("ptr", "%block", first + 8 * k) for k in range(len(sig.states))]
        states = [self.load("ptr", cell, self.value_at) for cell in self.cells]
        devices = [self.load("ptr", cell, self.device_at) for cell in self.cells]
        checks += [self.equal("ptr", device, "@_Py_NoneStruct") for device in devices]
        arrays = [a for a, t in zip(arguments, sig.arguments, strict=True) if not _may_be_number(t)]
        for thing in (*arrays, *states):
            checks.append(self.equal("ptr", self.load("ptr", thing, at.type), '@"np.ndarray"'))
        self.guard(checks, "elsewhere")
        return arguments, states

    def _offset_of_states(self) -> int:
        return states_offset(self.sig)

    def _layouts(self, arguments: list[str], states: list[str]) -> dict[tuple[str, int], str]:
        """dtype, rank and layout are right: the addresses of the values. Numbers are read here."""
        sig = self.sig
        data: dict[tuple[str, int], str] = {}
        self.shaped: list[tuple[str, Tensor]] = []
        checks: list[str] = []
        for thing, tensor in zip(arguments, sig.arguments, strict=True):
            if not _may_be_number(tensor):
                checks += self._is_ready(thing, tensor)
                self.shaped.append((thing, tensor))
        for thing, tensor in zip(states, sig.states, strict=True):
            checks += self._is_ready(thing, tensor)
            self.shaped.append((thing, tensor))
        self.guard(checks, "elsewhere")
        for k, (thing, tensor) in enumerate(zip(arguments, sig.arguments, strict=True)):
            if _may_be_number(tensor):
                data[ARGUMENT, k] = self._number(thing, tensor, k)
            else:
                data[ARGUMENT, k] = self.load("ptr", thing, self.at.data)
        for k, thing in enumerate(states):
            data[STATE, k] = self.load("ptr", thing, self.at.data)
        return data

    def _is_ready(self, thing: str, tensor: Tensor) -> list[str]:
        at = self.at
        flags = self.value(f"and i32 {self.load('i32', thing, at.flags)}, {_READY}")
        return [
            self.equal("ptr", self.load("ptr", thing, at.descr), f'@"np.{tensor.dtype.char}"'),
            self.equal("i32", self.load("i32", thing, at.nd), len(tensor.dims)),
            self.equal("i32", flags, _READY),
        ]

    def _number(self, thing: str, tensor: Tensor, k: int) -> str:
        """A 0-d argument: an array, or a Python number."""
        is_array = self.equal("ptr", self.load("ptr", thing, self.at.type), '@"np.ndarray"')
        self.line(f"br i1 {is_array}, label %array{k}, label %plain{k}")
        self.line(f"plain{k}:")
        kind = NUMBERS[tensor.dtype.char]
        value = self.value(f"call ptr @sg_number(ptr {thing}, i32 {kind}, ptr %number{k})")
        found = self.value(f"icmp ne ptr {value}, null")
        self.line(f"br i1 {found}, label %read{k}, label %elsewhere")
        self.line(f"array{k}:")
        self.guard(self._is_ready(thing, tensor), "elsewhere")
        address = self.load("ptr", thing, self.at.data)
        self.line(f"br label %known{k}")
        self.line(f"known{k}:")
        self.line(f"br label %read{k}")
        self.line(f"read{k}:")
        return self.value(f"phi ptr [{value}, %plain{k}], [{address}, %known{k}]")

    def _shapes(self, data: dict[tuple[str, int], str]) -> None:
        """Symbols get values from whole axes; other axes must have the numbers they should."""
        checks, later = [], []
        for thing, tensor in self.shaped:
            base = self.load("ptr", thing, self.at.dims) if tensor.dims else ""
            for axis, dim in enumerate(tensor.dims):
                length = self.load("i64", base, 8 * axis)
                atom = single_atom(dim)
                if atom is not None and atom not in self.atoms:
                    self.atoms[atom] = length
                else:
                    later.append((length, dim))
        checks = [self.equal("i64", length, self.dim(dim)) for length, dim in later]
        for comparison, left, right in self.sig.checks:
            checks.append(self.value(f"icmp {comparison} i64 {self.dim(left)}, {self.dim(right)}"))
        computed = {d for t in self.sig.results for d in t.dims if isinstance(d, Dim)}
        for dim in sorted(computed, key=str):
            if not is_nonnegative(dim):
                checks.append(self.value(f"icmp sge i64 {self.dim(dim)}, 0"))
        self.guard(checks, "elsewhere")

    def _apart(self, data: dict[tuple[str, int], str]) -> None:
        """Arguments that may be destroyed can be written, and nothing else needs their memory."""
        sig, checks = self.sig, []
        tensors = {(ARGUMENT, k): t for k, t in enumerate(sig.arguments)}
        tensors |= {(STATE, k): t for k, t in enumerate(sig.states)}
        ends: dict[tuple[str, int], str] = {}
        for key, tensor in tensors.items() if sig.given else ():
            nbytes = self.dim(mul(product(tensor.dims), tensor.dtype.itemsize))
            ends[key] = self.value(f"getelementptr i8, ptr {data[key]}, i64 {nbytes}")
        for k in sig.given:
            own = ARGUMENT, k
            flags = self.load("i32", self.arguments[k], self.at.flags)
            writeable = self.value(f"and i32 {flags}, {WRITEABLE}")
            checks.append(self.equal("i32", writeable, WRITEABLE))
            for other in tensors:
                if other != own:
                    before = self.value(f"icmp ule ptr {ends[own]}, {data[other]}")
                    after = self.value(f"icmp ule ptr {ends[other]}, {data[own]}")
                    checks.append(self.value(f"or i1 {before}, {after}"))
        self.guard(checks, "elsewhere")

    def _patience(self) -> None:
        """Long calls are Python's, unless it is Python that asks."""
        elements: DimLike = 0
        for tensor in (*self.sig.arguments, *self.sig.states, *self.sig.results):
            elements = _plus(elements, product(tensor.dims))
        ratio = -(-self.sig.work // max(1, self.sig.elements))
        self.work = self.dim(mul(elements, ratio)) if isinstance(elements, Dim) else self.sig.work
        if isinstance(self.work, int):
            if self.work >= self.patience and not self.sig.tries:
                self.guard(["%own"], "elsewhere")
            return
        if self.sig.tries:
            return
        few = self.value(f"icmp slt i64 {self.work}, {self.patience}")
        self.guard([self.value(f"or i1 {few}, %own")], "elsewhere")

    def _hold(self, states: list[str]) -> None:
        """The values of states stay alive and as they are, whatever other threads publish."""
        for thing in states:
            self.line(f"call void @Py_IncRef(ptr {thing})")
        for k in range(len(self.sig.results)):
            self.line(f"store ptr null, ptr {self._object(k)}")

    def _object(self, k: int) -> str:
        return self.at_offset("%objects", 8 * k)

    def _results(self) -> None:
        """New arrays, or arguments given away; numbers get a place on the stack.

        Old values of states are used again.
        """
        self.out: list[str] = []
        n = len(self.sig.outputs)
        spare = self._offset_of_states() + 8 * len(self.sig.states)
        for k, tensor in enumerate(self.sig.results):
            if k < n and not tensor.dims:
                self.out.append(self._scalar_place(k))
                continue
            for axis, dim in enumerate(tensor.dims):
                self.line(f"store i64 {self.dim(dim)}, ptr {self.at_offset('%shape', 8 * axis)}")
            kept = self.at_offset("%block", spare + 8 * self.sig.updated[k - n]) if k >= n else ""
            made = self._array(k, tensor, kept)
            self.line(f"store ptr {made}, ptr {self._object(k)}")
            self.guard([self.value(f"icmp ne ptr {made}, null")], "undo")
            self.out.append(self.load("ptr", made, self.at.data))

    def _given(self, k: int) -> tuple[str, str]:
        """Branches to ``given{k}`` where the caller brings an array for this result."""
        self.line(f"br i1 %own, label %look{k}, label %make{k}")
        self.line(f"look{k}:")
        array = self.load("ptr", "%given", 8 * (k + 1))
        is_there = self.value(f"icmp ne ptr {array}, null")
        return array, is_there

    def _scalar_place(self, k: int) -> str:
        array, is_there = self._given(k)
        self.line(f"br i1 {is_there}, label %given{k}, label %make{k}")
        self.line(f"given{k}:")
        self.line(f"call void @Py_IncRef(ptr {array})")
        self.line(f"store ptr {array}, ptr {self._object(k)}")
        data = self.load("ptr", array, self.at.data)
        self.line(f"br label %have{k}")
        self.line(f"make{k}:")
        self.line(f"br label %have{k}")
        self.line(f"have{k}:")
        return self.value(f"phi ptr [{data}, %given{k}], [%scalar{k}, %make{k}]")

    def _array(self, k: int, tensor: Tensor, kept: str) -> str:
        nd, descr = len(tensor.dims), f'@"np.{tensor.dtype.char}"'
        new = f"call ptr @sg_new(ptr {descr}, i32 {nd}, ptr %shape)"
        if not kept:  # a state's array is kept by itself
            size = tensor.dtype.itemsize
            new = f"call ptr @sg_fresh(ptr {descr}, i32 {nd}, ptr %shape, i64 {size})"
        if kept:
            again = self.value(f"call ptr @sg_reuse(ptr {kept}, i32 {nd}, ptr %shape)")
            found = self.value(f"icmp ne ptr {again}, null")
            self.line(f"br label %from{k}")
            self.line(f"from{k}:")
            self.line(f"br i1 {found}, label %have{k}, label %make{k}")
            self.line(f"make{k}:")
            made = self.value(new)
            self.line(f"br label %have{k}")
            self.line(f"have{k}:")
            return self.value(f"phi ptr [{again}, %from{k}], [{made}, %make{k}]")
        array, is_there = self._given(k)
        self.line(f"br i1 {is_there}, label %given{k}, label %make{k}")
        self.line(f"given{k}:")
        self.line(f"call void @Py_IncRef(ptr {array})")
        self.line(f"br label %have{k}")
        self.line(f"make{k}:")
        source = dict(self.sig.taken).get(k)
        if source is None:
            made = self.value(new)
        else:
            made = self.arguments[source]
            self.line(f"call void @Py_IncRef(ptr {made})")
        self.line(f"br label %have{k}")
        self.line(f"have{k}:")
        return self.value(f"phi ptr [{array}, %given{k}], [{made}, %make{k}]")

    def _run(self, data: dict[tuple[str, int], str]) -> None:
        sig, out = self.sig, self.out
        first = constants_offset(sig)
        pointers = [
            self.load("ptr", "%block", first + 8 * number)
            if kind == CONSTANT
            else data[kind, number]
            for kind, number in sig.inputs
        ]
        pointers += [*out, *self._temporaries()]
        pointers += [self.load("ptr", "%block", FUNCTIONS + 8 * k) for k in range(sig.functions)]
        for k, pointer in enumerate(pointers):
            self.line(f"store ptr {pointer}, ptr {self.at_offset('%buffers', 8 * k)}")
        for k, atom in enumerate(sig.sizes):
            self.line(f"store i64 {self.atoms[atom]}, ptr {self.at_offset('%sizes', 8 * k)}")
        tried = self.value(f"select i1 %own, i64 0, i64 {sig.tries}")
        self.line(f"store i64 {tried}, ptr %facts")
        run = self.load("ptr", "%block", RUN)
        call = f"call i32 {run}(ptr %buffers, ptr %sizes, ptr %facts)"
        self.status = self._without_gil(call)
        if sig.slots:
            self.line(f"call void @sg_put(ptr %block, ptr {self.arena})")

    def _temporaries(self) -> Iterator[str]:
        if not self.sig.slots:
            yield from ("null" for _ in self.sig.places)
            return
        starts, end = [], "0"
        for size in self.sig.slots:
            starts.append(end)
            whole = self._rounded(self.dim(size))
            end = str(int(end) + int(whole)) if (end + whole).isdigit() else self._sum(end, whole)
        self.arena = self.value(f"call ptr @sg_take(ptr %block, i64 {end})")
        self.guard([self.value(f"icmp ne ptr {self.arena}, null")], "undo")
        for place in self.sig.places:
            yield self.value(f"getelementptr i8, ptr {self.arena}, i64 {starts[place]}")

    def _rounded(self, size: str | int) -> str:
        if isinstance(size, int):
            return str(-(-size // ALIGNMENT) * ALIGNMENT)
        return self.value(f"and i64 {self._sum(size, str(ALIGNMENT - 1))}, {-ALIGNMENT}")

    def _sum(self, x: str, y: str) -> str:
        return self.value(f"add i64 {x}, {y}")

    def _without_gil(self, call: str) -> str:
        """The call, with the GIL released if there is much to do."""
        if isinstance(self.work, int):
            if self.work < self.sig.release:
                return self.value(call)
            state = self.value("call ptr @PyEval_SaveThread()")
            status = self.value(call)
            self.line(f"call void @PyEval_RestoreThread(ptr {state})")
            return status
        much = self.value(f"icmp sge i64 {self.work}, {self.sig.release}")
        self.line("br label %gate")
        self.line("gate:")
        self.line(f"br i1 {much}, label %leave, label %run")
        self.line("leave:")
        state = self.value("call ptr @PyEval_SaveThread()")
        self.line("br label %run")
        self.line("run:")
        saved = self.value(f"phi ptr [null, %gate], [{state}, %leave]")
        status = self.value(call)
        self.line(f"br i1 {much}, label %back, label %ran")
        self.line("back:")
        self.line(f"call void @PyEval_RestoreThread(ptr {saved})")
        self.line("br label %ran")
        self.line("ran:")
        return status

    def _finish(self, states: list[str]) -> None:
        sig = self.sig
        self._unless_cancelled()
        self.guard([self.equal("i32", self.status, 0)], "failed")
        n = len(sig.outputs)
        for k, tensor in enumerate(sig.outputs):
            if not tensor.dims:
                self._box(k, tensor)
        values = [self.load("ptr", "%objects", 8 * k) for k in range(len(sig.results))]
        result = self._structure(values[:n])
        self._publish(values[n:])
        for thing in states:
            self.line(f"call void @Py_DecRef(ptr {thing})")
        self._retire()
        self.line(f"ret ptr {result}")
        self.line("failed:")
        if sig.tries:
            self.line(f"%gave_up = icmp eq i32 {self.status}, {GAVE_UP}")
            self.line("br i1 %gave_up, label %long, label %wrong")
            self.line("long:")
            for thing in states:
                self.line(f"call void @Py_DecRef(ptr {thing})")
            self.line(f"call void @sg_drop(ptr %objects, i64 {len(sig.results)})")
            self.line(f"ret ptr {_ELSEWHERE}")
            self.line("wrong:")
        self.line("%where = ptrtoint ptr %block to i64")
        self.line(f"call void @sg_fail(ptr %self, i64 %where, i32 {self.status}, ptr %facts)")
        self.line("br label %undo")
        self.line("undo:")
        for thing in states:
            self.line(f"call void @Py_DecRef(ptr {thing})")
        self.line(f"call void @sg_drop(ptr %objects, i64 {len(sig.results)})")
        self.line("ret ptr null")
        self.line("elsewhere:")
        self.line(f"ret ptr {_ELSEWHERE}")
        self.lines.append("}")

    def _unless_cancelled(self) -> None:
        """A call whose caller was interrupted gives nothing and publishes nothing."""
        self.line("br i1 %own, label %ask, label %go")
        self.line("ask:")
        self.value("load volatile i64, ptr %given")
        self.line(f"br i1 {self.equal('i64', f'%v{self.count}', 0)}, label %go, label %over")
        self.line("over:")
        self.line("call void @sg_cancelled()")
        self.line("br label %undo")
        self.line("go:")

    def _box(self, k: int, tensor: Tensor) -> None:
        """A result without axes becomes a NumPy scalar, unless the caller brought an array."""
        there = self.load("ptr", "%objects", 8 * k)
        has = self.value(f"icmp ne ptr {there}, null")
        self.line(f"br i1 {has}, label %boxed{k}, label %box{k}")
        self.line(f"box{k}:")
        descr = f'@"np.{tensor.dtype.char}"'
        made = self.value(f'call ptr @"np.Scalar"(ptr %scalar{k}, ptr {descr}, ptr null)')
        self.line(f"store ptr {made}, ptr {self._object(k)}")
        self.guard([self.value(f"icmp ne ptr {made}, null")], "undo")
        self.line(f"br label %boxed{k}")
        self.line(f"boxed{k}:")

    def _structure(self, values: list[str]) -> str:
        """One value, or a tuple or list of them; the reference to each goes with it."""
        if self.sig.structure == "one":
            return values[0]
        if self.sig.structure == "none":
            self.line("call void @Py_IncRef(ptr @_Py_NoneStruct)")
            return "@_Py_NoneStruct"
        kind = "List" if self.sig.structure == "list" else "Tuple"  # "nested": of a tuple
        made = self.value(f"call ptr @Py{kind}_New(i64 {len(values)})")
        self.guard([self.value(f"icmp ne ptr {made}, null")], "undo")
        for k, value in enumerate(values):
            self.value(f"call i32 @Py{kind}_SetItem(ptr {made}, i64 {k}, ptr {value})")
        if self.sig.structure != "nested":
            return made
        built = self.value(f"call ptr @sg_build(ptr %self, ptr {made})")
        return built

    def _publish(self, values: list[str]) -> None:
        """New values become those of the states, all before anything else can run."""
        self.old = []
        for state, value in zip(self.sig.updated, values, strict=True):
            flags = self.load("i32", value, self.at.flags)
            closed = self.value(f"and i32 {flags}, {~WRITEABLE}")
            self.line(f"store i32 {closed}, ptr {self.at_offset(value, self.at.flags)}")
            place = self.at_offset(self.cells[state], self.value_at)
            self.old.append(self.value(f"load ptr, ptr {place}"))
            self.line(f"store ptr {value}, ptr {place}")

    def _retire(self) -> None:
        first = self._offset_of_states() + 8 * len(self.sig.states)
        for state, old in zip(self.sig.updated, self.old, strict=True):
            spare = self.at_offset("%block", first + 8 * state)
            self.line(f"call void @sg_retire(ptr {spare}, ptr {old})")

    # ---------------------------------------------------------------- dims

    def dim(self, dim: DimLike) -> str | int:
        """A dimension's number: known now, or a value in the code."""
        if not isinstance(dim, Dim):
            return dim
        if dim not in self.dims:
            terms = []
            for monomial, coefficient in dim.ordered:
                term: str | int = coefficient
                for atom in monomial:
                    factor = self.atom(atom)
                    term = factor if term == 1 else self.value(f"mul i64 {term}, {factor}")
                terms.append(term)
            found = terms[0]
            for term in terms[1:]:
                found = self.value(f"add i64 {found}, {term}")
            self.dims[dim] = str(found)
        return self.dims[dim]

    def atom(self, atom: Atom) -> str:
        """A symbol's value, or that of a function of dims."""
        if atom not in self.atoms:
            args = [self.dim(a) for a in atom.args]
            self.atoms[atom] = self._function(atom.kind, args)
        return self.atoms[atom]

    def _function(self, kind: str, args: list[str | int]) -> str:
        if kind in ("min", "max") and len(args) == 2:
            return self.value(f"call i64 @llvm.s{kind}.i64(i64 {args[0]}, i64 {args[1]})")
        if kind in ("floordiv", "mod"):
            x, y = args
            zero = self.equal("i64", y, 0)
            divisor = self.value(f"select i1 {zero}, i64 1, i64 {y}")
            quotient = self.value(f"sdiv i64 {x}, {divisor}")
            rest = self.value(f"srem i64 {x}, {divisor}")
            opposite = self.value(f"icmp slt i64 {self.value(f'xor i64 {rest}, {divisor}')}, 0")
            partial = self.value(f"icmp ne i64 {rest}, 0")
            down = self.value(f"and i1 {opposite}, {partial}")
            if kind == "mod":
                up = self.value(f"add i64 {rest}, {divisor}")
                return self.value(f"select i1 {down}, i64 {up}, i64 {rest}")
            return self.value(f"sub i64 {quotient}, {self.value(f'zext i1 {down} to i64')}")
        raise UnsupportedError(f"a dimension {kind}(...) is not computed in code")


def _plus(x: DimLike, y: DimLike) -> DimLike:
    from symgraph.ir.dim import add

    return add(x, y)


def _may_be_number(tensor: Tensor) -> bool:
    """May a Python number be passed for it?"""
    return not tensor.dims and tensor.dtype.char in NUMBERS
