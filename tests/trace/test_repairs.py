"""What was repaired, told with reason and line: in ``symgraph print --stage stable`` and traces."""

from __future__ import annotations

import symgraph as sg
from symgraph.trace.repairs import repairs


def test_rules_limits_and_guards_are_told_once_with_their_lines():
    x, y = sg.vector("x"), sg.vector("y")
    f = sg.function([x, y], [sg.log(1 - sg.sigmoid(x)), x * sg.log(x), x @ y])
    told = list(repairs(f.trace))
    assert len(told) == len(set(told)) == 4
    assert all("test_repairs.py:" in text for text in told)
    (limit,) = [text for text in told if "xlogy" in text]
    assert "It changes: 0 instead of NaN where x is 0." in limit
    (guard,) = [text for text in told if "is checked as it is computed" in text]
    assert "with the sums that it is made of" in guard


def test_what_needs_no_repair_has_none():
    x = sg.vector("x")
    assert list(repairs(sg.function([x], x * 2.0 + 1.0).trace)) == []
