r"""Where a descent stopped: in a minimum, at a saddle, on a plateau, or still moving.

The gradient's norm alone cannot tell. Near a stationary point the signs of the Hessian's eigenvalues do:
all positive in a minimum, mixed at a saddle, all zero on a plateau. How near the point is, the quadratic
through value, gradient and curvature says: its own stationary point is $\|H^{-1} g\|$ away. Where the Hessian
says nothing (it is zero in the middle of a monkey saddle and at the bottom of $x^4$), the function
is tried around the point.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

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
        greatest: the greatest gradient norm met on the way, (n,).
        stalled: did the value hardly change over the last tenth of the steps? (n,)
        hovering: did gradients keep turning back over the last tenth? (n,)
        probe: (m, d) positions -> (m,) values, for places where the Hessian says nothing.
    """

    x: Float[np.ndarray, "n d"]
    gradient: Float[np.ndarray, "n d"]
    tolerance: float
    values: Float[np.ndarray, "n k"] | None
    vectors: Float[np.ndarray, "n d d"] | None
    precision: float
    greatest: Float[np.ndarray, " n"]
    stalled: Bool[np.ndarray, " n"]
    hovering: Bool[np.ndarray, " n"]
    probe: Callable[[np.ndarray], np.ndarray] | None = None


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where n balls stand.

    Attributes:
        kinds: one of ``KINDS`` each, (n,).
        distance: from each to the stationary point of its local quadratic, NaN where none is known, (n,).
        nearest: that point where it is near, else the position itself, (n, d).
        flat: directions without curvature, of those that are known, (n,).
    """

    kinds: np.ndarray
    distance: Float[np.ndarray, " n"]
    nearest: Float[np.ndarray, "n d"]
    flat: np.ndarray


def standing(seen: Evidence) -> Standing:
    """Say where each ball stands."""
    n, d = seen.x.shape
    size = np.linalg.norm(seen.gradient, axis=1)
    scale = 1.0 + np.linalg.norm(seen.x, axis=1)
    zero = size <= seen.tolerance
    distance, nearest = np.full(n, np.nan), seen.x.copy()
    up = down = at = np.zeros(n, bool)
    flat = np.full(n, d)
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
            moved = seen.x + np.einsum("nij,nj->ni", seen.vectors, step)
            nearest = np.where((distance <= NEAR * scale)[:, None], moved, nearest)
        else:
            # Of the outermost eigenvalues alone: the gradient over the smallest curvature, at most.
            bent = np.abs(seen.values).min(axis=1, initial=np.inf)
            distance = np.where(flat == 0, size / np.where(bent > 0, bent, 1.0), np.nan)
            at = zero | (distance <= NEAR * scale)
    slowing = seen.stalled & (size <= 1e-2 * seen.greatest)
    kinds = np.full(n, "moving", dtype="<U8")
    kinds[slowing & (flat > 0)] = "plateau"
    kinds[slowing & down] = "saddle"
    kinds[zero] = "plateau"
    kinds[(at | zero) & down] = "saddle"
    kinds[(at | zero) & down & ~up] = "maximum"
    kinds[at & up & ~down] = "minimum"
    unsure = zero & ~up & ~down
    if seen.probe is not None and unsure.any():
        kinds[unsure] = _probed(seen, np.flatnonzero(unsure), scale)
    bad = ~(np.isfinite(size) & np.isfinite(scale))
    kinds[bad] = "diverged"
    return Standing(kinds, distance, nearest, flat)


def _probed(seen: Evidence, which: np.ndarray, scale: np.ndarray) -> list[str]:
    """The kinds of flat places by the values around them."""
    assert seen.probe is not None
    d = seen.x.shape[1]
    random = np.random.default_rng(0)
    directions = random.normal(size=(32, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    around = np.concatenate([np.zeros((1, d)), directions, -directions])
    kinds: list[str] = []
    for i in which:
        radius = PROBE * scale[i]
        values = np.asarray(seen.probe(seen.x[i] + radius * around), float)
        change = values[1:] - values[0]
        rounding = 8 * np.finfo(np.float32 if seen.precision > 1e-6 else float).eps
        level = max(2 * seen.tolerance * radius, rounding * abs(values[0]))
        higher, lower = (change > level).any(), (change < -level).any()
        kinds.append(
            {(1, 0): "minimum", (1, 1): "saddle", (0, 1): "maximum"}.get((higher, lower), "plateau")
        )
    return kinds
