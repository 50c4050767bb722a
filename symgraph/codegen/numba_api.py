"""Everything that is used of numba, in one place and untyped: most of it has no annotations.

``intrinsic``, ``types`` and ``cgutils`` are numba's public ways to extend it; the compiler's passes
are those of its documented custom pipelines.
"""

from __future__ import annotations

from typing import Any  # see the docstring

import numba.core.compiler
import numba.core.typed_passes
import numba.core.untyped_passes
from numba import types as _types
from numba.core import cgutils as _cgutils
from numba.core.compiler_machinery import PassManager as _PassManager
from numba.core.registry import cpu_target as _cpu_target
from numba.extending import intrinsic as _intrinsic
from numba.np import numpy_support as _numpy_support

types: Any = _types
cgutils: Any = _cgutils
intrinsic: Any = _intrinsic
from_dtype: Any = _numpy_support.from_dtype
as_dtype: Any = _numpy_support.as_dtype
cpu_target: Any = _cpu_target

pass_manager: Any = _PassManager
compiler: Any = numba.core.compiler
typed_passes: Any = numba.core.typed_passes
untyped_passes: Any = numba.core.untyped_passes
CompilerBase = numba.core.compiler.CompilerBase
