"""What is used of numba's CUDA target, imported when first used: numba-cuda, or the simulator.

``numba-cuda`` replaces ``numba.cuda`` where it is installed (extra "cuda"). With the environment
variable NUMBA_ENABLE_CUDASIM=1, numba runs kernels as Python threads, for tests without a GPU.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any  # numba has no annotations

from symgraph.errors import DeviceError, message

_INSTALL = (
    "install symgraph[cuda] on a machine with an NVIDIA GPU and its driver, compile for "
    'device="cpu", or set NUMBA_ENABLE_CUDASIM=1 before numba is imported to simulate a GPU slowly'
)


@cache
def module() -> Any:
    """The module ``numba.cuda``."""
    try:
        return import_module("numba.cuda")
    except ImportError as problem:
        raise DeviceError(message(f"numba has no CUDA target: {problem}", hint=_INSTALL)) from None


@cache
def simulated() -> bool:
    """Does the simulator take the place of a GPU?"""
    return bool(import_module("numba").config.ENABLE_CUDASIM)


def require_device() -> Any:
    """The module ``numba.cuda`` where kernels can run.

    Raises: DeviceError where there is neither a GPU nor the simulator.
    """
    cuda = module()
    if not simulated() and not _available(cuda):
        raise DeviceError(message("there is no CUDA device", hint=_INSTALL))
    return cuda


def _available(cuda: Any) -> bool:
    try:
        return bool(cuda.is_available())
    except Exception:  # a driver that is there but broken, in as many ways as there are drivers
        return False


def threads() -> int:
    """Threads of a block: a power of two. The simulator runs each as a thread of Python's."""
    return 4 if simulated() else 256


def most_blocks() -> int:
    """Blocks that a reduction over the whole grid leaves partial results of."""
    return 2 if simulated() else 512
