"""Functions of rows outside of a fit: losses, links."""

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


def by_row(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """A function that gives something for each row, in double precision.

    In blocks of one size, so that one program serves any number of rows.

    Args:
        function: ``(rows of each array) -> (n, ...)``.
        arrays: of n rows each.
    """
    count = len(arrays[0])
    fill = -count % BLOCK
    filled = [np.concatenate([a, np.zeros((fill, *a.shape[1:]), a.dtype)]) for a in arrays]
    with jax.enable_x64(True):
        parts = [
            np.asarray(_block(function, *(a[i : i + BLOCK] for a in filled)))
            for i in range(0, count, BLOCK)
        ]
    return np.concatenate(parts)[:count]


def linked(link: Callable[[Any], Any] | None, raw: np.ndarray) -> np.ndarray:
    """What a link makes of raw outputs, (n, outputs); without one, themselves."""
    return raw if link is None or link is identity else by_row(link, raw)


@functools.partial(jax.jit, static_argnums=0)
def _block(function: Callable[..., Any], *arrays: Any) -> Any:
    return function(*arrays)
