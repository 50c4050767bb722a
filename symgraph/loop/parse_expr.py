"""Reads expressions as ``text.show_expr`` writes them, without recursion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any  # NumPy scalars of any dtype

import numpy as np

from symgraph.errors import ParseError
from symgraph.loop.ir import Cast, Const, Expr, Load, Scalar, Var, Word
from symgraph.loop.words import BOOL, DTYPES, INT64, WORDS, convert, result_dtype

DType = np.dtype[np.generic]
DTYPE_OF: dict[str, DType] = {str(d): d for d in DTYPES}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)(?!\w))"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<mark>[\[\](),]))"
)


class Names:
    """What names mean while a text is read: dtypes of scalars and of arrays."""

    def __init__(self) -> None:
        self.scalars: dict[str, DType] = {}
        self.arrays: dict[str, DType] = {}
        self.functions: set[str] = set()


def parse_exprs(text: str, names: Names) -> list[Expr]:
    """Comma-separated expressions; a stack instead of recursion, so that depth is free."""
    frames: list[tuple[str, str, list[Expr]]] = [("", "", [])]  # opener, dtype, items
    tokens = list(_tokens(text))
    position = 0
    while position < len(tokens):
        kind, token = tokens[position]
        after = tokens[position + 1][1] if position + 1 < len(tokens) else ""
        position += 1
        if kind == "number":
            frames[-1][2].append(_literal(token))
        elif kind == "name" and after in ("(", "["):
            dtype, skip = _bracket(token, tokens, position)
            frames.append((token if dtype or after == "(" else f"{token}[", dtype, []))
            position += skip
        elif kind == "name":
            frames[-1][2].append(_atom(token, names))
        elif token in (")", "]"):
            opener, dtype, items = frames.pop()
            frames[-1][2].append(_close(opener, dtype, items, names))
    if len(frames) != 1:
        raise ParseError(f"unbalanced brackets in {text!r}")
    return frames[0][2]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ParseError(f"{text[position:].strip()!r} is not understood")
        position = match.end()
        kind = match.lastgroup or ""
        yield kind, match.group(kind)


def _bracket(token: str, tokens: list[tuple[str, str]], position: int) -> tuple[str, int]:
    """(dtype, tokens to skip) after a name: ``cast[int8](`` or plain ``(`` and ``[``."""
    if token in ("cast", "bitcast", "bits") and tokens[position][1] == "[":
        return tokens[position + 1][1], 4
    return "", 1


def _literal(token: str) -> Const:
    if token.lstrip("-").isdigit() or token.startswith("0x"):
        value = int(token, 0)  # beyond int64 only inside uint64(...) and bits[...](...)
        return Const(np.int64(value) if -(2**63) <= value < 2**63 else value, INT64)
    return Const(np.float64(token), np.dtype("float64"))


def _atom(token: str, names: Names) -> Expr:
    if token in ("true", "false"):
        return Const(np.bool_(token == "true"), BOOL)
    if token not in names.scalars:
        raise ParseError(f"{token} is not in scope")
    return Var(token, names.scalars[token])


def _close(opener: str, dtype: str, items: list[Expr], names: Names) -> Expr:
    if opener.endswith("["):
        return Load(opener[:-1], tuple(items), names.arrays[opener[:-1]])
    if opener == "cast":
        return Cast(items[0], DTYPE_OF[dtype])
    if opener == "bits":
        return Const(_from_bits(items[0], DTYPE_OF[dtype]), DTYPE_OF[dtype])
    if opener in DTYPE_OF:
        return _typed(DTYPE_OF[opener], items)
    if opener in names.functions:
        return Word(opener, tuple(items), items[0].dtype)
    if opener not in WORDS:
        raise ParseError(f"there is no word {opener!r}")
    given = DTYPE_OF[dtype] if dtype else None
    found = result_dtype(opener, tuple(x.dtype for x in items), given)
    return Word(opener, tuple(items), found)


def _typed(dtype: DType, items: list[Expr]) -> Const:
    values = [x.value for x in items if isinstance(x, Const)]
    if dtype.kind == "c":
        return Const(convert(WORDS["complex"].meaning(*_parts(values, dtype)), dtype), dtype)
    return Const(convert(values[0], dtype), dtype)


def _parts(values: list[Scalar], dtype: DType) -> list[Any]:
    part = np.dtype(f"float{4 * dtype.itemsize}")
    return [convert(value, part) for value in values]


def _from_bits(x: Expr, dtype: DType) -> Any:
    assert isinstance(x, Const)
    bits = np.asarray(int(x.value.real), f"uint{8 * dtype.itemsize}")
    return bits.view(dtype)[()]
