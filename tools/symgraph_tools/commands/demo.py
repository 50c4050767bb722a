"""``symgraph demo``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..conventions import Console, Failure, command


@command("demo", examples=("symgraph demo --epochs 30",))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder for the pictures; made if it is not there.  [default: the current one]",
)
@click.option("--epochs", type=click.IntRange(min=1), default=30, show_default=True)
@click.option("--svg", is_flag=True, help="Draw the graphs of a training step, before and after.")
@click.option("--png", is_flag=True, help="Draw the loss curve (needs the extra viz).")
def demo(console: Console, out: Path, epochs: int, svg: bool, png: bool) -> None:
    """Train two classifiers of handwritten digits and show what the compiler did.

    Fails (exit code 1) unless held-out digits are read rightly: 95 % by the softmax classifier,
    97 % by the network.
    """
    # Products this small gain nothing from threads, which only disturb the times.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ..demo import Pictures, run_demo

    if svg or png:
        out.mkdir(parents=True, exist_ok=True)
    if not run_demo(epochs, Pictures(out, svg, png)):
        raise Failure("the demo missed the accuracy that it wants; see above")


COMMAND = demo
