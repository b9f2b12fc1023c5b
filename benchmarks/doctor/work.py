"""The work that patients are given: a table, a model, an optimizer at a rate known to suit, and changes."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.doctor import tables
from fallline import models, optimizers
from fallline.descent.batches import plan

if TYPE_CHECKING:
    from collections.abc import Callable

RATES = Path(__file__).parent / "rates.json"
"""Learning rates that suit, found by ``python -m benchmarks.doctor.tune``."""


@dataclasses.dataclass(frozen=True)
class Base:
    """Work that is known to go well.

    Attributes:
        dataset: one of `tables`.
        model: "linear", "net" (one hidden layer of 32), "tanh" (the same) or "two" (two of 32).
        batch: rows a step.
        epochs: enough to be essentially done.
        optimizers: for which a rate is known.
    """

    dataset: str
    model: str
    batch: int | str
    epochs: int
    optimizers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as "digits/net/40"."""
        return f"{self.dataset}/{self.model}/{self.batch}"


ALL = (
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "adadelta",
    "rmsprop",
    "adam",
    "amsgrad",
    "adamw",
    "nadam",
    "lion",
)


def _bases() -> dict[str, Base]:
    listed: list[tuple[str, str, int | str, int]] = [
        ("digits", "linear", 40, 20),
        ("digits", "net", 40, 20),
        ("diabetes", "linear", 20, 40),
        ("diabetes", "linear", "full", 400),
        ("moons", "two", 50, 60),
        ("friedman", "two", 50, 60),
        ("california", "net", 50, 40),
        ("blobs", "linear", 50, 30),
        ("blobs", "net", 50, 30),
        ("linear-a", "linear", 50, 30),
        ("linear-a", "linear", "full", 200),
        ("iris", "linear", 15, 80),
        ("iris", "tanh", "full", 400),
        ("breast_cancer", "linear", 25, 30),
        ("breast_cancer", "linear", "full", 300),
        ("breast_cancer", "net", 25, 20),
        ("wine", "linear", 17, 40),
        ("wine", "tanh", "full", 200),
        ("mnist", "linear", 50, 20),
        ("mnist", "net", 50, 20),
        ("adult", "linear", 50, 15),
        ("titanic", "linear", 40, 30),
        ("titanic", "tanh", 40, 30),
        ("diamonds", "net", 50, 40),
        ("spirals", "two", 50, 200),
        ("circles", "two", 50, 60),
        ("xor", "two", 50, 80),
        ("linear-b", "linear", 50, 30),
        ("linear-b", "linear", "full", 200),
    ]
    found: dict[str, Base] = {}
    turn = 0
    for dataset, model, batch, epochs in listed:
        # Always the three most used, and in turn two of the others.
        others = [o for o in ALL if o not in ("sgd", "momentum", "adam")]
        chosen = ("sgd", "momentum", "adam", others[turn % 8], others[(turn + 3) % 8])
        base = Base(dataset, model, batch, epochs, chosen)
        found[base.name], turn = base, turn + 2 if turn % 8 == 6 else turn + 1
    return found


BASES = _bases()


@functools.cache
def _rates() -> dict[str, float]:
    return json.loads(RATES.read_text()) if RATES.exists() else {}


def rate_of(base: str, optimizer: str) -> float:
    """The rate that suits, from `RATES`."""
    return _rates()[f"{base}/{optimizer}"]


def model(dataset: str, kind: str, columns: int | None = None, **options: Any) -> models.Model:
    """A model for a table."""
    inputs = columns or tables.standard(dataset)[0].shape[1]
    if kind == "linear":
        return models.Linear(inputs, tables.outputs(dataset), **options)
    hidden = {"net": (32,), "tanh": (32,), "two": (32, 32)}[kind]
    options = {"hidden": hidden, "activation": "tanh" if kind == "tanh" else "relu", **options}
    return models.MLP(inputs, outputs=tables.outputs(dataset), **options)


def work(
    base: str,
    optimizer: str,
    seed: int,
    *,
    factor: float = 1.0,
    model_options: dict[str, Any] | None = None,
    kind: str | None = None,
    spoil: Callable[..., tuple[np.ndarray, np.ndarray]] | None = None,
    wrap: Callable[[Any], Any] | None = None,
    schedule: Callable[[float, int, int], Any] | None = None,
    start: Callable[[Any, int], Any] | None = None,
    rows: int | None = None,
    rate: Any = None,
    optimizer_options: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The arguments of `fallline.train`.

    Args:
        base: a name in `BASES`.
        optimizer: its name.
        seed: of the run.
        factor: on the rate that suits.
        model_options: for the model.
        kind: of the model, if not the base's.
        spoil: (x, y, dataset, generator) -> (x, y).
        wrap: the optimizer in another.
        schedule: (rate, steps, steps an epoch) -> a schedule.
        start: (model, seed) -> the parameters at the start.
        rows: the first rows only.
        rate: in place of the one that suits.
        optimizer_options: for the optimizer.
        changes: further arguments of `fallline.train`.
    """
    found = BASES[base]
    x, y = tables.standard(found.dataset)
    if rows is not None:
        x, y = x[:rows], y[:rows]
    if spoil is not None:
        x, y = spoil(x, y, found.dataset, np.random.default_rng(seed))
    built = model(found.dataset, kind or found.model, x.shape[1], **(model_options or {}))
    arguments = {"batch_size": found.batch, "epochs": found.epochs, "seed": seed, **changes}
    speed = rate if rate is not None else factor * rate_of(base, optimizer)
    if schedule is not None:
        share = arguments.get("validation", 0.0)
        steps = plan(len(x) - round(share * len(x)), arguments["batch_size"]).steps
        speed = schedule(speed, steps * arguments["epochs"], steps)
    options = dict(optimizer_options or {})
    if speed == "auto":
        arguments["learning_rate"] = "auto"
    else:
        options["learning_rate"] = speed
    made = optimizers.OPTIMIZERS[optimizer](**options)
    if start is not None:
        arguments["params"] = start(built, seed)
    return {
        "model": built,
        "loss": tables.loss(found.dataset),
        "data": (x, y),
        "optimizer": wrap(made) if wrap else made,
        **arguments,
    }
