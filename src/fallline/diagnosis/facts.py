"""Every number that a rule may ask for, each measured when it is first asked for, and once.

What costs nothing comes from the history (`recorded`). The rest is measured (`measured`), or found by trials,
here; all of it shares one time limit.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.problem import initial_rate, with_rate
from fallline.diagnosis import changes as changing
from fallline.diagnosis import trials
from fallline.diagnosis.case import problem_of
from fallline.diagnosis.measured import Measured
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.descent.problem import Problem
    from fallline.diagnosis.trials import Outcome

FURTHEST = 1e8
"""How far a search for a better rate goes on while it finds one."""

ENOUGH = 60
"""Steps of continued descent from which something can be told."""


class Facts(Measured):
    """The numbers of a case: what was recorded, what is measured, and what trials tell."""

    def gain(self, trial: Outcome | None) -> float:
        """What a trial gained over the run, as a share of the whole fall; NaN without a trial.

        Both after equally many steps. 0.1 means that the run made a tenth less of the way down.
        """
        if trial is None:
            return math.nan
        base = self.outcome
        if not trial.complete and trial.steps < base.steps:
            base = trials.outcome_of(self.case.history, self.case.ended, trial.steps)
        return self.share(base.loss, trial.loss)

    def share(self, before: float, after: float) -> float:
        """How much further down ``after`` is than ``before``, as a share of its fall from the reference.

        A fall from above the reference does not count, nor one of less than a hundredth of it.
        """
        if not math.isfinite(after):
            return -1.0
        start, fall = self.reference, self.reference - after
        if not math.isfinite(start):
            return math.nan
        least = 1e-2 if self.case.model is not None else 1e-4
        if not fall > least * abs(start):
            return 0.0
        return (min(before, start) - after) / fall

    def validation_gain(self, trial: Outcome | None) -> float:
        """The same for the best validation loss; NaN without validation rows."""
        if trial is None or not len(self.validation) or not math.isfinite(trial.validation):
            return math.nan
        start = self.chance if math.isfinite(self.chance) else float(self.validation[0])
        fall = start - trial.validation
        if not fall > 0:
            return 0.0
        return min((self.outcome.validation - trial.validation) / fall, 10.0)

    @functools.cached_property
    def plan_rate(self) -> float:
        """The initial rate, which the trials multiply."""
        return float(initial_rate(self.case.optimizer))

    def at_rate(self, rate: float) -> Any:
        """The run's optimizer, started at another rate."""
        return with_rate(self.case.optimizer, rate)

    def trial(self, optimizer: Any = None, *, params: Any = None) -> Outcome | None:
        """The run again with another optimizer or start; None where it cannot be run, or the time is up."""
        case = self.run
        return None if case is None else self.trial_of(case.problem, optimizer, params)

    def trial_with(self, changes: Mapping[str, Any]) -> Outcome | None:
        """The run again with any changes; some have to be compiled."""
        return self.trial_of(self.changed_problem(changes))

    def changed_problem(self, changes: Mapping[str, Any]) -> Problem | None:
        """The run's problem with changes made in it; None if it cannot be posed."""
        case = self.run
        if case is None or self.clock.left <= 0.1:
            return None
        try:
            asked = changing.changed(case.asked, changes, case.run.learning_rate)
            return problem_of(asked, case.run.learning_rate)
        except FalllineError:
            return None

    def trial_of(
        self, problem: Problem | None, optimizer: Any = None, params: Any = None
    ) -> Outcome | None:
        """What comes of a problem, with another optimizer or start; None without one, or without time."""
        if problem is None or self.clock.left <= 0.1:
            return None
        run = trials.from_start(
            problem,
            problem.optimizer if optimizer is None else optimizer,
            params=params,
            seconds=max(self.clock.left / 3, 0.2),
        )
        found = trials.outcome_of(run.history, run.stop.reason)
        return dataclasses.replace(found, complete=run.stop.reason != "time")

    @functools.cached_property
    def lower_rates(self) -> dict[float, Outcome]:
        """The run again at lower learning rates: factor -> what came of it.

        Down to the first that does not end lower; on the way the run may blow up for long before it is well.
        """
        return self._search((0.1, 0.3), 0.1)

    @functools.cached_property
    def higher_rates(self) -> dict[float, Outcome]:
        """The same at higher ones; nothing if the run blew up."""
        return {} if self.blew_up else self._search((10.0, 3.0), 10.0)

    @property
    def rate_trials(self) -> dict[float, Outcome]:
        """Both together."""
        return self.lower_rates | self.higher_rates

    def _search(self, first: tuple[float, ...], step: float) -> dict[float, Outcome]:
        """Try the first factors, and go on by a step from the outermost while that does best."""
        found: dict[float, Outcome] = {}
        if self.run is None or self.case.optimizer is None or not math.isfinite(self.plan_rate):
            return found

        def look(factor: float) -> bool:
            """Try a factor; is it worth going on beyond it?"""
            outcome = self.trial(self.at_rate(factor * self.plan_rate))
            if outcome is None:
                return False
            before = min([o.loss for o in found.values()] + [self.last])
            found[factor] = outcome
            if not math.isfinite(outcome.loss):
                return factor < 1
            return outcome.loss < before * (1 - 1e-3 * np.sign(before))

        factor = first[0]
        while look(factor) and 1 / FURTHEST < factor * step < FURTHEST and self.clock.left > 0.3:
            factor *= step
        for nearer in first[1:]:
            look(nearer)
        return found

    def best_rate(self, *, lower: bool) -> tuple[float, Outcome] | None:
        """The factor below (or above) 1 that ended lowest, and what came of it."""
        tried = self.lower_rates if lower else self.higher_rates
        tried = {f: o for f, o in tried.items() if math.isfinite(o.loss)}
        if not tried:
            return None
        factor = min(tried, key=lambda f: tried[f].loss)
        return factor, tried[factor]

    def onward(self, *, factor: float = 1.0, params: Any = None) -> Outcome | None:
        """Some steps more from the end: at the last rate times a factor, perhaps from beside the end."""
        case = self.run
        if case is None or case.end is None or case.problem is None or self.clock.left <= 0.1:
            return None
        each = case.problem.plan.steps
        steps = int(max(ENOUGH, min(2 * each, 400), min(self.steps // 4, 1000)))
        changes: dict[str, Any] = {}
        if params is not None:
            changes["params"] = params
        if factor != 1.0:
            changes["optimizer"] = trials.scaled_rate(case.end["optimizer"], factor)
        run = trials.from_end(
            case.problem,
            case.run.final.arrays,
            steps,
            seconds=max(self.clock.left / 4, 0.2),
            **changes,
        )
        return trials.outcome_of_half(run)

    @functools.cached_property
    def onward_same(self) -> Outcome | None:
        """Some steps more at the last rate."""
        return self.onward()

    @functools.cached_property
    def onward_low(self) -> Outcome | None:
        """Some steps more at a tenth of the last rate."""
        return self.onward(factor=0.1)

    @functools.cached_property
    def floor_gain(self) -> float:
        """What a tenth of the rate gains within some steps over the same rate, as a share of the fall."""
        same, low = self.onward_same, self.onward_low
        if same is None or low is None:
            return math.nan
        return self.share(same.loss, low.loss)
