"""``run.show()`` and ``terrain.show()``: the studio's pictures in a notebook, by Jupyter or marimo."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError
from fallline.show import motion, overview, squeeze, widget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fallline.terrains import Terrain

PANELS = ("vendor/uPlot.min.css", "css/tokens.css", "css/panels.css", "css/maps.css")
GRID = 257
"""Points of the height map on each axis."""

RECORDS = 150
"""Moments of a race that are kept."""

MOST_BALLS = 5000
"""Balls of all optimizers together that a widget is given."""

DRAWN = 100
"""Balls of each optimizer in the picture."""

NEAR = 0.005
"""A ball has arrived when it is so near to the minimum it will end in, in diagonals of the window."""


@dataclasses.dataclass(frozen=True)
class Way:
    """The way of one optimizer's balls over a terrain.

    Attributes:
        label: its name in the race.
        title: its name in words.
        optimizer: its name.
        rate: its learning rate.
        path: positions, (records, balls, 2).
        kind: how each ball ended, (balls,).
    """

    label: str
    title: str
    optimizer: str
    rate: float | None
    path: np.ndarray
    kind: np.ndarray


def show_run(
    run: Any,
    *,
    height: int = 460,
    theme: str | None = None,
    lang: str | None = None,
    diagnose: bool = False,
    data: Any = None,
) -> Any:
    """A run in a notebook: what was trained on what, its curves, its layers, what it gets wrong.

    Args:
        run: of `fallline.train`, `fallline.fit`, `fallline.load` or `fallline.minimize`.
        height: of the widget, in pixels.
        theme: "light", "dark", or "auto" (None): as the notebook.
        lang: "en" or "zh"; by the environment if None.
        diagnose: ask the doctor as well, and measure baselines: takes some seconds.
        data: the table of a run of a table, if it is no longer where it was or was given in memory.

    Returns:
        A widget of anywidget, to be the last expression of a cell; a picture where it is not installed.
    """
    from fallline.page.card import card, examined

    widget.check(height=height, theme=theme, lang=lang)
    if diagnose:
        told = examined(run, data=data, surface=False, lang=lang)
    else:
        told = {**card(run), "instruments": _instruments(run, data)}
    return widget.made(
        "fallline/notebook/run",
        (*PANELS, "css/notebook.css"),
        {"card": told},
        lambda: _drawing_of(run).figure,
        words_of=f"a run: {told['title']}",
        height=height,
        theme=theme,
        lang=lang,
    )


def _instruments(run: Any, data: Any) -> dict[str, Any] | None:
    """What the model's layers do, and what it gets right; None where the rows are not at hand."""
    from fallline.diagnosis.case import RunCase
    from fallline.jobs.diagnose import case_of
    from fallline.page.examine import held_out, instruments_of

    try:
        case, _ = case_of(run, data=data)
        if not isinstance(case, RunCase) or case.problem is None or case.model is None:
            return None
        with case.in_precision():
            return instruments_of(case, held_out(case, data)[0])
    except FalllineError:
        # The table has moved, or the run was read from its folder without it: the curves are shown.
        return None


def _drawing_of(run: Any) -> Any:
    return (overview.result if hasattr(run, "basins") else overview.run)(run)


def show_result(result: Any, *, height: int = 520, **options: Any) -> Any:
    """A descent in a notebook: on a terrain its balls roll, of another function its curves are drawn.

    A descent on a terrain that kept no path is repeated to have one.

    Args:
        result: of `fallline.minimize`.
        height: of the widget, in pixels.
        options: ``theme`` and ``lang``, and ``diagnose`` where there is no terrain; see `show_run`.
    """
    terrain = overview.terrain_of(result)
    if terrain is None or options.get("diagnose"):
        return show_run(result, height=height, **options)
    widget.check(height=height, theme=options.get("theme"), lang=options.get("lang"))
    if result.path is None:
        result = _again(result)
    name = type(result.optimizer).__name__
    rates = result.history.steps["learning_rate"]
    rate = float(rates.flat[0]) if rates.size else None
    path = result.path[:, None] if result.path.ndim == 2 else result.path
    way = Way(name.lower(), name, name.lower(), rate, path, np.atleast_1d(result.kind))
    steps = [*np.asarray(result.recorded).tolist(), int(np.max(result.nit))]
    kept = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), RECORDS + 1)).astype(int))
    way = dataclasses.replace(way, path=path[kept])
    words_of = f"a descent on {terrain.title}"
    options.pop("diagnose", None)
    return _scene(terrain, [way], [steps[i] for i in kept], words_of, height=height, **options)


def _again(result: Any) -> Any:
    from fallline.descent.minimize import minimize

    asked: dict[str, Any] = {**result.asked, "path": True, "records": RECORDS}
    return minimize(**asked)


def show_terrain(
    terrain: Terrain,
    optimizers: Any = ("sgd", "momentum", "adam"),
    *,
    balls: int = 200,
    steps: int = 300,
    learning_rates: Mapping[str, float] | None = None,
    seed: int = 0,
    height: int = 520,
    theme: str | None = None,
    lang: str | None = None,
) -> Any:
    """A race on a terrain in a notebook: computed first, then played as often as one likes.

    Args:
        terrain: where.
        optimizers: as for `fallline.sweep`; none for the terrain alone.
        balls: of each optimizer, from the same places.
        steps: of each ball.
        learning_rates: label -> rate; for the others thirteen rates are tried, and the best taken.
        seed: of the starts and of the noise.
        height: of the widget, in pixels.
        theme: "light", "dark", or "auto" (None): as the notebook.
        lang: "en" or "zh"; by the environment if None.

    Returns:
        A widget of anywidget, to be the last expression of a cell; a picture where it is not installed.

    Raises:
        FalllineError: if there is no such optimizer, or there are more than 5,000 balls in all.
    """
    from fallline.descent.settings import labelled
    from fallline.jobs.race import race

    widget.check(height=height, theme=theme, lang=lang)
    many = len(labelled(optimizers)) if optimizers else 0
    if many * balls > MOST_BALLS:
        raise FalllineError(
            f"A widget shows at most {MOST_BALLS:,} balls in all; it was asked for {many} times {balls:,}."
        )
    ways: list[Way] = []
    recorded = [0]
    if many:
        given: dict[str, Any] = {"learning_rates": learning_rates, "seed": seed, "records": RECORDS}
        racers = race(terrain, optimizers, balls=balls, steps=steps, **given)
        for racer in racers:
            path, kind = racer.result.path, np.asarray(racer.result.kind)
            assert path is not None  # it was asked for
            name = type(racer.result.optimizer).__name__
            title = name if racer.label == name.lower() else racer.label
            ways.append(Way(racer.label, title, name.lower(), racer.learning_rate, path, kind))
        first = racers[0].result
        recorded = [*np.asarray(first.recorded).tolist(), int(np.max(first.nit))]
    words_of = f"a race on {terrain.title}" if ways else terrain.title
    return _scene(terrain, ways, recorded, words_of, height=height, theme=theme, lang=lang)


def _scene(
    terrain: Terrain, ways: Sequence[Way], recorded: list[int], words_of: str, **options: Any
) -> Any:
    """The widget of a terrain with balls on it, or its picture."""
    z = np.asarray(terrain.grid(GRID)[2])
    surface, scale = squeeze.heights(z)
    # Balls beyond what a page draws with ease are left out, evenly.
    kept = np.arange(ways[0].path.shape[1]) if ways else np.arange(0)
    kept = kept[:: -(-len(kept) * len(ways) // MOST_BALLS)] if len(kept) else kept
    ways = [dataclasses.replace(w, path=w.path[:, kept], kind=w.kind[kept]) for w in ways]
    paths = np.concatenate([w.path for w in ways], axis=1) if ways else np.zeros((1, 0, 2))
    data = {
        "surface": {
            "title": terrain.title,
            "name": terrain.name,
            "bounds": [*terrain.bounds[0], *terrain.bounds[1]],
            "axes": list(terrain.axes),
            "grid": GRID,
            "minima": [p._asdict() for p in terrain.minima],
            "saddles": [p._asdict() for p in terrain.saddles],
        },
        "scale": scale,
        "racers": [{"title": w.title, "optimizer": w.optimizer, "rate": w.rate} for w in ways],
        "balls": len(kept),
        "steps": recorded,
        "standings": _standings(terrain, ways),
    }
    return widget.made(
        "fallline/notebook/terrain",
        ("css/tokens.css", "css/terrain.css", "css/notebook.css"),
        data,
        lambda: _picture(terrain, ways, recorded).figure,
        words_of=words_of,
        form="jpeg",
        surface=surface,
        paths=squeeze.places(terrain, paths),
        **options,
    )


def _standings(terrain: Terrain, ways: Sequence[Way]) -> list[list[list[float | None]]]:
    """For each moment and optimizer: the median value, the share in a minimum, and the share lost."""
    low, high = np.array(terrain.bounds).T
    near = NEAR * float(np.linalg.norm(high - low))
    found: list[list[list[float | None]]] = []
    for way in ways:
        values = _values(terrain, way)
        lost = ~np.isfinite(values)
        # Above all numbers, so that the median is that of all balls.
        median = np.median(np.where(lost, np.inf, values), axis=1)
        with np.errstate(invalid="ignore"):
            away = np.linalg.norm(way.path - way.path[-1], axis=2)
            there = (way.kind == "minimum") & (away <= near) & ~lost
        rows = zip(median, there.mean(axis=1), lost.mean(axis=1), strict=True)
        found.append([[_short(m), _short(a), _short(b)] for m, a, b in rows])
    return [list(moment) for moment in zip(*found, strict=True)]


def _values(terrain: Terrain, way: Way) -> np.ndarray:
    """What the terrain is worth at each moment under each ball, (records, balls)."""
    places: Any = way.path
    return np.asarray(terrain(places), np.float64)


def _short(value: float) -> float | None:
    """A number of five digits; None where it is not finite."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _picture(terrain: Terrain, ways: Sequence[Way], steps: Sequence[int]) -> Any:
    """The race when half of the optimizers' median balls are nearly down, as a block; or it alone."""
    if not ways:
        return overview.terrain(terrain, solid_block=True)
    moment = int(np.median([_fallen(terrain, way) for way in ways]))
    moment = min(max(moment, 5), len(steps) - 1)
    titled = dataclasses.replace(terrain, title=f"{terrain.title} after {steps[moment]:,} steps")
    every = -(-ways[0].path.shape[1] // DRAWN)
    paths = {way.label: way.path[: moment + 1, ::every] for way in ways}
    rates = {way.label: way.rate for way in ways if way.rate is not None}
    return motion.race(titled, paths, solid=True, rates=rates)


def _fallen(terrain: Terrain, way: Way) -> int:
    """The moment at which the median ball has made nine tenths of its fall."""
    values = _values(terrain, way)
    medians = np.median(np.where(np.isfinite(values), values, np.inf), axis=1)
    low = np.flatnonzero(medians <= medians[-1] + 0.1 * (medians[0] - medians[-1]))
    return int(low[0]) if len(low) else len(medians) - 1
