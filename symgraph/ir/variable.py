"""Variables: what users hold. A light handle with a name, a line and operators over a ``Node``.

Operators, methods and NumPy functions look their op up in the registry, so this module knows no
op. ``Operators`` serves the patterns of rewrite rules too. A ``weak`` variable came from a Python
number or a dimension: it takes the dtype of what it meets.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from symgraph.display import mimebundle
from symgraph.errors import ArgumentError, MemberError, SymbolicError, message, nearest
from symgraph.ir.dim import Dim, product, take_ops_from
from symgraph.ir.dtype import DType
from symgraph.ir.node import Node, add_name
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, ORDINARY, find_op
from symgraph.ir.origin import Line, user_line
from symgraph.ir.type import Shape, TensorType

if TYPE_CHECKING:
    from symgraph.ir.dim import DimLike

Operand = Any  # a Variable, a Python number, a NumPy array or scalar, a Dim, a nested list of these

take_ops_from(find_op)  # n / 2 and 0.5 * n are variables


_NO_OPERANDS = (dict, str, type(None))


def _binary(op: str) -> Callable[[Any, Operand], Any]:
    def apply(self: Any, other: Operand) -> Any:
        if type(other) in ORDINARY and type(self) in ORDINARY:  # what calling the op would do
            return find_op(op).front(self, other)
        if isinstance(other, _NO_OPERANDS):
            return NotImplemented
        return find_op(op)(self, other)

    return apply


def _swapped(op: str) -> Callable[[Any, Operand], Any]:
    def apply(self: Any, other: Operand) -> Any:
        if isinstance(other, _NO_OPERANDS):
            return NotImplemented
        return find_op(op)(other, self)

    return apply


def _unary(op: str) -> Callable[[Any], Any]:
    def apply(self: Any) -> Any:
        return find_op(op)(self)

    return apply


class Operators:
    """Python's operators in terms of ops; ``==`` gives a graph, identity is ``is``."""

    __array_priority__: ClassVar[float] = 2000.0

    __add__, __radd__ = _binary("add"), _swapped("add")
    __sub__, __rsub__ = _binary("subtract"), _swapped("subtract")
    __mul__, __rmul__ = _binary("multiply"), _swapped("multiply")
    __truediv__, __rtruediv__ = _binary("divide"), _swapped("divide")
    __floordiv__, __rfloordiv__ = _binary("floor_divide"), _swapped("floor_divide")
    __mod__, __rmod__ = _binary("remainder"), _swapped("remainder")
    __pow__, __rpow__ = _binary("pow"), _swapped("pow")
    __matmul__, __rmatmul__ = _binary("matmul"), _swapped("matmul")
    __and__, __rand__ = _binary("bitwise_and"), _swapped("bitwise_and")
    __or__, __ror__ = _binary("bitwise_or"), _swapped("bitwise_or")
    __xor__, __rxor__ = _binary("bitwise_xor"), _swapped("bitwise_xor")
    __lshift__, __rlshift__ = _binary("bitwise_left_shift"), _swapped("bitwise_left_shift")
    __rshift__, __rrshift__ = _binary("bitwise_right_shift"), _swapped("bitwise_right_shift")
    __lt__, __le__ = _binary("less"), _binary("less_equal")
    __gt__, __ge__ = _binary("greater"), _binary("greater_equal")
    __neg__, __pos__, __abs__ = _unary("negative"), _unary("positive"), _unary("abs")
    __invert__ = _unary("bitwise_invert")


class Variable(Operators):
    """A tensor expression: an input, a constant, shared state, or an op applied to others."""

    waits: ClassVar[bool] = False  # is it made of what is not written yet? (autodiff/deferred.py)

    node: Node
    weak: bool
    line: Line | None

    @property
    def raw(self) -> Node:
        """Its node as far as it is written, which is less than ``node`` where it waits."""
        return self.node

    def over(self, node: Node, line: Line | None) -> Variable:
        """A variable for a node that was made of ``raw`` ones, this one's among them."""
        return Variable(node, line=line)

    def __init__(
        self, node: Node, name: str | None = None, *, weak: bool = False, line: Line | None = None
    ) -> None:
        assert isinstance(node.type, TensorType)
        self.node, self.weak = node, weak
        self._name: str | None = None
        self.line = line or (node.lines[-1] if node.lines else None)
        if name is not None:
            self.name = name

    @property
    def name(self) -> str | None:
        """The user's name of this expression; may be set."""
        return self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value
        if value is not None:
            add_name(self.node, value)

    @property
    def type(self) -> TensorType:
        """dtype and shape."""
        return self.node.tensor

    @property
    def dtype(self) -> DType:
        """Element type."""
        found: TensorType = self.node.type  # type: ignore[assignment]  # seen by ``__init__``
        return found.dtype

    @property
    def shape(self) -> Shape:
        """Dimensions: ints where known, symbolic ``Dim`` otherwise."""
        return self.node.tensor.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.node.tensor.shape)

    @property
    def size(self) -> DimLike:
        """Number of elements: an int or a ``Dim``."""
        return product(self.shape)

    @property
    def T(self) -> Variable:
        """All axes reversed, as in NumPy."""
        return METHODS["T"](self)  # type: ignore[no-any-return]

    @property
    def mT(self) -> Variable:
        """The last two axes swapped."""
        return METHODS["mT"](self)  # type: ignore[no-any-return]

    @property
    def real(self) -> Variable:
        """The real part."""
        return METHODS["real"](self)  # type: ignore[no-any-return]

    @property
    def imag(self) -> Variable:
        """The imaginary part; zeros where it is real."""
        return METHODS["imag"](self)  # type: ignore[no-any-return]

    @property
    def at(self) -> Any:
        """``x.at[idx].set(v)`` and ``.add .multiply .min .max``: a changed copy."""
        return METHODS["at"](self)

    def __getitem__(self, key: Any) -> Variable:
        return METHODS["__getitem__"](self, key)  # type: ignore[no-any-return]

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise SymbolicError(
            _about(
                self,
                "a symbolic variable cannot be changed in place",
                "write x = x.at[idx].set(value)",
            )
        )

    def __eq__(self, other: object) -> Any:
        return (
            NotImplemented
            if isinstance(other, str | type(None) | dict)
            else find_op("equal")(self, other)
        )

    def __ne__(self, other: object) -> Any:
        return (
            NotImplemented
            if isinstance(other, str | type(None) | dict)
            else find_op("not_equal")(self, other)
        )

    def __hash__(self) -> int:
        return hash(self.node)

    def __getattr__(self, name: str) -> Any:
        if name in METHODS and not name.startswith("_"):
            method = METHODS[name]
            return lambda *args, **kwargs: method(self, *args, **kwargs)
        if name.startswith("__"):
            raise AttributeError(name)
        near = nearest(name, list(METHODS))
        hint = f"did you mean {near!r}?" if near else "sg.* has all functions"
        raise MemberError(_about(self, f"a variable has no attribute {name!r}", hint))

    def __bool__(self) -> bool:
        raise SymbolicError(
            _about(
                self,
                "a symbolic variable has no truth value before the function is called",
                "for a choice by value use sg.where(condition, a, b), for lazy branches sg.cond; "
                "for `a < b < c` write (a < b) & (b < c)",
            )
        )

    def _no_value(self) -> NoReturn:
        raise SymbolicError(
            _about(
                self,
                "a symbolic variable is not a number",
                "compile it (sg.function), or evaluate it (x.eval({...})); sg.astype casts",
            )
        )

    def __int__(self) -> int:
        self._no_value()

    def __float__(self) -> float:
        self._no_value()

    def __complex__(self) -> complex:
        self._no_value()

    def __index__(self) -> int:
        self._no_value()

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        raise SymbolicError(
            _about(
                self,
                "a symbolic variable cannot become a NumPy array",
                "compile it with sg.function, or x.eval({input: value}) for a single value; "
                "np.exp(x) and its kin work on variables as they are",
            )
        )

    def __len__(self) -> int:
        if not self.shape:
            raise SymbolicError(_about(self, "a scalar has no length", "index or iterate an array"))
        first = self.shape[0]
        if isinstance(first, Dim):
            raise SymbolicError(
                _about(self, "the length is not known before the call", "use x.shape[0]")
            )
        return first

    def __iter__(self) -> Iterator[Variable]:
        if not self.shape:
            raise SymbolicError(
                _about(self, "cannot iterate over a scalar", "iterate over an array")
            )
        if isinstance(self.shape[0], Dim):
            raise SymbolicError(
                _about(
                    self,
                    "cannot iterate over an axis whose length is not known",
                    "use sg.scan or sg.map over the axis, or give the input a fixed shape",
                )
            )
        return iter([self[i] for i in range(self.shape[0])])

    def __contains__(self, item: object) -> bool:
        raise SymbolicError(_about(self, "`in` needs values", "write sg.any(x == value)"))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = NUMPY_FUNCTIONS.get(ufunc.__name__)
        if kwargs.get("out") is not None or kwargs.get("where", True) is not True:
            raise SymbolicError(
                _about(
                    self,
                    f"np.{ufunc.__name__} with out= or where= on a variable",
                    "use sg.where, and no out=",
                )
            )
        if method == "reduce" and ufunc.__name__ in _REDUCED:
            return NUMPY_FUNCTIONS[_REDUCED[ufunc.__name__]](*inputs, **{"axis": 0} | kwargs)
        if function is None or method != "__call__":
            raise SymbolicError(
                _about(self, f"np.{ufunc.__name__} ({method}) does not take variables", "see sg.*")
            )
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: object, args: Any, kwargs: Any) -> Any:
        # np.trace and np.linalg.trace mean different axes: a name with its module goes first.
        full = f"{func.__module__}.{func.__name__}"
        function = NUMPY_FUNCTIONS.get(full) or NUMPY_FUNCTIONS.get(func.__name__)
        if function is None:
            raise SymbolicError(
                _about(self, f"np.{func.__name__} does not take variables", "see sg.*")
            )
        return function(*args, **kwargs)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        # This module is part of symgraph, which is therefore loaded; importing it here would make
        # the lowest layer depend on the highest.
        return sys.modules["symgraph"]

    def eval(self, values: dict[Variable, Any] | None = None) -> Any:
        """The value for given inputs: compiles a function and calls it once."""
        return METHODS["eval"](self, values or {})

    def __repr__(self) -> str:
        return f"<{self.name or self.node.op.name}: {self.type}>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return mimebundle(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.node, self.name, self.weak)


ORDINARY.add(Variable)


HANDLES: dict[str, type[Variable]] = {}
"""The class of the handle on a leaf that has one of its own (``shared``), by the name of its op."""


def handle(node: Node, name: str | None = None, *, weak: bool = False) -> Variable:
    """A variable for a node, of the class that its op has."""
    return HANDLES.get(node.op.name, Variable)(node, name, weak=weak)


_REDUCED = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}


def _restored(node: Node, name: str | None, weak: bool) -> Variable:
    return Variable(node, name, weak=weak)


def _about(variable: Variable, what: str, hint: str) -> str:
    line = user_line()
    facts = {variable.name or variable.node.op.name: variable.type}
    made = variable.line
    if made is not None and made != line:
        facts["made at"] = made  # type: ignore[assignment]
    return message(what, facts, str(line) if line else None, hint)


def describe(variable: Variable, what: str, hint: str = "") -> str:
    """An error text about a variable: its name, type, where it was made, what to do."""
    return _about(variable, what, hint)


def node_of(variable: object) -> Node:
    """The node of a variable; ArgumentError for anything else."""
    if isinstance(variable, Variable):
        return variable.node
    raise ArgumentError(
        message(
            f"{variable!r} is not a symbolic variable", hint="make one with sg.tensor or sg.asarray"
        )
    )
