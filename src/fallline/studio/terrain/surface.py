"""What the page is told of a surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.studio.terrain.mathml import mathml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float

    from fallline.studio.terrain.asked import Asked
    from fallline.terrains import Point, Terrain

GRID = 257
"""Points of the height map on each axis."""


def heights(terrain: Terrain) -> Float[np.ndarray, "g g"]:
    """The height map, row by row of y; NaN where the function has no finite value."""
    z = terrain.grid(GRID)[2]
    return np.where(np.isfinite(z), z, np.nan).astype(np.float32)


def surface(asked: Asked, z: Float[np.ndarray, "g g"]) -> dict[str, Any]:
    """The fields of the message about a surface of these heights."""
    terrain = asked.terrain
    finite = z[np.isfinite(z)]
    return {
        "name": None if asked.formula is not None else terrain.name,
        "title": terrain.title,
        "about": terrain.about,
        "formula": terrain.formula if asked.formula is None else asked.formula,
        "mathml": mathml(terrain.formula),
        "bounds": [*terrain.bounds[0], *terrain.bounds[1]],
        "axes": terrain.axes,
        "grid": GRID,
        "minima": points(terrain.minima),
        "saddles": points(terrain.saddles),
        "low": float(finite.min()) if finite.size else None,
        "high": float(finite.max()) if finite.size else None,
    }


def points(known: Iterable[Point]) -> list[dict[str, float]]:
    """Points for the page."""
    return [point._asdict() for point in known]


def normalised(terrain: Terrain, places: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
    """Places in units of the window, which reaches from -1 to 1; NaN where that is no number."""
    low, high = np.array(terrain.bounds).T
    with np.errstate(over="ignore"):
        found = ((places - (low + high) / 2) / ((high - low) / 2)).astype(np.float32)
    return np.where(np.isfinite(found), found, np.float32(np.nan))
