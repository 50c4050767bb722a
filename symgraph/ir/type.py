"""Types of nodes: dtype and shape, and the checks that shape inference leaves for the call.

``ShapeContext`` is what an op's shape rule uses to say that two dims must be equal or must
broadcast. What is decidable is decided when the graph is built; the rest becomes a ``Check``,
made once when the function is entered, never inside a kernel.
"""

from __future__ import annotations

from typing import Union

from symgraph.errors import ShapeError
from symgraph.ir.dim import DimLike, broadcast
from symgraph.ir.dtype import DType
from symgraph.records import dataclass

Shape = tuple[DimLike, ...]
Type = Union["TensorType", "TupleType"]


@dataclass(frozen=True, slots=True)
class TensorType:
    """An array of one dtype; ``shape`` holds ints and symbolic dims."""

    dtype: DType
    shape: Shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class TupleType:
    """What a node with several results has; ``proj`` selects one."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"


@dataclass(frozen=True, slots=True)
class Check:
    """What two dims must satisfy.

    ``equal``; ``broadcast`` (equal, or one of them 1); ``expand`` (the left is 1 or equals the
    right); ``at_least`` (the left is not below the right).
    """

    kind: str
    left: DimLike
    right: DimLike
    about: str


@dataclass(slots=True)
class ShapeContext:
    """Collects checks while the type of one node is inferred."""

    checks: list[Check]

    def __init__(self) -> None:  # each operation makes one
        self.checks = []

    def equal(self, left: DimLike, right: DimLike, about: str) -> DimLike:
        """Both dims, required to be the same; the more definite one is returned."""
        if left == right:
            return left
        if isinstance(left, int) and isinstance(right, int):
            raise ShapeError(f"{about}: {left} is not {right}")
        self.checks.append(Check("equal", left, right, about))
        return left if isinstance(left, int) else right if isinstance(right, int) else left

    def broadcast_dim(
        self, left: DimLike, right: DimLike, about: str = "axes do not broadcast"
    ) -> DimLike:
        """The dim of two axes that meet elementwise."""
        found = broadcast(left, right)
        if found is None:
            raise ShapeError(f"{about}: {left} and {right}")
        if left != right and left != 1 and right != 1:
            self.checks.append(Check("broadcast", left, right, about))
        return found

    def broadcast_shapes(self, *shapes: Shape) -> Shape:
        """The shape of arrays that meet elementwise, aligned at their last axes."""
        stretched = [s for s in shapes if s]
        if not stretched or stretched.count(stretched[0]) == len(stretched):
            return stretched[0] if stretched else ()
        rank = max((len(s) for s in shapes), default=0)
        out: list[DimLike] = [1] * rank
        for shape in shapes:
            offset = rank - len(shape)
            for axis, dim in enumerate(shape):
                out[offset + axis] = self.broadcast_dim(out[offset + axis], dim)
        return tuple(out)
