"""The rules, in the order in which they are asked, and which of them settle the matter.

A cause comes before what follows from it: data before settings, settings before places. Once a group has
found something, the groups after it stay silent: a table that was not scaled has its ravines, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis.rules import (
    data,
    generalisation,
    gradient,
    network,
    noise,
    place,
    rate,
    settings,
)
from fallline.diagnosis.rules.base import SOURCES, STUCK, endless, found, stuck

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

    Rule = Callable[[Facts], Finding | list[Finding] | None]

FEW_STEPS = 10
"""A run of fewer steps need not have learned anything."""

NAMES = tuple(SOURCES)
"""All names that a finding may have."""


def _rate_or_batch(facts: Facts) -> list[Finding]:
    """Too short steps or too few: whichever explains more, both if they explain about as much."""
    low = rate.learning_rate_too_low(facts)
    if low is not None and not low.numbers["factor"] < 30:
        return [low]
    said = [f for f in (low, noise.batch_wasteful(facts)) if f]
    said.sort(key=lambda finding: -finding.numbers["gain"])
    return [f for f in said if f.numbers["gain"] > 0.6 * said[0].numbers["gain"]]


def _high_or_floor(facts: Facts) -> list[Finding]:
    """A rate that is too high for the curvature, or only for the noise."""
    high = rate.learning_rate_too_high(facts)
    small = noise.batch_too_small(facts)
    floor = small or noise.noise_floor(facts)
    if floor is None:
        return [] if high is None else [high]
    # A rate far too high for the noise is too high, whatever else; a little above, the noise is the matter.
    far = high is not None and high.numbers["gain"] > 0.3
    return [high, floor] if far and high is not None else [floor]


GROUPS: tuple[tuple[Rule, ...], ...] = (
    (data.constant_target,),
    (gradient.wrong_gradient,),
    (data.target_leak,),
    (data.shuffled_labels,),
    (data.unscaled_inputs, data.unscaled_target),
    (place.correlated_columns,),
    (network.bad_initialisation, network.vanishing_gradients, network.exploding_gradients),
    (settings.stalled_below_epsilon, settings.clipping_always_active, rate.decay_too_fast),
    (generalisation.penalty_too_strong,),
    (place.saddle_point,),
    (generalisation.overfitting,),
    (_high_or_floor, network.dead_units),
    (place.plateau, place.local_minimum),
    (place.ravine,),
    (settings.stopped_too_early,),
    (_rate_or_batch,),
    (generalisation.underfitting,),
)


def judge(facts: Facts) -> list[Finding]:
    """What is to be said of a case: the complaints of the first group that has any, or that all is well."""
    if not facts.steps:
        return [found(facts, "unknown", [("steps", 0)], key="unknown.empty")]
    for group in GROUPS:
        findings: list[Finding] = []
        for rule in group:
            said = rule(facts)
            findings += said if isinstance(said, list) else [] if said is None else [said]
        if findings:
            return findings
    return nothing_left(facts)


def nothing_left(facts: Facts) -> list[Finding]:
    """Nothing to complain of, as far as was looked."""
    ends: list[tuple[Any, ...]] = [
        ("loss_end", facts.last, facts.first),
        ("slope_flat", facts.pace, 0.0),
    ]
    numbers = {"first": facts.first, "last": facts.last, "steps": facts.steps}
    # A run that began with what an earlier one had learned need not learn more.
    learned = facts.last < STUCK * facts.chance
    if facts.blew_up or (facts.run is not None and stuck(facts) and not learned):
        at_rest = place.converged(facts) if facts.own_objective and facts.sharpness else None
        if at_rest is not None and facts.sharpness is not None and facts.sharpness.smallest > 0:
            return [at_rest]
        return [found(facts, "unknown", ends, key=_why_unknown(facts), **numbers)]
    if endless(facts):
        return [found(facts, "unknown", ends, key="unknown.endless", **numbers)]
    said = [f for f in (place.converged(facts), rate.edge_of_stability(facts)) if f is not None]
    fell = facts.last < facts.first
    if not (said or fell or learned):
        return [found(facts, "unknown", ends, key=_why_unknown(facts), **numbers)]
    key = "healthy" if fell else "healthy.level"
    healthy = found(facts, "healthy", ends, key=key, chance=facts.chance, **numbers)
    return said if said and said[0].name == "converged" else [healthy, *said]


def _why_unknown(facts: Facts) -> str:
    """What to say of a run that did not learn, and of which no rule knows why."""
    if not np.isfinite(facts.losses).any():
        return "unknown.not-finite"
    if endless(facts):
        return "unknown.endless"
    return "unknown.short" if facts.steps < FEW_STEPS and not facts.blew_up else "unknown"
