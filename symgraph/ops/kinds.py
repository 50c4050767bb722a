"""Row builders, one per kind of op. Adding an op is one call of one of these.

==============  ===============================================================================
kind            how an element of the result is made (what lowering reads)
==============  ===============================================================================
leaf            input, shared, constant, param, dim: bound from outside
elementwise     ``scalar(s, *xs, **attrs)``: words on the inputs' elements; inputs broadcast
index           ``element(b, index, inputs, out, attrs)``: elements of inputs at computed indices
gather          as index, with indices read from integer inputs, checked once against bounds
reduction       ``fold``: accumulators over the axes in ``attrs["axes"]`` (always a sorted tuple)
prefix          ``fold`` run along one axis, keeping every step (``cumulative_sum``)
pieces          the result is tiled by its inputs: ``pieces(...)`` gives where each one starts
scatter         the first input with elements replaced or combined where index inputs say, or
                where ``element`` does: it gives the place of the second input's ``index``
library         a routine outside (matrix product), or a kernel written by hand (sort)
control         scan, while_loop, cond: hold graphs
composite       ``expand(*inputs, **attrs)`` writes it with other ops before lowering
tuple           several results; ``proj`` selects one
==============  ===============================================================================

``s`` and ``b`` are the word builder of lowering: ``s.exp(x)``, ``s.add(x, y)``,
``s.select(c, x, y)``, ``s.const(1.0, dtype)``, ``s.cast(x, dtype)``, ``s.size(dim)``; plain numbers
among the arguments take the dtype of the first symbolic one. ``inputs[k](index)`` is element
``index`` of input k, and ``inputs[k].shape``, ``.dtype`` its type. ``out`` is the result's type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, message
from symgraph.ir.dtype import (
    BOOL,
    DType,
    as_dtype,
    complex_of,
    is_inexact,
    is_integer,
    real_of,
)
from symgraph.ir.op import Attrs, Infer, Op, find_op, register
from symgraph.ir.type import ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.convert import (
    RULES,
    asarray,
    common,
    made_of,
    make,
    one_dtype,
    require,
    with_dtype,
)
from symgraph.records import dataclass

TAKES: Mapping[str, tuple[Callable[[DType], bool], str]] = {
    "any": (lambda d: True, "any dtype"),
    "numeric": (lambda d: d.kind != "b", "numbers (not bool)"),
    "real": (lambda d: d.kind in "iuf", "real numbers"),
    "real_or_bool": (lambda d: d.kind in "biuf", "real numbers and bool"),
    "floating": (lambda d: d.kind == "f", "floating numbers"),
    "inexact": (is_inexact, "floating and complex numbers"),
    "integer": (is_integer, "integers"),
    "bits": (lambda d: d.kind in "biu", "integers and bool"),
    "bool": (lambda d: d.kind == "b", "bool"),
}


@dataclass(frozen=True, slots=True)
class Fold:
    """A reduction as data: accumulators, their start, one step, and the end.

    ``start(b, dtype)`` gives the accumulators' first values; ``step(b, state, value, position)``
    the next ones (``position`` counts along the reduced axes in row-major order, int64);
    ``finish(b, state)`` the result. ``combine(b, state, state)`` merges two partial folds, where
    the fold may be split over lanes and threads.
    """

    start: Callable[[Any, DType], tuple[Any, ...]]
    step: Callable[[Any, tuple[Any, ...], Any, Any], tuple[Any, ...]]
    finish: Callable[[Any, tuple[Any, ...]], Any]
    combine: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]


def monoid(word: str, identity: Callable[[DType], Any]) -> Fold:
    """The fold of one associative word with an identity."""
    return Fold(
        start=lambda b, dtype: (b.const(identity(dtype), dtype),),
        step=lambda b, state, value, position: (getattr(b, word)(state[0], value),),
        finish=lambda b, state: state[0],
        combine=lambda b, left, right: (getattr(b, word)(left[0], right[0]),),
    )


def sum_to_shape(g: Variable, x: Variable) -> Variable:
    """A cotangent summed over the axes along which x was broadcast."""
    if g.shape == x.shape:
        return g
    return make("sum_to", [g], shape=x.shape)


def zero_like(g: Variable) -> Variable:
    """Zeros of the type of a cotangent, for what an op does not depend on smoothly.

    Not ``0 * g``: an infinite cotangent would become NaN.
    """
    return make("where", common([False], "logical") + common([g, 0.0]))


def _broadcasting(vjp: Callable[..., Any]) -> Callable[..., Any]:
    """An elementwise gradient rule made right for broadcast inputs."""

    def apply(g: Variable, y: Variable, *xs: Variable, **attrs: Any) -> list[Variable | None]:
        parts = vjp(g, y, *xs, **attrs)
        return [None if p is None else sum_to_shape(p, x) for p, x in zip(parts, xs, strict=True)]

    return apply


_RESULTS: Mapping[str, Callable[[DType, Attrs], DType]] = {
    "same": lambda dtype, attrs: dtype,
    "bool": lambda dtype, attrs: BOOL,
    "real": lambda dtype, attrs: real_of(dtype),
    "complex": lambda dtype, attrs: complex_of(dtype),
    "dtype": lambda dtype, attrs: attrs["dtype"],
}


def _elementwise_infer(result: str) -> Infer:
    of = _RESULTS[result]

    def infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
        tensors = [t for t in types if isinstance(t, TensorType)]
        shape = context.broadcast_shapes(*[t.shape for t in tensors])
        return TensorType(of(tensors[-1].dtype, attrs), shape)  # the last: `where` has a condition

    return infer


def elementwise_front(
    name: str, arity: int, takes: str, rule: str, options: Mapping[str, Any]
) -> Callable[..., Variable]:
    """What users call: operands of one dtype, then options by position or keyword, checked."""
    accepts, says = TAKES[takes]
    fine: set[DType] = set()
    unchanged: set[tuple[DType, bool] | None] = set()  # see ``one_dtype``

    def front(*args: Any, **given: Any) -> Variable:
        plain = not (given or options or len(args) != arity)
        same = one_dtype(args) if plain else None
        if same is not None and same in unchanged:  # most operations of a large graph
            return made_of(find_op(name), with_dtype(args, same[0]) if same[1] else args)
        attrs = {} if plain else _attributes(name, arity, options, args, given)
        operands: Sequence[Any] = args[:arity]
        for a in operands:
            if isinstance(a, Variable) and not a.weak:
                strong = True
                break
        else:
            operands = [asarray(a) for a in operands]
            strong = not all(x.weak for x in operands)
        xs = common(operands, rule)
        for x in xs:
            dtype = x.dtype
            if dtype not in fine:
                require(accepts(dtype), name, dtype, says)
                fine.add(dtype)
        if same is not None and all(x.dtype is same[0] for x in xs):
            unchanged.add(same)
        made = make(name, xs, **attrs)
        made.weak = not strong and made.dtype == xs[-1].dtype
        return made

    return front


def _attributes(
    name: str, arity: int, options: Mapping[str, Any], args: Sequence[Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Options with their defaults; ArgumentError for what the op does not take."""
    if len(args) == arity and not given:
        return dict(options)
    surplus = args[arity:]
    if len(args) < arity or len(surplus) > len(options):
        raise ArgumentError(f"{name} takes {arity} arguments, got {len(args)}")
    attrs = dict(options) | dict(zip(options, surplus, strict=False)) | dict(given)
    unknown = [key for key in attrs if key not in options]
    if unknown:
        hint = f"options: {', '.join(options)}" if options else "it has no options; see sg.astype"
        raise ArgumentError(message(f"{name} does not take {unknown[0]}=", hint=hint))
    for key, value in attrs.items():
        if type(options[key]) is float:
            attrs[key] = float(value)
    return attrs


def elementwise(
    name: str,
    doc: str,
    *,
    reference: Callable[..., Any],
    arity: int = 1,
    takes: str = "any",
    rule: str = "same",
    result: str = "same",
    word: str | None = None,
    scalar: Callable[..., Any] | None = None,
    grad: Callable[..., Any] | None = None,
    expand: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    front: Callable[..., Any] | None = None,
    numpy: tuple[str, ...] = (),
    **row: Any,
) -> Op:
    """An op on each element. ``takes``: a row of TAKES, checked after promotion by ``rule``.

    ``result``: "same", "bool", "real", "complex", or "dtype" (an attribute). ``word`` names the
    word of the loop IR that it is; ``scalar`` writes it with words otherwise; ``expand`` with other
    ops. ``grad(g, y, *xs)`` may ignore broadcasting. ``options``: attributes with their defaults.
    ``front`` replaces what users call. ``numpy``: further names of the function in NumPy, besides
    its own where NumPy has it.
    """
    kind = "composite" if expand is not None and scalar is None and word is None else "elementwise"
    own = (name,) if name in vars(np) else ()  # ``hasattr`` would import ``np.polynomial``
    names = {"numpy": own + numpy, **row.pop("names", {})}
    lines = [f"Dtypes: {'; '.join(filter(None, (TAKES[takes][1], RULES[rule][1])))}."]
    lines += [f"Accuracy: {row['ulp']:g} ulp."] if row.get("ulp") else ["Accuracy: exact."]
    return register(
        Op(
            name,
            kind,
            f"{doc}\n\n{'    '.join(lines)}",
            infer=_elementwise_infer(result),
            front=front or elementwise_front(name, arity, takes, rule, options or {}),
            reference=reference,
            vjp=_broadcasting(grad) if grad else None,
            expand=expand,
            element=_word(word) if word is not None else scalar,
            names=names,
            **{"ulp": 0.0, **row},
        )
    )


def _word(word: str) -> Callable[..., Any]:
    return lambda s, *xs, **attrs: getattr(s, word)(*xs)


def indexed(
    name: str,
    doc: str,
    *,
    infer: Infer,
    front: Callable[..., Any],
    reference: Callable[..., Any],
    element: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    kind: str = "index",
    **row: Any,
) -> Op:
    """An op whose elements are elements of its inputs at computed indices (movement, creation)."""
    return register(
        Op(
            name,
            kind,
            doc,
            infer=infer,
            front=front,
            reference=reference,
            vjp=grad,
            element=element,
            **row,
        )
    )


def _reduction_infer(result: str) -> Infer:
    def infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
        (x,) = types
        assert isinstance(x, TensorType)
        shape = tuple(d for axis, d in enumerate(x.shape) if axis not in attrs["axes"])
        dtype = {"int64": as_dtype("int64"), "bool": BOOL}.get(result, x.dtype)
        return TensorType(dtype, shape)

    return infer


def reduction(
    name: str,
    doc: str,
    *,
    front: Callable[..., Any],
    reference: Callable[..., Any],
    fold: Fold | None = None,
    grad: Callable[..., Any] | None = None,
    expand: Callable[..., Any] | None = None,
    result: str = "same",
    kind: str | None = None,
    infer: Infer | None = None,
    **row: Any,
) -> Op:
    """An op over axes. Nodes have ``axes`` (sorted tuple) and drop them: ``front`` keeps dims."""
    return register(
        Op(
            name,
            kind or ("reduction" if fold is not None else "composite"),
            doc,
            infer=infer or _reduction_infer(result),
            front=front,
            reference=reference,
            vjp=grad,
            expand=expand,
            fold=fold,
            **row,
        )
    )


def leaf(name: str, doc: str, infer: Infer) -> Op:
    """An op without inputs that is bound from outside."""

    def refuse(*args: Any, **attrs: Any) -> Any:
        raise TypeError(f"{name} is made by its own function")

    return register(Op(name, "leaf", doc, infer=infer, front=refuse, reference=refuse))


def normal_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Axes as a sorted tuple of numbers in 0 .. rank-1; None means all. AxisError otherwise."""
    if axis is None:
        return tuple(range(rank))
    axes = tuple(
        normal_axis(a, rank) for a in (axis if isinstance(axis, tuple | list) else (axis,))
    )
    if len(set(axes)) != len(axes):
        from symgraph.errors import AxisError

        raise AxisError(f"an axis is given twice: {axis}")
    return tuple(sorted(axes))


def normal_axis(axis: Any, rank: int) -> int:
    """One axis in 0 .. rank-1, counted from the end where negative."""
    from symgraph.errors import AxisError
    from symgraph.ir.origin import at_line

    number = int(axis.__index__())
    if not -rank <= number < rank:
        hint = f"axes run from {-rank} to {rank - 1}" if rank else "a scalar has no axes"
        raise AxisError(at_line(f"axis {number} of an array with {rank} axes", hint=hint))
    return number % rank
