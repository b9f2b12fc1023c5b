"""Balls of `fallline.minimize` in blocks, each a call of the compiled loop, on as many threads as cores."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent import minimize_loop as loop

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from jaxtyping import PyTree

    from fallline.descent.minimize_jobs import CompiledJob


class Blocks:
    """Balls in blocks of one size, each block one call of the compiled loop, on as many threads as cores."""

    def __init__(self, job: CompiledJob, optimizer: Any, size: int, own: bool, split: bool) -> None:
        self.job, self.size, self.split = job, size, split
        self.count, self.dimension = job.places.shape
        self.many = job.balls is not None
        self.kind = kind = jnp.result_type(float)
        self.double = bool(kind == jnp.float64)
        number = -(-self.count // size)
        rows = np.minimum(np.arange(number * size), self.count - 1).reshape(number, size)
        # NumPy's, as slices of JAX's array would each be compiled.
        keys = np.asarray(jax.random.split(jax.random.PRNGKey(job.seed % 2**32), number * size))
        optimizer = jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), optimizer)
        self.balls: list[Any] = []
        self.axes: loop.Axes | None = None
        if not self.many:
            x = jax.tree.map(jnp.asarray, job.restore(job.places[0]))
            self.balls.append(_begin(x, optimizer, keys[0], axes=None, own=False, split=False))
        if own:
            optimizer = jax.tree.map(np.asarray, optimizer)
        for chosen in rows if self.many else ():
            x = job.restore(job.places[chosen])
            each = jax.tree.map(lambda leaf: leaf[chosen], optimizer) if own else optimizer  # noqa: B023
            part = keys[len(self.balls) * size :][:size]
            if self.axes is None:
                self.axes = _axes(x, each, part[0], own, split)
            self.balls.append(_begin(x, each, part, axes=self.axes, own=own, split=split))
        self.noise, self.tolerance = (jnp.asarray(v, kind) for v in (job.noise, job.tolerance))
        self.search = job.search and jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), job.search)

    def advance(
        self,
        pool: ThreadPoolExecutor,
        shape: loop.Shape,
        stride: int,
        records: np.ndarray,
        path: np.ndarray | None,
    ) -> int:
        """One call, to make the records, (6, wanted, n), and positions, (wanted, n, d); how many it made."""
        function, arrays = self.job.function

        def call(number: int) -> int:
            # Precision is a setting of the thread.
            with jax.enable_x64(self.double):
                self.balls[number], seen = loop.advance(
                    function,
                    arrays,
                    self.job.template,
                    self.search,
                    self.noise,
                    self.tolerance,
                    self.balls[number],
                    np.int32(records.shape[1]),
                    np.int32(stride),
                    shape=shape,
                )
            # Copied at once: still in the cache, and never all blocks' buffers beside their copies.
            made, those = int(seen["made"]), self._those(number)
            count = len(range(self.count)[those])
            for field, kept in zip(seen["steps"], records, strict=True):
                rows = np.asarray(field).reshape(shape.capacity, -1)
                kept[:made, those] = rows[:made, :count]
            if path is not None:
                places = np.asarray(seen["path"]).reshape(shape.capacity, -1, self.dimension)
                path[:made, those] = places[:made, :count]
            return made

        numbers = range(len(self.balls))
        made = list(pool.map(call, numbers)) if len(numbers) > 1 else [call(0)]
        longest = max(made)
        for number in numbers:
            rest, those = slice(made[number], longest), self._those(number)
            records[:, rest, those] = np.nan
            if path is not None and made[number] < longest:
                places = self._places(self.balls[number])
                path[rest, those] = places[: len(range(self.count)[those])]
        return longest

    def _those(self, number: int) -> slice:
        """The balls of a block."""
        return slice(number * self.size, (number + 1) * self.size)

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


def _axes(x: PyTree, optimizer: Any, key: Any, own: bool, split: bool) -> loop.Axes:
    leaves, structure = jax.tree.flatten((x, optimizer, key))
    return _axes_of(structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves), own, split)


@functools.lru_cache(maxsize=128)
def _axes_of(structure: Any, leaves: tuple[Any, ...], own: bool, split: bool) -> loop.Axes:
    """`loop.Axes.of`, which traces, once for each kind of optimizer and shape of x."""
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in leaves]
    x, optimizer, key = jax.tree.unflatten(structure, shapes)
    single = _single(x, optimizer, key, own, split)
    return loop.Axes.of(single, own=own)


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
