"""Loop-IR expressions as Python text, the same text for a reader, for numba and for plain Python.

Operators are written infix where Python, NumPy scalars and numba agree on value and dtype
(floats, 64-bit integers, comparisons); everything else is a call of a name, for which
``plain`` has a Python function and ``numba_words`` an LLVM intrinsic. Deep or shared
subexpressions become locals, because Python's parser stops at about 100 nested parentheses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any  # NumPy scalars of any dtype

import numpy as np

from symgraph.loop.ir import Cast, Const, Expr, Load, Var, Word
from symgraph.loop.traverse import children, postorder
from symgraph.loop.words import convert

DType = np.dtype[np.generic]

# Words whose name is Python's or another meaning's: spelled otherwise.
SPELLED = {
    "abs": "absolute",
    "pow": "power",
    "and": "bit_and",
    "or": "bit_or",
    "xor": "bit_xor",
    "not": "bit_not",
    "complex": "make_complex",
}
MAX_DEPTH, MAX_TEXT = 10, 90
_ATOM, _UNARY, _PRODUCT, _SUM, _AND, _XOR, _OR, _COMPARE, _NOT = 9, 8, 7, 6, 5, 4, 3, 2, 1
_ARITHMETIC = {"add": ("+", _SUM), "sub": ("-", _SUM), "mul": ("*", _PRODUCT)}
_BITWISE = {"and": ("&", _AND), "or": ("|", _OR), "xor": ("^", _XOR)}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_CANONICAL_NAN = {4: 0x7FC00000, 8: 0x7FF8000000000000}


class Speller:
    """Writes expressions; ``hoist(name, text)`` is told to write ``name = text`` before them."""

    def __init__(
        self,
        name_of: Callable[[str], str],
        fresh: Callable[[str], str],
        hoist: Callable[[str, str], None],
    ) -> None:
        self._name_of, self._fresh, self._hoist = name_of, fresh, hoist
        self.used: set[str] = set()  # names to be found in ``plain`` and ``numba_words``
        self.natural: set[str] = set()  # variables known to be >= 0: sizes and loop indices

    def expr(self, *roots: Expr) -> list[str]:
        """The text of each expression, after hoisting what is deep, long or shared."""
        nodes = list(postorder(*roots))
        uses = Counter(id(child) for node in nodes for child in children(node))
        uses.update(id(root) for root in roots)
        texts: dict[int, tuple[str, int, int]] = {}  # text, precedence, depth
        for node in nodes:
            text, precedence = self._node(node, texts)
            depth = 1 + max((texts[id(c)][2] for c in children(node)), default=0)
            shared = uses[id(node)] > 1 and isinstance(node, Word | Load | Cast)
            if shared or depth > MAX_DEPTH or len(text) > MAX_TEXT:
                name = self._fresh("t")
                self._hoist(name, text)
                text, precedence, depth = name, _ATOM, 1
            texts[id(node)] = text, precedence, depth
        return [texts[id(root)][0] for root in roots]

    def call(self, name: str, *args: str) -> str:
        """name(args), with the name noted as used."""
        self.used.add(name)
        return f"{name}({', '.join(args)})"

    def element(self, buffer: str, index: tuple[Expr, ...], texts: list[str]) -> str:
        """buffer[index]; an index that may look negative to a compiler goes through ``at``."""
        if not index:
            return f"{self._name_of(buffer)}[()]"
        parts = [
            text if self._is_natural(i) else self.call("at", text)
            for i, text in zip(index, texts, strict=True)
        ]
        return f"{self._name_of(buffer)}[{', '.join(parts)}]"

    def _is_natural(self, x: Expr) -> bool:
        if isinstance(x, Const):
            return int(x.value.real) >= 0
        return isinstance(x, Var) and x.name in self.natural

    def _node(self, node: Expr, texts: dict[int, tuple[str, int, int]]) -> tuple[str, int]:
        args = [texts[id(child)] for child in children(node)]
        match node:
            case Const():
                return self.constant(node)
            case Var(name, _):
                return self._name_of(name), _ATOM
            case Load(buffer, index, _):
                return self.element(buffer, index, [a[0] for a in args]), _ATOM
            case Cast(_, dtype):
                return self.call(cast_name(dtype), args[0][0]), _ATOM
            case Word():
                return self._word(node, args)
        raise AssertionError(node)

    def _word(self, node: Word, args: list[tuple[str, int, int]]) -> tuple[str, int]:
        name, dtype = node.name, node.args[-1].dtype
        if found := _infix(name, dtype):
            operator, level = found
            left = _paren(args[0], level + (level == _COMPARE))
            return f"{left} {operator} {_paren(args[1], level + 1)}", level
        if name == "neg" and (dtype.kind == "f" or dtype == np.int64):
            return f"-{_paren(args[0], _ATOM)}", _UNARY
        if name == "not" and dtype.kind == "b":
            return f"not {_paren(args[0], _ATOM)}", _NOT
        plain = [a[0] for a in args]
        return self.call(word_name(name, node.dtype), *plain), _ATOM

    def constant(self, x: Const) -> tuple[str, int]:
        """A constant, bit for bit, and its precedence."""
        dtype, value = x.dtype, convert(x.value, x.dtype)
        if dtype.kind == "b":
            return str(bool(value)), _ATOM
        if dtype.kind == "c":
            part = np.dtype("float32" if dtype.itemsize == 8 else "float64")
            halves = [self.constant(Const(v, part))[0] for v in (value.real, value.imag)]
            return self.call("make_complex", *halves), _ATOM
        if dtype.kind == "f":
            return self._float(value, dtype)
        text = str(int(value))
        if dtype == np.int64:
            return text, _UNARY if value < 0 else _ATOM
        return self.call(cast_name(dtype), text), _ATOM

    def _float(self, value: Any, dtype: DType) -> tuple[str, int]:
        number = float(value)
        if number != number:
            bits = int(np.asarray(value).view(f"uint{8 * dtype.itemsize}"))
            if bits != _CANONICAL_NAN[dtype.itemsize]:
                unsigned = np.dtype(f"uint{8 * dtype.itemsize}")
                return self.call(f"bitcast_{dtype}", self.call(str(unsigned), str(bits))), _ATOM
            self.used.add("nan")
            text = "nan"
        elif number in (float("inf"), float("-inf")):
            self.used.add("inf")
            text = "inf" if number > 0 else "-inf"
        else:
            text = repr(number)
        if dtype == np.float64:
            return text, _UNARY if text[0] == "-" else _ATOM
        return self.call(cast_name(dtype), text), _ATOM


def cast_name(dtype: DType) -> str:
    """The function that converts to a dtype: ``int32``, ..., ``boolean``."""
    return "boolean" if dtype.kind == "b" else str(dtype)


def word_name(name: str, result: DType) -> str:
    """The function that a word is, for a result dtype."""
    if name == "bitcast":
        return f"bitcast_{result}"
    return SPELLED.get(name, name)


def _infix(name: str, dtype: DType) -> tuple[str, int] | None:
    wide = dtype.kind in "iu" and dtype.itemsize == 8
    if name in _ARITHMETIC and (wide or dtype.kind in "fc"):
        return _ARITHMETIC[name]
    if name == "div" and dtype.kind == "f":
        return "/", _PRODUCT
    if name in _COMPARISONS and dtype.kind in "iuf":
        return _COMPARISONS[name], _COMPARE
    if name in _BITWISE and (wide or (dtype.kind == "b" and name != "xor")):
        return _BITWISE[name]
    return None


def _paren(arg: tuple[str, int, int], level: int) -> str:
    return arg[0] if arg[1] >= level else f"({arg[0]})"
