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
    if facts.run is None:
        return _zero_weights(facts)
    if not facts.hidden or not facts.early_weights:
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


def _zero_weights(facts: Facts) -> Finding | None:
    """In a loop that was only watched: hidden layers whose weights, and whose gradients, start at 0."""
    sizes = facts.case.history.layers.get("layer_parameter_norm")
    if sizes is None or not len(sizes):
        return None
    first = dict(zip(facts.case.history.leaf_names, np.asarray(sizes)[0].tolist(), strict=True))
    weights = flow.layer_weights(list(first))
    zero = [name for name in weights if first[name] == 0]
    if len(weights) < 2 or len(zero) < 2:
        return None
    silent = facts.early_gradients.get(weights[0], math.nan)
    if silent != 0:
        return None
    return found(
        facts,
        "bad-initialisation",
        [("weights_zero", len(zero), 0), ("gradient_ratio_start", silent, VANISHING, 1)],
        fresh_start(),
        key="bad-initialisation.zero",
        layers=len(zero),
    )


def vanishing_gradients(facts: Facts) -> Finding | None:
    """The first layers' gradient is lost on the way back, and the run has hardly begun to learn."""
    layers = facts.hidden or len(flow.layer_weights(list(facts.early_gradients))) - 1
    if layers < 2 or facts.identical >= 0.5 or facts.blew_up:
        return None
    if any(a.dead > DEAD for a in facts.early_activity):
        return None
    ratio = flow.first_to_last(facts.early_gradients)
    signal = flow.signal_spread(facts.early_activity)
    if not (ratio < VANISHING or signal < FADED):
        return None
    late = flow.first_to_last(facts.late_gradients)
    activation = getattr(facts.case.model, "activation", "")
    relu = {"activation": "relu", "init": "auto"}
    # A network that came through all the same has nothing to mend, unless another one comes much further.
    through = not (facts.last > 0.6 * facts.reference or (late < VANISHING and not falling(facts)))
    if through:
        squashed = activation in ("sigmoid", "tanh") and facts.last > 0.05 * facts.reference
        if not squashed or not better(facts, facts.trial_with(relu), WORTH / 2):
            return None
    fixes = [fresh_start()]
    if activation in ("sigmoid", "tanh"):
        fixes = [
            Fix("activation-relu", relu),
            *fixes,
            # Rates that suit squashed signals are too high for others.
            Fix("activation-relu-and-rate", {**relu, "learning_rate": "auto"}),
        ]
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
        layers=layers,
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
    if facts.blew_up or facts.identical >= 0.5:
        return None
    silent = {a.name: a.dead for a in facts.activity if math.isfinite(a.dead)}
    if not silent:
        return None
    layer = max(silent, key=lambda name: silent[name])
    share = silent[layer]
    if not share > DEAD:
        return None
    early = {a.name: a.dead for a in facts.early_activity}.get(layer, math.nan)
    if facts.run is None:
        return _dead_in_a_loop(facts, layer, share, early)
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


def _dead_in_a_loop(facts: Facts, layer: str, share: float, early: float) -> Finding | None:
    """In a loop that was only watched: nearly all units silent, and the loss no longer falls."""
    if not share > 0.9 or falling(facts) or not facts.last > 0.3 * facts.first:
        return None
    return found(
        facts,
        "dead-units",
        [("dead_end", share, DEAD), ("dead_start", early, DEAD), ("slope_flat", facts.pace, 0.0)],
        Fix("activation-leaky", {"activation": "leaky_relu"}),
        layer=layer,
        share=share,
    )


def _with_fix(facts: Facts, trial: Any) -> list[tuple[Any, ...]]:
    return [] if trial is None else [("loss_with_fix", trial.loss, facts.last)]
