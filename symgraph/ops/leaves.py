"""Leaves of graphs: inputs, shared state, constants, parameters, dimensions; and `proj`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from symgraph.config import config
from symgraph.ir.dim import as_dim, fresh_token
from symgraph.ir.dtype import INT64, DType, as_dtype
from symgraph.ir.node import add_lines, add_name, make_node
from symgraph.ir.op import Attrs, Op, register
from symgraph.ir.origin import user_line
from symgraph.ir.type import ShapeContext, TensorType, TupleType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.assume import set_domain
from symgraph.ops.convert import asarray, wrap
from symgraph.ops.kinds import leaf


def _typed(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    found = attrs["type"]
    assert isinstance(found, TensorType | TupleType)
    return found


def _constant_type(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    value = attrs["value"]
    return TensorType(as_dtype(value.dtype), value.shape) if value.ndim else _number(value.dtype)


@cache
def _number(dtype: DType) -> TensorType:
    """One object, so that what is made with numbers is known at once."""
    return TensorType(as_dtype(dtype), ())


INPUT = leaf("input", "An argument of a function.", _typed)
SHARED = leaf("shared", "State that outlives a call.", _typed)
PARAM = leaf("param", "A parameter of a graph that a node holds.", _typed)
CONSTANT = leaf("constant", "A value known when the graph is built.", _constant_type)
DIM = leaf("dim", "A dimension as a number.", lambda types, attrs, context: TensorType(INT64, ()))


def _proj_type(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    (several,) = types
    assert isinstance(several, TupleType)
    return several.items[attrs["index"]]


PROJ: Op = register(
    Op(
        "proj",
        "tuple",
        "One of the results of a node that has several.",
        infer=_proj_type,
        front=lambda x, index: wrap(make_node(PROJ, (x,), {"index": index})),
        reference=lambda items, index: items[index],
    )
)


def tensor(
    name: str | None = None,
    shape: Sequence[Any] | None = None,
    dtype: Any = None,
    *,
    domain: Any = None,
) -> Variable:
    """An input of a graph.

    Shapes: each dimension is an int, a name ("n"; equal names are equal dims), a ``Dim``, or None
    (unknown).    Dtypes: all; None means ``sg.config.floatX``.
    ``domain``: what is known of its values, as ``sg.assume`` would state: "positive",
    "nonnegative", "negative", "nonpositive", "nonzero", "probability", "unit" (0 to 1), "integer",
    "finite", several of these, or a closed interval (lo, hi). Checked in debug mode.
    Raises: ShapeError without a shape or for one that is not a sequence; DTypeError.
    """
    if isinstance(shape, int | str) or shape is None:
        from symgraph.errors import ShapeError, message

        raise ShapeError(
            message(
                f"the shape of an input must be a sequence of dimensions, got {shape!r}",
                hint='sg.tensor("x", shape=("n", 3)); usual ranks: sg.scalar, sg.vector, sg.matrix',
            )
        )
    found = as_dtype(config.text("floatX") if dtype is None else dtype)
    label = name or "x"
    dims = tuple(as_dim(d, f"{label}.{axis}") for axis, d in enumerate(shape))
    node = make_node(INPUT, (), {"serial": fresh_token(), "type": TensorType(found, dims)})
    line = user_line()
    add_lines(node, (line,) if line else ())
    if domain is not None:
        set_domain(node, domain)
    return Variable(node, name)


def constant(value: Any, name: str | None = None) -> Variable:
    """A constant. Python numbers are weak: they take the dtype of what they meet."""
    made = asarray(value)
    if name is not None:
        add_name(made.node, name)
        made.name = name
    return made
