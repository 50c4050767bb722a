"""Short constructors for loop IR: ``add(x, const(1))``, ``load(buffer, i, j)``.

Each word of the vocabulary is a function here by way of ``word``; the common ones have names.
Dtypes are inferred and checked, so that an expression built here verifies.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symgraph.loop.ir import Buffer, Cast, Const, Expr, Load, Scalar, Var, Word
from symgraph.loop.words import INT64, result_dtype

DType = np.dtype[np.generic]


def const(value: Scalar, dtype: DType | str | type = INT64) -> Const:
    """A constant of a dtype; a value that is no number of that dtype raises OverflowError."""
    wanted = np.dtype(dtype)
    return Const(wanted.type(value), wanted)  # type: ignore[arg-type]


def i64(name: str) -> Var:
    """An int64 variable: a size or a loop index."""
    return Var(name, INT64)


def var(name: str, dtype: DType | str | type) -> Var:
    """A variable of a dtype."""
    return Var(name, np.dtype(dtype))


def buffer(name: str, dtype: DType | str | type, *shape: Expr | str | int) -> Buffer:
    """A buffer; dimensions may be numbers and names of sizes."""
    return Buffer(name, np.dtype(dtype), tuple(index(dim) for dim in shape))


def index(x: Expr | str | int) -> Expr:
    """An int64 expression from a number, the name of a size, or itself."""
    if isinstance(x, str):
        return i64(x)
    return const(x) if isinstance(x, int) else x


def load(source: Buffer, *at: Expr | str | int) -> Load:
    """source[at...]."""
    return Load(source.name, tuple(index(x) for x in at), source.dtype)


def word(name: str, *args: Expr) -> Word:
    """A word applied to expressions of fitting dtypes; VerifyError otherwise."""
    return Word(name, args, result_dtype(name, tuple(x.dtype for x in args)))


def cast(x: Expr, dtype: DType | str | type) -> Expr:
    """x converted, or x itself where it has the dtype already."""
    wanted = np.dtype(dtype)
    return x if x.dtype == wanted else Cast(x, wanted)


def bitcast(x: Expr, dtype: DType | str | type) -> Word:
    """The bits of x as another dtype of the same width."""
    wanted = np.dtype(dtype)
    return Word("bitcast", (x,), result_dtype("bitcast", (x.dtype,), wanted))


def _binary(name: str) -> Callable[[Expr, Expr], Word]:
    def build(x: Expr, y: Expr) -> Word:
        return word(name, x, y)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"The word ``{name}`` of two expressions."
    return build


add, sub, mul, div = (_binary(name) for name in ("add", "sub", "mul", "div"))
floordiv, mod, minimum, maximum = (_binary(n) for n in ("floordiv", "mod", "minimum", "maximum"))
eq, ne, lt, le = (_binary(name) for name in ("eq", "ne", "lt", "le"))
