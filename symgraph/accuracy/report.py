"""``measure``: bits of error of each output, as written and as compiled, and what mended it.

Bits of error are ``log2(1 + floats between a value and the truth)``, as Herbie counts them: 1 is
the last place, 53 (float32: 24) is no digit right, and NaN counts as all. The truth is the repaired
graph in double-double; where even that cancels to nothing, both columns are too good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.accuracy.repairs import applied
from symgraph.accuracy.wide_values import WideArray, rounded, wide_values
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.origin import Line
from symgraph.ir.type import TensorType
from symgraph.lower.expand import expand
from symgraph.ops.evaluate import Evaluation, bind_dims
from symgraph.records import dataclass
from symgraph.rewrite.facts import fact
from symgraph.rewrite.journal import Application, Journal

Array = np.ndarray[Any, np.dtype[Any]]
REPAIRS = ("stabilize", "ranges")  # tables whose changes of value are told
NOTABLE = 2.0  # bits that a line must lose to be blamed


@dataclass(frozen=True, slots=True)
class Bits:
    """Error of the elements of one output."""

    mean: float
    worst: float

    def __str__(self) -> str:
        return f"{self.mean:6.2f} mean {self.worst:6.2f} worst"


@dataclass(frozen=True, slots=True)
class OutputAccuracy:
    """One output: before and after, the line where most bits were lost, and what mended it."""

    name: str
    before: Bits
    after: Bits
    blame: Line | None
    lost: float
    mended: tuple[str, ...]
    changed: tuple[str, ...] = ()  # what differs from the formula as written, beside rounding

    def __str__(self) -> str:
        lines = [f"{self.name}:", f"    as written  {self.before}", f"    compiled    {self.after}"]
        if self.lost >= NOTABLE:
            lines.append(f"    {self.lost:.1f} bits are lost at {self.blame or 'an unknown line'}")
        lines += [f"    mended by {text}" for text in self.mended]
        lines += [f"    now {text}" for text in self.changed]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What ``f.accuracy`` found; ``print`` it.

    ``guarded``: lanes that this function has computed slowly so far, in all its calls, and
    ``share_so_far`` of those it could have, None where calls are not counted; ``share``: of the
    lanes of the call measured, which part was.
    """

    name: str
    outputs: tuple[OutputAccuracy, ...]
    guarded: int
    share: float
    share_so_far: float | None
    synthetic: bool

    def __str__(self) -> str:
        source = "inputs made up" if self.synthetic else "the inputs given"
        head = f"accuracy of {self.name} on {source}, in bits of error"
        lanes = f"guarded lanes: {100 * self.share:.3g}% of this call, {self.guarded} so far"
        if self.share_so_far is not None:
            lanes += f" ({100 * self.share_so_far:.3g}%)"
        return "\n".join([head, *map(str, self.outputs), lanes])


def bits_of_error(value: Array, truth: Array) -> Array:
    """log2(1 + floats between) of each element; NaN for a number, or the reverse, is all bits."""
    width = 8 * truth.dtype.itemsize
    a, b = (_ordinal(x) for x in np.broadcast_arrays(value, truth))
    gap = np.where(a > b, a - b, b - a).astype(np.float64)
    nan = np.isnan(value) != np.isnan(truth)
    found = np.minimum(np.log2(gap + 1), width)
    return np.where(nan, float(width), np.where(np.isnan(truth), 0.0, found))


def _ordinal(x: Array) -> Array:
    """Unsigned integers in the order of floats."""
    bits = 8 * x.dtype.itemsize
    raw = np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}")
    top = raw.dtype.type(1 << (bits - 1))
    found: Array = np.where(raw & top, top - (raw & ~top), raw | top)
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: the graph as built, the same repaired, its leaves' values, the results."""

    name: str
    names: Sequence[str]
    built: Sequence[Node]
    repaired: Sequence[Node]
    values: Mapping[Node, Any]
    results: Sequence[Any]
    journals: Sequence[Journal]  # of the passes that made the repaired graph
    guarded: int
    share: float
    share_so_far: float | None
    synthetic: bool


def measure(case: Case) -> Accuracy:
    """The accuracy of one call."""
    written = expand(case.built)
    floats = {k: v for k, v in case.values.items() if k in set(toposort(written))}
    with np.errstate(all="ignore"):
        plain: dict[Node, Any] = dict(floats)
        Evaluation(bind_dims(floats, {})).fill(written, plain)
        exact = wide_values(written, floats)
        truths = wide_values(case.repaired, _by_serial(case.repaired, case.values))
        rows = [
            _output(case, k, written[k], truths[case.repaired[k]], plain, exact)
            for k in range(len(case.results))
            if written[k].tensor.dtype.kind == "f"
        ]
    found = case.guarded, case.share, case.share_so_far
    return Accuracy(case.name, tuple(rows), *found, case.synthetic)


def _by_serial(outputs: Iterable[Node], values: Mapping[Node, Any]) -> dict[Node, Any]:
    """Values of the leaves of a graph, by the leaves of another that they were made from."""
    known = {n.attrs["serial"]: v for n, v in values.items() if "serial" in n.attrs}
    leaves = [n for n in toposort(outputs) if n.op.name in ("input", "shared")]
    found = {n: values[n] for n in leaves if n in values}
    return found | {n: known[n.attrs["serial"]] for n in leaves if n.attrs.get("serial") in known}


def _output(
    case: Case, k: int, node: Node, truth: Any, plain: Mapping[Node, Any], exact: Mapping[Node, Any]
) -> OutputAccuracy:
    wanted = np.asarray(rounded(truth))
    before = _bits(np.asarray(plain[node]), wanted)
    after = _bits(np.asarray(case.results[k]), wanted)
    worst, lost = _blamed(node, plain, exact)
    line = worst.lines[0] if worst is not None and worst.lines else None
    mended, changed = _told(applied(case.journals, k))
    return OutputAccuracy(case.names[k], before, after, line, lost, mended, changed)


def _bits(value: Array, truth: Array) -> Bits:
    found = bits_of_error(value.astype(truth.dtype), truth)
    return Bits(float(found.mean()), float(found.max())) if found.size else Bits(0.0, 0.0)


def _blamed(
    root: Node, plain: Mapping[Node, Any], exact: Mapping[Node, Any]
) -> tuple[Node | None, float]:
    """The node below whose value is worse than its inputs by the most bits, in the mean."""
    means: dict[Node, float] = {}
    worst: Node | None = None
    most = 0.0
    for node in toposort([root]):
        value = exact.get(node)
        means[node] = 0.0
        if not isinstance(value, WideArray) or not isinstance(node.type, TensorType):
            continue
        means[node] = _bits(np.asarray(plain[node]), value.rounded()).mean
        lost = means[node] - max((means[i] for i in node.inputs), default=0.0)
        if lost > most:
            worst, most = node, lost
    return worst, most


def _told(applications: Iterable[Application]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What mended an output; what it gives now where the formula gave something else.

    The second as 0 for 0 * log 0.
    """
    mended: dict[str, None] = {}
    changed: dict[str, None] = {}
    for a in applications:
        if a.table == "canonicalize":
            continue
        where = f" ({a.lines[0]})" if a.lines else ""
        mended[f"{a.table}: {a.rule}{where}"] = None
        if a.table in REPAIRS and a.changes:
            changed[f"{a.changes}: {a.rule}{where}"] = None
    return tuple(mended), tuple(changed)


def made_up(inputs: Sequence[Node], size: int = 64, seed: int = 0) -> list[Array]:
    """Inputs to measure with: of all magnitudes from 1e-6 to 1e6, both signs where allowed."""
    rng = np.random.default_rng(seed)
    found = []
    for node in inputs:
        shape = tuple(d if isinstance(d, int) else size for d in node.tensor.shape)
        known, dtype = fact(node), node.tensor.dtype
        x = 10.0 ** rng.uniform(-6, 6, shape) * rng.choice([-1.0, 1.0], shape)
        if known.lo >= 0:
            x = np.abs(x)
        if np.isfinite(known.lo) and np.isfinite(known.hi):
            x = rng.uniform(known.lo, known.hi, shape)
        found.append((x if dtype.kind == "f" else np.abs(x) % 2).astype(dtype))
    return found
