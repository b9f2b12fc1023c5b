"""What this machine can do at most, measured in the same process as the workloads.

python -m benchmarks.limits [--quick]

Matrix products in single precision, the best of NumPy, torch and JAX, and reading from each level of memory,
as dot products of the halves of an array.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.facts import cores
from benchmarks.harness import threads

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = {"L1": 16 * 2**10, "L2": 256 * 2**10, "L3": 6 * 2**20, "DRAM": 256 * 2**20}
"""Bytes that one thread reads again and again, to measure a level of memory."""


def limits(quick: bool = False) -> dict[str, Any]:
    """The limits, by names such as "sgemm 2" and "L2 1", the number being the threads.

    Args:
        quick: smaller matrices, shorter readings.

    Returns:
        GFLOP/s of "sgemm", GB/s of the levels; and under "how" what measured them.
    """
    counts = [1, 2] if cores() > 1 else [1]
    found: dict[str, Any] = {}
    how: dict[str, str] = {}
    for count in counts:
        found[f"sgemm {count}"], how[f"sgemm {count}"] = _sgemm(512 if quick else 2048, count)
    read, reader = _reader()
    levels = LEVELS | ({"DRAM": 64 * 2**20} if quick else {})
    for level, size in levels.items():
        for count in counts:
            found[f"{level} {count}"] = _bandwidth(read, size, count, 0.01 if quick else 0.1)
    how["memory"] = f"{reader}, " + ", ".join(f"{k} {v >> 10:,} kB" for k, v in levels.items())
    return {**found, "how": how}


def level(size: float) -> str:
    """Where data of so many bytes lie that one thread goes through again and again, as a limit's name."""
    fits = [name for name, room in LEVELS.items() if size <= 2.5 * room]
    return f"{fits[0] if fits else 'DRAM'} 1"


def _sgemm(size: int, count: int) -> tuple[float, str]:
    random = np.random.default_rng(0)
    a = random.normal(size=(size, size)).astype(np.float32)
    makers = {"NumPy": _numpy_product, "torch": _torch_product}
    if count > 1:
        makers["JAX"] = _jax_product
    best: dict[str, float] = {}
    for name, make in makers.items():
        try:
            product = make(a)
        except ImportError:
            continue
        with threads(count):
            best[name] = 2e-9 * size**3 / _shortest(product, 4)
    fastest = max(best, key=lambda name: best[name])
    return best[fastest], f"{fastest}, {size} x {size}"


def _numpy_product(a: np.ndarray) -> Callable[[], Any]:
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def _torch_product(a: np.ndarray) -> Callable[[], Any]:
    import torch

    tensor, out = torch.tensor(a), torch.empty(a.shape)
    return lambda: torch.mm(tensor, tensor, out=out)


def _jax_product(a: np.ndarray) -> Callable[[], Any]:
    import jax

    on_cpu = jax.device_put(a, jax.devices("cpu")[0])
    product = jax.jit(lambda x: x @ x)
    return lambda: product(on_cpu).block_until_ready()


def _shortest(work: Callable[[], Any], times: int) -> float:
    work()
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def _reader() -> tuple[Callable[[np.ndarray, np.ndarray, int], float], str]:
    """A function that reads two arrays so many times, without holding Python's lock."""
    try:
        from numba import njit
    except ImportError:

        def by_numpy(a: np.ndarray, b: np.ndarray, times: int) -> float:
            return sum(float(a @ b) for _ in range(times))

        return by_numpy, "NumPy dot (calls count, too)"

    @njit(fastmath=True, nogil=True)
    def by_numba(a: np.ndarray, b: np.ndarray, times: int) -> float:
        total = np.float32(0)
        for _ in range(times):
            part = np.float32(0)
            for i in range(a.size):
                part += a[i] * b[i]
            a[0] += np.float32(1e-9) * part  # so that no reading can be left out
            total += part
        return total

    return by_numba, "numba dot"


def _bandwidth(
    read: Callable[[np.ndarray, np.ndarray, int], float], size: int, count: int, seconds: float
) -> float:
    halves = [[np.ones(size // 8, np.float32) for _ in range(2)] for _ in range(count)]
    with threads(1), ThreadPoolExecutor(count) as pool:

        def work(times: int) -> float:
            began = time.perf_counter()
            list(pool.map(lambda pair: read(*pair, times), halves))
            return time.perf_counter() - began

        work(1)
        times = max(2, int(seconds / max(work(4) / 4, 1e-7)))
        return 1e-9 * size * count * times / min(work(times) for _ in range(3))


def main() -> None:
    from rich.console import Console

    from benchmarks.report import limits_table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller matrices, shorter readings")
    Console().print(limits_table(limits(parser.parse_args().quick)))


if __name__ == "__main__":
    main()
