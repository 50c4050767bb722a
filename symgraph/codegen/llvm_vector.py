"""What LLVM is told about loops so that it widens them well, as metadata.

A loop whose arithmetic is in float32 and whose sums are in float64 gets as many lanes as float32
has: LLVM would take the lanes of the widest type and leave half of each register empty. A short
loop whose extent is no multiple of the lanes is done with masks. Loops that are not short are not
unrolled further: the vectorizer has already interleaved them.

Where LLVM cannot follow a width it writes a remark to the standard error, and nothing stops it: so
a width is given only to loops of which ``_is_plain`` is sure.
"""

from __future__ import annotations

from symgraph.codegen.llvm_text import Module
from symgraph.codegen.target import vector_bytes
from symgraph.loop.ir import (
    Assign,
    Cast,
    Const,
    Expr,
    Fail,
    For,
    If,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    Update,
    Var,
    While,
    Word,
)
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, postorder, statements
from symgraph.loop.words import WORDS
from symgraph.records import dataclass
from symgraph_kernels.table import ROWS

TINY = 16  # turns: below, LLVM itself gives a vector idle lanes rather than leave turns over
SHORT = 32  # turns: up to there unrolling makes a loop disappear
# (most instructions of a body, vectors a turn): chains of dependent operations wait for each other
INTERLEAVED = ((60, 4), (160, 2))
SHORT_BODY = 8  # instructions
MOST_TWICE = 64  # statements of a body that is written twice, for vectors and for what they leave
_TIME = {4: 1.0, 2: 1.25, 1: 1.6}  # of a vector, where so many overlap
_PIECE = 2.0  # vectors that could be done while a loop begins and its sums are joined
SUMMED = 8  # registers for sums; a loop of more takes no more vectors a turn than it needs
MOST_SUMMED = 16  # registers for sums of two vectors: what they are made of wants the others
MOST_ROWS = 128  # of a block of short rows (lower/lanes)
FEW = 3  # vectors: so many and what is left over are written out
MASKED = 6  # vectors: a loop of fewer has no scalar turns at its end but a mask
FUNCTION = 20  # instructions of an elementary function, about
MOST_STRIDED = 4  # float operations of a loop that is worth no gather
_ONE_VECTOR = '!"llvm.loop.interleave.count", i32 1'
_VECTORS = '!"llvm.loop.vectorize.enable", i1 true'
_EIGHT_TURNS = '!"llvm.loop.unroll.count", i32 8'
_FOLDS = frozenset(["add", "mul", "minimum", "maximum"])
_UPDATES = frozenset(["add", "mul"])
LONG = frozenset(["gamma", "gammaln", "digamma", "trigamma", "erfinv", "ndtri"])
_SCALAR = frozenset(["floordiv", "mod", "pow", "nextafter", "fmin", "fmax", "mulhi"])


@dataclass(frozen=True, slots=True)
class Piece:
    """Turns of a loop that are widened in one way: to below ``last``, and the metadata."""

    last: int | None  # None: to the end
    note: str


def pieces(loop: For, module: Module, is_inlined: bool) -> tuple[Piece, ...]:
    """How an innermost loop of independent turns is widened: its turns in order.

    ``is_inlined``: are elementary functions written out, and not called? Turns that are left over
    by whole vectors are done with masks, and not one by one.
    """
    inner = list(statements(loop.body))
    if any(isinstance(s, For | While) for s in inner):
        return (Piece(None, ""),)
    roots = [x for s in inner for x in expressions(s)]
    if _is_strided(loop, inner, roots) or _is_picked(inner, roots):
        note = module.loop_note('!"llvm.loop.vectorize.enable", i1 false', _EIGHT_TURNS)
        return (Piece(None, note),)
    turns = int(loop.extent.value.real) if isinstance(loop.extent, Const) else None
    lanes = _lanes(roots)
    may_set = is_inlined and loop.kind == "vector" and _is_plain(loop, inner, roots)
    calls_slow = _calls_slow(roots)
    made = _Note(module, lanes)
    if turns is not None and turns < TINY and turns % lanes and calls_slow:
        # idle lanes would be computed slowly, whatever they hold
        return (Piece(None, made.whole() if may_set and turns >= lanes else made.scalar()),)
    if may_set and turns is not None and _is_short(turns, lanes, inner, roots):
        # the mask of a single vector is a number; sums of few columns stay in registers while rows
        # go by, but not where they are masked
        rest = "" if _is_added_up(inner) else made.masked()
        whole = made.vectors(turns // lanes, True)
        return (Piece(turns - turns % lanes, whole), Piece(None, rest))
    if may_set and turns is not None and _is_masked(turns, lanes, roots):
        return (Piece(None, made.masked()),)
    if may_set and turns is None and _has_bound(loop.extent) and not calls_slow:
        return (Piece(None, made.masked()),)
    is_several = may_set and turns is not None and turns > FEW * lanes and not _is_added_up(inner)
    if turns is None or turns > SHORT or is_several or (turns >= lanes and turns % lanes == 0):
        # whole vectors: unrolled first, their turns would stay scalar, or rows become lanes, which
        # LLVM scatters
        count = _interleave(inner, roots)
        if turns is not None:
            count = _fitting(count, turns, lanes)
        is_set = may_set and _is_mixed(roots)
        done = 0 if turns is None else turns - turns % (lanes * count)
        is_long = len(inner) > MOST_TWICE
        is_whole = not (turns and 0 < done < turns) or not _is_floating(loop, inner, roots)
        if turns is None or not may_set or calls_slow or is_long or is_whole:
            return (Piece(None, made.vectors(count, is_set)),)
        rest = made.whole() if (turns - done) % lanes == 0 else made.masked()
        return (Piece(done, made.vectors(count, is_set)), Piece(None, rest))
    return (Piece(None, ""),)


@dataclass(frozen=True, slots=True)
class _Note:
    """Metadata of a loop of so many lanes."""

    module: Module
    lanes: int

    def vectors(self, count: int, is_set: bool) -> str:
        """So many vectors a turn; of LLVM's own width unless ``is_set``."""
        return self._made(f'!"llvm.loop.interleave.count", i32 {count}', *self._width(is_set))

    def masked(self) -> str:
        """One vector a turn, the last with idle lanes."""
        more = '!"llvm.loop.vectorize.predicate.enable", i1 true'
        return self._made(*self._width(True), more, _ONE_VECTOR)

    def whole(self) -> str:
        """One vector a turn, the turns that are left one by one."""
        no_mask = '!"llvm.loop.vectorize.predicate.enable", i1 false'
        return self._made(_VECTORS, *self._width(True), no_mask, _ONE_VECTOR)

    def scalar(self) -> str:
        """No vectors."""
        return self._made('!"llvm.loop.vectorize.enable", i1 false')

    def _width(self, is_set: bool) -> tuple[str, ...]:
        return (f'!"llvm.loop.vectorize.width", i32 {self.lanes}',) if is_set else ()

    def _made(self, *facts: str) -> str:
        return self.module.loop_note('!"llvm.loop.unroll.disable"', *facts)


def serial_note(loop: For, module: Module) -> str:
    """The metadata of a loop that holds loops: what LLVM's own guesses would spoil, or nothing.

    A loop around a long one is not unrolled: its copies would be large. A loop that
    copies rows to columns or back stays as it is: LLVM would gather and scatter, which is slower.
    """
    inner = [s for s in loop.body if isinstance(s, For)]
    if any(_is_long(s) for s in inner):
        return module.loop_note('!"llvm.loop.unroll.disable"')
    if len(inner) == 1 and len(inner[0].body) == 1 and inner[0].kind == "serial":
        (copied,) = inner[0].body
        if isinstance(copied, Store) and isinstance(copied.value, Load):
            return module.loop_note(
                '!"llvm.loop.vectorize.enable", i1 false', '!"llvm.loop.unroll.disable"'
            )
    return ""


def _is_long(loop: For) -> bool:
    if not isinstance(loop.extent, Const):
        return True
    return loop.kind == "vector" and int(loop.extent.value.real) > SHORT


def _is_strided(loop: For, inner: list[Stmt], roots: list[Expr]) -> bool:
    """Does a loop of next to no arithmetic read a column? LLVM would gather, which is slower."""
    nodes = list(postorder(*roots))
    columns = [
        x
        for x in nodes
        if isinstance(x, Load)
        and _mentions(x.index[:-1], loop.var, inner)
        and not _mentions(x.index[-1:], loop.var, inner)
    ]
    if not columns or _are_neighbours(columns):
        return False
    return _arithmetic(nodes) <= MOST_STRIDED


def _is_picked(inner: list[Stmt], roots: list[Expr]) -> bool:
    """Does a loop of next to no arithmetic read at places that it has read itself?"""
    values = {s.name: s.value for s in inner if isinstance(s, Let)}
    nodes = list(postorder(*roots))
    if _arithmetic(nodes) > MOST_STRIDED or any(isinstance(s, Assign) for s in inner):
        return False
    wanted = [i for x in nodes if isinstance(x, Load) for i in x.index]
    seen = set[str]()
    while wanted:
        for x in postorder(wanted.pop()):
            if isinstance(x, Load):
                return True
            if isinstance(x, Var) and x.name in values and x.name not in seen:
                seen.add(x.name)
                wanted.append(values[x.name])
    return False


def _arithmetic(nodes: list[Expr]) -> int:
    """Instructions on floats."""
    return sum(_weight(x) for x in nodes if isinstance(x, Word) and x.dtype.kind == "f")


def _are_neighbours(columns: list[Load]) -> bool:
    """Are columns side by side all read, so that whole vectors are, and taken apart?"""
    places: dict[tuple[str, ...], set[int]] = {}
    for x in columns:
        if not isinstance(x.index[-1], Const):
            return False
        key = x.buffer, *map(show_expr, x.index[:-1])
        places.setdefault(key, set()).add(int(x.index[-1].value.real))
    return all(len(found) > 1 and found == set(range(len(found))) for found in places.values())


def _has_bound(extent: Expr) -> bool:
    """Are the turns at most as many as a block's rows? Chunks of long loops want no masks."""
    if not isinstance(extent, Word) or extent.name != "minimum" or vector_bytes() < 64:
        return False
    return any(isinstance(x, Const) and x.value.real <= MOST_ROWS for x in extent.args)


def _lanes(roots: list[Expr]) -> int:
    """The lanes of the narrowest float that is computed with."""
    words = [x for x in postorder(*roots) if isinstance(x, Word) and x.dtype.kind == "f"]
    return vector_bytes() // min((x.dtype.itemsize for x in words), default=8)


def _is_masked(turns: int, lanes: int, roots: list[Expr]) -> bool:
    """Are a few vectors with idle lanes better than the turns that are left, one by one?"""
    if _calls_slow(roots):
        return False
    if turns % lanes < 2 or not lanes // 2 < turns < MASKED * lanes:
        return False
    return turns < FEW * lanes or not _is_cheap(roots)


def _is_short(turns: int, lanes: int, inner: list[Stmt], roots: list[Expr]) -> bool:
    """Is a loop of a few vectors and a part of one so cheap that masks would take as long?"""
    if not lanes < turns < FEW * lanes or not turns % lanes:
        return False
    return _is_added_up(inner) or (_is_masked(turns, lanes, roots) and _is_cheap(roots))


def _is_cheap(roots: list[Expr]) -> bool:
    return sum(_weight(x) for x in postorder(*roots)) < FUNCTION


def _is_added_up(inner: list[Stmt]) -> bool:
    """Is each store the sum of an element and something else?"""
    stores = [s for s in inner if isinstance(s, Store)]
    return bool(stores) and all(
        isinstance(s.value, Word)
        and s.value.name == "add"
        and any(
            isinstance(x, Load) and x.buffer == s.buffer and _is_same(x.index, s.index)
            for x in s.value.args
        )
        for s in stores
    )


def _calls_slow(roots: list[Expr]) -> bool:
    """Is there a word that is a function of the kernel, as guards have?"""
    return any(isinstance(x, Word) and x.name not in WORDS for x in postorder(*roots))


def _is_floating(loop: For, inner: list[Stmt], roots: list[Expr]) -> bool:
    """Does a loop compute and add up floats, and go along rows? Lanes of others are for LLVM.

    Neighbours that are read in one turn are kept for the next, which is no code for masks.
    """
    folds = [s.value for s in inner if isinstance(s, Assign)]
    nodes = list(postorder(*roots))
    computed = any(isinstance(x, Word) and x.dtype.kind == "f" for x in nodes)
    places = [x.index for x in nodes if isinstance(x, Load)]
    places += [s.index for s in inner if isinstance(s, Store | Update)]
    along = not any(_mentions(index[:-1], loop.var, inner) for index in places)
    ends = {(x.buffer, show_expr(x.index[-1])) for x in nodes if isinstance(x, Load) and x.index}
    alone = len(ends) == len({buffer for buffer, _ in ends})
    return computed and along and alone and all(x.dtype.kind == "f" for x in folds)


def _fitting(most: int, turns: int, lanes: int) -> int:
    """How many vectors a turn takes so that few are left, which take longer one by one."""
    vectors = max(1, turns // lanes)

    def time(count: int) -> float:
        left = -(-(turns % (lanes * count)) // lanes)
        return (vectors - vectors % count) * _TIME[count] + (left and left * _TIME[1] + _PIECE)

    return min((c for c in _TIME if c <= min(most, vectors)), key=time)


def _interleave(inner: list[Stmt], roots: list[Expr]) -> int:
    """How many vectors a turn takes: more of short bodies, whose operations wait for each other.

    A sum takes a register for each vector, and two where it is wider than what is added.
    """
    size = sum(_weight(x) for x in postorder(*roots))
    count = next((count for most, count in INTERLEAVED if size <= most), 1)
    sums = [s for s in inner if isinstance(s, Assign)]
    if size <= SHORT_BODY:
        return count
    wide = sum(2 if s.value.dtype.itemsize > 4 and _is_mixed(roots) else 1 for s in sums)
    while count > 1 and count * wide > (SUMMED if count > 2 else MOST_SUMMED):
        count //= 2
    return count


def _weight(x: Expr) -> int:
    if not isinstance(x, Word):
        return 0
    if x.name in LONG:
        return 4 * FUNCTION
    return FUNCTION if x.name in ROWS else 1


def _is_mixed(roots: list[Expr]) -> bool:
    """Is there arithmetic in float32, and a float64 that it is converted to?"""
    narrow = wide = False
    for node in postorder(*roots):
        if isinstance(node, Word):
            narrow |= node.dtype.kind == "f" and node.dtype.itemsize == 4
        elif isinstance(node, Cast):
            wide |= node.dtype.kind == "f" and node.dtype.itemsize == 8
    return narrow and wide


def _is_plain(loop: For, inner: list[Stmt], roots: list[Expr]) -> bool:
    """Is the vectorizer certain to widen the loop?

    Straight code of real words; each sum a local that nothing else mentions; each element stored
    once, at a place of its own turn, in memory that is read at that place at most.
    """
    if any(isinstance(s, If | Fail | Local) for s in inner):
        return False
    nodes = list(postorder(*roots))
    if any(x.dtype.kind == "c" or not _is_vector_word(x) for x in nodes):
        return False
    stores = [s for s in inner if isinstance(s, Store | Update)]
    written = {s.buffer: s.index for s in stores}
    again = [x for x in nodes if isinstance(x, Load) and x.buffer in written]
    if len(written) < len(stores) or not all(_is_same(x.index, written[x.buffer]) for x in again):
        return False
    if any(isinstance(s, Update) and s.op not in _UPDATES for s in stores):
        return False
    if not all(_mentions(s.index, loop.var, inner) for s in stores):
        return False
    return all(_is_fold(s, inner) for s in inner if isinstance(s, Assign))


def _is_same(index: tuple[Expr, ...], other: tuple[Expr, ...]) -> bool:
    return all(show_expr(x) == show_expr(y) for x, y in zip(index, other, strict=True))


def _is_vector_word(x: Expr) -> bool:
    return not isinstance(x, Word) or (x.name in WORDS and x.name not in _SCALAR)


def _mentions(index: tuple[Expr, ...], name: str, inner: list[Stmt]) -> bool:
    """Does an index depend on a variable, by locals too?"""
    values = {s.name: s.value for s in inner if isinstance(s, Let)}
    seen, wanted = set[str](), [index]
    while wanted:
        for x in postorder(*wanted.pop()):
            if isinstance(x, Var) and x.name == name:
                return True
            if isinstance(x, Var) and x.name in values and x.name not in seen:
                seen.add(x.name)
                wanted.append((values[x.name],))
    return False


def _is_fold(s: Assign, inner: list[Stmt]) -> bool:
    """Is it ``s = s op e``, of a local that nothing else in the loop mentions?"""
    x = s.value
    if not isinstance(x, Word) or x.name not in _FOLDS or x.dtype.kind not in "fiu":
        return False
    mentions = [
        node
        for t in inner
        for node in postorder(*expressions(t))
        if isinstance(node, Var) and node.name == s.name
    ]
    own = any(isinstance(t, Let) and t.name == s.name for t in inner)
    again = sum(isinstance(t, Assign) and t.name == s.name for t in inner) > 1
    first = x.args[0]
    is_first = isinstance(first, Var) and first.name == s.name
    return is_first and len(mentions) == 1 and not own and not again
