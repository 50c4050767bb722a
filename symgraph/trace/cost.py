"""Bytes that a kernel moves and operations that it does, as dims: counted on the final loops.

Bytes: each buffer once for reading and once for writing, as if caches held everything between; so
it is the least that memory must do. Operations: words on floating numbers, weighted by ``FLOPS``,
times the turns of the loops around them, before the vectorizer. A loop whose turns only data tells
counts once; of two branches the longer one counts; a bound that depends on an outer index counts
as the outer extent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symgraph.ir.dim import (
    Atom,
    DimLike,
    add,
    atom_dim,
    floordiv,
    maximum,
    minimum,
    mod,
    mul,
    product,
    sub,
)
from symgraph.loop.ir import Const, Expr, For, If, Kernel, Load, Stmt, Update, Var, Word
from symgraph.loop.traverse import blocks, expressions, postorder, statements

_DIMS = {
    "add": add, "sub": sub, "mul": mul, "minimum": minimum, "maximum": maximum,
    "floordiv": floordiv, "mod": mod,
}  # fmt: skip
# No operation on numbers, or one that costs as a move does.
_FREE = frozenset(
    [
        "select",
        "bitcast",
        "real",
        "imag",
        "conj",
        "complex",
        "isnan",
        "isinf",
        "isfinite",
        "signbit",
    ]
)
_SIMPLE = frozenset(
    [
        "add",
        "sub",
        "mul",
        "div",
        "floordiv",
        "mod",
        "neg",
        "abs",
        "sign",
        "minimum",
        "maximum",
        "fmin",
        "fmax",
        "floor",
        "ceil",
        "trunc",
        "rint",
        "sqrt",
        "square",
        "reciprocal",
        "copysign",
        "nextafter",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
    ]
)
ELEMENTARY = 20  # multiplications and additions of exp or log in symgraph_kernels, about


def word_flops(word: Word) -> int:
    """Operations of one word; 0 for whole numbers, four times as much for complex ones."""
    kind = word.args[0].dtype.kind if word.args else word.dtype.kind
    if kind not in "fc" or word.name in _FREE:
        return 0
    weight = 1 if word.name in _SIMPLE else 2 if word.name == "fma" else ELEMENTARY
    return weight * (4 if kind == "c" else 1)


def kernel_flops(kernel: Kernel, sizes: Mapping[str, Atom]) -> DimLike:
    """Operations of one call."""
    return _block(kernel.body, {n: atom_dim(a) for n, a in sizes.items()})


def kernel_bytes(kernel: Kernel, sizes: Mapping[str, Atom]) -> DimLike:
    """Bytes read and written by one call."""
    known = {n: atom_dim(a) for n, a in sizes.items()}
    read = _loaded(kernel.body)
    total: DimLike = 0
    for buffer in kernel.buffers:
        extents = [_dim(d, known) for d in buffer.shape]
        size = mul(product(tuple(1 if d is None else d for d in extents)), buffer.dtype.itemsize)
        times = (buffer.name in read) + (buffer.name in kernel.writes)
        total = add(total, mul(size, times))
    return total


def _loaded(body: tuple[Stmt, ...]) -> set[str]:
    found: set[str] = set()
    for s in statements(body):
        found |= {e.buffer for e in postorder(*expressions(s)) if isinstance(e, Load)}
        if isinstance(s, Update):
            found.add(s.buffer)
    return found


def _block(body: Iterable[Stmt], known: Mapping[str, DimLike]) -> DimLike:
    total: DimLike = 0
    for s in body:
        own = sum(word_flops(e) for e in postorder(*expressions(s)) if isinstance(e, Word))
        if isinstance(s, Update):
            own += s.value.dtype.kind in "fc"
        total = add(total, own)
        if isinstance(s, For):
            extent = _dim(s.extent, known)
            turns = 1 if extent is None else extent
            total = add(total, mul(turns, _block(s.body, {**known, s.var: turns})))
        elif isinstance(s, If):
            total = add(total, maximum(_block(s.then, known), _block(s.orelse, known)))
        else:
            for inner in blocks(s):
                total = add(total, _block(inner, known))
    return total


def _dim(x: Expr, known: Mapping[str, DimLike]) -> DimLike | None:
    """An extent as a dim; None where it is not made of sizes alone."""
    if isinstance(x, Const):
        return max(0, int(x.value.real))
    if isinstance(x, Var):
        return known.get(x.name)
    if not isinstance(x, Word) or x.name not in _DIMS:
        return None
    parts = [_dim(a, known) for a in x.args]
    found = parts[0]
    for other in parts[1:]:
        if found is None or other is None:
            return None
        found = _DIMS[x.name](found, other)
    return found
