"""One graph whose nodes keep their numbers while the compiler makes new nodes of them.

Nodes of the compiler are immutable: a rewrite deep down makes all nodes above it anew. Here the
node above keeps its number and only reads another one. ``form`` is the node of the compiler that a
number stands for at the moment, ``number`` the reverse. Graphs (0: the function; bodies of loops)
have negative keys, -1 - number, and read their parameters and outputs as a node reads its inputs;
what is not read by anything below graph 0 is not alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node
from symgraph.trace.format import Body, Delta, Ends, Row

MAIN = -1  # the key of graph 0


class Weave:
    """The graph, and what changed in it since the last ``take``."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.inputs: dict[int, tuple[int, ...]] = {MAIN: ()}
        self.ends: dict[int, Ends] = {0: Ends((), ())}
        self.readers: dict[int, dict[int, None]] = {}
        self.alive: set[int] = {MAIN}
        self.number: dict[Node, int] = {}
        self.form: dict[int, Node] = {}
        self.bodies: dict[Graph, int] = {}
        self.body_form: dict[int, Graph] = {}
        self.replaced: dict[int, int] = {}  # in this run of a table; origin: the reverse
        self.origin: dict[int, int] = {}
        self._born: dict[int, None] = {}
        self._died: dict[int, None] = {}
        self._inputs: dict[int, tuple[int, ...]] = {}
        self._graphs: dict[int, Ends] = {}

    def take(self) -> Delta:
        """What changed since the last call."""
        delta = Delta(
            tuple(k for k in self._born if k >= 0),
            tuple(k for k in self._died if k >= 0),
            self._inputs,
            self._graphs,
        )
        self._born, self._died, self._inputs, self._graphs = {}, {}, {}, {}
        return delta

    def begin_run(self) -> None:
        """A table begins to run: what was replaced before is settled."""
        self.replaced.clear()
        self.origin.clear()

    def find(self, node: Node) -> int | None:
        """The number that stands for a node now."""
        number = self.number.get(node)
        return number if number is not None and self.form[number] is node else None

    def add(self, node: Node) -> int:
        """The number of a node; new ones for it and all below that have none."""
        for new in toposort([node], stop=lambda n: self.find(n) is not None):
            if self.find(new) is None:
                self._add(new, tuple(self._latest(self.number[i]) for i in new.inputs))
        return self.number[node]

    def restore(self, outputs: Iterable[Node]) -> None:
        """Rows whose readers were rewritten before read again what their nodes read.

        A row that nobody reads any more may be read by a graph that begins: as it was written.
        """
        for node in toposort(outputs):
            key = self.find(node)
            if key is None:
                continue
            for held, graph in self._graphs_of(key, node):
                self.restore(graph.outputs)
                self._stand_for(held, graph)
            self._reread(key, tuple(self.add(i) for i in node.inputs))

    def _add(self, node: Node, inputs: tuple[int, ...]) -> None:
        attrs = {
            k: Body(self.add_graph(v)) if isinstance(v, Graph) else v for k, v in node.attrs.items()
        }
        key = len(self.rows)
        self.rows.append(Row(node.op.name, inputs, node.type, attrs, node.names, node.lines))
        self.number[node], self.form[key] = key, node
        self.inputs[key] = (*inputs, *(-1 - b for b in self.rows[key].bodies))

    def _latest(self, key: int) -> int:
        while key in self.replaced and key not in self.alive:
            key = self.replaced[key]
        return key

    def add_graph(self, graph: Graph) -> int:
        """The number of a graph inside a node."""
        known = self.find_graph(graph)
        if known is not None:
            return known
        number = len(self.ends)
        self.ends[number] = Ends((), ())  # taken before those inside it
        self.inputs[-1 - number] = ()
        self._stand_for(number, graph)
        return number

    def find_graph(self, graph: Graph) -> int | None:
        """The number that stands for a graph inside a node now."""
        number = self.bodies.get(graph)
        return number if number is not None and self.body_form[number] == graph else None

    def _stand_for(self, number: int, graph: Graph) -> None:
        self.bodies[graph], self.body_form[number] = number, graph
        self.set_graph(number, graph.params, graph.outputs)

    def set_graph(self, number: int, params: Iterable[Node], outputs: Iterable[Node]) -> None:
        """Give a graph parameters and outputs."""
        ends = Ends(tuple(map(self.add, params)), tuple(map(self.add, outputs)))
        if ends != self.ends[number]:
            self.ends[number] = self._graphs[number] = ends
            self._read(-1 - number, (*ends.params, *ends.outputs))

    def made_anew(self, before: Node | Graph, after: Node | Graph) -> None:
        """The compiler made a node (or graph) again on what its inputs have become."""
        if isinstance(before, Graph) and isinstance(after, Graph):
            number = self.find_graph(before)
            if number is not None and self.find_graph(after) is None and self._is_alone(number):
                self._stand_for(number, after)
            return
        assert isinstance(before, Node)
        assert isinstance(after, Node)
        key, known = self.find(before), self.find(after)
        if key is not None and before is after:
            self.become(key, after)  # it reads what it did, though that was replaced for others
            return
        if key is None or key == known:
            return
        if known is None and self._is_apart(key, after):
            known = self.add(after)
        if known is not None:
            self.put(key, known)
        else:
            self.become(key, after)

    def _is_alone(self, number: int) -> bool:
        """Does one node hold a graph?"""
        return len(self.readers.get(-1 - number, ())) <= 1

    def _is_apart(self, key: int, node: Node) -> bool:
        """Two loops held one graph, and this one holds another from now on."""
        for held, graph in self._graphs_of(key, node):
            number = self.find_graph(graph)
            if number != held and (number is not None or not self._is_alone(held)):
                return True
        return False

    def _graphs_of(self, key: int, node: Node) -> Iterator[tuple[int, Graph]]:
        """The numbers of the graphs that a row holds, and the node's graphs of those names."""
        for name, body in self.rows[key].attrs.items():
            graph = node.attrs.get(name)
            if isinstance(body, Body) and isinstance(graph, Graph):
                yield body.number, graph

    def become(self, key: int, node: Node) -> None:
        """A number stands for another node of the same operation from now on."""
        inputs = tuple(self.add(i) for i in node.inputs)
        self.number[node], self.form[key] = key, node
        for held, graph in self._graphs_of(key, node):
            if self.find_graph(graph) is None:
                self._stand_for(held, graph)
        self._reread(key, inputs)

    def replace(self, before: Node, after: Node) -> tuple[int, int]:
        """Everything that reads a node reads another one from now on, but that one itself."""
        key, first = self.add(before), len(self.rows)
        by = self.add(after)
        self.replaced[key], self.origin[by] = by, key
        self.put(key, by, first)
        return key, by

    def put(self, key: int, by: int, first: int | None = None) -> None:
        """One number in place of another, but in rows from ``first`` on and in what it reads.

        Where what took a place turns out to be what holds it, the place is as it was.
        """
        if key == by:
            return
        own = self._above(by, key)
        limit = len(self.rows) if first is None else first
        for reader in list(self.readers.get(key, ())):
            if reader not in own and reader < limit:
                self._change_input(reader, key, by)
            elif reader in own and first is None and key in self.origin:
                self._change_input(reader, key, self.origin[key])

    def _change_input(self, reader: int, key: int, by: int) -> None:
        if reader >= 0:
            self._reread(reader, tuple(by if i == key else i for i in self._plain(reader)))
            return
        ends = self.ends[-1 - reader]
        outputs = tuple(by if i == key else i for i in ends.outputs)
        self.ends[-1 - reader] = self._graphs[-1 - reader] = Ends(ends.params, outputs)
        self._read(reader, (*ends.params, *outputs))

    def _plain(self, key: int) -> tuple[int, ...]:
        return tuple(i for i in self.inputs[key] if i >= 0)

    def _reread(self, key: int, inputs: tuple[int, ...]) -> None:
        if inputs != self._plain(key):
            self._inputs[key] = inputs
            self._read(key, (*inputs, *(-1 - b for b in self.rows[key].bodies)))

    def _above(self, top: int, key: int) -> set[int]:
        """What ``top`` reads and may itself read ``key``: a rule may keep what it replaces."""
        newest = self.form[key].number
        found, stack = {top}, [top]
        while stack:
            for i in self.inputs[stack.pop()]:
                if i not in found and (i < 0 or self.form[i].number > newest):
                    found.add(i)
                    stack.append(i)
        return found

    def _read(self, key: int, inputs: tuple[int, ...]) -> None:
        """Change what a node or graph reads, and who is alive by that."""
        before, self.inputs[key] = self.inputs[key], inputs
        if key not in self.alive:
            return
        self._born_with([(key, i) for i in inputs])
        stack = [(key, i) for i in before if i not in set(inputs)]
        while stack:
            reader, i = stack.pop()
            readers = self.readers[i]
            readers.pop(reader, None)
            if not readers and i in self.alive:
                self.alive.discard(i)
                if i in self._born:
                    del self._born[i]
                else:
                    self._died[i] = None
                stack += [(i, below) for below in self.inputs[i]]

    def _born_with(self, stack: list[tuple[int, int]]) -> None:
        while stack:
            reader, i = stack.pop()
            self.readers.setdefault(i, {})[reader] = None
            if i not in self.alive:
                self.alive.add(i)
                if i in self._died:
                    del self._died[i]
                else:
                    self._born[i] = None
                stack += [(i, below) for below in self.inputs[i]]
