"""Array libraries on which a workload can run, behind one interface.

An engine has ``xp`` (the functions of the array API), the functions that libraries name
differently (``erf``, ``gammaln``, ``sigmoid``, ``turned``, ``cumsum``, ``cumprod``, ``astype``,
``scatter_add``, ``uniform``, ``normal``, ``scan``), and ``compiled(workload, arrays)``: a function
of NumPy arrays that returns a list of NumPy arrays, the value and, where asked for, gradients. Each
follows the idiom that the library's own documentation recommends for speed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any  # arrays and functions of every library

import numpy as np

from .workload import Array, Workload

Run = Callable[..., list[Array]]


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, list | tuple) else [found]


class Numpy:
    """NumPy and SciPy: no compiler, no gradients."""

    requires = "numpy"

    def __init__(self) -> None:
        special = import_module("scipy.special")
        self.xp: Any = np
        self.erf, self.gammaln = special.erf, special.gammaln

    def sigmoid(self, x: Any) -> Any:
        """1 / (1 + exp(-x))."""
        return 1 / (1 + np.exp(-x))

    def turned(self, x: Any) -> Any:
        """The last two axes exchanged."""
        return x.swapaxes(-1, -2)

    def cumsum(self, x: Any, axis: int) -> Any:
        """Running sums."""
        return np.cumsum(x, axis=axis)

    def cumprod(self, x: Any, axis: int) -> Any:
        """Running products."""
        return np.cumprod(x, axis=axis)

    def astype(self, x: Any, dtype: str) -> Any:
        """Another dtype."""
        return x.astype(dtype)

    def scatter_add(self, rows: int, index: Any, values: Any) -> Any:
        """Zeros of so many rows, to which values are added by index."""
        found = np.zeros((rows, *values.shape[1:]), values.dtype)
        np.add.at(found, index, values)
        return found

    def uniform(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """Uniform numbers from a seed."""
        return np.random.default_rng(int(seed)).random(shape)

    def normal(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """Normal numbers from a seed."""
        return np.random.default_rng(int(seed)).standard_normal(shape)

    def scan(self, step: Any, start: Any, xs: Any, length: int | None = None) -> Any:
        """A loop over leading axes: the last state, and outputs in a row."""
        state, outputs = start, []
        count = len(xs[0]) if xs else length
        assert count is not None
        for t in range(count):
            state, output = step(state, tuple(x[t] for x in xs) if xs else ())
            outputs.append(output)
        return state, None if outputs[0] is None else np.stack(outputs)

    def compiled(self, workload: Workload, arrays: list[Array]) -> Run:
        """The workload as a function of NumPy arrays."""
        return lambda *given: _listed(workload.formula(self, *given))


class Symgraph:
    """symgraph, with symbolic lengths: one compilation serves all sizes."""

    requires = "symgraph"

    def __init__(self) -> None:
        import symgraph as sg

        self.sg, self.xp = sg, sg
        self.erf, self.gammaln, self.sigmoid = sg.special.erf, sg.special.gammaln, sg.sigmoid
        self.cumsum: Any = lambda x, axis: sg.cumulative_sum(x, axis=axis)
        self.cumprod: Any = lambda x, axis: sg.cumulative_prod(x, axis=axis)
        self.turned, self.astype = sg.matrix_transpose, sg.astype

    def scatter_add(self, rows: int, index: Any, values: Any) -> Any:
        """Zeros of so many rows, to which values are added by index."""
        return self.sg.zeros((rows, *values.shape[1:]), dtype=values.dtype).at[index].add(values)

    def uniform(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """Uniform numbers from a seed."""
        return self.sg.random.uniform(self.sg.random.key(seed), shape)

    def normal(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """Normal numbers from a seed."""
        return self.sg.random.normal(self.sg.random.key(seed), shape)

    def scan(self, step: Any, start: Any, xs: Any, length: int | None = None) -> Any:
        """A loop over leading axes: the last state, and outputs in a row."""
        return self.sg.scan(step, start, xs, length=length)

    def traced(self, workload: Workload, arrays: list[Array]) -> tuple[list[Any], list[Any]]:
        """The workload's inputs and outputs as variables."""
        inputs = [
            self.sg.tensor(f"x{i}", dtype=str(a.dtype), shape=(None,) * a.ndim)
            for i, a in enumerate(arrays)
        ]
        outputs = _listed(workload.formula(self, *inputs))
        if workload.wrt:
            outputs += self.sg.grad(outputs[0], [inputs[i] for i in workload.wrt])
        return inputs, outputs

    def compiled(self, workload: Workload, arrays: list[Array]) -> Run:
        """The workload as a function of NumPy arrays."""
        inputs, outputs = self.traced(workload, arrays)
        found: Run = self.sg.function(inputs, outputs)
        return found


class Jax:
    """JAX, jitted, with 64-bit numbers."""

    requires = "jax"

    def __init__(self) -> None:
        jax = import_module("jax")
        jax.config.update("jax_enable_x64", True)
        self.jax, self.xp = jax, import_module("jax.numpy")
        special = import_module("jax.scipy.special")
        self.erf, self.gammaln, self.sigmoid = special.erf, special.gammaln, jax.nn.sigmoid
        self.cumsum: Any = lambda x, axis: self.xp.cumsum(x, axis=axis)
        self.cumprod: Any = lambda x, axis: self.xp.cumprod(x, axis=axis)
        self.turned: Any = lambda x: x.swapaxes(-1, -2)
        self.astype: Any = lambda x, dtype: x.astype(dtype)

    def scatter_add(self, rows: int, index: Any, values: Any) -> Any:
        """Zeros of so many rows, to which values are added by index."""
        return self.xp.zeros((rows, *values.shape[1:]), values.dtype).at[index].add(values)

    def uniform(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """Uniform numbers from a seed."""
        return self.jax.random.uniform(self.jax.random.key(seed), shape)

    def normal(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """Normal numbers from a seed."""
        return self.jax.random.normal(self.jax.random.key(seed), shape)

    def scan(self, step: Any, start: Any, xs: Any, length: int | None = None) -> Any:
        """A loop over leading axes: the last state, and outputs in a row."""
        turn = step if xs else lambda state, _: step(state, ())
        return self.jax.lax.scan(turn, start, xs, length=length)

    def compiled(self, workload: Workload, arrays: list[Array]) -> Run:
        """The workload as a function of NumPy arrays."""
        formula: Any = lambda *given: workload.formula(self, *given)  # noqa: E731 (a method's self)
        if workload.wrt:
            both = self.jax.jit(self.jax.value_and_grad(formula, argnums=workload.wrt))

            def run(*given: Array) -> list[Array]:
                value, gradients = both(*given)
                return [np.asarray(x) for x in (value, *gradients)]

            return run
        jitted = self.jax.jit(formula)
        return lambda *given: [np.asarray(x) for x in _listed(jitted(*given))]


class Torch:
    """torch.compile; gradients by its autograd."""

    requires = "torch"

    def __init__(self) -> None:
        torch: Any = import_module("torch")
        names = "exp log sqrt sin cos tanh abs where matmul stack sum mean argmax argsort einsum"
        self.torch = torch
        self.xp = SimpleNamespace(
            **{name: getattr(torch, name) for name in (*names.split(), "ones_like")},
            concat=lambda xs, axis: torch.cat(xs, dim=axis),
            permute_dims=torch.permute,
            flip=lambda x, axis: torch.flip(x, (axis,)),
            sort=lambda x, axis: torch.sort(x, dim=axis).values,
            take_along_axis=lambda x, i, axis: torch.take_along_dim(x, i, dim=axis),
            maximum=lambda x, y: torch.clamp(x, min=y),
            minimum=lambda x, y: torch.clamp(x, max=y),
            max=self._extreme(torch.amax),
            min=self._extreme(torch.amin),
        )
        self.erf, self.gammaln, self.sigmoid = torch.erf, torch.lgamma, torch.sigmoid
        self.cumsum, self.cumprod = torch.cumsum, torch.cumprod
        self.turned: Any = lambda x: x.transpose(-1, -2)
        self.astype: Any = lambda x, dtype: x.to(getattr(torch, dtype))

    def _extreme(self, function: Any) -> Any:
        def run(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
            return function(x, dim=() if axis is None else axis, keepdim=keepdims)

        return run

    def scatter_add(self, rows: int, index: Any, values: Any) -> Any:
        """Zeros of so many rows, to which values are added by index."""
        start = self.torch.zeros((rows, *values.shape[1:]), dtype=values.dtype)
        return start.index_add(0, index, values)

    def scan(self, step: Any, start: Any, xs: Any, length: int | None = None) -> Any:
        """A loop over leading axes: the last state, and outputs in a row."""
        state, outputs = start, []
        for t in range(len(xs[0]) if xs else length or 0):
            state, output = step(state, tuple(x[t] for x in xs) if xs else ())
            outputs.append(output)
        return state, None if outputs[0] is None else self.torch.stack(outputs)

    def compiled(self, workload: Workload, arrays: list[Array]) -> Run:
        """The workload as a function of NumPy arrays."""
        torch = self.torch
        formula = torch.compile(lambda *given: workload.formula(self, *given))

        def run(*given: Array) -> list[Array]:
            tensors = [torch.from_numpy(x) for x in given]
            if not workload.wrt:
                with torch.no_grad():
                    return [x.numpy() for x in _listed(formula(*tensors))]
            for i in workload.wrt:
                tensors[i].requires_grad_(True)
            value = formula(*tensors)
            gradients = torch.autograd.grad(value, [tensors[i] for i in workload.wrt])
            return [value.detach().numpy(), *(x.numpy() for x in gradients)]

        return run


class Pytensor:
    """PyTensor's default mode."""

    requires = "pytensor"

    def __init__(self) -> None:
        self.pytensor, pt = import_module("pytensor"), import_module("pytensor.tensor")
        names = "exp log sqrt sin cos tanh abs where matmul stack sum mean max min argmax argsort"
        more = "sort maximum minimum einsum ones_like take_along_axis flip"
        self.pt = pt
        self.xp = SimpleNamespace(
            **{name: getattr(pt, name) for name in f"{names} {more}".split()},
            concat=pt.concatenate,
            permute_dims=lambda x, axes: x.transpose(axes),
        )
        self.erf, self.gammaln, self.sigmoid = pt.erf, pt.gammaln, pt.sigmoid
        self.cumsum, self.cumprod, self.astype = pt.cumsum, pt.cumprod, pt.cast
        self.turned: Any = lambda x: pt.swapaxes(x, -1, -2)

    def scatter_add(self, rows: int, index: Any, values: Any) -> Any:
        """Zeros of so many rows, to which values are added by index."""
        shape = (rows, *(values.shape[i] for i in range(1, values.ndim)))
        return self.pt.inc_subtensor(self.pt.zeros(shape, dtype=values.dtype)[index], values)

    def scan(self, step: Any, start: Any, xs: Any, length: int | None = None) -> Any:
        """A loop over leading axes: the last state, and outputs in a row."""
        count, has_output = len(xs) if xs else 0, []

        def inner(*given: Any) -> Any:
            state, output = step(given[count:], given[:count])
            has_output.append(output is not None)
            return [*state, *([] if output is None else [output])]

        tried = inner(*(x[0] for x in xs or ()), *start)
        more = len(tried) - len(start)
        found = _listed(
            self.pytensor.scan(
                inner,
                sequences=list(xs) if xs else None,
                outputs_info=[*start, *[None] * more],
                n_steps=length,
                return_updates=False,
            )
        )
        state = tuple(x[-1] for x in found[: len(start)])
        return state, found[len(start)] if more else None

    def compiled(self, workload: Workload, arrays: list[Array]) -> Run:
        """The workload as a function of NumPy arrays."""
        inputs = [
            self.pt.tensor(f"x{i}", dtype=str(a.dtype), shape=(None,) * a.ndim)
            for i, a in enumerate(arrays)
        ]
        outputs = _listed(workload.formula(self, *inputs))
        if workload.wrt:
            outputs += self.pytensor.grad(outputs[0], [inputs[i] for i in workload.wrt])
        found: Run = self.pytensor.function(inputs, outputs, trust_input=True)
        return found


ENGINES: dict[str, type[Any]] = {  # Any: they share an interface, not a class
    "symgraph": Symgraph,
    "numpy": Numpy,
    "jax": Jax,
    "torch": Torch,
    "pytensor": Pytensor,
}


def installed() -> tuple[str, ...]:
    """The engines whose library is there."""
    return tuple(name for name, row in ENGINES.items() if find_spec(row.requires) is not None)
