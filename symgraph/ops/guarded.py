"""``guarded``: a value, and how to compute it slowly and accurately where it is in doubt.

Inputs are the fast value, its doubt, and what the slow form reads; ``body`` is that form, a graph
of one output. The result is the fast value where ``doubt <= 0`` or an input is not finite;
elsewhere the body in double-double arithmetic (``symgraph_kernels.wide``), rounded once.

Rules make it (``rewrite/guards.py``) as the last thing before lowering; users write formulas.
"""

from __future__ import annotations

from typing import Any

from symgraph.ir.graph import Graph
from symgraph.ir.op import Attrs, Op, register
from symgraph.ir.type import ShapeContext, TensorType, Type


def _infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    tensors = [t for t in types if isinstance(t, TensorType)]
    shape = context.broadcast_shapes(*[t.shape for t in tensors])
    return TensorType(tensors[0].dtype, shape)


def _front(*args: Any, **attrs: Any) -> Any:
    raise TypeError("guarded is made by the compiler")


def _reference(fast: Any, doubt: Any, *args: Any, body: Graph) -> Any:
    """The fast value: lanes in doubt differ from it by their error."""
    return fast


def _element(s: Any, fast: Any, doubt: Any, *args: Any, body: Graph) -> Any:
    return s.guarded(body, fast, doubt, args)


GUARDED = register(
    Op(
        "guarded",
        "elementwise",
        """The fast value; where doubt > 0, the body on the other inputs in double-double.

        Dtypes: float32 and float64.    Accuracy: 0.5 ulp where in doubt, for finite inputs.
        """,
        infer=_infer,
        front=_front,
        reference=_reference,
        element=_element,
        ulp=512.0,
        source="Higham 2002, Accuracy and Stability of Numerical Algorithms, 3.3: running bounds",
    )
)
