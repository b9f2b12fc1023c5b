"""Many learning rates: swept in one call, and one run after another, here and elsewhere.

All start from the same weights and see the same rows in the same order. Every single run must end at the loss
that it has in the sweep, within a hundredth (torch's networks: a twentieth); a contender for which one does
not has no quality, and no time.
"""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fallline
from benchmarks.harness import Contender, Workload, peer
from benchmarks.peers import networks
from benchmarks.workloads.network import QUICK_ROWS, classes
from fallline import models, optimizers
from fallline.descent import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ends = list[list[np.ndarray]]  # the weights of every run, layer by layer

BATCH = 32


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """A linear model, on one device and on two, and a small network."""
    for name, make in (
        ("sweep, linear, 128 rates", _linear),
        ("sweep, linear, 128 rates, two devices", _linear_two),
        ("sweep, small MLP, 64 settings", _network),
    ):
        yield name, functools.partial(make, name, quick)


@dataclass
class Case:
    """What is to be trained at many rates.

    Attributes:
        model: of `fallline.models`.
        loss: its name.
        data: features and targets.
        start: parameters.
        rule: the optimizer.
        rates: learning rates.
        epochs: passes over the rows.
        mean_loss: of weights, over all rows.
        known: the losses that the sweep ended with.
    """

    model: Any
    loss: str
    data: tuple[np.ndarray, np.ndarray]
    start: dict[str, dict[str, np.ndarray]]
    rule: Any
    rates: np.ndarray
    epochs: int
    mean_loss: Callable[[list[np.ndarray]], float]
    known: np.ndarray | None = None

    def flat(self, params: Any) -> list[np.ndarray]:
        """Parameters layer by layer."""
        return [
            np.asarray(params[layer][kind]) for layer in self.start for kind in self.start[layer]
        ]

    def swept(self) -> Ends:
        """All in one call."""
        found = fallline.sweep(
            self.model,
            self.loss,
            self.data,
            params=self.start,
            optimizers=self.rule(),
            learning_rate=self.rates.tolist(),
            seeds=1,
            batch_sizes=BATCH,
            epochs=self.epochs,
        )
        stacked = self.flat(found.parts[0].ends[0])
        return [[leaf[0, run] for leaf in stacked] for run in range(len(self.rates))]

    def one_by_one(self) -> Ends:
        """A call of `fallline.train` for each; all share one compiled program."""
        return [
            self.flat(
                fallline.train(
                    self.model,
                    self.loss,
                    self.data,
                    params=self.start,
                    optimizer=self.rule(rate),
                    batch_size=BATCH,
                    epochs=self.epochs,
                ).params
            )
            for rate in self.rates.tolist()
        ]

    def contender(
        self,
        name: str,
        run: Callable[[], Ends],
        threads: tuple[int, ...] = (1,),
        label: str = "",
        tolerance: float = 0.01,
    ) -> Contender:
        """Whoever trains all runs; the quality is their mean loss, if every one is as in the sweep."""

        def judged() -> Any:
            ends = run()
            return lambda: self.quality(ends, tolerance)

        return Contender(name, judged, threads, label)

    def quality(self, ends: Ends, tolerance: float) -> float:
        """The mean loss of all runs; not a number if one of them ended elsewhere than in the sweep."""
        losses = np.array([self.mean_loss(weights) for weights in ends])
        self.known = losses if self.known is None else self.known
        same = bool(np.abs(losses / self.known - 1).max() <= tolerance)
        return float(losses.mean()) if same else float("nan")


def two_devices(case: Case, kind: str, quick: bool) -> Contender:
    """The sweep on two host devices, which is a setting of a whole process, so that it has one of its own."""

    @functools.cache
    def worker() -> subprocess.Popen:
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
        started = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.workloads.sweeps", kind, *["quick"][:quick]],
            env={**os.environ, "XLA_FLAGS": flags},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        weakref.finalize(run, started.communicate)  # it ends with its input
        return started

    def run() -> Ends:
        pipes = worker()
        pipes.stdin.write(b"\n")
        pipes.stdin.flush()
        return pickle.load(pipes.stdout)

    return case.contender("Fallline, two devices", run, label="a process of its own")


def _linear_case(quick: bool) -> Case:
    count, runs, epochs = (1_000, 16, 2) if quick else (5_000, 128, 10)
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 20)).astype(np.float32)
    y = (x @ random.normal(size=20) + random.normal(size=count)).astype(np.float32)
    model = models.Linear(20)

    def mean_loss(weights: list[np.ndarray]) -> float:
        left = x.astype(np.float64) @ weights[0][:, 0] + weights[1][0] - y
        return float(np.mean(left * left))

    start = {"affine1": {"weights": np.zeros((20, 1), np.float32), "bias": np.zeros(1, np.float32)}}
    rates = np.geomspace(1e-4, 0.03, runs)
    return Case(model, "squared_error", (x, y), start, optimizers.SGD, rates, epochs, mean_loss)


def _linear(name: str, quick: bool) -> Workload:
    case = _linear_case(quick)
    count, runs = len(case.data[0]), len(case.rates)
    return Workload(
        name,
        [
            case.contender("Fallline", case.swept),
            case.contender("Fallline, one by one", case.one_by_one),
            case.contender(
                "NumPy", functools.partial(_numpy_side_by_side, case), (1, 2), "all rates at once"
            ),
        ],
        {"Fallline, one by one": 12.0},
        updates=runs * case.epochs * -(-count // BATCH),
        flops=4.0 * 21 * count * case.epochs * runs,
        note="plain descent; one by one: calls of fallline.train that share a program",
    )


def _linear_two(name: str, quick: bool) -> Workload:
    case = _linear_case(quick)
    return Workload(
        name,
        [two_devices(case, "linear", quick), case.contender("Fallline, one device", case.swept)],
        {"Fallline, one device": 1.5},
        updates=len(case.rates) * case.epochs * -(-len(case.data[0]) // BATCH),
        note="the same sweep; two devices are a process of its own, whose weights come through a pipe",
    )


def _numpy_side_by_side(case: Case) -> Ends:
    """Plain descent at all rates at once: a batch is one product for all of them."""
    (x, y), rates = case.data, case.rates.astype(np.float32)
    plan = batches.plan(len(x), BATCH)
    x = np.column_stack([x, np.ones(len(x), np.float32)])
    weights = np.zeros((x.shape[1], len(rates)), np.float32)
    for epoch in range(case.epochs):
        order = plan.order(epoch)[: len(x)]
        rows, targets = x[order], y[order][:, None]
        for begin in range(0, len(x), BATCH):
            some = rows[begin : begin + BATCH]
            left = some @ weights
            left -= targets[begin : begin + BATCH]
            slope = some.T @ left
            slope *= rates * np.float32(2 / len(some))
            weights -= slope
    return [[column[:-1, None], column[-1:]] for column in weights.T]


def _network_case(quick: bool) -> tuple[Case, networks.Task]:
    return network_case(*((QUICK_ROWS, 4, 2) if quick else (2_016, 64, 5)))


def network_case(count: int, runs: int, epochs: int) -> tuple[Case, networks.Task]:
    """A network of 20-64-64-3 under Adam.

    Args:
        count: rows.
        runs: learning rates.
        epochs: passes over the rows.
    """
    x, y = classes(count)
    rates = np.geomspace(1e-4, 0.01, runs)
    task = networks.Task(x, y, (64, 64), BATCH, epochs)
    model = models.MLP(20, (64, 64), 3)
    case = Case(
        model,
        "softmax_cross_entropy",
        (x, y),
        task.params,
        optimizers.Adam,
        rates,
        epochs,
        task.loss,
    )
    return case, task


def _network(name: str, quick: bool) -> Workload:
    case, task = _network_case(quick)
    rates = case.rates

    def torch_one_by_one() -> Contender:
        trainers = [networks.torch_eager(replace(task, rate=rate)) for rate in rates.tolist()]
        return case.contender(
            "torch, one by one",
            lambda: [train() for train in trainers],
            label="eager",
            tolerance=0.05,
        )

    def torch_side_by_side() -> Contender:
        train = networks.torch_side_by_side(task, rates)
        return case.contender(
            "torch, all at once", train, (1, 2), label="batched products", tolerance=0.05
        )

    return Workload(
        name,
        [
            case.contender("Fallline", case.swept),
            case.contender("Fallline, one by one", case.one_by_one),
            *([] if quick else [two_devices(case, "network", quick)]),
            peer("torch, one by one", torch_one_by_one),
            peer("torch, all at once", torch_side_by_side),
        ],
        {"torch, one by one": 25.0},
        updates=len(rates) * task.updates,
        flops=len(rates) * task.flops,
        note="made rows; torch one by one on one thread, the faster for it",
    )


def _serve(kind: str, *quick: str) -> None:
    """Sweep once for every line that is read, and write the weights."""
    case = _linear_case(bool(quick)) if kind == "linear" else _network_case(bool(quick))[0]
    for _ in sys.stdin.buffer:
        pickle.dump(case.swept(), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
