"""A drawing made smaller: chains of operations as one box, nodes that repeat side by side as one.

Used where a format bears few edges (``mermaid``); inputs, outputs and clusters stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from .drawing import Drawing, DrawnEdge, DrawnNode

LONGEST_CHAIN_TEXT = 4  # operations of a chain that are named; of more, the first and the last
TIMES = "\N{MULTIPLICATION SIGN}"
FEW = 3  # weights that are named; of more, the first and the last
LONGEST_PERIOD = 12  # operations of a pattern that is looked for in a chain


@dataclass(slots=True)
class _Part:
    """A node that may stand for several: operations in a row, and how often side by side."""

    node: DrawnNode
    steps: list[str]
    times: int = 1
    inside: list[str] = field(default_factory=list)  # weights that it alone reads


def collapse(drawing: Drawing, most_edges: int, *, only_repeats: bool = False) -> Drawing:
    """A drawing of at most that many edges if merging gives one, else as few as it gives.

    Arrows between two nodes become one, labelled with their number; then nodes of one text, one
    cluster and the same neighbours become one; then chains, or those that repeat a pattern alone.
    Unchanged if small enough at once.
    """
    if len(drawing.edges) <= most_edges:
        return drawing
    parts = {
        node.id: _Part(node, [node.lines[0] if node.lines else node.id]) for node in drawing.nodes
    }
    arrows: dict[tuple[str, str], int] = {}
    for edge in drawing.edges:
        key = (edge.source, edge.target)
        arrows[key] = arrows.get(key, 0) + 1
    while len(arrows) > most_edges:
        count = len(parts)
        arrows = _merge_repeats(parts, arrows)
        if len(arrows) > most_edges:
            arrows = _merge_chains(parts, arrows, only_repeats)
        if len(parts) == count:
            break
    nodes = tuple(_drawn(part) for part in parts.values())
    edges = tuple(
        DrawnEdge(source, target, label=f"{TIMES}{count}" if count > 1 else "")
        for (source, target), count in arrows.items()
    )
    return replace(drawing, nodes=nodes, edges=edges)


def collapse_repeats(drawing: Drawing) -> Drawing:
    """What repeats, side by side or one after the other, as one box that says how often.

    Layers of a network are such: the weights that each alone reads go into the box with them.
    """
    return collapse(drawing, 0, only_repeats=True)


def _drawn(part: _Part) -> DrawnNode:
    if len(part.steps) == 1 and part.times == 1:
        return part.node
    text = chain_text(part.steps)
    lines = (text,) if part.times == 1 else (text, f"{TIMES} {part.times}, side by side")
    if part.inside:
        first, last = part.inside[0], part.inside[-1]
        few = ", ".join(part.inside)
        many = f"{first}, …, {last} ({len(part.inside)} in all)"
        lines = (*lines, f"with {few if len(part.inside) <= FEW else many}")
    tooltip = " → ".join(part.steps)
    return replace(part.node, lines=lines, tooltip=tooltip, details=())


def chain_text(steps: Sequence[str]) -> str:
    """``a → b``; a pattern that repeats with how often; of a long one its ends and its length."""
    for period in range(1, min(LONGEST_PERIOD, len(steps) // 2) + 1):
        times, rest = divmod(len(steps), period)
        if not rest and list(steps) == list(steps[:period]) * times:
            inner = chain_text(steps[:period])
            return f"({inner}) {TIMES} {times}" if period > 1 else f"{inner} {TIMES} {times}"
    if len(steps) > LONGEST_CHAIN_TEXT:
        return f"{steps[0]} → … → {steps[-1]} ({len(steps)} operations)"
    return " → ".join(steps)


def _neighbours(
    arrows: Iterable[tuple[str, str]], parts: Iterable[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Sources into and targets out of each part."""
    into: dict[str, list[str]] = {name: [] for name in parts}
    out: dict[str, list[str]] = {name: [] for name in into}
    for source, target in arrows:
        into[target].append(source)
        out[source].append(target)
    return into, out


def _merge_repeats(
    parts: dict[str, _Part], arrows: dict[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    """Merge parts with the same steps, kind, cluster and neighbours."""
    into, out = _neighbours(arrows, parts)
    groups: dict[object, list[str]] = {}
    for name, part in parts.items():
        node = part.node
        if node.kind in ("op", "kernel"):
            around = (tuple(sorted(into[name])), tuple(sorted(out[name])))
            groups.setdefault((tuple(part.steps), node.kind, node.cluster, around), []).append(name)
    merged: dict[str, str] = {}
    for first, *others in groups.values():
        for other in others:
            parts[first].times += parts.pop(other).times
            merged[other] = first
    return _renamed(arrows, merged)


def _merge_chains(
    parts: dict[str, _Part], arrows: dict[tuple[str, str], int], only_repeats: bool
) -> dict[tuple[str, str], int]:
    """Merge operations with the one that alone uses them and uses nothing else."""
    weights = _weights(parts, arrows) if only_repeats else {}
    into, out = _neighbours([pair for pair in arrows if pair[0] not in weights], parts)
    merged: dict[str, str] = {}
    starts = [name for name in parts if not _goes_on(parts, into, out, name)]
    for name in starts:
        chain = [name]
        while len(out[chain[-1]]) == 1 and _is_link(parts, into, name, out[chain[-1]][0]):
            chain.append(out[chain[-1]][0])
        for first, *others in list(_runs(parts, chain)) if only_repeats else [chain]:
            for link in others:
                parts[first].steps += parts[link].steps
                parts[first].inside += parts.pop(link).inside
                merged[link] = first
    _absorb(parts, weights, merged)
    result: dict[tuple[str, str], int] = {}
    for (source, target), count in arrows.items():
        key = (merged.get(source, source), merged.get(target, target))
        if key[0] != key[1]:
            result[key] = result.get(key, 0) + count
    return result


def _weights(parts: dict[str, _Part], arrows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Shared state and constants that one part alone reads, with that part."""
    _, out = _neighbours(arrows, parts)
    kinds = ("shared", "constant")
    return {
        name: out[name][0]
        for name, part in parts.items()
        if part.node.kind in kinds and len(out[name]) == 1
    }


def _absorb(parts: dict[str, _Part], weights: dict[str, str], merged: dict[str, str]) -> None:
    """Put the weights of merged layers into them."""
    whole = set(merged.values())
    for name, user in weights.items():
        user = merged.get(user, user)
        if user in whole:
            parts[user].inside += parts.pop(name).steps
            merged[name] = user


def _runs(parts: dict[str, _Part], chain: Sequence[str]) -> Iterator[Sequence[str]]:
    """Pieces of a chain that repeat a pattern, each as long as it goes, from the first on."""
    texts = [tuple(parts[link].steps) for link in chain]
    at = 0
    while at < len(texts):
        best = 0
        for period in range(1, min(LONGEST_PERIOD, (len(texts) - at) // 2) + 1):
            end = at + period
            while texts[end : end + period] == texts[at : at + period]:
                end += period
            if end > at + period:
                best = max(best, end - at)
        if best:
            yield chain[at : at + best]
        at += best or 1


def _goes_on(
    parts: dict[str, _Part], into: dict[str, list[str]], out: dict[str, list[str]], name: str
) -> bool:
    """Whether a part is inside a chain, so that none begins with it."""
    before = into[name]
    return len(before) == 1 == len(out[before[0]]) and _is_link(parts, into, before[0], name)


def _is_link(
    parts: dict[str, _Part], into: dict[str, list[str]], first: str, following: str
) -> bool:
    """Whether a chain that begins with ``first`` may go on with ``following``."""
    if following not in parts or len(into[following]) != 1:
        return False
    one, other = parts[first], parts[following]
    return (
        one.node.kind == other.node.kind == "op"
        and one.node.cluster == other.node.cluster
        and one.times == other.times
    )


def _renamed(
    arrows: dict[tuple[str, str], int], merged: dict[str, str]
) -> dict[tuple[str, str], int]:
    """Arrows between what their ends were merged into; one for each of several."""
    result: dict[tuple[str, str], int] = {}
    for (source, target), count in arrows.items():
        key = (merged.get(source, source), merged.get(target, target))
        result[key] = max(result.get(key, 0), count)
    return result
