"""Small multiples in the house's look: a title, panels, a foot that says where the numbers come from."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from fallline.show import marks, style
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.show.style import Theme

LETTER = 0.068
"""Inches that a letter of a name takes."""

PEERS = ("scikit-learn", "torch", "NumPy", "normal equation")
"""Whose colour is which, in every panel of every figure, after ours."""


WIDTH, HEIGHT, TALL, GAP, HEAD, FOOT = 13.0, 2.75, 4.1, 0.95, 1.35, 0.95
"""Inches: the sheet, a panel, one of the whole width, between panels, above and below all of them."""

LEFT, NAMES, BETWEEN = 0.85, 2.05, 0.75
"""Inches: left of a panel, for the names right of it, and between two of them."""


def save(name: str, folder: Path, draw: Callable[[Theme], Figure]) -> None:
    """Draw a figure in both themes, as SVG and as PNG: ``name.svg``, ``name-dark.svg`` and so on."""
    for theme, ending in (("light", ""), ("dark", "-dark")):
        with mpl.rc_context({"svg.hashsalt": name}):
            figure = draw(style.theme_of(theme))
            for kind in ("svg", "png"):
                buffer = io.BytesIO()
                facts: Any = {"Date": None} if kind == "svg" else None
                figure.savefig(buffer, format=kind, dpi=144, metadata=facts)
                files.write(folder / f"{name}{ending}.{kind}", buffer.getvalue())
            plt.close(figure)


def sheet(
    theme: Theme,
    count: int,
    title: str,
    said: str,
    foot: str,
    *,
    tall: int = 0,
    names: float = NAMES,
) -> tuple[Figure, list[Axes]]:
    """A figure of panels in two columns.

    Args:
        theme: the colours.
        count: of the panels; one more is made where a place is left.
        title: over everything.
        said: under the title: what to look for.
        foot: where the numbers come from.
        tall: how many of them, the first ones, have the whole width.
        names: inches for the names right of each panel.

    Returns:
        The figure and its panels.
    """
    count += (count - tall) % 2
    lines = (count - tall) // 2
    height = HEAD + tall * (TALL + GAP) + lines * (HEIGHT + GAP) - GAP + FOOT + 0.35
    figure = plt.figure(figsize=(WIDTH, height), facecolor=theme.background)
    left = 0.5 / WIDTH
    figure.text(left, 1 - 0.36 / height, title, color=theme.text, fontsize=16, va="center")
    small = {"color": theme.muted, "x": left}
    figure.text(y=1 - 0.58 / height, s=said, fontsize=10, va="top", linespacing=1.4, **small)
    figure.text(y=0.18 / height, s=foot, fontsize=8, va="bottom", linespacing=1.5, **small)
    wide = (WIDTH - LEFT - BETWEEN - 2 * names) / 2 - 0.1
    top, boxes = height - HEAD, []
    for _ in range(tall):
        boxes.append((LEFT, top - TALL, WIDTH - LEFT - names - 0.25, TALL))
        top -= TALL + GAP
    for k in range(count - tall):
        column, row = k % 2, k // 2
        across = LEFT + column * (wide + names + BETWEEN)
        boxes.append((across, top - row * (HEIGHT + GAP) - HEIGHT, wide, HEIGHT))
    scale = np.array([WIDTH, height, WIDTH, height])
    return figure, [
        style.themed(figure.add_axes(tuple(np.array(box) / scale)), theme) for box in boxes
    ]


def source(entries: list[dict[str, Any]]) -> str:
    """Dates, processors and versions, as far as the entries agree."""
    days = sorted({entry["date"][:10] for entry in entries if entry.get("date")})
    machines = sorted(
        {f"{e['processor']}, {e['cores']} cores" for e in entries if e.get("processor")}
    )
    versions: dict[str, set[str]] = {}
    for entry in entries:
        for name, version in entry.get("versions", {}).items():
            versions.setdefault(name, set()).add(version)
    shown = ("fallline", "jax", "scikit-learn", "torch", "numba", "vowpalwabbit", "keras")
    said = [f"{name} {'/'.join(sorted(versions[name]))}" for name in shown if name in versions]
    quick = ["quick mode, not for the record"] if any(e.get("quick") for e in entries) else []
    when = [days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"] if days else []
    return "  ·  ".join([*when, *machines, *quick]) + "\n" + ", ".join(said)


def colour(name: str, theme: Theme) -> str:
    """A contender's colour."""
    if name.lower().startswith("fallline"):
        return theme.series[0]
    place = [k for k, peer in enumerate(PEERS) if name.startswith(peer)]
    return theme.series[place[0] + 1] if place else theme.series[5]


def styles(names: list[str]) -> list[Any]:
    """Line styles: full for the first of a colour, dashed for the next."""
    seen: dict[str, int] = {}
    dashes: list[Any] = ["-", (0, (4, 1.6)), (0, (1.2, 1.2))]
    found: list[Any] = []
    for name in names:
        shown = colour(name, style.theme_of("light"))
        found.append(dashes[min(seen.get(shown, 0), 2)])
        seen[shown] = seen.get(shown, 0) + 1
    return found


def line(
    ax: Axes, x: Any, y: Any, name: str, theme: Theme, dashes: Any = "-", *, dots: bool = True
) -> None:
    """A contender's curve; ours is the stronger one."""
    ours = name.lower().startswith("fallline")
    ax.plot(
        x,
        y,
        color=colour(name, theme),
        linestyle=dashes,
        linewidth=2.4 if ours else 1.7,
        marker="o" if dots else None,
        markersize=4.6 if ours else 3.8,
        markeredgecolor=theme.panel,
        markeredgewidth=0.7,
        zorder=4 if ours else 3,
        solid_capstyle="round",
    )


def ends(
    ax: Axes,
    labels: list[tuple[float, float, str, str]],
    theme: Theme,
    *,
    inside: bool = True,
) -> None:
    """Names at the lines' ends where there is room, else at the right edge, with a thread to them.

    Args:
        ax: whose limits are fixed from now on.
        labels: (x and y of the line's end, text, contender's name) of each line.
        theme: the colours.
        inside: may names stand in the panel, where lines end early?
    """
    ax.set_xlim(ax.get_xlim())
    ax.set_ylim(ax.get_ylim())
    right = ax.get_xlim()[1]
    to_axes = ax.transData + ax.transAxes.inverted()
    wide = ax.get_position().width * WIDTH
    edge: list[tuple[float, float, str, str]] = []
    for x, y, text, name in labels:
        place = to_axes.transform((x, y))
        if inside and place[0] * wide + 0.2 + LETTER * len(text) < wide:
            ax.annotate(
                text,
                (x, y),
                (7, 2),
                textcoords="offset points",
                color=colour(name, theme),
                fontsize=9.0,
                va="bottom",
                path_effects=style.casing(theme),
                zorder=6,
            )
        else:
            edge.append((x, y, text, name))
    texts = marks.end_labels(
        ax, [(y, text, colour(name, theme)) for _, y, text, name in edge], size=9.0
    )
    for text, (x, y, _, name) in zip(texts, edge, strict=True):
        place = to_axes.inverted().transform((1.0, text.get_position()[1]))[1]
        ax.plot(
            [x, right],
            [y, place],
            color=colour(name, theme),
            linewidth=0.8,
            linestyle=(0, (1, 2.2)),
            alpha=0.75,
            zorder=2,
        )


def notes(places: list[Axes], said: list[dict[str, Any]], theme: Theme) -> None:
    """What was done, in a panel that is left over; empties any others.

    Args:
        places: the panels left over.
        said: with a ``title`` and a ``note`` each.
        theme: the colours.
    """
    for ax in places:
        ax.set_axis_off()
    if not places:
        return
    lines = [
        line
        for each in said
        for line in textwrap.wrap(f"{each['title']}. {each['note']}", 96, subsequent_indent="    ")
    ]
    places[0].text(
        0,
        1.04,
        "\n".join(lines),
        color=theme.muted,
        fontsize=8,
        va="top",
        linespacing=1.45,
        transform=places[0].transAxes,
    )


def log_axes(ax: Axes, x: Any, y: Any) -> None:
    """Both axes logarithmic, with some room around the numbers."""
    for which, values in (("x", x), ("y", y)):
        flat = np.asarray(values, float)
        marks.log_axis(ax, which, flat)
        low, high = float(flat.min()), float(flat.max())
        room = max((high / low) ** 0.05, 1.15)
        getattr(ax, f"set_{which}lim")(low / room, high * room)
