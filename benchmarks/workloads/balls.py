"""Ten thousand balls, a thousand steps, on a terrain: all from the same places, in single precision.

A ball counts if it ends within 0.1 of where it ends in double precision: each must find the same minimum.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

import fallline
from benchmarks.harness import Contender, Workload, fastest, peer
from fallline import optimizers
from fallline.descent.minimize import pose_job
from fallline.descent.minimize_jobs import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Places = np.ndarray  # (n, 2)

B1, B2, EPSILON = 0.9, 0.999, 1e-8
CASES = {
    ("himmelblau", "momentum"): (0.001, 22),
    ("himmelblau", "adam"): (0.05, 40),
    ("rastrigin", "momentum"): (0.001, 0),
}
"""The learning rate, and operations of a ball and step (not stated where a sine is among them)."""


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """Two terrains, two optimizers; if quick, each of them once."""
    for terrain, optimizer in list(CASES)[1:] if quick else CASES:
        name = f"10,000 balls, {terrain.title()}, {optimizer.title()}"
        yield name, functools.partial(_workload, name, terrain, optimizer, quick)


def _himmelblau(p: np.ndarray, g: np.ndarray, t: np.ndarray) -> None:
    """The gradients at p, (2, n), into g; t is room to work in."""
    (x, y), (gx, gy), (a, b) = p, g, t
    np.multiply(x, x, out=a)
    a += y
    a -= 11
    np.multiply(y, y, out=b)
    b += x
    b -= 7
    np.multiply(x, a, out=gx)
    gx *= 2
    gx += b
    np.multiply(y, b, out=gy)
    gy *= 2
    gy += a
    g *= 2


def _rastrigin(p: np.ndarray, g: np.ndarray, t: np.ndarray) -> None:
    np.multiply(p, 2 * np.pi, out=g)
    np.sin(g, out=g)
    g *= 20 * np.pi
    np.multiply(p, 2, out=t)
    g += t


def with_numpy(
    terrain: str, optimizer: str, starts: Places, steps: int, kind: Any = np.float32
) -> Places:
    """The gradient by hand, every step in place, both coordinates in one array."""
    slope = {"himmelblau": _himmelblau, "rastrigin": _rastrigin}[terrain]
    rate, _ = CASES[terrain, optimizer]
    p = np.ascontiguousarray(starts.T, kind)
    g, t, m, v = np.empty_like(p), np.empty_like(p), np.zeros_like(p), np.zeros_like(p)
    for k in range(1, steps + 1):
        slope(p, g, t)
        if optimizer == "momentum":
            m *= B1
            m += g
            np.multiply(m, rate, out=t)
            p -= t
            continue
        m *= B1
        np.multiply(g, 1 - B1, out=t)
        m += t
        v *= B2
        g *= g
        g *= 1 - B2
        v += g
        # The corrections of both averages, put into the rate and the epsilon.
        correction = np.sqrt(1 - B2**k)
        np.sqrt(v, out=t)
        t += EPSILON * correction
        np.divide(m, t, out=t)
        t *= rate * correction / (1 - B1**k)
        p -= t
    return p.T


def _torch_slope(terrain: str, x: Any, y: Any) -> tuple[Any, Any]:
    import torch

    if terrain == "himmelblau":
        a, b = x * x + y - 11, x + y * y - 7
        return 2 * (2 * x * a + b), 2 * (a + 2 * y * b)
    wave = 20 * np.pi
    return (2 * z + wave * torch.sin(2 * np.pi * z) for z in (x, y))


def torch_eager(
    terrain: str, optimizer: str, starts: Places, steps: int, *, by_hand: bool
) -> Callable[[], Places]:
    """The fused optimizers of torch, with gradients by autograd or by hand."""
    import torch

    rate, _ = CASES[terrain, optimizer]

    def value(x: Any, y: Any) -> Any:
        if terrain == "himmelblau":
            return ((x * x + y - 11) ** 2 + (x + y * y - 7) ** 2).sum()
        return (x * x - 10 * torch.cos(2 * np.pi * x) + y * y - 10 * torch.cos(2 * np.pi * y)).sum()

    def run() -> Places:
        x, y = (torch.tensor(s).requires_grad_(not by_hand) for s in starts.T.copy())
        if optimizer == "adam":
            rule: Any = torch.optim.Adam([x, y], lr=rate, fused=True)
        else:
            rule = torch.optim.SGD([x, y], lr=rate, momentum=B1, fused=True)
        for _ in range(steps):
            if by_hand:
                x.grad, y.grad = _torch_slope(terrain, x, y)
            else:
                rule.zero_grad()
                value(x, y).backward()
            rule.step()
        return torch.stack([x, y], 1).detach().numpy()

    return run


def torch_compiled(
    terrain: str, optimizer: str, starts: Places, steps: int, unrolled: int
) -> Callable[[], Places]:
    """Some steps unrolled in one function of `torch.compile`, gradients by hand."""
    import torch

    rate, _ = CASES[terrain, optimizer]

    def one(x: Any, y: Any, mx: Any, my: Any, vx: Any, vy: Any, c: Any) -> tuple[Any, ...]:
        gx, gy = _torch_slope(terrain, x, y)
        if optimizer == "momentum":
            mx, my = B1 * mx + gx, B1 * my + gy
            return x - rate * mx, y - rate * my, mx, my, vx, vy
        mx, my = B1 * mx + (1 - B1) * gx, B1 * my + (1 - B1) * gy
        vx, vy = B2 * vx + (1 - B2) * gx * gx, B2 * vy + (1 - B2) * gy * gy
        x = x - c[0] * mx / (torch.sqrt(vx) + c[1])
        y = y - c[0] * my / (torch.sqrt(vy) + c[1])
        return x, y, mx, my, vx, vy

    def some(state: tuple[Any, ...], c: Any) -> tuple[Any, ...]:
        for k in range(unrolled):
            state = one(*state, c[k])
        return state

    fast = torch.compile(some, fullgraph=True, dynamic=False)
    t = torch.arange(1, steps + 1, dtype=torch.float64)
    correction = torch.sqrt(1 - B2**t)
    factors = torch.stack([rate * correction / (1 - B1**t), EPSILON * correction], 1).float()
    parts = factors.split(unrolled)

    def run() -> Places:
        x, y = (torch.tensor(s) for s in starts.T.copy())
        state = (x, y, *(torch.zeros_like(x) for _ in range(4)))
        with torch.no_grad():
            for part in parts:
                state = fast(state, part)
        return torch.stack(state[:2], 1).numpy()

    return run


def _workload(name: str, terrain: str, optimizer: str, quick: bool) -> Workload:
    balls, steps = (2_000, 100) if quick else (10_000, 1_000)
    rate, operations = CASES[terrain, optimizer]
    ground = fallline.terrains.by_name(terrain)
    low, high = np.array(ground.bounds).T
    starts = np.random.default_rng(0).uniform(low, high, (balls, 2)).astype(np.float32)
    work = (terrain, optimizer, starts, steps)
    wanted = with_numpy(*work, kind=np.float64)
    job = pose_job(ground, None, starts=starts, tolerance=0.0)
    rule = {"adam": optimizers.Adam, "momentum": optimizers.Momentum}[optimizer](rate)

    def loop(records: int) -> Places:
        return job.descend(rule, steps, job.stride(steps, records), False, Clock(0.0)).x

    def whole() -> Places:
        found = fallline.minimize(ground, None, rule, starts=starts, steps=steps, tolerance=0)
        return np.asarray(found.x)

    def contender(
        name: str, run: Callable[[], Places], threads: tuple[int, ...] = (1,), label: str = ""
    ) -> Contender:
        def judged() -> Any:
            places = run()
            return lambda: float((np.linalg.norm(places - wanted, axis=1) < 0.1).mean())

        return Contender(name, judged, threads, label)

    def eager() -> Contender:
        ways = {"autograd": False, "gradient by hand": True}
        return fastest(
            *(
                contender("torch eager", torch_eager(*work, by_hand=by_hand), (1, 2), label)
                for label, by_hand in ways.items()
            )
        )

    def compiled() -> Contender:
        run = torch_compiled(*work, unrolled=20)
        return contender("torch compiled", run, (1, 2), "20 steps a call")

    contenders = [
        contender("Fallline", lambda: loop(10), label="loop, 10 records"),
        contender("Fallline, 100 records", lambda: loop(100), label="loop, the default"),
        contender("fallline.minimize", whole, label="whole call"),
        contender("NumPy", lambda: with_numpy(*work)),
        peer("torch eager", eager),
    ]
    note = (
        "Fallline on all cores, with ten records of six numbers a ball, where the peers keep "
        "none and the default is a hundred; NumPy with the gradient by hand, in place"
    )
    if quick:
        note += "; torch.compile left out, which compiles for half a minute"
    else:
        contenders.append(peer("torch compiled", compiled))
    return Workload(
        name,
        contenders,
        {"torch eager": 60.0, "NumPy": 6.0},
        updates=balls * steps,
        flops=float(operations * balls * steps),
        higher_is_better=True,
        note=note,
        ceiling="sgemm 2",
    )
