"""Ten thousand balls on Himmelblau's function, a thousand Adam steps, against NumPy and torch.

python -m benchmarks.balls [--balls 10000] [--steps 1000] [--rounds 5] [--out FILE.json]

All start from the same places and make the same steps in single precision; before a time counts, the share
of balls in each minimum must agree within 1 %. NumPy writes the gradient by hand and works in place. torch
runs vectorised: eager with its own fused Adam and autograd, and one step compiled by torch.compile with the
gradient by hand, each at the better of one and two threads. Rounds are interleaved. "loop" is the time of
the compiled loop alone, "minimize" the whole call: checks, curvature at the end, basins.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

import fallline
from fallline.descent.minimize import pose_job
from fallline.descent.minimize_jobs import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 0.05
MINIMA = np.array(
    [[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848127]]
)


def shares(places: np.ndarray) -> np.ndarray:
    """The share of balls nearest to each minimum and within 0.1 of it."""
    distance = np.linalg.norm(places[:, None] - MINIMA, axis=2)
    return np.array(
        [((distance.argmin(1) == k) & (distance.min(1) < 0.1)).mean() for k in range(4)]
    )


def with_numpy(starts: np.ndarray, steps: int) -> np.ndarray:
    x, y = (np.ascontiguousarray(starts[:, i]) for i in range(2))
    mx, my, vx, vy = (np.zeros_like(x) for _ in range(4))
    b1, b2, eps = np.float32(0.9), np.float32(0.999), np.float32(1e-8)
    a, b, gx, gy, t = (np.empty_like(x) for _ in range(5))
    for k in range(1, steps + 1):
        np.multiply(x, x, out=a)
        a += y
        a -= 11
        np.multiply(y, y, out=b)
        b += x
        b -= 7
        np.multiply(x, a, out=gx)
        gx *= 2
        gx += b
        gx *= 2
        np.multiply(y, b, out=gy)
        gy *= 2
        gy += a
        gy *= 2
        c1, c2 = np.float32(RATE / (1 - 0.9**k)), np.float32(1 / (1 - 0.999**k))
        for p, g, m, v in ((x, gx, mx, vx), (y, gy, my, vy)):
            m *= b1
            np.multiply(g, 1 - b1, out=t)
            m += t
            v *= b2
            np.multiply(g, g, out=t)
            t *= 1 - b2
            v += t
            np.multiply(v, c2, out=t)
            np.sqrt(t, out=t)
            t += eps
            np.divide(m, t, out=t)
            t *= c1
            p -= t
    return np.stack([x, y], axis=1)


def torch_eager(starts: np.ndarray, steps: int) -> Callable[[], np.ndarray]:
    import torch

    def run() -> np.ndarray:
        x = torch.tensor(np.ascontiguousarray(starts[:, 0]), requires_grad=True)
        y = torch.tensor(np.ascontiguousarray(starts[:, 1]), requires_grad=True)
        optimizer = torch.optim.Adam([x, y], lr=RATE, fused=True)
        for _ in range(steps):
            optimizer.zero_grad()
            ((x * x + y - 11) ** 2 + (x + y * y - 7) ** 2).sum().backward()
            optimizer.step()
        return torch.stack([x, y], 1).detach().numpy()

    return run


def torch_compiled(starts: np.ndarray, steps: int, unrolled: int = 10) -> Callable[[], np.ndarray]:
    import torch

    def one(x, y, mx, my, vx, vy, c1, c2):
        a, b = x * x + y - 11, x + y * y - 7
        gx, gy = 2 * (2 * x * a + b), 2 * (a + 2 * y * b)
        mx, my = 0.9 * mx + 0.1 * gx, 0.9 * my + 0.1 * gy
        vx, vy = 0.999 * vx + 0.001 * gx * gx, 0.999 * vy + 0.001 * gy * gy
        x = x - c1 * mx / (torch.sqrt(vx * c2) + 1e-8)
        y = y - c1 * my / (torch.sqrt(vy * c2) + 1e-8)
        return x, y, mx, my, vx, vy

    def some(state, c1, c2):
        for k in range(unrolled):
            state = one(*state, c1[k], c2[k])
        return state

    fast = torch.compile(some)
    t = torch.arange(1, steps + 1, dtype=torch.float64)
    c1, c2 = (RATE / (1 - 0.9**t)).float(), (1 / (1 - 0.999**t)).float()

    def run() -> np.ndarray:
        x, y = (torch.tensor(np.ascontiguousarray(starts[:, i])) for i in range(2))
        state = (x, y, *(torch.zeros_like(x) for _ in range(4)))
        with torch.no_grad():
            for k in range(0, steps, unrolled):
                state = fast(state, c1[k : k + unrolled], c2[k : k + unrolled])
        return torch.stack(state[:2], 1).numpy()

    return run


def in_threads(run: Callable[[], np.ndarray], threads: int) -> Callable[[], np.ndarray]:
    import torch

    def threaded() -> np.ndarray:
        torch.set_num_threads(threads)
        return run()

    return threaded


def workloads(starts: np.ndarray, steps: int) -> dict[str, Callable[[], np.ndarray]]:
    """Everything to be timed, by name."""
    terrain = fallline.terrains.by_name("himmelblau")
    adam = fallline.optimizers.Adam(RATE)
    job = pose_job(terrain, None, starts=starts, tolerance=0.0)

    def loop() -> np.ndarray:
        return job.descend(adam, steps, job.stride(steps, None), False, Clock(0.0)).x

    def whole() -> np.ndarray:
        found = fallline.minimize(terrain, None, adam, starts=starts, steps=steps, tolerance=0)
        return np.asarray(found.x)

    found = {"Fallline, loop": loop, "Fallline, minimize": whole}
    found["NumPy"] = lambda: with_numpy(starts, steps)
    try:
        import torch  # noqa: F401
    except ImportError:
        return found
    for name, run in (
        ("eager", torch_eager(starts, steps)),
        ("compiled", torch_compiled(starts, steps)),
    ):
        for threads in (1, 2):
            found[f"torch {name}, {threads} threads"] = in_threads(run, threads)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--balls", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    starts = np.random.default_rng(0).uniform(-5, 5, (asked.balls, 2)).astype(np.float32)
    runs = workloads(starts, asked.steps)
    times: dict[str, list[float]] = {name: [] for name in runs}
    wanted = None
    for name, run in runs.items():
        # Also the warm-up: compilation does not count.
        found = shares(run())
        wanted = found if wanted is None else wanted
        if np.abs(found - wanted).max() > 0.01:
            raise SystemExit(f"{name} ended elsewhere: {found} against {wanted}")
    for _ in range(asked.rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    ours = medians["Fallline, loop"]
    table = Table("", "median, ms", "range, ms", "ns a ball and step", "ratio to the loop")
    for name, seconds in medians.items():
        table.add_row(
            name,
            f"{seconds * 1e3:.1f}",
            f"{min(times[name]) * 1e3:.1f} - {max(times[name]) * 1e3:.1f}",
            f"{seconds / asked.balls / asked.steps * 1e9:.2f}",
            f"{seconds / ours:.1f}",
        )
    Console().print(table)
    if asked.out:
        facts = {
            "balls": asked.balls,
            "steps": asked.steps,
            "cores": os.cpu_count(),
            "seconds": times,
        }
        asked.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
