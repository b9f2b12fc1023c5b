"""An honest rate for each optimizer: its own best of those tried, found with the race's own programs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.jobs.comparison import EQUAL, points_above
from fallline.studio.terrain.balls import Balls, function_of

if TYPE_CHECKING:
    from jaxtyping import Float

    from fallline.studio.terrain.racer import Racer
    from fallline.terrains import Terrain

TRIED = tuple(10.0 ** (k / 3) for k in range(-12, 1))
"""As `fallline.jobs.race` tries them: thirteen from 1e-4 to 1."""

SMALLER = tuple(10.0 ** (k / 2) for k in range(-24, -8))
"""Tried where all of those diverge: a typed formula may be as steep as it likes."""

BALLS, STEPS, STRIDE = 128, 300, 5

_found: dict[tuple[Any, ...], float | None] = {}
_lock = threading.Lock()


def best_rate(terrain: Terrain, racer: Racer, capacity: int) -> float | None:
    """The rate whose median ball is soonest as low as the lowest median of all, within 300 steps.

    That is the rule of `fallline.jobs.race`. The starts are scattered over the bounds, without noise, so that
    the rate belongs to terrain and optimizer. It is searched once in the life of the process.

    Args:
        terrain: where.
        racer: its own rate does not matter.
        capacity: of the program to use, the race's own, which then need not be compiled again.

    Returns:
        The rate, or None where every rate diverges.
    """
    bare = racer.changed(rate=0.0)
    key = (terrain.function, terrain.bounds, bare)
    with _lock:
        if key in _found:
            return _found[key]
    balls = Balls(function_of(terrain), bare, capacity, 0, terrain.scatter(4 * BALLS))
    places = balls.places()[~balls.seen().lost][:BALLS]
    rate = None
    for tried in (TRIED, SMALLER):
        rate = rate or (_soonest(balls, places, tried) if len(places) else None)
    with _lock:
        _found[key] = rate
    return rate


def _soonest(balls: Balls, places: np.ndarray, tried: tuple[float, ...]) -> float | None:
    curves = np.stack([_curve(balls, places, rate) for rate in tried])
    finite = np.isfinite(curves[:, -1])
    begun = curves[0, 0]
    lowest = np.min(curves[finite, -1], initial=np.inf)
    # A rate so small that nothing moves is no rate, and one that only leads up is none either.
    if not lowest < begun:
        return None
    level = lowest + EQUAL * (begun - lowest)
    reached = np.array([points_above(curve, level) for curve in curves])
    good = finite & (reached < curves.shape[1])
    place = min(np.flatnonzero(good), key=lambda i: (reached[i], curves[i, -1]))
    return float(f"{tried[place]:.4g}")


def _curve(balls: Balls, places: np.ndarray, rate: float) -> Float[np.ndarray, " k"]:
    """The median value every few steps; infinite where half of the balls are lost."""
    run = Balls(balls.function, balls.racer.changed(rate=rate), balls.capacity, 0, places)
    records = [run.advance(step, STRIDE, 0.0) for step in range(0, STEPS + 1, STRIDE)]
    values = np.stack([np.asarray(record["steps"][0])[0, : len(places)] for record in records])
    # Where all balls have stopped nothing is recorded.
    values[[not record["made"] for record in records]] = np.nan
    return np.median(np.where(np.isnan(values), np.inf, values), axis=1)
