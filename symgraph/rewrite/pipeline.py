"""The passes of rewriting, in the order on this page: START READING the rewriter HERE.

    stabilize_for_grad(outputs, keep)      before differentiating; ``keep`` are cut points
    optimize(outputs, accuracy)            before lowering
    finish(outputs, accuracy)              after that, once: products that may overflow on the way

``accuracy="as-written"`` runs only rows that are exact: no value changes in a bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from symgraph.ir.node import Node
from symgraph.records import dataclass
from symgraph.rewrite.algebra import ALGEBRA
from symgraph.rewrite.canonicalize import CANONICALIZE
from symgraph.rewrite.engine import rewrite
from symgraph.rewrite.journal import Application, Counts, Journal
from symgraph.rewrite.linalg import LINALG
from symgraph.rewrite.moments import DEVIATIONS, MOMENTS
from symgraph.rewrite.offers import Table
from symgraph.rewrite.polish import POLISH
from symgraph.rewrite.ranges import RANGES, RANGES_OF_FEW
from symgraph.rewrite.softmax import SOFTMAX
from symgraph.rewrite.stabilize import STABILIZE
from symgraph.rewrite.views import kept_views


@dataclass(frozen=True, slots=True)
class Pass:
    """A table of rules that runs to a fixpoint."""

    name: str
    rules: Table

    @property
    def exact(self) -> Pass:
        """The same with only the rules that keep every bit."""
        return replace(self, rules=tuple(r for r in self.rules if r.exact))


SIMPLIFY: Table = (*CANONICALIZE, *ALGEBRA)
PIPELINE: tuple[Pass, ...] = (
    Pass("canonicalize", CANONICALIZE),
    Pass("stabilize", (*SIMPLIFY, *SOFTMAX, *STABILIZE)),
    # all again, since sums and products taken apart may show what the others are for
    Pass("linalg", (*SIMPLIFY, *SOFTMAX, *STABILIZE, *LINALG, *DEVIATIONS)),
)
# a scaled product costs as much as a function: "default" has it only where little is computed
IN_RANGE = {
    "rules": (Pass("ranges", RANGES),),
    "default": (Pass("ranges", RANGES_OF_FEW),),
    "high": (Pass("ranges", RANGES),),
}
LAST = Pass("polish", (*POLISH, *MOMENTS))
BEFORE_GRADIENT: tuple[Pass, ...] = PIPELINE[:2]


def run(
    outputs: Iterable[Node],
    passes: Sequence[Pass],
    keep: Iterable[Node] = (),
    trace: list[Application] | None = None,
    counts: Counts | None = None,
    journals: list[Journal] | None = None,
) -> tuple[Node, ...]:
    """Outputs after each pass in turn."""
    outputs, keep = tuple(outputs), tuple(keep)
    with kept_views():
        for step in passes:
            if step.rules:
                outputs = rewrite(
                    outputs,
                    step.rules,
                    table=step.name,
                    keep=keep,
                    trace=trace,
                    counts=counts,
                    journals=journals,
                )
    return outputs


def stabilize_for_grad(
    outputs: Iterable[Node],
    keep: Iterable[Node] = (),
    trace: list[Application] | None = None,
    journals: list[Journal] | None = None,
) -> tuple[Node, ...]:
    """Outputs in the form to differentiate: naive formulas replaced by stable ones."""
    return run(outputs, BEFORE_GRADIENT, keep, trace, journals=journals)


def optimize(
    outputs: Iterable[Node],
    accuracy: str = "default",
    trace: list[Application] | None = None,
    passes: Sequence[Pass] = PIPELINE,
    keep: Iterable[Node] = (),
    journals: list[Journal] | None = None,
) -> tuple[Node, ...]:
    """Outputs in the form to lower.

    ``accuracy``: "default", "high" (repairs that cost time too), "as-written" (exact rows only).
    """
    if accuracy == "as-written":
        passes = tuple(p.exact for p in passes)
    return run(outputs, passes, keep, trace, journals=journals)


def finish(
    outputs: Iterable[Node],
    accuracy: str = "rules",
    trace: list[Application] | None = None,
    journals: list[Journal] | None = None,
) -> tuple[Node, ...]:
    """Outputs whose products leave the range only where their results do; exact exponents.

    Not a part of ``optimize``, whose rules do not see into what this makes.
    """
    if accuracy == "as-written":
        return tuple(outputs)
    return run(outputs, (*IN_RANGE[accuracy], LAST), (), trace, journals=journals)
