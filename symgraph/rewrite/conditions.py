"""Facts by name: predicates on nodes, and conditions of rules on holes.

positive(node)                          True where it certainly is
when=positive(x) & finite(y)            a condition on what the holes x and y bind
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.records import dataclass
from symgraph.rewrite.facts import fact
from symgraph.rewrite.pattern import Hole, Pat
from symgraph.rewrite.views import core, factors


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact that must hold of what the holes of a rule bind."""

    text: str
    test: Callable[[Mapping[str, Any]], bool]

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"{self.text} and {other.text}", lambda b: self.test(b) and other.test(b))

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.text} or {other.text})", lambda b: self.test(b) or other.test(b))

    def __invert__(self) -> Condition:
        return Condition(f"not {self.text}", lambda b: not self.test(b))


def _predicate(name: str, holds: Callable[[Node], bool]) -> Callable[[Any], Any]:
    def predicate(x: Any) -> Any:
        if isinstance(x, Pat):
            assert isinstance(x, Hole), "conditions are about holes"
            return Condition(f"{name}({x})", lambda b: holds(b[x.name]))
        return holds(x)

    predicate.__name__ = name
    predicate.__doc__ = f"Is a node certainly {name}? On a hole: the condition that it is."
    return predicate


def _is_even(node: Node) -> bool:
    """Is it a product of even powers and of what is not negative: (4 * x) * x?"""
    if node.op.name not in ("multiply", "divide"):
        return False
    scale, found = factors(node)
    return scale >= 0 and all(e % 2 == 0 or fact(b).lo >= 0 for b, e in found)


positive = _predicate("positive", lambda n: fact(n).positive)
negative = _predicate("negative", lambda n: fact(n).negative)
nonnegative = _predicate("nonnegative", lambda n: fact(n).lo >= 0 or _is_even(n))
nonpositive = _predicate("nonpositive", lambda n: fact(n).hi <= 0)
nonzero = _predicate("nonzero", lambda n: fact(n).nonzero)
finite = _predicate("finite", lambda n: fact(n).finite)
whole = _predicate("whole", lambda n: fact(n).whole)
signed = _predicate("signed", lambda n: fact(n).lo >= 0 or fact(n).hi <= 0)
constant = _predicate("constant", lambda n: n.op.name == "constant")
scalar = _predicate(
    "scalar", lambda n: isinstance(n.type, TensorType) and all(d == 1 for d in n.tensor.shape)
)
real = _predicate("real", lambda n: isinstance(n.type, TensorType) and n.tensor.dtype.kind == "f")
probability = _predicate("probability", lambda n: fact(n).lo >= 0 and fact(n).hi <= 1)


def _is_one_hot(node: Node) -> bool:
    """Is it astype(y == arange(n)): one 1 in each row at most?"""
    while node.op.name in ("astype", "expand_dims", "broadcast_to", "permute_dims"):
        node = node.inputs[0]
    return node.op.name == "equal" and any(core(i).op.name == "iota" for i in node.inputs)


one_hot = _predicate("one_hot", _is_one_hot)
