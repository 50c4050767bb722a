"""A trace as one HTML file.

The policy in it (``default-src 'none'``) forbids every request, so whoever gets the file can open
it without fear, and without a network. The state of the page is in its address (``#step=12``).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from symgraph.trace.trace import Trace

from ..drawing import KINDS, DrawingError
from ..themes import THEMES, Theme
from .content import Heat, page_content

LAYOUT = ("layered.js", "layout.js")
SCRIPT = ("model.js", "groups.js", "view.js", "panes.js", "app.js")


def page_html(
    trace: Trace,
    *,
    title: str = "",
    theme: str = "light",
    heat: Mapping[str, Heat] | None = None,
    machine: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The page of a trace. ``heat``: values by node that colours may show, besides its bytes.

    ``machine``: further sources of kernels by name, such as their LLVM and assembly.

    Raises: DrawingError for an unknown theme.
    """
    if theme not in THEMES:
        raise DrawingError(f"no theme {theme!r}; there are {', '.join(THEMES)}")
    content = page_content(trace, heat or {}, machine or {}) | {"theme": theme}
    heats = "".join(
        f'<option value="{html.escape(name)}">{html.escape(name)}</option>'
        for name in content["heat"]
    )
    parts = {
        "title": html.escape(title or f"{trace.name} · symgraph"),
        "theme": theme,
        "css": "\n".join([*map(_variables, THEMES.values()), _boxes(), _asset("page.css")]),
        "heats": heats,
        "data": _json(content),
        "layout": _program(*LAYOUT),
        "script": _program(*SCRIPT),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))


def _json(content: object) -> str:
    """JSON that may stand in a script element: no ``</script>`` and no comment can begin in it."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _program(*names: str) -> str:
    """JavaScript without indentation and without lines that are comments."""
    lines = [line.strip() for name in names for line in _asset(name).splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _variables(theme: Theme) -> str:
    """The colours of a theme as CSS variables."""
    dark = theme.name == "dark"
    rows = {
        "ground": theme.background,
        "pane": "#1b2128" if dark else "#f7f8fa",
        "hover": "#2b3542" if dark else "#e6ebf2",
        "rule": "#39434f" if dark else "#d5dbe2",
        "text": theme.text,
        "faint": theme.faint,
        "line": theme.line,
        "frame": theme.frame,
        "frame0": theme.frame_fills[0],
        "frame1": theme.frame_fills[1],
        "group-fill": theme.kinds["kernel"].fill,
        "group-line": theme.kinds["kernel"].stroke,
    }
    for kind in KINDS:
        rows |= {f"{kind}-fill": theme.kinds[kind].fill, f"{kind}-line": theme.kinds[kind].stroke}
    variables = "".join(f"--{name}:{value};" for name, value in rows.items())
    return f'body[data-theme="{theme.name}"]{{{variables}}}'


def _boxes() -> str:
    """The rule of each kind of box; its colours are variables of the theme."""
    return "".join(
        f".{kind} .box{{fill:var(--{kind}-fill);stroke:var(--{kind}-line)}}"
        for kind in ("op", "input", "constant", "shared", "output", "group")
    )
