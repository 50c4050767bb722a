"""What lowering decided and why, for people: which node a local holds, why loops stayed apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeGuard

from symgraph.ir.node import Node
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.lower.cluster import Clusters, Entry, Nest
    from symgraph.lower.stage import Stage


@dataclass(frozen=True, slots=True)
class Apart:
    """Why a node is not computed in the loop that makes what it reads."""

    node: Node
    other: Node
    why: str


@dataclass(slots=True)
class Notes:
    """``locals``: names in kernels and the nodes whose values they hold."""

    locals: dict[str, Node] = field(default_factory=dict)
    apart: list[Apart] = field(default_factory=list)

    def stage(self, stage: Stage) -> None:
        """Remember the locals of a stage."""
        for let in stage.lets:
            self.locals[let.name] = let.node or stage.node


def reasons(
    clusters: Clusters, block: Iterable[Entry], stage: Stage, needs: set[int]
) -> Iterator[Apart]:
    """Why a stage opens a loop of its own, for each earlier loop that makes what it reads."""
    for entry in filter(_is_nest, block):
        for number in sorted(entry.stages & needs):
            source = clusters.stages.get(number)
            if source is not None:
                yield Apart(stage.node, source.node, _reason(clusters, entry, stage, source))


def _is_nest(entry: Entry) -> TypeGuard[Nest]:
    return hasattr(entry, "block")


def _reason(clusters: Clusters, nest: Nest, stage: Stage, source: Stage) -> str:
    mine, theirs = stage.node.op.name, source.node.op.name
    if stage.alone:
        return f"{mine} has a loop of its own: its turns depend on each other, or write anywhere"
    if nest.closed:
        return f"the loop of {theirs} is its own: its turns depend on each other, or write anywhere"
    if nest.dim != stage.space[0]:
        return f"{mine} loops over {stage.space[0]}, {theirs} over {nest.dim}"
    if source.kept == 0:
        return f"{theirs} is known only after its whole loop, and every turn of {mine} needs it"
    if not clusters.aligned(source.number, stage, 0):
        return f"a turn of {mine} reads more of {theirs} than its own element"
    if not clusters.has_room(nest, stage):
        return "the loop would be too long: registers run out, and compiling takes its time"
    return "something between them must come after the one and before the other"
