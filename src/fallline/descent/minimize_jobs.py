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

from fallline import memory, tuning
from fallline.descent import minimize_loop as loop
from fallline.descent import stopping
from fallline.descent.descend import CALL_SECONDS
from fallline.descent.loop import STEP_FIELDS
from fallline.descent.minimize_blocks import Blocks
from fallline.errors import FalllineError
from fallline.gradients import curvature

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, PyTree

    from fallline.descent.line_search import LineSearch

RECORDS = 100
"""Steps recorded of many balls, at most, unless the user says how many."""

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
    interrupted: Callable[[], object] = lambda: False
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
        """The function at the starts must be a finite number; at a single one its gradient, too."""
        values = self.values(self.places)
        if not np.isfinite(values).all():
            i = int(np.argmin(np.isfinite(values)))
            which = "x0" if self.balls is None else f"start {i}"
            raise FalllineError(
                f"The function is {values[i]} at {which}; descent needs a finite value to start from."
            )
        if self.balls is None and not np.isfinite(self.slopes(self.places)).all():
            raise FalllineError(
                "The function has a value at x0, but no finite gradient there; descent needs one to "
                "start from."
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
            try:
                with curvature.twice_differentiable():
                    hessians = np.asarray(_hessians(function, self.restore(places), arrays))
            except FalllineError:
                return None, None
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
        cores, size = max(1, min(os.cpu_count() or 1, n // THREAD_BALLS)), n
        if jax.default_backend() == "cpu":
            size = -(-n // max(-(-n // tuning.BALLS), cores))
        blocks = Blocks(self, optimizer, size, own, many and d < loop.SPLIT_BELOW)
        shape = loop.Shape(
            capacity=min(rows, RECORDS if many else 1000),
            axes=blocks.axes,
            split=blocks.split,
            thin=every > 1,
            noisy=self.noise > 0,
            path=path,
        )
        # Memory that no record is written to is never taken.
        records = np.empty((len(STEP_FIELDS), rows, n), blocks.kind)
        way = np.empty((rows + 1, n, d), blocks.kind) if path else None
        done, recorded, pace = 0, 0, 0.0
        with ThreadPoolExecutor(cores) as pool:
            while done < steps:
                whole, rest = divmod(steps - done, every)
                wish = max(1, int(CALL_SECONDS / (pace * every)) if pace else 64 // every)
                wanted, stride = (min(wish, whole, shape.capacity), every) if whole else (1, rest)
                called = time.perf_counter()
                part = slice(recorded, recorded + wanted)
                made = blocks.advance(
                    pool, shape, stride, records[:, part], None if way is None else way[part]
                )
                recorded += made
                measured = (time.perf_counter() - called) / max(made * stride, 1)
                # The first call compiles; its pace says nothing.
                pace = measured if done else 1e-6
                done += made * stride
                if (blocks.gathered("stop") != stopping.RUNNING).all():
                    break
                lowest = float(np.fmin.reduce(records[0, recorded - 1]))
                if not clock.going(done, lowest):
                    break
        x = blocks.positions()
        if way is not None:
            way[recorded] = x
        return Ended(
            x=x,
            taken=blocks.gathered("taken"),
            evaluations=_evaluations(blocks),
            codes=blocks.gathered("stop"),
            records=np.moveaxis(_filled(records, recorded, 1), 0, 2),
            recorded=np.arange(recorded) * every,
            path=None if way is None else _filled(way, recorded + 1, 0),
        )


def _filled(rows: np.ndarray, count: int, axis: int) -> np.ndarray:
    """The first rows along an axis, without the memory of many empty ones behind them."""
    first = rows[:count] if axis == 0 else rows[:, :count]
    return first if 2 * count > rows.shape[axis] else first.copy()


def _evaluations(blocks: Blocks) -> np.ndarray:
    """Of the function: one a step, one where a ball stopped, one more where it blew up and went back."""
    codes = blocks.gathered("stop")
    last = (codes != stopping.RUNNING).astype(int) + (codes == stopping.BLEW_UP)
    return blocks.gathered("taken") + last + blocks.gathered("tries")


@functools.partial(jax.jit, static_argnames=("function",))
def _value(function: loop.Function, x: PyTree, arrays: list[Any]) -> Array:
    return function(x, *arrays)


@functools.partial(jax.jit, static_argnames=("function",))
def _value_and_grad(function: loop.Function, x: PyTree, arrays: list[Any]) -> tuple[Array, PyTree]:
    return function.value_and_grad(x, *arrays)


def shape_of(function: loop.Function, x: PyTree, arrays: list[Any]) -> Any:
    """What the function gives, without calling it; traced once for each function and shape."""
    return _value.eval_shape(function, x, arrays)


def slope_of(function: loop.Function, x: PyTree, arrays: list[Any]) -> Any:
    """The same with its gradient."""
    return _value_and_grad.eval_shape(function, x, arrays)


def called(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that JAX traces, compiled, to be called from Python with NumPy's arrays."""

    def call(x: PyTree, *args: Any) -> np.ndarray:
        function, arrays = loop.Function.of(f, args)
        return np.asarray(_value(function, x, arrays))

    return call


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
        numbered = f"{numbers:,} number" + ("s" if numbers > 1 else "")
        kept = f" and {records:,} records" if records > 1 else ""
        ways = ["fewer starts"] * (balls > 1) + ["fewer records="] * (records > 1)
        raise FalllineError(
            f"{what} of {numbered}{kept} would need about {_bytes(needed)} of memory; {_bytes(free)} are "
            f"free. Take {' or '.join(ways) or 'fewer numbers'}."
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
        return float(memory.free_memory())
    except (AttributeError, ValueError, OSError):
        return math.inf
