"""Races: the balls of several optimizers over one terrain, as a picture and as an animation."""

from __future__ import annotations

import dataclasses
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import CircleCollection, PathCollection
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea, VPacker
from matplotlib.path import Path as MarkPath
from matplotlib.text import Text

from fallline.errors import FalllineError, nearest
from fallline.show import film, marks, style
from fallline.show.landscape import INK, PAPER, contours, map_axes, path_of
from fallline.show.relief import land_of
from fallline.show.solid import Scene, block, key_at
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from matplotlib.axes import Axes

    from fallline.show.style import Theme

ENDINGS = (".gif", ".mp4", ".png", ".svg", ".pdf")
TRAIL = 72
"""Samples of a trail, at most."""

SEGMENTS = 24_000
"""Pieces of all trails of one frame, at most, so that thousands of balls stay quick."""

TAIL = 0.22
"""How long a trail is in an animation, as a share of the whole."""


@dataclasses.dataclass
class _Field:
    """A race laid out: the terrain that was drawn, and the balls' ways over it.

    Attributes:
        ax: the axes.
        ways: name -> positions, (records, balls, 2).
        place: positions, (..., 2), as places in the axes' data units; NaN where hidden.
        values: name -> values, (records, balls); inf where a ball has left the numbers.
        rates: name -> learning rate, where it is known.
        colours: name -> colour.
        theme: the theme.
    """

    ax: Any
    ways: dict[str, np.ndarray]
    place: Callable[[np.ndarray], np.ndarray]
    values: dict[str, np.ndarray]
    rates: dict[str, float]
    colours: dict[str, str]
    theme: Theme

    @property
    def balls(self) -> int:
        return sum(way.shape[1] for way in self.ways.values())

    @property
    def radius(self) -> float:
        return 6.6 * float(np.clip((60 / self.balls) ** 0.3, 0.34, 1.0))

    def middle(self, name: str, when: float) -> float:
        """The median value at a time from 0 to 1."""
        values = self.values[name]
        return float(np.median(values[round(when * (len(values) - 1))]))


def race(
    terrain: Any,
    paths: Mapping[str, Any],
    ax: Any = None,
    *,
    solid: bool = False,
    rates: Mapping[str, float] | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """The end of a race: every ball where it came to, its way behind it, and the optimizers' medians.

    Args:
        terrain: a terrain, or ``(x, y, z)`` with z[i, j] at (x[j], y[i]).
        paths: name -> path, shape (records, balls, 2), or a result of ``minimize(..., path=True)``.
        ax: where to draw; with ``solid`` axes made with ``projection="3d"``. A new figure if None.
        solid: as a block in three dimensions; it is not to be turned afterwards.
        rates: name -> learning rate, for the key; a result knows its own.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is nothing to draw.
    """
    field = _lay_out(terrain, paths, ax, solid, rates, theme)
    _finish(field)
    return field.ax


def _finish(field: _Field) -> None:
    """Draw the whole ways, the balls at their ends, and the key."""
    for layer, (name, way) in enumerate(field.ways.items()):
        kept = np.unique(np.linspace(0, len(way) - 1, min(len(way), TRAIL)).round().astype(int))
        trail = _trail(field, name, 4 + 0.01 * layer)
        _set_trail(trail, field.place(way[kept]), field.balls, least=0.3)
        _dots(field, name, 5 + 0.01 * layer).set_offsets(field.place(way[-1]))
    field.ax.add_artist(_key(field)[0])


def animate(
    terrain: Any,
    paths: Mapping[str, Any],
    out: str | Path,
    *,
    solid: bool = False,
    rates: Mapping[str, float] | None = None,
    seconds: float = 8.0,
    fps: int = 25,
    width: int = 640,
    theme: str | Theme | None = None,
) -> Path:
    """Write a race as an animation (.gif, .mp4), or its end as a picture (.png, .svg, .pdf).

    Balls move evenly between the records of their paths. The file is either whole or not there.

    Args:
        terrain: as for `race`.
        paths: as for `race`.
        out: where to write; the ending says what.
        solid: as for `race`.
        rates: as for `race`.
        seconds: how long it plays, at most 120.
        fps: frames a second, from 1 to 50; a GIF's frames last whole hundredths of a second.
        width: of the picture, in pixels.
        theme: as for `race`.

    Returns:
        The path of the file.

    Raises:
        FalllineError: if the ending is another, the file cannot be written, or an MP4 is wanted where
            there is no ffmpeg.
    """
    import matplotlib.pyplot as plt

    out = Path(out)
    ending = out.suffix.lower()
    if ending not in ENDINGS:
        raise FalllineError(
            f"{out} ends in {out.suffix!r}, but a race is written as one of {', '.join(ENDINGS)}."
        )
    if not 0 < seconds <= 120 or not 1 <= fps <= 50:
        raise FalllineError(
            f"An animation plays up to 120 seconds at 1 to 50 frames a second; it was given {seconds} "
            f"seconds at {fps}."
        )
    if ending == ".mp4" and shutil.which("ffmpeg") is None:
        raise FalllineError(
            "An MP4 needs ffmpeg, which is not installed: install it, or write a .gif instead."
        )
    moves = ending in (".gif", ".mp4")
    field = _lay_out(terrain, paths, None, solid, rates, theme)
    figure = field.ax.figure
    figure.set_dpi(width / figure.get_figwidth())
    try:
        if not moves:
            _finish(field)
            buffer = io.BytesIO()
            figure.savefig(buffer, format=ending[1:], dpi=figure.dpi)
            files.write(out, buffer.getvalue())
        elif ending == ".gif":
            frames = _frames(field, paths, max(round(seconds * fps), 1))
            look = field.theme
            names = (look.background, look.raised, look.text, look.muted, look.accent, PAPER, INK)
            files.write(out, film.gif(frames, fps, [*field.colours.values(), *names][:64]))
        else:
            film.mp4(_frames(field, paths, max(round(seconds * fps), 1)), fps, out)
    finally:
        plt.close(figure)
    return out


def _lay_out(
    terrain: Any,
    paths: Mapping[str, Any],
    ax: Any,
    solid: bool,
    rates: Mapping[str, float] | None,
    theme: str | Theme | None,
) -> _Field:
    """Draw the terrain and bring everything else into one form."""
    theme = style.theme_of(theme)
    if not paths:
        raise FalllineError("A race needs the path of at least one optimizer.")
    for name in rates or {}:
        if name not in paths:
            raise FalllineError(
                f"There is a rate for {name!r}, but no path: {nearest(name, paths)}"
            )
    ways = {name: path_of(path) for name, path in paths.items()}
    land = land_of(terrain)
    if solid:
        scene = block(land, ax, theme=theme)
        ax = scene.ax

        def place(points: np.ndarray) -> np.ndarray:
            return _where_seen(scene, points)
    else:
        ax = ax or map_axes(land, theme, beside=2.3)
        contours(land, ax, bar=False, theme=theme)

        def place(points: np.ndarray) -> np.ndarray:
            return points

    colours = dict(zip(ways, style.colours_of(list(ways), "dark"), strict=True))
    values = {name: _values(terrain, land, way) for name, way in ways.items()}
    known: dict[str, float] = {}
    for name, path in paths.items():
        rate = (rates or {}).get(
            name, getattr(getattr(path, "optimizer", None), "learning_rate", None)
        )
        if rate is not None and not callable(rate):
            known[name] = float(rate)
    return _Field(ax, ways, place, values, known, colours, theme)


def _where_seen(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Positions as places in the picture of a block; NaN where a hill hides them."""
    spots = scene.place(points, 0.02)
    return np.where(scene.seen(spots)[..., None], scene.flat(spots), np.nan)


def _values(terrain: Any, land: Any, way: np.ndarray) -> np.ndarray:
    """The terrain's value at every position; inf for a ball that has left the finite numbers."""
    if callable(terrain):
        found = np.asarray(terrain(np.nan_to_num(way, nan=0.0)), np.float64)
        lost = ~np.isfinite(way).all(axis=2)
    else:
        found = land.at(way, np.where(np.isfinite(land.z), land.z, np.inf))
        lost = np.isnan(found)
    return np.where(lost | np.isnan(found), np.inf, found)


def _dots(field: _Field, name: str, zorder: float) -> Any:
    """The balls of one optimizer, yet without places."""
    dots = CircleCollection(
        [field.radius**2],
        offsets=np.zeros((0, 2)),
        offset_transform=field.ax.transData,
        facecolors=[field.colours[name]],
        edgecolors=INK,
        linewidths=max(0.09 * field.radius, 0.3),
        zorder=zorder,
    )
    return _added(field, dots)


def _trail(field: _Field, name: str, zorder: float) -> PathCollection:
    """The trails of one optimizer, yet without places."""
    trail = PathCollection(
        [], facecolors="none", edgecolors=field.colours[name], zorder=zorder, capstyle="butt"
    )
    trail.set_transform(field.ax.transData)
    return _added(field, trail)


def _added(field: _Field, artist: Any) -> Any:
    """Put a flat artist over the terrain."""
    if field.ax.name == "3d":
        # Axes in three dimensions take solid things only; the picture around them takes any.
        field.ax.figure.add_artist(artist)
    else:
        field.ax.add_collection(artist, autolim=False)
    artist.set_in_layout(False)
    return artist


def _set_trail(trail: PathCollection, places: np.ndarray, balls: int, least: float = 0.0) -> None:
    """Fill a collection with trails, the older the fainter: places (samples, balls, 2), oldest first.

    All pieces of one age are one path, so that thousands of balls are a few dozen paths.
    """
    places = places if len(places) > 1 else places[[0, 0]]
    pieces = np.stack([places[:-1], places[1:]], axis=2)
    drawn = np.isfinite(pieces).all(axis=(2, 3))
    drawn &= np.abs(np.diff(pieces, axis=2)).sum(axis=(2, 3)) > 0
    age = 1 - np.arange(1, len(pieces) + 1) / len(pieces)
    paths: list[MarkPath] = []
    for layer, kept in zip(pieces, drawn, strict=True):
        codes = np.tile(np.array([MarkPath.MOVETO, MarkPath.LINETO], np.uint8), int(kept.sum()))
        paths.append(MarkPath(layer[kept].reshape(-1, 2), codes))
    trail.set_paths(paths)
    crowd = min(1.0, (600 / balls) ** 0.55)
    trail.set_alpha((np.maximum(0.92 * (1 - age) ** 1.6, least) * crowd).tolist())
    thin = float(np.clip((200 / balls) ** 0.2, 0.5, 1.0))
    trail.set_linewidth((2.2 * thin * (1 - 0.65 * age)).tolist())


def _key(field: _Field) -> tuple[Any, dict[str, Any]]:
    """The table of optimizers, rates and medians, and the texts of the medians to be changed."""
    faint = {"color": "#b6c0cc", "fontsize": style.TICK - 0.5}
    plain = {"color": PAPER, "fontsize": style.TICK}
    swatches: list[Any] = [TextArea(" ", textprops=faint)]
    columns: dict[str, list[Any]] = {"": [TextArea(" ", textprops=faint)]}
    if field.rates:
        columns["rate"] = [TextArea("rate", textprops=faint)]
    columns["median"] = [TextArea("median", textprops=faint)]
    texts: dict[str, Any] = {}
    for name in field.ways:
        swatches.append(TextArea("●", textprops={**plain, "color": field.colours[name]}))
        columns[""].append(TextArea(name, textprops=plain))
        if field.rates:
            rate = field.rates.get(name)
            columns["rate"].append(
                TextArea("–" if rate is None else marks.number(rate), textprops=plain)
            )
        texts[name] = TextArea(marks.number(field.middle(name, 1.0)), textprops=plain)
        columns["median"].append(texts[name])
    packed: list[Any] = [VPacker(children=swatches, pad=0, sep=4)] + [
        VPacker(children=column, pad=0, sep=4, align="right" if head else "left")
        for head, column in columns.items()
    ]
    box = AnchoredOffsetbox(
        loc="upper right" if field.ax.name == "3d" else "upper left",
        child=HPacker(children=packed, pad=0, sep=7),
        bbox_to_anchor=key_at(field.ax) if field.ax.name == "3d" else (1.03, 1.0),
        bbox_transform=field.ax.transAxes,
        borderpad=0,
        pad=0.6,
        prop=FontProperties(size=style.TICK),
    )
    box.patch.set(
        facecolor="#2c3a4d" if field.theme.name == "light" else field.theme.raised,
        edgecolor="none",
        boxstyle="round,pad=0,rounding_size=0.3",
    )
    box.set_zorder(9)
    box.set_clip_on(False)
    return box, texts


def _frames(field: _Field, paths: Mapping[str, Any], count: int) -> Iterator[np.ndarray]:
    """The frames of an animation, (height, width, 3) bytes each.

    The terrain is drawn once; only what moves is drawn again for every frame.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    ax, figure = field.ax, field.ax.figure
    canvas = FigureCanvasAgg(figure)
    times = np.linspace(0, 1, count)
    places = {name: field.place(_between(way, times)) for name, way in field.ways.items()}
    samples = int(np.clip(SEGMENTS // max(field.balls, 1), 3, TRAIL))
    length = max(round(TAIL * count), 1)
    stride = max(-(-length // samples), 1)
    trails, dots = {}, {}
    for layer, name in enumerate(field.ways):
        trails[name] = _trail(field, name, 4 + 0.01 * layer)
        dots[name] = _dots(field, name, 5 + 0.01 * layer)
    box, texts = _key(field)
    ax.add_artist(box)
    clock = Text(*((1.15, 0.03) if ax.name == "3d" else (1.03, 0.035)), "", transform=ax.transAxes)
    clock.set(color=field.theme.muted, fontsize=style.TICK, zorder=9)
    # A line that grows with time: also what tells a player that a race come to rest still plays.
    line = Line2D([], [], color=field.theme.accent, linewidth=2.5, transform=figure.transFigure)
    line.set(solid_capstyle="butt", zorder=9)
    for artist in (clock, line):
        artist.set_in_layout(False)
        figure.add_artist(artist)
    moving = [*trails.values(), *dots.values(), box, clock, line]
    canvas.draw()
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    steps = _clock(field, paths)
    for frame, when in enumerate(times):
        for name in field.ways:
            begin = max(frame - length, 0)
            taken = places[name][frame:begin:-stride][::-1] if frame else places[name][:1]
            _set_trail(trails[name], taken, field.balls)
            dots[name].set_offsets(places[name][frame])
            texts[name].set_text(marks.number(field.middle(name, when)))
        clock.set_text(f"step {round(float(np.interp(when, *steps))):,}")
        line.set_data([0, (frame + 1) / count], [0.003, 0.003])
        canvas.restore_region(still)
        for artist in moving:
            figure.draw_artist(artist)
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _clock(field: _Field, paths: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Times from 0 to 1 and the steps at them, as a result tells, or a step a record."""
    for name, path in paths.items():
        recorded = np.asarray(getattr(path, "recorded", ()), np.float64)
        records = len(field.ways[name])
        if len(recorded) == records - 1 and records > 1:
            steps = np.append(recorded, float(np.max(getattr(path, "nit", recorded[-1] + 1))))
            return np.linspace(0, 1, records), steps
    longest = max(len(way) for way in field.ways.values())
    return np.array([0.0, 1.0]), np.array([0.0, longest - 1.0])


def _between(way: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Positions at times from 0 to 1, evenly between the records; (times, balls, 2)."""
    at = times * (len(way) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(way) - 1)
    share = (at - before)[:, None, None]
    return np.where(share > 0, (1 - share) * way[before] + share * way[after], way[before])
