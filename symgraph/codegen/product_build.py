"""All code of matrix products of one dtype as one module, for the processor at hand."""

from __future__ import annotations

from collections.abc import Mapping

import llvmlite.binding as llvm
import numpy as np

from symgraph.codegen.objects import compile_straight
from symgraph.codegen.product_code import Function
from symgraph.codegen.product_entry import entry, piece, split, whole
from symgraph.codegen.product_forms import forms
from symgraph.codegen.product_kernel import (
    AXPY_ROWS,
    DOT_BLOCKS,
    Shape,
    axpy_kernel,
    declarations,
    dots_kernel,
    rows_kernel,
)
from symgraph.codegen.product_panel import pack, span, tables, turn

ENTRY = "product"
# Each function is compiled once and called. No fast-math flags: NaN and infinities count.
_ATTRIBUTES = "attributes #0 = { noinline nounwind }"


def compiled(dtype: str) -> bytes:
    """An object that exports ``product``, for this processor."""
    features = llvm.get_host_cpu_features()
    return compile_straight(assembly(shape_for(dtype, features, llvm.get_process_triple())))


def shape_for(dtype: str, features: Mapping[str, bool], triple: str) -> Shape:
    """Vector length and registers of a processor: AVX-512, AVX, or vectors of 16 bytes."""
    kind = np.dtype(dtype)
    wide, middle = features.get("avx512f", False), features.get("avx", False)
    nbytes = 64 if wide else 32 if middle else 16
    many = wide or not triple.startswith(("x86_64", "i686", "i386"))
    return Shape(kind, nbytes // kind.itemsize, 32 if many else 16)


def assembly(shape: Shape) -> str:
    """LLVM assembly that exports ``product``."""
    functions: list[Function] = []
    for vectors, blocks in shape.blocks.items():
        functions += [rows_kernel(shape, rows, vectors) for rows in blocks]
    functions += [dots_kernel(shape, *block) for block in DOT_BLOCKS]
    functions += [axpy_kernel(shape, rows) for rows in AXPY_ROWS]
    functions += [span(shape), turn(shape), pack(shape), *forms(shape)]
    functions += [piece(shape), whole(shape), split(shape), entry(shape, ENTRY)]
    return "\n\n".join(
        [declarations(shape), tables(shape), *(f.text() for f in functions), _ATTRIBUTES]
    )
