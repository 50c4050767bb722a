"""Network simplex for ranks: a spanning tree of tight edges, improved by exchanging one edge.

Source: Gansner, Koutsofios, North & Vo 1993, A Technique for Drawing Directed Graphs, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Protocol


class Link(Protocol):
    """What the tree needs of an edge; ``ranks.Link`` is one."""

    @property
    def source(self) -> int:
        """The upper end."""

    @property
    def target(self) -> int:
        """The lower end."""

    @property
    def weight(self) -> int:
        """The cost of one rank of length."""

    @property
    def least(self) -> int:
        """The least length."""


class SpanningTree:
    """Feasible ranks with a forest of tight edges that spans each connected component.

    Invariant: every link is at least as long as its least length, those of the forest exactly so;
    ``cut[link]`` is the weight pulling the forest's two parts together less that pulling apart.
    """

    def __init__(self, ranks: Sequence[int], links: Sequence[Link]) -> None:
        """Make some links tight by moving whole parts; ranks must be feasible."""
        self.ranks = list(ranks)
        self.links = links
        self.sources = [link.source for link in links]
        self.targets = [link.target for link in links]
        self.incident: list[list[int]] = [[] for _ in ranks]
        for number, link in enumerate(links):
            self.incident[link.source].append(number)
            self.incident[link.target].append(number)
        self.branches: list[list[int]] = [[] for _ in ranks]  # links of the forest, by node
        self.in_tree = [False] * len(links)
        self.parent = [-1] * len(ranks)  # the link to the parent, -1 at a root
        self.low = [0] * len(ranks)  # first and last number, in postorder, of the nodes below
        self.last = [0] * len(ranks)
        self.cut = [0] * len(links)
        self._grow()
        self._number_and_cut()

    def improved(self, pivots: int) -> list[int]:
        """The ranks after at most that many exchanges, each of which shortens or keeps."""
        start, size = 0, max(16, len(self.tree_links) // 20)
        for _ in range(pivots):
            leaving, start = self._leaving(start, size)
            if leaving < 0:
                break
            self._exchange(leaving)
        return self.ranks

    def _grow(self) -> None:
        """Span each component, moving the part that is done to make its nearest link tight.

        A move by ``shift`` changes the slack of all links out of the part alike, so two heaps, of
        links that leave the part and that enter it, stay ordered; ``shift`` is added when read.
        """
        ranks, links = self.ranks, self.links
        done = [False] * len(ranks)
        self.roots: list[int] = []
        self.tree_links: list[int] = []
        for root in range(len(ranks)):
            if done[root]:
                continue
            self.roots.append(root)
            shift = 0
            base = {root: ranks[root]}
            leaving: list[tuple[int, int]] = []
            entering: list[tuple[int, int]] = []
            node, done[root] = root, True
            while True:
                self._offer(node, base, done, leaving, entering)
                found = self._nearest(done, leaving, entering, shift)
                if found is None:
                    break
                number, slack = found
                link = links[number]
                shift += slack
                node = link.source if done[link.target] else link.target
                done[node] = True
                base[node] = ranks[node] - shift
                self._plant(number)
            for one, rank in base.items():
                ranks[one] = rank + shift

    def _offer(
        self,
        node: int,
        base: dict[int, int],
        done: list[bool],
        leaving: list[tuple[int, int]],
        entering: list[tuple[int, int]],
    ) -> None:
        """Put the links from a node that has just joined to nodes that have not on the heaps."""
        for number in self.incident[node]:
            link = self.links[number]
            if link.source == node and not done[link.target]:
                slack = self.ranks[link.target] - base[node] - link.least
                heappush(leaving, (slack, number))
            elif link.target == node and not done[link.source]:
                slack = base[node] - self.ranks[link.source] - link.least
                heappush(entering, (slack, number))

    def _nearest(
        self,
        done: list[bool],
        leaving: list[tuple[int, int]],
        entering: list[tuple[int, int]],
        shift: int,
    ) -> tuple[int, int] | None:
        """The link of least slack and the move that makes it tight, or None where all joined."""
        links = self.links
        while leaving and done[links[leaving[0][1]].target]:
            heappop(leaving)
        while entering and done[links[entering[0][1]].source]:
            heappop(entering)
        if not leaving and not entering:
            return None
        down = leaving[0][0] - shift if leaving else None
        up = entering[0][0] + shift if entering else None
        if up is None or (down is not None and down <= up):
            assert down is not None
            return leaving[0][1], down
        return entering[0][1], -up

    def _plant(self, number: int) -> None:
        """Make a link one of the forest."""
        link = self.links[number]
        self.in_tree[number] = True
        self.branches[link.source].append(number)
        self.branches[link.target].append(number)
        self.tree_links.append(number)

    def _postorder(self, root: int, above: int, number: int) -> list[int]:
        """Nodes below root, children first; numbers them on, and sets parents; above: a link."""
        sources, targets, parent = self.sources, self.targets, self.parent
        low, last = self.low, self.last
        parent[root] = above
        order, stack = [], [root]
        while stack:
            node = stack.pop()
            order.append(node)
            up = parent[node]
            low[node] = -1  # until the last of its nodes in this order, the first below, has one
            for branch in self.branches[node]:
                if branch != up:
                    child = targets[branch] if sources[branch] == node else sources[branch]
                    parent[child] = branch
                    stack.append(child)
                    if low[node] < 0:
                        low[node] = child
        order.reverse()
        for node in order:
            last[node] = number
            low[node] = number if low[node] < 0 else low[low[node]]
            number += 1
        return order

    def _number_and_cut(self) -> None:
        """Number all nodes and find all cut values, from the leaves up."""
        number = 0
        for root in self.roots:
            for node in self._postorder(root, -1, number):
                number += 1
                if self.parent[node] >= 0:
                    self._set_cut(node)

    def _set_cut(self, node: int) -> None:
        """The cut value of the link above a node, from those of the links below it."""
        above = self.parent[node]
        is_source = self.links[above].source == node
        total = 0
        for number in self.incident[node]:
            link = self.links[number]
            # What leaves the part below `above` counts for it in its direction, else against.
            sign = 1 if (link.source == node) == is_source else -1
            if number == above:
                total += link.weight
                continue
            total += sign * link.weight
            if self.in_tree[number]:
                total -= sign * self.cut[number]
        self.cut[above] = total

    def _leaving(self, start: int, size: int) -> tuple[int, int]:
        """A link of the forest with negative cut value, the least of a block; -1 if none is."""
        links, cut, count = self.tree_links, self.cut, len(self.tree_links)
        best, least = -1, 0
        for step in range(count):
            position = (start + step) % count
            if cut[links[position]] < least:
                best, least = position, cut[links[position]]
            if best >= 0 and step % size == size - 1:
                break
        return best, (best + 1 if best >= 0 else start)

    def _exchange(self, position: int) -> None:
        """Replace a link of the forest by the one of least slack that joins its parts again."""
        leaving = self.tree_links[position]
        link = self.links[leaving]
        below = link.source if self.parent[link.source] == leaving else link.target
        entering, slack = self._entering(below, below == link.source)
        self._move(below, slack if below == link.target else -slack)
        self._update_cuts(entering, self.cut[leaving])
        self.in_tree[leaving], self.in_tree[entering] = False, True
        self.tree_links[position] = entering
        for node in (link.source, link.target):
            self.branches[node].remove(leaving)
        for node in (self.links[entering].source, self.links[entering].target):
            self.branches[node].append(entering)
        top = self._meeting(entering)
        self._postorder(top, self.parent[top], self.low[top])

    def _inside(self, node: int) -> tuple[int, int]:
        return self.low[node], self.last[node]

    def _entering(self, below: int, is_source: bool) -> tuple[int, int]:
        """The link with least slack across the cut above ``below``, against the leaving link."""
        first, final = self._inside(below)
        last, ranks = self.last, self.ranks
        near, far = (self.targets, self.sources) if is_source else (self.sources, self.targets)
        best, least = -1, 0
        for node in self._nodes_below(below):
            for number in self.incident[node]:
                if near[number] != node or first <= last[far[number]] <= final:
                    continue
                link = self.links[number]
                slack = ranks[link.target] - ranks[link.source] - link.least
                if best < 0 or slack < least:
                    best, least = number, slack
        return best, least

    def _nodes_below(self, top: int) -> list[int]:
        """A node and all below it in its tree."""
        sources, targets, parent = self.sources, self.targets, self.parent
        nodes = [top]
        for node in nodes:  # grows while it is read
            up = parent[node]
            nodes += [
                targets[number] if sources[number] == node else sources[number]
                for number in self.branches[node]
                if number != up
            ]
        return nodes

    def _move(self, below: int, distance: int) -> None:
        """Move the part below a node so that the entering link becomes tight."""
        if distance:
            for node in self._nodes_below(below):
                self.ranks[node] += distance

    def _update_cuts(self, entering: int, cut: int) -> None:
        """Add the leaving link's cut value along the ring that the entering link closes."""
        link = self.links[entering]
        for end, is_source in ((link.source, True), (link.target, False)):
            node, other = end, link.target if is_source else link.source
            while not self.low[node] <= self.last[other] <= self.last[node]:
                number = self.parent[node]
                step = self.links[number]
                goes_up = step.source == node
                self.cut[number] += cut if goes_up == is_source else -cut
                node = step.target if goes_up else step.source
        self.cut[entering] = -cut

    def _meeting(self, entering: int) -> int:
        """The lowest node, numbered as before the exchange, that has both ends below it."""
        link = self.links[entering]
        node = link.source
        while not self.low[node] <= self.last[link.target] <= self.last[node]:
            step = self.links[self.parent[node]]
            node = step.target if step.source == node else step.source
        return node
