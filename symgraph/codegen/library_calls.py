"""Library calls as source lines that call functions by pointer: our products, or CBLAS.

float32 and float64 go to ``product`` (see ``product_entry``), complex dtypes to CBLAS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any  # attributes are numbers of any kind

import numpy as np

from symgraph.codegen.externals import PARALLEL
from symgraph.codegen.product_entry import FLAGS
from symgraph.records import dataclass

DType = np.dtype[np.generic]
Attrs = Mapping[str, Any]
Spell = Callable[..., str]
Function = Callable[[str], str]  # the name of a library function to the text of its address

PRODUCTS = {"float32": "product.float32", "float64": "product.float64"}
LETTERS = {"complex64": "c", "complex128": "z"}  # of BLAS


@dataclass(frozen=True, slots=True)
class LibraryCall:
    """A call to be written: dtype, texts of the buffers' addresses and of the sizes, attributes."""

    dtype: DType
    addresses: tuple[str, ...]
    sizes: tuple[str, ...]
    attrs: Attrs


def _number(value: Any, dtype: DType, spell: Spell) -> str:
    if dtype.kind == "c":
        part = "float32" if dtype.itemsize == 8 else "float64"
        whole = complex(value)
        return spell("make_complex", spell(part, repr(whole.real)), spell(part, repr(whole.imag)))
    return spell(str(dtype), repr(float(value)))


def _scalars(call: LibraryCall, spell: Spell) -> tuple[str, str]:
    alpha, beta = call.attrs.get("alpha", 1), call.attrs.get("beta", 0)
    return _number(alpha, call.dtype, spell), _number(beta, call.dtype, spell)


def symbols(call: LibraryCall, blas: str) -> tuple[str, ...]:
    """The functions that a call needs: our product and the thread pool, or one of BLAS."""
    dtype = str(call.dtype)
    if dtype in PRODUCTS:
        return PRODUCTS[dtype], PARALLEL
    return (f"cblas.{LETTERS[dtype]}{blas}",)


def _product(call: LibraryCall, function: Function, spell: Spell, sizes: tuple[str, ...]) -> str:
    """One call of our product; ``sizes`` are batch, m, n, k."""
    flags = sum(bool(call.attrs.get(name)) << place for place, name in enumerate(FLAGS))
    alpha, beta = _scalars(call, spell)
    address, parallel = (function(x) for x in symbols(call, ""))
    a, b, c = call.addresses
    return spell("matrix_product", address, *sizes, str(flags), alpha, a, b, beta, c, parallel)


def write_gemm(call: LibraryCall, function: Function, spell: Spell) -> list[str]:
    """One product of matrices."""
    if str(call.dtype) in PRODUCTS:
        return [_product(call, function, spell, ("1", *call.sizes))]
    return [_gemm_text(call, function, spell, call.addresses, call.sizes)]


def _gemm_text(
    call: LibraryCall,
    function: Function,
    spell: Spell,
    addresses: tuple[str, ...],
    sizes: tuple[str, ...],
) -> str:
    flags = [str(int(bool(call.attrs.get(name)))) for name in ("trans_a", "trans_b")]
    alpha, beta = _scalars(call, spell)
    head = (function(symbols(call, "gemm")[0]), *flags, *sizes)
    return spell("cblas_gemm", *head, alpha, *addresses[:2], beta, addresses[2])


def write_batched(call: LibraryCall, function: Function, spell: Spell) -> list[str]:
    """A product for each leading index."""
    if str(call.dtype) in PRODUCTS:
        return [_product(call, function, spell, call.sizes)]
    batch, m, n, k = call.sizes
    size = call.dtype.itemsize
    a, b, c = call.addresses
    a = a if call.attrs.get("shared_a") else f"{a} + item * (({m}) * ({k}) * {size})"
    b = b if call.attrs.get("shared_b") else f"{b} + item * (({k}) * ({n}) * {size})"
    c = f"{c} + item * (({m}) * ({n}) * {size})"
    text = _gemm_text(call, function, spell, (a, b, c), (m, n, k))
    return [f"for item in range({batch}):", f"    {text}"]


def write_gemv(call: LibraryCall, function: Function, spell: Spell) -> list[str]:
    """A product of a matrix and a vector."""
    m, n = call.sizes
    turned = bool(call.attrs.get("trans_a"))
    if str(call.dtype) in PRODUCTS:
        rows, inner = (n, m) if turned else (m, n)
        return [_product(call, function, spell, ("1", rows, "1", inner))]
    alpha, beta = _scalars(call, spell)
    a, x, y = call.addresses
    head = (function(symbols(call, "gemv")[0]), str(int(turned)), m, n)
    return [spell("cblas_gemv", *head, alpha, a, x, beta, y)]


def write_dot(call: LibraryCall, function: Function, spell: Spell) -> list[str]:
    """A product of a row and a column."""
    return [_product(call, function, spell, ("1", "1", "1", call.sizes[0]))]
