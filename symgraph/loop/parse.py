"""Reads the text of ``text.show`` back: ``parse(show(x))`` equals x (``text.same``)."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import TypeVar

from symgraph.errors import ParseError, VerifyError
from symgraph.loop.ir import (
    KINDS,
    UPDATES,
    Assign,
    Bind,
    Branch,
    Buffer,
    Call,
    Check,
    Copy,
    Expr,
    Fail,
    For,
    Function,
    If,
    Kernel,
    Let,
    Library,
    Local,
    Loop,
    Program,
    Repeat,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
    While,
)
from symgraph.loop.parse_expr import DTYPE_OF, Names, parse_exprs
from symgraph.loop.words import INT64

_T = TypeVar("_T")


def parse(text: str) -> Kernel | Program:
    """The kernel or program of a text; ParseError says which line is not understood."""
    lines = _Lines(text)
    try:
        found = lines.kernel() if lines.peek()[1].startswith("kernel ") else lines.program()
        if not lines.done():
            raise ParseError("text after the end")
        return found
    except (ParseError, VerifyError, KeyError, ValueError, IndexError) as error:
        raise ParseError(f"line {lines.number}: {error}") from error


def parse_function(text: str) -> Function:
    """The function of a text (``text.show_function``)."""
    lines = _Lines(text)
    head, _, rest = lines.take().partition(" ")
    if head != "function":
        raise ParseError("a function begins with the word function")
    return lines.function(rest)


class _Lines:
    """The lines of a text with their depth, read one after the other."""

    def __init__(self, text: str) -> None:
        rows = text.splitlines()
        self._rows = [
            (k + 1, (len(row) - len(row.lstrip(" "))) // 4, row.strip())
            for k, row in enumerate(rows)
            if row.strip()
        ]
        self._next = 0
        self.number = 1
        self.names = Names()

    def done(self) -> bool:
        return self._next >= len(self._rows)

    def peek(self) -> tuple[int, str]:
        """(depth, text) of the next line; depth -1 at the end."""
        if self.done():
            return -1, ""
        self.number, depth, text = self._rows[self._next]
        return depth, text

    def take(self) -> str:
        """The next line."""
        text = self.peek()[1]
        self._next += 1
        return text

    def takes(self, *heads: str) -> tuple[str, str] | None:
        """(head, rest) of the next line if it starts with one of the words, and goes past it."""
        head, _, rest = self.peek()[1].partition(" ")
        if head in heads and self.peek()[0] >= 0:
            self._next += 1
            return head, rest
        return None

    def kernel(self) -> Kernel:
        self.names = Names()
        match = _match(r"kernel (\w+)\((.*)\)", self.take())
        sizes = _split(match[2])
        self.names.scalars.update(dict.fromkeys(sizes, INT64))
        origin: tuple[int, ...] = ()
        lines: list[tuple[str, int]] = []
        buffers: list[Buffer] = []
        writes: set[str] = set()
        functions: list[Function] = []
        while (found := self.takes("origin", "line", "function", "read", "write")) is not None:
            head, rest = found
            if head == "function":
                functions.append(self.function(rest))
            elif head == "origin":
                origin = tuple(map(int, rest.split()))
            elif head == "line":
                file, _, number = rest.rpartition(" ")
                lines.append((json.loads(file), int(number)))
            else:
                buffers.append(self.buffer(rest))
                writes.update([buffers[-1].name] if head == "write" else [])
        body = self.block(1, self.statement)
        return Kernel(
            match[1],
            tuple(buffers),
            sizes,
            frozenset(writes),
            body,
            origin,
            tuple(lines),
            tuple(functions),
        )

    def function(self, head: str) -> Function:
        """The function whose first line, after the word, is given."""
        outer, self.names = self.names, Names()
        match = _match(r"(\w+)\((.*)\)", head)
        params = []
        for part in _split(match[2]):
            name, _, dtype = part.partition(": ")
            params.append(Var(name, DTYPE_OF[dtype]))
            self.names.scalars[name] = DTYPE_OF[dtype]
        body: list[Let] = []
        while (line := self.takes("let")) is not None:
            name, _, value = line[1].partition(" = ")
            found = self.expr(value)
            self.names.scalars[name] = found.dtype
            body.append(Let(name, found))
        give = self.takes("give")
        if give is None:
            raise ParseError("a function ends with what it gives")
        result = self.expr(give[1])
        self.names = outer
        self.names.functions.add(match[1])
        return Function(match[1], tuple(params), tuple(body), result)

    def program(self) -> Program:
        match = _match(r"program \((.*)\)", self.take())
        sizes = _split(match[1])
        self.names.scalars.update(dict.fromkeys(sizes, INT64))
        found: dict[str, list[Buffer]] = {"input": [], "output": [], "temporary": []}
        while (line := self.takes(*found)) is not None:
            found[line[0]].append(self.buffer(line[1]))
        steps = self.block(1, self.step)
        kernels: list[Kernel] = []
        while not self.done():
            kernels.append(self.kernel())
        inputs, outputs, temporaries = (tuple(found[role]) for role in found)
        return Program(inputs, outputs, temporaries, sizes, steps, tuple(kernels))

    def buffer(self, text: str) -> Buffer:
        match = _match(r"(\w+): (\w+)\[(.*)\]", text)
        shape = tuple(parse_exprs(match[3], self.names))
        found = Buffer(match[1], DTYPE_OF[match[2]], shape)
        self.names.arrays[found.name] = found.dtype
        return found

    def block(self, depth: int, one: Callable[[int], _T]) -> tuple[_T, ...]:
        found: list[_T] = []
        while self.peek()[0] == depth and self.peek()[1] != "else":
            found.append(one(depth))
        return tuple(found)

    def exprs(self, text: str) -> tuple[Expr, ...]:
        return tuple(parse_exprs(text, self.names))

    def expr(self, text: str) -> Expr:
        (found,) = parse_exprs(text, self.names)
        return found

    # ------------------------------------------------------------ statements

    def statement(self, depth: int) -> Stmt:
        """One statement with the blocks inside it."""
        text = self.take()
        head, _, rest = text.partition(" ")
        if head in KINDS or head in ("while", "if"):
            return self._nested(head, rest, depth)
        if head in ("let", "set"):
            name, _, value = rest.partition(" = ")
            found = self.expr(value)
            if head == "set":
                return Assign(name, found)
            self.names.scalars[name] = found.dtype
            return Let(name, found)
        if head == "local":
            match = _match(r"(\w+): (\w+)\[(.*)\]", rest)
            self.names.arrays[match[1]] = DTYPE_OF[match[2]]
            return Local(match[1], DTYPE_OF[match[2]], tuple(map(int, _split(match[3]))))
        if head == "fail":
            code, args = self._coded(rest)
            return Fail(code, args)
        return self._stored(text)

    def _stored(self, text: str) -> Stmt:
        match = _match(r"(?:(\w+) )?(\w+)\[(.*)\] = (.*?)", text)  # no index contains " = "
        op, name, index, value = match.groups()
        if op is None:
            return Store(name, self.exprs(index), self.expr(value))
        if op not in UPDATES:
            raise ParseError(f"there is no update {op!r}")
        return Update(name, self.exprs(index), op, self.expr(value))

    def _nested(self, head: str, rest: str, depth: int) -> Stmt:
        if head in KINDS:
            name, _, extent = rest.partition(" < ")
            self.names.scalars[name] = INT64
            count = self.expr(extent)
            return For(name, count, self.block(depth + 1, self.statement), head)
        cond = self.expr(rest)
        body = self.block(depth + 1, self.statement)
        if head == "while":
            return While(cond, body)
        return If(cond, body, self._otherwise(depth, self.statement))

    def _otherwise(self, depth: int, one: Callable[[int], _T]) -> tuple[_T, ...]:
        if self.peek() != (depth, "else"):
            return ()
        self.take()
        return self.block(depth + 1, one)

    def _coded(self, rest: str) -> tuple[int, tuple[Expr, ...]]:
        match = _match(r"(\d+)\((.*)\)", rest)
        return int(match[1]), self.exprs(match[2])

    # ------------------------------------------------------------ steps

    def step(self, depth: int) -> Step:
        """One step with the steps inside it."""
        head, _, rest = self.take().partition(" ")
        return getattr(self, f"_{head}")(rest, depth) if head in _STEPS else _unknown(head)

    def _call(self, rest: str, depth: int) -> Step:
        match = _match(r"(\w+)\(([^;]*); (.*)\)", rest)
        return Call(match[1], _split(match[2]), self.exprs(match[3]))

    def _library(self, rest: str, depth: int) -> Step:
        match = _match(r"(\w+)\(([^;]*); (.*?)\)((?: \w+=\S+)*)", rest)
        pairs = (item.split("=", 1) for item in match[4].split())
        attrs = tuple((key, ast.literal_eval(value)) for key, value in pairs)
        return Library(match[1], _split(match[2]), self.exprs(match[3]), attrs)

    def _view(self, rest: str, depth: int) -> Step:
        name, _, rest = rest.partition(" = ")
        place, _, cut = rest.partition(" from ")
        base, _, index = place.partition("[")
        start = self.expr(cut) if cut else None
        self.names.arrays[name] = self.names.arrays[base]
        return View(name, base, self.exprs(index.removesuffix("]")), start)

    def _bind(self, rest: str, depth: int) -> Step:
        name, _, source = rest.partition(" = ")
        self.names.scalars[name] = INT64
        return Bind(name, source)

    def _check(self, rest: str, depth: int) -> Step:
        end = _closing(rest)
        code, args = self._coded(rest[: end + 1])
        return Check(self.expr(rest[end + 1 :]), code, args)

    def _repeat(self, rest: str, depth: int, kind: str = "serial") -> Step:
        name, _, extent = rest.partition(" < ")
        count = self.expr(extent)
        self.names.scalars[name] = INT64
        return Repeat(name, count, self.block(depth + 1, self.step), kind)

    def _parallel(self, rest: str, depth: int) -> Step:
        return self._repeat(rest, depth, "parallel")

    def _loop(self, rest: str, depth: int) -> Step:
        return Loop(rest, self.block(depth + 1, self.step))

    def _branch(self, rest: str, depth: int) -> Step:
        then = self.block(depth + 1, self.step)
        return Branch(rest, then, self._otherwise(depth, self.step))

    def _copy(self, rest: str, depth: int) -> Step:
        target, _, source = rest.partition(" = ")
        return Copy(target, source)


_STEPS = frozenset(
    ("call", "library", "view", "bind", "check", "repeat", "parallel", "loop", "branch", "copy")
)


def _unknown(head: str) -> Step:
    raise ParseError(f"there is no step {head!r}")


def _closing(text: str) -> int:
    """Where the first bracket of a text is closed."""
    depth = 0
    for k, mark in enumerate(text):
        depth += (mark == "(") - (mark == ")")
        if mark == ")" and depth == 0:
            return k
    raise ParseError(f"unbalanced brackets in {text!r}")


def _split(text: str) -> tuple[str, ...]:
    return tuple(item for item in text.split(", ") if item)


def _match(pattern: str, text: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ParseError(f"{text!r} is not understood")
    return found
