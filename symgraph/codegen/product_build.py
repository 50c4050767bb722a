"""All code of matrix products of one dtype as one module, for the processor at hand."""

from __future__ import annotations

from collections.abc import Mapping

import llvmlite.binding as llvm
import numpy as np

from symgraph.codegen.objects import compile_straight
from symgraph.codegen.product_code import MISSING, Function
from symgraph.codegen.product_dots import PAIRS, ROW_PAIRS, dots_kernel, pairs_kernel
from symgraph.codegen.product_entry import entry, piece, single, split, whole
from symgraph.codegen.product_forms import Names, forms
from symgraph.codegen.product_kernel import (
    AXPY_ROWS,
    Shape,
    axpy_kernel,
    declarations,
    rows_kernel,
)
from symgraph.codegen.product_panel import pack, span, tables, turn
from symgraph.codegen.product_parts import everything

ENTRY = "product"
# Each function is compiled once and called. No fast-math flags: NaN and infinities count. What only
# calls others is not optimized: 16 ns of a product's 110 or more, for a quarter of compile time.
_ATTRIBUTES = """attributes #0 = { noinline nounwind }
attributes #1 = { noinline nounwind optnone }"""
_MISSING = f"""declare void @llvm.trap()
define internal void @{MISSING}() #0 {{
  call void @llvm.trap()
  unreachable
}}"""


def compiled(dtype: str, names: Names = frozenset()) -> bytes:
    """An object that exports ``product``, for this processor.

    ``names``: what it has of ``product_parts.everything``; all of it where there is none.
    """
    return compile_straight(assembly(host_shape(dtype), names))


def host_shape(dtype: str) -> Shape:
    """The vectors of this processor."""
    return shape_for(dtype, llvm.get_host_cpu_features(), llvm.get_process_triple())


def shape_for(dtype: str, features: Mapping[str, bool], triple: str) -> Shape:
    """Vector length and registers of a processor: AVX-512, AVX, or vectors of 16 bytes."""
    kind = np.dtype(dtype)
    wide, middle = features.get("avx512f", False), features.get("avx", False)
    nbytes = 64 if wide else 32 if middle else 16
    many = wide or not triple.startswith(("x86_64", "i686", "i386"))
    return Shape(kind, nbytes // kind.itemsize, 32 if many else 16)


def assembly(shape: Shape, names: Names = frozenset()) -> str:
    """LLVM assembly that exports ``product``."""
    names = names or everything(shape)
    kernels: list[Function] = []
    for vectors, heights in shape.blocks.items():
        some = [rows for rows in heights if f"rows_{rows}x{vectors}" in names]
        kernels += [rows_kernel(shape, rows, vectors) for rows in some]
    blocks = [(r, c) for r, c in shape.dot_blocks if f"dots_{r}x{c}" in names]
    kernels += [dots_kernel(shape, *block) for block in blocks]
    if "streamed" in names:
        kernels += [axpy_kernel(shape, rows) for rows in AXPY_ROWS]
    kernels += [pairs_kernel(shape, name) for name in (PAIRS, ROW_PAIRS) if name in names]
    movers = {"turn": turn, "pack": pack}
    kernels += [make(shape) for name, make in movers.items() if name in names]
    callers = [*forms(shape, names), single(shape, names), piece(shape, names), whole(shape)]
    callers += [span(shape)] if names & {"direct", "packed"} else []
    callers += [split(shape)] if "split" in names else []
    callers += [entry(shape, ENTRY, names)]
    texts = [declarations(shape), _MISSING, tables(shape, names, MISSING), _ATTRIBUTES]
    texts += [*(f.text() for f in kernels), *(f.text("#1") for f in callers)]
    return "\n\n".join(texts)
