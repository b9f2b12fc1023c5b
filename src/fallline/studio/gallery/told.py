"""What the page is told of a patient: its picture on the wall, its symptoms, the verdict with the cure."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.averages import smooth
from fallline.page.card import card
from fallline.page.curves import curves, epochs, finite, finites, remembered
from fallline.page.instruments import instruments
from fallline.studio.gallery.ward import Once, admitted

if TYPE_CHECKING:
    from fallline.descent.run import Run
    from fallline.diagnosis.finding import Diagnosis, Finding
    from fallline.studio.gallery.patients import Patient
    from fallline.studio.gallery.tables import Rows
    from fallline.studio.gallery.ward import Admitted, Examined

THUMB = 120
"""Places of a curve on the wall."""

SEEN_ROWS = 256
"""Rows on which the instruments are read."""

MOST_COLUMNS = 10
"""Columns that are shown of the inputs: those that stand out."""

WIDE = 100.0
"""An average of the losses that spans more than this is drawn by its logarithms."""

SIDES = 2.0
"""How far one looks to both sides of a place."""

HELD_OUT = ("validation_loss", "last_validation_loss")


def thumb(found: Admitted) -> dict[str, list[float | None]]:
    """The loss curve between 0 and 1, a place each: of the batches, and their average."""
    losses = np.asarray(found.run.history.steps["loss"], np.float64)
    average = smooth(losses, remembered(len(losses)))
    parts = np.array_split(np.arange(len(losses)), min(THUMB, len(losses)))
    # A place has what lies furthest from the average of its stretch, so that no leap is lost.
    apart = np.abs(losses - average)
    raw = losses[[part[apart[part].argmax()] for part in parts]]
    line = average[[part[-1] for part in parts]]
    line[0] = losses[0]
    # A few leaps may go beyond the edge, so that the rest is not pressed to the ground.
    low, high = min(float(raw.min()), 0.0), max(float(np.quantile(raw, 0.97)), float(line[0]))
    if found.rows is not None and float(line.max()) > WIDE * float(line.min()) > 0:
        raw, line = np.log(raw), np.log(line)
        low, high = float(raw.min()), float(max(raw.max(), line.max()))

    def heights(values: np.ndarray) -> list[float | None]:
        return finites(np.round(np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.04), 3))

    return {"line": heights(line), "raw": heights(raw)}


def _symptoms(patient: Patient) -> dict[str, Any]:
    found = admitted(patient)
    run, rows, case = found.run, found.rows, found.case
    known = card(run)
    measured = None
    problem, end = case.problem, case.at("end")
    if run.model is not None and rows is not None and problem is not None and end is not None:
        from fallline.descent.objective import Batch

        x, y = (part[:SEEN_ROWS] for part in run.asked["data"])  # pyright: ignore
        measured = instruments(
            run.model,
            *end,
            problem.objective,
            Batch(np.asarray(x), np.asarray(y)),
            loss=run.loss,
            history=run.history,
            names=rows.columns,
            classes=rows.classes,
            target=rows.target,
        )
    return {
        "case": patient.name,
        "trained": {**known["trained"], "data": None if rows is None else rows.source},
        "curves": known["curves"],
        "epochs": known["epochs"],
        "best_epoch": known["best_epoch"],
        "instruments": measured,
        "rows": None if rows is None else len(rows.y),
        "inputs": None if rows is None else inputs(rows),
    }


symptoms: Once[dict[str, Any]] = Once(_symptoms)
"""Everything that may be looked at before a verdict, but nothing that the doctor says."""


def inputs(rows: Rows) -> dict[str, Any]:
    """The columns that stand out: how wide each is, and how far it alone goes with the target.

    The latter is the correlation ratio, which for numbers is the absolute correlation.
    """
    x, y = np.asarray(rows.x, np.float64), rows.y
    spread = x.std(axis=0)
    centred = x - x.mean(axis=0)
    whole = np.maximum((centred**2).sum(axis=0), 1e-300)
    if rows.classes is None:
        t = np.asarray(y, np.float64) - float(np.mean(y))
        agreement = np.abs(centred.T @ t) / np.sqrt(whole * float(t @ t))
    else:
        between = np.zeros(x.shape[1])
        for label in range(len(rows.classes)):
            own = centred[y == label]
            between += len(own) * own.mean(axis=0) ** 2 if len(own) else 0.0
        agreement = np.sqrt(between / whole)
    by_spread: list[int] = np.argsort(-spread).tolist()
    by_agreement: list[int] = np.argsort(-np.asarray(agreement)).tolist()
    chosen: list[int] = []
    for one in (i for pair in zip(by_agreement, by_spread, strict=True) for i in pair):
        if one not in chosen and len(chosen) < MOST_COLUMNS - 1:
            chosen.append(one)
    narrowest = by_spread[-1]
    if narrowest not in chosen:
        chosen.append(narrowest)
    chosen.sort()
    return {
        "columns": [
            {
                "name": rows.columns[i],
                "spread": finite(spread[i]),
                "mean": finite(x[:, i].mean()),
                "agreement": finite(agreement[i]),
            }
            for i in chosen
        ],
        "all": len(rows.columns),
        "target": rows.target,
    }


def verdict(found: Examined, before: Run, lang: str) -> dict[str, Any]:
    """What the doctor says, in a language, and both curves, without the fix and with it."""
    spoken = _spoken(found.diagnosis, lang)
    # How long the doctor took says more about the machine than about the patient.
    told: dict[str, Any] = {**spoken.to_json(), "seconds": 0.0}
    for finding, fields in zip(spoken.findings, told["findings"], strict=True):
        fields["title"] = finding.title
    return {
        "diagnosis": told,
        "cure": _cure(found, before, spoken.findings[0]),
        "around": around(before) if before.model is None else None,
    }


def around(run: Run) -> dict[str, Any]:
    """A function on both sides of the place where a run rests, along each of its variables."""
    import jax
    import jax.numpy as jnp

    place: dict[str, Any] = run.last["params"]
    function: Any = (run.asked or {})["model"]
    offsets = np.linspace(-SIDES, SIDES, 61)

    def along(name: str) -> Any:
        return jax.vmap(lambda by: function({**place, name: place[name] + by}))(
            jnp.asarray(offsets)
        )

    lines = [
        {"name": name, "y": finites(np.atleast_1d(np.asarray(along(name))))}
        for name in sorted(place)
    ]
    return {"x": finites(offsets), "lines": lines}


def _spoken(diagnosis: Diagnosis, lang: str) -> Diagnosis:
    """The same in another language; the one that is kept stays as it is, since others may be reading it."""
    findings = [dataclasses.replace(finding, lang=lang) for finding in diagnosis.findings]
    withdrawn = [dataclasses.replace(finding, lang=lang) for finding in diagnosis.withdrawn]
    return dataclasses.replace(diagnosis, findings=findings, withdrawn=withdrawn, lang=lang)


def _cure(found: Examined, before: Run, finding: Finding) -> dict[str, Any] | None:
    """Both curves, of the loss that the fix is judged by, and both numbers."""
    after, proof = found.treated, finding.proven
    if after is None:
        return None
    quantity = "validation_loss" if proof is None else proof.quantity
    held = quantity in HELD_OUT
    numbers = (_end(before), _end(after)) if proof is None else (proof.before, proof.after)
    return {
        "quantity": quantity,
        "held_out": held,
        "helped": None if proof is None else proof.helped,
        "before": finite(numbers[0]),
        "after": finite(numbers[1]),
        "curves": {"before": _line(before, held), "after": _line(after, held)},
        "advice": finding.advice,
    }


def _end(run: Run) -> float:
    """The validation loss at the end of a run."""
    held = np.asarray(run.history.epochs["validation_loss"], np.float64)
    return float(held[-1]) if len(held) else math.nan


def _line(run: Run, held: bool) -> dict[str, Any]:
    """A curve: of the validation rows by epoch, or of the training by step, as it was and smooth.

    A function has no batches, and so nothing to smooth.
    """
    if held:
        ends = epochs(run.history, run.plan)
        return {"x": ends["step"], "y": ends["validation_loss"], "raw": None}
    steps = curves(run.history, 200)
    if run.model is None:
        return {"x": steps["step"], "y": steps["loss"], "raw": None}
    return {"x": steps["step"], "y": steps["smooth"], "raw": steps["loss"]}
