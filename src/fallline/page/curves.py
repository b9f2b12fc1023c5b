"""The history of a run as lines to draw: thinned, but with every peak."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.averages import smooth
from fallline.descent.loop import EPOCH_FIELDS, STEP_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

MEMORY = (5, 200)
"""Steps that the smooth line remembers, at least and at most; between them a hundredth of the run."""


def finite(value: Any) -> float | None:
    """A number as JSON can hold it, with seven digits; None for one that is not finite, or for none."""
    if value is None:
        return None
    number = float(value)
    return float(f"{number:.7g}") if math.isfinite(number) else None


def finites(values: Iterable[Any]) -> list[float | None]:
    """`finite` of each number of an array, or of any other collection."""
    numbers: list[Any] = (
        values.tolist() if isinstance(values, np.ndarray) else list(values)  # pyright: ignore
    )
    return [finite(number) for number in numbers]


def curves(history: Any, points: int = 400, *, steps: Any = None) -> dict[str, list[Any]]:
    """The steps of a run, so many that they can be drawn, with lowest and highest loss of each stretch.

    Costs about 10 ms for 20,000 steps.

    Args:
        history: a `fallline.History`, of any length.
        points: of a longer run, stretches it is cut into; at most twice as many rows come out.
        steps: the step of each record, counted from 1, where not every step was recorded.

    Returns:
        Lists of one length by the names of `STEP_FIELDS`, None where a number is not finite; beside them
        ``step``, counted from 1, and ``smooth``, the bias-corrected exponentially weighted average of all
        losses.
    """
    losses = np.asarray(history.steps["loss"], np.float64)
    chosen = kept(losses, points)
    numbered = np.arange(1, len(losses) + 1) if steps is None else np.asarray(steps)
    lines: dict[str, list[Any]] = {"step": numbered[chosen].tolist()}
    for field in STEP_FIELDS:
        values = history.steps.get(field)
        lines[field] = (
            [None] * len(chosen) if values is None else finites(np.asarray(values)[chosen])
        )
    lines["smooth"] = finites(smooth(losses, remembered(len(losses)))[chosen])
    return lines


def remembered(steps: int) -> float:
    """The share that the smooth line keeps from step to step."""
    low, high = MEMORY
    return 1.0 - 1.0 / min(max(steps / 100, low), high)


def kept(losses: np.ndarray, points: int) -> np.ndarray:
    """Which of some losses are drawn: all, or the first, the last, and two of each stretch between them."""
    count = len(losses)
    if count <= 2 * points:
        return np.arange(count)
    edges = np.linspace(1, count - 1, max(points, 2)).astype(int)
    chosen = [0, count - 1]
    # What is not finite is neither lowest nor highest, unless the whole stretch is so.
    low, high = (np.where(np.isfinite(losses), losses, end) for end in (math.inf, -math.inf))
    for begin, end in itertools.pairwise(edges.tolist()):
        chosen += [begin + int(low[begin:end].argmin()), begin + int(high[begin:end].argmax())]
    return np.unique(chosen)


def epochs(history: Any, plan: Any, points: int = 400) -> dict[str, list[Any]]:
    """The ends of a run's epochs; of many, an even choice with the one of the best validation loss.

    Args:
        history: a `fallline.History`.
        plan: which rows each step saw (a `BatchPlan`), or steps an epoch, or None if that is not known.
        points: rows at most.

    Returns:
        Lists of one length by the names of `EPOCH_FIELDS`, None where a number is not finite; beside them
        ``step``, the last step of each epoch, counted from 1.
    """
    columns = {field: np.asarray(history.epochs.get(field, ())) for field in EPOCH_FIELDS}
    count = len(columns["training_loss"])
    each = getattr(plan, "steps", plan) or max(1, round(len(history) / max(count, 1)))
    chosen = np.arange(count)
    if count > points:
        chosen = np.linspace(0, count - 1, max(points - 1, 1)).astype(int)
        watched = columns["validation_loss"]
        if len(watched) == count and np.isfinite(watched).any():
            chosen = np.append(
                chosen, np.nanargmin(np.where(np.isfinite(watched), watched, np.nan))
            )
        chosen = np.unique(chosen)
    # An epoch that was cut short ended with the run.
    ends = np.minimum((chosen + 1) * int(each), len(history))
    found: dict[str, list[Any]] = {"step": ends.tolist()}
    for field, values in columns.items():
        found[field] = [None] * len(chosen) if len(values) != count else finites(values[chosen])
    return found
