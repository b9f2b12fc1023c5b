"""More of the same: runs in a sweep, and balls on a terrain."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import fallline
from benchmarks.growing import Axis, Curve, Work, peers
from fallline import models, optimizers, terrains

BATCH = 32
EPOCHS = 5
STEPS = 200


@functools.cache
def table(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Two thousand rows of twenty columns, for a regression or three classes."""
    random = np.random.default_rng(0)
    X = random.standard_normal((2000, 20), dtype=np.float32)
    if kind == "linear":
        y = X @ np.linspace(-1, 1, 20, dtype=np.float32)
        return X, y + 0.5 * random.standard_normal(2000, dtype=np.float32)
    score = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * random.standard_normal(2000)
    return X, np.digitize(score, [-0.5, 0.5]).astype(np.int32)


def rates(runs: int) -> np.ndarray:
    """As many learning rates as runs."""
    return np.geomspace(1e-4, 0.03, runs)


def _sweep(kind: str, quick: bool) -> Axis:
    linear = kind == "linear"
    model: Any = models.Linear(20, 1) if linear else models.MLP(20, (64, 64), 3)
    loss = "squared_error" if linear else "softmax_cross_entropy"
    rule: Any = optimizers.SGD if linear else optimizers.Adam

    def swept(runs: int) -> Work:
        def run() -> None:
            fallline.sweep(
                model,
                loss,
                table(kind),
                optimizers=rule(0.01),
                learning_rate=rates(runs),
                seeds=1,
                batch_sizes=BATCH,
                epochs=EPOCHS,
            )

        return Work(run)

    def single(runs: int) -> Work:
        def run() -> None:
            for rate in rates(runs):
                fallline.train(
                    model,
                    loss,
                    table(kind),
                    optimizer=rule(float(rate)),
                    batch_size=BATCH,
                    epochs=EPOCHS,
                )

        return Work(run)

    def eager() -> Curve:
        from benchmarks.peers.eager import Eager

        hidden, classes = ((), 0) if linear else ((64, 64), 3)

        def make(runs: int) -> Work:
            def run() -> None:
                for rate in rates(runs):
                    net = Eager(
                        *table(kind),
                        hidden=hidden,
                        classes=classes,
                        rate=float(rate),
                        batch=BATCH,
                        adam=not linear,
                    )
                    for _ in range(EPOCHS):
                        net.epoch()

            return Work(run)

        return Curve("torch, one by one", make, threads=(1,))

    what = "a linear model" if linear else "a network of 20-64-64-3"
    return Axis(
        name="sweep" if linear else "sweep-network",
        title="More runs: a linear model" if linear else "More runs: a network",
        label="learning rates",
        unit="seconds",
        values=[4] if quick else [1, 4, 16, 64, 256, 1024],
        curves=[
            Curve("Fallline, sweep", swept, compiles=True),
            Curve("Fallline, one by one", single, compiles=True),
            *peers(eager),
        ],
        note=f"{what[0].upper()}{what[1:]} on 2,000 rows, batches of {BATCH}, {EPOCHS} epochs, "
        "at so many learning "
        "rates; the whole call counts.",
    )


def sweep(quick: bool) -> Axis:
    """Time of more and more runs of a linear model."""
    return _sweep("linear", quick)


def sweep_network(quick: bool) -> Axis:
    """Time of more and more runs of a network."""
    return _sweep("network", quick)


def balls(quick: bool) -> Axis:
    """Time of more and more balls on Himmelblau's function."""
    from benchmarks.workloads.balls import CASES, torch_eager, with_numpy

    case = ("himmelblau", "adam")
    terrain = terrains.by_name(case[0])

    @functools.lru_cache(maxsize=1)
    def starts(count: int) -> np.ndarray:
        return np.random.default_rng(0).uniform(-5, 5, (count, 2)).astype(np.float32)

    def ours(count: int) -> Work:
        places = starts(count)

        def run() -> None:
            rule = optimizers.Adam(CASES[case][0])
            fallline.minimize(terrain, None, rule, starts=places, steps=STEPS, tolerance=0)

        return Work(run)

    def by_numpy(count: int) -> Work:
        places = starts(count)
        return Work(lambda: with_numpy(*case, places, STEPS))

    def eager() -> Curve:
        import torch  # noqa: F401

        def make(count: int) -> Work:
            run = torch_eager(*case, starts(count), STEPS, by_hand=True)
            return Work(run)

        return Curve("torch eager", make, threads=(1, 2), threads_from=10_000)

    return Axis(
        name="balls",
        title="More balls",
        label="balls on a terrain",
        unit="seconds",
        values=[100] if quick else [10**k for k in range(7)],
        curves=[
            Curve("Fallline", ours, compiles=True),
            Curve("NumPy", by_numpy),
            *peers(eager),
        ],
        note=f"{STEPS} Adam steps on Himmelblau's function. Fallline's whole call: also checks, "
        "records and the "
        "curvature where the balls end. NumPy and torch have the gradient by hand; NumPy works in place.",
    )
