"""Leaks: columns that by themselves give the target away.

Reference: Kaufman et al., "Leakage in data mining: formulation, detection, and avoidance", ACM TKDD 6 (2012).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int

LEAK = 0.999
"""Mean recall of the classes by one column alone from which on it is a leak, if no other comes near."""

OTHERS = 0.99
"""Mean recall by another column alone that speaks for an easy set and against a leak."""

APART = 20.0
"""How many standard deviations (of the tighter class) lie between classes in a column that copies them."""

SAME_LINE = 0.9999
"""Correlation with the target from which on a column is a leak."""

_FEW_VALUES, _SCREENED = 50, 500


def on_a_line(x: np.ndarray, y: np.ndarray, left: np.ndarray) -> tuple[int | None, float]:
    """A column on one line with an output, if the other columns do not explain what it leaves.

    Args:
        x: the columns that vary, (n, d).
        y: outputs, (n, k).
        left: left singular vectors of the standardised columns.

    Returns:
        The column, or None, and its correlation.
    """
    z = x - np.mean(x, axis=0)
    z = z / np.maximum(np.sqrt(np.mean(z**2, axis=0)), 1e-300)
    best, strength = None, math.nan
    for output in y.T - np.mean(y.T, axis=1, keepdims=True):
        if not np.any(output):
            continue
        unit = output / np.sqrt(np.mean(output**2))
        r = z.T @ unit / len(z)
        column = int(np.argmax(np.abs(r)))
        rest = unit - r[column] * z[:, column]
        free = len(z) - 1 - left.shape[1]
        explained = math.inf
        if free > left.shape[1]:
            part = float(np.sum((left.T @ rest) ** 2) / max(rest @ rest, 1e-300))
            explained = 1 - (1 - part) * (len(z) - 1) / free
        # A sum of columns of which one is far wider than the others is no leak.
        leaks = 1 - r[column] ** 2 < 1e-9 or explained < 0.5
        if abs(r[column]) > SAME_LINE and leaks:
            best, strength = column, float(abs(r[column]))
    return best, strength


def of_classes(x: np.ndarray, labels: np.ndarray) -> tuple[int | None, float]:
    """A column that tells the classes apart alone, while no other column alone comes near.

    Args:
        x: the columns that vary, (n, d).
        labels: classes, (n,).

    Returns:
        The column, or None, and the mean recall of the classes by it.
    """
    present, labels = np.unique(labels, return_inverse=True)
    k = len(present)
    some = slice(0, _SCREENED)
    values = 1 + np.sum(np.diff(np.sort(x[some], axis=0), axis=0) != 0, axis=0)
    few = values <= min(_FEW_VALUES, len(x[some]) // 10)
    by_value = [j for j in np.flatnonzero(few) if _by_value(x[some, j], labels[some], k) > 0.98]
    member = (labels[:, None] == np.arange(k)).astype(np.float64)
    counts = np.sum(member, axis=0)[:, None]
    means = member.T @ x / counts
    centred = x - means[labels]
    stds = np.sqrt(member.T @ centred**2 / counts)
    order = np.argsort(means, axis=0)
    means, stds = (np.take_along_axis(a, order, axis=0) for a in (means, stds))
    gaps = np.diff(means, axis=0) / np.maximum(np.minimum(stds[1:], stds[:-1]), 1e-300)
    apart = np.flatnonzero(np.min(gaps, axis=0) > APART)
    strengths = {int(j): _by_value(x[:, j], labels, k) for j in by_value}
    for j in apart:
        strengths[int(j)] = max(strengths.get(int(j), 0.0), _by_cuts(x[:, j], labels, order[:, j]))
    found = {j: strength for j, strength in strengths.items() if strength >= LEAK}
    if not found or len(found) > x.shape[1] / 2:
        return None, math.nan
    for j in set(range(x.shape[1])) - set(found):
        alone = _by_value(x[:, j], labels, k) if few[j] else 0.0
        if max(alone, _by_cuts(x[:, j], labels, order[:, j])) > OTHERS:
            return None, math.nan
    best = max(found, key=lambda j: found[j])
    return best, found[best]


def _by_value(column: np.ndarray, labels: Int[np.ndarray, " n"], k: int) -> float:
    """Mean recall of the classes if each value of a column is given its likeliest class."""
    _, each = np.unique(column, return_inverse=True)
    table = np.bincount(each * k + labels, minlength=k * (int(np.max(each)) + 1)).reshape(-1, k)
    share = table / np.maximum(np.sum(table, axis=0), 1)
    return float(np.sum(np.max(share, axis=1)) / np.sum(np.any(table, axis=0)))


def _by_cuts(column: np.ndarray, labels: np.ndarray, order: np.ndarray) -> float:
    """Mean recall of neighbouring classes by the best cut between them, the worst pair's."""
    worst = 1.0
    for low, high in itertools.pairwise(order):
        below, above = np.sort(column[labels == low]), np.sort(column[labels == high])
        up = np.searchsorted(below, below, side="right") / below.size
        gap = np.max(up - np.searchsorted(above, below, side="right") / above.size)
        worst = min(worst, (1 + float(gap)) / 2)
    return worst
