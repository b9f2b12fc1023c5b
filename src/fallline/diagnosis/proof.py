"""Proof: the run once more with the fix, from the same seed and with the same budget, beside the run without.

The run without the fix need not be repeated: the same seed gives the same bits.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis import trials, words
from fallline.diagnosis.case import RunCase
from fallline.diagnosis.facts import Facts
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.descent.history import History
    from fallline.descent.run import Run
    from fallline.diagnosis.finding import Finding, Fix

HELD_OUT = ("overfitting", "stopped-too-early", "underfitting")
"""Findings whose fix has to show on the validation rows."""

FROM_THE_START = ("bad-initialisation", "exploding-gradients", "stalled-below-epsilon")
"""Findings that may show on the way only."""

UNPROVABLE = ("target-leak",)
"""Findings whose fix makes the loss worse, as it should."""

LEAST = 0.02
"""What a fix must gain, as a share of the whole fall."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """A fix, tried.

    Attributes:
        helped: did the run end clearly better with it?
        quantity: what was compared: "training_loss", "validation_loss", "last_validation_loss",
            "mean_training_loss" over all steps, or "share_left", the loss as a share of what the best
            constant prediction costs.
        before: its value without the fix; infinite if the run blew up.
        after: its value with the fix.
        history: with the fix.
        without: the history without it.
        run: with the fix.
    """

    helped: bool
    quantity: str
    before: float
    after: float
    history: History
    without: History
    run: Any = None

    def sentence(self, lang: str = "en") -> str:
        """What came of it, in words."""
        key = "proof_helped" if self.helped else "proof_failed"
        quantity = words.say(lang, "labels", self.quantity)
        return words.say(
            lang, "labels", key, quantity=quantity, before=self.before, after=self.after
        )

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it; numbers that are not finite are null."""

        def finite(value: float) -> float | None:
            return value if math.isfinite(value) else None

        return {
            "helped": self.helped,
            "quantity": self.quantity,
            "before": finite(self.before),
            "after": finite(self.after),
            "steps_before": len(self.without),
            "steps_after": len(self.history),
        }


def prove_all(facts: Facts, findings: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Try the fixes of the findings.

    Returns:
        The findings that stand, each with the proof of the fix that helped; and those withdrawn, because none
        of their fixes did. What has no setting to change is left as it is.
    """
    kept: list[Finding] = []
    withdrawn: list[Finding] = []
    for finding in findings:
        tried = [fix for fix in finding.fixes if fix.changes]
        provable = finding.complaint and finding.name not in UNPROVABLE
        if not provable or not tried or not isinstance(facts.case, RunCase):
            kept.append(finding)
            continue
        finding.proven = None
        for fix in tried:
            proof = try_fix(facts, finding, fix)
            if proof is None:
                continue
            if proof.helped or finding.proven is None:
                finding.proven = proof
                finding.fixes = [fix, *(f for f in finding.fixes if f is not fix)]
            if proof.helped:
                break
        refuted = finding.proven is not None and not finding.proven.helped
        (withdrawn if refuted else kept).append(finding)
    if not kept:
        from fallline.diagnosis.rules import nothing_left

        kept = nothing_left(facts)
    return kept, withdrawn


def try_fix(facts: Facts, finding: Finding, fix: Fix) -> Proof | None:
    """Run a case again with a fix and compare; None if it cannot be run so."""
    try:
        run = facts.case.again(fix.changes)
    except FalllineError:
        return None
    if run is None:
        return None
    return compared(facts, finding.name, run)


def compared(facts: Facts, name: str, run: Run) -> Proof:
    """Compare a run with the case's."""
    after = trials.outcome_of(run.history, run.stop.reason)
    before = facts.outcome
    quantity, old, new = "training_loss", before.loss, after.loss
    if name == "unscaled-target":
        unit = Facts(RunCase(run)).chance
        quantity, old, new = "share_left", before.loss / facts.chance, after.loss / unit
    elif name == "overfitting" and math.isfinite(before.last_validation):
        quantity, old, new = (
            "last_validation_loss",
            before.last_validation,
            _kept_validation(run, after),
        )
    elif name in HELD_OUT and math.isfinite(before.validation):
        quantity, old, new = "validation_loss", before.validation, after.validation
    elif name in FROM_THE_START and not facts.share(old, new) > LEAST:
        # A long run makes up for a bad start, but it costs steps.
        quantity, old, new = "mean_training_loss", _mean(facts.case.history), _mean(run.history)
    helped = math.isfinite(new) and (not math.isfinite(old) or _clear(facts, quantity, old, new))
    return Proof(helped, quantity, old, new, run.history, facts.case.history, run)


def _mean(history: History) -> float:
    losses = np.asarray(history.steps["loss"], np.float64)
    return float(losses.mean()) if np.isfinite(losses).all() else math.inf


def _kept_validation(run: Run, after: trials.Outcome) -> float:
    """The validation loss of the parameters that a run kept."""
    held = np.asarray(run.history.epochs["validation_loss"], np.float64)
    return float(held[run.best_epoch - 1]) if run.best_epoch else after.last_validation


def _clear(facts: Facts, quantity: str, old: float, new: float) -> bool:
    if quantity == "share_left":
        return new < old - LEAST
    if quantity in ("last_validation_loss", "mean_training_loss"):
        return new < old - LEAST * abs(old)
    if quantity == "validation_loss":
        start = facts.chance if math.isfinite(facts.chance) else float(facts.validation[0])
        return old - new > LEAST * max(start - new, 0.0) and new < old
    return facts.share(old, new) > LEAST
