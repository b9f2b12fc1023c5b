"""The differences themselves: forward, central, Richardson; their steps and their errors."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError, lookup
from fallline.gradients.point import Function

if TYPE_CHECKING:
    from collections.abc import Callable

    Values = np.ndarray

METHODS = {"forward": 1 / 2, "central": 1 / 3, "richardson": None}
"""The power of epsilon that each method's step is; Richardson's starts large and shrinks."""

_FIRST, _RATIO, _ROWS = 0.1, 1.8, 14


def measure(
    along: Callable[[Any], Values],
    x: Any,
    function: Function,
    *,
    method: str = "central",
    h: float | None = None,
    name: str = "x",
) -> tuple[Values, Values, Any]:
    """A derivative along one coordinate, or of each of x by itself: (value, error, h).

    Args:
        along: the function's value by the coordinate's position.
        x: the position: a number; or an array, where each value depends on its own number alone.
        function: knows the value at x and the spacing of values.
        method: a name of `METHODS`.
        h: the first step; None is the method's rule.
        name: the coordinate's, for sentences.

    Raises:
        FalllineError: if a step is no step, or leads to where the function is not finite.
    """
    power = lookup("method", METHODS, method)
    step = step_size(x, function.spacing, power, h)
    with np.errstate(all="ignore"):
        if method == "richardson" and h is None:
            step = _inside(along, x, step)
        value, error, used = VALUES[method](along, x, function, step)
    bad = ~(np.isfinite(value) & np.isfinite(error))
    if bad.any():
        first = tuple(np.argwhere(bad)[0])
        spread = np.shape(x) == bad.shape
        position = float(np.asarray(x)[first] if spread else x)
        size = np.broadcast_to(step, bad.shape)[first] if spread else step
        label = f"{name}[{', '.join(map(str, first))}]" if spread and first else name
        raise FalllineError(beside(label, position, float(size)))
    return value, error, used


def _forward(
    along: Callable[[Any], Values], x: Any, function: Function, h: Any
) -> tuple[Values, Values, Any]:
    near, far = x + h, x + 2 * h
    f_near = along(near)
    value = _slope(f_near - function.here, near - x, h)
    coarse = _slope(along(far) - function.here, far - x, 2 * h)
    size = np.maximum(np.abs(f_near), np.abs(function.here))
    return value, np.abs(value - coarse) + 2 * function.spacing * size / h, h


def _central(
    along: Callable[[Any], Values], x: Any, function: Function, h: Any
) -> tuple[Values, Values, Any]:
    value, size = _symmetric(along, x, h)
    coarse, _ = _symmetric(along, x, 2 * h)
    # The error is c h^2, and 4 c h^2 at twice the step.
    return value, np.abs(value - coarse) / 3 + function.spacing * size / h, h


def _richardson(
    along: Callable[[Any], Values], x: Any, function: Function, h: Any
) -> tuple[Values, Values, Any]:
    """Neville's table of central differences with falling h; the entry of the least estimate wins.

    The steps fall by 1.8, not 2: with halves, a function whose period is h looks flat in every row.
    """
    best: Any = np.full_like(function.here, np.nan)
    error, used = np.full_like(best, np.inf), np.zeros_like(best) + h
    before: list[Any] = []
    for row in range(_ROWS):
        step = h / _RATIO**row
        value, size = _symmetric(along, x, step)
        rounding = function.spacing * size / step
        entries = [value]
        for j, old in enumerate(before, 1):
            entries.append(entries[-1] + (entries[-1] - old) / (_RATIO ** (2 * j) - 1))
            moved = np.maximum(np.abs(entries[j] - entries[j - 1]), np.abs(entries[j] - old))
            better = moved + rounding < error
            best = np.where(better, entries[j], best)
            used = np.where(better, step, used)
            error = np.where(better, moved + rounding, error)
        before = entries
        enough = 32 * function.spacing * (np.abs(best) + size / np.maximum(1, np.abs(x)))
        if row >= 3 and (error <= enough).all():
            break
    return best, error, used


VALUES = {"forward": _forward, "central": _central, "richardson": _richardson}


def _symmetric(along: Callable[[Any], Values], x: Any, h: Any) -> tuple[Values, Values]:
    """A central difference, and the size of the values it subtracts."""
    up, down = x + h, x - h
    f_up, f_down = along(up), along(down)
    return _slope(f_up - f_down, up - down, 2 * h), np.maximum(np.abs(f_up), np.abs(f_down))


def _slope(rise: Values, run: Any, nominal: Any) -> Values:
    # Division by the distance that the rounded positions really have; if they are one, by h: that is
    # the zero that a difference gives there.
    return rise / np.where(run == 0, nominal, run)


def second_difference(
    function: Function, a: tuple[int, ...], b: tuple[int, ...], h: float, k: float
) -> tuple[float, float]:
    """A second difference, and the size of the values it subtracts."""
    x = function.point.leaves[0]
    if a == b:
        up, down = (float(function.at({(0, a): x[a] + s * h})) for s in (1, -1))
        here = float(function.here)
        return (up - 2 * here + down) / (h * h), max(abs(up), abs(here), abs(down))
    f = {
        (s, t): float(function.at({(0, a): x[a] + s * h, (0, b): x[b] + t * k}))
        for s in (1, -1)
        for t in (1, -1)
    }
    value = (f[1, 1] - f[1, -1] - f[-1, 1] + f[-1, -1]) / (4 * h * k)
    return value, max(map(abs, f.values()))


def coordinate(
    function: Function, place: int, index: tuple[int, ...], method: str, h: float | None
) -> tuple[Values, Values, Any]:
    """`measure` along one number of one leaf."""
    point = function.point
    return measure(
        function.along(place, index),
        point.leaves[place][index],
        function,
        method=method,
        h=h,
        name=point.name(place, index),
    )


def step_size(x: Any, spacing: float, power: float | None, given: Any) -> Any:
    """The rule's step, or the one given, such that x and x + h differ by exactly h."""
    if given is None:
        h = (_FIRST if power is None else spacing**power) * np.maximum(1.0, np.abs(x))
    else:
        h = _given(given)
    exact = (x + h) - x
    lost = np.broadcast_to(exact == 0, np.shape(x))
    if lost.any():
        position = np.asarray(x)[tuple(np.argwhere(lost)[0])]
        raise FalllineError(
            f"h = {float(np.max(h)):g} is lost in rounding beside x = {position:g}, whose next "
            f"neighbour is {np.spacing(abs(position)):.2g} away: give a larger h."
        )
    return exact


def _given(h: Any) -> float:
    number = isinstance(h, numbers.Real) and not isinstance(h, (bool, np.bool_))
    if not number or not 0 < float(h) < math.inf:
        raise FalllineError(f"h must be a number above 0; it was given {h!r}.")
    return float(h)


def _inside(along: Callable[[Any], Values], x: Any, h: Any) -> Any:
    """A first step for the table that does not leave the function's domain."""
    for _ in range(12):
        bad = ~(np.isfinite(along(x + h)) & np.isfinite(along(x - h)))
        if not bad.any():
            break
        h = np.where(bad, h / 8, h) if bad.shape == np.shape(h) else h / 8
    return h


def beside(name: str, x: float, h: float) -> str:
    """The sentence for a function that is not finite near the point."""
    return (
        f"f is not finite within {h:.2g} of {name} = {x:.6g}: give a smaller h, or move the point away "
        "from the edge of the function's domain."
    )
