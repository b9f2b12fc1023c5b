"""Arrays as few bytes, for a widget: 16 bits a number, differences, gzip; see ``js/notebook/numbers.js``."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.show.relief import lift_of

if TYPE_CHECKING:
    from jaxtyping import Float, UInt16

MOST = 65534
"""The largest number; the one above it stands for none."""

REACH = 2.0
"""Places are kept from -2 to 2, where the window reaches from -1 to 1: to 1/32,000 of its width."""


def squeezed(numbers: UInt16[np.ndarray, "rows columns"], times: int = 1) -> bytes:
    """Whole numbers whose neighbours in a row are alike, as few bytes.

    Differences along the rows, small ones of either sign as small numbers, low bytes before high bytes, gzip.

    Args:
        numbers: from 0 to 65535.
        times: how often differences are taken: 2 where rows are smooth.
    """
    for _ in range(times):
        numbers = np.diff(numbers, axis=1, prepend=np.uint16(0))
    signed = numbers.view(np.int16)
    folded = ((signed << 1) ^ (signed >> 15)).view(np.uint16)
    planes = np.stack([folded & 255, folded >> 8]).astype(np.uint8)
    return gzip.compress(planes.tobytes(), 6, mtime=0)


def places(terrain: Any, ways: Float[np.ndarray, "records balls 2"]) -> bytes:
    """Where balls are, record after record, in the terrain's window; a row for each coordinate of a ball."""
    low, high = np.array(terrain.bounds, np.float64).T
    with np.errstate(over="ignore", invalid="ignore"):
        inside = (ways - (low + high) / 2) / ((high - low) / 2)
        known = (np.isfinite(inside) & (np.abs(inside) <= REACH)).all(axis=2, keepdims=True)
        whole = np.round((inside + REACH) * (MOST / (2 * REACH)))
    numbers = np.where(known, whole, MOST + 1).astype(np.uint16)
    return squeezed(np.ascontiguousarray(numbers.reshape(len(numbers), -1).T))


def heights(z: Float[np.ndarray, "p p"]) -> tuple[bytes, dict[str, float | None]]:
    """A grid of values, as fine as they are seen, and the scale that brings them back.

    Returns:
        The bytes, and low, high and bend of the scale; bend is None where it is straight.
    """
    lift = lift_of(np.where(np.isfinite(z), z, np.nan))
    shares = lift(z)
    with np.errstate(invalid="ignore"):
        numbers = np.where(np.isfinite(shares), np.round(shares * MOST), MOST + 1)
    scale = {"low": lift.low, "high": lift.high}
    bend = float(lift.scale) if np.isfinite(lift.scale) else None
    return squeezed(numbers.astype(np.uint16), 2), {**scale, "bend": bend}
