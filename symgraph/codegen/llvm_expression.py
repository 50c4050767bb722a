"""Expressions of the loop IR as LLVM text: scalars, conversions, and elements of buffers."""

from __future__ import annotations

from typing import Any  # NumPy scalars of any dtype

import numpy as np

from symgraph.codegen.llvm_division import floor_division
from symgraph.codegen.llvm_text import (
    BIT,
    POINTER,
    Builder,
    Operand,
    Pair,
    TextEmitter,
    Value,
    constant,
    type_of,
)
from symgraph.codegen.llvm_words import emit
from symgraph.codegen.rescue import Definition
from symgraph.loop.ir import Cast, Const, Expr, Load, Var, Word
from symgraph.loop.text import show_const
from symgraph.loop.traverse import children, postorder
from symgraph.loop.words import COMPLEX_PARTS, convert
from symgraph.records import dataclass

DType = np.dtype[np.generic]
ONE = Value("i64", "1")
_EXACT = ("nsw",)  # index arithmetic that cannot wrap around
_CHAIN = frozenset(["add", "sub", "mul"])
_DIVISIONS = frozenset(["floordiv", "mod"])
INT64 = np.dtype(np.int64)


@dataclass(frozen=True, slots=True)
class Slot:
    """A local that is assigned to: its places on the stack, one for each part."""

    dtype: DType
    places: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """A buffer: address, dtype, and the distance of neighbours along each axis, in elements."""

    address: Value
    dtype: DType
    strides: tuple[Value, ...]


def memory_type(dtype: DType) -> str:
    """The LLVM type of an element in memory: a bool is a byte, a complex number two floats."""
    if dtype.kind == "c":
        part = type_of(COMPLEX_PARTS[dtype])
        return f"{{{part}, {part}}}"
    return "i8" if dtype.kind == "b" else type_of(dtype)


class Expressions:
    """Writes expressions to a builder; ``values`` and ``memory`` say what names mean there."""

    def __init__(self, builder: Builder) -> None:
        self.b = builder
        self.values: dict[str, Operand | Slot] = {}
        self.memory: dict[str, Memory] = {}
        self.functions: dict[str, Definition] = {}
        self.numbers: dict[str, Value] = {}  # constants that come as arguments, by their texts
        self.natural: set[str] = set()  # names of int64 that are no larger than an address
        self._emitters: dict[tuple[DType, DType], TextEmitter] = {}

    def write(self, *roots: Expr, indices: int = 0) -> list[Operand]:
        """The value of each expression; what they share is computed once.

        The first ``indices`` of them are the index of an element.
        """
        done: dict[int, Operand] = {}
        exact: set[int] = set()
        nodes = list(postorder(*roots))
        self._mark_exact(roots[:indices], exact)
        for node in nodes:
            if isinstance(node, Load):
                self._mark_exact(node.index, exact)
        for node in nodes:
            done[id(node)] = self._node(node, done, exact)
        return [done[id(root)] for root in roots]

    def one(self, root: Expr) -> Value:
        """The value of one real expression."""
        found = self.write(root)[0]
        assert isinstance(found, Value)
        return found

    def word(self, name: str, result: DType, args: tuple[Operand, ...], dtype: DType) -> Operand:
        """A word on operands of a dtype."""
        key = dtype, result
        emitter = self._emitters.get(key)
        if emitter is None:
            emitter = self._emitters[key] = TextEmitter(self.b, dtype, result)
        found: Operand = emit(emitter, name, args)
        return found

    # ------------------------------------------------------------ names and memory

    def read(self, name: str) -> Operand:
        """The value of a variable."""
        found = self.values[name]
        if not isinstance(found, Slot):
            return found
        kinds = _part_types(found.dtype)
        parts = [self.b.load(k, p) for k, p in zip(kinds, found.places, strict=True)]
        return Pair(*parts) if len(parts) == 2 else parts[0]

    def assign(self, slot: Slot, value: Operand) -> None:
        """Changes a local."""
        parts = (value.re, value.im) if isinstance(value, Pair) else (value,)
        for part, place in zip(parts, slot.places, strict=True):
            self.b.store(part, place)

    def place(self, memory: Memory, index: tuple[Value, ...]) -> Value:
        """The address of an element."""
        offset: Value | None = None
        for i, stride in zip(index, memory.strides, strict=True):
            step = i if stride.text == "1" else self.b.mul(i, stride, _EXACT)
            offset = step if offset is None else self.b.add(offset, step, _EXACT)
        if offset is None:
            return memory.address
        return self.b.element(memory_type(memory.dtype), memory.address, offset)

    def load(self, dtype: DType, place: Value) -> Operand:
        """The element at an address."""
        b, kind = self.b, memory_type(dtype)
        if dtype.kind == "c":
            part = type_of(COMPLEX_PARTS[dtype])
            return Pair(b.load(part, place), b.load(part, self._imaginary(kind, place)))
        found = b.load(kind, place)
        return found if dtype.kind != "b" else b.icmp_signed("!=", found, constant(kind, 0))

    def store(self, dtype: DType, place: Value, value: Operand) -> None:
        """Changes the element at an address."""
        if isinstance(value, Pair):
            self.b.store(value.re, place)
            self.b.store(value.im, self._imaginary(memory_type(dtype), place))
        else:
            self.b.store(self.b.zext(value, "i8") if dtype.kind == "b" else value, place)

    def _imaginary(self, kind: str, place: Value) -> Value:
        text = f"getelementptr inbounds nuw {kind}, ptr {place.text}, i64 0, i32 1"
        return self.b.value(POINTER, text)

    # ------------------------------------------------------------ nodes

    def _node(self, node: Expr, done: dict[int, Operand], exact: set[int]) -> Operand:
        match node:
            case Word(name, args, dtype):
                operands = tuple([done[id(x)] for x in args])
                if name in self.functions:
                    made = self.functions[name]
                    return self.b.call(f"@{made.name}", made.result, map(_real, operands))
                if id(node) in exact:
                    return self.b.binary(name, _real(operands[0]), _real(operands[1]), _EXACT)
                divisor = self._divisor(node, operands) if name in _DIVISIONS else 0
                if divisor:
                    return floor_division(self.b, _real(operands[0]), divisor, name == "mod")
                return self.word(name, dtype, operands, args[-1].dtype)
            case Var(name, _):
                return self.read(name)
            case Const(value, dtype):
                given = self.numbers.get(show_const(node)) if self.numbers else None
                return given or number(value, dtype)
            case Load(buffer, index, dtype):
                at = tuple([_real(done[id(i)]) for i in index])
                return self.load(dtype, self.place(self.memory[buffer], at))
            case Cast(x, dtype):
                return cast(self.b, done[id(x)], x.dtype, dtype)
        raise AssertionError(node)

    def _divisor(self, node: Word, operands: tuple[Operand, ...]) -> int:
        """The number by which data are divided; 0 where it is not known, and for indices."""
        top, bottom = node.args
        if node.dtype != INT64 or not isinstance(bottom, Const):
            return 0
        if not _real(operands[1]).text.isdigit() or int(bottom.value.real) < 2:
            return 0
        leaves = [x for x in postorder(top) if isinstance(x, Load | Var)]
        return 0 if all(map(self._is_natural, leaves)) else int(bottom.value.real)

    def _mark_exact(self, index: tuple[Expr, ...], exact: set[int]) -> None:
        """Notes the sums and products of an index that are of loop indices and sizes alone.

        They cannot wrap around: what they give lies inside the memory of a buffer.
        """
        for root in index:
            found, stack = [], [root]
            while stack:
                node = stack.pop()
                if isinstance(node, Word) and node.name in _CHAIN:
                    found.append(id(node))
                    stack += children(node)
                elif not (isinstance(node, Const) or self._is_natural(node)):
                    found.clear()
                    break
            exact.update(found)

    def _is_natural(self, node: Expr) -> bool:
        return isinstance(node, Var) and node.name in self.natural


def _real(x: Operand) -> Value:
    assert isinstance(x, Value)
    return x


def number(value: Any, dtype: DType) -> Operand:
    """A constant of a dtype."""
    found = convert(value, dtype)
    if dtype.kind == "c":
        kind = type_of(COMPLEX_PARTS[dtype])
        return Pair(constant(kind, found.real), constant(kind, found.imag))
    return constant(type_of(dtype), found)


def _part_types(dtype: DType) -> tuple[str, ...]:
    if dtype.kind == "c":
        return (type_of(COMPLEX_PARTS[dtype]),) * 2
    return (type_of(dtype),)


def slot(builder: Builder, dtype: DType, entry: list[str]) -> Slot:
    """A place on the stack for a local; its instruction goes to the function's entry."""
    places = []
    for kind in _part_types(dtype):
        place = builder.fresh(POINTER)
        entry.append(f"  {place.text} = alloca {kind}")
        places.append(place)
    return Slot(dtype, tuple(places))


# ---------------------------------------------------------------- conversions


def cast(b: Builder, x: Operand, source: DType, to: DType) -> Operand:
    """A C conversion, as ``loop.words.convert``."""
    if source == to:
        return x
    if isinstance(x, Pair):
        part = COMPLEX_PARTS[source]
        if to.kind == "b":
            return b.or_(*(_cast(b, half, part, to) for half in x))
        if to.kind == "c":
            return Pair(*(_cast(b, half, part, COMPLEX_PARTS[to]) for half in x))
        return _cast(b, x.re, part, to)
    if to.kind == "c":
        part = COMPLEX_PARTS[to]
        return Pair(_cast(b, x, source, part), constant(type_of(part), 0.0))
    return _cast(b, x, source, to)


def _cast(b: Builder, x: Value, source: DType, to: DType) -> Value:
    kind = type_of(to)
    if source == to:
        return x
    if source.kind == "f":
        return _from_float(b, x, source, to)
    if to.kind == "b":
        return b.icmp_signed("!=", x, constant(x.type, 0))
    signed = source.kind == "i"
    if to.kind == "f":
        return b.convert("sitofp" if signed else "uitofp", x, kind)
    if x.type == kind:
        return x
    if x.type != BIT and to.itemsize < source.itemsize:
        return b.trunc(x, kind)
    return b.convert("sext" if signed else "zext", x, kind)


def _from_float(b: Builder, x: Value, source: DType, to: DType) -> Value:
    kind = type_of(to)
    if to.kind == "f":
        return b.convert("fpext" if to.itemsize > source.itemsize else "fptrunc", x, kind)
    if to.kind == "b":
        return b.fcmp_unordered("!=", x, constant(x.type, 0.0))
    if to.itemsize == 8:
        return b.convert("fptosi" if to.kind == "i" else "fptoui", x, kind)
    # through a signed integer that holds the whole range, so that a negative number wraps around
    middle = "i64" if to.itemsize == 4 and to.kind == "u" else "i32"
    found = b.convert("fptosi", x, middle)
    return found if middle == kind else b.trunc(found, kind)
