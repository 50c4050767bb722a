"""Functions near their own zeros, where terms cancel: computed again in double-double there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from symgraph.ir.dtype import FLOAT64
from symgraph.ir.graph import Graph, param_node
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.ops.convert import wrap

Formula = Callable[..., Variable]


def near_root(s: Any, found: Any, largest: Any, formula: Formula, *args: Any) -> Any:
    """``found``, or the formula in double-double where it is less than its largest term."""
    doubt = s.sub(largest, s.abs(found))
    doubt = s.select(s.eq(found, found), doubt, s.const(0, FLOAT64))  # NaN stays
    return s.guarded(_body(formula, len(args)), found, doubt, args)


@cache
def _body(formula: Formula, count: int) -> Graph:
    params = tuple(param_node(k, TensorType(FLOAT64, ())) for k in range(count))
    return Graph(params, (formula(*map(wrap, params)).node,))
