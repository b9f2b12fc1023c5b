"""What an estimator decides where its parameters say "auto" or nothing: batches, epochs, patience, rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from fallline.descent import batches
from fallline.errors import FalllineError
from fallline.estimators import settings

if TYPE_CHECKING:
    from fallline.descent.batches import BatchPlan
    from fallline.schedules import Schedule


class Choosing:
    """An estimator whose descent can be left to it."""

    optimizer: Any
    learning_rate_init: Any
    schedule: Any
    batch_size: Any
    max_iter: Any
    n_iter_no_change: Any
    clip_norm: float | None
    average: Any
    learning_rate_: float
    _started: dict[str, Any]

    _rate: ClassVar[float]
    """The learning rate of Adam and its kin where none is given; ``_part_rate`` in ``partial_fit``."""

    _part_rate: ClassVar[float]

    def _auto_schedule(self, plan: BatchPlan, epochs: int) -> Schedule:
        """The schedule where none is given, from the rate 1."""
        raise NotImplementedError

    def _plan(self, rows: int, columns: int, stored: int) -> BatchPlan:
        """Which rows each step sees; ``stored`` counts the numbers of a row that are kept."""
        plan = batches.plan(rows, self.batch_size, columns=stored)
        if self.batch_size == "auto" and columns // stored > plan.size:
            # Each step moves every weight: with many more of them than a batch has numbers, fewer steps.
            return batches.plan(rows, columns // stored)
        return plan

    def _epochs(self, plan: BatchPlan) -> int:
        """Epochs at most."""
        automatic = isinstance(self.max_iter, str)
        return max(100, -(-400 // plan.steps)) if automatic else int(self.max_iter)

    def _patience(self, plan: BatchPlan) -> int:
        """Epochs without progress, or calls of ``partial_fit``, before the end."""
        automatic = isinstance(self.n_iter_no_change, str)
        return max(10, -(-200 // plan.steps)) if automatic else int(self.n_iter_no_change)

    def _planned(self) -> bool:
        """Does the schedule bring the rate down by the last epoch, so that to end there is the plan?"""
        chosen = self._auto_schedule(batches.plan(1), 1) if self._own_schedule() else self.schedule
        return settings.ends_with_the_run(chosen)

    def _own_schedule(self) -> bool:
        """Is the schedule left to the estimator? An optimizer given as such has its own."""
        return self._automatic() and isinstance(self.optimizer, str)

    def _automatic(self) -> bool:
        return isinstance(self.schedule, str) and self.schedule == "auto"

    def _optimizer(self, plan: BatchPlan, epochs: int, *, part: bool) -> tuple[Any, bool]:
        """The optimizer, and whether its rate is to be found by a range test."""
        rate: Any = self.learning_rate_init
        if part and self._started and isinstance(rate, str) and math.isfinite(self.learning_rate_):
            rate = self.learning_rate_
        if rate is None and isinstance(self.optimizer, str) and "adam" in self.optimizer.lower():
            rate = self._part_rate if part else self._rate
        if part and isinstance(self.schedule, str) and settings.ends_with_the_run(self.schedule):
            raise FalllineError(
                f"partial_fit has no last epoch for the schedule {self.schedule!r} to end with: choose None, "
                "'adaptive', 'exponential:0.99', or one of fallline.schedules with steps of its own."
            )
        schedule = None if self._automatic() else self.schedule
        if self._own_schedule() and not part:
            schedule = self._auto_schedule(plan, epochs)
        optimizer = settings.optimizer_of(
            self.optimizer,
            rate,
            settings.schedule_of(schedule, steps=plan.steps * epochs, epoch=plan.steps),
            clip_norm=self.clip_norm,
            average=self.average,
            batch_size=plan.size,
        )
        return optimizer, isinstance(rate, str)
