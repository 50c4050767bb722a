"""Checks of a program's graph: gradients, values, determinism, dtypes, inputs.

Each gives ``Finding``s: ``bad`` ones are errors, others remarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgraph.errors import GradientError, NumericError, SymgraphError
from symgraph.ir.dim import Atom, DimLike
from symgraph.ir.graph import Graph, substitute_nodes, toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable, handle
from symgraph.ops.evaluate import bind_dims
from symgraph.trace.wording import short_line

from .given import Given
from .inputs import arrays_for, inputs_of, made_up, sizes_for
from .worlds import CLIMATES, make_worlds

if TYPE_CHECKING:
    from symgraph.runtime.function import Function

SMALL = 3  # elements an axis, for differences: every element is a call
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: whether it is an error, and where."""

    check: str
    text: str
    bad: bool


Check = Callable[["Case"], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Case:
    """A function, its graph as built, and what the command line gave."""

    function: Function
    graph: Graph
    given: Given

    def arrays(self) -> list[Array]:
        """Small inputs: ordinary ones, or positive ones if only those are in the domain."""
        dims = sizes_for(self.graph, self.given, SMALL)
        found: list[Array] = []
        for climate in CLIMATES[:2]:
            nodes = inputs_of(self.graph)
            found = [made_up(n, dims, k, climate) for k, n in enumerate(nodes)]
            if all(np.isfinite(a).all() for a in _flat(self.function(*found))):
                break
        return found


def _gradients(case: Case) -> Iterator[Finding]:
    """Gradients of real scalar outputs against differences of values."""
    import symgraph as sg

    nodes, arrays = inputs_of(case.graph), case.arrays()
    dims: dict[Atom, DimLike] = dict(bind_dims(dict(zip(nodes, arrays, strict=True)), {}))
    for number, output in _differentiable(case.graph, nodes):

        def cost(*variables: Variable, output: Node = output) -> Variable:
            given = {n: _as(v, n).node for n, v in zip(nodes, variables, strict=True)}
            return handle(substitute_nodes([output], given, dims)[0])

        try:
            worst = sg.check_grad(cost, *arrays)
        except GradientError as error:
            yield Finding("gradients", f"output {number}: {_first(error)}", True)
        except SymgraphError as error:
            yield Finding("gradients", f"output {number} was not checked: {_first(error)}", False)
        else:
            yield Finding("gradients", f"output {number}: off by {worst:.1e} at most", False)


def _differentiable(graph: Graph, nodes: Sequence[Node]) -> list[tuple[int, Node]]:
    """Real scalar outputs, or the first real one, of those that depend on real inputs."""
    found = [
        (k, o)
        for k, o in enumerate(graph.outputs)
        if isinstance(o.type, TensorType)
        and o.tensor.dtype.kind == "f"
        and any(n in nodes and n.tensor.dtype.kind == "f" for n in toposort([o]))
    ]
    return [(k, o) for k, o in found if o.tensor.shape == ()] or found[:1]


def _as(variable: Variable, node: Node) -> Variable:
    from symgraph import astype

    return variable if variable.dtype == node.tensor.dtype else astype(variable, node.tensor.dtype)


def _debug(case: Case) -> Iterator[Finding]:
    """A call in debug mode: bounds, assumptions, each stage by value, the first NaN."""
    from symgraph import Mode

    from .rewriting_again import function_of

    function = function_of(case.graph, "debug", Mode(name="debug", check=True, backend="interp"))
    try:
        function(*case.arrays())
    except NumericError as error:
        yield Finding("debug", _first(error), True)


def _range(case: Case) -> Iterator[Finding]:
    """NaN and infinity from finite inputs, ordinary and harsh."""
    final = case.function.trace.at("stable")
    built = case.function.trace.at("built")
    for world in make_worlds(built.outputs):
        for number, pair in enumerate(zip(built.outputs, final.outputs, strict=True)):
            try:
                written, runs = (np.asarray(world.values(n)[0]) for n in pair)
            except (SymgraphError, ValueError, IndexError):
                continue
            if runs.dtype.kind not in "fc" or np.isfinite(runs).all():
                continue
            kind = "NaN" if np.isnan(runs).any() else "infinity"
            is_new = bool(np.isfinite(written)[~np.isfinite(runs)].any())
            told = ", where the formula as written is finite" if is_new else ""
            text = f"output {number} has {kind} on {world.climate.name} inputs{told}"
            yield Finding("range", text, is_new)


def _determinism(case: Case) -> Iterator[Finding]:
    """The same bits twice, and with one thread as with all."""
    import symgraph as sg

    if any(n.op.name == "shared" for n in toposort(case.graph.outputs)):
        yield Finding("determinism", "not checked: calls change the state", False)
        return
    arrays = arrays_for(case.graph, case.given)
    first = _bits(case.function(*arrays))
    if _bits(case.function(*arrays)) != first:
        yield Finding("determinism", "two calls give different bits", True)
    with sg.threads(1):
        if _bits(case.function(*arrays)) != first:
            yield Finding("determinism", "one thread gives other bits than all", True)


def _bits(found: Any) -> list[bytes]:
    return [array.tobytes() for array in _flat(found)]


def _flat(found: Any) -> list[Array]:
    from symgraph.ops.tree import flatten

    return [np.asarray(x) for x in flatten(found)[0]]


def _upcasts(case: Case) -> Iterator[Finding]:
    """Where float32 becomes float64, and integers floating, without being asked to."""
    for node in toposort(case.graph.outputs):
        if not isinstance(node.type, TensorType) or node.op.name == "astype":
            continue
        arrays = [i for i in node.inputs if isinstance(i.type, TensorType)]
        wide = [i for i in arrays if i.tensor.dtype == "float64" and i.op.name != "astype"]
        narrow = [i for i in arrays if i.op.name == "astype" and _widens(i)]
        if narrow and wide:
            where = f" at {short_line(node.lines[0])}" if node.lines else ""
            yield Finding("dtypes", f"float32 becomes float64 in {node.op.name}{where}", False)


def _widens(node: Node) -> bool:
    return node.tensor.dtype == "float64" and node.inputs[0].tensor.dtype == "float32"


def _unused(case: Case) -> Iterator[Finding]:
    """Inputs that no output reads."""
    used = set(toposort(case.graph.outputs))
    for node in case.graph.params:
        if node not in used:
            yield Finding("inputs", f"no output reads {node.name or 'an input'}", True)


def _accuracy(case: Case) -> Iterator[Finding]:
    """Bits of error before and after, where the function can tell."""
    accuracy = getattr(case.function, "accuracy", None)
    if accuracy is None:
        return
    try:
        found = accuracy(*case.arrays())
    except SymgraphError as error:
        yield Finding("accuracy", f"not measured: {_first(error)}", False)
        return
    yield Finding("accuracy", "; ".join(str(found).splitlines()), False)


def _first(error: BaseException) -> str:
    from .target import one_line

    return one_line(error)


CHECKS: dict[str, Check] = {
    "inputs": _unused,
    "dtypes": _upcasts,
    "gradients": _gradients,
    "debug": _debug,
    "range": _range,
    "determinism": _determinism,
    "accuracy": _accuracy,
}
"""What ``symgraph check`` does, in order, by the name that chooses one."""


def run_checks(case: Case, names: Sequence[str]) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each check."""
    for name in names:
        with np.errstate(all="ignore"):
            yield name, list(CHECKS[name](case))
