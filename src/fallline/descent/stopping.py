"""When a run ends, and how that is said."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError
from fallline.tree import as_floats, hyperparameters

if TYPE_CHECKING:
    from jaxtyping import Array

RUNNING, BLEW_UP, PATIENCE, GRADIENT, SLOPE = range(5)
"""Codes that the compiled loop sets; 0 is a run that goes on."""

WINDOW = 10
"""Epochs over which the slope of the loss is taken."""


@hyperparameters
class Rules:
    """The rules that the compiled loop checks at the end of each epoch; all are numbers.

    Attributes:
        patience: epochs without a better monitored loss before the run stops; inf for never.
        gradient_tolerance: stop when the gradient norm, averaged over the epoch, is below it.
        slope_tolerance: stop when the epoch's mean training loss falls by less than this share of
            itself an epoch, by a straight line through the last 10 epochs; negative for never.
        min_improvement: by how much the monitored loss must fall below the best to count as better for
            the patience.
    """

    patience: Any = float("inf")
    gradient_tolerance: Any = 0.0
    slope_tolerance: Any = -1.0
    min_improvement: Any = 0.0

    def __post_init__(self) -> None:
        as_floats(self)

    def check(self, since_best: Array, gradient_norm: Array, recent: Array) -> Array:
        """The code of the first rule that says stop, else 0.

        Args:
            since_best: epochs since the monitored loss was best.
            gradient_norm: the epoch's mean gradient norm.
            recent: the last mean losses, oldest first, NaN where there were fewer; (WINDOW,).
        """
        x = jnp.arange(WINDOW) - (WINDOW - 1) / 2
        slope = jnp.sum(x * recent) / jnp.sum(x * x)
        flat = -slope <= self.slope_tolerance * jnp.abs(jnp.mean(recent))
        code = jnp.where(flat & (self.slope_tolerance >= 0), SLOPE, RUNNING)
        code = jnp.where(gradient_norm < self.gradient_tolerance, GRADIENT, code)
        return jnp.where(since_best >= self.patience, PATIENCE, code).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Stop:
    """How a run ended.

    Attributes:
        reason: one of "epochs", "steps", "patience", "gradient", "slope", "time", "interrupted",
            "terminated", "non-finite".
        sentence: the same for a reader.
    """

    reason: str
    sentence: str


REASONS = {BLEW_UP: "non-finite", PATIENCE: "patience", GRADIENT: "gradient", SLOPE: "slope"}


def positive(name: str, value: Any, *, whole: bool = False, zero: bool = False) -> None:
    """Check a user's number.

    Raises:
        FalllineError: if it is not above 0 (or, with ``zero``, below 0), or not whole.
    """
    if value is None:
        return
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_)):  # pyright: ignore
        number = float(value)
    if (number > 0 or (zero and number == 0)) and (not whole or number.is_integer()):
        return
    kind = "a whole number" if whole else "a number"
    bound = "of 0 or more" if zero else "above 0"
    raise FalllineError(f"{name} must be {kind} {bound}; it was given {value!r}.")
