"""Kernels as Python functions, one text for reading, for plain Python and for numba.

``kernel_source`` is a stand-alone module text: it runs on NumPy arrays in plain Python, and a
debugger steps through it. Loops are ``for i in range(n)`` over C-contiguous arrays, from which
LLVM sees that indices are not negative; computed indices go through ``at``.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any  # what exec fills

from symgraph.codegen.plain import local_name
from symgraph.codegen.source import Names, Writer
from symgraph.codegen.spelling import SPELLED, Speller, cast_name
from symgraph.errors import UnsupportedError
from symgraph.fingerprint import named
from symgraph.loop.ir import (
    UPDATES,
    Assign,
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
from symgraph.loop.text import show_function
from symgraph.loop.traverse import can_fail, is_free_order
from symgraph.loop.words import DTYPES, WORDS
from symgraph.records import dataclass

_OWN = "at buffers copy_memory facts function inf item nan product_of range run sizes sum_of"
RESERVED = frozenset([*WORDS, *SPELLED.values(), *(cast_name(d) for d in DTYPES), *_OWN.split(" ")])
MAX_NESTING = 19  # CPython refuses more nested loops
_FREE_ORDER = {"add": "sum_of", "mul": "product_of"}


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one function and the names that it takes from its namespace."""

    name: str
    text: str
    used: frozenset[str]


def kernel_source(kernel: Kernel) -> str:
    """The kernel as a Python module that runs on NumPy arrays, for reading and stepping."""
    source = kernel_function(kernel, kernel.name)
    head = [f"# {file}:{line}" for file, line in kernel.lines]
    functions = {f.name for f in kernel.functions}
    used = sorted((source.used - functions) | ({"function"} if functions else set()))
    if used:
        head.append(f"from symgraph.codegen.plain import {', '.join(used)}")
    for function in kernel.functions:
        text = "\n".join(show_function(function))
        head.append(f'{function.name} = function("""\n{text}\n""")')
    return "".join(line + "\n" for line in [*head, "", ""]).lstrip("\n") + source.text


def python_function(kernel: Kernel) -> Callable[..., int | None]:
    """The kernel as a Python function on NumPy arrays; a debugger shows its lines."""
    text = kernel_source(kernel)
    file = f"<kernel {kernel.name} {named([text])[:12]}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    space: dict[str, Any] = {}
    exec(compile(text, file, "exec"), space)
    found: Callable[..., int | None] = space[kernel_function(kernel, kernel.name).name]
    return found


def kernel_function(kernel: Kernel, name: str) -> Source:
    """The kernel as one function of buffers, then sizes, then ``facts`` if it can fail."""
    return KernelWriter(kernel).write(name)


class KernelWriter:
    """Writes a kernel statement by statement; a backend that spreads loops extends it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.names = Names(RESERVED | {f.name for f in kernel.functions})
        self.given: dict[str, str] = {}  # loop-IR name -> Python name
        self.out = Writer()
        self.speller = Speller(
            self.given.__getitem__, self.names.fresh, lambda n, t: self.out.line(f"{n} = {t}")
        )
        self.kinds: list[str] = []  # of the loops around the statement being written

    def write(self, wanted: str) -> Source:
        """The function, under the wanted name or one like it."""
        kernel, fails = self.kernel, can_fail(self.kernel)
        name = self.names.fresh(wanted)
        params = [self._name(b.name) for b in kernel.buffers]
        params += [self._name(n) for n in kernel.sizes] + ["facts"] * fails
        self.speller.natural.update(kernel.sizes)
        with self.out.block(f"def {name}({', '.join(params)}):"):
            self._docstring()
            self._block(kernel.body)
            if fails:
                self.out.line("return 0")
        return Source(name, self.out.text(), frozenset(self.speller.used))

    def _docstring(self) -> None:
        lines = []
        for b in self.kernel.buffers:
            role = "writes" if b.name in self.kernel.writes else "reads"
            dims = ", ".join(_dim_text(dim) for dim in b.shape)
            lines.append(f"{role} {self.given[b.name]}: {b.dtype}[{dims}]")
        self.out.line(f'"""{"; ".join(lines) or "No buffers"}."""')

    def _name(self, name: str) -> str:
        self.given[name] = self.names.fresh(name)
        return self.given[name]

    def _text(self, x: Expr) -> str:
        return self.speller.expr(x)[0]

    def _block(self, body: tuple[Stmt, ...]) -> None:
        for s in body:
            self._statement(s)

    def _statement(self, s: Stmt) -> None:
        match s:
            case Let(name, value):
                text = self._text(value)
                self.out.line(f"{self._name(name)} = {text}")
            case Assign(name, value):
                self.out.line(f"{self.given[name]} = {self._assigned(name, value)}")
            case Store(buffer, index, value):
                *at, text = self.speller.expr(*index, value)
                self.out.line(f"{self.speller.element(buffer, index, at)} = {text}")
            case Update():
                self._update(s)
            case Local(name, dtype, shape):
                made = self.speller.call(local_name(dtype, shape))
                self.out.line(f"{self._name(name)} = {made}")
            case For() | While():
                self._loop(s)
            case If():
                self._if(s)
            case Fail(code, args):
                self._fail(code, args)

    def _if(self, s: If) -> None:
        with self.out.block(f"if {self._text(s.cond)}:"):
            self._block(s.then)
        if s.orelse:
            with self.out.block("else:"):
                self._block(s.orelse)

    def _fail(self, code: int, args: tuple[Expr, ...]) -> None:
        for i, text in enumerate(self.speller.expr(*args)):
            self.out.line(f"facts[{i}] = {text}")
        self.out.line(f"return {code}")

    def _loop(self, s: For | While) -> None:
        self.kinds.append(s.kind if isinstance(s, For) else "serial")
        if len(self.kinds) > MAX_NESTING:
            raise UnsupportedError(f"{self.kernel.name} has more than {MAX_NESTING} nested loops")
        if isinstance(s, For):
            extent = self._text(s.extent)
            with self.out.block(f"for {self._name(s.var)} in range({extent}):"):
                self.speller.natural.add(s.var)
                self._block(s.body)
            self.speller.natural.discard(s.var)
        else:
            with self.out.block("while True:"):
                with self.out.block(f"if not ({self._text(s.cond)}):"):
                    self.out.line("break")
                self._block(s.body)
        self.kinds.pop()

    def _free_order(self, value: Expr) -> bool:
        """May this accumulation be regrouped?"""
        return bool(self.kinds) and is_free_order(self.kinds[-1], value)

    def _assigned(self, name: str, value: Expr) -> str:
        if isinstance(value, Word) and self._free_order(value):
            left, right = value.args
            if isinstance(left, Var) and left.name == name:
                texts = self.speller.expr(left, right)
                return self.speller.call(_FREE_ORDER[value.name], *texts)
        return self._text(value)

    def _update(self, s: Update) -> None:
        dtype = s.value.dtype
        old = Load(s.buffer, s.index, dtype)  # the index nodes are shared, so evaluated once
        new = Word(UPDATES[s.op], (old, s.value), dtype)
        if self._free_order(new):
            *at, left, right = self.speller.expr(*s.index, old, s.value)
            text = self.speller.call(_FREE_ORDER[new.name], left, right)
        else:
            *at, text = self.speller.expr(*s.index, new)
        self.out.line(f"{self.speller.element(s.buffer, s.index, at)} = {text}")


def _dim_text(dim: Expr) -> str:
    return Speller(lambda n: n, lambda n: n, lambda n, t: None).expr(dim)[0]
