"""``symgraph demo``: trains a softmax classifier and a network to read handwritten digits.

Read ``classifiers.py`` for the formulas, ``plain_numpy.py`` for what the times are measured beside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

from symgraph.ir.graph import Graph, toposort

from .changes import change_lines
from .classifiers import (
    MOMENTUM,
    NETWORK_RATE,
    SOFTMAX_RATE,
    Classifier,
    network_classifier,
    softmax_classifier,
)
from .datasets import Digits, Examples, load_digits
from .plain_numpy import Array, Step, network_step, softmax_step
from .training import History, train

BRIGHTER = 10_000.0  # logits of thousands, at which a naive cross-entropy is nan


@dataclass(frozen=True, slots=True)
class Lesson:
    """One of the demo's classifiers: how to make it, its NumPy twin, and what it must reach."""

    title: str
    make: Callable[[], Classifier]
    twin: Callable[[list[Array]], Step]
    wanted: float


LESSONS = (
    Lesson(
        "A softmax classifier: x @ w + b, gradient descent with momentum",
        softmax_classifier,
        lambda params: softmax_step(params, SOFTMAX_RATE, MOMENTUM),
        0.95,
    ),
    Lesson(
        "A network of two layers: max(x @ w1 + b1, 0) @ w2 + b2, Adam",
        network_classifier,
        lambda params: network_step(params, NETWORK_RATE),
        0.97,
    ),
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Which files to write, and where."""

    folder: Path
    svg: bool
    png: bool


def run_demo(epochs: int, pictures: Pictures) -> bool:
    """Train both classifiers and print what happens; whether both read digits well enough.

    Raises: MissingExtraError at once, if a PNG is asked for without matplotlib.
    """
    if pictures.png:
        from .loss_curve import require_matplotlib

        require_matplotlib()
    started = perf_counter()
    digits = load_digits()
    click.echo(
        f"{len(digits.train.labels)} handwritten digits of 8 x 8 pixels to learn from, "
        f"{len(digits.test.labels)} held out"
    )
    click.echo("Loss, written naively: p = exp(z) / sum(exp(z)); -mean(log(p[i, label[i]]))")
    told: set[str] = set()
    reached, curves = [], {}
    for lesson in LESSONS:
        classifier, history, accuracy = _teach(lesson, digits, epochs, told)
        reached.append(accuracy >= lesson.wanted)
        curves[classifier.name] = history.losses
        if pictures.svg:
            _write_graphs(classifier, pictures.folder)
    if pictures.png:
        from .loss_curve import save_loss_curve

        path = pictures.folder / "loss.png"
        save_loss_curve(path, curves)
        click.echo(f"wrote {path}")
    click.echo(f"\nAll in {perf_counter() - started:.1f} s.")
    return all(reached)


def _teach(
    lesson: Lesson, digits: Digits, epochs: int, told: set[str]
) -> tuple[Classifier, History, float]:
    """Compile, train, test, and compare with NumPy; prints as it goes, and no rule twice."""
    click.echo(f"\n{lesson.title}\n{'-' * len(lesson.title)}")
    started = perf_counter()
    classifier = lesson.make()
    params = classifier.values
    twin = lesson.twin(params)
    classifier.step.compile()
    classifier.test.compile()
    click.echo(f"compiled in {perf_counter() - started:.2f} s: {_sizes(classifier.step)}")
    click.echo("What the compiler changed, and why:")
    for line in change_lines(classifier.step.trace, told):
        click.echo(f"  {line}")
    with _progress(classifier.name, epochs) as report:
        history = train(classifier.step, digits.train, epochs, report)
    beside = train(twin, digits.train, epochs)
    accuracy, loss = _test(classifier, digits.test)
    click.echo(
        f"loss {history.losses[0]:.4f} in the first epoch, {history.losses[-1]:.4f} in the last"
    )
    click.echo(
        f"held out: {accuracy:.2%} read rightly, loss {loss:.4f}; wanted {lesson.wanted:.0%}: "
        + ("reached" if accuracy >= lesson.wanted else "MISSED")
    )
    click.echo(
        f"median epoch: {history.epoch_ms:.2f} ms; the same in NumPy: {beside.epoch_ms:.2f} ms"
    )
    _compare_weights(classifier, params)
    _stress(classifier, digits.test)
    return classifier, history, accuracy


def _sizes(step: Any) -> str:  # Any: a compiled function
    count = len(toposort(step.graph.outputs))
    return f"a step of {count} nodes, gradient included, runs as {len(step.kernels)} loops and BLAS"


def _test(classifier: Classifier, examples: Examples) -> tuple[float, float]:
    """The share of digits that are read rightly, and the loss."""
    read, loss = classifier.test(examples.images, examples.labels)
    return float(np.mean(read == examples.labels)), float(loss)


def _compare_weights(classifier: Classifier, twins: list[Array]) -> None:
    """Print how far the parameters are from those of NumPy after the same batches."""
    ours = np.concatenate([value.ravel() for value in classifier.values]).astype("float64")
    theirs = np.concatenate([value.ravel() for value in twins]).astype("float64")
    distance = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    click.echo(f"distance of the weights from NumPy's: {distance:.1e} of their norm")


def _stress(classifier: Classifier, examples: Examples) -> None:
    """Print the loss where a naive formula overflows, with NumPy's value of the same formula."""
    if classifier.name != "softmax":
        return
    images = examples.images * np.float32(BRIGHTER)
    loss = float(classifier.test(images, examples.labels)[1])
    w, b = classifier.values
    with np.errstate(all="ignore"):
        powers = np.exp(images @ w + b)
        p = powers / powers.sum(1, keepdims=True)
        naive = -np.mean(np.log(p[np.arange(len(p)), examples.labels]))
    click.echo(
        f"images {BRIGHTER:,.0f} times as bright: loss {loss:.6g}; "
        f"the same formula in NumPy: {naive}"
    )


@contextmanager
def _progress(name: str, epochs: int) -> Iterator[Callable[[float], None] | None]:
    """A bar on standard error with the last loss; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(
        length=epochs, label=f"training: {name}", file=sys.stderr, item_show_func=_loss_text
    ) as bar:
        yield lambda loss: bar.update(1, loss)


def _loss_text(loss: float | None) -> str:
    return "" if loss is None else f"loss {loss:.4f}"


def _write_graphs(classifier: Classifier, folder: Path) -> None:
    """Write the graph of a training step as it was built, and as rewriting leaves it."""
    from .graph_drawing import graph_drawing
    from .svg import drawing_to_svg

    built = classifier.step.graph
    stable = Graph(built.params, tuple(classifier.step.stage("stable")))
    for word, graph in (("before", built), ("after", stable)):
        path = folder / f"{classifier.name}_{word}.svg"
        title = f"{classifier.name}: a training step {word} rewriting"
        drawing = graph_drawing(graph, title=title, output_names=classifier.output_names)
        path.write_text(drawing_to_svg(drawing), encoding="utf-8")
        click.echo(f"wrote {path}")
