"""``mode="debug"``: every call is checked against the plain meaning of the graph, stage by stage.

Before the compiled program runs, the graph as built is evaluated node by node by its references: an
index out of bounds, a false assumption, and the first NaN or infinity made from finite inputs are
reported with the user's line. Afterwards each stage of the compiler must give the same values,
within rounding, wherever the graph as written gives finite ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.compile import Compiler
from symgraph.errors import NumericError, message
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.mode import Mode
from symgraph.ops.assume import assumed_of, assumptions
from symgraph.ops.evaluate import evaluate

Array = np.ndarray[Any, Any]
ROUNDING = {"float32": 2e-3, "float64": 1e-6, "complex64": 2e-3, "complex128": 1e-6}
"""Relative differences taken for rounding: naive formulas lose digits that stable ones keep."""


class Debugger:
    """Checks one function; called before and after every run."""

    def __init__(self, outputs: Sequence[Node], mode: Mode) -> None:
        self.outputs, self.mode = tuple(outputs), mode

    def __call__(
        self, function: Any, values: Mapping[Node, Array], results: Sequence[Array] | None = None
    ) -> None:
        with np.errstate(all="ignore"):
            if results is None:
                _check_assumptions(values)
                self._origin(values)
            else:
                self._stages(values, results)

    def _origin(self, values: Mapping[Node, Array]) -> None:
        nodes = [
            n for n in toposort(self.outputs) if n.op.kind != "tuple" and n.op.kind != "control"
        ]
        if not all(_finite(v) for v in values.values()):
            return
        found = evaluate(nodes, values)
        made = dict(zip(nodes, found, strict=True))
        for node, value in made.items():
            if not _finite(value) and all(_finite(made[i]) for i in node.inputs if i in made):
                self._report(node, value)

    @staticmethod
    def _report(node: Node, value: Any) -> None:
        what = "NaN" if np.isnan(value).any() else "inf"
        bad = ~np.isfinite(value)
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        facts = {
            "op": f"{node.op.name}: {node.type}",
            "inputs": [i.name or i.op.name for i in node.inputs],
            "elements": f"{int(bad.sum())} of {bad.size}, first at {first}",
        }
        line = str(node.lines[0]) if node.lines else None
        hint = (
            "the formula as written overflows or leaves its domain here;"
            " mode='fast' repairs many such formulas"
        )
        raise NumericError(
            message(f"{what} made by {node.op.name} from finite inputs", facts, line, hint)
        )

    def _stages(self, values: Mapping[Node, Array], results: Sequence[Array]) -> None:
        built = evaluate(self.outputs, values)
        compiler = Compiler((), self.outputs, self.mode)
        compiler.specialise({})
        for stage, nodes in (*compiler.record.stages.items(), ("compiled", None)):
            found = results if nodes is None else evaluate(nodes, _renamed(nodes, values))
            for k, (wanted, got) in enumerate(zip(built, found, strict=True)):
                _compare(stage, k, np.asarray(wanted), np.asarray(got), self.outputs[k])


def _check_assumptions(values: Mapping[Node, Array]) -> None:
    """NumericError for the first thing that was stated of these values and does not hold."""
    assumed = assumed_of(list(values))
    if not assumed:
        return
    for node, found in zip(assumed, evaluate(assumed, values), strict=True):
        for row in assumptions(node):
            value = np.asarray(found)
            broken = row.broken(value)
            if not broken.any():
                continue
            first = tuple(int(i) for i in np.argwhere(broken)[0])
            name = node.name or f"the result of {node.op.name}"
            facts = {
                "stated": f"{name} {row}",
                "value": repr(value[first].item()),
                "elements": f"{int(broken.sum())} of {value.size}, first at {first}",
            }
            line = str(row.line) if row.line else None
            what = f"{name} is not what was assumed of it"
            raise NumericError(
                message(what, facts, line, "rules rely on it: correct one of the two")
            )


def _renamed(nodes: Sequence[Node], values: Mapping[Node, Array]) -> dict[Node, Array]:
    """Values for the leaves of a stage: the same inputs with resolved dims."""
    identity = {_identity(n): v for n, v in values.items()}
    leaves = [n for n in toposort(nodes) if n.op.name in ("input", "shared")]
    return {n: identity[_identity(n)] for n in leaves}


def _identity(node: Node) -> object:
    return node.attrs.get("serial", node.attrs.get("cell"))


def _finite(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _compare(stage: str, number: int, wanted: Array, got: Array, node: Node) -> None:
    if wanted.dtype.kind not in "fc":
        same = np.array_equal(wanted, got)
    else:
        known = np.isfinite(wanted)
        scale = np.abs(wanted[known]).max(initial=1.0)
        same = bool(
            np.allclose(
                got[known], wanted[known], rtol=ROUNDING[str(wanted.dtype)], atol=1e-6 * scale
            )
        )
    if not same:
        line = str(node.lines[0]) if node.lines else None
        facts = {"stage": stage, "output": number, "as written": wanted, "after the stage": got}
        raise NumericError(
            message(f"stage {stage!r} changes output {number}", facts, line, "please report this")
        )
