"""Networks, sweeps and balls of the table, and larger ones, by the peers that use a GPU."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

import fallline
from benchmarks.harness import Contender, Workload, fastest, peer
from benchmarks.peers.networks import Task
from benchmarks.workloads import balls, network, sweeps
from fallline import optimizers
from fallline.descent.minimize import pose_job
from fallline.descent.minimize_jobs import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SAME = (
    "everything made on the device beforehand; Fallline takes its rows from the host at every run"
)


def workloads(quick: bool, device: str) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """Name and maker of each.

    Args:
        quick: tiny, and without `torch.compile`.
        device: torch's, "cuda" or "cpu".
    """
    for kind, batch, size in (
        (network.SMALL, 32, (64, 64)),
        (network.MEDIUM, 64, (128,)),
        (network.LARGE, 256, (1024, 1024)),
        ("MLP 784-4096-4096-10", 2048, (4096, 4096)),
    ):
        for bfloat16 in (False, True) if size[0] >= 1024 else (False,):
            name = f"{kind}, batch {batch}" + (", bfloat16" if bfloat16 else "")
            yield name, functools.partial(_network, name, size, batch, bfloat16, quick, device)
    name = "sweep, small MLP, 64 settings"
    yield name, functools.partial(_sweep, name, quick, device)
    for count in (10_000, 1_000_000):
        name = f"{count:,} balls, Himmelblau, Adam"
        yield name, functools.partial(_balls, name, count, quick, device)


def _ways(
    make: Callable[[], Any],
    contender: Callable[[str, Any], Contender],
    quick: bool,
    device: str,
) -> list[Contender]:
    """A work's three ways: eager, compiled where there is time for it, as a graph where there is a GPU."""

    def by_compiler() -> Contender:
        from benchmarks.gpu import torch_work

        modes: dict[str, dict[str, Any]] = {"": {}}
        if device == "cuda":
            modes["its own CUDA graphs"] = {"mode": "reduce-overhead"}
        found: list[Contender] = []
        for mode, options in modes.items():
            made = contender("torch compiled", torch_work.compiled(make(), **options))
            made.label = ", ".join(part for part in (made.label, mode) if part)
            found.append(made)
        return fastest(*found)

    def by(name: str, way: str) -> Contender:
        from benchmarks.gpu import torch_work

        return contender(name, getattr(torch_work, way)(make()))

    found = [_peer("torch eager", lambda: by("torch eager", "eager"))]
    if not quick:
        found.append(_peer("torch compiled", by_compiler))
    if device == "cuda":
        found.append(_peer("torch CUDA graphs", lambda: by("torch CUDA graphs", "graphed")))
    return found


def _peer(name: str, make: Callable[[], Contender]) -> Contender:
    """One that may not be installed, or fail while it compiles or records; the others then go on."""
    try:
        return peer(name, make)
    except Exception as error:
        reason = error

        def run() -> float:
            raise reason

        return Contender(name, run)


def _task(hidden: tuple[int, ...], batch: int, quick: bool) -> tuple[Task, str]:
    if hidden == (64, 64):
        return Task(*network.classes(320 if quick else 8000), hidden, batch, 1 if quick else 20), ""
    steps, epochs = (1, 1) if quick else (max(4, 9984 // batch), 6 if hidden == (128,) else 4)
    x, y, data = network.digits(min(batch * steps, 9984) // batch * batch)
    rate = 3e-4 if hidden == (128,) else 1e-4
    return Task(x, y, hidden, batch, epochs, rate), f"{data}; "


def _network(
    name: str, hidden: tuple[int, ...], batch: int, bfloat16: bool, quick: bool, device: str
) -> Workload:
    if quick and hidden[0] > 1024:
        hidden, batch = (256, 256), 64
    task, data = _task(hidden, batch, quick)

    def make() -> Any:
        from benchmarks.gpu.torch_work import Network

        return Network(task, device, bfloat16=bfloat16)

    options = {"precision": "bfloat16"} if bfloat16 else {}
    label = "bfloat16" if bfloat16 else ""

    def contender(name: str, run: Any) -> Contender:
        return network.contender(name, task, run, label=label)

    weights = sum(a.size for a in task.start)
    return Workload(
        name,
        [network.ours(task, label, **options), *_ways(make, contender, quick, device)],
        {},
        task.updates,
        task.flops,
        # Adam reads weights, both averages and the gradient, and writes all but the last of them.
        bytes=4.0 * 7 * weights * task.updates,
        tolerance=0.03,
        note=f"{data}{SAME}; products in {'bfloat16' if bfloat16 else 'TF32 where the device has it'}",
        ceiling="bfloat16" if bfloat16 else "float32",
        memory="copy",
    )


def _sweep(name: str, quick: bool, device: str) -> Workload:
    case, task = sweeps.network_case(*((320, 2, 1) if quick else (2016, 64, 5)))
    rates, runs = case.rates, len(case.rates)
    contender = functools.partial(case.contender, tolerance=0.05)

    def one_by_one(way: str) -> Contender:
        from benchmarks.gpu import torch_work

        work = torch_work.Network(dataclasses.replace(task, rate=float(rates[0])), device)
        run = getattr(torch_work, way)(work)

        def all_rates() -> list[list[np.ndarray]]:
            ends = []
            for rate in rates.tolist():
                work.rate.fill_(rate)
                ends.append(run())
            return ends

        return contender("torch, one by one", all_rates, label=way)

    def side_by_side(way: str) -> Contender:
        from benchmarks.gpu import torch_work

        work = torch_work.Networks(task, rates, device)
        run = getattr(torch_work, way)(work)

        def at_once() -> list[list[np.ndarray]]:
            run()
            return work.each_end()

        return contender("torch, all at once", at_once, label=way)

    ways = ("eager", "graphed") if device == "cuda" else ("eager",)
    return Workload(
        name,
        [
            case.contender("Fallline", case.swept),
            *(_peer(f"torch, one by one, {w}", functools.partial(one_by_one, w)) for w in ways),
            *(_peer(f"torch, all at once, {w}", functools.partial(side_by_side, w)) for w in ways),
        ],
        {},
        updates=runs * task.updates,
        flops=runs * task.flops,
        note=SAME,
        ceiling="float32",
        memory="copy",
    )


def _balls(name: str, count: int, quick: bool, device: str) -> Workload:
    count, steps = (min(count, 2000), 50) if quick else (count, 1000)
    rate, operations = balls.CASES["himmelblau", "adam"]
    ground = fallline.terrains.by_name("himmelblau")
    low, high = np.array(ground.bounds).T
    starts = np.random.default_rng(0).uniform(low, high, (count, 2)).astype(np.float32)
    wanted = balls.with_numpy("himmelblau", "adam", starts, steps, kind=np.float64)
    job = pose_job(ground, None, starts=starts, tolerance=0.0)
    rule = optimizers.Adam(rate)

    def loop() -> list[np.ndarray]:
        # One record, at the end: the peers make none.
        return [np.asarray(job.descend(rule, steps, steps, False, Clock(0.0)).x)]

    def make() -> Any:
        from benchmarks.gpu.torch_work import Balls

        return Balls(starts, steps, rate, device)

    def contender(name: str, run: Callable[[], list[np.ndarray]]) -> Contender:
        def judged() -> Any:
            places = run()[0]
            return lambda: float((np.linalg.norm(places - wanted, axis=1) < 0.1).mean())

        return Contender(name, judged)

    return Workload(
        name,
        [contender("Fallline", loop), *_ways(make, contender, quick, device)],
        {},
        updates=count * steps,
        flops=float(operations * count * steps),
        # A step's least traffic where it is a kernel of its own: places and both averages, in and out.
        bytes=4.0 * 2 * 6 * count * steps,
        higher_is_better=True,
        note=SAME,
        ceiling="float32",
        memory="copy",
    )
