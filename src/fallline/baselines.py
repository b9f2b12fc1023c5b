"""What descent is compared with: the closed form of least squares, and searching a box by trying.

The normal equation is exact but costs the cube of the features; a grid needs no gradient but grows with
the power of the parameters. Both are the reason for descent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Array, Float

MOST_POINTS = 50_000_000
_BLOCK = 65_536


def normal_equation(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, "n *k"],
    *,
    ridge: float = 0.0,
    weights: Float[np.ndarray, " n"] | None = None,
) -> tuple[Float[np.ndarray, "d *k"], Float[np.ndarray, "*k"]]:
    r"""Least squares in closed form, $(X^\top X + n \lambda I)\, w = X^\top y$ on centred columns.

    Solved through the singular values of X, not the product $X^\top X$, whose condition is the square of
    X's; among several solutions the shortest is given. The intercept is not penalised. With
    ``ridge`` it minimises $\frac1n \sum (x_i w + b - y_i)^2 + \lambda \|w\|^2$.

    Args:
        X: features, shape (n, d).
        y: targets, shape (n,) or (n, k).
        ridge: $\lambda \ge 0$.
        weights: of the rows, shape (n,).

    Returns:
        ``(w, b)``: shapes (d,) and (), or (d, k) and (k,); float64.

    Raises:
        FalllineError: if shapes or numbers do not fit.

    Reference: Golub & Van Loan, "Matrix Computations", 4th ed., sections 5.5 and 6.1.
    """
    x, y = np.asarray(X, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y) or len(x) == 0:
        raise FalllineError(
            f"The normal equation needs X of shape (n, d) and y of shape (n,) or (n, k); it was given "
            f"{x.shape} and {y.shape}."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise FalllineError("The normal equation needs finite numbers in X and y.")
    if not 0 <= ridge < np.inf:
        raise FalllineError(f"ridge must be a number of 0 or more; it was given {ridge!r}.")
    share = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if share.shape != (len(x),) or (share < 0).any() or not 0 < share.sum() < np.inf:
        raise FalllineError(
            "weights must be one finite number of 0 or more a row, not all of them 0."
        )
    share = share / share.sum()
    x_mean, y_mean = share @ x, share @ y
    root = np.sqrt(share)[:, None]
    targets = (y - y_mean).reshape(len(y), -1)
    u, s, vt = np.linalg.svd(root * (x - x_mean), full_matrices=False)
    cut = s > s.max(initial=0.0) * max(x.shape) * np.finfo(np.float64).eps
    gain = np.where(cut, s / np.where(cut, s * s + ridge, 1.0), 0.0)
    w = (vt.T @ (gain[:, None] * (u.T @ (root * targets)))).reshape(x.shape[1], *y.shape[1:])
    return w, np.asarray(y_mean - x_mean @ w)


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        x: the best point, shape (d,).
        fun: the function's value there.
        evaluations: how many points were tried.
        boxes: the boxes searched, one a round, each (d, 2).
    """

    x: np.ndarray
    fun: float
    evaluations: int
    boxes: list[np.ndarray]


def grid_search(
    f: Callable[[Float[Array, " d"]], Float[Array, ""]],
    box: Sequence[tuple[float, float]],
    points: int = 21,
) -> SearchResult:
    """Try every point of an even grid.

    Args:
        f: a JAX function of a vector, shape (d,) -> scalar.
        box: (low, high) for each parameter.
        points: on each axis; the whole grid has ``points ** d``.

    Returns:
        The best point; NaN values never win.

    Raises:
        FalllineError: if the box is empty, or the grid has more than 50 million points.
    """
    bounds: Any = np.zeros(0)
    with contextlib.suppress(TypeError, ValueError):
        bounds = np.asarray(box, np.float64)
    if bounds.ndim != 2 or bounds.shape[1] != 2 or not (bounds[:, 0] < bounds[:, 1]).all():
        raise FalllineError("A box is a pair (low, high) for each parameter, with low below high.")
    if points < 2:
        raise FalllineError(f"A grid needs at least 2 points on each axis; it was given {points}.")
    total = points ** len(bounds)
    if total > MOST_POINTS:
        raise FalllineError(
            f"{points} points on each of {len(bounds)} axes are {total:.3g} points, more than "
            f"{MOST_POINTS:,}: take fewer points, search coarse to fine, or descend."
        )
    evaluate = jax.jit(jax.vmap(f))
    axes = [np.linspace(low, high, points) for low, high in bounds]
    best, place = np.inf, np.array([axis[0] for axis in axes])
    product = itertools.product(*axes)
    while chunk := list(itertools.islice(product, _BLOCK)):
        tried = np.array(chunk)
        # One shape is one program: a short last block repeats its first point.
        filled = np.concatenate(
            [tried, np.repeat(tried[:1], min(total, _BLOCK) - len(tried), axis=0)]
        )
        values = np.asarray(evaluate(jnp.asarray(filled)))[: len(tried)]
        if values.ndim != 1:
            raise FalllineError(
                f"A search needs a function that gives one number; it gave shape {values.shape[1:]}."
            )
        values = np.where(np.isnan(values), np.inf, values)
        if values.min() < best:
            best, place = float(values.min()), tried[values.argmin()]
    return SearchResult(place, best, total, [bounds])


def coarse_to_fine_search(
    f: Callable[[Float[Array, " d"]], Float[Array, ""]],
    box: Sequence[tuple[float, float]],
    points: int = 9,
    rounds: int = 6,
) -> SearchResult:
    """Search a grid, then a finer one around its best point, and so on.

    Each round's box is two cells of the last one's grid wide on each side, and at most half as wide
    as the last. Only as good as the first grid is fine: a narrow valley between its points is never
    seen.

    Args:
        f: a JAX function of a vector, shape (d,) -> scalar.
        box: (low, high) for each parameter; no later box leaves it.
        points: on each axis in each round.
        rounds: how many.

    Returns:
        The best point of all rounds.

    Raises:
        FalllineError: as for `grid_search`, or if there are no rounds.
    """
    if rounds < 1:
        raise FalllineError(f"A search needs at least one round; it was given {rounds}.")
    bounds: Any = box
    result: SearchResult | None = None
    boxes: list[np.ndarray] = []
    evaluations = 0
    for _ in range(rounds):
        found = grid_search(f, bounds, points)
        boxes.append(found.boxes[0])
        evaluations += found.evaluations
        if result is None or found.fun < result.fun:
            result = found
        reach = np.ptp(boxes[-1], axis=1) * min(2 / (points - 1), 0.25)
        outer = boxes[0]
        bounds = np.stack(
            [
                np.maximum(result.x - reach, outer[:, 0]),
                np.minimum(result.x + reach, outer[:, 1]),
            ],
            axis=1,
        )
        if not (bounds[:, 0] < bounds[:, 1]).all():
            # As fine as double precision can tell points apart.
            break
    assert result is not None
    return SearchResult(result.x, result.fun, evaluations, boxes)
