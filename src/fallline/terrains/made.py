"""Terrains made of what a user brings: points to fit a line to, or a typed formula."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline import expressions
from fallline.errors import FalllineError
from fallline.terrains.base import Point, Terrain
from fallline.terrains.functions import line_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from fallline.terrains.base import Bounds

    Numbers = Sequence[float] | Float[np.ndarray, " n"]

_STARTS = 4


def line_fit(
    x: Numbers,
    y: Numbers,
    *,
    standardise: bool = True,
    name: str = "line_fit",
    title: str = "A line through points",
    source: str = "",
) -> Terrain:
    r"""The mean squared error of a line, a function of its slope and its intercept.

    $$f(w, b) = \frac1n \sum_{i=1}^n (w x_i + b - y_i)^2$$

    It is a quadratic, evaluated as its rise from the least-squares fit, which is the same number and
    keeps its digits in single precision. Standardised, its level lines are circles; else they are
    ellipses, the longer the more standard deviations x lies from 0.

    Args:
        x: shape (n,).
        y: shape (n,).
        standardise: take for $x_i$ the values of x less their mean, over their standard deviation (that
            of n, not n - 1), so that $w$ is in units of y.
        name: of the terrain.
        title: the name in words.
        source: where the points come from.

    Returns:
        The terrain. Its one minimum is the least-squares fit, the middle of its bounds; its first start
        is the line $w = b = 0$.

    Raises:
        FalllineError: if x and y are not equally many finite numbers, at least two of them different.

    Reference: Weisberg, "Applied linear regression", 4th ed., chapter 2.
    """
    xs, ys = _numbers("x", x), _numbers("y", y)
    if len(xs) != len(ys) or len(xs) < 2:
        raise FalllineError(
            f"A line is fitted to at least 2 pairs of numbers; it was given {len(xs)} values of x and "
            f"{len(ys)} of y."
        )
    with np.errstate(all="ignore"):
        mean, spread, level = xs.mean(), xs.std(), ys.mean()
        if spread <= 1e-12 * abs(mean):
            raise FalllineError("All values of x are the same; a line needs two that differ.")
        unit = (xs - mean) / spread
        slope = np.mean(unit * (ys - level))
        floor = np.mean((slope * unit + level - ys) ** 2)
        # Of the first start, the line w = b = 0, over the minimum.
        rise = slope**2 + level**2 or floor or 1.0
        if standardise:
            mean, spread = np.float64(0.0), np.float64(1.0)
        fit = slope / spread, level - slope * mean / spread
        # The box around the level line of one and a half times that rise.
        reach = np.sqrt(1.5 * rise * np.array([1.0, mean**2 + spread**2])) / spread
        sizes = np.array([rise, mean**2, spread**2, *reach**2])
    if not (np.isfinite(sizes).all() and sizes.max() < 1e30 and sizes[[0, 2]].min() > 1e-30):
        raise FalllineError(
            "The points are too large, too small or too close for single precision: give them in other "
            "units."
        )
    w, b, mean, spread, floor = (float(value) for value in (*fit, mean, spread, floor))
    wide, high = (float(value) for value in reach)
    inside = [(w + i * wide, b + j * high) for i, j in ((0.6, 0.7), (-0.7, 0.5), (0.5, -0.8))]
    steepest = 2.0 * float(np.linalg.eigvalsh([[mean**2 + spread**2, mean], [mean, 1.0]])[-1])
    return Terrain(
        name=name,
        title=title,
        function=functools.partial(line_error, fit=(w, b), mean=mean, spread=spread, floor=floor),
        bounds=((w - wide, w + wide), (b - high, b + high)),
        axes=("w", "b"),
        minima=(Point(w, b, floor),),
        starts=((0.0, 0.0), *inside),
        learning_rates={
            "sgd": 0.2 / steepest,
            "momentum": 0.04 / steepest,
            "rmsprop": 0.001 * max(wide, high),
            "adam": 0.01 * max(wide, high),
        },
        formula=r"\frac{1}{n} \sum_{i=1}^{n} (w x_i + b - y_i)^2",
        about="Fitting a line is descending into a bowl whose bottom is the least-squares line.",
        source=source,
    )


def from_expression(
    text: str, bounds: Bounds = ((-3.0, 3.0), (-3.0, 3.0)), name: str | None = None
) -> Terrain:
    """A terrain from a typed formula of x and y, for example ``"x^2 + 3*sin(y)"``.

    Nothing is known of its minima; its starts are scattered where height and slope are finite.

    Args:
        text: the formula; `fallline.expressions.parse` says what it may hold.
        bounds: the window, ``((x_low, x_high), (y_low, y_high))``.
        name: of the terrain; the text itself if it has none.

    Raises:
        FalllineError: if the text is no formula, the bounds are no window, or the formula has no finite
            height and slope in it.
    """
    expression = expressions.parse(text)
    terrain = Terrain(
        name=text if name is None else name,
        title=text if name is None else name,
        function=expression,
        bounds=bounds,
        formula=expression.tex(),
        about="A formula of your own.",
    )
    tried = terrain.scatter(64)
    heights, slopes = jax.jit(jax.vmap(jax.value_and_grad(terrain)))(tried)
    finite = np.isfinite(heights) & np.isfinite(slopes).all(axis=1)
    if not finite.any():
        raise FalllineError(
            f"The formula {text!r} has no finite height and slope within the bounds {bounds}."
        )
    starts = tuple((float(i), float(j)) for i, j in tried[finite][:_STARTS])
    return dataclasses.replace(terrain, starts=starts)


def _numbers(what: str, values: Any) -> Float[np.ndarray, " n"]:
    """A list of finite numbers in double precision, or a sentence."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim != 1:
        raise FalllineError(f"A line is fitted to lists of numbers; {what} is not one.")
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise FalllineError(
            f"{what} must hold finite numbers; its value {wrong[0] + 1} is not one."
        )
    return array
