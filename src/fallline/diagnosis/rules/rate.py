"""Rules about the learning rate: too high, too low, decayed too fast, or at the edge, where it is healthy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import WORTH, better, endless, falling, found, rounded, stuck

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

LOW = 0.2
"""What a higher rate must gain; a third of it, where less than a third of the loss is left."""

EDGE = (0.8, 1.3)
"""Rates, as shares of the largest stable one, between which a run is at the edge of stability."""


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """The run blew up, climbed or hovers high, and a lower rate takes it down."""
    if facts.steps < 2:
        return None
    lower = facts.best_rate(lower=True)
    if facts.run is None:
        return _history_alone(facts)
    if lower is None or not better(facts, lower[1]) or (facts.blew_up and endless(facts)):
        return None
    factor, trial = lower
    signs: list[tuple[Any, ...]] = []
    if facts.blew_up:
        signs.append(("blew_up", facts.steps, None, facts.steps))
    start = max(facts.first, facts.reference)
    if facts.last > start:
        signs.append(("ended_above_start", facts.last, start))
    if facts.lowest < math.inf and facts.share(facts.last, facts.lowest) > WORTH:
        signs.append(("ended_above_lowest", facts.last, facts.lowest))
    # With batches of some rows it rises on half of all steps, whatever the rate.
    if facts.rises > 0.35 and facts.case.steps_per_epoch == 1:
        signs.append(("rises", facts.rises, 0.35))
    if facts.cosine < -0.1:
        signs.append(("cosine", facts.cosine, -0.1))
    if stuck(facts):
        signs.append(("loss_against_chance", facts.last, facts.reference))
    agree = sum(better(facts, outcome) for outcome in facts.lower_rates.values())
    if agree >= 2:
        signs.append(("lower_rates", agree, len(facts.lower_rates)))
    # The curvature costs more than the rest together.
    if len(signs) < 2 and facts.margin > 0.8:
        signs.append(("margin", facts.margin, 1.0))
    if not signs:
        return None
    rate = rounded(factor * facts.plan_rate)
    key = "diverged" if facts.blew_up or facts.last > start else "oscillating"
    return found(
        facts,
        "learning-rate-too-high",
        [("loss_at_lower_rate", trial.loss, facts.last), *signs],
        Fix("learning-rate", {"learning_rate": rate}, {"rate": rate}),
        key=f"learning-rate-too-high.{key}",
        rate=facts.plan_rate,
        gain=facts.gain(trial),
        step=facts.steps,
    )


def _history_alone(facts: Facts) -> Finding | None:
    """From the history: it blew up, or ended above its start, while gradients and steps grew."""
    norms = facts.gradient_norms[np.isfinite(facts.gradient_norms)]
    grew = float(norms[-5:].max() / max(norms[0], 1e-30)) if len(norms) else math.nan
    climbed = facts.last > 1.5 * facts.first + 1e-12 and facts.first > 0
    turning = facts.cosine < -0.1
    if not ((facts.blew_up and grew > 10) or (climbed and (grew > 2 or turning))):
        return None
    return found(
        facts,
        "learning-rate-too-high",
        [("ended_above_start", facts.last, facts.first), ("gradient_grew", grew, 10.0)],
        _other_rate(facts, 0.1),
        key="learning-rate-too-high.diverged"
        if math.isfinite(facts.rate)
        else "learning-rate-too-high.steps",
        rate=facts.rate,
        gain=1.0,
        step=facts.steps,
    )


def _other_rate(facts: Facts, factor: float) -> Fix:
    """The rate times a factor; in words where the rate is not known."""
    if not math.isfinite(facts.rate) or facts.case.optimizer is None:
        return Fix("rate-lower" if factor < 1 else "rate-higher")
    rate = rounded(factor * facts.rate)
    return Fix("learning-rate", {"learning_rate": rate}, {"rate": rate})


def learning_rate_too_low(facts: Facts) -> Finding | None:
    """The run was still on its way, step after step in one direction, and a higher rate gets further."""
    if facts.run is None:
        return _straight_on(facts)
    higher = facts.best_rate(lower=False)
    if facts.blew_up or higher is None or facts.case.ended == "gradient":
        return None
    # Without validation rows, a network that can learn them by heart is not blamed for not having done so.
    much = facts.last > 0.5 * facts.reference or 0 < higher[1].loss < 0.25 * facts.last
    if facts.by_heart and not much:
        return None
    # Half-way measures are not worth it: any rate has one that ends a little lower.
    if not better(facts, higher[1], LOW) or endless(facts):
        return None
    factor, trial = higher
    signs: list[tuple[Any, ...]] = []
    if falling(facts):
        signs.append(("still_falling", facts.pace, 0.0))
    if facts.cosine > 0.2:
        signs.append(("cosine", facts.cosine, 0.2))
    moved = _moved(facts)
    if moved < 1e-5:
        signs.append(("update_ratio", moved, 1e-5))
    if not signs and facts.margin < 0.3:
        signs.append(("margin", facts.margin, 1.0))
    if not signs:
        return None
    rate = rounded(factor * facts.plan_rate)
    return found(
        facts,
        "learning-rate-too-low",
        [("loss_at_higher_rate", trial.loss, facts.last), *signs],
        Fix("learning-rate", {"learning_rate": rate}, {"rate": rate}),
        rate=facts.plan_rate,
        factor=factor,
        gain=facts.gain(trial),
    )


def _straight_on(facts: Facts) -> Finding | None:
    """From the history: steps so short that the run hardly left its start, and the loss shows it."""
    moved = _moved(facts)
    if facts.blew_up or facts.steps < 20 or not facts.first > 0:
        return None
    signs: list[tuple[Any, ...]] = []
    if facts.cosine > 0.95 and moved < 1e-4 and falling(facts):
        signs = [("cosine", facts.cosine, 0.95), ("update_ratio", moved, 1e-4)]
        signs.append(("still_falling", facts.pace, 0.0))
    elif 0 < facts.displaced < 0.02 and 0.7 * facts.first < facts.last < 1.1 * facts.first:
        signs = [("displaced", facts.displaced, 0.02), ("loss_end", facts.last, facts.first)]
    if not signs:
        return None
    return found(
        facts,
        "learning-rate-too-low",
        signs,
        _other_rate(facts, 10.0),
        key="learning-rate-too-low" if math.isfinite(facts.rate) else "learning-rate-too-low.steps",
        rate=facts.rate,
        factor=math.inf,
        gain=math.nan,
    )


def _moved(facts: Facts) -> float:
    """The median length of a step over the length of the parameters."""
    steps, sizes = facts.column("update_norm"), facts.column("parameter_norm")
    fine = np.isfinite(steps) & (sizes > 0)
    return float(np.median(steps[fine] / sizes[fine])) if fine.any() else math.nan


def decay_too_fast(facts: Facts) -> Finding | None:
    """The rate was as good as gone long before the end, and without the decay the run gets further."""
    rates = facts.rates
    if facts.blew_up or facts.steps < 20 or not np.isfinite(rates).all() or not rates.max() > 0:
        return None
    low = np.flatnonzero(rates < 0.05 * rates.max())
    begun = int(low[0]) if len(low) else facts.steps
    # A schedule may end low; it must not have been low for most of the run.
    if begun > 0.5 * facts.steps or rates[-1] > 0.05 * rates.max() or begun == 0:
        return None
    trial = facts.trial_with({"schedule": "constant"})
    if not better(facts, trial, WORTH / 2):
        return None
    assert trial is not None
    return found(
        facts,
        "decay-too-fast",
        [
            ("rate_left", float(rates[-1] / rates.max()), 0.05),
            ("rate_gone_at", begun, None, begun + 1),
            ("loss_with_fix", trial.loss, facts.last),
        ],
        Fix("schedule-constant", {"schedule": "constant"}, {"rate": facts.plan_rate}),
        step=begun + 1,
        share=begun / facts.steps,
    )


def edge_of_stability(facts: Facts) -> Finding | None:
    """At full batch, the curvature hovers where the rate is just stable, and the loss falls all the same."""
    full = facts.case.steps_per_epoch == 1
    if not full or facts.blew_up or not EDGE[0] < facts.margin < EDGE[1]:
        return None
    if not (facts.rises > 0.02 and facts.last < facts.first):
        return None
    return found(
        facts,
        "edge-of-stability",
        [("margin", facts.margin, 1.0), ("rises", facts.rises, None)],
        margin=facts.margin,
    )
