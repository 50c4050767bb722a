"""Statements of the loop IR as LLVM text, inside one function.

Locals that are assigned to live on the stack until LLVM makes registers of them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from symgraph.codegen.llvm_expression import (
    ONE,
    Expressions,
    Memory,
    Slot,
    memory_type,
    slot,
)
from symgraph.codegen.llvm_square import is_square, write_square
from symgraph.codegen.llvm_stream import write_stream
from symgraph.codegen.llvm_text import (
    INDEX,
    MARK,
    POINTER,
    Builder,
    Module,
    Operand,
    Value,
    constant,
)
from symgraph.codegen.llvm_vector import Piece, pieces, serial_note
from symgraph.codegen.llvm_words import FREE_ORDER
from symgraph.loop.ir import (
    UPDATES,
    Assign,
    Cast,
    Expr,
    Fail,
    For,
    If,
    Kernel,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    Update,
    Var,
    While,
    Word,
)
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, is_free_order, postorder, statements

_FREE = {"add": "fadd", "mul": "fmul"}


def strides(e: Expressions, shape: tuple[Expr, ...]) -> tuple[Value, ...]:
    """The distance of neighbours along each axis of a C-contiguous array, in elements."""
    found: list[Value] = []
    step = ONE
    for k in range(len(shape) - 1, -1, -1):
        found.append(step)
        if k:
            dim = e.one(shape[k])
            step = dim if step.text == "1" else e.b.mul(step, dim, ("nuw", "nsw"))
    return tuple(reversed(found))


class Statements:
    """Writes statements of a kernel. ``spread`` may take over the writing of a parallel loop."""

    def __init__(self, kernel: Kernel, module: Module) -> None:
        self.kernel, self.module = kernel, module
        self.b = Builder(module)
        self.e = Expressions(self.b)
        self.entry: list[str] = []  # instructions that reserve places on the stack
        self.changed = {s.name for s in statements(kernel.body) if isinstance(s, Assign)}
        self.streams = False  # was a row copied past the caches?
        self.kinds: list[str] = []  # of the loops around the statement being written
        self.fuses = False  # are products added to sums of the loop before they are rounded?
        # numbers of statements, where the module is marked for reading (llvm_debug.py)
        inner = statements(kernel.body) if module.marked else ()
        self.numbers = {id(s): k for k, s in enumerate(inner)}
        self.spread: Callable[[Statements, For], bool] = lambda writer, loop: False

    def block(self, body: tuple[Stmt, ...]) -> None:
        """Writes statements; what they introduce is forgotten."""
        values = self.e.values.copy()
        for s in body:
            self.mark(s)
            self._statement(s)
        self.e.values = values

    def mark(self, s: Stmt) -> None:
        """Says that what follows is of a statement."""
        if self.numbers:
            self.b.lines.append(f"{MARK}{self.numbers[id(s)]}")

    def _statement(self, s: Stmt) -> None:
        e = self.e
        match s:
            case Let(name, value):
                self._let(name, value)
            case Assign(name, value):
                place = e.values[name]
                assert isinstance(place, Slot)
                e.assign(place, self._assigned(name, value))
            case Store(buffer, index, value):
                *at, found = self._added(s) or self._indexed(index, value)
                memory = e.memory[buffer]
                e.store(memory.dtype, e.place(memory, reals(at)), found)
            case Update():
                self._update(s)
            case Local(name, dtype, shape):
                address, kind = self.b.fresh(POINTER), memory_type(dtype)
                array = f"[{prod(shape)} x {kind}]"
                self.entry.append(f"  {address.text} = alloca {array}, align 64")
                e.memory[name] = Memory(address, dtype, _constant_strides(shape))
            case For():
                self._for(s)
            case While():
                self._while(s)
            case If():
                self._if(s)
            case Fail(code, args):
                self._fail(code, args)

    def _let(self, name: str, value: Expr) -> None:
        e = self.e
        (found,) = e.write(value)
        if name in self.changed:
            place = slot(self.b, value.dtype, self.entry)
            e.assign(place, found)
            e.values[name] = place
        else:
            e.values[name] = found

    def _indexed(self, index: tuple[Expr, ...], *values: Expr) -> list[Operand]:
        return self.e.write(*index, *values, indices=len(index))

    # ------------------------------------------------------------ control

    def _for(self, s: For) -> None:
        if is_square(s):
            write_square(self, s)
            return
        if s.kind == "stream":
            write_stream(self, s)
            return
        if s.kind == "parallel" and self.spread(self, s):
            return
        first, extent = constant(INDEX, 0), self.e.one(s.extent)
        found = []
        for piece in self._pieces(s):
            last = extent if piece.last is None else constant(INDEX, piece.last)
            found.append((first, last, piece.note))
            first = last
        # lanes of what is left are joined while whole vectors go by
        for first, last, note in reversed(found):
            self.turns(s, first, last, note)

    def _pieces(self, s: For) -> tuple[Piece, ...]:
        if s.kind == "serial":
            return (Piece(None, serial_note(s, self.module)),)
        return pieces(s, self.module, not self.b.calls_note)

    def loop(self, s: For, first: Value, extent: Value) -> None:
        """Some turns of a loop, from ``first`` to below ``extent``."""
        self.turns(s, first, extent, self._pieces(s)[0].note)

    def turns(self, s: For, first: Value, extent: Value, note: str) -> None:
        """Some turns of a loop, with metadata at their end."""
        b = self.b
        self.mark(s)
        self.kinds.append(s.kind)
        fuses, self.fuses = self.fuses, _widens(s)
        turn, done = b.append_basic_block("turn"), b.append_basic_block("done")
        before = b.block
        b.cbranch(b.icmp_signed(">", extent, first), turn, done)
        b.position_at_end(turn)
        index = b.phi(INDEX)
        index.add_incoming(first, before)
        self.e.natural.add(s.var)
        values = self.e.values
        self.e.values = {**values, s.var: index.value}
        self.block(s.body)
        self.mark(s)
        following = b.add(index.value, ONE, ("nuw", "nsw"))
        index.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("==", following, extent), done, turn, note)
        b.position_at_end(done)
        self.e.values = values
        self.kinds.pop()
        self.fuses = fuses

    def _while(self, s: While) -> None:
        b = self.b
        test, body, done = (b.append_basic_block(n) for n in ("test", "body", "done"))
        self.kinds.append("serial")
        b.branch(test)
        b.position_at_end(test)
        b.cbranch(self.e.one(s.cond), body, done)
        b.position_at_end(body)
        self.block(s.body)
        b.branch(test)
        b.position_at_end(done)
        self.kinds.pop()

    def _if(self, s: If) -> None:
        b = self.b
        then, done = b.append_basic_block("then"), b.append_basic_block("done")
        orelse = b.append_basic_block("else") if s.orelse else done
        b.cbranch(self.e.one(s.cond), then, orelse)
        b.position_at_end(then)
        self.block(s.then)
        b.branch(done)
        if s.orelse:
            b.position_at_end(orelse)
            self.block(s.orelse)
            b.branch(done)
        b.position_at_end(done)

    def _fail(self, code: int, args: tuple[Expr, ...]) -> None:
        b = self.b
        write_facts(b, reals(self.e.write(*args)))
        b.line(f"ret i32 {code}")
        b.position_at_end(b.append_basic_block("never"))

    # ------------------------------------------------------------ accumulation

    def _free_order(self, value: Expr) -> bool:
        """May this accumulation be regrouped?"""
        return bool(self.kinds) and is_free_order(self.kinds[-1], value)

    def _assigned(self, name: str, value: Expr) -> Operand:
        if isinstance(value, Word) and self._free_order(value):
            left, right = value.args
            if isinstance(left, Var) and left.name == name:
                x = self.e.one(left)
                if self.fuses and value.name == "add":
                    return self.b.binary("fadd", x, self._term(right), (*FREE_ORDER, "contract"))
                y = self.e.one(right)
                return self.b.binary(_FREE[value.name], x, y, FREE_ORDER)
        if isinstance(value, Word) and _is_extreme(value) and "vector" in self.kinds[-1:]:
            # of zeros either one: to tell them apart takes as long as all the rest
            x, y = reals(self.e.write(*value.args))
            # what is met first: whether it is NaN need not wait for the extreme so far
            return self.b.intrinsic(value.name, (y, x), "nsz ")
        return self.e.write(value)[0]

    def _added(self, s: Store) -> list[Operand] | None:
        """Index and value of an element that a loop adds products to: ``b[i] = b[i] + x + y``."""
        if not self.fuses:
            return None
        value, terms = s.value, list[Expr]()
        while isinstance(value, Word) and self._free_order(value) and value.name == "add":
            value, term = value.args
            terms.append(term)
        if not terms or not isinstance(value, Load) or value.buffer != s.buffer:
            return None
        if any(show_expr(x) != show_expr(y) for x, y in zip(value.index, s.index, strict=True)):
            return None
        *at, old = self._indexed(s.index, value)
        (found,) = reals([old])
        for term in reversed(terms):
            found = self.b.binary("fadd", found, self._term(term), ("contract",))
        return [*at, found]

    def _term(self, x: Expr) -> Value:
        """What is added to a sum whose order is free."""
        if isinstance(x, Word) and x.name == "add":
            left, right = map(self._term, x.args)
            found = self.b.binary("fadd", left, right, ("contract",))
        else:
            found = self.e.one(x)
            self.b.contract(found)
        return found

    def _update(self, s: Update) -> None:
        e, dtype = self.e, s.value.dtype
        *at, value = self._indexed(s.index, s.value)
        place = e.place(e.memory[s.buffer], reals(at))
        old = e.load(dtype, place)
        name = UPDATES[s.op]
        if self._free_order(Word(name, (s.value, s.value), dtype)):
            x, y = reals([old, value])
            found: Operand = self.b.binary(_FREE[name], x, y, FREE_ORDER)
        else:
            found = e.word(name, dtype, (old, value), dtype)
        e.store(dtype, place, found)


def _widens(s: For) -> bool:
    """Does a loop convert float32 to float64, which the additions of sums then wait for?

    Elsewhere a sum is a chain, of which a fused link takes longer.
    """
    nodes = postorder(*(x for inner in s.body for x in expressions(inner)))
    return any(isinstance(x, Cast) and (x.x.dtype.char, x.dtype.char) == ("f", "d") for x in nodes)


def _is_extreme(x: Word) -> bool:
    return x.name in ("maximum", "minimum") and x.dtype.kind == "f"


def write_facts(b: Builder, values: tuple[Value, ...]) -> None:
    """Stores the facts of a failure."""
    facts = Value(POINTER, "%facts")
    for k, value in enumerate(values):
        b.store(value, b.element(INDEX, facts, constant(INDEX, k)))


def _constant_strides(shape: tuple[int, ...]) -> tuple[Value, ...]:
    found, step = [], 1
    for dim in reversed(shape):
        found.append(constant(INDEX, step))
        step *= dim
    return tuple(reversed(found))


def reals(operands: list[Operand]) -> tuple[Value, ...]:
    """Operands none of which is complex."""
    assert all(isinstance(x, Value) for x in operands)
    return tuple(operands)  # type: ignore[arg-type]  # as just checked
