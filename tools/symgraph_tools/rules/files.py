"""Formulas from a file: JSON, prefix lists, as accuracy suites keep them.

    [{"id": "rms", "args": ["x"], "domains": {"x": {"kind": "near", "n": 3}},
      "expr": ["sqrt", ["mean", ["*", "x", "x"]]]}, ...]

An expression is a name, a number, ``["const", "0.1"]`` (exact, or ``PI``), ``["let", [[name,
expression], ...], body]``, ``["at", vector, index]`` or an operation on expressions. ``domains``
may be missing; ``kind`` tells counts, by which nothing is differentiated, and ``n`` vectors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any  # what JSON holds

import click
import numpy as np

import symgraph as sg

from .formulas import F, Formula
from .sampling import Domain

NUMBERS = {"PI": math.pi, "E": math.e, "LN2": math.log(2), "LN10": math.log(10)} | {
    "PI_2": math.pi / 2, "PI_4": math.pi / 4, "M_1_PI": 1 / math.pi, "M_2_PI": 2 / math.pi,
    "SQRT2": math.sqrt(2), "SQRT1_2": math.sqrt(0.5), "M_2_SQRTPI": 2 / math.sqrt(math.pi),
    "LOG2E": 1 / math.log(2), "LOG10E": 1 / math.log(10),
}  # fmt: skip
NAMES = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "neg": "negative", "fabs": "abs",
    "lgamma": "gammaln", "tgamma": "gamma", "<": "less", "<=": "less_equal", ">": "greater",
    ">=": "greater_equal", "==": "equal", "!=": "not_equal", "and": "logical_and",
    "or": "logical_or", "not": "logical_not", "if": "where",
}  # fmt: skip
ROWS = ("sum", "prod", "max", "mean")  # over the last axis, which they keep


def read_formulas(path: str | Path) -> list[Formula]:
    """The formulas of a file, in its order."""
    try:
        rows = json.loads(Path(path).read_text())
        return [_formula(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{path}: no list of formulas: {error!r}") from error


def _formula(row: Mapping[str, Any]) -> Formula:
    names, expression = list(row["args"]), row["expr"]
    said = row.get("domains") or {}
    domains = {name: _domain(said.get(name) or {}) for name in names}

    def of(f: F, *args: Any) -> Any:
        return _value(expression, dict(zip(names, args, strict=True)), f.dtype)

    return Formula(row["id"], of, domains)


def _domain(said: Mapping[str, Any]) -> Domain:
    return Domain(said.get("kind", "floats"), n=int(said.get("n", 0)))


def _value(expression: Any, known: Mapping[str, Any], dtype: str) -> Any:
    if isinstance(expression, str):
        return known[expression]
    if not isinstance(expression, list):
        return sg.constant(np.asarray(float(expression), dtype))
    name, *rest = expression
    if name == "const":
        value = NUMBERS[rest[0]] if rest[0] in NUMBERS else float(Fraction(rest[0]))
        return sg.constant(np.asarray(value, dtype))
    if name == "let":
        for label, inner in rest[0]:
            known = {**known, label: _value(inner, known, dtype)}
        return _value(rest[1], known, dtype)
    if name == "at":
        return _value(rest[0], known, dtype)[..., rest[1] : rest[1] + 1]
    return _function(name)(*[_value(inner, known, dtype) for inner in rest])


def _function(name: str) -> Callable[..., Any]:
    own = NAMES.get(name, name)
    found: Callable[..., Any] | None = getattr(sg, own, None) or getattr(sg.special, own, None)
    if found is None or not own.isidentifier():
        raise click.ClickException(f"no operation {name!r} is known")
    if name in ROWS:
        reduce = found
        return lambda x: reduce(x, axis=-1, keepdims=True)
    return found
