"""Rules about the gradient's noise: a floor that smaller steps get below, batches too small or too large."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import WORTH, better, falling, found, stuck

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

FLOOR = 0.08
"""What a tenth of the rate must gain within some steps, as a share of the whole fall."""


def at_floor(facts: Facts) -> bool:
    """Has the loss come to rest above what smaller steps reach at once?"""
    full = facts.case.steps_per_epoch == 1
    if full or facts.blew_up or facts.run is None or falling(facts):
        return False
    same, low, slower = facts.onward_same, facts.onward_low, facts.best_rate(lower=True)
    if same is None or low is None or slower is None:
        return False
    # Any run can be taken a little lower by a rest at a low rate; it must be the rate of the whole run.
    lower = slower[1].loss
    if not facts.gain(slower[1]) > (0.02 if 0 < lower < 0.7 * facts.last else 0.03):
        return False
    many = 0 < low.loss < 0.7 * same.loss and facts.floor_gain > 0.3 * FLOOR
    return facts.floor_gain > FLOOR or many


def noise_floor(facts: Facts) -> Finding | None:
    """The loss hovers at the level where the noise of the batches balances the descent."""
    if not at_floor(facts):
        return None
    steps = facts.steps
    return found(
        facts,
        "noise-floor",
        [*_signs(facts)],
        Fix("schedule-cosine", {"schedule": ("cosine", steps)}, {}),
        level=facts.last,
    )


def small_batch(facts: Facts) -> bool:
    """Are the batches far smaller than the noise would have them?"""
    noise, size = facts.noise, facts.case.batch_size
    return noise is not None and size is not None and size <= 8 and noise.scale > 4 * size


def batch_too_small(facts: Facts) -> Finding | None:
    """At the floor with batches of a few rows, far below the noise scale: the noise sets the pace."""
    size, rows = facts.case.batch_size, facts.case.rows
    if facts.run is None or size is None or rows is None or size > 8 or rows < 64:
        return None
    torn = facts.blew_up or stuck(facts)
    if not (torn or at_floor(facts)) or not (facts.blew_up or small_batch(facts)):
        return None
    noise = facts.early_noise if facts.blew_up else facts.noise
    if noise is None:
        return None
    best: tuple[float, int, Any] = (0.0, 0, None)
    for larger in (16 * size, 64 * size):
        if larger > rows // 2:
            break
        trial = facts.trial_with({"batch_size": larger})
        gain = facts.gain(trial)
        if gain > best[0]:
            best = (gain, larger, trial)
    gain, larger, trial = best
    if trial is None or not better(facts, trial, WORTH / 2):
        return None
    return found(
        facts,
        "batch-too-small",
        [
            ("noise_scale", noise.scale, size),
            *_signs(facts),
            ("loss_with_fix", trial.loss, facts.last),
        ],
        Fix("batch-size", {"batch_size": larger}, {"size": larger}),
        size=size,
        scale=noise.scale,
    )


def batch_wasteful(facts: Facts) -> Finding | None:
    """Batches far above the noise scale, early and late, in a run that ran out of steps on its way down."""
    size, rows = facts.case.batch_size, facts.case.rows
    if facts.run is None or size is None or rows is None or size < 256 or facts.blew_up:
        return None
    if not falling(facts) or facts.early_noise is None or facts.noise is None:
        return None
    scale = min(facts.early_noise.scale, facts.noise.scale)
    if not size > 4 * scale:
        return None
    best: tuple[float, int, Any] = (0.0, 0, None)
    for smaller in (size // 8, 64):
        trial = facts.trial_with({"batch_size": smaller})
        gain = facts.gain(trial)
        if trial is not None and better(facts, trial, WORTH / 2) and gain > best[0]:
            best = (gain, smaller, trial)
    gain, smaller, trial = best
    if trial is None:
        return None
    return found(
        facts,
        "batch-wasteful",
        [
            ("noise_scale", scale, size),
            ("still_falling", facts.pace, 0.0),
            ("loss_with_fix", trial.loss, facts.last),
        ],
        Fix("batch-size", {"batch_size": smaller}, {"size": smaller}),
        size=size,
        scale=scale,
        steps=facts.steps,
        gain=gain,
    )


def _signs(facts: Facts) -> list[tuple[Any, ...]]:
    same, low = facts.onward_same, facts.onward_low
    signs: list[tuple[Any, ...]] = []
    if same is not None and low is not None:
        signs.append(("onward_low", low.loss, same.loss))
    signs.append(("slope_flat", facts.pace, 0.0))
    if math.isfinite(facts.cosine):
        signs.append(("cosine", facts.cosine, 0.0))
    return signs
