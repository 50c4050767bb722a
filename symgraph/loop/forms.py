"""What a kernel computes whatever its names and numbers are: equal forms are equal code.

``form_of(kernel)`` is its structure as text, in which a buffer, a local or a size is the number of
its first appearance, and a float constant the number of its first appearance in ``numbers``. Two
kernels of one text differ in their numbers alone. A deep network has hundreds of kernels and a
dozen forms. The text is written once, from the front, in one walk; nobody reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from symgraph.loop.ir import (
    Assign,
    Cast,
    Const,
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
from symgraph.loop.text import show_const, show_function
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """The structure of a kernel, and its float constants by their texts."""

    text: str
    numbers: dict[str, Const]

    def key(self) -> str:
        """Structure and numbers: all that code depends on."""
        return f"{self.text}\n{' '.join(self.numbers)}"


def form_of(kernel: Kernel) -> Form:
    """The form of a kernel; names of its functions stay as they are."""
    known = _KNOWN.get()
    found = known.get(kernel) if known is not None else None
    if found is None:
        writer = _Writer()
        writer.kernel(kernel)
        found = Form(" ".join(writer.out), writer.numbers)
        if known is not None:
            known[kernel] = found
    return found


_KNOWN: ContextVar[dict[Kernel, Form] | None] = ContextVar("forms", default=None)


@contextmanager
def each_once() -> Iterator[None]:
    """Inside a ``with`` block the form of a kernel is written once."""
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


class _Writer:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.numbers: dict[str, Const] = {}
        self._names: dict[str, str] = {}
        self._constants: dict[int, str] = {}
        self._places: dict[str, str] = {}

    def kernel(self, kernel: Kernel) -> None:
        out = self.out
        for function in kernel.functions:
            out += show_function(function)
        out += ["sizes", *map(self.name, kernel.sizes), "buffers"]
        for b in kernel.buffers:
            role = "w" if b.name in kernel.writes else "r"
            out.append(f"{role}{self.name(b.name)}:{b.dtype.str}{len(b.shape)}")
            self.expressions(b.shape)
        self.block(kernel.body)

    def name(self, name: str) -> str:
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = str(len(self._names))
        return found

    def block(self, body: tuple[Stmt, ...]) -> None:
        for s in body:
            self.statement(s)
        self.out.append("end")

    def statement(self, s: Stmt) -> None:
        out = self.out
        match s:
            case Let(name, value) | Assign(name, value):
                out.append(f"{'let' if isinstance(s, Let) else 'set'} {self.name(name)}")
                self.expressions((value,))
            case Store(buffer, index, value):
                out.append(f"store {self.name(buffer)} {len(index)}")
                self.expressions((*index, value))
            case Update(buffer, index, op, value):
                out.append(f"{op} {self.name(buffer)} {len(index)}")
                self.expressions((*index, value))
            case Local(name, dtype, shape):
                out.append(f"local {self.name(name)} {dtype.str} {shape}")
            case For(var, extent, body, kind):
                out.append(f"{kind} {self.name(var)}")
                self.expressions((extent,))
                self.block(body)
            case While(cond, body):
                out.append("while")
                self.expressions((cond,))
                self.block(body)
            case If(cond, then, orelse):
                out.append("if")
                self.expressions((cond,))
                self.block(then)
                self.block(orelse)
            case Fail(code, args):
                out.append(f"fail {code} {len(args)}")
                self.expressions(args)

    def expressions(self, roots: tuple[Expr, ...]) -> None:
        """Operators before their operands; one that came before is named by its place."""
        out, seen = self.out, dict[int, int]()
        stack = [*reversed(roots)]
        while stack:
            x = stack.pop()
            if type(x) is Var:
                out.append(self.name(x.name))
                continue
            if type(x) is Const:
                out.append(self._constants.get(id(x)) or self._constant(x))
                continue
            place = seen.get(id(x))
            if place is not None:
                out.append(f"@{place}")
                continue
            seen[id(x)] = len(seen)
            if type(x) is Word:
                out.append(f"{x.name}{x.dtype.char}{len(x.args)}")
                stack += reversed(x.args)
            elif type(x) is Load:
                out.append(f"load {self.name(x.buffer)}")
                stack += reversed(x.index)
            else:
                assert isinstance(x, Cast)
                out.append(f"cast{x.dtype.char}")
                stack.append(x.x)

    def _constant(self, x: Const) -> str:
        text = show_const(x)
        if x.dtype.kind == "f":
            place = self._places.setdefault(text, f"#{x.dtype.char}{len(self.numbers)}")
            self.numbers.setdefault(text, x)
            text = place
        self._constants[id(x)] = text
        return text
