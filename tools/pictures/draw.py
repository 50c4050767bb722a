"""Draws the pictures of the README: ``python tools/pictures/draw.py`` in a clone, into this folder.

The page is photographed by a Chromium, where one is installed; the other pictures need nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("", "kernels", "tools")]

import numpy as np  # noqa: E402  # found by the line above

import symgraph as sg  # noqa: E402
from symgraph_tools.classifiers import softmax_classifier  # noqa: E402
from symgraph_tools.layout import lay_out  # noqa: E402
from symgraph_tools.notebook import before_and_after, machine_code  # noqa: E402
from symgraph_tools.page.build import page_html  # noqa: E402
from symgraph_tools.picture import Wanted, picture  # noqa: E402
from symgraph_tools.svg import render_svg  # noqa: E402
from symgraph_tools.target import Target  # noqa: E402

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def recurrent() -> sg.Function:
    """A loop over time, and its gradient."""
    xs = sg.tensor("xs", shape=("time", 3))
    w, b = sg.shared(np.eye(3), "w"), sg.shared(np.zeros(3), "b")

    def step(h: sg.Variable, x: sg.Variable) -> tuple[sg.Variable, sg.Variable]:
        new = sg.tanh(h @ w + x + b)
        return new, new

    _, states = sg.scan(step, sg.zeros(3), xs=xs)
    loss = sg.mean(sg.square(states))
    return sg.function([xs], [loss, *sg.grad(loss, [w, b])], name="recurrent")


def cross_entropy() -> sg.Function:
    """The loss of a classifier as it stands in the book."""
    x = sg.tensor("x", shape=("n", 64), dtype="float32")
    w = sg.tensor("w", shape=(64, 10), dtype="float32")
    logits = x @ w
    p = sg.exp(logits) / sg.sum(sg.exp(logits), axis=1, keepdims=True)
    return sg.function([x, w], sg.log(p), name="log of a softmax, naively")


def write(name: str, drawing: object, *, theme: str = "light", legend: bool = False) -> None:
    """One picture as SVG."""
    layout = lay_out(drawing)  # type: ignore[arg-type]
    (FOLDER / name).write_text(render_svg(layout, theme=theme, legend=legend), encoding="utf-8")


def photograph(text: str, name: str, state: str) -> None:
    """The page as PNG, by a Chromium."""
    program = next((path for word in CHROMIUM if (path := shutil.which(word))), None)
    if program is None:
        print(f"{name} is left as it is: there is no Chromium here")
        return
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(text, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        size = ["--window-size=1280,760", "--force-device-scale-factor=1.5"]
        command = [program, *flags, *size, "--virtual-time-budget=5000"]
        target = [f"--screenshot={FOLDER / name}", f"{page.as_uri()}{state}"]
        subprocess.run([*command, *target], check=True, capture_output=True)


def main() -> None:
    """All four."""
    loss = cross_entropy()
    write("change.svg", before_and_after(loss.trace), legend=True)
    loop = recurrent()
    title = {"output_names": tuple(loop.output_names)}
    wanted = Wanted(hide=("shape",))
    write("loop.svg", picture(Target("a loop and its gradient", loop, **title), wanted))
    step = softmax_classifier().step
    target = Target("a training step as kernels", step, tuple(step.output_names))
    wanted = Wanted(collapse=("fusion",), hide=("shape",))
    write("kernels.svg", picture(target, wanted), legend=True)
    x = sg.tensor("x", shape=("n",))
    naive = sg.log(1 - sg.sigmoid(x))
    f = sg.function([x], [naive, sg.grad(naive.sum(), x)], name="log(1 - sigmoid(x))")
    page = page_html(f.trace, title=f.name, machine=machine_code(f))
    last = max(k for k, row in enumerate(f.trace.steps) if "softplus" in row.rule.name)
    photograph(page, "page.png", f"#step={last}&tab=step")


if __name__ == "__main__":
    main()
