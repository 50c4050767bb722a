"""Control flow: ``scan``, ``while_loop``, ``cond``, from their modules; ``map``, ``fold``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.ops.branch import cond
from symgraph.ops.scan import scan
from symgraph.ops.while_loop import while_loop

__all__ = ["cond", "fold", "map", "scan", "while_loop"]


def map(function: Callable[..., Any], xs: Any) -> Any:
    """``function(x)`` for every x along the first axis of ``xs``, stacked.

    ``xs`` and the result may be nested tuples, lists and dicts.
    """
    return scan(lambda _, x: (None, function(x)), None, xs)[1]


def fold(function: Callable[..., Any], init: Any, xs: Any, *, reverse: bool = False) -> Any:
    """The last state of ``state = function(state, x)`` over the first axis of ``xs``."""
    return scan(lambda state, x: (function(state, x), None), init, xs, reverse=reverse)[0]
