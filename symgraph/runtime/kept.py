"""Code that all programs of a process share, compiled once for a processor and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from symgraph.codegen import loader
from symgraph.codegen.loader import Library
from symgraph.codegen.processor import processor_key
from symgraph.config import config
from symgraph.errors import ParseError
from symgraph.runtime import cache
from symgraph.runtime.sources import sources_key

MAKERS = ("symgraph_kernels", "symgraph.codegen", "symgraph.loop")  # whose code it is


def library(
    name: str,
    compiled: Callable[[], bytes],
    exports: Sequence[str],
    makers: tuple[str, ...] = MAKERS,
    symbols: Mapping[str, int] | None = None,
) -> Library:
    """The code that ``compiled()`` gives, loaded; from disk if it is there and whole.

    ``name`` says all that the code depends on besides processor and sources of ``makers``;
    ``symbols`` has addresses of what it needs.
    """
    found = stored(name, exports, makers, symbols)
    if found is not None:
        return found
    image = compiled()
    if config.cache:
        cache.write(_entry(name, makers), image)
    return loader.library(image, exports, symbols)


def stored(
    name: str,
    exports: Sequence[str],
    makers: tuple[str, ...] = MAKERS,
    symbols: Mapping[str, int] | None = None,
) -> Library | None:
    """The code of that name from disk, loaded; None where it is not there, or not whole."""
    if not config.cache:
        return None
    entry = _entry(name, makers)
    image = cache.read(entry)
    if image is None:
        return None
    try:
        return loader.library(image, exports, symbols)
    except ParseError as error:
        cache.reject(entry, str(error))
        return None


def _entry(name: str, makers: tuple[str, ...]) -> str:
    digest = cache.key(name, processor_key(), sources_key(*makers))
    return f"{name.partition(' ')[0]}-{digest}"
