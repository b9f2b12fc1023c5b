"""From a fit to the other views: its loss as a terrain's formula, one point's loss as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.studio.fit.descent import Descent


def as_terrain(run: Descent, bounds: tuple[float, float, float, float]) -> dict[str, Any]:
    r"""The loss over slope (as x) and intercept (as y): for a squared loss a polynomial of degree 2.

    $\frac1n \sum (x\, t_i + y - z_i)^2$ multiplied out, times 1/2 for the half of it, and the penalty.

    Args:
        run: of a line.
        bounds: the window.

    Raises:
        FalllineError: if the loss is no such polynomial.
    """
    settings = run.settings
    if not (settings.two and settings.squared):
        raise FalllineError("Only a line with a squared loss has a loss that is a short formula.")
    t = run.features.columns(run.points.x)[:, 0]
    z = run.features.target(run.points.y)
    factor = 1.0 if settings.loss == "squared_error" else 0.5
    terms = [
        (factor * np.mean(t * t) + settings.l2 / 2, "x^2"),
        (factor * 2 * np.mean(t), "x*y"),
        (factor, "y^2"),
        (-factor * 2 * np.mean(t * z), "x"),
        (-factor * 2 * np.mean(z), "y"),
        (factor * np.mean(z * z), ""),
    ]
    text = ""
    for value, name in terms:
        number = f"{abs(float(value)):.7g}"
        sign = "-" if value < 0 else "+" if text else ""
        text += f" {sign} " if text else sign
        text += number if not name else name if number == "1" else f"{number}*{name}"
    return {"formula": text.strip(), "bounds": [float(f"{edge:.5g}") for edge in bounds]}


def as_graph(run: Descent, point: int) -> dict[str, Any]:
    """The loss of one point as an expression, with the numbers of now.

    Args:
        run: of a line.
        point: its index.

    Raises:
        FalllineError: if the model is none whose loss is a short expression, or there is no such point.
    """
    if not run.settings.two:
        raise FalllineError("Only a line has a loss that is a short expression.")
    if not 0 <= point < len(run.points):
        raise FalllineError(f"There are {len(run.points):,} points; there is no number {point}.")
    layer: Any = run.carry["params"]["affine1"]
    residual = "(w*x + b - y)"
    formulas = {
        "squared_error": f"{residual}^2",
        "half_squared_error": f"{residual}^2/2",
        "absolute_error": f"abs{residual}",
        "huber": f"r = abs{residual}; c = min(r, 1); c*(r - c/2)",
    }
    x = run.features.columns(run.points.x[point : point + 1])[0, 0]
    y = run.features.target(run.points.y[point : point + 1])[0]
    numbers = {"w": layer["weights"][0, 0], "b": layer["bias"][0], "x": x, "y": y}
    return {
        "formula": formulas[run.settings.loss],
        "values": {name: float(f"{float(value):.5g}") for name, value in numbers.items()},
    }
