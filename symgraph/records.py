"""``dataclass`` as the standard library has it, with slots, made in a tenth of the time.

Python's own compiles six methods for every class: 0.4 ms, and a process that compiles a function
makes 140 classes. Here ``__init__``, ``__eq__`` and ``__hash__`` are made when first called, most
as copies of code that came with ``record_forms``; others are closures over the names of the fields.
Meanings, options and errors are the standard library's, whose ``replace``, ``fields`` and
``asdict`` take these classes too. Not here: fields of base classes, ``order``, ``kw_only``,
``InitVar``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from reprlib import recursive_repr
from types import FunctionType
from typing import Any, Literal, TypeVar, dataclass_transform  # fields hold values of any type

from symgraph.record_forms import EQ, HASH, INIT

_Class = TypeVar("_Class", bound=type)
_MISSING: Any = object()
_FIELDS = "__dataclass_fields__"
_FILLED = 4  # instances of a class that are filled in field by field
_PLACES = tuple(f"f{k}" for k in range(len(INIT)))  # fields in forms


class Field:
    """What a class says of one field."""

    __slots__ = ("compare", "default", "factory", "init", "name", "repr", "type")

    def __init__(self, default: Any, factory: Any, init: bool, shown: bool, compare: bool) -> None:
        self.default, self.factory = default, factory
        self.init, self.repr, self.compare = init, shown, compare
        self.name, self.type = "", ""


def field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    init: bool = True,
    repr: bool = True,
    compare: bool = True,
) -> Any:
    """A field with a default that is made for each instance, or one that some method leaves out."""
    return Field(default, default_factory, init, repr, compare)


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *, slots: Literal[True], frozen: bool = False, eq: bool = True
) -> Callable[[_Class], _Class]:
    """A decorator: fields from annotations; ``__init__``, ``__repr__``, ``__eq__``, ``__hash__``.

    ``frozen``: setting a field is an error.    ``eq``: equal by fields, and hashed so if frozen.
    """
    return lambda cls: _made(cls, frozen, eq)


def _made(cls: Any, frozen: bool, eq: bool) -> Any:
    if any(hasattr(base, _FIELDS) for base in cls.__bases__):
        raise TypeError(f"{cls.__name__}: fields are not inherited")
    own = dict(cls.__dict__)
    fields = _fields(own)
    names = tuple(f.name for f in fields)
    for name in (*names, "__dict__", "__weakref__"):
        own.pop(name, None)
    if own.get("__hash__", _MISSING) is None:
        del own["__hash__"]  # a class with an ``__eq__`` has it unless it says otherwise
    methods: dict[str, Any] = {"__repr__": _repr(fields)}
    if eq:
        methods |= {"__eq__": None, "__hash__": None}
    if frozen:
        methods |= {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}
        methods |= _pickling(names)
    late = {"__init__"} | ({"__eq__"} if eq else set()) | ({"__hash__"} if eq and frozen else set())
    late -= own.keys()
    own = methods | own | {"__slots__": names, _FIELDS: _Described(fields)}
    own["__match_args__"] = tuple(f.name for f in fields if f.init)
    made = type(cls)(cls.__name__, cls.__bases__, own)
    made.__qualname__ = cls.__qualname__
    for name in late:
        setattr(made, name, _compiled_at_first(made, name, fields))
    if "__init__" in late and not _is_plain(made, fields):
        made.__init__ = _filled_at_first(made, fields)
    return made


def _fields(own: dict[str, Any]) -> list[Field]:
    found = []
    for name, annotation in own.get("__annotations__", {}).items():
        value = own.get(name, _MISSING)
        one: Field = value if isinstance(value, Field) else field(default=value)
        if isinstance(one.default, list | dict | set):
            raise TypeError(f"{name}: all instances would share this default; use default_factory")
        one.name, one.type = name, annotation
        found.append(one)
    return found


# ---------------------------------------------------------------- methods


def _compiled_at_first(cls: Any, name: str, fields: Sequence[Field]) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = _MAKERS[name](cls, fields)
        made.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, made)
        return made(self, *args, **kwargs)

    return method


def _filled_at_first(cls: Any, fields: Sequence[Field]) -> Any:
    """An ``__init__`` that fills in the first instances itself: compiling one takes 100 us.

    What it cannot fill in is left to the compiled one, for its errors to be Python's own.
    """
    compiled = _compiled_at_first(cls, "__init__", fields)
    left = _FILLED

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        values = _values(fields, args, kwargs) if left >= 0 else None
        if values is None:
            return compiled(self, *args, **kwargs)
        for name, value in values.items():
            cls.__dict__[name].__set__(self, value)
        if hasattr(cls, "__post_init__"):
            self.__post_init__()
        return None

    return method


def _values(
    fields: Sequence[Field], args: Sequence[Any], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """The values of fields for these arguments; None where the arguments are wrong."""
    names = [f.name for f in fields if f.init]
    values = dict(zip(names, args, strict=False)) | kwargs
    if len(values) < len(args) + len(kwargs) or not values.keys() <= set(names):
        return None
    for f in fields:
        if f.name not in values:
            if f.factory is not _MISSING:
                values[f.name] = f.factory()
            elif f.default is not _MISSING:
                values[f.name] = f.default
            elif f.init:
                return None
    return values


def _is_plain(cls: Any, fields: Sequence[Field]) -> bool:
    """Whether ``__init__`` is a copy of a form."""
    firsts = len(fields) - sum(f.default is not _MISSING for f in fields)
    plain = all(f.init and f.factory is _MISSING for f in fields)
    plain = plain and all(f.default is _MISSING for f in fields[:firsts])
    return plain and 0 < len(fields) <= len(INIT) and not hasattr(cls, "__post_init__")


def _init(cls: Any, fields: Sequence[Field]) -> Any:
    """A copy of a form where fields are plain, compiled where they are not.

    Slots are set through their descriptors, which frozen classes have too.
    """
    names: dict[str, Any] = {"__name__": cls.__module__, "missing": _MISSING}
    for k, f in enumerate(fields):
        names[f"set_{k}"] = cls.__dict__[f.name].__set__
        names[f"default_{k}"], names[f"factory_{k}"] = f.default, f.factory
    if _is_plain(cls, fields):
        defaults = tuple(f.default for f in fields if f.default is not _MISSING)
        parameters = ("self", *(f.name for f in fields))
        code = INIT[len(fields) - 1].__code__.replace(co_varnames=parameters)
        return FunctionType(code, names, "__init__", defaults)
    exec(_init_source(cls, fields), names)
    return names["__init__"]


def _init_source(cls: Any, fields: Sequence[Field]) -> str:
    head, body = ["self"], []
    for k, f in enumerate(fields):
        value = f.name if f.init else f"default_{k}"
        if f.factory is not _MISSING:
            made = f"factory_{k}()"
            value = f"{made} if {f.name} is missing else {f.name}" if f.init else made
        if f.init:
            plain = f.default is _MISSING and f.factory is _MISSING
            head.append(f.name if plain else f"{f.name}=default_{k}")
        if f.init or f.factory is not _MISSING or f.default is not _MISSING:
            body.append(f" set_{k}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    return f"def __init__({', '.join(head)}):\n" + "\n".join(body or [" pass"])


def _eq(cls: Any, fields: Sequence[Field]) -> Any:
    left, right = _compared("self", fields), _compared("other", fields)
    return _over_fields(
        EQ,
        cls,
        fields,
        f"""def form(self, other):
    return {left} == {right} if other.__class__ is self.__class__ else NotImplemented""",
    )


def _hash(cls: Any, fields: Sequence[Field]) -> Any:
    text = f"def form(self):\n    return hash({_compared('self', fields)})"
    return _over_fields(HASH, cls, fields, text)


def _over_fields(forms: Sequence[Any], cls: Any, fields: Sequence[Field], source: str) -> Any:
    """A copy of the form for as many fields as are compared; beyond the forms, compiled source."""
    compared = [f.name for f in fields if f.compare]
    names: dict[str, Any] = {"__name__": cls.__module__}
    if not 0 < len(compared) <= len(forms):
        exec(source, names)
        return names["form"]
    code = forms[len(compared) - 1].__code__
    real = dict(zip(_PLACES, compared, strict=False))
    code = code.replace(co_names=tuple(real.get(n, n) for n in code.co_names))
    return FunctionType(code, names, code.co_name)


def _compared(name: str, fields: Sequence[Field]) -> str:
    return "(" + "".join(f"{name}.{f.name}, " for f in fields if f.compare) + ")"


_MAKERS = {"__init__": _init, "__eq__": _eq, "__hash__": _hash}


def _repr(fields: Sequence[Field]) -> Any:
    names = tuple(f.name for f in fields if f.repr)

    @recursive_repr()
    def __repr__(self: Any) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({inside})"

    return __repr__


def _refuse_set(self: Any, name: str, value: Any) -> None:
    _refuse(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    _refuse(f"cannot delete field {name!r}")


def _refuse(what: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(what)


def _pickling(names: tuple[str, ...]) -> dict[str, Any]:
    """Python's own way to restore slots sets them one by one, which frozen classes refuse."""

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, values: Sequence[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": __getstate__, "__setstate__": __setstate__}


class _Described:
    """What the standard library's functions on dataclasses look for, made when they do."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._made: dict[str, Any] | None = None

    def __get__(self, instance: object, owner: type) -> dict[str, Any]:
        if self._made is None:
            self._made = {f.name: _described(f) for f in self._fields}
        return self._made


def _described(f: Field) -> Any:
    import dataclasses

    options: dict[str, Any] = {"init": f.init, "repr": f.repr, "compare": f.compare}
    if f.default is not _MISSING:
        options["default"] = f.default
    if f.factory is not _MISSING:
        options["default_factory"] = f.factory
    made: Any = dataclasses.field(**options)
    made.name, made.type, made._field_type = f.name, f.type, dataclasses._FIELD  # type: ignore[attr-defined]
    return made
