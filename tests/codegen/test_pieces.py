"""Programs compiled in pieces, side by side, are the programs that they are in one piece."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen import ahead, objects
from symgraph.codegen.artefact import Artefact, load
from symgraph.codegen.link import link, links
from symgraph.codegen.llvm_pieces import Piece, pieces
from symgraph.codegen.llvm_program import ProgramText, program_text
from symgraph.compile import run_stages
from symgraph.errors import ParseError
from symgraph.ir.graph import toposort
from symgraph.loop.ir import Program
from symgraph.lower.program import is_leaf_argument, lower
from symgraph.mode import Mode
from symgraph.trace.record import Record
from tests.loop.examples import execute_compiled

pytestmark = pytest.mark.skipif(not links(), reason="objects are linked on Linux and x86-64 only")


def network(layers: int) -> sg.Function:
    x = sg.tensor("x", shape=(8, 16))
    weights = [sg.tensor(f"w{k}", shape=(16, 16)) for k in range(layers)]
    h = x
    for w in weights:
        h = sg.tanh(h @ w) * h - h
    loss = sg.logsumexp(h - x)
    return sg.function([x, *weights], [loss, *sg.grad(loss, weights)])


def program(f: sg.Function) -> Program:
    outputs = run_stages(f.graph.outputs, Mode(), Record())
    leaves = [n for n in toposort(outputs) if is_leaf_argument(n)]
    return lower(leaves, outputs).program


def made(text: ProgramText, parts: Sequence[Piece] | str) -> Artefact:
    flags = {"gives_up": text.gives_up, "stacked": text.stacked}
    return objects.optimize(parts, text.needs, **flags)


@pytest.mark.parametrize(("layers", "plain"), [(3, 0), (16, 1)])
def test_pieces_give_the_same_bits(layers: int, plain: int) -> None:
    known = program(network(layers))
    text = program_text(known)
    parts = pieces(text.module, 3)
    assert len(parts) == 3 + plain
    assert sum(part.plain for part in parts) == plain
    rng = np.random.default_rng(0)
    shapes = [tuple(int(d.value.real) for d in spec.shape) for spec in known.inputs]
    args = [rng.normal(size=shape) for shape in shapes]
    status, one = execute_compiled(load(made(text, text.assembly)), known, args, ())
    again, several = execute_compiled(load(made(text, parts)), known, args, ())
    assert status == again
    for x, y in zip(one, several, strict=True):
        assert x.tobytes() == y.tobytes()
    assert all(np.isfinite(x).all() for x in one)


def found(pattern: str, parts: Sequence[Piece]) -> list[str]:
    return [name for part in parts for name in re.findall(pattern, part.text, re.MULTILINE)]


def test_every_function_of_a_program_is_in_one_piece() -> None:
    text = program_text(program(network(16)))
    parts = pieces(text.module, 3)
    own = found(r'^define[^@]*@"((?:kernel|part|body)\.[^"]+)"', parts)
    assert len(own) == len(set(own)) == len(text.module.functions)
    counters = found(r"^@(sg\.code\S+) = global", parts)
    assert counters
    assert sorted(counters) == sorted(made(text, parts).counters) == sorted(set(counters))


def test_a_short_program_is_one_piece() -> None:
    x = sg.tensor("x", shape=(5,))
    text = program_text(program(sg.function([x], sg.exp(x))))
    (only,) = pieces(text.module, 4)
    assert not only.exports
    assert not only.imports


_CALLS = """
@shared = external global i64
declare hidden i64 @twice(i64)
define i64 @run(i64 %x) {
  %a = call i64 @twice(i64 %x)
  %b = load i64, ptr @shared
  %c = add i64 %a, %b
  ret i64 %c
}
"""
_DEFINES = """
@shared = global i64 5
define hidden i64 @twice(i64 %x) {
  %a = add i64 %x, %x
  ret i64 %a
}
"""


def _object(text: str) -> bytes:
    import llvmlite.binding as llvm

    from symgraph.codegen.target import machine

    found: bytes = machine().emit_object(llvm.parse_assembly(text, llvm.create_context()))
    return found


def test_objects_find_what_another_defines() -> None:
    from symgraph.codegen.loader import library

    image = link(_object(_CALLS), _object(_DEFINES))
    assert image.exports.keys() == {"run", "shared"}
    assert not image.imports
    code = library(image.to_bytes(), ["run"])
    run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address["run"])
    assert run(21) == 47


def test_a_name_is_defined_once() -> None:
    with pytest.raises(ParseError, match="a name is defined twice"):
        link(_object(_DEFINES), _object(_DEFINES))


def test_what_a_thread_raises_is_raised_by_who_waits() -> None:
    def fail() -> int:
        raise KeyError("lost")

    assert ahead.side_by_side([lambda: 1, lambda: 2]) == [1, 2]
    with pytest.raises(KeyError, match="lost"):
        ahead.side_by_side([fail, lambda: 2])
