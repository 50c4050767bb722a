"""Which dimensions of a graph are equal: checks become a substitution of symbols.

A function is compiled under the assumption that dims that meet are equal. Its checks say so, and
``resolve`` turns them into a substitution, so that shapes agree by name inside the compiler. What a
call really brings is compared once, at entry (``violations``); where an axis of length 1 is meant
to broadcast instead, the function is specialised to those axes being 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symgraph.errors import ShapeError, message
from symgraph.ir.dim import (
    Atom,
    Dim,
    DimLike,
    add,
    atom_dim,
    evaluate,
    from_terms,
    single_atom,
    sub,
    substitute,
    symbols,
)
from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.node import Node
from symgraph.ir.type import Check
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class Requirement:
    """A check, and the node that made it (for the error)."""

    check: Check
    node: Node


def requirements(outputs: Iterable[Node], below: Iterable[Node] | None = None) -> list[Requirement]:
    """All checks of a graph and of the graphs inside it, each once.

    ``below``: all its nodes, inputs first, for who knows them.
    """
    found: dict[Check, Requirement] = {}
    seen: set[Graph] = set()
    pending = [toposort(outputs) if below is None else below]
    while pending:
        for node in pending.pop():
            if node.checks:
                for check in node.checks:
                    found.setdefault(check, Requirement(check, node))
            if node.attrs and node.op.name != "constant":
                fresh = [graph for graph in subgraphs(node) if graph not in seen]
                seen.update(fresh)
                pending += [toposort(graph.outputs) for graph in fresh]
    return list(found.values())


def resolve(required: Sequence[Requirement], given: Mapping[Atom, DimLike]) -> dict[Atom, DimLike]:
    """A substitution under which all checks hold by equality, starting from a given one.

    Raises ShapeError where no sizes could make them hold.
    """
    known = _Substitution()
    for atom, value in given.items():
        known.put(atom, value)
    found = known.values
    for requirement in required:
        check = requirement.check
        for a, b in _met(check.left) + _met(check.right):
            _unify(substitute(a, found), substitute(b, found), known)
        left, right = substitute(check.left, found), substitute(check.right, found)
        if isinstance(left, int) and isinstance(right, int):
            if not _holds(check.kind, left, right):
                raise ShapeError(mismatch(requirement, left, right))
            continue
        if left == right or check.kind == "at_least" or 1 in _may_be_one(check.kind, left, right):
            continue
        _unify(left, right, known)
    return found


class _Substitution:
    """What symbols become; no value mentions a symbol that is replaced itself."""

    def __init__(self) -> None:
        self.values: dict[Atom, DimLike] = {}
        self._users: dict[Atom, set[Atom]] = {}  # symbols whose values mention a symbol

    def put(self, atom: Atom, value: DimLike) -> None:
        """Sets a value as it is."""
        self.values[atom] = value
        for inner in symbols(value):
            self._users.setdefault(inner, set()).add(atom)

    def replace(self, atom: Atom, value: DimLike) -> None:
        """Sets a value, also inside of other values."""
        for user in self._users.pop(atom, ()):
            self.put(user, substitute(self.values[user], {atom: value}))
        self.put(atom, value)


def _unify(left: DimLike, right: DimLike, known: _Substitution) -> None:
    """Replace a symbol of one side, so that both sides are the same, where that can be done."""
    if left == right or 1 in (left, right):
        return
    chosen = _orient(left, right) or _solved(left, right)
    if chosen is not None:
        known.replace(*chosen)


def _met(dim: DimLike) -> list[tuple[DimLike, DimLike]]:
    """Pairs of dims that broadcast against each other inside a dimension."""
    return [
        pair for atom in broadcasts(dim) for pair in zip(atom.args, atom.args[1:], strict=False)
    ]


def broadcasts(dim: DimLike) -> list[Atom]:
    """The `broadcast` atoms inside a dimension, innermost first."""
    if not isinstance(dim, Dim):
        return []
    found: list[Atom] = []
    for monomial in dim.terms:
        for atom in monomial:
            for arg in atom.args:
                found += broadcasts(arg)
            if atom.kind == "broadcast":
                found.append(atom)
    return found


def _may_be_one(kind: str, left: DimLike, right: DimLike) -> tuple[DimLike, ...]:
    """The sides of a check on which a length of 1 stretches."""
    return {"broadcast": (left, right), "expand": (left,)}.get(kind, ())


def _holds(kind: str, left: int, right: int) -> bool:
    if kind == "at_least":
        return left >= right
    return left == right or 1 in _may_be_one(kind, left, right)


def _orient(left: DimLike, right: DimLike) -> tuple[Atom, DimLike] | None:
    """Which symbol to replace by what: unknowns go first, then names; data lengths stay."""
    options = []
    for a, b in ((left, right), (right, left)):
        atom = single_atom(a)
        if atom is not None and atom.kind != "data" and atom not in symbols(b):
            options.append((0 if atom.kind == "unknown" else 1, atom.token, atom, b))
    if not options:
        return None
    # Of two unknowns the younger is replaced: the elder is the one that users see first.
    best = min(options, key=lambda o: (o[0], not isinstance(o[3], int)))
    return best[2], best[3]


def _solved(left: DimLike, right: DimLike) -> tuple[Atom, DimLike] | None:
    """The symbol that has one value for which these are equal, where one of them is a number.

    n + 3 == 8 is n == 5, and so are max(0, n - 2) == 3, which is n - min(2, n), and min(7, n) == 5.
    """
    dim, number = (right, left) if isinstance(left, int) else (left, right)
    while isinstance(dim, Dim) and isinstance(number, int) and number >= 0:
        atom = single_atom(dim)
        if atom is not None:
            return None if atom.kind == "data" else (atom, number)
        found = _peeled(dim, number)
        if found is None:
            return None
        dim, number = found
    return None


def _peeled(dim: Dim, number: int) -> tuple[DimLike, int] | None:
    """An equation for what is inside of ``dim == number``; None where there is no one value."""
    constant = dim.terms.get((), 0)
    rest, number = sub(dim, constant), number - constant
    parts = dict(rest.terms) if isinstance(rest, Dim) else {}
    if len(parts) == 1:
        ((monomial, coefficient),) = parts.items()
        if len(monomial) != 1 or number % coefficient:
            return None
        inner = atom_dim(monomial[0])
        return _bounded(monomial[0], number) if inner == dim else (inner, number // coefficient)
    lowered = [m[0] for m, c in parts.items() if len(m) == 1 and m[0].kind == "min" and c == -1]
    for atom in lowered:  # u - min(k, u) is the rest of u beyond k
        whole = add(rest, from_terms({(atom,): 1}))
        others = [a for a in atom.args if a != whole]
        if whole in atom.args and number > 0 and isinstance(others[0], int):
            return whole, number + others[0]
    return None


def _bounded(atom: Atom, number: int) -> tuple[DimLike, int] | None:
    """min(k, u) or max(k, u) == number is u == number where number is not k."""
    if atom.kind not in ("min", "max") or len(atom.args) != 2:
        return None
    for bound, inner in (atom.args, atom.args[::-1]):
        if isinstance(bound, int) and (number < bound if atom.kind == "min" else number > bound):
            return inner, number
    return None


def violations(required: Sequence[Requirement], sizes: Mapping[Atom, int]) -> dict[Atom, int]:
    """Symbols that a call must be specialised in, because a length of 1 broadcasts.

    Empty where all dims that meet are equal. Raises ShapeError where they do not fit.
    """
    special: dict[Atom, int] = {}
    for requirement in required:
        check = requirement.check
        if any(a.kind == "data" for a in symbols(check.left) | symbols(check.right)):
            continue
        left, right = evaluate(check.left, sizes), evaluate(check.right, sizes)
        if not _holds(check.kind, left, right):
            raise ShapeError(mismatch(requirement, left, right))
        if left == right or check.kind == "at_least":
            continue
        one = check.left if left == 1 else check.right
        for atom in symbols(one):
            special[atom] = sizes[atom]
    return special


def mismatch(requirement: Requirement, left: int, right: int) -> str:
    """The error text for two dims that do not fit."""
    check, node = requirement.check, requirement.node
    facts: dict[str, object] = {
        f"input {k} of {node.op.name}" + (f" ({n.name})" if n.name else ""): n.type
        for k, n in enumerate(node.inputs)
    }
    facts["dimensions"] = f"{_named(check.left)} = {left}, {_named(check.right)} = {right}"
    line = str(node.lines[0]) if node.lines else None
    return message(
        f"{node.op.name}: {check.about}: {left} and {right} {_NEEDS[check.kind]}",
        facts,
        line,
        "check the arguments' shapes",
    )


_NEEDS = {
    "equal": "must be equal",
    "broadcast": "must be equal, or one of them 1",
    "expand": "must be equal, or the first of them 1",
    "at_least": "are in the wrong order: the first must not be smaller",
}


def _named(dim: DimLike) -> str:
    return str(dim) if isinstance(dim, Dim) else f"fixed {dim}"
