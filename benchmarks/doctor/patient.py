"""What a patient is: a run to make, and the truth about it."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from benchmarks.doctor import tables
from benchmarks.doctor.work import BASES, work

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Patient:
    """A run and what is wrong with it.

    Attributes:
        name: its key in the results.
        fault: the finding that was planted; None for a healthy run.
        severity: the planted number (a factor on the rate, a limit, a count), as the case says.
        dataset: the table or function.
        seed: of the run.
        split: "dev" or "test".
        arguments: makes what `fallline.train` (or `fallline.minimize`) is called with.
        also: other findings that are true of this run, too; no false alarms.
        kind: "train" or "minimize".
        twin: the same without the fault; None where the fault speaks for itself.
        judge: in what the twin must be better: "loss" (last training loss), "validation" (best
            validation loss), "overfit" (validation loss at the end against its best), "true" (nothing to
            compare: the fault is there by construction) or "healthy".
        group: patients of one group share compiled programs.
    """

    name: str
    fault: str | None
    severity: float
    dataset: str
    seed: int
    split: str
    arguments: Callable[[], dict[str, Any]]
    also: tuple[str, ...] = ()
    kind: str = "train"
    twin: Callable[[], dict[str, Any]] | None = None
    judge: str = "loss"
    group: str = ""


def seed_of(dataset: str, place: int) -> int:
    """Seeds from 0 for what is tuned on, from 100 for what is reported."""
    return place if dataset in tables.DEV else 100 + place


def well(base: str, optimizer: str, place: int, tag: str = "plain", **changes: Any) -> Patient:
    """A healthy patient: a base as it is, or with harmless changes."""
    dataset = BASES[base].dataset
    seed = changes.pop("seed", seed_of(dataset, place))
    also = changes.pop("also", ())
    return Patient(
        f"healthy:{tag}:{base}:{optimizer}:{seed}",
        None,
        0.0,
        dataset,
        seed,
        tables.split(dataset, seed),
        functools.partial(work, base, optimizer, seed, **changes),
        also=also,
        judge="healthy",
        group=f"{base}:{optimizer}",
    )


def sick(
    fault: str,
    base: str,
    optimizer: str,
    place: int,
    severity: float,
    *,
    also: tuple[str, ...] = (),
    judge: str = "loss",
    tag: str = "",
    common: dict[str, Any] | None = None,
    twin: dict[str, Any] | None = None,
    **changes: Any,
) -> Patient:
    """A patient with one planted fault.

    Args:
        fault: a finding's name.
        base: what the run is otherwise.
        optimizer: its name.
        place: counts cases, for the seed.
        severity: the planted number.
        also: see `Patient`.
        judge: see `Patient`.
        tag: distinguishes kinds of one fault.
        common: changes of both the patient and its twin.
        twin: changes of the twin alone.
        changes: the fault.
    """
    dataset = BASES[base].dataset
    seed = seed_of(dataset, place)
    both = common or {}
    return Patient(
        f"{fault}:{tag + ':' if tag else ''}{base}:{optimizer}:{severity:g}:{seed}",
        fault,
        severity,
        dataset,
        seed,
        tables.split(dataset, seed),
        functools.partial(work, base, optimizer, seed, **(both | changes)),
        also=also,
        twin=functools.partial(work, base, optimizer, seed, **(both | (twin or {}))),
        judge=judge,
        group=f"{base}:{optimizer}",
    )
