"""The slow form of a guarded value as a ``Function`` of the loop IR."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symgraph.fingerprint import named
from symgraph.ir.dtype import FLOAT64
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node
from symgraph.loop.ir import Const, Expr, Function, Let, Var
from symgraph.loop.text import show_function
from symgraph.lower.meant import meant
from symgraph.lower.stage import Scalars
from symgraph.lower.words import SizeNames, WordBuilder

MOST_FACTORS = 16  # of a whole power that is written as a product


def function_of(body: Graph) -> Function:
    """The function of a body; its name says what it computes, so that equal ones are one."""
    builder = WordBuilder(SizeNames())
    params = [_parameter(builder, node, k) for k, node in enumerate(body.params)]
    known: dict[Node, Expr] = dict(zip(body.params, params, strict=True))
    scalars = Scalars(builder, "t", lambda node: None)
    for node in toposort(body.outputs, stop=known.__contains__):
        if node not in known:
            known[node] = _value(scalars, node, [known[i] for i in node.inputs])
    lets = tuple(Let(let.name, let.value) for let in scalars.lets)
    result = known[body.outputs[0]]
    draft = Function("slow", tuple(_variables(params)), lets, result)
    digest = named(show_function(draft))[:12]
    return Function(f"slow_{digest}", draft.params, lets, result)


def _parameter(b: WordBuilder, node: Node, k: int) -> Expr:
    """A float: numbers of other kinds are passed as float64."""
    dtype = node.tensor.dtype
    return b.var(f"x{k}", dtype if dtype.kind == "f" else FLOAT64)


def _variables(params: Sequence[Expr]) -> list[Var]:
    return [p for p in params if isinstance(p, Var)]


def _value(scalars: Scalars, node: Node, args: list[Expr]) -> Expr:
    b = scalars.b
    if node.op.name == "constant":
        value, dtype = node.attrs["value"], node.tensor.dtype
        exact = meant(b, value, dtype) if dtype.kind == "f" else None
        return b.const(value, dtype) if exact is None else scalars.let(exact)
    given = [_as_seen(b, a, i) for a, i in zip(args, node.inputs, strict=True)]
    form = FORMS.get(node.op.name, node.op.element)
    assert form is not None, f"{node.op.name} has no element"
    return scalars.let(form(b, *given, **node.attrs))


def _as_seen(b: WordBuilder, x: Expr, node: Node) -> Expr:
    """A parameter that stands for a number of another kind, as what it stands for."""
    dtype = node.tensor.dtype
    if x.dtype == dtype:
        return x
    return b.ne(x, 0.0) if dtype.kind == "b" else b.cast(x, dtype)


def _product(
    s: Any, *xs: Any, exponents: tuple[int, ...], exponentials: tuple[bool, ...], then: str
) -> Any:
    """A scaled product as it reads: exponents are wide."""
    above, below = None, None
    for x, power, exponential in zip(xs, exponents, exponentials, strict=True):
        factor = s.exp(x) if exponential else x
        for _ in range(abs(power)):
            if power > 0:
                above = factor if above is None else s.mul(above, factor)
            else:
                below = factor if below is None else s.mul(below, factor)
    found = above if above is not None else s.const(1, xs[0].dtype)
    if below is not None:
        found = s.div(found, below)
    return getattr(s, then)(found) if then else found


def _power(s: Any, x: Any, y: Any) -> Any:
    """Whole powers as products, which keep what is exact."""
    given: Any = y.value if isinstance(y, Const) else 0.0
    power = float(given)
    if not (power.is_integer() and 2 <= power <= MOST_FACTORS):
        return s.pow(x, y)
    found, square, rest = None, x, int(power)
    while rest:
        if rest & 1:
            found = square if found is None else s.mul(found, square)
        rest >>= 1
        square = s.mul(square, square) if rest else square
    return found


FORMS: Mapping[str, Callable[..., Any]] = {
    "scaled_product": _product,
    "pow": _power,
    "gammaln": lambda s, x: s.gammaln(x),
    "digamma": lambda s, x: s.digamma(x),
}
"""Elements that read otherwise in double-double than in floats."""
