"""The exponentially weighted average and its bias correction: the one implementation.

Momentum in its averaged form, RMSprop, Adam, weight averaging and the smoothing of curves all
call these three functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PyTree
    from numpy.typing import ArrayLike


def average(previous: PyTree, new: PyTree, beta: float | Float[Array, ""]) -> PyTree:
    r"""One step of the exponentially weighted average, leaf by leaf.

    $$v_t = \beta\, v_{t-1} + (1 - \beta)\, x_t$$

    It remembers about $1 / (1 - \beta)$ steps: ten for 0.9, a hundred for 0.99.

    Args:
        previous: $v_{t-1}$, a tree of arrays.
        new: $x_t$, a tree of the same shapes.
        beta: the share that is kept, in [0, 1).

    Returns:
        $v_t$, in the types of ``previous``.

    Reference: Roberts, "Control chart tests based on geometric moving averages",
    Technometrics 1 (1959).
    """
    return jax.tree.map(
        lambda v, x: (beta * v + (1 - beta) * x).astype(v.dtype),
        previous,
        new,
    )


def unbiased(
    averaged: PyTree, beta: float | Float[Array, ""], count: int | Float[Array, ""]
) -> PyTree:
    r"""Correct an average that started at zero: $\hat v_t = v_t / (1 - \beta^t)$.

    Args:
        averaged: $v_t$, a tree of arrays, started from $v_0 = 0$.
        beta: the share that was kept at each step.
        count: $t$, how many values went into it, at least 1.

    Reference: Kingma & Ba, "Adam", ICLR 2015, section 3.
    """
    correction = 1 - beta**count
    return jax.tree.map(lambda v: (v / correction).astype(v.dtype), averaged)


def smooth(values: ArrayLike, beta: float = 0.9) -> np.ndarray:
    """Smooth a curve by the bias-corrected average, so that its first point is not pulled to 0.

    Args:
        values: shape (n,); NaN entries are skipped and keep the average as it was.
        beta: the share kept from point to point, in [0, 1).

    Returns:
        float64 array of shape (n,); NaN until the first value that is a number.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    # In plain numbers: the functions above, made for trees, would take a hundred times as long.
    current, averages = 0.0, [0.0]
    for value in values[known].tolist():
        current = beta * current + (1 - beta) * value
        averages.append(current)
    counts = np.cumsum(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array(averages)[counts] / (1 - np.power(float(beta), counts))
