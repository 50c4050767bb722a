"""Library calls: matrix products, as rows of a table.

A row has a meaning in NumPy (for ``interp``) and, for each dtype, either the lines of source that
call a function by pointer (``library_calls``), or a loop kernel (``library_loops``: integers and
bool have no library, nor has sorting). All operands are C-contiguous. Symbols name functions:
"product.float64" is ours (``product_entry``), "cblas.zgemm" has the C interface of CBLAS and
64-bit integers; ``externals`` finds their addresses at load time.

    gemm          (a, b, c; m, n, k)          c = alpha * op(a) @ op(b) + beta * c
    gemm_batched  (a, b, c; batch, m, n, k)   the same for each of ``batch`` leading indices
    gemv          (a, x, y; m, n)             y = alpha * op(a) @ x + beta * y, a is (m, n)
    dot           (x, y, out; n)              out = sum(x * y), no conjugate
    sort          (x, out; rows, n)           each row in order, NaN last, zeros in any order
    argsort       (x, out; rows, n)           int64 indices that sort each row, stable, NaN last
    argsort_wide  (x, out, more; rows, n)     the same for numbers of 8 bytes; ``more`` as ``out``

Attributes: alpha (1), beta (0), trans_a, trans_b (False): op transposes, the stored operand then
is (k, m) or (n, k); batched also shared_a, shared_b (False): one operand for all of the batch.
With beta == 0 the old c is not read. The result never overlaps an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any  # attributes and arrays of any dtype

import numpy as np

from symgraph.codegen import library_calls as calls
from symgraph.codegen import library_loops as loops
from symgraph.codegen import library_sorting as sorting
from symgraph.codegen.library_calls import LETTERS, PRODUCTS, Function, LibraryCall, Spell
from symgraph.loop.ir import Kernel
from symgraph.records import dataclass

DType = np.dtype[np.generic]
Array = np.ndarray[Any, np.dtype[Any]]
Attrs = Mapping[str, Any]
Meaning = Callable[[Sequence[Array], Sequence[int], Attrs], None]
Write = Callable[[LibraryCall, Function, Spell], list[str]]


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """One library call; ``function`` is the BLAS function that ``write`` calls, if there is one."""

    name: str
    buffers: int
    sizes: int
    attrs: tuple[str, ...]
    meaning: Meaning
    loops: Callable[[DType, Attrs], Kernel]
    function: str = ""
    write: Write | None = None
    kinds: str = "fc"  # of the dtypes whose BLAS function has the common interface

    def kernel(self, dtype: DType, attrs: Attrs) -> Kernel | None:
        """The loop kernel that does it, where no library function does."""
        if self.function and str(dtype) in (*PRODUCTS, *LETTERS) and dtype.kind in self.kinds:
            return None
        return self.loops(dtype, attrs)

    def lines(self, call: LibraryCall, function: Function, spell: Spell) -> list[str]:
        """Source lines that do the call; ``function`` gives the address of one it needs."""
        assert self.write is not None, self.name
        return self.write(call, function, spell)


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


def _sort(arrays: Sequence[Array], sizes: Sequence[int], attrs: Attrs) -> None:
    rows, n = sizes
    x, out = (array.reshape(-1)[: rows * n].reshape(rows, n) for array in arrays)
    out[...] = np.sort(x, axis=-1, kind="stable")


def _argsort(arrays: Sequence[Array], sizes: Sequence[int], attrs: Attrs) -> None:
    rows, n = sizes
    x, out = (array.reshape(-1)[: rows * n].reshape(rows, n) for array in arrays[:2])
    out[...] = np.argsort(x, axis=-1, kind="stable")


# ---------------------------------------------------------------- the table

_SCALE, _TRANS, _SHARED = ("alpha", "beta"), ("trans_a", "trans_b"), ("shared_a", "shared_b")
_PRODUCT = _SCALE + _TRANS

_ROWS = (
    LibraryRow("gemm", 3, 3, _PRODUCT, _gemm, loops.gemm_loops, "gemm", calls.write_gemm),
    LibraryRow(
        "gemm_batched",
        3,
        4,
        _PRODUCT + _SHARED,
        _gemm_batched,
        loops.batched_loops,
        "gemm",
        calls.write_batched,
    ),
    LibraryRow(
        "gemv", 3, 2, (*_SCALE, "trans_a"), _gemv, loops.gemv_loops, "gemv", calls.write_gemv
    ),
    LibraryRow("dot", 3, 1, (), _dot, loops.dot_loops, "dot", calls.write_dot, "f"),
    LibraryRow("sort", 2, 2, (), _sort, sorting.sort_loops),
    LibraryRow("argsort", 2, 2, (), _argsort, sorting.argsort_loops),
    LibraryRow("argsort_wide", 3, 2, (), _argsort, sorting.wide_argsort_loops),
)

LIBRARY: dict[str, LibraryRow] = {row.name: row for row in _ROWS}
MEANINGS: dict[str, Meaning] = {row.name: row.meaning for row in _ROWS}
