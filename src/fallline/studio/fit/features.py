"""What the model sees: scaled inputs, their powers, scaled targets; fixed when a run starts."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Features:
    r"""The way from points in their own units to the rows that are trained on, and back.

    $t = (x - c) / s$; the columns are $t$, or $(t^k - m_k) / d_k$ for $k = 1 \dots$ degree. The target is
    $(y - c_y) / s_y$. All numbers stay what they were at the start, also while points are added: the
    parameters keep their meaning.

    Attributes:
        center: $c$.
        scale: $s$.
        means: $m_k$, one a power; empty for the plain $t$.
        deviations: $d_k$.
        target_center: $c_y$.
        target_scale: $s_y$.
    """

    center: float = 0.0
    scale: float = 1.0
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    target_center: float = 0.0
    target_scale: float = 1.0

    @staticmethod
    def learn(
        x: np.ndarray, y: np.ndarray, *, degree: int = 0, standardise: bool = False
    ) -> Features:
        """Learn from points.

        Args:
            x: shape (n,).
            y: shape (n,).
            degree: of the powers; 0 for the plain input.
            standardise: the input and the target to mean 0 and deviation 1; powers always are.
        """
        center, scale = _moments(x) if standardise or degree else (0.0, 1.0)
        target = _moments(y) if standardise else (0.0, 1.0)
        if not degree:
            return Features(center, scale, (), (), *target)
        powers = _powers((x - center) / scale, degree)
        pairs = [_moments(column) for column in powers.T]
        means, deviations = zip(*pairs, strict=True)
        return Features(center, scale, means, deviations, *target)

    def columns(self, x: np.ndarray) -> np.ndarray:
        """The rows that the model sees, shape (n, 1) or (n, degree)."""
        t = (x - self.center) / self.scale
        if not self.means:
            return t[:, None]
        return (_powers(t, len(self.means)) - np.array(self.means)) / np.array(self.deviations)

    def target(self, y: np.ndarray) -> np.ndarray:
        """The targets, shape (n,)."""
        return (y - self.target_center) / self.target_scale

    def back(self, z: np.ndarray) -> np.ndarray:
        """Predictions in the units of y."""
        return z * self.target_scale + self.target_center


def _powers(t: np.ndarray, degree: int) -> np.ndarray:
    return np.stack([t**k for k in range(1, degree + 1)], axis=1)


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation; 0 and 1 where they would say nothing."""
    if len(values) < 2:
        return 0.0, 1.0
    # Around the middle, so that the squares of large numbers keep their digits.
    deviation = float(np.std(values))
    return float(np.mean(values)), deviation if deviation > 1e-12 * np.abs(values).max() else 1.0
