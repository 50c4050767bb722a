"""Colours: text can be read, and kinds are told apart also by readers blind to red or green."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from symgraph_tools.drawing import KINDS
from symgraph_tools.outlines import outline
from symgraph_tools.shapes import Box
from symgraph_tools.themes import THEMES

# Linear RGB as seen without one of the three kinds of cones.
# Machado, Oliveira & Fernandes 2009, IEEE Trans. Vis. Comput. Graph. 15(6), severity 1.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear(colour: str) -> NDArray[np.float64]:
    """Linear RGB, 0 to 1, of #rrggbb."""
    value = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, 1 to 21."""
    bright, dim = sorted((float(TO_XYZ[1] @ linear(c)) for c in (one, other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def lab(colour: str, sight: str) -> NDArray[np.float64]:
    """CIE L*a*b* of a colour as seen."""
    xyz = TO_XYZ @ np.clip(SIGHT[sight] @ linear(colour), 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_has_the_contrast_of_wcag_aa(theme):
    for ink in theme.kinds.values():
        assert contrast(theme.text, ink.fill) >= 7
        assert contrast(theme.faint, ink.fill) >= 4.5
        assert contrast(ink.stroke, theme.background) >= 3
    for fill in (*theme.frame_fills, theme.background):
        assert contrast(theme.faint, fill) >= 4.5
        assert contrast(theme.line, fill) >= 3


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", ["light", "dark"])
def test_strokes_of_kinds_differ_for_all_readers(name, sight):
    """By 10 units of L*a*b* and more; 2.3 is just noticeable."""
    for one, other in combinations(KINDS, 2):
        kinds = THEMES[name].kinds
        apart = np.linalg.norm(lab(kinds[one].stroke, sight) - lab(kinds[other].stroke, sight))
        assert apart >= 10, f"{one} and {other}"


def test_kinds_have_outlines_of_their_own():
    box = Box(50, 20, 80, 30)
    assert len({tuple(outline(kind, box)) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_every_kind_has_an_ink(theme):
    assert tuple(theme.kinds) == KINDS
