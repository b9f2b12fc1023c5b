"""What the rules share: making a finding, the thresholds that several of them use, the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis.finding import Evidence, Finding, Fix

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts

WORTH = 0.1
"""A fix must bring a run this share of the whole fall further down to be worth a complaint."""

FEW = 3.0
"""A fix that leaves less than a third of the loss is worth it from a third of that share on."""

STUCK = 0.85
"""A run that ended above this share of what a constant prediction costs has learned next to nothing."""

SOURCES = {
    "learning-rate-too-high": "Cohen et al., ICLR 2021 and arXiv:2207.14484; Smith, WACV 2017",
    "learning-rate-too-low": "Smith, WACV 2017; Chee & Toulis, AISTATS 2018",
    "edge-of-stability": "Cohen et al., ICLR 2021 and arXiv:2207.14484",
    "batch-too-small": "McCandlish et al., arXiv:1812.06162",
    "batch-wasteful": "McCandlish et al., arXiv:1812.06162",
    "noise-floor": "Bottou, Curtis & Nocedal, SIAM Review 60 (2018), section 4",
    "plateau": "Glorot & Bengio, AISTATS 2010; Goodfellow, Bengio & Courville, Deep Learning, section 8.2",
    "saddle-point": "Dauphin et al., NeurIPS 2014; Jin et al., ICML 2017",
    "local-minimum": "Nocedal & Wright, Numerical Optimization, chapter 2",
    "ravine": "Goh, Distill 2017; Nocedal & Wright, Numerical Optimization, section 3.3",
    "vanishing-gradients": "Glorot & Bengio, AISTATS 2010; Zhang et al. (AUTOTRAINER), ICSE 2021",
    "exploding-gradients": "Pascanu et al., ICML 2013; Zhang et al. (AUTOTRAINER), ICSE 2021",
    "dead-units": "Glorot, Bordes & Bengio, AISTATS 2011",
    "bad-initialisation": "Glorot & Bengio, AISTATS 2010; He et al., ICCV 2015",
    "unscaled-inputs": "LeCun et al., Efficient BackProp (1998), section 4.3",
    "unscaled-target": "LeCun et al., Efficient BackProp (1998), section 4.5",
    "wrong-gradient": "Nocedal & Wright, Numerical Optimization, chapter 8",
    "overfitting": "Prechelt, Early Stopping - But When? (1998)",
    "underfitting": "Hastie, Tibshirani & Friedman, Elements of Statistical Learning, section 7.2",
    "constant-target": "Hastie, Tibshirani & Friedman, Elements of Statistical Learning, chapter 2",
    "target-leak": "Kaufman et al., Leakage in data mining, ACM TKDD 6 (2012)",
    "shuffled-labels": "Zhang et al., Rethinking generalization, ICLR 2017, arXiv:1611.03530",
    "stalled-below-epsilon": "Wortsman et al., arXiv:2309.14322; Kingma & Ba, ICLR 2015",
    "clipping-always-active": "Pascanu et al., ICML 2013; Godbole et al., Tuning Playbook (2023)",
    "stopped-too-early": "Prechelt, Early Stopping - But When? (1998)",
    "decay-too-fast": "Robbins & Monro (1951); Bottou, Curtis & Nocedal, SIAM Review 60 (2018)",
    "converged": "Nocedal & Wright, Numerical Optimization, chapter 2",
    "healthy": "",
    "unknown": "",
}
"""Where each rule comes from, by the names of the findings; its keys are all names there are."""


def found(
    facts: Facts,
    name: str,
    evidence: list[tuple[Any, ...]],
    *fixes: Fix,
    key: str | None = None,
    **numbers: Any,
) -> Finding:
    """A finding.

    Args:
        facts: of the case.
        name: of the finding.
        evidence: quantity, value, and perhaps what it is compared with and the step.
        fixes: the most promising first.
        key: of its sentences, if not the name.
        numbers: what the sentences name.
    """
    return Finding(
        name,
        key or name,
        [Evidence(*parts) for parts in evidence],
        SOURCES[name],
        numbers,
        list(fixes),
        case=facts.case,
    )


def rounded(value: float) -> float:
    """A setting to two digits, which read better and say as much."""
    return float(f"{value:.2g}")


def stuck(facts: Facts) -> bool:
    """Did the run end about where a constant prediction, or its own start, is?"""
    return not facts.last < STUCK * facts.reference + (1 - STUCK) * min(facts.reference, 0.0)


def endless(facts: Facts) -> bool:
    """Does a function of the user's own fall without end, so that no rate can be right?"""
    if not facts.own_objective:
        return False
    finite = facts.losses[np.isfinite(facts.losses)]
    if facts.blew_up:
        return len(finite) > 1 and finite[-1] <= finite.min() < min(-1e6 * abs(finite[0]), -1e6)
    tried = {f: o.loss for f, o in facts.rate_trials.items() if f > 1}
    if min(tried.values(), default=0.0) < -1e6 * max(abs(facts.first), 1.0):
        return True
    furthest = max(tried, default=1.0)
    # Had it a bottom, some rate would have overshot it.
    return furthest >= 1e3 and tried[furthest] < 0 and tried[furthest] <= min(tried.values())


def falling(facts: Facts, least: float = 0.01, *, look: bool = True) -> bool:
    """Was the loss still on its way down: surely, and by a share of the fall that counts?"""
    if look and (facts.case.steps_per_epoch == 1 or facts.steps < 100):
        # Too few steps for a slope, or no noise to hide it: a few steps more tell.
        onward = facts.onward_same
        if onward is not None and facts.share(facts.last, onward.loss) > 2 * least:
            return True
    trend = facts.trend
    finite = facts.losses
    late = finite[int(0.7 * len(finite)) :]
    if len(late) < 4:
        return False
    before = float(late[: max(1, len(late) // 10)].mean())
    return trend.falling and facts.share(before, facts.last) > least


def better(facts: Facts, trial: Any, least: float = WORTH) -> bool:
    """Did a trial end clearly lower, on the validation rows too where there are any?"""
    gain = facts.gain(trial)
    if not gain > least:
        # Near the end of a long fall, shares say little: what is left may still be many times as much.
        left = trial is not None and 0 < trial.loss < facts.last / FEW
        if not (left and gain > least / FEW):
            return False
    held = facts.validation_gain(trial)
    return not held < 0.3 * least
