"""The curves of ``memory.json``: peaks over the size of the data, with the lines of equal multiples."""

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

MULTIPLES = (1, 4, 16, 64)
MEGABYTE = 2.0**20


def draw(result: dict[str, Any], folder: Path) -> None:
    """Draw ``memory.svg`` and its kin from the content of ``memory.json``."""
    kinds = [kind for kind in result["kinds"] if any(curve["points"] for curve in kind["curves"])]
    panels.save("memory", folder, lambda theme: figure(kinds, theme))


def figure(kinds: list[dict[str, Any]], theme: Theme) -> Figure:
    """The figure."""
    made, places = panels.sheet(
        theme,
        len(kinds),
        "How much memory it takes",
        "The peak of a fresh process over what it had after its imports, data included. Thin "
        "lines are multiples of the "
        "data's own size. The number at a line's\nend is what one more row or parameter takes; "
        "where a line is flat, "
        "the compiler's own memory outweighs the data.",
        panels.source(kinds),
        names=2.2,
    )
    for ax, kind in zip(places, kinds, strict=False):
        _panel(ax, kind, theme)
    panels.notes(places[len(kinds) :], kinds, theme)
    return made


def _panel(ax: Axes, kind: dict[str, Any], theme: Theme) -> None:
    curves = [curve for curve in kind["curves"] if curve["points"]]
    points = [point for curve in curves for point in curve["points"]]
    sizes = np.array([p["data"] for p in points]) / MEGABYTE
    # A peak of less than a page is what was left of the imports.
    peaks = np.maximum([p["peak"] for p in points], 2**16) / MEGABYTE
    panels.log_axes(ax, sizes, peaks)
    _multiples(ax, theme)
    style.title(ax, kind["title"], theme)
    ax.set_xlabel(f"{kind['label']}, MB")
    ax.set_ylabel("peak, MB")
    labels: list[tuple[float, float, str, str]] = []
    for curve, dashes in zip(curves, panels.styles([c["name"] for c in curves]), strict=True):
        x = np.array([p["data"] for p in curve["points"]]) / MEGABYTE
        y = np.maximum([p["peak"] for p in curve["points"]], 2**16) / MEGABYTE
        panels.line(ax, x, y, curve["name"], theme, dashes)
        each = curve["bytes_each"]
        said = "" if each is None else f"{marks.number(each)} B  "
        labels.append((x[-1], y[-1], said + curve["name"], curve["name"]))
    panels.ends(ax, labels, theme)


def _multiples(ax: Axes, theme: Theme) -> None:
    """Lines where the peak is so many times the data, named where they leave the panel."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for factor in MULTIPLES:
        ax.plot(
            [left, right],
            [left * factor, right * factor],
            color=theme.muted,
            lw=0.7,
            alpha=0.6,
            zorder=1,
        )
        begin, end = max(left, low / factor), min(right, high / factor)
        if end < begin * 1.5:
            continue
        length = panels.HEIGHT * np.log(end / begin) / np.log(high / low)
        x = begin * (end / begin) ** (0.2 / length)
        ax.annotate(
            f"{factor}×",
            (x, x * factor),
            (6, -1),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=8.5,
            color=theme.muted,
            path_effects=style.casing(theme),
            zorder=2,
        )
    ax.set_xlim(left, right)
    ax.set_ylim(low, high)
