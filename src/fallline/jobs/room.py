"""How much of a streamed table may be in memory at a time."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from fallline.errors import FalllineError
from fallline.jobs.supply import PART
from fallline.memory import free_memory, memory_in_use

if TYPE_CHECKING:
    from fallline.jobs.config import FitConfig

LARGEST_BLOCK = 1 << 30
"""Bytes of a block, at most: beyond, more of them at a time change nothing."""

MARGIN = 96 << 20
"""Bytes kept free for compiling and for what libraries hold back."""


def block_rows(config: FitConfig, width: int, largest: int, pieces: int, every: int) -> int:
    """How many rows a block may have, all shards together.

    Three blocks may be there at once: the one in use, the next one, and its copy on the device.

    Args:
        config: says how much memory may be used.
        width: encoded columns.
        largest: bytes of the largest piece, as it is read.
        pieces: how many are begun at a time, one for each shard.
        every: rows that there are. A block that cannot have them all has a power of two: each time a
            little more or less memory is free, and the same seed is to give the same batches.

    Raises:
        FalllineError: if the memory allowed is too little for any.
    """
    _give_back()
    used = memory_in_use()
    row = 4 * (width + 3)
    limit = config.memory if config.memory is not None else used + free_memory() // 2
    taken = used + MARGIN + (3 + pieces) * largest + 4 * PART * row
    rows = int(min((limit - taken) / 3.2, LARGEST_BLOCK) / row)
    if rows < 4096:
        need = taken + int(3.2 * 16384 * row)
        fewer = ", or take fewer --shards" if config.shards > 1 else ""
        raise FalllineError(
            f"Streaming this table takes at least {math.ceil(need / 1e6):,} MB of memory, of which "
            f"{used / 1e6:,.0f} MB are in use already: allow more with --memory, cut the table into "
            f"smaller row groups{fewer}."
        )
    return rows if rows >= every else 1 << (rows.bit_length() - 1)


def _give_back() -> None:
    """Hand back the memory that libraries hold for later: it would count as in use."""
    import ctypes

    import pyarrow

    pyarrow.default_memory_pool().release_unused()
    # No such function but in glibc; no such name for the program itself on Windows.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
