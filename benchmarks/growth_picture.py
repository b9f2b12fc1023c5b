"""The curves of ``growth.json`` as one figure: small multiples, logarithmic both ways."""

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

FIRST = "features"
"""The axis that has the whole width: the reason for descent."""


def draw(result: dict[str, Any], folder: Path) -> None:
    """Draw ``growth.svg`` and its kin from the content of ``growth.json``."""
    axes = [axis for axis in result["axes"] if any(curve["points"] for curve in axis["curves"])]
    panels.save("growth", folder, lambda theme: figure(axes, theme))


def figure(axes: list[dict[str, Any]], theme: Theme) -> Figure:
    """The figure."""
    axes = sorted(axes, key=lambda axis: axis["name"] != FIRST)
    tall = int(axes[0]["name"] == FIRST)
    made, places = panels.sheet(
        theme,
        len(axes),
        "How cost grows",
        "Seconds over size, both logarithmic. The number at a line's end is its slope over the "
        "last decade, the "
        "exponent: 1 is in proportion, 3 the cube.\nThe pale band marks what it was fitted to. "
        "A line that ends "
        "early would have taken longer than its share of seconds at its next point.",
        panels.source(axes),
        tall=tall,
    )
    for ax, axis in zip(places, axes, strict=False):
        _panel(ax, axis, theme)
    panels.notes(places[len(axes) :], axes, theme)
    return made


def _panel(ax: Axes, axis: dict[str, Any], theme: Theme) -> None:
    curves = [curve for curve in axis["curves"] if curve["points"]]
    points = [point for curve in curves for point in curve["points"]]
    panels.log_axes(ax, [p["x"] for p in points], [p["seconds"] for p in points])
    style.title(ax, axis["title"], theme)
    ax.set_xlabel(axis["label"])
    ax.set_ylabel(axis["unit"])
    labels: list[tuple[float, float, str, str]] = []
    for curve, dashes in zip(curves, panels.styles([c["name"] for c in curves]), strict=True):
        x = np.array([p["x"] for p in curve["points"]], float)
        y = np.array([p["seconds"] for p in curve["points"]])
        panels.line(ax, x, y, curve["name"], theme, dashes)
        said = ""
        if curve["slope"] is not None:
            _band(ax, x, y, curve["slope"], panels.colour(curve["name"], theme))
            said = f"{curve['slope']:.2f}  ".replace("-", "−")
        labels.append((x[-1], y[-1], said + curve["name"], curve["name"]))
    panels.ends(ax, labels, theme)
    _crossings(ax, axis, theme)


def _band(ax: Axes, x: np.ndarray, y: np.ndarray, slope: float, colour: str) -> None:
    """The fitted straight line behind the last decade."""
    last = x * 10.5 >= x[-1]
    middle = np.log(y[last]).mean() - slope * np.log(x[last]).mean()
    reach = x[last][[0, -1]]
    ax.plot(
        reach,
        np.exp(middle) * reach**slope,
        color=colour,
        linewidth=8,
        alpha=0.17,
        zorder=1,
        solid_capstyle="round",
    )


def crossing(axis: dict[str, Any], name: str, peer: str) -> tuple[float, float] | None:
    """Where our curve comes to lie below a peer's for good: x and seconds, straight between two points.

    Args:
        axis: an axis of ``growth.json``.
        name: our curve.
        peer: the other one.

    Returns:
        None if one of them is missing, or ours is not below at the last common point, or always is.
    """
    found = {curve["name"]: curve["points"] for curve in axis["curves"]}
    ours, theirs = ({p["x"]: p["seconds"] for p in found.get(n, [])} for n in (name, peer))
    common = sorted(ours.keys() & theirs.keys())
    lead = np.log([theirs[x] / ours[x] for x in common])
    behind = np.flatnonzero(lead <= 0)
    if not common or not behind.size or behind[-1] == len(common) - 1:
        return None
    k = behind[-1]
    share = -lead[k] / (lead[k + 1] - lead[k])
    x, y = (
        np.exp((1 - share) * np.log(of(common[k])) + share * np.log(of(common[k + 1])))
        for of in (float, lambda x: ours[x])
    )
    return float(x), float(y)


def _crossings(ax: Axes, axis: dict[str, Any], theme: Theme) -> None:
    """Rings where ours come to lie below a peer's, and in words from where on."""
    found = [
        (name, peer, place)
        for name, peers in axis["crossings"].items()
        for peer in peers
        if (place := crossing(axis, name, peer))
    ]
    if not found:
        return
    said = [f"descent is ahead of {found[0][1]}"]
    for name, _, (x, y) in found:
        marks.ring(ax, x, y, "", theme)
        which = name.partition(", ")[2]
        about = f"from about {float(f'{x:.2g}'):,.0f}"
        said.append(f"{about} where they are {which}" if which else f"{about} {axis['name']}")
    # All curves rise, so the lower right is free.
    for k, (_, _, place) in enumerate(found):
        ax.annotate(
            "\n".join(said) if k == 0 else "",
            place,
            (0.63, 0.15),
            textcoords="axes fraction",
            color=theme.text,
            fontsize=10,
            ha="left",
            va="center",
            linespacing=1.4,
            arrowprops={
                "arrowstyle": "-",
                "color": theme.text,
                "linewidth": 0.8,
                "shrinkA": 4,
                "shrinkB": 6,
                "relpos": (0, 0.5),
            },
            path_effects=style.casing(theme),
            zorder=6,
        )
