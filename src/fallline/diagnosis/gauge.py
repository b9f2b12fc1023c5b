"""Gauges along the path: how far a step goes in the valley it crosses, and how steps follow each other."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


def step_gauge(f0: Any, slope0: Any, f1: Any, slope1: Any, length: Any) -> Any:
    r"""Where a step ends in the valley it crosses: -1 where it began, 0 at the bottom, 1 as high again.

    A quadratic $q$ along the step is fitted by least squares to value and slope at both ends, in units of the
    step's length. With its slopes $a$ and $c$ at the ends the gauge is $-c / a$: near -1 the slope has hardly
    changed (undershoot), 0 means that the step ends at the bottom, 1 that it ends on the other wall as high
    as it began, more than 1 higher. Values count the less the more of their difference is rounding in single
    precision. A step that begins uphill has passed the bottom already and is above 1. Cost: one gradient.

    Args:
        f0: value at the beginning; numbers or arrays, as all of these.
        slope0: derivative along the step there, by unit of length: $g_0^\top d / \|d\|$.
        f1: value at the end, of the same function (the same rows).
        slope1: derivative along the step there.
        length: $\|d\|$.

    Returns:
        The gauge, a float or an array; NaN where numbers are missing or the step crosses a hill.

    Reference: Schneider, Dangel & Hennig, "Cockpit: a practical debugging tool for the training of deep
    neural networks", NeurIPS 2021 (there: alpha).
    """
    parts = [np.asarray(part, float) for part in (f0, slope0, f1, slope1, length)]
    with np.errstate(all="ignore"):
        f0, slope0, f1, slope1, length = parts
        begin, end = slope0 * length, slope1 * length
        rounding = np.finfo(np.float32).eps * np.maximum(np.abs(f0), np.abs(f1))
        size = np.maximum(np.abs(begin), np.abs(end))
        weight = 0.25 / (1 + (rounding / size) ** 2)
        # Both slopes move by the same: the quadratic's rise is the mean of its slopes.
        shift = weight / (1 + weight) * ((begin + end) / 2 - (f1 - f0))
        a, c = begin - shift, end - shift
        down = np.maximum(-c / a, -1.0)
        up = np.where(c > a, c / a, np.nan)
        gauge = np.where(a < 0, down, np.where(a > 0, up, np.where(c > 0, np.inf, np.nan)))
        known = np.isfinite(sum(parts)) & (length > 0)
        gauge = np.where(known, gauge, np.nan)
    return gauge if gauge.ndim else float(gauge)


@dataclasses.dataclass(frozen=True)
class Cosines:
    """How gradients follow each other.

    Attributes:
        mean: of the cosines; near 1 the path hardly bends, near -1 it zigzags, 0 is noise.
        low: a tenth of them are below.
        high: a tenth of them are above.
        share_negative: the share of those below 0.
        error: the mean's standard error, taking them for independent.
    """

    mean: float
    low: float
    high: float
    share_negative: float
    error: float


def cosine_summary(cosines: Any, window: int) -> Cosines:
    """The last cosines between one gradient and the next, in a few numbers; free.

    Args:
        cosines: one a step; those that are not finite do not count.
        window: how many of the last steps.

    Returns:
        The summary; all NaN where no cosine is known.

    Reference: Chee & Toulis, "Convergence diagnostics for stochastic gradient descent with constant learning
    rate", AISTATS 2018, after Pflug (1990): once the noise rules, successive gradients point apart on
    average.
    """
    last = np.asarray(cosines, float)[-window:]
    last = last[np.isfinite(last)]
    if not len(last):
        return Cosines(*[float("nan")] * 5)
    low, high = np.quantile(last, [0.1, 0.9])
    error = last.std(ddof=1) / np.sqrt(len(last)) if len(last) > 1 else np.nan
    return Cosines(
        float(last.mean()), float(low), float(high), float((last < 0).mean()), float(error)
    )
