"""Frames between server and page: a header of 32 bytes, then numbers.

Little endian throughout: ``FLN1``, kind, flags (two bytes each), sequence, step, n, scalars (four bytes
each), time in seconds since the epoch (eight bytes, a float); then ``scalars`` float32, then the data,
float32 as well.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from typing import Any

HEADER = struct.Struct("<4sHHIIIId")
MAGIC = b"FLN1"

TERRAIN_BALLS = 1
TERRAIN_HEIGHTS = 2
TERRAIN_TRAILS = 3
TERRAIN_BASINS = 4
FIT_STATE = 10
FIT_SURFACE = 11


class Frame(NamedTuple):
    """A frame taken apart.

    Attributes:
        kind: what it holds, one of the constants above.
        flags: which run it belongs to, as its view counts them.
        sequence: counts the frames of a connection.
        step: of the run.
        n: how many things the data is about.
        time: when it was made.
        scalars: float32, rows one after the other.
        data: float32.
    """

    kind: int
    flags: int
    sequence: int
    step: int
    n: int
    time: float
    scalars: np.ndarray
    data: np.ndarray


def pack(
    kind: int,
    *,
    sequence: int = 0,
    flags: int = 0,
    step: int = 0,
    n: int = 0,
    scalars: Any = (),
    data: Any = (),
) -> bytes:
    """A frame as bytes."""
    rows = np.ascontiguousarray(scalars, "<f4")
    numbers = np.ascontiguousarray(data, "<f4")
    header = HEADER.pack(
        MAGIC, kind, flags % 2**16, sequence % 2**32, step, n, rows.size, time.time()
    )
    return header + rows.tobytes() + numbers.tobytes()


def unpack(frame: bytes) -> Frame:
    """The parts of a frame.

    Raises:
        ValueError: if it is none.
    """
    if len(frame) < HEADER.size or frame[:4] != MAGIC:
        raise ValueError("not a frame")
    _, kind, flags, sequence, step, n, scalars, clock = HEADER.unpack_from(frame)
    numbers = np.frombuffer(frame, "<f4", offset=HEADER.size)
    return Frame(kind, flags, sequence, step, n, clock, numbers[:scalars], numbers[scalars:])
