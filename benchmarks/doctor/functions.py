"""Objectives of one's own: shelves, passes, wells, ravines, and gradients with a planted error."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def shelf(p: Any) -> Any:
    """A bowl that levels off: far from its middle it is flat at 1."""
    square = jnp.sum((p["x"] - 1.0) ** 2)
    return 1.0 - jnp.exp(-square / 2.0) + 1e-6 * square


def neuron(p: Any, rows: Any) -> Any:
    """The squared error of a sigmoid neuron, flat where it saturates."""
    x, y = rows
    return jnp.mean((jax.nn.sigmoid(x @ p["w"] + p["b"]) - y) ** 2)


def step_wall(p: Any) -> Any:
    """A slope of tanh with a hollow behind it."""
    return jnp.sum(jnp.tanh(p["x"]) ** 2) + 1e-7 * jnp.sum(p["x"] ** 2)


def wide_saddle(p: Any) -> Any:
    """Down along one of five axes, up along the others, bounded below."""
    x = p["x"]
    return jnp.sum(x[1:] ** 2) - x[0] ** 2 + 0.25 * x[0] ** 4


@functools.cache
def _product(rank: int) -> np.ndarray:
    draw = np.random.default_rng(11)
    return (draw.normal(size=(8, rank)) @ draw.normal(size=(rank, 6))).astype(np.float32)


def factors(p: Any) -> Any:
    """A matrix as the product of two, whose origin is a saddle."""
    return jnp.mean((p["u"] @ p["v"] - _product(3)) ** 2)


def chain(p: Any, rows: Any) -> Any:
    """A linear network of two layers, the origin a saddle again."""
    x, y = rows
    return jnp.mean((x @ p["first"] @ p["second"] - y) ** 2)


def wells(p: Any) -> Any:
    """Two hollows in each direction, the right one lower."""
    x = p["x"]
    return jnp.sum((x**2 - 1.0) ** 2 - 0.3 * x) + 0.7 * x.size


def ripples(p: Any) -> Any:
    """Rastrigin's bowl of dents."""
    x = p["x"]
    return jnp.sum(x**2 + 10.0 * (1.0 - jnp.cos(2.0 * jnp.pi * x)))


def styblinski(p: Any) -> Any:
    """Styblinski & Tang's function, its lowest point moved to 0."""
    x = p["x"]
    return 0.5 * jnp.sum(x**4 - 16.0 * x**2 + 5.0 * x) + 39.16617 * x.size


def sine_fit(p: Any, rows: Any) -> Any:
    """The squared error of a sine's frequency and phase: many local minima in the frequency."""
    x, y = rows
    return jnp.mean((jnp.sin(p["w"] * x[:, 0] + p["b"]) - y) ** 2)


@functools.cache
def _turned(condition: float, size: int) -> np.ndarray:
    draw = np.random.default_rng(12)
    axes = np.linalg.qr(draw.normal(size=(size, size)))[0]
    return ((axes * np.geomspace(1.0, 1.0 / condition, size)) @ axes.T).astype(np.float32)


def valley(condition: float, p: Any) -> Any:
    """A turned bowl of ten axes with a given condition number."""
    return 0.5 * p["x"] @ _turned(condition, 10) @ p["x"]


def rosenbrock(p: Any) -> Any:
    """Rosenbrock's valley."""
    x = p["x"]
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def bowl(p: Any) -> Any:
    """A round bowl of ten axes, one twice as steep as another."""
    x = p["x"]
    return 0.5 * jnp.sum(x**2 * jnp.linspace(1.0, 2.0, x.size))


def least_squares(p: Any, rows: Any) -> Any:
    """A linear model's squared error."""
    x, y = rows
    return jnp.mean((x @ p["w"] + p["b"] - y) ** 2)


def logistic(p: Any, rows: Any) -> Any:
    """A logistic model's cross-entropy."""
    x, y = rows
    z = x @ p["w"] + p["b"]
    return jnp.mean(jax.nn.softplus(z) - y * z)


def two_layers(p: Any, rows: Any) -> Any:
    """A tanh network's squared error."""
    x, y = rows
    return jnp.mean((jnp.tanh(x @ p["first"] + p["c"]) @ p["second"] + p["b"] - y) ** 2)


def shrunk(p: Any, rows: Any) -> Any:
    """`least_squares`, a thousand-millionth of it."""
    return 1e-9 * least_squares(p, rows)


@functools.cache
def wrong(function: Any, how: str, leaf: str) -> Any:
    """A function whose gradient has a planted error in one leaf.

    Args:
        function: of parameters and rows.
        how: "double", "sign", "missing" (0), "reversed" (its numbers in reverse order) or "bit" (a tenth
            more).
        leaf: the parameter's name.
    """

    @jax.custom_vjp
    def planted(p: Any, rows: Any) -> Any:
        return function(p, rows)

    def forward(p: Any, rows: Any) -> Any:
        return function(p, rows), (p, rows)

    def backward(kept: Any, g: Any) -> Any:
        p, rows = kept
        grads = jax.grad(function)(p, rows)
        change = {
            "double": lambda v: 2.0 * v,
            "sign": lambda v: -v,
            "missing": jnp.zeros_like,
            "reversed": lambda v: v[::-1],
            "bit": lambda v: 1.1 * v,
        }[how]
        grads = {name: change(v) if name == leaf else v for name, v in grads.items()}
        return {name: g * v for name, v in grads.items()}, jax.tree.map(jnp.zeros_like, rows)

    planted.defvjp(forward, backward)
    return planted
