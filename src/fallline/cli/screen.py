"""What the commands share on the terminal: consoles, numbers, the progress of a fit, a curve."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

TRAINING, VALIDATION = "#ffb454", "#43c7ff"


def console(*, stderr: bool = False) -> Console:
    """A console that respects NO_COLOR, pipes and dumb terminals."""
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        # A file or a pipe has no edge to break lines at.
        out.width = 1000
    return out


def harmless(text: str) -> str:
    """A text without the codes that steer a terminal: names in files are anybody's."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def complain(sentence: str) -> None:
    """Say on stderr what is wrong."""
    from rich.text import Text

    out = console(stderr=True)
    words = Text.assemble(("fallline: ", "bold red"), harmless(sentence))
    out.print(words, soft_wrap=True)


def remark(sentence: str) -> None:
    """Say on stderr something worth knowing."""
    from rich.text import Text

    console(stderr=True).print(Text(harmless(sentence), style="dim"), soft_wrap=True)


def number(value: float | None, digits: int = 4) -> str:
    """A number for a reader: four significant digits, no needless zeros."""
    if value is None or not math.isfinite(value):
        return "-"
    value = float(f"{value:.{digits}g}")
    if abs(value) >= 1e12:
        return f"{value:.{digits - 1}e}"
    if value == int(value) or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """Seconds for a reader."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def plain() -> bool:
    """Is the terminal too simple for drawings (a dumb one, or not UTF-8)?"""
    if os.environ.get("TERM") == "dumb":
        return True
    return "utf" not in (console().encoding or "").lower()


_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def curve(
    lines: Sequence[tuple[str, str, Sequence[float]]],
    width: int = 64,
    height: int = 9,
    ends: tuple[str, str] | None = None,
) -> Text:
    """Curves over epochs (or anything else) in braille dots; logarithmic where the values span a decade.

    Args:
        lines: (name, colour, values) each; values at epochs 1, 2, ..., not numbers left out.
        width: columns of the drawing, its axis not counted.
        height: rows.
        ends: the words below the left and the right end; the first and the last epoch if not given.
    """
    from rich.cells import cell_len
    from rich.text import Text

    finite = [v for _, _, values in lines for v in values if math.isfinite(v)]
    if not finite:
        return Text()
    low, high = min(finite), max(finite)
    log = low > 0 and high / low > 10
    scale: Any = math.log if log else float
    bottom, top = scale(low), scale(high)
    span = (top - bottom) or 1.0
    cells: list[list[tuple[int, str]]] = [[(0, "")] * width for _ in range(height)]
    for _, colour, values in lines:
        count, last = len(values), -1
        for x in range(2 * width):
            # Between two epochs the curve is a straight line; one epoch is a level.
            place = x / (2 * width - 1) * (count - 1)
            left = min(int(place), max(count - 2, 0))
            a, b = values[left], values[min(left + 1, count - 1)]
            if not (math.isfinite(a) and math.isfinite(b)):
                continue
            value = scale(a) + (scale(b) - scale(a)) * (place - left)
            y = round((top - value) / span * (4 * height - 1))
            # A steep piece is drawn whole, from just beside the last dot.
            beside = y if last < 0 else last + (y > last) - (y < last)
            for dot in range(min(y, beside), max(y, beside) + 1):
                dots, _ = cells[dot // 4][x // 2]
                cells[dot // 4][x // 2] = (dots | _DOTS[x % 2][dot % 4], colour)
            last = y
    labels = {0: number(high, 3), height - 1: number(low, 3)}
    margin = max(len(label) for label in labels.values())
    text = Text()
    for row, line in enumerate(cells):
        text.append(f"  {labels.get(row, ''):>{margin}} ", style="dim")
        text.append("┤" if row in labels else "│", style="dim")
        for dots, colour in line:
            text.append(chr(0x2800 + dots), style=colour or None)
        text.append("\n")
    first, last = ends or ("1", str(max(len(values) for _, _, values in lines)))
    text.append(f"  {'':>{margin}} └{'─' * width}\n", style="dim")
    text.append(f"  {'':>{margin}}  {first}", style="dim")
    legend = "  ".join(name for name, _, _ in lines)
    room = width - cell_len(first + last + legend) - 2 * len(lines)
    text.append(" " * max(room // 2, 1))
    for i, (name, colour, _) in enumerate(lines):
        text.append("  " if i else "")
        text.append("● ", style=colour)
        text.append(name, style="dim")
    text.append(" " * max(room - room // 2, 1) + last, style="dim")
    return text
