"""One look for every figure: two themes, the terrain's colours, and a colour for each optimizer.

A figure asks for nothing global: matplotlib's settings stay as they are. What a theme says is set on the
axes that a function draws on.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib import patheffects
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fallline.errors import lookup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from matplotlib.axes import Axes

TITLE, LABEL, TICK = 12.0, 10.5, 9.5
"""Sizes of text in points, to be read at half the size of a figure 6.4 inches wide, too."""


@dataclasses.dataclass(frozen=True)
class Theme:
    """The colours of a figure.

    Attributes:
        name: "light" or "dark".
        background: around the axes.
        panel: behind the data.
        raised: behind a key, and where there is nothing to show.
        text: titles.
        muted: labels and ticks.
        grid: lines that help the eye.
        accent: what a figure wants seen.
        danger: what went wrong.
        series: colours of curves without a colour of their own.
        optimizers: class name in lower case -> colour.
        depth: from the first layer to the last, a ramp.
    """

    name: str
    background: str
    panel: str
    raised: str
    text: str
    muted: str
    grid: str
    accent: str
    danger: str
    series: tuple[str, ...]
    optimizers: dict[str, str]
    depth: tuple[str, ...]


THEMES = {
    "light": Theme(
        name="light",
        background="#f4f3ef",
        panel="#fdfcfa",
        raised="#e9e7e0",
        text="#1a2230",
        muted="#566173",
        grid="#e3e1da",
        accent="#c8641b",
        danger="#b3122a",
        series=("#1a86cf", "#bd7d0a", "#5a2aa8", "#2c8a3f", "#b3122a", "#0f6d74"),
        optimizers={
            "sgd": "#b3122a",
            "momentum": "#bd7d0a",
            "nesterov": "#e05a00",
            "adagrad": "#2c8a3f",
            "rmsprop": "#1a86cf",
            "adadelta": "#0f6d74",
            "adam": "#5a2aa8",
            "amsgrad": "#d0409a",
            "adamw": "#2f45d8",
            "nadam": "#7d5a6b",
            "lion": "#5f6b00",
        },
        depth=("#3a2f8f", "#1f86a8", "#3f9a5b", "#bd8a10", "#c2481b"),
    ),
    "dark": Theme(
        name="dark",
        background="#0b0e14",
        panel="#11161e",
        raised="#1a212c",
        text="#e8ecf2",
        muted="#9aa5b5",
        grid="#222b38",
        accent="#ffb454",
        danger="#ff5d5d",
        series=("#43c7ff", "#ffc53d", "#c78bff", "#58d68d", "#ff5d5d", "#2fb5a8"),
        optimizers={
            "sgd": "#ff5d5d",
            "momentum": "#ffc53d",
            "nesterov": "#ff8c42",
            "adagrad": "#58d68d",
            "rmsprop": "#43c7ff",
            "adadelta": "#2fa89c",
            "adam": "#c78bff",
            "amsgrad": "#ff8fc7",
            "adamw": "#7d86ff",
            "nadam": "#e3dcff",
            "lion": "#c9e265",
        },
        depth=("#9f9bff", "#4fbdf0", "#52d3a0", "#f0c34e", "#ff8a5c"),
    ),
}

LINES: dict[str, Any] = {
    "sgd": "-",
    "momentum": (0, (7, 1.6)),
    "nesterov": (0, (4, 1.4)),
    "adagrad": (0, (1.2, 1.2)),
    "rmsprop": (0, (7, 1.6, 1.4, 1.6)),
    "adadelta": (0, (3, 1.2, 1, 1.2)),
    "adam": (0, (2.6, 1.2)),
    "amsgrad": (0, (5, 1.2, 1, 1.2, 1, 1.2)),
    "adamw": (0, (10, 1.6)),
    "nadam": (0, (1, 2.2)),
    "lion": (0, (5, 3)),
}
"""Line styles of the optimizers, for whoever cannot tell the colours apart."""

MARKERS = {
    "sgd": "o",
    "momentum": "s",
    "nesterov": "D",
    "adagrad": "v",
    "rmsprop": "^",
    "adadelta": "<",
    "adam": "P",
    "amsgrad": "X",
    "adamw": "h",
    "nadam": "p",
    "lion": "d",
}

_current = THEMES["light"]


class use:  # noqa: N801 - read as a verb: `with style.use("dark"):`
    """Make a theme the one that figures have unless they are told: for good, or within a block.

    Examples:
        >>> with use("dark"):
        ...     theme_of(None).name
        'dark'
        >>> theme_of(None).name
        'light'

    Args:
        theme: "light" or "dark".

    Raises:
        FalllineError: if there is no such theme.
    """

    def __init__(self, theme: str | Theme) -> None:
        global _current
        self.before = _current
        _current = theme_of(theme)

    def __enter__(self) -> Theme:
        return _current

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        global _current
        _current = self.before


def theme_of(theme: str | Theme | None) -> Theme:
    """A theme from its name; None is the one in use.

    Raises:
        FalllineError: if there is no such theme.
    """
    if isinstance(theme, Theme):
        return theme
    return _current if theme is None else lookup("theme", THEMES, theme)


def new_axes(
    theme: str | Theme | None = None,
    *,
    size: tuple[float, float] = (6.4, 4.0),
    projection: str | None = None,
) -> Axes:
    """A figure of one pair of axes, laid out so that no label is cut off.

    Args:
        theme: "light", "dark", or None for the one in use.
        size: width and height in inches.
        projection: "3d", or None.
    """
    layout: Any = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    _, ax = plt.subplots(figsize=size, layout=layout, subplot_kw={"projection": projection})
    return themed(ax, theme)


def themed(ax: Axes, theme: str | Theme | None = None, *, grid: str | None = "both") -> Axes:
    """Give axes, and the figure around them, the look of a theme.

    Args:
        ax: the axes.
        theme: "light", "dark", or None for the one in use.
        grid: "x", "y", "both", or None for no grid.
    """
    theme = theme_of(theme)
    ax.figure.patch.set_facecolor(theme.background)  # pyright: ignore
    ax.set_facecolor(theme.panel)
    ax.tick_params(
        which="both", colors=theme.muted, labelcolor=theme.muted, labelsize=TICK, width=0.8
    )
    ax.tick_params(which="minor", length=2)
    ax.tick_params(which="major", length=3.5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set(color=theme.muted, fontsize=LABEL)
        axis.get_offset_text().set(color=theme.muted, fontsize=TICK)
    for place in ("left", "center", "right"):
        ax.set_title(ax.get_title(loc=place), loc=place, color=theme.text, fontsize=TITLE)  # pyright: ignore
    if ax.name == "3d":
        return ax
    for place, spine in ax.spines.items():
        spine.set(visible=place in ("left", "bottom"), color=theme.muted, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.grid(visible=False, which="both")
    if grid:
        ax.grid(visible=True, which="major", axis=grid, color=theme.grid, linewidth=0.8)  # pyright: ignore
    return ax


def title(ax: Any, text: str, theme: Theme) -> None:
    """A title over the left edge, unless the axes already have one."""
    if text and not any(ax.get_title(loc=place) for place in ("left", "center", "right")):
        ax.set_title(text, loc="left", color=theme.text, fontsize=TITLE, pad=9)


def key(ax: Any, theme: Theme, **options: Any) -> None:
    """The key to what is drawn, if anything has a name."""
    if not ax.get_legend_handles_labels()[1]:
        return
    ax.legend(
        **{
            "fontsize": TICK,
            "labelcolor": theme.text,
            "facecolor": theme.panel,
            "edgecolor": theme.grid,
            "framealpha": 0.9,
            "borderpad": 0.55,
            "handlelength": 2.1,
            "labelspacing": 0.4,
            **options,
        }
    )


def casing(theme: Theme, width: float = 2.2, *, over_terrain: bool = False) -> list[Any]:
    """A rim around text or a line, so that it stands out from what is behind it."""
    colour = "#0b0e14" if over_terrain else theme.panel
    return [patheffects.Stroke(linewidth=width, foreground=colour), patheffects.Normal()]


def colour_of(label: str, place: int = 0, theme: str | Theme | None = None) -> str:
    """The colour of a curve: an optimizer's own where the label starts with its name.

    Args:
        label: such as "adam" or "Adam, rate 0.01".
        place: which of the curves it is, from 0, for the others.
        theme: "light", "dark", or None for the one in use.
    """
    theme = theme_of(theme)
    name = _optimizer_in(label)
    return theme.optimizers[name] if name else theme.series[place % len(theme.series)]


def line_of(label: str, place: int = 0) -> Any:
    """The line style of a curve, as `colour_of` finds its colour."""
    name = _optimizer_in(label)
    return LINES[name] if name else list(LINES.values())[place // len(THEMES["light"].series) * 2]


def marker_of(label: str, place: int = 0) -> str:
    """The marker of a curve, as `colour_of` finds its colour."""
    name = _optimizer_in(label)
    return MARKERS[name] if name else list(MARKERS.values())[place % len(MARKERS)]


def _optimizer_in(label: str) -> str | None:
    words = str(label).replace(",", " ").replace("(", " ").replace(":", " ").split()
    name = words[0].lower() if words else ""
    return name if name in MARKERS else None


def colours_of(labels: Sequence[str], theme: str | Theme | None = None) -> list[str]:
    """A colour for each label; no colour twice while there are others."""
    theme = theme_of(theme)
    chosen: list[str] = []
    spare = 0
    for label in labels:
        colour = colour_of(label, 0, theme) if _optimizer_in(label) else ""
        if not colour or colour in chosen:
            free = [c for c in (*theme.series, *theme.optimizers.values()) if c not in chosen]
            colour = free[0] if free else theme.series[spare % len(theme.series)]
            spare += 1
        chosen.append(colour)
    return chosen
