"""Products of float32 numbers that only sums in float64 read are taken in float64 as well.

    for j: y = c[j] / s * g[j] + b[j];  t += float64(2 * y * y);  u += float64(y * g[j]) ...
    --> r = 1 / float64(s);  for j: y = float64(c[j]) * r * float64(g[j]) + float64(b[j]);
        t' += y * y;  u += y * g ...;  t += 2 * t'

A sum of float32 terms is accumulated in float64 (``build``), so each term is converted. Where
several sums share what they are made of, fewer conversions are needed if that is converted; a row's
divisor becomes a factor, and factors that do not change in the loop are taken out of its sum (as
``rewrite.moments`` does with quotients: one that is infinite makes a sum infinite where terms of
both signs made it NaN). No term is rounded to float32: sums only gain digits. What is stored is
float32 as before.

It runs on the statements of a kernel, before ``chunks``, and changes a loop where instructions
become fewer. Not as written, nor where float64 is slow (``Schedule``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import count

from symgraph.ir.dtype import FLOAT32, FLOAT64
from symgraph.loop.ir import Assign, Cast, Const, Expr, For, Let, Load, Stmt, Store, Var, Word
from symgraph.loop.traverse import children, expressions, postorder, statements
from symgraph.lower.schedule import guess_extent
from symgraph.lower.sums import joined_element, sums_of
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

SHORTEST = 64  # turns: rows below may become lanes, as they are
MOST_FACTORS = 6  # of a term: (2**128)**6 is far inside float64
DIVISION = 8  # instructions that a division of float32 takes as long as
_EXACT = frozenset(("add", "sub", "mul", "neg", "square"))
Fixed = Callable[[str], bool]


def widened(block: Sequence[Stmt], b: WordBuilder) -> list[Stmt]:
    """Statements of a kernel, with wide terms of sums where that takes fewer instructions."""
    out: list[Stmt] = []
    names = count()
    for s in block:
        if not isinstance(s, For):
            out.append(s)
            continue
        changed = {x.name for x in statements((s,)) if isinstance(x, Assign)}
        fixed = {x.name for x in out if isinstance(x, Let)} - changed
        place = _Place(b, names, frozenset(fixed), _columns(out, s))
        known = {x.name for x in out if isinstance(x, Let)}
        out += _visited(s, known, place)
        out += _scaled(out, place)
    return out


@dataclass(slots=True)
class _Place:
    """What the loops of one outermost loop share.

    ``fixed``: locals that it does not change; ``columns``: buffers that it does nothing with but
    add to; ``factors``: those of what was added to such a buffer.
    """

    b: WordBuilder
    names: Iterator[int]
    fixed: frozenset[str]
    columns: frozenset[str]
    factors: dict[str, Expr] = field(default_factory=dict)

    def name(self, about: str) -> str:
        """A new name."""
        return f"{about}_{next(self.names)}"


def _columns(before: Sequence[Stmt], loop: For) -> frozenset[str]:
    """Buffers that were filled with 0 and that a loop adds to once, with no other use."""
    if not any(_is_zero_fill(s) for s in before):
        return frozenset()
    sums = sums_of(before, loop, (loop.var,))
    if sums is None:
        return frozenset()
    loads = [
        x.buffer
        for s in statements((loop,))
        for x in postorder(*expressions(s))
        if isinstance(x, Load)
    ]
    stores = [s.buffer for s in statements((loop,)) if isinstance(s, Store)]
    return frozenset(
        name
        for name, fill in sums.fills.items()
        if sums.buffers[name] == "add" and loads.count(name) == stores.count(name) == 1
        and _is_zero_fill(fill)
    )  # fmt: skip


def _is_zero_fill(s: Stmt) -> bool:
    while isinstance(s, For) and len(s.body) == 1:
        (s,) = s.body
    return isinstance(s, Store) and isinstance(s.value, Const) and s.value.value == 0


def _scaled(done: Sequence[Stmt], place: _Place) -> list[Stmt]:
    """What follows an outermost loop: sums times the factors that were taken out of them."""
    found = []
    for name, factor in place.factors.items():
        fill = next(s for s in done if _is_zero_fill_of(s, name))
        found.append(_times(fill, factor, place.b))
    return found


def _times(fill: Stmt, factor: Expr, b: WordBuilder) -> Stmt:
    """Loops that multiply all that others fill with zeros."""
    if isinstance(fill, For):
        return replace(fill, body=(_times(fill.body[0], factor, b),))
    assert isinstance(fill, Store)
    whole = b.load(fill.buffer, fill.index, FLOAT64)
    return replace(fill, value=b.word("mul", (whole, factor), FLOAT64))


def _is_zero_fill_of(s: Stmt, name: str) -> bool:
    while isinstance(s, For) and len(s.body) == 1:
        (s,) = s.body
    return isinstance(s, Store) and s.buffer == name


def _visited(loop: For, known: set[str], place: _Place) -> list[Stmt]:
    """A loop, or what takes its place; ``known``: the locals around it."""
    if not any(isinstance(s, For) for s in loop.body):
        return _Loop(loop, frozenset(known), place).run() or [loop]
    body: list[Stmt] = []
    inner = set(known)
    for s in loop.body:
        body += _visited(s, inner, place) if isinstance(s, For) else [s]
        if isinstance(s, Let):
            inner.add(s.name)
    return [replace(loop, body=tuple(body))]


@dataclass(slots=True)
class _Loop:
    """One innermost loop. ``before`` and ``after`` are what is put around it."""

    loop: For
    known: frozenset[str]
    place: _Place
    lets: dict[str, Expr] = field(default_factory=dict)
    wide: set[str] = field(default_factory=set)
    made: dict[Expr, Expr] = field(default_factory=dict)
    before: list[Stmt] = field(default_factory=list)
    body: list[Stmt] = field(default_factory=list)
    after: list[Stmt] = field(default_factory=list)
    factors: dict[str, Expr] = field(default_factory=dict)

    def run(self) -> list[Stmt] | None:
        """The loop with wide terms, and what is around it; None where it stays as it is."""
        loop = self.loop
        if loop.kind != "vector" or guess_extent(loop.extent) < SHORTEST or not _is_plain(loop):
            return None
        self.lets = {s.name: s.value for s in loop.body if isinstance(s, Let)}
        self.known -= {s.name for s in loop.body if isinstance(s, Assign)}
        terms = {s: x for s in loop.body if (x := self._term(s)) is not None}
        self._reach(terms.values())
        if not self.wide:
            return None
        for s in loop.body:
            if isinstance(s, Let):
                if s.name in self.wide:
                    self._widen(s)
                self.body.append(s)
        ends = [
            self._added(s, terms[s]) if s in terms else s
            for s in loop.body
            if not isinstance(s, Let)
        ]
        body = [*self._used(ends), *ends]
        outer = {s.name: s.value for s in self.before if isinstance(s, Let)}
        wanted = _needed([*body, *self.after], outer)
        self.before = [s for s in self.before if isinstance(s, Let) and s.name in wanted]
        if _cost(body) >= _cost(loop.body):
            return None
        self.place.factors.update(self.factors)
        return [*self.before, replace(loop, body=tuple(body)), *self.after]

    def _term(self, s: Stmt) -> Expr | None:
        """The float32 number that a statement adds to a sum in float64."""
        added: Expr | None = None
        if isinstance(s, Store):
            joined = joined_element(s)
            added = joined[2] if joined is not None and joined[0] == "add" else None
        elif isinstance(s, Assign) and isinstance(s.value, Word) and s.value.name == "add":
            others = [x for x in s.value.args if not (isinstance(x, Var) and x.name == s.name)]
            added = others[0] if len(others) == 1 else None
        found = None if added is None else self._through(added)
        is_wide = isinstance(found, Cast) and found.dtype == FLOAT64 and found.x.dtype == FLOAT32
        return found.x if isinstance(found, Cast) and is_wide else None

    def _through(self, x: Expr) -> Expr:
        """What a local of the loop stands for."""
        while isinstance(x, Var) and x.name in self.lets:
            x = self.lets[x.name]
        return x

    def _reach(self, terms: Iterable[Expr]) -> None:
        """Marks the locals that terms are made of by exact words."""
        wanted = list(terms)
        while wanted:
            x = wanted.pop()
            if not isinstance(x, Var) or x.name in self.wide or x.name not in self.lets:
                continue
            value = self.lets[x.name]
            if isinstance(value, Word) and self._is_exact(value):
                self.wide.add(x.name)
                wanted += value.args

    def _is_exact(self, x: Word) -> bool:
        return x.dtype == FLOAT32 and (
            x.name in _EXACT or (x.name == "div" and self._is_around(x.args[1]))
        )

    def _is_around(self, x: Expr) -> bool:
        return isinstance(x, Var) and x.name in self.known

    def _named(self, value: Expr, about: str) -> Expr:
        """A local of the loop for a float64 value."""
        b, turned = self.place.b, value
        if isinstance(value, Word) and value.name in ("add", "mul"):
            turned = b.word(value.name, value.args[::-1], FLOAT64)
        found = self.made.get(value) or self.made.get(turned)
        if found is None:
            name = self.place.name(about)
            self.body.append(Let(name, value))
            found = self.made[value] = b.var(name, FLOAT64)
        return found

    def _outer(self, value: Expr, about: str) -> Expr:
        """A local before the loop."""
        if value not in self.made:
            name = self.place.name(about)
            self.before.append(Let(name, value))
            self.made[value] = self.place.b.var(name, FLOAT64)
        return self.made[value]

    def _inverse(self, divisor: Expr) -> Expr:
        b = self.place.b
        return b.word("div", (b.const(1.0, FLOAT64), b.cast(divisor, FLOAT64)), FLOAT64)

    def _wide(self, x: Expr) -> Expr:
        """A float32 number in float64."""
        b = self.place.b
        if isinstance(x, Const):
            return b.const(x.value, FLOAT64)
        if isinstance(x, Var) and x.name in self.wide:
            return self.made[x]
        if self._is_around(x):
            return self._outer(b.cast(x, FLOAT64), "wide")
        return self._named(b.cast(x, FLOAT64), "wide")

    def _widen(self, s: Let) -> None:
        """A local in float64, beside itself."""
        b, x = self.place.b, s.value
        assert isinstance(x, Word)
        if x.name == "div":
            factor = self._outer(self._inverse(x.args[1]), "inverse")
            value = b.word("mul", (self._wide(x.args[0]), factor), FLOAT64)
        elif x.name == "square":
            value = b.word("mul", (self._wide(x.args[0]),) * 2, FLOAT64)
        else:
            value = self._fused(b.word(x.name, tuple(map(self._wide, x.args)), FLOAT64))
        self.made[b.var(s.name, FLOAT32)] = self._named(value, f"wide_{s.name}")

    def _fused(self, x: Expr) -> Expr:
        """A value, or a sum to which a product of the loop is added before it is rounded."""
        products = {s.name: s.value for s in self.body if isinstance(s, Let)}
        for k, term in enumerate(x.args if isinstance(x, Word) and x.name == "add" else ()):
            product = products.get(getattr(term, "name", ""))
            if isinstance(product, Word) and product.name == "mul" and product.dtype == FLOAT64:
                return self.place.b.word("fma", (*product.args, children(x)[1 - k]), FLOAT64)
        return x

    def _split(
        self, x: Expr, is_fixed: Fixed, most: int = MOST_FACTORS
    ) -> tuple[list[Expr], Expr | None]:
        """(factors that do not change, the rest) of a float32 product."""
        b, value = self.place.b, self._through(x)
        if isinstance(value, Const):
            return [b.const(value.value, FLOAT64)], None
        if isinstance(value, Var) and value.dtype == FLOAT32 and is_fixed(value.name):
            return [b.cast(value, FLOAT64)], None
        if isinstance(value, Word) and most and isinstance(x, Var) and x.name in self.wide:
            divides = value.name == "div" and is_fixed(getattr(value.args[1], "name", ""))
            if value.name in ("mul", "neg") or divides:
                varying = value.args[:1] if divides else value.args
                parts = [self._split(y, is_fixed, most - 1) for y in varying]
                factors = [f for more, _ in parts for f in more]
                if divides:
                    factors.append(self._inverse(value.args[1]))
                elif value.name == "neg":
                    factors.append(b.const(-1.0, FLOAT64))
                if factors:
                    return factors, self._product([x for _, x in parts if x is not None])
        return [], self._wide(x)

    def _product(self, rests: Sequence[Expr]) -> Expr | None:
        if len(rests) < 2:
            return rests[0] if rests else None
        return self._named(self.place.b.word("mul", tuple(rests), FLOAT64), "wide")

    def _added(self, s: Stmt, term: Expr) -> Stmt:
        """A statement that adds a term, which is float64 now."""
        b = self.place.b
        if isinstance(s, Store):
            own = s.buffer in self.place.columns
            factors, rest = self._split(term, lambda x: own and x in self.place.fixed)
            if not own or rest is None:
                factors, rest = [], self._wide(term)
            if factors:
                self.factors[s.buffer] = self._joined(factors)
            joined = joined_element(s)
            assert joined is not None
            return replace(s, value=b.word("add", (joined[1], rest), FLOAT64))
        assert isinstance(s, Assign)
        factors, rest = self._split(term, lambda x: x in self.known)
        if rest is None:
            factors, rest = [], self._wide(term)
        name = s.name
        if factors:
            name = self.place.name(f"own_{s.name}")
            self.before.append(Let(name, b.const(0.0, FLOAT64)))
            more = b.word("mul", (self._joined(factors), b.var(name, FLOAT64)), FLOAT64)
            self.after.append(Assign(s.name, b.add(b.var(s.name, FLOAT64), more)))
        return Assign(name, b.word("add", (b.var(name, FLOAT64), rest), FLOAT64))

    def _joined(self, factors: Sequence[Expr]) -> Expr:
        """The product of factors."""
        return reduce(lambda x, y: self.place.b.word("mul", (x, y), FLOAT64), factors)

    def _used(self, ends: Sequence[Stmt]) -> list[Stmt]:
        """The locals that the last statements need.

        A float32 number that sums have in float64 is converted from it, not computed again.
        """
        b = self.place.b
        values = {s.name: s.value for s in self.body if isinstance(s, Let)}
        sums = _needed([s for s in ends if self._is_sum(s)], values)
        for name in self.wide:
            twin = self.made[b.var(name, FLOAT32)]
            if isinstance(twin, Var) and twin.name in sums:
                values[name] = b.cast(twin, FLOAT32)
        used = _needed(ends, values)
        names = [s.name for s in self.body if isinstance(s, Let)]
        return [Let(name, values[name]) for name in names if name in used]

    def _is_sum(self, s: Stmt) -> bool:
        return isinstance(s, Assign) or (isinstance(s, Store) and joined_element(s) is not None)


def _needed(roots: Iterable[Stmt], values: Mapping[str, Expr]) -> set[str]:
    """The locals that statements are computed from."""
    found = set[str]()
    wanted = [x for s in roots for x in expressions(s)]
    while wanted:
        for x in postorder(wanted.pop()):
            if isinstance(x, Var) and x.name in values and x.name not in found:
                found.add(x.name)
                wanted.append(values[x.name])
    return found


def _is_plain(loop: For) -> bool:
    """Straight code that reads nothing of what it stores, but for sums."""
    sums: dict[str, int] = {}
    for s in loop.body:
        if not isinstance(s, Let | Assign | Store):
            return False
        if isinstance(s, Store):
            if s.buffer in sums:
                return False
            sums[s.buffer] = joined_element(s) is not None
    loads = [x.buffer for s in loop.body for x in postorder(*expressions(s)) if isinstance(x, Load)]
    return all(loads.count(name) == reads for name, reads in sums.items())


def _cost(body: Iterable[Stmt]) -> int:
    """Instructions of a turn, of as many lanes as float32 has, but for loads and functions.

    What is converted comes in two halves, and takes as long as two instructions each.
    """
    body = tuple(body)
    loaded = {s.name for s in body if isinstance(s, Let) and isinstance(s.value, Load)}
    found = 0
    for x in postorder(*(e for s in body for e in expressions(s))):
        if isinstance(x, Cast) and x.x.dtype.kind == "f":
            is_loaded = isinstance(x.x, Load) or (isinstance(x.x, Var) and x.x.name in loaded)
            found += 3 if is_loaded else 4
        elif isinstance(x, Word) and x.dtype.kind == "f":
            halves = 2 if x.dtype == FLOAT64 else 1
            found += halves * (DIVISION if x.name in ("div", "sqrt") else 1)
    return found
