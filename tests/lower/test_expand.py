"""Which products are loops, fused with what is around them, and which are routines."""

import pytest

import symgraph as sg
from symgraph.lower.expand import needs_expansion


@pytest.mark.parametrize(
    ("k", "n", "is_loop"), [(3, 3, True), (4, 4, True), (16, 10, False), (784, 10, False)]
)
def test_only_a_matrix_of_few_numbers_is_multiplied_in_a_loop(k: int, n: int, is_loop: bool):
    x, w = sg.tensor("x", shape=(20_000, k)), sg.tensor("w", shape=(k, n))
    assert needs_expansion((x @ w).node) is is_loop
