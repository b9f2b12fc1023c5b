"""Colour maps that run evenly to the eye, interpolated in OKLab, and the terrain's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap, to_rgb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

RAMP = ("#232a5c", "#24507e", "#2b7689", "#55968a", "#98b48a", "#d9c896", "#f6ecd2")
"""The terrain from its valleys to its peaks: muted, so that balls and paths stand out."""

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def to_oklab(colours: Any) -> Float[np.ndarray, "n 3"]:
    """Colours in OKLab, where equal distances look about equal.

    Args:
        colours: names matplotlib knows, or rows of red, green and blue in [0, 1].

    Reference: Ottosson, "A perceptual color space for image processing" (2020).
    """
    rgb = np.array([to_rgb(c) for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def from_oklab(lab: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """OKLab colours as red, green and blue in [0, 1]."""
    cones = (lab @ np.linalg.inv(_TO_LAB).T) ** 3
    linear = np.clip(cones @ np.linalg.inv(_TO_CONES).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def ramp(colours: Sequence[str], steps: int = 256, name: str = "ramp") -> ListedColormap:
    """A colour map that runs evenly through some colours, interpolated in OKLab."""
    stops = to_oklab(colours)
    places = np.linspace(0, 1, len(stops))
    at = np.linspace(0, 1, steps)
    lab = np.stack([np.interp(at, places, stops[:, i]) for i in range(3)], axis=1)
    return ListedColormap(from_oklab(lab), name=name)


def terrain_map() -> ListedColormap:
    """The terrain's colours as a colour map."""
    return ramp(RAMP, name="terrain of fallline")
