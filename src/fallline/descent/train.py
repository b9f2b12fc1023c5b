"""Training: from arrays to a run."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import operator
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from fallline import losses, tree
from fallline.descent import batches, loop, stopping
from fallline.descent.history import Recorder
from fallline.descent.loop import Shape
from fallline.descent.objective import Batch, ModelObjective, UserObjective
from fallline.descent.run import Progress, Run, Snapshot
from fallline.descent.stopping import Rules, Stop
from fallline.errors import FalllineError
from fallline.models import Model
from fallline.optimizers import Adam, Optimizer
from fallline.optimizers import by_name as optimizer_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.batches import BatchPlan, BatchSize

CALL_SECONDS = 0.1
"""How much work one call of the compiled loop is given before Python looks in."""


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
    begin: Callable[[Any], Any]
    """Makes the carry before the first step, from an optimizer."""

    @functools.cached_property
    def rows(self) -> Any:
        """The training rows on the device."""
        return jax.device_put(self.data)

    def without_rules(self) -> Problem:
        """The same problem, never stopped early; for tries."""
        free = dataclasses.replace(self, rules=_rules(Rules()))
        free.__dict__["rows"] = self.rows
        return free

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

    def order(self, epoch: int, count: int) -> Any:
        """The rows of some epochs on the device; None where every step sees all."""
        if self.plan.full:
            return None
        orders = np.zeros((self.shape.capacity, self.plan.steps * self.plan.size), np.int32)
        for e in range(count):
            orders[e] = self.plan.order(epoch + e)
        return jax.device_put(orders)


def train(
    model: Model | Callable[[Any, Any], Any],
    loss: str | losses.Loss | Callable[..., Any] | None = None,
    data: Any = None,
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
    time_budget: float | None = None,
    record: Literal["steps", "layers"] = "steps",
    score: Callable[..., Any] | None = None,
    callback: Callable[[Progress], Any] | None = None,
    keep: Callable[[Snapshot, float], None] | None = None,
    keep_every: float = 10.0,
    resume: Snapshot | None = None,
) -> Run:
    """Train by gradient descent.

    Two forms: a model with a loss, ``train(model, "squared_error", (X, y))``, or an objective of
    your own over any pytree of parameters, ``train(f, data=data, params=start)`` with
    ``f(params, batch) -> scalar``, where ``batch`` is ``data`` with some of its rows.

    Args:
        model: a `fallline.models.Model`, or the objective ``f``.
        loss: with a model: a name in `fallline.losses.LOSSES` or ``(prediction, target) -> (n,)``.
        data: with a model ``(X, y)`` or ``(X, y, weights)``, each with n rows; with an objective any
            pytree of arrays with n rows each, or None for an objective ``f(params, None)``.
        params: where to start; with a model, by its initialiser if None.
        optimizer: an optimizer or its name; Adam by default.
        learning_rate: a number, a schedule, "auto" for the range test, or None for the optimizer's own.
        batch_size: "auto", "full", 1, or any number of rows a step.
        epochs: passes over the rows; by default 100, or enough for 2000 steps.
        steps: updates; the run ends with whichever of both comes first.
        validation: a share of the rows to hold out, or data of its own, like ``data``.
        patience: epochs without a better validation loss before the run stops; by default 10, or
            enough for 200 steps, where there are validation rows, else never.
        l1: penalty on absolute weights; see `ModelObjective`.
        l2: penalty on squared weights.
        seed: decides the initial parameters, the order of rows and dropout.
        shuffle: a new order of rows each epoch.
        replacement: draw rows with replacement.
        gradient_tolerance: stop when an epoch's mean gradient norm is below it.
        slope_tolerance: stop when the training loss falls by less than this share of itself an
            epoch, measured over 10 epochs.
        time_budget: seconds after which the run stops.
        record: "layers" also records the norms of every leaf at every step.
        score: like a loss; its mean over the validation rows is in the history.
        callback: called about ten times a second; the run stops when it returns True.
        keep: called with a `Snapshot` and the learning rate every ``keep_every`` seconds and at the end.
        keep_every: seconds.
        resume: a snapshot of the same run, to go on from; everything else must be the same.

    Returns:
        The run. The same seed on the same machine gives the same bits, however often it was
        interrupted and resumed.

    Raises:
        FalllineError: for anything that does not fit together, in a sentence.
    """
    problem, found_loss = pose(
        model,
        loss,
        data,
        params=params,
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch_size=batch_size,
        epochs=epochs,
        steps=steps,
        validation=validation,
        patience=patience,
        l1=l1,
        l2=l2,
        seed=seed,
        shuffle=shuffle,
        replacement=replacement,
        gradient_tolerance=gradient_tolerance,
        slope_tolerance=slope_tolerance,
        record=record,
        score=score,
    )
    stopping.positive("The time budget", time_budget)
    range_test, began = None, time.perf_counter()
    if learning_rate == "auto" and resume is not None:
        carry = tree.from_arrays(problem.begin(problem.optimizer), resume.arrays)
        found = float(f"{float(_initial(carry['optimizer'])):.2g}")
        problem.optimizer = with_rate(problem.optimizer, found)
    elif learning_rate == "auto":
        from fallline.descent.range_test import find_learning_rate

        range_test = find_learning_rate(problem)
        problem.optimizer = with_rate(problem.optimizer, range_test.learning_rate)
    spent = time.perf_counter() - began
    run = descend(problem, callback, keep, keep_every, resume, time_budget, spent)
    run.model = model if isinstance(model, Model) else None
    run.loss = found_loss
    run.range_test = range_test
    return run


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
) -> tuple[Problem, losses.Loss | None]:
    """Check what a user asked for and bring it into the engine's form; see `train`."""
    penalties = {name: _penalty(name, value) for name, value in (("l1", l1), ("l2", l2))}
    stopping.positive("The number of epochs", epochs, whole=True)
    stopping.positive("The number of steps", steps, whole=True)
    stopping.positive("The patience", patience)
    stopping.positive("The gradient tolerance", gradient_tolerance, zero=True)
    stopping.positive("The slope tolerance", slope_tolerance, zero=True)
    try:
        seed = operator.index(seed)
    except TypeError:
        raise FalllineError(f"The seed must be a whole number; it was given {seed!r}.") from None
    if record not in ("steps", "layers"):
        raise FalllineError(f"record must be 'steps' or 'layers'; it was given {record!r}.")
    found_loss = None
    if isinstance(model, Model):
        found_loss = _loss(loss)
        score = score or (_accuracy if found_loss.task == "classification" else None)
        objective: Any = ModelObjective(model, found_loss.function, score, **penalties)
        rows = _labelled(data)
    else:
        if not callable(model):
            raise FalllineError(
                f"Training needs a model of fallline.models or a function; it was given {model!r}."
            )
        if params is None:
            raise FalllineError("An objective of your own needs params=, the place to start from.")
        objective = UserObjective(model, **penalties)
        rows = Batch(jax.tree.map(_array, data))
    training, held_out = _hold_out(rows, validation, seed, labelled=isinstance(model, Model))
    if found_loss is not None and found_loss.task == "classification" and not found_loss.binary:
        for part in (rows, held_out or rows):
            _check_classes(part.y, objective.model.outputs)
    count = _count(training)
    columns = sum(leaf.size for leaf in jax.tree.leaves(training.x)) // max(count, 1)
    plan = batches.plan(
        count, batch_size, columns=columns, seed=seed, shuffle=shuffle, replacement=replacement
    )
    if epochs is None and steps is None:
        epochs = batches.default_epochs(plan)
    total = min(steps or math.inf, (epochs or math.inf) * plan.steps)
    if patience is None:
        patience = math.inf if held_out is None else max(10, math.ceil(200 / plan.steps))
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
        params = _parameters(model, params)
    problem = Problem(
        objective=jax.tree.map(jnp.asarray, objective),
        optimizer=optimizer,
        data=training,
        validation=held_out if held_out is None else jax.device_put(held_out),
        plan=plan,
        shape=Shape.of(plan, layers=record == "layers"),
        rules=_rules(Rules(patience, gradient_tolerance or 0.0, _or(slope_tolerance, -1.0))),
        steps=int(total),
        epochs=total / plan.steps,
        seed=seed,
        begin=functools.partial(
            _begin,
            model if isinstance(model, Model) else None,
            params,
            seed=np.uint32(seed % 2**32),
            keep_best=held_out is not None,
        ),
    )
    return problem, found_loss


@functools.partial(jax.jit, static_argnames=("model", "keep_best"))
def _begin(
    model: Model | None, params: PyTree, optimizer: Any, *, seed: Any, keep_best: bool
) -> Any:
    key = jax.random.PRNGKey(seed)
    state: Any = {}
    if model is not None:
        state = model.init_state()
        params = model.init(jax.random.fold_in(key, 0)) if params is None else params
    return loop.start(params, state, optimizer, jax.random.fold_in(key, 1), keep_best=keep_best)


def descend(
    problem: Problem,
    callback: Callable[[Progress], Any] | None = None,
    keep: Callable[[Snapshot, float], None] | None = None,
    keep_every: float = 10.0,
    resume: Snapshot | None = None,
    time_budget: float | None = None,
    spent: float = 0.0,
) -> Run:
    """Run a problem to its end; see `train`; ``spent`` counts seconds that came before."""
    began = time.perf_counter()
    rate = float(_initial(problem.optimizer))
    carry = problem.begin(problem.optimizer)
    names = tree.names(carry["params"])
    recorder = Recorder(names)
    if resume is not None:
        carry = tree.from_arrays(carry, resume.arrays)
        recorder, spent = Recorder.resumed(resume.history), resume.seconds
    plan, shape = problem.plan, problem.shape
    step, code = int(carry["step"]), int(carry["stop"])
    reason, kept_at, pace = "", began, 0.0
    order, ordered = None, (-1, 0)
    with interruptible() as interrupted:
        while code == stopping.RUNNING and step < problem.steps and not reason:
            epoch, first = divmod(step, plan.steps)
            # Until a call has been timed, one epoch or a few steps; then about CALL_SECONDS of work.
            wish = max(1, int(CALL_SECONDS / pace)) if pace else 8
            left = problem.steps - step
            if first == 0 and wish >= plan.steps and left >= plan.steps:
                epochs = min(wish // plan.steps, left // plan.steps, shape.capacity)
                end = plan.steps
            else:
                epochs, end = 1, min(first + wish, plan.steps, first + left)
            closes = end == plan.steps or end - first == left
            if ordered[0] != epoch or ordered[1] < epochs:
                order, ordered = problem.order(epoch, epochs), (epoch, epochs)
            called = time.perf_counter()
            carry, rows, closings, layers = problem.advance(
                carry, order, first, end, epochs, closes
            )
            new_step, code = int(carry["step"]), int(carry["stop"])
            now = time.perf_counter()
            blew_up = code == stopping.BLEW_UP
            closed = int(carry["epoch"]) - len_epochs(recorder)
            recorder.add(rows, closings, layers, taken=new_step - step + blew_up, closed=closed)
            if new_step > step:
                # The first call compiles; its pace says nothing.
                measured = (now - called) / (new_step - step)
                pace = measured if pace or resume is not None else min(measured, CALL_SECONDS / 8)
            seen = plan.rows_seen(new_step) - plan.rows_seen(step)
            step = new_step
            spent_now = spent + now - began
            if callback and callback(
                _progress(problem, recorder, step, seen / max(now - called, 1e-9), spent_now)
            ):
                reason = "interrupted"
            if interrupted():
                reason = "interrupted"
            elif time_budget is not None and spent_now >= time_budget:
                reason = "time"
            if keep and now - kept_at >= keep_every and code == stopping.RUNNING:
                keep(Snapshot(tree.to_arrays(carry), recorder.history(), spent_now), rate)
                kept_at = time.perf_counter()
    seconds = spent + time.perf_counter() - began
    history = recorder.history()
    final = Snapshot(tree.to_arrays(carry), history, seconds)
    if keep:
        keep(final, rate)
    predictor = {"params": _averaged(carry), "state": carry["state"]}
    best_epoch = int(carry["best_epoch"]) if "best" in carry else 0
    if best_epoch:
        predictor = carry["best"]
    reason = (
        stopping.REASONS.get(code) or reason or ("epochs" if step % plan.steps == 0 else "steps")
    )
    return Run(
        params=predictor["params"],
        state=predictor["state"],
        history=history,
        stop=Stop(reason, _sentence(problem, reason, step, best_epoch, seconds)),
        plan=plan,
        optimizer=problem.optimizer,
        learning_rate=rate,
        final=final,
        best_epoch=best_epoch,
        seconds=seconds,
    )


@jax.jit
def _averaged(carry: Any) -> PyTree:
    return carry["optimizer"].averaged(carry["params"], carry["optimizer_state"])


def len_epochs(recorder: Recorder) -> int:
    """Epochs recorded so far."""
    return sum(len(part) for part in recorder.epochs)


def _progress(
    problem: Problem, recorder: Recorder, step: int, pace: float, seconds: float
) -> Progress:
    newest = next((part[-1] for part in reversed(recorder.epochs) if len(part)), None)
    loss, validation = (newest[0], newest[1]) if newest is not None else (math.nan, math.nan)
    if newest is None and recorder.steps and len(recorder.steps[-1]):
        loss = recorder.steps[-1][:, 0].mean()
    seen = problem.plan.rows_seen(step)
    return Progress(
        step=step,
        steps=problem.steps,
        epoch=seen / problem.plan.rows,
        epochs=problem.epochs,
        loss=float(loss),
        validation_loss=float(validation),
        rows_per_second=pace,
        seconds=seconds,
        seconds_left=(problem.plan.rows_seen(problem.steps) - seen) / max(pace, 1e-9),
    )


def _sentence(problem: Problem, reason: str, step: int, best: int, seconds: float) -> str:
    """How the run ended, for a reader."""
    epoch = problem.plan.rows_seen(step) / problem.plan.rows
    where = f"after {epoch:.4g} of {problem.epochs:.4g} epochs"
    monitored = "validation" if problem.validation is not None else "training"
    patience = float(problem.rules.patience)
    text = {
        "epochs": f"Ended as planned after {epoch:.4g} epochs.",
        "steps": f"Ended as planned after {step:,} steps.",
        "patience": f"Stopped {where}: the {monitored} loss had not improved for {patience:.0f} "
        "epochs.",
        "gradient": f"Stopped {where}: the gradient norm fell below "
        f"{float(problem.rules.gradient_tolerance):g}.",
        "slope": f"Stopped {where}: the training loss no longer falls.",
        "time": f"Stopped {where}: the time budget was spent ({seconds:.1f} s).",
        "interrupted": f"Interrupted {where}.",
        "non-finite": f"The run blew up at step {step + 1:,} ({where}): the loss or the parameters were "
        "no longer finite numbers. The last finite parameters are kept; try a smaller learning rate.",
    }[reason]
    if best:
        text += f" The parameters of epoch {best}, the best on the validation rows, were kept."
    return text


class interruptible:  # noqa: N801 - a context manager, named like one
    """Ctrl-C between calls of the loop, not inside one: what was learned is kept.

    A second Ctrl-C interrupts at once. Outside the main thread nothing changes.
    """

    def __enter__(self) -> Callable[[], bool]:
        self._asked = False
        self._previous: Any = None
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._note)
        return lambda: self._asked

    def _note(self, number: int, frame: Any) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, self._previous)

    def __exit__(self, *error: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)


def _rules(rules: Rules) -> Rules:
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(float)), rules)


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _penalty(name: str, value: float | None) -> float | None:
    stopping.positive(f"The penalty {name}", value, zero=True)
    return float(value) if value else None


def _loss(loss: str | Callable[..., Any] | losses.Loss | None) -> losses.Loss:
    if loss is None:
        raise FalllineError(
            "A model needs a loss: name one, as in train(model, 'squared_error', data)."
        )
    if isinstance(loss, losses.Loss):
        return loss
    if isinstance(loss, str):
        return losses.by_name(loss)
    for known in losses.LOSSES.values():
        if known.function is loss:
            return known
    if not callable(loss):
        raise FalllineError(f"A loss must be a name or a function; it was given {loss!r}.")
    return losses.Loss(getattr(loss, "__name__", "loss"), loss, "regression", link=lambda x: x)


def _accuracy(prediction: Any, target: Any) -> Any:
    """1 where the class is right, else 0, shape (n,)."""
    if prediction.shape[-1] == 1:
        chosen = prediction[..., 0] > 0
        truth = target.reshape(chosen.shape) > 0.5
    else:
        chosen = jnp.argmax(prediction, axis=-1)
        indices = target.size == len(target)
        truth = target.reshape(-1) if indices else jnp.argmax(target, axis=-1)
    return (chosen == truth).astype(prediction.dtype)


def _array(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        raise FalllineError("Training needs arrays of numbers, with rows of one length.") from None
    kind = jnp.result_type(float)
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise FalllineError(f"Training needs arrays of numbers; one of them holds {array.dtype}.")
    # A number too large for single precision becomes infinite, and is told as such.
    with np.errstate(over="ignore"):
        wide = array.dtype.kind == "f" and array.dtype.itemsize > 4
        return array.astype(kind) if wide else array


def _labelled(data: Any) -> Batch:
    """Check (X, y) or (X, y, weights) and make a batch of it."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise FalllineError("Training data must be (X, y) or (X, y, weights).")
    x, y = _array(data[0]), _array(data[1])
    x = x if x.dtype.kind == "f" else x.astype(jnp.result_type(float))
    weights = None if len(data) == 2 or data[2] is None else _array(data[2])
    if x.ndim == 0 or (weights is not None and weights.ndim != 1):
        raise FalllineError("X needs a row for each example, and weights one number for each.")
    for name, array in (("y", y), ("the weights", weights)):
        if array is not None and (array.ndim == 0 or len(array) != len(x)):
            found = len(array) if array.ndim else "none"
            raise FalllineError(f"X has {len(x)} rows and {name} {found}; they must have the same.")
    for name, array in (("X", x), ("y", y), ("The weights", weights)):
        if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise FalllineError(f"{name} must hold finite numbers; row {row} does not.")
    if weights is not None:
        if (weights < 0).any() or not weights.any():
            raise FalllineError("Weights must not be negative, and not all of them 0.")
        weights = weights.astype(x.dtype)
    return Batch(x, y, weights)


def _check_classes(y: Any, classes: int) -> None:
    """Class indices must be among the model's outputs: others would turn up as NaN or wrap around."""
    if y.size != len(y):
        return
    wrong = (y < 0) | (y >= classes) | (y % 1 != 0)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise FalllineError(
            f"A model with {classes} outputs takes the classes 0 to {classes - 1}; row {row} of y holds "
            f"{y.reshape(-1)[row]}."
        )


def _parameters(model: Any, params: PyTree) -> PyTree:
    """Parameters to start from as arrays, whole numbers as floats, checked against the model."""

    def parameter(leaf: Any) -> Any:
        array = jnp.asarray(leaf)
        real = jnp.issubdtype(array.dtype, jnp.inexact)
        return array if real else array.astype(jnp.result_type(float))

    params = jax.tree.map(parameter, params)
    if isinstance(model, Model):
        wanted = jax.eval_shape(model.init, jax.random.PRNGKey(0))
        needed, given = (
            dict(zip(tree.names(t), map(jnp.shape, jax.tree.leaves(t)), strict=True))
            for t in (wanted, params)
        )
        if needed != given:
            raise FalllineError(
                f"These parameters do not fit the model, which has {needed}; they have {given}."
            )
    return params


def _count(rows: Batch) -> int:
    leaves = jax.tree.leaves(rows.x)
    counts = {leaf.shape[0] if leaf.ndim else 0 for leaf in leaves}
    if len(counts) > 1:
        raise FalllineError(f"All arrays of the data must have the same rows; they have {counts}.")
    return counts.pop() if counts else 1


def _hold_out(
    rows: Batch, validation: Any, seed: int, *, labelled: bool
) -> tuple[Batch, Batch | None]:
    """Split validation rows off, or take those given."""
    if validation is None:
        return rows, None
    if not isinstance(validation, numbers.Real):
        return rows, _labelled(validation) if labelled else Batch(jax.tree.map(_array, validation))
    share = float(validation)
    if share == 0:
        return rows, None
    if not 0 < share < 1:
        raise FalllineError(
            f"The validation share must be at least 0 and below 1; it was given {share:g}."
        )
    count = _count(rows)
    held = min(max(1, round(count * share)), count - 1)
    if held < 1:
        raise FalllineError(f"{count} row is too few to hold out validation rows.")
    order = batches.generator(seed, 2**63).permutation(count)
    chosen, rest = np.sort(order[:held]), np.sort(order[held:])
    return jax.tree.map(lambda a: a[rest], rows), jax.tree.map(lambda a: a[chosen], rows)


def with_rate(optimizer: Optimizer, learning_rate: Any) -> Optimizer:
    """The optimizer at a learning rate; a schedule that it has is kept and started from there."""
    current = getattr(optimizer, "learning_rate", None)
    if callable(current) and not callable(learning_rate):
        return optimizer.with_rate(current.with_initial(learning_rate))  # pyright: ignore
    return optimizer.with_rate(learning_rate)


def _initial(optimizer: Any) -> Any:
    rate = optimizer.learning_rate
    return rate.initial if callable(rate) else rate  # pyright: ignore
