r"""Where a descent stopped: in a minimum, at a saddle, on a plateau, or still moving.

The gradient's norm alone cannot tell. Near a stationary point the signs of the Hessian's eigenvalues do:
all positive in a minimum, mixed at a saddle, all zero on a plateau. How near the point is, the quadratic
through value, gradient and curvature says: its own stationary point is $\|H^{-1} g\|$ away. Behind it the
slope must turn, or else there is no such point: far out on $e^{-x}$ it does not. Where the Hessian
says nothing (it is zero in the middle of a monkey saddle and at the bottom of $x^4$, and there is none at
the kink of $|x|$), the function is tried around the point.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Float

NEAR = 1e-3
"""How far a stationary point may be, in units of 1 + |x|, for a point to count as being at it."""

AROUND = 0.1
"""The same where the gradient is as good as zero: the bottom of a wide, shallow valley."""

PROBE = 0.1
"""Radius of the probe around a flat point, in units of 1 + |x|."""

BEHIND = 4.0
"""Where the slope must have turned: so many times as far away as the quadratic's stationary point."""

NAMES = np.array([["plateau", "maximum"], ["minimum", "saddle"]])
"""The kind by whether there are higher and lower places around."""

MOST_NUMBERS = 2**22
"""Numbers that directions without curvature may take together, to be tried."""

CHUNK = 4096
"""Places in one call of the probe."""

KINDS = ("minimum", "saddle", "maximum", "plateau", "moving", "diverged")


@dataclasses.dataclass
class Evidence:
    """What is measured where n balls stopped, each in d dimensions.

    Attributes:
        x: positions, (n, d).
        gradient: (n, d).
        tolerance: gradient norms up to it count as 0.
        values: eigenvalues of the Hessian, ascending, (n, k): all (k = d) or some; None if unknown.
        vectors: their vectors in the columns, (n, d, d); None if not all are known.
        precision: eigenvalues below this share of the largest magnitude are not told from 0.
        rounding: the spacing of the numbers that x is made of, beside 1.
        greatest: the greatest gradient norm met on the way, (n,).
        stalled: did the value hardly change over the last tenth of the steps? (n,)
        hovering: did gradients keep turning back over the last tenth? (n,)
        stuck: did a line search find no step down? (n,)
        probe: (m, d) positions -> (m,) values, for places where the Hessian says nothing.
        slopes: (n, d) positions -> (n, d) gradients.
    """

    x: Float[np.ndarray, "n d"]
    gradient: Float[np.ndarray, "n d"]
    tolerance: float
    values: Float[np.ndarray, "n k"] | None
    vectors: Float[np.ndarray, "n d d"] | None
    precision: float
    rounding: float
    greatest: Float[np.ndarray, " n"]
    stalled: Bool[np.ndarray, " n"]
    hovering: Bool[np.ndarray, " n"]
    stuck: Bool[np.ndarray, " n"]
    probe: Callable[[np.ndarray], np.ndarray]
    slopes: Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where n balls stand.

    Attributes:
        kinds: one of ``KINDS`` each, (n,).
        distance: from each to the stationary point of its local quadratic, NaN where none is known, (n,).
        nearest: that point where it is near, else the position itself, (n, d).
        flat: directions without curvature, of those that are known, (n,).
        probed: was the function tried around the point? (n,)
    """

    kinds: np.ndarray
    distance: Float[np.ndarray, " n"]
    nearest: Float[np.ndarray, "n d"]
    flat: np.ndarray
    probed: Bool[np.ndarray, " n"]


def standing(seen: Evidence) -> Standing:
    """Say where each ball stands."""
    n, d = seen.x.shape
    size = np.linalg.norm(seen.gradient, axis=1)
    scale = 1.0 + np.linalg.norm(seen.x, axis=1)
    zero = size <= seen.tolerance
    distance, nearest = np.full(n, np.nan), seen.x.copy()
    up = down = at = flatwise = np.zeros(n, bool)
    flat, curved = np.full(n, d), None
    if seen.values is not None:
        least = seen.precision * np.abs(seen.values).max(axis=1, initial=0.0)
        # A curvature that moves the gradient by less than the tolerance over the whole scale is none.
        least = np.maximum(least, np.minimum(seen.tolerance, 1e-6) / scale)[:, None]
        curved = np.abs(seen.values) > least
        up, down = (seen.values > least).any(axis=1), (seen.values < -least).any(axis=1)
        flat = np.sum(~curved, axis=1)
        if seen.vectors is not None:
            along = np.einsum("nij,ni->nj", seen.vectors, seen.gradient)
            step = np.where(curved, -along / np.where(curved, seen.values, 1.0), 0.0)
            distance = np.where(curved.any(axis=1), np.linalg.norm(step, axis=1), np.nan)
            # Along a direction without curvature the gradient must be gone by itself.
            rest = np.linalg.norm(np.where(curved, 0.0, along), axis=1)
            gone = rest <= np.maximum(seen.tolerance, 1e-2 * size)
            at = gone & (distance <= np.where(zero, AROUND, NEAR) * scale)
            flatwise = rest > 0.5 * size
            step = np.einsum("nij,nj->ni", seen.vectors, step)
            at &= ~((up ^ down) & ~_turns(seen, step, distance > 64 * seen.rounding * scale))
            nearest = np.where((at & (distance <= NEAR * scale))[:, None], seen.x + step, nearest)
        else:
            # Of the outermost eigenvalues alone: the gradient over the smallest curvature, at most.
            bent = np.abs(seen.values).min(axis=1, initial=np.inf)
            distance = np.where(flat == 0, size / np.where(bent > 0, bent, 1.0), np.nan)
            at = zero | (distance <= NEAR * scale)
            flatwise = (flat > 0) & ~up
    slowing = seen.stalled & (size <= 1e-2 * seen.greatest)
    beside = ~(distance > AROUND * scale)
    kinds = np.full(n, "moving", dtype="<U8")
    kinds[(slowing & flatwise) | zero] = "plateau"
    kinds[((slowing & beside) | at) & up & down] = "saddle"
    kinds[at & down & ~up] = "maximum"
    kinds[at & up & ~down] = "minimum"
    probed = (zero & ~(at & (up | down))) | (seen.stuck & (kinds == "moving"))
    if probed.any():
        higher, lower = _around(seen, np.flatnonzero(probed), _sphere(d)[None])
        kinds[probed] = NAMES[higher.astype(int), lower.astype(int)]
    if seen.vectors is not None and curved is not None:
        # A minimum across, but what of the directions without curvature?
        valley = np.flatnonzero(zero & (kinds == "minimum") & (flat > 0) & ~probed)
        if 0 < valley.size * d * d <= MOST_NUMBERS:
            level_ways = np.where(curved[valley, None], 0.0, seen.vectors[valley]).swapaxes(1, 2)
            kinds[valley[_around(seen, valley, level_ways)[1]]] = "saddle"
    # Beside a kink, higher all around is what can be known; anything else is a slope.
    kinds[~zero & (kinds != "minimum") & probed] = "moving"
    kinds[~(np.isfinite(size) & np.isfinite(scale))] = "diverged"
    return Standing(kinds, distance, nearest, flat, probed)


def _turns(seen: Evidence, step: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Has the slope along the step turned behind the stationary point? True where it is too near to tell."""
    if not far.any():
        return ~far
    with np.errstate(invalid="ignore"):
        here = np.sum(seen.gradient * step, axis=1)
        behind = np.sum(seen.slopes(seen.x + BEHIND * step) * step, axis=1)
        return ~far | ~(here * behind >= 0)


def _sphere(d: int) -> np.ndarray:
    """Directions on which to try a function, (32, d), unit vectors."""
    directions = np.random.default_rng(0).normal(size=(32, d))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _around(seen: Evidence, which: np.ndarray, directions: np.ndarray) -> tuple[Any, Any]:
    """Is the function higher, and is it lower, somewhere around each of m places?

    It is tried some way to and fro along directions, (m, k, d) or (1, k, d).
    """
    d = seen.x.shape[1]
    radius = PROBE * (1.0 + np.linalg.norm(seen.x[which], axis=1))
    ways = radius[:, None, None] * np.concatenate([directions, -directions], axis=1)
    centre = seen.x[which, None]
    places = np.concatenate([centre, centre + ways], axis=1).reshape(-1, d)
    # All calls have one shape, so that the function is compiled once.
    size = min(len(places), CHUNK)
    values = np.empty(len(places))
    for first in range(0, len(places), size):
        part = np.arange(first, first + size)
        inside = part < len(places)
        values[part[inside]] = seen.probe(places[np.where(inside, part, 0)])[inside]
    values = values.reshape(len(which), -1)
    change = values[:, 1:] - values[:, :1]
    level = np.maximum(2 * seen.tolerance * radius, 8 * seen.rounding * np.abs(values[:, 0]))
    higher, lower = change > level[:, None], change < -level[:, None]
    return np.any(higher, axis=1), np.any(lower, axis=1)
