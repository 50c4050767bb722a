"""Dimensions: integers, or polynomials over symbols that are bound when a function is called.

A dimension is an ``int`` or a ``Dim``. A ``Dim`` is a polynomial with integer coefficients over
atoms: a name (``"n"``; equal names are equal dims), an unknown (an axis given as ``None``), a
length that only data tells (``Data``), or a function of other dims (broadcast, min, max, floor
division, remainder). Dims are immutable, hashable, and normal: equal expressions compare equal.

What is not here: deciding which dims of a graph are equal (``symgraph.compile`` resolves the
checks that shape inference collects). Read next: ``ir/type.py``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Union

from symgraph.errors import ShapeError, SymbolicError, message

DimLike = Union[int, "Dim"]

_serial = itertools.count()
_session = os.urandom(6).hex()


def fresh_token() -> str:
    """A text that no other call gives, in this process or another."""
    return f"{_session}.{os.getpid()}.{next(_serial)}"


@dataclass(frozen=True, slots=True)
class Atom:
    """A symbol (`name`, `unknown`, `data`) or a function of dims (`broadcast`, `min`, ...)."""

    kind: str
    label: str = ""
    args: tuple[DimLike, ...] = ()
    token: str = ""  # tells unknowns of one label apart, also between processes

    @property
    def is_symbol(self) -> bool:
        """Is it bound from outside, not computed from other dims?"""
        return not self.args

    def __str__(self) -> str:
        if self.kind == "broadcast":
            return "|".join(map(str, self.args))
        if self.kind in ("floordiv", "mod"):
            a, b = self.args
            return f"({a} {'//' if self.kind == 'floordiv' else '%'} {b})"
        if self.args:
            return f"{self.kind}({', '.join(map(str, self.args))})"
        return self.label


Monomial = tuple[Atom, ...]


def _order(part: Atom | DimLike) -> tuple[str, str]:
    """Sorting key: by text, then by token."""
    if isinstance(part, Atom):
        return str(part), part.token
    return str(part), ",".join(sorted(a.token for a in symbols(part)))


class Dim:
    """A symbolic dimension. ``sg.Dim("n")`` makes one; arithmetic makes others.

    Equality is structural: ``Dim("n") + 1 == 1 + Dim("n")``. Ordering two dims, or asking for the
    ``int`` of one, raises unless the answer holds for every size.
    """

    __slots__ = ("_hash", "_key", "terms")
    __array_priority__: ClassVar[float] = 1000.0

    terms: Mapping[Monomial, int]

    def __init__(self, name: str) -> None:
        if not name:
            raise ShapeError("a dimension needs a name that is not empty")
        _set_terms(self, {(Atom("name", name),): 1})

    @property
    def atoms(self) -> set[Atom]:
        """All symbols inside, also those inside `min`, `//`, ...."""
        found: set[Atom] = set()
        for monomial in self.terms:
            for atom in monomial:
                if atom.is_symbol:
                    found.add(atom)
                for arg in atom.args:
                    found |= symbols(arg)
        return found

    def __add__(self, other: DimLike) -> DimLike:
        return _arith(self, other, add)

    __radd__ = __add__

    def __sub__(self, other: DimLike) -> DimLike:
        return _arith(self, other, lambda a, b: add(a, mul(-1, b)))

    def __rsub__(self, other: DimLike) -> DimLike:
        return _arith(self, other, lambda a, b: add(b, mul(-1, a)))

    def __mul__(self, other: DimLike) -> DimLike:
        return _arith(self, other, mul)

    __rmul__ = __mul__

    def __neg__(self) -> DimLike:
        return mul(-1, self)

    def __floordiv__(self, other: DimLike) -> DimLike:
        return _arith(self, other, floordiv)

    def __mod__(self, other: DimLike) -> DimLike:
        return _arith(self, other, mod)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self._hash == other._hash and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __le__(self, other: DimLike) -> bool:
        return _decide(other, self, "<=")

    def __ge__(self, other: DimLike) -> bool:
        return _decide(self, other, ">=")

    def __lt__(self, other: DimLike) -> bool:
        return not _decide(self, other, "<")

    def __gt__(self, other: DimLike) -> bool:
        return not _decide(other, self, ">")

    def __int__(self) -> int:
        raise SymbolicError(
            message(
                f"dimension {self} has no value before the function is called",
                hint="use it as it is: dims take part in arithmetic, shapes and tensor expressions",
            )
        )

    __index__ = __int__
    __float__ = __int__  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise SymbolicError(message(f"whether dimension {self} is zero is not known", hint="use sg.where or sg.cond"))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self._key:
            body = "*".join(_power(a, len(list(run))) for a, run in itertools.groupby(monomial))
            size = abs(coefficient)
            part = body if size == 1 and body else f"{size}*{body}" if body else str(size)
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {part}" if text else f"-{part}" if coefficient < 0 else part
        return text

    def __reduce__(self) -> tuple[Callable[..., DimLike], tuple[object, ...]]:
        return from_terms, (dict(self.terms),)


def _power(atom: Atom, count: int) -> str:
    text = str(atom) if atom.kind != "broadcast" or count == 1 else f"({atom})"
    return text if count == 1 else f"{text}**{count}"


def _set_terms(dim: Dim, terms: dict[Monomial, int]) -> None:
    key = tuple(sorted(terms.items(), key=lambda t: (-len(t[0]), tuple(map(_order, t[0])))))
    dim.terms = terms
    dim._key = key
    dim._hash = hash(key)


def from_terms(terms: Mapping[Monomial, int]) -> DimLike:
    """The dim with these terms; an ``int`` where no symbol is left."""
    kept = {m: c for m, c in terms.items() if c}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    dim = object.__new__(Dim)
    _set_terms(dim, kept)
    return dim


def atom_dim(atom: Atom) -> DimLike:
    """The dim that is just this atom."""
    return from_terms({(atom,): 1})


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
        raise ShapeError(message(f"{value!r} is not a dimension", hint="use an int, a name, a sg.Dim or None"))
    number = value.__index__()
    if number < 0:
        raise ShapeError(f"a dimension cannot be negative: {number}")
    return int(number)


def _terms(dim: DimLike) -> Mapping[Monomial, int]:
    return dim.terms if isinstance(dim, Dim) else {(): int(dim)}


def _arith(a: Dim, b: object, op: Callable[[DimLike, DimLike], DimLike]) -> DimLike:
    if isinstance(b, Dim):
        return op(a, b)
    if hasattr(b, "__index__") and not isinstance(b, bool) and getattr(b, "ndim", 0) == 0:
        return op(a, int(b.__index__()))
    return NotImplemented


def add(a: DimLike, b: DimLike) -> DimLike:
    """a + b."""
    out = dict(_terms(a))
    for monomial, coefficient in _terms(b).items():
        out[monomial] = out.get(monomial, 0) + coefficient
    return from_terms(out)


def mul(a: DimLike, b: DimLike) -> DimLike:
    """a * b."""
    out: dict[Monomial, int] = {}
    for m, c in _terms(a).items():
        for n, d in _terms(b).items():
            joined = tuple(sorted(m + n, key=_order))
            out[joined] = out.get(joined, 0) + c * d
    return from_terms(out)


def sub(a: DimLike, b: DimLike) -> DimLike:
    """a - b."""
    return add(a, mul(-1, b))


def product(dims: tuple[DimLike, ...]) -> DimLike:
    """The number of elements of a shape."""
    return reduce(mul, dims, 1)


def floordiv(a: DimLike, b: DimLike) -> DimLike:
    """floor(a / b): exact where every term divides, an atom otherwise."""
    if isinstance(b, int) and b == 0:
        raise ShapeError(f"dimension {a} divided by zero")
    exact = divide_exactly(a, b)
    if exact is not None:
        return exact
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    return atom_dim(Atom("floordiv", args=(a, b)))


def mod(a: DimLike, b: DimLike) -> DimLike:
    """a - b * floor(a / b)."""
    if isinstance(a, int) and isinstance(b, int) and b:
        return a % b
    return 0 if divide_exactly(a, b) is not None else atom_dim(Atom("mod", args=(a, b)))


def divide_exactly(a: DimLike, b: DimLike) -> DimLike | None:
    """a / b where b is one term that divides every term of a (b is taken as not zero); else None."""
    if a == b:
        return 1
    terms = list(_terms(b).items())
    if len(terms) != 1 or terms[0][1] == 0:
        return None
    (monomial, coefficient) = terms[0]
    out: dict[Monomial, int] = {}
    for m, c in _terms(a).items():
        rest = list(m)
        for atom in monomial:
            if atom not in rest:
                return None
            rest.remove(atom)
        if c % coefficient:
            return None
        out[tuple(rest)] = c // coefficient
    return from_terms(out)


def is_nonnegative(dim: DimLike) -> bool:
    """Is it certainly >= 0? (Sizes are; a difference may be, by ``min(u, k) <= u``.)"""
    terms = dict(_terms(dim))
    for monomial, coefficient in list(terms.items()):
        if coefficient < 0 and len(monomial) == 1 and monomial[0].kind == "min":
            _absorb_minimum(terms, monomial, coefficient)
    return all(c >= 0 for c in terms.values())


def _absorb_minimum(terms: dict[Monomial, int], monomial: Monomial, coefficient: int) -> None:
    """Replace -c*min(u, k) by a lower bound: -c*u, where u stands with at least c."""
    for arg in monomial[0].args:
        own = _terms(arg)
        if all(terms.get(m, 0) >= c * -coefficient for m, c in own.items()):
            del terms[monomial]
            for m, c in own.items():
                terms[m] = terms.get(m, 0) + c * coefficient
            return


def _decide(a: DimLike, b: DimLike, sign: str) -> bool:
    """a >= b where it can be told; raises SymbolicError otherwise."""
    if is_nonnegative(sub(a, b)):
        return True
    if is_nonnegative(sub(sub(b, a), 1)):
        return False
    raise SymbolicError(
        message(f"the order of dimensions {a} and {b} is not known ({sign})", hint="use sg.where or sg.minimum")
    )


def minimum(a: DimLike, b: DimLike) -> DimLike:
    """min(a, b), decided where it can be."""
    if is_nonnegative(sub(b, a)):
        return a
    if is_nonnegative(sub(a, b)):
        return b
    return atom_dim(Atom("min", args=tuple(sorted((a, b), key=_order))))


def maximum(a: DimLike, b: DimLike) -> DimLike:
    """max(a, b), decided where it can be."""
    if is_nonnegative(sub(a, b)):
        return a
    if is_nonnegative(sub(b, a)):
        return b
    return atom_dim(Atom("max", args=tuple(sorted((a, b), key=_order))))


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
    parts: dict[DimLike, None] = {}
    for dim in (a, b):
        for part in _broadcast_parts(dim):
            parts[part] = None
    return atom_dim(Atom("broadcast", args=tuple(sorted(parts, key=_order))))


def _broadcast_parts(dim: Dim) -> tuple[DimLike, ...]:
    if len(dim.terms) == 1:
        ((monomial, coefficient),) = dim.terms.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0].kind == "broadcast":
            return monomial[0].args
    return (dim,)


def symbols(dim: DimLike) -> set[Atom]:
    """The symbols that a dimension depends on."""
    return dim.atoms if isinstance(dim, Dim) else set()


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
    """The number that a dimension is, given its symbols' values; ShapeError where dims do not fit."""
    if not isinstance(dim, Dim):
        return dim
    found = substitute(dim, sizes)
    if isinstance(found, Dim):
        raise ShapeError(f"dimension {dim} is not determined: no value for {', '.join(map(str, found.atoms))}")
    return found


def single_atom(dim: DimLike) -> Atom | None:
    """The atom that a dimension consists of, if it is just one symbol."""
    if isinstance(dim, Dim) and len(dim.terms) == 1:
        ((monomial, coefficient),) = dim.terms.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0].is_symbol:
            return monomial[0]
    return None
