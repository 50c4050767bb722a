"""Code that all programs of a process share, compiled once for a processor and kept on disk."""

from __future__ import annotations

from collections.abc import Callable

from symgraph.codegen import loader
from symgraph.codegen.loader import Library
from symgraph.codegen.processor import processor_key
from symgraph.config import config
from symgraph.errors import ParseError
from symgraph.runtime import cache
from symgraph.runtime.sources import sources_key

MAKERS = ("symgraph_kernels", "symgraph.codegen", "symgraph.loop")  # of such code


def library(name: str, compiled: Callable[[], bytes], export: str) -> Library:
    """The code that ``compiled()`` gives, loaded; from disk if it is there and whole."""
    if not config.cache:
        return loader.library(compiled(), [export])
    entry = f"{name}-" + cache.key(name, processor_key(), sources_key(*MAKERS))
    image = cache.read(entry)
    if image is not None:
        try:
            return loader.library(image, [export])
        except ParseError as error:
            cache.reject(entry, str(error))
    image = compiled()
    cache.write(entry, image)
    return loader.library(image, [export])
