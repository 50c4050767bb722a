"""A chain of 100,000 nodes: nothing recurses, and everything takes seconds at most."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symgraph import saving
from symgraph.ir.graph import leaves, substitute_nodes, toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.text import graph_text, parse_text
from symgraph.ir.variable import Variable
from symgraph.ir.verify import verify
from symgraph.ir.views import formula_text, tree_text
from symgraph.ops.leaves import tensor

LENGTH = 100_000


def chain(length: int) -> Node:
    """x - x + x - x + x ..."""
    x = node = tensor("x", ("n",)).node
    ops = (find_op("subtract"), find_op("add"))
    for k in range(length):
        node = make_node(ops[k % 2], (node, x))
    return node


@pytest.fixture(scope="module")
def deep() -> Node:
    """The chain."""
    assert sys.getrecursionlimit() < LENGTH
    return chain(LENGTH)


WALKS: dict[str, Callable[[Node], Any]] = {
    "toposort": lambda n: toposort([n]),
    "leaves": lambda n: leaves([n], "input"),
    "repr": repr,
    "print": graph_text,
    "tree": tree_text,
    "formula": formula_text,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("name", WALKS)
def test_a_deep_graph_is_walked_without_recursion(deep: Node, name: str):
    assert WALKS[name](deep)


def test_a_deep_graph_is_sorted_with_inputs_first(deep: Node):
    order = toposort([deep])
    assert len(order) == LENGTH + 1
    place = {node: k for k, node in enumerate(order)}
    assert all(place[i] < place[n] for n in order for i in n.inputs)


def test_a_deep_graph_is_printed_and_parsed(deep: Node):
    assert parse_text(graph_text(deep)).outputs == (deep,)


def test_a_deep_graph_is_pickled(deep: Node):
    assert pickle.loads(pickle.dumps(deep)) is deep


def test_a_deep_graph_is_saved(deep: Node, tmp_path: Path):
    saving.save(tmp_path / "deep.sg", Variable(deep))
    assert saving.load(tmp_path / "deep.sg").node is deep


def test_a_deep_graph_is_rebuilt_on_another_input(deep: Node):
    x = tensor("other", ("n",)).node
    (made,) = substitute_nodes([deep], {leaves([deep], "input")[0]: x})
    assert len(toposort([made])) == LENGTH + 1
    assert leaves([made], "input") == [x]


def test_a_deep_graph_is_verified(deep: Node):
    verify([deep])


def test_a_deep_graph_is_deleted_without_recursion():
    node = chain(LENGTH)
    middle = node
    for _ in range(LENGTH // 2):
        middle = middle.inputs[0]
    alive = weakref.ref(middle)
    del node, middle
    gc.collect()
    assert alive() is None


def test_a_wide_graph_is_walked_in_time():
    x = tensor("x", ("n",)).node
    negative, add = find_op("negative"), find_op("add")
    level = [make_node(negative, (x,))]
    for _ in range(300):  # every node is used twice: 2**300 paths
        level = [make_node(add, (level[-1], level[-1]))]
    assert len(toposort(level)) == 302
    assert parse_text(graph_text(level)).outputs == tuple(level)
    assert len(tree_text(level).splitlines()) < 1_000
    assert len(formula_text(level)) < 20_000
