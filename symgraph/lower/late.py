"""Squares about a number that is known late: mean and variance in one visit of memory.

    s = sum(e);  m = g(s);  q = sum((e - m)**2)
    --> for each chunk: s_c = sum(e), a_c = s_c / n_c, q_c = sum((e - a_c)**2), r_c = sum(e - a_c)
        s = sum(s_c);  m = g(s);  d = a_c - m;  q = sum(q_c + d * (2 r_c + n_c d))

This holds for every m, so it does not matter how m came about; and all that is added is a square
or as good as one, so nothing cancels (Chan, Golub & LeVeque 1983, Am. Stat. 37). A chunk is read
twice, the second time from the first cache; of float32 once, as float64 has digits to spare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import FLOAT32, FLOAT64, INT64, DType
from symgraph.loop.ir import Assign, Cast, Const, Expr, For, Let, Load, Stmt, Store, Var, Word
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import children, postorder, statements, substitute
from symgraph.lower.chunks import Place
from symgraph.lower.members import Item
from symgraph.lower.nest import buffers_written
from symgraph.lower.schedule import guess_extent
from symgraph.lower.sums import Sums, renamed_locals, sums_of
from symgraph.records import dataclass

CHUNK_BYTES = 8 << 10  # of what is read twice: a part of a first-level cache
MOST_REPEATED = 16  # operations of an element that is computed again for the first of a chunk
LEAST_BYTES = 1 << 20  # below, the second-level caches hold all of it anyway
Lets = dict[str, Expr]


@dataclass(frozen=True, slots=True)
class _Fold:
    """Statements around one loop, and what the loop accumulates."""

    before: tuple[Stmt, ...]
    loop: For
    after: tuple[Stmt, ...]
    sums: Sums
    lets: Lets  # of the loop
    whole: Lets  # the same, written out
    texts: dict[str, str]  # and a digest of each

    def full(self, x: Expr) -> str:
        """A digest of an expression with the loop's locals written out."""
        return _digest(x, self.texts)


@dataclass(frozen=True, slots=True)
class _Square:
    """``name`` adds up (element - center)**2, ``center`` being a local from before the loop."""

    name: str
    element: Expr
    center: Var
    distance: Expr


def with_late_squares(
    items: Sequence[Item],
    place: Callable[[Item], Place],
    remade: Callable[[list[Stmt], Sequence[Item]], Item],
) -> list[Item]:
    """Items in which sums of squares are begun where the sum that they wait for is taken."""
    made = list(items)
    for k, item in enumerate(items):
        late = _fold_of(item)
        square = None if late is None else _square_of(late)
        if late is None or square is None:
            continue
        source = _source(made[:k], late, square)
        if source is None:
            continue
        at, early, total = source
        writer = _Writer(place(item), early, late, square, total)
        first, last = writer.early_statements(), writer.late_statements()
        made[at] = remade(first, (made[at], item))
        made[k] = remade(last, (item,))
    return made


def _fold_of(item: Item) -> _Fold | None:
    """The one outermost loop of a kernel that adds up locals alone, of known length."""
    loops = [k for k, s in enumerate(item.statements) if isinstance(s, For)]
    if len(loops) != 1:
        return None
    (at,) = loops
    loop, before = item.statements[at], item.statements[:at]
    assert isinstance(loop, For)
    if loop.kind != "vector" or not isinstance(loop.extent, Const):
        return None
    sums = sums_of(before, loop, (loop.var,))
    if sums is None or sums.buffers or not sums.locals:
        return None
    lets: Lets = {}
    whole: Lets = {}
    texts: dict[str, str] = {}
    for s in statements(loop.body):
        if isinstance(s, Let):
            texts[s.name] = _digest(s.value, texts)
            lets[s.name] = s.value
            whole[s.name] = substitute(s.value, whole)
    return _Fold(before, loop, item.statements[at + 1 :], sums, lets, whole, texts)


def _square_of(fold: _Fold) -> _Square | None:
    """The sum of squares, if it is all that the loop does."""
    if len(fold.sums.locals) != 1 or buffers_written(fold.loop.body):
        return None
    ((name, word),) = fold.sums.locals.items()
    added = _added(fold, name)
    if word != "add" or added is None or added.dtype.kind != "f":
        return None
    product = _through(added, fold.lets)
    if isinstance(product, Cast):
        product = _through(product.x, fold.lets)
    if not isinstance(product, Word) or product.name not in ("mul", "square"):
        return None
    if len({fold.full(x) for x in product.args}) != 1:
        return None
    distance = _through(product.args[0], fold.lets)
    outside = {s.name for s in fold.before if isinstance(s, Let)} - fold.sums.locals.keys()
    if not isinstance(distance, Word) or distance.name != "sub":
        return None
    element, center = distance.args
    if not isinstance(center, Var) or center.name not in outside:
        return None
    uses = [x for x in postorder(substitute(element, fold.whole)) if isinstance(x, Var)]
    if any(x.name in outside for x in uses):
        return None
    return _Square(name, element, center, product.args[0])


def _source(items: Sequence[Item], late: _Fold, square: _Square) -> tuple[int, _Fold, str] | None:
    """The item before that goes through the same elements and adds them up, and its sum's name."""
    wanted = late.full(square.element)
    needed = {x.buffer for x in postorder(substitute(square.element, late.whole))
              if isinstance(x, Load)}  # fmt: skip
    for at in range(len(items) - 1, -1, -1):
        fold = _fold_of(items[at])
        if fold is not None and _extents(fold) == _extents(late) and _is_long(late, needed, square):
            for name, word in fold.sums.locals.items():
                added = _added(fold, name)
                if added is not None and word == "add" and wanted in _forms(fold, added):
                    return at, fold, name
        if items[at].writes & needed:
            return None
    return None


def _forms(fold: _Fold, added: Expr) -> tuple[str, ...]:
    """What is added, and what that is converted from."""
    found = _through(added, fold.lets)
    return (fold.full(found), *((fold.full(found.x),) if isinstance(found, Cast) else ()))


def _extents(fold: _Fold) -> list[tuple[str, str]]:
    loops = (fold.loop, *(s for s in statements(fold.loop.body) if isinstance(s, For)))
    return [(s.var, show_expr(s.extent)) for s in loops]


def _is_long(fold: _Fold, buffers: set[str], square: _Square) -> bool:
    nbytes = len(buffers) * square.element.dtype.itemsize
    return guess_extent(fold.loop.extent) * _inner(fold) * nbytes >= LEAST_BYTES


def _inner(fold: _Fold) -> int:
    """Elements that one turn of the loop goes through."""
    total = 1
    for s in statements(fold.loop.body):
        if isinstance(s, For):
            if not isinstance(s.extent, Const):
                return 0
            total *= int(s.extent.value.real)
    return total


def _added(fold: _Fold, name: str) -> Expr | None:
    """x where the loop has ``name = name + x`` once."""
    found = [
        s.value for s in statements(fold.loop.body) if isinstance(s, Assign) and s.name == name
    ]
    if len(found) != 1 or not isinstance(found[0], Word):
        return None
    (added,) = (x for x in found[0].args if not (isinstance(x, Var) and x.name == name))
    return added


def _through(x: Expr, lets: Lets) -> Expr:
    """What a local stands for."""
    while isinstance(x, Var) and x.name in lets:
        x = lets[x.name]
    return x


def _digest(x: Expr, locals_: dict[str, str]) -> str:
    """The same for equal expressions; written out, their text may be exponentially long."""
    done: dict[int, str] = {}
    for node in postorder(x):
        if isinstance(node, Var) and node.name in locals_:
            done[id(node)] = locals_[node.name]
            continue
        head = {Word: "word", Load: "load", Cast: "cast"}.get(type(node)) or show_expr(node)
        name = getattr(node, "name", getattr(node, "buffer", ""))
        parts = (head, name, str(node.dtype), *(done[id(child)] for child in children(node)))
        done[id(node)] = blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()
    return done[id(x)]


def needed(roots: Sequence[Expr], lets: Sequence[Let], names: set[str]) -> set[str]:
    """The locals that expressions are computed from."""
    values = {s.name: s.value for s in lets}
    found, wanted = set[str](), list(roots)
    while wanted:
        for x in postorder(wanted.pop()):
            if isinstance(x, Var) and x.name in names and x.name not in found:
                found.add(x.name)
                if x.name in values:
                    wanted.append(values[x.name])
    return found


@dataclass(slots=True)
class _Writer:
    """Both loops, written in chunks: the early one with the squares, the late one over chunks."""

    place: Place
    early: _Fold
    late: _Fold
    square: _Square
    total: str
    boxes: dict[str, str] | None = None

    def _sizes(self) -> tuple[int, int, int]:
        """(turns in all, turns of a chunk, chunks)."""
        turns = guess_extent(self.late.loop.extent)
        length = max(1, CHUNK_BYTES // (self.square.element.dtype.itemsize * _inner(self.late)))
        return turns, length, -(-turns // length)

    def _box(self, count: DimLike, dtype: DType) -> str:
        return self.place.partial((count,), dtype).name

    def _left(self, chunk: Expr) -> Expr:
        """Turns of a chunk."""
        b, (turns, length, _) = self.place.b, self._sizes()
        return b.word("minimum", (b.const(length), b.sub(turns, b.mul(chunk, length))), INT64)

    def _elements(self, chunk: Expr, dtype: DType) -> Expr:
        b = self.place.b
        return b.cast(b.mul(self._left(chunk), _inner(self.late)), dtype)

    def early_statements(self) -> list[Stmt]:
        """The loop of the sum, in chunks, with what is left for later in buffers."""
        b, fold, square = self.place.b, self.early, self.square
        var, (_, length, count) = fold.loop.var, self._sizes()
        chunk, first, turn = (b.var(f"{x}_{var}") for x in ("c", "first", "j"))
        starts, dtype = fold.sums.starts, self.late.sums.starts[square.name].value.dtype
        own = {name: f"part_{name}" for name in starts}
        center, spread, rest = "center", f"part_{square.name}", "rest"
        mean = b.word(
            "div",
            (b.var(own[self.total], starts[self.total].value.dtype),
             self._elements(chunk, starts[self.total].value.dtype)),
            starts[self.total].value.dtype,
        )  # fmt: skip
        index = Let(var, b.add(first, turn))
        left = self._left(chunk)
        inner: list[Stmt] = [
            Let(f"first_{var}", b.mul(chunk, length)),
            *(Let(own[name], start.value) for name, start in starts.items()),
            Let(spread, b.const(0, dtype)),
            Let(rest, b.const(0, dtype)),
        ]
        body = [index, *(renamed_locals(s, own) for s in fold.loop.body)]
        base = self._first_element(first)
        if base is not None:
            inner += self._at_once(base, left, body)
        else:
            again = [renamed_locals(s, {square.name: spread}) for s in self._again(center, rest)]
            inner += [
                For(f"j_{var}", left, tuple(body), "vector"),
                Let(center, b.cast(mean, square.center.dtype)),
                For(f"j_{var}", left, (index, *again), "vector"),
            ]
        joined: list[Stmt] = []
        for name, word in fold.sums.locals.items():
            kind = starts[name].value.dtype
            box = self._box(count, kind)
            inner.append(Store(box, (chunk,), b.var(own[name], kind)))
            part = b.load(box, (chunk,), kind)
            joined.append(Assign(name, b.word(word, (b.var(name, kind), part), kind)))
        boxes = {x: self._box(count, dtype) for x in (center, spread, rest)}
        self.boxes = {"center": boxes[center], "spread": boxes[spread], "rest": boxes[rest]}
        kind = dtype if base is not None else square.center.dtype
        inner.append(Store(boxes[center], (chunk,), b.cast(b.var(center, kind), dtype)))
        inner += [Store(boxes[x], (chunk,), b.var(x, dtype)) for x in (spread, rest)]
        outer = For(f"c_{var}", b.const(count), tuple(inner), "parallel")
        join = For(f"c_{var}", b.const(count), tuple(joined), "vector")
        return [*fold.before, outer, join, *fold.after]

    def _first_element(self, first: Expr) -> Expr | None:
        """What a float32 chunk's first element is, in float64; None where two visits are needed."""
        late, square = self.late, self.square
        dtype = late.sums.starts[square.name].value.dtype
        is_plain = not any(isinstance(s, For) for s in late.loop.body)
        if not is_plain or square.element.dtype != FLOAT32 or dtype != FLOAT64:
            return None
        if len(late.lets) > MOST_REPEATED:
            return None
        element = substitute(square.element, late.whole)
        return self.place.b.cast(substitute(element, {late.loop.var: first}), dtype)

    def _at_once(self, base: Expr, left: Expr, body: list[Stmt]) -> list[Stmt]:
        """Sums of y = x - x[0] and y**2 in float64: squares about the mean are q - s**2 / n.

        x[0] is one of the chunk's numbers, so (mean - x[0])**2 is at most the sum of squares: what
        cancels is a factor of the chunk's length, and float64 has 2**29 to spare.
        """
        b, square, var = self.place.b, self.square, self.early.loop.var
        spread, dtype = f"part_{square.name}", FLOAT64
        lets = {s.name for s in self.late.loop.body if isinstance(s, Let)}
        known = {s.name for s in body if isinstance(s, Let)}
        more = [s for s in self.late.loop.body if isinstance(s, Let) and s.name not in known]
        wanted = needed([square.element], more, lets)
        y, above = b.var("y", dtype), b.var("above", dtype)
        body += [
            *(s for s in more if s.name in wanted),
            Let("y", b.sub(b.cast(square.element, dtype), b.var("base", dtype))),
            Assign("above", b.add(above, y)),
            Assign(spread, b.add(b.var(spread, dtype), b.mul(y, y))),
        ]
        mean = b.word("div", (above, self._elements(b.var(f"c_{var}"), dtype)), dtype)
        return [
            Let("base", base),
            Let("above", b.const(0, dtype)),
            For(f"j_{var}", left, tuple(body), "vector"),
            Let("away", mean),
            Let("center", b.add(b.var("base", dtype), b.var("away", dtype))),
            Assign(spread, b.sub(b.var(spread, dtype), b.mul(above, b.var("away", dtype)))),
        ]

    def _again(self, center: str, rest: str) -> list[Stmt]:
        """The late loop's body about another center, with the sum of what is squared."""
        b, square = self.place.b, self.square
        dtype = self.late.sums.starts[square.name].value.dtype
        values = {square.center.name: b.var(center, square.center.dtype)}
        more = b.add(b.var(rest, dtype), b.cast(square.distance, dtype))
        found = _about(self.late.loop, values, square.name, Assign(rest, more))
        assert isinstance(found, For)
        return list(found.body)

    def late_statements(self) -> list[Stmt]:
        """The sum of squares from those of chunks."""
        b, fold, square = self.place.b, self.late, self.square
        var, (*_, count) = fold.loop.var, self._sizes()
        chunk, dtype = b.var(f"c_{var}"), fold.sums.starts[square.name].value.dtype
        assert self.boxes is not None, "the early statements are written first"
        spread, rest, center = (
            b.load(self.boxes[x], (chunk,), dtype) for x in ("spread", "rest", "center")
        )
        away = b.var("away", dtype)
        twice = b.add(rest, rest)
        more = b.mul(away, b.add(twice, b.mul(self._elements(chunk, dtype), away)))
        body: tuple[Stmt, ...] = (
            Let("away", b.sub(center, b.cast(square.center, dtype))),
            Assign(square.name, b.add(b.var(square.name, dtype), b.add(spread, more))),
        )
        return [*fold.before, For(f"c_{var}", b.const(count), body, "vector"), *fold.after]


def _about(s: Stmt, values: dict[str, Expr], name: str, more: Assign) -> Stmt:
    """A statement with locals replaced, and another sum after that of ``name``."""
    if isinstance(s, For):
        body: list[Stmt] = []
        for inner in s.body:
            body.append(_about(inner, values, name, more))
            if isinstance(inner, Assign) and inner.name == name:
                body.append(more)
        return For(s.var, s.extent, tuple(body), s.kind)
    if isinstance(s, Let):
        return Let(s.name, substitute(s.value, values))
    assert isinstance(s, Assign)
    return Assign(s.name, substitute(s.value, values))
