"""Library calls: matrix products, as rows of a table.

A row has a meaning in NumPy (for ``interp``) and, for each dtype, either the lines of source that
call a BLAS function by pointer, or a loop kernel (integers and bool have no BLAS). All operands
are C-contiguous. Symbols such as "cblas.dgemm" are names of functions with the C interface of
CBLAS and 64-bit integers; ``blas`` finds their addresses at load time.

    gemm          (a, b, c; m, n, k)          c = alpha * op(a) @ op(b) + beta * c
    gemm_batched  (a, b, c; batch, m, n, k)   the same for each of ``batch`` leading indices
    gemv          (a, x, y; m, n)             y = alpha * op(a) @ x + beta * y, a is (m, n)
    dot           (x, y, out; n)              out = sum(x * y), no conjugate

Attributes: alpha (1), beta (0), trans_a, trans_b (False): op transposes, the stored operand then
is (k, m) or (n, k); batched also shared_a, shared_b (False): one operand for all of the batch.
With beta == 0 the old c is not read. The result never overlaps an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # attributes and arrays of any dtype

import numpy as np

from symgraph.loop.build import add, buffer, cast, const, i64, load, mul, word
from symgraph.loop.ir import Assign, Buffer, Const, Expr, For, If, Kernel, Let, Stmt, Store, Var

DType = np.dtype[np.generic]
Array = np.ndarray[Any, np.dtype[Any]]
Attrs = Mapping[str, Any]
Spell = Callable[..., str]

_BLAS_LETTER = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}


@dataclass(frozen=True, slots=True)
class LibraryCall:
    """A call to be written: dtype, texts of the buffers' addresses and of the sizes, attributes."""

    dtype: DType
    addresses: tuple[str, ...]
    sizes: tuple[str, ...]
    attrs: Attrs


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """One library call; ``write`` gives source lines from the call and a function's address."""

    name: str
    buffers: int
    sizes: int
    attrs: tuple[str, ...]
    meaning: Callable[[Sequence[Array], Sequence[int], Attrs], None]
    function: str
    write: Callable[[LibraryCall, str, Spell], list[str]]
    loops: Callable[[DType, Attrs], Kernel]

    def symbols(self, dtype: DType) -> tuple[str, ...]:
        """The library functions that the call needs for a dtype."""
        return (f"cblas.{_BLAS_LETTER[str(dtype)]}{self.function}",)

    def kernel(self, dtype: DType, attrs: Attrs) -> Kernel | None:
        """The loop kernel that does it, for dtypes without BLAS."""
        return None if str(dtype) in _BLAS_LETTER else self.loops(dtype, attrs)

    def lines(self, call: LibraryCall, function: Callable[[str], str], spell: Spell) -> list[str]:
        """Source lines that do the call."""
        return self.write(call, function(self.symbols(call.dtype)[0]), spell)


# ---------------------------------------------------------------- meanings


def _blend(target: Array, product: Array, attrs: Attrs) -> None:
    alpha, beta = attrs.get("alpha", 1), attrs.get("beta", 0)
    scaled = product if alpha == 1 else target.dtype.type(alpha) * product
    target[...] = scaled if beta == 0 else scaled + target.dtype.type(beta) * target


def _matrix(array: Array, rows: int, columns: int, transposed: bool, lead: int = 0) -> Array:
    shape = (columns, rows) if transposed else (rows, columns)
    full = (lead, *shape) if lead else shape
    found = array.reshape(-1)[: int(np.prod(full))].reshape(full)
    return found.swapaxes(-1, -2) if transposed else found


def _gemm(arrays: Sequence[Array], sizes: Sequence[int], attrs: Attrs) -> None:
    m, n, k = sizes
    a = _matrix(arrays[0], m, k, attrs.get("trans_a", False))
    b = _matrix(arrays[1], k, n, attrs.get("trans_b", False))
    _blend(_matrix(arrays[2], m, n, False), a @ b, attrs)


def _gemm_batched(arrays: Sequence[Array], sizes: Sequence[int], attrs: Attrs) -> None:
    batch, m, n, k = sizes
    if batch == 0:
        return
    lead_a = 0 if attrs.get("shared_a") else batch
    lead_b = 0 if attrs.get("shared_b") else batch
    a = _matrix(arrays[0], m, k, attrs.get("trans_a", False), lead_a)
    b = _matrix(arrays[1], k, n, attrs.get("trans_b", False), lead_b)
    _blend(_matrix(arrays[2], m, n, False, batch), a @ b, attrs)


def _gemv(arrays: Sequence[Array], sizes: Sequence[int], attrs: Attrs) -> None:
    m, n = sizes
    a = _matrix(arrays[0], m, n, False)
    a = a.T if attrs.get("trans_a", False) else a
    rows, columns = a.shape
    x, y = arrays[1].reshape(-1)[:columns], arrays[2].reshape(-1)[:rows]
    _blend(y, a @ x, attrs)


def _dot(arrays: Sequence[Array], sizes: Sequence[int], attrs: Attrs) -> None:
    x, y = (array.reshape(-1)[: sizes[0]] for array in arrays[:2])
    arrays[2].reshape(-1)[0] = x @ y


# ---------------------------------------------------------------- calls of BLAS


def _number(value: Any, dtype: DType, spell: Spell) -> str:
    if dtype.kind == "c":
        part = "float32" if dtype.itemsize == 8 else "float64"
        whole = complex(value)
        return spell("make_complex", spell(part, repr(whole.real)), spell(part, repr(whole.imag)))
    return spell(str(dtype), repr(float(value)))


def _scalars(call: LibraryCall, spell: Spell) -> tuple[str, str]:
    alpha, beta = call.attrs.get("alpha", 1), call.attrs.get("beta", 0)
    return _number(alpha, call.dtype, spell), _number(beta, call.dtype, spell)


def _write_gemm(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    return [_gemm_text(call, function, spell, call.addresses, call.sizes)]


def _gemm_text(
    call: LibraryCall,
    function: str,
    spell: Spell,
    addresses: tuple[str, ...],
    sizes: tuple[str, ...],
) -> str:
    flags = [str(int(bool(call.attrs.get(name)))) for name in ("trans_a", "trans_b")]
    alpha, beta = _scalars(call, spell)
    return spell("cblas_gemm", function, *flags, *sizes, alpha, *addresses[:2], beta, addresses[2])


def _write_batched(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    batch, m, n, k = call.sizes
    size = call.dtype.itemsize
    a, b, c = call.addresses
    a = a if call.attrs.get("shared_a") else f"{a} + item * (({m}) * ({k}) * {size})"
    b = b if call.attrs.get("shared_b") else f"{b} + item * (({k}) * ({n}) * {size})"
    c = f"{c} + item * (({m}) * ({n}) * {size})"
    text = _gemm_text(call, function, spell, (a, b, c), (m, n, k))
    return [f"for item in range({batch}):", f"    {text}"]


def _write_gemv(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    trans = str(int(bool(call.attrs.get("trans_a"))))
    alpha, beta = _scalars(call, spell)
    a, x, y = call.addresses
    return [spell("cblas_gemv", function, trans, *call.sizes, alpha, a, x, beta, y)]


def _write_dot(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    x, y, out = call.addresses
    array = f"array_{call.dtype}"
    if call.dtype.kind == "c":
        return [spell("cblas_dotu", function, *call.sizes, x, y, out)]
    value = spell("cblas_dot", function, *call.sizes, x, y, _number(0, call.dtype, spell))
    return [f"{spell(array, out, '()')}[()] = {value}"]


# ---------------------------------------------------------------- loops, for integers and bool


def _loop_name(name: str, dtype: DType, attrs: Attrs) -> str:
    flags = "".join(f"_{key}" for key in sorted(attrs) if attrs[key] is True)
    factors = "".join(f"_{key}{attrs[key]}" for key in ("alpha", "beta") if key in attrs)
    return f"{name}_{dtype}{flags}{factors}".replace("-", "minus").replace(".", "_")


def _matrix_index(lead: tuple[Expr, ...], i: Expr, j: Expr, transposed: bool) -> tuple[Expr, ...]:
    return (*lead, j, i) if transposed else (*lead, i, j)


def _product_body(
    a: Buffer, b: Buffer, c: Buffer, attrs: Attrs, lead: tuple[Expr, ...]
) -> tuple[Stmt, ...]:
    """For each i, j: total = sum over p of op(a)[i, p] * op(b)[p, j]."""
    i, j, p = i64("i"), i64("j"), i64("p")
    at_a = _matrix_index(() if attrs.get("shared_a") else lead, i, p, attrs.get("trans_a", False))
    at_b = _matrix_index(() if attrs.get("shared_b") else lead, p, j, attrs.get("trans_b", False))
    total = Var("total", c.dtype)
    product = mul(load(a, *at_a), load(b, *at_b))
    zero: Expr = const(0, c.dtype)
    inner: tuple[Stmt, ...] = (
        Let("total", zero),
        For("p", i64("k"), (Assign("total", add(total, product)),), "vector"),
        Store(c.name, (*lead, i, j), _blended(total, load(c, *lead, i, j), attrs)),
    )
    return (For("i", i64("m"), (For("j", i64("n"), inner, "parallel"),), "parallel"),)


def _blended(total: Expr, old: Expr, attrs: Attrs) -> Expr:
    alpha, beta = attrs.get("alpha", 1), attrs.get("beta", 0)
    found = total if alpha == 1 else mul(const(alpha, total.dtype), total)
    return found if beta == 0 else add(found, mul(const(beta, total.dtype), old))


def _stored(name: str, dtype: DType, attrs: Attrs, *dims: str) -> Buffer:
    rows = dims[:-2] if not attrs.get(f"shared_{name}") else ()
    pair = dims[-2:][::-1] if attrs.get(f"trans_{name}") else dims[-2:]
    return buffer(name, dtype, *rows, *pair)


def _gemm_loops(dtype: DType, attrs: Attrs) -> Kernel:
    a, b = _stored("a", dtype, attrs, "m", "k"), _stored("b", dtype, attrs, "k", "n")
    c = buffer("c", dtype, "m", "n")
    body = _product_body(a, b, c, attrs, ())
    name = _loop_name("gemm", dtype, attrs)
    return Kernel(name, (a, b, c), ("m", "n", "k"), frozenset("c"), body)


def _batched_loops(dtype: DType, attrs: Attrs) -> Kernel:
    a = _stored("a", dtype, attrs, "batch", "m", "k")
    b = _stored("b", dtype, attrs, "batch", "k", "n")
    c = buffer("c", dtype, "batch", "m", "n")
    inner = _product_body(a, b, c, attrs, (i64("item"),))
    body = (For("item", i64("batch"), inner, "parallel"),)
    name = _loop_name("gemm_batched", dtype, attrs)
    return Kernel(name, (a, b, c), ("batch", "m", "n", "k"), frozenset("c"), body)


def _gemv_loops(dtype: DType, attrs: Attrs) -> Kernel:
    trans = bool(attrs.get("trans_a"))
    rows, columns = ("n", "m") if trans else ("m", "n")
    a = buffer("a", dtype, "m", "n")
    x, y = buffer("x", dtype, columns), buffer("y", dtype, rows)
    i, p = i64("i"), i64("p")
    product = mul(load(a, *_matrix_index((), i, p, trans)), load(x, p))
    total = Var("total", dtype)
    inner: tuple[Stmt, ...] = (
        Let("total", const(0, dtype)),
        For("p", i64(columns), (Assign("total", add(total, product)),), "vector"),
        Store("y", (i,), _blended(total, load(y, i), attrs)),
    )
    body = (For("i", i64(rows), inner, "parallel"),)
    return Kernel(_loop_name("gemv", dtype, attrs), (a, x, y), ("m", "n"), frozenset("y"), body)


def _dot_loops(dtype: DType, attrs: Attrs) -> Kernel:
    x, y, out = buffer("x", dtype, "n"), buffer("y", dtype, "n"), buffer("out", dtype)
    total, p = Var("total", dtype), i64("p")
    body: tuple[Stmt, ...] = (
        Let("total", const(0, dtype)),
        For("p", i64("n"), (Assign("total", add(total, mul(load(x, p), load(y, p)))),), "vector"),
        Store("out", (), total),
    )
    return Kernel(f"dot_{dtype}", (x, y, out), ("n",), frozenset(("out",)), body)


# ---------------------------------------------------------------- the table

_SCALE = ("alpha", "beta")
_TRANS = ("trans_a", "trans_b")
_SHARED = ("shared_a", "shared_b")

LIBRARY: dict[str, LibraryRow] = {
    row.name: row
    for row in (
        LibraryRow("gemm", 3, 3, _SCALE + _TRANS, _gemm, "gemm", _write_gemm, _gemm_loops),
        LibraryRow(
            "gemm_batched",
            3,
            4,
            _SCALE + _TRANS + _SHARED,
            _gemm_batched,
            "gemm",
            _write_batched,
            _batched_loops,
        ),
        LibraryRow(
            "gemv", 3, 2, (*_SCALE, "trans_a"), _gemv, "gemv", _write_gemv, _gemv_loops
        ),
        LibraryRow("dot", 3, 1, (), _dot, "dot", _write_dot, _dot_loops),
    )
}

MEANINGS = {row.name: row.meaning for row in LIBRARY.values()}
