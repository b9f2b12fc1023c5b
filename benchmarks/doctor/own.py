"""Patients with an objective of their own, and where they start."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.doctor import tables
from benchmarks.doctor.patient import Patient

if TYPE_CHECKING:
    from collections.abc import Callable


def _own(
    function: Callable[..., Any],
    start: Callable[[np.random.Generator], Any],
    seed: int,
    optimizer: str,
    rate: float,
    data: Callable[[], Any] | None = None,
    minimize: bool = False,
    **changes: Any,
) -> dict[str, Any]:
    begin = {k: np.asarray(v, np.float32) for k, v in start(np.random.default_rng(seed)).items()}
    arguments = {"optimizer": optimizer, "learning_rate": rate, "seed": seed, **changes}
    if minimize:
        return {"f": function, "x0": begin, **arguments}
    if data is not None:
        arguments = {"batch_size": 50, "epochs": 40, **arguments, "data": data()}
    return {"model": function, "params": begin, **arguments}


def own(
    fault: str | None,
    label: str,
    split: str,
    place: int,
    severity: float,
    function: Callable[..., Any],
    start: Callable[[np.random.Generator], Any],
    optimizer: str,
    rate: float,
    *,
    well: Callable[[np.random.Generator], Any] | None = None,
    twin: dict[str, Any] | None = None,
    judge: str = "loss",
    also: tuple[str, ...] = (),
    **changes: Any,
) -> Patient:
    """A patient with an objective of its own.

    Args:
        fault: a finding's name, or None for a healthy run.
        label: of the objective.
        split: "dev" or "test".
        place: counts cases, for the seed.
        severity: the planted number.
        function: the objective.
        start: where it starts, from a generator.
        optimizer: its name.
        rate: its learning rate.
        well: where the twin starts, if that is the difference.
        twin: the twin's other arguments.
        judge: see `Patient`.
        also: see `Patient`.
        changes: further arguments.
    """
    seed = place if split == "dev" else 100 + place
    common = {"optimizer": optimizer, "rate": rate, **changes}
    better = None
    if well is not None or twin is not None:
        better = functools.partial(_own, function, well or start, seed, **(common | (twin or {})))
    return Patient(
        f"{fault or 'healthy'}:{label}:{optimizer}:{severity:g}:{seed}",
        fault,
        severity,
        label,
        seed,
        split,
        functools.partial(_own, function, start, seed, **common),
        also=also,
        kind="minimize" if changes.get("minimize") else "train",
        twin=better,
        judge=judge if fault else "healthy",
        group=f"own:{label}",
    )


def at(value: Any, spread: float = 0.0) -> Callable[[np.random.Generator], Any]:
    """A start at x, give or take."""

    def start(draw: np.random.Generator) -> Any:
        place = np.asarray(value, float)
        return {"x": place + spread * draw.normal(size=place.shape)}

    return start


def leaves(spread: float, **shapes: tuple[int, ...]) -> Callable[[np.random.Generator], Any]:
    """Arrays of normal numbers, by name."""

    def start(draw: np.random.Generator) -> Any:
        return {name: spread * draw.normal(size=shape) for name, shape in shapes.items()}

    return start


def weights(size: int, w: float, b: float) -> Callable[[np.random.Generator], Any]:
    """A neuron with its bias far out."""

    def start(draw: np.random.Generator) -> Any:
        return {"w": w * np.abs(draw.normal(size=size)) / size**0.5, "b": np.asarray(b)}

    return start


def rows(name: str, count: int | None = None) -> Any:
    """Columns and target of a table, as an objective of one's own takes them."""
    x, y = tables.standard(name)
    return x[:count], y[:count].astype(np.float32)
