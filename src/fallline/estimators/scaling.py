"""Standardising inside an estimator, and the weights in the units of the data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOGETHER = 1 << 15
"""Numbers that are brought to double precision together."""


@dataclasses.dataclass(frozen=True)
class Scaling:
    r"""Means and spreads that make columns comparable: $(x - \mu) / \sigma$.

    Attributes:
        mean: $\mu$, shape (columns,).
        scale: $\sigma$, shape (columns,); of a constant column its size, at least 1.
    """

    mean: np.ndarray
    scale: np.ndarray

    @staticmethod
    def none(columns: int) -> Scaling:
        """Leaves everything as it is."""
        return Scaling(np.zeros(columns), np.ones(columns))

    @staticmethod
    def learn(x: np.ndarray, weights: np.ndarray | None) -> Scaling:
        """Weighted means and standard deviations of the columns of (n, columns), in two passes."""
        total = len(x) if weights is None else weights.sum(dtype=np.float64)

        def average(numbers: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
            found = np.zeros(x.shape[1])
            for rows in _blocks(x):
                wide = numbers(x[rows].astype(np.float64))
                found += wide.sum(axis=0) if weights is None else weights[rows] @ wide
            return found / total

        mean = average(lambda wide: wide)
        # By the largest first: squares of 1e200 or 1e-200 are no numbers any more.
        largest = np.maximum(x.max(axis=0) - mean, mean - x.min(axis=0))
        unit = np.where(largest > 0, largest, 1.0)
        spread = largest * np.sqrt(average(lambda wide: np.square((wide - mean) / unit)))
        # What rounding leaves of a constant column is no spread.
        noise = np.finfo(x.dtype).eps * len(x) ** 0.5 * np.abs(mean)
        return Scaling(mean, np.where(spread > noise, spread, np.maximum(np.abs(mean), 1.0)))

    @property
    def idle(self) -> bool:
        """Does it change nothing?"""
        return bool((self.mean == 0).all() and (self.scale == 1).all())

    def apply(self, x: Any, kind: Any = np.float64) -> Any:
        """Standardise, computed in double precision, as numbers of a kind.

        What is left as it is passes, whatever its kind; so do sparse rows, which are never scaled.
        """
        if self.idle:
            return x
        found = np.empty_like(x, kind)
        for rows in _blocks(x):
            wide = x[rows] - self.mean
            np.divide(wide, self.scale, out=wide)
            found[rows] = wide
        return found

    def undo(self, x: np.ndarray) -> np.ndarray:
        """Back to the units of the data."""
        return x if self.idle else x.astype(np.float64) * self.scale + self.mean


def _blocks(x: np.ndarray) -> Iterator[slice]:
    """Rows of (n, columns) in parts that the inner caches hold."""
    height = max(1, _TOGETHER // max(x.shape[1], 1))
    return (slice(first, first + height) for first in range(0, len(x), height))


Affine = tuple[np.ndarray, np.ndarray]
"""Weights (inputs, outputs) and bias (outputs,)."""


def unscaled(affines: list[Affine], features: Scaling, target: Scaling) -> list[Affine]:
    """Layers that take and give standardised numbers, as layers on the data's own units."""
    found = [(w.astype(np.float64), b.astype(np.float64)) for w, b in affines]
    w, b = found[0]
    w = w / features.scale[:, None]
    found[0] = (w, b - features.mean @ w)
    w, b = found[-1]
    found[-1] = (w * target.scale, b * target.scale + target.mean)
    return found


def scaled(affines: list[Affine], features: Scaling, target: Scaling) -> list[Affine]:
    """The other way round: `unscaled` of the result gives the layers back."""
    found = [(w.astype(np.float64), b.astype(np.float64)) for w, b in affines]
    w, b = found[-1]
    found[-1] = (w / target.scale, (b - target.mean) / target.scale)
    w, b = found[0]
    found[0] = (w * features.scale[:, None], b + features.mean @ w)
    return found
