"""Elementary and special functions as LLVM: the one place that says where each comes from.

They are ``symgraph_kernels``'s: branch-free, inlined, vectorized. A word that its table lacks is
taken from the C library where that has it; a loop over it then stays scalar.
"""

from __future__ import annotations

from typing import Any  # numba's builders and types have no annotations

from symgraph.errors import UnsupportedError
from symgraph_kernels.table import ROWS

# word -> its name in the C library
_LIBM = {
    **{
        name: name
        for name in ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan"]
    },
    **{
        name: name
        for name in [
            "sinh",
            "cosh",
            "tanh",
            "asin",
            "acos",
            "atan",
            "atan2",
            "asinh",
            "acosh",
            "atanh",
        ]
    },
    **{name: name for name in ["cbrt", "hypot", "pow", "erf", "erfc", "nextafter"]},
    "gamma": "tgamma",
    "gammaln": "lgamma",
}


def emit(builder: Any, word: str, kind: Any, *args: Any) -> Any:
    """The call of a function word on floats of one type (``kind`` prints float32 or float64).

    Raises: UnsupportedError for a word that neither the kernels nor the C library have.
    """
    from llvmlite import ir  # LLVM as text needs none of its classes

    from symgraph_kernels.llvm import emit_function

    if word in ROWS:
        target = "cuda" if "nvptx" in str(builder.module.triple) else "cpu"
        return builder.call(emit_function(builder.module, word, kind, target), args)
    name = c_name(word, kind)
    signature = ir.FunctionType(args[0].type, [a.type for a in args])
    found = builder.module.globals.get(name) or ir.Function(builder.module, signature, name)
    return builder.call(found, args)


def c_name(word: str, kind: Any) -> str:
    """The function of the C library; UnsupportedError where there is none."""
    if word not in _LIBM:
        raise UnsupportedError(f"compiled code has no function {word} yet")
    return _LIBM[word] + ("f" if str(kind) == "float32" else "")
