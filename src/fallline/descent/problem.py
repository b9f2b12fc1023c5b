"""A problem: everything about a run that does not change while it runs."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import operator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import losses
from fallline.descent import batches, inputs, loop, single_rows, stopping
from fallline.descent.feed import Feed
from fallline.descent.loop import Shape
from fallline.descent.objective import Batch, ModelObjective, UserObjective
from fallline.descent.precision import resolved
from fallline.descent.stopping import Rules
from fallline.errors import FalllineError
from fallline.models import MLP, Linear, Model
from fallline.optimizers import Adam, Optimizer
from fallline.optimizers import by_name as optimizer_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.batches import BatchPlan, BatchSize
    from fallline.descent.run import Worker


@dataclasses.dataclass
class Problem:
    """Everything about a run that does not change while it runs."""

    objective: Any
    optimizer: Any
    data: Batch
    validation: Batch | None
    plan: BatchPlan
    shape: Shape
    rules: Rules
    steps: int
    epochs: float
    seed: int
    model: Model | None
    params: PyTree
    state: PyTree = None
    optimizer_state: PyTree = None
    precision: str = "float32"

    call_seconds = 0.0
    """How much work one call of the loop is given, if not `descend.CALL_SECONDS`."""

    shared = False
    """Do several processes work on it?"""

    @property
    def validated(self) -> bool:
        """Are there rows to validate on?"""
        return self.validation is not None

    def feed(self) -> Feed:
        """What gives the loop its rows."""
        return Feed(self)

    def agreed(self, reason: str, pace: float) -> tuple[str, float]:
        """Why all who train together stop now, if one of them does, and the seconds a step takes."""
        return reason, pace

    def workers(self) -> list[Worker]:
        """Those who train together, as they stood when they last met; empty for a single one."""
        return []

    def placed(self, carry: Any) -> Any:
        """A carry from elsewhere on the devices that the loop works on."""
        return carry

    def finished(self, carry: Any) -> Any:
        """The carry after the last step, on this process's own device."""
        return carry

    def begin(self, optimizer: Any) -> Any:
        """The carry before the first step."""
        seed = np.uint32(self.seed % 2**32)
        keep_best = self.validated and not self.shape.watched
        return begin(
            self.model,
            self.params,
            optimizer,
            self.state,
            self.optimizer_state,
            seed=seed,
            keep_best=keep_best,
        )

    def reseeded(self, seed: int) -> Problem:
        """The same problem from another seed: initial parameters, row orders, dropout."""
        plan = dataclasses.replace(self.plan, seed=seed)
        return self.but(seed=seed, plan=plan)

    def but(self, **fields: Any) -> Problem:
        """The same problem but for some fields, on the rows that are on the device already."""
        other = dataclasses.replace(self, **fields)
        other.__dict__["rows"] = self.rows
        return other

    @functools.cached_property
    def rows(self) -> Any:
        """The training rows on the device."""
        return jax.device_put(self.data)

    def without_rules(self) -> Problem:
        """The same problem, never stopped early; for tries."""
        return self.but(rules=_rules(Rules()))

    def advance(
        self, carry: Any, order: Any, first: int, end: int, epochs: int, closes: bool
    ) -> tuple[Any, Any, Any, Any]:
        """One call of the compiled loop."""
        return loop.advance(
            self.objective,
            self.rules,
            self.rows,
            self.validation,
            carry,
            order,
            np.int32(first),
            np.int32(end),
            np.int32(epochs),
            np.bool_(closes),
            shape=self.shape,
        )

    def portion(self, step: int, wish: int) -> tuple[int, int, int, int, bool]:
        """What one call shall do: whole epochs where the wish reaches so far, else a part of one.

        Args:
            step: steps done.
            wish: steps to do, if they fit.

        Returns:
            The epoch to begin in, the step of it to begin at and to stop before, how many epochs, and
            whether the call reaches the end of its epochs or of the run; see `loop.go_on`.
        """
        each, left = self.plan.steps, self.steps - step
        epoch, first = divmod(step, each)
        if first == 0 and wish >= each and left >= each:
            return epoch, 0, each, min(wish // each, left // each, self.shape.capacity), True
        end = min(first + wish, each, first + left)
        return epoch, first, end, 1, end == each or end - first == left

    def order(self, epoch: int, count: int, take: Callable[[int], np.ndarray] | None = None) -> Any:
        """The rows of some epochs on the device; None where every step sees all.

        Args:
            epoch: the first of them.
            count: how many; room is made for as many as one call can do.
            take: gives the order of an epoch; the plan's own if None.
        """
        if self.plan.full:
            return None
        shape, rows = self.shape, self.plan.rows
        # Places that no row takes: weight 0 by the mask of `Batch.take`, or by the row that fills up.
        filler = rows if shape.padded else 0
        orders = np.full((shape.capacity, shape.steps * shape.size), filler, np.int32)
        for e in range(count):
            orders[e, :rows] = (take or self.plan.order)(epoch + e)[:rows]
        return jax.device_put(orders)


def pose(
    model: Model | Callable[[Any, Any], Any],
    loss: str | losses.Loss | Callable[..., Any] | None,
    data: Any,
    *,
    params: PyTree | None = None,
    optimizer: Optimizer | str | None = None,
    learning_rate: Any = None,
    batch_size: BatchSize | str = "auto",
    epochs: int | None = None,
    steps: int | None = None,
    validation: Any = 0.0,
    patience: float | None = None,
    l1: float | None = None,
    l2: float | None = None,
    seed: int = 0,
    shuffle: bool = True,
    replacement: bool = False,
    gradient_tolerance: float | None = None,
    slope_tolerance: float | None = None,
    record: str = "steps",
    score: Callable[..., Any] | None = None,
    state: PyTree | None = None,
    optimizer_state: PyTree | None = None,
    min_improvement: float | None = None,
    pad_rows: bool = False,
    monitor: str = "validation",
    scale_weights: bool = True,
    target_scale: float | None = None,
    precision: str | None = None,
) -> tuple[Problem, losses.Loss | None]:
    """Check what a user asked for and bring it into the engine's form; see `train`."""
    penalties = {name: inputs.penalty(name, value) for name, value in (("l1", l1), ("l2", l2))}
    stopping.positive("The number of epochs", epochs, whole=True)
    stopping.positive("The number of steps", steps, whole=True)
    stopping.positive("The patience", patience)
    stopping.positive("The gradient tolerance", gradient_tolerance, zero=True)
    stopping.positive("The slope tolerance", slope_tolerance, zero=True)
    stopping.positive("The least improvement", min_improvement, zero=True)
    try:
        seed = operator.index(seed)
    except TypeError:
        raise FalllineError(f"The seed must be a whole number; it was given {seed!r}.") from None
    if record not in ("steps", "layers"):
        raise FalllineError(f"record must be 'steps' or 'layers'; it was given {record!r}.")
    found_loss = None
    if isinstance(model, Model):
        found_loss = inputs.find_loss(loss)
        if found_loss.name.partition(":")[0] == "cross_entropy" and isinstance(
            model, (Linear, MLP)
        ):
            raise FalllineError(
                "cross_entropy takes probabilities, and a model gives logits; use softmax_cross_entropy, "
                "which is the same loss of the same model."
            )
        score = score or (inputs.accuracy if found_loss.task == "classification" else None)
        stopping.positive("The target's scale", target_scale)
        objective: Any = ModelObjective(
            model, found_loss.function, score, **penalties, scale=target_scale, precision=precision
        )
        rows = inputs.labelled_rows(data)
    else:
        if not callable(model):
            raise FalllineError(
                f"Training needs a model of fallline.models or a function; it was given {model!r}."
            )
        if params is None:
            raise FalllineError("An objective of your own needs params=, the place to start from.")
        alone = data is None and not _takes_two(model)
        objective = UserObjective(model, alone, **penalties)
        rows = inputs.any_rows(data)
    training, held_out = inputs.hold_out(rows, validation, seed, labelled=isinstance(model, Model))
    precision = resolved(precision, model, training.x)
    if scale_weights:
        training = inputs.with_mean_weight_1(training)
    if found_loss is not None and found_loss.task == "classification":
        for part in (rows, held_out or rows):
            if not found_loss.binary or (objective.model.outputs > 1 and np.ndim(part.y) == 1):
                inputs.check_classes(part.y, objective.model.outputs)
    count = inputs.count_rows(training)
    columns = inputs.numbers_a_row(training)
    plan = batches.plan(
        count, batch_size, columns=columns, seed=seed, shuffle=shuffle, replacement=replacement
    )
    if epochs is None and steps is None:
        epochs = batches.default_epochs(plan)
    total = min(steps or math.inf, (epochs or math.inf) * plan.steps)
    if patience is None:
        unwatched = held_out is None or monitor == "training"
        patience = math.inf if unwatched else batches.default_patience(plan)
    chosen: Any = (
        optimizer_by_name(optimizer) if isinstance(optimizer, str) else optimizer or Adam()
    )
    if not isinstance(chosen, Optimizer):
        raise FalllineError(
            "The optimizer must be one of fallline.optimizers, or its name; from_optax wraps one of "
            f"optax's. It was given {chosen!r}."
        )
    optimizer = chosen
    if learning_rate is not None and learning_rate != "auto":
        optimizer = with_rate(optimizer, learning_rate)
    if params is not None:
        params = inputs.parameters(model, params)
    if monitor not in ("validation", "training"):
        raise FalllineError(
            f"monitor must be 'validation' or 'training'; it was given {monitor!r}."
        )
    watched = monitor == "training" and held_out is not None
    pad_rows = pad_rows and objective.weighted
    if pad_rows:
        # A mini-batch needs at least one row to fill up with.
        training = inputs.padded(training, loop.rounded_rows(count if plan.full else count + 1))
        if held_out is not None:
            held_out = inputs.padded(held_out, loop.rounded_rows(inputs.count_rows(held_out)))
    layers = record == "layers"
    single = not (plan.full or layers) and single_rows.suits(
        objective, optimizer, training, plan.size
    )
    rules = Rules(
        patience, gradient_tolerance or 0.0, _or(slope_tolerance, -1.0), min_improvement or 0.0
    )
    problem = Problem(
        objective=jax.tree.map(jnp.asarray, objective),
        optimizer=optimizer,
        data=training,
        validation=held_out if held_out is None else jax.device_put(held_out),
        plan=plan,
        shape=Shape.of(plan, layers=layers, padded=pad_rows, watched=watched, single=single),
        rules=_rules(rules),
        steps=int(total),
        epochs=total / plan.steps,
        seed=seed,
        model=model if isinstance(model, Model) else None,
        params=params,
        state=state,
        optimizer_state=optimizer_state,
        precision=precision,
    )
    return problem, found_loss


@functools.partial(jax.jit, static_argnames=("model", "keep_best"))
def begin(
    model: Model | None,
    params: PyTree,
    optimizer: Any,
    state: PyTree | None = None,
    optimizer_state: PyTree | None = None,
    *,
    seed: Any,
    keep_best: bool,
) -> Any:
    """The carry of a run before its first step, from its seed and what it is to start from."""
    key = jax.random.PRNGKey(seed)
    if model is not None:
        state = model.init_state() if state is None else state
        params = model.init(jax.random.fold_in(key, 0)) if params is None else params
    return loop.start(
        params,
        {} if state is None else state,
        optimizer,
        jax.random.fold_in(key, 1),
        keep_best=keep_best,
        optimizer_state=optimizer_state,
    )


def _rules(rules: Rules) -> Rules:
    # Not jnp.asarray, which compiles a program of its own for it.
    kind = jnp.result_type(float)
    return jax.tree.map(lambda v: jax.device_put(np.asarray(v, kind)), rules)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        # A function without a signature, of a compiled module, say: the call will tell.
        return True
    return True


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def with_rate(optimizer: Optimizer, learning_rate: Any) -> Optimizer:
    """The optimizer at a learning rate; a schedule that it has is kept and started from there."""
    current = getattr(optimizer, "learning_rate", None)
    if callable(current) and not callable(learning_rate):
        return optimizer.with_rate(current.with_initial(learning_rate))  # pyright: ignore
    return optimizer.with_rate(learning_rate)


def initial_rate(optimizer: Any) -> Any:
    """The rate that an optimizer starts with, whether or not it has a schedule."""
    rate = optimizer.learning_rate
    return rate.initial if callable(rate) else rate  # pyright: ignore
