"""Recall and precision of each verdict, beside what was said first of each planted fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from benchmarks import panels
from fallline.show import marks, style

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.show.style import Theme

WIDTH, LINE, HEAD, FOOT = 15.0, 0.3, 1.5, 2.55
"""Inches: the sheet, a verdict, above and below."""


def draw(result: dict[str, Any], folder: Path) -> None:
    """Draw ``doctor.svg`` and its kin from the content of ``doctor.json``."""
    panels.save("doctor", folder, lambda theme: figure(result, theme))


def figure(result: dict[str, Any], theme: Theme) -> Figure:
    """The figure."""
    rows = [row for row in result["verdicts"] if row["planted"]]
    names = [row["name"] for row in rows]
    body = LINE * (len(names) + 1)
    height = HEAD + body + FOOT
    made = plt.figure(figsize=(WIDTH, height), facecolor=theme.background)
    left = 0.5 / WIDTH
    made.text(
        left, 1 - 0.36 / height, "What the doctor finds", color=theme.text, fontsize=16, va="center"
    )
    alarms, recall = result["false_alarms"], result["recall"]
    said = (
        f"{result['runs']} runs with seeds that no rule had seen, half of them healthy. Faults found: "
        f"{_percent(recall)}. Complaints that are true: {_percent(result['precision'])}. Healthy runs with a "
        f"complaint: {_percent(alarms)}."
        if result["split"] == "test"
        else f"{result['runs']} runs ({result['split']}). Found: {_percent(recall)}; true: "
        f"{_percent(result['precision'])}; false alarms: {_percent(alarms)}."
    )
    small = {"color": theme.muted, "x": left}
    made.text(y=1 - 0.62 / height, s=said, fontsize=10, va="top", **small)
    made.text(
        y=0.18 / height,
        s=panels.source([result]),
        fontsize=8,
        va="bottom",
        linespacing=1.5,
        **small,
    )
    bottom, tall = FOOT / height, body / height
    bars = style.themed(made.add_axes((2.15 / WIDTH, bottom, 3.6 / WIDTH, tall)), theme, grid="x")
    _bars(bars, rows, theme)
    cells = style.themed(made.add_axes((8.5 / WIDTH, bottom, 6.1 / WIDTH, tall)), theme, grid=None)
    _matrix(cells, names, result["confusion"], theme)
    return made


def _bars(ax: Axes, rows: list[dict[str, Any]], theme: Theme) -> None:
    style.title(ax, "recall (dot) and precision (ring)", theme)
    for place, row in enumerate(rows):
        pair = [row["recall"], row["precision"]]
        known = [v for v in pair if v is not None]
        ax.plot([min(known), max(known)], [place, place], color=theme.grid, linewidth=2, zorder=2)
        if row["precision"] is not None:
            ax.plot(
                row["precision"],
                place,
                "o",
                markersize=9,
                markerfacecolor="none",
                markeredgecolor=theme.series[1],
                markeredgewidth=1.6,
                zorder=4,
                clip_on=False,
            )
        ax.plot(
            row["recall"],
            place,
            "o",
            markersize=4.5,
            color=theme.series[0],
            zorder=5,
            clip_on=False,
        )
        said = f"{row['found']} of {row['planted']}" + (
            f", {row['false']} false" if row["false"] else ""
        )
        ax.annotate(
            said,
            (1, place),
            xytext=(12, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=theme.muted,
            annotation_clip=False,
        )
    ax.axvline(0.95, color=theme.accent, linewidth=1, zorder=1)
    ax.set_xlim(0, 1)
    ax.set_ylim(len(rows) + 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=9)
    ax.xaxis.set_major_formatter(lambda value, _: f"{marks.number(100 * value)} %")


def _matrix(ax: Axes, names: list[str], confusion: dict[str, dict[str, int]], theme: Theme) -> None:
    order = [*names, "healthy"]
    table = np.array([[confusion.get(a, {}).get(b, 0) for b in order] for a in order], float)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ramp = LinearSegmentedColormap.from_list("said", [theme.panel, theme.series[0]])
    ax.imshow(share, cmap=ramp, vmin=0, vmax=1, aspect="auto")
    for i, j in np.argwhere(table > 0):
        wrong = i != j
        ax.text(
            j,
            i,
            f"{table[i, j]:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color=theme.danger if wrong else theme.text,
        )
    style.title(ax, "what was planted (rows) and what was said first (columns)", theme)
    ax.set_yticks(range(len(order)), order, fontsize=9)
    ax.set_xticks(range(len(order)), order, rotation=90, fontsize=9)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{marks.number(100 * value)} %"
