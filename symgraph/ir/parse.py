"""Reads dims, types and attributes of nodes from the text that ``ir/literal.py`` writes.

Anything else raises ParseError: text may come from anywhere. Nothing is evaluated as Python.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ParseError
from symgraph.ir.dim import Atom, Dim, DimLike, add, atom_dim, fresh_token, mul
from symgraph.ir.dtype import ALL, DType, real_of
from symgraph.ir.graph import Graph
from symgraph.ir.literal import MOST_ALIKE
from symgraph.ir.op import OPS
from symgraph.ir.states import STATES
from symgraph.ir.tokens import Cursor
from symgraph.ir.type import TensorType, TupleType, Type
from symgraph.records import dataclass, field

Array = np.ndarray[Any, Any]
_DTYPES: Mapping[str, DType] = {str(d): d for d in ALL}
_ARITY = {"min": 2, "max": 2, "floordiv": 2, "mod": 2, "broadcast": None}
MOST_TERMS = 1_000  # of a dim


@dataclass(slots=True)
class Reader:
    """Reads values; what their text refers to is declared first, or given.

    A symbol that is not declared is made when it is first read (in text written by hand).
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    symbols: dict[str, Atom] = field(default_factory=dict)
    graphs: list[Graph] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)

    def type(self, source: str) -> Type:
        """The type that a text says."""
        return self._remember("type ", source, self.read_type)  # type: ignore[no-any-return]

    def value(self, source: str) -> Any:
        """The attribute that a text says."""
        return self._remember("value ", source, self.read_value)

    def _remember(self, kind: str, source: str, read: Callable[[Cursor], Any]) -> Any:
        key = kind + source
        if key not in self._values:
            cursor = Cursor(source)
            found = read(cursor)
            cursor.end()
            if len(source) > 200:  # a constant, most likely: hardly twice the same
                return found
            self._values[key] = found
        return self._values[key]

    def declare(self, source: str) -> None:
        """``dim ?x.0 = unknown("?x.0", "token")``; a fresh token where there is none."""
        cursor = Cursor(source)
        cursor.expect("dim")
        handle = cursor.take("symbol", "?name or !name")
        cursor.expect("=")
        kind = cursor.take("word", "unknown or data")
        cursor.expect("(")
        texts = cursor.list_of(cursor.text, ")")
        cursor.end()
        if kind not in ("unknown", "data") or not 1 <= len(texts) <= 2 or handle in self.symbols:
            raise ParseError(f"{source[:80]!r} does not declare a dimension")
        token = texts[1] if len(texts) == 2 else fresh_token()
        self.symbols[handle] = Atom(kind, texts[0], token=token)

    def state(self, source: str) -> None:
        """``cell(value)``: the next state."""
        cursor = Cursor(source)
        tag = cursor.take("word", "the kind of a state")
        if tag not in STATES:
            raise ParseError(f"there is no state of kind {tag!r}")
        cursor.expect("(")
        value = self.read_value(cursor)
        cursor.expect(")")
        cursor.end()
        try:
            self.states.append(STATES[tag].from_value(value))
        except (TypeError, ValueError, AttributeError) as error:
            raise ParseError(f"not the value of a {tag}: {error}") from error

    def read_dim(self, cursor: Cursor) -> DimLike:
        """A sum of products."""
        total: DimLike = 0
        sign = -1 if cursor.skip("-") else 1
        for _ in range(MOST_TERMS):
            total = add(total, mul(sign, self._product(cursor)))
            if cursor.peek() not in ("+", "-") or cursor.kind() == "text":
                return total
            sign = -1 if cursor.skip("-") else int(cursor.skip("+"))
        raise ParseError(f"a dimension of more than {MOST_TERMS} terms")

    def _product(self, cursor: Cursor) -> DimLike:
        found = self._factor(cursor)
        while cursor.skip("*"):
            found = mul(found, self._factor(cursor))
        return found

    def _factor(self, cursor: Cursor) -> DimLike:
        kind = cursor.kind()
        if kind == "number":
            return cursor.whole()
        if kind == "symbol":
            handle = cursor.take("symbol", "a symbol")
            if handle not in self.symbols:
                of = "unknown" if handle[0] == "?" else "data"
                self.symbols[handle] = Atom(of, handle, token=fresh_token())
            return atom_dim(self.symbols[handle])
        name = cursor.text() if kind == "text" else cursor.take("word", "a dimension")
        if kind == "word" and name in _ARITY and cursor.skip("("):
            args = cursor.list_of(lambda: self.read_dim(cursor), ")")
            if len(args) != (_ARITY[name] or max(2, len(args))):
                raise ParseError(f"{name} of {len(args)} dimensions")
            return atom_dim(Atom(name, args=tuple(args)))
        if not name:
            raise ParseError("a dimension needs a name that is not empty")
        return Dim(name)

    def read_type(self, cursor: Cursor) -> Type:
        """``float64[n, 3]`` or ``types(...)``."""
        name = cursor.take("word", "a type")
        if name == "types" and cursor.skip("("):
            return TupleType(tuple(cursor.list_of(lambda: self.read_type(cursor), ")")))
        if name not in _DTYPES:
            raise ParseError(f"{name[:40]!r} is not a dtype")
        cursor.expect("[")
        return self._tensor_type(cursor, _DTYPES[name])

    def _tensor_type(self, cursor: Cursor, dtype: DType) -> TensorType:
        shape = tuple(cursor.list_of(lambda: self.read_dim(cursor), "]"))
        if any(isinstance(d, int) and d < 0 for d in shape):
            raise ParseError(f"a dimension cannot be negative: {shape}")
        return TensorType(dtype, shape)

    def read_value(self, cursor: Cursor) -> Any:
        """An attribute."""
        kind = cursor.kind()
        if kind == "text":
            return cursor.text()
        if kind == "number" or cursor.peek() in ("-", "nan", "inf"):
            return read_number(cursor)
        if cursor.skip("("):
            return tuple(cursor.list_of(lambda: self.read_value(cursor), ")"))
        for sign, held in (("@", self.graphs), ("$", self.states)):
            if cursor.skip(sign):
                number = cursor.whole()
                if number >= len(held):
                    raise ParseError(f"{sign}{number} is not declared")
                return held[number]
        return self._named(cursor, cursor.take("word", "a value"))

    def _named(self, cursor: Cursor, name: str) -> Any:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in _DTYPES:
            if cursor.skip("["):
                return self._tensor_type(cursor, _DTYPES[name])
            if not cursor.skip("("):
                return _DTYPES[name]
            numbers = cursor.list_of(lambda: read_number(cursor), ")")
            return filled(TensorType(_DTYPES[name], ()), numbers)
        if name not in ("types", "dim", "array", "complex", "bytes", "op"):
            what = "opaque: it cannot be read back" if name == "opaque" else f"{name[:40]!r}"
            raise ParseError(f"a value that is {what}")
        cursor.expect("(")
        if name == "types":
            return TupleType(tuple(cursor.list_of(lambda: self.read_type(cursor), ")")))
        read = {"dim": self.read_dim, "array": self._array, "op": _read_op}.get(name)
        found = read(cursor) if read is not None else _read_bytes_or_complex(cursor, name)
        cursor.expect(")")
        return found

    def _array(self, cursor: Cursor) -> Array:
        found = self.read_type(cursor)
        if not isinstance(found, TensorType) or any(isinstance(d, Dim) for d in found.shape):
            raise ParseError("an array needs a dtype and a shape of numbers")
        if not cursor.skip(","):
            return filled(found, [])
        if cursor.skip("content"):
            cursor.expect("(")
            key = cursor.text()
            cursor.expect(")")
            return self._content(key, found)
        if cursor.skip("base64"):
            cursor.expect("(")
            raw = cursor.text()
            cursor.expect(")")
            return from_bytes(found, raw)
        if cursor.skip("all"):
            cursor.expect("(")
            return _alike(found, cursor.list_of(lambda: read_number(cursor), ")"))
        numbers = [read_number(cursor)]
        while cursor.skip(","):
            numbers.append(read_number(cursor))
        return filled(found, numbers)

    def _content(self, key: str, found: TensorType) -> Array:
        array = self.arrays.get(key)
        if array is None:
            raise ParseError(f"the array {key[:40]!r} is elided, and not among those given")
        if array.dtype != found.dtype or array.shape != found.shape:
            raise ParseError(f"the array {key[:40]!r} is not {found}")
        return array


_CONSTANTS: Mapping[str, Any] = {"None": None, "True": True, "False": False}


def read_number(cursor: Cursor) -> Any:
    """A signed number, True or False, or a NaN by its bits."""
    negative = cursor.skip("-")
    for name, value in (("True", True), ("False", False), ("inf", float("inf"))):
        if cursor.skip(name):
            return -value if negative else value
    if cursor.skip("nan"):
        return _bits(cursor.text(), cursor) if cursor.skip("(") else float("nan")
    digits = cursor.take("number", "a number")
    if not digits.isdigit():
        found: float = float(digits)
        return -found if negative else found
    if len(digits) > 2_000:
        raise ParseError(f"a whole number of {len(digits)} digits")
    return -int(digits) if negative else int(digits)


def _bits(text: str, cursor: Cursor) -> float:
    cursor.expect(")")
    try:
        (found,) = struct.unpack(">d", bytes.fromhex(text))
    except (ValueError, struct.error) as error:
        raise ParseError(f"{text[:40]!r} are not the bits of a float") from error
    assert isinstance(found, float)
    return found


def _read_op(cursor: Cursor) -> Any:
    name = cursor.text()
    if name in OPS:
        return OPS[name]
    raise ParseError(f"there is no op named {name[:40]!r}")


def _read_bytes_or_complex(cursor: Cursor, name: str) -> Any:
    if name == "bytes":
        try:
            return bytes.fromhex(cursor.text())
        except ValueError as error:
            raise ParseError(f"not bytes: {error}") from error
    real = read_number(cursor)
    cursor.expect(",")
    return complex(real, read_number(cursor))


def filled(found: TensorType, numbers: Sequence[Any]) -> Array:
    """The array of a type with these elements; complex ones are two numbers each."""
    part = real_of(found.dtype)
    takes = {"b": (bool,), "f": (int, float)}.get(part.kind, (int,))
    try:
        if not all(type(n) in takes for n in numbers):
            raise TypeError("some have another dtype")
        with np.errstate(over="ignore"):
            array: Array = np.array(numbers, part)
        return _frozen(array.view(found.dtype), found)
    except (ValueError, TypeError, OverflowError) as error:
        raise ParseError(f"these are not the elements of {found}: {error}") from error


def _alike(found: TensorType, numbers: Sequence[Any]) -> Array:
    """The array of a type whose elements are all this one."""
    one = filled(TensorType(found.dtype, ()), numbers)
    shape = tuple(int(d) for d in found.shape if isinstance(d, int))
    if math.prod(shape) * one.itemsize > MOST_ALIKE:
        raise ParseError(f"an array of {found} is too large for a text of this kind")
    array: Array = np.full(shape, one)
    array.flags.writeable = False
    return array


def from_bytes(found: TensorType, raw: str) -> Array:
    """The array of a type with these bits, in base64."""
    try:
        data = base64.b64decode(raw, validate=True)
        return _frozen(
            np.frombuffer(data, found.dtype.newbyteorder("<")).astype(found.dtype), found
        )
    except (ValueError, binascii.Error) as error:
        raise ParseError(f"these are not the bytes of {found}: {error}") from error


def _frozen(array: Array, found: TensorType) -> Array:
    shape = tuple(int(d) for d in found.shape if isinstance(d, int))
    if array.size != math.prod(shape):
        raise ValueError(f"{array.size} elements")
    array = array.reshape(shape)
    array.flags.writeable = False
    return array
