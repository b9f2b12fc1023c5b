"""Trials: short runs that answer what would have happened under another setting.

A trial goes through the run's own compiled loop, so that another rate, limit, decay or start costs no
compilation. It begins where the run began, with the same rows in the same order, or where the run ended.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import tree
from fallline.descent import stopping
from fallline.descent.descend import descend
from fallline.descent.history import History
from fallline.descent.loop import EPOCH_FIELDS, STEP_FIELDS
from fallline.descent.problem import initial_rate, with_rate
from fallline.descent.run import Snapshot

if TYPE_CHECKING:
    from fallline.descent.problem import Problem
    from fallline.descent.run import Run


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How low a run came.

    Attributes:
        loss: the mean training loss of its last steps; infinite if it blew up.
        validation: the best validation loss; NaN without validation rows.
        last_validation: the last one.
        steps: steps taken.
        complete: did it go as far as it was asked to?
        mean: the mean training loss of all steps; infinite if it blew up.
    """

    loss: float
    validation: float
    last_validation: float
    steps: int
    complete: bool = True
    mean: float = math.nan


def tail(losses: np.ndarray, share: float = 0.1) -> float:
    """The loss of the last steps, a tenth of them; infinite if one is not finite.

    The middle of five means, which one batch with a strange row does not move. Of short runs, the mean of the
    last quarter of the steps, ten at most.
    """
    if not len(losses):
        return math.nan
    if len(losses) < 200:
        last = losses[-min(10, max(len(losses) // 4, 1)) :]
        return float(np.mean(last)) if np.isfinite(last).all() else math.inf
    last = losses[-int(share * len(losses)) :]
    if not np.isfinite(last).all():
        return math.inf
    return float(np.median([part.mean() for part in np.array_split(last, 5)]))


def outcome_of(history: History, ended: str, steps: int | None = None) -> Outcome:
    """How low a run came by its history, or had come after some steps."""
    losses = np.asarray(history.steps["loss"], np.float64)
    if steps is not None and steps < len(losses):
        losses, ended = losses[:steps], "steps"
    watched = np.asarray(history.epochs.get("validation_loss", []), np.float64)
    watched = watched[np.isfinite(watched)]
    blew_up = ended == "non-finite"
    return Outcome(
        math.inf if blew_up else tail(losses),
        float(watched.min()) if len(watched) else math.nan,
        float(watched[-1]) if len(watched) else math.nan,
        len(losses) - blew_up,
        mean=math.inf if blew_up or not np.isfinite(losses).all() else float(losses.mean()),
    )


class Clock:
    """A time limit that all trials of a diagnosis share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began = time.perf_counter()

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.seconds - (time.perf_counter() - self._began)


def from_start(problem: Problem, optimizer: Any, *, params: Any = None, seconds: float) -> Run:
    """The run again with another optimizer or another start.

    Args:
        problem: the run's.
        optimizer: of the structure that the run's has, if nothing shall be compiled.
        params: where to start; where the run did, if None.
        seconds: after which it ends.
    """
    start = problem.params if params is None else params
    again = problem.but(optimizer=optimizer, params=start)
    return descend(again, time_budget=max(seconds, 0.05))


def from_end(
    problem: Problem, arrays: dict[str, Any], steps: int, *, seconds: float, **changes: Any
) -> Run:
    """Some steps more from where the run ended; no stopping rule ends them.

    Args:
        problem: the run's.
        arrays: the carry at its end, by name.
        steps: how many.
        seconds: after which it ends.
        changes: ``params`` or ``optimizer``, in place of those at the end.
    """
    free = problem.without_rules().but(steps=int(arrays["step"]) + steps)
    kind = jnp.result_type(float)
    carry = tree.from_arrays(problem.begin(problem.optimizer), arrays)
    carry |= changes
    carry["optimizer"] = jax.tree.map(lambda v: np.asarray(v, kind), carry["optimizer"])
    carry["stop"] = np.asarray(stopping.RUNNING, np.int32)
    return descend(
        free, resume=Snapshot(tree.to_arrays(carry), _EMPTY), time_budget=max(seconds, 0.05)
    )


_EMPTY = History(dict.fromkeys(STEP_FIELDS, np.zeros(0)), dict.fromkeys(EPOCH_FIELDS, np.zeros(0)))


def outcome_of_half(run: Any) -> Outcome:
    """How low continued steps came: the mean of their later half, since they begin where others ended."""
    losses = np.asarray(run.history.steps["loss"], np.float64)
    later = losses[len(losses) // 2 :]
    blew_up = run.stop.reason == "non-finite" or not np.isfinite(later).all()
    return Outcome(math.inf if blew_up else float(later.mean()), math.nan, math.nan, len(losses))


def scaled_rate(optimizer: Any, factor: float) -> Any:
    """The optimizer as it stands, its rate or the initial rate of its schedule multiplied."""
    return with_rate(optimizer, initial_rate(optimizer) * factor)
