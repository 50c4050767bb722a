"""The committed coefficients are those that kernels/fit makes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FIT = Path(__file__).parents[2] / "kernels" / "fit"


@pytest.mark.slow
def test_the_coefficients_are_what_the_fits_give(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FIT))
    spec = importlib.util.spec_from_file_location("fit_coefficients", FIT / "coefficients.py")
    fit = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fit_coefficients", fit)
    spec.loader.exec_module(fit)
    assert fit.TARGET.read_text() == fit.module()
