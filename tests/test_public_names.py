"""The public namespace: ``__all__`` names what is there, each name once and documented."""

from __future__ import annotations

from types import ModuleType

import pytest

import symgraph as sg
from symgraph.ir.op import Op

MODULES = (sg, sg.nn)
NUMPY_NAMES = (
    "abs", "add", "any", "arange", "argmax", "broadcast_to", "concatenate", "cumsum", "dot",
    "einsum", "exp", "eye", "linspace", "log", "matmul", "max", "mean", "moveaxis", "pad", "prod",
    "reshape", "sort", "sqrt", "stack", "std", "sum", "tile", "transpose", "tril", "where",
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_names_exist_and_occur_once(module: ModuleType):
    names = module.__all__
    assert [name for name in names if not hasattr(module, name)] == []
    assert len(set(names)) == len(names)


def test_every_public_function_says_what_it_does():
    silent = []
    for name in sg.__all__:
        value = getattr(sg, name)
        text = value.doc if isinstance(value, Op) else value.__doc__
        if value is not None and not text:
            silent.append(name)
    assert silent == []


def test_star_import_brings_no_private_name():
    names: dict[str, object] = {}
    exec("from symgraph import *", names)
    brought = names.keys() - {"__builtins__"}
    assert brought == set(sg.__all__)
    assert [name for name in brought if name.startswith("_")] == []


@pytest.mark.parametrize("name", NUMPY_NAMES)
def test_numpy_names_are_there(name: str):
    assert callable(getattr(sg, name))
    assert name in sg.__all__
