"""Rules about what was learned: too much of the training rows, or too little of anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis import trials
from fallline.diagnosis.case import bare_loss
from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import falling, found

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding


def overfitting(facts: Facts) -> Finding | None:
    """The validation loss turned and rose for good while the training loss went on falling."""
    held, training = facts.validation, facts.training
    # Where patience ended the run, the best parameters were kept in time.
    if (
        facts.blew_up
        or facts.case.ended == "patience"
        or len(held) < 4
        or len(training) != len(held)
    ):
        return None
    # The middle of three epochs: one of them may be a fluke of few rows.
    calm = np.median(np.stack([held[:-2], held[1:-1], held[2:]]), axis=0)
    best = int(np.argmin(calm)) + 1
    level, end = float(calm[best - 1]), float(np.mean(held[-max(1, len(held) // 10) :]))
    start = facts.chance if math.isfinite(facts.chance) else float(held[0])
    fall, rise = start - level, end - level
    if best > 0.8 * len(held) or not rise > max(0.2 * abs(level), 0.08 * fall):
        return None
    # By how much validation losses jump from epoch to epoch.
    jump = float(np.median(np.abs(np.diff(held))))
    if rise < 4 * jump or not training[-1] < training[best]:
        return None
    if not end - training[-1] > 0.1 * max(fall, 0.0):
        return None
    patience = max(5, min(20, len(held) // 5))
    return found(
        facts,
        "overfitting",
        [
            ("validation_end", end, level),
            ("validation_best_at", best + 1, len(held)),
            ("training_end", float(training[-1]), float(training[best])),
        ],
        Fix("patience", {"patience": patience}, {"patience": patience}),
        Fix("l2", {"l2": 0.01}, {"l2": 0.01}),
        epoch=best + 1,
        level=level,
        end=end,
    )


def underfitting(facts: Facts) -> Finding | None:
    """Training has ended, and a larger network predicts unseen rows much better than this one its own."""
    case, rows = facts.run, facts.rows
    if case is None or rows is None or facts.blew_up or falling(facts, 0.1) or rows.target_constant:
        return None
    if rows.leak_column is not None or rows.contradictions > 0.1:
        return None
    return _larger(facts, units_of(facts))


def penalty_too_strong(facts: Facts) -> Finding | None:
    """A penalty keeps the weights so small that the same model without it fits far better."""
    case = facts.run
    if case is None or case.end is None or facts.blew_up or not facts.penalised:
        return None
    penalties: dict[str, Any] = {n: case.asked[n] for n in ("l1", "l2") if case.asked.get(n)}
    free = dict.fromkeys(penalties)
    problem = facts.changed_problem(free)
    if problem is None:
        return None
    run = trials.from_start(problem, problem.optimizer, seconds=max(facts.clock.left / 3, 0.2))
    before = bare_loss(problem.objective, case.end["params"], case.end["state"], case.sample)
    after = bare_loss(problem.objective, run.last["params"], run.last["state"], case.sample)
    start = facts.chance if math.isfinite(facts.chance) else facts.first
    if not (before - after) / max(start - after, 1e-12) > 0.15:
        return None
    name = max(penalties, key=lambda n: penalties[n])
    return found(
        facts,
        "underfitting",
        [("penalty", penalties[name]), ("bare_loss", after, before)],
        Fix("no-penalty", free, {"penalty": name}),
        key="underfitting.penalty",
        penalty=name,
        value=penalties[name],
    )


def units_of(facts: Facts) -> tuple[int, ...]:
    """Hidden layers of a network that has room to spare."""
    return tuple(max(64, 4 * n) for n in getattr(facts.case.model, "hidden", ())) or (64, 64)


def _larger(facts: Facts, units: tuple[int, ...]) -> Finding | None:
    """Compare the run's training loss with what a larger network reaches on rows it has not seen."""
    case = facts.run
    rows = facts.rows
    if case is None or rows is None or not facts.last > 0.02 * facts.reference:
        return None
    if rows.rows < 60 or rows.neighbour_p > 1e-6 or facts.penalised:
        return None
    changes: dict[str, Any] = {"hidden": units, "optimizer": "adam", "learning_rate": 0.01}
    tried: dict[str, Any] = {**changes, "patience": math.inf, "steps": 1500, "epochs": None}
    tried |= {"batch_size": 64}
    if not len(facts.validation):
        tried["validation"] = 0.2
    trial = facts.trial_with(tried)
    if trial is None or not math.isfinite(trial.validation):
        return None
    if not trial.validation < 0.5 * facts.last:
        return None
    if not facts.share(facts.last, trial.validation) > 0.15:
        return None
    return found(
        facts,
        "underfitting",
        [
            ("larger_network", trial.validation, facts.last),
            ("slope_flat", facts.pace, 0.0),
        ],
        Fix("hidden", changes, {"units": ", ".join(map(str, units)), "rate": 0.01}),
    )
