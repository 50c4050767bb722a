"""Rows stored past the caches: whole lines of memory by stores that neither read nor keep them.

    stream j < n: y[..., j] = f(t[j], ...)
    --> vectors of a line, where y begins at one; else the loop as any other
    stream j < n: y[..., j] = t[j]
    --> the words before the first line's beginning, whole lines, the words that are left

``lower/past_caches.py`` writes such loops, which mean what they say on every backend. Memory may
begin anywhere (a caller's ``out``). LLVM makes no such stores of its own vectors, since it cannot
know where memory begins. On x86 these stores are not in order with others, so a function that has
any ends with a fence: whoever is told that it is done then sees them.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING

from symgraph.codegen.llvm_expression import Slot
from symgraph.codegen.llvm_text import (
    INDEX,
    PAST_CACHES,
    Builder,
    Module,
    Operand,
    Value,
    constant,
    type_of,
)
from symgraph.loop.ir import Cast, Expr, For, Let, Load, Store, Var, Word
from symgraph.loop.streams import is_fixed
from symgraph.loop.traverse import postorder
from symgraph.loop.words import INT64

if TYPE_CHECKING:
    from symgraph.codegen.llvm_statement import Statements

LINE = 64  # bytes of a line of memory
_NAME = "sg.past_caches"
_FENCE = "@llvm.x86.sse.sfence"
_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_SUFFIX = {"float": "f32", "double": "f64"}
# rows that begin inside lines are few, and code for them is compiled each time: one vector a turn
_USUAL = ('!"llvm.loop.unroll.disable"', '!"llvm.loop.interleave.count", i32 1')
# Words are four bytes; the first loop runs to the beginning of a line, or to the end.
_TEXT = f"""
define internal void @"{_NAME}"(ptr noalias %to, ptr noalias %from, i64 %n) noinline {{
entry:
  %address = ptrtoint ptr %to to i64
  %below = sub i64 0, %address
  %gap = and i64 %below, {LINE - 1}
  %first = call i64 @llvm.umin.i64(i64 %gap, i64 %n)
  %left = sub i64 %n, %first
  %lines = and i64 %left, -{LINE}
  %last = add i64 %first, %lines
  call void @"{_NAME}.words"(ptr %to, ptr %from, i64 0, i64 %first)
  %some = icmp ult i64 %first, %last
  br i1 %some, label %line, label %rest
line:
  %k = phi i64 [%first, %entry], [%next, %line]
  %source = getelementptr inbounds i8, ptr %from, i64 %k
  %target = getelementptr inbounds i8, ptr %to, i64 %k
  %x = load <16 x i32>, ptr %source, align 4
  store <16 x i32> %x, ptr %target, align {LINE}{PAST_CACHES}
  %next = add nuw nsw i64 %k, {LINE}
  %more = icmp ult i64 %next, %last
  br i1 %more, label %line, label %rest
rest:
  call void @"{_NAME}.words"(ptr %to, ptr %from, i64 %last, i64 %n)
  ret void
}}

define internal void @"{_NAME}.words"(ptr %to, ptr %from, i64 %first, i64 %last) noinline {{
entry:
  %some = icmp ult i64 %first, %last
  br i1 %some, label %word, label %done
word:
  %k = phi i64 [%first, %entry], [%next, %word]
  %source = getelementptr inbounds i8, ptr %from, i64 %k
  %target = getelementptr inbounds i8, ptr %to, i64 %k
  %x = load i32, ptr %source, align 4
  store volatile i32 %x, ptr %target, align 4
  %next = add nuw nsw i64 %k, 4
  %more = icmp ult i64 %next, %last
  br i1 %more, label %word, label %done
done:
  ret void
}}
"""


def write_stream(writer: Statements, s: For) -> None:
    """Writes a loop of kind "stream"."""
    module, first = writer.module, s.body[0]
    writer.streams = True
    if isinstance(first, Store) and len(s.body) == 1 and isinstance(first.value, Load):
        module.declare("@llvm.umin.i64", "i64", ("i64", "i64"))
        module.define(_NAME, _TEXT.strip())
        b, x = writer.b, first.value
        values = writer.e.values
        writer.e.values = {**values, s.var: constant(INDEX, 0)}
        target, source = (_place(writer, y.buffer, y.index) for y in (first, x))
        writer.e.values = values
        nbytes = b.mul(writer.e.one(s.extent), constant(INDEX, x.dtype.itemsize))
        b.line(f'call void @"{_NAME}"({target}, {source}, {nbytes})')
    else:
        _Stream(writer, s).write()


def write_fence(b: Builder, module: Module) -> None:
    """Ends a function that has streams."""
    if platform.machine().lower() in ("x86_64", "amd64", "i386", "i686"):
        module.declare(_FENCE, "void", ())
        b.line(f"call void {_FENCE}()")


def _place(writer: Statements, buffer: str, index: tuple[Expr, ...]) -> Value:
    """The address of an element."""
    e = writer.e
    at = [found for found in e.write(*index, indices=len(index)) if isinstance(found, Value)]
    return e.place(e.memory[buffer], tuple(at))


class _Stream:
    """A loop of vectors while it is written; ``lanes``: numbers of each."""

    def __init__(self, writer: Statements, s: For) -> None:
        self.writer, self.s, self.b = writer, s, writer.b
        self.stores = [t for t in s.body if isinstance(t, Store)]
        self.lanes = LINE // min(t.value.dtype.itemsize for t in self.stores)
        self.locals: dict[str, Value] = {}

    def write(self) -> None:
        """The loop of vectors, and the usual one for memory that does not begin at a line."""
        writer, b, values = self.writer, self.b, self.writer.e.values
        streamed, usual, done = (b.append_basic_block(n) for n in ("stream", "usual", "done"))
        self._at(constant(INDEX, 0), values)
        starts = [_place(writer, t.buffer, t.index) for t in self.stores]
        bits = [b.value(INDEX, f"ptrtoint {start} to i64") for start in starts]
        gap = b.and_(reduce(b.or_, bits), constant(INDEX, LINE - 1))
        writer.e.values = values
        b.cbranch(b.icmp_signed("==", gap, constant(INDEX, 0)), streamed, usual)
        b.position_at_end(usual)
        note = writer.module.loop_note(*_USUAL, f'!"llvm.loop.vectorize.width", i32 {self.lanes}')
        writer.turns(self.s, constant(INDEX, 0), writer.e.one(self.s.extent), note)
        b.branch(done)
        b.position_at_end(streamed)
        self._vectors(values)
        b.branch(done)
        b.position_at_end(done)

    def _at(self, turn: Value, values: Mapping[str, Operand | Slot]) -> None:
        """Gives the integers of the loop their values in a turn."""
        e = self.writer.e
        e.values = {**values, self.s.var: turn}
        for t in self.s.body:
            if isinstance(t, Let) and t.value.dtype == INT64:
                e.values[t.name] = e.one(t.value)

    def _vectors(self, values: dict[str, Operand | Slot]) -> None:
        writer, b = self.writer, self.b
        before, turn = b.block, b.append_basic_block("vectors")
        after = b.append_basic_block("stored")
        b.branch(turn)
        b.position_at_end(turn)
        index = b.phi(INDEX)
        index.add_incoming(constant(INDEX, 0), before)
        self._at(index.value, values)
        for t in self.s.body:
            writer.mark(t)
            if isinstance(t, Let) and t.value.dtype != INT64:
                self.locals[t.name] = self._vector(t.value)
            elif isinstance(t, Store):
                x = self._vector(t.value)
                place = _place(writer, t.buffer, t.index)
                b.store(x, place, f", align {LINE}{PAST_CACHES}")
        following = b.add(index.value, constant(INDEX, self.lanes), ("nuw", "nsw"))
        index.add_incoming(following, b.block)
        extent = writer.e.one(self.s.extent)
        note = writer.module.loop_note('!"llvm.loop.unroll.count", i32 2')
        b.cbranch(b.icmp_signed("<", following, extent), turn, after, note)
        b.position_at_end(after)
        writer.e.values = values

    def _kind(self, x: Expr) -> str:
        return f"<{self.lanes} x {type_of(x.dtype)}>"

    def _vector(self, x: Expr) -> Value:
        """A value of as many turns as there are lanes."""
        done: dict[int, Value] = {}
        inside: set[int] = set()  # of indices
        for node in postorder(x):
            if isinstance(node, Load):
                inside |= {id(y) for y in postorder(*node.index)}
        for node in postorder(x):
            if id(node) not in inside:
                done[id(node)] = self._node(node, done)
        return done[id(x)]

    def _node(self, x: Expr, done: Mapping[int, Value]) -> Value:
        b, kind = self.b, self._kind(x)
        if isinstance(x, Var) and x.name in self.locals:
            return self.locals[x.name]
        if isinstance(x, Load) and not is_fixed(x.index, self.s):
            place = _place(self.writer, x.buffer, x.index)
            return b.load(kind, place, f", align {x.dtype.itemsize}")
        if isinstance(x, Cast):
            op = "fpext" if x.dtype.itemsize > x.x.dtype.itemsize else "fptrunc"
            y = done[id(x.x)]
            return y if x.dtype == x.x.dtype else b.convert(op, y, kind)
        if isinstance(x, Word):
            args = tuple(done[id(y)] for y in x.args)
            if x.name in _OPS:
                return b.binary(_OPS[x.name], *args)
            if x.name == "neg":
                return b.fneg(args[0])
            full = f"@llvm.{x.name}.v{self.lanes}{_SUFFIX[type_of(x.dtype)]}"
            b.module.declare(full, kind, [kind for _ in args])
            return b.call(full, kind, args)
        one = self.writer.e.one(x)
        lane = b.value(kind, f"insertelement {kind} poison, {one}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return b.value(kind, f"shufflevector {lane}, {kind} poison, {zeros}")
