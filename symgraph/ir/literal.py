"""Dims, types and attributes of nodes as text, and back, exactly.

================  ================================================================================
kind              text
================  ================================================================================
dim               ``3``, ``n``, ``2*n*m - 1``, ``"any name"``, ``?x.0`` (unknown), ``!k`` (data),
                  ``min(n, 3)``, ``max``, ``floordiv``, ``mod``, ``broadcast``
type              ``float64[n, 3]``, ``int64[]``; of several results: ``types(int64[], bool[])``
Python values     ``None True 1 -0.0 inf nan complex(1.0, -0.0) "text" bytes("00ff") (1, 2)``
dtype, dim        ``float32``, ``dim(n + 1)``
array             ``float64(2.0)``, ``array(int8[2], 1, 2)``, ``array(int8[99], base64("..."))``,
                  ``array(int8[99], all(1))``; elided: ``array(int8[99], content("..."))`` with
                  a hash of the content
op, graph, state  ``op("exp")``, ``@0``, ``$0``
anything else     ``opaque("...")``, which cannot be read back
================  ================================================================================

Unknown and data dims, graphs and states are named in the text and declared beside it: ``Names``
holds those names. NaNs with another sign or payload than NumPy's are written by their bits.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from typing import Any

import numpy as np

from symgraph.ir.dim import Atom, Dim, DimLike
from symgraph.ir.dtype import ALL, DType
from symgraph.ir.graph import Graph
from symgraph.ir.op import Op
from symgraph.ir.states import STATES
from symgraph.ir.type import TensorType, TupleType, Type
from symgraph.records import dataclass, field

Array = np.ndarray[Any, Any]
MOST_SPELLED = 64  # larger arrays are written as base64
MOST_ALIKE = 2**27  # bytes of an array that a short text may stand for
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def content_key(array: Array) -> str:
    """A hash of dtype, shape and bits."""
    from hashlib import blake2b  # 3 ms; states and leaves need this module, and no digest

    digest = blake2b(f"{array.dtype}{array.shape}".encode(), digest_size=16)
    digest.update(raw_bytes(array))
    return digest.hexdigest()


def raw_bytes(array: Array) -> bytes:
    """The elements in row-major order and little-endian."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def quoted(text: str) -> str:
    """A text in double quotes, as JSON writes it."""
    return json.dumps(text)


def word(text: str) -> str:
    """A text as it is where it is an identifier, quoted otherwise."""
    return text if IDENTIFIER.fullmatch(text) else quoted(text)


@dataclass(slots=True)
class Writer:
    """Writes values, and collects what their text refers to.

    ``exact``: declare unknown dims with their tokens. ``elide``: arrays with more elements are
    written by their content key, and put into ``arrays``. ``blank``: states are written as zeros.
    """

    exact: bool = True
    elide: int | None = None
    blank: bool = False
    graphs: dict[Graph, int] = field(default_factory=dict)
    symbols: dict[Atom, str] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    states: dict[int, tuple[Any, str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    _types: dict[Type, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def dim(self, dim: DimLike) -> str:
        """A dimension."""
        if not isinstance(dim, Dim):
            return str(dim)
        text = ""
        for monomial, coefficient in dim.ordered:
            factors = [self._atom(a) for a in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            part = "*".join(factors)
            text += f" {sign} {part}" if text else f"-{part}" if coefficient < 0 else part
        return text

    def _atom(self, atom: Atom) -> str:
        if not atom.is_symbol:
            return f"{atom.kind}({', '.join(map(self.dim, atom.args))})"
        if atom.kind == "name":
            return word(atom.label)
        if atom not in self.symbols:
            sign = "?" if atom.kind == "unknown" else "!"
            stem = handle = sign + re.sub(r"[^\w.]", "", atom.label)
            count = 0
            while handle in self._taken:
                count += 1
                handle = f"{stem}#{count}"
            self._taken.add(handle)
            self.symbols[atom] = handle
        return self.symbols[atom]

    def declarations(self) -> list[str]:
        """What the text refers to by name: one line for every unknown and data dim."""
        return [
            f"dim {handle} = {atom.kind}({quoted(atom.label)}"
            + (f", {quoted(atom.token)})" if self.exact else ")")
            for atom, handle in self.symbols.items()
        ]

    def type(self, found: Type) -> str:
        """The type of a node."""
        text = self._types.get(found)
        if text is None:
            if isinstance(found, TupleType):
                text = f"types({', '.join(map(self.type, found.items))})"
            else:
                text = f"{found.dtype}[{', '.join(map(self.dim, found.shape))}]"
            self._types[found] = text
        return text

    def value(self, value: object) -> str:
        """An attribute."""
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, tuple):
            items = [self.value(v) for v in value]
            return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
        if isinstance(value, TensorType | TupleType):
            return self.type(value)
        if isinstance(value, Dim):
            return f"dim({self.dim(value)})"
        if isinstance(value, Graph) and value in self.graphs:
            return f"@{self.graphs[value]}"
        return _plain(value) or self._state(value)

    def _state(self, value: Any) -> str:
        if id(value) in self.states:
            return f"${list(self.states).index(id(value))}"
        for row in STATES.values():
            if type(value) is row.of:
                held = row.to_value(value)
                shown = np.zeros_like(held) if self.blank else held
                text = f"{row.tag}({self.value(shown)})"
                self.states[id(value)] = (value, text)
                return f"${len(self.states) - 1}"
        return self._opaque(type(value).__name__)

    def _opaque(self, what: str) -> str:
        self.unreadable.append(what)
        return f"opaque({quoted(what)})"

    def _array(self, array: Array) -> str:
        if array.dtype not in ALL:
            return self._opaque(f"array of {array.dtype}")
        kind = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
        if _is_alike(array):
            return f"array({kind}, all({', '.join(_elements(array.reshape(-1)[:1]) or ())}))"
        if self.elide is not None and array.size > self.elide:
            key = content_key(array)
            self.arrays[key] = array
            return f"array({kind}, content({quoted(key)}))"
        parts = _elements(array) if array.size <= MOST_SPELLED else None
        if parts is None:
            raw = base64.b64encode(raw_bytes(array)).decode()
            return f"array({kind}, base64({quoted(raw)}))"
        if array.shape == ():
            return f"{array.dtype}({', '.join(parts)})"
        return f"array({', '.join([kind, *parts])})"


def _is_alike(array: Array) -> bool:
    """Whether a large array has the same bits in all elements, which a text can say."""
    if not MOST_SPELLED < array.size <= MOST_ALIKE // array.dtype.itemsize:
        return False
    flat: Array = np.ascontiguousarray(array).reshape(-1)
    raw = flat.view(np.uint8).reshape(flat.size, flat.itemsize)
    return bool((raw == raw[0]).all()) and _elements(flat[:1]) is not None


def _plain(value: object) -> str:
    """The text of a value that refers to nothing; empty for any other."""
    match value:
        case None | bool() | int():
            return str(value)
        case float():
            return float_text(value)
        case complex():
            return f"complex({float_text(value.real)}, {float_text(value.imag)})"
        case str():
            return quoted(value)
        case bytes():
            return f"bytes({quoted(value.hex())})"
        case np.dtype():
            return str(value) if value in ALL else ""
        case Op():
            return f"op({quoted(value.name)})"
    return ""


def float_text(value: float) -> str:
    """A float with all its bits."""
    if math.isnan(value) and struct.pack("<d", value) != struct.pack("<d", math.nan):
        return f"nan({quoted(struct.pack('>d', value).hex())})"
    return repr(float(value))


def _elements(array: Array) -> list[str] | None:
    """The text of all elements, complex ones as two; None where only the bits would be exact."""
    flat: Array = np.ascontiguousarray(array).reshape(-1)
    if array.dtype.kind == "c":
        flat = flat.view(array.real.dtype)
    if flat.dtype.kind != "f":
        return [str(v) for v in flat.tolist()]
    texts = [_short(v, flat.dtype) for v in flat]
    read = np.array([float(t) for t in texts], flat.dtype)
    return texts if read.tobytes() == flat.tobytes() else None


def _short(value: Any, dtype: DType) -> str:
    """The shortest text of a floating number that reads back to it."""
    text = repr(float(str(value)))
    return text if dtype.type(text) == value else repr(float(value))
