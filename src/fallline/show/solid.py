"""A terrain as a solid block: lit, with contours, with paths and balls on top of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError
from fallline.show import marks, oklab, style
from fallline.show.landscape import INK, LEVELS, aside, path_of
from fallline.show.relief import Land, land_of, light, lit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from fallline.show.style import Theme

CELLS = 160
"""Of the surface on each axis: as fine as is still quick to draw."""

SKIRT = 0.2
STRATA = 12
ASPECT = (1.0, 1.0, 0.27 * (1 + SKIRT))
SIZE = (6.4, 4.4)
FRAME = (0.03, 0.07, 0.84, 0.82)
"""Left, bottom, width and height of the block in a figure of its own, as shares of it."""

ELEVATION, AZIMUTH = 36.0, -58.0
_ABOVE = 0.012
_OWN = "a block of its own"


@dataclasses.dataclass(frozen=True)
class Scene:
    """A block that was drawn, and where its places are seen.

    Attributes:
        ax: the axes, in three dimensions.
        land: what was drawn.
        matrix: from places and heights to the picture, (4, 4).
    """

    ax: Any
    land: Any
    matrix: np.ndarray

    def place(self, points: Any, above: float = _ABOVE) -> np.ndarray:
        """Places on the surface, shape (..., 2), as points in space, (..., 3); NaN outside."""
        heights = self.land.at(points)
        points = np.where(np.isfinite(heights)[..., None], points, np.nan)
        return np.concatenate([points, heights[..., None] + above], axis=-1)

    def seen(self, spots: Any) -> np.ndarray:
        """Which points in space, shape (..., 3), no hill hides from the eye."""
        spots = np.asarray(spots, np.float64)
        eye = np.linalg.svd(self.matrix[[0, 1, 3]])[2][-1]
        toward = eye[:3] - spots * eye[3]
        toward = toward * np.sign(toward[..., 2:])
        # As far as the highest point: above it there is nothing to hide behind.
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = toward * ((1.0 - spots[..., 2]) / toward[..., 2])[..., None]
        free = np.isfinite(spots).all(axis=-1)
        for share in np.linspace(0, 1, 121)[1:] ** 1.5:
            at = spots + share * whole
            hill = self.land.at(at[..., :2])
            with np.errstate(invalid="ignore"):
                # A little more than the surface's own roughness between the points of the grid.
                free &= ~(hill > at[..., 2] + 0.004)
        return free

    def flat(self, spots: Any) -> np.ndarray:
        """Points in space, (..., 3), as places in the picture, (..., 2), in the axes' data units."""
        spots = np.asarray(spots, np.float64)
        whole = np.concatenate([spots, np.ones((*spots.shape[:-1], 1))], axis=-1) @ self.matrix.T
        return whole[..., :2] / whole[..., 3:]


def surface(
    terrain: Any,
    ax: Any = None,
    *,
    paths: Mapping[str, Any] | None = None,
    balls: Mapping[str, Any] | None = None,
    elevation: float = ELEVATION,
    azimuth: float = AZIMUTH,
    theme: str | Theme | None = None,
) -> Axes:
    """A terrain as a block under the sun, with what runs over it.

    Heights are on the scale of `contours`. What a hill hides is left out, for the view that is drawn:
    turned by hand afterwards, a path may be missing where it would now be seen.

    Args:
        terrain: a terrain, or ``(x, y, z)`` with z[i, j] at (x[j], y[i]).
        ax: axes with ``projection="3d"``; a new figure if None.
        paths: name -> path, shape (records, 2) or (records, balls, 2), or a result with a ``path``.
        balls: name -> places, shape (balls, 2).
        elevation: of the eye over the horizon, in degrees, from 5 to 90.
        azimuth: of the eye around the block, in degrees.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw, or the axes are flat.
    """
    colours = style.theme_of(theme)
    scene = block(terrain, ax, elevation=elevation, azimuth=azimuth, theme=colours)
    paths, balls = paths or {}, balls or {}
    names = [*paths, *(name for name in balls if name not in paths)]
    palette = dict(zip(names, style.colours_of(names, "dark"), strict=True))
    for name, way in paths.items():
        _draw_path(scene, path_of(way), palette[name], name)
    for name, places in balls.items():
        places = marks.numbers(places, f"The balls of {name!r}", 2)
        if places.shape[1] != 2:
            raise FalllineError(
                f"Balls are places, shape (balls, 2); they were given {places.shape}."
            )
        _draw_balls(scene, places, palette[name], None if name in paths else name)
    if names:
        aside(scene.ax, colours, loc="upper right", bbox_to_anchor=key_at(scene.ax))
    return scene.ax


def block(
    terrain: Any,
    ax: Any = None,
    *,
    elevation: float = ELEVATION,
    azimuth: float = AZIMUTH,
    theme: Theme,
) -> Scene:
    """Draw the block alone."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

    if not 5 <= elevation <= 90:
        raise FalllineError(
            f"The elevation must be from 5 to 90 degrees; it was given {elevation!r}."
        )
    land = land_of(terrain)
    if ax is None:
        ax = style.new_axes(theme, size=SIZE, projection="3d")
        ax.figure.set_layout_engine("none")
        ax.set_position((0.1, 0.0, SIZE[1] / SIZE[0], 1.0))
        ax.set_label(_OWN)
    if ax.name != "3d":
        raise FalllineError('A surface needs axes made with projection="3d".')
    style.themed(ax, theme)
    ax.set_facecolor(theme.background)
    x = np.linspace(land.x[0], land.x[-1], CELLS + 1)
    y = np.linspace(land.y[0], land.y[-1], CELLS + 1)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    sky, sun = light(land.heights)
    middle = (grid[1:, 1:] + grid[:-1, :-1]) / 2
    heights = land.at(middle)
    colour = lit(oklab.terrain_map()(heights)[..., :3], land.at(middle, sky), land.at(middle, sun))
    whole = np.concatenate([grid, land.at(grid)[..., None]], axis=-1)
    quads = np.stack([whole[:-1, :-1], whole[:-1, 1:], whole[1:, 1:], whole[1:, :-1]], axis=2)
    sides, side_colours = _skirt(whole, azimuth)
    faces = np.concatenate([quads.reshape(-1, 4, 3), sides])
    paint = np.concatenate([colour.reshape(-1, 3), side_colours])
    body = Poly3DCollection(
        faces,
        facecolors=paint,
        edgecolors=paint,
        linewidths=0.35,
        zorder=1,
        rasterized=True,
        clip_on=False,
    )
    ax.computed_zorder = False
    ax.set_axis_off()
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    ax.set_zlim(-SKIRT, 1)
    ax.set_proj_type("persp", focal_length=1.6)
    ax.view_init(elev=elevation, azim=azimuth)
    edges = np.concatenate([whole[0], whole[-1], whole[:, 0], whole[:, -1]])
    _fit(ax, np.concatenate([edges, edges * [1, 1, 0] - [0, 0, SKIRT]]))
    ax.add_collection3d(body, autolim=False)
    scene = Scene(ax, land, np.asarray(ax.get_proj()))
    for strong in (False, True):
        lines = [
            scene.place(line, 0.004) for i, line in _contour_lines(land) if (i % 5 == 4) == strong
        ]
        cut = [piece for line in lines for piece in _pieces(line, scene.seen(line))]
        if cut:
            ax.add_collection3d(
                Line3DCollection(
                    cut,
                    colors=INK,
                    alpha=0.5 if strong else 0.4,
                    linewidths=0.9 if strong else 0.4,
                    zorder=2,
                    clip_on=False,
                ),
                autolim=False,
            )
    _ticks(scene, theme, azimuth)
    style.title(ax, land.title, theme)
    if _alone(ax):
        ax.set_title(ax.get_title(loc="left"), loc="left", **_at(ax, 0.03, 0.93), pad=0)
    return scene


def key_at(ax: Any) -> tuple[float, float]:
    """Where the upper right corner of a key goes, as shares of the axes."""
    place = _at(ax, 0.98, 0.965) if _alone(ax) else {"x": 1.0, "y": 1.0}
    return place["x"], place["y"]


def _at(ax: Any, x: float, y: float) -> dict[str, float]:
    """A place in the figure as a place in the axes."""
    box = ax.get_position(original=True)
    return {"x": (x - box.x0) / box.width, "y": (y - box.y0) / box.height}


def _alone(ax: Any) -> bool:
    """Was the figure made for this block?"""
    return ax.get_label() == _OWN


def _fit(ax: Any, outline: np.ndarray) -> None:
    """Make the block as large as the axes, or as its part of a figure of its own, allow."""
    low, size = (np.array(FRAME[:2]), np.array(FRAME[2:]))
    frame = ax.figure.transSubfigure
    if not _alone(ax):
        low, size, frame = np.zeros(2), np.ones(2), ax.transAxes
    zoom = 1.0
    box = np.zeros((2, 2))
    # Perspective makes the size not quite proportional to the zoom; the second time it is.
    for _ in range(3):
        ax.set_box_aspect(ASPECT, zoom=zoom)
        ax.apply_aspect()
        flat = Scene(ax, None, np.asarray(ax.get_proj())).flat(outline)
        shown = frame.inverted().transform(ax.transData.transform(flat))
        box = np.array([shown.min(axis=0), shown.max(axis=0)])
        zoom *= float(np.min(size / (box[1] - box[0])))
    if _alone(ax):
        shift = low + size / 2 - box.mean(axis=0)
        place = ax.get_position(original=True)
        ax.set_position((place.x0 + shift[0], place.y0 + shift[1], place.width, place.height))


def _skirt(whole: np.ndarray, azimuth: float) -> tuple[np.ndarray, np.ndarray]:
    """The sides of the block in layers of rock: quadrilaterals (k, 4, 3) and their colours (k, 3)."""
    ramp = oklab.terrain_map()
    quads: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    turn = np.radians(azimuth)
    for edge, facing in (
        (whole[0], (0, -1)),
        (whole[-1], (0, 1)),
        (whole[:, 0], (-1, 0)),
        (whole[:, -1], (1, 0)),
    ):
        # Only the sides that face the eye: the others are behind the block.
        if np.dot(facing, (np.cos(turn), np.sin(turn))) < -0.2:
            continue
        light_here = 0.62 + 0.3 * max(float(np.dot(facing, (-0.8, 0.6))), 0.0)
        light_here += 0.12 * (facing[0] == 0)
        for layer in range(STRATA):
            depth = np.array([layer, layer + 1]) / STRATA
            rows = [edge.copy(), edge.copy()]
            for row, share in zip(rows, depth, strict=True):
                row[:, 2] = edge[:, 2] + share * (-SKIRT - edge[:, 2])
            quads.append(np.stack([rows[0][:-1], rows[0][1:], rows[1][1:], rows[1][:-1]], axis=1))
            top = ramp(np.clip(edge[:-1, 2], 0, 1))[:, :3]
            earth = ramp(0.12)[:3]
            fade = 0.25 + 0.6 * layer / STRATA
            strata = 1.0 if layer % 2 else 0.9
            mixed = (1 - fade) * top + fade * np.asarray(earth) * 0.8
            colours.append(np.clip(mixed * light_here * strata, 0, 1))
    return np.concatenate(quads), np.concatenate(colours)


def _contour_lines(land: Land) -> list[tuple[int, np.ndarray]]:
    """(level, line) of every contour, lines of shape (points, 2)."""
    from contourpy import contour_generator

    maker = contour_generator(land.x, land.y, land.heights)
    at = np.linspace(0, 1, LEVELS + 2)[1:-1]
    lines: list[tuple[int, np.ndarray]] = []
    for i, level in enumerate(at):
        lines += [(i, np.asarray(line)) for line in maker.lines(level)]  # pyright: ignore
    return lines


def _pieces(line: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """The parts of a line, (points, 3), whose points are kept, of two points or more."""
    breaks = np.flatnonzero(np.diff(kept.astype(int))) + 1
    parts = np.split(np.arange(len(line)), breaks)
    return [line[part] for part in parts if kept[part[0]] and len(part) > 1]


def _draw_path(scene: Scene, positions: np.ndarray, colour: Any, name: str) -> None:
    """Every ball's way with a rim, where it can be seen, and its last place as a ball."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    pieces: list[np.ndarray] = []
    last: list[np.ndarray] = []
    for way in np.moveaxis(positions, 1, 0):
        fine = _finer(way, scene.land)
        spots = scene.place(fine)
        pieces += _pieces(spots, scene.seen(spots))
        known = way[np.isfinite(way).all(axis=1)]
        last += [known[-1]] if len(known) else []
    width = 2.2 if positions.shape[1] == 1 else 1.1
    if pieces:
        for extra, ink, alpha in ((0.8 * width, INK, 0.6), (0.0, colour, 1.0)):
            scene.ax.add_collection3d(
                Line3DCollection(
                    pieces,
                    colors=[ink],
                    linewidths=width + extra,
                    alpha=alpha,
                    capstyle="round",
                    zorder=3,
                    clip_on=False,
                ),
                autolim=False,
            )
    _draw_balls(scene, np.array(last).reshape(-1, 2), colour, name)


def _draw_balls(scene: Scene, places: np.ndarray, colour: Any, name: str | None) -> None:
    """Balls with a dark rim and a spark of light, where they can be seen."""
    radius = 7.5 * float(np.clip((60 / max(len(places), 1)) ** 0.3, 0.45, 1.0))
    spots = scene.place(places, 0.03)
    spots = spots[scene.seen(spots)]
    common: dict[str, Any] = {"depthshade": False, "zorder": 4, "clip_on": False}
    scene.ax.scatter(
        *spots.T,
        s=radius**2,
        c=[colour],
        edgecolors=INK,
        linewidths=0.11 * radius,
        label=name,
        **common,
    )
    spots = spots + np.array([0, 0, 0.012 * radius / 7.5])
    scene.ax.scatter(*spots.T, s=(0.3 * radius) ** 2, c="white", alpha=0.75, linewidths=0, **common)


def _finer(way: np.ndarray, land: Land) -> np.ndarray:
    """Points between those of a path, so that it follows the ground; (points, 2)."""
    cell = max(np.ptp(land.x), np.ptp(land.y)) / 200
    with np.errstate(invalid="ignore"):
        gaps = np.linalg.norm(np.diff(way, axis=0), axis=1)
    counts = np.clip(np.nan_to_num(gaps / cell, nan=1.0), 1, 400).astype(int)
    parts = [
        np.linspace(way[i], way[i + 1], count, endpoint=False) for i, count in enumerate(counts)
    ]
    return np.concatenate([*parts, way[-1:]])


def _ticks(scene: Scene, theme: Theme, azimuth: float) -> None:
    """Numbers and names along the two lower edges in front."""
    from matplotlib.ticker import MaxNLocator

    land = scene.land
    turn = np.radians(azimuth)
    front = (
        land.y[0] if np.sin(turn) < 0 else land.y[-1],
        land.x[-1] if np.cos(turn) > 0 else land.x[0],
    )
    away = (np.sign(np.sin(turn)) * np.ptp(land.y), np.sign(np.cos(turn)) * np.ptp(land.x))
    for axis, (low, high) in enumerate(((land.x[0], land.x[-1]), (land.y[0], land.y[-1]))):
        ticks = [
            t
            for t in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
            if low <= t <= high
        ]
        # The number at the corner would stand beside the other edge's.
        room = 0.06 * (high - low)
        ticks = [t for t in ticks if low + room <= t <= high - room]
        for tick in [*ticks, None]:
            along = (low + high) / 2 if tick is None else tick
            out = front[axis] + away[axis] * (0.16 if tick is None else 0.06)
            spot = (along, out, -SKIRT) if axis == 0 else (out, along, -SKIRT)
            text = land.axes[axis] if tick is None else marks.number(float(tick))
            scene.ax.text(
                *spot,
                text,
                color=theme.text if tick is None else theme.muted,
                fontsize=style.LABEL if tick is None else style.TICK - 1,
                style="italic" if tick is None else "normal",
                ha="center",
                va="center",
                zorder=0,
            )
