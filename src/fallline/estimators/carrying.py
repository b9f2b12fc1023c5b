"""What a fit of scikit-learn's left behind, for an estimator here to go on from."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from fallline.estimators.settings import InvalidInput

if TYPE_CHECKING:
    from fallline.estimators.scaling import Affine


@dataclasses.dataclass
class Source:
    """What is translated, and what is found out on the way.

    Attributes:
        estimator: scikit-learn's.
        rows: rows it will be fitted to, or None.
        notes: a sentence for each thing that is not the same here.
    """

    estimator: Any
    rows: int | None
    notes: list[str] = dataclasses.field(default_factory=list[str])

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.estimator).__name__

    @property
    def fitted(self) -> bool:
        """Has it weights?"""
        # SGD's estimators set coef_ to None while they start anew.
        found = (getattr(self.estimator, name, None) for name in ("coef_", "coefs_"))
        return any(weights is not None for weights in found)

    @property
    def classes(self) -> int:
        """How many classes it knows; 0 before a fit."""
        return len(self.estimator.classes_) if self.fitted else 0


def training_rows(source: Source) -> int | None:
    """Rows that a network is trained on, where they are known."""
    s = source.estimator
    if source.rows is not None:
        held = math.ceil(source.rows * s.validation_fraction) if s.early_stopping else 0
        return max(source.rows - held, 1)
    curve = getattr(s, "loss_curve_", None)
    return max(round(s.t_ / len(curve)), 1) if curve else None


def averaged_outputs(source: Source) -> int:
    """Outputs that the loss here is the mean over, where it is known that there are several."""
    s = source.estimator
    return 1 if not source.fitted or s.out_activation_ == "softmax" else int(s.n_outputs_)


def carry_weights(source: Source, found: Any) -> None:
    """Give the counterpart what the fit left: weights, classes, the optimizer's memory, curves."""
    s = source.estimator
    network = hasattr(s, "coefs_")
    layers = (
        list(zip(s.coefs_, s.intercepts_, strict=True))
        if network
        else [_layer(s.coef_, s.intercept_)]
    )
    outputs = layers[-1][1].shape[0]
    facts: dict[str, Any] = {"n_features_in_": s.n_features_in_}
    if hasattr(s, "feature_names_in_"):
        facts["feature_names_in_"] = s.feature_names_in_
    if hasattr(s, "classes_"):
        if len(s.classes_) < 2:
            raise InvalidInput(f"This {source.name} was fitted to one class; it needs two or more.")
        several = network and s.out_activation_ == "logistic" and outputs > 1
        facts |= {"classes_": s.classes_, "_multilabel": several}
    else:
        facts["_outputs_wanted"] = outputs
    last: dict[str, Any] = {}
    seen = 0
    if network and hasattr(s, "_optimizer"):
        seen = int(s.t_)
        last = {"optimizer_state": _network_memory(source, found)}
        curve = list(s.loss_curve_)
        facts |= {"loss_curve_": curve, "loss_": curve[-1] if curve else math.nan}
        facts["validation_scores_"] = getattr(s, "validation_scores_", None)
        best = getattr(s, "best_loss_", None)
        facts["best_loss_"] = math.nan if best is None else float(best)
    elif not network and hasattr(s, "t_"):
        seen = int(s.t_) - 1
        last = _averaging(s, found, seen)
    elif network:
        facts["loss_"] = float(s.loss_)
    done, rate = getattr(s, "n_iter_", None), found.learning_rate_init
    found._adopt(
        layers,
        kind=np.result_type(*(weights for weights, _ in layers)),
        last=last,
        n_iter_=0 if done is None else int(np.max(done)),
        t_=seen,
        learning_rate_=math.nan if rate is None or isinstance(rate, str) else float(rate),
        stop_reason_=f"Taken over from scikit-learn's {source.name}, which was fitted there.",
        **facts,
    )


def _layer(coef: Any, intercept: Any) -> Affine:
    """Scikit-learn's attributes of a linear model as a layer: (columns, outputs), (outputs,)."""
    dense = coef.toarray() if sparse.issparse(coef) else np.asarray(coef)
    weights = np.atleast_2d(dense).T
    return weights, np.broadcast_to(np.ravel(intercept), (weights.shape[1],)).astype(weights.dtype)


def _tree(layers: list[Affine], *, bias: bool = True) -> dict[str, Any]:
    """Layers as the engine's parameters."""
    return {
        f"affine{i}": {"weights": np.array(w), **({"bias": np.array(b)} if bias else {})}
        for i, (w, b) in enumerate(layers, 1)
    }


def _averaging(s: Any, found: Any, steps: int) -> dict[str, Any]:
    """Where descent with one row a step stands: its step, and its average where there is one."""
    state: dict[str, Any] = {"step": np.int32(steps)}
    if not found.average:
        return {"optimizer_state": state}
    if getattr(s, "_average_coef", None) is None or getattr(s, "_standard_coef", None) is None:
        return {}
    bias = bool(s.fit_intercept)
    return {
        "params": _tree([_layer(s._standard_coef, s._standard_intercept)], bias=bias),
        "optimizer_state": {
            "inner": state,
            "average": _tree([_layer(s.coef_, s.intercept_)], bias=bias),
            "count": np.float64(steps),
        },
    }


def _network_memory(source: Source, found: Any) -> dict[str, Any]:
    """What the optimizer remembers: Adam's averages, or a velocity."""
    s, memory = source.estimator, source.estimator._optimizer
    count = len(s.coefs_)

    def tree(arrays: list[np.ndarray], factor: float = 1.0) -> dict[str, Any]:
        scaled = [factor * np.asarray(a) for a in arrays]
        return _tree(list(zip(scaled[:count], scaled[count:], strict=True)))

    outputs = averaged_outputs(source)
    if hasattr(memory, "ms"):
        return {
            "step": np.int32(memory.t),
            "mean": tree(memory.ms, 1.0 / outputs),
            "square": tree(memory.vs, 1.0 / outputs**2),
        }
    rows = training_rows(source)
    steps = len(s.loss_curve_) * -(-rows // min(int(found.batch_size), rows)) if rows else 0
    state: dict[str, Any] = {"step": np.int32(steps)}
    if s.momentum:
        # There the velocity has the rate in it, and the sign of a step; the rate here is for the mean.
        state["velocity"] = tree(memory.velocities, -1.0 / (memory.learning_rate * outputs))
    return state
