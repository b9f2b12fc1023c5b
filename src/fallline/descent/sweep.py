"""Many hyper-parameter settings at equal budget, in compiled calls, and which of them is best."""

from __future__ import annotations

import dataclasses
import operator
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.descent import loop, stopping
from fallline.descent.descend import interruptible
from fallline.descent.minimize import pose_job
from fallline.descent.minimize_jobs import Clock
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

CURVE_POINTS = 200
"""Points of each run's curve, at most."""


def sweep(
    model: Model | Terrain | Callable[..., Any],
    loss: Any = None,
    data: Any = None,
    *,
    optimizers: Any = None,
    seeds: int | list[int] | tuple[int, ...] = 3,
    batch_sizes: Any = ("auto",),
    epochs: int | None = None,
    steps: int | None = None,
    validation: Any = 0.0,
    params: PyTree | None = None,
    x0: PyTree | None = None,
    starts: PyTree | int | None = None,
    noise: float | None = None,
    score: Callable[..., Any] | None = None,
    callback: Callable[[int, int], Any] | None = None,
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
        callback: called with runs done and runs in all; ends the sweep by returning true.
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
    alone = data is None and not isinstance(model, Model) and params is None
    if alone:
        for name, given in (("loss", loss), ("epochs", epochs), ("validation", validation or None)):
            if given is not None:
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
    callback: Callable[[int, int], Any] | None,
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
        for group in groups(optimizers, varied, problem.plan.steps):
            own = dataclasses.replace(problem, optimizer=group.optimizers[0])
            own.__dict__["rows"] = problem.rows
            jobs.append((own, group))
    total = sum(len(group.settings) for _, group in jobs) * len(seeds)
    done = 0

    def told(runs: int) -> None:
        nonlocal done
        done += runs
        if callback is not None and callback(done, total):
            clock.reason = "interrupted"

    parts: list[Part] = []
    for problem, group in jobs:
        if clock.reason:
            break
        trained = train_group(problem, group, seeds, clock, told)
        points = min(CURVE_POINTS, problem.steps)
        epochs = {n: trained.epochs[..., i] for i, n in enumerate(loop.EPOCH_FIELDS)}
        last = {n: _last(v) for n, v in epochs.items()}
        first = trained.losses[..., 0]
        parts.append(
            Part(
                group,
                problem.plan.size,
                problem.steps,
                problem.plan.steps,
                last,
                _diverged(trained.blew_up, first, last["training_loss"]),
                trained.finished,
                _binned(trained.losses, points),
                epochs["validation_loss"],
                trained.params,
            )
        )
    validated = any(problem.validation is not None for problem, _ in jobs)
    measure = "validation_loss" if validated else "training_loss"
    return tabulate(parts, seeds, measure, list(varied))


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
    callback: Callable[[int, int], Any] | None,
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
    total, done = sum(len(group.settings) for group in made) * len(seeds), 0
    parts: list[Part] = []
    for group in made:
        count = len(group.settings)
        rows: list[dict[str, np.ndarray]] = []
        for seed in seeds:
            if clock.reason:
                break
            job = pose_job(f, x0, starts=starts, noise=noise, seed=seed, tolerance=0.0)
            balls, every = len(job.places), max(1, -(-budget // CURVE_POINTS))
            repeated = job.repeated(count)
            repeated.require_memory(group.optimizers[0], -(-budget // every))
            stacked = jax.tree.map(lambda leaf: np.repeat(leaf, balls), group.stacked())  # noqa: B023
            ended = repeated.descend(stacked, budget, every, False, clock)
            final = repeated.values(ended.x).reshape(count, balls)
            first = ended.records[0, :, 0].reshape(count, balls)
            blew_up = (ended.codes == stopping.BLEW_UP).reshape(count, balls)
            final = np.where(blew_up, np.inf, final)
            curves = ended.records[..., 0].reshape(-1, count, balls)
            rows.append(
                {
                    "final": np.median(final, axis=1),
                    "first": np.median(first, axis=1),
                    "blew_up": blew_up.mean(axis=1) > 0.5,
                    "curves": np.median(np.where(np.isnan(curves), np.inf, curves), axis=2).T,
                }
            )
            done += count
            if callback is not None and callback(done, total):
                clock.reason = "interrupted"
        if len(rows) < len(seeds):
            break
        gathered = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        diverged = gathered["blew_up"] | ~(
            gathered["final"] <= gathered["first"] + 1e-3 * np.abs(gathered["first"])
        )
        parts.append(
            Part(
                group,
                None,
                budget,
                1,
                {"value": gathered["final"]},
                diverged,
                np.ones(diverged.shape, bool),
                gathered["curves"],
            )
        )
    return tabulate(parts, seeds, "value", list(varied))
