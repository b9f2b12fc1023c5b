"""Figures of runs: the loss, gradient norms, seeds side by side; and the door to all other figures.

Every function takes ``ax=None`` and ``theme=None`` and returns the axes it drew on, so that figures can be
put together and changed afterwards. The figures of terrains, slopes and sweeps are importable from here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from fallline.averages import smooth
from fallline.errors import FalllineError
from fallline.show import marks, oklab, style
from fallline.show.heat import heat_map as heat_map
from fallline.show.landscape import basins as basins
from fallline.show.landscape import contours as contours
from fallline.show.landscape import path as path
from fallline.show.landscape import paths_on_contours as paths_on_contours
from fallline.show.motion import animate as animate
from fallline.show.motion import race as race
from fallline.show.rates import range_test as range_test
from fallline.show.rates import schedule as schedule
from fallline.show.slopes import error_against_h as error_against_h
from fallline.show.slopes import tangent_line as tangent_line
from fallline.show.solid import surface as surface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from fallline.show.style import Theme

_HUGE = 1e300
_MANY = 5000
"""Points from which a noisy line is drawn as pixels even in a vector format."""


def loss_curve(
    run: Any,
    ax: Axes | None = None,
    *,
    smoothing: float = 0.98,
    validation: bool = True,
    steps_per_epoch: int | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    r"""The loss over steps: every one faint, their bias-corrected average on top, validation beside.

    The average is $\hat v_t$ of `fallline.averages.smooth`, about $1/(1-\beta)$ steps long. The loss of an
    epoch on the validation rows is drawn after the epoch's last step. The axis is logarithmic where the
    losses span decades.

    Args:
        run: a run, a history, or losses, shape (steps,).
        ax: where to draw; a new figure if None.
        smoothing: $\beta$ in [0, 1); 0 draws the losses as they are.
        validation: draw the validation loss, where there is one.
        steps_per_epoch: needed for a history without its run if it ends within an epoch.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is no loss yet.
    """
    colours = style.theme_of(theme)
    history = history_of(run)
    losses = marks.numbers(run if history is None else history.steps["loss"], "The loss")
    if not 0 <= smoothing < 1:
        raise FalllineError(f"smoothing must be from 0 to below 1; it was given {smoothing!r}.")
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours, grid="y")
    steps = np.arange(len(losses))
    shown = np.where(np.isfinite(losses), losses, np.nan)
    curve = np.where(np.isnan(shown), np.nan, smooth(shown, smoothing)) if smoothing else shown
    colour = colours.series[0]
    if smoothing:
        ax.plot(
            steps,
            shown,
            color=colour,
            alpha=0.3,
            linewidth=0.7,
            rasterized=len(losses) > _MANY,
            zorder=2,
        )
    ax.plot(
        steps,
        curve,
        color=colour,
        linewidth=1.9,
        zorder=3,
        solid_capstyle="round",
        label="training"
        + (f", average of {round(1 / (1 - smoothing))} steps" if smoothing else ""),
    )
    every = [shown]
    if validation and history is not None:
        every.append(_validation(ax, run, history, steps_per_epoch, colours))
    if marks.spans_decades(np.concatenate(every)):
        marks.log_axis(ax, "y", np.concatenate(every))
    else:
        _fit(ax, np.concatenate(every))
    broken = np.flatnonzero(~np.isfinite(losses))
    if len(broken):
        first = int(broken[0])
        ax.axvline(first, color=colours.danger, linewidth=1.4, linestyle=(0, (4, 2)), zorder=2)
        _beside(ax, first, f"diverged at step {first + 1:,}", len(losses), colours.danger)
    ax.set_xlim(-0.01 * len(losses), max(1.0, 1.01 * (len(losses) - 1)))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    style.key(ax, colours, loc="upper right" if not len(broken) else "best")
    return ax


def _validation(
    ax: Axes, run: Any, history: Any, steps_per_epoch: int | None, colours: Theme
) -> np.ndarray:
    """Draw the validation loss at the ends of epochs; what was drawn, (epochs,)."""
    losses = np.asarray(history.epochs.get("validation_loss", ()), np.float64)
    losses = np.where(np.isfinite(losses), losses, np.nan)
    if not np.isfinite(losses).any():
        return losses
    plan = getattr(run, "plan", None) or getattr(getattr(run, "run", None), "plan", None)
    length = steps_per_epoch or (plan.steps if plan else max(len(history) // len(losses), 1))
    ends = length * np.arange(1, len(losses) + 1)
    many = len(losses) > 40
    ax.plot(
        ends,
        losses,
        color=colours.accent,
        linewidth=1.5,
        marker=None if many else "o",
        markersize=3.8,
        markeredgecolor=colours.panel,
        markeredgewidth=0.6,
        zorder=4,
        label="validation, each epoch",
    )
    kept = int(getattr(run, "best_epoch", 0) or getattr(getattr(run, "run", None), "best_epoch", 0))
    best = kept if 0 < kept <= len(losses) else int(np.nanargmin(losses)) + 1
    marks.ring(ax, ends[best - 1], losses[best - 1], f"best epoch: {best}", colours)
    return losses


def spread(
    curves: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    smoothing: float = 0.0,
    x: Sequence[float] | None = None,
    log: bool | None = None,
    ylabel: str = "loss",
    theme: str | Theme | None = None,
) -> Axes:
    """Several seeds of each kind: the median, the band of the middle half, and single seeds if few.

    A seed that blew up counts as worse than all others from then on; one that stopped early no longer
    counts.

    Args:
        curves: name -> (seeds, steps), or a list of runs, histories or curves of any lengths.
        ax: where to draw; a new figure if None.
        smoothing: of each seed's curve, as for `loss_curve`.
        x: where each value stands, as many as the longest curve; 0, 1, ... if None.
        log: a logarithmic axis of values, where they are positive; by itself where they span decades.
        ylabel: what is measured.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw.
    """
    colours = style.theme_of(theme)
    if not curves:
        raise FalllineError("There are no curves to draw.")
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours, grid="y")
    palette = style.colours_of(list(curves), colours)
    ends: list[tuple[float, str, str]] = []
    medians: list[np.ndarray] = []
    for place, (name, seeds) in enumerate(curves.items()):
        table = _seeds(seeds, f"The curve of {name!r}", smoothing)
        # Infinity would make NaN of a quantile beside it: a number larger than any loss does not.
        quantiles = np.nanquantile(np.minimum(table, _HUGE), [0.25, 0.5, 0.75], axis=0)
        finite = list(np.where(quantiles < 1e-3 * _HUGE, quantiles, np.nan))
        at = np.arange(table.shape[1]) if x is None else np.asarray(x)[: table.shape[1]]
        if 1 < len(table) <= 5:
            for row in table:
                shown = np.where(np.isfinite(row), row, np.nan)
                ax.plot(at, shown, color=palette[place], alpha=0.4, linewidth=0.7, zorder=2)
        if len(table) > 1:
            ax.fill_between(
                at, finite[0], finite[2], color=palette[place], alpha=0.15, linewidth=0, zorder=1
            )
        line = ax.plot(at, finite[1], color=palette[place], linewidth=2, label=name, zorder=3)[0]
        line.set_linestyle(style.line_of(name, place))
        known = finite[1][np.isfinite(finite[1])]
        ends.append(
            (known[-1] if np.isfinite(finite[1][-1]) else np.inf, str(name), palette[place])
        )
        medians.append(np.concatenate([v[np.isfinite(v)] for v in finite]))
    every = np.concatenate(medians)
    positive = bool(every.size) and every.min() > 0
    if marks.spans_decades(every) if log is None else log and positive:
        marks.log_axis(ax, "y", every)
    else:
        _fit(ax, every)
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("step")
    ax.set_ylabel(ylabel)
    marks.end_labels(ax, ends)
    return ax


def gradient_norms(
    run: Any,
    ax: Axes | None = None,
    *,
    names: Sequence[str] | None = None,
    smoothing: float = 0.9,
    theme: str | Theme | None = None,
) -> Axes:
    """The norm of every layer's gradient over steps, from the first layer to the last.

    Args:
        run: a run or history with ``record="layers"``, or norms, shape (steps, layers).
        ax: where to draw; a new figure if None.
        names: of the layers; those of the history if None.
        smoothing: as for `loss_curve`.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if the run did not record its layers.
    """
    colours = style.theme_of(theme)
    history = history_of(run)
    norms: Any = run
    if history is not None:
        if "layer_gradient_norm" not in history.layers:
            raise FalllineError(
                'This run did not record its layers; train with record="layers" to have their norms.'
            )
        norms = history.layers["layer_gradient_norm"]
        names = names or history.leaf_names
    norms = marks.numbers(norms, "The gradient norms", 2)
    names = list(names) if names else [f"layer {i + 1}" for i in range(norms.shape[1])]
    if len(names) != norms.shape[1]:
        raise FalllineError(f"There are {norms.shape[1]} layers, but {len(names)} names for them.")
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours, grid="y")
    palette = oklab.ramp(colours.depth)(np.linspace(0, 1, max(len(names), 2)))
    ends: list[tuple[float, str, Any]] = []
    drawn: list[np.ndarray] = []
    for place, name in enumerate(names):
        column = np.where(np.isfinite(norms[:, place]), norms[:, place], np.nan)
        curve = np.where(np.isnan(column), np.nan, smooth(column, smoothing))
        ax.plot(np.arange(len(curve)), curve, color=palette[place], linewidth=1.6, label=name)
        drawn.append(curve[np.isfinite(curve) & (curve > 0)])
        ends.append((drawn[-1][-1] if drawn[-1].size else np.inf, name, palette[place]))
    marks.log_axis(ax, "y", np.concatenate(drawn))
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("step")
    ax.set_ylabel("gradient norm")
    # More names than fit are thinned out evenly; the first and the last layer are always named.
    kept = np.unique(np.linspace(0, len(ends) - 1, min(len(ends), 14)).round().astype(int))
    marks.end_labels(ax, [ends[i] for i in kept])
    return ax


def history_of(run: Any) -> Any:
    """The history of a run of any kind, or of itself; None for plain numbers."""
    for part in (run, getattr(run, "run", run)):
        inner = getattr(part, "history", part)
        if hasattr(inner, "steps") and isinstance(inner.steps, dict):
            return inner
    return None


def _seeds(seeds: Any, what: str, smoothing: float) -> np.ndarray:
    """Curves as rows, filled up with NaN after an early stop and inf after a blow-up."""
    rows: list[np.ndarray] = []
    single = history_of(seeds) is not None or all(isinstance(s, (int, float)) for s in seeds)
    single = single or getattr(seeds, "ndim", 2) == 1
    for seed in [seeds] if single else seeds:
        history = history_of(seed)
        losses = seed if history is None else history.steps["loss"]
        row = marks.numbers(losses, what)
        smoothed = smooth(row, smoothing) if smoothing else row
        rows.append(np.where(np.isfinite(row), smoothed, np.inf))
    if not rows:
        raise FalllineError(f"{what} has no seeds to draw.")
    table = np.full((len(rows), max(map(len, rows))), np.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
        if np.isinf(row[-1]):
            table[place, len(row) :] = np.inf
    return table


def _fit(ax: Axes, values: np.ndarray) -> None:
    """Limits for the bulk of the values, so that a single spike does not flatten the rest."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return
    low, high = finite.min(), np.quantile(finite, 0.995, method="higher")
    room = 0.06 * (high - low) or 0.5
    ax.set_ylim(low - room, high + room)


def _beside(ax: Axes, x: float, text: str, end: float, colour: str) -> None:
    """A note beside a vertical line, on the side where there is room."""
    right = x < 0.55 * end
    ax.annotate(
        text,
        (x, 0.05),
        xycoords=("data", "axes fraction"),
        xytext=(6 if right else -6, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="bottom",
        color=colour,
        fontsize=style.TICK,
        fontweight="bold",
    )
