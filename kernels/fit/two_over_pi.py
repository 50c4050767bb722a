"""Writes symgraph_kernels/twooverpi.py: 2/pi * 2**(32 q) mod 4, each as four floats of 53 bits.

Rows for float64, and more for what double-double with a wide exponent may reach.
"""

from pathlib import Path

import mpmath as mp

mp.mp.prec = 3600
ROWS, MORE = 32, 98
HEAD = '''"""2/pi * 2**(32 q) mod 4 for q = 0, 1, ..., as sums of four float64 each, to 2**-200.

Made by `kernels/fit/two_over_pi.py`. `WIDE` goes to q = 97, for exponents up to 3100.
"""

TWO_OVER_PI = (
'''


def row(q: int) -> list[float]:
    rest = mp.fmod(mp.ldexp(2 / mp.pi, 32 * q), 4)
    parts = []
    for _ in range(4):
        with mp.workprec(53):
            part = float(+rest)
        parts.append(part)
        rest -= mp.mpf(part)
    return parts


if __name__ == "__main__":
    lines = [f"    {', '.join(map(repr, row(q)))},\n" for q in range(MORE)]
    lines.insert(ROWS, ")\n\nWIDE = (\n    *TWO_OVER_PI,\n")
    target = Path(__file__).parents[1] / "symgraph_kernels" / "twooverpi.py"
    target.write_text(HEAD + "".join(lines) + ")\n")
