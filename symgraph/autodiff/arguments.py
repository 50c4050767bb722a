"""What users pass to ``grad`` and its kin: checked, brought to one form, explained where wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symgraph.errors import (
    ArgumentError,
    DisconnectedError,
    DTypeError,
    GradientError,
    ShapeError,
)
from symgraph.ir.dtype import is_inexact
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.origin import at_line
from symgraph.ir.type import ShapeContext
from symgraph.ir.variable import Variable
from symgraph.ops.capture import zeros_like
from symgraph.ops.convert import asarray, cast
from symgraph.ops.tree import Tree, flatten, flatten_like

DISCONNECTED = ("raise", "zero", "none")


def variables_of(value: Any, what: str, most: int | None = None) -> tuple[list[Variable], Tree]:
    """The variables of a nested structure; ArgumentError for anything else in it."""
    leaves, tree = flatten(value)
    for leaf in leaves:
        if not isinstance(leaf, Variable):
            raise ArgumentError(
                at_line(
                    f"{what} must be symbolic variables",
                    {"got": repr(leaf)},
                    "make one with sg.tensor or sg.shared",
                )
            )
    if most is not None and len(leaves) != most:
        raise ArgumentError(at_line(f"{what} must be {most} variable", {"got": len(leaves)}))
    return leaves, tree


def scalar_cost(cost: Any) -> Variable:
    """The cost, if it is a real scalar."""
    if not isinstance(cost, Variable):
        raise ArgumentError(
            at_line("grad: the cost must be a symbolic variable", {"got": repr(cost)})
        )
    facts = {cost.name or "cost": cost.type}
    require_smooth(cost, "grad")
    if cost.ndim != 0:
        raise GradientError(
            at_line(
                "grad: the cost must be a scalar",
                facts,
                "reduce it, by sg.sum or sg.mean; sg.jacobian differentiates arrays",
            )
        )
    if cost.dtype.kind == "c":
        raise GradientError(
            at_line("grad: the cost must be real", facts, "take sg.real or sg.abs of it")
        )
    return cost


def require_smooth(cost: Variable, who: str) -> None:
    """GradientError for a cost of integers or bools."""
    if not is_inexact(cost.dtype):
        facts = {cost.name or "cost": cost.type}
        hint = "integers and bools have no derivative; compute in floating point"
        raise GradientError(at_line(f"{who}: the cost is {cost.dtype}", facts, hint))


def known_gradients(given: Any) -> dict[Node, Variable]:
    """``known_grads`` by node, in the types of their variables."""
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    found: dict[Node, Variable] = {}
    for variable, value in pairs:
        if not isinstance(variable, Variable):
            raise ArgumentError(
                at_line("grad: known_grads maps variables to gradients", {"got": repr(variable)})
            )
        found[variable.node] = _fitting(asarray(value), variable, "grad: the known gradient")
    return found


def fitting_all(
    tree: Tree, variables: Sequence[Variable], values: Any, what: str
) -> list[Variable]:
    """Values in the structure and types of variables."""
    found = flatten_like(tree, values, what)
    return [_fitting(asarray(v), x, what) for v, x in zip(found, variables, strict=True)]


def _fitting(value: Variable, like: Variable, what: str) -> Variable:
    """A cotangent or tangent in the type of its variable."""
    facts = {like.name or "variable": like.type, "got": value.type}
    if value.dtype.kind == "c" and like.dtype.kind != "c":
        raise DTypeError(
            at_line(f"{what} is complex, its variable is not", facts, "take sg.real of it")
        )
    if not is_inexact(like.dtype):
        return zeros_like(like)
    try:
        if value.ndim != like.ndim:
            raise ShapeError("another rank")
        for a, b in zip(value.shape, like.shape, strict=True):
            ShapeContext().equal(a, b, what)
    except ShapeError:
        raise ShapeError(at_line(f"{what} has another shape than its variable", facts)) from None
    return cast(value, like.dtype)


def check_mode(disconnected: str) -> None:
    """ArgumentError for an unknown ``disconnected``."""
    if disconnected not in DISCONNECTED:
        raise ArgumentError(
            at_line(
                f"disconnected={disconnected!r}",
                hint="use one of " + ", ".join(map(repr, DISCONNECTED)),
            )
        )


def check_connected(
    ends: Sequence[Variable],
    variables: Sequence[Variable],
    disconnected: str,
    stops: Sequence[Variable] = (),
) -> list[Node] | None:
    """DisconnectedError, GradientError for variables that cannot have a gradient.

    All nodes of the ends, inputs first, where they were looked at.
    """
    check_mode(disconnected)
    for variable in variables:
        if not is_inexact(variable.dtype) and disconnected == "raise":
            facts = {variable.name or "wrt": variable.type}
            hint = "integers and bools have no derivative; use a floating input"
            raise GradientError(
                at_line(f"grad by a variable of dtype {variable.dtype}", facts, hint)
            )
    if disconnected != "raise":
        return None
    ended = {s.node for s in stops}
    order = everything = toposort([e.node for e in ends])
    is_cut = "stop_gradient" in {n.op.name for n in everything}
    if ended or is_cut:
        order = toposort(
            [e.node for e in ends], stop=lambda n: n in ended or n.op.name == "stop_gradient"
        )
    below = set(order)
    for variable in variables:
        if variable.node not in below or variable.node in ended:
            raise not_connected(
                variable, "the cost does not depend on a variable it is differentiated by"
            )
    return everything


def not_connected(variable: Variable, what: str) -> DisconnectedError:
    """The error for a cost that does not depend on a variable."""
    facts = {variable.name or variable.node.op.name: variable.type}
    return DisconnectedError(
        at_line(
            what,
            facts,
            'disconnected="zero" gives zeros, "none" None; sg.ancestors(cost) lists what counts',
        )
    )
