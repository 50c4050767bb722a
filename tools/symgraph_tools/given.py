"""What a command line says about a target: arguments of a factory, shapes, dtypes, lengths."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

SHORT_DTYPES = {
    "f32": "float32", "f64": "float64", "c64": "complex64", "c128": "complex128", "b": "bool",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """By name: ``args`` of a factory, ``shapes`` and ``dtypes`` of inputs, ``dims`` of graphs."""

    args: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    execute: bool = False

    @staticmethod
    def parse(
        arg: Sequence[str],
        shape: Sequence[str],
        dtype: Sequence[str],
        dim: Sequence[str],
        execute: bool,
    ) -> Given:
        """From the texts of ``--arg``, ``--shape``, ``--dtype``, ``--dim``; or a usage error."""
        return Given(
            {name: _value(text) for name, text in _pairs(arg, "--arg")},
            {name: _shape(text) for name, text in _pairs(shape, "--shape")},
            {name: SHORT_DTYPES.get(text, text) for name, text in _pairs(dtype, "--dtype")},
            {name: _length(text, "--dim") for name, text in _pairs(dim, "--dim")},
            execute,
        )


def _pairs(texts: Iterable[str], option: str) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=repr(option))
        found.append((name, value))
    return found


def _value(text: str) -> Any:
    """A Python literal, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _shape(text: str) -> tuple[int | str, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(int(p) if p.isdecimal() else p for p in parts)


def _length(text: str, option: str) -> int:
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is no length", param_hint=repr(option))
    return int(text)
