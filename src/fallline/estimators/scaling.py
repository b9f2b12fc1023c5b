"""Standardising inside an estimator, and the weights in the units of the data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


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
        """Weighted means and standard deviations of the columns of (n, columns)."""
        wide = x.astype(np.float64)
        mean = np.average(wide, axis=0, weights=weights)
        wide -= mean
        # By the largest first: squares of 1e200 or 1e-200 are no numbers any more.
        largest = np.abs(wide).max(axis=0)
        wide /= np.where(largest > 0, largest, 1.0)
        variance = np.average(np.square(wide, out=wide), axis=0, weights=weights)
        spread = largest * np.sqrt(variance)
        # What rounding leaves of a constant column is no spread.
        noise = np.finfo(x.dtype).eps * len(x) ** 0.5 * np.abs(mean)
        return Scaling(mean, np.where(spread > noise, spread, np.maximum(np.abs(mean), 1.0)))

    @property
    def idle(self) -> bool:
        """Does it change nothing?"""
        return bool((self.mean == 0).all() and (self.scale == 1).all())

    def apply(self, x: Any) -> Any:
        """Standardise; sparse rows, which are never scaled, pass."""
        if self.idle:
            return x
        found = x.astype(np.float64)
        found -= self.mean
        found /= self.scale
        return found

    def undo(self, x: np.ndarray) -> np.ndarray:
        """Back to the units of the data."""
        return x if self.idle else x.astype(np.float64) * self.scale + self.mean


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
