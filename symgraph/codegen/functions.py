"""Elementary and special functions for numba: one table says where each word comes from.

All are ``symgraph_kernels.jit``'s: branch-free LLVM, inlined, vectorized. A word that the table
of kernels lacks is taken from the C library where that has it (then a loop over it stays scalar).
"""

from __future__ import annotations

from typing import Any  # numba's functions have no annotations

from symgraph.errors import UnsupportedError

FUNCTIONS = frozenset(
    [
        *("exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh").split(),
        *("asin acos atan atan2 asinh acosh atanh cbrt hypot pow").split(),
        *("sigmoid softplus log1mexp logaddexp").split(),
        *("erf erfc erfcx erfinv gamma gammaln digamma trigamma ndtri").split(),
    ]
)

# word -> (name in the C library, arguments)
_LIBM = {
    **{name: (name, 1) for name in "exp exp2 expm1 log log2 log10 log1p sin cos tan".split()},
    **{name: (name, 1) for name in "sinh cosh tanh asin acos atan asinh acosh atanh".split()},
    **{name: (name, 1) for name in "cbrt erf erfc".split()},
    "atan2": ("atan2", 2),
    "hypot": ("hypot", 2),
    "pow": ("pow", 2),
    "gamma": ("tgamma", 1),
    "gammaln": ("lgamma", 1),
}


def function(word: str) -> Any:
    """The word as a callable in nopython code, on float32 and float64.

    Raises: UnsupportedError for a word that neither the kernels nor the C library have.
    """
    from symgraph_kernels import jit

    found = getattr(jit, word, None)
    if found is not None:
        return found
    if word in _LIBM:
        from symgraph.codegen.numba_words import make

        name, arity = _LIBM[word]
        return make(word, arity, lambda e, args: e.libm(name, *args), lambda x: x)
    raise UnsupportedError(f"the numba backend has no {word}")
