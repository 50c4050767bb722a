"""The names that generated source calls, in plain Python: what makes a kernel's source runnable.

Each is a function on NumPy scalars with the meaning of ``loop.words``. ``names(used)`` collects
them; attribute access gives one (``from symgraph.codegen.plain import at, exp``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any  # scalars and arrays of any dtype

import numpy as np

from symgraph.codegen.spelling import SPELLED
from symgraph.loop import rescue, words
from symgraph.loop.parse import parse_function

_WORD_OF = {spelled: name for name, spelled in SPELLED.items()}
DTYPE_OF = {"boolean": words.BOOL, **{str(d): d for d in words.DTYPES if d.kind != "b"}}


def at(i: Any) -> Any:
    """The index itself; compiled code learns from it that i >= 0."""
    if i < 0:
        raise IndexError(f"index {i} is negative")
    return i


def sum_of(x: Any, y: Any) -> Any:
    """x + y, in an accumulation whose order is free."""
    return word("add")(x, y)


def product_of(x: Any, y: Any) -> Any:
    """x * y, in an accumulation whose order is free."""
    return word("mul")(x, y)


def copy_memory(target: int, source: int, nbytes: int) -> None:
    """Copies bytes from one address to another; they may overlap."""
    ctypes.memmove(target, source, nbytes)


def function(text: str) -> Callable[..., Any]:
    """The function of a kernel, from its text in the loop IR: (fast, doubt, *arguments)."""
    found = parse_function(text)
    return lambda *args: rescue.run(
        found, [x if isinstance(x, np.generic) else _scalar(x) for x in args]
    )


def word(name: str, result: np.dtype[Any] | None = None) -> Callable[..., Any]:
    """The function of a word on NumPy scalars and Python numbers (int64, float64, bool)."""

    def call(*args: Any) -> Any:
        scalars = tuple(x if isinstance(x, np.generic) else _scalar(x) for x in args)
        dtypes = tuple(x.dtype for x in scalars)
        with np.errstate(all="ignore"):
            return words.evaluate(name, scalars, words.result_dtype(name, dtypes, result))

    call.__name__ = call.__qualname__ = SPELLED.get(name, name)
    return call


def _scalar(x: Any) -> Any:
    kinds = {bool: np.bool_, int: np.int64, float: np.float64}
    return kinds[type(x)](x)


def cast(dtype: np.dtype[Any]) -> Callable[[Any], Any]:
    """The function that converts a number to a dtype."""

    def convert(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return words.convert(x, dtype)

    return convert


def array(dtype: np.dtype[Any]) -> Callable[[int, tuple[int, ...]], Any]:
    """The function that sees memory at an address as a C-contiguous array."""

    def view(address: int, shape: tuple[int, ...]) -> Any:
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if size <= 0:
            return np.empty(shape, dtype)
        memory: Any = (ctypes.c_char * size).from_address(address)
        return np.frombuffer(memory, dtype).reshape(shape)

    return view


def local(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Callable[[], Any]:
    """The function that makes an uninitialised scratch array."""
    return lambda: np.empty(shape, dtype)


def lookup(name: str) -> Any:
    """What a name in generated source stands for; KeyError for a name that stands for nothing."""
    if name in ("inf", "nan"):
        return float(name)
    if name in ("at", "sum_of", "product_of", "copy_memory", "function"):
        return globals()[name]
    if name in DTYPE_OF:
        return cast(DTYPE_OF[name])
    head, _, rest = name.partition("_")
    if head == "array":
        return array(DTYPE_OF[rest])
    if head == "bitcast":
        return word("bitcast", DTYPE_OF[rest])
    if head == "local":
        dtype, shape = parse_local(rest)
        return local(dtype, shape)
    spelled = _WORD_OF.get(name, name)
    if spelled not in words.WORDS:
        raise KeyError(name)
    return word(spelled)


def local_name(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    """The name of the function that makes a scratch array: ``local_float64_4x8``."""
    dims = "x".join(map(str, shape)) or "scalar"
    return f"local_{'boolean' if dtype.kind == 'b' else dtype}_{dims}"


def parse_local(rest: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """dtype and shape from the part of a ``local_name`` after "local_"."""
    dtype, _, dims = rest.rpartition("_")
    return DTYPE_OF[dtype], () if dims == "scalar" else tuple(map(int, dims.split("x")))


def names(used: Iterable[str]) -> dict[str, Any]:
    """The namespace in which generated source runs in plain Python."""
    return {name: lookup(name) for name in used}


def __getattr__(name: str) -> Any:
    try:
        return lookup(name)
    except KeyError:
        raise AttributeError(name) from None
