"""What notebooks show of graphs, functions, kernels, traces and profiles.

The pictures are made by ``symgraph_tools``, which nothing here imports before it is asked for: a
cell that ends in a variable shows its text where the tools are not installed, and ``f.view()`` says
what is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from symgraph.errors import UnsupportedError

TOOLS = "symgraph_tools.notebook"


def mimebundle(value: object) -> dict[str, str]:
    """``value`` as text, and as a picture where the tools are there: MIME type -> content."""
    try:
        tools = import_module(TOOLS)
    except ModuleNotFoundError:
        return {"text/plain": repr(value)}
    found: dict[str, str] = tools.mimebundle(value)
    return found


def view(trace: object, *args: Any, **options: Any) -> Any:
    """The page of a trace, or of a function and arguments to profile it on.

    A notebook embeds it, and ``.save(path)`` writes it.
    Raises: UnsupportedError where the tools are not installed.
    """
    try:
        tools = import_module(TOOLS)
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            "the page is made by symgraph_tools, which is not installed: pip install symgraph"
        ) from error
    return tools.view(trace, *args, **options)
