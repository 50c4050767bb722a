"""Sums over leading axes in blocks of rows that are added exactly, as ``long_sums`` has it.

    for i < n: for j: t[j] += f(i, j)
    --> for each block: { for i in block: for j: t[j] += f(i, j);  for j: (s, e)[j] += t[j] };
        for j: t[j] = s[j] + t[j] + e[j]

``(s, e) += t`` is Knuth's two-sum, and t begins again at 0, but for the last block. A sum of at
most ``BLOCK`` rows is done as before: the loops over s and e run no turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from symgraph.ir.dtype import FLOAT64, INT64
from symgraph.loop.ir import Assign, Expr, For, If, Let, Load, Local, Stmt, Store, Var, While
from symgraph.loop.traverse import expressions, postorder, substitute
from symgraph.lower.chunks import Place
from symgraph.lower.long_sums import OWN, has_digits, most_turns, two_sum
from symgraph.lower.rows import with_expressions
from symgraph.lower.stage import Storage
from symgraph.lower.sums import joined_element, mentions
from symgraph.lower.words import WordBuilder

BLOCK = 128  # rows: their sum is good to an ulp or two, and the exact addition is 5% of it


def in_row_blocks(
    statements: Iterable[Stmt], place: Place, rows: Mapping[str, Local] | None = None
) -> list[Stmt]:
    """Statements whose sums over leading axes, into buffers or ``rows``, are done in blocks."""
    out: list[Stmt] = []
    known = dict(rows or {})
    for s in statements:
        if isinstance(s, Local):
            known[s.name] = s
        if not isinstance(s, For):
            out.append(s)
            continue
        nest = _nest(s)
        sums = _sums(s, nest) if nest is not None else []
        if nest is not None and sums:
            twins = {t.buffer: _twins(t.buffer, known.get(t.buffer), place) for t in sums}
            out += [r for pair in twins.values() for r in pair if isinstance(r, Local)]
            names = {name: (total.name, lost.name) for name, (total, lost) in twins.items()}
            out += _blocked(s, nest, sums, names, place)
        else:
            out.append(replace(s, body=tuple(in_row_blocks(s.body, place, known))))
    return out


def _twins(name: str, row: Local | None, place: Place) -> tuple[Local | Storage, Local | Storage]:
    """Places for the sum of all blocks so far, and for what was rounded away."""
    if row is not None:
        return replace(row, name=f"sum_{name}"), replace(row, name=f"lost_{name}")
    shape = place.storage(name).shape
    return place.partial(shape, FLOAT64), place.partial(shape, FLOAT64)


def _nest(loop: For) -> list[For] | None:
    """The loops inside, each the only one of the one around it; None where there is more."""
    found: list[For] = []
    here = loop
    while True:
        inner = [s for s in here.body if isinstance(s, For)]
        if any(isinstance(s, While | If | Local | Assign) for s in here.body) or len(inner) > 1:
            return None
        if not inner:
            return found or None
        here = inner[0]
        found.append(here)


def _sums(loop: For, nest: Sequence[For]) -> list[Store]:
    """The stores that add float64 terms of all turns to one element."""
    if loop.kind == "parallel" or most_turns(loop.extent) <= BLOCK:
        return []
    stores = [s for f in (loop, *nest) for s in f.body if isinstance(s, Store)]
    lets = {s.name: s.value for f in (loop, *nest) for s in f.body if isinstance(s, Let)}
    reads = [
        e.buffer
        for f in (loop, *nest)
        for s in f.body
        if not isinstance(s, For)
        for x in expressions(s)
        for e in postorder(x)
        if isinstance(e, Load)
    ]
    found = []
    for s in stores:
        joined = joined_element(s)
        index = tuple(_resolved(e, lets) for e in s.index)
        if joined is None or joined[0] != "add":
            continue
        if mentions(index, [loop.var]) or not has_digits(joined[2]):
            continue
        if not all(mentions(index, [f.var]) for f in nest):
            continue
        once = reads.count(s.buffer) == 1 == sum(o.buffer == s.buffer for o in stores)
        if once and not any(isinstance(e, Load) for e in postorder(*index)):
            found.append(s)
    return found


def _resolved(x: Expr, lets: dict[str, Expr]) -> Expr:
    """An index in terms of the variables of loops."""
    while any(isinstance(e, Var) and e.name in lets for e in postorder(x)):
        x = substitute(x, lets)
    return x


def _blocked(
    loop: For,
    nest: Sequence[For],
    sums: Sequence[Store],
    twins: Mapping[str, tuple[str, str]],
    place: Place,
) -> list[Stmt]:
    """The loop in blocks; ``twins`` names the sum and the rest of each buffer."""
    b, var = place.b, loop.var
    lets = {s.name: s.value for f in (loop, *nest) for s in f.body if isinstance(s, Let)}
    block = b.var(f"{OWN}{var}")
    first = b.mul(block, BLOCK)
    size = b.word("minimum", (b.const(BLOCK), b.sub(loop.extent, first)), INT64)
    count = b.word("floordiv", (b.add(loop.extent, BLOCK - 1), b.const(BLOCK)), INT64)
    last = b.sub(count, 1)
    start: list[Stmt] = []
    flush: list[Stmt] = []
    end: list[Stmt] = []
    for s in sums:
        index = tuple(_resolved(e, lets) for e in s.index)
        for whole, part in zip((start, flush, end), _parts(s.buffer, index, twins, b), strict=True):
            whole += part
    turn = Let(var, b.add(first, b.var(f"e_{var}")))
    inner = For(f"e_{var}", size, (turn, *loop.body), loop.kind)
    more = _over(nest, lets, b.sub(last, block), "f", flush, b)
    return [
        _over(nest, lets, last, "z", start, b),
        For(f"{OWN}{var}", count, (inner, more), "serial"),
        _over(nest, lets, last, "w", end, b),
    ]


def _parts(
    name: str, index: tuple[Expr, ...], twins: Mapping[str, tuple[str, str]], b: WordBuilder
) -> tuple[list[Stmt], list[Stmt], list[Stmt]]:
    """What is done to one element before all blocks, after each but the last, and after all."""
    total, lost = twins[name]
    zero = b.const(0.0, FLOAT64)
    t, old, rest = (b.load(n, index, FLOAT64) for n in (name, total, lost))
    new, error, lines = two_sum(f"sum_{name}", old, t, b)
    flush: list[Stmt] = [
        *lines,
        Store(lost, index, b.add(rest, error)),
        Store(total, index, new),
        Store(name, index, zero),
    ]
    whole, flat = b.var(f"whole_{name}", FLOAT64), b.add(old, t)
    end: list[Stmt] = [
        Let(f"whole_{name}", b.add(old, b.add(t, rest))),
        Store(name, index, b.select(b.eq(whole, whole), whole, flat)),
    ]
    return [Store(total, index, zero), Store(lost, index, zero)], flush, end


def _over(
    nest: Sequence[For],
    lets: dict[str, Expr],
    turns: Expr,
    name: str,
    body: list[Stmt],
    b: WordBuilder,
) -> For:
    """Loops over all elements, if any ``turns`` are left."""
    renamed: dict[str, Expr] = {f.var: b.var(f"{name}_{f.var}") for f in nest}
    found = tuple(with_expressions(s, lambda x: substitute(x, renamed)) for s in body)
    for f in reversed(nest[1:]):
        extent = substitute(_resolved(f.extent, lets), renamed)
        found = (For(f"{name}_{f.var}", extent, found, "vector"),)
    once = b.word("minimum", (turns, b.const(1)), INT64)
    outer = b.mul(_resolved(nest[0].extent, lets), once)
    return For(f"{name}_{nest[0].var}", outer, found, "vector")
