"""A run of the fit view: the engine's compiled loop, call by call, while points and numbers change under it.

From its start a run is the very program of `fallline.train`, on the same rows: the same bits, step for step.
When points come or go in the middle, it goes on in a program whose rows are filled up with rows of weight
0, so that painting compiles once a capacity, not once a point. The number of rows shapes neither the
batches nor the calls of that program: one call takes a list of batches, wherever an epoch ends.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent import batches, loop
from fallline.descent.loop import Shape
from fallline.descent.objective import Batch
from fallline.descent.problem import pose
from fallline.descent.stopping import BLEW_UP, RUNNING

if TYPE_CHECKING:
    from fallline.descent.batches import BatchPlan
    from fallline.descent.problem import Problem
    from fallline.optimizers import Optimizer
    from fallline.studio.fit.features import Features
    from fallline.studio.fit.points import Points
    from fallline.studio.fit.settings import Settings

CAPACITIES = (64, 256, 1024, 2048)
"""Rows of the programs that points are painted into; more than the points, so that one row is free."""

_CALL = 64
"""Steps of one call of such a program."""

_NO_END = 2**31 - 1

FIELDS = (
    "step",
    "epoch",
    "batch_loss",
    "full_loss",
    "learning_rate",
    "gradient_norm",
    "w",
    "b",
)
"""What is told of every step, all of it from before its update.

The full loss where a step begins an epoch, w and b of a line where a call begins; NaN elsewhere.
"""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a run stands.

    Attributes:
        iteration: steps done.
        epoch: of the last step, counted from 1; 0 before the first.
        batch: of the last step in its epoch, counted from 1; 0 before the first.
        batches: of an epoch.
    """

    iteration: int
    epoch: int
    batch: int
    batches: int


class Descent:
    """Parameters that descend on points.

    Attributes:
        settings: as last changed.
        features: as learned at the start.
        points: as last changed.
        problem: the engine's view of all that; on the points of its last change.
        carry: what changes from step to step; see `fallline.descent.loop.start`.
        rows: the points as rows, filled up to a capacity with rows of weight 0.
        edited: was something changed after the first step, so that no call of `train` would give this run?
    """

    def __init__(
        self, settings: Settings, features: Features, points: Points, optimizer: Optimizer
    ) -> None:
        self.settings, self.features, self.points = settings, features, points
        self.edited = False
        self._painted = False
        self.problem = self._posed(optimizer)
        self.rows = _filled(features, points)
        self.carry = self.problem.begin(optimizer)
        self._began, self._epochs_before = 0, 0
        self._order: tuple[int, Any] = (-1, None)

    def _posed(self, optimizer: Optimizer) -> Problem:
        settings = self.settings
        problem, _ = pose(
            settings.made_model(),
            settings.loss,
            (self.features.columns(self.points.x), self.features.target(self.points.y)),
            params=start_at(settings),
            optimizer=optimizer,
            batch_size=settings.batch or "full",
            steps=_NO_END,
            l2=settings.l2 or None,
            seed=settings.seed,
        )
        return problem

    @property
    def plan(self) -> BatchPlan:
        """Which rows each step sees, since points or batches last changed."""
        return self.problem.plan

    @property
    def blew_up(self) -> bool:
        """Did a step leave the finite numbers? It was not taken."""
        return int(self.carry["stop"]) == BLEW_UP

    @property
    def _position(self) -> int:
        """Steps done since points or batches last changed; an epoch begins where they change."""
        return int(self.carry["step"]) - self._began

    def place(self) -> Place:
        """Where the run stands, exactly."""
        position, each = self._position, self.plan.steps
        epoch, batch = divmod(position - 1, each) if position else (-1, -1)
        return Place(int(self.carry["step"]), self._epochs_before + epoch + 1, batch + 1, each)

    def next_rows(self) -> np.ndarray:
        """The rows that the next step will see, int32."""
        if self.plan.full:
            return np.arange(self.plan.rows, dtype=np.int32)
        epoch, first = divmod(self._position, self.plan.steps)
        order = self._rows_of(self._epochs_before + epoch)[: self.plan.rows]
        return order[first * self.plan.size : (first + 1) * self.plan.size]

    def _rows_of(self, epoch: int) -> np.ndarray:
        if self._order[0] != epoch:
            self._order = (epoch, self.plan.order(epoch))
        return self._order[1]

    def go(self, count: int) -> np.ndarray:
        """Take steps, fewer if one leaves the finite numbers.

        Args:
            count: how many.

        Returns:
            Float64, shape (steps taken, 8): see `FIELDS`. Epochs are counted from 1, steps from 0.
        """
        parts: list[np.ndarray] = []
        while count > 0 and not self.blew_up:
            epoch, first = divmod(self._position, self.plan.steps)
            wish = count if self.plan.full else min(count, self.plan.steps - first)
            full_loss = np.nan if self.plan.full or first else self.full_loss()
            before = self.place().iteration
            here = self.line() if self.settings.two else None
            recorded = self._painted_call(wish) if self._painted else self._call(first, wish)
            taken = self.place().iteration - before
            rows = np.full((taken, len(FIELDS)), np.nan)
            rows[:, 0] = before + np.arange(taken)
            rows[:, 1] = (
                self._epochs_before + epoch + 1 + (np.arange(taken) if self.plan.full else 0)
            )
            rows[:, [2, 4, 5]] = np.asarray(recorded)[:taken, :3]
            if self.plan.full:
                rows[:, 3] = rows[:, 2]
            elif taken:
                rows[0, 3] = full_loss
            if taken and here is not None:
                rows[0, 6:] = here
            parts.append(rows)
            count -= taken
        return np.concatenate(parts) if parts else np.zeros((0, len(FIELDS)))

    def _call(self, first: int, wish: int) -> Any:
        """One call of the program of `train`."""
        problem = self.problem
        if problem.plan.full:
            epochs = min(wish, problem.shape.capacity)
            self.carry, rows, _, _ = problem.advance(self.carry, None, 0, 1, epochs, True)
            return rows
        epoch = self._epochs_before + self._position // problem.plan.steps
        order = np.zeros((problem.shape.capacity, problem.plan.steps * problem.plan.size), np.int32)
        order[0] = self._rows_of(epoch)
        end = first + wish
        closes = end == problem.plan.steps
        self.carry, rows, _, _ = problem.advance(self.carry, order, first, end, 1, closes)
        return rows

    def _painted_call(self, wish: int) -> Any:
        """One call of the program whose rows are filled up."""
        shape = self._painted_shape()
        plan, capacity = self.plan, len(self.rows.y)
        if plan.full:
            return self._advance(shape, None, 1, min(wish, _CALL))
        end, size = min(wish, shape.steps), plan.size
        epoch, first = divmod(self._position, plan.steps)
        chosen = self._rows_of(self._epochs_before + epoch).copy()
        # The places that fill up an epoch's last batch hold a row of weight 0.
        chosen[plan.rows :] = capacity - 1
        order = np.full((1, shape.steps * size), capacity - 1, np.int32)
        order[0, : end * size] = chosen[first * size : (first + end) * size]
        return self._advance(shape, order, end, 1)

    def _painted_shape(self) -> Shape:
        capacity, size = len(self.rows.y), self.plan.size
        if self.plan.full:
            return Shape(capacity, 1, capacity, full=True, capacity=_CALL)
        return Shape(size, max(1, min(_CALL, 8192 // size)), size, full=False, capacity=1)

    def _advance(self, shape: Shape, order: Any, end: int, epochs: int) -> Any:
        problem = self.problem
        self.carry, rows, _, _ = loop.advance(
            problem.objective,
            problem.rules,
            self.rows,
            None,
            self.carry,
            order,
            np.int32(0),
            np.int32(end),
            np.int32(epochs),
            np.bool_(False),
            shape=shape,
        )
        return rows

    def warm(self) -> None:
        """Compile what the first step needs, without taking one."""
        problem = self.problem
        order = None
        if not problem.plan.full:
            order = np.zeros(
                (problem.shape.capacity, problem.plan.steps * problem.plan.size), np.int32
            )
        self.carry, *_ = problem.advance(self.carry, order, 0, 1, 0, False)

    def warm_painted(self) -> None:
        """Compile what the first step after a change of points needs."""
        shape = self._painted_shape()
        order = None if shape.full else np.zeros((1, shape.steps * shape.size), np.int32)
        self._advance(shape, order, 1, 0)

    def line(self) -> tuple[float, float]:
        """Slope and intercept of a line, in the units of its features."""
        layer: Any = self.carry["params"]["affine1"]
        return float(layer["weights"][0, 0]), float(layer["bias"][0])

    @property
    def rate(self) -> float:
        """The learning rate of now."""
        return float(cast("Any", self.carry["optimizer"]).learning_rate)

    def full_loss(self) -> float:
        """The objective on all points, at the parameters of now."""
        return float(objective_value(self.problem.objective, self.carry["params"], self.rows))

    def with_points(self, points: Points) -> None:
        """Go on with other points, from the parameters of now; a new epoch begins."""
        began = self.place().iteration > 0
        self._new_plan()
        self.points = points
        self.edited |= began
        self._painted = True
        self.rows = _filled(self.features, points)
        plan = batches.plan(len(points), self.settings.batch or "full", seed=self.settings.seed)
        self.problem = dataclasses.replace(self.problem, plan=plan)

    def with_settings(self, settings: Settings, optimizer: Optimizer) -> None:
        """Go on with other settings, from the parameters of now.

        A new kind of optimizer begins with an empty memory, other batches begin a new epoch.
        """
        before, self.settings = self.settings, settings
        self.edited |= self.place().iteration > 0
        if settings.batch != before.batch:
            self._new_plan()
        if (settings.batch, settings.loss, settings.l2) != (before.batch, before.loss, before.l2):
            plan = self.problem.plan
            self.problem = self._posed(optimizer)
            if settings.batch == before.batch:
                self.problem.plan = plan
        self.problem.optimizer = optimizer
        if _program(optimizer) != _program(before.made_optimizer(1.0)):
            params = jax.tree.map(jnp.copy, self.carry["params"])
            fresh = dataclasses.replace(self.problem, params=params).begin(optimizer)
            # The optimizer's own count starts at 0, the run's does not.
            keep = ("key", "step", "epoch", "stop")
            self.carry = {**fresh, **{name: self.carry[name] for name in keep}}
        else:
            self.tune(optimizer)

    def tune(self, optimizer: Optimizer) -> None:
        """Go on with other numbers of the same optimizer."""
        kind = jnp.result_type(float)
        self.problem.optimizer = optimizer
        self.carry = {
            **self.carry,
            "optimizer": jax.tree.map(lambda v: jnp.asarray(v, kind), optimizer),
        }

    def forgive(self) -> None:
        """Let a run that blew up try again, at other numbers."""
        self.carry = {**self.carry, "stop": jnp.full((), RUNNING, jnp.int32)}

    def _new_plan(self) -> None:
        """Points or batches change: what was done of this epoch counts as one."""
        self._epochs_before = self.place().epoch
        self._began = int(self.carry["step"])
        self._order = (-1, None)


def _program(optimizer: Optimizer) -> Any:
    """What of an optimizer shapes the program: its class, and which of its terms there are."""
    return jax.tree.structure(optimizer)


def start_at(settings: Settings) -> Any:
    """The parameters to start from, None for the model's own."""
    if settings.place is None:
        return None
    w, b = settings.place
    return {"affine1": {"weights": np.array([[w]], np.float32), "bias": np.array([b], np.float32)}}


@jax.jit
def objective_value(objective: Any, params: Any, rows: Batch) -> Any:
    """The objective on rows, penalties included."""
    return objective(params, {}, rows)[0]


def _filled(features: Features, points: Points) -> Batch:
    """Points as rows on the device, filled up to a capacity with rows of weight 0."""
    count = len(points)
    capacity = next(c for c in CAPACITIES if c > count)
    kind = np.float32
    columns = features.columns(points.x)
    x = np.zeros((capacity, columns.shape[1]), kind)
    y, weights = np.zeros(capacity, kind), np.zeros(capacity, kind)
    with np.errstate(over="ignore"):
        x[:count], y[:count], weights[:count] = columns, features.target(points.y), 1.0
    return jax.device_put(Batch(x, y, weights))
