"""Library calls as source lines that call CBLAS functions by pointer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any  # attributes are numbers of any kind

import numpy as np

DType = np.dtype[np.generic]
Attrs = Mapping[str, Any]
Spell = Callable[..., str]

LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}


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


def write_gemm(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    """One call of cblas_?gemm."""
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


def write_batched(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    """A loop of calls of cblas_?gemm over the leading index."""
    batch, m, n, k = call.sizes
    size = call.dtype.itemsize
    a, b, c = call.addresses
    a = a if call.attrs.get("shared_a") else f"{a} + item * (({m}) * ({k}) * {size})"
    b = b if call.attrs.get("shared_b") else f"{b} + item * (({k}) * ({n}) * {size})"
    c = f"{c} + item * (({m}) * ({n}) * {size})"
    text = _gemm_text(call, function, spell, (a, b, c), (m, n, k))
    return [f"for item in range({batch}):", f"    {text}"]


def write_gemv(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    """One call of cblas_?gemv."""
    trans = str(int(bool(call.attrs.get("trans_a"))))
    alpha, beta = _scalars(call, spell)
    a, x, y = call.addresses
    return [spell("cblas_gemv", function, trans, *call.sizes, alpha, a, x, beta, y)]


def write_dot(call: LibraryCall, function: str, spell: Spell) -> list[str]:
    """One call of cblas_?dot, stored into the result."""
    x, y, out = call.addresses
    array = f"array_{call.dtype}"
    value = spell("cblas_dot", function, *call.sizes, x, y, _number(0, call.dtype, spell))
    return [f"{spell(array, out, '()')}[()] = {value}"]
