"""Equal expressions are one node, and nothing else is: the traps of interning."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import textwrap
import threading
import weakref

import numpy as np
import pytest

import symgraph.ops  # noqa: F401  # fills the op table
from symgraph.ir.dim import Dim
from symgraph.ir.graph import Graph, param_node
from symgraph.ir.node import Node, attr_key, constant_node, interned, make_node, table_size
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ops.leaves import constant, tensor

FLOAT = np.dtype("float64")


def of(value: object, dtype: str = "float64") -> Node:
    """The node of a constant."""
    return constant_node(np.asarray(value, dtype))


def test_equal_expressions_are_one_node():
    x = tensor("x", ("n",))
    assert (x + 1.0).node is (x + 1.0).node
    assert (x + 1.0).node is not (x + 2.0).node
    assert (x + 1.0).node is not (x - 1.0).node
    assert (x - x * 2.0).node is not (x * 2.0 - x).node


TRAPS = [
    (1, 1.0),
    (1, True),
    (1.0, True),
    (0, False),
    (0.0, -0.0),
    (1.0, 1 + 0j),
    (complex(0.0, 0.0), complex(0.0, -0.0)),
    ((1, 2), (1, 2.0)),
    ((0.0,), (-0.0,)),
    ("1", 1),
    (b"a", "a"),
    (None, "None"),
    (np.dtype("float32"), "float32"),
    (np.float32(1), np.float64(1)),
    (np.zeros(2), np.zeros((2, 1))),
    (np.zeros(2), -np.zeros(2)),
    (np.zeros(2, "int32"), np.zeros(2, "float32")),
    (Dim("n"), "n"),
    (Dim("n"), Dim("m")),
]


@pytest.mark.parametrize(("a", "b"), TRAPS, ids=lambda v: repr(v)[:20])
def test_attributes_differ_by_type_and_bits(a: object, b: object):
    assert attr_key(a) != attr_key(b)
    assert attr_key(a) == attr_key(copy.deepcopy(a))
    op = find_op("param")
    nodes = [make_node(op, (), {"index": v, "type": TensorType(FLOAT, ())}) for v in (a, b)]
    assert nodes[0] is not nodes[1]


def test_constants_differ_by_dtype_sign_of_zero_and_nan_bits():
    assert of(1.0) is of(1.0)
    assert of(1, "int64") is not of(1.0)
    assert of(1, "int64") is not of(True, "bool")
    assert of(0.0) is not of(-0.0)
    assert of(np.nan) is of(np.nan)
    assert of(np.nan) is not of(-np.nan)
    payload = np.array(0x7FF8000000000001, "uint64").view("float64")
    assert constant_node(payload) is not of(np.nan)


def test_large_arrays_differ_by_any_bit():
    a = np.zeros(1_000)
    b = a.copy()
    b[-1] = -0.0
    assert of(a) is of(a.copy())
    assert of(a) is not of(b)


def test_constants_do_not_see_later_writes():
    a = np.zeros(3)
    node = of(a)
    a[0] = 5.0
    assert node.attrs["value"][0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        node.attrs["value"][0] = 1.0


def test_strided_and_fortran_arrays_intern_by_value():
    a = np.arange(12.0).reshape(3, 4)
    assert of(a[::2, ::-1]) is of(a[::2, ::-1].copy())
    assert of(np.asfortranarray(a)) is of(a)
    assert of(a.T) is not of(a)


def test_two_inputs_of_one_name_are_two():
    a, b = tensor("x", ("n",)), tensor("x", ("n",))
    assert a.node is not b.node
    assert (a + b).node is not (a + a).node


def test_names_and_lines_are_not_part_of_identity():
    x = tensor("x", ("n",))
    a = x * 3.0
    a.name = "first"
    b = x * 3.0
    b.name = "second"
    assert a.node is b.node
    assert (a.name, b.name) == ("first", "second")
    assert a.node.names == ("first", "second")
    assert a.line != b.line
    assert {a.line, b.line} <= set(a.node.lines)


def test_names_and_lines_of_a_node_are_limited():
    x = tensor("x", ("n",))
    for k in range(50):
        y = x * 7.0
        y.name = f"y{k}"
    assert len(y.node.names) == len(set(y.node.names)) == 8
    assert len(y.node.lines) <= 8


def test_nodes_that_nobody_holds_free_their_memory():
    gc.collect()
    before = table_size()
    x = tensor("x", ("n",))
    y = constant(np.zeros(1_000_000)) + x
    array = weakref.ref(y.node.inputs[0].attrs["value"])
    y = [y * float(k) for k in range(100)]
    assert table_size() >= before + 100
    del x, y
    gc.collect()
    assert table_size() <= before
    assert array() is None


def test_a_node_lives_as_long_as_a_user_of_it():
    x = tensor("x", ("n",))
    y = (x * 5.0) + 1.0
    gc.collect()
    assert (x * 5.0).node is y.node.inputs[0]


def test_pickling_and_copying_keep_identity():
    x = tensor("x", ("n", None))
    y = (x * 2.0 + Dim("n")).node
    assert pickle.loads(pickle.dumps(y)) is y
    assert copy.copy(y) is y
    assert copy.deepcopy([y, x])[0] is y
    assert copy.deepcopy({"a": (x,)})["a"][0].node is x.node
    handle = pickle.loads(pickle.dumps(x))
    assert handle.node is x.node
    assert handle.name == "x"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_works(protocol: int):
    x = tensor("x", (3, None))
    y = (x - 0.5).node
    assert pickle.loads(pickle.dumps(y, protocol)) is y


def test_weak_variables_stay_weak_when_pickled():
    weak = constant(2)
    assert weak.weak
    assert pickle.loads(pickle.dumps(weak)).weak


def test_equal_graphs_are_one_object():
    p = param_node(0, TensorType(FLOAT, (3,)))
    body = make_node(find_op("negative"), (p,))
    graph = Graph((p,), (body,))
    assert Graph((p,), (body,)) is graph
    assert Graph((), (body,)) is not graph
    assert pickle.loads(pickle.dumps(graph)) is graph
    assert copy.deepcopy(graph) == graph


def test_graphs_that_nobody_holds_free_their_memory():
    p = param_node(0, TensorType(FLOAT, (3,)))
    graph = Graph((p,), (make_node(find_op("negative"), (p,)),))
    alive = weakref.ref(graph)
    del graph
    gc.collect()
    assert alive() is None


def test_threads_that_make_one_expression_get_one_node():
    x = tensor("x", ("n",))
    barrier = threading.Barrier(8)
    found: list[list[Node]] = [[] for _ in range(8)]

    def work(k: int) -> None:
        barrier.wait()
        for i in range(300):
            found[k].append(((x + float(i)) * 2.0).node)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for same in zip(*found, strict=True):
        assert len({id(n) for n in same}) == 1
        assert interned(same[0])


def test_inputs_from_another_process_do_not_collide_with_ours():
    program = textwrap.dedent(
        """
        import pickle, sys
        from symgraph.ops.leaves import tensor
        from symgraph.ir.dim import unknown
        made = [tensor("x", (None,)) for _ in range(5)]
        sys.stdout.buffer.write(pickle.dumps(made))
        """
    )
    ours = [tensor("x", (None,)) for _ in range(5)]
    theirs = []
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env=_environment()
        )
        theirs += pickle.loads(result.stdout)
    everything = [*ours, *theirs]
    assert len({v.node for v in everything}) == 15
    assert len({v.shape[0] for v in everything}) == 15


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_attributes_must_be_hashable():
    with pytest.raises(AssertionError, match="hashable"):
        make_node(find_op("param"), (), {"index": [1], "type": TensorType(FLOAT, ())})
