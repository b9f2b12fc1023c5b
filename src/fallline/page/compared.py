"""What a result is worth: the same measure of what has learned nothing, and of least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import sparse
from fallline.baselines import normal_equation
from fallline.jobs import measure
from fallline.jobs.table_case import TableCase
from fallline.page.boundary import classes_of
from fallline.page.curves import finite
from fallline.page.parts import baselines_of

if TYPE_CHECKING:
    from fallline.descent.objective import Batch
    from fallline.diagnosis.case import RunCase

MOST_FEATURES = 500
_LINEAR = ("squared_error", "half_squared_error", "absolute_error", "huber", "log_cosh")
"""Losses of numbers that are predicted as they are."""

_LOSSES = ("validation_loss", "training_loss")


def compared(
    card: dict[str, Any], case: RunCase, held: Batch | None, where: str
) -> list[dict[str, Any]]:
    """The baselines of a card's result, on the rows it was measured on and by the same measure.

    Args:
        card: with its ``result``.
        case: the run.
        held: the rows.
        where: which they are.

    Returns:
        "majority", the training rows' most frequent class, or "mean", their mean; and "closed_form", least
        squares, for a regression with at most 500 dense features. Only what was measured on the same rows.
    """
    result, problem = card["result"], case.problem
    if result is None or problem is None or case.run.loss is None:
        return []
    task = case.run.loss.task
    made = baselines_of(result, task)
    if held is None or result["measured_on"] != where:
        return made
    goals, truth = np.asarray(problem.data.y), np.asarray(held.y)
    if result["metric"] == "accuracy":
        if not made and held.weights is None:
            majority = int(np.bincount(classes_of(goals)).argmax())
            share = float(np.mean(classes_of(truth) == majority))
            made.append({"name": "majority", "value": finite(share)})
        return made
    if task != "regression" or problem.data.weights is not None or held.weights is not None:
        return made
    mean = np.mean(goals, axis=0, dtype=np.float64)
    guesses: dict[str, Any] = {} if made else {"mean": np.broadcast_to(mean, truth.shape)}
    x, known = _table(problem.data.x), _table(held.x)
    if x is not None and known is not None and x.shape[1] <= MOST_FEATURES:
        w, b = normal_equation(x, goals)
        guesses["closed_form"] = known.astype(np.float64) @ w + b
    for name, guess in guesses.items():
        value = _value(result["metric"], case, guess, truth)
        if value is not None:
            made.append({"name": name, "value": value})
    return made


def _value(metric: str, case: RunCase, guess: np.ndarray, truth: np.ndarray) -> float | None:
    """What predictions are worth by a measure; None for one that they cannot be compared by."""
    if metric == "r2" and isinstance(case, TableCase):
        encoder = case.fitted.encoder
        decoded = [np.asarray(encoder.decode(v.reshape(-1))) for v in (truth, guess)]
        return finite(measure.regression(decoded[0], decoded[1], 0.0)["value"])
    loss, problem = case.run.loss, case.problem
    assert loss is not None
    assert problem is not None
    objective = problem.objective
    penalised = objective.l1 is not None or objective.l2 is not None
    if loss.name.partition(":")[0] not in _LINEAR or metric not in _LOSSES:
        return None
    if metric == "training_loss" and penalised:
        # It has the penalties in it, and least squares knows of none.
        return None
    kind = jnp.result_type(float)
    return finite(_mean_loss(objective, guess.reshape(len(guess), -1).astype(kind), truth))


@jax.jit
def _mean_loss(objective: Any, prediction: Any, y: Any) -> Any:
    return objective.of_prediction(prediction, y, None)


def _table(x: Any) -> np.ndarray | None:
    """The features as a table of numbers; None if they are sparse, or no table."""
    if sparse.is_rows(x) or sparse.is_sparse(x) or np.ndim(x) != 2:
        return None
    return np.asarray(x)
