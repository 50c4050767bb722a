"""Every elementwise row through the numba backend, in every dtype it takes, specials included."""

import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.dtype import ALL
from tests.tables.elementwise import ROWS, accepted, apply, draw, ulps

BATCH = 14  # rows compiled as one function: compiling is what takes the time
COUNT = 24


def _batches():
    for dtype in ALL:
        rows = [op for op in ROWS.values() if accepted(op, dtype)]
        for start in range(0, len(rows), BATCH):
            yield pytest.param(dtype, rows[start : start + BATCH], id=f"{dtype}-{start // BATCH}")


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "rows"), list(_batches()))
def test_rows_compiled_mean_what_their_references_mean(dtype, rows, rng):
    arrays = [draw(op, rng, COUNT, dtype, specials=True) for op in rows]
    variables = [
        [sg.tensor(shape=(f"n{k}",), dtype=x.dtype) for x in a] for k, a in enumerate(arrays)
    ]
    results = [apply(op, xs) for op, xs in zip(rows, variables, strict=True)]
    inputs = [x for xs in variables for x in xs]
    values = [v for a in arrays for v in a]
    plain = sg.function(inputs, results, mode=sg.Mode(accuracy="as-written"))(*values)
    meant = sg.function(inputs, results, mode=sg.Mode(accuracy="as-written", backend="interp"))
    wrong = []
    for op, got, want in zip(rows, plain, meant(*values), strict=True):
        error = np.max(ulps(got, want), initial=0.0)
        # two computations, each within the row's ulp; complex pow: its error grows as |y log x|
        most = 64 if (op.name, dtype.kind) == ("pow", "c") else 2 * max(op.ulp, 1.0)
        if error > most:
            wrong.append((op.name, float(error)))
    assert not wrong
