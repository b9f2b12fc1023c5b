"""Heat maps of sweeps: a loss for every pair of hyper-parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from fallline.errors import FalllineError, lookup
from fallline.show import marks, oklab, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fallline.show.style import Theme

_LABELS = 12
"""Cells of an axis that are named, at most."""


def heat_map(
    table: Any,
    x: Any = None,
    y: Any = None,
    ax: Axes | None = None,
    *,
    value: str | None = None,
    log: bool | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """What a sweep of two hyper-parameters came to: dark is low, hatched is diverged, the best is ringed.

    Cells are equally large whatever the steps between the values. A cell that is not a finite number has
    diverged; one that was not tried is blank.

    Args:
        table: the heat map of a sweep's result; or a polars frame with a column for each hyper-parameter
            and one for the value; or the values, shape (len(y), len(x)), where NaN and infinities have
            diverged.
        x: a column's name, or the values along the columns; the first column if None.
        y: a column's name, or the values along the rows; the second column if None.
        ax: where to draw; a new figure if None.
        value: the column of the values; the last one if None. With arrays, their name.
        log: colour by the logarithm; where the values span decades if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw, or a column is not there.
    """
    colours = style.theme_of(theme)
    names, columns, rows, cells, tried = _cells(table, x, y, value)
    ax = ax or style.new_axes(colours, size=(6.4, 4.2))
    style.themed(ax, colours, grid=None)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_facecolor(colours.panel)
    finite = np.isfinite(cells) & tried
    log = marks.spans_decades(cells[finite]) if log is None else log
    if log and finite.any() and cells[finite].min() <= 0:
        raise FalllineError("Values of 0 or less have no logarithm: draw them with log=False.")
    shown = np.where(finite, cells, np.nan)
    shown = np.log10(shown) if log else shown
    low, high = (np.nanmin(shown), np.nanmax(shown)) if finite.any() else (0.0, 1.0)
    high = high if high > low else low + 1.0
    image = ax.pcolormesh(
        np.arange(len(columns) + 1) - 0.5,
        np.arange(len(rows) + 1) - 0.5,
        np.ma.masked_invalid(shown),
        cmap=oklab.terrain_map(),
        vmin=low,
        vmax=high,
        edgecolors=colours.panel,
        linewidth=1.0 if max(cells.shape) <= 30 else 0.0,
        rasterized=cells.size > 2000,
    )
    broken = np.argwhere(tried & ~np.isfinite(cells))
    for place, (i, j) in enumerate(broken):
        ax.add_patch(
            Rectangle(
                (j - 0.5, i - 0.5),
                1,
                1,
                facecolor=colours.raised,
                edgecolor=colours.danger,
                hatch="////",
                linewidth=0,
                label="diverged" if place == 0 else None,
            )
        )
    if finite.any():
        best = np.unravel_index(np.nanargmin(shown), shown.shape)
        ax.add_patch(
            Rectangle(
                (best[1] - 0.5, best[0] - 0.5),
                1,
                1,
                fill=False,
                edgecolor="#ffb454",
                linewidth=2.4,
                zorder=4,
                joinstyle="round",
                label=f"best: {marks.number(float(cells[best]))} at {names[0]} {_text(columns[best[1]])}, "
                f"{names[1]} {_text(rows[best[0]])}",
                path_effects=style.casing(colours, 4.0, over_terrain=True),
            )
        )
        _bar(ax, image, names[2], bool(log), (float(low), float(high)), colours)
    _name(ax.xaxis, columns)
    _name(ax.yaxis, rows)
    ax.tick_params(length=0)
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: labels[i] == "diverged")
    if labels:
        style.key(
            ax,
            colours,
            loc="lower left",
            bbox_to_anchor=(0, 1.01),
            # Side by side they would be wider than the map.
            ncols=1 if max(map(len, labels)) > 40 else 2,
            borderaxespad=0,
            borderpad=0.2,
            frameon=False,
            handles=[handles[i] for i in order],
            labels=[labels[i] for i in order],
        )
    return ax


def _cells(
    table: Any, x: Any, y: Any, value: str | None
) -> tuple[tuple[str, str, str], list[Any], list[Any], np.ndarray, np.ndarray]:
    """The names of the axes and the value, the values along both axes, the cells, and which were tried."""
    if hasattr(table, "diverged") and hasattr(table, "values"):
        cells = marks.numbers(table.values, "The values of a heat map", 2)
        diverged = np.asarray(table.diverged, bool)
        known = np.where(diverged, np.nan, cells)
        return table.names, [*table.x], [*table.y], known, diverged | np.isfinite(cells)
    if hasattr(table, "columns") and hasattr(table, "get_column"):
        found = list(table.columns)
        if len(found) < 3 or not len(table):
            raise FalllineError(
                "A heat map needs a row or more of a table with two hyper-parameters and a value; this "
                f"one has {len(table)} rows and the columns {', '.join(found) or 'none'}."
            )
        names = (x or found[0], y or found[1], value or found[-1])
        for name in names:
            lookup("column", dict.fromkeys(found), str(name))
        across, up = (table.get_column(str(n)).to_numpy() for n in names[:2])
        values = marks.numbers(table.get_column(str(names[2])).cast(float).to_numpy(), names[2])
        columns, j = np.unique(across, return_inverse=True)
        rows, i = np.unique(up, return_inverse=True)
        cells, tried = (
            np.full((len(rows), len(columns)), np.nan),
            np.zeros((len(rows), len(columns)), bool),
        )
        if len({*zip(i.tolist(), j.tolist(), strict=True)}) < len(values):
            raise FalllineError(
                f"The table has several rows of one {names[0]} and {names[1]}; take their mean or median "
                "first, so that a cell has one value."
            )
        cells[i, j], tried[i, j] = values, True
        return (str(names[0]), str(names[1]), str(names[2])), [*columns], [*rows], cells, tried
    cells = marks.numbers(table, "The values of a heat map", 2)
    columns = list(range(cells.shape[1])) if x is None else list(x)
    rows = list(range(cells.shape[0])) if y is None else list(y)
    if cells.shape != (len(rows), len(columns)):
        raise FalllineError(
            f"A heat map needs values of shape (len(y), len(x)) = ({len(rows)}, {len(columns)}); it was "
            f"given {cells.shape}."
        )
    return ("x", "y", value or "value"), columns, rows, cells, np.ones(cells.shape, bool)


def _text(value: Any) -> str:
    """A hyper-parameter's value as an axis names it."""
    return (
        marks.number(float(value), 2) if isinstance(value, (int, float, np.number)) else str(value)
    )


def _name(axis: Any, values: list[Any]) -> None:
    """Tick labels: every cell's value, or evenly every so-manieth."""
    kept = np.arange(0, len(values), -(-len(values) // _LABELS))
    texts = [_text(values[k]) for k in kept]
    axis.set_ticks(kept, labels=texts)
    if axis.axis_name == "x" and max(map(len, texts)) * len(texts) > 56:
        for label in axis.get_ticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")


def _bar(
    ax: Axes, image: Any, name: str, log: bool, span: tuple[float, float], theme: Theme
) -> None:
    """The bar of colours, in the value's own numbers."""
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=24)
    if log:
        low, high = span
        digits = (1,) if high - low > 2 else (1, 3) if high - low > 1 else (1, 2, 3, 5)
        every = [
            (np.log10(d) + e, d * 10.0**e)
            for e in range(int(np.floor(low)), int(np.ceil(high)) + 1)
            for d in digits
        ]
        inside = [(at, v) for at, v in every if low <= at <= high]
        inside = inside[:: -(-len(inside) // 7)] if inside else inside
        bar.set_ticks([at for at, _ in inside], labels=[marks.number(v) for _, v in inside])
    bar.ax.tick_params(colors=theme.muted, labelcolor=theme.muted, labelsize=style.TICK, length=2)
    bar.ax.minorticks_off()
    bar.set_label(name, color=theme.muted, fontsize=style.LABEL)
    bar.outline.set_visible(False)  # pyright: ignore
