"""Which minimum does descent lead to, from everywhere on a surface?"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent.line_search import Armijo
from fallline.descent.minimize import minimize, pose_job
from fallline.descent.minimize_jobs import Clock
from fallline.optimizers import SGD, ClipByGlobalNorm
from fallline.studio.terrain.balls import derivatives, function_of
from fallline.terrains import Point

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from fallline.studio.terrain.balls import Seen
    from fallline.terrains import Terrain

GRID = 129
"""Cells of the map on each axis."""

STARTS, STEPS = 256, 400
"""Balls that look for minima nobody knows, and how far they look."""

STRIDE, STRIDES = 0.004, 600
"""The longest step of the descent behind the map, in diagonals of the window, and how many."""

ARRIVED = 0.02
"""A ball this near to a minimum has arrived, in diagonals of the window."""


class Basins:
    """The minima of a surface and the ground that drains to each.

    Attributes:
        minima: the lowest first.
        labels: row by row of y, the minimum that plain descent in small steps leads to; -1 for none.
    """

    def __init__(self, terrain: Terrain) -> None:
        self._low, high = np.array(terrain.bounds).T
        self._cell = (high - self._low) / (GRID - 1)
        self._diagonal = float(np.linalg.norm(high - self._low))
        self.minima = terrain.minima or self._found(terrain)
        self.labels = self._labels(terrain)

    def _found(self, terrain: Terrain) -> tuple[Point, ...]:
        """The minima that descent from scattered starts comes to rest in."""
        starts = terrain.scatter(4 * STARTS)
        starts = starts[np.isfinite(np.asarray(terrain(jnp.asarray(starts))))][:STARTS]
        if not len(starts):
            return ()
        # Asking for much of the promised fall keeps the steps well below the stability limit.
        search = Armijo(decrease=0.3)
        with np.errstate(all="ignore"):
            # A surface without a floor leads to where squares overflow.
            result = minimize(terrain, starts=starts, line_search=search, steps=STEPS, noise=0.0)
        (left, right), (low, high) = terrain.bounds
        found = [
            Point(float(b.x[0]), float(b.x[1]), b.fun) for b in result.basins if b.kind == "minimum"
        ]
        return tuple(p for p in found if left <= p.x <= right and low <= p.y <= high)

    def _labels(self, terrain: Terrain) -> Int[np.ndarray, "g g"]:
        axes = (np.linspace(*span, GRID) for span in terrain.bounds)
        grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2).astype(np.float32)
        labels = np.full(len(grid), -1)
        finite = np.flatnonzero(np.isfinite(np.asarray(terrain(jnp.asarray(grid)))))
        if not self.minima or not len(finite):
            return labels.reshape(GRID, GRID)
        ends = np.full_like(grid, np.nan)
        ends[finite] = self._descended(terrain, grid[finite])
        labels = self._arrived(ends)
        # Along a flat valley no ball comes far; but where one ended, another began: follow that.
        cells = self.cells(ends)
        for _ in range(STRIDES):
            lacking = np.flatnonzero((labels < 0) & (cells >= 0))
            reached = labels[cells[lacking]]
            if not (reached >= 0).any():
                break
            labels[lacking] = reached
        return labels.reshape(GRID, GRID)

    def _descended(self, terrain: Terrain, starts: np.ndarray) -> np.ndarray:
        """Where plain descent from many starts comes to, in steps too small to leave a valley."""
        places = np.array([(p.x, p.y) for p in self.minima], np.float32)
        hessians = np.asarray(_hessians(function_of(terrain), places))
        steepest = np.max(np.where(np.isfinite(hessians), np.abs(hessians), 0.0), initial=1e-12)
        rate = 0.5 / float(steepest)
        optimizer = ClipByGlobalNorm(SGD(rate), limit=STRIDE * self._diagonal / rate)
        job = pose_job(terrain, None, starts=starts, noise=0.0, tolerance=0.0)
        ended = job.descend(optimizer, STRIDES, STRIDES, False, Clock(time.perf_counter()))
        return ended.x

    def _arrived(self, places: np.ndarray) -> Int[np.ndarray, " n"]:
        """The minimum that each place is at, -1 for none."""
        minima = np.array([(p.x, p.y) for p in self.minima])
        distances = np.stack([np.linalg.norm(places - m, axis=1) for m in minima], axis=1)
        distances = np.where(np.isnan(distances), np.inf, distances)
        nearest = distances.argmin(axis=1)
        apart = np.linalg.norm(minima[:, None] - minima[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        radius = min(ARRIVED * self._diagonal, 0.4 * float(apart.min(initial=np.inf)))
        return np.where(distances.min(axis=1) <= radius, nearest, -1)

    def cells(self, places: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
        """The cell of the map that each place is in, counted row by row; -1 outside."""
        with np.errstate(invalid="ignore", over="ignore"):
            at = np.round((places - self._low) / self._cell)
            inside = ((at >= 0) & (at < GRID)).all(axis=1)
        column, row = np.where(inside[:, None], at, 0).astype(int).T
        return np.where(inside, row * GRID + column, -1)

    def table(self, seen: list[Seen]) -> list[dict[str, Any]]:
        """Each minimum with the shares of the racers' balls that stand on ground draining to it."""
        labels = np.append(self.labels.ravel(), -1)
        counts = [
            np.bincount(labels[self.cells(part.places)] + 1, minlength=len(self.minima) + 1)[1:]
            / max(len(part.places), 1)
            for part in seen
        ]
        return [
            {
                **point._asdict(),
                "shares": [float(share[i]) for share in counts],
                "all": float(np.mean([share[i] for share in counts])),
            }
            for i, point in enumerate(self.minima)
        ]


@functools.partial(jax.jit, static_argnames=("function",))
def _hessians(function: Any, places: Any) -> Any:
    return jax.vmap(lambda p: derivatives(function, p[0], p[1])[2])(places)
