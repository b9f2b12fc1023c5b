"""What a terrain is: a function of two parameters to look at, and what is known about it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError
from fallline.faces import face

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Array, Float

    Bounds = tuple[tuple[float, float], tuple[float, float]]
    Pair = tuple[float, float]

MOST_POINTS = 5_000
MOST_STARTS = 10_000_000
# The reciprocal of the plastic number, the real root of t^3 = t + 1, and its square.
_STRIDE = (0.7548776662466927, 0.5698402909980532)


class Point(NamedTuple):
    """A place of a terrain, and the height there.

    Attributes:
        x: the first parameter.
        y: the second parameter.
        value: the height, $f(x, y)$.
    """

    x: float
    y: float
    value: float


@dataclasses.dataclass(frozen=True)
class Terrain:
    """A function of two parameters, $z = f(x, y)$, the window to look at it through, and its truths.

    Attributes:
        name: what `by_name` finds it by.
        title: the name in words.
        function: $f$, elementwise: two arrays of one shape to an array of that shape, written with
            ``jax.numpy``, so that it runs under ``jit``, ``grad`` and ``vmap``.
        bounds: the window, ``((x_low, x_high), (y_low, y_high))``.
        axes: the names of the two parameters.
        minima: all within the bounds as far as they are known, the lowest first.
        saddles: likewise.
        maxima: likewise, the highest first.
        starts: instructive points to start from, the best known first.
        learning_rates: by the optimizer's name, a rate that suits the first start: within 2000 steps it
            is at a minimum, or within 0.25 of one along a narrow valley, the optimizer's other
            hyper-parameters left as they are.
        noise: the standard deviation of Gaussian noise that a descent is to add to each component of
            the gradient.
        formula: $f$ in TeX.
        about: what it shows, in one sentence.
        source: where it comes from.

    Raises:
        FalllineError: if the bounds are not two pairs of finite numbers, low before high.
    """

    name: str
    title: str
    function: Callable[[Float[Array, "..."], Float[Array, "..."]], Float[Array, "..."]]
    bounds: Bounds
    axes: tuple[str, str] = ("x", "y")
    minima: tuple[Point, ...] = ()
    saddles: tuple[Point, ...] = ()
    maxima: tuple[Point, ...] = ()
    starts: tuple[Pair, ...] = ()
    learning_rates: Mapping[str, float] = dataclasses.field(default_factory=dict, hash=False)
    noise: float = 0.0
    formula: str = ""
    about: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", _checked(self.bounds))

    def __call__(self, point: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
        """The heights at points, shape (..., 2) -> (...).

        Raises:
            FalllineError: if the last axis does not hold two numbers.
        """
        points = jnp.asarray(point)
        if points.ndim == 0 or points.shape[-1] != 2:
            raise FalllineError(
                f"A point of a terrain is two numbers, shape (..., 2); it was given {points.shape}."
            )
        if not jnp.issubdtype(points.dtype, jnp.inexact):
            points = points.astype(jnp.result_type(float))
        return self.function(points[..., 0], points[..., 1])

    def grid(
        self, points: int = 257
    ) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"], Float[np.ndarray, "p p"]]:
        """The heights on an even grid over the bounds, in one compiled call.

        Args:
            points: on each axis, both ends among them.

        Returns:
            ``(x, y, z)``: the two axes, shape (p,), and ``z[i, j]``, the height at
            ``(x[j], y[i])``, shape (p, p).

        Raises:
            FalllineError: if there are fewer than 2 points, or more than 5,000.
        """
        count = _whole("The points of a grid on each axis", points, 2, MOST_POINTS)
        x, y = (np.linspace(*span, count, dtype=jnp.result_type(float)) for span in self.bounds)
        z = jax.jit(self.function)(*np.meshgrid(x, y))
        return x, y, np.asarray(z)

    def scatter(self, count: int, seed: int = 0) -> Float[np.ndarray, "count 2"]:
        r"""Starts spread evenly over the bounds, without the clumps and gaps of chance.

        The additive recurrence of the plastic number, $p_i = (p_0 + i\,(1/\varphi, 1/\varphi^2))
        \bmod 1$ with $\varphi^3 = \varphi + 1$, from a random $p_0$; more starts continue the sequence.

        Args:
            count: how many.
            seed: of $p_0$.

        Returns:
            float32, shape (count, 2).

        Raises:
            FalllineError: if the count or the seed is not a whole number in range.

        Reference: Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018.
        """
        count = _whole("The number of starts", count, 1, MOST_STARTS)
        seed = _whole("The seed", seed, 0, 2**64 - 1)
        first = np.random.default_rng(seed).random(2)
        unit = (first + np.arange(count)[:, None] * np.array(_STRIDE)) % 1.0
        low, high = np.array(self.bounds).T
        return (low + unit * (high - low)).astype(np.float32)

    def plot(self, ax: Any = None, *, solid: bool = False, theme: Any = None) -> Any:
        """Draw it from above, or as a block.

        Args:
            ax: axes of matplotlib to draw on, with ``projection="3d"`` for a block; a new figure if None.
            solid: as a block in three dimensions.
            theme: "light", "dark", or None for the one in use.

        Returns:
            The axes; the figure is ``.figure``.
        """
        return face("overview", "terrain")(self, ax, solid_block=solid, theme=theme)

    def show(
        self,
        optimizers: Any = ("sgd", "momentum", "adam"),
        *,
        balls: int = 200,
        steps: int = 300,
        learning_rates: Mapping[str, float] | None = None,
        seed: int = 0,
        height: int = 520,
        theme: str | None = None,
        lang: str | None = None,
    ) -> Any:
        """Let optimizers race on it in a notebook, as the last expression of a cell.

        Args:
            optimizers: as for `fallline.sweep`; none for the terrain alone.
            balls: of each optimizer, from the same places.
            steps: of each ball.
            learning_rates: name -> rate; for the others thirteen rates are tried, and the best is taken.
            seed: of the starts and of the noise.
            height: in pixels.
            theme: "light", "dark", or None to follow the notebook.
            lang: "en" or "zh"; by the environment if None.

        Returns:
            A widget; a picture where anywidget is not installed.

        Raises:
            FalllineError: if there is no such optimizer, or there are more than 5,000 balls in all.
        """
        race = {"balls": balls, "steps": steps, "learning_rates": learning_rates, "seed": seed}
        looks = {"height": height, "theme": theme, "lang": lang}
        return face("notebook", "show_terrain")(self, optimizers, **race, **looks)


def _checked(bounds: Any) -> Bounds:
    """Two pairs of finite floats, each rising."""
    try:
        (a, b), (c, d) = bounds
        pairs = (float(a), float(b)), (float(c), float(d))
    except (TypeError, ValueError):
        pairs = ((0.0, 0.0), (0.0, 0.0))
    if not all(low < high and math.isfinite(high - low) for low, high in pairs):
        raise FalllineError(
            "The bounds of a terrain are ((x_low, x_high), (y_low, y_high)), finite and low before "
            f"high; they were given as {bounds!r}."
        )
    return pairs


def _whole(what: str, value: Any, low: int, high: int) -> int:
    """A whole number in a range, or a sentence."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise FalllineError(
            f"{what} must be a whole number from {low} to {high:,}; it was given {value!r}."
        )
    return int(value)
