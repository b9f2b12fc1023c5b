"""The picture of a fit: the loss of every epoch, and why it ended."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FixedLocator, MaxNLocator, ScalarFormatter

from fallline.estimators.settings import InvalidInput
from fallline.show import marks, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fallline.show.style import Theme

_SMALL = 8.0
"""Points of the small print."""

_FEW = 40
"""Epochs up to which each has a dot."""


def draw_history(estimator: Any, ax: Axes | None, theme: str | Theme | None) -> Axes:
    """Draw a fitted estimator's losses; see `Watched.plot_history`."""
    colours = style.theme_of(theme)
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours, grid="y")
    curves = estimator._curves
    training, validation = _finite(curves["training"]), _finite(curves["validation"])
    blown, unit = curves["blown"], "epoch"
    run = getattr(estimator, "run_", None)
    if not np.isfinite(training).any():
        if run is None:
            raise InvalidInput(
                f"There are no losses to draw of this {type(estimator).__name__}: its weights were "
                "learned elsewhere. Fit it first."
            )
        # Not one epoch was finished: its steps are what there is.
        training = _finite(run.history.steps["loss"] * estimator._loss_factor())
        validation = np.full(len(training), np.nan)
        blown, unit = [float(run.steps + 1)] * bool(blown), "step"
    x = np.arange(1, len(training) + 1, dtype=float)
    watched = bool(np.isfinite(validation).any())
    _line(ax, x, training, colours.series[0], "training", colours, width=1.9)
    _line(ax, x, validation, colours.accent, "validation", colours, width=1.5)
    if len(x) > 1 and unit == "epoch":
        best = _best(estimator, validation) if watched else int(np.nanargmin(training)) + 1
        named = f"best epoch: {best:,}" if watched else f"lowest: epoch {best:,}"
        marks.ring(ax, x[best - 1], (validation if watched else training)[best - 1], named, colours)
    end = max([1.0, *x[-1:], *blown])
    room = 0.025 * (end - 1) or 0.5
    ax.set_xlim(max(1 - room, 0.5), end + room)
    _heights(ax, np.concatenate([training, validation]))
    if blown:
        _blow_up(ax, blown, end, training[np.isfinite(training)], colours)
    ax.xaxis.set_major_locator(
        MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]) if end >= 2 else FixedLocator([1.0])
    )
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel(unit)
    ax.set_ylabel(_name_of(estimator))
    style.title(ax, type(estimator).__name__, colours)
    style.key(ax, colours, loc="best")
    _small_print(ax, _reason_of(estimator), colours)
    return ax


def _finite(values: Any) -> np.ndarray:
    found = np.asarray(values, float)
    return np.where(np.isfinite(found), found, np.nan)


def _name_of(estimator: Any) -> str:
    """The loss by its name, as one says it."""
    name = estimator._used_loss().name.replace("_", " ").replace(":", " ")
    if "<" in name:
        return "loss"
    return name if name.endswith(("error", "entropy", "loss")) else f"{name} loss"


def _reason_of(estimator: Any) -> str:
    """Why the fit ended; after calls of ``partial_fit`` that ended as planned, how far they came."""
    run, epochs = getattr(estimator, "run_", None), len(estimator._curves["training"])
    if run is None:
        return estimator.stop_reason_
    planned = run.stop.reason == "epochs" and estimator.stop_reason_ == run.stop.sentence
    if planned and epochs > len(run.history.training_loss):
        return f"After {epochs:,} epochs, the last of them by partial_fit."
    return estimator.stop_reason_


def _line(
    ax: Axes, x: np.ndarray, y: np.ndarray, colour: str, label: str, colours: Any, *, width: float
) -> None:
    if not np.isfinite(y).any():
        return
    ax.plot(
        x,
        y,
        color=colour,
        linewidth=width,
        marker="o" if len(x) <= _FEW else None,
        markersize=4 if len(x) > 1 else 7,
        markeredgecolor=colours.panel,
        markeredgewidth=0.6,
        solid_capstyle="round",
        zorder=3,
        label=label,
    )


def _best(estimator: Any, validation: np.ndarray) -> int:
    """The epoch whose parameters were kept, or else that of the lowest validation loss, from 1."""
    run = getattr(estimator, "run_", None)
    if run and run.best_epoch and len(validation) == len(run.history.training_loss):
        return int(run.best_epoch)
    return int(np.nanargmin(validation)) + 1


def _heights(ax: Axes, values: np.ndarray) -> None:
    """A logarithmic axis where losses span decades, else room above and below."""
    values = values[np.isfinite(values)]
    if not values.size:
        return
    if marks.spans_decades(values):
        marks.log_axis(ax, "y", values)
        return
    low, high = float(values.min()), float(values.max())
    room = 0.07 * (high - low) or 0.1 * abs(high) or 0.5
    ax.set_ylim(low - room, high + room)
    # In full or as powers of ten: an offset above the axis would meet the title.
    if 1e-3 <= max(abs(low), abs(high)) < 1e6:
        ax.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        return
    # As many digits as tell the ticks apart.
    apart = max(abs(low), abs(high)) / (high - low + 2 * room)
    digits = max(int(np.ceil(np.log10(apart + 1e-300))) + 2, 3)
    ax.yaxis.set_major_formatter(lambda value, _: marks.number(value, digits))


def _blow_up(ax: Axes, places: list[float], end: float, losses: np.ndarray, colours: Any) -> None:
    """A line where the losses were no longer finite, and on the last of them the word for it."""
    for x in places:
        ax.axvline(x, color=colours.danger, linewidth=1.4, linestyle=(0, (4, 2)), zorder=2)
    x = places[-1]
    right = x < (1 + end) / 2
    shown = ax.transData.transform((1.0, float(losses[-1]) if losses.size else 1.0))
    above = ax.transAxes.inverted().transform(shown)[1] < 0.5
    ax.annotate(
        "blew up",
        (x, 0.95 if above else 0.05),
        xycoords=("data", "axes fraction"),
        xytext=(6 if right else -6, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top" if above else "bottom",
        color=colours.danger,
        fontsize=style.TICK,
        fontweight="bold",
    )


def _small_print(ax: Axes, text: str, colours: Any) -> None:
    """A sentence below the axes, in lines no wider than they are."""
    # Half a figure's size is a letter's width, and a little more.
    points = ax.get_window_extent().width / ax.figure.dpi * 72  # pyright: ignore
    lines = textwrap.wrap(text, max(int(points / (0.5 * _SMALL)), 20))
    ax.annotate(
        "\n".join(lines),
        (0, 0),
        xycoords=("axes fraction", ax.xaxis.label),
        xytext=(0, -7),
        textcoords="offset points",
        ha="left",
        va="top",
        color=colours.muted,
        fontsize=_SMALL,
        linespacing=1.35,
    )
