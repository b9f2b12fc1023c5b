"""Which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CLASSES = 30
REST = "…"
"""What all classes beyond the most frequent ones are called together."""


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """How many rows of each class were taken for which.

    Args:
        truth: class indices, (n,).
        predicted: likewise.
        classes: the labels; of more than 30 the 29 most frequent ones are kept, the others counted together.

    Returns:
        ``classes`` and ``counts``: a row for each true class, a column for each predicted one.
    """
    truth, predicted = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    labels = list(classes)
    if len(labels) > MOST_CLASSES:
        frequent = np.argsort(-np.bincount(truth, minlength=len(labels)), kind="stable")
        chosen = np.sort(frequent[: MOST_CLASSES - 1])
        places = np.full(len(labels), len(chosen))
        places[chosen] = np.arange(len(chosen))
        truth, predicted = places[truth], places[predicted]
        labels = [*(labels[i] for i in chosen), REST]
    count = len(labels)
    counts = np.bincount(truth * count + predicted, minlength=count * count)
    return {"classes": labels, "counts": counts.reshape(count, count).tolist()}
