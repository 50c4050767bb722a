"""SVG: valid XML whatever the names, the same bytes each time, all parts and tooltips in it."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symgraph_tools.drawing import KINDS, Cluster, Drawing, DrawingError, DrawnEdge, DrawnNode
from symgraph_tools.glyphs import displayable, text_width, wrapped
from symgraph_tools.layout import lay_out
from symgraph_tools.svg import drawing_to_svg, render_svg
from symgraph_tools.themes import THEMES
from tests.tools.sample_graphs import clustered, network

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    '"><script>alert(1)</script>',
    "]]>",
    "&amp;<&",
    "a\x00b\x1b[31m\x7f",
    "\ud800 lone surrogate",
    "\u202egnirts desrever",
    "tab\tand\nline\r\nbreaks\u2028here",
    "名前 имя नाम 🙂",
    "'single' and \"double\"",
    "",
    "x" * 500,
    "\ufffe\uffff",
    "--><!--",
    "${x} {{y}} %s \\N",
]


def hostile() -> Drawing:
    """A drawing with an unpleasant text everywhere that text may be."""
    nodes = tuple(
        DrawnNode(f"{n}{text}", (text, text), KINDS[n % 6], "c" + text, text, ((text, text),))
        for n, text in enumerate(HOSTILE)
    )
    edges = tuple(
        DrawnEdge(nodes[0].id, n.id, None, t) for n, t in zip(nodes, HOSTILE, strict=True)
    )
    clusters = tuple(Cluster("c" + text, text) for text in HOSTILE)
    return Drawing(nodes, edges[1:], clusters, "".join(HOSTILE))


def groups(root: ElementTree.Element, role: str) -> list[ElementTree.Element]:
    """The groups whose class begins with a role."""
    return [g for g in root.iter(f"{SVG}g") if g.get("class", "").split()[0] == role]


@pytest.mark.parametrize("theme", THEMES)
def test_hostile_names_give_valid_xml(theme):
    layout = lay_out(hostile(), edge_labels=True)
    text = render_svg(layout, theme=theme, legend=True)
    root = ElementTree.fromstring(text.encode("utf-8"))
    assert not list(root.iter(f"{SVG}script"))
    assert len(groups(root, "node")) == len(HOSTILE)
    words = "".join("".join(node.itertext()) for node in groups(root, "node"))
    assert "<script>alert(1)</script>" in words
    assert "名前 имя नाम 🙂" in words
    assert "\u202e" not in words


@given(st.text())
def test_any_text_gives_valid_xml(text):
    node = DrawnNode(text, (text,), tooltip=text, details=((text, text),))
    svg = drawing_to_svg(Drawing((node,), title=text))
    ElementTree.fromstring(svg.encode("utf-8"))


def test_the_same_drawing_gives_the_same_bytes():
    layout = lay_out(clustered())
    assert render_svg(layout, legend=True) == render_svg(lay_out(clustered()), legend=True)


def test_svg_has_no_ids_scripts_styles_or_links():
    text = render_svg(lay_out(clustered()), legend=True)
    root = ElementTree.fromstring(text)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags == {"svg", "title", "rect", "g", "path", "text"}
    assert not any("id" in element.attrib or "href" in element.attrib for element in root.iter())
    assert "url(" not in text


def test_svg_shows_every_part_with_its_tooltip():
    drawing = clustered()
    root = ElementTree.fromstring(render_svg(lay_out(drawing)))
    assert [g.get("data-id") for g in groups(root, "node")] == [n.id for n in drawing.nodes]
    assert len(groups(root, "edge")) == len(drawing.edges)
    assert {g.get("data-id") for g in groups(root, "cluster")} == {c.id for c in drawing.clusters}
    titles = [g.findtext(f"{SVG}title") for g in groups(root, "edge")]
    assert "x → q [0]" in titles
    assert root.findtext(f"{SVG}title") == drawing.title


def test_details_are_in_the_tooltip():
    node = DrawnNode(
        "a", ("exp",), tooltip="exp(x)", details=(("dtype", "f32"), ("line", "m.py:3"))
    )
    root = ElementTree.fromstring(drawing_to_svg(Drawing((node,))))
    assert groups(root, "node")[0].findtext(f"{SVG}title") == "exp(x)\ndtype: f32\nline: m.py:3"


def test_size_is_in_px_and_holds_title_and_legend():
    bare = lay_out(Drawing(clustered().nodes, clustered().edges, clustered().clusters))
    plain = ElementTree.fromstring(render_svg(bare))
    full = ElementTree.fromstring(render_svg(lay_out(clustered()), legend=True))
    for root in (plain, full):
        left, top, width, height = map(float, root.get("viewBox", "").split())
        assert (left, width, height) == (
            0,
            float(root.get("width", 0)),
            float(root.get("height", 0)),
        )
        for text in root.iter(f"{SVG}text"):
            assert top < float(text.get("y", 0)) < top + height
    assert float(full.get("height", 0)) > float(plain.get("height", 0)) + 60
    assert len(groups(full, "legend")) == 1


def test_legend_names_the_kinds_that_occur():
    root = ElementTree.fromstring(render_svg(lay_out(network(2)), legend=True))
    words = [text.text for text in groups(root, "legend")[0].iter(f"{SVG}text")]
    assert words == ["operation", "input", "constant", "shared state", "output"]


def test_edge_labels_are_shown_where_asked():
    drawing = network(2)
    assert not groups(ElementTree.fromstring(render_svg(lay_out(drawing))), "label")
    root = ElementTree.fromstring(render_svg(lay_out(drawing, edge_labels=True)))
    words = sorted("".join(group.itertext()) for group in groups(root, "label"))
    assert words == sorted(edge.label for edge in drawing.edges)


def test_every_arrow_has_a_head_at_its_target():
    layout = lay_out(network(2))
    root = ElementTree.fromstring(render_svg(layout))
    for group, edge in zip(groups(root, "edge"), layout.edges, strict=True):
        *_, head = group.iter(f"{SVG}path")
        tip = re.match(r"M([\d.]+) ([\d.]+)L", head.get("d", ""))
        assert tip
        assert (float(tip[1]), float(tip[2])) == pytest.approx(edge.curves[-1][-1], abs=0.01)
        assert head.get("fill") != "none"


def test_unknown_theme_is_refused():
    with pytest.raises(DrawingError, match="no theme 'neon'; there are light, dark, print"):
        render_svg(lay_out(Drawing()), theme="neon")


def test_empty_drawing_is_an_empty_picture():
    root = ElementTree.fromstring(render_svg(lay_out(Drawing()), legend=True))
    assert not list(root.iter(f"{SVG}text"))


def test_text_widths_are_those_of_the_fonts():
    """Of DejaVu Sans as matplotlib brings it, and never less."""
    font_manager = pytest.importorskip("matplotlib.font_manager", reason="reads its font")
    from matplotlib.ft2font import FT2Font, LoadFlags

    font = FT2Font(font_manager.findfont("DejaVu Sans"))
    font.set_size(100, 72)
    for text in ("matmul", "f32[batch, 784]", "1 - y²", "Δ → ω", "W_iIlj.,'"):
        advances = [
            font.load_char(ord(c), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536
            for c in text
        ]
        assert text_width(text, 100.0) >= sum(advances) - 0.06 * len(text)
        assert text_width(text, 100.0) <= 1.15 * sum(advances)


def test_combining_marks_have_no_width_and_wide_letters_more():
    assert text_width("e\u0301", 10) == text_width("e", 10)
    assert text_width("名", 10) > text_width("W", 10)


def test_long_lines_are_wrapped_and_nothing_is_lost():
    text = "concatenate(" + ", ".join(f"argument_{n}" for n in range(30)) + ")"
    lines = wrapped(text, 60)
    assert max(map(len, lines)) <= 60
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert "".join(wrapped("x" * 150, 60)) == "x" * 150


def test_displayable_keeps_text_and_marks_the_rest():
    assert displayable("π ≤ 4 名 🙂") == "π ≤ 4 名 🙂"
    assert displayable("a\tb\x00\ud800") == "a b\ufffd\ufffd"
