"""The collections of workloads that ``symgraph bench`` runs, by name."""

from __future__ import annotations

from . import (
    elementwise,
    functions,
    indexing,
    models,
    products,
    recurrences,
    reductions,
    sequences,
    shapes,
    small,
    statistics,
    windows,
)
from .workload import Workload

_PARTS = (
    elementwise,
    reductions,
    indexing,
    shapes,
    products,
    sequences,
    recurrences,
    models,
    statistics,
    windows,
    small,
)

COLLECTIONS: dict[str, tuple[Workload, ...]] = {
    "all": tuple(row for part in _PARTS for row in part.ROWS),
    "products": products.GRID_ROWS,
    "functions": functions.ROWS,
    **{part.__name__.rpartition(".")[2]: part.ROWS for part in _PARTS if part is not products},
}


def workload(name: str) -> Workload:
    """The workload of that name; KeyError where there is none."""
    rows = {row.name: row for part in COLLECTIONS.values() for row in part}
    return rows[name]
