"""LLVM assembly written from Python: values with operators, loops and branches as ``with`` blocks.

What the matrix-product kernels need and no more: 64-bit integers (sizes, strides in bytes),
pointers, floats and vectors. A ``Function`` collects lines; a ``Value`` is the name of a result
and knows its function, so ``a + i * row`` writes instructions. What follows from integer constants
alone is computed here: code that is written for known sizes says what code for any would do.
Variables are stack slots, which LLVM's first pass turns into registers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

from symgraph.records import dataclass

INT, POINTER, BIT = "i64", "ptr", "i1"
MISSING = "missing"  # stops the process: what is called has been left out
_BITS = ("false", "true")
# instructions of integers that are not negative -> what they give
_MEANING: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "udiv": operator.floordiv,
    "urem": operator.mod,
    "and": operator.and_,
    "or": operator.or_,
    "icmp slt": operator.lt,
    "icmp sle": operator.le,
    "icmp sgt": operator.gt,
    "icmp sge": operator.ge,
    "icmp eq": operator.eq,
}


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A result of an instruction, an argument or a constant: ``text`` of type ``kind``."""

    function: Function
    kind: str
    text: str

    @property
    def typed(self) -> str:
        """``i64 %x``."""
        return f"{self.kind} {self.text}"

    @property
    def known(self) -> int | None:
        """The number, where it is an integer constant."""
        if self.kind == BIT and self.text in _BITS:
            return _BITS.index(self.text)
        return int(self.text) if self.kind == INT and not self.text.startswith("%") else None

    def _two(self, what: str, other: Value | int, kind: str | None = None) -> Value:
        text = other.text if isinstance(other, Value) else str(other)
        numbers = self.known, other.known if isinstance(other, Value) else other
        if numbers[0] is not None and numbers[1] is not None:
            found = _MEANING[what](numbers[0], numbers[1])
            return self.function.integer(kind or self.kind, int(found))
        return self.function.emit(kind or self.kind, f"{what} {self.kind} {self.text}, {text}")

    def __add__(self, other: Value | int) -> Value:
        if self.kind == POINTER:
            return self.function.at(self, other)
        return self._two("add", other)

    def __sub__(self, other: Value | int) -> Value:
        return self._two("sub", other)

    def __mul__(self, other: Value | int) -> Value:
        return self._two("mul", other)

    def __floordiv__(self, other: Value | int) -> Value:
        return self._two("udiv", other)

    def __mod__(self, other: Value | int) -> Value:
        return self._two("urem", other)

    def __and__(self, other: Value) -> Value:
        return self._two("and", other)

    def __or__(self, other: Value) -> Value:
        return self._two("or", other)

    def __lt__(self, other: Value | int) -> Value:
        return self._two("icmp slt", other, BIT)

    def __le__(self, other: Value | int) -> Value:
        return self._two("icmp sle", other, BIT)

    def __gt__(self, other: Value | int) -> Value:
        return self._two("icmp sgt", other, BIT)

    def __ge__(self, other: Value | int) -> Value:
        return self._two("icmp sge", other, BIT)

    def equals(self, other: Value | int) -> Value:
        """Whether two integers are equal."""
        return self._two("icmp eq", other, BIT)

    def at_most(self, other: Value | int) -> Value:
        """The smaller of two integers."""
        return self.function.select(self < other, self, other)

    def at_least(self, other: Value | int) -> Value:
        """The larger of two integers."""
        return self.function.select(self > other, self, other)

    def up_to_multiple(self, unit: int) -> Value:
        """The next multiple of ``unit``."""
        return (self + (unit - 1)) // unit * unit


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A place in the stack frame that is read and written by name."""

    function: Function
    kind: str
    text: str

    def get(self) -> Value:
        """The value now."""
        return self.function.emit(self.kind, f"load {self.kind}, ptr {self.text}")

    def set(self, value: Value) -> None:
        """Changes it."""
        self.function.line(f"store {value.typed}, ptr {self.text}")


class Function:
    """One function under construction: ``Function("f", [("m", INT)])``; nothing is returned."""

    def __init__(self, name: str, parameters: list[tuple[str, str]], linkage: str) -> None:
        self.name, self.linkage = name, linkage
        self.parameters = [Value(self, kind, f"%{p}") for p, kind in parameters]
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._count = 0

    def text(self, attributes: str = "#0") -> str:
        """The definition; the body must be complete. ``attributes``: a group of the module."""
        parameters = ", ".join(p.typed for p in self.parameters)
        body = "\n  ".join([*self._entry, *self._lines, "ret void"])
        head = f"define {self.linkage} void @{self.name}({parameters}) {attributes} {{"
        return f"{head}\n  {body}\n}}"

    def line(self, text: str) -> None:
        """Writes one instruction without a result."""
        self._lines.append(text)

    def emit(self, kind: str, text: str) -> Value:
        """Writes one instruction with a result."""
        name = self._fresh("v")
        self._lines.append(f"{name} = {text}")
        return Value(self, kind, name)

    def number(self, value: int) -> Value:
        """An integer constant."""
        return Value(self, INT, str(value))

    def integer(self, kind: str, value: int) -> Value:
        """A constant of 64 bits or of one."""
        return Value(self, kind, _BITS[value] if kind == BIT else str(value))

    def constant(self, kind: str, text: str) -> Value:
        """A constant of any type."""
        return Value(self, kind, text)

    def at(self, pointer: Value, nbytes: Value | int) -> Value:
        """The address so many bytes further."""
        offset = nbytes.text if isinstance(nbytes, Value) else str(nbytes)
        return self.emit(POINTER, f"getelementptr i8, ptr {pointer.text}, i64 {offset}")

    def select(self, condition: Value, yes: Value | int, no: Value | int) -> Value:
        """One of two values of one type."""
        if condition.known is not None:
            chosen = yes if condition.known else no
            return chosen if isinstance(chosen, Value) else self.number(chosen)
        kind = next(v.kind for v in (yes, no, self.number(0)) if isinstance(v, Value))
        pair = [v.text if isinstance(v, Value) else str(v) for v in (yes, no)]
        text = f"select i1 {condition.text}, {kind} {pair[0]}, {kind} {pair[1]}"
        return self.emit(kind, text)

    def variable(self, value: Value) -> Variable:
        """A new variable with a first value."""
        name = self._fresh("s")
        self._entry.append(f"{name} = alloca {value.kind}")
        found = Variable(self, value.kind, name)
        found.set(value)
        return found

    def scratch(self, nbytes: int) -> Value:
        """Memory of this call, on a cache line's boundary."""
        name = self._fresh("m")
        self._entry.append(f"{name} = alloca [{nbytes} x i8], align 64")
        return Value(self, POINTER, name)

    def load(self, kind: str, pointer: Value, align: int = 8) -> Value:
        """The value at an address."""
        return self.emit(kind, f"load {kind}, ptr {pointer.text}, align {align}")

    def store(self, value: Value, pointer: Value, align: int = 8) -> None:
        """Puts a value at an address."""
        self.line(f"store {value.typed}, ptr {pointer.text}, align {align}")

    def call(self, name: str, *arguments: Value | int) -> None:
        """Calls a function that returns nothing."""
        self.line(f"call void @{name}({self._arguments(arguments)})")

    def call_among(self, names: Container[str], name: str, *arguments: Value | int) -> None:
        """Calls a function, or ``MISSING`` where it is not among those that there are."""
        if name in names:
            self.call(name, *arguments)
        else:
            self.call(MISSING)

    def call_at(self, address: Value, *arguments: Value | int) -> None:
        """Calls the function at an address, which returns nothing."""
        self.line(f"call void {address.text}({self._arguments(arguments)})")

    def value_of(self, kind: str, name: str, *arguments: Value | int) -> Value:
        """The result of a function."""
        return self.emit(kind, f"call {kind} @{name}({self._arguments(arguments)})")

    def leave(self) -> None:
        """Returns; what follows in the block is not reached."""
        self.line("ret void")
        self.line(f"{self._fresh('dead')[1:]}:")

    @contextmanager
    def loop(self, start: Value | int, stop: Value | int, step: Value | int = 1) -> Iterator[Value]:
        """For i = start, start + step, ... below stop."""
        first = start if isinstance(start, Value) else self.number(start)
        i = self.variable(first)
        head, body, after = (self._fresh(x) for x in ("head", "body", "after"))
        self._jump(head)
        self._label(head)
        now = i.get()
        self._branch(now < stop, body, after)
        self._label(body)
        yield now
        i.set(now + step)
        self._jump(head)
        self._label(after)

    @contextmanager
    def counted(self, count: Value) -> Iterator[None]:
        """A block that runs ``count`` times, tested at its end; the count is at least 1."""
        left = self.variable(count)
        body, after = self._fresh("body"), self._fresh("after")
        self._jump(body)
        self._label(body)
        yield
        rest = left.get() - 1
        left.set(rest)
        self._branch(rest > 0, body, after)
        self._label(after)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """A block that runs where the condition holds."""
        then, after = self._fresh("then"), self._fresh("after")
        self._branch(condition, then, after)
        self._label(then)
        yield
        self._jump(after)
        self._label(after)

    @contextmanager
    def unless(self, condition: Value) -> Iterator[None]:
        """A block that runs where the condition does not hold."""
        other, after = self._fresh("other"), self._fresh("after")
        self._branch(condition, after, other)
        self._label(other)
        yield
        self._jump(after)
        self._label(after)

    def _arguments(self, arguments: tuple[Value | int, ...]) -> str:
        return ", ".join(a.typed if isinstance(a, Value) else f"i64 {a}" for a in arguments)

    def _fresh(self, stem: str) -> str:
        self._count += 1
        return f"%{stem}{self._count}"

    def _label(self, name: str) -> None:
        self._lines.append(f"{name[1:]}:")

    def _jump(self, target: str) -> None:
        self._lines.append(f"br label {target}")

    def _branch(self, condition: Value, yes: str, no: str) -> None:
        self._lines.append(f"br i1 {condition.text}, label {yes}, label {no}")
