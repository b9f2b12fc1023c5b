"""Slopes: a tangent and the secants that approach it, and the error of a difference against its step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from fallline.errors import FalllineError
from fallline.show import marks, oklab, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from fallline.show.style import Theme


def tangent_line(
    f: Callable[[Any], Any],
    x: float,
    ax: Axes | None = None,
    *,
    secants: Sequence[float] = (),
    reach: float | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """A function, its tangent at a point, and the slope there, measured by differences.

    Args:
        f: takes a number and gives one.
        x: where the tangent touches.
        ax: where to draw; a new figure if None.
        secants: steps h; each draws the line through the points at x and x + h.
        reach: how far to draw on both sides; enough for the secants if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if f has no derivative at x, or a number is not finite.
    """
    from fallline.gradients.numerical import tangent_line as touch

    colours = style.theme_of(theme)
    steps = np.array([*secants], np.float64)
    if not (np.isfinite(steps) & (steps != 0)).all():
        raise FalllineError("The steps of secants must be numbers other than 0.")
    if reach is not None and not 0 < reach < np.inf:
        raise FalllineError(f"reach must be a number above 0; it was given {reach!r}.")
    line = touch(f, x)
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours)
    reach = reach or max(1.5 * float(np.abs(steps).max(initial=0)), 0.5 * max(abs(line.x), 1.0))
    at = np.linspace(line.x - reach, line.x + reach, 401)
    curve = np.array([_value(f, t) for t in at])
    shades = oklab.ramp((colours.muted, colours.series[2]))(np.linspace(0.2, 1, max(len(steps), 1)))
    for step, shade in zip(sorted(steps, key=abs, reverse=True), shades, strict=False):
        end = _value(f, line.x + step)
        slope = (end - line.y) / step
        ax.plot(
            at,
            line.y + slope * (at - line.x),
            color=shade,
            linewidth=1.3,
            linestyle=(0, (4, 2)),
            label=f"secant, h = {marks.number(float(step))}: slope {marks.number(slope)}",
        )
        ax.plot(
            line.x + step,
            end,
            "o",
            color=shade,
            markersize=5.5,
            markeredgecolor=colours.panel,
            zorder=4,
        )
    ax.plot(
        at,
        line(at),
        color=colours.accent,
        linewidth=2,
        label=f"tangent: slope {marks.number(line.slope)}",
    )
    ax.plot(at, curve, color=colours.series[0], linewidth=2.4, label="f", zorder=3)
    ax.plot(
        line.x,
        line.y,
        "o",
        color=colours.accent,
        markersize=9,
        markeredgecolor=colours.panel,
        markeredgewidth=1.5,
        zorder=5,
    )
    known = curve[np.isfinite(curve)]
    room = 0.12 * (np.ptp(known) or 1.0)
    ax.set_ylim(known.min() - room, known.max() + room)
    ax.set_xlim(at[0], at[-1])
    ax.set_xlabel("x")
    ax.set_ylabel("f(x)")
    ax.xaxis.set_major_locator(MaxNLocator(7))
    handles, names = ax.get_legend_handles_labels()
    order = [len(names) - 1, len(names) - 2, *range(len(names) - 2)]
    style.key(
        ax,
        colours,
        loc="best",
        handles=[handles[i] for i in order],
        labels=[names[i] for i in order],
    )
    return ax


def _value(f: Callable[[Any], Any], t: float) -> float:
    """One value, NaN where there is none."""
    with np.errstate(all="ignore"):
        try:
            value = float(np.asarray(f(np.float64(t))))
        except (ArithmeticError, ValueError):
            return np.nan
    return value if np.isfinite(value) else np.nan


def error_against_h(
    curve: Any,
    ax: Axes | None = None,
    *,
    theme: str | Theme | None = None,
) -> Axes:
    """The error of finite differences against their step: truncation on the right, round-off on the left.

    Grey lines are the slopes that theory gives: 1 and 2 for the truncation of a forward and of a central
    difference, -1 for round-off. A diamond is the step that the rule takes, a ring the best one.

    Args:
        curve: what `fallline.gradients.error_against_h` returns.
        ax: where to draw; a new figure if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there are no errors above 0 to draw.
    """
    colours = style.theme_of(theme)
    h = marks.numbers(curve.h, "The steps")
    table = {name: marks.numbers(e, f"The error of {name!r}") for name, e in curve.errors.items()}
    every = np.concatenate([*table.values(), []])
    if not (np.isfinite(every) & (every > 0)).any():
        raise FalllineError("There is no error above 0 to draw on logarithmic axes.")
    ax = ax or style.new_axes(colours)
    style.themed(ax, colours)
    palette = style.colours_of(list(table), colours)
    floor = every[np.isfinite(every) & (every > 0)].min()
    markers = ("o", "s", "^", "D", "v")
    for place, (name, errors) in enumerate(table.items()):
        # A difference that happens to be exact has no logarithm; the line has a gap there.
        shown = np.where(np.isfinite(errors) & (errors > 0), errors, np.nan)
        colour = palette[place]
        ax.plot(
            h,
            shown,
            color=colour,
            linewidth=1.3,
            marker=markers[place % len(markers)],
            markersize=3.6,
            markeredgewidth=0,
            label=name,
            zorder=3,
        )
        _guide(ax, h, shown, {"forward": 1, "central": 2}.get(name), colours)
        best, rule = (getattr(curve, part, {}).get(name, np.nan) for part in ("best", "rule"))
        for at, marker, size in ((best, "o", 11), (rule, "D", 7.5)):
            if np.isfinite(at) and np.isfinite(shown).any():
                near = int(np.nanargmin(np.where(np.isnan(shown), np.inf, np.abs(np.log(h / at)))))
                ax.plot(
                    at,
                    shown[near],
                    linestyle="none",
                    marker=marker,
                    markersize=size,
                    markerfacecolor="none" if marker == "o" else colour,
                    markeredgecolor=colours.text,
                    markeredgewidth=1.2,
                    zorder=5,
                )
    marks.log_axis(ax, "x", h)
    marks.log_axis(ax, "y", every)
    high = every[np.isfinite(every)].max()
    ax.set_ylim(floor / 8, high * 8)
    ax.set_xlim(h.min() / 1.6, h.max() * 1.6)
    ax.plot(
        [],
        [],
        linestyle="none",
        marker="D",
        markersize=6.5,
        markerfacecolor=colours.muted,
        markeredgecolor=colours.text,
        label="the rule's step",
    )
    ax.plot(
        [],
        [],
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=colours.text,
        label="the best step",
    )
    ax.set_xlabel("step h")
    ax.set_ylabel("error of the derivative")
    style.key(ax, colours, loc="upper center", ncols=2)
    return ax


def _guide(ax: Axes, h: np.ndarray, errors: np.ndarray, order: int | None, theme: Theme) -> None:
    """Straight lines of the slopes that theory gives, beside the errors, with their names."""
    if not np.isfinite(errors).sum() > 6:
        return
    sorted_h, sorted_e = h[np.argsort(h)], errors[np.argsort(h)]
    known = np.flatnonzero(np.isfinite(sorted_e))
    turn = known[np.argmin(sorted_e[known])]
    sides = [
        ("h⁻¹", -1, known[known < turn]),
        (f"h{'¹²³'[order - 1]}" if order else "", order, known[known > turn]),
    ]
    for text, slope, side in sides:
        if slope is None or len(side) < 4:
            continue
        side = side[1:-1]
        # Round-off jumps about; its middle is the line's height, over the errors so that both are seen.
        level = np.median(np.log(sorted_e[side]) - slope * np.log(sorted_h[side]))
        lift = 1.6 if slope < 0 else 0.35
        line = lift * np.exp(level + slope * np.log(sorted_h[side]))
        ax.plot(
            sorted_h[side], line, color=theme.muted, linewidth=1, linestyle=(0, (1, 1.6)), zorder=2
        )
        if slope < 0 and any(t.get_text() == text for t in ax.texts):
            continue
        middle = len(side) // 2
        ax.annotate(
            text,
            (sorted_h[side][middle], line[middle]),
            xytext=(9, 5) if slope < 0 else (5, -9),
            textcoords="offset points",
            color=theme.muted,
            fontsize=style.TICK,
            ha="left",
            va="center",
        )
