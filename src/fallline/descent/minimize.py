"""Minimising any function of any tree of parameters, from one start or from thousands."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
import time
import warnings
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from fallline.descent import minimize_inputs as inputs
from fallline.descent import stopping
from fallline.descent.descend import interruptible
from fallline.descent.line_search import by_name as line_search_by_name
from fallline.descent.minimize_jobs import Clock, CompiledJob, called, in_precision, require_memory
from fallline.descent.minimize_plain import PlainJob
from fallline.descent.minimize_result import measure
from fallline.descent.problem import with_rate
from fallline.errors import FalllineError
from fallline.terrains import Terrain

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.line_search import LineSearch
    from fallline.descent.minimize_jobs import Ended, Job
    from fallline.descent.minimize_result import MinimizeResult
    from fallline.optimizers import Optimizer

STEPS = 2000
TRIED_RATES = tuple(10.0 ** (k / 2) for k in range(-12, 3))
TRIAL_STEPS = 50

_ABOUT_THE_CALL = ("callback",)
"""Arguments of `minimize` that do not change what comes out."""


def minimize(
    f: Callable[..., Any] | Terrain,
    x0: PyTree | None = None,
    optimizer: Optimizer | str | None = None,
    *,
    learning_rate: Any = None,
    steps: int = STEPS,
    tolerance: float | None = None,
    starts: PyTree | int | None = None,
    gradient: str | Callable[..., Any] = "auto",
    line_search: LineSearch | str | None = None,
    noise: float | None = None,
    args: tuple[Any, ...] = (),
    seed: int = 0,
    path: bool = False,
    records: int | None = None,
    precision: str | None = None,
    callback: Callable[[int, float], Any] | None = None,
    time_budget: float | None = None,
) -> MinimizeResult:
    r"""Minimise a function by gradient descent.

    Args:
        f: a function of x (and of ``args``) that gives one number: a JAX function of any tree, a terrain,
            or, with its gradient by differences, any Python or NumPy function.
        x0: where to start, a number, an array or any tree of them. A terrain knows where.
        optimizer: one of `fallline.optimizers`, or its name; Adam if not given.
        learning_rate: a number, a schedule, or "auto": fifteen rates from 1e-6 to 10 get a short try
            each, the best four a whole run, and the one that ends lowest is the result. So it is where
            neither an optimizer with a rate, nor a rate, nor a line search is given. With starts, an array
            gives each its own.
        steps: at most.
        tolerance: a ball is at rest where its gradient is no longer than this, and its update no longer than
            this times √(1 + |x|²). 1e-5 in single, 1e-8 in double precision; with 0, only where both are 0.
        starts: many starts instead of x0: a tree like x0 whose leaves have a leading axis; for a terrain, a
            whole number of balls spread over its bounds.
        gradient: "auto" (JAX's own; by differences if JAX cannot trace and differentiate f), "numerical",
            or a function of x and ``args`` that gives a tree like x.
        line_search: "armijo" or "polyak", or one of `fallline.descent.line_search`; around plain descent of
            rate 1 unless an optimizer is given.
        noise: standard deviation of a Gaussian added to each number of each gradient; a terrain's own
            unless given.
        args: further arguments of f; arrays among them may change without compiling again.
        seed: of the noise, and of a terrain's starts.
        path: keep the positions.
        records: of many balls, how many steps to keep at most; 100.
        precision: "float32" or "float64"; as JAX is set unless given. Plain functions run in double.
        callback: called now and then with steps done and the lowest value; ends the run by returning true.
            While rates are tried, only in the whole runs, each from its first step.
        time_budget: seconds after which the run ends.

    Returns:
        A `MinimizeResult`. Ctrl-C ends a run in good order: the result is what was reached.

    Raises:
        FalllineError: if f, a start or an option is not what it must be.

    Examples:
        >>> result = minimize(lambda x: (x - 3.0) ** 2, 0.0, "sgd", learning_rate=0.1)
        >>> round(float(result.x), 4), result.kind
        (3.0, 'minimum')
    """
    asked = {name: value for name, value in locals().items() if name not in _ABOUT_THE_CALL}
    began = time.perf_counter()
    search = line_search_by_name(line_search)
    for name, value in (("The number of steps", steps), ("The number of records", records)):
        stopping.positive(name, value, whole=True)
    steps = int(steps)
    stopping.positive("The time budget", time_budget)
    job = pose_job(
        f,
        x0,
        starts=starts,
        gradient=gradient,
        search=search,
        noise=noise,
        args=args,
        seed=seed,
        tolerance=tolerance,
        precision=precision,
    )
    with job.in_precision():
        many = None if job.balls is None else len(job.places)
        chosen, auto = inputs.optimizer(optimizer, learning_rate, search, many)
        every = job.stride(steps, records)
        job.require_memory(chosen, -(-steps // every), path=path)
        job.check()
        if isinstance(job, PlainJob) and gradient == "auto":
            warnings.warn(job.note(), stacklevel=2)
        clock = Clock(began, time_budget, callback)
        with interruptible() as interrupted:
            clock.interrupted = interrupted
            if auto:
                ended, chosen, tried, spent = _descend_at_best_rate(
                    job, chosen, steps, every, path, clock
                )
            else:
                ended, tried, spent = job.descend(chosen, steps, every, path, clock), {}, 0
        made = measure(job, ended, clock.reason)
    made.nfev = made.nfev + spent
    made.optimizer, made.tried, made.asked = chosen, tried, asked
    if isinstance(job, PlainJob):
        made.notes = [f"{job.note()} {job.function.evaluations:,} evaluations in all."]
    made.seconds = time.perf_counter() - began
    return made


def pose_job(
    f: Callable[..., Any] | Terrain,
    x0: PyTree | None,
    *,
    starts: PyTree | int | None = None,
    gradient: str | Callable[..., Any] = "auto",
    search: LineSearch | None = None,
    noise: float | None = None,
    args: Any = (),
    seed: int = 0,
    tolerance: float | None = None,
    precision: str | None = None,
) -> Job:
    """Check what a user asked to be minimised and bring it into the loop's form; see `minimize`."""
    for name, value in (("The tolerance", tolerance), ("The noise", noise)):
        stopping.positive(name, value, zero=True)
    if precision not in (None, "float32", "float64"):
        raise FalllineError(
            f"precision must be 'float32' or 'float64'; it was given {precision!r}."
        )
    if not callable(gradient) and gradient not in ("auto", "numerical"):
        raise FalllineError(
            f"gradient must be 'auto', 'numerical' or a function; it was given {gradient!r}."
        )
    try:
        seed = operator.index(seed)
    except TypeError:
        raise FalllineError(f"The seed must be a whole number; it was given {seed!r}.") from None
    args = args if isinstance(args, tuple) else (args,)
    if not isinstance(starts, bool) and np.ndim(starts) == 0:  # pyright: ignore[reportArgumentType]
        with contextlib.suppress(TypeError):
            starts = operator.index(starts)  # pyright: ignore[reportArgumentType]
    if isinstance(f, Terrain):
        noise = f.noise if noise is None else noise
        if isinstance(starts, int):
            stopping.positive("The number of starts", starts, whole=True)
            require_memory(starts, 2, 1, state=0, path=False, double=False)
            starts = f.scatter(starts, seed)
        x0 = np.asarray(f.starts[0]) if x0 is None and starts is None else x0
    if not callable(f):
        raise FalllineError(f"minimize needs a function; it was given {f!r}.")
    own: Any = None if isinstance(gradient, str) else gradient
    with in_precision(precision):
        template, balls = inputs.places(x0, starts)
        traced = inputs.traced(f, template, args, own)
    kind: Any = CompiledJob
    if not traced.gradient or gradient == "numerical":
        precision = "float64"
        kind = functools.partial(PlainJob, asked=gradient == "numerical")
        f = called(f) if traced.value else f
    with in_precision(precision):
        template, balls = (
            inputs.places(x0, starts) if kind is not CompiledJob else (template, balls)
        )
        double = bool(jnp.result_type(float) == jnp.float64)
    return kind(
        f=f,
        args=args,
        gradient=own,
        template=template,
        balls=balls,
        search=search,
        noise=float(noise or 0.0),
        tolerance=(1e-8 if double else 1e-5) if tolerance is None else float(tolerance),
        seed=seed,
        precision=precision,
    )


def _descend_at_best_rate(
    job: Job, optimizer: Any, steps: int, every: int, path: bool, clock: Clock
) -> tuple[Ended, Any, dict[float, float], int]:
    """Descend with the rate that brings the (median) ball lowest; among equals the one soonest at rest.

    Every rate gets a short try, the best four a whole run each: a short try flatters high rates, which
    may throw a ball out again later.
    """
    tried: dict[float, float] = {}
    runs: dict[float, Ended] = {}

    def attempt(rate: float, trial: int, clock: Clock) -> None:
        runs[rate] = ended = job.descend(with_rate(optimizer, rate), trial, every, path, clock)
        values = job.values(ended.x)
        # The last tenth counts, not the end alone: passing through a low place is not reaching it.
        late = ended.records[-max(1, len(ended.records) // 10) :, :, 0]
        late = np.where(np.isnan(late), values, late).mean(axis=0, dtype=np.float64)
        fine = np.isfinite(values) & (ended.codes != stopping.BLEW_UP)
        tried[rate] = float(np.median(np.where(fine, late, np.inf)))

    short = min(steps, max(steps // len(TRIED_RATES), TRIAL_STEPS))
    brief = dataclasses.replace(clock, callback=None)
    for rate in TRIED_RATES:
        attempt(rate, short, brief)
        if brief.reason:
            break
    clock.reason = brief.reason
    finalists = sorted((r for r in tried if tried[r] < np.inf), key=lambda r: (tried[r], r))[:4]
    if not finalists:
        raise FalllineError(
            "Every learning rate tried, from 1e-6 up, led out of the finite numbers; is the function "
            "bounded below?"
        )
    spent = sum(int(run.evaluations.sum()) for run in runs.values())
    for rate in finalists if short < steps else ():
        if clock.reason:
            break
        attempt(rate, steps, clock)
        spent += int(runs[rate].evaluations.sum())
    lowest = min(tried[r] for r in finalists)
    first = float(np.median(job.values(job.places)))
    equal = [r for r in finalists if tried[r] <= lowest + 1e-6 * max(first - lowest, 0.0)]
    best = min(equal, key=lambda r: (np.median(runs[r].taken), r))
    spent -= int(runs[best].evaluations.sum())
    return runs[best], with_rate(optimizer, best), tried, spent // len(job.places)
