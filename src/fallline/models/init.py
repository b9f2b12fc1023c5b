r"""Initialisers: how the weights of a layer are drawn before the first step.

Each is ``init(key, shape) -> array`` for weights of shape (inputs, outputs). A good one keeps the
spread of signals and gradients about equal from layer to layer; a bad one makes them vanish or
explode before training has begun.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from fallline.errors import FalllineError, lookup

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, Key

    Initialiser = Callable[[Key[Array, ""], tuple[int, int]], Array]


def zeros(key: Key[Array, ""], shape: tuple[int, int]) -> Float[Array, "i o"]:
    """All zeros: right for a linear model, fatal for a network, whose units would stay equal."""
    return jnp.zeros(shape)


def normal(key: Key[Array, ""], shape: tuple[int, int], std: float = 0.01) -> Float[Array, "i o"]:
    """Normal with mean 0 and the given standard deviation."""
    return std * jax.random.normal(key, shape)


def glorot(key: Key[Array, ""], shape: tuple[int, int]) -> Float[Array, "i o"]:
    r"""Normal with variance $2 / (inputs + outputs)$, for sigmoid and tanh.

    Reference: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    return normal(key, shape, (2.0 / (shape[0] + shape[1])) ** 0.5)


def he(key: Key[Array, ""], shape: tuple[int, int]) -> Float[Array, "i o"]:
    r"""Normal with variance $2 / inputs$, for ReLU and its kin.

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    return normal(key, shape, (2.0 / shape[0]) ** 0.5)


def lecun(key: Key[Array, ""], shape: tuple[int, int]) -> Float[Array, "i o"]:
    r"""Normal with variance $1 / inputs$.

    Reference: LeCun, Bottou, Orr & Müller, "Efficient backprop" (1998), section 4.6.
    """
    return normal(key, shape, (1.0 / shape[0]) ** 0.5)


INITIALISERS: dict[str, Initialiser] = {
    "zeros": zeros,
    "normal": normal,
    "glorot": glorot,
    "he": he,
    "lecun": lecun,
}

def by_name(name: str) -> Initialiser:
    """Find an initialiser: ``"he"``, ``"normal:0.05"`` (with its deviation).

    Raises:
        FalllineError: if there is no such name, or the deviation is not a number.
    """
    bare, _, std = name.partition(":")
    initialiser = lookup("initialiser", INITIALISERS, bare)
    if not std:
        return initialiser
    try:
        deviation = float(std)
    except ValueError:
        deviation = -1.0
    if bare != "normal" or not 0 <= deviation < float("inf"):
        raise FalllineError(
            f"The initialiser {name!r} is not understood: only normal takes a number, as in "
            "'normal:0.01'."
        )
    return functools.partial(normal, std=deviation)
