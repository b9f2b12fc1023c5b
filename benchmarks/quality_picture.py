"""The traces of ``quality.json``: held-out score over seconds, with the peers' final scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import panels
from fallline.show import marks, style

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.show.style import Theme


def draw(result: dict[str, Any], folder: Path) -> None:
    """Draw ``quality.svg`` and its kin from the content of ``quality.json``."""
    panels.save("quality", folder, lambda theme: figure(result["tasks"], theme))


def figure(tasks: list[dict[str, Any]], theme: Theme) -> Figure:
    """The figure."""
    made, places = panels.sheet(
        theme,
        len(tasks),
        "How soon it is good",
        "Score on held-out rows over seconds of training: the same arrays, layers, batches and "
        "Adam's rate; medians of "
        f"{len(tasks[0]['seeds'])} seed{'s' if len(tasks[0]['seeds']) > 1 else ''}, from lowest "
        "to highest shaded.\n"
        "A ring is where a peer first has the score it ends with. The number at its name: how "
        "many times as long as "
        "Fallline it took to it (in brackets: compiling counted).",
        panels.source(tasks),
        names=2.35,
    )
    for ax, task in zip(places, tasks, strict=False):
        _panel(ax, task, theme)
    noted = [{"title": task["name"], "note": _note(task)} for task in tasks]
    panels.notes(places[len(tasks) :], noted, theme)
    return made


def _note(task: dict[str, Any]) -> str:
    return f"{task['rows']:,} rows, {task['model']}, batches of {task['batch']}, Adam at {task['rate']}."


def _panel(ax: Axes, task: dict[str, Any], theme: Theme) -> None:
    names = list(task["traces"])
    middle = {name: _median(task["traces"][name]) for name in names}
    finals = {row["peer"]: row for row in task["compared"]}
    seconds = np.concatenate([x for x, *_ in middle.values()])
    marks.log_axis(ax, "x", seconds)
    ax.set_xlim(seconds.min() / 1.3, seconds.max() * 1.2)
    _heights(ax, middle)
    style.title(ax, task["name"], theme)
    ax.set_xlabel("seconds of training")
    ax.set_ylabel(f"held-out {task['measure']}")
    ax.yaxis.set_major_formatter(lambda value, _: marks.number(value))
    labels: list[tuple[float, float, str, str]] = []
    dashes = dict(zip(names, panels.styles(names), strict=True))
    if "Fallline" in names:
        dashes |= {"Fallline": "-", "Fallline, compiling": (0, (4, 1.6))}
    for name in names:
        x, y, low, high = middle[name]
        shade = panels.colour(name, theme)
        ax.fill_between(x, low, high, color=shade, alpha=0.14, linewidth=0, zorder=1)
        panels.line(ax, x, y, name, theme, dashes[name], dots=False)
        said = name
        if row := finals.get(name):
            ax.plot(
                row["seconds"],
                np.interp(row["seconds"], x, y),
                marker="o",
                markersize=9,
                markerfacecolor="none",
                markeredgecolor=shade,
                markeredgewidth=1.6,
                zorder=6,
            )
            said = f"{_times(row['warm_ratio'])} ({_times(row['cold_ratio'])})  {name}"
        labels.append((x[-1], y[-1], said, name))
    panels.ends(ax, labels, theme, inside=False)


def _times(ratio: float | None) -> str:
    return "never" if ratio is None else f"{marks.number(ratio, 2)}×"


def _heights(ax: Axes, middle: dict[str, Any]) -> None:
    """The scores from the better first epochs up: what lies below is the first fraction of a second."""
    tops = [y.max() for _, y, *_ in middle.values()]
    starts = [y[min(1, len(y) - 1)] for _, y, *_ in middle.values()]
    low, high = float(np.median(starts)), float(max(tops))
    room = max(high - low, 1e-3)
    ax.set_ylim(low - 0.25 * room, high + 0.12 * room)


def _median(traces: list[list[dict[str, float]]]) -> tuple[np.ndarray, ...]:
    """Seconds and scores, epoch by epoch: medians, lowest and highest scores over seeds."""
    count = min(len(trace) for trace in traces)
    seconds, scores = (
        np.array([[point[key] for point in trace[:count]] for trace in traces])
        for key in ("seconds", "score")
    )
    return (
        np.median(seconds, axis=0),
        np.median(scores, axis=0),
        scores.min(axis=0),
        scores.max(axis=0),
    )
