"""Colours by a property: op, dtype, line, pass, device in tints; bytes, time, error on a ramp.

Tints are the colours of Okabe & Ito 2008, mixed into the background so that text stays readable on
them in every theme; a key below the picture says which is which. In print they are greys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from .drawing import Drawing, DrawingError
from .themes import Theme, theme_named

PROPERTIES: Mapping[str, str] = {
    "op": "op",
    "dtype": "dtype",
    "line": "line",
    "pass": "made by",
    "device": "device",
    "bytes": "bytes",
    "time": "time",
    "error": "error",
}
"""What can be shown, and the detail of a node that has it."""
RAMPED: Mapping[str, str] = {"bytes": "B", "time": "ns", "error": "bits"}
"""Those that are numbers, and their unit."""
FULL_ERROR = 8.0  # bits, at least, of the darkest colour: fewer are no reason to worry
HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7a7a7a")
TINT = 0.38  # of the hue, the rest background
MOST_TINTS = len(HUES) - 1  # further values share the last hue, grey
RAMP_STEPS = 5


def shade(drawing: Drawing, by: str, theme: str) -> Drawing:
    """With a colour for each node that has the property, and a key.

    Raises: DrawingError for a property that is none, or that no node has.
    """
    if by not in PROPERTIES:
        raise DrawingError(f"nodes are not coloured by {by!r}; there are {', '.join(PROPERTIES)}")
    look = theme_named(theme)
    values = {}
    for node in drawing.nodes:
        value = node.op if by == "op" else dict(node.details).get(PROPERTIES[by], "")
        if value and node.kind != "output":
            values[node.id] = value
    if not values:
        raise DrawingError(f"no node of this graph has a {by}: nothing to colour")
    colours, key = _ramp(values, look, by) if by in RAMPED else _tints(values, look)
    nodes = tuple(replace(node, shade=colours.get(node.id, "")) for node in drawing.nodes)
    return replace(drawing, nodes=nodes, key=key)


Key = tuple[tuple[str, str], ...]


def _tints(values: Mapping[str, str], look: Theme) -> tuple[dict[str, str], Key]:
    common = [value for value, _ in Counter(values.values()).most_common()]
    hue = {value: HUES[min(k, MOST_TINTS)] for k, value in enumerate(common)}
    colours = {name: _mixed(hue[value], look, TINT) for name, value in values.items()}
    key = [(value, _mixed(hue[value], look, TINT)) for value in common[:MOST_TINTS]]
    if len(common) > MOST_TINTS:
        key.append((f"{len(common) - MOST_TINTS} others", _mixed(HUES[-1], look, TINT)))
    return colours, tuple(key)


def _ramp(values: Mapping[str, str], look: Theme, by: str) -> tuple[dict[str, str], Key]:
    numbers = {name: float(value) for name, value in values.items()}
    most = max([*numbers.values(), FULL_ERROR if by == "error" else 0.0]) or 1.0
    colours = {name: _step(number / most, look) for name, number in numbers.items()}
    unit = RAMPED[by]
    key = [
        (f"{share * most:.3g} {unit}", _step(share, look))
        for share in (k / (RAMP_STEPS - 1) for k in range(RAMP_STEPS))
    ]
    return colours, tuple(key)


def _step(share: float, look: Theme) -> str:
    return _mixed("#d55e00", look, 0.04 + 0.5 * share)


def _mixed(hue: str, look: Theme, share: float) -> str:
    """A hue in the background of a theme; a grey where the theme is for print."""
    parts = [int(hue[k : k + 2], 16) for k in (1, 3, 5)]
    if look.name == "print":
        parts = [round(0.3 * parts[0] + 0.6 * parts[1] + 0.1 * parts[2])] * 3
    ground = [int(look.background[k : k + 2], 16) for k in (1, 3, 5)]
    mixed = [round(g + (p - g) * share) for p, g in zip(parts, ground, strict=True)]
    return "#" + "".join(f"{value:02x}" for value in mixed)
