"""RULES.md is what the tables say; the search finds repairs that it has not been told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from symgraph_tools.rules.catalogue import SECTIONS, catalogue, forms
from symgraph_tools.rules.search import SIMPLIFY, domain_of, parsed, repairs

RULES = Path(__file__).parents[2] / "symgraph" / "rewrite" / "RULES.md"
FRESH = "run: python -m symgraph_tools.rules catalogue > symgraph/rewrite/RULES.md"
BITS = re.compile(r" (\d+ to \d+)? ?\|$", re.MULTILINE)


def test_catalogue_names_every_rule_as_it_is():
    written, wanted = (
        BITS.sub(" |", text) for text in (RULES.read_text(), catalogue(measured=False))
    )
    assert written == wanted, FRESH


@pytest.mark.slow
def test_bits_of_the_catalogue_are_those_measured():
    written, wanted = (_numbers(text) for text in (RULES.read_text(), catalogue()))
    assert written.keys() == wanted.keys(), FRESH
    far = {k: (v, wanted[k]) for k, v in written.items()
           if max(abs(a - b) for a, b in zip(v, wanted[k], strict=True)) > 1}  # fmt: skip
    assert not far, FRESH


def _numbers(text: str) -> dict[str, tuple[int, int]]:
    found = {}
    for line in text.splitlines():
        match = re.search(r"(\d+) to (\d+) \|$", line)
        if match:
            found[line[: match.start()]] = (int(match[1]), int(match[2]))
    return found


def test_no_rule_of_the_catalogue_loses_a_bit():
    found = _numbers(RULES.read_text())
    assert len(found) > 80
    worse = {k: v for k, v in found.items() if v[1] > v[0] + 1}
    assert not worse


def test_every_rule_shows_before_and_after():
    for title, _, rules in SECTIONS:
        for rule in rules:
            before, after = forms(rule)
            assert before, (title, rule.name)
            assert after, (title, rule.name)


def test_search_finds_the_conjugate():
    """sqrt(x + 1) - sqrt(x), with no rule but algebra."""
    found = repairs("sqrt(x + 1) - sqrt(x)", {"x": (1.0, 1e15)}, steps=1, known=SIMPLIFY)
    assert found
    assert found[0].rules_bits > 15
    assert found[0].bits < 2


def test_search_finds_the_product_of_sines():
    found = repairs("cos(x + y) - cos(x)", {"x": (0.1, 3.0), "y": (1e-12, 1e-6)}, steps=1,
                    known=SIMPLIFY)  # fmt: skip
    assert found[0].bits < found[0].rules_bits - 10


def test_search_has_nothing_to_add_where_the_rules_suffice():
    assert repairs("sqrt(x + 1) - sqrt(x)", {"x": (1.0, 1e15)}, steps=1) == []


def test_search_reads_formulas_and_domains():
    node, inputs = parsed("-log(x) / y ** 2", ["x", "y"])
    assert node.op.name == "divide"
    assert set(inputs) == {"x", "y"}
    assert domain_of("x=1e-9,2") == ("x", (1e-9, 2.0))
    with pytest.raises(ValueError, match="a formula has"):
        parsed("[x]", ["x"])
