r"""The noise of mini-batch gradients: how large it is, what it costs, and whether it rules already."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fallline import sparse
from fallline.errors import FalllineError
from fallline.tree import dot, norm, zeros_like

if TYPE_CHECKING:
    from jaxtyping import Array, PyTree

    from fallline.descent.objective import Batch


@dataclasses.dataclass(frozen=True)
class Noise:
    r"""The noise of a gradient at one place.

    Attributes:
        trace: $S$, the trace of the covariance of one row's gradient.
        gradient_square: $|G|^2$ of all rows' gradient, unbiased, so that it may be negative.
        scale: $S / |G|^2$, the simple noise scale: the batch size at which noise and gradient are equally
            large; infinite where the gradient cannot be told from 0.
        batch: rows of each batch measured.
        error: relative standard error of ``scale``; infinite where that is, and a poor guide above a half,
            since the scale is a quotient; see ``low`` and ``high``.
        trace_error: standard error of ``trace``.
        square_error: standard error of ``gradient_square``.
        gradient_norm: the norm of the mean gradient of all rows seen.
        norms: the norm of each batch's gradient.
    """

    trace: float
    gradient_square: float
    scale: float
    batch: int
    error: float
    trace_error: float
    square_error: float
    gradient_norm: float
    norms: np.ndarray

    @property
    def low(self) -> float:
        """The scale is hardly smaller: $S$ and $|G|^2$ two standard errors off, both to this side."""
        square = self.gradient_square + 2 * self.square_error
        return max(self.trace - 2 * self.trace_error, 0.0) / square if square > 0 else math.inf

    @property
    def high(self) -> float:
        """The scale is hardly larger; infinite where the gradient may be 0."""
        square = self.gradient_square - 2 * self.square_error
        return (self.trace + 2 * self.trace_error) / square if square > 0 else math.inf


def gradient_noise(
    objective: Any,
    params: PyTree,
    state: PyTree,
    data: Batch,
    *,
    batch: int,
    batches: int = 16,
    seed: int = 0,
) -> Noise:
    r"""The noise of the gradient at fixed parameters, from batches that share no row.

    With $k$ batches of $b$ of the $n$ rows, their gradients $g_j$ and the mean $\bar g$ of these,

    $$S = \frac{b}{k - 1} \sum_j |g_j - \bar g|^2, \qquad
      |G|^2 = |\bar g|^2 - S \left(\frac{1}{k b} - \frac1n\right),$$

    both unbiased for draws without replacement, and the same as comparing small batches with one large one.
    Where the rows do not suffice, the batches are smaller: $S$ is of one row. For an objective that is no
    mean over rows it means little.

    The sum of squares is gathered as $k - 1$ contrasts, each of a gradient against the mean of those before,
    which are uncorrelated and of one size on average; the spread among them gives the standard error of $S$.
    That of $|\bar g|^2$ comes from the contrasts' products with that mean, and is rather too large than too
    small.

    Cost: as many steps as there are batches.

    Args:
        objective: ``(params, state, batch, key) -> (value, state)``, as the engine's.
        params: where.
        state: what the model does not train.
        data: all rows.
        batch: rows a batch.
        batches: how many batches.
        seed: of the rows drawn, and of the objective's own random numbers.

    Raises:
        FalllineError: if there are not two rows at least, or a gradient is not finite.

    Reference: McCandlish, Kaplan & Amodei, "An empirical model of large-batch training", arXiv:1812.06162
    (2018), appendix A.
    """
    leaves = jax.tree.leaves(data.x, is_leaf=sparse.is_rows)
    total = leaves[0].shape[0] if leaves else 0
    if total < 2:
        raise FalllineError(
            f"The noise of a gradient needs two rows of data at least; there are {total}."
        )
    size = min(batch, max(total // batches, 1))
    count = min(batches, total // size)
    drawn = np.random.default_rng(seed).choice(total, (count, size), replace=False)
    key = jax.random.PRNGKey(seed)
    measured = _measure(objective, params, state, data, jnp.asarray(drawn, jnp.int32), key)
    norms, contrasts, slants, mean_norm = (np.asarray(part, float) for part in measured)
    if not np.isfinite(norms).all():
        raise FalllineError("The gradient is not finite at this point, so its noise is not known.")
    contrasts, slants = contrasts[1:], slants[1:]
    variance = float(contrasts.mean())
    seen = size * count
    unseen = 1 - seen / total
    mean_square = float(mean_norm) ** 2
    square = mean_square - variance / count * unseen
    spread = contrasts.std(ddof=1) / math.sqrt(count - 1) if count > 2 else variance
    ages = np.arange(1, count)
    along = math.sqrt(4 * (ages @ slants**2) / ages.sum() / count * unseen)
    scale = error = math.inf
    if square > 0:
        scale = size * variance / square
        relative = float(spread) / variance if variance > 0 else 0.0
        error = math.hypot(relative * mean_square, along) / square
    return Noise(
        trace=size * variance,
        gradient_square=square,
        scale=scale,
        batch=size,
        error=error,
        trace_error=size * float(spread),
        square_error=math.hypot(along, float(spread) / count * unseen),
        gradient_norm=float(mean_norm),
        norms=norms,
    )


@jax.jit
def _measure(
    objective: Any, params: PyTree, state: PyTree, data: Batch, drawn: Array, key: Array
) -> tuple[Array, Array, Array, Array]:
    """Norms, squared contrasts, the contrasts' products with the mean before, and the last mean's norm."""

    def one(mean: PyTree, j: Array) -> tuple[PyTree, tuple[Array, Array, Array]]:
        rows = data.take(drawn[j], None)
        chance = jax.random.fold_in(key, j) if objective.random else None
        grads = jax.grad(lambda p: objective(p, state, rows, chance)[0])(params)
        apart = jax.tree.map(jnp.subtract, grads, mean)
        size = jnp.sqrt(j / (j + 1.0))
        found = (norm(grads), (size * norm(apart)) ** 2, size * dot(apart, mean))
        mean = jax.tree.map(lambda m, a: m + a / (j + 1), mean, apart)
        return mean, found

    mean, (norms, contrasts, slants) = lax.scan(one, zeros_like(params), jnp.arange(drawn.shape[0]))
    return norms, contrasts, slants, norm(mean)


def noise_scale_of(small: Any, big: Any, batch_small: float, batch_big: float) -> float:
    r"""The simple noise scale from squared gradient norms of batches of two sizes.

    $$S = \frac{|g_s|^2 - |g_b|^2}{1 / b_s - 1 / b_b}, \qquad
      |G|^2 = \frac{b_b |g_b|^2 - b_s |g_s|^2}{b_b - b_s}$$

    Both are averaged over all steps before one is divided by the other: the ratio of single estimates is
    badly biased.

    Args:
        small: squared norms of the smaller batches' gradients; those that are not finite do not count.
        big: of the larger ones'.
        batch_small: $b_s$.
        batch_big: $b_b$.

    Returns:
        $S / |G|^2$, not below 0; infinite where the gradient cannot be told from 0, NaN without numbers.

    Reference: McCandlish, Kaplan & Amodei, arXiv:1812.06162 (2018), appendix A.1.
    """
    means: list[float] = []
    for squares in (small, big):
        known = np.asarray(squares, float).ravel()
        known = known[np.isfinite(known)]
        if not len(known):
            return math.nan
        means.append(float(known.mean()))
    of_small, of_big = means
    trace = (of_small - of_big) / (1 / batch_small - 1 / batch_big)
    square = (batch_big * of_big - batch_small * of_small) / (batch_big - batch_small)
    return max(trace, 0.0) / square if square > 0 else math.inf


def noise_floor(rate: Any, variance: Any, curvature: Any) -> Any:
    r"""How far above the minimum the noise keeps plain descent, along each direction of a quadratic.

    $$\frac{\eta \sigma^2}{2 (2 - \eta \lambda)}$$

    Args:
        rate: $\eta$, the learning rate; numbers or arrays, as all of these.
        variance: $\sigma^2$ of the step's gradient along the direction: one row's over the batch size.
        curvature: $\lambda$, not below 0.

    Returns:
        The mean excess of the value, a float or an array; infinite where the rate is not stable.

    Reference: Bottou, Curtis & Nocedal, "Optimization methods for large-scale machine learning", SIAM Review
    60 (2018), section 4, here exactly for a quadratic.
    """
    rate, variance, curvature = (np.asarray(v, float) for v in (rate, variance, curvature))
    room = 2 - rate * curvature
    floor = np.where(room > 0, rate * variance / (2 * np.where(room > 0, room, 1.0)), np.inf)
    return floor if floor.ndim else float(floor)


def autocorrelation(values: Any, lag: int = 1) -> float:
    """The correlation of a series with itself some steps later, about its mean; free.

    Args:
        values: in the order of time; those that are not finite do not count, nor do the pairs they are in.
        lag: steps between the two, from 1 up.

    Returns:
        Between -1 and 1; NaN where there are fewer than three pairs, or the series does not move.
    """
    series = np.asarray(values, float)
    known = np.isfinite(series)
    pairs = known[lag:] & known[:-lag]
    if pairs.sum() < 3:
        return math.nan
    series = series - series[known].mean()
    variance = float((series[known] ** 2).mean())
    if variance == 0:
        return math.nan
    products = series[lag:][pairs] * series[:-lag][pairs]
    return float(np.clip(products.mean() / variance, -1, 1))
