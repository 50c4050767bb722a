"""A Program as one LLVM module: ``run(buffers, sizes, facts)`` beside a function for each kernel.

``run`` gets the addresses of all buffers (inputs, outputs, temporaries, then the library's
functions), the sizes, and four int64 places for the facts of a failure; it returns 0 or the code
of the failure. It allocates nothing. Where the first of the four places holds a number, loops of
unknown length give up after so many turns (``GAVE_UP``): the caller tries what may be short.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from symgraph.codegen.externals import CALL_COUNT, FAILURES, PARALLEL
from symgraph.codegen.library import LIBRARY
from symgraph.codegen.llvm_expression import ONE, Expressions, Memory, memory_type
from symgraph.codegen.llvm_library import CALLS, CallText
from symgraph.codegen.llvm_pieces import PLAIN
from symgraph.codegen.llvm_share import Shared, shared_functions
from symgraph.codegen.llvm_sort import SortText, sorts
from symgraph.codegen.llvm_statement import reals, strides, write_facts
from symgraph.codegen.llvm_text import INDEX, POINTER, Builder, Module, Value, constant
from symgraph.loop import GAVE_UP, NO_RESCUE
from symgraph.loop.build import sub
from symgraph.loop.ir import (
    Bind,
    Branch,
    Buffer,
    Call,
    Check,
    Const,
    Copy,
    Expr,
    Kernel,
    Library,
    Load,
    Loop,
    Program,
    Repeat,
    Step,
    View,
)
from symgraph.loop.traverse import postorder, steps_of
from symgraph.records import dataclass

ENTRY = "run"
MOST_OPTIMIZED = 50  # steps
MOST_PASSED = 200  # buffers, by all calls
MOST_INLINED = 16  # steps of a program whose short kernels are one function
MOST_STACKED = 1 << 14  # bytes of temporaries on the stack
LINE = 64  # bytes, at whose multiples they begin
ARGUMENTS = ("%buffers", "%sizes", "%facts")


@dataclass(frozen=True, slots=True)
class ProgramText:
    """LLVM assembly of a program.

    ``needs`` are the library functions it is given pointers to, ``names`` says for each kernel
    which one's function it shares, ``gives_up`` whether its loops of unknown length can,
    ``stacked`` whether it has its temporaries on the stack, and the caller brings none.
    """

    module: Module
    needs: tuple[str, ...]
    names: Mapping[str, str]
    gives_up: bool
    stacked: bool

    @property
    def assembly(self) -> str:
        """All of it in one text."""
        return self.module.text()


def program_text(program: Program, marked: bool = False) -> ProgramText:
    """The module of a program with the entry ``run``; ``marked``: see ``llvm_debug.py``."""
    return _ProgramWriter(program, marked=marked).write()


def can_give_up(program: Program) -> bool:
    """Are there loops of unknown length, all of them on the caller's thread?"""
    inner = [t for s in steps_of(program.steps) if isinstance(s, Repeat) for t in steps_of((s,))]
    if any(isinstance(s, Loop) for s in inner):
        return False
    return any(isinstance(s, Loop) for s in steps_of(program.steps))


def _elements(spec: Buffer) -> int | None:
    """How many numbers a buffer has, if that is known."""
    lengths = [int(d.value.real) for d in spec.shape if isinstance(d, Const)]
    return math.prod(lengths) if len(lengths) == len(spec.shape) else None


def _is_little(temporaries: Sequence[Buffer]) -> bool:
    """Have they a place on the stack?"""
    sizes = [(_elements(t), t.dtype.itemsize) for t in temporaries]
    total = sum(n * width + LINE for n, width in sizes if n is not None)
    return all(n is not None for n, _ in sizes) and total <= MOST_STACKED


class _ProgramWriter:
    def __init__(
        self, program: Program, outer: _ProgramWriter | None = None, marked: bool = False
    ) -> None:
        self.program = program
        self.module: Module = outer.module if outer else Module(marked)
        self.b = Builder(self.module)
        self.e = Expressions(self.b)
        self.entry: list[str] = []
        self.specs: dict[str, Buffer] = {}
        self.kernels = {kernel.name: kernel for kernel in program.kernels}
        # by the kernel's name
        self.functions: dict[str, Shared] = outer.functions if outer else {}
        self.needs: list[str] = outer.needs if outer else []
        self.depth = 0  # of loops and branches around a step
        self.plain = False
        self.places: dict[str, int] = {}  # of addresses that are read where they are used
        # turns on other threads find temporaries where the caller put them
        self.shares = any(
            isinstance(s, Repeat) and s.kind == "parallel" for s in steps_of(program.steps)
        )
        self.stacked = False
        self.is_little = False  # so that short kernels are parts of it
        self.tries: Value | None = None  # the place of how many turns are left to try

    def write(self) -> ProgramText:
        called = {s.kernel for s in steps_of(self.program.steps) if isinstance(s, Call)}
        kernels = [kernel for kernel in self.program.kernels if kernel.name in called]
        self.functions |= shared_functions(kernels, self.module)
        self._begin(self.program.steps)
        if can_give_up(self.program):
            self.tries = self.b.fresh(POINTER)
            self.entry.append(f"  {self.tries.text} = alloca i64")
            given = self.b.load(INDEX, Value(POINTER, "%facts"))
            self.b.line(f"store {given}, {self.tries}")
        if any(kernel.functions for kernel in kernels):
            self.module.define(CALL_COUNT, f"@{CALL_COUNT} = global i64 0, align 8")
            self._count_call()
            self.module.define(FAILURES, f"@{FAILURES} = external global i64")
            self.b.line(f"%failures = load atomic i64, ptr @{FAILURES} acquire, align 8")
        self._steps(self.program.steps)
        self._end(any(kernel.functions for kernel in kernels))
        head = f"define i32 @{ENTRY}(ptr noalias %buffers, ptr noalias %sizes, ptr noalias %facts)"
        lines = [head + self._note(), "entry:", *self.entry, *self.b.lines, "}"]
        self.module.steps.append("\n".join(lines))
        names = {kernel: shared.function.kernel.name for kernel, shared in self.functions.items()}
        gives_up = self.tries is not None
        return ProgramText(self.module, tuple(self.needs), names, gives_up, self.stacked)

    def _end(self, rescued: bool) -> None:
        """Status 0, or that slow lanes could not be computed in this call."""
        if not rescued:
            self.b.line("ret i32 0")
            return
        self.b.line(f"%since = load atomic i64, ptr @{FAILURES} acquire, align 8")
        self.b.line("%all_well = icmp eq i64 %failures, %since")
        self.b.line(f"%status = select i1 %all_well, i32 0, i32 {NO_RESCUE}")
        self.b.line("ret i32 %status")

    def _count_call(self) -> None:
        """One call more. Not in one step, which would wait for all stores before: 7 ns of 90.

        Calls that meet within a nanosecond, without the GIL, are counted as one.
        """
        self.b.line(f"%called = load atomic i64, ptr @{CALL_COUNT} monotonic, align 8")
        self.b.line("%counted = add i64 %called, 1")
        self.b.line(f"store atomic i64 %counted, ptr @{CALL_COUNT} monotonic, align 8")

    def write_body(self, step: Repeat, name: str) -> None:
        """The turns of a parallel loop as a function of (context, turn) for the thread pool.

        The context is the arguments of ``run``.
        """
        for k, argument in enumerate(ARGUMENTS):
            place = self.b.element(INDEX, Value(POINTER, "%context"), constant(INDEX, k))
            self.b.line(f"{argument} = load ptr, {place}")
        self.depth = 1
        self._begin(step.steps)
        self.e.values[step.var] = Value(INDEX, "%turn")
        self._steps(step.steps)
        head = f"define internal void {name}(ptr %context, i64 %turn)"
        lines = [head + self._note(), "entry:", *self.entry, *self.b.lines, "ret void", "}"]
        self.module.steps.append("\n".join(lines))

    def _note(self) -> str:
        return f" {PLAIN} nounwind {{" if self.plain else " nounwind {"

    def _begin(self, steps: Sequence[Step]) -> None:
        program, b = self.program, self.b
        self.plain = self._is_plain(steps)
        # few temporaries are on the stack: no call takes an arena then
        self.stacked = not (self.shares or self.plain) and _is_little(program.temporaries)
        self.is_little = self.stacked and len(list(steps_of(program.steps))) <= MOST_INLINED
        pointers, sizes = Value(POINTER, "%buffers"), Value(POINTER, "%sizes")
        for k, size in enumerate(program.sizes):
            place = b.element(INDEX, sizes, constant(INDEX, k))
            self.e.values[size] = b.load(INDEX, place)
        specs = program.inputs + program.outputs + program.temporaries
        for k, spec in enumerate(specs):
            own = k >= len(program.inputs + program.outputs)
            if own and (self.stacked or not (spec.shape or self.shares)):
                self._declare(spec, self._stacked(spec))
                continue
            if self.plain:
                self.specs[spec.name], self.places[spec.name] = spec, k
                continue
            place = b.element(INDEX, pointers, constant(INDEX, k))
            self._declare(spec, b.load(POINTER, place))
        self.count = len(specs)

    def _is_plain(self, steps: Sequence[Step], inside: bool = False) -> bool:
        """Are there many steps, calls nearly all, each of which does a loop's work?

        They are left as they are, and addresses are read where they are used, since LLVM's time
        grows with the square of what it must keep. ``inside``: of a loop in this function.
        """
        spreads = self.depth == 0 and not inside
        loops = [s for s in steps if isinstance(s, Repeat)]
        inner = [s for s in loops if not (spreads and s.kind == "parallel")]
        passed = sum(len(s.buffers) for s in steps if isinstance(s, Call | Library))
        if len(steps) <= MOST_OPTIMIZED and passed <= MOST_PASSED and not inner:
            return False
        called = [self.functions[s.kernel].function for s in steps if isinstance(s, Call)]
        if inside and any(function.is_small for function in called):
            return False
        kinds = Call | Library | Copy | View | Repeat
        simple = all(isinstance(s, kinds) for s in steps)
        return simple and all(self._is_plain(s.steps, True) for s in inner)

    def _stacked(self, spec: Buffer) -> Value:
        """A temporary on the stack; a 0-d one LLVM may keep in a register: state of a scan, say."""
        place, kind = self.b.fresh(POINTER), memory_type(spec.dtype)
        array = f"[{_elements(spec)} x {kind}], align {LINE}" if spec.shape else f"{kind}, align 16"
        self.entry.append(f"  {place.text} = alloca {array}")
        return place

    def _declare(self, spec: Buffer, address: Value) -> None:
        self.specs[spec.name] = spec
        self.e.memory[spec.name] = Memory(address, spec.dtype, ())

    def _address(self, name: str) -> Value:
        if name not in self.places:
            return self.e.memory[name].address
        k = constant(INDEX, self.places[name])
        return self.b.load(POINTER, self.b.element(INDEX, Value(POINTER, "%buffers"), k))

    def _first(self, name: str) -> Value:
        """The value of a 0-d buffer."""
        found = self.e.load(self.specs[name].dtype, self._address(name))
        assert isinstance(found, Value)
        return found

    def _values(self, exprs: Sequence[Expr]) -> tuple[Value, ...]:
        for node in postorder(*exprs):
            if isinstance(node, Load) and node.buffer in self.places:
                self._declare(self.specs[node.buffer], self._address(node.buffer))
            if isinstance(node, Load):  # distances are computed where they are needed
                memory = self.e.memory[node.buffer]
                steps = strides(self.e, self.specs[node.buffer].shape)
                self.e.memory[node.buffer] = replace(memory, strides=steps)
        return reals(self.e.write(*exprs))

    # ------------------------------------------------------------ steps

    def _inside(self, steps: tuple[Step, ...]) -> None:
        self.depth += 1
        self._steps(steps)
        self.depth -= 1

    def _steps(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self._step(step)

    def _step(self, step: Step) -> None:
        b, e = self.b, self.e
        match step:
            case Call(kernel, buffers, sizes):
                self._call(self.kernels[kernel], buffers, sizes)
            case Library():
                self._library(step)
            case View():
                self._view(step)
            case Bind(name, buffer):
                e.values[name] = self._first(buffer)
            case Check(cond, code, args):
                passed, failed = b.append_basic_block("passed"), b.append_basic_block("failed")
                b.cbranch(self._values([cond])[0], passed, failed)
                b.position_at_end(failed)
                write_facts(b, self._values(args))
                b.line(f"ret i32 {code}")
                b.position_at_end(passed)
            case Repeat(kind=kind) if kind == "parallel" and self.depth == 0:
                self._parallel(step)
            case Repeat():
                self._repeat(step)
            case Loop():
                self._loop(step)
            case Branch():
                self._branch(step)
            case Copy(target, source):
                self._copy(target, source)

    def _call(self, kernel: Kernel, buffers: tuple[str, ...], sizes: tuple[Expr, ...]) -> None:
        if kernel.name not in self.functions:
            self.functions |= shared_functions((kernel,), self.module)
        b, shared = self.b, self.functions[kernel.name]
        function = shared.function
        args = [*(self._address(name) for name in buffers), *self._values(sizes)]
        args += [Value(POINTER, "%facts")] if function.fails else []
        args += [self._external(PARALLEL)] if function.threads else []
        args += shared.numbers
        inlined = function.is_small if self.depth else self.is_little and function.is_short
        note = " alwaysinline" if inlined and not self.plain else " noinline"
        if not function.fails:
            b.line(f"call void {function.name}({', '.join(map(str, args))}){note}")
            return
        code = b.call(function.name, "i32", args, note)
        failed, passed = b.append_basic_block("failed"), b.append_basic_block("passed")
        b.cbranch(b.icmp_signed("!=", code, constant("i32", 0)), failed, passed)
        b.position_at_end(failed)
        b.line(f"ret {code}")
        b.position_at_end(passed)

    def _library(self, step: Library) -> None:
        row = LIBRARY[step.name]
        dtype, attrs = self.specs[step.buffers[0]].dtype, dict(step.attrs)
        if sorts(step, dtype):
            call = partial(self._call, sizes=step.sizes)
            text = SortText(self.b, self._address, self._external, call, self.entry)
            text.write(step, dtype, *self._values(step.sizes))
            return
        kernel = row.kernel(dtype, attrs)
        if kernel is not None:
            self._call(kernel, step.buffers, step.sizes)
            return
        buffers = tuple(self._address(name) for name in step.buffers)
        sizes = self._values(step.sizes)
        CALLS[step.name](CallText(self.b, self._external, dtype, buffers, sizes, attrs, self.entry))

    def _external(self, symbol: str) -> Value:
        """The address of a library function, which the caller passes after the buffers."""
        if symbol not in self.needs:
            self.needs.append(symbol)
        k = constant(INDEX, self.count + self.needs.index(symbol))
        place = self.b.element(INDEX, Value(POINTER, "%buffers"), k)
        return self.b.load(POINTER, place)

    def _view(self, step: View) -> None:
        b, base = self.b, self.specs[step.base]
        index = step.index if step.start is None else (*step.index, step.start)
        at = self._values(index)
        steps = strides(self.e, base.shape)
        offset = constant(INDEX, 0)
        for i, distance in zip(at, steps, strict=False):
            offset = b.add(offset, b.mul(i, distance))
        rest = base.shape[len(step.index) :]
        if step.start is not None:
            rest = (sub(rest[0], step.start), *rest[1:])
        address = b.element(memory_type(base.dtype), self._address(step.base), offset)
        self._declare(Buffer(step.name, base.dtype, rest), address)

    def _copy(self, target: str, source: str) -> None:
        b, spec = self.b, self.specs[target]
        nbytes = constant(INDEX, spec.dtype.itemsize)
        for dim in self._values(spec.shape):
            nbytes = b.mul(nbytes, dim)
        name = "@llvm.memmove.p0.p0.i64"
        self.module.declare(name, "void", ["ptr", "ptr", "i64", "i1"])
        to, start = self._address(target), self._address(source)
        b.line(f"call void {name}({to}, {start}, {nbytes}, i1 false)")

    def _parallel(self, step: Repeat) -> None:
        """Turns on the threads of the pool; inside of another loop they run in order."""
        b, (extent,) = self.b, self._values([step.extent])
        name = f"@turns{len(self.module.steps)}"
        _ProgramWriter(self.program, self).write_body(step, name)
        context = b.fresh(POINTER)
        self.entry.append(f"  {context.text} = alloca [{len(ARGUMENTS)} x ptr]")
        for k, argument in enumerate(ARGUMENTS):
            place = b.element(INDEX, context, constant(INDEX, k))
            b.line(f"store ptr {argument}, {place}")
        pool = self._external(PARALLEL)
        b.line(f"call void {pool.text}(ptr {name}, {context}, {extent})")

    def _repeat(self, step: Repeat) -> None:
        b, (extent,) = self.b, self._values([step.extent])
        turn, done = b.append_basic_block("turn"), b.append_basic_block("done")
        before = b.block
        b.cbranch(b.icmp_signed(">", extent, constant(INDEX, 0)), turn, done)
        b.position_at_end(turn)
        index = b.phi(INDEX)
        index.add_incoming(constant(INDEX, 0), before)
        self.e.values[step.var] = index.value
        self._inside(step.steps)
        following = b.add(index.value, ONE, ("nuw", "nsw"))
        index.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("==", following, extent), done, turn)
        b.position_at_end(done)

    def _loop(self, step: Loop) -> None:
        b = self.b
        test, body, done = (b.append_basic_block(n) for n in ("test", "body", "done"))
        b.branch(test)
        b.position_at_end(test)
        b.cbranch(self._first(step.cond), body, done)
        b.position_at_end(body)
        self._inside(step.steps)
        if self.tries is not None:
            left = b.sub(b.load(INDEX, self.tries), ONE)
            b.line(f"store {left}, {self.tries}")
            gave_up, more = b.append_basic_block("gave_up"), b.append_basic_block("more")
            b.cbranch(b.icmp_signed("==", left, constant(INDEX, 0)), gave_up, more)
            b.position_at_end(gave_up)
            b.line(f"ret i32 {GAVE_UP}")
            b.position_at_end(more)
        b.branch(test)
        b.position_at_end(done)

    def _branch(self, step: Branch) -> None:
        b = self.b
        then, orelse, done = (b.append_basic_block(n) for n in ("then", "else", "done"))
        b.cbranch(self._first(step.cond), then, orelse)
        for label, steps in ((then, step.then), (orelse, step.orelse)):
            b.position_at_end(label)
            self._inside(steps)
            b.branch(done)
        b.position_at_end(done)
