"""``vjp``, ``jvp``, ``jacobian``, ``hessian``, ``hvp``, and ``grad`` written at once.

Each is the transformation of ``symgraph.autodiff`` after the graph was stabilized.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symgraph.autodiff import transform
from symgraph.ir.node import Node, newest
from symgraph.ir.origin import user_line
from symgraph.ir.variable import Variable
from symgraph.ops.tree import flatten
from symgraph.rewrite.journal import Journal
from symgraph.trace.record import Chapter, remember


class _Gradients:
    """Gradients are taken of the stabilized graph, in which what the user named survives as it is.

    What was rewritten is remembered with the results, for the trace of functions that hold them.
    """

    def __init__(self, what: str) -> None:
        self.what, self.line = what, user_line()
        self.chapters: list[Chapter] = []
        self.newest = 0

    def prepare(self, outputs: Sequence[Node], cuts: Sequence[Node]) -> Sequence[Node]:
        """The graph to differentiate."""
        from symgraph.rewrite.pipeline import stabilize_for_grad  # all rules: 60 ms to import

        journals: list[Journal] = []
        found = stabilize_for_grad(outputs, cuts, journals=journals)
        self.chapters.append(Chapter(self.what, self.line, tuple(journals)))
        self.newest = newest()
        return found

    def note(self, found: Any) -> Any:
        """The results, as they are."""
        variables = [v for v in flatten(found)[0] if isinstance(v, Variable)]
        remember(self.chapters, [v.node for v in variables], self.newest)
        return found


def _stable(transformation: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any, **options: Any) -> Any:
        gradients = _Gradients(transformation.__name__)
        found = transformation(*args, prepare=gradients.prepare, **options)
        return gradients.note(found)

    apply.__name__ = apply.__qualname__ = transformation.__name__
    apply.__doc__ = transformation.__doc__
    return apply


grad = _stable(transform.grad)
vjp = _stable(transform.vjp)
jvp = _stable(transform.jvp)
jacobian = _stable(transform.jacobian)
hessian = _stable(transform.hessian)
hvp = _stable(transform.hvp)
