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
        scale: $\sigma$, shape (columns,); 1 for a constant column.
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
        variance = np.average(np.square(wide - mean), axis=0, weights=weights)
        # What rounding leaves of a constant column is no spread.
        noise = np.square(1e-9 * np.maximum(np.abs(mean), 1e-30))
        return Scaling(mean, np.where(variance > noise, np.sqrt(variance), 1.0))

    @property
    def idle(self) -> bool:
        """Does it change nothing?"""
        return bool((self.mean == 0).all() and (self.scale == 1).all())

    def apply(self, x: Any) -> Any:
        """Standardise; sparse rows, which are never scaled, pass."""
        return x if self.idle else (x.astype(np.float64) - self.mean) / self.scale

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
