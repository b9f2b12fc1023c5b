"""What a fix changes: new values by name, put into the arguments of `fallline.train`.

| name | value |
|---|---|
| ``learning_rate`` | the initial rate; a schedule is kept and started from it |
| ``schedule`` | "constant": the schedule is taken away; ("cosine", steps): down to 0 in so many |
| ``optimizer`` | another optimizer by name, at the rate that goes with it |
| ``momentum``, ``epsilon`` | of the optimizer |
| ``clip_norm`` | the limit of every clipping wrapper; None takes them away |
| ``batch_size``, ``epochs``, ``patience``, ``l1``, ``l2`` and their like | as in `fallline.train` |
| ``init``, ``activation``, ``hidden`` | of a network; the parameters are drawn anew |
| ``standardize`` | "inputs" or "target": mean 0 and standard deviation 1 |
| ``decorrelate`` | True: inputs of mean 0, standard deviation 1 and no correlation, as many as before |
| ``drop`` | the index of a column to leave out |
| ``params`` | another start |
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import sparse
from fallline.descent.problem import initial_rate, with_rate
from fallline.errors import FalllineError
from fallline.models import MLP, Linear
from fallline.optimizers import SGD, Adam, ClipByGlobalNorm, Momentum
from fallline.optimizers import by_name as optimizer_by_name
from fallline.optimizers.transforms import ClipByNorm, ClipByValue, Transform
from fallline.schedules import CosineDecay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLAIN = (
    "batch_size",
    "epochs",
    "steps",
    "patience",
    "min_improvement",
    "l1",
    "l2",
    "params",
    "seed",
    "validation",
    "slope_tolerance",
    "gradient_tolerance",
)
CLIPS = (ClipByGlobalNorm, ClipByNorm, ClipByValue)


def optimizer_of(arguments: Mapping[str, Any], rate: float | None = None) -> Any:
    """The optimizer that the arguments of `fallline.train` ask for.

    Args:
        arguments: of the call.
        rate: what "auto" came to.
    """
    optimizer = arguments.get("optimizer")
    if isinstance(optimizer, str):
        optimizer = optimizer_by_name(optimizer)
    optimizer = optimizer or Adam()
    asked = arguments.get("learning_rate")
    if asked == "auto":
        return optimizer if rate is None else with_rate(optimizer, rate)
    return optimizer if asked is None else with_rate(optimizer, asked)


def changed(
    arguments: Mapping[str, Any], changes: Mapping[str, Any], rate: float | None = None
) -> dict[str, Any]:
    """The arguments of `fallline.train` with changes made in them.

    Args:
        arguments: of the call.
        changes: see this module.
        rate: the initial rate of the run, where it was found by the range test.

    Raises:
        FalllineError: for a change that these arguments have no place for.
    """
    new = dict(arguments)
    optimizer = optimizer_of(arguments, rate)
    new["learning_rate"] = None
    for name, value in changes.items():
        if name in PLAIN:
            new[name] = value
        elif name in ("init", "activation", "hidden"):
            new["model"] = rebuilt(new["model"], **{name: value})
            new["params"] = None
        elif name == "standardize":
            new = standardized(new, value)
        elif name == "decorrelate":
            new = decorrelated(new)
        elif name == "drop":
            new = without_column(new, value)
        elif name == "optimizer":
            optimizer = optimizer_by_name(value)
        elif name == "schedule":
            optimizer = optimizer.with_rate(_schedule(float(initial_rate(optimizer)), value))
        elif name == "clip_norm":
            optimizer = clipped(optimizer, value)
        elif name in ("momentum", "epsilon"):
            optimizer = innermost(optimizer, functools.partial(_with, name=name, value=value))
        elif name != "learning_rate":
            raise FalllineError(f"There is no setting called {name!r} to change.")
    if "learning_rate" in changes:
        if changes["learning_rate"] == "auto":
            new["learning_rate"] = "auto"
        else:
            optimizer = with_rate(optimizer, changes["learning_rate"])
    new["optimizer"] = optimizer
    return new


def _schedule(rate: float, value: Any) -> Any:
    if value == "constant":
        return rate
    word, steps = value
    if word != "cosine":
        raise FalllineError(f"There is no change of the schedule called {word!r}.")
    return CosineDecay(rate, steps)


def innermost(optimizer: Any, change: Callable[[Any], Any]) -> Any:
    """The optimizer with a change made inside all its wrappers."""
    if isinstance(optimizer, Transform):
        inner = innermost(optimizer.optimizer, change)
        return dataclasses.replace(optimizer, optimizer=inner)  # pyright: ignore
    return change(optimizer)


def core(optimizer: Any) -> Any:
    """What is inside all wrappers."""
    while isinstance(optimizer, Transform):
        optimizer = optimizer.optimizer
    return optimizer


def clip_of(optimizer: Any) -> Any:
    """The outermost clipping wrapper, or None."""
    while isinstance(optimizer, Transform):
        if isinstance(optimizer, CLIPS):
            return optimizer
        optimizer = optimizer.optimizer
    return None


def clipped(optimizer: Any, limit: float | None) -> Any:
    """The optimizer with another limit on its gradients; None for none."""
    if limit is not None and clip_of(optimizer) is None:
        return ClipByGlobalNorm(optimizer, limit)
    if not isinstance(optimizer, Transform):
        return optimizer
    inner = (
        clipped(optimizer.optimizer, limit) if clip_of(optimizer.optimizer) else optimizer.optimizer
    )
    if isinstance(optimizer, CLIPS):
        return (
            inner if limit is None else dataclasses.replace(optimizer, optimizer=inner, limit=limit)
        )
    return dataclasses.replace(optimizer, optimizer=inner)  # pyright: ignore


def _with(optimizer: Any, name: str, value: float) -> Any:
    if name == "momentum" and isinstance(optimizer, SGD):
        return Momentum(optimizer.learning_rate, value)
    if all(field.name != name for field in dataclasses.fields(optimizer)):
        raise FalllineError(f"{type(optimizer).__name__} has no {name} to change.")
    return dataclasses.replace(optimizer, **{name: value})


def rebuilt(model: Any, **changes: Any) -> Any:
    """A model with other fields: its initialiser, activation or hidden layers.

    Raises:
        FalllineError: if the model has no such field.
    """
    if isinstance(model, Linear) and set(changes) == {"init"}:
        init = "zeros" if changes["init"] == "auto" else changes["init"]
        return Linear(model.inputs, model.outputs, init, model.bias)
    if isinstance(model, Linear) and set(changes) == {"hidden"}:
        return MLP(model.inputs, changes["hidden"], model.outputs)
    if not isinstance(model, MLP):
        raise FalllineError(f"{type(model).__name__} has no {', '.join(changes)} to change.")
    fields: dict[str, Any] = {
        "hidden": model.hidden,
        "activation": model.activation,
        "batch_norm": model.batch_norm,
        "dropout": model.dropout,
        "init": model.initialiser,
    }
    return MLP(model.inputs, outputs=model.outputs, **{**fields, **changes})


def standardized(arguments: dict[str, Any], part: str) -> dict[str, Any]:
    """The arguments with inputs or target at mean 0 and standard deviation 1, by the training rows."""
    place = 0 if part == "inputs" else 1
    wide = _dense(arguments["data"][place])
    mean, deviation = wide.mean(axis=0), wide.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return _mapped(arguments, place, lambda values: (values - mean) / deviation)


def decorrelated(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with inputs along their principal axes, each at mean 0 and standard deviation 1.

    Axes with less than a millionth of the largest variance, which are as good as rounding, become 0.
    """
    wide = _dense(arguments["data"][0])
    mean = wide.mean(axis=0)
    variances, axes = np.linalg.eigh((wide - mean).T @ (wide - mean) / len(wide))
    kept = variances > 1e-6 * variances.max(initial=0.0)
    matrix = axes * np.where(kept, 1 / np.sqrt(np.where(kept, variances, 1.0)), 0.0)
    return _mapped(arguments, 0, lambda values: (values - mean) @ matrix)


def _dense(values: Any) -> np.ndarray:
    if sparse.is_sparse(values) or sparse.is_rows(values):
        raise FalllineError("Sparse inputs cannot be centred; divide each column by its own scale.")
    return np.asarray(values, np.float64)


def _mapped(
    arguments: dict[str, Any], place: int, change: Callable[[np.ndarray], np.ndarray]
) -> dict[str, Any]:
    """The arguments with inputs (0) or targets (1) changed, of the training and of the validation rows."""

    def changed_rows(rows: Any) -> Any:
        values = change(_dense(rows[place])).astype(np.float32)
        return (*rows[:place], values, *rows[place + 1 :])

    new = {**arguments, "data": changed_rows(arguments["data"])}
    if isinstance(arguments.get("validation"), (tuple, list)):
        new["validation"] = changed_rows(arguments["validation"])
    return new


def without_column(arguments: dict[str, Any], column: int) -> dict[str, Any]:
    """The arguments without a column of the inputs; the model gets one input less."""

    def cut(rows: Any) -> Any:
        return (np.delete(np.asarray(rows[0]), column, axis=1), *rows[1:])

    model = arguments["model"]
    if isinstance(model, Linear):
        model = Linear(model.inputs - 1, model.outputs, model.initialiser, model.bias)
    elif isinstance(model, MLP):
        fields = (model.hidden, model.outputs, model.activation, model.batch_norm, model.dropout)
        model = MLP(model.inputs - 1, *fields, model.initialiser)
    new = {**arguments, "data": cut(arguments["data"]), "model": model, "params": None}
    if isinstance(arguments.get("validation"), (tuple, list)):
        new["validation"] = cut(arguments["validation"])
    return new
