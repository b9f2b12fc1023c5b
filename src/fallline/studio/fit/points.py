"""What is fitted: points painted by the learner, presets, or two columns of a table."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.datasets import BUNDLED
from fallline.data.kinds import number, sort_of
from fallline.errors import FalllineError, lookup, nearest
from fallline.studio.view import GIVEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fallline.data.table import Table

MOST = 2_000
"""Points at most; of a longer table so many rows are drawn."""

LARGEST = 1e30
"""Numbers beyond this are left out like missing ones: single precision could not square them."""

WINDOW = (-3.0, 3.0, -3.0, 3.0)
"""Where points are painted: x from, to, y from, to."""


@dataclasses.dataclass(frozen=True)
class Points:
    """Pairs of numbers, and where they come from.

    Attributes:
        x: float64, shape (n,).
        y: float64, shape (n,).
        window: x from, to, y from, to: what the page shows.
        names: of the two axes.
        source: of a table, its path or its bundled name; None for painted points.
        rows: of the table, before any were left out.
        missing: rows left out because a number is missing or too large.
    """

    x: np.ndarray
    y: np.ndarray
    window: tuple[float, float, float, float] = WINDOW
    names: tuple[str, str] = ("x", "y")
    source: str | None = None
    rows: int = 0
    missing: int = 0

    def __len__(self) -> int:
        return len(self.x)


def painted(flat: list[float]) -> Points:
    """Points of the page, ``[x, y, x, y, ...]``.

    Raises:
        FalllineError: if a number is without its partner.
    """
    if len(flat) % 2:
        raise FalllineError("Points are pairs of numbers, but one of them lacks its y.")
    pairs = np.asarray(flat, np.float64).reshape(-1, 2)
    x, y = pairs[:, 0].copy(), pairs[:, 1].copy()
    low = [
        min(edge, values.min(initial=edge))
        for edge, values in zip(WINDOW[::2], (x, y), strict=True)
    ]
    high = [
        max(edge, values.max(initial=edge))
        for edge, values in zip(WINDOW[1::2], (x, y), strict=True)
    ]
    return Points(x, y, (low[0], high[0], low[1], high[1]))


def _noisy_line(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = random.uniform(-2.6, 2.6, 40)
    return x, 0.7 * x + 0.4 + 0.45 * random.normal(size=40)


def _quadratic(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-2.5, 2.5, 36)
    return x, 0.62 * x * x - 1.9 + 0.25 * random.normal(size=36)


def _sine(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = random.uniform(-2.8, 2.8, 64)
    return x, 1.6 * np.sin(1.9 * x) + 0.18 * random.normal(size=64)


def _outlier(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-2.4, 2.0, 20)
    y = 0.6 * x - 0.5 + 0.12 * random.normal(size=20)
    return np.append(x, (2.3, 2.55)), np.append(y, (-2.6, -2.75))


def _clusters(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    low, high = random.normal(size=(2, 24, 2))
    low, high = (-1.7, -1.1) + 0.3 * low, (1.6, 1.3) + 0.35 * high
    both = np.concatenate([low, high])
    return both[:, 0], both[:, 1]


PRESETS: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "line": _noisy_line,
    "quadratic": _quadratic,
    "sine": _sine,
    "outlier": _outlier,
    "clusters": _clusters,
}
"""Sets of points to begin with, by name."""


def preset(name: str, seed: int = 0) -> list[float]:
    """The points of a preset as the page sends them, on a raster of a hundredth."""
    x, y = lookup("preset", PRESETS, name)(np.random.default_rng(seed))
    return np.clip(np.stack([x, y], axis=1), -2.95, 2.95).round(2).ravel().tolist()


def columns(table: Table) -> list[str]:
    """The columns of a table that hold numbers."""
    return [name for name, dtype in table.frame.schema.items() if sort_of(dtype) == "numbers"]


def path_of(name: str, given: Path | None) -> str:
    """What `read_table` is to be given for a table's name in the page.

    Raises:
        FalllineError: if there is no such table; files other than the user's own are not opened.
    """
    if name == GIVEN and given is not None:
        return str(given)
    if name not in BUNDLED:
        raise FalllineError(f"There is no table {name!r} here: {nearest(name, BUNDLED)}")
    return name


def listing(given: Path | None) -> list[dict[str, Any]]:
    """The tables to choose from; their columns come when one is asked for."""
    own = [] if given is None else [{"name": GIVEN, "title": given.name, "about": ""}]
    return [*own, *({"name": n, "title": n, "about": b.about} for n, b in BUNDLED.items())]


def pair(table: Table, source: str, x: str, y: str) -> Points:
    """Two columns of a table as points; of more than `MOST` rows, as many are drawn.

    Args:
        table: the table.
        source: its path or its bundled name.
        x: a column of numbers.
        y: another.

    Raises:
        FalllineError: if a column is no column of numbers, or no row has both.
    """
    schema = table.frame.schema
    for name in (x, y):
        if name not in schema:
            raise FalllineError(f"{table.source} has no column {name!r}: {nearest(name, schema)}")
        if sort_of(schema[name]) != "numbers":
            numeric = ", ".join(columns(table)[:8]) or "none"
            raise FalllineError(
                f"Column {name!r} of {table.source} does not hold numbers; these do: {numeric}."
            )
    frame = table.frame.select(
        number(x, "", schema[x]).alias("x"), number(y, "", schema[y]).alias("y")
    )
    both = usable(frame.to_numpy().astype(np.float64))
    if not len(both):
        raise FalllineError(f"No row of {table.source} has a number in both {x!r} and {y!r}.")
    drawn = draw(both)
    edges = [_span(values) for values in drawn.T]
    return Points(
        drawn[:, 0].copy(),
        drawn[:, 1].copy(),
        (*edges[0], *edges[1]),
        (x, y),
        source,
        frame.height,
        frame.height - len(both),
    )


def usable(rows: np.ndarray) -> np.ndarray:
    """The rows whose numbers are all there, and not too large."""
    return rows[(np.abs(rows) <= LARGEST).all(axis=1)]


def draw(rows: np.ndarray) -> np.ndarray:
    """All rows, or `MOST` of them drawn at random, always the same ones, in their order."""
    if len(rows) <= MOST:
        return rows
    return rows[np.sort(np.random.default_rng(0).choice(len(rows), MOST, replace=False))]


def _span(values: np.ndarray) -> tuple[float, float]:
    """From the least to the greatest, with a margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or max(1.0, 0.1 * abs(low))
    return low - margin, high + margin


def same_everywhere(values: np.ndarray) -> bool:
    """Are there several numbers, and all the same?"""
    return len(values) > 1 and math.isclose(float(values.min()), float(values.max()), abs_tol=0.0)
