"""Nested tuples, lists, dicts and None as flat lists of leaves, and back.

A ``Tree`` is the structure without its leaves. Named tuples keep their class; dicts keep the order
of their keys, and two dicts fit when they have the same keys; None is a structure without leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from symgraph.errors import ArgumentError
from symgraph.ir.origin import at_line
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class Tree:
    """``kind`` is "leaf", "none", "list", "tuple", "named" or "dict"."""

    kind: str
    children: tuple[Tree, ...] = ()
    keys: tuple[Any, ...] = ()  # of a dict
    make: type | None = None  # of a named tuple

    @property
    def size(self) -> int:
        """Number of leaves."""
        return 1 if self.kind == "leaf" else sum(c.size for c in self.children)

    def __str__(self) -> str:
        inner = [str(c) for c in self.children]
        if self.kind == "dict":
            return (
                "{" + ", ".join(f"{k!r}: {c}" for k, c in zip(self.keys, inner, strict=True)) + "}"
            )
        if self.kind in ("leaf", "none"):
            return "*" if self.kind == "leaf" else "None"
        opening, closing = (
            ("[", "]") if self.kind == "list" else ("(", ",)" if len(inner) == 1 else ")")
        )
        return opening + ", ".join(inner) + closing


LEAF, NONE = Tree("leaf"), Tree("none")


def nesting(tree: Tree) -> str:
    """What a structure is made of: "one" leaf, "none", a "list" or "tuple" of leaves, "nested"."""
    if tree.kind in ("leaf", "none"):
        return {"leaf": "one", "none": "none"}[tree.kind]
    flat = all(child.kind == "leaf" for child in tree.children)
    return tree.kind if tree.kind in ("list", "tuple") and flat else "nested"


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """The leaves, in order, and the structure."""
    if value is None:
        return [], NONE
    if isinstance(value, dict):
        return _join("dict", [flatten(v) for v in value.values()], keys=tuple(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _join("named", [flatten(v) for v in value], make=type(value))
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return _join(kind, [flatten(v) for v in value])
    return [value], LEAF


def _join(kind: str, parts: list[tuple[list[Any], Tree]], **more: Any) -> tuple[list[Any], Tree]:
    leaves = [leaf for found, _ in parts for leaf in found]
    return leaves, Tree(kind, tuple(tree for _, tree in parts), **more)


def unflatten(tree: Tree, leaves: Iterable[Any]) -> Any:
    """The nested value with these leaves."""
    return _build(tree, iter(leaves))


def _build(tree: Tree, leaves: Iterator[Any]) -> Any:
    if tree.kind == "leaf":
        return next(leaves)
    if tree.kind == "none":
        return None
    parts = [_build(c, leaves) for c in tree.children]
    if tree.kind == "dict":
        return dict(zip(tree.keys, parts, strict=True))
    if tree.kind == "named":
        assert tree.make is not None
        return tree.make(*parts)
    return parts if tree.kind == "list" else tuple(parts)


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same structure with ``function`` applied to every leaf."""
    leaves, tree = flatten(value)
    return unflatten(tree, [function(leaf) for leaf in leaves])


def flatten_like(tree: Tree, value: Any, what: str) -> list[Any]:
    """The leaves of a value that must have this structure.

    Lists and tuples are alike; dict keys may come in any order. Otherwise ArgumentError, which
    names both structures.
    """
    found: list[Any] = []
    if not _collect(tree, value, found):
        raise ArgumentError(
            at_line(
                f"{what} has another structure than expected",
                {"expected": tree, "got": flatten(value)[1]},
                hint="return the same nesting of tuples, lists and dicts (* stands for a value)",
            )
        )
    return found


def _collect(tree: Tree, value: Any, found: list[Any]) -> bool:
    if tree.kind == "leaf":
        found.append(value)
        return not (value is None or isinstance(value, tuple | list | dict))
    if tree.kind == "none":
        return value is None
    if tree.kind == "dict":
        if not isinstance(value, dict) or set(value) != set(tree.keys):
            return False
        value = [value[k] for k in tree.keys]
    if not isinstance(value, tuple | list) or len(value) != len(tree.children):
        return False
    return all(_collect(c, v, found) for c, v in zip(tree.children, value, strict=True))


def paths(tree: Tree, name: str) -> list[str]:
    """A name for every leaf: ``state[0]``, ``state['h']``."""
    if tree.kind == "leaf":
        return [name]
    keys = tree.keys if tree.kind == "dict" else range(len(tree.children))
    return [p for k, c in zip(keys, tree.children, strict=True) for p in paths(c, f"{name}[{k!r}]")]
