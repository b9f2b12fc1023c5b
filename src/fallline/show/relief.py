"""A terrain made ready to be looked at: its heights, brought onto one scale, and the light on them."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb

from fallline.errors import FalllineError
from fallline.show import marks, oklab

if TYPE_CHECKING:
    from jaxtyping import Float

    from fallline.show.style import Theme

LOW, RISE = 0.05, 0.1
"""The lowest twentieth of the area is given the lowest tenth of the height, at least."""

FLAT, STEEPEST = 1e-5, 5e-4
"""As shares of all height: what counts as flat, and the least scale s of the logarithm."""

SUN = np.array([-0.55, 0.42, 0.72]) / np.linalg.norm([-0.55, 0.42, 0.72])
_RADII = (1, 2, 3, 5, 8, 12, 18, 27, 40)
_TALL = 0.54


@dataclasses.dataclass(frozen=True)
class Lift:
    r"""How values become heights from 0 to 1: evenly, or by a logarithm that opens up the valleys.

    $$h(z) = \frac{\log(1 + (z - z_{min})/s)}{\log(1 + (z_{max} - z_{min})/s)}$$

    Attributes:
        low: $z_{min}$.
        high: $z_{max}$.
        scale: $s$; inf for $h = (z - z_{min}) / (z_{max} - z_{min})$.
    """

    low: float
    high: float
    scale: float

    def __call__(self, values: Any) -> np.ndarray:
        """Heights; values beyond both ends are brought to them, NaN stays."""
        above = np.clip(np.asarray(values, np.float64) - self.low, 0, self.high - self.low)
        if np.isinf(self.scale):
            return above / (self.high - self.low)
        return np.log1p(above / self.scale) / np.log1p((self.high - self.low) / self.scale)

    def value(self, heights: Any) -> np.ndarray:
        """Values that have these heights."""
        heights = np.asarray(heights, np.float64)
        if np.isinf(self.scale):
            return self.low + heights * (self.high - self.low)
        whole = np.log1p((self.high - self.low) / self.scale)
        return self.low + self.scale * np.expm1(heights * whole)

    def ticks(self, apart: float = 0.17) -> np.ndarray:
        """Round values to name, their heights at least so far apart, the round numbers first."""
        span = self.high - self.low
        chosen: list[float] = []
        power = np.floor(np.log10(max(abs(self.low), abs(self.high), span)))
        candidates = [0.0]
        for exponent in np.arange(power, power - 7, -1):
            for digit in (1, 5, 2):
                candidates += [digit * 10.0**exponent, -digit * 10.0**exponent]
        if np.isinf(self.scale):
            step = next(
                d * 10.0**e
                for e in np.arange(power - 4, power + 2)
                for d in (1, 2, 5)
                if d * 10.0**e >= apart * span
            )
            candidates = [
                step * k for k in np.arange(np.ceil(self.low / step), 1 + self.high / step)
            ]
        for value in candidates:
            inside = self.low <= value <= self.high
            if inside and all(abs(float(self(value) - self(c))) >= apart for c in chosen):
                chosen.append(value)
        return np.sort(chosen)


def lift_of(z: Any) -> Lift:
    """The gentlest scale that shows the valleys of these values.

    Even heights are kept where the lowest twentieth of the area already takes a tenth of the height; else the
    logarithm's scale s is as large as gives it that.
    """
    finite = z[np.isfinite(z)]
    low, high = float(finite.min()), float(finite.max())
    if not high > low:
        return Lift(low, low + 1.0, np.inf)
    quantile = float(np.quantile(finite, LOW))
    plain = Lift(low, high, np.inf)
    # A floor so flat has no valleys to open up; what little there is on it would look like mountains.
    if plain(quantile) >= RISE or plain(quantile) < FLAT:
        return plain
    small, large = STEEPEST * (high - low), 1e3 * (high - low)
    for _ in range(60):
        middle = np.sqrt(small * large)
        if Lift(low, high, middle)(quantile) >= RISE:
            small = middle
        else:
            large = middle
    return Lift(low, high, float(small))


@dataclasses.dataclass(frozen=True)
class Land:
    """A grid of heights and what is known about it.

    Attributes:
        x: shape (p,), rising.
        y: shape (q,), rising.
        z: z[i, j] at (x[j], y[i]), shape (q, p); NaN where it is not a finite number.
        lift: from values to heights.
        title: its name in words.
        axes: the names of x and y.
        minima: known ones, shape (k, 2).
        saddles: known ones, shape (k, 2).
        maxima: known ones, shape (k, 2).
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    lift: Lift
    title: str = ""
    axes: tuple[str, str] = ("x", "y")
    minima: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2)))
    saddles: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2)))
    maxima: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2)))

    @functools.cached_property
    def heights(self) -> np.ndarray:
        """From 0 to 1, holes filled with the highest."""
        return np.where(np.isfinite(self.z), self.lift(self.z), 1.0)

    def at(self, points: Any, field: np.ndarray | None = None) -> np.ndarray:
        """The height of points, shape (..., 2) -> (...), between the grid's by straight lines.

        NaN for points that are not numbers or lie outside.
        """
        field = self.heights if field is None else field
        points = np.asarray(points, np.float64)
        with np.errstate(invalid="ignore"):
            u = (points[..., 0] - self.x[0]) / (self.x[-1] - self.x[0]) * (len(self.x) - 1)
            v = (points[..., 1] - self.y[0]) / (self.y[-1] - self.y[0]) * (len(self.y) - 1)
            inside = (u >= 0) & (u <= len(self.x) - 1) & (v >= 0) & (v <= len(self.y) - 1)
        u, v = np.where(inside, u, 0.0), np.where(inside, v, 0.0)
        j = np.minimum(u.astype(int), len(self.x) - 2)
        i = np.minimum(v.astype(int), len(self.y) - 2)
        a, b = u - j, v - i
        low = (1 - a) * field[i, j] + a * field[i, j + 1]
        high = (1 - a) * field[i + 1, j] + a * field[i + 1, j + 1]
        return np.where(inside, (1 - b) * low + b * high, np.nan)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top."""
        return float(self.x[0]), float(self.x[-1]), float(self.y[0]), float(self.y[-1])


def land_of(terrain: Any, points: int = 257) -> Land:
    """The grid of a terrain, or of ``(x, y, z)`` with z[i, j] at (x[j], y[i]).

    Raises:
        FalllineError: if it is neither, or has no finite value.
    """
    if isinstance(terrain, Land):
        return terrain
    if hasattr(terrain, "grid"):
        x, y, z = terrain.grid(points)
    else:
        try:
            x, y, z = terrain
        except (TypeError, ValueError):
            raise FalllineError(
                "A landscape is a terrain, such as fallline.terrains.by_name('himmelblau'), or arrays "
                "(x, y, z) with z[i, j] the height at (x[j], y[i])."
            ) from None
    x, y = marks.numbers(x, "x of a landscape"), marks.numbers(y, "y of a landscape")
    z = marks.numbers(z, "z of a landscape", 2)
    fits = z.shape == (len(y), len(x)) and min(z.shape) > 1
    if not fits or not (np.diff(x) > 0).all() or not (np.diff(y) > 0).all():
        raise FalllineError(
            f"A landscape needs rising x and y of two or more entries and z of shape (len(y), len(x)); "
            f"it was given {x.shape}, {y.shape} and {z.shape}."
        )
    if not np.isfinite(z).any():
        raise FalllineError("This landscape has no finite height to draw.")
    z = np.where(np.isfinite(z), z, np.nan)
    known = {
        kind: np.array([p[:2] for p in getattr(terrain, kind, ())], np.float64).reshape(-1, 2)
        for kind in ("minima", "saddles", "maxima")
    }
    title, axes = getattr(terrain, "title", ""), getattr(terrain, "axes", ("x", "y"))
    return Land(x, y, z, lift_of(z), title, axes, **known)


def light(heights: Float[np.ndarray, "q p"]) -> tuple[np.ndarray, np.ndarray]:
    """How much of the sky and of the sun each place sees, both from 0 to 1.

    The sky by the horizon in twelve directions; the sun by the slope, and by the shadows of hills.
    """
    rows, columns = heights.shape
    cell = 2.0 / (max(rows, columns) - 1)
    tall = _TALL * heights
    sky = np.zeros(heights.shape)
    finer = max(rows, columns) / 257
    for angle in np.arange(12) * np.pi / 6:
        horizon = np.zeros(heights.shape)
        for radius in _RADII:
            reach = max(radius * finer, 1.0)
            rise = _moved(tall, reach * np.cos(angle), reach * np.sin(angle)) - tall
            np.maximum(horizon, rise / (reach * cell), out=horizon)
        sky += 1 / (1 + horizon**2) / 12
    slope_y, slope_x = np.gradient(tall, cell)
    normal = np.stack([-slope_x, -slope_y, np.ones(heights.shape)])
    facing = np.tensordot(SUN, normal / np.linalg.norm(normal, axis=0), 1)
    flat = np.hypot(SUN[0], SUN[1])
    above = np.full(heights.shape, -np.inf)
    for reach in np.arange(2, 64, 2) * finer:
        rise = _moved(tall, reach * SUN[0] / flat, reach * SUN[1] / flat) - tall
        np.maximum(above, rise / (reach * cell) - SUN[2] / flat, out=above)
    shadow = np.clip(0.5 - 4 * above, 0, 1)
    return sky**0.9, np.clip(facing, 0, 1) * shadow * shadow * (3 - 2 * shadow)


def _moved(field: np.ndarray, across: float, up: float) -> np.ndarray:
    """The field seen from so many cells away; the edge goes on for ever."""
    rows, columns = field.shape
    i = np.clip(np.arange(rows) + round(up), 0, rows - 1)
    j = np.clip(np.arange(columns) + round(across), 0, columns - 1)
    return field[np.ix_(i, j)]


def lit(
    colours: Float[np.ndarray, "*n 3"], sky: Any, sun: Any, strength: float = 1.0
) -> np.ndarray:
    """Colours under light, in linear light; strength 0 leaves them as they are."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    ambient = np.asarray(sky)[..., None] * np.array([0.46, 0.52, 0.60])
    direct = np.asarray(sun)[..., None] * np.array([1.06, 0.98, 0.86]) * 0.95
    shaded = linear * (1 + strength * (ambient + direct - 1))
    shaded = np.clip(shaded, 0, 1)
    return np.where(shaded <= 0.0031308, 12.92 * shaded, 1.055 * shaded ** (1 / 2.4) - 0.055)


def picture(land: Land, theme: Theme, strength: float = 0.55) -> np.ndarray:
    """The terrain from above, coloured and lit, shape (q, p, 3); holes are blank."""
    colours = oklab.terrain_map()(land.heights)[..., :3]
    shaded = lit(colours, *light(land.heights), strength)
    shaded[~np.isfinite(land.z)] = to_rgb(theme.raised)
    return shaded
