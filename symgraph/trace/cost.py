"""Bytes that a kernel moves and operations that it does, as dims: counted on the final loops.

Bytes: each buffer once for reading and once for writing, as if caches held everything between; so
it is the least that memory must do. Operations: words on floating numbers, weighted by ``FLOPS``,
times the turns of the loops around them, before the vectorizer. A loop whose turns only data tells
counts once; of two branches the longer one counts; where a bound depends on an outer index, the
middle of its range is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symgraph.errors import ArgumentError
from symgraph.ir.dim import (
    Atom,
    DimLike,
    add,
    atom_dim,
    evaluate,
    floordiv,
    maximum,
    minimum,
    mod,
    mul,
    product,
    sub,
    symbols,
)
from symgraph.loop.ir import Const, Expr, For, If, Kernel, Let, Load, Stmt, Update, Var, Word
from symgraph.loop.text import show_expr
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


def dims_of(sizes: Mapping[str, Atom]) -> dict[str, DimLike]:
    """Sizes of a program as dims."""
    return {name: atom_dim(atom) for name, atom in sizes.items()}


def kernel_flops(kernel: Kernel, known: Mapping[str, DimLike]) -> DimLike:
    """Operations of one call, for sizes by their name in the kernel."""
    return _block(kernel.body, dict(known))


def kernel_bytes(kernel: Kernel, known: Mapping[str, DimLike]) -> DimLike:
    """Bytes read and written by one call, for sizes by their name in the kernel."""
    read = _loaded(kernel.body)
    total: DimLike = 0
    for buffer in kernel.buffers:
        extents = [dim_of(d, known) for d in buffer.shape]
        size = mul(product(tuple(1 if d is None else d for d in extents)), buffer.dtype.itemsize)
        times = (buffer.name in read) + (buffer.name in kernel.writes)
        total = add(total, mul(size, times))
    return total


def number_for(dim: DimLike, dims: Mapping[str, int], what: str) -> int:
    """A dim for lengths by name; ArgumentError that names those that are missing."""
    named = {a: a.label.strip("?!") for a in symbols(dim)}
    missing = sorted({name for name in named.values() if name not in dims})
    if missing:
        raise ArgumentError(f"{what} needs the dimensions {', '.join(missing)}")
    return evaluate(dim, {a: dims[name] for a, name in named.items()})


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
        if isinstance(s, Let) and s.value.dtype.kind == "i":
            found = dim_of(s.value, known)
            known = known if found is None else {**known, s.name: found}
        total = add(total, own)
        if isinstance(s, For):
            total = add(total, _for(s, known))
        elif isinstance(s, If):
            total = add(total, maximum(_block(s.then, known), _block(s.orelse, known)))
        else:
            for inner in blocks(s):
                total = add(total, _block(inner, known))
    return total


def _for(s: For, known: Mapping[str, DimLike]) -> DimLike:
    """A loop; loops over blocks of one length take the turns of the whole length."""
    extent = dim_of(s.extent, known)
    turns = 1 if extent is None else maximum(0, extent)
    middle = floordiv(turns, 2)  # of an outer index that an inner bound depends on
    inner = {**known, s.var: middle}
    others, total = [], mul(turns, 0)
    named = {t.name: t.value for t in s.body if isinstance(t, Let)}
    for one in s.body:
        whole = _whole(one, s.var, named) if isinstance(one, For) else None
        length = None if whole is None else dim_of(whole, known)
        if isinstance(one, For) and length is not None:
            half = {**inner, one.var: 0}
            total = add(total, mul(maximum(0, length), _block(one.body, half)))
        else:
            others.append(one)
    return add(total, mul(turns, _block(others, inner)))


def _whole(inner: For, var: str, named: Mapping[str, Expr]) -> Expr | None:
    """n, of a loop over min(c, n - c * var), where the product may have a name."""
    bound = inner.extent
    if not isinstance(bound, Word) or bound.name != "minimum":
        return None
    for c, rest in (bound.args, bound.args[::-1]):
        if not isinstance(rest, Word) or rest.name != "sub":
            continue
        n, first = rest.args
        first = named.get(first.name, first) if isinstance(first, Var) else first
        if isinstance(first, Word) and first.name == "mul" and _is_product(first, var, c):
            return n
    return None


def _is_product(x: Word, var: str, length: Expr) -> bool:
    """Is it var * length?"""
    wanted = sorted((var, show_expr(length)))
    return sorted(map(show_expr, x.args)) == wanted


def dim_of(x: Expr, known: Mapping[str, DimLike]) -> DimLike | None:
    """An extent as a dim; None where it is not made of sizes alone."""
    if isinstance(x, Const):
        return max(0, int(x.value.real))
    if isinstance(x, Var):
        return known.get(x.name)
    if not isinstance(x, Word) or x.name not in _DIMS:
        return None
    parts = [dim_of(a, known) for a in x.args]
    told = [p for p in parts if p is not None]
    if x.name == "minimum" and len(told) == 1:  # of two bounds the one that is known
        return told[0]
    if len(told) < len(parts):
        return None
    found = told[0]
    for other in told[1:]:
        found = _DIMS[x.name](found, other)
    return found
