"""Textbook formulas that no rule was made for: bits of error of values and gradients, all modes."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph_tools.rules.scoring import ACCURACIES, Score, errors, score
from symgraph_tools.rules.textbook import FORMULAS

BY_NAME = {f.name: f for f in FORMULAS}
# the most bits that default accuracy may leave: a few of each kind, fast
FEW = {
    "mish": 0.5, "bce_smoothed": 0.5, "margin_of_best": 0.5, "kinetic_energy": 0.5,
    "annuity": 0.6, "cotangent": 1.0,
}  # fmt: skip
GRADIENTS = {"softsign": 0.5, "label_smoothing": 0.5, "celu_left": 2.5}
# mean bits over all formulas, by dtype: of values and of gradients
MOST = {"float64": (1.0, 1.5), "float32": (1.0, 1.2)}


def worse(scores: list[Score]) -> dict[str, dict[str, float]]:
    return {s.name: s.bits for s in scores if s.worse}


def test_there_are_many_formulas_of_each_kind():
    assert len(BY_NAME) == len(FORMULAS) >= 120


@pytest.mark.parametrize("name", FEW)
def test_values_are_accurate(name):
    assert errors(BY_NAME[name], "float64", "default").mean() <= FEW[name]


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_accurate(name):
    assert errors(BY_NAME[name], "float64", "default", gradient=True).mean() <= GRADIENTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", MOST)
def test_values_of_all_formulas(dtype):
    scores = score(dtype=dtype)
    assert worse(scores) == {}
    means = {a: float(np.mean([s.bits[a] for s in scores])) for a in ACCURACIES}
    assert means["default"] <= MOST[dtype][0], means
    assert means["high"] <= means["default"] <= means["rules"] <= means["as-written"] / 5


@pytest.mark.slow
@pytest.mark.parametrize("dtype", MOST)
def test_gradients_of_all_formulas(dtype):
    scores = score(dtype=dtype, gradient=True)
    assert worse(scores) == {}
    means = {a: float(np.mean([s.bits[a] for s in scores])) for a in ACCURACIES}
    assert means["default"] <= MOST[dtype][1], means
