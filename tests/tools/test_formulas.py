"""Textbook formulas that no rule was made for: bits of error of values and gradients, all modes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from symgraph_tools.rules.scoring import Score, errors, score, table
from symgraph_tools.rules.textbook import FORMULAS
from symgraph_tools.rules.timing import table as time_table
from symgraph_tools.rules.timing import times

BY_NAME = {f.name: f for f in FORMULAS}
# the most bits that default accuracy may leave: a few of each kind, fast
FEW = {
    "mish": 0.5, "bce_smoothed": 0.5, "margin_of_best": 0.5, "kinetic_energy": 0.5,
    "annuity": 0.6, "cotangent": 1.0, "log_cosh_of_size": 0.5, "log_of_third_order": 1.2,
    "sharpness": 1.0, "two_body_mass": 0.5, "sigmoid_gap_square": 1.0, "softplus_centered": 0.5,
}  # fmt: skip
GRADIENTS = {"softsign": 0.5, "label_smoothing": 0.5, "celu_left": 2.5}
# mean bits that default accuracy may leave: of values by dtype, and of gradients in float64
MOST = {"float64": 1.0, "float32": 0.8}
MOST_OF_GRADIENTS = 1.5
ROWS = 12
# float32 by rules alone: no digit of 1 - cos of near vectors is right, as written and else
CHANCE = {"cosine_of_near"}
MODES = ("as-written", "default")


def worse(scores: list[Score]) -> dict[str, dict[str, float]]:
    return {s.name: s.bits for s in scores if s.worse}


def test_there_are_many_formulas_of_each_kind():
    assert len(BY_NAME) == len(FORMULAS) >= 200


@pytest.mark.parametrize("name", FEW)
def test_values_are_accurate(name):
    assert errors(BY_NAME[name], "float64", "default").mean() <= FEW[name]


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_accurate(name):
    assert errors(BY_NAME[name], "float64", "default", gradient=True).mean() <= GRADIENTS[name]


# once made worse by more than a bit: formula, dtype, gradient
ONCE_WORSE = [
    ("multinomial_two", "float64", False), ("cosine_of_near", "float32", False),
    ("cosine_of_near", "float32", True),
    ("entropy_of_softmax", "float64", True), ("cross_entropy_temp", "float64", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "dtype", "gradient"), ONCE_WORSE)
def test_what_was_made_worse_is_so_no_more(name, dtype, gradient):
    (found,) = score([BY_NAME[name]], dtype, gradient, MODES)
    assert not found.worse, found.bits


def means(scores: list[Score]) -> dict[str, float]:
    return {a: float(np.mean([s.bits[a] for s in scores])) for a in scores[0].bits}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", MOST)
def test_values_are_better_in_every_mode_and_none_is_worse(dtype):
    scores = score(FORMULAS[::3], dtype, size=ROWS)
    assert worse([s for s in scores if s.name not in CHANCE or s.worse != ["rules"]]) == {}
    found = means(scores)
    assert found["default"] <= MOST[dtype], found
    assert found["high"] <= found["default"] <= found["rules"] <= found["as-written"] / 3, found


@pytest.mark.slow
def test_gradients_are_better_and_none_is_worse():
    scores = score(FORMULAS[1::8], gradient=True, accuracies=MODES, size=ROWS)
    assert worse(scores) == {}
    assert means(scores)["default"] <= MOST_OF_GRADIENTS, means(scores)


def test_time_of_rewriting_is_told_by_formula_and_stage():
    rows = times(FORMULAS[:2], "float64", gradient=True)
    assert [t.name for t in rows] == [f.name for f in FORMULAS[:2]]
    assert all({"gradient", "stable", "guarded"} <= set(t.stages) for t in rows)
    assert all(t.total > 0 for t in rows)
    lines = time_table(rows, 1)
    assert lines[0].startswith("2 formulas: median")
    assert len(lines) == 3


def test_formulas_without_a_known_truth_are_named_and_count_for_no_mean():
    found = [Score("known", {"default": 2.0}), Score("unknown", {"default": float("nan")})]
    _, mean, row, last = table(found, 5)
    assert mean.split() == ["mean", "of", "1", "2.00"]
    assert row.split() == ["known", "2.00"]
    assert last == "no truth known: unknown"


def test_domains_are_in_the_order_of_the_arguments():
    for formula in FORMULAS:
        _, *names = inspect.signature(formula.of).parameters
        assert names == list(formula.domains), formula.name
