"""What a model with two features predicts over the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.page.curves import finite, finites
from fallline.page.residuals import evenly

if TYPE_CHECKING:
    from fallline.losses import Loss
    from fallline.page.units import Units

N = 61
POINTS = 600
MARGIN = 0.08
"""How far the plane reaches beyond the rows, as a share of their range."""


def ranges(x: np.ndarray) -> np.ndarray:
    """The plane around some rows, (2, 2): low and high of each feature, as the model sees them."""
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    spread = np.where(high > low, high - low, np.maximum(np.abs(low), 1.0))
    return np.stack([low - MARGIN * spread, high + MARGIN * spread], axis=1)


def grid(box: np.ndarray) -> np.ndarray:
    """The points of the plane row by row, lowest second feature first, (N * N, 2)."""
    first, second = (np.linspace(low, high, N) for low, high in box)
    across, up = np.meshgrid(first, second)
    return np.stack([across.ravel(), up.ravel()], axis=1)


def boundary(
    box: np.ndarray,
    found: np.ndarray,
    raw: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    loss: Loss,
    units: Units,
) -> dict[str, Any]:
    """What is predicted on `grid`, with the rows that it was learned from.

    Args:
        box: from `ranges`.
        found: the link's output on the grid: means or probabilities; raw outputs where there is no link.
        raw: the raw outputs on the grid.
        x: rows, (n, 2).
        y: their targets as the model sees them.
        loss: the loss.
        units: what the numbers mean.

    Returns:
        The values row by row: the second class's probability, the most probable class, or the prediction. Of
        a loss of a margin, which gives no probabilities, ``certainty`` is the distance from the boundary by
        the largest distance.
    """
    chosen = evenly(len(x), POINTS)
    axes: list[dict[str, Any]] = []
    points: dict[str, list[Any]] = {}
    for i, letter in enumerate("xy"):
        name, mean, scale = units.feature(i)
        low, high = mean + scale * box[i]
        axes.append({"name": name, "low": finite(low), "high": finite(high)})
        points[letter] = finites(mean + scale * x[chosen, i].astype(np.float64))
    made: dict[str, Any] = {"x": axes[0], "y": axes[1], "n": N, "classes": None}
    if loss.task == "regression":
        values = units.decoded(found[:, 0])
        points["target"] = finites(units.decoded(np.reshape(y, (len(y), -1))[chosen, 0]))
        made |= {"kind": "value", "values": finites(values)}
    else:
        indices = classes_of(y)[chosen]
        points["target"] = indices.tolist()
        outputs = max(raw.shape[1], 2)
        made["classes"] = units.classes(outputs)
        if outputs == 2 and loss.link is not None:
            values = found[:, -1]
            made |= {"kind": "probability", "values": finites(values)}
        else:
            values = raw[:, 0] > 0 if raw.shape[1] == 1 else raw.argmax(axis=1)
            certain = found.max(axis=1) if loss.link is not None else _margin(raw)
            made |= {"kind": "classes", "values": values.astype(int).tolist()}
            made["certainty"] = finites(certain)
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    if made["kind"] == "probability":
        low, high = 0.0, 1.0
    return {**made, "low": finite(low), "high": finite(high), "points": points}


def classes_of(y: np.ndarray) -> np.ndarray:
    """Class indices from targets: indices, zeros and ones in a column, or a row of shares for each."""
    y = np.asarray(y)
    if y.ndim > 1 and y.shape[1] > 1:
        return y.argmax(axis=1)
    return (y.reshape(-1) + 0.5).astype(np.int64)


def _margin(raw: np.ndarray) -> np.ndarray:
    """How far each score is from the next one, by the largest such distance."""
    if raw.shape[1] == 1:
        far = np.abs(raw[:, 0])
    else:
        two = np.sort(raw, axis=1)[:, -2:]
        far = two[:, 1] - two[:, 0]
    return far / max(float(far.max()), 1e-30)
