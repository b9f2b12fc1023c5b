"""Figures of learning rates: schedules over steps, and the range test that found a rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from fallline.errors import FalllineError
from fallline.show import marks, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fallline.show.style import Theme


def schedule(
    schedules: Any,
    steps: int,
    ax: Axes | None = None,
    *,
    theme: str | Theme | None = None,
) -> Axes:
    """The learning rate over steps, of one schedule or several.

    Args:
        schedules: a schedule, an optimizer, a number, or a dict of names and these.
        steps: how many steps to draw, at least 1.
        ax: where to draw; a new figure if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw.
    """
    import jax
    import jax.numpy as jnp

    from fallline.schedules import rate_at

    colours = style.theme_of(theme)
    if steps < 1:
        raise FalllineError(f"A schedule is drawn over at least 1 step; it was given {steps}.")
    named = schedules if isinstance(schedules, dict) else {"": schedules}
    if not named:
        raise FalllineError("There are no schedules to draw.")
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours, grid="y")
    at = np.arange(steps)
    curves: list[np.ndarray] = []
    for value in named.values():
        rule = getattr(value, "learning_rate", value)
        rates = jax.vmap(lambda step, r=rule: jnp.asarray(rate_at(r, step), float))(jnp.asarray(at))
        curves.append(np.asarray(rates, np.float64))
    palette = style.colours_of(list(named), colours)
    for place, (name, rates) in enumerate(zip(named, curves, strict=True)):
        ax.plot(at, rates, color=palette[place], linewidth=2, label=str(name) or None)
    ax.set_ylim(0, 1.06 * max((c[np.isfinite(c)].max(initial=0) for c in curves), default=1) or 1)
    ax.set_xlim(0, max(steps - 1, 1))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_formatter(lambda value, _: marks.number(value))
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    ends = [(c[-1], str(n), p) for n, c, p in zip(named, curves, palette, strict=True) if n]
    marks.end_labels(ax, ends)
    return ax


def range_test(
    run: Any,
    ax: Axes | None = None,
    *,
    theme: str | Theme | None = None,
) -> Axes:
    """The range test: the loss under a rising rate, the fair tries after it, and the rate taken.

    Args:
        run: a run with ``learning_rate="auto"``, or its ``range_test``.
        ax: where to draw; a new figure if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if the run made no range test.
    """
    colours = style.theme_of(theme)
    test = getattr(getattr(run, "run", run), "range_test", run)
    if test is None or not hasattr(test, "trials"):
        raise FalllineError(
            'This run made no range test; train with learning_rate="auto" to have one.'
        )
    rates = marks.numbers(test.rates, "The rates of the range test")
    losses = marks.numbers(test.losses, "The losses of the range test")
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours)
    tried = np.array(sorted(test.trials), np.float64)
    ends = np.array([test.trials[rate] for rate in sorted(test.trials)], np.float64)
    good = np.isfinite(ends)
    start = losses[np.isfinite(losses)][0] if np.isfinite(losses).any() else 1.0
    low = np.nanmin(np.concatenate([np.where(np.isfinite(losses), losses, np.nan), ends[good]]))
    high = max(start, *ends[good], low) if good.any() else max(start, low)
    ax.plot(rates, losses, color=colours.series[0], linewidth=2, label="rising rate", zorder=3)
    ax.plot(
        tried[good],
        ends[good],
        linestyle=(0, (1, 1.5)),
        linewidth=1.2,
        color=colours.series[2],
        marker="o",
        markersize=7,
        markeredgecolor=colours.panel,
        label="a run of its own at each rate",
        zorder=4,
    )
    every = np.concatenate([losses, ends])
    if marks.spans_decades(every[every <= high]):
        top = high * (high / low) ** 0.12
        marks.log_axis(ax, "y", [low, high])
        ax.set_ylim(low / (high / low) ** 0.08, top)
    else:
        room = (high - low) or abs(high) or 1.0
        top = high + 0.14 * room
        ax.set_ylim(low - 0.08 * room, top)
    if not good.all():
        ax.plot(
            tried[~good],
            np.full((~good).sum(), 0.96),
            linestyle="none",
            marker="X",
            markersize=8,
            color=colours.danger,
            markeredgecolor=colours.panel,
            transform=ax.get_xaxis_transform(),
            label="blew up",
            zorder=4,
        )
    marks.log_axis(ax, "x", np.concatenate([rates, tried]))
    ax.axvline(test.learning_rate, color=colours.accent, linewidth=1.8, zorder=2)
    ax.text(
        test.learning_rate,
        1.015,
        f"taken: {marks.number(test.learning_rate)}",
        color=colours.accent,
        fontsize=style.TICK,
        fontweight="bold",
        ha="center",
        va="bottom",
        transform=ax.get_xaxis_transform(),
    )
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    style.key(ax, colours, loc="lower left")
    return ax
