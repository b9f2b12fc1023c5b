"""Healthy runs: every base with every optimizer that has a rate, and harmless changes of them."""

from __future__ import annotations

import functools
from typing import Any

from benchmarks.doctor.patient import Patient, well
from benchmarks.doctor.work import BASES
from fallline.optimizers import ClipByGlobalNorm
from fallline.schedules import CosineDecay, ExponentialDecay, InverseTimeDecay, StepDecay, WarmUp

NETWORKS = {
    "digits/net/40": 1.4,
    "moons/two/50": 0.6,
    "friedman/two/50": 1.5,
    "california/net/50": 2.6,
    "mnist/net/50": 1.6,
    "diamonds/net/50": 1.8,
    "circles/two/50": 0.6,
    "xor/two/50": 1.3,
    "breast_cancer/net/25": 0.7,
    "titanic/tanh/40": 0.58,
}
"""Base -> the length that about one gradient in fifty is above."""

LINEAR = (
    "digits/linear/40",
    "diabetes/linear/20",
    "blobs/linear/50",
    "linear-a/linear/50",
    "breast_cancer/linear/25",
    "wine/linear/17",
    "mnist/linear/50",
    "adult/linear/50",
    "linear-b/linear/50",
)


# (base, rate of descent on all rows at once).
EDGE = (
    ("digits/net/40", 0.5),
    ("moons/two/50", 0.5),
    ("california/net/50", 0.1),
    ("friedman/two/50", 0.05),
    ("mnist/net/50", 0.3),
    ("diamonds/net/50", 0.1),
    ("circles/two/50", 1.0),
    ("breast_cancer/net/25", 0.3),
)

SIZES = (
    "digits/net/40",
    "friedman/two/50",
    "california/net/50",
    "mnist/net/50",
    "diamonds/net/50",
    "circles/two/50",
)


def cosine(rate: float, steps: int, epoch: int) -> Any:
    """Down to 0 over the whole run."""
    return CosineDecay(rate, steps)


def warm(rate: float, steps: int, epoch: int) -> Any:
    """Up over a twentieth of the run, then constant."""
    return WarmUp(rate, max(1, steps // 20))


def gentle(rate: float, steps: int, epoch: int) -> Any:
    """Down to a tenth over the whole run."""
    return ExponentialDecay(rate, 0.1, steps)


def late(rate: float, steps: int, epoch: int) -> Any:
    """A tenth after two thirds of the run."""
    return StepDecay(rate, 0.1, 2 * steps // 3)


def inverse(rate: float, steps: int, epoch: int) -> Any:
    """A quarter at the end."""
    return InverseTimeDecay(rate, 3.0, steps)


SCHEDULES = {f.__name__: f for f in (cosine, warm, gentle, late, inverse)}


def _loose(limit: float, optimizer: Any) -> Any:
    return ClipByGlobalNorm(optimizer, limit=limit)


def patients() -> list[Patient]:
    """All of them."""
    made: list[Patient] = []
    for i, base in enumerate(BASES.values()):
        for j, optimizer in enumerate(base.optimizers):
            seed = 5 * i + j
            if base.dataset == "iris":
                made.append(well(base.name, optimizer, 0, seed=seed if j % 2 else 100 + seed))
            else:
                made.append(well(base.name, optimizer, seed))
    for i, (base, limit) in enumerate(NETWORKS.items()):
        optimizer = ("adam", "momentum")[i % 2]
        made += [
            well(base, optimizer, 10 + i, "patience", validation=0.2),
            well(base, "adam", 20 + i, "auto", rate="auto"),
        ]
        name = list(SCHEDULES)[i % 5]
        made.append(well(base, "sgd", 30 + i, name, schedule=SCHEDULES[name]))
        if i % 5 in (0, 3, 4):
            made.append(well(base, "adam", 40 + i, "dropout", model_options={"dropout": 0.1}))
        clip = functools.partial(_loose, limit)
        made.append(well(base, "momentum", 50 + i, "clip", wrap=clip))
        if i % 2 == 0:
            made.append(well(base, "sgd", 60 + i, "norm", model_options={"batch_norm": True}))
    for i, (base, rate) in enumerate(EDGE):
        # All rows at each of many steps: done in the end, though dearer than need be.
        changes = {"batch_size": "full", "epochs": 400, "rate": rate, "also": ("batch-wasteful",)}
        made.append(well(base, "sgd", 100 + i, "edge", **changes))
    for i, base in enumerate(SIZES):
        longer = 2 * BASES[base].epochs
        made.append(well(base, "adam", 110 + i, "large", batch_size=200, epochs=longer))
        made.append(well(base, "adam", 120 + i, "small", batch_size=10, factor=0.5))
    for i, base in enumerate(LINEAR):
        optimizer = ("sgd", "adam", "momentum")[i % 3]
        made.append(well(base, optimizer, 70 + i, "l2", l2=1e-3))
        name = list(SCHEDULES)[i % 5]
        made.append(well(base, optimizer, 80 + i, name, schedule=SCHEDULES[name]))
        if i % 2 == 0:
            made.append(well(base, "sgd", 90 + i, "auto", rate="auto"))
            made.append(well(base, "adam", 90 + i, "patience", validation=0.25))
    return made
