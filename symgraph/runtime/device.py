"""Memory on a device, as the runtime holds it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgraph.records import dataclass

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """Memory on a device, with the shape it has for the graph."""

    memory: Any  # an array of the device's own library
    shape: tuple[int, ...]

    def copy_to_host(self) -> Array:
        """The values as a NumPy array."""
        host: Array = np.asarray(self.memory.copy_to_host())
        return host.reshape(-1)[: math.prod(self.shape)].reshape(self.shape)
