"""Colours of drawings: light, dark, and print, which needs no colour.

Hues follow Okabe & Ito 2008, Color Universal Design, darkened for lines on white, lightened on
black; tests check the contrast of text, and that kinds differ for red- and green-blind readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .drawing import DrawingError, Kind


@dataclass(frozen=True, slots=True)
class Ink:
    """How a kind of node is drawn; dash is a length of px on and off, 0 for a full line."""

    fill: str
    stroke: str
    width: float = 1.3
    dash: float = 0.0


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one look; frames alternate between two fills, by depth."""

    name: str
    background: str
    text: str
    faint: str  # second lines, labels
    line: str  # edges
    frame: str
    frame_fills: tuple[str, str]
    frame_dash: float
    kinds: Mapping[Kind, Ink]


THEMES = {
    theme.name: theme
    for theme in (
        Theme(
            name="light",
            background="#ffffff",
            text="#1b1f24",
            faint="#4a5361",
            line="#5f6b7a",
            frame="#a4aebb",
            frame_fills=("#f5f7f9", "#ebeff3"),
            frame_dash=0.0,
            kinds={
                "op": Ink("#e6ebf2", "#3d4a5c"),
                "input": Ink("#d3ebfb", "#0072b2"),
                "constant": Ink("#ffffff", "#8c8c84"),
                "shared": Ink("#fde7bd", "#b46f00"),
                "output": Ink("#cff0e4", "#00795a"),
                "kernel": Ink("#f7deec", "#b0307f"),
            },
        ),
        Theme(
            name="dark",
            background="#14181d",
            text="#eef1f5",
            faint="#b9c2ce",
            line="#93a0b0",
            frame="#556170",
            frame_fills=("#1b2128", "#242b34"),
            frame_dash=0.0,
            kinds={
                "op": Ink("#2b3542", "#c6d0dd"),
                "input": Ink("#0f3a58", "#56b4e9"),
                "constant": Ink("#14181d", "#74746c"),
                "shared": Ink("#4a3407", "#e69f00"),
                "output": Ink("#0b4435", "#3fdcae"),
                "kernel": Ink("#4b213e", "#e0559f"),
            },
        ),
        Theme(
            name="print",
            background="#ffffff",
            text="#000000",
            faint="#303030",
            line="#000000",
            frame="#505050",
            frame_fills=("#ffffff", "#ffffff"),
            frame_dash=4.0,
            kinds={
                "op": Ink("#ffffff", "#000000", 0.9),
                "input": Ink("#ffffff", "#000000", 0.9),
                "constant": Ink("#ffffff", "#000000", 0.9, 2.0),
                "shared": Ink("#e8e8e8", "#000000", 0.9),
                "output": Ink("#ffffff", "#000000", 2.2),
                "kernel": Ink("#e8e8e8", "#000000", 0.9),
            },
        ),
    )
}


def theme_named(name: str) -> Theme:
    """The theme of that name.

    Raises: DrawingError that lists the names.
    """
    if name not in THEMES:
        raise DrawingError(f"no theme {name!r}; there are {', '.join(THEMES)}")
    return THEMES[name]
