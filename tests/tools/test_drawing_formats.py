"""DOT, Mermaid and JSON of drawings; PNG and PDF by matplotlib."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from symgraph.errors import ParseError
from symgraph_tools.collapse import chain_text, collapse
from symgraph_tools.dot import to_dot
from symgraph_tools.drawing import Drawing, DrawingError, DrawnNode
from symgraph_tools.drawing_json import from_json, to_json
from symgraph_tools.layout import lay_out
from symgraph_tools.mermaid import MOST_EDGES, to_mermaid
from symgraph_tools.raster import MissingExtraError, pixels_per_px, save_raster
from symgraph_tools.scene import build_scene
from tests.tools.sample_graphs import clustered, dataflow_graph, draw, layered_graph, network
from tests.tools.test_svg import hostile

DRAWINGS = {
    "empty": Drawing(),
    "network": network(3),
    "clusters": clustered(),
    "hostile": hostile(),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_json_comes_back_equal(name):
    drawing = DRAWINGS[name]
    text = to_json(drawing)
    assert from_json(text) == drawing
    assert to_json(from_json(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no drawing: Expecting property name"),
        ("[]", 'it has no "schema": "symgraph.drawing/1"'),
        ('{"schema": "symgraph.drawing/2"}', 'it has no "schema": "symgraph.drawing/1"'),
        ('{"schema": "symgraph.drawing/1"}', "this is no drawing: 'nodes'"),
        (
            '{"schema": "symgraph.drawing/1", "title": "", "edges": [], "clusters": [], '
            '"nodes": [{"id": "a", "colour": "red"}]}',
            "unexpected keyword argument 'colour'",
        ),
    ],
)
def test_json_that_is_no_drawing_is_refused(text, message):
    with pytest.raises(ParseError) as caught:
        from_json(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", DRAWINGS)
def test_dot_names_each_part_once(name):
    drawing = DRAWINGS[name]
    text = to_dot(drawing, edge_labels=True)
    assert len(re.findall(r"^ *n\d+ \[", text, re.MULTILINE)) == len(drawing.nodes)
    assert len(re.findall(r"^  n\d+ -> n\d+", text, re.MULTILINE)) == len(drawing.edges)
    assert len(re.findall(r"^ *subgraph cluster_\d+ {", text, re.MULTILINE)) == len(
        drawing.clusters
    )
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
@pytest.mark.parametrize("name", DRAWINGS)
def test_graphviz_reads_our_dot(name):
    done = subprocess.run(
        ["dot", "-Tplain"], input=to_dot(DRAWINGS[name]), capture_output=True, text=True, check=True
    )
    nodes = [line for line in done.stdout.splitlines() if line.startswith("node ")]
    assert len(nodes) == len(DRAWINGS[name].nodes)
    assert "rror" not in done.stderr


def test_dot_lists_arguments_in_order_and_escapes():
    text = to_dot(Drawing((DrawnNode("a", ('say "\\N" & go',)),)))
    assert 'label="say \\"\\\\N\\" &amp; go"' in text
    text = to_dot(clustered())
    assert text.index("n0 -> n3") < text.index("n1 -> n3")  # x is argument 0 of q


@pytest.mark.parametrize("name", DRAWINGS)
def test_mermaid_names_each_part_once(name):
    drawing = DRAWINGS[name]
    text = to_mermaid(drawing)
    assert text.startswith("flowchart TD\n")
    assert len(re.findall(r"^ *n\d+[(\[{]", text, re.MULTILINE)) == len(drawing.nodes)
    assert text.count(" --> ") == len(drawing.edges)
    assert len(re.findall(r"^ *subgraph c\d+\[", text, re.MULTILINE)) == len(drawing.clusters)
    assert len(re.findall(r"^ *end$", text, re.MULTILINE)) == len(drawing.clusters)
    assert "<script" not in text


def test_mermaid_labels_edges_where_asked():
    assert '-->|"f32[batch, 784]"|' in to_mermaid(network(1), edge_labels=True)
    assert "-->|" not in to_mermaid(network(1))


def test_mermaid_collapses_a_long_chain():
    chain = draw(900, [(n, n + 1) for n in range(899)])
    assert to_mermaid(chain).count("-->") == 0  # one box
    assert f"{chr(215)} 90" in to_mermaid(chain)  # ten operations, ninety times


def test_mermaid_collapses_what_repeats_side_by_side():
    edges = [(0, n) for n in range(1, 601)] + [(n, 601) for n in range(1, 601)]
    drawing = draw(602, edges)
    small = collapse(drawing, MOST_EDGES)
    assert len(small.edges) <= MOST_EDGES
    assert sum("side by side" in node.lines[-1] for node in small.nodes) == 10  # one of each text
    assert "side by side" in to_mermaid(drawing)


def test_mermaid_refuses_what_stays_too_large():
    with pytest.raises(
        DrawingError, match=r"at most 400 edges; this drawing has \d+, and \d+ when"
    ):
        to_mermaid(layered_graph(1, 2000))
    node = DrawnNode("a", ("text " * 20_000,))
    with pytest.raises(DrawingError, match="at most 50000 characters"):
        to_mermaid(Drawing((node,)))


def test_collapse_keeps_small_drawings_and_the_ends_of_all():
    assert (
        collapse(clustered(), MOST_EDGES) is DRAWINGS["clusters"]
        or collapse(clustered(), MOST_EDGES) == clustered()
    )
    drawing = dataflow_graph(4, 400)
    small = collapse(drawing, 10)
    assert len(small.nodes) < len(drawing.nodes)
    for kind in ("input", "output", "shared", "constant"):
        assert [n for n in small.nodes if n.kind == kind] == [
            n for n in drawing.nodes if n.kind == kind
        ]


def test_collapse_joins_chains_whatever_the_order_of_their_nodes():
    nodes = tuple(DrawnNode(name, (name,)) for name in "cbda")
    edges = draw(4, [(0, 1), (1, 2), (2, 3)]).edges
    names = dict(zip(("n0", "n1", "n2", "n3"), "abcd", strict=True))
    renamed = tuple(type(e)(names[e.source], names[e.target]) for e in edges)
    (node,) = collapse(Drawing(nodes, renamed), 0).nodes
    assert node.lines == ("a → b → c → d",)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (["exp"], "exp"),
        (["exp", "log"], "exp → log"),
        (["tanh"] * 5, f"tanh {chr(215)} 5"),
        (["matmul", "add", "tanh"] * 4, f"(matmul → add → tanh) {chr(215)} 4"),
        (["a", "b", "c", "d", "e"], "a → … → e (5 operations)"),
    ],
)
def test_chain_text(steps, text):
    assert chain_text(steps) == text


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_png_and_pdf_are_written_and_the_same_each_time(tmp_path, theme):
    pytest.importorskip("matplotlib", reason="draws the PNG")
    layout = lay_out(clustered())
    scene = build_scene(layout, theme=theme, legend=True)
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        first, second = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
        for path in (first, second):
            save_raster(layout, path, theme=theme, legend=True, scale=1.0)
        assert first.read_bytes().startswith(magic)
        assert first.read_bytes() == second.read_bytes()
    header = (tmp_path / "one.png").read_bytes()
    width, height = (int.from_bytes(header[n : n + 4], "big") for n in (16, 20))
    assert (width, height) == pytest.approx((scene.width, scene.height), abs=1)


def test_large_pictures_are_scaled_to_what_the_formats_bear(tmp_path):
    pytest.importorskip("matplotlib", reason="draws the PDF")
    tall = build_scene(lay_out(draw(500, [(n, n + 1) for n in range(499)])))
    assert tall.height > 25_000
    assert pixels_per_px(tall, 2.0) == pytest.approx(30_000 / tall.height)
    square = replace(tall, width=20_000.0, height=20_000.0)
    assert pixels_per_px(square, 2.0) == pytest.approx(0.5)
    assert pixels_per_px(build_scene(lay_out(clustered())), 2.0) == 2.0
    save_raster(lay_out(draw(500, [(n, n + 1) for n in range(499)])), tmp_path / "a.pdf")
    page = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", (tmp_path / "a.pdf").read_bytes())
    assert page
    assert float(page[2]) == pytest.approx(14_000, abs=1)


def test_png_of_letters_that_no_font_has_is_written_with_a_warning(tmp_path):
    pytest.importorskip("matplotlib", reason="draws the PNG")
    with pytest.warns(UserWarning, match="Glyph"):
        save_raster(lay_out(hostile()), tmp_path / "a.png", scale=0.5)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_png_without_matplotlib_says_what_to_install(monkeypatch, tmp_path):
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'symgraph\[viz\]'"):
        save_raster(lay_out(clustered()), tmp_path / "a.png")


def test_raster_refuses_other_suffixes(tmp_path):
    with pytest.raises(ValueError, match=r"the suffix is one of \.png, \.pdf, not '\.gif'"):
        save_raster(lay_out(Drawing()), tmp_path / "a.gif")
