"""The algebra of dimensions: polynomials with integer coefficients over symbols, in normal form.

``Atom`` is a symbol, or a function of other dims; ``Dim`` a polynomial over atoms. What is here is
the ring (``add``, ``mul``), division, and the order of dims as far as it can be told. How dims are
made, meet and get values is in ``ir/dim.py``, from which everything is imported.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Union

from symgraph.errors import ShapeError, SymbolicError, message
from symgraph.records import dataclass

DimLike = Union[int, "Dim"]


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
            return "|".join(map(_enclosed, self.args))
        if self.kind in ("floordiv", "mod"):
            a, b = map(_enclosed, self.args)
            return f"({a} {'//' if self.kind == 'floordiv' else '%'} {b})"
        if self.args:
            return f"{self.kind}({', '.join(map(str, self.args))})"
        return self.label


Monomial = tuple[Atom, ...]


def _enclosed(dim: DimLike) -> str:
    """The text of a dim, in parentheses unless it is a number or a single atom."""
    is_plain = isinstance(dim, int) or single_part(dim) is not None
    return str(dim) if is_plain else f"({dim})"


def order_key(part: Atom | DimLike) -> tuple[str, str]:
    """Sorting key: by text, then by token."""
    return str(part), _tokens(part)


def _tokens(part: Atom | DimLike) -> str:
    if isinstance(part, Atom):
        return part.token + ",".join(map(_tokens, part.args))
    if isinstance(part, Dim):
        return ";".join(_tokens(atom) for monomial, _ in part.ordered for atom in monomial)
    return ""


def _operators(name: str, on_dims: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """An operator and its swapped form: algebra with whole numbers, an op with other numbers.

    ``n * 0.5`` and ``n / 2`` are weak scalars, as a Python number would be: they take the dtype of
    what they meet. Variables do the arithmetic themselves.
    """

    def apply(a: Any, b: Any, other: Any) -> Any:
        if isinstance(other, Dim):
            return on_dims(a, b)
        if isinstance(other, _NO_NUMBERS) or hasattr(other, "node"):
            return NotImplemented  # Python asks the other operand then
        if hasattr(other, "__index__") and getattr(other, "ndim", 0) == 0:
            number = int(other.__index__())
            return on_dims(number, b) if other is a else on_dims(a, number)
        return _as_tensors(name, a, b)

    return lambda self, other: apply(self, other, other), lambda self, other: apply(
        other, self, other
    )


_NO_NUMBERS = (bool, str, bytes, dict, list, tuple, set, type(None))


_found_by: list[Callable[[str], Callable[..., Any]]] = []


def take_ops_from(find: Callable[[str], Callable[..., Any]]) -> None:
    """Where the ops of tensors are found by name; they are made of dims, so dims cannot know."""
    _found_by[:] = [find]


def _as_tensors(name: str, a: Any, b: Any) -> Any:
    (find,) = _found_by
    return find(name)(a, b)


def _power_of(a: Any, b: Any) -> Any:
    """a ** b: a product where b is a small whole number."""
    if type(b) is not int or not 0 <= b <= 8:
        return _as_tensors("pow", a, b)
    return 1 if b == 0 else mul(a, _power_of(a, b - 1))


class Dim:
    """A symbolic dimension. ``sg.Dim("n")`` makes one; arithmetic makes others.

    Equality is structural: ``Dim("n") + 1 == 1 + Dim("n")``. Ordering two dims, or asking for the
    ``int`` of one, raises unless the answer holds for every size.
    """

    __slots__ = ("_hash", "_key", "terms")
    __array_priority__: ClassVar[float] = 1000.0

    terms: Mapping[Monomial, int]
    _key: tuple[tuple[Monomial, int], ...]
    _hash: int

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ShapeError(
                message(
                    f"{name!r} is not the name of a dimension", hint="use a text that is not empty"
                )
            )
        _set_terms(self, {(Atom("name", name),): 1})

    @property
    def ordered(self) -> tuple[tuple[Monomial, int], ...]:
        """Monomials with their coefficients, in the one order that equal dims share."""
        return self._key

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

    __add__, __radd__ = _operators("add", lambda a, b: add(a, b))
    __sub__, __rsub__ = _operators("subtract", lambda a, b: sub(a, b))
    __mul__, __rmul__ = _operators("multiply", lambda a, b: mul(a, b))
    __floordiv__, __rfloordiv__ = _operators("floor_divide", lambda a, b: floordiv(a, b))
    __mod__, __rmod__ = _operators("remainder", lambda a, b: mod(a, b))
    __truediv__, __rtruediv__ = _operators("divide", lambda a, b: _as_tensors("divide", a, b))
    __pow__, __rpow__ = _operators("pow", lambda a, b: _power_of(a, b))

    def __neg__(self) -> DimLike:
        return mul(-1, self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Dim) and self._hash == other._hash and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    __ge__, __le__ = _operators("greater_equal", lambda a, b: _decide(a, b, ">="))
    __gt__, __lt__ = _operators("greater", lambda a, b: not _decide(b, a, ">"))

    def __int__(self) -> int:
        raise SymbolicError(
            message(
                f"dimension {self} has no value before the function is called",
                hint="use it as it is: dims take part in arithmetic, shapes and tensor expressions",
            )
        )

    __index__ = __int__
    __float__ = __int__

    def __bool__(self) -> bool:
        raise SymbolicError(
            message(
                f"whether dimension {self} is zero is not known", hint="use sg.where or sg.cond"
            )
        )

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        alone = single_part(self)
        if alone is not None:
            return str(alone)
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
    text = f"({atom})" if atom.kind == "broadcast" else str(atom)
    return text if count == 1 else f"{text}**{count}"


def _set_terms(dim: Dim, terms: dict[Monomial, int]) -> None:
    lengths = {len(monomial) for monomial in terms}
    if len(lengths) == len(terms):  # texts, which are dear, need not decide
        key = tuple(sorted(terms.items(), key=lambda t: -len(t[0])))
    else:
        key = tuple(sorted(terms.items(), key=lambda t: (-len(t[0]), *map(order_key, t[0]))))
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


def terms_of(dim: DimLike) -> Mapping[Monomial, int]:
    """A dim as coefficients by monomial; a number has the empty monomial."""
    return dim.terms if isinstance(dim, Dim) else {(): int(dim)}


def add(a: DimLike, b: DimLike) -> DimLike:
    """a + b."""
    if type(b) is int and (b == 0 or type(a) is int):
        return a + b if type(a) is int else a
    if type(a) is int and a == 0:
        return b
    out = dict(terms_of(a))
    for monomial, coefficient in terms_of(b).items():
        out[monomial] = out.get(monomial, 0) + coefficient
    return from_terms(out)


def mul(a: DimLike, b: DimLike) -> DimLike:
    """a * b."""
    if type(a) is int and (a == 1 or type(b) is int):
        return a * b if type(b) is int else b
    if type(b) is int and b == 1:
        return a
    out: dict[Monomial, int] = {}
    for m, c in terms_of(a).items():
        for n, d in terms_of(b).items():
            joined = tuple(sorted(m + n, key=order_key)) if m and n else m or n
            out[joined] = out.get(joined, 0) + c * d
    return from_terms(out)


def sub(a: DimLike, b: DimLike) -> DimLike:
    """a - b."""
    return add(a, mul(-1, b))


def floordiv(a: DimLike, b: DimLike) -> DimLike:
    """floor(a / b): exact where every term divides; an atom for what is left, otherwise.

    By a number: floor((b*q + r) / b) = q + floor(r / b), with the coefficients of r in 0 .. b-1.
    """
    if isinstance(b, int):
        whole, rest = _divide_by_number(a, b)
        if isinstance(rest, int):
            return whole
        return add(whole, atom_dim(Atom("floordiv", args=(rest, abs(b)))))
    exact = 0 if a == 0 else divide_exactly(a, b)
    return atom_dim(Atom("floordiv", args=(a, b))) if exact is None else exact


def mod(a: DimLike, b: DimLike) -> DimLike:
    """a - b * floor(a / b)."""
    if isinstance(b, int) and b > 0:
        rest = _divide_by_number(a, b)[1]
        return rest if isinstance(rest, int) else atom_dim(Atom("mod", args=(rest, b)))
    if isinstance(b, int):
        return sub(a, mul(b, floordiv(a, b)))
    is_exact = a == 0 or divide_exactly(a, b) is not None
    return 0 if is_exact else atom_dim(Atom("mod", args=(a, b)))


def _divide_by_number(a: DimLike, b: int) -> tuple[DimLike, DimLike]:
    """(q, r) with a = b*q + r, or -a = -b*q + r for b < 0; coefficients of r in 0 .. abs(b)-1."""
    if b == 0:
        raise ShapeError(f"dimension {a} divided by zero")
    size, sign = abs(b), 1 if b > 0 else -1
    parts = {m: divmod(sign * c, size) for m, c in terms_of(a).items()}
    whole = from_terms({m: q for m, (q, _) in parts.items()})
    return whole, from_terms({m: r for m, (_, r) in parts.items()})


def divide_exactly(a: DimLike, b: DimLike) -> DimLike | None:
    """a / b where b is one term, taken as not zero, that divides every term of a; else None."""
    if a == b:
        return 1
    terms = list(terms_of(b).items())
    if len(terms) != 1 or terms[0][1] == 0:
        return None
    (monomial, coefficient) = terms[0]
    out: dict[Monomial, int] = {}
    for m, c in terms_of(a).items():
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
    """Is it certainly >= 0, whatever the sizes? Uses min(u, k) <= u and max(u, k) >= u."""
    if type(dim) is int:
        return dim >= 0
    terms = dict(terms_of(dim))
    for monomial, coefficient in list(terms.items()):
        kind = monomial[0].kind if len(monomial) == 1 else ""
        is_high = kind == "max" and coefficient > 0 and min(terms.values()) < 0
        if is_high or (kind == "min" and coefficient < 0):
            _bound_by_argument(terms, monomial, coefficient)
    return all(c >= 0 and (c == 0 or _is_size(m)) for m, c in terms.items())


def _is_size(monomial: Monomial) -> bool:
    return all(map(_is_size_atom, monomial))


def _is_size_atom(atom: Atom) -> bool:
    """Is an atom certainly >= 0? Symbols are lengths; functions depend on their args."""
    if atom.kind in ("min", "floordiv"):
        return all(map(is_nonnegative, atom.args))
    if atom.kind == "max":
        return any(map(is_nonnegative, atom.args))
    return atom.kind != "mod" or is_nonnegative(atom.args[1])


def _bound_by_argument(terms: dict[Monomial, int], monomial: Monomial, coefficient: int) -> None:
    """Replace c*min(u, k), c < 0, or c*max(u, k), c > 0, by a lower bound c*u that helps."""
    for arg in monomial[0].args:
        own = terms_of(arg)
        after = {m: terms.get(m, 0) + c * coefficient for m, c in own.items()}
        helps = coefficient < 0 or any(terms.get(m, 0) < 0 for m in own)
        if helps and all(c == 0 or (c > 0 and _is_size(m)) for m, c in after.items()):
            del terms[monomial]
            terms.update(after)
            return


def _decide(a: DimLike, b: DimLike, sign: str) -> bool:
    """a >= b where it can be told; raises SymbolicError otherwise."""
    if is_nonnegative(sub(a, b)):
        return True
    if is_nonnegative(sub(sub(b, a), 1)):
        return False
    raise SymbolicError(
        message(
            f"the order of dimensions {a} and {b} is not known ({sign})",
            hint="use sg.where or sg.minimum",
        )
    )


def single_part(dim: DimLike) -> Atom | None:
    """The atom that a dimension consists of, if it is just one: a symbol or a function."""
    if isinstance(dim, Dim) and len(dim.terms) == 1:
        ((monomial, coefficient),) = dim.terms.items()
        if coefficient == 1 and len(monomial) == 1:
            return monomial[0]
    return None


def symbols(dim: DimLike) -> set[Atom]:
    """The symbols that a dimension depends on."""
    return dim.atoms if isinstance(dim, Dim) else set()
