"""From what users pass to nodes: numbers, arrays, dims and lists become variables; dtypes meet.

``asarray`` turns anything into a variable; ``common`` brings several operands to the dtype that
NumPy 2 would compute in, with Python numbers and dims weak (NEP 50).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import DTypeError, UnsupportedError, message
from symgraph.ir.dim import Dim
from symgraph.ir.dtype import BOOL, DType, Scalar, as_dtype, promote, promote_weak, to_float
from symgraph.ir.node import Node, constant_node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import user_line
from symgraph.ir.variable import Variable


def wrap(node: Node, weak: bool = False) -> Variable:
    """A handle on a node, with the user's line."""
    return Variable(node, weak=weak, line=user_line())


def make(op_name: str, inputs: Sequence[Variable] = (), **attrs: Any) -> Variable:
    """A variable for an op of the table on variables."""
    return wrap(make_node(find_op(op_name), tuple(v.node for v in inputs), attrs))


def dim_value(dim: Dim | int) -> Variable:
    """A dimension as a weak int64 scalar."""
    if isinstance(dim, int):
        return wrap(constant_node(np.asarray(dim, "int64")), weak=True)
    return wrap(make_node(find_op("dim"), (), {"dim": dim}), weak=True)


def asarray(value: Any, dtype: Any = None) -> Variable:
    """A variable from a variable, a number, an array, a dim, or a nested list of these.

    Python numbers give weak scalars. Raises DTypeError for dtypes that are not supported.
    """
    if isinstance(value, Variable):
        return value if dtype is None else cast(value, as_dtype(dtype))
    if isinstance(value, Dim):
        found = dim_value(value)
        return found if dtype is None else cast(found, as_dtype(dtype))
    if isinstance(value, list | tuple) and _holds_symbols(value):
        stack = find_op("stack")
        return stack([asarray(v, dtype) for v in value])  # type: ignore[no-any-return]
    weak = type(value) in (bool, int, float, complex) and dtype is None
    return wrap(constant_node(_to_numpy(value, dtype)), weak=weak)


def _holds_symbols(value: Sequence[Any]) -> bool:
    return any(isinstance(v, Variable | Dim) or (isinstance(v, list | tuple) and _holds_symbols(v)) for v in value)


def _to_numpy(value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    if isinstance(value, np.ma.MaskedArray):
        raise DTypeError(message("a masked array would lose its mask", hint="pass .filled(value), or data and mask"))
    try:
        if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
            array = np.from_dlpack(value)
        else:
            array = np.asarray(value)
    except (ValueError, TypeError, BufferError) as error:
        raise DTypeError(message(f"cannot make an array of {type(value).__name__}: {error}")) from error
    target = as_dtype(array.dtype if dtype is None else dtype)
    with np.errstate(over="ignore"):
        return array.astype(target, copy=False)


def cast(x: Variable, dtype: DType) -> Variable:
    """x converted to a dtype; constants are converted at once; no node where nothing changes."""
    if x.dtype == dtype and not x.weak:
        return x
    if x.node.op.name == "constant":
        value = x.node.attrs["value"]
        _refuse_overflow(x, value, dtype)
        return wrap(constant_node(value.astype(dtype)))
    if x.dtype == dtype:
        return wrap(x.node)
    return make("astype", [x], dtype=dtype)


def _refuse_overflow(x: Variable, value: np.ndarray[Any, Any], dtype: DType) -> None:
    if x.weak and value.dtype.kind == "i" and dtype.kind in "iu":
        info = np.iinfo(dtype)
        if not info.min <= int(value) <= info.max:
            raise DTypeError(message(f"the Python integer {int(value)} does not fit {dtype}", hint="cast the array first"))


def _weak_scalar(x: Variable) -> Scalar:
    found: Scalar = {"b": False, "i": 0, "f": 0.0, "c": 0j}[x.dtype.kind]
    return found


def common_dtype(xs: Sequence[Variable]) -> DType:
    """The dtype in which these meet."""
    strong = [x.dtype for x in xs if not x.weak]
    weak = [x for x in xs if x.weak]
    if not strong:
        return promote(*[x.dtype for x in weak])
    return promote_weak(strong, [_weak_scalar(x) for x in weak]) if weak else promote(*strong)


def common(values: Sequence[Any], rule: str = "same") -> list[Variable]:
    """Operands as variables of one dtype.

    ``rule``: "same" (promote), "float" (integers become floating), "logical" (bool),
    "numeric" (bool becomes int8, as NumPy's arithmetic on bool does where it is defined), "each" (untouched).
    """
    xs = [asarray(v) for v in values]
    if rule == "each":
        return xs
    if rule == "logical":
        return [cast(x, BOOL) for x in xs]
    dtype = common_dtype(xs)
    if rule == "float":
        weak_only = all(x.weak for x in xs)
        dtype = dtype if dtype.kind in "fc" else as_dtype("float64") if weak_only else to_float(dtype)
    return [cast(x, dtype) for x in xs]


def all_weak(values: Sequence[Any]) -> bool:
    """Do all operands come from Python numbers or dims?"""
    return all(isinstance(v, bool | int | float | complex | Dim) or (isinstance(v, Variable) and v.weak) for v in values)


def require(condition: bool, op: str, dtype: DType, takes: str, hint: str = "") -> None:
    """DTypeError naming op, dtype and what it takes, unless ``condition``."""
    if not condition:
        line = user_line()
        raise DTypeError(
            message(f"{op} does not take {dtype}", {"takes": takes}, str(line) if line else None, hint or "cast with sg.astype")
        )


def unsupported(op: str, what: str, hint: str) -> UnsupportedError:
    """The error for a form that is understood but not supported yet."""
    line = user_line()
    return UnsupportedError(message(f"{op}: {what}", line=str(line) if line else None, hint=hint))
