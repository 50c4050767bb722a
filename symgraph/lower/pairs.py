"""Rows with sums over leading axes, two at a time.

    for i < n: { for j: s += f(i, j);  for j: t[j] += g(i, j, s) }
    --> for p < n / 2: { for j: { s += f(2p, j);  s' += f(2p + 1, j) };
                         for j: t[j] = t[j] + g(2p, j, s) + g(2p + 1, j, s') };  the row left over

The sums of columns are read and written once for two rows, and so is what depends on the column
alone. The end of a row's sum, a chain of a dozen additions and divisions, is waited for half as
often. Columns get their terms in the same order, so their bits are the same.

It runs on the statements of a kernel, after ``chunks``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from symgraph.ir.dtype import INT64
from symgraph.loop.ir import Assign, Const, Expr, For, Let, Load, Local, Stmt, Store, Var, Word
from symgraph.loop.traverse import expressions, postorder, rebuild, statements
from symgraph.lower.rows import with_expressions
from symgraph.lower.schedule import guess_extent
from symgraph.lower.sums import COMBINED, joined_element, mentions
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass
from symgraph_kernels.table import ROWS

MOST_BYTES = 16 << 10  # of a row's own arrays: those of two rows and the sums stay in L1
SHORTEST = 64  # elements of a row: shorter ones may become lanes
FEWEST = 8  # rows


def in_pairs(block: Iterable[Stmt], b: WordBuilder) -> list[Stmt]:
    """Statements with chunks whose rows are done in pairs where they add to columns.

    What is too little for chunks is left alone: it compiles sooner, and can be done in place.
    """
    return [
        replace(s, body=tuple(_paired(s.body, b)))
        if isinstance(s, For) and s.kind == "parallel"
        else s
        for s in block
    ]


def _paired(block: Iterable[Stmt], b: WordBuilder) -> Iterator[Stmt]:
    for s in block:
        if isinstance(s, For) and _is_meant(s):
            yield from _Pair(s, _named(s.body), b).written()
        else:
            yield s


def _is_meant(loop: For) -> bool:
    """Is it a loop over rows of plain loops, one of which adds to columns?"""
    inner = [s for s in loop.body if isinstance(s, For)]
    if loop.kind != "vector" or not inner or guess_extent(loop.extent) < FEWEST:
        return False
    if not all(isinstance(s, Let | Assign | Store | Local | For) for s in loop.body):
        return False
    if not all(isinstance(s, Let | Assign | Store) for f in inner for s in f.body):
        return False
    if any(f.kind != "vector" or guess_extent(f.extent) < SHORTEST for f in inner):
        return False
    locals_ = [s for s in loop.body if isinstance(s, Local)]
    if sum(prod(s.shape) * s.dtype.itemsize for s in locals_) > MOST_BYTES:
        return False
    if any(isinstance(x, Word) and x.name in ROWS for x in _nodes(inner)):
        return False  # functions are what takes the time, and they want the registers
    own = _named(loop.body)
    if any(mentions([f.extent], [loop.var, *own]) for f in inner):
        return False
    stores = [s for f in inner for s in f.body if isinstance(s, Store)]
    shared = [s for s in stores if _is_shared(s, loop, own)]
    sums = [s for s in statements(loop.body) if isinstance(s, Assign) and s.name not in own]
    return (
        bool(shared)
        and all(joined_element(s) is not None for s in shared)
        and all(_joined_local(s) is not None for s in sums)
    )


def _joined_local(s: Assign) -> tuple[str, Expr] | None:
    """The word and the value of ``s = s + x``."""
    value = s.value
    if not isinstance(value, Word) or value.name not in COMBINED or len(value.args) != 2:
        return None
    others = [x for x in value.args if not (isinstance(x, Var) and x.name == s.name)]
    if len(others) != 1 or mentions(others, [s.name]):
        return None
    return value.name, others[0]


def _nodes(block: Sequence[For]) -> Iterator[Expr]:
    return postorder(*(x for f in block for s in f.body for x in expressions(s)))


def _named(block: Sequence[Stmt]) -> frozenset[str]:
    """What statements declare."""
    found = statements(tuple(block))
    return frozenset(s.name for s in found if isinstance(s, Let | Local))


def _is_shared(s: Store, loop: For, own: frozenset[str]) -> bool:
    """Is it an element that every row stores?"""
    return s.buffer not in own and not mentions(s.index, [loop.var, *_rows(loop)])


def _rows(loop: For) -> list[str]:
    """The integer locals that depend on the row."""
    found = [loop.var]
    for s in statements(loop.body):
        if isinstance(s, Let) and s.value.dtype == INT64 and mentions([s.value], found):
            found.append(s.name)
    return found


@dataclass(frozen=True, slots=True)
class _Pair:
    """A loop over rows, and the names that belong to a row."""

    loop: For
    own: frozenset[str]
    b: WordBuilder

    def written(self) -> list[Stmt]:
        """The loop over pairs, and one over the row that is left, if there may be one."""
        b, loop = self.b, self.loop
        pair = b.var(f"p_{loop.var}")
        other = {loop.var: f"also_{loop.var}", **{name: f"also_{name}" for name in self.own}}
        half = self._half()
        body: list[Stmt] = [
            Let(loop.var, b.mul(pair, 2)),
            Let(other[loop.var], b.add(b.mul(pair, 2), 1)),
            *self._merged(loop.body, other),
        ]
        found: list[Stmt] = [For(f"p_{loop.var}", half, tuple(body), loop.kind)]
        if not (isinstance(loop.extent, Const) and guess_extent(loop.extent) % 2 == 0):
            last = Let(loop.var, b.sub(loop.extent, 1))
            odd = b.sub(loop.extent, b.mul(half, 2))
            found.append(For(f"q_{loop.var}", odd, (last, *loop.body), loop.kind))
        return found

    def _half(self) -> Expr:
        if isinstance(self.loop.extent, Const):
            return self.b.const(guess_extent(self.loop.extent) // 2)
        return self.b.word("floordiv", (self.loop.extent, self.b.const(2)), INT64)

    def _merged(self, block: Sequence[Stmt], other: Mapping[str, str]) -> list[Stmt]:
        """Statements for both rows, each beside its twin."""
        out: list[Stmt] = []
        for s in block:
            if isinstance(s, For):
                out.append(replace(s, body=tuple(self._merged(s.body, other))))
                continue
            if isinstance(s, Assign) and s.name not in self.own:
                out.append(self._sum(s, other))
            elif isinstance(s, Store) and _is_shared(s, self.loop, self.own):
                out.append(self._column(s, other))
            else:
                out += [s, _renamed(s, other)]
        return out

    def _sum(self, s: Assign, other: Mapping[str, str]) -> Stmt:
        """A local that both rows add to, once."""
        found = _joined_local(s)
        assert found is not None
        (word, value), dtype = found, s.value.dtype
        both = self.b.word(word, (value, _on(value, other)), dtype)
        return replace(s, value=self.b.word(word, (self.b.var(s.name, dtype), both), dtype))

    def _column(self, s: Store, other: Mapping[str, str]) -> Stmt:
        """An element that both rows add to, once."""
        found = joined_element(s)
        assert found is not None
        word, old, value = found
        first = self.b.word(word, (old, value), value.dtype)
        return replace(s, value=self.b.word(word, (first, _on(value, other)), value.dtype))


def _on(x: Expr, names: Mapping[str, str]) -> Expr:
    """An expression on other locals and arrays."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Var) and e.name in names:
            return Var(names[e.name], e.dtype)
        if isinstance(e, Load) and e.buffer in names:
            return Load(names[e.buffer], e.index, e.dtype)
        return e

    return rebuild(x, change)


def _renamed(s: Stmt, names: Mapping[str, str]) -> Stmt:
    """A plain statement on other locals and arrays."""
    made = with_expressions(s, lambda x: _on(x, names))
    if isinstance(made, Let | Assign | Local):
        return replace(made, name=names.get(made.name, made.name))
    if isinstance(made, Store):
        return replace(made, buffer=names.get(made.buffer, made.buffer))
    return made
