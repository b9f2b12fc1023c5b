"""Setting rows aside: for testing, or for deciding when to stop."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from jaxtyping import Int


def split(
    n_or_labels: int | np.ndarray[Any, np.dtype[Any]],
    share: float,
    seed: int,
    stratify: bool | None = None,
    *,
    purpose: str = "test",
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " held_out"]]:
    """Choose rows to hold out.

    The same arguments choose the same rows on every machine and under every version of NumPy: the
    order comes from the raw stream of the Philox generator, which never changes.

    Args:
        n_or_labels: How many rows there are, or the label of each.
        share: The part of the rows to hold out, between 0 and 1.
        seed: The seed.
        stratify: Whether each class with two rows or more gives the same part of its rows; a class
            with one row keeps it. None stratifies when labels are given.
        purpose: Names the stream of random numbers: ``"test"`` and ``"validation"`` choose
            differently from the same seed.

    Returns:
        The rows to train on and the rows held out, both sorted, neither empty.

    Raises:
        FalllineError: if there are fewer than two rows, or the share is not between 0 and 1.
    """
    labels = None if isinstance(n_or_labels, (int, np.integer)) else np.asarray(n_or_labels)
    n = int(n_or_labels) if labels is None else len(labels)  # pyright: ignore[reportArgumentType]
    if not 0 < share < 1:
        raise FalllineError(
            f"A share of {share:g} of the rows cannot be held out for {purpose}: give a number "
            "between 0 and 1, such as 0.2."
        )
    if n < 2:
        raise FalllineError(
            f"Holding rows out for {purpose} takes at least two rows, and there is {n}."
        )
    digest = hashlib.blake2b(f"fallline split {purpose} {seed}".encode(), digest_size=16)
    stream = np.random.Philox(key=int.from_bytes(digest.digest(), "little"))
    order = np.argsort(stream.random_raw(n), kind="stable")
    count = min(max(round(n * share), 1), n - 1)
    held = np.zeros(n, bool)
    if labels is None or stratify is False:
        held[order[:count]] = True
    else:
        kinds, codes = np.unique(labels, return_inverse=True)
        quota = _quotas(np.bincount(codes, minlength=len(kinds)), share, count)
        # Each class gives its first rows in the one random order.
        for code in np.flatnonzero(quota):
            held[order[codes[order] == code][: quota[code]]] = True
        if not held.any():
            held[order[:count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _quotas(
    sizes: Int[np.ndarray, " classes"], share: float, count: int
) -> Int[np.ndarray, " classes"]:
    """How many rows each class gives, by largest remainder; at most all but one."""
    room = np.where(sizes > 1, sizes - 1, 0)
    wish = np.where(sizes > 1, sizes * share, 0.0)
    quota = np.minimum(np.floor(wish).astype(np.int64), room)
    for code in np.argsort(-(wish - quota), kind="stable"):
        if quota.sum() >= count:
            break
        if quota[code] < room[code]:
            quota[code] += 1
    return quota
