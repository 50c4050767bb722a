"""Dimensions: integers, or polynomials over symbols that are bound when a function is called.

A dimension is an ``int`` or a ``Dim``. A ``Dim`` is a polynomial with integer coefficients over
atoms: a name (``"n"``; equal names are equal dims), an unknown (an axis given as ``None``), a
length that only data tells, or a function of other dims (broadcast, min, max, floor division,
remainder). Dims are immutable, hashable, and normal: equal expressions compare equal.

The algebra itself is in ``ir/dim_algebra.py`` and offered here too. What is not here: deciding
which dims of a graph are equal (``ir/resolve.py``). Read next: ``ir/type.py``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from functools import lru_cache

from symgraph.errors import ShapeError, message
from symgraph.ir.dim_algebra import (
    Atom,
    Dim,
    DimLike,
    Monomial,
    add,
    atom_dim,
    divide_exactly,
    floordiv,
    from_terms,
    is_nonnegative,
    mod,
    mul,
    order_key,
    single_part,
    sub,
    symbols,
    take_ops_from,
)

__all__ = [
    "Atom",
    "Dim",
    "DimLike",
    "Monomial",
    "add",
    "as_dim",
    "atom_dim",
    "broadcast",
    "data_length",
    "divide_exactly",
    "evaluate",
    "floordiv",
    "fresh_token",
    "from_terms",
    "is_nonnegative",
    "maximum",
    "minimum",
    "mod",
    "mul",
    "product",
    "single_atom",
    "sub",
    "substitute",
    "symbols",
    "take_ops_from",
    "unknown",
]

_serial = itertools.count()
_session = os.urandom(6).hex()


def fresh_token() -> str:
    """A text that no other call gives, in this process or another."""
    return f"{_session}.{os.getpid()}.{next(_serial)}"


def unknown(label: str) -> DimLike:
    """A fresh dimension of unknown length; ``label`` is for people (``"x.0"``)."""
    return atom_dim(Atom("unknown", f"?{label}", token=fresh_token()))


def data_length(label: str) -> DimLike:
    """A fresh dimension whose length only the data tells (a slice with computed bounds)."""
    return atom_dim(Atom("data", f"!{label}", token=fresh_token()))


def as_dim(value: object, label: str = "dim") -> DimLike:
    """int, name, Dim or None (unknown) to a dimension."""
    if isinstance(value, Dim):
        return value
    if value is None:
        return unknown(label)
    if isinstance(value, str):
        return Dim(value)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ShapeError(
            message(f"{value!r} is not a dimension", hint="use an int, a name, a sg.Dim or None")
        )
    number = int(value.__index__())
    if number < 0:
        raise ShapeError(f"a dimension cannot be negative: {number}")
    return number


def product(dims: tuple[DimLike, ...]) -> DimLike:
    """The number of elements of a shape."""
    total: DimLike = 1
    for dim in dims:
        total = mul(total, dim)
    return total


def minimum(a: DimLike, b: DimLike) -> DimLike:
    """min(a, b), decided where it can be."""
    if is_nonnegative(sub(b, a)):
        return a
    if is_nonnegative(sub(a, b)):
        return b
    return atom_dim(Atom("min", args=tuple(sorted((a, b), key=order_key))))


def maximum(a: DimLike, b: DimLike) -> DimLike:
    """max(a, b), decided where it can be."""
    if is_nonnegative(sub(a, b)):
        return a
    if is_nonnegative(sub(b, a)):
        return b
    for number, other in ((a, b), (b, a)):
        if isinstance(number, int) and isinstance(other, Dim):
            constant = other.terms.get((), 0)
            symbol = sub(other, constant)
            if single_atom(symbol) is not None:  # one form: the lengths of x[1:] and x[:1] add up
                return add(symbol, sub(number, minimum(number - constant, symbol)))
    return atom_dim(Atom("max", args=tuple(sorted((a, b), key=order_key))))


def broadcast(a: DimLike, b: DimLike) -> DimLike | None:
    """The dim of two axes that meet elementwise; None where they never fit.

    A symbol that meets a number other than 1 must be that number or 1, so the number results. Two
    different symbols give a `broadcast` atom: equal, or one of them 1, which only a call tells.
    """
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        return None
    if isinstance(a, int) or isinstance(b, int):
        return a if isinstance(a, int) else b
    return _broadcast_symbols(a, b)


@lru_cache(maxsize=64)  # a chain of a thousand operations meets one pair a thousand times
def _broadcast_symbols(a: Dim, b: Dim) -> DimLike:
    parts: dict[DimLike, None] = {}
    for dim in (a, b):
        for part in _broadcast_parts(dim):
            parts[part] = None
    return atom_dim(Atom("broadcast", args=tuple(sorted(parts, key=order_key))))


def _broadcast_parts(dim: Dim) -> tuple[DimLike, ...]:
    part = single_part(dim)
    return part.args if part is not None and part.kind == "broadcast" else (dim,)


def _broadcast_value(*values: DimLike) -> DimLike:
    found: DimLike = 1
    for value in values:
        met = broadcast(found, value)
        if met is None:
            raise ShapeError(f"dimensions {found} and {value} do not broadcast")
        found = met
    return found


_FUNCTIONS: dict[str, Callable[..., DimLike]] = {
    "min": minimum,
    "max": maximum,
    "floordiv": floordiv,
    "mod": mod,
    "broadcast": _broadcast_value,
}


def substitute(dim: DimLike, values: Mapping[Atom, DimLike]) -> DimLike:
    """The dim with symbols (or whole atoms) replaced, simplified again."""
    if not isinstance(dim, Dim) or not values:
        return dim
    total: DimLike = 0
    for monomial, coefficient in dim.terms.items():
        term: DimLike = coefficient
        for atom in monomial:
            term = mul(term, _substitute_atom(atom, values))
        total = add(total, term)
    return total


def _substitute_atom(atom: Atom, values: Mapping[Atom, DimLike]) -> DimLike:
    if atom in values:
        return values[atom]
    if atom.is_symbol:
        return atom_dim(atom)
    return _FUNCTIONS[atom.kind](*[substitute(a, values) for a in atom.args])


def evaluate(dim: DimLike, sizes: Mapping[Atom, int]) -> int:
    """The number that a dimension is, given its symbols; ShapeError where dims do not fit."""
    if not isinstance(dim, Dim):
        return dim
    found = substitute(dim, sizes)
    if isinstance(found, Dim):
        raise ShapeError(
            f"dimension {dim} is not determined: no value for {', '.join(map(str, found.atoms))}"
        )
    return found


def single_atom(dim: DimLike) -> Atom | None:
    """The atom that a dimension consists of, if it is just one symbol."""
    part = single_part(dim)
    return part if part is not None and part.is_symbol else None
