"""What notebooks show: text always, pictures without ids, and the page in a frame of its own."""

from __future__ import annotations

import html
import json
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import symgraph as sg
from symgraph import display
from symgraph_tools.page.timing import time_heat

QUICK = sg.Mode(backend="interp")


def formula():
    """A function that is rewritten, with a name and a state."""
    x = sg.vector("x")
    w = sg.shared(np.ones(1), "w")
    return sg.function([x], sg.log(1 - sg.sigmoid(x * w)), name="stable", mode=QUICK)


def things():
    """One of each kind, by name."""
    f = formula()
    x = sg.vector("x")
    return {
        "variable": sg.exp(x),
        "shared": sg.shared(np.ones(3), "w"),
        "graph": f.graph,
        "function": f,
        "trace": f.trace,
        "kernel": f.kernels[0],
        "profile": f.profile(np.ones(5)),
    }


@pytest.mark.parametrize("name", things())
def test_everything_shows_text_and_most_a_picture_without_ids(name):
    value = things()[name]
    bundle = value._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"]
    if name == "kernel":
        assert "for i0 in range" in bundle["text/plain"]
        assert "<pre>" in bundle["text/html"]
        return
    root = ElementTree.fromstring(bundle["image/svg+xml"])
    assert root.tag.endswith("svg")
    assert not [e for e in root.iter() if "id" in e.attrib or e.tag.endswith(("script", "style"))]
    assert bundle["image/svg+xml"] == value._repr_mimebundle_()["image/svg+xml"]


def test_a_variable_shows_its_formula():
    x, w = sg.matrix("x"), sg.matrix("w")
    text = sg.tanh(x @ w)._repr_mimebundle_()["text/plain"]
    assert text.splitlines()[1] == "tanh(x·w)"


def test_a_trace_is_drawn_before_and_after():
    svg = formula().trace._repr_mimebundle_()["image/svg+xml"]
    for word in ("as built", "after rewriting", ">log<", ">softplus<"):
        assert word in svg


def test_a_large_graph_is_collapsed_or_text_alone():
    y = sg.vector("x")
    for _ in range(400):
        y = sg.sin(y)
    assert "400" in y._repr_mimebundle_()["image/svg+xml"]
    many = [sg.exp(sg.vector(f"x{k}")) for k in range(200)]
    graph = sg.Graph((), tuple(v.node for v in many))
    assert set(graph._repr_mimebundle_()) == {"text/plain"}


def test_the_page_stands_in_a_sandboxed_frame(tmp_path):
    view = formula().view(height=500)
    frame = view._repr_mimebundle_()["text/html"]
    assert frame.startswith('<iframe sandbox="allow-scripts" style="width:100%;height:500px')
    assert frame.count("<") == 2  # the frame and its end: the page is an attribute
    assert html.escape(view.html) in frame
    assert view.save(tmp_path / "f.html").read_text(encoding="utf-8") == view.html
    assert repr(view).startswith("<page of stable, ")
    assert formula().trace.view(theme="dark").html != view.html


def test_the_page_has_the_times_of_a_profile():
    f = formula()
    view = f.view(np.ones(50), repeat=2)
    heat = json.loads(view.html.split('id="data">')[1].split("</script>")[0])["heat"]["time"]
    assert heat["of"]
    profile, trace = f.profile(np.ones(50)), f.trace_of(np.ones(50))
    times = time_heat(trace, profile).of
    assert sum(times.values()) == pytest.approx(profile.elapsed_ns)
    assert heat["byLine"]


def test_without_the_tools_there_is_text_and_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "symgraph_tools.notebook", None)
    x = sg.vector("x")
    assert x._repr_mimebundle_() == {"text/plain": repr(x)}
    with pytest.raises(sg.UnsupportedError, match="made by symgraph_tools, which is not installed"):
        formula().view()
    assert display.TOOLS == "symgraph_tools.notebook"
