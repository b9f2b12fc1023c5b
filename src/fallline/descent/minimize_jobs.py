"""What `fallline.minimize` drives: one start or many balls, compiled or called from Python."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from fallline.descent import minimize_loop as loop
from fallline.descent import stopping
from fallline.descent.descend import CALL_SECONDS
from fallline.descent.plain_function import PlainFunction, descend_one
from fallline.errors import FalllineError
from fallline.gradients import curvature, numerical

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, PyTree

    from fallline.descent.line_search import LineSearch

RECORDS = 200
"""Steps recorded of many balls, at most, unless the user says how many."""

MOST_CURVED = 12
"""Dimension up to which the Hessian of a plain function is taken by differences."""

THREAD_BALLS = 4096
"""Balls that are worth a processor core of their own."""


@dataclasses.dataclass
class Clock:
    """What may end a run from outside.

    Attributes:
        began: when, by ``time.perf_counter``.
        budget: seconds, or None.
        callback: called with steps done and the lowest value; true ends the run.
        interrupted: was Ctrl-C pressed?
        reason: "", or "interrupted" or "time" once the run is to end.
    """

    began: float
    budget: float | None = None
    callback: Callable[[int, float], Any] | None = None
    interrupted: Callable[[], bool] = lambda: False
    reason: str = ""

    def going(self, steps: int, value: float) -> bool:
        """Shall the run go on after so many steps?"""
        if self.interrupted() or (self.callback is not None and self.callback(steps, value)):
            self.reason = "interrupted"
        elif self.budget is not None and time.perf_counter() - self.began >= self.budget:
            self.reason = "time"
        return not self.reason


def in_precision(precision: str | None) -> Any:
    """A context in which JAX computes in single or double precision; None for as it is set."""
    if precision is None:
        return contextlib.nullcontext()
    return jax.enable_x64(precision == "float64")


@dataclasses.dataclass
class Ended:
    """Where a descent of n balls ended.

    Attributes:
        x: positions, (n, d).
        taken: steps, (n,).
        evaluations: of the function, (n,).
        codes: why each stopped, (n,); 0 for one that had not.
        records: (records, n, 6), NaN once a ball has stopped.
        recorded: the steps recorded, (records,).
        path: (records + 1, n, d), or None.
    """

    x: np.ndarray
    taken: np.ndarray
    evaluations: np.ndarray
    codes: np.ndarray
    records: np.ndarray
    recorded: np.ndarray
    path: np.ndarray | None


@dataclasses.dataclass
class Job:
    """What is to be descended, checked; see `fallline.minimize` for the fields."""

    f: Any
    args: tuple[Any, ...]
    gradient: Callable[..., Any] | None
    template: PyTree
    balls: PyTree | None
    search: LineSearch | None
    noise: float
    tolerance: float
    seed: int
    precision: str | None = None

    def in_precision(self) -> Any:
        """A context in which JAX computes in the job's precision."""
        return in_precision(self.precision)

    def repeated(self, count: int) -> Self:
        """The job with all its starts, so many times over; a single start becomes that many."""
        balls = self.restore(np.tile(self.places, (count, 1)))
        return dataclasses.replace(self, balls=balls)

    def require_memory(self, optimizer: Any, records: int, *, path: bool = False) -> None:
        """Refuse what would not fit; see the function of that name."""
        states = jax.tree.leaves(jax.eval_shape(optimizer.init, self.template))
        n, d = self.places.shape
        double = bool(jnp.result_type(float) == jnp.float64)
        state = sum(leaf.size for leaf in states)
        require_memory(n, d, records, state=state, path=path, double=double)

    @functools.cached_property
    def places(self) -> np.ndarray:
        """The starts, (n, d)."""
        trees = self.balls
        if trees is None:
            trees = jax.tree.map(lambda leaf: leaf[None], self.template)
        leaves = jax.tree.leaves(trees)
        return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)

    def restore(self, flat: np.ndarray) -> PyTree:
        """Positions (..., d) as a tree with leaves (..., *shape)."""
        leaves, structure = jax.tree.flatten(self.template)
        ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
        parts = np.split(flat, ends, axis=-1)
        made = [
            part.reshape((*flat.shape[:-1], *leaf.shape))
            for part, leaf in zip(parts, leaves, strict=True)
        ]
        return jax.tree.unflatten(structure, made)

    def stride(self, steps: int, records: int | None) -> int:
        """Steps to a record: one, or more so that many balls leave no more records than wanted."""
        wanted = records or (steps if self.balls is None else RECORDS)
        return max(1, -(-steps // wanted))

    def check(self) -> None:
        """The function at the starts must be a finite number."""
        values = self.values(self.places)
        if not np.isfinite(values).all():
            i = int(np.argmin(np.isfinite(values)))
            which = "x0" if self.balls is None else f"start {i}"
            raise FalllineError(
                f"The function is {values[i]} at {which}; descent needs a finite value to start from."
            )

    def values(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """The function at some places."""
        raise NotImplementedError

    def slopes(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Its gradients there."""
        raise NotImplementedError

    def spectra(self, places: Float[np.ndarray, "n d"]) -> tuple[Any, Any]:
        """Eigenvalues, (n, k), and vectors, (n, d, d), of the Hessians; None where they cannot be had."""
        raise NotImplementedError

    def descend(self, optimizer: Any, steps: int, every: int, path: bool, clock: Clock) -> Ended:
        """Descend from every start.

        Args:
            optimizer: its numbers may have a leading axis over the starts.
            steps: at most.
            every: steps to a record.
            path: keep positions.
            clock: may end the run early.
        """
        raise NotImplementedError


class CompiledJob(Job):
    """A function that JAX traces, in the compiled loop."""

    @functools.cached_property
    def function(self) -> tuple[loop.Function, list[Any]]:
        """The function and the arrays among its further arguments."""
        return loop.Function.of(self.f, self.args, self.gradient)

    def values(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Job.values`."""
        return np.asarray(_values(self.function[0], self.restore(places), self.function[1]))

    def slopes(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """See `Job.slopes`."""
        return np.asarray(_slopes(self.function[0], self.restore(places), self.function[1]))

    def spectra(self, places: Float[np.ndarray, "n d"]) -> tuple[Any, Any]:
        """See `Job.spectra`: exact where the Hessians are small, Lanczos' for a single large one."""
        function, arrays = self.function
        n, d = places.shape
        if self.gradient is not None or not np.isfinite(places).all():
            return None, None
        if d < curvature.EXACT_BELOW and n * d * d <= 2**24:
            hessians = np.asarray(_hessians(function, self.restore(places), arrays))
            if not np.isfinite(hessians).all():
                return None, None
            return np.linalg.eigh(hessians.astype(np.float64))
        if n > 1:
            return None, None
        try:
            found = curvature.eigenvalues(function, self.restore(places[0]), args=tuple(arrays))
        except FalllineError:
            return None, None
        return found.values[None].astype(np.float64), None

    def descend(self, optimizer: Any, steps: int, every: int, path: bool, clock: Clock) -> Ended:
        """See `Job.descend`: block by block, and call by call, so that Ctrl-C is heard."""
        n, d = self.places.shape
        own = any(np.ndim(leaf) for leaf in jax.tree.leaves(optimizer))
        many = self.balls is not None
        rows = -(-steps // every)
        cores = max(1, min(os.cpu_count() or 1, n // THREAD_BALLS))
        size = -(-n // max(-(-n // loop.BLOCK), cores))
        blocks = _Blocks(self, optimizer, size, own, many and d < loop.SPLIT_BELOW)
        shape = loop.Shape(
            capacity=min(rows, RECORDS if many else 1000),
            axes=blocks.axes,
            split=blocks.split,
            thin=every > 1,
            noisy=self.noise > 0,
            path=path,
        )
        kept: list[np.ndarray] = []
        ways: list[np.ndarray] = []
        done, pace = 0, 0.0
        with ThreadPoolExecutor(cores) as pool:
            while done < steps:
                whole, rest = divmod(steps - done, every)
                wish = max(1, int(CALL_SECONDS / (pace * every)) if pace else 64 // every)
                wanted, stride = (min(wish, whole, shape.capacity), every) if whole else (1, rest)
                called = time.perf_counter()
                rows, way, made = blocks.advance(pool, shape, wanted, stride)
                measured = (time.perf_counter() - called) / max(made * stride, 1)
                # The first call compiles; its pace says nothing.
                pace = measured if done else 1e-6
                done += made * stride
                kept.append(rows)
                if way is not None:
                    ways.append(way)
                if (blocks.gathered("stop") != stopping.RUNNING).all():
                    break
                lowest = rows[-1, :, 0] if len(rows) else np.array([math.inf])
                if not clock.going(done, float(np.nanmin(lowest, initial=math.inf))):
                    break
        x = blocks.positions()
        records = np.concatenate(kept)
        return Ended(
            x=x,
            taken=blocks.gathered("taken"),
            evaluations=blocks.gathered("evaluations"),
            codes=blocks.gathered("stop"),
            records=records,
            recorded=np.arange(len(records)) * every,
            path=np.concatenate([*ways, x[None]]) if path else None,
        )


class _Blocks:
    """Balls in blocks of one size, each block one call of the compiled loop, on as many threads as cores."""

    def __init__(self, job: CompiledJob, optimizer: Any, size: int, own: bool, split: bool) -> None:
        self.job, self.split = job, split
        self.count, self.dimension = job.places.shape
        self.many = job.balls is not None
        kind = jnp.result_type(float)
        self.double = bool(kind == jnp.float64)
        number = -(-self.count // size)
        rows = np.minimum(np.arange(number * size), self.count - 1).reshape(number, size)
        keys = jax.random.split(jax.random.PRNGKey(job.seed % 2**32), number * size)
        optimizer = jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), optimizer)
        self.balls: list[Any] = []
        self.axes: loop.Axes | None = None
        if not self.many:
            x = jax.tree.map(jnp.asarray, job.restore(job.places[0]))
            self.balls.append(_begin(x, optimizer, keys[0], axes=None, own=False, split=False))
        for chosen in rows if self.many else ():
            x = jax.tree.map(jnp.asarray, job.restore(job.places[chosen]))
            each = jax.tree.map(lambda leaf: leaf[chosen], optimizer) if own else optimizer  # noqa: B023
            part = keys[len(self.balls) * size :][:size]
            if self.axes is None:
                self.axes = loop.Axes.of(_single(x, each, part[0], own, split), own=own)
            self.balls.append(_begin(x, each, part, axes=self.axes, own=own, split=split))
        self.noise, self.tolerance = (jnp.asarray(v, kind) for v in (job.noise, job.tolerance))
        self.search = job.search and jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), job.search)

    def advance(
        self, pool: ThreadPoolExecutor, shape: loop.Shape, wanted: int, stride: int
    ) -> tuple[np.ndarray, np.ndarray | None, int]:
        """One call: the records, (made, n, 6), the positions likewise or None, and how many were made."""
        function, arrays = self.job.function

        def call(balls: Any) -> Any:
            # Precision is a setting of the thread.
            with jax.enable_x64(self.double):
                made = loop.advance(
                    function,
                    arrays,
                    self.job.template,
                    self.search,
                    self.noise,
                    self.tolerance,
                    balls,
                    np.int32(wanted),
                    np.int32(stride),
                    shape=shape,
                )
                return jax.block_until_ready(made)

        parts = list(pool.map(call, self.balls)) if len(self.balls) > 1 else [call(self.balls[0])]
        self.balls = [balls for balls, _ in parts]
        longest = max(int(seen["made"]) for _, seen in parts)
        rows, ways = [], []
        for balls, seen in parts:
            made = int(seen["made"])
            row = np.array(np.asarray(seen["steps"])[:longest])
            row[made:] = np.nan
            rows.append(row.reshape(longest, -1, row.shape[-1]))
            if shape.path:
                way = np.array(np.asarray(seen["path"])[:longest]).reshape(
                    longest, -1, self.dimension
                )
                way[made:] = self._places(balls)
                ways.append(way)
        path = np.concatenate(ways, axis=1)[:, : self.count] if shape.path else None
        return np.concatenate(rows, axis=1)[:, : self.count], path, longest

    def gathered(self, field: str) -> np.ndarray:
        """A number of each ball, (n,)."""
        parts = [np.atleast_1d(np.asarray(balls[field])) for balls in self.balls]
        return np.concatenate(parts)[: self.count]

    def _places(self, balls: Any) -> np.ndarray:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(balls["params"])]
        rows = len(leaves[0]) if self.many else 1
        return np.concatenate([leaf.reshape(rows, -1) for leaf in leaves], axis=1)

    def positions(self) -> np.ndarray:
        """Where the balls are, averaged where the optimizer averages, (n, d)."""
        parts = []
        for balls in self.balls:
            averaged = {**balls, "params": _averaged(balls, axes=self.axes)}
            parts.append(self._places(averaged))
        return np.concatenate(parts)[: self.count]


def _single(x: PyTree, optimizer: Any, key: Any, own: bool, split: bool) -> Any:
    """The shapes of what the loop carries for the first of some balls."""

    def one(x: PyTree, optimizer: Any, key: Any) -> Any:
        x = jax.tree.map(lambda leaf: leaf[0], x)
        optimizer = jax.tree.map(lambda leaf: leaf[0], optimizer) if own else optimizer
        return loop.start(loop.split(x) if split else x, optimizer, key)

    return jax.eval_shape(one, x, optimizer, key)


@functools.partial(jax.jit, static_argnames=("axes", "own", "split"))
def _begin(x: PyTree, optimizer: Any, keys: Any, *, axes: Any, own: bool, split: bool) -> Any:
    def one(x: PyTree, optimizer: Any, key: Any) -> Any:
        return loop.start(loop.split(x) if split else x, optimizer, key)

    if axes is None:
        balls = one(x, optimizer, keys)
    else:
        along = axes.tree(_single(x, optimizer, keys[0], own, split))
        balls = jax.vmap(one, (0, along["optimizer"], 0), along)(x, optimizer, keys)
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), balls)


@functools.partial(jax.jit, static_argnames=("axes",))
def _averaged(balls: Any, *, axes: Any) -> PyTree:
    def one(ball: Any) -> PyTree:
        return ball["optimizer"].averaged(ball["params"], ball["optimizer_state"])

    if axes is None:
        return one(balls)
    return jax.vmap(one, (axes.tree(balls),))(balls)


@functools.partial(jax.jit, static_argnames=("function",))
def _values(function: loop.Function, places: PyTree, arrays: list[Any]) -> Array:
    return jax.vmap(lambda x: function(x, *arrays))(places)


@functools.partial(jax.jit, static_argnames=("function",))
def _slopes(function: loop.Function, places: PyTree, arrays: list[Any]) -> Array:
    def one(x: PyTree) -> Array:
        return ravel_pytree(function.value_and_grad(x, *arrays)[1])[0]

    return jax.vmap(one)(places)


@functools.partial(jax.jit, static_argnames=("function",))
def _hessians(function: loop.Function, places: PyTree, arrays: list[Any]) -> Array:
    def one(x: PyTree) -> Array:
        flat, restore = ravel_pytree(x)
        return jax.hessian(lambda p: function(restore(p), *arrays))(flat)

    return jax.vmap(one)(places)


class PlainJob(Job):
    """A function that JAX cannot trace, called from Python."""

    @functools.cached_property
    def function(self) -> PlainFunction:
        """The function, counting its calls."""
        return PlainFunction(self.f, self.args, self.gradient)

    def values(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Job.values`."""
        return np.array([self.function(self.restore(place)) for place in places])

    def slopes(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """See `Job.slopes`."""
        found = [self.function.gradient(self.restore(place)) for place in places]
        return np.stack([np.concatenate([np.ravel(g) for g in jax.tree.leaves(t)]) for t in found])

    def spectra(self, places: Float[np.ndarray, "n d"]) -> tuple[Any, Any]:
        """See `Job.spectra`: by differences, for a single start in few dimensions."""
        n, d = places.shape
        if n > 1 or d > MOST_CURVED or not np.isfinite(places).all():
            return None, None
        hessian = numerical.hessian(lambda p: self.function(self.restore(p)), places[0]).value
        if not np.isfinite(hessian).all():
            return None, None
        values, vectors = np.linalg.eigh(hessian)
        return values[None], vectors[None]

    def descend(self, optimizer: Any, steps: int, every: int, path: bool, clock: Clock) -> Ended:
        """See `Job.descend`: one start after the other."""
        f, ends, rows, ways = self.function, [], [], []
        taken, codes, spent = [], [], []
        optimizer = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), optimizer)
        for i, place in enumerate(self.places):
            before = f.evaluations
            x, state, steps_taken, code, record, way = descend_one(
                f,
                self.restore(place),
                jax.tree.map(lambda leaf: leaf[i] if leaf.ndim else leaf, optimizer),  # noqa: B023
                self.search,
                noise=self.noise,
                tolerance=self.tolerance,
                steps=steps,
                seed=self.seed + i,
                want_path=path,
                going=lambda taken: clock.going(taken, math.nan),
            )
            x = optimizer.averaged(jax.tree.map(jnp.asarray, x), state)
            ends.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(x)]))
            rows.append(np.array(record[::every]).reshape(-1, 6))
            ways.append(np.array(way[::every]).reshape(-1, len(place)))
            taken.append(steps_taken)
            codes.append(code)
            spent.append(f.evaluations - before)
        longest = max(map(len, rows))
        records = np.full((longest, len(rows), 6), np.nan)
        positions = np.repeat(np.stack(ends)[None], longest + 1, axis=0)
        for i, (row, way) in enumerate(zip(rows, ways, strict=True)):
            records[: len(row), i] = row
            positions[: len(way), i] = way
        return Ended(
            x=np.stack(ends),
            taken=np.array(taken),
            evaluations=np.array(spent),
            codes=np.array(codes),
            records=records,
            recorded=np.arange(longest) * every,
            path=positions if path else None,
        )

    def note(self) -> str:
        """What the user should know of the cost."""
        count = f"{self.function.evaluations:,} evaluations so far"
        how = "with the gradient given"
        if self.gradient is None:
            each = 2 * self.places.shape[1]
            how = f"its gradient by central differences, {each} evaluations each"
        return (
            f"JAX did not trace this function, so it runs in Python, {how}; {count}. Written with jax.numpy "
            "it would run compiled."
        )


def require_memory(
    balls: int, numbers: int, records: int, *, state: int, path: bool, double: bool
) -> None:
    """Refuse what would not fit, before anything is made.

    Args:
        balls: how many.
        numbers: parameters of each.
        records: kept of each.
        state: numbers of the optimizer's state of each.
        path: are positions kept?
        double: eight bytes a number, else four.

    Raises:
        FalllineError: if there is not that much memory.
    """
    each = 6 * numbers + 2 * state + 20 + 12 * records + 2 * records * numbers * path
    needed, free = balls * each * (8 if double else 4), free_memory()
    if needed > free:
        what = f"{balls:,} starts" if balls > 1 else "One start"
        raise FalllineError(
            f"{what} of {numbers:,} numbers with {records:,} records need about {_bytes(needed)} of memory; "
            f"{_bytes(free)} are free. Take fewer starts, or fewer records=."
        )


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:,.3g} {unit}"
        count /= 1000
    raise AssertionError


def free_memory() -> float:
    """Bytes that may still be used, on the device that JAX computes on; infinite if nobody can tell."""
    stats = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return float(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf
