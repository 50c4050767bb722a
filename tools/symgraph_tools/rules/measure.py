"""Bits of error of a formula and of what becomes of it, at points, against the exact value."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from symgraph.ir.node import Node
from symgraph.ops.evaluate import evaluate
from symgraph_tools.rules.truth import bits, exact

SMALLEST, LARGEST = 1e-300, 1e300  # of results: beyond, rounding is another


class Measured(NamedTuple):
    """One point: the values of both formulas, the truth, and their errors in bits."""

    point: Mapping[Node, float]
    values: tuple[float, float]
    truth: float
    before: float
    after: float


def compare(formula: Node, made: Node, points: Sequence[Mapping[Node, float]]) -> list[Measured]:
    """Errors before and after wherever the formula has a finite value of ordinary size."""
    found = []
    for point in points:
        truth = exact(formula, point)
        value = float(truth)
        if not np.isfinite(value) or (truth != 0 and not SMALLEST < abs(value) < LARGEST):
            continue
        arrays = {node: np.float64(x) for node, x in point.items()}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old, new = (float(evaluate([n], arrays)[0]) for n in (formula, made))
        found.append(Measured(point, (old, new), value, bits(old, truth), bits(new, truth)))
    return found


def mean_bits(found: Sequence[Measured]) -> tuple[float, float]:
    """Mean errors before and after."""
    if not found:
        return 0.0, 0.0
    before, after = zip(*((m.before, m.after) for m in found), strict=True)
    return float(np.mean(before)), float(np.mean(after))
