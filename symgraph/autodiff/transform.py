"""What users call on graphs: ``grad``, ``vjp``, ``jvp``, ``jacobian``, ``hessian``, ``hvp``, ....

``wrt`` is a variable or a nested structure of variables, and results have its structure. Every
function takes ``prepare(outputs, cuts) -> outputs``, which may rewrite the graph before it is
differentiated (``sg.grad`` stabilizes it) and must keep the nodes ``cuts``: those that a user
named.

*Forward mode* is reverse mode twice: the cotangent of the inputs is linear in the cotangent u of
the outputs, so its own cotangent with respect to u is the product of the Jacobian with a tangent.
One set of rules serves both directions, and what is true of it (``where`` without NaN, loops,
branches, custom gradients) holds for both; the first backward pass is dead code afterwards. The
price: a scan stores what its first backward pass reads, where a forward mode of its own would store
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.autodiff.arguments import (
    check_connected,
    check_mode,
    fitting_all,
    known_gradients,
    not_connected,
    require_smooth,
    scalar_cost,
    variables_of,
)
from symgraph.autodiff.vjp import gradient
from symgraph.errors import ArgumentError
from symgraph.ir.dtype import is_inexact
from symgraph.ir.graph import substitute_nodes
from symgraph.ir.node import Node
from symgraph.ir.op import find_op
from symgraph.ir.origin import at_line
from symgraph.ir.variable import Variable
from symgraph.ops.capture import placeholder, zeros_like
from symgraph.ops.control import map as map_op
from symgraph.ops.convert import asarray, cast
from symgraph.ops.create import arange
from symgraph.ops.tree import unflatten

Prepare = Callable[[Sequence[Node], Sequence[Node]], Sequence[Node]]


def grad(
    cost: Variable | None,
    wrt: Any,
    *,
    known_grads: Mapping[Variable, Any] | Sequence[tuple[Variable, Any]] | None = None,
    stop: Variable | Sequence[Variable] = (),
    disconnected: str = "raise",
    prepare: Prepare | None = None,
) -> Any:
    """d cost / d wrt, in the structure of ``wrt``; each has the shape and dtype of its variable.

    ``known_grads``: gradients of some intermediate cost variables, by which they are replaced; cost
    may be None then.    ``stop``: variables taken as constants.    ``disconnected``: what to do
    where the cost does not depend on a variable: "raise" DisconnectedError, give "zero"s, or
    "none". Complex wrt: df/dx - i df/dy, as JAX. Raises: GradientError for a cost that is no real
    scalar, or an op without a gradient.
    """
    known = known_gradients(known_grads)
    if cost is None and not known:
        raise ArgumentError(at_line("grad: no cost", hint="give a cost, or known_grads"))
    variables, tree = variables_of(wrt, "grad: wrt")
    stops = variables_of(stop, "grad: stop")[0] if stop is not None else []
    ends = [] if cost is None else [scalar_cost(cost)]
    seeds = [asarray(np.ones((), c.dtype)) for c in ends]
    found = _pull(ends, seeds, variables, disconnected, prepare, stops, known)
    return unflatten(tree, found)


def vjp(
    outputs: Any,
    wrt: Any,
    cotangents: Any,
    *,
    disconnected: str = "zero",
    prepare: Prepare | None = None,
) -> Any:
    """The sum over outputs of cotangent * d output / d wrt: the L-operator.

    The result has the structure of ``wrt``.    Shapes: each cotangent has the shape of its output.
    Raises: as ``grad``.
    """
    ends, tree = variables_of(outputs, "vjp: outputs")
    seeds = fitting_all(tree, ends, cotangents, "vjp: the cotangent")
    variables, wrt_tree = variables_of(wrt, "vjp: wrt")
    return unflatten(wrt_tree, _pull(ends, seeds, variables, disconnected, prepare))


def jvp(
    outputs: Any,
    wrt: Any,
    tangents: Any,
    *,
    disconnected: str = "zero",
    prepare: Prepare | None = None,
) -> Any:
    """The derivative of outputs along tangents of ``wrt``: the R-operator.

    The result has the structure of outputs.    Shapes: each tangent has the shape of its variable.
    Raises: as ``grad``.
    """
    ends, tree = variables_of(outputs, "jvp: outputs")
    variables, wrt_tree = variables_of(wrt, "jvp: wrt")
    given = fitting_all(wrt_tree, variables, tangents, "jvp: the tangent")
    check_mode(disconnected)
    nodes = _prepared(ends, variables, prepare)
    smooth = [k for k, e in enumerate(ends) if is_inexact(e.dtype)]
    duals = [placeholder(ends[k].type) for k in smooth]
    pulled = gradient([nodes[k] for k in smooth], duals, [v.node for v in variables])
    pairs = [(p, t) for p, t in zip(pulled, given, strict=True) if p is not None]
    pushed = gradient([p.node for p, _ in pairs], [t for _, t in pairs], [u.node for u in duals])
    # The result does not depend on the cotangents; where their shape still refers to them, zero
    # will do.
    zeros = {u.node: zeros_like(u).node for u in duals}
    found: list[Variable | None] = [None] * len(ends)
    for k, part in zip(smooth, pushed, strict=True):
        found[k] = None if part is None else Variable(substitute_nodes([part.node], zeros)[0])
    if disconnected == "raise" and None in found:
        raise not_connected(ends[found.index(None)], "an output does not depend on wrt")
    filled = [
        zeros_like(e) if f is None and disconnected == "zero" else f
        for e, f in zip(ends, found, strict=True)
    ]
    return unflatten(tree, filled)


def jacobian(
    expression: Variable, wrt: Any, *, disconnected: str = "raise", prepare: Prepare | None = None
) -> Any:
    """All derivatives of an expression: shape ``expression.shape + wrt.shape``.

    The result has the structure of ``wrt``. A loop over the elements of the expression, whose
    common parts are computed once.
    """
    (end,), _ = variables_of(expression, "jacobian: expression", most=1)
    require_smooth(end, "jacobian")
    variables, tree = variables_of(wrt, "jacobian: wrt")
    check_connected([end], variables, disconnected)
    (node,) = _prepared([end], variables, prepare)
    found = _rows(Variable(node), variables)
    shaped = [_filled(f, v, disconnected, end.shape) for f, v in zip(found, variables, strict=True)]
    return unflatten(tree, shaped)


def _rows(end: Variable, variables: Sequence[Variable]) -> list[Variable | None]:
    """Gradients of every element, stacked in the shape of ``end`` in front."""
    nodes = [v.node for v in variables]
    if end.shape == ():
        return gradient([end.node], [asarray(np.ones((), end.dtype))], nodes)
    reshape, places = find_op("reshape"), arange(end.size)
    reached: list[int] = []

    def row(place: Variable) -> list[Variable]:
        seed = reshape(cast(find_op("equal")(places, place), end.dtype), end.shape)
        parts = gradient([end.node], [seed], nodes)
        reached[:] = [k for k, p in enumerate(parts) if p is not None]
        return [parts[k] for k in reached]  # type: ignore[misc]  # not None, by the line above

    stacked = map_op(row, places)
    found: list[Variable | None] = [None] * len(variables)
    for k, part in zip(reached, stacked, strict=True):
        found[k] = reshape(part, (*end.shape, *variables[k].shape))
    return found


def hessian(
    cost: Variable, wrt: Any, *, disconnected: str = "raise", prepare: Prepare | None = None
) -> Any:
    """Second derivatives: the Jacobian of the gradient, in the structure of ``wrt`` twice."""
    variables, tree = variables_of(wrt, "hessian: wrt")
    first = grad(
        cost,
        variables,
        disconnected="zero" if disconnected == "raise" else disconnected,
        prepare=prepare,
    )
    check_connected([cost], variables, disconnected)
    rows = [
        None
        if g is None
        else jacobian(
            g,
            wrt,
            disconnected="zero" if disconnected == "raise" else disconnected,
            prepare=prepare,
        )
        for g in first
    ]
    return unflatten(tree, rows)


def hvp(
    cost: Variable,
    wrt: Any,
    vectors: Any,
    *,
    disconnected: str = "raise",
    prepare: Prepare | None = None,
) -> Any:
    """The Hessian of a cost times vectors in the structure of ``wrt``, without the Hessian."""
    variables, tree = variables_of(wrt, "hvp: wrt")
    given = fitting_all(tree, variables, vectors, "hvp: the vector")
    check_connected([scalar_cost(cost)], variables, disconnected)
    first = grad(cost, variables, disconnected="none", prepare=prepare)
    pairs = [(g, v) for g, v in zip(first, given, strict=True) if g is not None]
    found = vjp(
        [g for g, _ in pairs],
        variables,
        [v for _, v in pairs],
        disconnected="none" if disconnected == "none" else "zero",
        prepare=prepare,
    )
    return unflatten(tree, found)


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    differentiate: Callable[..., Any] = grad,
) -> Callable[..., tuple[Variable, Any]]:
    """A function that gives the cost and its gradient by the arguments ``argnums``."""

    def call(*args: Any, **options: Any) -> tuple[Variable, Any]:
        numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        if any(not -len(args) <= n < len(args) for n in numbers):
            raise ArgumentError(
                at_line(
                    f"value_and_grad: argnums {argnums} of a call with {len(args)} arguments",
                    hint="they count from 0",
                )
            )
        cost = function(*args, **options)
        wrt = args[argnums] if isinstance(argnums, int) else tuple(args[n] for n in numbers)
        return cost, differentiate(cost, wrt)

    return call


def _pull(
    ends: Sequence[Variable],
    seeds: Sequence[Variable],
    variables: Sequence[Variable],
    disconnected: str,
    prepare: Prepare | None,
    stops: Sequence[Variable] = (),
    known: Mapping[Node, Variable] | None = None,
) -> list[Variable | None]:
    """Checked cotangents of variables: None only where ``disconnected`` is "none"."""
    known = known or {}
    check_connected([*ends, *map(Variable, known)], variables, disconnected, stops)
    nodes = _prepared(ends, [*variables, *map(Variable, known), *stops], prepare)
    found = gradient(
        nodes, seeds, [v.node for v in variables], stop=[s.node for s in stops], known=known
    )
    return [_filled(f, v, disconnected) for f, v in zip(found, variables, strict=True)]


def _prepared(
    ends: Sequence[Variable], cuts: Sequence[Variable], prepare: Prepare | None
) -> list[Node]:
    nodes = [e.node for e in ends]
    return nodes if prepare is None else list(prepare(nodes, [c.node for c in cuts]))


def _filled(
    found: Variable | None, variable: Variable, disconnected: str, leading: tuple[Any, ...] = ()
) -> Variable | None:
    """Zeros where there is no cotangent (the derivative is 0, or zeros were asked for)."""
    if found is not None or disconnected == "none":
        return found
    zero = asarray(np.zeros((), variable.dtype))
    shape = (*leading, *variable.shape)
    return find_op("broadcast_to")(zero, shape) if shape else zero
