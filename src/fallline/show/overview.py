"""What ``run.plot()`` draws: a whole run, a descent, or a terrain, in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from fallline.averages import smooth
from fallline.errors import FalllineError
from fallline.show import landscape, marks, plots, solid, style
from fallline.terrains import Terrain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fallline.show.style import Theme

_SMOOTHING = 0.9


def run(run: Any, ax: Axes | None = None, *, theme: str | Theme | None = None) -> Axes:
    """A run's losses, and below them its learning rate and the norm of its gradients.

    Args:
        run: of `fallline.train`, `fallline.fit` or `fallline.load`.
        ax: where to draw the losses, alone; a new figure with all three if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes of the losses; the figure is ``.figure``.

    Raises:
        FalllineError: if there is no loss yet.
    """
    colours = style.theme_of(theme)
    if ax is not None:
        return plots.loss_curve(run, ax, theme=colours)
    steps = plots.history_of(run).steps
    marks.numbers(steps["loss"], "The loss")
    figure = _figure((7.2, 5.4))
    grid = figure.add_gridspec(2, 2, height_ratios=[2.1, 1])
    top = plots.loss_curve(run, figure.add_subplot(grid[0, :]), theme=colours)
    top.set_xlim(right=1.02 * len(steps["loss"]))
    rate, slope = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    _curve(rate, steps["learning_rate"], "learning rate", colours, colours.series[2], 0.0)
    _curve(slope, steps["gradient_norm"], "gradient norm", colours, colours.series[3], _SMOOTHING)
    return top


def result(result: Any, ax: Axes | None = None, *, theme: str | Theme | None = None) -> Axes:
    """The values that a descent met; of one on a terrain with its path kept, the path over it, too.

    Args:
        result: of `fallline.minimize`.
        ax: where to draw the values, alone; a new figure if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes of the values; the figure is ``.figure``.

    Raises:
        FalllineError: if it met no value.
    """
    colours = style.theme_of(theme)
    terrain = terrain_of(result)
    if ax is None and terrain is not None and result.path is not None:
        figure = _figure((10.2, 4.2))
        grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.12])
        ax = figure.add_subplot(grid[0, 0])
        over = landscape.contours(terrain, figure.add_subplot(grid[0, 1]), theme=colours)
        landscape.path(result, over, type(result.optimizer).__name__, theme=colours)
    values = np.asarray(result.history.steps["loss"], np.float64)
    recorded = np.asarray(result.recorded)
    if values.ndim > 1:
        # A ball that has stopped stays where it is; one that was lost is worth nothing.
        values = _held(values.T, np.asarray(result.kind) == "diverged")
        named, at = {f"{len(values):,} starts": values}, recorded.tolist()
        ax = plots.spread(named, ax, x=at, ylabel="value", theme=colours)
    else:
        values = marks.numbers(values, "The value")
        ax = ax or style.new_axes(colours)
        _curve(ax, values, "value", colours, colours.series[0], 0.0, x=recorded)
    return ax


def terrain(
    terrain: Any, ax: Any = None, *, solid_block: bool = False, theme: str | Theme | None = None
) -> Axes:
    """A terrain from above, or as a block in three dimensions.

    Args:
        terrain: the terrain.
        ax: where to draw; for a block axes with ``projection="3d"``. A new figure if None.
        solid_block: as a block.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.
    """
    draw: Any = solid.surface if solid_block else landscape.contours
    return draw(terrain, ax, theme=theme)


def terrain_of(result: Any) -> Terrain | None:
    """The terrain that a result descended on; None if it was another function, or is no longer known."""
    found = (result.asked or {}).get("f")
    return found if isinstance(found, Terrain) else None


def _figure(size: tuple[float, float]) -> Any:
    return plt.figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def _held(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Curves of balls, (balls, records), where the last value of one that has stopped goes on."""
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), 0), axis=1)
    held = np.take_along_axis(values, last, axis=1)
    return np.where(lost[:, None] & ~known, np.inf, held)


def _curve(
    ax: Axes,
    values: Any,
    name: str,
    colours: Theme,
    colour: str,
    smoothing: float,
    *,
    x: np.ndarray | None = None,
) -> None:
    """One quantity over steps: as it was, faint, with its average on top if it is smoothed."""
    style.themed(ax, colours, grid="y")
    values = np.asarray(values, np.float64)
    shown = np.where(np.isfinite(values), values, np.nan)
    if not np.isfinite(shown).any():
        raise FalllineError(f"The {name} was finite at no step: there is nothing to draw.")
    steps = np.arange(len(values)) if x is None else x[: len(values)]
    many = len(values) > 5000
    if smoothing:
        ax.plot(steps, shown, color=colour, alpha=0.3, linewidth=0.7, rasterized=many)
        shown = np.where(np.isnan(shown), np.nan, smooth(shown, smoothing))
    alone = "o" if len(values) == 1 else None
    ax.plot(steps, shown, color=colour, linewidth=1.7, marker=alone, solid_capstyle="round")
    if marks.spans_decades(shown):
        marks.log_axis(ax, "y", shown)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.yaxis.set_major_formatter(lambda value, _: marks.number(value))
        low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
        if high - low <= 1e-3 * abs(high):
            # A constant is drawn in the middle, not blown up to its rounding.
            room = 0.5 * abs(high) or 0.5
            ax.set_ylim(low - room, high + room)
    ax.set_xlim(-0.01 * steps[-1], max(1.0, 1.01 * steps[-1]))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("step")
    ax.set_ylabel(name)
