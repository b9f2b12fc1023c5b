"""The balls of one racer in the compiled loop of `fallline.minimize`, changed while they run."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent import minimize_loop as loop
from fallline.descent.stopping import BLEW_UP
from fallline.optimizers.stability import stability_limit
from fallline.terrains import Terrain

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float

    from fallline.studio.terrain.racer import Racer

MOST = 20_000
"""Balls of all racers together."""

ROOM = 512
"""Balls that may be dropped before a program for more balls must be compiled."""

CAPACITIES = (1024, 2048, 2560, 3072, 4096, 5120, 7168, 10_240, 20_480)
"""Balls that a program is compiled for; chosen so that 20,000 shared by any few racers waste little."""

MOST_FUNCTIONS = 24
"""Functions that programs are kept for."""

NEVER = np.float32(-1.0)
"""The tolerance at which no ball ever comes to rest: noise or another rate may set it going again."""

KEPT = ("params", "before", "optimizer_state", "stop")
"""What decides about a ball's further way; all else in the loop counts, or is the same for ever."""

_TEMPLATE = np.zeros(2, np.float32)


def capacity_for(count: int) -> int:
    """The smallest program that holds so many balls."""
    return next((c for c in CAPACITIES if c >= count), CAPACITIES[-1])


def prepared_capacity(each: int, racers: int) -> int:
    """The program for a race with so many balls of each racer, and room for some more."""
    return capacity_for(min(each + ROOM, MOST // racers))


@functools.lru_cache(maxsize=2)
def keys(seed: int) -> np.ndarray:
    """Of each ball's noise, the same for every racer, whatever the number of balls."""
    return np.asarray(jax.random.split(jax.random.PRNGKey(seed % 2**32), CAPACITIES[-1]))


def function_of(terrain: Terrain) -> loop.Function:
    """What the programs are compiled for: the formula alone, so that another window is no other program."""
    bare = Terrain("", "", terrain.function, ((-1.0, 1.0), (-1.0, 1.0)))
    return loop.Function.of(bare, ())[0]


_compiled_for: set[loop.Function] = set()


def bound_memory(function: loop.Function) -> None:
    """Give up all compiled programs once they are for many functions, of which this is the newest.

    Whoever types formulas all day would else fill the memory: the programs for one take some ten megabytes.
    """
    if function not in _compiled_for and len(_compiled_for) >= MOST_FUNCTIONS:
        jax.clear_caches()
        _compiled_for.clear()
    _compiled_for.add(function)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is known of a racer's balls where they are.

    Attributes:
        places: NaN for a lost ball.
        value: of the function.
        slope: norm of the gradient.
        least: the smallest eigenvalue of the Hessian.
        limit: the learning rate at which the ball's local quadratic becomes unstable; see
            `fallline.optimizers.stability`.
        lost: did the ball leave the finite numbers?
    """

    places: Float[np.ndarray, "n 2"]
    value: Float[np.ndarray, " n"]
    slope: Float[np.ndarray, " n"]
    least: Float[np.ndarray, " n"]
    limit: Float[np.ndarray, " n"]
    lost: Bool[np.ndarray, " n"]


class Balls:
    """The balls of one racer. The same program serves every number that may change.

    Each ball counts its own steps: an average of a ball dropped late is corrected for its own start.

    Attributes:
        function: what they descend.
        racer: the optimizer with its numbers.
        capacity: balls that the program is compiled for; those beyond ``count`` never move.
        count: balls there are.
    """

    def __init__(
        self, function: loop.Function, racer: Racer, capacity: int, seed: int, places: Any
    ) -> None:
        self.function, self.racer, self.capacity = function, racer, capacity
        self._keys = keys(seed)
        self.count = 0
        self._put(_fresh(racer, np.asarray(places, np.float32), self._keys))

    def _put(self, rows: dict[str, Any]) -> None:
        """Begin with rows of balls, of which those not given are made."""
        self.count = count = len(rows["stop"])
        self._balls = {
            name: jax.tree.map(
                functools.partial(_padded, self.capacity, name == "stop"), rows[name]
            )
            for name in KEPT
        }
        # In the loop these are used up and given back; all begin as `minimize_loop.start` has them.
        self._balls |= {
            "previous": [jnp.zeros(self.capacity, jnp.float32) for _ in range(2)],
            "factor": jnp.ones(self.capacity, jnp.float32),
            "key": jnp.array(self._keys[: self.capacity], copy=True),
            "taken": jnp.zeros(self.capacity, jnp.int32),
            "tries": jnp.zeros(self.capacity, jnp.int32),
        }
        self.set(self.racer)
        assert count <= self.capacity

    def set(self, racer: Racer) -> None:
        """Other numbers for the same optimizer, from the next step on."""
        self.racer = racer
        self._balls["optimizer"] = _traced(racer)

    def advance(self, step: int, steps: int, noise: float) -> dict[str, Any]:
        """Take some steps; the loop's records, of which there is one, of the first step.

        It does not wait for them: the racers of a race are computed side by side.

        Args:
            step: the step of the race before them, which the noise depends on.
            steps: how many.
            noise: standard deviation of what is added to each number of a gradient.
        """
        # Every step is recorded, and all records but the first fall outside the buffer, which drops them:
        # so every step runs the same compiled code, and no number depends on how steps are grouped.
        shape = loop.Shape(
            capacity=1, axes=_axes(self._balls["optimizer_state"]), split=True, noisy=noise > 0
        )
        self._balls["step"] = jnp.array(step, jnp.int32)
        self._balls, records = loop.advance(
            self.function,
            [],
            _TEMPLATE,
            None,
            np.float32(noise),
            NEVER,
            self._balls,
            np.int32(steps),
            np.int32(1),
            shape=shape,
        )
        return records

    def drop(self, places: Float[np.ndarray, "k 2"]) -> None:
        """Add balls at rest; more than the program holds move all to a larger one."""
        rows = self.rows()
        more = _fresh(self.racer, places, self._keys[self.count :])
        together = jax.tree.map(lambda a, b: np.concatenate([a, b]), rows, more)
        self.capacity = max(self.capacity, capacity_for(self.count + len(places)))
        self._put(together)

    def rows(self) -> dict[str, Any]:
        """What decides about the balls' further ways, copied: trees with leaves (count, ...)."""
        kept = {name: self._balls[name] for name in KEPT}
        return jax.tree.map(lambda leaf: np.array(leaf[: self.count]), jax.device_get(kept))

    def restore(self, rows: dict[str, Any], racer: Racer, capacity: int) -> None:
        """Take up what `rows` gave earlier."""
        self.racer, self.capacity = racer, capacity
        self._put(rows)

    def ball(self, index: int) -> tuple[list[Any], Any]:
        """Parameters and optimizer's state of one ball."""
        both = self._balls["params"], self._balls["optimizer_state"]
        return jax.tree.map(lambda leaf: np.asarray(leaf)[index], both)

    def places(self) -> Float[np.ndarray, "n 2"]:
        """Where the balls are; a lost one stays at its last place with a finite value."""
        return np.stack([np.asarray(p)[: self.count] for p in self._balls["params"]], axis=1)

    def seen(self) -> Seen:
        """Look at all balls where they are."""
        balls = self._balls
        found = _observe(
            self.function, balls["optimizer"], balls["params"], balls["optimizer_state"]
        )
        value, slope, least, limit = (np.asarray(part)[: self.count] for part in found)
        places = self.places()
        lost = np.asarray(balls["stop"])[: self.count] == BLEW_UP
        lost |= ~np.isfinite(value) | ~np.isfinite(places).all(axis=1)
        places[lost] = np.nan
        return Seen(places, value, slope, least, limit, lost)

    def prepare(self, *, noisy: bool) -> None:
        """Compile what is needed to go on, with or without noise, on balls that are thrown away."""
        spare = Balls(self.function, self.racer, self.capacity, 0, np.zeros((1, 2)))
        spare.advance(0, 0, 1.0 if noisy else 0.0)


def _traced(racer: Racer) -> Any:
    """The optimizer with arrays for numbers; buffers of its own, as the loop uses them up."""
    return jax.tree.map(lambda leaf: jnp.array(leaf, jnp.float32), racer.made())


def _fresh(racer: Racer, places: Float[np.ndarray, "n 2"], keys: np.ndarray) -> dict[str, Any]:
    """Balls before their first step, as rows."""
    count = len(places)
    x = [jnp.asarray(places[:, i], jnp.float32) for i in range(2)]
    ball = loop.start(x, racer.made(), jnp.asarray(keys[:count]))

    def row(leaf: Any) -> np.ndarray:
        array = np.asarray(leaf)
        return np.array(np.broadcast_to(array, (count, *array.shape[1:])))

    return jax.tree.map(row, {name: ball[name] for name in KEPT})


def _padded(capacity: int, stopped: bool, leaf: np.ndarray) -> Array:
    """Rows for balls that do not exist, which stand still as if they had been lost."""
    full = np.full((capacity, *leaf.shape[1:]), BLEW_UP if stopped else 0, leaf.dtype)
    full[: len(leaf)] = leaf
    return jnp.array(full, copy=True)


@functools.lru_cache(maxsize=64)
def _each(leaves: int) -> loop.Axes:
    return loop.Axes(own=False, state=(0,) * leaves)


def _axes(state: Any) -> loop.Axes:
    return _each(len(jax.tree.leaves(state)))


def derivatives(function: loop.Function, x: Any, y: Any) -> tuple[Array, Array, Array]:
    """Value, gradient (2,) and Hessian (2, 2) at a place."""
    terrain: Any = function.call
    formula = terrain.function

    def gradient(p: Array) -> tuple[Array, tuple[Array, Array]]:
        value, slopes = jax.value_and_grad(lambda q: formula(q[0], q[1]))(p)
        return slopes, (value, slopes)

    hessian, (value, slopes) = jax.jacfwd(gradient, has_aux=True)(jnp.stack([x, y]))
    return value, slopes, hessian


@functools.partial(jax.jit, static_argnames=("function",))
def _observe(function: loop.Function, optimizer: Any, params: Any, state: Any) -> Any:
    """Value, gradient's norm, smallest eigenvalue of the Hessian and stability limit of each ball."""

    def one(params: Any, state: Any) -> Any:
        value, slopes, hessian = derivatives(function, *params)
        (a, b), (_, d) = hessian
        least = (a + d) / 2 - jnp.hypot((a - d) / 2, b)
        after = optimizer.update([slopes[0], slopes[1]], state, params)[1]
        limit = stability_limit(optimizer, after, hessian)
        return value, jnp.hypot(slopes[0], slopes[1]), least, limit

    return jax.vmap(one)(params, state)
