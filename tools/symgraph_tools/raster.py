"""A layout as PNG or PDF, drawn by matplotlib from the same scene as the SVG.

matplotlib is optional, and imported only here.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from symgraph.errors import SymgraphError

from .layout import Layout
from .scene import Scene, Shape, Text, build_scene, top_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import PathPatch

SUFFIXES = (".png", ".pdf")
PX_PER_INCH = 96.0  # of CSS
POINTS_PER_PX = 72.0 / PX_PER_INCH
MOST_PIXELS = 30_000  # along a side; Agg, which draws the PNG, stops at 2**16
MOST_AREA = 100_000_000  # pixels: 400 MB while it is drawn
MOST_POINTS = 14_000.0  # along a side of a page; PDF readers stop at 14,400


class MissingExtraError(SymgraphError, ImportError):
    """An optional package that is not installed; the message says how to install it."""


def save_raster(
    layout: Layout,
    path: str | Path,
    *,
    theme: str = "light",
    legend: bool = False,
    scale: float = 2.0,
) -> None:
    """Write a PNG, ``scale`` pixels for each px, or a PDF, by the path's suffix.

    Pictures too large for the format are drawn smaller: a PNG has at most 30,000 pixels along a
    side and 100 million in all, a page of PDF 14,000 points. Nothing in the file depends on the
    time. Raises: MissingExtraError without matplotlib; DrawingError for an unknown theme;
    ValueError for another suffix.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"the suffix is one of {', '.join(SUFFIXES)}, not {path.suffix!r}")
    scene = build_scene(layout, theme=theme, legend=legend)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            f"{path.suffix[1:].upper()} needs matplotlib: pip install 'symgraph[viz]'; "
            "SVG, DOT, Mermaid and JSON need nothing"
        ) from error
    # Everything is given in points, so a smaller page needs smaller letters and lines too.
    is_page = path.suffix == ".pdf"
    largest = max(scene.width, scene.height)
    shrink = min(1.0, MOST_POINTS / POINTS_PER_PX / largest) if is_page else 1.0
    inches = shrink / PX_PER_INCH
    figure = Figure(figsize=(scene.width * inches, scene.height * inches))
    FigureCanvasAgg(figure)
    figure.patch.set_facecolor(scene.background)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    top = top_of(scene)
    axes.set_xlim(0, scene.width)
    axes.set_ylim(top + scene.height, top)
    _draw(scene, axes, POINTS_PER_PX * shrink)
    metadata = {"CreationDate": None} if is_page else {"Software": None}
    figure.savefig(path, dpi=PX_PER_INCH * pixels_per_px(scene, scale), metadata=metadata)


def pixels_per_px(scene: Scene, scale: float) -> float:
    """The scale asked for, or the largest at which a PNG stays within its bounds."""
    by_side = MOST_PIXELS / max(scene.width, scene.height)
    return min(scale, by_side, sqrt(MOST_AREA / (scene.width * scene.height)))


def _draw(scene: Scene, axes: Axes, points: float) -> None:
    """Draw all items; points: for each px."""
    layer = 0
    for group in scene.groups:
        for item in group.items:
            layer += 1  # matplotlib draws by kind of artist unless told the order
            if isinstance(item, Shape):
                axes.add_patch(_patch(item, layer, points))
            else:
                _write(item, axes, layer, points)


def _patch(shape: Shape, layer: int, points: float) -> PathPatch:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    corners: list[tuple[float, float]] = []
    codes: list[int] = []
    kinds = {"M": Outline.MOVETO, "L": Outline.LINETO, "C": Outline.CURVE4, "Z": Outline.CLOSEPOLY}
    for letter, values in shape.steps:
        some = list(zip(values[::2], values[1::2], strict=True)) or [corners[0]]
        corners += some
        codes += [int(kinds[letter])] * len(some)
    return PathPatch(
        Outline(corners, codes),
        facecolor=shape.fill or "none",
        edgecolor=shape.stroke or "none",
        linewidth=shape.width * points if shape.stroke else 0.0,
        linestyle=(0, (shape.dash / shape.width,) * 2) if shape.dash else "solid",
        zorder=layer,
    )


def _write(text: Text, axes: Axes, layer: int, points: float) -> None:
    axes.text(
        text.x,
        text.y,
        text.text,
        fontsize=text.size * points,
        color=text.colour,
        family="DejaVu Sans",  # comes with matplotlib; no wider than the boxes were made for
        horizontalalignment="center" if text.is_centred else "left",
        verticalalignment="baseline",
        parse_math=False,
        zorder=layer,
    )
