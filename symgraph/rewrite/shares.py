"""What a share leaves of 1: softmax of one class is near 1 where all others together are next to 0.

``1 - softmax(x)`` has no digits there; ``log_softmax`` has all, since it leaves the largest element
out of its sum. A share may be indexed, reshaped, or the largest of its row.
"""

from __future__ import annotations

from symgraph.ir.node import Node, rebuild
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.build import call, number
from symgraph.rewrite.functions import fn
from symgraph.rewrite.rule import Rule, rule

PICKING = frozenset((*t.MOVEMENTS, "max", "min", "gather"))  # each element is one of the input's


@rule.compute(
    SUMS,
    needs="softmax max min gather",
    why="the share of one class is near 1 where those of all others are next to 0",
    source="1 - p = -expm1(log p)",
)
def rest_of_softmax(node: Node) -> Node | None:
    """1 - softmax(x) --> -expm1(log_softmax(x)), indexed, reshaped or the largest of a row too."""
    parts = t.terms(node)
    one = next((k for k, (_, p) in enumerate(parts) if p is None), None)
    if one is None:
        return None
    for k, (c, part) in enumerate(parts):
        if part is None or c != -parts[one][0]:
            continue
        logarithm = _logarithm(part)
        if logarithm is not None:
            made = t.scaled(c, fn("expm1", logarithm))
            return t.replace_terms(node, {k: made, one: None})
    return None


def _logarithm(share: Node) -> Node | None:
    """log_softmax, picked from as a share was from softmax."""
    chain = []
    while share.op.name in PICKING:
        chain.append(share)
        share = share.inputs[0]
    if share.op.name != "softmax":
        return None
    made = call("log_softmax", share.inputs[0], axes=share.attrs["axes"])
    for step in reversed(chain):
        made = rebuild(step, (made, *step.inputs[1:]))
    return made


@rule.compute(
    "sum",
    needs="softmax",
    why="shares add up to 1, which their rounded sum does not",
    source="definition",
    changes="1 where a share is NaN",
)
def sum_of_softmax(node: Node) -> Node | None:
    """sum(softmax(x, axes), axes) --> 1, where there are classes."""
    shares = node.inputs[0]
    if shares.op.name != "softmax" or set(shares.attrs["axes"]) != set(node.attrs["axes"]):
        return None
    lengths = [shares.tensor.shape[a] for a in node.attrs["axes"]]
    if node.tensor.dtype != shares.tensor.dtype or not all(isinstance(n, int) for n in lengths):
        return None
    one = number(1, node.tensor.dtype)
    return call("broadcast_to", one, shape=node.tensor.shape) if 0 not in lengths else None


SHARES: tuple[Rule, ...] = (rest_of_softmax, sum_of_softmax)
