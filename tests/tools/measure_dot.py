"""Measures the crossings and the areas of Graphviz's ``dot`` on the graphs of the tests.

``python -m tests.tools.measure_dot`` writes ``dot_crossings.json`` beside this file. Nodes have the
sizes that our layout gives them; dot may attach edges where it likes, while ours arrive in the
order of the arguments.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from symgraph_tools.drawing import Drawing
from symgraph_tools.layout import lay_out
from tests.tools.curves import crossings
from tests.tools.sample_graphs import comparison_graphs

PX_PER_INCH = 72.0
TARGET = Path(__file__).with_name("dot_crossings.json")


def dot_picture(drawing: Drawing) -> tuple[int, int]:
    """Crossings in dot's picture of a drawing, and its area in px."""
    lines = ["digraph {", "node [shape=box, fixedsize=true, label=x]", "edge [arrowhead=none]"]
    for placed in lay_out(drawing).nodes:
        width, height = placed.box.width / PX_PER_INCH, placed.box.height / PX_PER_INCH
        lines.append(f"{placed.node.id} [width={width:.3f}, height={height:.3f}]")
    lines += [f"{edge.source} -> {edge.target}" for edge in drawing.edges]
    text = "\n".join([*lines, "}"])
    plain = subprocess.run(
        ["dot", "-Tplain", "-y"], input=text, capture_output=True, text=True, check=True
    ).stdout
    curves, ends, area = [], [], 0.0
    for line in plain.splitlines():
        words = line.split()
        if words[0] == "graph":
            area = float(words[2]) * float(words[3]) * PX_PER_INCH**2
        if words[0] == "edge":
            count = int(words[3])
            numbers = [float(word) * PX_PER_INCH for word in words[4 : 4 + 2 * count]]
            curves.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
            ends.append((words[1], words[2]))
    return crossings(curves, ends), round(area)


def main() -> None:
    """Measure and write."""
    version = subprocess.run(["dot", "-V"], capture_output=True, text=True, check=True).stderr
    found = {name: dot_picture(drawing) for name, drawing in comparison_graphs().items()}
    counts = {name: count for name, (count, _) in found.items()}
    areas = {name: area for name, (_, area) in found.items()}
    text = json.dumps({"version": version.strip(), "crossings": counts, "areas": areas}, indent=1)
    TARGET.write_text(text + "\n")


if __name__ == "__main__":
    main()
