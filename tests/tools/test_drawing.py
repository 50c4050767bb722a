"""Drawings that contradict themselves are refused, with a message that names what is wrong."""

import pytest

from symgraph.errors import SymgraphError
from symgraph_tools.drawing import (
    Cluster,
    Drawing,
    DrawingError,
    DrawnEdge,
    DrawnNode,
    topological_order,
)

A, B = DrawnNode("a"), DrawnNode("b")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (((A, A), ()), "node id used more than once: 'a'"),
        (((A,), (DrawnEdge("a", "b"),)), "edge 'a' -> 'b': no node 'b'"),
        (((A, B), (DrawnEdge("a", "b", -1),)), "edge 'a' -> 'b': target port -1 < 0"),
        (((DrawnNode("a", kind="loop"),), ()), "node 'a' is of kind 'loop', not one of"),
        (((DrawnNode("a", cluster="c"),), ()), "node 'a' names no known cluster: 'c'"),
        (((), (), (Cluster("c"), Cluster("c"))), "cluster id used more than once: 'c'"),
        (((), (), (Cluster("c", "", "d"),)), "cluster 'c' has a parent that is not known: 'd'"),
        (((), (), (Cluster("c", "", "d"), Cluster("d", "", "c"))), "cluster 'c' is inside itself"),
        (((A,), (DrawnEdge("a", "a"),)), "the edges form a cycle: 'a' -> 'a'"),
        (
            ((A, B), (DrawnEdge("a", "b"), DrawnEdge("b", "a"))),
            "the edges form a cycle: 'b' -> 'a' -> 'b'",
        ),
    ],
)
def test_contradictions_are_refused(parts, message):
    with pytest.raises(DrawingError) as caught:
        Drawing(*parts)
    assert message in str(caught.value)
    assert isinstance(caught.value, SymgraphError | ValueError)


def test_order_is_sources_first():
    edges = (DrawnEdge("b", "a"), DrawnEdge("c", "b"))
    assert topological_order(Drawing((A, B, DrawnNode("c")), edges)) == [2, 1, 0]


def test_cycle_that_other_nodes_hang_on_is_named_alone():
    nodes = tuple(DrawnNode(name) for name in "abcde")
    edges = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("d", "e")]
    with pytest.raises(DrawingError) as caught:
        Drawing(nodes, tuple(DrawnEdge(*edge) for edge in edges))
    named = str(caught.value).partition("cycle: ")[2].partition(";")[0]
    assert set(named.split(" -> ")) == {"'b'", "'c'"}


def test_clusters_and_nodes_may_share_an_id():
    assert Drawing((DrawnNode("a", cluster="a"),), (), (Cluster("a"),)).nodes[0].cluster == "a"
