"""The loss of every epoch as a picture, drawn by matplotlib, which is imported only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .raster import MissingExtraError


def require_matplotlib() -> None:
    """MissingExtraError unless matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401 - only whether it is there
    except ImportError:
        raise MissingExtraError("a PNG needs matplotlib: pip install 'symgraph[viz]'") from None


def save_loss_curve(path: Path, curves: Mapping[str, Sequence[float]]) -> None:
    """Write a PNG with a line for each sequence of losses, one value an epoch, on a log scale."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    FigureCanvasAgg(figure)  # no display is needed
    axes = figure.add_subplot()
    for (name, losses), line in zip(curves.items(), ("-", "--", ":", "-."), strict=False):
        axes.plot(range(1, len(losses) + 1), losses, line, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean cross-entropy, training")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
