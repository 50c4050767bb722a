"""Double-double arithmetic on NumPy arrays: the same definitions as the compiled ones.

`evaluate("exp", lift(x))` gives a triple; `WidePlain` is the `w` of the definitions. A reference
and the meaning of the interpreter, not a fast path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph_kernels import wide
from symgraph_kernels.plain import Words
from symgraph_kernels.wide import Wide
from symgraph_kernels.wide_table import WIDE_ROWS


class WidePlain:
    """The rows as methods on triples of arrays."""

    def __init__(self) -> None:
        self.s = Words(True)

    def __getattr__(self, name: str) -> Callable[..., Wide]:
        row = WIDE_ROWS.get(name)
        if row is None:
            raise AttributeError(name)
        return lambda *args: row.definition(self, *args)


_PLAIN = WidePlain()


def evaluate(name: str, *args: Wide) -> Wide:
    """The row `name` on triples of arrays (plain floats broadcast)."""
    arrays = [Wide(*(np.asarray(part, np.float64) for part in a)) for a in args]
    with np.errstate(all="ignore"):
        return WIDE_ROWS[name].definition(_PLAIN, *arrays)


def lift(x: Any) -> Wide:
    """Float64 numbers as triples."""
    with np.errstate(all="ignore"):
        return wide.lift(_PLAIN.s, np.asarray(x, np.float64))


def drop(a: Wide) -> Any:
    """Triples rounded to float64."""
    with np.errstate(all="ignore"):
        return wide.drop(_PLAIN.s, Wide(*(np.asarray(part, np.float64) for part in a)))
