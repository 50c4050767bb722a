"""Formulas of a file are timed as those of the repository are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph_tools.rules.__main__ import main
from symgraph_tools.rules.files import read_formulas
from symgraph_tools.rules.scoring import differentiable, inputs_of, value_of
from symgraph_tools.rules.timing import times

ROWS = [
    {
        "id": "growth",
        "args": ["r", "n"],
        "domains": {"r": {"kind": "floats"}, "n": {"kind": "count"}},
        "expr": ["-", ["pow", ["+", 1, "r"], "n"], 1],
    },
    {
        "id": "rms",
        "args": ["x", "y"],
        "domains": {"x": {"kind": "near", "n": 3}, "y": {"kind": "floats"}},
        "expr": ["+", ["*", "y", ["sqrt", ["mean", ["*", "x", "x"]]]], ["at", "x", 1]],
    },
    {
        "id": "waves",
        "args": ["t"],
        "expr": [
            "let",
            [["a", ["*", ["const", "PI"], "t"]], ["b", ["+", "a", ["const", "1/3"]]]],
            ["if", ["<", "t", 0], ["sin", "a"], ["neg", ["tgamma", "b"]]],
        ],
    },
]


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "formulas.json"
    found.write_text(json.dumps(ROWS))
    return found


def values(formula, *given):
    inputs = inputs_of(formula, "float64")
    return sg.function(inputs, value_of(formula, "float64", inputs), mode="quick")(*given)


def test_expressions_mean_what_they_say(path):
    growth, rms, waves = read_formulas(path)
    r, n = np.array([0.5, 2.0]), np.array([3.0, 2.0])
    np.testing.assert_allclose(values(growth, r, n), (1 + r) ** n - 1, rtol=1e-14)
    x, y = np.array([[3.0, 4.0, 12.0]]), np.array([[2.0]])
    np.testing.assert_allclose(values(rms, x, y), [[2 * np.sqrt(169 / 3) + 4]], rtol=1e-14)
    t = np.array([-0.25, (2 - 1 / 3) / np.pi])
    np.testing.assert_allclose(values(waves, t), [-np.sqrt(0.5), -1], rtol=1e-13)


def test_counts_are_no_variables(path):
    assert differentiable(read_formulas(path)[0]) == [0]


@pytest.mark.parametrize("gradient", [False, True])
def test_each_formula_has_a_time_for_each_stage(path, gradient):
    for row in times(read_formulas(path)[:2], "float64", gradient):
        assert row.total > 0
        assert 0.8 * row.total < sum(row.stages.values()) < 1.001 * row.total
        assert ("gradient" in row.stages) == gradient


def test_the_command_times_a_file(path):
    result = CliRunner().invoke(main, ["time", "--file", str(path), "rms"])
    assert result.exit_code == 0
    assert result.output.startswith("1 formulas: median")
    assert result.output.rstrip().endswith("rms")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no list of formulas"),
        ('[{"id": "x"}]', "no list of formulas"),
        ('[{"id": "x", "args": ["x"], "expr": ["os.system", "x"]}]', "no operation 'os.system'"),
    ],
)
def test_a_file_that_holds_none_is_an_error(tmp_path, text, said):
    path = tmp_path / "other.json"
    path.write_text(text)
    result = CliRunner().invoke(main, ["time", "--file", str(path)])
    assert result.exit_code == 1
    assert said in result.output


def test_a_name_that_no_formula_has_is_an_error():
    result = CliRunner().invoke(main, ["time", "no such formula"])
    assert result.exit_code == 1
    assert "no formula has such a name" in result.output
