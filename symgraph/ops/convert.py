"""From what users pass to nodes: numbers, arrays, dims and lists become variables; dtypes meet.

``asarray`` turns anything into a variable; ``common`` brings several operands to the dtype that
NumPy 2 would compute in, with Python numbers and dims weak (NEP 50).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from symgraph.errors import DTypeError, UnsupportedError, message
from symgraph.ir.dim import Dim
from symgraph.ir.dtype import (
    BOOL,
    FLOAT64,
    INTS,
    DType,
    Scalar,
    as_dtype,
    is_inexact,
    is_masked,
    promote,
    promote_weak,
    to_float,
)
from symgraph.ir.node import Node, constant_node, make_node
from symgraph.ir.op import Op, find_op
from symgraph.ir.origin import at_line, user_line, user_lines
from symgraph.ir.variable import Variable

INT8 = INTS[0]


def wrap(node: Node, weak: bool = False) -> Variable:
    """A handle on a node, with the user's line."""
    return Variable(node, weak=weak, line=user_line())


def make(op_name: str, inputs: Sequence[Variable] = (), **attrs: Any) -> Variable:
    """A variable for an op of the table on variables."""
    lines = user_lines()  # looked up once: the walk up the stack is dear for a small node
    line = lines[0] if lines else None
    for v in inputs:
        if v.waits:
            raw = tuple([v.raw for v in inputs])
            return v.over(make_node(find_op(op_name), raw, attrs, lines=lines), line)
    node = make_node(find_op(op_name), tuple([v.node for v in inputs]), attrs, lines=lines)
    return Variable(node, line=line)


def made_of(op: Op, inputs: Sequence[Variable]) -> Variable:
    """``make`` without attributes, for the very class ``Variable``, none of which waits."""
    lines = user_lines(3)  # this function, who calls it, and the function of the op
    node = make_node(op, tuple([v.node for v in inputs]), None, lines)
    return Variable(node, line=lines[0] if lines else None)


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
    return any(
        isinstance(v, Variable | Dim) or (isinstance(v, list | tuple) and _holds_symbols(v))
        for v in value
    )


def _to_numpy(value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    if is_masked(value):
        raise DTypeError(
            at_line(
                "a masked array would lose its mask", hint="pass .filled(value), or data and mask"
            )
        )
    if type(value) is int and not -(2**63) <= value < 2**64:
        raise DTypeError(at_line(f"the Python integer {value} fits no dtype", hint="use a float"))
    try:
        if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
            array = np.from_dlpack(value)
        else:
            array = np.asarray(value)
    except (ValueError, TypeError, BufferError) as error:
        raise DTypeError(
            at_line(f"cannot make an array of {type(value).__name__}: {error}")
        ) from error
    if array.dtype.kind not in "biufc":
        what = f"a {type(value).__name__} of dtype {array.dtype} holds no numbers"
        raise DTypeError(at_line(what, hint="convert it to numbers or bools first"))
    target = as_dtype(array.dtype if dtype is None else dtype)
    return convert_values(array, target)


def cast(x: Variable, dtype: DType) -> Variable:
    """x converted to a dtype; constants are converted at once; no node where nothing changes."""
    if x.dtype == dtype:
        return wrap(x.node) if x.weak else x
    if x.node.op.name == "constant":
        value = x.node.attrs["value"]
        _refuse_overflow(x, value, dtype)
        return wrap(constant_node(convert_values(value, dtype)))
    return make("astype", [x], dtype=dtype)


def convert_values(value: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    """An array converted as ``astype`` does: silently, complex to real by the real part."""
    if value.dtype == dtype:
        return value
    with np.errstate(all="ignore"):
        if value.dtype.kind == "c" and dtype.kind not in "cb":
            value = value.real
        return np.asarray(value.astype(dtype, copy=False))


def _refuse_overflow(x: Variable, value: np.ndarray[Any, Any], dtype: DType) -> None:
    if not x.weak or value.dtype.kind not in "iu" or dtype.kind not in "iu":
        return
    info = np.iinfo(dtype)  # type: ignore[type-var]  # an integer dtype, by the test above
    if not info.min <= int(value) <= info.max:
        line = user_line()
        raise DTypeError(
            message(
                f"the Python integer {int(value)} does not fit {dtype}",
                {"range": f"{info.min} .. {info.max}"},
                str(line) if line else None,
                "a Python number takes the dtype of the array it meets; cast the array first",
            )
        )


_WEAK_KINDS: Mapping[str, Scalar] = {"b": False, "i": 0, "u": 0, "f": 0.0, "c": 0j}


def _weak_scalars(xs: Sequence[Kind]) -> list[Scalar]:
    return [_WEAK_KINDS[x.dtype.kind] for x in xs if x.weak]


class Kind(Protocol):
    """What decides the dtype in which operands meet."""

    @property
    def dtype(self) -> DType:
        """Element type."""
        ...

    @property
    def weak(self) -> bool:
        """Does it take the dtype of what it meets?"""
        ...


class _Operand(NamedTuple):
    dtype: DType
    weak: bool


def common_dtype(xs: Sequence[Kind]) -> DType:
    """The dtype in which these meet."""
    strong = [x.dtype for x in xs if not x.weak]
    if not strong:
        return promote(*[x.dtype for x in xs])
    weak = _weak_scalars(xs)
    return promote_weak(strong, weak) if weak else promote(*strong)


def _numeric_dtype(xs: Sequence[Kind]) -> DType:
    found = common_dtype(xs)
    return INT8 if found == BOOL else found


def _quotient_dtype(xs: Sequence[Kind]) -> DType:
    found = common_dtype(xs)
    return found if is_inexact(found) else FLOAT64


def _float_dtype(xs: Sequence[Kind]) -> DType:
    """The dtype in which NumPy evaluates `hypot` and kin: each integer becomes floating alone."""
    strong = [x.dtype for x in xs if not x.weak]
    weak = _weak_scalars(xs)
    if not strong:
        return _quotient_dtype(xs)
    if any(is_inexact(d) for d in strong):
        return promote_weak([promote(*map(to_float, strong))], weak)
    return promote(*[to_float(promote_weak([d], weak)) for d in strong])


RULES: Mapping[str, tuple[Callable[[Sequence[Kind]], DType], str]] = {
    "same": (common_dtype, ""),
    "numeric": (_numeric_dtype, "bool becomes int8"),
    "float": (_float_dtype, "integers and bool become floating"),
    "quotient": (_quotient_dtype, "integers and bool become float64"),
    "logical": (lambda xs: BOOL, "all are taken as bool"),
}
"""How operands get one dtype, and what to tell people about it."""


def common(values: Sequence[Any], rule: str = "same") -> list[Variable]:
    """Operands as variables of one dtype, by a row of ``RULES``; "each" leaves them untouched."""
    if rule == "each":
        return [asarray(v) for v in values]
    same = one_dtype(values)
    if (rule, same) in _unchanged:
        return with_dtype(values, same[0])  # type: ignore[index]  # None is not among them
    xs: list[Variable | float] = []
    kinds = []
    for v in values:
        if type(v) is float:
            kinds.append(_WEAK_FLOAT)
        else:
            if not isinstance(v, Variable):
                v = asarray(v)
            kinds.append((v.dtype, v.weak))
        xs.append(v)
    dtype = _meeting(rule, tuple(kinds))
    if same is not None and dtype is same[0]:
        _unchanged.add((rule, same))
    return [_cast(x, dtype) for x in xs]


def with_dtype(values: Sequence[Any], dtype: DType) -> list[Variable]:
    """Variables of a dtype as they are, and Python floats made variables of it."""
    return [_cast(v, dtype) if type(v) is float else v for v in values]


# rules by which variables stay as they are, and floats take their dtype
_unchanged: set[tuple[str, tuple[DType, bool] | None]] = set()


def one_dtype(values: Sequence[Any]) -> tuple[DType, bool] | None:
    """The one dtype that all have, and whether there are Python floats among them, which have none.

    None where some are weak otherwise, or no variables, or not written yet.
    """
    found, floats = None, False
    for v in values:
        if type(v) is Variable and not v.weak:
            dtype: DType = v.node.type.dtype  # type: ignore[union-attr]  # seen by ``__init__``
            if found is not None and dtype is not found:
                return None
            found = dtype
        elif type(v) is float:
            floats = True
        else:
            return None
    return None if found is None else (found, floats)


_WEAK_FLOAT = (FLOAT64, True)


@lru_cache(maxsize=4096)  # a graph has thousands of operations on few dtypes
def _meeting(rule: str, kinds: tuple[tuple[DType, bool], ...]) -> DType:
    return RULES[rule][0]([_Operand(*k) for k in kinds])


def _cast(x: Variable | float, dtype: DType) -> Variable:
    """``cast``, and of a Python number that has no node yet."""
    if isinstance(x, Variable):
        return x if not x.weak and x.dtype == dtype else cast(x, dtype)
    value = convert_values(np.array(x), dtype)
    value.setflags(write=False)  # nobody else has it
    return Variable(constant_node(value))


def is_number(value: object) -> bool:
    """Is it a Python number or a dim? (NumPy's scalars are not: they have a dtype of their own.)"""
    return type(value) in (bool, int, float, complex) or isinstance(value, Dim)


def require(condition: bool, op: str, dtype: DType, takes: str, hint: str = "") -> None:
    """DTypeError naming op, dtype and what it takes, unless ``condition``."""
    if not condition:
        line = user_line()
        raise DTypeError(
            message(
                f"{op} does not take {dtype}",
                {"takes": takes},
                str(line) if line else None,
                hint or "cast with sg.astype",
            )
        )


def unsupported(op: str, what: str, hint: str) -> UnsupportedError:
    """The error for a form that is understood but not supported yet."""
    line = user_line()
    return UnsupportedError(message(f"{op}: {what}", line=str(line) if line else None, hint=hint))
