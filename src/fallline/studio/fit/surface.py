"""The loss over slope and intercept: which window of it, and when it is computed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fallline.baselines import normal_equation
from fallline.errors import FalllineError
from fallline.studio.fit import looks

if TYPE_CHECKING:
    from fallline.studio.fit.descent import Descent

LARGEST = 1e15
"""Of what a model sees and of its weights: sums of squares stay finite in single precision."""

MARGIN = 1.3
_UNLIKE = 30.0
"""Half widths whose ratio is larger than this get a scale each: in one scale a valley would be a line."""

_WIDER, _WIDEST = 1.7, 8.0
"""By what the window grows when the run leaves it, and how much in all: a run that explodes may leave."""


def closed_form(run: Descent) -> tuple[np.ndarray, float]:
    """Least squares on a run's rows in closed form, with its penalty where it has the loss for it.

    Returns:
        Weights and intercept, in the units of the features.
    """
    settings = run.settings
    ridge = {"squared_error": settings.l2 / 2, "half_squared_error": settings.l2}.get(
        settings.loss, 0.0
    )
    x, y = run.features.columns(run.points.x), run.features.target(run.points.y)
    # Of columns whose squares are 0 in double precision no weights are known: they are NaN.
    with np.errstate(all="ignore"):
        weights, bias = normal_equation(x, y, ridge=ridge)
    return weights, float(bias)


def require_range(run: Descent) -> None:
    """Are a run's numbers such that its loss can be computed in single precision?

    Raises:
        FalllineError: if they, or the weights of least squares, are too large or too small.
    """
    x, y = run.features.columns(run.points.x), run.features.target(run.points.y)
    found = [x, y]
    if run.settings.model != "network" and all(np.isfinite(part).all() for part in found):
        found += [np.append(*closed_form(run))]
    if not all(np.abs(part).max() <= LARGEST for part in found):
        raise FalllineError(
            "The numbers are too large or too small to be squared in single precision: standardize "
            "them, or give them in other units."
        )


class Surface:
    """The window of a run's loss surface and the heights in it.

    Attributes:
        bounds: w from, to, b from, to.
        heights: shape (g, g), a row for each b; None where the model has not two parameters.
    """

    def __init__(self) -> None:
        self.bounds: tuple[float, float, float, float] = (-1.0, 1.0, -1.0, 1.0)
        self.heights: np.ndarray | None = None
        self._first = np.ones(2)

    def begin(self, run: Descent) -> None:
        """The surface of a run that begins."""
        self.heights = None
        if run.settings.two:
            self._first = self._frame(run)
            self.heights = looks.heights(run, self.bounds)

    def change(self, run: Descent) -> None:
        """The surface after points or settings have changed; its window stays while it shows the minimum."""
        if not run.settings.two:
            return
        weights, bias = closed_form(run)
        low, high = np.array(self.bounds).reshape(2, 2).T
        share = (np.array([weights[0], bias]) - low) / (high - low)
        if (share < 0.08).any() or (share > 0.92).any():
            self._first = self._frame(run)
        self.heights = looks.heights(run, self.bounds)

    def widen(self, run: Descent) -> bool:
        """Widen the window if the run has left it, within reason."""
        if self.heights is None:
            return False
        here = np.array(run.line())
        low, high = np.array(self.bounds).reshape(2, 2).T
        half, middle = (high - low) / 2, (high + low) / 2
        away = np.abs(here - middle) / half
        if not np.isfinite(away).all() or (away <= 1).all():
            return False
        factor = _WIDER ** np.ceil(np.log(away.max()) / np.log(_WIDER))
        if (half * factor > _WIDEST * self._first).any():
            return False
        self._set(middle, half * factor)
        self.heights = looks.heights(run, self.bounds)
        return True

    def _frame(self, run: Descent) -> np.ndarray:
        """Put the minimum of least squares into the middle, and the parameters of now into the window."""
        weights, bias = closed_form(run)
        best = np.array([weights[0], bias])
        here = np.array(run.line())
        here = np.where(np.isfinite(here), here, best)
        x, y = run.features.columns(run.points.x)[:, 0], run.features.target(run.points.y)
        # Where the loss has risen from its minimum by about the spread of the targets.
        spread = max(float(np.var(y)), 1e-6) ** 0.5
        rise = spread / np.sqrt(np.maximum(np.array([float(np.mean(x * x)), 1.0]), 1e-12))
        half = np.maximum(MARGIN * np.abs(here - best), rise)
        if half.max() < _UNLIKE * half.min():
            # One scale for both: steepest descent then crosses the contours at right angles.
            half = np.full(2, half.max())
        self._set(best, half)
        return half

    def _set(self, middle: np.ndarray, half: np.ndarray) -> None:
        low, high = middle - half, middle + half
        self.bounds = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
