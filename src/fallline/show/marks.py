"""What stands on axes: numbers in words, ticks of logarithmic axes, names at the ends of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from fallline.errors import FalllineError
from fallline.show.style import TICK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from fallline.show.style import Theme


def number(value: float, digits: int = 3) -> str:
    """A number as a figure shows it: few digits, powers of ten as such, a true minus.

    Examples:
        >>> number(0.0123456), number(-12.5), number(3.2e-7), number(1e-10)
        ('0.0123', '−12.5', '3.2×10⁻⁷', '10⁻¹⁰')
    """
    if not np.isfinite(value):
        return {np.inf: "∞", -np.inf: "−∞"}.get(float(value), "–")
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        decimals = max(digits - 1 - int(np.floor(np.log10(abs(value)))), 0)
        text = f"{round(value, decimals):.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace("-", "−")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    sign = "−" if mantissa.startswith("-") else ""
    mantissa = mantissa.lstrip("-")
    return sign + (power if mantissa == "1" else f"{mantissa}×{power}")


def end_labels(
    ax: Any,
    labels: Sequence[tuple[float, str, Any]],
    *,
    size: float = TICK,
) -> list[Text]:
    """Names at the right edge, each at its line's end, moved apart where they would overlap.

    Call it last: the limits of the axes are fixed from then on.

    Args:
        ax: the axes.
        labels: (y, text, colour) of each line.
        size: of the text, in points.
    """
    ax.set_xlim(ax.get_xlim())
    ax.set_ylim(ax.get_ylim())
    wanted: list[float] = []
    for y, _, _ in labels:
        shown = ax.transData.transform((ax.get_xlim()[0], y if np.isfinite(y) else np.inf))[1]
        place = ax.transAxes.inverted().transform((0, shown))[1] if np.isfinite(shown) else 1.0
        wanted.append(float(np.clip(place, 0.0, 1.0)))
    height = 0.8 * ax.get_position().height * ax.figure.get_size_inches()[1] * 72
    gap = 1.35 * size / height
    places = _apart(wanted, gap)
    return [
        ax.text(
            1.015,
            place,
            text,
            color=colour,
            fontsize=size,
            va="center",
            ha="left",
            transform=ax.transAxes,
            clip_on=False,
        )
        for place, (_, text, colour) in zip(places, labels, strict=True)
    ]


def _apart(wanted: Sequence[float], gap: float) -> list[float]:
    """The places nearest to those wanted that are a gap apart, kept within 0 and 1 if they fit."""

    def settled(total: float, count: int) -> float:
        half = gap * (count - 1) / 2
        return float(np.clip(total / count, half, 1 - half)) if half <= 0.5 else 0.5

    order = np.argsort(wanted, kind="stable")
    groups: list[tuple[float, int]] = []
    for i in order:
        groups.append((wanted[i], 1))
        while len(groups) > 1:
            (low, n), (high, m) = groups[-2:]
            # Neighbours that would overlap move as one, around the middle of what they wanted.
            if settled(high, m) - settled(low, n) >= gap * (n + m) / 2 - 1e-12:
                break
            groups[-2:] = [(low + high, n + m)]
    found = np.empty(len(order))
    found[order] = [
        settled(total, count) + gap * (k - (count - 1) / 2)
        for total, count in groups
        for k in range(count)
    ]
    return found.tolist()


def numbers(values: Any, what: str, dimensions: int | None = 1) -> np.ndarray:
    """An array of numbers to draw, of at least one entry.

    Raises:
        FalllineError: if it is empty, or not numbers of that many dimensions.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise FalllineError(f"{what} must be numbers to be drawn.") from None
    if dimensions is not None and array.ndim != dimensions:
        raise FalllineError(
            f"{what} must have {dimensions} dimension{'s' if dimensions > 1 else ''} to be drawn; it "
            f"was given shape {array.shape}."
        )
    if array.size == 0:
        raise FalllineError(f"{what} is empty: there is nothing to draw yet.")
    return array


def log_axis(ax: Any, which: str, values: Any) -> None:
    """Make an axis logarithmic, with ticks that read as plain numbers where these are short."""
    flat = np.ravel(np.asarray(values, np.float64))
    flat = flat[np.isfinite(flat) & (flat > 0)]
    if not flat.size:
        return
    decades = np.log10(flat.max()) - np.log10(flat.min())
    getattr(ax, f"set_{which}scale")("log")
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_formatter(NullFormatter())
    if decades > 8:
        axis.set_minor_locator(NullLocator())


def spans_decades(values: Any) -> bool:
    """Do numbers need a logarithmic axis: all above 0, and most of them over a factor of 30?"""
    flat = np.ravel(values)
    finite = flat[np.isfinite(flat)]
    if not finite.size or finite.min() <= 0:
        return False
    low, high = np.quantile(finite, [0.01, 0.99], method="nearest")
    return bool(np.log(high) - np.log(low) >= np.log(30))


def ring(ax: Axes, x: float, y: float, label: str, colours: Theme) -> None:
    """A ring around a point of a curve, with a line in the key."""
    ax.plot(
        x,
        y,
        linestyle="none",
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=colours.text,
        markeredgewidth=1.4,
        zorder=5,
        label=label,
    )
