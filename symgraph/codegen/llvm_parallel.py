"""Parallel loops for several threads: the body as a function of its own, run by the thread pool.

An outermost loop of kind "parallel" becomes ``part(captured..., first, end)``, which runs some of
its turns, and ``body(context, chunk)``, which unpacks what was captured and runs one chunk. The
kernel calls ``part`` for all turns where the work is small, and else hands ``body`` to the pool.
Turns are independent and chunks depend on sizes alone: the bits are the same for any number of
threads.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.codegen.llvm_expression import Memory
from symgraph.codegen.llvm_statement import Statements, strides
from symgraph.codegen.llvm_stream import write_fence
from symgraph.codegen.llvm_text import INDEX, POINTER, Builder, Operand, Pair, Value, constant
from symgraph.loop.build import add, const, mul
from symgraph.loop.ir import (
    Assign,
    Const,
    Expr,
    Fail,
    For,
    Kernel,
    Let,
    Load,
    Store,
    Update,
    Var,
    Word,
)
from symgraph.loop.traverse import expressions, postorder, statements
from symgraph_kernels.table import ROWS

# In cheap operations of vector code, about 0.1 ns each: waking the other threads takes 1 to 10 us.
LEAST_WORK = 1 << 18
CHUNK_WORK = 1 << 15
MOST_CHUNKS = 64
USUAL_TURNS = 256  # of a loop whose extent is not known before the outermost one
_FUNCTION_WORK, _DIVISION_WORK = 10, 4
_SLOW = frozenset(["div", "sqrt", "floordiv", "mod", "reciprocal"])


class Spreader:
    """Spreads the outermost parallel loops of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.shapes = {spec.name: spec.shape for spec in kernel.buffers}
        self.count = 0  # of the loops that were spread
        self.texts: list[str] = []  # of the functions for them

    def spread(self, writer: Statements, loop: For) -> bool:
        """Writes the loop for several threads; False where it should be written as it is."""
        if not self._is_independent(writer, loop):
            return False
        total = work(loop, frozenset(writer.e.values))
        if isinstance(total, Const) and total.value.real < LEAST_WORK:
            return False
        self.count += 1
        _Spread(self, writer, loop, f"{self.kernel.name}.{self.count}").write(total)
        return True

    def _is_independent(self, writer: Statements, loop: For) -> bool:
        inner = list(statements(loop.body))
        own = {s.name for s in inner if isinstance(s, Let)}
        return not any(
            isinstance(s, Fail) or (isinstance(s, Assign) and s.name not in own) for s in inner
        )


def work(loop: For, known: frozenset[str]) -> Expr:
    """Cheap operations of a loop, as an expression over names that are known before it."""
    inner: Expr = const(0)
    for s in loop.body:
        if isinstance(s, For):
            inner = _sum(inner, work(s, known))
        else:
            inside = [x for t in statements((s,)) for x in expressions(t)]
            inner = _sum(inner, const(_operations(inside)))
    return _product(_turns(loop.extent, known), inner)


def _turns(extent: Expr, known: frozenset[str]) -> Expr:
    """The extent, or the part of a minimum that is known, or a guess."""
    if isinstance(extent, Word) and extent.name == "minimum":
        found = [x for x in extent.args if _is_known(x, known)]
        return found[0] if found else const(USUAL_TURNS)
    return extent if _is_known(extent, known) else const(USUAL_TURNS)


def _is_known(x: Expr, known: frozenset[str]) -> bool:
    nodes = postorder(x)
    return all(
        not isinstance(n, Load) and (not isinstance(n, Var) or n.name in known) for n in nodes
    )


def _operations(roots: Iterable[Expr]) -> int:
    total = 0
    for node in postorder(*roots):
        if isinstance(node, Word):
            total += (
                _FUNCTION_WORK if node.name in ROWS else _DIVISION_WORK if node.name in _SLOW else 1
            )
        elif isinstance(node, Load):
            total += 2
    return total + 1


def _sum(x: Expr, y: Expr) -> Expr:
    if isinstance(x, Const) and isinstance(y, Const):
        return const(int(x.value.real) + int(y.value.real))
    return add(x, y)


def _product(x: Expr, y: Expr) -> Expr:
    if isinstance(x, Const) and isinstance(y, Const):
        return const(max(0, int(x.value.real)) * int(y.value.real))
    return mul(x, y)


def _names(loop: For) -> set[str]:
    """Variables and buffers that stand in a loop."""
    found: set[str] = set()
    for s in statements((loop,)):
        if isinstance(s, Store | Update):
            found.add(s.buffer)
        for node in postorder(*expressions(s)):
            if isinstance(node, Var):
                found.add(node.name)
            elif isinstance(node, Load):
                found.add(node.buffer)
    return found


class _Spread:
    """One loop while it is written for several threads."""

    def __init__(self, owner: Spreader, writer: Statements, loop: For, name: str) -> None:
        self.owner, self.writer, self.loop, self.name = owner, writer, loop, name
        names = _names(loop) | set(owner.kernel.sizes)
        e = writer.e
        self.values = {n: e.read(n) for n in sorted(names & e.values.keys())}
        self.memory = {n: e.memory[n] for n in sorted(names & e.memory.keys())}
        self.captured = [m.address for m in self.memory.values()]
        for value in self.values.values():
            self.captured += [value] if isinstance(value, Value) else [*value]

    def write(self, total: Expr) -> None:
        """The functions, and their use in the kernel."""
        b, e = self.writer.b, self.writer.e
        extent = e.one(self.loop.extent)
        self._write_part()
        self._write_body()
        if isinstance(total, Const):
            self._hand_over(extent, constant(INDEX, int(total.value.real)))
            return
        cost = e.one(total)
        many, few, done = (b.append_basic_block(n) for n in ("many", "few", "done"))
        b.cbranch(b.icmp_signed(">=", cost, constant(INDEX, LEAST_WORK)), many, few)
        b.position_at_end(many)
        self._hand_over(extent, cost)
        b.branch(done)
        b.position_at_end(few)
        args = (*self.captured, constant(INDEX, 0), extent)
        b.line(f"call void {self._function('part')}({', '.join(map(str, args))})")
        b.branch(done)
        b.position_at_end(done)

    def _function(self, kind: str) -> str:
        return f'@"{kind}.{self.name}"'

    def _hand_over(self, extent: Value, cost: Value) -> None:
        """Fills the context and calls the pool."""
        b = self.writer.b
        context = b.fresh(POINTER)
        count = len(self.captured) + 2
        self.writer.entry.append(f"  {context.text} = alloca [{count} x i64], align 64")
        wanted = b.binary("sdiv", cost, constant(INDEX, CHUNK_WORK))
        wanted = b.intrinsic("smin", (wanted, constant(INDEX, MOST_CHUNKS)))
        wanted = b.intrinsic("smin", (wanted, extent))
        wanted = b.intrinsic("smax", (wanted, constant(INDEX, 1)))
        length = _ceiling(b, extent, wanted)
        for k, value in enumerate((*self.captured, length, extent)):
            b.store(value, b.element(INDEX, context, constant(INDEX, k)))
        body = f"ptr {self._function('body')}"
        chunks = _ceiling(b, extent, length)
        b.line(f"call void %parallel({body}, {context}, {chunks})")

    def _write_part(self) -> None:
        kernel = self.owner.kernel
        part = Statements(kernel, self.writer.module)
        b, e, outer = part.b, part.e, self.writer.e
        b.calls_note, e.functions, e.natural = (
            self.writer.b.calls_note,
            outer.functions,
            set(outer.natural),
        )
        written = {s.buffer for s in statements((self.loop,)) if isinstance(s, Store | Update)}
        params, count = [], 0
        for name in self.memory:
            access = "" if name in written else " readonly"
            params.append(f"ptr noalias{access} %c{count}")
            count += 1
        for name, value in self.values.items():
            parts = [Value(v.type, f"%c{count + k}") for k, v in enumerate(_parts(value))]
            params += map(str, parts)
            count += len(parts)
            e.values[name] = Pair(*parts) if len(parts) == 2 else parts[0]
        for k, (name, memory) in enumerate(self.memory.items()):
            shape = self.owner.shapes.get(name)
            steps = memory.strides if shape is None else strides(e, shape)
            e.memory[name] = Memory(Value(POINTER, f"%c{k}"), memory.dtype, steps)
        part.loop(self.loop, Value(INDEX, "%first"), Value(INDEX, "%end"))
        if part.streams:
            write_fence(b, self.writer.module)
        params += ["i64 %first", "i64 %end"]
        head = f"define internal void {self._function('part')}({', '.join(params)})"
        lines = [f"{head} noinline nounwind {{", "entry:", *part.entry, *b.lines, "  ret void", "}"]
        self.owner.texts.append("\n".join(lines))

    def _write_body(self) -> None:
        module = self.writer.module
        b, context = Builder(module), Value(POINTER, "%context")
        kinds = [v.type for v in self.captured] + [INDEX, INDEX]
        *captured, length, extent = (
            b.load(kind, b.element(INDEX, context, constant(INDEX, k)))
            for k, kind in enumerate(kinds)
        )
        first = b.mul(Value(INDEX, "%chunk"), length)
        end = b.intrinsic("smin", (b.add(first, length), extent))
        b.line(
            f"call void {self._function('part')}({', '.join(map(str, (*captured, first, end)))})"
        )
        head = f"define internal void {self._function('body')}(ptr %context, i64 %chunk)"
        lines = [f"{head} nounwind {{", "entry:", *b.lines, "  ret void", "}"]
        self.owner.texts.append("\n".join(lines))


def _parts(value: Operand) -> tuple[Value, ...]:
    return (value,) if isinstance(value, Value) else (value.re, value.im)


def _ceiling(b: Builder, x: Value, y: Value) -> Value:
    """x / y, rounded up."""
    return b.binary("sdiv", b.sub(b.add(x, y), constant(INDEX, 1)), y)
