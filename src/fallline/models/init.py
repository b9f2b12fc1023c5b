r"""Initialisers: how widely the weights of a layer are scattered before the first step.

Weights are normal with mean 0; an initialiser gives their standard deviation from the number of a
layer's inputs and outputs. A good one keeps the spread of signals and gradients about equal from layer
to layer; a bad one makes them vanish or explode before training has begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fallline.errors import FalllineError, lookup

if TYPE_CHECKING:
    from collections.abc import Callable

    Initialiser = Callable[[int, int], float]


def zeros(inputs: int, outputs: int) -> float:
    """All zeros: right for a linear model, fatal for a network, whose units would stay equal."""
    return 0.0


def normal(inputs: int, outputs: int, std: float = 0.01) -> float:
    """A given standard deviation, whatever the layer."""
    return std


def glorot(inputs: int, outputs: int) -> float:
    r"""Variance $2 / (inputs + outputs)$, for sigmoid and tanh.

    Reference: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    return (2.0 / (inputs + outputs)) ** 0.5


def he(inputs: int, outputs: int) -> float:
    r"""Variance $2 / inputs$, for ReLU and its kin.

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    return (2.0 / inputs) ** 0.5


def lecun(inputs: int, outputs: int) -> float:
    r"""Variance $1 / inputs$.

    Reference: LeCun, Bottou, Orr & Müller, "Efficient backprop" (1998), section 4.6.
    """
    return (1.0 / inputs) ** 0.5


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
    return lambda inputs, outputs: normal(inputs, outputs, deviation)
