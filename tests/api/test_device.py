"""``device="cuda"``, in numba's simulator: the digits network trains as on the CPU."""

import subprocess
import sys

import numpy as np
import pytest

import symgraph as sg
from symgraph.runtime.executable import DeviceArray
from symgraph_tools.datasets import load_digits


def _trained(device, images, labels):
    rng = np.random.default_rng(0)
    w1 = sg.shared(rng.normal(size=(64, 5)) * 0.2, "w1")
    w2 = sg.shared(rng.normal(size=(5, 10)) * 0.2, "w2")
    x, y = sg.tensor("x", shape=("n", 64)), sg.tensor("y", shape=("n",), dtype="int64")
    z = sg.tanh(x @ w1) @ w2
    p = sg.exp(z) / sg.sum(sg.exp(z), axis=1, keepdims=True)
    cost = -sg.mean(sg.log(p[sg.arange(x.shape[0]), y]))
    g1, g2 = sg.grad(cost, [w1, w2])
    step = sg.function([x, y], cost, updates={w1: w1 - 0.5 * g1, w2: w2 - 0.5 * g2}, device=device)
    costs = [step(images, labels) for _ in range(3)]
    return costs, [w1, w2]


@pytest.mark.cuda
@pytest.mark.slow
def test_digits_network_trains_on_the_device_as_on_the_cpu():
    digits = load_digits()
    images, labels = (a[:6] for a in digits.train)
    images = images.astype("float64")
    expected, host = _trained("cpu", images, labels)
    found, device = _trained("cuda", images, labels)
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for a, b in zip(host, device, strict=True):
        assert isinstance(b.cell.device, DeviceArray), "the weights were copied back to the host"
        np.testing.assert_allclose(b.get_value(), a.get_value(), rtol=1e-10, atol=1e-12)


def test_without_a_gpu_the_device_is_a_clear_error():
    code = (
        "import symgraph as sg\n"
        "x = sg.vector('x')\n"
        "try:\n    sg.function([x], x + 1, device='cuda')\n"
        "except sg.DeviceError as error:\n    print('no device:', error)\n"
        "else:\n    print('a device')\n"
    )
    import os

    env = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert "install symgraph[cuda]" in done.stdout or "a device" in done.stdout


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_guards_repair_on_the_device_what_they_repair_on_the_cpu(dtype):
    x = sg.tensor("x", shape=(6,), dtype=dtype)
    step = 4 * np.sqrt(np.finfo(dtype).eps)
    values = np.array([1 + step, 2.0, 1 - step, 5.0, -3.0, 1.5], dtype)
    outputs = [x * x - 2 * x + 1, sg.log(1 + (x * x - x)), sg.sum(x * x) - sg.sum(x * 3.0)]
    found, expected = (sg.function([x], outputs, device=d)(values) for d in ("cuda", "cpu"))
    wide = values.astype("longdouble")
    np.testing.assert_array_equal(found[0], ((wide - 1) ** 2).astype(dtype))
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_max_ulp(np.asarray(one), np.asarray(two), 4)


@pytest.mark.cuda
def test_sums_that_cancel_are_done_again_on_the_device():
    x, y = sg.vector("x"), sg.vector("y")
    a = np.array([1e16, 3.0, -1e16, 0.1])
    f = sg.function([x, y], [sg.sum(x), x @ y], device="cuda")
    total, dot = f(a, np.array([1.0, 1.0, 1.0, 10.0]))
    assert total == 3.1
    assert dot == 4.0


@pytest.mark.cuda
def test_guards_in_a_scan_on_the_device():
    x = sg.tensor("x", shape=(3,))

    def step(state, value):
        return state + 1.0, value * value - 2 * value + 1

    _, out = sg.scan(step, sg.constant(0.0), x)
    mode = sg.Mode(accuracy="high")
    found = sg.function([x], out, mode=mode, device="cuda")(np.array([1 + 1e-9, 3.0, 2.0]))
    np.testing.assert_array_max_ulp(found, np.array([(1 + 1e-9 - 1) ** 2, 4.0, 1.0]), 1)
