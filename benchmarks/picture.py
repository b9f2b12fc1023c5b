"""The whole table as one figure, from ``targets.json`` alone.

python -m benchmarks.picture FOLDER

To the right of 1 a peer needs longer than Fallline, to the left it is faster. A tick is the target; a full
dot has reached it, an open diamond has not, and the dotted line is what it lacks.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from benchmarks import panels, report
from fallline.errors import FalllineError
from fallline.show import marks, style
from fallline.store import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.show.style import Theme

ROW, HEAD, FOOT = 0.235, 1.2, 1.2
"""Inches: of a row, and of what stands above and below all rows."""

WIDTH, LEFT, RIGHT = 12.0, 0.43, 0.835
"""Inches of the figure; where the axes begin and end, as shares of it."""

NAMES, END = -1.02, 1.36
"""Where the workloads' names begin and the numbers end, if the axes go from 0 to 1."""


def save(folder: Path) -> None:
    """Draw ``targets.json`` of a folder as ``targets.svg`` and its kin."""
    path = folder / "targets.json"
    entries = list(files.from_json(files.read(path), path)["workloads"].values())
    panels.save("targets", folder, lambda theme: draw(entries, theme))


def draw(entries: list[dict[str, Any]], colours: Theme) -> Figure:
    """The figure.

    Args:
        entries: of ``targets.json``, in the order of drawing.
        colours: of the theme.
    """
    groups = [
        (entry, [lane for lane in entry["contenders"] if lane["state"] != "ours"])
        for entry in entries
    ]
    groups = [(entry, lanes) for entry, lanes in groups if lanes]
    if not groups:
        raise FalllineError(
            "There is nothing to draw yet: python -m benchmarks --out FOLDER first."
        )
    rows = sum(len(lanes) for _, lanes in groups) + 0.55 * len(groups)
    height = rows * ROW + HEAD + FOOT
    figure = plt.figure(figsize=(WIDTH, height))
    ax = figure.add_axes((LEFT, FOOT / height, RIGHT - LEFT, rows * ROW / height))
    style.themed(ax, colours, grid="x")
    ax.set_ylim(rows, 0)
    _scale(ax, [lane for _, lanes in groups for lane in lanes])
    place = 0.0
    for number, (entry, lanes) in enumerate(groups):
        extent = len(lanes) + 0.55
        if number % 2:
            _band(ax, place, place + extent, colours)
        _words(ax, NAMES, place + extent / 2, entry["name"], colours.text, "left")
        for k, lane in enumerate(lanes):
            _lane(ax, place + 0.775 + k, lane, colours)
        place += extent
    _around(figure, ax, height, entries, colours)
    return figure


def _scale(ax: Axes, lanes: list[dict[str, Any]]) -> None:
    values = [
        lane[key]
        for lane in lanes
        for key in ("ratio", "ratio_low", "ratio_high", "target")
        if lane.get(key)
    ]
    low, high = min([*values, 0.5]), max([*values, 2.0])
    marks.log_axis(ax, "x", [low, high])
    ax.xaxis.set_major_formatter(lambda value, _: f"{marks.number(value)}×")
    ax.set_xlim(low / 1.35, high * 1.35)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="x", which="both", top=False)


def _band(ax: Axes, begin: float, end: float, colours: Theme) -> None:
    """A faint strip behind every other workload, across the names and the numbers, too."""
    ax.add_patch(
        plt.Rectangle(
            (NAMES - 0.015, begin),
            END - NAMES + 0.03,
            end - begin,
            transform=ax.get_yaxis_transform(),
            facecolor=colours.raised,
            alpha=0.55,
            linewidth=0,
            clip_on=False,
            zorder=-1,
        )
    )


def _words(ax: Axes, x: float, y: float, text: str, colour: str, side: Any, **more: Any) -> None:
    ax.text(
        x,
        y,
        text,
        color=colour,
        ha=side,
        va="center",
        fontsize=more.pop("size", 8.6),
        transform=ax.get_yaxis_transform(),
        clip_on=False,
        **more,
    )


def _lane(ax: Axes, y: float, lane: dict[str, Any], colours: Theme) -> None:
    """One peer: its name, where it stands, its target, and the numbers."""
    ratio, target, hit = lane.get("ratio"), lane.get("target"), lane.get("reached")
    missed, small = hit is False, {"size": 8.2}
    colour = colours.muted if target is None else colours.series[3] if hit else colours.danger
    _words(ax, -0.015, y, report.title(lane), colours.muted, "right", **small)
    if target is not None:
        ax.vlines(target, y - 0.36, y + 0.36, color=colours.text, lw=1.7, zorder=4)
    if ratio is None:
        said = report.verdict(lane).partition(":")[0]
        said += "" if lane["state"] in ("missing", "failed") else ", no ratio"
        shade = colours.muted if lane["state"] == "missing" else colours.danger
        _words(ax, 1.02, y, said, shade, "left", **small)
        return
    ax.hlines(y, 1, ratio, color=colour, lw=2.6, alpha=0.45, zorder=2)
    ax.hlines(y, lane["ratio_low"], lane["ratio_high"], color=colour, lw=1.0, zorder=3)
    ax.plot(ratio, y, **_mark(colour, colours, missed=missed), zorder=5)
    shown = f"{marks.number(ratio, 3 if ratio >= 1 else 2)}×"
    _words(ax, 1.125, y, shown, colour, "right", size=9.0, weight="bold")
    if target is not None:
        shown = f"{'≥' if hit else 'of'} {marks.number(target)}×"
        _words(ax, 1.145, y, shown, colours.muted, "left", **small)
    if missed:
        ax.hlines(y, ratio, target, color=colour, lw=1.1, ls=(0, (1, 2)), zorder=2)
        _words(ax, END, y, f"−{1 - ratio / target:.0%}", colours.danger, "right", **small)


def _mark(colour: str, colours: Theme, *, missed: bool = False) -> dict[str, Any]:
    """A full dot, or an open diamond."""
    return {
        "marker": "D" if missed else "o",
        "markersize": 5.2 if missed else 6.4,
        "markerfacecolor": colours.panel if missed else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 1.4,
        "linestyle": "none",
    }


def _around(
    figure: Figure, ax: Axes, height: float, entries: list[dict[str, Any]], colours: Theme
) -> None:
    """The line at 1, the title, the key, and where the numbers come from."""
    ax.axvline(1, color=colours.muted, lw=1.1, zorder=1)
    lanes = [lane for entry in entries for lane in entry["contenders"] if lane.get("target")]
    hits = sum(bool(lane.get("reached")) for lane in lanes)
    under = (
        "Each peer's time divided by Fallline's, at its own best settings and the same quality.  "
        + (f"{hits} of {len(lanes)} targets reached." if lanes else "")
    )
    left = LEFT + NAMES * (RIGHT - LEFT)
    for inches, text, colour, size in (
        (height - 0.32, "How much longer the same work takes elsewhere", colours.text, 15),
        (height - 0.6, under, colours.muted, 9.5),
        (0.3, panels.source(entries), colours.muted, 7.6),
    ):
        figure.text(
            left, inches / height, text, color=colour, fontsize=size, va="center", linespacing=1.6
        )
    above: Any = {
        "xycoords": ax.get_xaxis_transform(),
        "textcoords": "offset points",
        "color": colours.muted,
        "fontsize": 8.6,
    }
    ax.annotate("← the peer is faster", (1, 1), (-7, 7), ha="right", **above)
    ax.annotate("Fallline is faster →", (1, 1), (7, 7), ha="left", **above)
    tick: Any = {"marker": "|", "color": colours.text, "markersize": 10, "markeredgewidth": 1.7}
    kinds = {
        "target reached": _mark(colours.series[3], colours),
        "missed, and by how much": _mark(colours.danger, colours, missed=True),
        "no target": _mark(colours.muted, colours),
        "target": {**tick, "linestyle": "none"},
    }
    figure.legend(
        handles=[Line2D([], [], label=label, **look) for label, look in kinds.items()],
        loc="center left",
        bbox_to_anchor=(LEFT - 0.012, 0.68 / height),
        ncols=4,
        frameon=False,
        fontsize=8.6,
        labelcolor=colours.muted,
        handletextpad=0.3,
        columnspacing=1.4,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where targets.json is, and the figure goes")
    try:
        save(parser.parse_args().folder)
    except FalllineError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
