r"""Planes through the end of a run: which two directions, and how far.

- "random": two random directions, each unit's part scaled to the length of that unit's weights, without
  biases and batch normalisation. Hardly anything of a run's way lies in such a plane.
- "pca": the two directions along which the way varies most, so that it is seen best.
- "hessian": the two directions of the largest curvature at the end.

Reference: Li, Xu, Taylor, Studer & Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018,
sections 4 and 7.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.diagnosis.case import value_at
from fallline.errors import FalllineError
from fallline.gradients.curvature import eigenvalues
from fallline.page.trajectory import flat

if TYPE_CHECKING:
    from jaxtyping import Float, PyTree

    Vector = Float[np.ndarray, " d"]

MARGIN = 0.15
PRODUCTS = 30
_UNMOVED = ("bias", "scale", "shift")


@dataclasses.dataclass(frozen=True)
class Plane:
    """Two directions through the end of a run, and how far the slice goes along each.

    Attributes:
        kind: "random", "pca" or "hessian".
        first: a vector like all parameters in a row, (d,).
        second: likewise.
        x: lowest and highest multiple of the first.
        y: of the second.
        eigenvalues: along the two, for "hessian".
    """

    kind: str
    first: Vector
    second: Vector
    x: tuple[float, float]
    y: tuple[float, float]
    eigenvalues: tuple[float, float] | None = None


def random_plane(params: PyTree, seed: int = 0) -> Plane:
    """Two random directions, filter by filter as long as the weights; it goes as far as these each way."""
    draw = np.random.default_rng(seed)
    first, second = (filter_normalised(params, draw) for _ in range(2))
    return Plane("random", first, second, (-1.0, 1.0), (-1.0, 1.0))


def filter_normalised(params: PyTree, draw: np.random.Generator) -> Vector:
    """A random direction in which each unit's weights change by as much as they are long.

    A unit is a column of a matrix. Biases, and what batch normalisation multiplies with and adds, stay. A
    vector of another name, in an objective of one's own, is one unit. Where all weights are 0, its length
    is 1.
    """
    parts: list[np.ndarray] = []
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    for path, leaf in leaves:
        weights = np.asarray(leaf, np.float64)
        drawn = draw.normal(size=weights.shape)
        if path and getattr(path[-1], "key", "") in _UNMOVED:
            drawn = np.zeros_like(drawn)
        else:
            axes = tuple(range(max(weights.ndim - 1, 1))) if weights.ndim else ()
            long = np.sqrt(np.sum(weights**2, axis=axes, keepdims=True))
            own = np.sqrt(np.sum(drawn**2, axis=axes, keepdims=True))
            drawn = drawn * long / np.where(own > 0, own, 1.0)
        parts.append(drawn.ravel())
    whole = np.concatenate(parts)
    if not whole.any():
        whole = draw.normal(size=whole.size)
        whole /= np.linalg.norm(whole)
    return whole


def pca_plane(places: Float[np.ndarray, "m d"], spare: Plane) -> Plane:
    """The two directions along which the snapshots vary most; it goes a little further than these do.

    A way along one line has no second: a random direction at right angles stands in.
    """
    away = places.astype(np.float64) - places[-1].astype(np.float64)
    middle = away - away.mean(axis=0)
    # By the products of the snapshots, which are few, not of the parameters, which are many.
    values, shares = np.linalg.eigh(middle @ middle.T)
    first, second = (middle.T @ shares[:, -i] for i in (1, 2))
    if not np.linalg.norm(first) > 0:
        first = spare.first
    first = _facing(first / np.linalg.norm(first), away)
    if len(values) < 2 or not values[-2] > 1e-12 * values[-1]:
        second = spare.second - first * (first @ spare.second)
    second = second - first * (first @ second)
    second = _facing(second / max(float(np.linalg.norm(second)), 1e-300), away)
    spread, _ = projected(places, first, second)
    ranges = [(min(float(c.min()), 0.0), max(float(c.max()), 0.0)) for c in spread.T]
    widest = max(high - low for low, high in ranges) or 1.0
    x, y = (_widened(low, high, widest) for low, high in ranges)
    return Plane("pca", first, second, x, y)


def _facing(direction: Vector, away: Float[np.ndarray, "m d"]) -> Vector:
    """The direction, turned so that the start lies on its negative side: an eigenvector's sign is chance."""
    return -direction if float(away[0] @ direction) > 0 else direction


def _widened(low: float, high: float, widest: float) -> tuple[float, float]:
    """A range with a margin, and not so narrow that the surface looks like a line."""
    lacking = max(0.3 * widest - (high - low), 0.0) / 2
    margin = MARGIN * max(high - low, 0.3 * widest)
    return low - lacking - margin, high + lacking + margin


def hessian_plane(
    objective: Any, params: PyTree, state: PyTree, batch: Any, last: float, fall: float
) -> Plane:
    r"""The directions of the two largest eigenvalues $\lambda$ of the Hessian on the rows.

    Along each it goes as far as a parabola of that curvature needs to rise by half of what the run fell, or
    by a tenth of the loss at the end if that is more: $\sqrt{2\,\mathrm{rise} / \lambda}$. Where the second
    curvature is below a hundredth of the first, or not positive, it goes ten times as far as along the first.

    Raises:
        FalllineError: if the Hessian is not finite or cannot be computed.
    """
    precise = jax.tree.map(lambda p: p if p.dtype.itemsize > 2 else p.astype(jnp.float32), params)
    found = eigenvalues(value_at, precise, products=PRODUCTS, args=(objective, state, batch), top=2)
    if len(found.top) < 2:
        raise FalllineError("The Hessian has but one direction in which there is any curvature.")
    largest, next_one = float(found.values[-1]), float(found.values[-2])
    rise = max(0.5 * fall, 0.1 * abs(last), 1e-6)
    far = math.sqrt(2 * rise / largest) if largest > 0 else 1.0
    other = math.sqrt(2 * rise / next_one) if next_one > 0 else math.inf
    first, second = (_facing_up(flat(v).astype(np.float64)) for v in found.top)
    reach = min(other, 10 * far)
    return Plane("hessian", first, second, (-far, far), (-reach, reach), (largest, next_one))


def _facing_up(direction: Vector) -> Vector:
    return direction if direction[np.abs(direction).argmax()] > 0 else -direction


def projected(
    places: Float[np.ndarray, "m d"], first: Vector, second: Vector
) -> tuple[Float[np.ndarray, "m 2"], tuple[float, float]]:
    """A way in the coordinates of a plane through its end, and the share of its variance along each axis.

    The second share is what the second direction adds to the first, so that both are the plane's.

    Returns:
        The coordinates that come nearest, and two shares; NaN for a way that stays where it is.
    """
    away = places.astype(np.float64) - places[-1].astype(np.float64)
    both = np.stack([first, second], axis=1)
    coordinates = np.linalg.lstsq(both.T @ both, both.T @ away.T, rcond=None)[0].T
    middle = away - away.mean(axis=0)
    whole = float(np.sum(middle**2))
    unit = first / max(float(np.linalg.norm(first)), 1e-300)
    rest = second - unit * (unit @ second)
    rest /= max(float(np.linalg.norm(rest)), 1e-300)
    if not whole > 0:
        return coordinates, (math.nan, math.nan)
    parts = [float(np.sum((middle @ d) ** 2)) / whole for d in (unit, rest)]
    return coordinates, (min(parts[0], 1.0), min(parts[1], max(1.0 - parts[0], 0.0)))
