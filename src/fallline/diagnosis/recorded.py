"""What the history of a run tells by itself, which costs nothing."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis import changes as changing
from fallline.diagnosis import slope, trials
from fallline.optimizers import SGD, ClipByGlobalNorm, Momentum

if TYPE_CHECKING:
    from fallline.diagnosis.case import Case
    from fallline.diagnosis.slope import Slope
    from fallline.diagnosis.trials import Outcome


class Recorded:
    """The numbers of a case that its history holds, and its setting.

    Args:
        case: the case.
        measure: False for what the history alone can tell.
        clock: the time limit of all measurements.
    """

    def __init__(
        self, case: Case, *, measure: bool = True, clock: trials.Clock | None = None
    ) -> None:
        self.case = case
        self.measure = measure
        self.clock = clock or trials.Clock(5.0)

    @functools.cached_property
    def losses(self) -> np.ndarray:
        """The loss of every step, (steps,)."""
        return np.asarray(self.case.history.steps["loss"], np.float64)

    def column(self, name: str) -> np.ndarray:
        """Another column of the steps' history."""
        return np.asarray(self.case.history.steps[name], np.float64)

    @property
    def steps(self) -> int:
        """Steps recorded."""
        return len(self.losses)

    @property
    def blew_up(self) -> bool:
        """Did the run leave the finite numbers?"""
        return self.case.ended == "non-finite" or not np.isfinite(self.losses[-1:]).all()

    @functools.cached_property
    def first(self) -> float:
        """The loss of the first step's batch, before it."""
        return float(self.losses[0]) if self.steps else math.nan

    @functools.cached_property
    def outcome(self) -> Outcome:
        """How low the run came."""
        return trials.outcome_of(
            self.case.history, "non-finite" if self.blew_up else self.case.ended
        )

    @property
    def last(self) -> float:
        """The loss at the end; infinite if the run blew up."""
        return self.outcome.loss

    @functools.cached_property
    def lowest(self) -> float:
        """The lowest mean loss of a twentieth of the run."""
        finite = self.losses[np.isfinite(self.losses)]
        if not len(finite):
            return math.inf
        width = max(1, min(len(finite) // 20, 200))
        return float(np.convolve(finite, np.full(width, 1 / width), mode="valid").min())

    @functools.cached_property
    def trend(self) -> Slope:
        """The slope of the loss over the last three tenths."""
        return slope.trend(self.losses[np.isfinite(self.losses)])

    @property
    def pace(self) -> float:
        """By which share of itself the loss would change over another such run, at its last pace."""
        trend = self.trend
        slope = trend.per_step * self.steps
        if trend.logarithmic:
            return min(math.expm1(min(slope, 700.0)), 10.0)
        return slope / max(abs(trend.level), 1e-30)

    @functools.cached_property
    def rises(self) -> float:
        """On which share of the later half's steps the loss rose."""
        return slope.rises(self.losses[self.steps // 2 :])

    @functools.cached_property
    def cosine(self) -> float:
        """The mean cosine between successive gradients over the last three tenths."""
        values = self.column("gradient_cosine")[-max(20, int(0.3 * self.steps)) :]
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else math.nan

    @functools.cached_property
    def rates(self) -> np.ndarray:
        """The learning rate of every step."""
        return self.column("learning_rate")

    @property
    def rate(self) -> float:
        """The highest learning rate of the run."""
        finite = self.rates[np.isfinite(self.rates)]
        return float(finite.max()) if len(finite) else math.nan

    @functools.cached_property
    def displaced(self) -> float:
        """How far all steps together could have led, over the length of the parameters at the start."""
        steps, sizes = self.column("update_norm"), self.column("parameter_norm")
        known = steps[np.isfinite(steps)]
        if not len(known) or not len(sizes) or not sizes[0] > 0:
            return math.nan
        # Where only some steps were measured, they stand for all.
        return float(known.mean() * len(steps) / sizes[0])

    @functools.cached_property
    def gradient_norms(self) -> np.ndarray:
        """The gradient's norm at every step."""
        return self.column("gradient_norm")

    @functools.cached_property
    def last_gradient(self) -> float:
        """The median norm of the gradient over the last tenth."""
        return median(self.gradient_norms[-max(5, self.steps // 10) :])

    @functools.cached_property
    def clip(self) -> float | None:
        """The limit on the gradient's norm, or None."""
        clip = changing.clip_of(self.case.optimizer)
        # The others limit something else than the norm that the history has.
        return float(clip.limit) if isinstance(clip, ClipByGlobalNorm) else None

    @functools.cached_property
    def clipped(self) -> float:
        """On which share of the steps the gradient was longer than its limit."""
        if self.clip is None:
            return math.nan
        known = self.gradient_norms[np.isfinite(self.gradient_norms)]
        return float(np.mean(known > self.clip)) if len(known) else math.nan

    @functools.cached_property
    def validation(self) -> np.ndarray:
        """The validation loss of every epoch, what is not finite left out."""
        values = np.asarray(self.case.history.epochs.get("validation_loss", []), np.float64)
        return values[np.isfinite(values)]

    @functools.cached_property
    def training(self) -> np.ndarray:
        """The training loss of every epoch."""
        return np.asarray(self.case.history.epochs.get("training_loss", []), np.float64)

    @functools.cached_property
    def own_objective(self) -> bool:
        """Is a function of the user's minimised, not a model with a loss?"""
        return self.case.model is None

    @functools.cached_property
    def optimizer(self) -> Any:
        """The optimizer inside all its wrappers, or None."""
        return None if self.case.optimizer is None else changing.core(self.case.optimizer)

    @property
    def penalised(self) -> bool:
        """Are there penalties on the weights?"""
        asked = getattr(self.case, "asked", {})
        return bool(asked.get("l1") or asked.get("l2"))

    @property
    def plain_descent(self) -> bool:
        """Is it plain gradient descent, with or without momentum?"""
        return isinstance(self.optimizer, (SGD, Momentum))

    @functools.cached_property
    def hidden(self) -> int:
        """Hidden layers."""
        return len(getattr(self.case.model, "hidden", ()))

    def _recorded_gradients(self, when: str) -> dict[str, float]:
        """The gradient's norm by leaf where every step recorded it."""
        layers = self.case.history.layers.get("layer_gradient_norm")
        if layers is None or not len(layers):
            return {}
        layers = np.asarray(layers, np.float64)
        part = layers[:1] if when == "start" else layers[-max(1, len(layers) // 10) :]
        names = self.case.history.leaf_names
        return dict(zip(names, np.nanmedian(part, axis=0).tolist(), strict=True))


def median(values: np.ndarray) -> float:
    """The median of what is finite; NaN if nothing is."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan
