"""Every mistake of the catalogue gives the right exception, and a text that says what to do."""

from __future__ import annotations

import pytest

from symgraph.errors import SymgraphError
from tests.errors.building import building
from tests.errors.calling import calling
from tests.errors.mistakes import Mistake

ROWS = [*building.rows, *calling.rows]
LEAST = 40


@pytest.mark.parametrize("mistake", ROWS, ids=lambda m: m.name)
def test_error_explains_the_mistake(mistake: Mistake) -> None:
    with pytest.raises(SymgraphError) as caught:
        mistake.code()
    text = str(caught.value)
    assert type(caught.value) is mistake.error, text
    assert isinstance(caught.value, mistake.builtin), text
    missing = [part for part in mistake.fragments if part not in text]
    assert not missing, f"{missing} not in:\n{text}"
    assert not mistake.line or mistake.names_its_line(text), f"no line of the user's in:\n{text}"


def test_catalogue_is_complete() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names) >= LEAST
    assert all(row.fragments for row in ROWS)
