"""The words as functions for numba: `from symgraph_kernels import jit`, then `jit.exp(x)` inside `numba.njit` code.

In nopython code each is one LLVM call of a strict `alwaysinline` function (llvm.py): no body is typed or lowered, nothing
is looked up at run time, loops over them vectorize, and `fastmath` of the caller stays outside. Arguments are float32 or
float64, all of one type, which is the result's. Called from plain Python they compute the same by NumPy (plain.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core.extending import lower_builtin, type_callable

from symgraph_kernels import plain
from symgraph_kernels.llvm import emit_function
from symgraph_kernels.table import ROWS, Row

__all__ = [*ROWS]  # noqa: PLE0604 - the names are the table's


FLOATS = (types.float32, types.float64)


def _word(row: Row) -> Callable[..., Any]:
    """The Python function of a row, known to numba by a typing and a lowering."""

    word, typing = (_unary, _binary)[row.arity - 1](row.name)
    word.__name__ = word.__qualname__ = row.name
    word.__doc__ = f"{row.reference}, elementwise in float32 or float64 (error below {max(row.ulp)} ulp)."
    type_callable(word)(typing)

    for kind in FLOATS:

        @lower_builtin(word, *[kind] * row.arity)
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = emit_function(builder.module, row.name, signature.return_type)
            return builder.call(function, args)

    return word


def _unary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(the function for plain Python, its numba typing); numba reads the arity off the typer's signature."""

    def word(x: Any) -> Any:
        return plain.evaluate(name, x)

    def typing(context: Any) -> Callable[..., Any]:
        def typer(x: Any) -> Any:
            return x if x in FLOATS else None

        return typer

    return word, typing


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def word(x: Any, y: Any) -> Any:
        return plain.evaluate(name, x, y)

    def typing(context: Any) -> Callable[..., Any]:
        def typer(x: Any, y: Any) -> Any:
            return x if x in FLOATS and x == y else None

        return typer

    return word, typing


globals().update({name: _word(row) for name, row in ROWS.items()})
