"""Rules about signals and gradients in a network: from its first weights to its last units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis import flow
from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import WORTH, better, falling, found, rounded, stuck

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

TOO_LARGE, TOO_SMALL = 3.0, 0.15
"""Spreads of first weights, as multiples of He's, outside which an initialisation is suspect."""

VANISHING, EXPLODING = 1e-3, 70.0
"""Bounds on the ratio of the first layer's gradient to the last one's, before the first step."""

FADED, GROWN = 0.01, 30.0
"""Bounds on what the rows' differences become from the first hidden layer to the last."""

DEAD = 0.5
"""Share of a layer's units that may be silent on every row."""


def good_start(facts: Facts) -> Any:
    """Parameters drawn by the initialiser that suits the activation; None where there is no network."""
    import jax

    from fallline.diagnosis.changes import rebuilt

    case = facts.run
    if case is None or case.model is None or case.problem is None or not facts.hidden:
        return None
    key = jax.random.PRNGKey(case.problem.seed % 2**32)
    return rebuilt(case.model, init="auto").init(jax.random.fold_in(key, 0))


def restarted(facts: Facts) -> Any:
    """The run again from such parameters."""
    if "restarted" not in facts.__dict__:
        params = good_start(facts)
        facts.__dict__["restarted"] = None if params is None else facts.trial(params=params)
    return facts.__dict__["restarted"]


def fresh_start() -> Fix:
    """Draw the first weights as suits the activation."""
    return Fix("init-auto", {"init": "auto", "params": None})


def bad_initialisation(facts: Facts) -> Finding | None:
    """First weights that are all alike, too large or too small."""
    if facts.run is None or not facts.hidden or not facts.early_weights:
        return None
    sizes = facts.early_weights
    if facts.identical >= 0.5:
        copies = max((a.identical for a in facts.activity), default=0.0)
        trial = restarted(facts)
        if copies >= 0.5 or better(facts, trial, WORTH / 2) or stuck(facts):
            return found(
                facts,
                "bad-initialisation",
                [
                    ("identical_start", facts.identical, 0.5),
                    ("identical_end", copies, 0.5),
                    *_with_fix(facts, trial),
                ],
                fresh_start(),
                key="bad-initialisation.symmetric",
                share=facts.identical,
            )
        return None
    hidden = list(sizes.values())[:-1] or list(sizes.values())
    normalised = any(a.kind == "batchnorm" for a in facts.early_activity)
    large = max(sizes.values()) > TOO_LARGE
    small = float(np.median(hidden)) < TOO_SMALL and not normalised
    if not (large or small):
        return None
    trial = restarted(facts)
    if large and (facts.start_loss > 3 * facts.chance or better(facts, trial)):
        if not (better(facts, trial) or facts.blew_up or facts.start_loss > 10 * facts.chance):
            return None
        return found(
            facts,
            "bad-initialisation",
            [
                ("weights_start", max(sizes.values()), TOO_LARGE),
                ("loss_start", facts.start_loss, facts.chance),
                *_with_fix(facts, trial),
            ],
            fresh_start(),
            key="bad-initialisation.large",
            ratio=max(sizes.values()),
        )
    if small and better(facts, trial):
        return found(
            facts,
            "bad-initialisation",
            [
                ("weights_start", float(np.median(hidden)), TOO_SMALL),
                ("spread_start", flow.signal_spread(facts.early_activity), FADED),
                *_with_fix(facts, trial),
            ],
            fresh_start(),
            key="bad-initialisation.small",
            ratio=float(np.median(hidden)),
        )
    return None


def vanishing_gradients(facts: Facts) -> Finding | None:
    """The first layers' gradient is lost on the way back, and the run has hardly begun to learn."""
    if facts.run is None or facts.hidden < 2 or facts.identical >= 0.5:
        return None
    if any(a.dead > DEAD for a in facts.early_activity):
        return None
    ratio = flow.first_to_last(facts.early_gradients)
    signal = flow.signal_spread(facts.early_activity)
    if not (ratio < VANISHING or signal < FADED):
        return None
    late = flow.first_to_last(facts.late_gradients)
    # A network that came through all the same has nothing to mend.
    if not (facts.last > 0.6 * facts.reference or (late < VANISHING and not falling(facts))):
        return None
    case = facts.run
    activation = getattr(case.model, "activation", "")
    fixes = [fresh_start()]
    if activation in ("sigmoid", "tanh"):
        fixes.insert(0, Fix("activation-relu", {"activation": "relu", "init": "auto"}))
    return found(
        facts,
        "vanishing-gradients",
        [
            ("gradient_ratio_start", ratio, VANISHING, 1),
            ("gradient_ratio_end", late, VANISHING),
            ("spread_start", signal, FADED),
            ("loss_against_chance", facts.last, facts.reference),
        ],
        *fixes,
        ratio=ratio,
        layers=facts.hidden,
    )


def exploding_gradients(facts: Facts) -> Finding | None:
    """Gradients grow from layer to layer on the way back until steps tear the run apart."""
    if facts.run is None or facts.hidden < 2:
        return None
    ratio = flow.first_to_last(facts.early_gradients)
    total = math.sqrt(sum(v * v for v in facts.early_gradients.values()))
    later = facts.gradient_norms[np.isfinite(facts.gradient_norms)]
    burst = float(later.max() / np.median(later)) if len(later) else math.nan
    signal = flow.signal_spread(facts.early_activity)
    grows = ratio > EXPLODING or signal > GROWN or not math.isfinite(total)
    if not grows and not (total > 1e3 and facts.start_loss > 3 * facts.chance):
        return None
    trial = restarted(facts)
    if not (facts.blew_up or better(facts, trial)):
        return None
    clip = Fix("clip-norm", {"clip_norm": 1.0}, {"limit": 1.0})
    return found(
        facts,
        "exploding-gradients",
        [
            ("gradient_ratio_start", ratio, EXPLODING, 1),
            ("spread_start", signal, GROWN),
            ("gradient_start", total, None, 1),
            ("gradient_burst", burst, 100.0),
            *_with_fix(facts, trial),
        ],
        fresh_start(),
        clip,
        ratio=ratio,
        norm=total,
    )


def dead_units(facts: Facts) -> Finding | None:
    """Most ReLU units of a layer are silent on every row, and the run suffers from it."""
    if facts.run is None or not facts.hidden or facts.identical >= 0.5:
        return None
    silent = {a.name: a.dead for a in facts.activity if math.isfinite(a.dead)}
    if not silent:
        return None
    layer = max(silent, key=lambda name: silent[name])
    share = silent[layer]
    if not share > DEAD:
        return None
    early = {a.name: a.dead for a in facts.early_activity}.get(layer, math.nan)
    fixes: list[Fix] = []
    trial = restarted(facts) if early > DEAD else None
    if trial is not None and better(facts, trial):
        fixes.append(fresh_start())
    else:
        lower = facts.best_rate(lower=True)
        grave = stuck(facts) or share > 0.9
        if lower is not None and better(facts, lower[1], WORTH if grave else 3 * WORTH):
            trial = lower[1]
            rate = rounded(lower[0] * facts.plan_rate)
            fixes.append(Fix("learning-rate", {"learning_rate": rate}, {"rate": rate}))
    if not fixes and not (stuck(facts) and share > 0.8):
        return None
    fixes.append(Fix("activation-leaky", {"activation": "leaky_relu"}))
    return found(
        facts,
        "dead-units",
        [("dead_end", share, DEAD), ("dead_start", early, DEAD), *_with_fix(facts, trial)],
        *fixes,
        layer=layer,
        share=share,
    )


def _with_fix(facts: Facts, trial: Any) -> list[tuple[Any, ...]]:
    return [] if trial is None else [("loss_with_fix", trial.loss, facts.last)]
