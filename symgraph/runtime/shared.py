"""Shared state: arrays that outlive a call, read and updated by compiled functions.

A shared variable is a graph leaf whose node holds a ``Cell``. Its dtype and rank are fixed; its
dimensions are too, unless ``shape`` says otherwise.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from symgraph.errors import DTypeError, ShapeError
from symgraph.ir.dim import as_dim
from symgraph.ir.dtype import as_dtype
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import at_line, user_line
from symgraph.ir.states import State, register_state
from symgraph.ir.type import TensorType
from symgraph.ir.variable import HANDLES, Variable
from symgraph.ops.assume import set_domain
from symgraph.runtime.arguments import exact
from symgraph.runtime.device import DeviceArray

Array = np.ndarray[Any, Any]
COMMIT = threading.RLock()
"""Held while a call publishes its updates, so that other calls see all of them or none."""
COMMITTING = ctypes.c_int32(0)
"""Not zero meanwhile, for entries, which hold no lock: they then go through Python."""


class Cell:
    """Where the value of a shared variable lives. Arrays in a cell are never written to."""

    __slots__ = ("__weakref__", "default_update", "device", "value")

    def __init__(self, value: Array) -> None:
        self.value = value
        self.device: Any = None  # the device copy, kept by the backend that made it
        self.default_update: Variable | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Cell, (self.value,), (None, {"default_update": self.default_update})


class Shared(Variable):
    """A variable with a value: ``get_value``, ``set_value``; ``updates=`` of a function."""

    @property
    def default_update(self) -> Variable | None:
        """The value after every call of a function that reads it and has no update for it."""
        return self.cell.default_update

    @default_update.setter
    def default_update(self, value: Variable | None) -> None:
        self.cell.default_update = value

    @property
    def cell(self) -> Cell:
        """The cell of this variable."""
        found = self.node.attrs["cell"]
        assert isinstance(found, Cell)
        return found

    def get_value(self, borrow: bool = False) -> Array:
        """The value; a copy unless ``borrow``, which gives the (read-only) array itself."""
        value = host_value(self.cell)
        return value if borrow else value.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value. Copies, unless ``borrow`` and the array fits: then it must not change.

        Raises: DTypeError if the dtype would lose values, ShapeError if the shape differs.
        """
        array = np.asarray(value)
        check_fits(array, self.type, self.name or "shared variable")
        layout = array.flags
        fits = array.dtype == self.dtype and layout.c_contiguous and layout.aligned
        own = array.view() if borrow and fits else np.array(array, self.dtype, order="C")
        own.flags.writeable = False
        with COMMIT:
            self.cell.value, self.cell.device = own, None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.node, self.name)


def host_value(cell: Cell) -> Array:
    """The value as a NumPy array, fetched from a device if it was updated there."""
    if cell.device is not None and cell.value is None:
        cell.value = cell.device.copy_to_host()
        cell.value.flags.writeable = False
    return cell.value


_VALUE = attrgetter("value")


def read_states(nodes: Sequence[Node], on_device: bool = False) -> list[Any]:
    """The values of shared variables at one moment; the caller holds ``COMMIT``.

    Entries publish without that lock, but under the GIL, which ``map`` here does not give up.
    """
    cells: list[Cell] = [n.attrs["cell"] for n in nodes]
    if on_device:
        return list(map(device_value, cells))
    found = list(map(_VALUE, cells))
    return [host_value(c) if v is None else v for c, v in zip(cells, found, strict=True)]


def device_value(cell: Cell) -> Any:
    """The value on the device, copied there once; it stays until the value changes."""
    if cell.device is None:
        from symgraph.codegen.numba_cuda import to_device

        cell.device = DeviceArray(to_device(cell.value), cell.value.shape)
    return cell.device


def publish(cell: Cell, value: Any) -> None:
    """Make a new value, on the host or on a device, the value of a cell."""
    if isinstance(value, DeviceArray):
        cell.device, cell.value = value, None  # type: ignore[assignment]
    else:
        value.flags.writeable = False
        cell.value, cell.device = value, None


def _restored(node: Any, name: str | None) -> Shared:
    return Shared(node, name)


# How text and files hold shared variables.
register_state(State("cell", Cell, host_value, Cell))
HANDLES["shared"] = Shared


def check_fits(array: Array, wanted: TensorType, name: str) -> None:
    """DTypeError or ShapeError unless an array may become the value of a type without loss."""
    if not np.can_cast(array.dtype, wanted.dtype, "same_kind") and not exact(array, wanted.dtype):
        raise DTypeError(
            at_line(
                f"{name} is {wanted.dtype}; a value of {array.dtype} would lose information",
                {name: wanted},
                f"convert it yourself: value.astype({wanted.dtype.name!r})",
            )
        )
    known = all(
        not isinstance(d, int) or d == n for d, n in zip(wanted.shape, array.shape, strict=False)
    )
    if array.ndim != wanted.ndim or not known:
        what = f"{name} has shape {wanted.shape}; the value has {array.shape}"
        hint = "dims that may change are declared: sg.shared(value, shape=(None, ...))"
        raise ShapeError(at_line(what, {name: wanted}, hint))


def shared(
    value: Any,
    name: str | None = None,
    *,
    shape: Sequence[Any] | None = None,
    dtype: Any = None,
    domain: Any = None,
) -> Shared:
    """State that compiled functions read and update.

    Shapes: those of ``value``, fixed, unless ``shape`` gives dims (None for one that may change).
    Dtypes: that of ``value`` (Python floats: float64), or ``dtype``.
    ``domain``: what is known of its values at all times, as of ``sg.tensor``.
    """
    if isinstance(value, Variable):
        raise DTypeError(
            at_line(
                "sg.shared takes a value, not a symbolic variable",
                hint="pass an array, or x.eval()",
            )
        )
    array = np.array(value, dtype=None if dtype is None else as_dtype(dtype), order="C")
    found = as_dtype(array.dtype)
    array = array.astype(found, copy=False)
    array.flags.writeable = False
    dims = (
        tuple(array.shape)
        if shape is None
        else tuple(as_dim(d, f"{name or 'shared'}.{k}") for k, d in enumerate(shape))
    )
    if len(dims) != array.ndim:
        what = f"shape {shape} has {len(dims)} axes, the value has {array.ndim}"
        raise ShapeError(at_line(what))
    node = make_node(find_op("shared"), (), {"cell": Cell(array), "type": TensorType(found, dims)})
    if domain is not None:
        set_domain(node, domain)
    return Shared(node, name, line=user_line())
