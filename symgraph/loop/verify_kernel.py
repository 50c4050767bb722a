"""The rules of kernels: names, scopes, dtypes, ranks, writes. See ``verify`` for programs.

Not checked: bounds, which depend on sizes (the interpreter checks each access).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from symgraph.errors import VerifyError
from symgraph.loop.ir import (
    KINDS,
    MAX_FACTS,
    UPDATES,
    Assign,
    Buffer,
    Cast,
    Const,
    Expr,
    Fail,
    For,
    Function,
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
from symgraph.loop.rescue import result_of, verify_function
from symgraph.loop.streams import is_stream
from symgraph.loop.traverse import postorder
from symgraph.loop.words import BOOL, DTYPES, INT64, WORDS, result_dtype

_NAME = re.compile(r"(?!(?:true|false|nan|inf|cast|bitcast|bits|else)\b)[A-Za-z_]\w*")
_KNOWN = frozenset(DTYPES)
MAX_LOCAL_BYTES = 1 << 18  # scratch arrays live on the stack, of which a thread may have 1 MiB
DType = np.dtype[np.generic]


class Scope:
    """Names declared in the blocks around: scalars with dtype, arrays with dtype and rank."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.scalars: dict[str, DType] = {}
        self.arrays: dict[str, tuple[DType, int]] = {}
        self.fixed: set[str] = set()  # sizes and loop indices, never assigned
        self.functions: dict[str, Function] = {}

    def fail(self, text: str) -> None:
        """Raises VerifyError with the place."""
        raise VerifyError(f"{self.where}: {text}")

    def require(self, condition: bool, text: str) -> None:
        """Raises VerifyError unless the condition holds."""
        if not condition:
            self.fail(text)

    def declare(self, name: str) -> None:
        """Checks that a name is a fresh identifier."""
        self.require(bool(_NAME.fullmatch(name)), f"{name!r} is not an identifier")
        taken = name in self.scalars or name in self.arrays
        self.require(not taken, f"{name} is declared twice")

    def scalar(self, name: str, dtype: DType, fixed: bool = False) -> None:
        """Declares a scalar."""
        self.declare(name)
        self.scalars[name] = dtype
        if fixed:
            self.fixed.add(name)

    def array(self, name: str, dtype: DType, rank: int) -> None:
        """Declares an array."""
        self.declare(name)
        self.require(dtype in _KNOWN, f"{name} has the unsupported dtype {dtype}")
        self.arrays[name] = dtype, rank

    def drop(self, names: Iterable[str]) -> None:
        """Ends the scope of names."""
        for name in names:
            self.scalars.pop(name, None)
            self.arrays.pop(name, None)
            self.fixed.discard(name)

    def expr(self, x: Expr, dtype: DType | None = None) -> None:
        """Checks an expression and, where given, its dtype."""
        for node in postorder(x):
            self._node(node)
        if dtype is not None:
            self.require(x.dtype == dtype, f"{describe(x)} is {x.dtype} where {dtype} is needed")

    def _node(self, x: Expr) -> None:
        self.require(x.dtype in _KNOWN, f"{describe(x)} has the unsupported dtype {x.dtype}")
        match x:
            case Const(value, dtype):
                same = not hasattr(value, "dtype") or value.dtype == dtype
                self.require(same, f"constant {value} is not {dtype}")
            case Var(name, dtype):
                found = self.scalars.get(name)
                self.require(found is not None, f"{name} is not in scope")
                self.require(found == dtype, f"{name} is {found}, not {dtype}")
            case Load(buffer, index, dtype):
                self.element(buffer, index, dtype)
            case Word(name, args, dtype):
                try:
                    found = self._word(name, tuple(a.dtype for a in args), dtype)
                except VerifyError as error:
                    raise VerifyError(f"{self.where}: {error}") from error
                self.require(found == dtype, f"word {name} gives {found}, not {dtype}")
            case Cast():
                pass

    def _word(self, name: str, args: tuple[DType, ...], dtype: DType) -> DType:
        if name in self.functions:
            return result_of(self.functions[name], args)
        return result_dtype(name, args, dtype)

    def element(self, buffer: str, index: tuple[Expr, ...], dtype: DType) -> None:
        """Checks buffer[index]: declared, of that dtype, one int64 index for each axis."""
        found = self.arrays.get(buffer)
        if found is None:
            raise VerifyError(f"{self.where}: buffer {buffer} is not declared")
        self.require(found[0] == dtype, f"{buffer} is {found[0]}, not {dtype}")
        self.require(len(index) == found[1], f"{buffer} has rank {found[1]}, not {len(index)}")
        for i in index:
            self.require(i.dtype == INT64, f"an index of {buffer} is {i.dtype}, not int64")

    def facts(self, code: int, args: tuple[Expr, ...]) -> None:
        """Checks the code and the facts of a failure."""
        self.require(0 < code < 2**31, f"failure code {code} is not in 1 .. 2**31 - 1")
        self.require(len(args) <= MAX_FACTS, f"a failure has more than {MAX_FACTS} facts")
        for x in args:
            self.expr(x, INT64)


def verify_kernel(kernel: Kernel) -> None:
    """Checks a kernel; VerifyError says which rule it breaks, and where."""
    scope = Scope(f"kernel {kernel.name}")
    scope.require(bool(_NAME.fullmatch(kernel.name)), f"{kernel.name!r} is not an identifier")
    for size in kernel.sizes:
        scope.scalar(size, INT64, fixed=True)
    for spec in kernel.buffers:
        declare_buffer(spec, scope)
    unknown = kernel.writes - {b.name for b in kernel.buffers}
    scope.require(not unknown, f"writes unknown buffers {sorted(unknown)}")
    for function in kernel.functions:
        scope.require(function.name not in WORDS, f"{function.name} is a word")
        scope.require(function.name not in scope.functions, f"{function.name} is defined twice")
        verify_function(function)
        scope.functions[function.name] = function
    _KernelCheck(kernel, scope).block(kernel.body)


def declare_buffer(spec: Buffer, scope: Scope) -> None:
    """Declares a buffer whose shape uses sizes only."""
    for dim in spec.shape:
        loads = any(isinstance(node, Load) for node in postorder(dim))
        scope.require(not loads, f"the shape of {spec.name} reads a buffer")
        scope.expr(dim, INT64)
    scope.array(spec.name, spec.dtype, len(spec.shape))


def describe(x: Expr) -> str:
    """A few words for an expression in a message."""
    match x:
        case Word(name=name):
            return f"{name}(...)"
        case Var(name=name):
            return name
        case Load(buffer=buffer):
            return f"{buffer}[...]"
        case Const(value=value):
            return str(value)
    return f"cast to {x.dtype}"


class _KernelCheck:
    def __init__(self, kernel: Kernel, scope: Scope) -> None:
        self.writes, self.scope = kernel.writes, scope
        self.locals: set[str] = set()

    def block(self, body: tuple[Stmt, ...]) -> None:
        declared: list[str] = []
        for s in body:
            self._statement(s, declared)
        self.scope.drop(declared)
        self.locals.difference_update(declared)

    def _statement(self, s: Stmt, declared: list[str]) -> None:
        scope = self.scope
        match s:
            case Let(name, value):
                scope.expr(value)
                scope.scalar(name, value.dtype)
                declared.append(name)
            case Assign(name, value):
                scope.require(name in scope.scalars, f"{name} is assigned but not introduced")
                scope.require(name not in scope.fixed, f"{name} is a size or an index")
                scope.expr(value, scope.scalars[name])
            case Store() | Update():
                self._store(s)
            case Local(name, dtype, shape):
                scope.require(all(n > 0 for n in shape), f"local {name} has the shape {shape}")
                nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
                limit = f"local {name} takes {nbytes} bytes, more than {MAX_LOCAL_BYTES}"
                scope.require(nbytes <= MAX_LOCAL_BYTES, limit)
                scope.array(name, dtype, len(shape))
                self.locals.add(name)
                declared.append(name)
            case For() | While() | If():
                self._nested(s)
            case Fail(code, args):
                scope.facts(code, args)

    def _store(self, s: Store | Update) -> None:
        scope = self.scope
        for i in s.index:
            scope.expr(i)
        scope.expr(s.value)
        scope.element(s.buffer, s.index, s.value.dtype)
        allowed = s.buffer in self.writes or s.buffer in self.locals
        scope.require(allowed, f"{s.buffer} is written but not declared as written")
        if isinstance(s, Update):
            scope.require(s.op in UPDATES, f"there is no update {s.op!r}")
            result_dtype(UPDATES[s.op], (s.value.dtype, s.value.dtype))

    def _nested(self, s: For | While | If) -> None:
        scope = self.scope
        if isinstance(s, For):
            scope.require(s.kind in KINDS, f"there is no kind of loop {s.kind!r}")
            scope.expr(s.extent, INT64)
            scope.require(s.kind != "stream" or is_stream(s), "a stream stores rows")
            scope.scalar(s.var, INT64, fixed=True)
            self.block(s.body)
            scope.drop([s.var])
            return
        scope.expr(s.cond, BOOL)
        if isinstance(s, While):
            self.block(s.body)
        else:
            self.block(s.then)
            self.block(s.orelse)
