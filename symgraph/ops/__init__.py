"""The op table. Importing this package fills ``symgraph.ir.op.OPS``; each module holds rows."""

import importlib

from symgraph.ir.op import OPS

MODULES = (
    "leaves",
    "arith",
    "signs",
    "parts",
    "compare",
    "math",
    "activation",
    "special",
    "polynomial",
    "scaled",
    "defects",
    "exact_arguments",
    "intervals",
    "polygamma",
    "gammas",
    "shape",
    "broadcast",
    "reduce",
    "statistics",
    "running",
    "index",
    "update",
    "at",
    "create",
    "join",
    "pad",
    "linalg",
    "einsum",
    "nn",
    "means",
    "sorting",
    "random",
    "control",
    "guarded",
    "exact_sums",
    "marks",
)

for _module in MODULES:
    importlib.import_module(f"symgraph.ops.{_module}")

BUILT_IN = dict(OPS)
"""The ops that come with symgraph: their names mean the same in every process."""
