"""What a caller passes becomes arrays of the declared types: any layout, lists, scalars, DLPack.

Inputs are never written to. A conversion that could lose values is refused unless it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, DTypeError, ShapeError, nearest
from symgraph.ir.dtype import is_masked
from symgraph.ir.origin import at_line
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.records import dataclass

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of a function: its variable, its name, and what to use when it is not passed."""

    variable: Variable
    name: str | None
    default: Any = None
    has_default: bool = False
    mutable: bool = False


class In:
    """An input with options: ``sg.In(x, default=0.1, mutable=False, name="rate")``.

    ``default``: its value where a call brings none.    ``name``: what calls may call it.
    ``mutable``: calls may destroy the array. A result of its shape and dtype is then written in its
    place, where every element is read before it is written, and is that very array; so a call
    allocates nothing for it. Such an array must not share memory with another argument or a state.
    """

    __slots__ = ("default", "has_default", "mutable", "name", "variable")

    def __init__(self, variable: Variable, **options: Any) -> None:
        unknown = set(options) - {"default", "mutable", "name"}
        if unknown:
            raise ArgumentError(
                f"sg.In takes default, mutable and name, not {', '.join(sorted(unknown))}"
            )
        self.variable = variable
        self.has_default = "default" in options
        self.default = options.get("default")
        self.mutable = bool(options.get("mutable", False))
        self.name = options.get("name")


def apart(
    function: str, parameters: Sequence[Parameter], arrays: Sequence[Array], states: Sequence[Any]
) -> None:
    """ArgumentError where what a call may destroy shares memory with what it needs."""
    others = [(_label(p, k), a) for k, (p, a) in enumerate(zip(parameters, arrays, strict=True))]
    others += [("a shared variable", s) for s in states if isinstance(s, np.ndarray)]
    for k, parameter in enumerate(parameters):
        if not parameter.mutable:
            continue
        for n, (label, other) in enumerate(others):
            if n != k and np.may_share_memory(arrays[k], other):
                what = f"argument {_label(parameter, k)} of {function} may be overwritten"
                facts = {"mutable": parameter.variable.type, "shares memory with": label}
                raise ArgumentError(at_line(what, facts, "pass a copy of it"))


def convert(value: Any, parameter: Parameter, position: int) -> Array:
    """A C-contiguous array of the parameter's dtype and rank, copied only where it must be."""
    wanted = parameter.variable.type
    if type(value) is np.ndarray and value.dtype == wanted.dtype and value.flags.carray:
        array: Array = value
    else:
        array = _converted(value, wanted, parameter, position)
    if array.ndim != len(wanted.shape):
        raise ShapeError(
            _about(
                parameter, position, array, f"has {array.ndim} axes, {len(wanted.shape)} are needed"
            )
        )
    return array


def _converted(value: Any, wanted: TensorType, parameter: Parameter, position: int) -> Array:
    if isinstance(value, Variable):
        raise ArgumentError(
            at_line(
                f"argument {_label(parameter, position)} is a symbolic variable",
                {"got": value, "needs": f"a value of {wanted}"},
                hint="call it with arrays; to compose graphs use givens= or sg.clone",
            )
        )
    array = _as_numpy(value, parameter, position)
    if array.dtype != wanted.dtype:
        weak = type(value) in (bool, int, float, complex)
        _refuse_loss(array, wanted, parameter, position, weak)
        with np.errstate(over="ignore"):
            array = array.astype(wanted.dtype)
    return np.require(array, requirements=["C", "A"]).reshape(array.shape)


def _as_numpy(value: Any, parameter: Parameter, position: int) -> Array:
    wanted = parameter.variable.type
    if is_masked(value):
        raise DTypeError(
            at_line(
                f"argument {_label(parameter, position)} is a masked array: its mask would be lost",
                {"needs": wanted},
                "pass .filled(value), or the data and the mask as two inputs",
            )
        )
    try:
        if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
            return np.from_dlpack(value)
        array = np.asarray(value)
    except (ValueError, TypeError, BufferError, RuntimeError) as error:
        raise ArgumentError(
            at_line(
                f"argument {_label(parameter, position)} cannot become an array: {error}",
                {"got": type(value).__name__, "needs": wanted},
                "nested lists must have one shape",
            )
        ) from error
    if array.dtype.kind not in "biufc":
        raise DTypeError(
            _about(
                parameter,
                position,
                array,
                f"has dtype {array.dtype}, which holds no numbers",
                "pass numbers or bools",
            )
        )
    return array


def _refuse_loss(
    array: Array, wanted: TensorType, parameter: Parameter, position: int, weak: bool
) -> None:
    """Safe casts pass; others only where no value changes (a Python float may round to float32)."""
    target = wanted.dtype
    if np.can_cast(array.dtype, target, "safe"):
        return
    if weak and array.dtype.kind == "f" and target.kind in "fc":
        return
    if not exact(array, target):
        raise DTypeError(
            _about(
                parameter,
                position,
                array,
                f"has dtype {array.dtype}; converting it to {target} would change values",
                hint=f"convert it yourself: value.astype({target.name!r}), or declare the input as"
                f" {array.dtype}",
            )
        )


def exact(array: Array, dtype: Any) -> bool:
    """Does converting to a dtype keep every value? (A complex array is never a real one.)"""
    if array.dtype.kind not in "biufc":
        return False
    if array.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        return False
    with np.errstate(all="ignore"):
        back = array.astype(dtype).astype(array.dtype)
    return bool(np.array_equal(back, array, equal_nan=array.dtype.kind in "fc"))


def _label(parameter: Parameter, position: int) -> str:
    return repr(parameter.name) if parameter.name else f"number {position}"


def _about(
    parameter: Parameter, position: int, array: Array, what: str, hint: str | None = None
) -> str:
    wanted = parameter.variable.type
    made = parameter.variable.line
    facts = {"got": f"{array.dtype}{list(array.shape)}", "needs": wanted, "declared": made or "?"}
    return at_line(f"argument {_label(parameter, position)} {what}", facts, hint)


def bind_arguments(
    parameters: Sequence[Parameter], args: tuple[Any, ...], kwargs: dict[str, Any], function: str
) -> list[Any]:
    """Positional and keyword arguments in the order of the parameters, defaults filled in."""
    if len(args) > len(parameters):
        raise ArgumentError(
            at_line(
                f"{function} takes {len(parameters)} arguments, got {len(args)}",
                {"inputs": _names(parameters)},
            )
        )
    found: list[Any] = list(args)
    rest = dict(kwargs)
    for k, parameter in enumerate(parameters):
        named = parameter.name is not None and parameter.name in rest
        if k < len(args):
            if named:
                raise ArgumentError(
                    at_line(
                        f"{function} got input {parameter.name!r} twice, by position and by name",
                        {"inputs": _names(parameters)},
                    )
                )
            continue
        if named:
            assert parameter.name is not None
            found.append(rest.pop(parameter.name))
        elif parameter.has_default:
            found.append(parameter.default)
        else:
            raise ArgumentError(
                at_line(
                    f"{function} misses its input {_label(parameter, k)}",
                    {"inputs": _names(parameters)},
                )
            )
    if rest:
        name = next(iter(rest))
        near = nearest(name, [p.name for p in parameters if p.name])
        hint = f"did you mean {near!r}?" if near else None
        raise ArgumentError(
            at_line(
                f"{function} has no input named {name!r}", {"inputs": _names(parameters)}, hint=hint
            )
        )
    return found


def _names(parameters: Sequence[Parameter]) -> str:
    return ", ".join(p.name or f"(unnamed {p.variable.type})" for p in parameters) or "none"
