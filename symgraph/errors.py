"""Every exception of symgraph, in one hierarchy.

Each derives from ``SymgraphError`` and from the builtin that a user expects, so both
``except sg.SymgraphError`` and ``except ValueError`` catch a shape that does not fit.
``message`` lays out the parts of an error in one order: what was asked, the facts, the
user's line, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class SymgraphError(Exception):
    """Base of all errors that symgraph raises on purpose."""


class ShapeError(SymgraphError, ValueError):
    """Shapes or ranks that do not fit together."""


class DTypeError(SymgraphError, TypeError):
    """A dtype that an operation does not take, or a conversion that would lose values."""


class AxisError(SymgraphError, ValueError, IndexError):
    """An axis outside the rank of its array."""


class BoundsError(SymgraphError, IndexError):
    """An index outside the dimension it selects from."""


class SymbolicError(SymgraphError, TypeError):
    """A symbolic variable used where Python needs a value (`if x > 0`, `float(x)`, ...)."""


class MemberError(SymgraphError, AttributeError):
    """A name that a variable or module does not have."""


class ArgumentError(SymgraphError, TypeError, ValueError):
    """Missing, surplus, repeated or malformed arguments."""


class UnusedInputError(SymgraphError, ValueError):
    """An input that no output depends on."""


class MissingInputError(SymgraphError, ValueError):
    """A graph that depends on a variable which is neither an input nor shared."""


class GradientError(SymgraphError, ValueError):
    """A derivative that does not exist: integer or non-scalar costs, ops without a gradient."""


class DisconnectedError(GradientError):
    """A cost that does not depend on a variable it is differentiated by."""


class NumericError(SymgraphError, FloatingPointError):
    """A NaN, an infinity or a false assumption found in debug mode."""


class ConfigError(SymgraphError, AttributeError, ValueError):
    """An unknown setting, or a value that a setting does not take."""


class UnsupportedError(SymgraphError, NotImplementedError):
    """A form that symgraph understands but does not support yet."""


class VerifyError(SymgraphError, AssertionError):
    """An IR that breaks its own rules: a bug of symgraph, or of a plugin."""


class ParseError(SymgraphError, ValueError):
    """Text or a file that is not what it claims to be."""


class DeviceError(SymgraphError, RuntimeError):
    """A device that is not there or cannot do what was asked."""


class CacheWarning(UserWarning):
    """A compiled entry on disk that could not be used; it was compiled again."""


class RewriteWarning(UserWarning):
    """Rewriting that stopped before it was done: rules that go in a circle, or too many steps."""


def message(
    what: str,
    facts: Mapping[str, object] | None = None,
    line: object = None,
    hint: str | None = None,
) -> str:
    """One error text: what was asked, facts as `name: value` lines, the user's line, a hint.

    Facts and the line become text here: reading a line of a file is work.
    """
    parts = [what]
    parts += [f"  {name}: {value}" for name, value in (facts or {}).items()]
    if line:
        parts.append(f"  at {line}")
    if hint:
        parts.append(f"  help: {hint}")
    return "\n".join(parts)


def nearest(name: str, candidates: Sequence[str]) -> str | None:
    """The candidate most like ``name``, or None: for "did you mean"."""
    import difflib

    found = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return found[0] if found else None
