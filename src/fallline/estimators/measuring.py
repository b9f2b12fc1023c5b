"""The loss of rows outside of a fit."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.losses import LOSSES

if TYPE_CHECKING:
    from collections.abc import Callable

identity = LOSSES["squared_error"].link
"""The link of losses whose raw outputs are predictions already."""

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


def linked(link: Callable[[Any], Any] | None, raw: np.ndarray) -> np.ndarray:
    """What a link makes of raw outputs, (n, outputs), in double precision; without one, themselves."""
    if link is None or link is identity:
        return raw
    count = len(raw)
    filled = np.concatenate([raw, np.zeros((-count % BLOCK, *raw.shape[1:]), raw.dtype)])
    with jax.enable_x64(True):
        parts = [
            np.asarray(_linked(link, filled[i : i + BLOCK])) for i in range(0, len(filled), BLOCK)
        ]
    return np.concatenate(parts)[:count] if parts else raw


@functools.partial(jax.jit, static_argnums=0)
def _linked(link: Callable[[Any], Any], raw: Any) -> Any:
    return link(raw)


@functools.partial(jax.jit, static_argnums=0)
def _block(function: Callable[..., Any], prediction: Any, target: Any) -> Any:
    return function(prediction, target)
