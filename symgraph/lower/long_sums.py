"""Long sums in blocks whose results are added exactly, so that error does not grow with length.

    for i < n: s += f(i)
    --> for each block: { p = 0; for i in block: p += f(i); (s, e) += p };  s += e

``(s, e) += p`` is Knuth's two-sum: e collects what is rounded away. So the error of a sum is that
of sums of ``BLOCK`` terms, whatever their number: at most ``BLOCK * u * sum|f(i)|``, and an eighth
or less of that where the block is done with vectors. Only accumulators of float64 terms need it:
those of float32 terms are float64. An infinite or NaN sum stays what it is.

Running sums, which the loop stores too, are done in blocks of ``RUN`` terms, and what is read of s
is ``(s + e) + p``. The loop waits for one addition a term, as before.

It runs on the statements of a kernel, after ``chunks``: the block is a loop like any other, that
vectorizes; its price is a few operations for a thousand terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from symgraph.ir.dtype import FLOAT64, INT64
from symgraph.loop.ir import (
    Assign,
    Cast,
    Const,
    Expr,
    For,
    If,
    Let,
    Local,
    Stmt,
    Store,
    Var,
    While,
    Word,
)
from symgraph.loop.traverse import postorder, substitute
from symgraph.lower.rows import with_expressions
from symgraph.lower.sums import renamed_locals
from symgraph.lower.words import WordBuilder

BLOCK = 1024  # terms: 8 kB; the exact addition is 1% of their sum then
RUN = 64  # terms of a running sum: an ulp or so, since the partial sums are as large as the whole
OWN = "b_"  # the variables of loops over blocks


def in_blocks(statements: Iterable[Stmt], b: WordBuilder) -> list[Stmt]:
    """Statements whose long sums of float64 are done in blocks."""
    out: list[Stmt] = []
    starts: dict[str, Let] = {}
    for s in statements:
        if isinstance(s, Let):
            starts[s.name] = s
        if not isinstance(s, For):
            out.append(s)
            continue
        sums, running = _sums(s, starts), _running(s, starts)
        if sums:
            out += _blocked(s, sums, b)
        elif running:
            out += _blocked(s, running, b, RUN)
        elif s.var.startswith(OWN):
            out.append(s)
        else:
            out.append(replace(s, body=tuple(in_blocks(s.body, b))))
    return out


def _sums(loop: For, starts: dict[str, Let]) -> list[str]:
    """The locals around a loop over plain statements to which it adds float64 terms."""
    if loop.kind != "vector" or any(isinstance(s, For | While | If | Local) for s in loop.body):
        return []
    if most_turns(loop.extent) <= BLOCK:
        return []
    return [
        s.name
        for s in loop.body
        if isinstance(s, Assign) and s.name in starts and _adds(s) and _is_zero(starts[s.name])
    ]


def _running(loop: For, starts: dict[str, Let]) -> list[str]:
    """The locals around a serial loop to which it adds float64 terms that do not depend on them."""
    if loop.kind != "serial" or not all(isinstance(s, Let | Assign | Store) for s in loop.body):
        return []
    if most_turns(loop.extent) <= RUN:
        return []
    found = [s for s in loop.body if isinstance(s, Assign) and s.name in starts and _adds(s)]
    depends = {s.name: {s.name} for s in loop.body if isinstance(s, Assign)}
    for s in loop.body:
        if isinstance(s, Let):
            read = {e.name for e in postorder(s.value) if isinstance(e, Var)}
            for names in depends.values():
                if not names.isdisjoint(read):
                    names.add(s.name)
    return [
        s.name for s in found if _is_zero(starts[s.name]) and _reads(s.value, depends[s.name]) == 1
    ]


def _reads(x: Expr, names: set[str]) -> int:
    return sum(isinstance(e, Var) and e.name in names for e in postorder(x))


def most_turns(extent: Expr) -> float:
    """How many turns a loop has at most."""
    if isinstance(extent, Word) and extent.name == "minimum":
        return min(most_turns(x) for x in extent.args)
    return int(extent.value.real) if isinstance(extent, Const) else math.inf


def _is_zero(start: Let) -> bool:
    return isinstance(start.value, Const) and start.value.value == 0


def _adds(s: Assign) -> bool:
    """Is it ``s = s + x``, of an x that has digits beyond those of float32?"""
    value = s.value
    if not isinstance(value, Word) or value.name != "add" or value.dtype != FLOAT64:
        return False
    terms = [a for a in value.args if not (isinstance(a, Var) and a.name == s.name)]
    return len(terms) == 1 and has_digits(terms[0])


def has_digits(term: Expr) -> bool:
    """Is it a float64 that has digits beyond those of float32?"""
    return term.dtype == FLOAT64 and not isinstance(term, Cast)


def _blocked(loop: For, sums: list[str], b: WordBuilder, most: int = BLOCK) -> list[Stmt]:
    """The loop as blocks, with what was rounded away added at the end."""
    var, size = loop.var, b.const(most)
    block, inner = b.var(f"{OWN}{var}"), b.var(f"e_{var}")
    first = b.mul(block, size)
    count = b.word("floordiv", (b.add(loop.extent, most - 1), size), INT64)
    left = b.word("minimum", (size, b.sub(loop.extent, first)), INT64)
    parts = {name: f"block_{name}" for name in sums}
    body: list[Stmt] = [Let(var, b.add(b.var(f"from_{var}"), inner))]
    body += [_in_part(s, parts, b) for s in loop.body]
    turn: list[Stmt] = [Let(f"from_{var}", first)]
    turn += [Let(part, b.const(0.0, FLOAT64)) for part in parts.values()]
    if most == RUN:
        turn += [s for name in sums for s in _head(name, b)]
    turn.append(For(f"e_{var}", left, tuple(body), loop.kind))
    for name, part in parts.items():
        turn += added(name, f"lost_{name}", b.var(part, FLOAT64), b)
    lost: list[Stmt] = [Let(f"lost_{name}", b.const(0.0, FLOAT64)) for name in sums]
    ends = [s for name in sums for s in settled(name, f"lost_{name}", b)]
    return [*lost, For(f"{OWN}{var}", count, tuple(turn), "serial"), *ends]


def _in_part(s: Stmt, parts: dict[str, str], b: WordBuilder) -> Stmt:
    """A statement that adds to the part; what others read is the whole."""
    if isinstance(s, Assign) and s.name in parts:
        return renamed_locals(s, parts)
    whole: dict[str, Expr] = {
        name: b.add(b.var(f"head_{name}", FLOAT64), b.var(part, FLOAT64))
        for name, part in parts.items()
    }
    return with_expressions(s, lambda x: substitute(x, whole))


def _head(name: str, b: WordBuilder) -> list[Stmt]:
    """The sum before a block; infinite, not NaN, where it is."""
    total, exact = b.var(name, FLOAT64), b.var(f"exact_{name}", FLOAT64)
    return [
        Let(f"exact_{name}", b.add(total, b.var(f"lost_{name}", FLOAT64))),
        Let(f"head_{name}", b.select(b.eq(exact, exact), exact, total)),
    ]


def added(total: str, lost: str, part: Expr, b: WordBuilder) -> list[Stmt]:
    """total += part, and lost += what that rounds away."""
    new, error, lines = two_sum(total, b.var(total, FLOAT64), part, b)
    rest = b.add(b.var(lost, FLOAT64), error)
    return [*lines, Assign(lost, rest), Assign(total, new)]


def two_sum(name: str, x: Expr, y: Expr, b: WordBuilder) -> tuple[Expr, Expr, list[Stmt]]:
    """x + y rounded, what that rounds away (Knuth), and the lines that both need."""
    new, back = b.var(f"new_{name}", FLOAT64), b.var(f"back_{name}", FLOAT64)
    error = b.add(b.sub(x, b.sub(new, back)), b.sub(y, back))
    return new, error, [Let(f"new_{name}", b.add(x, y)), Let(f"back_{name}", b.sub(new, x))]


def settled(total: str, lost: str, b: WordBuilder) -> list[Stmt]:
    """total += lost, unless the total is infinite and the rest NaN."""
    old, whole = b.var(total, FLOAT64), b.var(f"whole_{total}", FLOAT64)
    return [
        Let(f"whole_{total}", b.add(old, b.var(lost, FLOAT64))),
        Assign(total, b.select(b.eq(whole, whole), whole, old)),
    ]
