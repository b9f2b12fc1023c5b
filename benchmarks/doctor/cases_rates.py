"""Faults of the learning rate and of the batch."""

from __future__ import annotations

from typing import Any

from benchmarks.doctor.cases_healthy import cosine
from benchmarks.doctor.patient import Patient, sick
from benchmarks.doctor.work import BASES
from fallline.schedules import CosineDecay, ExponentialDecay, StepDecay

# (base, optimizer, factor on the rate that suits).
HIGH = (
    ("digits/net/40", "sgd", 30),
    ("digits/net/40", "adam", 30),
    ("moons/two/50", "sgd", 100),
    ("friedman/two/50", "adam", 100),
    ("friedman/two/50", "nesterov", 10),
    ("diabetes/linear/full", "sgd", 10),
    ("california/net/50", "momentum", 30),
    ("linear-a/linear/50", "sgd", 30),
    ("breast_cancer/net/25", "momentum", 100),
    ("mnist/net/50", "sgd", 10),
    ("mnist/net/50", "adam", 30),
    ("diamonds/net/50", "sgd", 10),
    ("diamonds/net/50", "adam", 100),
    ("spirals/two/50", "adam", 30),
    ("circles/two/50", "momentum", 100),
    ("xor/two/50", "adam", 100),
    ("linear-b/linear/full", "momentum", 10),
    ("linear-b/linear/50", "adam", 1000),
)

LOW = (
    ("digits/linear/40", "sgd", 1 / 300),
    ("digits/net/40", "adam", 1 / 100),
    ("digits/net/40", "adagrad", 1 / 3000),
    ("moons/two/50", "momentum", 1 / 100),
    ("friedman/two/50", "adam", 1 / 100),
    ("california/net/50", "sgd", 1 / 100),
    ("blobs/linear/50", "rmsprop", 1 / 300),
    ("linear-a/linear/50", "adadelta", 1 / 100),
    ("breast_cancer/linear/full", "momentum", 1 / 1000),
    ("wine/linear/17", "adam", 1 / 100),
    ("mnist/net/50", "adam", 1 / 100),
    ("mnist/net/50", "sgd", 1 / 100),
    ("titanic/tanh/40", "sgd", 1 / 1000),
    ("diamonds/net/50", "momentum", 1 / 300),
    ("spirals/two/50", "adam", 1 / 1000),
    ("circles/two/50", "sgd", 1 / 100),
    ("linear-b/linear/50", "momentum", 1 / 300),
    ("linear-b/linear/full", "adam", 1 / 100),
)

# (base, optimizer, rows a step, factor on the rate).
SMALL = (
    ("linear-a/linear/50", "sgd", 1, 0.7),
    ("linear-a/linear/50", "adam", 1, 6.0),
    ("diabetes/linear/20", "sgd", 1, 1.5),
    ("california/net/50", "sgd", 1, 0.5),
    ("friedman/two/50", "adam", 2, 4.0),
    ("linear-b/linear/50", "sgd", 1, 0.7),
    ("linear-b/linear/50", "momentum", 2, 3.0),
    ("adult/linear/50", "adam", 1, 1.0),
    ("titanic/tanh/40", "adam", 1, 1.0),
    ("mnist/net/50", "adam", 1, 1.0),
    ("titanic/linear/40", "sgd", 1, 2.0),
)

# (base, optimizer, epochs); all rows a step.
WASTEFUL = (
    ("california/net/50", "adam", 12),
    ("california/net/50", "sgd", 40),
    ("friedman/two/50", "adam", 40),
    ("digits/linear/40", "momentum", 20),
    ("digits/net/40", "sgd", 20),
    ("diamonds/net/50", "adam", 30),
    ("diamonds/net/50", "momentum", 20),
    ("mnist/net/50", "adam", 15),
    ("mnist/linear/50", "momentum", 20),
    ("adult/linear/50", "sgd", 15),
    ("spirals/two/50", "adam", 25),
)

# (base, optimizer, factor on the rate, rows a step).
FLOOR = (
    ("linear-a/linear/50", "sgd", 8, 10),
    ("linear-a/linear/50", "adam", 30, 5),
    ("california/net/50", "adam", 3, 10),
    ("friedman/two/50", "adam", 10, 20),
    ("diabetes/linear/20", "momentum", 20, 5),
    ("linear-b/linear/50", "sgd", 8, 10),
    ("linear-b/linear/50", "momentum", 15, 10),
    ("linear-b/linear/50", "adam", 25, 25),
    ("diamonds/net/50", "adam", 2, 10),
    ("titanic/tanh/40", "adam", 10, 40),
    ("adult/linear/50", "adam", 10, 50),
)

# (base, optimizer, which decay, epochs until the rate is next to nothing).
DECAYS = (
    ("digits/net/40", "sgd", "exponential", 1),
    ("digits/linear/40", "adam", "step", 1),
    ("friedman/two/50", "sgd", "cosine", 3),
    ("california/net/50", "momentum", "exponential", 1),
    ("moons/two/50", "adam", "cosine", 4),
    ("mnist/net/50", "sgd", "step", 1),
    ("diamonds/net/50", "adam", "exponential", 0.2),
    ("wine/linear/17", "sgd", "cosine", 2),
    ("spirals/two/50", "adam", "cosine", 4),
    ("circles/two/50", "momentum", "step", 1),
    ("linear-b/linear/50", "adam", "exponential", 1),
    ("breast_cancer/linear/full", "sgd", "cosine", 10),
)


def _decay(kind: str, epochs: float) -> Any:
    def schedule(rate: float, steps: int, epoch: int) -> Any:
        if kind == "exponential":
            return ExponentialDecay(rate, 0.1, epochs * epoch)
        if kind == "step":
            return StepDecay(rate, 0.1, epochs * epoch)
        return CosineDecay(rate, epochs * epoch)

    return schedule


def patients() -> list[Patient]:
    """All of them."""
    made: list[Patient] = []
    for i, (base, optimizer, factor) in enumerate(HIGH):
        # Steps that are too long kill ReLU units and blow up gradients, and both are true then.
        also = ("exploding-gradients", "dead-units", "noise-floor")
        made.append(
            sick("learning-rate-too-high", base, optimizer, i, factor, also=also, factor=factor)
        )
    for i, (base, optimizer, factor) in enumerate(LOW):
        made.append(sick("learning-rate-too-low", base, optimizer, i, factor, factor=factor))
    for i, (base, optimizer, size, factor) in enumerate(SMALL):
        # At this rate the noise sets where it ends, so a lower rate would help as well.
        # What is too noisy for its batches also throws ReLU units out of reach.
        also = ("noise-floor", "learning-rate-too-high", "dead-units")
        common = {"factor": factor}
        case = sick(
            "batch-too-small", base, optimizer, i, size, also=also, common=common, batch_size=size
        )
        made.append(case)
    for i, (base, optimizer, epochs) in enumerate(WASTEFUL):
        # So few steps are made that any run would still be falling.
        also = ("stopped-too-early", "learning-rate-too-low")
        rows = {"batch_size": "full"}
        common = {"epochs": epochs}
        made.append(
            sick("batch-wasteful", base, optimizer, i, epochs, also=also, common=common, **rows)
        )
    for i, (base, optimizer, factor, size) in enumerate(FLOOR):
        # The noise is that of the batch, and falls with the rate.
        also = ("batch-too-small", "learning-rate-too-high", "dead-units")
        common = {
            "factor": factor,
            "batch_size": size,
            "epochs": 2 * BASES[base].epochs,
        }
        twin = {"schedule": cosine}
        made.append(
            sick("noise-floor", base, optimizer, i, factor, also=also, common=common, twin=twin)
        )
    for i, (base, optimizer, kind, epochs) in enumerate(DECAYS):
        # What the decay leaves of the rate is too low.
        also = ("learning-rate-too-low",)
        schedule = _decay(kind, epochs)
        case = sick(
            "decay-too-fast", base, optimizer, i, epochs, also=also, tag=kind, schedule=schedule
        )
        made.append(case)
    return made
