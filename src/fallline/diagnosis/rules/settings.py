"""Rules about settings that hold a run back: epsilon, clipping, patience."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import WORTH, better, falling, found
from fallline.optimizers import AdaGrad, Adam, RMSprop

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

CLIPPED = 0.5
"""Share of the steps that clipping may shorten."""


def stalled_below_epsilon(facts: Facts) -> Finding | None:
    """An adaptive optimizer divides by an epsilon larger than its gradients, so that its steps are tiny."""
    optimizer = facts.optimizer
    # AdaDelta's epsilon stands beside a square, and lets it begin at all.
    if not isinstance(optimizer, (Adam, RMSprop, AdaGrad)):
        return None
    epsilon, count = float(optimizer.epsilon), facts.parameters
    if not count:
        return None
    size = _rms(facts) / math.sqrt(count)
    if not size <= epsilon:
        return None
    small = min(1e-8, 1e-2 * size) if size > 0 else 1e-8
    if facts.run is None:
        if not (facts.displaced < 0.02 and facts.last > 0.7 * facts.first):
            return None
        return found(
            facts,
            "stalled-below-epsilon",
            [("gradient_rms", size, epsilon), ("displaced", facts.displaced, 0.02)],
            Fix("epsilon", {"epsilon": small}, {"epsilon": small}),
            epsilon=epsilon,
            size=size,
        )
    trial = facts.trial_with({"epsilon": small})
    # It may get there all the same, but late.
    late = trial is not None and facts.share(facts.outcome.mean, trial.mean) > WORTH
    if trial is None or not (better(facts, trial, WORTH / 2) or late):
        return None
    return found(
        facts,
        "stalled-below-epsilon",
        [("gradient_rms", size, epsilon), ("loss_with_fix", trial.loss, facts.last)],
        Fix("epsilon", {"epsilon": small}, {"epsilon": small}),
        epsilon=epsilon,
        size=size,
    )


def _rms(facts: Facts) -> float:
    norms = facts.gradient_norms[np.isfinite(facts.gradient_norms)]
    return float(np.median(norms)) if len(norms) else math.nan


def clipping_always_active(facts: Facts) -> Finding | None:
    """Nearly every gradient is longer than the limit, and without it the run gets further."""
    if facts.clip is None or not facts.clipped > CLIPPED or facts.blew_up:
        return None
    typical = float(np.nanpercentile(facts.gradient_norms, 90))
    changes: dict[str, Any] = {"clip_norm": float(f"{typical:.2g}")}
    trial = facts.trial_with(changes)
    if not better(facts, trial, WORTH / 2):
        changes = {"clip_norm": None}
        trial = facts.trial_with(changes)
    if not better(facts, trial, WORTH / 2):
        return None
    assert trial is not None
    key = "clip-limit" if changes["clip_norm"] is not None else "clip-none"
    return found(
        facts,
        "clipping-always-active",
        [
            ("clipped", facts.clipped, CLIPPED),
            ("gradient_p90", typical, facts.clip),
            ("loss_with_fix", trial.loss, facts.last),
        ],
        Fix(key, changes, {"limit": changes["clip_norm"]}),
        share=facts.clipped,
        limit=facts.clip,
    )


def stopped_too_early(facts: Facts) -> Finding | None:
    """A stopping rule ended a run that would have gone further down."""
    case = facts.run
    if case is None or case.ended not in ("patience", "slope", "gradient") or not case.asked:
        return None
    if case.problem is None or case.problem.steps < 1.2 * facts.steps:
        return None
    each = case.steps_per_epoch or 1
    patience = case.problem.rules.patience
    changes: dict[str, Any] = {}
    if case.ended == "patience":
        if float(patience) * each >= 200 and float(case.problem.rules.min_improvement) == 0:
            return None
        changes["patience"] = max(20, 10 * int(patience), -(-200 // each))
        changes["min_improvement"] = None
    elif case.ended == "slope":
        changes["slope_tolerance"] = None
    else:
        changes["gradient_tolerance"] = None
    trial = facts.trial_with(changes)
    if trial is None:
        return None
    held = facts.validation_gain(trial)
    gain = held if math.isfinite(held) else facts.gain(trial)
    if not gain > WORTH / 2:
        return None
    evidence: list[tuple[Any, ...]] = [
        ("ended_after", facts.steps / each, case.problem.steps / each),
        ("loss_going_on", trial.validation if math.isfinite(held) else trial.loss, _level(facts)),
    ]
    if falling(facts):
        evidence.append(("still_falling", facts.pace, 0.0))
    return found(
        facts,
        "stopped-too-early",
        evidence,
        Fix("patience" if "patience" in changes else "no-tolerance", changes, {**changes}),
        epochs=facts.steps / each,
        patience=float(patience),
    )


def _level(facts: Facts) -> float:
    return facts.outcome.validation if len(facts.validation) else facts.last
