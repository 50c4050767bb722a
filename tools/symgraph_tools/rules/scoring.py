"""Bits of error of compiled formulas, values and gradients, at each accuracy: ``score``.

    python -m symgraph_tools.rules score --dtype float32 --gradient --worst 20

An error is log2(1 + floats between the result and the rounded truth), NaN counting as all bits.
Rows whose truth is not finite, or too small for a normal float, are left out.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import symgraph as sg

from .exactly import Array, rounded, slopes, values
from .formulas import Formula
from .sampling import draw, ordinal
from .textbook import FORMULAS

ACCURACIES = ("as-written", "rules", "default", "high")
SIZE = 40  # rows of each formula


_truths: dict[tuple[str, str, bool, int], tuple[Array, ...]] = {}


class Functions:
    """The functions of ``Formula.of`` on symgraph's variables of one dtype."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        found = getattr(sg.special, name, None) or getattr(sg, name)
        return lambda x: found(
            sg.constant(np.asarray(x, self.dtype)) if isinstance(x, float) else x
        )

    @property
    def pi(self) -> Any:
        """The number."""
        return np.pi

    def sum(self, x: Any) -> Any:
        """Over the last axis."""
        return sg.sum(x, axis=-1, keepdims=True)

    def max(self, x: Any) -> Any:
        """Over the last axis."""
        return sg.max(x, axis=-1, keepdims=True)

    def mean(self, x: Any) -> Any:
        """Over the last axis."""
        return sg.mean(x, axis=-1, keepdims=True)


class Score(NamedTuple):
    """Mean bits of error of a formula by accuracy."""

    name: str
    bits: dict[str, float]

    @property
    def worse(self) -> list[str]:
        """The accuracies that are more than a bit worse than the formula as written."""
        written = self.bits.get("as-written", np.inf)
        return [a for a, b in self.bits.items() if b > written + 1]


def arguments(formula: Formula, dtype: str, size: int = SIZE) -> list[Array]:
    """Rows for each argument: of shape (size,), or all (size, n) where there are vectors."""
    found = [
        draw(domain, f"{formula.name}|{name}|{dtype}", size, np.dtype(dtype))
        for name, domain in formula.domains.items()
    ]
    if all(a.ndim == 1 for a in found):
        return found
    return [a if a.ndim == 2 else a[:, None] for a in found]


def differentiable(formula: Formula) -> list[int]:
    """The arguments that are no counts."""
    return [k for k, d in enumerate(formula.domains.values()) if d.kind != "count"]


def _truth(formula: Formula, dtype: str, gradient: bool, size: int) -> tuple[Array, ...]:
    key = (formula.name, dtype, gradient, size)
    if key not in _truths:
        _truths[key] = _exact(formula, dtype, gradient, size)
    return _truths[key]


def _exact(formula: Formula, dtype: str, gradient: bool, size: int) -> tuple[Array, ...]:
    given = arguments(formula, dtype, size)
    if not gradient:
        return (rounded(values(formula.of, given), dtype),)
    return tuple(
        rounded(slopes(formula.of, given, k), dtype).reshape(given[k].shape)
        for k in differentiable(formula)
    )


def inputs_of(formula: Formula, dtype: str) -> list[Any]:
    """symgraph's variables for rows of its arguments."""
    vectors = any(d.n for d in formula.domains.values())
    shapes = [("n", d.n or 1) if vectors else ("n",) for d in formula.domains.values()]
    return [
        sg.tensor(name, shape=shape, dtype=dtype)
        for name, shape in zip(formula.domains, shapes, strict=True)
    ]


def value_of(formula: Formula, dtype: str, inputs: list[Any]) -> Any:
    """The formula of variables."""
    return formula.of(Functions(dtype), *inputs)


def compiled(formula: Formula, dtype: str, accuracy: str, gradient: bool) -> Callable[..., Any]:
    """The formula, or its gradient by all arguments that are no counts, as a function of rows."""
    inputs = inputs_of(formula, dtype)
    outputs = [value_of(formula, dtype, inputs)]
    if gradient:
        wanted = [inputs[k] for k in differentiable(formula)]
        outputs = sg.grad(sg.sum(outputs[0]), wanted, disconnected="zero")
    mode = sg.Mode(accuracy=accuracy)
    return sg.function(inputs, list(outputs), mode=mode, on_unused_input="ignore")


def bits_of(found: Array, truth: Array) -> Array:
    """Bits of error where the truth is an ordinary number."""
    info = np.finfo(truth.dtype)
    usual = np.isfinite(truth) & ((np.abs(truth) >= info.tiny) | (truth == 0))
    found, truth = np.broadcast_to(found, truth.shape)[usual], truth[usual]
    gap = np.abs(ordinal(found).astype(object) - ordinal(truth).astype(object)).astype(float)
    return np.where(np.isnan(found), info.bits, np.minimum(np.log2(gap + 1), info.bits))


def errors(
    formula: Formula, dtype: str, accuracy: str, gradient: bool = False, size: int = SIZE
) -> Array:
    """Bits of error of each row (and each derivative)."""
    given = arguments(formula, dtype, size)
    truth = _truth(formula, dtype, gradient, size)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compiled(formula, dtype, accuracy, gradient)(*given)
    pairs = zip(found, truth, strict=True)
    return np.concatenate([bits_of(np.asarray(f).reshape(t.shape), t) for f, t in pairs])


def score(
    formulas: Iterable[Formula] = FORMULAS,
    dtype: str = "float64",
    gradient: bool = False,
    accuracies: Sequence[str] = ACCURACIES,
    size: int = SIZE,
) -> list[Score]:
    """The mean bits of error of each formula at each accuracy; NaN where no truth is known."""
    return [
        Score(f.name, {a: _mean(errors(f, dtype, a, gradient, size)) for a in accuracies})
        for f in formulas
    ]


def _mean(bits: Array) -> float:
    return float(bits.mean()) if bits.size else math.nan


def table(scores: Sequence[Score], worst: int) -> list[str]:
    """The means, the worst formulas, and those made worse, as lines."""
    names = list(scores[0].bits)
    known = [s for s in scores if not any(map(math.isnan, s.bits.values()))]
    means = [float(np.mean([s.bits[a] for s in known])) for a in names]
    head = f"{'bits of error':28s}" + "".join(f"{a:>12s}" for a in names)
    lines = [head, _line(f"mean of {len(known)}", means)]
    ranked = sorted(known, key=lambda s: -s.bits[names[-1]])
    lines += [_line(s.name, [s.bits[a] for a in names]) for s in ranked[:worst]]
    lines += [f"made worse: {s.name} ({', '.join(s.worse)})" for s in known if s.worse]
    lines += [f"no truth known: {s.name}" for s in scores if s not in known]
    return lines


def _line(name: str, bits: Sequence[float]) -> str:
    return f"{name:28s}" + "".join(f"{b:12.2f}" for b in bits)
