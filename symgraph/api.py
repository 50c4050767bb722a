"""The verbs of define-then-run: ``function`` and ``grad``; constructors of inputs.

This module ties the layers together and holds no compiler code: see ``symgraph.compile`` for that,
and ``symgraph.derivatives`` for what else differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from symgraph.autodiff.arguments import check_connected, scalar_cost, variables_of
from symgraph.autodiff.deferred import Deferred, Pending, can_wait
from symgraph.config import config
from symgraph.errors import (
    ArgumentError,
    DeviceError,
    DTypeError,
    MissingInputError,
    ShapeError,
    UnusedInputError,
    message,
)
from symgraph.ir.dim import DimLike, symbols
from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node
from symgraph.ir.op import METHODS
from symgraph.ir.origin import as_if_at, at_line, user_line
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.mode import Mode, as_mode
from symgraph.ops.convert import asarray, cast
from symgraph.ops.leaves import tensor
from symgraph.ops.tree import Tree, flatten, nesting, unflatten
from symgraph.outline import Found, Outline, roots_of
from symgraph.runtime.arguments import In, Parameter
from symgraph.runtime.function import Function
from symgraph.runtime.plumbing import Length, Plumbing

Pairs = Mapping[Variable, Any] | Iterable[tuple[Variable, Any]]


def function(
    inputs: Sequence[Variable | In] | Variable | In,
    outputs: Any = None,
    *,
    updates: Pairs | None = None,
    givens: Pairs | None = None,
    mode: Mode | str | None = None,
    name: str | None = None,
    on_unused_input: str = "raise",
    threads: int | None = None,
    device: str | None = None,
) -> Function:
    """A compiled function of ``inputs``: variables, or ``sg.In`` with options.

    ``outputs``: a variable, a nested list, tuple or dict of them (calls return the same structure),
    or None.    ``updates``: shared variable -> new value, all computed from old values and applied
    together, or not at all if the call fails.    ``givens``: replacements in the graph.
    ``on_unused_input``: "raise", "warn" or "ignore".    ``threads``: the most that a call uses;
    0 or None for all that the process may.    Raises: MissingInputError for a variable that is
    neither input nor shared, UnusedInputError, ArgumentError, and every error of the graph itself.
    """
    chosen = _on_device(as_mode(mode), device)
    if threads is not None and threads < 0:
        raise ArgumentError(at_line(f"threads must be 0 (all) or positive, got {threads}"))
    parameters = _parameters(inputs)
    leaves, tree = flatten(outputs)
    results = [_as_output(x) for x in leaves]
    pairs = _pairs(updates, "updates")
    targets, values = _update_nodes(pairs)
    replaced = _givens(_pairs(givens, "givens"))
    if replaced:
        made = substitute_nodes([v.node for v in (*results, *values)], replaced)
        both = [Variable(n) for n in made]
        results, values = both[: len(results)], both[len(results) :]
    found = _found([*results, *values])
    if _add_default_updates(found.below, values, targets):
        found = _found([*results, *values])
    if any("defines dimension" in n.op.properties for n in found.below):
        found = _found([Variable(v.node) for v in (*results, *values)])
    _check_leaves(found.below, parameters, on_unused_input)
    given = (inputs, outputs, updates, givens, mode, name, on_unused_input, threads, device)
    return _assemble(results, values, found, targets, parameters, tree, chosen, given)


def _found(variables: Sequence[Variable]) -> Found:
    found = roots_of(variables) or roots_of([Variable(v.node) for v in variables])
    assert found is not None  # it is None for what waits alone
    return found


def _assemble(
    results: list[Variable],
    values: list[Variable],
    found: Found,
    targets: list[Node],
    parameters: list[Parameter],
    tree: Tree,
    mode: Mode,
    given: tuple[Any, ...],
) -> Function:
    inputs = [p.variable.node for p in parameters]
    structure = nesting(tree)

    def complete() -> tuple[Node, ...]:
        return tuple([v.node for v in (*results, *values)])

    outline = Outline(
        tuple(inputs),
        found.roots,
        found.below,
        found.recipe,
        complete,
        mode,
        (structure,),
        tuple(targets),
        () if mode.check else tuple(p.variable.node for p in parameters if p.mutable),
        len(results),
    )
    plumbing = Plumbing(
        name=given[5] or "function",
        parameters=parameters,
        inputs=inputs,
        shared=[n for n in found.below if n.op.name == "shared"],
        n_outputs=len(results),
        updated=targets,
        structure=lambda made: unflatten(tree, made),
        outline=outline,
        rebuild=(_rebuild, given),
        backend=mode.code_generator,
        nesting=structure,
        threads=given[7] or 0,
        lengths=_lengths(found.below, parameters, mode),
        observe=_observer(complete(), mode) if mode.check else None,
    )
    return Function(plumbing)


def _observer(nodes: Sequence[Node], mode: Mode) -> Callable[..., None]:
    from symgraph.debug import Debugger  # imports the compiler

    return Debugger(nodes, mode)


def _rebuild(
    inputs: Any, outputs: Any, updates: Any, givens: Any, mode: Any, name: Any, *rest: Any
) -> Function:
    unused, threads, device = rest
    return function(
        inputs,
        outputs,
        updates=updates,
        givens=givens,
        mode=mode,
        name=name,
        on_unused_input=unused,
        threads=threads,
        device=device,
    )


def _on_device(mode: Mode, device: str | None) -> Mode:
    """The mode for a device; DeviceError where there is no such device."""
    chosen = device or config.text("device")
    if chosen == "cpu":
        return mode
    if chosen != "cuda":
        raise DeviceError(at_line(f"there is no device {chosen!r}", hint="use 'cpu' or 'cuda'"))
    from dataclasses import replace

    from symgraph.codegen.numba_cuda_api import require_device

    require_device()
    return replace(mode, backend="cuda")


def _parameters(inputs: Any) -> list[Parameter]:
    listed = [inputs] if isinstance(inputs, Variable | In) else list(inputs)
    found: list[Parameter] = []
    seen: set[Node] = set()
    for k, item in enumerate(listed):
        options = item if isinstance(item, In) else In(item)
        variable = options.variable
        if not isinstance(variable, Variable) or variable.node.op.name != "input":
            what = f"{variable!r}"
            hint = "inputs are made by sg.tensor and kin; use givens= to replace an intermediate"
            raise ArgumentError(at_line(f"input {k} is not an input variable: {what}", hint=hint))
        if variable.node in seen:
            facts = {variable.name or f"input {k}": variable.type}
            what = f"input {variable.name or k} is listed twice"
            raise ArgumentError(at_line(what, facts, "list every input once"))
        seen.add(variable.node)
        found.append(
            Parameter(
                variable,
                options.name or variable.name or variable.node.name,
                options.default,
                options.has_default,
                options.mutable,
            )
        )
    return found


def _as_output(value: Any) -> Variable:
    if isinstance(value, Function):
        raise ArgumentError(
            at_line("an output is a compiled function, not a variable", hint="pass the expression")
        )
    return asarray(value)


def _pairs(given: Pairs | None, what: str) -> list[tuple[Variable, Any]]:
    if given is None:
        return []
    items = list(given.items()) if isinstance(given, Mapping) else list(given)
    for item in items:
        if not isinstance(item, tuple) or len(item) != 2 or not isinstance(item[0], Variable):
            raise ArgumentError(
                at_line(f"{what} takes a dict or pairs of variable and expression, got {item!r}")
            )
    return items


def _update_nodes(pairs: list[tuple[Variable, Any]]) -> tuple[list[Node], list[Variable]]:
    targets: list[Node] = []
    values: list[Variable] = []
    for target, value in pairs:
        if target.node.op.name != "shared":
            raise ArgumentError(
                at_line(
                    f"updates: {target!r} is not a shared variable",
                    hint="only shared variables outlive a call: make it with sg.shared(value)",
                )
            )
        if target.node in targets:
            what = f"updates: {target.name or 'a shared variable'} is updated twice"
            raise ArgumentError(at_line(what, {"type": target.type}, "give it one new value"))
        targets.append(target.node)
        values.append(
            _fitting(
                asarray(value), target.type, f"the update of {target.name or 'a shared variable'}"
            )
        )
    return targets, values


def _fitting(value: Variable, wanted: TensorType, what: str) -> Variable:
    if value.weak or value.dtype == wanted.dtype:
        value = cast(value, wanted.dtype)
    if value.dtype != wanted.dtype:
        raise DTypeError(
            at_line(
                f"{what} is {value.dtype}, not {wanted.dtype}",
                {"value": value},
                hint="cast it with sg.astype",
            )
        )
    clash = any(
        isinstance(a, int) and isinstance(b, int) and a != b
        for a, b in zip(value.shape, wanted.shape, strict=False)
    )
    if value.ndim != wanted.ndim or clash:
        raise ShapeError(
            at_line(
                f"{what} has shape {value.shape}, not {wanted.shape}",
                {"value": value},
                "reduce, reshape or sg.broadcast_to it",
            )
        )
    return value


def _givens(pairs: list[tuple[Variable, Any]]) -> dict[Node, Node]:
    found: dict[Node, Node] = {}
    for target, value in pairs:
        found[target.node] = _fitting(
            asarray(value), target.type, f"givens: the value of {target.name or target!r}"
        ).node
    return found


def _add_default_updates(
    below: Sequence[Node], values: list[Variable], targets: list[Node]
) -> bool:
    """Streams advance at every call of a function that reads them. Are there any to add?"""
    before = len(targets)
    for node in below:
        if (
            node.op.name == "shared"
            and node not in targets
            and node.attrs["cell"].default_update is not None
        ):
            targets.append(node)
            values.append(
                _fitting(node.attrs["cell"].default_update, node.tensor, "a default update")
            )
    return len(targets) > before


def _check_leaves(below: Sequence[Node], parameters: list[Parameter], on_unused: str) -> None:
    used = {n for n in below if n.op.name == "input"}
    known = {p.variable.node for p in parameters}
    for node in used - known:
        line = str(node.lines[0]) if node.lines else None
        raise MissingInputError(
            message(
                f"the outputs depend on {node.name or 'an unnamed variable'}: {node.type},"
                " which is not an input",
                {"inputs": [p.name for p in parameters]},
                line,
                "list it in inputs=, replace it by givens=, or make it sg.shared",
            )
        )
    if on_unused not in ("raise", "warn", "ignore"):
        what = f"on_unused_input is raise, warn or ignore, not {on_unused!r}"
        raise ArgumentError(at_line(what))
    types = {id(n.type): n.type for n in below}.values()  # those of equal operations are one
    shapes = [t.shape for t in types if isinstance(t, TensorType)]
    shapes += [(n.attrs["dim"],) for n in below if n.attrs and "dim" in n.attrs]
    leaves = [n for n in below if n.op.name in ("input", "shared")]
    sizes = {a for shape in shapes for d in shape for a in symbols(d)}
    told = {a for n in leaves for d in n.tensor.shape for a in symbols(d)}
    for p in parameters:
        needed = any(symbols(d) & (sizes - told) for d in p.variable.shape)
        if p.variable.node not in used and not needed and on_unused != "ignore":
            _unused(p, on_unused)


def _unused(parameter: Parameter, how: str) -> None:
    made = parameter.variable.line
    text = message(
        f"no output depends on input {parameter.name or parameter.variable!r}",
        {"type": parameter.variable.type},
        str(made) if made else None,
        "leave it out, or pass on_unused_input='ignore'",
    )
    if how == "raise":
        raise UnusedInputError(text)
    import warnings

    warnings.warn(text, stacklevel=4)


def _lengths(nodes: Sequence[Node], parameters: list[Parameter], mode: Mode) -> list[Length]:
    """Dimensions computed from data get a small function each, called before the main one."""
    found = []
    for node in nodes:
        if "defines dimension" not in node.op.properties:
            continue
        (atom,) = symbols(node.attrs["dim"])
        below = toposort([node.inputs[0]])
        sizes = {a for n in below if n.op.name == "dim" for a in symbols(n.attrs["dim"])}
        chosen = [
            k
            for k, p in enumerate(parameters)
            if p.variable.node in below or any(symbols(d) & sizes for d in p.variable.shape)
        ]
        length = Variable(node.inputs[0])
        compute = function(
            [parameters[k].variable for k in chosen],
            length,
            mode=mode,
            name="length",
            on_unused_input="ignore",
        )
        found.append(Length(atom, tuple(chosen), compute))
    return found


def grad(
    cost: Variable | None,
    wrt: Any,
    *,
    known_grads: Mapping[Variable, Any] | Sequence[tuple[Variable, Any]] | None = None,
    stop: Variable | Sequence[Variable] = (),
    disconnected: str = "raise",
) -> Any:
    """d cost / d wrt, in the structure of ``wrt``; each has the shape and dtype of its variable.

    ``known_grads``: gradients of some intermediate cost variables, by which they are replaced; cost
    may be None then.    ``stop``: variables taken as constants.    ``disconnected``: what to do
    where the cost does not depend on a variable: "raise" DisconnectedError, give "zero"s, or
    "none". Complex wrt: df/dx - i df/dy, as JAX. The graph is written when it is first looked at.
    Raises: GradientError for a cost that is no real scalar, or an op without a gradient.
    """
    waiting = None
    if isinstance(cost, Variable) and not known_grads and disconnected == "raise":
        waiting = _deferred(cost, wrt, stop)
    if waiting is not None:
        return waiting
    from symgraph import derivatives  # the rules of differentiation

    return derivatives.grad(
        cost, wrt, known_grads=known_grads, stop=stop, disconnected=disconnected
    )


def _deferred(cost: Variable, wrt: Any, stop: Any) -> Any:
    """Gradients that are written when somebody looks; None where there may be none."""
    variables, tree = variables_of(wrt, "grad: wrt")
    stops = variables_of(stop, "grad: stop")[0] if stop is not None else []
    below = check_connected([scalar_cost(cost)], variables, "raise", stops)
    nodes, ends = [v.node for v in variables], [s.node for s in stops]
    if not can_wait(cost.node, nodes, ends, below):
        return None

    line = user_line()

    def find() -> list[Variable]:
        from symgraph import derivatives

        with as_if_at((line,) if line else ()):  # not where it is looked at
            found: list[Variable] = derivatives.grad(cost, variables, stop=stops)
        return found

    pending = Pending(cost.node, nodes, ends, find, below or ())
    return unflatten(tree, [Deferred(pending, k) for k in range(len(variables))])


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., tuple[Variable, Any]]:
    """A function that gives the cost and its gradient by the arguments ``argnums``."""
    from symgraph.autodiff import transform

    return transform.value_and_grad(function, argnums, differentiate=grad)


def check_grad(fn: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """Compare the gradient of ``fn`` at values with central differences, on compiled functions."""
    from symgraph.autodiff import check

    return check.check_grad(
        fn, *values, compile=lambda i, o: function(i, o, on_unused_input="ignore"), **options
    )


def evaluate(variable: Variable, values: Mapping[Variable, Any] | None = None) -> Any:
    """``x.eval({input: value})``: compile and call once."""
    given = dict(values or {})
    keys = list(given)
    f = function(keys, variable, on_unused_input="ignore", name="eval")
    return f(*[given[k] for k in keys])


METHODS["eval"] = evaluate


def clone(outputs: Any, replace: Pairs | None = None) -> Any:
    """Outputs with variables replaced by expressions."""
    leaves, tree = flatten(outputs)
    mapping = _givens(_pairs(replace, "replace"))
    found = substitute_nodes([asarray(x).node for x in leaves], mapping)
    return unflatten(tree, [Variable(n) for n in found])


def ancestors(*variables: Variable) -> list[Variable]:
    """All expressions that these depend on, inputs first."""
    nodes = toposort([v.node for v in variables])
    return [Variable(n) for n in nodes if isinstance(n.type, TensorType)]


def _inputs(rank: int, shape: Callable[[], tuple[DimLike | None, ...]]) -> Callable[..., Variable]:
    def make(name: str | None = None, dtype: Any = None, *, domain: Any = None) -> Variable:
        return tensor(name, shape=shape(), dtype=dtype, domain=domain)

    make.__doc__ = (
        f"An input of {rank} axes; dtype None means ``sg.config.floatX``; domain as of sg.tensor."
    )
    return make


def _plural(one: Callable[..., Variable]) -> Callable[..., list[Variable]]:
    def make(*names: str | int, dtype: Any = None, domain: Any = None) -> list[Variable]:
        if len(names) == 1 and isinstance(names[0], int):
            return [one(dtype=dtype, domain=domain) for _ in range(names[0])]
        return [one(n, dtype, domain=domain) for n in names]

    make.__doc__ = "Several inputs at once: names, or how many."
    return make


scalar = _inputs(0, lambda: ())
vector = _inputs(1, lambda: (None,))
matrix = _inputs(2, lambda: (None, None))
tensor3 = _inputs(3, lambda: (None,) * 3)
tensor4 = _inputs(4, lambda: (None,) * 4)
row = _inputs(2, lambda: (1, None))
col = _inputs(2, lambda: (None, 1))
scalars, vectors, matrices = _plural(scalar), _plural(vector), _plural(matrix)
tensor3s, tensor4s, rows, cols = _plural(tensor3), _plural(tensor4), _plural(row), _plural(col)
