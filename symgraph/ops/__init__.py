"""The op table. Importing this package fills ``symgraph.ir.op.OPS``; each module holds rows."""

import importlib

MODULES = (
    "leaves",
    "arith",
    "compare",
    "math",
    "special",
    "shape",
    "reduce",
    "index",
    "create",
    "linalg",
    "nn",
    "random",
    "control",
)

for _module in MODULES:
    importlib.import_module(f"symgraph.ops.{_module}")
