"""Methods of classes of one to eight fields, under names that stand for those of a class.

``records`` copies them with the names of a class in their place: what Python has compiled once,
with this file, need not be compiled again for every class in every process.
"""

from __future__ import annotations

from typing import Any


def _setter(self: Any, value: Any) -> None:
    """Stands for that of a slot."""


set_0 = set_1 = set_2 = set_3 = set_4 = set_5 = set_6 = set_7 = _setter


def _init_1(self: Any, f0: Any) -> None:
    set_0(self, f0)


def _init_2(self: Any, f0: Any, f1: Any) -> None:
    set_0(self, f0)
    set_1(self, f1)


def _init_3(self: Any, f0: Any, f1: Any, f2: Any) -> None:
    set_0(self, f0)
    set_1(self, f1)
    set_2(self, f2)


def _init_4(self: Any, f0: Any, f1: Any, f2: Any, f3: Any) -> None:
    set_0(self, f0)
    set_1(self, f1)
    set_2(self, f2)
    set_3(self, f3)


def _init_5(self: Any, f0: Any, f1: Any, f2: Any, f3: Any, f4: Any) -> None:
    set_0(self, f0)
    set_1(self, f1)
    set_2(self, f2)
    set_3(self, f3)
    set_4(self, f4)


def _init_6(self: Any, f0: Any, f1: Any, f2: Any, f3: Any, f4: Any, f5: Any) -> None:
    set_0(self, f0)
    set_1(self, f1)
    set_2(self, f2)
    set_3(self, f3)
    set_4(self, f4)
    set_5(self, f5)


def _init_7(self: Any, f0: Any, f1: Any, f2: Any, f3: Any, f4: Any, f5: Any, f6: Any) -> None:
    set_0(self, f0)
    set_1(self, f1)
    set_2(self, f2)
    set_3(self, f3)
    set_4(self, f4)
    set_5(self, f5)
    set_6(self, f6)


def _init_8(
    self: Any, f0: Any, f1: Any, f2: Any, f3: Any, f4: Any, f5: Any, f6: Any, f7: Any
) -> None:
    set_0(self, f0)
    set_1(self, f1)
    set_2(self, f2)
    set_3(self, f3)
    set_4(self, f4)
    set_5(self, f5)
    set_6(self, f6)
    set_7(self, f7)


def _eq_1(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0,) == (other.f0,)


def _eq_2(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1) == (other.f0, other.f1)


def _eq_3(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1, self.f2) == (other.f0, other.f1, other.f2)


def _eq_4(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1, self.f2, self.f3) == (other.f0, other.f1, other.f2, other.f3)


def _eq_5(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1, self.f2, self.f3, self.f4) == (
        other.f0,
        other.f1,
        other.f2,
        other.f3,
        other.f4,
    )


def _eq_6(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1, self.f2, self.f3, self.f4, self.f5) == (
        other.f0,
        other.f1,
        other.f2,
        other.f3,
        other.f4,
        other.f5,
    )


def _eq_7(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1, self.f2, self.f3, self.f4, self.f5, self.f6) == (
        other.f0,
        other.f1,
        other.f2,
        other.f3,
        other.f4,
        other.f5,
        other.f6,
    )


def _eq_8(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return (self.f0, self.f1, self.f2, self.f3, self.f4, self.f5, self.f6, self.f7) == (
        other.f0,
        other.f1,
        other.f2,
        other.f3,
        other.f4,
        other.f5,
        other.f6,
        other.f7,
    )


def _hash_1(self: Any) -> int:
    return hash((self.f0,))


def _hash_2(self: Any) -> int:
    return hash((self.f0, self.f1))


def _hash_3(self: Any) -> int:
    return hash((self.f0, self.f1, self.f2))


def _hash_4(self: Any) -> int:
    return hash((self.f0, self.f1, self.f2, self.f3))


def _hash_5(self: Any) -> int:
    return hash((self.f0, self.f1, self.f2, self.f3, self.f4))


def _hash_6(self: Any) -> int:
    return hash((self.f0, self.f1, self.f2, self.f3, self.f4, self.f5))


def _hash_7(self: Any) -> int:
    return hash((self.f0, self.f1, self.f2, self.f3, self.f4, self.f5, self.f6))


def _hash_8(self: Any) -> int:
    return hash((self.f0, self.f1, self.f2, self.f3, self.f4, self.f5, self.f6, self.f7))


INIT = (_init_1, _init_2, _init_3, _init_4, _init_5, _init_6, _init_7, _init_8)
EQ = (_eq_1, _eq_2, _eq_3, _eq_4, _eq_5, _eq_6, _eq_7, _eq_8)
HASH = (_hash_1, _hash_2, _hash_3, _hash_4, _hash_5, _hash_6, _hash_7, _hash_8)
