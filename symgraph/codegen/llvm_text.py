"""LLVM functions as text: values, a builder with llvmlite's method names, and its emitter.

llvmlite's own builder makes an object for every instruction, operand and type and prints them at
the end, which takes ten times as long. Here an instruction is a line as soon as it is asked for.
Complex numbers are pairs of values and never one value of LLVM's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple  # numbers of any dtype

import numpy as np

from symgraph.codegen.functions import c_name
from symgraph.codegen.llvm_words import Emitter
from symgraph.loop.words import WORDS
from symgraph_kernels.table import ROWS

DType = np.dtype[np.generic]

_SIGNS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "uno": "uno"}
_FLOATS = {4: "float", 8: "double"}
_SUFFIX = {"float": "f32", "double": "f64"}
POINTER, INDEX, BIT = "ptr", "i64", "i1"


def type_of(dtype: DType) -> str:
    """The LLVM type of a real number in a register: ``double``, ``i32``, ``i1``."""
    if dtype.kind == "f":
        return _FLOATS[dtype.itemsize]
    return BIT if dtype.kind == "b" else f"i{8 * dtype.itemsize}"


class Value(NamedTuple):
    """An operand: its LLVM type, and its name or number."""

    type: str
    text: str

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


class Pair(NamedTuple):
    """A complex number: real and imaginary part."""

    re: Value
    im: Value


Operand = Value | Pair


def constant(kind: str, value: Any) -> Value:
    """A number of an LLVM type, bit for bit."""
    if kind == "double" or kind == "float":
        number = float(value)
        if number != number:  # the bits of a NaN as they are
            own = np.asarray(value, "f4" if kind == "float" else "f8")
            bits = int(own.view(f"u{own.itemsize}"))
            return Value(kind, f"bitcast (i{8 * own.itemsize} {bits} to {kind})")
        if kind == "float":
            number = float(np.float32(number))
        return Value(kind, "0x" + struct.pack(">d", number).hex().upper())
    if kind == BIT:
        return TRUE if value else FALSE
    return Value(kind, str(int(value)))


TRUE, FALSE = Value(BIT, "true"), Value(BIT, "false")


class Phi:
    """A value that depends on where the block was entered from."""

    def __init__(self, builder: Builder, kind: str) -> None:
        self._builder, self._incoming = builder, list[str]()
        self._place = len(builder.lines)
        self.value = builder.fresh(kind)
        builder.lines.append("")

    def add_incoming(self, value: Value, block: str) -> None:
        """What the value is after ``block``."""
        self._incoming.append(f"[{value.text}, %{block}]")
        name, kind = self.value.text, self.value.type
        line = f"  {name} = phi {kind} {', '.join(self._incoming)}"
        self._builder.lines[self._place] = line

    @property
    def type(self) -> str:
        """The LLVM type."""
        return self.value.type

    @property
    def text(self) -> str:
        """The name."""
        return self.value.text

    def __str__(self) -> str:
        return str(self.value)


def _instruction(op: str) -> Callable[..., Value]:
    """The method of ``Builder`` that writes an instruction on two operands of one type."""

    def write(self: Builder, x: Value, y: Value, flags: Iterable[str] = ()) -> Value:
        return self.binary(op, x, y, flags)

    return write


class Builder:
    """Writes the instructions of one function, in blocks."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self.block = "entry"
        self.calls_note = ""  # attributes of calls of elementary functions
        self._count = 0

    def fresh(self, kind: str) -> Value:
        """A new name for a value."""
        self._count += 1
        return Value(kind, f"%.{self._count}")

    def line(self, text: str) -> None:
        """An instruction without a value."""
        self.lines.append("  " + text)

    def value(self, kind: str, text: str) -> Value:
        """An instruction with a value of the given type."""
        self._count += 1
        name = f"%.{self._count}"
        self.lines.append(f"  {name} = {text}")
        return Value(kind, name)

    # ------------------------------------------------------------ blocks

    def append_basic_block(self, name: str) -> str:
        """A new label; the block begins where ``position_at_end`` says."""
        self._count += 1
        return f"{name}.{self._count}"

    def position_at_end(self, label: str) -> None:
        """Begins a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def branch(self, label: str) -> None:
        """Goes to a block."""
        self.lines.append(f"  br label %{label}")

    def cbranch(self, cond: Value, yes: str, no: str, note: str = "") -> None:
        """Goes to one of two blocks; ``note`` is metadata."""
        self.lines.append(f"  br i1 {cond.text}, label %{yes}, label %{no}{note}")

    def phi(self, kind: str) -> Phi:
        """A value that depends on where the block was entered from."""
        return Phi(self, kind)

    # ------------------------------------------------------------ memory

    def element(self, kind: str, address: Value, index: Value) -> Value:
        """The address of element ``index`` >= 0 of memory with elements of a type."""
        text = f"getelementptr inbounds nuw {kind}, ptr {address.text}, i64 {index.text}"
        return self.value(POINTER, text)

    def load(self, kind: str, address: Value, note: str = "") -> Value:
        """What stands at an address."""
        return self.value(kind, f"load {kind}, ptr {address.text}{note}")

    def store(self, value: Value, address: Value, note: str = "") -> None:
        """Puts a value to an address."""
        self.lines.append(f"  store {value.type} {value.text}, ptr {address.text}{note}")

    # ------------------------------------------------------------ arithmetic

    def binary(self, op: str, x: Value, y: Value, flags: Iterable[str] = ()) -> Value:
        """An instruction on two operands of one type."""
        self._count += 1
        name = f"%.{self._count}"
        words = " ".join((op, *flags))
        self.lines.append(f"  {name} = {words} {x.type} {x.text}, {y.text}")
        return Value(x.type, name)

    def contract(self, x: Value) -> None:
        """Lets LLVM add a product before it is rounded, if that is what a value of this block is.

        It does where nothing else reads the product.
        """
        head = f"  {x.text} = fmul "
        for k in range(len(self.lines) - 1, -1, -1):
            line = self.lines[k]
            if line.startswith(head):
                self.lines[k] = head + "contract " + line[len(head) :].removeprefix("contract ")
            if line.startswith(head) or not line.startswith("  "):
                return

    fadd, fsub, fmul, fdiv, frem = map(_instruction, ("fadd", "fsub", "fmul", "fdiv", "frem"))
    add, sub, mul = map(_instruction, ("add", "sub", "mul"))
    sdiv, udiv, srem, urem = map(_instruction, ("sdiv", "udiv", "srem", "urem"))
    shl, lshr, ashr = map(_instruction, ("shl", "lshr", "ashr"))
    and_, or_, xor = map(_instruction, ("and", "or", "xor"))

    def neg(self, x: Value) -> Value:
        """0 - x."""
        return self.binary("sub", constant(x.type, 0), x)

    def not_(self, x: Value) -> Value:
        """The other truth value, or all bits turned."""
        return self.binary("xor", x, TRUE if x.type == BIT else constant(x.type, -1))

    def fneg(self, x: Value) -> Value:
        """-x."""
        return self.value(x.type, f"fneg {x.type} {x.text}")

    def select(self, cond: Value, x: Value, y: Value) -> Value:
        """x where the condition holds, else y."""
        text = f"select i1 {cond.text}, {x.type} {x.text}, {y.type} {y.text}"
        return self.value(x.type, text)

    # ------------------------------------------------------------ comparisons and conversions

    def fcmp_ordered(self, operator: str, x: Value, y: Value) -> Value:
        """A comparison that fails for NaN."""
        return self._compare("fcmp o", operator, x, y)

    def fcmp_unordered(self, operator: str, x: Value, y: Value) -> Value:
        """A comparison that holds for NaN; "uno": is one of them NaN?"""
        if operator == "uno":
            return self.value(BIT, f"fcmp uno {x.type} {x.text}, {y.text}")
        return self._compare("fcmp u", operator, x, y)

    def icmp_signed(self, operator: str, x: Value, y: Value) -> Value:
        """A comparison of integers."""
        return self._compare("icmp " + ("" if operator in ("==", "!=") else "s"), operator, x, y)

    def icmp_unsigned(self, operator: str, x: Value, y: Value) -> Value:
        """A comparison of integers without a sign."""
        return self._compare("icmp " + ("" if operator in ("==", "!=") else "u"), operator, x, y)

    def _compare(self, head: str, operator: str, x: Value, y: Value) -> Value:
        return self.value(BIT, f"{head}{_SIGNS[operator]} {x.type} {x.text}, {y.text}")

    def convert(self, op: str, x: Value, kind: str) -> Value:
        """A conversion instruction: zext, sitofp, ..."""
        return self.value(kind, f"{op} {x.type} {x.text} to {kind}")

    def bitcast(self, x: Value, kind: str) -> Value:
        """The same bits as another type."""
        return x if x.type == kind else self.convert("bitcast", x, kind)

    def zext(self, x: Value, kind: str) -> Value:
        """The integer in a wider type."""
        return self.convert("zext", x, kind)

    def trunc(self, x: Value, kind: str) -> Value:
        """The low bits of an integer."""
        return self.convert("trunc", x, kind)

    # ------------------------------------------------------------ calls

    def call(self, name: str, result: str, args: Iterable[Value], note: str = "") -> Value:
        """The value of a call."""
        return self.value(result, f"call {result} {name}({', '.join(map(str, args))}){note}")

    def intrinsic(self, name: str, args: tuple[Value, ...], flags: str = "") -> Value:
        """An intrinsic overloaded on the type of its first argument."""
        kind = args[0].type
        full = f"@llvm.{name}.{_SUFFIX.get(kind, kind)}"
        self.module.declare(full, kind, [a.type for a in args])
        return self.value(kind, f"call {flags}{kind} {full}({', '.join(map(str, args))})")


PAST_CACHES = ", !nontemporal <>"  # after a store
MARK = "  ; at "  # before the instructions of a statement, with its number: llvm_debug.py


class Module:
    """The text of a module: functions, and what they refer to. ``marked``: with ``MARK``s.

    ``functions`` are those of kernels, ``steps`` those that call them.
    """

    def __init__(self, marked: bool = False) -> None:
        self.marked = marked
        self.functions: list[str] = []
        self.steps: list[str] = []
        self._declared: dict[str, str] = {}
        self.parts: dict[str, str] = {}  # definitions of what functions refer to

    def declare(self, name: str, result: str, args: Iterable[str]) -> None:
        """Makes an external function or an intrinsic known."""
        if name not in self._declared:
            self._declared[name] = f"declare {result} {name}({', '.join(args)})"

    def elementary(self, word: str, dtype: DType) -> str:
        """The name of an elementary function, which becomes part of the module.

        Raises: UnsupportedError for a word that neither the kernels nor the C library have.
        """
        kind = type_of(dtype)
        if word not in ROWS:
            name = f"@{c_name(word, dtype)}"
            self.declare(name, kind, [kind] * WORDS[word].arity)
            return name
        name = f"sg.{word}.{_SUFFIX[kind]}"
        if name not in self.parts:
            from symgraph_kernels.llvm import function_parts  # llvmlite's builders: 10 ms

            self.parts.update(function_parts(word, dtype))
        return f'@"{name}"'

    def define(self, name: str, text: str) -> None:
        """Adds a definition that is given as text, once."""
        self.parts.setdefault(name, text)

    def loop_note(self, *facts: str) -> str:
        """What is put after the branch of a loop to tell LLVM facts about it."""
        return f", !llvm.loop <{'|'.join(facts)}>"

    @property
    def declared(self) -> dict[str, str]:
        """Declarations of what the module does not define, by name with its @."""
        return {n: text for n, text in self._declared.items() if n[1:] not in self.parts}

    def text(self) -> str:
        """The module as LLVM assembly."""
        known = self.declared.values()
        return assembled([*self.parts.values(), *known, *self.functions, *self.steps])


def assembled(texts: Iterable[str]) -> str:
    """Texts as one, with loops' facts as metadata nodes, each loop with one of its own."""
    facts: dict[str, int] = {}
    nodes: list[str] = []

    def node(content: str) -> int:
        nodes.append(content)
        return len(nodes) - 1

    def loop(match: re.Match[str]) -> str:
        names = []
        for fact in match[1].split("|"):
            if fact not in facts:
                facts[fact] = node(f"!{{{fact}}}")
            names.append(f"!{facts[fact]}")
        own = len(nodes)
        node(f"distinct !{{{', '.join([f'!{own}', *names])}}}")
        return f"!llvm.loop !{own}"

    text = re.sub(r"!llvm\.loop <([^>]*)>", loop, "\n\n".join(texts))
    if PAST_CACHES in text:
        text = text.replace(PAST_CACHES, f", !nontemporal !{node('!{i32 1}')}")
    return text + "\n\n" + "".join(f"!{k} = {content}\n" for k, content in enumerate(nodes))


class TextEmitter(Emitter):
    """Words through ``Builder``."""

    __slots__ = ()
    b: Builder

    def kind_of(self, dtype: DType) -> str:
        """The LLVM type of a dtype."""
        return type_of(dtype)

    def integer(self, width: int) -> str:
        """The LLVM type of an integer of so many bits."""
        return f"i{width}"

    def constant(self, kind: str, value: float) -> Value:
        """A constant of an LLVM type."""
        return constant(kind, value)

    def call(self, name: str, *args: Value) -> Value:
        """An LLVM intrinsic overloaded on the type of the first argument: llvm.<name>.f64."""
        return self.b.intrinsic(name, args)

    def function(self, word: str, *args: Value) -> Value:
        """An elementary or special function of floats of dtype ``part``."""
        name = self.b.module.elementary(word, self.part)
        return self.b.call(name, args[0].type, args, self.b.calls_note)

    def parts(self, x: Pair) -> Pair:
        """Real and imaginary part of a complex value."""
        return x

    def whole(self, re: Value, im: Value) -> Pair:
        """A complex value from its parts."""
        return Pair(re, im)
