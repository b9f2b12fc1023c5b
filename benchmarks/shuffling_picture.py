"""The curves of ``shuffling.json``: how far the held-out loss lies above that of a full shuffle."""

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

ORDERS = {
    "shuffled": "A shuffled file",
    "target": "Sorted by the target",
    "feature": "Sorted by a column",
}
BLOCKS = (0.01, 0.05, 0.2, 1.0)


def draw(result: dict[str, Any], folder: Path) -> None:
    """Draw ``shuffling.svg`` and its kin from the content of ``shuffling.json``."""
    panels.save("shuffling", folder, lambda theme: figure(result, theme))


def figure(result: dict[str, Any], theme: Theme) -> Figure:
    """The figure: a panel for each order of the file and size of its row groups."""
    model = "mlp" if any(c["model"] == "mlp" for c in result["curves"]) else "linear"
    curves = [c for c in result["curves"] if c["model"] == model]
    full = np.array(curves[0]["losses"])
    groups = [g for g in ("large", "small") if any(c["group"] == g for c in curves[1:])]
    kinds = [(order, group) for order in ORDERS for group in groups]
    made, places = panels.sheet(
        theme,
        len(kinds),
        "How good the shuffle of a streamed table is",
        f"Held-out loss of a {'network' if model == 'mlp' else 'linear model'} over epochs, by the "
        "rows of a block as a share of all; 8 shards, dashed: other numbers of shards.\n"
        "Means over seeds; grey: a full shuffle in memory, from its best seed to its worst.",
        panels.source([result]),
    )
    every = np.concatenate([np.array(curve["losses"]).mean(0) for curve in curves])
    for ax, (order, group) in zip(places, kinds, strict=False):
        mine = [c for c in curves[1:] if (c["order"], c["group"]) == (order, group)]
        size = result["rows"] // 8 if group == "large" else 2048
        style.title(ax, f"{ORDERS[order]}, row groups of {size:,}", theme)
        _panel(ax, mine, full, every, theme)
    panels.notes(places[len(kinds) :], [], theme)
    return made


def _panel(
    ax: Axes, curves: list[dict[str, Any]], full: np.ndarray, every: np.ndarray, theme: Theme
) -> None:
    """One file's curves, over the heights that all panels share."""
    epochs = np.arange(1, full.shape[1] + 1)
    ax.fill_between(epochs, full.min(0), full.max(0), color=theme.muted, alpha=0.3, linewidth=0)
    ax.plot(epochs, full.mean(0), color=theme.muted, linewidth=1.6)
    labels: list[tuple[float, str, str]] = [(full.mean(0)[-1], "in memory", theme.muted)]
    for curve in curves:
        mean = np.array(curve["losses"]).mean(0)
        shade = theme.series[BLOCKS.index(curve["block"])]
        plain = curve["shards"] == 8
        dashes: Any = "-" if plain else (0, (4, 1.6)) if curve["shards"] == 1 else (0, (1.2, 1.2))
        ax.plot(epochs, mean, color=shade, linewidth=2.2 if plain else 1.5, linestyle=dashes)
        said = f"{curve['block']:.0%}"
        if not plain:
            said += f", {curve['shards']} shard{'s' if curve['shards'] > 1 else ''}"
        labels.append((mean[-1], said, shade))
    marks.log_axis(ax, "y", every)
    low, high = float(every.min()), float(every.max())
    room = max((high / low) ** 0.06, 1.004)
    ax.set_ylim(low / room, high * room)
    ax.set_xlim(1, epochs[-1])
    ax.set_xticks(epochs)
    ax.set_xlabel("epochs")
    ax.set_ylabel("held-out squared error")
    marks.end_labels(ax, labels, size=9.0)
