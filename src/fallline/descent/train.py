"""Training: from arrays to a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from fallline import losses, tree
from fallline.descent import stopping
from fallline.descent.descend import descend
from fallline.descent.problem import initial_rate, pose, with_rate
from fallline.descent.range_test import find_learning_rate
from fallline.descent.run import Progress, Run, Snapshot
from fallline.models import Model
from fallline.optimizers import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.batches import BatchSize

_ABOUT_THE_CALL = ("callback", "keep", "keep_every", "resume", "every_epoch")
"""Arguments of `train` that do not change what comes out."""


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
    state: PyTree | None = None,
    optimizer_state: PyTree | None = None,
    min_improvement: float | None = None,
    pad_rows: bool = False,
    monitor: Literal["validation", "training"] = "validation",
    every_epoch: bool = False,
    scale_weights: bool = True,
    target_scale: float | None = None,
    precision: Literal["float32", "bfloat16", "float64"] | None = None,
) -> Run:
    """Train by gradient descent.

    Two forms: a model with a loss, ``train(model, "squared_error", (X, y))``, or an objective of
    your own over any pytree of parameters, ``train(f, data=data, params=start)`` with
    ``f(params, batch) -> scalar``, where ``batch`` is ``data`` with some of its rows.

    Args:
        model: a `fallline.models.Model`, or the objective ``f``.
        loss: with a model: a name in `fallline.losses.LOSSES` or ``(prediction, target) -> (n,)``.
        data: with a model ``(X, y)`` or ``(X, y, weights)``, each with n rows. X may be of `scipy.sparse`,
            and is then never made dense as a whole unless it is small. With an objective any pytree of
            arrays with n rows each, or None for an objective ``f(params)``.
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
        state: what the model carries along untrained at the start, to go with ``params``.
        optimizer_state: what the optimizer remembers at the start, from an earlier run's
            ``optimizer_state``; for training that goes on with other data.
        min_improvement: by how much the monitored loss must fall below the best to count as better for
            the patience.
        pad_rows: round the number of rows up with rows of weight 0, so that tables of about one size
            share one compiled program, at the price of some more work a step at full batch: up to half as
            much again, up to twice as much below 1024 rows, 64 rows at least.
        monitor: which loss the patience, schedules that look, and the choice of the parameters go by;
            with "training", validation rows are only watched.
        every_epoch: call ``callback`` at the end of each epoch, too.
        scale_weights: bring the weights to the mean 1, so that only their ratios matter; without it a weight
            of 2 doubles a row's gradient, as training that goes on with other rows may want.
        target_scale: what the targets were divided by, for a loss with a size of its own (Huber's), which
            then sees outputs and targets multiplied by it and is divided by it.
        precision: "bfloat16" rounds what the layers of a model multiply to it, which is faster where the
            processor or GPU has instructions for it; weights, sums, losses and all predictions stay in
            single precision. "float32" and "float64" only make sure that JAX is set so.

    Returns:
        The run. The same seed on the same machine gives the same bits, however often it was
        interrupted and resumed.

    Raises:
        FalllineError: for anything that does not fit together, in a sentence.
    """
    asked = {name: value for name, value in locals().items() if name not in _ABOUT_THE_CALL}
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
        state=state,
        optimizer_state=optimizer_state,
        min_improvement=min_improvement,
        pad_rows=pad_rows,
        monitor=monitor,
        scale_weights=scale_weights,
        target_scale=target_scale,
        precision=precision,
    )
    stopping.positive("The time budget", time_budget)
    range_test, began = None, time.perf_counter()
    if learning_rate == "auto" and resume is not None:
        carry = tree.from_arrays(problem.begin(problem.optimizer), resume.arrays)
        found = float(f"{float(initial_rate(carry['optimizer'])):.2g}")
        problem.optimizer = with_rate(problem.optimizer, found)
    elif learning_rate == "auto":
        range_test = find_learning_rate(problem)
        problem.optimizer = with_rate(problem.optimizer, range_test.learning_rate)
    spent = time.perf_counter() - began
    run = descend(
        problem, callback, keep, keep_every, resume, time_budget, spent, every_epoch=every_epoch
    )
    run.model = model if isinstance(model, Model) else None
    run.loss = found_loss
    run.range_test = range_test
    run.precision = problem.precision
    run.asked = asked
    return run
