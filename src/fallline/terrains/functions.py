"""The formulas of the terrains, elementwise over arrays of any shape, exact in single precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from fallline import tuning

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    Values = Float[Array, "..."]

_SIN_PI = (3.14159264, -5.16770968, 2.55006973, -0.598242126, 0.0775603856)
"""sin(pi t) = t (a + b t^2 + ...) for |t| <= 1/2, fitted for the least relative error: 5e-9."""

_COS, _SIN = math.cos(math.pi / 6), math.sin(math.pi / 6)


def sphere(x: Values, y: Values) -> Values:
    """The round bowl."""
    return x**2 + y**2


def line_error(
    w: Values,
    b: Values,
    *,
    fit: tuple[float, float],
    mean: float,
    spread: float,
    floor: float,
) -> Values:
    """The mean squared error of the line w x + b, from the best line and the moments of x."""
    u, v = w - fit[0], b - fit[1]
    # The rise is u^2 mean(x^2) + 2 u v mean(x) + v^2; as a sum of squares no digits cancel.
    return floor + (spread * u) ** 2 + (mean * u + v) ** 2


def noisy_bowl(x: Values, y: Values) -> Values:
    """A round bowl of curvature 1."""
    return 0.5 * (x**2 + y**2)


def ill_conditioned(x: Values, y: Values) -> Values:
    """A bowl a hundred times steeper across than along, turned by 30 degrees."""
    along, across = _COS * x + _SIN * y, _COS * y - _SIN * x
    return 0.5 * (along**2 + 100.0 * across**2)


def ravine(x: Values, y: Values) -> Values:
    """A steep valley that winds like a sine, its floor falling slowly."""
    return 10.0 * (y - jnp.sin(x)) ** 2 + 0.05 * x**2


def rosenbrock(x: Values, y: Values) -> Values:
    """A valley bent like a parabola."""
    return (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2


def beale(x: Values, y: Values) -> Values:
    """A flat cross between high corners."""
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def plateau(w: Values, b: Values) -> Values:
    """Half the squared error of a sigmoid neuron that is to give 3/4 at 1, and 1/4 at -1."""
    high, low = jax.nn.sigmoid(b + w) - 0.75, jax.nn.sigmoid(b - w) - 0.25
    return 0.5 * (high**2 + low**2)


def saddle(x: Values, y: Values) -> Values:
    """A pass between two hollows."""
    return x**2 - y**2 + 0.5 * y**4


def monkey_saddle(x: Values, y: Values) -> Values:
    """Three ways down from one flat point."""
    return x**3 - 3.0 * x * y**2 + 0.75 * (x**2 + y**2) ** 2


def himmelblau(x: Values, y: Values) -> Values:
    """Four equal minima."""
    return (x**2 + y - 11.0) ** 2 + (x + y**2 - 7.0) ** 2


def six_hump_camel(x: Values, y: Values) -> Values:
    """Six minima of three depths."""
    return (4.0 - 2.1 * x**2 + x**4 / 3.0) * x**2 + x * y + (4.0 * y**2 - 4.0) * y**2


def styblinski_tang(x: Values, y: Values) -> Values:
    """Four minima, the lowest in one corner."""
    return 0.5 * (x**4 - 16.0 * x**2 + 5.0 * x + y**4 - 16.0 * y**2 + 5.0 * y)


def _ripple(t: Values) -> Values:
    r"""$\sin^2 \pi t = (1 - \cos 2 \pi t) / 2$, without the loss of digits near 0."""
    t = jnp.asarray(t)
    if t.dtype != jnp.float32 or not tuning.on:
        return jnp.sin(jnp.pi * t) ** 2
    # XLA's sine takes as long as all the rest together. This polynomial is as exact in single precision.
    t = t - jnp.round(t)
    square, factor = t * t, jnp.zeros_like(t)
    for coefficient in reversed(_SIN_PI):
        factor = factor * square + coefficient
    return (t * factor) ** 2


def rastrigin(x: Values, y: Values) -> Values:
    """A bowl with a regular lattice of dents."""
    return x**2 + y**2 + 20.0 * (_ripple(x) + _ripple(y))


def ackley(x: Values, y: Values) -> Values:
    """A dented plain around one deep funnel."""
    squares = x**2 + y**2
    # The root has no slope at 0: under both branches of `where` it sees 1 there, and the slope is 0.
    away = squares > 0
    distance = jnp.where(away, jnp.sqrt(jnp.where(away, squares, 1.0) / 2.0), 0.0)
    ripples = _ripple(x) + _ripple(y)
    return -20.0 * jnp.expm1(-0.2 * distance) - math.e * jnp.expm1(-ripples)
