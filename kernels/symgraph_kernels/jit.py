"""The table for numba: `from symgraph_kernels import jit`, then `jit.exp(x)` in `njit` code.

In nopython code each is one LLVM call of a strict `alwaysinline` function (llvm.py): no body is
typed or lowered, nothing is looked up at run time, loops over them vectorize, and `fastmath` of
the caller stays outside. Arguments are float32 or float64, all of one type, which is the
result's. Called from plain Python they compute the same by NumPy (plain.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core.extending import lower_builtin, type_callable

from symgraph_kernels import plain
from symgraph_kernels.llvm import emit_function
from symgraph_kernels.table import ROWS, Row

__all__ = [*ROWS]


FLOATS = (types.float32, types.float64)


def register(name: str, type_callable: Any, lower_builtin: Any, floats: Any = FLOATS) -> None:
    """Make the word `name` known to a numba, by its registration functions and float types.

    Done here for numba itself. For a numba with tables of its own, as numba-cuda's, pass its own.
    """
    word, arity = globals()[name], ROWS[name].arity
    type_callable(word)((_unary_typing, _binary_typing)[arity - 1](floats))

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = "cuda" if "nvptx" in str(builder.module.triple) else "cpu"
        function = emit_function(builder.module, name, signature.return_type, target)
        return builder.call(function, args)

    for kind in floats:
        lower_builtin(word, *[kind] * arity)(lower)


def _word(row: Row) -> Callable[..., Any]:
    """The row as a function of plain Python."""

    def unary(x: Any) -> Any:
        return plain.evaluate(row.name, x)

    def binary(x: Any, y: Any) -> Any:
        return plain.evaluate(row.name, x, y)

    word = unary if row.arity == 1 else binary
    word.__name__ = word.__qualname__ = row.name
    word.__doc__ = f"{row.reference} in float32 or float64, error below {max(row.ulp)} ulp."
    return word


def _unary_typing(floats: Any) -> Callable[..., Any]:
    """float -> the same float; numba reads the arity off the inner function."""

    def typing(context: Any) -> Callable[..., Any]:
        def typer(x: Any) -> Any:
            return x if x in floats else None

        return typer

    return typing


def _binary_typing(floats: Any) -> Callable[..., Any]:
    """Two floats of one type -> that type."""

    def typing(context: Any) -> Callable[..., Any]:
        def typer(x: Any, y: Any) -> Any:
            return x if x in floats and x == y else None

        return typer

    return typing


globals().update({name: _word(row) for name, row in ROWS.items()})
for _name in ROWS:
    register(_name, type_callable, lower_builtin)
