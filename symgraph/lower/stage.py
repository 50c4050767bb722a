"""One loop nest per stored node: its iteration space, its value as scalar code, what it reads.

Loop number ``d`` of a stage runs over ``space[d]`` with the index ``i{d}``; axes of length 1 have
no loop. Two stages whose leading loops agree may share them, so the indices have the same names in
all stages. ``lets`` are the stage's scalar code in order, each with the number of loops that it
needs around it (``level``), so that what does not change inside a loop is computed outside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import DType
from symgraph.ir.node import Node
from symgraph.loop.ir import Cast, Const, Expr, Load, Stmt, Store, Update, Var, Word
from symgraph.loop.traverse import postorder
from symgraph.lower.demand import is_scalar_constant, keeps_order
from symgraph.lower.shift import Bounds, joined_value
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

Index = tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """A buffer of the program: name, element type, and the shape in dims."""

    name: str
    dtype: DType
    shape: tuple[DimLike, ...]


@dataclass(slots=True)
class ScalarLet:
    """``name = value``, valid inside ``level`` loops of the stage."""

    name: str
    value: Expr
    level: int
    node: Node | None = None  # whose value it is


@dataclass(slots=True)
class Stage:
    """A loop nest that writes one buffer (or only checks something).

    ``kept`` is the number of outer loops after which the result is complete: all of them for an
    elementwise value, fewer for a reduction. ``before`` and ``after`` run inside ``kept`` loops,
    around the others; ``inside`` runs in the innermost. ``sequential`` is the first loop whose
    turns depend on each other, if any.
    """

    node: Node
    space: tuple[DimLike, ...]
    kept: int
    target: Storage | None
    index: Index = ()
    lets: list[ScalarLet] = field(default_factory=list)
    before: list[Stmt] = field(default_factory=list)
    inside: list[Stmt] = field(default_factory=list)
    after: list[Stmt] = field(default_factory=list)
    sequential: int | None = None
    value: Expr | None = None
    private: list[Storage] = field(default_factory=list)
    alone: bool = False
    number: int = 0

    def loads(self) -> list[Load]:
        """Every element that the stage reads."""
        return [let.value for let in self.lets if isinstance(let.value, Load)]

    @property
    def is_check(self) -> bool:
        """Does it only make sure that indices are inside their axes?"""
        return self.target is None

    @property
    def looks_up(self) -> bool:
        """Is a place that it reads or writes known by values alone, so that it must be checked?"""
        made = {let.name for let in self.lets}
        places = [load.index for load in self.loads()]
        places += [s.index for s in self.inside if isinstance(s, Store | Update)]
        parts = postorder(*(x for index in places for x in index))
        return any(isinstance(x, Var) and x.name in made for x in parts)


def loop_index(b: WordBuilder, depth: int) -> Expr:
    """The index of loop number ``depth``."""
    return b.var(f"i{depth}")


def loops_of(shape: tuple[DimLike, ...], b: WordBuilder) -> tuple[tuple[DimLike, ...], Index]:
    """Iteration space over a shape (axes of length 1 have no loop) and the index in it."""
    space: list[DimLike] = []
    index: list[Expr] = []
    for dim in shape:
        if dim == 1:
            index.append(b.const(0))
        else:
            index.append(loop_index(b, len(space)))
            space.append(dim)
    return tuple(space), tuple(index)


def level_of(x: Expr, known: Mapping[str, int]) -> int:
    """How many loops an expression needs around it; ``known`` has the levels of locals."""
    best = 0
    stack = [x]
    while stack:
        e = stack.pop()
        if type(e) is Var:
            name = e.name
            if name[0] == "i" and name[1:].isdigit():
                best = max(best, int(name[1:]) + 1)
            else:
                best = max(best, known.get(name, 0))
        elif type(e) is Word:
            stack += e.args
        elif type(e) is Load:
            stack += e.index
        elif type(e) is Cast:
            stack.append(e.x)
    return best


def children(x: Expr) -> tuple[Expr, ...]:
    """The expressions that an expression is made of."""
    if type(x) is Word:
        return x.args
    if type(x) is Load:
        return x.index
    return (x.x,) if type(x) is Cast else ()


def with_parts(b: WordBuilder, x: Expr, parts: list[Expr]) -> Expr:
    """The same expression of other parts."""
    made = tuple(parts)
    if made == children(x):  # expressions compare by identity
        return x
    if isinstance(x, Word):
        return b.word(x.name, made, x.dtype)
    if isinstance(x, Load):
        return b.load(x.buffer, made, x.dtype)
    return b.cast(made[0], x.dtype)


def parts_of(value: Expr) -> tuple[list[Expr], dict[Expr, int]]:
    """The parts of an expression that are computed, innermost first, and how many read each."""
    order: list[Expr] = []
    readers: dict[Expr, int] = {}
    seen: set[Expr] = set()
    stack: list[Expr | None] = [value]  # None: what is below it is in order
    while stack:
        x = stack.pop()
        if x is None:
            x = stack.pop()
            assert x is not None
            order.append(x)
        elif x not in seen:
            seen.add(x)
            stack += (x, None)
            for part in reversed(children(x)):
                if type(part) is not Var and type(part) is not Const:
                    readers[part] = readers.get(part, 0) + 1
                    stack.append(part)
    return order, readers


class Scalars:
    """Writes the scalar code of one stage: values of nodes at indices, each computed once."""

    def __init__(
        self,
        b: WordBuilder,
        prefix: str,
        storage: Callable[[Node], Storage | None],
        bounds: Bounds | None = None,
    ) -> None:
        self.b, self.prefix, self.storage = b, prefix, storage
        self.bounds = bounds or Bounds()
        self._values: dict[str, Expr] = {}
        self.lets: list[ScalarLet] = []
        self.levels: dict[str, int] = {}
        self._memo: dict[tuple[Node, Index], Expr] = {}
        self._node: Node | None = None

    def let(self, value: Expr) -> Expr:
        """A local for a value, unless it is one already."""
        if type(value) is Var or type(value) is Const:
            return value
        return self._named(self._with_repeated_parts_named(value))

    def _with_repeated_parts_named(self, value: Expr) -> Expr:
        """An expression in which what several parts read is a local: expressions are no trees."""
        if all(type(part) is Var or type(part) is Const for part in children(value)):
            return value
        order, readers = parts_of(value)
        if all(count == 1 for count in readers.values()):
            return value
        made: dict[Expr, Expr] = {}
        for part in order:
            found = with_parts(self.b, part, [made.get(p, p) for p in children(part)])
            made[part] = self._named(found) if readers.get(part, 1) > 1 else found
        return made[value]

    def _named(self, value: Expr) -> Expr:
        if type(value) is Var or type(value) is Const:
            return value
        name = f"{self.prefix}{len(self.lets)}"
        level = level_of(value, self.levels)
        self.lets.append(ScalarLet(name, value, level, self._node))
        self.levels[name] = level
        self._values[name] = value
        return self.b.var(name, value.dtype)

    def defined(self, x: Expr) -> Expr:
        """What a local stands for."""
        return self._values.get(x.name, x) if isinstance(x, Var) else x

    def value(self, node: Node, index: Index) -> Expr:
        """Element ``index`` of a node. Elementwise chains are walked without recursion."""
        stack = [(node, index)]
        while stack:
            key = stack[-1]
            if key in self._memo:
                stack.pop()
                continue
            outer, self._node = self._node, key[0]
            found = self._try(key, stack)
            self._node = outer
            if found is not None:
                self._memo[key] = found
                stack.pop()
        return self._memo[(node, index)]

    def _try(self, key: tuple[Node, Index], stack: list[tuple[Node, Index]]) -> Expr | None:
        node, index = key
        stored = self.storage(node)
        if stored is not None:
            return self.let(
                self.b.load(stored.name, self._within(stored.shape, index), stored.dtype)
            )
        if is_scalar_constant(node):
            return self.b.const(node.attrs["value"], node.tensor.dtype)
        if node.op.name == "dim":
            return self.b.size(node.attrs["dim"])
        if node.op.kind == "elementwise":
            return self._elementwise(node, index, stack)
        return self.let(self._view(node, index))

    def _within(self, shape: tuple[DimLike, ...], index: Index) -> Index:
        if 1 not in shape:
            return index
        zero = self.b.const(0)
        return tuple([zero if d == 1 else i for d, i in zip(shape, index, strict=True)])

    def _elementwise(
        self, node: Node, index: Index, stack: list[tuple[Node, Index]]
    ) -> Expr | None:
        keys = [(i, self.broadcast_index(i, index)) for i in node.inputs]
        missing = [k for k in keys if k not in self._memo]
        if missing:
            stack.extend(reversed(missing))
            return None
        args = [self._memo[k] for k in keys]
        assert node.op.element is not None
        if node.op.name == "astype":
            return self.let(self.b.cast(args[0], node.tensor.dtype))
        return self.let(node.op.element(self.b, *args, **node.attrs))

    def broadcast_index(self, node: Node, index: Index) -> Index:
        """The index into an input of an elementwise node at ``index`` of the result."""
        shape = node.tensor.shape
        return self._within(shape, index[len(index) - len(shape) :])

    def _view(self, node: Node, index: Index) -> Expr:
        if node.op.name == "reshape" and keeps_order(node):
            return self._reshape(node, index)
        if node.op.kind in ("pieces", "scatter"):
            return joined_value(self, node, index)
        accessors = [Accessor(self, i) for i in node.inputs]
        assert node.op.element is not None, f"{node.op.name} cannot be computed inside a loop"
        return node.op.element(self.b, index, accessors, node.tensor, node.attrs)  # type: ignore[no-any-return]

    def _reshape(self, node: Node, index: Index) -> Expr:
        """Axes of length 1 added or dropped; other reshapes are buffers that ``storage`` knows."""
        (source,) = node.inputs
        shape = source.tensor.shape
        real = iter([i for i, d in zip(index, node.tensor.shape, strict=True) if d != 1])
        return self.value(source, tuple(self.b.const(0) if d == 1 else next(real) for d in shape))


class Accessor:
    """What an op row sees of an input: ``x(index)``, an element; its shape and dtype."""

    __slots__ = ("dtype", "node", "scalars", "shape")

    def __init__(self, scalars: Scalars, node: Node) -> None:
        self.scalars, self.node = scalars, node
        self.shape, self.dtype = node.tensor.shape, node.tensor.dtype

    def __call__(self, index: Any) -> Expr:
        """The element at an index, given as a tuple of int64 expressions."""
        return self.scalars.value(self.node, tuple(index))
