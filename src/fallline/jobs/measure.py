"""How good predictions are, in the user's units, beside a baseline that has learned nothing."""

from __future__ import annotations

import numpy as np


def regression(truth: np.ndarray, prediction: np.ndarray, mean: float) -> dict[str, float]:
    """R2, root mean squared and mean absolute error, and the same for the constant ``mean``.

    Args:
        truth: targets in the user's units, (n,).
        prediction: likewise.
        mean: the mean of the training targets.
    """
    truth = truth.astype(np.float64)
    spread = np.sum((truth - truth.mean()) ** 2)

    def r2(guess: np.ndarray | float) -> float:
        return float(1 - np.sum((truth - guess) ** 2) / spread) if spread > 0 else float("nan")

    return {
        "value": r2(prediction),
        "baseline": r2(mean),
        "rmse": float(np.sqrt(np.mean((truth - prediction) ** 2))),
        "baseline_rmse": float(np.sqrt(np.mean((truth - mean) ** 2))),
        "mae": float(np.mean(np.abs(truth - prediction))),
    }


def classification(truth: np.ndarray, prediction: np.ndarray, majority: int) -> dict[str, float]:
    """Accuracy, and that of always naming the training rows' most frequent class.

    Args:
        truth: class indices, (n,).
        prediction: likewise.
        majority: the most frequent class of the training rows.
    """
    return {
        "value": float(np.mean(truth == prediction)),
        "baseline": float(np.mean(truth == majority)),
    }
