"""The loss of rows outside of a fit."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 256
"""Rows computed at once: always so many, so that no number depends on its neighbours."""


def losses_of(
    function: Callable[..., Any], prediction: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """The loss of every row, (n,), in blocks of one size, so that one program serves any number of rows."""
    count = len(prediction)
    fill = -count % BLOCK
    prediction, target = (
        np.concatenate([a, np.zeros((fill, *a.shape[1:]), a.dtype)]) for a in (prediction, target)
    )
    parts = [
        _block(function, prediction[i : i + BLOCK], target[i : i + BLOCK])
        for i in range(0, len(prediction), BLOCK)
    ]
    return np.concatenate(parts)[:count]


@functools.partial(jax.jit, static_argnums=0)
def _block(function: Callable[..., Any], prediction: Any, target: Any) -> Any:
    return function(prediction, target)
