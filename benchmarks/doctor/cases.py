"""The corpus: every patient of every kind that passed its check."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.doctor import (
    cases_data,
    cases_healthy,
    cases_network,
    cases_own,
    cases_places,
    cases_rates,
)

if TYPE_CHECKING:
    from benchmarks.doctor.patient import Patient

CHECKED = Path(__file__).parent / "checked.json"
"""What ``python -m benchmarks.doctor.verify`` found, by patient."""


@functools.cache
def planned() -> tuple[Patient, ...]:
    """Everyone, checked or not."""
    rooms = (cases_healthy, cases_rates, cases_data, cases_network, cases_places, cases_own)
    made = [patient for room in rooms for patient in room.patients()]
    names = [patient.name for patient in made]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"Two patients are called {sorted(twice)}.")
    return tuple(made)


@functools.cache
def checked() -> dict[str, Any]:
    """What is known of each patient."""
    return json.loads(CHECKED.read_text()) if CHECKED.exists() else {}


def corpus() -> tuple[Patient, ...]:
    """Those that are as healthy or as sick as they are said to be, in groups of one shape."""
    known = checked()
    kept = [_told(p, known.get(p.name, {})) for p in planned() if _passed(known.get(p.name, {}))]
    return tuple(sorted(kept, key=lambda p: (p.group, p.name)))


def reseeded(patient: Patient, by: int) -> Patient:
    """The same patient with another seed, and so with other rows, weights and orders.

    The check of the seed it was planned with is taken to hold for it, too.
    """
    making = patient.arguments
    if not isinstance(making, functools.partial) or making.args[2] != patient.seed:
        raise ValueError(f"{patient.name} does not take its seed as the third argument.")
    seed = patient.seed + by
    return dataclasses.replace(
        patient,
        name=f"{patient.name}+{by}",
        seed=seed,
        arguments=functools.partial(
            making.func, *making.args[:2], seed, *making.args[3:], **making.keywords
        ),
    )


def named(name: str) -> Patient:
    """The patient of a name, reseeded if it ends in "+NUMBER"."""
    bare, _, by = name.partition("+")
    patient = _by_name()[bare]
    return reseeded(patient, int(by)) if by else patient


@functools.cache
def _by_name() -> dict[str, Patient]:
    return {patient.name: patient for patient in corpus()}


def _passed(found: dict[str, Any]) -> bool:
    return found.get("kept", True)


def _told(patient: Patient, found: dict[str, Any]) -> Patient:
    """The patient with what its check showed to be true besides."""
    also = (*patient.also, *(name for name in found.get("also", ()) if name not in patient.also))
    return dataclasses.replace(patient, also=also)
