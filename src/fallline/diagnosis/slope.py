r"""The slope of a loss and how sure it is: does a run still fall, has it come to rest, does it rise?

Losses of mini-batches are noisy, and the noise of one step is like that of the last. Means of blocks of
steps take most of that away; what is left between neighbouring blocks is told from the autocorrelation of
the steps and enters the interval.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

LEAST = 20
"""Steps of the last part of a history, at least, when there are as many."""

CONFIDENCE = 0.95

AROUND = 50
"""Steps before a spike that it is compared with, and after it in which the loss must come back."""

FAR = 10.0
"""Robust standard deviations above the median that make a spike."""

_CLIP = 6.0
_NOTICED = 0.01


@dataclasses.dataclass(frozen=True)
class Slope:
    """The slope of a loss over a window of steps, with its 95 % interval.

    Attributes:
        per_step: the change of the loss' logarithm a step; of the loss itself if not ``logarithmic``.
        low: lower end of the interval.
        high: upper end of the interval.
        level: the loss in the last block of the window (the geometric mean, if ``logarithmic``).
        noise: standard deviation of single steps around the line, in the units of the slope.
        steps: finite steps in the window.
        logarithmic: is it the logarithm's slope? Not where a loss is 0 or negative.
    """

    per_step: float
    low: float
    high: float
    level: float
    noise: float
    steps: int
    logarithmic: bool = True

    @property
    def flat(self) -> bool:
        """Does the interval contain 0? Yes, too, where there are too few steps to tell."""
        return self.low <= 0 <= self.high

    @property
    def falling(self) -> bool:
        """Does the loss surely fall?"""
        return self.high < 0

    @property
    def rising(self) -> bool:
        """Does the loss surely rise?"""
        return self.low > 0


def loss_slope(losses: Any, *, blocks: int = 10) -> Slope:
    r"""The slope of the logarithm of a loss a step, over a window.

    Least squares through the means of blocks of steps. The residuals of the steps themselves give the
    autocorrelation $\phi$ of a process $e_t = \phi e_{t-1} + u_t$, and that the correlation $R$ of block
    means, so that the slope $x^\top y / x^\top x$ has the variance
    $\sigma^2\, x^\top R x / (x^\top x)^2$, where $\sigma^2$ is the residuals' sum of squares over
    $\mathrm{tr}(M R)$, M the projection on residuals. The interval is that of Student's t. Outliers count
    as if they were 6 robust standard deviations away.

    Args:
        losses: one a step; steps that are not finite are left out.
        blocks: means to draw the line through.

    Returns:
        The slope; the interval is infinite with fewer than three finite steps.
    """
    from scipy import special

    values = np.asarray(losses, np.float64).ravel()
    steps = np.flatnonzero(np.isfinite(values)).astype(np.float64)
    values = values[np.isfinite(values)]
    logarithmic = bool(np.all(values > 0))
    if values.size < 3:
        level = float(values[-1]) if values.size else math.nan
        return Slope(math.nan, -math.inf, math.inf, level, math.nan, int(values.size), logarithmic)
    y = np.log(values) if logarithmic else values
    count = min(blocks, y.size // 2) if y.size >= 6 else y.size
    count = max(count, 3)
    y = _clipped(steps, y, count)
    x_means, means = _means(steps, count), _means(y, count)
    x = x_means - np.mean(x_means)
    slope = float(x @ means / (x @ x))
    rest = means - np.mean(means) - slope * x
    line = np.mean(means) + slope * (steps - np.mean(x_means))
    phi = _autocorrelation(y - line)
    r = _block_correlation(phi, y.size / count, count)
    design = np.stack([np.ones(count) / math.sqrt(count), x / math.sqrt(x @ x)], axis=1)
    freedom = count - float(np.trace(design.T @ r @ design))
    variance = float(rest @ rest) / max(freedom, 0.1) * float(x @ r @ x) / float(x @ x) ** 2
    reach = float(special.stdtrit(count - 2, 0.5 + CONFIDENCE / 2)) * math.sqrt(variance)
    level = math.exp(means[-1]) if logarithmic else float(means[-1])
    noise = float(np.std(y - line, ddof=2))
    return Slope(slope, slope - reach, slope + reach, level, noise, int(y.size), logarithmic)


def _means(values: np.ndarray, count: int) -> Float[np.ndarray, " count"]:
    return np.array([np.mean(part) for part in np.array_split(values, count)])


def _clipped(steps: np.ndarray, y: np.ndarray, count: int) -> np.ndarray:
    """The values, outliers brought nearer to the line through the blocks' medians."""
    x = _means(steps, count)
    medians = np.array([np.median(part) for part in np.array_split(y, count)])
    above, below = np.triu_indices(count, 1)
    slope = np.median((medians[above] - medians[below]) / (x[above] - x[below]))
    line = np.median(medians - slope * x) + slope * steps
    room = _CLIP * 1.4826 * np.median(np.abs(y - line))
    return np.clip(y, line - room, line + room) if room > 0 else y


def _autocorrelation(rest: np.ndarray) -> float:
    """Of neighbouring residuals around a line, its bias towards 0 taken away.

    Reference: Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 41 (1954); the bias
    around a line is about twice that around a mean.
    """
    total = float(rest @ rest)
    if total == 0 or rest.size < 6:
        return 0.0
    phi = float(rest[1:] @ rest[:-1]) / total
    return min(max(phi + (2 + 4 * phi) / rest.size, 0.0), 0.99)


def _block_correlation(phi: float, length: float, count: int) -> Float[np.ndarray, "count count"]:
    r"""Of the means of neighbouring blocks of length m of a process with autocorrelation $\phi$.

    Neighbours: $\phi (1 - \phi^m)^2 / (m (1 - \phi^2) - 2 \phi (1 - \phi^m))$; each block further away
    takes another factor $\phi^m$.
    """
    away = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    if phi == 0:
        return (away == 0).astype(float)
    power = phi**length
    near = phi * (1 - power) ** 2 / (length * (1 - phi**2) - 2 * phi * (1 - power))
    return np.where(away == 0, 1.0, near * power ** np.maximum(away - 1, 0))


def trend(losses: Any, share: float = 0.3) -> Slope:
    """The slope over the last part of a history: a share of it, at least 20 steps."""
    values = np.asarray(losses).ravel()
    return loss_slope(values[-max(LEAST, math.ceil(share * values.size)) :])


def spikes(losses: Any) -> int:
    """How many steps had a loss far above the ones before, from which it came back within 50 steps.

    Far: 10 robust standard deviations (1.4826 times the median distance from the median) above the median
    of the last 50 steps, and 10 % above it at the least. A loss that goes on rising has no spikes.
    """
    values = np.asarray(losses, np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size < 3:
        return 0
    least = _NOTICED
    if np.all(values > 0):
        values = np.log(values)
    else:
        least *= float(np.median(np.abs(values)))
    before = _windows(values, (AROUND, 0), "edge").min(axis=1)
    after = _windows(values, (0, AROUND), "edge").min(axis=1)
    # At the start the window is mirrored, so a first fall must not pass for a spike: it has to have risen.
    past = _windows(values, (AROUND, 0), "symmetric")
    risen = np.flatnonzero(values > before + FAR * least)
    count = 0
    for some in np.array_split(risen, risen.size // 4096 + 1):
        median = np.median(past[some], axis=1)
        scale = 1.4826 * np.median(np.abs(past[some] - median[:, None]), axis=1)
        scale = np.maximum(scale, least)
        high = values[some] > np.maximum(median, before[some]) + FAR * scale
        count += int(np.sum(high & (after[some] <= median + 3 * scale)))
    return count


def _windows(
    values: np.ndarray, more: tuple[int, int], mode: Literal["edge", "symmetric"]
) -> Float[np.ndarray, "n window"]:
    """Of each step the steps up to it, or from it on; what is missing at the ends by a mode of `np.pad`."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, more, mode=mode), AROUND + 1)


def rises(losses: Any) -> float:
    """The share of steps at which the loss was higher than at the step before; NaN below two steps."""
    change = np.diff(np.asarray(losses, np.float64).ravel())
    change = change[np.isfinite(change)]
    return float(np.mean(change > 0)) if change.size else math.nan
