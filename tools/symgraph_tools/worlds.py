"""Worlds: values for the leaves of graphs, ordinary and harsh, to compare two graphs on.

In every world there is a plain copy and disturbed ones, in which each operation errs by up to one
rounding, each underflow by the smallest number, and each overflow is cut off at the largest: where
they spread, the formula does not determine its value in this precision, and nothing can be said.
Two formulas *differ* in a world where they do so by far more than the spread.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symgraph.errors import SymgraphError
from symgraph.ir.dim import Atom, DimLike, atom_dim, evaluate, symbols
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.resolve import requirements, resolve
from symgraph.ir.type import Check, TensorType
from symgraph.ops.evaluate import Evaluation
from symgraph.rewrite.facts import fact

Array = np.ndarray[Any, Any]
LEAVES = ("input", "shared", "param")
LONGEST = 300  # length that is tried where a check asks for one
COPIES = 6  # of which the first is plain
ROUNDINGS, SPREADS = 256, 16  # how many of each a difference may be
# Operations that do not round: to err in them would blur comparisons for nothing.
EXACT = frozenset(
    [
        "negative",
        "abs",
        "sign",
        "maximum",
        "minimum",
        "where",
        "floor",
        "ceil",
        "trunc",
        "round",
        "proj",
        "max",
        "min",
        "broadcast_to",
        "reshape",
        "permute_dims",
        "expand_dims",
        "squeeze",
        "concat",
        "stack",
        "slice",
        "gather",
        "flip",
        "one_hot",
        "take",
    ]
)


@dataclass(frozen=True, slots=True)
class Climate:
    """How leaves are drawn: evenly in ``lo .. hi``, or in magnitude over ``decades``."""

    name: str
    lo: float = -1.0
    hi: float = 1.0
    decades: float = 0.0
    specials: tuple[float, ...] = ()


CLIMATES = (
    Climate("ordinary", -2.0, 2.0),
    Climate("positive", 0.05, 3.0),
    Climate("large", -60.0, 60.0),
    Climate("huge", -900.0, 900.0),
    Climate("tiny", decades=-12),
    Climate("all sizes", decades=9),
    Climate("special", -2.0, 2.0, specials=(0.0, -0.0, 1.0, -1.0, 0.5, 2.0)),
)


class Unchecked(SymgraphError, LookupError):
    """Nothing could be compared: the leaves that were drawn fit no shape or index."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two nodes differ: the world, both values there, and the spread of the first."""

    climate: str
    before: float
    after: float
    spread: float

    def __str__(self) -> str:
        return f"{self.before!r} became {self.after!r} on {self.climate} inputs"


@dataclass(slots=True)
class World:
    """Values of nodes: one dict per copy, filled as they are asked for."""

    climate: Climate
    seed: int
    dims: Mapping[Atom, DimLike] = field(default_factory=dict)
    copies: list[dict[Node, Any]] = field(default_factory=lambda: [{} for _ in range(COPIES)])
    evaluations: list[Evaluation] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(COPIES):
            disturb = _Disturbance(self.seed, number) if number else None
            self.evaluations.append(Evaluation({}, disturb))

    def values(self, node: Node) -> list[Any]:
        """The value of a node in every copy."""
        for evaluation, made in zip(self.evaluations, self.copies, strict=True):
            if node not in made:
                self._add_leaves(node, evaluation, made)
                evaluation.fill([node], made)
        return [made[node] for made in self.copies]

    def _add_leaves(self, node: Node, evaluation: Evaluation, made: dict[Node, Any]) -> None:
        order = toposort([node], stop=made.__contains__)
        for one in order:
            for atom in _symbols(one):
                if atom.kind != "data":
                    evaluation.sizes.setdefault(atom, _length(atom, self.dims))
        for one in order:
            if one.op.name in LEAVES and one not in made:
                made[one] = self._leaf(one, evaluation.sizes)

    def _leaf(self, node: Node, sizes: dict[Atom, int]) -> Array:
        """The same array for the same leaf in all copies, and in graphs of other dims."""
        shape = tuple(evaluate(d, sizes) for d in node.tensor.shape)
        name = f"{node.name or node.attrs.get('index', '')}{node.tensor.dtype}{shape}"
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        return drawn(self.climate, node, shape, generator)


def _symbols(node: Node) -> set[Atom]:
    dims = node.tensor.shape if isinstance(node.type, TensorType) else ()
    found = {a for d in dims for a in symbols(d)}
    dim = node.attrs.get("dim")
    return found | (symbols(dim) if dim is not None else set())


def drawn(
    climate: Climate, node: Node, shape: tuple[int, ...], generator: np.random.Generator
) -> Array:
    """Values for a leaf: in the range that is known of it, small where they count or index."""
    dtype = node.tensor.dtype
    if dtype.kind == "b":
        return generator.random(shape) < 0.5
    if dtype.kind in "iu":
        most = 2 if dtype.itemsize > 4 or dtype.kind == "i" else 2**32
        return generator.integers(0, most, shape).astype(dtype)
    parts = [_reals(climate, shape, generator) for _ in range(1 + (dtype.kind == "c"))]
    if dtype.kind == "c":
        return (parts[0] + 1j * parts[1]).astype(dtype)
    known = fact(node)
    lo, hi = float(known.lo), float(known.hi)
    found = parts[0]
    if np.isfinite(lo) and np.isfinite(hi):
        found = lo + (hi - lo) * generator.uniform(0.01, 0.99, shape)
    elif np.isfinite(lo) or np.isfinite(hi):
        found = lo + np.abs(found) + 1e-3 if np.isfinite(lo) else hi - np.abs(found) - 1e-3
    return np.asarray(found, dtype)


def _reals(climate: Climate, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    found: Array = generator.uniform(climate.lo, climate.hi, shape)
    if climate.decades:
        power = climate.decades * generator.random(shape)
        found = np.where(generator.random(shape) < 0.5, -1.0, 1.0) * 10.0**power
    if climate.specials:
        chosen = generator.choice(np.array(climate.specials), shape)
        found = np.where(generator.random(shape) < 0.5, chosen, found)
    return found


class _Disturbance:
    """One rounding error, one smallest number, or one overflow cut off, in every operation."""

    def __init__(self, seed: int, number: int) -> None:
        self.generator = np.random.default_rng([seed, number])
        self.cuts = number >= COPIES - 2

    def __call__(self, node: Node, value: Any) -> Any:
        if node.op.name in LEAVES or node.op.name in EXACT or isinstance(value, tuple):
            return value
        array = np.asarray(value)
        if array.dtype.kind not in "fc" or node.op.name == "constant":
            return value
        info = np.finfo(array.dtype)
        real = array.real.dtype
        signs = self.generator.integers(-1, 2, (2, *array.shape)).astype(real)
        with np.errstate(all="ignore"):
            found = array * (1 + signs[0] * info.eps) + signs[1] * info.tiny
            if self.cuts and array.dtype.kind == "f":
                cut = np.sign(array) * info.max * self.generator.uniform(0.2, 1, array.shape)
                found = np.where(np.isinf(array), cut, found)
        return found.astype(array.dtype)


def make_worlds(outputs: Iterable[Node], seed: int = 0) -> list[World]:
    """One world for each climate; dims that meet in the graphs of some outputs are equal."""
    outputs = tuple(outputs)
    dims = resolve(requirements(outputs), {})
    sizes = fitting_sizes(outputs, (), {}, 0)
    return [World(climate, seed + k, {**dims, **sizes}) for k, climate in enumerate(CLIMATES)]


def fitting_sizes(
    outputs: Iterable[Node], atoms: Iterable[Atom], given: Mapping[Atom, int], usual: int
) -> dict[Atom, int]:
    """Lengths of dimensions under which the checks of a graph hold; ``usual=0``: 2, 3 or 4."""
    required = requirements(outputs)
    dims = resolve(required, given)
    every = {*atoms, *(a for r in required for a in _in_check(r.check))}
    sizes = {a: _length(a, dims, usual) for a in every if a.kind != "data"}
    _fit([r.check for r in required if r.check.kind != "at_least"], sizes, dims)
    return sizes


def _in_check(check: Check) -> set[Atom]:
    return symbols(check.left) | symbols(check.right)


def _length(atom: Atom, dims: Mapping[Atom, DimLike], usual: int = 0) -> int:
    """2, 3 or 4, or the usual length; the same for dims that meet."""
    dim = dims.get(atom, atom_dim(atom))
    return evaluate(dim, {a: usual or 2 + zlib.crc32(str(a).encode()) % 3 for a in symbols(dim)})


def _fit(checks: list[Check], sizes: dict[Atom, int], dims: Mapping[Atom, DimLike]) -> None:
    """Lengths for checks that equality of symbols does not settle, as n - 2 = 8."""
    for atom in sorted(sizes, key=str):
        mine = [c for c in checks if atom in _in_check(c)]
        if _score(mine, sizes) == len(mine):
            continue
        own = dims.get(atom, atom_dim(atom))
        same = [a for a in sizes if dims.get(a, atom_dim(a)) == own]
        tries = [{**sizes, **dict.fromkeys(same, length)} for length in range(1, LONGEST)]
        scores = [_score(checks, tried) for tried in tries]
        sizes.update(tries[scores.index(max(scores))])


def _score(checks: Iterable[Check], sizes: Mapping[Atom, int]) -> int:
    """How many checks hold, of axes that are not empty."""
    found = 0
    for check in checks:
        with contextlib.suppress(SymgraphError):
            left, right = evaluate(check.left, sizes), evaluate(check.right, sizes)
            found += left == right > 0
    return found


def difference(before: Node, after: Node, worlds: Iterable[World]) -> Difference | None:
    """The first world in which two nodes differ, or None.

    Raises: Unchecked where no world has values for them.
    """
    reason = "there is no world"
    checked = False
    for world in worlds:
        try:
            first, second = world.values(before), world.values(after)
        except (SymgraphError, ValueError, IndexError) as error:  # an index outside, a length
            reason = str(error).partition("\n")[0]
            continue
        checked = True
        pairs = zip(_parts(first), _parts(second), strict=True)
        for one, other in pairs:
            found = _compared(world.climate.name, one, other)
            if found is not None:
                return found
    if not checked:
        raise Unchecked(reason)
    return None


def _parts(copies: list[Any]) -> list[list[Any]]:
    """For each result of a node with several, its copies."""
    if isinstance(copies[0], tuple):
        return [list(part) for part in zip(*copies, strict=True)]
    return [copies]


def _compared(climate: str, first: list[Any], second: list[Any]) -> Difference | None:
    one, other = np.asarray(first[0]), np.asarray(second[0])
    if one.shape != other.shape or one.dtype != other.dtype:
        return Difference(f"{climate} (of another type)", 0.0, 0.0, 0.0)
    with np.errstate(all="ignore"):
        if one.dtype.kind not in "fc":
            steady = np.ones(one.shape, bool)
            for copy in first[1:]:
                steady &= np.asarray(copy) == one
            bad, spread = steady & (one != other), np.zeros(one.shape)
        else:
            bad, spread = _apart(first, second)
    if not bad.any():
        return None
    where = tuple(np.argwhere(bad)[0])
    pair = (_number(one[where]), _number(other[where]))
    return Difference(climate, *pair, float(spread[where]))


def _apart(first: list[Any], second: list[Any]) -> tuple[Array, Array]:
    """Where the second differs by far more than the copies of the first spread."""
    one, other = np.asarray(first[0]), np.asarray(second[0])
    info = np.finfo(one.dtype)
    known = np.isfinite(one)
    spread = np.zeros(one.shape)
    for copies in (first, second):
        for copy in copies[1:]:
            array = np.asarray(copy)
            if copies is first:
                known &= np.isfinite(array)
            apart = np.abs(array - np.asarray(copies[0]))
            spread = np.maximum(spread, np.where(np.isfinite(apart), apart, 0))
    room = SPREADS * spread + ROUNDINGS * (info.eps * np.abs(one) + info.tiny)
    return known & ~(np.abs(one - other) <= room), spread


def _number(value: Any) -> float:
    return float(np.real(value))
