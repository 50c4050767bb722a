"""Stages from nodes: one small function per kind of op, in the table ``BUILDERS``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from symgraph.ir.dim import DimLike, product, sub
from symgraph.ir.dtype import INT64
from symgraph.ir.node import Node, make_node
from symgraph.loop.ir import Assign, Expr, Fail, For, If, Let, Stmt, Store, Update
from symgraph.lower.folds import accumulator, assign_all, fold_of
from symgraph.lower.schedule import guess
from symgraph.lower.shift import Bounds
from symgraph.lower.stage import Accessor, Index, Scalars, Stage, Storage, loop_index, loops_of
from symgraph.lower.words import WordBuilder

Lookup = Callable[[Node], Storage | None]
FEW = 16  # elements of last axes: fewer are added up better many at a time
_IN_PLACE = frozenset(("sum", "prod", "max", "min", "any", "all"))


class Namer:
    """Fresh numbers for stages and names for the buffers that they need privately."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> int:
        """A number not given before."""
        self.count += 1
        return self.count


class StageBuilder:
    """Builds the stages of stored nodes; holds what they share."""

    def __init__(
        self, b: WordBuilder, namer: Namer, lookup: Lookup, fail_code: Callable[[Node, int], int]
    ) -> None:
        self.b, self.namer, self.lookup, self.fail_code = b, namer, lookup, fail_code
        self._checked: set[tuple[Node, DimLike]] = set()

    def stages(self, node: Node, target: Storage) -> list[Stage]:
        """The stages that compute a node into a buffer, checks first."""
        builder = BUILDERS.get(node.op.kind, StageBuilder.point)
        return builder(self, node, target)

    def scalars(self, number: int, root: Node, bounds: Bounds | None = None) -> Scalars:
        """Scalar code of a stage; the root itself is computed, not loaded."""
        lookup = self.lookup
        return Scalars(self.b, f"v{number}_", lambda n: None if n is root else lookup(n), bounds)

    def point(self, node: Node, target: Storage) -> list[Stage]:
        """An elementwise, index or gather value over its own shape, cut where parts of it meet."""
        space, index = loops_of(node.tensor.shape, self.b)
        length = space[-1] if space else 1
        edges: list[DimLike] = [0, length]
        found: list[Stage] = []
        while True:
            cuts: set[int] = set()
            found = []
            for low, high in pairwise(edges):
                stage, bounds = self._piece(node, target, space, index, low, high)
                found.append(stage)
                cuts.update(c + low for c in bounds.cuts if isinstance(low, int))
            if not cuts:
                return found
            edges = sorted({*edges, *cuts})

    def _piece(
        self,
        node: Node,
        target: Storage,
        space: tuple[DimLike, ...],
        index: Index,
        low: DimLike,
        high: DimLike,
    ) -> tuple[Stage, Bounds]:
        """The stage of a value over part of the innermost loop, and where that must be cut."""
        number = self.namer.next()
        if space and (low, high) != (0, space[-1]):
            last = loop_index(self.b, len(space) - 1)
            space = (*space[:-1], sub(high, low))
            index = tuple(self.b.add(i, low) if i is last else i for i in index)
        bounds = Bounds(space, len(space) - 1 if space else None)
        scalars = self.scalars(number, node, bounds)
        value = scalars.value(node, index)
        stage = Stage(
            node, space, len(space), target, index, scalars.lets, value=value, number=number
        )
        stage.inside.append(Store(target.name, index, value))
        return stage, bounds

    def copy(self, node: Node, source: Storage, target: Storage) -> Stage:
        """One buffer copied into another of its shape."""
        space, index = loops_of(target.shape, self.b)
        number = self.namer.next()
        scalars = Scalars(self.b, f"v{number}_", lambda n: source)
        value = scalars.value(node, index)
        stage = Stage(
            node, space, len(space), target, index, scalars.lets, value=value, number=number
        )
        stage.inside.append(Store(target.name, index, value))
        return stage

    def checks(self, node: Node) -> list[Stage]:
        """Stages that make sure that the indices of a gather or scatter are inside their axes."""
        offset = 1 if node.op.kind == "gather" else 2
        source = node.inputs[0]
        found = []
        for axis, indices in zip(node.attrs.get("axes", ()), node.inputs[offset:], strict=True):
            dim = source.tensor.shape[axis]
            if (indices, dim) not in self._checked and not node.attrs.get("checked", False):
                self._checked.add((indices, dim))
                found.append(self._check(node, indices, dim, axis))
        return found

    def _check(self, node: Node, indices: Node, dim: DimLike, axis: int) -> Stage:
        b = self.b
        space, index = loops_of(indices.tensor.shape, b)
        number = self.namer.next()
        scalars = Scalars(b, f"v{number}_", self.lookup)
        value = scalars.let(b.cast(scalars.value(indices, index), INT64))
        size = b.size(dim)
        low, high = b.lt(value, b.sub(b.const(0), size)), b.ge(value, size)
        fails: list[Stmt] = [
            If(b.or_(low, high), (Fail(self.fail_code(node, axis), (value, size)),))
        ]
        stage = Stage(node, space, len(space), None, index, scalars.lets, number=number, alone=True)
        if not space:
            stage.inside = fails
            return stage
        # which one is asked only where one is outside: a loop that may stop is no vector code
        name = f"outside{number}"
        flag = b.var(name, INT64)
        stage.kept = 0
        stage.before = [Let(name, b.const(0))]
        found = b.word("add", (flag, b.cast(b.or_(low, high), INT64)), INT64)
        stage.inside = [Assign(name, found)]
        again: list[Stmt] = [*(Let(x.name, x.value) for x in scalars.lets), *fails]
        for depth in reversed(range(len(space))):
            again = [For(f"i{depth}", b.size(space[depth]), tuple(again), "serial")]
        stage.after = [If(b.gt(flag, b.const(0)), tuple(again))]
        return stage

    def reduction(self, node: Node, target: Storage) -> list[Stage]:
        """A fold over axes: in registers where these come last, in the result where they do not."""
        (source,) = node.inputs
        shape = source.tensor.shape
        axes = [a for a in node.attrs["axes"] if shape[a] != 1]
        real = [a for a in range(len(shape)) if shape[a] != 1]
        kept = [a for a in real if a not in axes]
        if real == kept + axes or node.op.name not in _IN_PLACE:
            return [self._fold(node, target, kept, axes)]
        last = [a for a in axes if a > kept[-1]]
        if last and guess(product(tuple(shape[a] for a in last))) >= FEW:
            return self._fold_in_two(node, target, last)
        return [self._fold_in_place(node, target, real, kept)]

    def _fold_in_two(self, node: Node, target: Storage, last: list[int]) -> list[Stage]:
        """A fold over the last axes in registers, then one over the others: they share loops."""
        (source,) = node.inputs
        rest = [a for a in range(source.tensor.ndim) if a not in last]
        inner = make_node(node.op, (source,), {**node.attrs, "axes": tuple(last)}, lines=node.lines)
        axes = tuple(k for k, a in enumerate(rest) if a in node.attrs["axes"])
        outer = make_node(node.op, (inner,), {**node.attrs, "axes": axes}, lines=node.lines)
        box = Storage(f"acc{self.namer.next()}", accumulator(node), inner.tensor.shape)
        first = self.reduction(inner, box)
        first[0].private.append(box)
        lookup = self.lookup
        self.lookup = lambda n: box if n is inner else lookup(n)
        try:
            return [*first, *self.reduction(outer, target)]
        finally:
            self.lookup = lookup

    def _fold(self, node: Node, target: Storage, kept: list[int], axes: list[int]) -> Stage:
        b, (source,) = self.b, node.inputs
        shape = source.tensor.shape
        order = kept + axes
        index = self._index_by_order(shape, order)
        number = self.namer.next()
        scalars = self.scalars(number, node)
        value = scalars.value(source, index)
        fold = fold_of(node)
        dtype = accumulator(node)
        start = fold.start(b, dtype)
        names = [f"acc{number}_{k}" for k in range(len(start))]
        state = tuple(b.var(n, s.dtype) for n, s in zip(names, start, strict=True))
        position = self._position(node, shape, len(kept), axes)
        stepped = fold.step(b, state, b.cast(value, dtype), position)
        out_index = self._kept_index(node, shape, order)
        stage = Stage(
            node,
            tuple(shape[a] for a in order),
            len(kept),
            target,
            out_index,
            scalars.lets,
            number=number,
        )
        stage.before = [Let(n, s) for n, s in zip(names, start, strict=True)]
        stage.inside = assign_all(names, stepped, number)
        stage.value = b.cast(fold.finish(b, state), target.dtype)
        stage.after = [Store(target.name, out_index, stage.value)]
        return stage

    def _index_by_order(self, shape: tuple[DimLike, ...], order: list[int]) -> Index:
        depth = {axis: d for d, axis in enumerate(order)}
        b = self.b
        return tuple(
            loop_index(b, depth[a]) if a in depth else b.const(0) for a in range(len(shape))
        )

    def _kept_index(self, node: Node, shape: tuple[DimLike, ...], order: list[int]) -> Index:
        full = self._index_by_order(shape, order)
        return tuple(full[a] for a in range(len(shape)) if a not in node.attrs["axes"])

    def _position(
        self, node: Node, shape: tuple[DimLike, ...], first: int, axes: list[int]
    ) -> Expr:
        """The place along the reduced axes, counted in row-major order."""
        b = self.b
        found = b.const(0)
        for k, axis in enumerate(axes):
            found = b.add(b.mul(found, b.size(shape[axis])), loop_index(b, first + k))
        return found

    def _fold_in_place(
        self, node: Node, target: Storage, real: list[int], kept: list[int]
    ) -> Stage:
        """Accumulators in a buffer, so that memory is read in order: sums over leading axes."""
        b, (source,) = self.b, node.inputs
        shape = source.tensor.shape
        outer = next((d for d, a in enumerate(real) if a not in kept), len(real))
        number = self.namer.next()
        scalars = self.scalars(number, node)
        value = scalars.value(source, self._index_by_order(shape, real))
        fold, dtype = fold_of(node), accumulator(node)
        own = dtype == target.dtype
        box = target if own else Storage(f"acc{number}", dtype, target.shape)
        out_index = self._kept_index(node, shape, real)
        (start,) = fold.start(b, dtype)
        here = b.load(box.name, out_index, dtype)
        (stepped,) = fold.step(b, (here,), b.cast(value, dtype), b.const(0))
        stage = Stage(
            node,
            tuple(shape[a] for a in real),
            outer,
            target,
            out_index,
            scalars.lets,
            number=number,
        )
        inner = [a for a in kept if real.index(a) >= outer]
        stage.before = self._over(inner, shape, real, [Store(box.name, out_index, start)])
        stage.inside = [Store(box.name, out_index, stepped)]
        result = b.cast(fold.finish(b, (here,)), target.dtype)
        if not own or result is not here:
            stage.after = self._over(inner, shape, real, [Store(target.name, out_index, result)])
        stage.private = [] if own else [box]
        return stage

    def _over(
        self, axes: list[int], shape: tuple[DimLike, ...], real: list[int], body: list[Stmt]
    ) -> list[Stmt]:
        for axis in reversed(axes):
            body = [For(f"i{real.index(axis)}", self.b.size(shape[axis]), tuple(body), "vector")]
        return body

    def prefix(self, node: Node, target: Storage) -> list[Stage]:
        """Running folds along one axis; the state lives in a register, or in a row of its own."""
        b, (source,) = self.b, node.inputs
        shape = source.tensor.shape
        axis = node.attrs["axis"]
        real = [a for a in range(len(shape)) if shape[a] != 1 and a != axis]
        order = [*real, axis]  # the axis innermost: the state is a scalar
        number = self.namer.next()
        scalars = self.scalars(number, node)
        index = self._index_by_order(shape, order)
        value = scalars.value(source, index)
        fold, dtype = fold_of(node), accumulator(node)
        (start,) = fold.start(b, dtype)
        name = f"acc{number}_0"
        state = b.var(name, dtype)
        (stepped,) = fold.step(b, (state,), b.cast(value, dtype), b.const(0))
        stage = Stage(
            node,
            tuple(shape[a] for a in order),
            len(order),
            target,
            index,
            scalars.lets,
            number=number,
        )
        stage.kept = len(real)
        stage.before = [Let(name, start)]
        stage.inside = [
            Assign(name, stepped),
            Store(target.name, index, b.cast(state, target.dtype)),
        ]
        stage.sequential = len(real)
        return [stage]

    def pieces(self, node: Node, target: Storage) -> list[Stage]:
        """Each input copied to its place in the result."""
        b = self.b
        accessors = [Accessor(self.scalars(0, node), i) for i in node.inputs]
        assert node.op.element is not None
        found = []
        for k, offsets in node.op.element(b, accessors, node.tensor, node.attrs):
            source = node.inputs[k]
            space, index = loops_of(source.tensor.shape, b)
            number = self.namer.next()
            scalars = self.scalars(number, node)
            index = scalars.broadcast_index(source, index)
            value = scalars.value(source, index)
            at = tuple(b.add(o, i) for o, i in zip(offsets, index, strict=True))
            stage = Stage(
                node, space, len(space), target, at, scalars.lets, value=value, number=number
            )
            stage.inside.append(Store(target.name, at, value))
            found.append(stage)
        return found

    def gather(self, node: Node, target: Storage) -> list[Stage]:
        """A stored gather: its value over its shape (indices are checked by whoever reads it)."""
        return self.point(node, target)

    def scatter(self, node: Node, target: Storage) -> list[Stage]:
        """The base copied, then every value written or combined at its indices, in order."""
        b = self.b
        base, values, *indices = node.inputs
        first = self._filled(node, base, target)
        space, index = loops_of(values.tensor.shape, b)
        number = self.namer.next()
        scalars = self.scalars(number, node)
        value = scalars.value(values, index)
        if node.op.element is not None:  # update_slice: the place is computed, and no two are equal
            accessors = [Accessor(scalars, i) for i in node.inputs]
            at, sequential = node.op.element(b, index, accessors, node.tensor, node.attrs), None
        else:
            at = self._scatter_index(node, scalars, indices, index)
            sequential = None if node.attrs.get("unique", False) else 0
        stage = Stage(
            node,
            space,
            len(space),
            target,
            at,
            scalars.lets,
            number=number,
            alone=True,
            sequential=sequential,
        )
        how = node.attrs["how"]
        combine = "mul" if how == "multiply" else str(how)
        stage.inside.append(
            Store(target.name, at, value)
            if how == "set"
            else Update(target.name, at, combine, value)
        )
        return [first, stage]

    def _filled(self, node: Node, base: Node, target: Storage) -> Stage:
        space, index = loops_of(target.shape, self.b)
        number = self.namer.next()
        scalars = self.scalars(number, node)
        value = scalars.value(base, index)
        stage = Stage(
            node, space, len(space), target, index, scalars.lets, value=value, number=number
        )
        stage.inside.append(Store(target.name, index, value))
        return stage

    def _scatter_index(
        self, node: Node, scalars: Scalars, indices: list[Node], index: Index
    ) -> Index:
        """Where the value at ``index`` goes: gathered axes by index arrays, others as they are."""
        b = self.b
        axes, position = node.attrs["axes"], node.attrs["position"]
        shape = node.inputs[0].tensor.shape
        rank = max((i.tensor.ndim for i in indices), default=0)
        taken = index[position : position + rank]
        rest = iter(index[:position] + index[position + rank :])
        at: list[Expr] = []
        for axis, dim in enumerate(shape):
            if axis in axes:
                source = indices[axes.index(axis)]
                raw = b.cast(scalars.value(source, scalars.broadcast_index(source, taken)), INT64)
                at.append(
                    scalars.let(b.select(b.lt(raw, b.const(0)), b.add(raw, b.size(dim)), raw))
                )
            else:
                at.append(next(rest))
        return tuple(at)


BUILDERS: dict[str, Callable[[StageBuilder, Node, Storage], list[Stage]]] = {
    "reduction": StageBuilder.reduction,
    "prefix": StageBuilder.prefix,
    "pieces": StageBuilder.pieces,
    "scatter": StageBuilder.scatter,
    "gather": StageBuilder.gather,
}
