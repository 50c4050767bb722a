"""What may stand beside a node: its dtype, its shape, its bytes, the user's line."""

from __future__ import annotations

from symgraph.ir.dim import Dim, DimLike
from symgraph.ir.literal import Writer
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType, Type
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class Notes:
    """Which notes are asked for."""

    types: bool = False
    shapes: bool = False
    memory: bool = False
    lines: bool = False

    def text(self, node: Node, writer: Writer) -> str:
        """The notes on a node, apart by two spaces; empty where none is asked for."""
        found = [self._type(node.type, writer)] if self.types or self.shapes else []
        if self.memory:
            found.append(bytes_text(node.type, writer))
        if self.lines and node.lines:
            found.append(f"# {node.lines[0]}")
        return "  ".join(filter(None, found))

    def _type(self, found: Type, writer: Writer) -> str:
        if self.types and self.shapes:
            return writer.type(found)
        if not isinstance(found, TensorType):
            items = ", ".join(self._type(item, writer) for item in found.items)
            return f"({items})"
        if self.types:
            return str(found.dtype)
        return f"[{', '.join(map(writer.dim, found.shape))}]"


def nbytes(found: Type) -> DimLike:
    """The bytes of a value, or of all values of a node with several."""
    if not isinstance(found, TensorType):
        total: DimLike = 0
        for item in found.items:
            total = total + nbytes(item)
        return total
    count: DimLike = found.dtype.itemsize
    for dim in found.shape:
        count = count * dim
    return count


def bytes_text(found: Type, writer: Writer) -> str:
    """``80 B``, ``1.2 MB``, or with dims that the call tells: ``8*n B``."""
    count = nbytes(found)
    return f"{writer.dim(count)} B" if isinstance(count, Dim) else count_text(count)


def count_text(count: int) -> str:
    """Bytes with a unit, three digits."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.3g} {unit}" if unit != "B" else f"{count} B"
