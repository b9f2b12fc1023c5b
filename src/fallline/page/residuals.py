"""By how much the predictions of a regression are off."""

from __future__ import annotations

from typing import Any

import numpy as np

from fallline.page.curves import finite, finites

POINTS = 600
BINS = 40


def residuals(actual: np.ndarray, predicted: np.ndarray, name: str) -> dict[str, Any] | None:
    """Points of actual against predicted, and the histogram of their differences over all rows.

    Args:
        actual: in the user's unit, (n,).
        predicted: likewise.
        name: of what is predicted.

    Returns:
        None where nothing finite was predicted. Of more than 600 rows the points are some, evenly chosen.
    """
    known = np.isfinite(actual) & np.isfinite(predicted)
    actual, predicted = actual[known], predicted[known]
    if not len(actual):
        return None
    chosen = evenly(len(actual), POINTS)
    low, high, counts = histogram(actual - predicted, BINS)
    return {
        "actual": finites(actual[chosen]),
        "predicted": finites(predicted[chosen]),
        "low": finite(low),
        "high": finite(high),
        "counts": counts,
        "name": name,
    }


def evenly(count: int, most: int) -> np.ndarray:
    """So many of some rows at most, spread over all."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(int)


def histogram(values: np.ndarray, bins: int) -> tuple[float, float, list[int]]:
    """Lowest and highest of some finite values, and how many fall into each of so many even bins between.

    Equal values get a bin in the middle of a range around them.
    """
    values = np.asarray(values).ravel()
    low, high = float(values.min()), float(values.max())
    spread = high - low
    if not spread > 1e-6 * max(abs(low), abs(high)) or not np.isfinite(spread):
        half = 0.5 * max(abs(low), abs(high), 1.0) if not spread > 0 else spread
        low, high, spread = low - half, high + half, 0.0
    width = (high - low) / bins
    if not 0 < width < np.inf:
        return low, high, [0] * bins
    places = np.minimum(((values - low) / width).astype(np.intp), bins - 1)
    return low, high, np.bincount(places, minlength=bins).tolist()
