"""What ``symgraph doctor`` finds: versions, processor, BLAS, threads, cache, CUDA, settings.

``findings(with_paths)`` gives sections of facts and a list of problems. Without paths it holds
nothing that tells who or where: that is what goes into a bug report.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any

Facts = dict[str, Any]  # text, numbers, lists of texts

NEEDED = ("numpy", "numba", "llvmlite", "scipy", "click", "platformdirs")
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "viz": ("matplotlib",),
    "tutorials": ("jupytext", "nbclient", "nbformat", "ipykernel"),
    "bench": ("jax", "torch", "pytensor"),
    "cuda": ("numba_cuda",),
}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
WIDTHS = {"avx512f": 512, "avx2": 256, "avx": 256, "sse2": 128, "sve": 128, "neon": 128}
TOLD = ("avx2", "fma", "avx512f", "avx512dq", "avx512_bf16", "avx512fp16", "amx-bf16", "bmi2",
        "f16c", "neon", "sve", "dotprod")  # fmt: skip


def findings(with_paths: bool) -> tuple[dict[str, Facts], list[str]]:
    """Facts by section, and problems, each with what to do."""
    problems: list[str] = []
    sections: dict[str, Callable[[], Facts]] = {
        "versions": lambda: _versions(problems),
        "processor": _processor,
        "blas": _blas,
        "threads": lambda: _threads(problems),
        "cache": lambda: _cache(problems, with_paths),
        "cuda": _cuda,
        "extras": _extras,
        "settings": lambda: _settings(with_paths),
    }
    return {name: make() for name, make in sections.items()}, problems


def _versions(problems: list[str]) -> Facts:
    import symgraph

    found: Facts = {"symgraph": symgraph.__version__, "python": platform.python_version()}
    found["system"] = f"{platform.system()} {platform.machine()}"
    for name in NEEDED:
        version = _version(name)
        found[name] = version or "missing"
        if version is None:
            problems.append(f"{name} is not installed: pip install {name}")
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> Facts:
    import llvmlite.binding as llvm  # no annotations

    features = {name for name, there in llvm.get_host_cpu_features().items() if there}
    width = next((bits for name, bits in WIDTHS.items() if name in features), 0)
    return {
        "name": str(llvm.get_host_cpu_name()),
        "cores": os.cpu_count() or 1,
        "vector_bits": width,
        "features": [name for name in TOLD if name in features],
        "memory_bytes": _memory(),
    }


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        return 0


def _blas() -> Facts:
    """The library that products outside our own kernels go to, and the core it is tuned for."""
    from symgraph.codegen.blas import address
    from symgraph.errors import UnsupportedError

    try:
        address("cblas.dgemm")
    except UnsupportedError as error:
        return {"library": "none", "reason": str(error)}
    for name in sorted(_mapped("openblas")):
        library = ctypes.CDLL(name)
        for prefix, suffix in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
            core = getattr(library, f"{prefix}openblas_get_corename{suffix}", None)
            if core is None:
                continue
            core.restype = ctypes.c_char_p
            config = getattr(library, f"{prefix}openblas_get_config{suffix}")
            config.restype = ctypes.c_char_p
            count = getattr(library, f"{prefix}openblas_get_num_threads{suffix}")
            return {
                "library": " ".join(config().decode().split()[:2]),
                "core": core().decode(),
                "threads": int(count()),
            }
    return {"library": "found, of a kind that does not tell more"}


def _mapped(word: str) -> set[str]:
    """Libraries with a word in their name that this process has loaded, where that can be read."""
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        import numpy

        folder = Path(numpy.__file__).parent
        places = (folder.parent / "numpy.libs", folder / ".dylibs", folder / ".libs")
        return {str(p) for place in places if place.is_dir() for p in place.glob(f"*{word}*")}
    names = (line.split(maxsplit=5)[-1].strip() for line in maps.read_text().splitlines())
    return {name for name in names if word in Path(name).name and Path(name).is_file()}


def _threads(problems: list[str]) -> Facts:
    from symgraph.config import config
    from symgraph.runtime.pool import processors

    available, wanted = processors(), config.number("threads")
    found: Facts = {"available": available, "wanted": wanted or "all"}
    found["of_symgraph"] = min(wanted, available) if wanted else available
    for name in THREAD_VARIABLES:
        text = os.environ.get(name, "")
        if text:
            found[name] = text
            if text.isdecimal() and int(text) > available:
                problems.append(
                    f"{name}={text} asks for more threads than the {available} processors that "
                    "this process may use: they wait for each other; lower it"
                )
    return found


def _cache(problems: list[str], with_paths: bool) -> Facts:
    from symgraph.config import config
    from symgraph.runtime import cache

    entries = cache.entries()
    found: Facts = {"enabled": bool(config.cache), "entries": len(entries)}
    found["bytes"] = sum(entry.nbytes for entry in entries)
    found["most_bytes"] = config.number("cache_size") * cache.MEGABYTE
    found["writable"] = _is_writable(cache.folder())
    if with_paths:
        found["folder"] = str(cache.folder())
    if config.cache and not found["writable"]:
        problems.append(
            "the cache folder cannot be written to, so every program compiles again: make it "
            "writable, or set SYMGRAPH_CACHE_DIR to one that is"
        )
    return found


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself can be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _cuda() -> Facts:
    if util.find_spec("numba_cuda") is None and util.find_spec("numba.cuda") is None:
        return {"available": False, "reason": "pip install 'symgraph[cuda]'"}
    from symgraph.codegen.numba_cuda_api import require_device, simulated
    from symgraph.errors import DeviceError

    try:
        cuda = require_device()
    except (DeviceError, ImportError) as error:
        return {"available": False, "reason": str(error).splitlines()[0]}
    if simulated():
        return {"available": False, "reason": "the simulator stands in for a device"}
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    return {"available": True, "device": name, "capability": list(device.compute_capability)}


def _extras() -> Facts:
    found: Facts = {
        extra: [f"{name} {version}" for name in names if (version := _version(name))]
        for extra, names in EXTRAS.items()
    }
    found["programs"] = [name for name in ("dot", "chromium", "jupyter") if shutil.which(name)]
    found["terminal"] = sys.stdout.isatty()
    return found


def _settings(with_paths: bool) -> Facts:
    """Settings that are not at their default, and where they come from."""
    from symgraph.config import SETTINGS, config

    found: Facts = {}
    for name, row in SETTINGS.items():
        value = getattr(config, name)
        if value == row.default:
            continue
        is_path = row.default is None and isinstance(value, str)
        shown = "set" if is_path and not with_paths else value
        origin = f" ({row.variable})" if row.variable in os.environ else ""
        found[name] = f"{shown}{origin}"
    return found
