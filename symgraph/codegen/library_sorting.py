"""Sorting as loop kernels, and what makes a sort of int64 an argsort.

A number with its place is one int64: the number's order in the high half, its place in the low. So
sorting int64 sorts places, and equal numbers keep their order. Numbers of 8 bytes are sorted by
their low halves first, then by their high ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any  # attributes are numbers of any kind

import numpy as np

from symgraph.loop.build import add, bitcast, buffer, const, floordiv, i64, load, lt, mul, sub, word
from symgraph.loop.ir import (
    Assign,
    Buffer,
    Cast,
    Expr,
    For,
    If,
    Kernel,
    Let,
    Stmt,
    Store,
    Var,
    While,
)

DType = np.dtype[np.generic]
Attrs = Mapping[str, Any]
_INT64, _BOOL = np.dtype("int64"), np.dtype(bool)
_HALF = 32
_PLACE = const((1 << _HALF) - 1)  # the bits of a place


def is_wide(dtype: DType) -> bool:
    """Does a number fill an int64, so that its halves are sorted one after the other?"""
    return dtype.itemsize == 8


# ---------------------------------------------------------------- numbers with their places


def place_kernels(dtype: DType) -> tuple[Kernel, ...]:
    """Kernels around sorts of int64 that find the places: one more than there are sorts.

    Of (x, out), which is sorted in between; of wide numbers (x, out, more): ``more`` is sorted
    after the first, ``out`` after the second.
    """
    x, out = buffer("x", dtype, "rows", "n"), buffer("out", "int64", "rows", "n")
    row, j = i64("row"), i64("j")
    order = _order(load(x, row, j))
    if not is_wide(dtype):
        marked = Store("out", (row, j), _with_place(order, j))
        bare = Store("out", (row, j), _place(load(out, row, j)))
        return (
            _every("argsort_mark", dtype, (x, out), marked),
            _every("argsort_bare", dtype, (out,), bare),
        )
    more = buffer("more", "int64", "rows", "n")
    low = sub(word("and", order, _PLACE), const(1 << (_HALF - 1)))
    at = _place(load(more, row, j))
    high = word("shr", _order(load(x, row, at)), const(_HALF))
    last = _place(load(more, row, _place(load(out, row, j))))
    return (
        _every("argsort_low", dtype, (x, more), Store("more", (row, j), _with_place(low, j))),
        _every("argsort_high", dtype, (x, out, more), Store("out", (row, j), _with_place(high, j))),
        _every("argsort_join", dtype, (out, more), Store("out", (row, j), last)),
    )


def _every(name: str, dtype: DType, buffers: tuple[Buffer, ...], store: Store) -> Kernel:
    body = (For("row", i64("rows"), (For("j", i64("n"), (store,), "parallel"),), "parallel"),)
    return Kernel(f"{name}_{dtype}", buffers, ("rows", "n"), frozenset((store.buffer,)), body)


def _with_place(order: Expr, place: Expr) -> Expr:
    return word("or", word("shl", order, const(_HALF)), place)


def _place(marked: Expr) -> Expr:
    return word("and", marked, _PLACE)


def _order(x: Expr) -> Expr:
    """An int64 in the order of the numbers: zeros are equal, NaN are equal and last.

    Of less than 8 bytes: within the range of int32.
    """
    dtype = x.dtype
    if dtype.kind == "f":
        return _float_order(x)
    wide = Cast(x, _INT64)
    if dtype.kind != "u":
        return wide
    if is_wide(dtype):
        return word("xor", wide, const(np.iinfo("int64").min))
    return sub(wide, const(1 << (_HALF - 1)))


def _float_order(x: Expr) -> Expr:
    kind = np.dtype(f"int{8 * x.dtype.itemsize}")
    most = const(np.iinfo(kind).max, kind)
    bits = bitcast(add(x, const(0.0, x.dtype)), kind)  # -0.0 becomes 0.0
    order = word("select", lt(bits, const(0, kind)), word("xor", bits, most), bits)
    found = word("select", word("isnan", x), most, order)
    return found if kind == _INT64 else Cast(found, _INT64)


# ---------------------------------------------------------------- heap sort


def argsort_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """Heap sort of the indices of each row; equal elements are ordered by index, NaN comes last.

    The order is total, so the result is that of a stable sort without memory for merging.
    """
    x, out = buffer("x", dtype, "rows", "n"), buffer("out", "int64", "rows", "n")
    return _heap_sort("argsort", x, out, i64("j"), lambda i, j: _before_at(x, i, j))


def wide_argsort_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """The same, beside a buffer that it does not need."""
    made = argsort_loops(dtype, attrs)
    buffers = (*made.buffers, buffer("more", "int64", "rows", "n"))
    return Kernel(f"{made.name}_wide", buffers, made.sizes, made.writes, made.body)


def sort_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """Heap sort of each row, NaN last."""
    x, out = buffer("x", dtype, "rows", "n"), buffer("out", dtype, "rows", "n")
    return _heap_sort("sort", x, out, load(x, i64("row"), i64("j")), lambda a, b: _less(a, b)[0])


Before = Callable[[Expr, Expr], Expr]  # of two elements of what is sorted


def _heap_sort(name: str, x: Buffer, out: Buffer, first: Expr, before: Before) -> Kernel:
    row, n, end, root = i64("row"), i64("n"), i64("end"), i64("root")
    body: tuple[Stmt, ...] = (
        For("j", n, (Store("out", (row, i64("j")), first),), "vector"),
        Let("start", floordiv(n, const(2))),
        Let("end", n),
        While(
            lt(const(1), end),
            (
                If(
                    lt(const(0), i64("start")),
                    (Assign("start", sub(i64("start"), const(1))),),
                    (Assign("end", sub(end, const(1))), *_swap(out, row, const(0), end, "top")),
                ),
                Let("root", i64("start")),
                Let("sinking", lt(_left(root), end)),
                While(Var("sinking", _BOOL), _sink(out, row, before)),
            ),
        ),
    )
    outer = (For("row", i64("rows"), body, "parallel"),)
    return Kernel(f"{name}_{x.dtype}", (x, out), ("rows", "n"), frozenset(("out",)), outer)


def _left(root: Expr) -> Expr:
    return add(mul(const(2), root), const(1))


def _swap(out: Buffer, row: Expr, i: Expr, j: Expr, name: str) -> tuple[Stmt, ...]:
    return (
        Let(name, load(out, row, i)),
        Store("out", (row, i), load(out, row, j)),
        Store("out", (row, j), Var(name, out.dtype)),
    )


def _sink(out: Buffer, row: Expr, before: Before) -> tuple[Stmt, ...]:
    """One step down the heap out[0:end]: the root changes places with its larger child."""
    root, child, end = i64("root"), i64("child"), i64("end")
    after = add(child, const(1))
    a, b, parent, below = (Var(name, out.dtype) for name in ("a", "b", "parent", "below"))
    return (
        Let("child", _left(root)),
        If(
            lt(after, end),
            (
                Let("a", load(out, row, child)),
                Let("b", load(out, row, after)),
                If(before(a, b), (Assign("child", after),)),
            ),
        ),
        Let("parent", load(out, row, root)),
        Let("below", load(out, row, child)),
        Let("larger", before(parent, below)),
        If(
            Var("larger", _BOOL),
            (
                Store("out", (row, root), below),
                Store("out", (row, child), parent),
                Assign("root", child),
            ),
        ),
        Assign("sinking", word("and", Var("larger", _BOOL), lt(_left(root), end))),
    )


def _less(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Is a less than b, and is it more? NaN is more than all else."""
    if a.dtype.kind == "b":
        return word("and", word("not", a), b), word("and", a, word("not", b))
    smaller: Expr = lt(a, b)
    larger: Expr = lt(b, a)
    if a.dtype.kind == "f":
        lost, other = word("isnan", a), word("isnan", b)
        smaller = word("or", smaller, word("and", word("not", lost), other))
        larger = word("or", larger, word("and", lost, word("not", other)))
    return smaller, larger


def _before_at(x: Buffer, i: Expr, j: Expr) -> Expr:
    """Does element i come before element j? By value, then NaN, then index."""
    row = i64("row")
    smaller, larger = _less(load(x, row, i), load(x, row, j))
    tied = word("not", word("or", smaller, larger))
    return word("or", smaller, word("and", tied, lt(i, j)))
