"""Training on shuffled mini-batches, the same batches for whichever step is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np

from .datasets import Examples

BATCH = 64
SEED = 1
Step = Callable[[Any, Any], Any]  # Any: arrays in, a number or an array of none axes out


@dataclass(frozen=True, slots=True)
class History:
    """Of every epoch: the mean loss over its examples, and what it took."""

    losses: tuple[float, ...]
    elapsed_ns: tuple[int, ...]

    @property
    def epoch_ms(self) -> float:
        """The median time of an epoch, in milliseconds."""
        return median(self.elapsed_ns) / 1e6


def batches(examples: Examples, seed: int) -> Iterator[Examples]:
    """All examples once, in an order by the seed, 64 at a time; the last batch may be smaller."""
    order = np.random.default_rng(seed).permutation(len(examples.labels))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        yield Examples(examples.images[chosen], examples.labels[chosen])


def train(
    step: Step, examples: Examples, epochs: int, report: Callable[[float], None] | None = None
) -> History:
    """Call a step on all batches of every epoch; ``report`` gets the mean loss of each."""
    losses, elapsed = [], []
    for epoch in range(epochs):
        total = 0.0
        started = perf_counter_ns()
        for images, labels in batches(examples, SEED + epoch):
            total += float(step(images, labels)) * len(labels)
        elapsed.append(perf_counter_ns() - started)
        losses.append(total / len(examples.labels))
        if report is not None:
            report(losses[-1])
    return History(tuple(losses), tuple(elapsed))
