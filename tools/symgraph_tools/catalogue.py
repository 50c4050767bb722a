"""The tables of ops and rules as rows for people: searchable, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

from symgraph.codegen.backend import BACKENDS
from symgraph.ir.op import OPS, Op
from symgraph.rewrite.pattern import Pat
from symgraph.rewrite.pipeline import IN_RANGE, LAST, PIPELINE, Pass
from symgraph.rewrite.rule import Rule

WRITTEN = " (written with simpler ops)"


@dataclass(frozen=True, slots=True)
class OpEntry:
    """An op for people."""

    name: str
    kind: str
    first: str  # the formula or the effect
    doc: str
    gradient: str
    backends: str
    accuracy: str
    source: str
    numpy: tuple[str, ...]

    def json(self) -> Mapping[str, Any]:
        """The entry with the names of JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """A rule for people; before and after are empty where a program makes the replacement."""

    name: str
    table: str
    before: str
    after: str
    why: str
    source: str
    changes: str
    exact: bool
    ops: tuple[str, ...]

    def json(self) -> Mapping[str, Any]:
        """The entry with the names of JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def ops() -> list[OpEntry]:
    """All ops, in the order of their names."""
    import symgraph.ops  # noqa: F401  # fills the table

    return [_op(row) for _, row in sorted(OPS.items())]


def _op(row: Op) -> OpEntry:
    doc = cleandoc(row.doc)
    numpy = row.names.get("numpy", ())
    accuracy = f"{row.ulp:g} ulp" if row.kind in ("elementwise", "reduction") else ""
    return OpEntry(
        row.name,
        row.kind,
        doc.splitlines()[0] if doc else "",
        doc,
        _gradient(row),
        ", ".join(BACKENDS) + (WRITTEN if row.kind == "composite" else ""),
        accuracy if row.ulp else "exact",
        row.source,
        (numpy,) if isinstance(numpy, str) else tuple(numpy),
    )


def _gradient(row: Op) -> str:
    """The cotangents of an elementwise op as formulas; whether there is one, for others."""
    if row.vjp is None:
        return "that of what it is written with" if row.expand is not None else "none"
    if row.kind != "elementwise" or row.samples is None:
        return "yes"
    return _formula(row) or "yes"


def _formula(row: Op) -> str:
    """``g * cos(x)``, by applying the rule to symbols; empty where the op needs options."""
    from symgraph.errors import SymgraphError
    from symgraph.ops.leaves import tensor
    from symgraph.printing import math

    names = ("x", "y", "z")
    inputs = [
        tensor(name, shape=("n",), dtype="float64")
        for name, _ in zip(names, row.samples, strict=False)
    ]
    assert row.vjp is not None
    try:
        result = row(*inputs)
        found = row.vjp(tensor("g", shape=("n",)), result, *inputs, **result.node.attrs)
        return "; ".join(
            f"d{name} = {math(one).strip().splitlines()[-1]}"
            for name, one in zip(names, found, strict=False)
            if one is not None
        )
    except (SymgraphError, TypeError, ValueError):  # other dtypes, or options without a default
        return ""


def rules() -> list[RuleEntry]:
    """All rules in the order in which passes hold them, each once."""
    found: dict[Rule, RuleEntry] = {}
    for step in (*PIPELINE, *IN_RANGE["rules"], LAST):
        for row in step.rules:
            found.setdefault(row, _rule(row, step))
    return list(found.values())


def _rule(row: Rule, step: Pass) -> RuleEntry:
    is_pattern = isinstance(row.rhs, Pat)
    return RuleEntry(
        row.name,
        step.name,
        str(row.lhs) if row.lhs is not None else "",
        str(row.rhs) if is_pattern else "",
        row.why,
        row.source,
        row.changes,
        row.exact,
        tuple(sorted(row.ops)),
    )


def matching(entries: Iterable[Any], words: str) -> list[Any]:
    """Entries in which all words occur, in any field; those with one in their name first."""
    wanted = words.lower().split()
    found = [e for e in entries if all(w in str(e.json()).lower() for w in wanted)]
    return sorted(found, key=lambda e: not any(w in e.name.lower() for w in wanted))
