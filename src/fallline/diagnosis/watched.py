"""A watched loop as the doctor meets it: as much of a run as is known of it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent.run import Run, Snapshot
from fallline.descent.stopping import Stop
from fallline.diagnosis.case import SAMPLE, Case, RunCase, problem_of
from fallline.diagnosis.one_step import deleted, inexact
from fallline.diagnosis.tape import ending
from fallline.errors import FalllineError
from fallline.tree import to_arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.history import History
    from fallline.diagnosis.curvature import Sharpness


@dataclasses.dataclass
class Watched:
    """What is known of a loop.

    Attributes:
        history: of all steps.
        steps: all that were told, those after the loss was no longer finite, too.
        objective: ``f(params, batch)`` or ``f(params)``, or None.
        data: the training rows, or None.
        optimizer: of this house, or None.
        optimizer_state: its newest, or None.
        first: the parameters before the first step, or None.
        last: the newest parameters, or None.
        batch_size: rows a step, or None.
        rows: training rows, or None.
        steps_per_epoch: or None.
        seconds: what the loop took.
    """

    history: History
    steps: int
    objective: Callable[..., Any] | None = None
    data: PyTree = None
    optimizer: Any = None
    optimizer_state: Any = None
    first: PyTree = None
    last: PyTree = None
    batch_size: int | None = None
    rows: int | None = None
    steps_per_epoch: int | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer is None:
            return
        rates = self.history.learning_rate
        if len(rates) and math.isfinite(rates[0]) and not callable(self.optimizer.learning_rate):
            self.optimizer = self.optimizer.with_rate(float(rates[0]))
        if self.optimizer_state is None and whole(self.last):
            state = self.optimizer.init(self.last)
            # Without averages there is nothing that only the loop would know.
            if set(state) <= {"step", "velocity"}:
                self.optimizer_state = state

    def case(self) -> Case:
        """A run that can be repeated, if that much is known; else what there is."""
        try:
            run = self._run()
        except FalllineError:
            run = None
        return LoopCase(self) if run is None else RunCase(run)

    def _run(self) -> Run | None:
        """The loop as a run of `fallline.train`, which can then be tried again with changes."""
        known = self.objective is not None and self.optimizer is not None and len(self.history)
        known = known and whole(self.first) and whole(self.last)
        if (
            not known
            or self.optimizer_state is None
            or (self.data is not None and not self.batch_size)
            or not self._rates_known()
        ):
            return None
        asked = {
            "model": self.objective,
            "loss": None,
            "params": self.first,
            "data": self.data,
            "optimizer": self.optimizer,
            "steps": self.steps,
            **({} if self.data is None else {"batch_size": self.batch_size}),
        }
        problem = problem_of(asked, math.nan)
        carry = problem.begin(problem.optimizer)
        carry["params"] = jax.tree.map(jnp.asarray, self.last)
        template = carry["optimizer_state"]
        carry["optimizer_state"] = jax.tree.map(
            lambda like, leaf: jnp.asarray(leaf, like.dtype), template, self.optimizer_state
        )
        carry["step"] = jnp.asarray(len(self.history), carry["step"].dtype)
        ended = ending(self.history)
        return Run(
            params=self.last,
            state={},
            history=self.history,
            stop=Stop(ended, f"The loop ended after {len(self.history)} steps."),
            plan=problem.plan,
            optimizer=self.optimizer,
            learning_rate=float(self.history.learning_rate[0]),
            final=Snapshot(to_arrays(carry), self.history, self.seconds),
            best_epoch=0,
            seconds=self.seconds,
            asked=asked,
        )

    def _rates_known(self) -> bool:
        """Does the optimizer hold the rate of every step: a schedule, or the one that all steps told?"""
        if callable(getattr(self.optimizer, "learning_rate", None)):
            return True
        rates = self.history.learning_rate
        rates = rates[~np.isnan(rates)]
        return not rates.size or bool(np.ptp(rates) <= 1e-6 * rates.max())


class LoopCase(Case):
    """A loop that cannot be run again.

    Args:
        watched: what is known of it.
    """

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.history, self.optimizer = watched.history, watched.optimizer
        self.ended = ending(self.history)
        self.batch_size, self.rows = watched.batch_size, watched.rows
        self.steps_per_epoch, self.seconds = watched.steps_per_epoch, watched.seconds

    def sharpness(self) -> Sharpness | None:
        """The curvature at the newest parameters, as the optimizer meets it."""
        from fallline.diagnosis import curvature

        w = self.watched
        if w.objective is None or not whole(w.last) or w.optimizer_state is None:
            return None
        rows = () if w.data is None else (_sample(w.data, w.rows or 0),)
        return curvature.sharpness(w.optimizer, w.optimizer_state, w.objective, w.last, rows)


def whole(params: PyTree) -> bool:
    """Are there parameters, all numbers, and still in memory?"""
    leaves = jax.tree.leaves(params)
    return bool(leaves) and not any(map(deleted, leaves)) and all(map(inexact, leaves))


def _sample(data: PyTree, count: int) -> PyTree:
    """Some rows of the data, at most as many as the doctor looks at."""
    if count <= SAMPLE:
        return data
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:SAMPLE])
    return jax.tree.map(lambda leaf: leaf[chosen], data)
