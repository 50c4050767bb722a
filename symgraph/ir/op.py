"""``Op``: one row of the op table, and the registry of all rows.

What a rule or a pass may assume of values: arithmetic is IEEE 754 in the dtype of the node, NaN
and infinities propagate as in NumPy, the sign of zero counts, integers wrap, and the order of the
terms of a floating sum is free (never its dtype). A rewrite that changes a value beyond rounding
says so in its row.

A row is made by the builders of ``symgraph.ops.kinds``; users make rows with ``@sg.op``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symgraph.errors import UnsupportedError, nearest
from symgraph.ir.type import ShapeContext, Type
from symgraph.records import dataclass, field

Attrs = Mapping[str, Any]  # values of any hashable kind: ints, tuples, dtypes, Dims, Graphs, arrays
Infer = Callable[[tuple[Type, ...], Attrs, ShapeContext], Type]


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation: what it means, how it is typed, differentiated, lowered and tested.

    ``front`` is what a user calls; it turns arguments into nodes by ``make``. ``reference``
    computes the op on NumPy arrays. ``vjp(g, y, *inputs, **attrs)`` gives one cotangent (or None)
    per input. ``expand(*inputs, **attrs)`` writes the op in terms of simpler ones, for ops that are
    not lowered themselves. ``element`` and ``fold`` say how one element of the result is computed;
    which of them is there depends on ``kind``.
    """

    name: str
    kind: str
    doc: str
    infer: Infer
    front: Callable[..., Any]  # returns a Variable or a tuple of them
    reference: Callable[..., Any]  # NumPy arrays in and out
    vjp: Callable[..., Any] | None = None  # Variables in, sequence of Variable | None out
    expand: Callable[..., Any] | None = None  # Variables in, Variable out
    element: Callable[..., Any] | None = None  # see symgraph.ops.kinds
    fold: Any = None  # a symgraph.ops.kinds.Fold
    properties: frozenset[str] = frozenset()  # "commutative", "associative", "idempotent", ...
    source: str = ""
    samples: Any = None  # symgraph.ops.samples generators, one per input
    ulp: float = 1.0
    names: Mapping[str, Any] = field(
        default_factory=dict
    )  # its names elsewhere: numpy, theano, onnx

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self.doc

    def __call__(self, *args: Any, **attrs: Any) -> Any:
        for arg in args:
            kind = type(arg)
            if kind not in ORDINARY and hasattr(kind, "__pattern__"):
                return arg.__pattern__(self, args, attrs)
        return self.front(*args, **attrs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        return find_op, (self.name,)


ORDINARY: set[type] = {float, int, tuple, list}
"""Operands that are no patterns of rules, told without a look at them; variables too."""

OPS: dict[str, Op] = {}
"""All ops by name, filled when ``symgraph.ops`` is imported."""

NUMPY_FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Functions of this package by the name of the NumPy function they stand for (``np.exp(x)``)."""

METHODS: dict[str, Callable[..., Any]] = {}
"""Functions that variables offer as methods: ``x.sum(axis=0)``."""


def register(op: Op) -> Op:
    """Add a row; a second row of one name is an error."""
    if op.name in OPS:
        raise ValueError(f"there is already an op named {op.name!r}")
    OPS[op.name] = op
    numpy_names = op.names.get("numpy", ())
    for name in (numpy_names,) if isinstance(numpy_names, str) else numpy_names:
        NUMPY_FUNCTIONS[name] = op
    return op


def find_op(name: str) -> Op:
    """The op of this name; UnsupportedError with the nearest name otherwise."""
    found = OPS.get(name)
    if found is None:
        near = nearest(name, list(OPS))
        raise UnsupportedError(
            f"there is no op named {name!r}" + (f"; did you mean {near!r}?" if near else "")
        )
    return found
