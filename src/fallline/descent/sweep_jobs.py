"""What `fallline.sweep` drives: many runs side by side through the compiled loop."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fallline import tuning
from fallline.descent import loop, stopping
from fallline.descent.minimize_jobs import Clock, free_memory
from fallline.descent.problem import begin
from fallline.errors import FalllineError
from fallline.models import Linear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Array, PyTree

    from fallline.descent.problem import Problem
    from fallline.descent.settings import Group

CALL_SECONDS = 0.3
"""How much work one call is given before Python looks in."""

MEMORY_SHARE = 0.25
"""Of the free memory, for the runs that are trained at once."""


@dataclasses.dataclass
class Trained:
    """What came of the runs of a group, in the order seeds x settings.

    Attributes:
        losses: of every step, (seeds, settings, steps).
        epochs: `fallline.descent.loop.EPOCH_FIELDS` at the end of each, (seeds, settings, epochs, 3).
        blew_up: (seeds, settings).
        finished: did the run reach the end of its budget? (seeds, settings)
        ends: where each run ended: its parameters, and the model's state; trees with leading axes
            (seeds, settings), or None.
    """

    losses: np.ndarray
    epochs: np.ndarray
    blew_up: np.ndarray
    finished: np.ndarray
    ends: tuple[PyTree, PyTree] | None


@functools.partial(jax.jit, static_argnames=("shape", "together"), donate_argnames=("carry",))
def advance_many(
    objective: Any,
    rules: Any,
    data: Any,
    validation: Any,
    carry: Any,
    order: Array | None,
    first: Array,
    end: Array,
    epochs: Array,
    closes: Array,
    *,
    shape: loop.Shape,
    together: int,
) -> tuple[Any, Array, Array]:
    """`loop.go_on` for many runs that see the same rows in the same order, ``together`` at once.

    What differs between runs has a leading axis: the objective's penalties, the carry. On a processor
    networks run one after the other, because their matrix products fill it; everything else side by side.
    """

    def one(run: tuple[Any, Any]) -> tuple[Any, Array, Array]:
        objective, carry = run
        carry, steps, closings, _ = loop.go_on(
            objective,
            rules,
            data,
            validation,
            carry,
            order,
            first,
            end,
            epochs,
            closes,
            shape=shape,
        )
        return carry, steps[:, 0], closings

    if together > 1:
        return lax.map(one, (objective, carry), batch_size=together)
    return lax.map(one, (objective, carry))


@functools.partial(jax.jit, static_argnames=("model",))
def _begin(model: Any, params: PyTree, optimizers: Any, seed: Any) -> Any:
    def one(optimizer: Any) -> Any:
        return begin(model, params, optimizer, seed=seed, keep_best=False)

    return jax.vmap(one)(optimizers)


@jax.jit
def _ends(carry: Any) -> PyTree:
    def one(c: Any) -> PyTree:
        return c["optimizer"].averaged(c["params"], c["optimizer_state"]), c["state"]

    return jax.vmap(one)(carry)


def train_group(
    problem: Problem,
    group: Group,
    seeds: Sequence[int],
    clock: Clock,
    told: Callable[[float], None],
) -> Trained:
    """Train every setting of a group from every seed.

    Args:
        problem: posed with an optimizer of the group's structure.
        group: the settings.
        seeds: each decides initial parameters, row orders and dropout, as in `fallline.train`.
        clock: may end the sweep early; runs not finished say so.
        told: called, from several threads, with how many runs' worth of work was done.
    """
    # Equal budgets: no rule may end one run before another.
    problem = problem.without_rules()
    shape = dataclasses.replace(problem.shape, endless=True)
    count = len(group.settings)
    devices = jax.local_devices()
    on_cpu = devices[0].platform == "cpu"
    workers = max(len(devices), (os.cpu_count() or 1) if on_cpu else 1)
    fits = _fitting(problem, group, len(seeds), workers if on_cpu else 1)
    parts = max(-(-count // fits), min(workers // math.gcd(len(seeds), workers), count))
    size = -(-count // parts)
    # Every call has the same number of runs, so that there is one program; the last part is filled up.
    rows = np.minimum(np.arange(-(-count // size) * size), count - 1).reshape(-1, size)
    stacked = group.stacked()
    chunks = [(s, part) for s in range(len(seeds)) for part in range(len(rows))]
    together = _together(problem, size, on_cpu)
    epochs = max(1, math.ceil(problem.epochs - 1e-9))
    made = Trained(
        losses=np.full((len(seeds), count, problem.steps), np.nan, np.float32),
        epochs=np.full((len(seeds), count, epochs, len(loop.EPOCH_FIELDS)), np.nan, np.float32),
        blew_up=np.zeros((len(seeds), count), bool),
        finished=np.zeros((len(seeds), count), bool),
        ends=None,
    )
    ends: dict[tuple[int, int], Any] = {}
    kind = jnp.result_type(float)
    # The others wait for the first call of the first, so that the program is compiled once.
    compiled = threading.Event()

    def run(job: tuple[int, tuple[int, int]]) -> None:
        number, (s, part) = job
        chosen = rows[part]
        if number:
            compiled.wait()
        double, device = bool(kind == jnp.float64), devices[number % len(devices)]
        try:
            with jax.enable_x64(double), jax.default_device(device):
                _train_chunk(
                    problem.reseeded(seeds[s]),
                    shape,
                    together,
                    group,
                    stacked,
                    chosen,
                    made,
                    s,
                    clock,
                    ends,
                    told,
                    compiled.set,
                )
        finally:
            # Also if it failed, or the others would wait for ever.
            compiled.set()

    numbered = list(enumerate(chunks))
    with ThreadPoolExecutor(workers) as pool:
        others = [pool.submit(run, job) for job in numbered[1:]]
        try:
            # Here, where the caller's own settings of JAX hold.
            run(numbered[0])
            for other in others:
                other.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    made.ends = _gathered(ends, rows, len(seeds), count)
    return made


def _train_chunk(
    problem: Problem,
    shape: loop.Shape,
    together: int,
    group: Group,
    stacked: Any,
    chosen: np.ndarray,
    made: Trained,
    s: int,
    clock: Clock,
    ends: dict[tuple[int, int], Any],
    told: Callable[[float], None],
    called_once: Callable[[], None],
) -> None:
    """Train some settings from one seed to the end of the budget."""
    kind = jnp.result_type(float)
    optimizers = jax.tree.map(lambda leaf: jnp.asarray(leaf[chosen], kind), stacked)
    carry = _begin(problem.model, problem.params, optimizers, np.uint32(problem.seed % 2**32))
    varied = {
        name: jnp.asarray([group.settings[i][name] for i in chosen], kind)
        for name in ("l1", "l2")
        if name in group.settings[0]
    }
    objective = jax.tree.map(lambda v: jnp.broadcast_to(v, (len(chosen),)), problem.objective)
    objective = dataclasses.replace(objective, **varied)
    step, pace, order, ordered = 0, 0.0, None, (-1, 0)
    while step < problem.steps:
        wish = max(1, int(CALL_SECONDS / pace)) if pace else 8
        epoch, first, end, epochs, closes = problem.portion(step, wish)
        if ordered[0] != epoch or ordered[1] < epochs:
            order, ordered = problem.order(epoch, epochs), (epoch, epochs)
        called = time.perf_counter()
        carry, losses, closings = advance_many(
            objective,
            problem.rules,
            problem.rows,
            problem.validation,
            carry,
            order,
            np.int32(first),
            np.int32(end),
            np.int32(epochs),
            np.bool_(closes),
            shape=shape,
            together=together,
        )
        called_once()
        taken = end - first if epochs == 1 else epochs * problem.plan.steps
        made.losses[s, chosen, step : step + taken] = np.asarray(losses)[:, :taken]
        if closes:
            made.epochs[s, chosen, epoch : epoch + epochs] = np.asarray(closings)[:, :epochs]
        measured = (time.perf_counter() - called) / taken
        # The first call compiles; its pace says nothing.
        pace = measured if pace else min(measured, CALL_SECONDS / 8)
        step += taken
        told(len(set(chosen.tolist())) * taken / problem.steps)
        if step < problem.steps and not clock.going(step, math.nan):
            return
    made.blew_up[s, chosen] = np.asarray(carry["stop"]) == stopping.BLEW_UP
    made.finished[s, chosen] = True
    ends[s, int(chosen[0])] = jax.tree.map(np.asarray, _ends(carry))


def _gathered(
    ends: dict[tuple[int, int], Any], rows: np.ndarray, seeds: int, count: int
) -> PyTree | None:
    """Where the runs ended, (seeds, settings, ...), zeros for the unfinished; None if all are."""
    if not ends:
        return None
    nothing = jax.tree.map(np.zeros_like, next(iter(ends.values())))
    by_seed = []
    for s in range(seeds):
        parts = [ends.get((s, int(chosen[0])), nothing) for chosen in rows]
        by_seed.append(jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *parts))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *by_seed)


def _fitting(problem: Problem, group: Group, seeds: int, calls: int) -> int:
    """How many runs one call may have, so that so many calls at once fit the memory."""
    carry = jax.eval_shape(lambda o: problem.begin(o), group.optimizers[0])
    each, weights = (
        sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
        for tree in (carry, carry["params"])
    )
    # Twice for old and new, and the records of one call.
    each = 2 * each + 8 * len(loop.STEP_FIELDS) * problem.shape.capacity * problem.plan.steps
    # What is kept of every run: its losses, and where it ended, twice while that is put together.
    kept = 4 * (problem.steps + 3 * math.ceil(problem.epochs)) + 2 * weights
    runs, free = len(group.settings) * seeds, free_memory()
    if each + kept * runs > free:
        raise FalllineError(
            f"What this sweep keeps of {runs:,} runs of {problem.steps:,} steps needs about "
            f"{(each + kept * runs) / 1e9:,.3g} GB of memory; {free / 1e9:,.3g} GB are free. Take fewer "
            "settings, seeds or steps."
        )
    return max(1, int(min(MEMORY_SHARE * free / (each * calls), 2**20)))


def _together(problem: Problem, size: int, on_cpu: bool) -> int:
    """How many runs one program computes side by side."""
    if not on_cpu:
        return size
    if isinstance(problem.model, Linear):
        weights = problem.model.inputs * problem.model.outputs
        return max(1, min(size, tuning.SIDE_BY_SIDE // weights))
    return 1
