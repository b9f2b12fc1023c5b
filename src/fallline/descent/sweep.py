"""Many hyper-parameter settings at equal budget, in compiled calls, and which of them is best."""

from __future__ import annotations

import dataclasses
import operator
import threading
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent import loop, stopping
from fallline.descent.descend import interruptible
from fallline.descent.minimize import pose_job
from fallline.descent.minimize_jobs import Clock, require_memory
from fallline.descent.problem import pose
from fallline.descent.settings import PENALTIES, Group, groups, labelled, values
from fallline.descent.sweep_jobs import train_group
from fallline.descent.sweep_result import Part, SweepResult, tabulate
from fallline.errors import FalllineError
from fallline.models import Model
from fallline.terrains import Terrain

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.minimize_jobs import Job

CURVE_POINTS = 200
"""Points of each run's curve, at most."""


def sweep(
    model: Model | Terrain | Callable[..., Any],
    loss: Any = None,
    data: Any = None,
    *,
    optimizers: Any = None,
    seeds: int | list[int] | tuple[int, ...] = 3,
    batch_sizes: Any = "auto",
    epochs: int | None = None,
    steps: int | None = None,
    validation: Any = 0.0,
    params: PyTree | None = None,
    x0: PyTree | None = None,
    starts: PyTree | int | None = None,
    noise: float | None = None,
    score: Callable[..., Any] | None = None,
    callback: Callable[[float, int], Any] | None = None,
    time_budget: float | None = None,
    **varied: Any,
) -> SweepResult:
    """Train with every combination of hyper-parameters, each from several seeds, all with one budget.

    Two forms, as in `fallline.train` and `fallline.minimize`: a model (or an objective with ``params``) on
    data, ``sweep(model, "squared_error", (X, y), learning_rate="1e-4:1:13")``; or a function or a terrain
    alone, ``sweep(f, x0=start, ...)``, ``sweep(terrain, starts=100, ...)``.

    Args:
        model: what to train or to minimise.
        loss: with a model, as in `fallline.train`.
        data: with a model or an objective, as in `fallline.train`.
        optimizers: names (a list, or one string with commas), optimizers, or a mapping of labels to
            either; Adam if not given. Each is compiled once.
        seeds: how many (0, 1, ...), or which. A seed decides initial parameters, row orders and dropout; of a
            terrain, the starts; of a function, the noise. The validation rows are the same for all.
        batch_sizes: one, or some; each is compiled once.
        epochs: the budget of every run; as in `fallline.train`.
        steps: the budget in steps instead; 1000 for a function alone.
        validation: a share of the rows, or data of its own; what decides, if there is any.
        params: where an objective on data starts.
        x0: where a function alone starts.
        starts: many starts of a function alone, as in `fallline.minimize`; a run is then the median ball.
        noise: on the gradients of a function alone, as in `fallline.minimize`.
        score: as in `fallline.train`.
        callback: called now and then with how many runs' worth of work is done and how many runs there
            are; ends the sweep by returning true.
        time_budget: seconds after which the sweep ends; runs not finished by then do not count.
        varied: hyper-parameters by name, each one value, several, or ``"low:high:count"`` spaced evenly in
            the logarithm: ``learning_rate``, ``momentum``, ``beta1``, ``weight_decay``, ``l1``, ``l2``, the
            numbers of an optimizer's schedule, and ``decay``, a factor on the learning rate each epoch (each
            step, of a function alone). An optimizer that lacks one is not varied in it.

    Returns:
        A `SweepResult`. Ctrl-C ends a sweep in good order: what was finished counts.

    Raises:
        FalllineError: if anything does not fit together, in a sentence.

    Examples:
        >>> import fallline
        >>> result = fallline.sweep(
        ...     fallline.terrains.by_name("sphere"), optimizers="sgd", learning_rate=[0.001, 0.1, 2.0]
        ... )
        >>> result.best["learning_rate"]
        0.1
    """
    began = time.perf_counter()
    chosen, seeds_list = labelled(optimizers), _seeds(seeds)
    asked = {name: values(name, given) for name, given in varied.items() if given is not None}
    stopping.positive("The time budget", time_budget)
    clock = Clock(began, time_budget)
    given: Any = model
    if not callable(given) and not isinstance(given, Model):
        raise FalllineError(f"A sweep needs a model or a function; it was given {model!r}.")
    alone = data is None and not isinstance(model, Model) and params is None
    if alone:
        sized = isinstance(batch_sizes, (list, tuple)) or batch_sizes != "auto"
        superfluous = {
            "loss": loss is not None,
            "epochs": epochs is not None,
            "validation": not isinstance(validation, (int, float)) or validation != 0,
            "score": score is not None,
            "batch_sizes": sized,
        }
        for name, given in superfluous.items():
            if given:
                raise FalllineError(f"A function alone has no {name}; give data=, or leave it out.")
    elif x0 is not None or starts is not None or noise is not None:
        raise FalllineError("x0, starts and noise belong to a function without data.")
    with interruptible() as interrupted:
        clock.interrupted = interrupted
        if alone:
            found = _alone(
                model, chosen, asked, seeds_list, steps, x0, starts, noise, clock, callback
            )
        else:
            posed = {
                "params": params,
                "epochs": epochs,
                "steps": steps,
                "validation": validation,
                "score": score,
            }
            sizes = batch_sizes if isinstance(batch_sizes, (list, tuple)) else [batch_sizes]
            if not sizes:
                raise FalllineError("A sweep needs at least one batch size; it was given none.")
            found = _trained(
                model, loss, data, chosen, asked, seeds_list, sizes, posed, clock, callback
            )
    return dataclasses.replace(found, stopped=clock.reason, seconds=time.perf_counter() - began)


def _seeds(seeds: Any) -> list[int]:
    if isinstance(seeds, (list, tuple, range)):
        listed: Any = list(seeds)
        if not listed:
            raise FalllineError("A sweep needs at least one seed; it was given none.")
    else:
        stopping.positive("The number of seeds", seeds, whole=True)
        listed = range(int(seeds))
    try:
        return list(dict.fromkeys(operator.index(seed) for seed in listed))
    except TypeError:
        raise FalllineError(f"Seeds must be whole numbers; they were given as {seeds!r}.") from None


def _binned(losses: np.ndarray, points: int) -> np.ndarray:
    """Means over ``points`` equal parts of the steps (the last axis)."""
    edges = np.linspace(0, losses.shape[-1], points + 1).astype(int)
    sums = np.add.reduceat(losses.astype(np.float64), edges[:-1], axis=-1)
    return sums / np.diff(edges)


def _trained(
    model: Any,
    loss: Any,
    data: Any,
    optimizers: dict[str, Any],
    varied: dict[str, tuple[float, ...]],
    seeds: list[int],
    sizes: list[Any] | tuple[Any, ...],
    posed: dict[str, Any],
    clock: Clock,
    callback: Callable[[float, int], Any] | None,
) -> SweepResult:
    """The sweep over data: group by group, each one compiled program."""
    penalties = {name: max(varied[name]) for name in PENALTIES if name in varied}
    for name in penalties:
        stopping.positive(f"The penalty {name}", min(varied[name]), zero=True)
    jobs: list[tuple[Any, Group]] = []
    first = next(iter(optimizers.values()))
    for size in sizes:
        problem, _ = pose(
            model, loss, data, optimizer=first, batch_size=size, seed=seeds[0], **penalties, **posed
        )
        jobs.extend(
            (problem.but(optimizer=group.optimizers[0]), group)
            for group in groups(optimizers, varied, problem.plan.steps)
        )
    told = _teller(sum(len(group.settings) for _, group in jobs) * len(seeds), clock, callback)
    parts: list[Part] = []
    for problem, group in jobs:
        if clock.reason:
            break
        trained = train_group(problem, group, seeds, clock, told)
        points = min(CURVE_POINTS, problem.steps)
        epochs = {n: trained.epochs[..., i] for i, n in enumerate(loop.EPOCH_FIELDS)}
        last = {n: _last(v) for n, v in epochs.items()}
        start = trained.losses[..., 0]
        parts.append(
            Part(
                group,
                problem.plan.size,
                problem.steps,
                problem.plan.steps,
                last,
                _diverged(trained.blew_up, start, last["training_loss"]),
                trained.finished,
                _binned(trained.losses, points),
                epochs["validation_loss"],
                trained.ends,
            )
        )
    validated = any(problem.validation is not None for problem, _ in jobs)
    measure = "validation_loss" if validated else "training_loss"
    return tabulate(parts, seeds, measure, list(varied))


def _teller(
    total: int, clock: Clock, callback: Callable[[float, int], Any] | None
) -> Callable[[float], None]:
    """Adds up the work of several threads for the user's callback."""
    done, lock = 0.0, threading.Lock()

    def told(runs: float) -> None:
        nonlocal done
        with lock:
            done += runs
            if callback is not None and callback(min(done, total), total):
                clock.reason = "interrupted"

    return told


def _last(values: np.ndarray) -> np.ndarray:
    """The last number of each row that is one, over the last axis."""
    known = ~np.isnan(values)
    place = values.shape[-1] - 1 - np.argmax(known[..., ::-1], axis=-1)
    return np.take_along_axis(values, place[..., None], axis=-1)[..., 0]


def _diverged(blew_up: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Left the finite numbers, or ended far above where it began."""
    return blew_up | ~np.isfinite(last) | (last > first + np.abs(first))


def _alone(
    f: Any,
    optimizers: dict[str, Any],
    varied: dict[str, tuple[float, ...]],
    seeds: list[int],
    steps: int | None,
    x0: Any,
    starts: Any,
    noise: float | None,
    clock: Clock,
    callback: Callable[[float, int], Any] | None,
) -> SweepResult:
    """The sweep of a function: settings and starts are all balls of one call."""
    for name in PENALTIES:
        if name in varied:
            raise FalllineError(
                f"A function alone has no penalty {name}; write it into the function."
            )
    stopping.positive("The number of steps", steps, whole=True)
    budget = int(steps or 1000)
    made = groups(optimizers, varied, 1)
    told = _teller(sum(len(group.settings) for group in made) * len(seeds), clock, callback)
    points = -(-budget // max(1, -(-budget // CURVE_POINTS)))
    parts: list[Part] = []
    for group in made:
        shape = (len(seeds), len(group.settings))
        part = Part(
            group,
            batch_size=None,
            steps=budget,
            steps_each=1,
            values={"value": np.full(shape, np.nan)},
            diverged=np.zeros(shape, bool),
            finished=np.zeros(shape, bool),
            curves=np.full((*shape, points), np.nan),
        )
        for s, seed in enumerate(seeds):
            if clock.reason:
                break
            job = pose_job(f, x0, starts=starts, noise=noise, seed=seed, tolerance=0.0)
            with job.in_precision():
                _descend(job, part, s, clock, told)
        parts.append(part)
    return tabulate(parts, seeds, "value", list(varied))


def _descend(job: Job, part: Part, s: int, clock: Clock, told: Callable[[float], None]) -> None:
    """Every setting of a part from one seed, with all its starts; as many at once as fit the memory."""
    job.check()
    count = len(part.group.settings)
    size = _fitting(job, part.group, part.curves.shape[-1])
    stacked = part.group.stacked()
    for begun in range(0, count, size):
        # Every call has the same number of balls, so that there is one program; the last is filled up.
        chosen = np.minimum(np.arange(begun, begun + size), count - 1)
        _descend_some(job, part, s, chosen, jax.tree.map(lambda leaf: leaf[chosen], stacked), clock)  # noqa: B023
        told(len(set(chosen.tolist())))
        if clock.reason:
            break


def _descend_some(
    job: Job, part: Part, s: int, chosen: np.ndarray, optimizers: Any, clock: Clock
) -> None:
    balls, points = len(job.places), part.curves.shape[-1]
    by_setting = (len(chosen), balls)
    every = max(1, -(-part.steps // points))
    repeated = job.repeated(len(chosen))
    optimizers = jax.tree.map(lambda leaf: np.repeat(leaf, balls), optimizers)
    ended = repeated.descend(optimizers, part.steps, every, False, clock)
    final = np.where(ended.codes == stopping.BLEW_UP, np.inf, repeated.values(ended.x))
    # A ball that stopped stays at its value: where it is at rest, or out of the finite numbers.
    curves = np.tile(final, (points, 1))
    known = ended.records[..., 0]
    curves[: len(known)] = np.where(np.isnan(known), final, known)
    begun = np.median(curves[0].reshape(by_setting), axis=1)
    value = np.median(final.reshape(by_setting), axis=1)
    over = (ended.codes != stopping.RUNNING) | (ended.taken >= part.steps)
    part.values["value"][s, chosen] = value
    # A thousandth is rounding, or noise.
    part.diverged[s, chosen] = ~(value <= begun + 1e-3 * np.abs(begun))
    part.finished[s, chosen] = over.reshape(by_setting).all(axis=1)
    part.curves[s, chosen] = np.median(curves.reshape(points, *by_setting), axis=2).T


def _fitting(job: Job, group: Group, points: int) -> int:
    """How many settings fit the memory at once."""
    balls, numbers = job.places.shape
    state = jax.eval_shape(group.optimizers[0].init, job.template)
    double = bool(jnp.result_type(float) == jnp.float64)
    size = len(group.settings)
    while True:
        try:
            require_memory(
                size * balls,
                numbers,
                points,
                state=sum(leaf.size for leaf in jax.tree.leaves(state)),
                path=False,
                double=double,
            )
        except FalllineError:
            if size == 1:
                raise
            size = -(-size // 2)
        else:
            return size
