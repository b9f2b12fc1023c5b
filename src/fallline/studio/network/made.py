"""Tables made up on the spot, with two features each, so that a decision boundary can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fallline.data.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable


def spirals(rows: int = 600) -> pl.DataFrame:
    """Two spiral arms around each other: Lang & Witbrock, "Learning to tell two spirals apart" (1988)."""
    random = np.random.default_rng(0)
    arm = np.arange(rows) % 2
    along = np.sqrt(random.uniform(0.02, 1.0, rows))
    angle = 3.4 * np.pi * along / 1.7 + np.pi * arm
    x = along * np.cos(angle) * 3 + random.normal(0, 0.09, rows)
    y = along * np.sin(angle) * 3 + random.normal(0, 0.09, rows)
    names = np.array(["one", "other"])[arm]
    return pl.DataFrame({"x": x.round(3), "y": y.round(3), "arm": names})


def moons(rows: int = 600) -> pl.DataFrame:
    """Two half moons that reach into each other."""
    random = np.random.default_rng(0)
    moon = np.arange(rows) % 2
    angle = np.pi * random.uniform(0, 1, rows)
    x = np.where(moon, 1 - np.cos(angle), np.cos(angle)) + random.normal(0, 0.14, rows)
    y = np.where(moon, 0.5 - np.sin(angle), np.sin(angle)) + random.normal(0, 0.14, rows)
    names = np.array(["upper", "lower"])[moon]
    return pl.DataFrame({"x": x.round(3), "y": y.round(3), "moon": names})


def rings(rows: int = 600) -> pl.DataFrame:
    """Three rings around one centre."""
    random = np.random.default_rng(0)
    ring = np.arange(rows) % 3
    angle = 2 * np.pi * random.uniform(0, 1, rows)
    radius = ring + 0.35 + random.normal(0, 0.16, rows)
    names = np.array(["inner", "middle", "outer"])[ring]
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return pl.DataFrame({"x": x.round(3), "y": y.round(3), "ring": names})


def waves(rows: int = 900) -> pl.DataFrame:
    """A height over a plane, with hills and valleys, to be learned as a number."""
    random = np.random.default_rng(0)
    x, y = random.uniform(-3, 3, (2, rows))
    height = np.sin(1.4 * x) * np.cos(1.1 * y) + 0.15 * x + random.normal(0, 0.08, rows)
    return pl.DataFrame({"x": x.round(3), "y": y.round(3), "height": height.round(3)})


MADE: dict[str, Callable[[], pl.DataFrame]] = {
    "spirals": spirals,
    "moons": moons,
    "rings": rings,
    "waves": waves,
}
"""By the names of the page."""


def table(name: str) -> Table:
    """A made-up table; its last column is the target."""
    frame = MADE[name]()
    return Table(frame, name, frame.columns[-1])
