"""Terrains from above: contours, the paths that descent takes over them, and basins of attraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import patheffects
from matplotlib.collections import LineCollection

from fallline.errors import FalllineError
from fallline.show import marks, oklab, style
from fallline.show.relief import Land, land_of, picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from fallline.show.style import Theme

LEVELS = 20
INK = "#0b0e14"
PAPER = "#ffffff"
KINDS = {"minima": ("minimum", "o"), "saddles": ("saddle", "X"), "maxima": ("maximum", "^")}


def contours(
    terrain: Any,
    ax: Axes | None = None,
    *,
    levels: int = LEVELS,
    marks: bool = True,
    bar: bool = True,
    theme: str | Theme | None = None,
) -> Axes:
    """A terrain from above, with contours at even heights, every fifth of them stronger.

    Heights are values brought to a scale on which valleys show (`fallline.show.relief.Lift`); the bar
    beside the map tells the values.

    Args:
        terrain: a terrain, or ``(x, y, z)`` with z[i, j] at (x[j], y[i]).
        ax: where to draw; a new figure if None.
        levels: how many contours.
        marks: mark the minima, saddles and maxima that are known.
        bar: draw the bar of values.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw.
    """
    colours = style.theme_of(theme)
    land = land_of(terrain)
    ax = ax or map_axes(land, colours, beside=0.95 if bar else 0.3)
    style.themed(ax, colours, grid=None)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.imshow(
        picture(land, colours),
        origin="lower",
        extent=land.extent,
        interpolation="bicubic",
        aspect="auto",
        zorder=0,
    )
    at = np.linspace(0, 1, levels + 2)[1:-1]
    field = np.ma.masked_invalid(np.where(np.isfinite(land.z), land.heights, np.nan))
    if levels > 0 and np.ptp(land.heights) > 0:
        ax.contour(
            land.x,
            land.y,
            field,
            levels=at,
            colors=[INK],
            alpha=0.5,
            linewidths=[1.1 if i % 5 == 4 else 0.45 for i in range(levels)],
            zorder=1,
        )
    ax.set_xlim(land.extent[:2])
    ax.set_ylim(land.extent[2:])
    # Contours and paths cross at right angles only where both axes have one scale.
    ax.set_aspect("equal" if _even(land) else "auto")
    ax.set_xlabel(land.axes[0])
    ax.set_ylabel(land.axes[1])
    style.title(ax, land.title, colours)
    if marks:
        _mark(ax, land)
    if bar:
        _bar(ax, land, colours)
    return ax


def map_axes(land: Land, theme: Theme, beside: float) -> Axes:
    """Axes for a map in a figure as wide as the map and what stands beside it, in inches."""
    tall = 4.5
    wide = (tall - 0.95) * (np.ptp(land.x) / np.ptp(land.y) if _even(land) else 1.25)
    ax = style.new_axes(theme, size=(round(wide + beside + 0.85, 2), tall))
    # Fixed to the left: what stands beside the map would otherwise not be counted.
    ax.set_anchor("W")
    return ax


def _even(land: Land) -> bool:
    """Are both axes long enough to be drawn to one scale?"""
    return bool(0.4 <= np.ptp(land.x) / np.ptp(land.y) <= 2.5)


def _mark(ax: Axes, land: Land) -> None:
    """The places that are known, each kind with a marker of its own."""
    for kind, (name, marker) in KINDS.items():
        places = getattr(land, kind)
        if len(places):
            ax.plot(
                *places.T,
                linestyle="none",
                marker=marker,
                markersize=6.5 if kind == "saddles" else 6,
                markerfacecolor=PAPER,
                markeredgecolor=INK,
                markeredgewidth=1.1,
                zorder=3,
                label=name if len(places) == 1 else {"minimum": "minima"}.get(name, f"{name}s"),
                path_effects=[patheffects.withStroke(linewidth=0.8, foreground=INK)],
            )


def _bar(ax: Axes, land: Land, theme: Theme) -> None:
    """The bar that tells which colour is which value."""
    from matplotlib.cm import ScalarMappable

    scale = ScalarMappable(cmap=oklab.terrain_map())
    scale.set_clim(0, 1)
    bar = ax.figure.colorbar(scale, cax=ax.inset_axes((1.03, 0, 0.025, 0.5)))
    ticks = land.lift.ticks()
    bar.set_ticks(land.lift(ticks).tolist(), labels=[marks.number(t) for t in ticks])
    bar.ax.tick_params(colors=theme.muted, labelcolor=theme.muted, labelsize=style.TICK, length=2)
    bar.outline.set_visible(False)  # pyright: ignore


def path(
    positions: Any,
    ax: Axes | None = None,
    label: str | None = None,
    colour: Any = None,
    *,
    width: float = 1.9,
    theme: str | Theme | None = None,
) -> Axes:
    """The way of one ball, or of many, from above: a ring at the start, a dot at the end.

    Args:
        positions: shape (records, 2) or (records, balls, 2), or a result with a ``path``.
        ax: where to draw, such as what `contours` returned; a new figure if None.
        label: its name in the key, which decides the colour where it names an optimizer.
        colour: of the line.
        width: of the line, in points.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is no path.
    """
    positions = path_of(positions)
    new = ax is None
    ax = ax or style.new_axes(theme)
    # Over the muted terrain the bright colours of the dark theme stand out, whatever is around it.
    colour = colour or style.colour_of(label or "", 0, "dark")
    box = ax.axis()
    several = positions.shape[1] > 1
    lines = [way for way in np.moveaxis(positions, 1, 0) if np.isfinite(way).all(axis=1).any()]
    for rim, ink, alpha in ((width + (1.2 if several else 1.8), INK, 0.55), (width, colour, 1.0)):
        thickness = rim * (0.55 if several else 1.0)
        ax.add_collection(
            LineCollection(
                lines,
                colors=[ink],
                linewidths=thickness,
                alpha=alpha,
                capstyle="round",
                joinstyle="round",
                zorder=4 if ink == INK else 4.2,
            )
        )
    ends = np.array([way[np.isfinite(way).all(axis=1)][[0, -1]] for way in lines])
    if len(ends):
        size = 3.6 if several else 7
        rim = 1.0 if several else 1.3
        common: dict[str, Any] = {"linestyle": "none", "markeredgewidth": rim, "zorder": 5}
        if not several:
            # Hollow, to be told from the full dot of a minimum.
            ring: dict[str, Any] = {**common, "markeredgewidth": 1.8, "markerfacecolor": "none"}
            ax.plot(
                *ends[:, 0].T,
                marker="o",
                markersize=size + 2,
                markeredgecolor=PAPER,
                path_effects=[patheffects.withStroke(linewidth=3.4, foreground=INK)],
                **ring,
            )
        ax.plot(
            *ends[:, 1].T,
            marker=style.marker_of(label or ""),
            markersize=size + 1.5,
            markerfacecolor=colour,
            markeredgecolor=INK,
            **common,
        )
    ax.plot(
        [],
        [],
        color=colour,
        linewidth=width,
        marker=style.marker_of(label or ""),
        markersize=7,
        markeredgecolor=INK,
        label=label,
    )
    if new:
        ax.autoscale_view()
    else:
        ax.axis(box)
    return ax


def paths_on_contours(
    terrain: Any,
    paths: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    theme: str | Theme | None = None,
    **options: Any,
) -> Axes:
    """Several paths over one terrain, with a key.

    Args:
        terrain: as for `contours`.
        paths: name -> what `path` takes.
        ax: where to draw; a new figure if None.
        theme: "light", "dark", or None for the one in use.
        options: further ones of `contours`.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw.
    """
    colours = style.theme_of(theme)
    if not paths:
        raise FalllineError("There are no paths to draw.")
    land = land_of(terrain)
    ax = ax or map_axes(land, colours, beside=1.75)
    contours(land, ax, theme=colours, **options)
    palette = style.colours_of(list(paths), "dark")
    for (label, way), colour in zip(paths.items(), palette, strict=True):
        path(way, ax, label, colour, theme=colours)
    handles, names = ax.get_legend_handles_labels()
    # The paths are what the figure is about; the marks of the terrain come after them.
    order = sorted(range(len(names)), key=lambda i: names[i] not in paths)
    aside(ax, colours, handles=[handles[i] for i in order], labels=[names[i] for i in order])
    return ax


def aside(ax: Axes, theme: Theme, **options: Any) -> None:
    """A key to the right of a map, over its bar."""
    style.key(
        ax,
        theme,
        **{
            "loc": "upper left",
            "bbox_to_anchor": (1.03, 1.0),
            "borderaxespad": 0,
            "facecolor": "#2c3a4d" if theme.name == "light" else theme.raised,
            "edgecolor": "none",
            "framealpha": 1.0,
            "labelcolor": PAPER,
            **options,
        },
    )


def basins(
    terrain: Any,
    starts: Any,
    labels: Any = None,
    ax: Axes | None = None,
    *,
    places: Any = None,
    theme: str | Theme | None = None,
) -> Axes:
    """Basins of attraction: the starts, coloured by where they came to rest.

    With 400 starts or more the map takes the colour of the nearest start; with fewer, each is a dot.

    Args:
        terrain: as for `contours`.
        starts: shape (balls, 2); or the result of ``minimize(..., starts=..., path=True)``, which knows
            everything else.
        labels: which place each start reached, counted from 0, shape (balls,); -1 for none.
        ax: where to draw; a new figure if None.
        places: where they came to rest, shape (k, 2); the terrain's known minima if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if the arrays do not fit together.
    """
    from matplotlib.colors import to_rgb
    from scipy.spatial import KDTree

    colours = style.theme_of(theme)
    land = land_of(terrain)
    if labels is None and getattr(starts, "labels", None) is not None:
        if places is None:
            places = [basin.x for basin in starts.basins]
        labels, starts = starts.labels, path_of(starts)[0]
    starts = marks.numbers(starts, "The starts", 2)
    labels = marks.numbers([] if labels is None else labels, "The labels of the starts")
    if starts.shape != (len(labels), 2):
        raise FalllineError(
            f"Basins need starts of shape (balls, 2) and one label for each; they were given "
            f"{starts.shape} and {labels.shape}."
        )
    reached = np.where(np.isfinite(labels), labels, -1).astype(int)
    known = np.asarray(land.minima if places is None else places, np.float64).reshape(-1, 2)
    ax = ax or map_axes(land, colours, beside=2.3)
    contours(land, ax, marks=False, bar=False, theme=colours)
    palette = list(style.THEMES["dark"].series)
    inside = np.isfinite(starts).all(axis=1)
    count = reached.max(initial=-1) + 1
    shades = np.array(
        [to_rgb(palette[i % len(palette)]) for i in range(count)] + [(0.2, 0.22, 0.26)]
    )
    if inside.sum() >= 400:
        grid = np.stack(np.meshgrid(land.x, land.y), axis=-1)
        _, near = KDTree(starts[inside]).query(grid.reshape(-1, 2))
        owner = reached[inside][near].reshape(grid.shape[:2])
        base = picture(land, colours, 0.9)
        grey = base @ np.array([0.2126, 0.7152, 0.0722])
        tint = shades[owner] * (0.3 + 0.6 * grey[..., None])
        ax.images[-1].set_data(np.clip(tint, 0, 1))
        ax.images[-1].set_interpolation("nearest")
    else:
        ax.scatter(
            *starts[inside].T,
            s=24,
            c=shades[reached[inside]],
            edgecolors=INK,
            linewidths=0.7,
            zorder=3,
        )
    for place in range(count):
        share = float(np.mean(reached == place))
        at = known[place] if place < len(known) else np.array([np.nan, np.nan])
        name = (
            f"({marks.number(at[0])}, {marks.number(at[1])})" if place < len(known) else f"{place}"
        )
        ax.plot(
            *at,
            linestyle="none",
            marker="o",
            markersize=9,
            markerfacecolor=palette[place % len(palette)],
            markeredgecolor=PAPER,
            markeredgewidth=1.6,
            zorder=6,
            label=f"{share:.0%} to {name}",
        )
    if (reached < 0).any():
        ax.plot(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=9,
            markerfacecolor=tuple(shades[-1]),
            markeredgecolor=PAPER,
            label=f"{np.mean(reached < 0):.0%} to none",
        )
    aside(ax, colours)
    return ax


def path_of(value: Any) -> np.ndarray:
    """Positions, shape (records, balls, 2), from an array or a result with a ``path``; NaN beyond numbers.

    Raises:
        FalllineError: if it is neither.
    """
    if hasattr(value, "labels") and getattr(value, "path", None) is None:
        raise FalllineError("This result kept no path; minimise with path=True to have one.")
    positions = marks.numbers(getattr(value, "path", value), "A path", None)
    if positions.ndim == 2:
        positions = positions[:, None]
    if positions.ndim != 3 or positions.shape[2] != 2:
        raise FalllineError(
            f"A path to draw has shape (records, 2) or (records, balls, 2); it was given "
            f"{np.shape(getattr(value, 'path', value))}."
        )
    return np.where(np.isfinite(positions).all(axis=2, keepdims=True), positions, np.nan)
