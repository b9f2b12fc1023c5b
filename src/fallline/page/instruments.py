"""What a model's layers do and what it gets right, measured on some rows, while it trains or after."""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline import sparse
from fallline.descent.inputs import count_rows
from fallline.descent.run import apply_in_blocks
from fallline.diagnosis import flow
from fallline.page import boundary
from fallline.page.confusion import confusion
from fallline.page.curves import finite
from fallline.page.residuals import histogram, residuals
from fallline.page.units import Units
from fallline.tree import names as leaf_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Array, PyTree

    from fallline.descent.objective import Batch
    from fallline.losses import Loss
    from fallline.models import Model

BINS = 32
MOST_LAYERS = 60


def instruments(
    model: Model | None,
    params: PyTree,
    state: PyTree,
    objective: Any,
    batch: Batch,
    *,
    held_out: Batch | None = None,
    loss: Loss | None = None,
    encoder: Any = None,
    history: Any = None,
    ratios: Mapping[str, float] | None = None,
    step: int | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    target: str | None = None,
) -> dict[str, Any]:
    """Measure a model where it stands.

    Its programs, which are the doctor's too, are compiled once for a model and the shapes of the rows: give
    as many rows at each call. Works in the middle of training, in the thread that trains or another.

    Args:
        model: of `fallline.models`; None for an objective of one's own.
        params: the parameters, such as those of `Progress.predictor`.
        state: the untrained state that goes with them.
        objective: what is minimised, ``problem.objective``.
        batch: training rows, some hundred; layers, gradients and activations are measured on them.
        held_out: rows for confusion and residuals; the training rows if None.
        loss: a `fallline.losses.Loss`; without it there are neither confusion, residuals nor boundary.
        encoder: how the table became numbers, so that classes, residuals and the boundary's axes are in
            the user's units; or None.
        history: the run's; with the layers' norms in it (``record="layers"``) the ratios are the last step's.
        ratios: the norm of an update by that of the weights, by leaf, where the history does not tell.
        step: the step that the parameters belong to, counted from 1; the history's last if None.
        names: of the features, where there is no encoder.
        classes: their labels, where there is no encoder.
        target: what is predicted, where there is no encoder.

    Returns:
        The card's ``instruments``. Without a model, ``layers`` are the leaves of the parameters.
    """
    gradients = flow.gradient_norms(objective, params, state, batch)
    told = dict(ratios or {}) or last_ratios(history)
    made: dict[str, Any] = {
        "step": step or (0 if history is None else len(history)),
        "sample": count_rows(batch),
        "layers": layers(params, gradients, told),
        "activations": [],
        "confusion": None,
        "residuals": None,
        "boundary": None,
    }
    if model is None:
        return made
    dense = not _is_sparse(batch.x)
    given: list[np.ndarray] = []
    if dense:
        given = [np.asarray(v) for v in flow.outputs(model, params, state, batch.x)]
        made["activations"] = activations(model, batch.x, given)
    if loss is None:
        return made
    units = Units(encoder, names, classes, target)
    seen = batch if held_out is None else held_out
    raw = given[-1] if seen is batch and dense else apply_in_blocks(model, params, state, seen.x)
    made |= predictions(raw, seen, loss, units)
    if dense and model.inputs == 2:
        box = boundary.ranges(np.asarray(batch.x))
        plane = boundary.grid(box).astype(np.asarray(batch.x).dtype)
        across = apply_in_blocks(model, params, state, plane)
        rows = _counted(batch)
        x, y = np.asarray(batch.x)[rows], np.asarray(batch.y)[rows]
        linked = np.asarray(_linked(across, loss=loss))
        made["boundary"] = boundary.boundary(box, linked, across, x, y, loss, units)
    return made


@functools.partial(jax.jit, static_argnames=("loss",))
def _linked(raw: Array, *, loss: Loss) -> Array:
    return raw if loss.link is None else loss.link(raw)


def layers(
    params: PyTree, gradients: Mapping[str, float], ratios: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The layers with weights, first to last: root mean squares of gradient and weights, and the ratio.

    Args:
        params: the parameters; of an objective of one's own each leaf is a layer.
        gradients: the gradient's norm by leaf.
        ratios: the norm of an update by that of the weights, by leaf, where it is known.
    """
    named = leaf_names(params)
    leaves = dict(zip(named, jax.tree.leaves(params), strict=True))
    chosen = flow.layer_weights(named) or named
    made: list[dict[str, Any]] = []
    for name in chosen[:MOST_LAYERS]:
        weights = np.asarray(leaves[name], np.float64)
        root = math.sqrt(max(weights.size, 1))
        made.append(
            {
                "name": spoken(name.rpartition("/")[0] or name),
                "shape": list(weights.shape),
                "gradient": finite(gradients[name] / root),
                "weight": finite(np.linalg.norm(weights) / root),
                "ratio": finite(ratios.get(name)),
            }
        )
    return made


def spoken(name: str) -> str:
    """A layer's name with its number apart: "affine 1"."""
    return re.sub(r"(?<=[a-z_])(\d+)$", r" \1", name)


def last_ratios(history: Any) -> dict[str, float]:
    """The norm of each leaf's last update by that of the leaf; empty unless the layers were recorded."""
    recorded = getattr(history, "layers", None)
    if not recorded or not len(recorded["layer_update_norm"]):
        return {}
    update, size = recorded["layer_update_norm"], recorded["layer_parameter_norm"]
    whole = np.flatnonzero(np.isfinite(update).all(axis=1) & np.isfinite(size).all(axis=1))
    if not len(whole):
        return {}
    last = whole[-1]
    pairs = zip(history.leaf_names, update[last], size[last], strict=True)
    return {name: float(moved / size) for name, moved, size in pairs if size > 0}


def activations(model: Model, x: Any, given: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """What the hidden layers give: a histogram each, and the shares of dead units and of saturated inputs."""
    made: list[dict[str, Any]] = []
    before: Any = x
    for (name, layer), values in zip(model.layers.layers, given, strict=True):
        kind = flow.kind_of(layer)
        told = flow.measured(name, kind, before, values)
        before = values
        if not told.hidden:
            continue
        known = values[np.isfinite(values)]
        low, high, counts = histogram(known, BINS) if known.size else (0.0, 1.0, [0] * BINS)
        made.append(
            {
                "name": spoken(name),
                "kind": kind,
                "low": finite(low),
                "high": finite(high),
                "counts": counts,
                "mean": finite(told.mean),
                "std": finite(told.std),
                "dead": finite(told.dead),
                "saturated": finite(told.saturated),
                "units": told.units,
            }
        )
    return made


def predictions(raw: np.ndarray, rows: Batch, loss: Loss, units: Units) -> dict[str, Any]:
    """The confusion of a classification or the residuals of a regression with one output."""
    counted = _counted(rows)
    raw, y = raw[counted], np.asarray(rows.y)[counted]
    if loss.task == "classification":
        chosen = raw[:, 0] > 0 if raw.shape[1] == 1 else raw.argmax(axis=1)
        names = units.classes(max(raw.shape[1], 2))
        return {"confusion": confusion(boundary.classes_of(y), chosen, names)}
    if raw.shape[1] != 1:
        return {}
    mean = np.asarray(_linked(raw, loss=loss))[:, 0]
    actual = units.decoded(y.reshape(len(y), -1)[:, 0])
    return {"residuals": residuals(actual, units.decoded(mean), units.target)}


def _counted(rows: Batch) -> Any:
    """Which rows count: those that only fill up have the weight 0."""
    return slice(None) if rows.weights is None else np.asarray(rows.weights) > 0


def _is_sparse(x: Any) -> bool:
    return sparse.is_rows(x) or sparse.is_sparse(x)
