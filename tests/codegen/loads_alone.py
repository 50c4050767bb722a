"""Run as a script in a fresh process: loads an artefact and calls it, without a compiler."""

from __future__ import annotations

import sys
from pathlib import Path


def main(path: str, root: str) -> None:
    """Prints the answer of the softmax example's artefact for one small input."""
    sys.path[:0] = [root, str(Path(root) / "kernels")]
    import numpy as np

    from symgraph.codegen.artefact import Artefact, load

    loaded = load(Artefact.from_bytes(Path(path).read_bytes()))
    x, y, s = np.log([[1.0, 2.0, 5.0]]), np.zeros((1, 3)), np.zeros(1)
    code, _ = loaded.call([a.ctypes.data for a in (x, y, s)], [1, 3])
    loaded.close()
    heavy = sorted(m for m in ("numba", "scipy", "llvmlite") if m in sys.modules)
    print(code, [round(float(v), 12) for v in y[0]], heavy)


if __name__ == "__main__":
    main(*sys.argv[1:])
